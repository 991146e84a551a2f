"""A request and who sends it: the session, the language, and refusals in words."""

from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from timing.control.console.desk import Desk
from timing.control.console.pages import THEMES, Looks
from timing.control.console.sessions import Session
from timing.control.console.wording import choose_language


class Visits:
    """What the routes ask about a request."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def session_id(self, request: Request) -> str:
        """What the browser's cookie says; empty without one."""
        return request.cookies.get(self._desk.cookies.session, "")

    def session(self, request: Request) -> Session | None:
        """Who has signed in, if it still holds."""
        session_id = self.session_id(request)
        return self._desk.sessions.find(session_id) if session_id else None

    def forget(self, request: Request, response: Response) -> Response:
        """Take the cookie of a session that is over back from the browser."""
        if self.session_id(request):
            self._desk.cookies.drop(response, self._desk.cookies.session)
        return response

    def looks(self, request: Request) -> Looks:
        """Language and theme, as chosen on a screen before."""
        theme = request.cookies.get("theme", "")
        lang = choose_language(request.cookies.get("lang"), request.headers.get("accept-language", ""))
        return Looks(lang, theme if theme in THEMES else THEMES[0])

    def say(self, request: Request, key: str, **values: object) -> str:
        """A text in the browser's language."""
        return self._desk.wording.say(self.looks(request).lang, key, **values)

    def notice(self, request: Request, status: int, key: str, **values: object) -> Response:
        """A page that says why."""
        return HTMLResponse(self._desk.pages.notice(key, self.looks(request), **values), status)

    def refused(self, request: Request, status: int, key: str, **values: object) -> Response:
        """The same for a script: the form of a command's answer, with the key of its words."""
        reason = self.say(request, key, **values)
        return json_response({"accepted": False, "reason": reason, "journal_id": None, "key": key}, status)


def json_response(body: object, status: int) -> Response:
    """`body` as JSON."""
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def read_form(body: bytes) -> dict[str, str]:
    """The fields of an HTML form (application/x-www-form-urlencoded); the first of each name, at most 20."""
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}
