"""Signing in and out."""

from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from timing.control.console import roles
from timing.control.console.desk import Desk
from timing.control.console.guard import is_own_origin, read_body
from timing.control.console.pages import Login
from timing.control.console.sessions import is_csrf_token
from timing.control.console.visits import Visits, read_form

MOST_FORM_BYTES: Final = 4 * 1024
MOST_ACTOR_LENGTH: Final = 100

log = structlog.get_logger("console")


class Entrance:
    """The routes of login and logout."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._visits = Visits(desk)

    async def page(self, request: Request) -> Response:
        """The form, with a token of its own."""
        goal = request.query_params.get("goal", "")
        return self._form(request, Login("", goal if goal in roles.SCREENS else ""), 200)

    async def sign_in(self, request: Request) -> Response:
        """Name, role and password against the meet's accounts."""
        form = read_form(await read_body(request, MOST_FORM_BYTES))
        cookie = request.cookies.get(self._desk.cookies.login, "")
        if not is_own_origin(request) or not self._desk.login_tokens.fits(cookie, form.get("csrf", "")):
            return self._form(request, Login("", error=self._visits.say(request, "form_expired_text")), 403)
        actor, role = form.get("actor", "").strip()[:MOST_ACTOR_LENGTH], form.get("role", "")
        address = request.client.host if request.client is not None else ""
        wait_s = self._desk.throttle.begin(address, actor)
        if wait_s:
            log.warning("login_throttled", address=address, actor=actor, wait_s=wait_s)
            response = self._visits.notice(request, 429, "throttled", seconds=wait_s)
            response.headers["Retry-After"] = str(wait_s)
            return response
        encoded = self._desk.accounts.get((actor, role))
        if not await self._desk.verifier.is_right(encoded, form.get("password", "")):
            log.warning("login_refused", address=address, actor=actor, role=role)
            again = Login("", form.get("goal", ""), actor, role, self._visits.say(request, "login_wrong"))
            return self._form(request, again, 401)
        self._desk.throttle.succeed(address, actor)
        log.info("login", address=address, actor=actor, role=role)
        return self._let_in(request, actor, role, form.get("goal", ""))

    async def sign_out(self, request: Request) -> Response:
        """The session is over, and with it every stream of it."""
        form = read_form(await read_body(request, MOST_FORM_BYTES))
        session_id = self._visits.session_id(request)
        if not is_own_origin(request) or not is_csrf_token(session_id, form.get("csrf", "")):
            return self._visits.notice(request, 403, "form_expired")
        self._desk.sessions.end(session_id)
        return self._visits.forget(request, RedirectResponse("/login", 303))

    def _let_in(self, request: Request, actor: str, role: str, goal: str) -> Response:
        """A new session under a new id, whatever the browser had before."""
        self._desk.sessions.end(self._visits.session_id(request))
        session_id = self._desk.sessions.begin(actor, role)
        screen = goal if goal in roles.screens_of(role) else roles.first_screen(role)
        response = RedirectResponse(f"/{screen}", 303)
        self._desk.cookies.set(response, self._desk.cookies.session, session_id)
        self._desk.cookies.drop(response, self._desk.cookies.login)
        return response

    def _form(self, request: Request, login: Login, status: int) -> Response:
        tokens, name = self._desk.login_tokens, self._desk.cookies.login
        cookie = request.cookies.get(name) or tokens.new_cookie()
        page = self._desk.pages.login(login._replace(token=tokens.token(cookie)), self._visits.looks(request))
        response = HTMLResponse(page, status)
        self._desk.cookies.set(response, name, cookie)
        return response
