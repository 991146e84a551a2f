"""The console's web application: its routes, its screens, and what it says when something is not there."""

from typing import Any, Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from timing.control.console import roles
from timing.control.console.desk import Desk
from timing.control.console.guard import BodyError, SecurityHeaders
from timing.control.console.office import Office
from timing.control.console.pages import Visitor
from timing.control.console.racing import Race
from timing.control.console.sessions import csrf_token
from timing.control.console.signing import Entrance
from timing.control.console.visits import Visits
from timing.control.console.wording import STATIC

FOR_SCRIPTS: Final = ("/events", "/commands", "/photos/", "/office/")
"""Where a script asks and not a person: a refusal is JSON there."""
NOTICES: Final = {404: "not_found", 405: "not_found", 408: "too_slow", 413: "too_large"}

log = structlog.get_logger("console")


def create_app(desk: Desk) -> Starlette:
    """The ASGI application of a desk."""
    screens, entrance, race, refusals = Screens(desk), Entrance(desk), Race(desk), Refusals(desk)
    office = Office(desk)
    routes = [
        Route("/", screens.home),
        *(Route(f"/{screen}", screens.screen) for screen in roles.SCREENS),
        Route("/login", entrance.page, methods=["GET"]),
        Route("/login", entrance.sign_in, methods=["POST"]),
        Route("/logout", entrance.sign_out, methods=["POST"]),
        Route("/events", race.events),
        Route("/commands", race.order, methods=["POST"]),
        Route("/photos/{heat}/newest", race.photo_news),
        Route("/photos/{heat}", race.photo),
        Route("/office/entries", office.read_entries, methods=["POST"]),
        Route("/office/communiques", office.documents),
        Route("/office/communiques/{number:int}.{file_format}", office.document),
        Mount("/static", _Static(directory=STATIC)),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: refusals.refuse, BodyError: refusals.refuse, Exception: refusals.fault},
    )


class _Static(StaticFiles):
    """Files that a browser keeps but asks about each time: an updated console is never shown with old scripts."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


class Screens:
    """The routes of the pages in which the screens live."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._visits = Visits(desk)

    async def home(self, request: Request) -> Response:
        """To where the role begins."""
        session = self._visits.session(request)
        if session is not None:
            return RedirectResponse(f"/{roles.first_screen(session.role)}", 303)
        goal = f"/{roles.first_screen(roles.PUBLIC)}" if self._desk.job.console.public else "/login"
        return self._visits.forget(request, RedirectResponse(goal, 303))

    async def screen(self, request: Request) -> Response:
        """The shell of a screen, if the role may open it."""
        name = request.url.path.strip("/")
        session = self._visits.session(request)
        public = self._desk.job.console.public and name in roles.OPEN_SCREENS
        if session is None and not public:
            return self._visits.forget(request, RedirectResponse(f"/login?goal={name}", 303))
        role = roles.PUBLIC if session is None else session.role
        if name not in roles.screens_of(role):
            who, what = (self._visits.say(request, f"common.{one}") for one in (f"role_{role}", f"screen_{name}"))
            return self._visits.notice(request, 403, "forbidden", role=who, screen=what)
        visitor = Visitor(role, "", "", roles.screens_of(role))
        if session is not None:
            visitor = visitor._replace(actor=session.actor, csrf=csrf_token(self._visits.session_id(request)))
        page = HTMLResponse(self._desk.pages.shell(name, visitor, self._visits.looks(request)))
        return page if session is not None else self._visits.forget(request, page)


class Refusals:
    """What is said when there is no answer: a page for people, JSON for scripts, words for both."""

    def __init__(self, desk: Desk) -> None:
        self._visits = Visits(desk)

    async def refuse(self, request: Request, error: Exception) -> Response:
        """No such page, no such method, a body that is too large or never comes."""
        status = error.status_code if isinstance(error, HTTPException) else getattr(error, "status", 400)
        return self._tell(request, status, NOTICES.get(status, "not_possible"))

    async def fault(self, request: Request, error: Exception) -> Response:
        """A mistake of ours: in the log with all its details, to the browser in one sentence."""
        log.error("fault", path=request.url.path, exc_info=error)
        return self._tell(request, 500, "fault")

    def _tell(self, request: Request, status: int, key: str) -> Response:
        if request.url.path.startswith(FOR_SCRIPTS):
            return self._visits.refused(request, status, f"{key}_text")
        return self._visits.notice(request, status, key)
