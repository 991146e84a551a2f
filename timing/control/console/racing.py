"""The race itself: the stream of what a role may see, its orders, the photo-finish images."""

import asyncio
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from timing.control.console import roles
from timing.control.console.commands import MOST_BODY_BYTES, OrderError, read_order
from timing.control.console.desk import Desk
from timing.control.console.guard import is_own_origin, read_body
from timing.control.console.hub import TooManyBrowsersError
from timing.control.console.photos import Photo
from timing.control.console.sessions import is_csrf_token
from timing.control.console.stream import EventStream
from timing.control.console.visits import Visits, json_response

PHOTO_KEPT: Final = "private, max-age=86400, immutable"
"""An image of one version never changes."""

log = structlog.get_logger("console")


class Race:
    """The routes by which a screen lives."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._visits = Visits(desk)

    async def events(self, request: Request) -> Response:
        """The stream of what the role may see."""
        session = self._visits.session(request)
        session_id = self._visits.session_id(request)
        if session is None and (session_id or not self._desk.job.console.public):
            # Not the public's stream: a screen of an official must not go on as if nothing had happened.
            return self._visits.forget(request, self._visits.refused(request, 401, "signed_out"))
        audience = roles.audience_of(roles.PUBLIC if session is None else session.role)

        def still_allowed() -> bool:
            return session is None or self._desk.sessions.find(session_id) is not None

        try:
            browser = self._desk.hub.open(audience, request.headers.get("last-event-id", ""), still_allowed)
        except TooManyBrowsersError:
            return self._visits.refused(request, 503, "too_many")
        return _Streaming(EventStream(self._desk.hub.audiences[audience], browser))

    async def order(self, request: Request) -> Response:
        """A person's order: to the core, and its answer back."""
        body = await read_body(request, MOST_BODY_BYTES)
        session = self._visits.session(request)
        if session is None:
            return self._visits.refused(request, 401, "signed_out")
        token = request.headers.get("x-csrf-token", "")
        if not is_own_origin(request) or not is_csrf_token(self._visits.session_id(request), token):
            return self._visits.refused(request, 403, "form_expired_text")
        try:
            order = read_order(body)
        except OrderError as error:
            return self._visits.refused(request, 400, "malformed", what=str(error))
        refusal = roles.refuse_role(order.action, session.role)
        if refusal is not None:
            log.warning("order_refused", actor=session.actor, role=session.role, reason=refusal)
            return json_response({"accepted": False, "reason": refusal, "journal_id": None, "key": "role"}, 403)
        if not self._desk.may_order_now(session):
            response = self._visits.refused(request, 429, "too_many_orders")
            response.headers["Retry-After"] = "1"
            return response
        answer = await self._desk.clerk.ask(self._desk.line, order, session.actor, session.role)
        if answer.reply is None:
            return self._visits.refused(request, 503, answer.key)
        return json_response(answer.reply, 200 if answer.reply.accepted else 409)

    async def photo_news(self, request: Request) -> Response:
        """Which image of a heat is the newest: `{name, version, written_us}`; name null where there is none yet."""
        photo = await self._newest(request)
        if isinstance(photo, Response):
            return photo
        if photo is None:
            # No error: a screen asks until the camera has delivered.
            return json_response({"name": None}, 200)
        told = {"name": photo.name, "version": photo.version, "written_us": photo.written_us}
        return json_response(told, 200)

    async def photo(self, request: Request) -> Response:
        """The newest image of a heat."""
        photo = await self._newest(request)
        if isinstance(photo, Response):
            return photo
        if photo is None:
            return self._visits.refused(request, 404, "no_photo")
        asked = request.query_params.get("version")
        kept = {"Cache-Control": PHOTO_KEPT} if asked == photo.version else {}
        return Response(photo.data, 200, kept, photo.media_type)

    async def _newest(self, request: Request) -> Photo | Response | None:
        """The newest image for officials; words for anybody else, and where the folder cannot be read."""
        session = self._visits.session(request)
        if session is None:
            return self._visits.refused(request, 401, "signed_out")
        if roles.audience_of(session.role) != "officials":
            return self._visits.refused(request, 403, "photo_forbidden")
        photos = self._desk.photos
        if photos is None:
            return None
        try:
            return await asyncio.to_thread(photos.newest, request.path_params["heat"])
        except OSError as error:
            log.warning("photo_folder_unreadable", reason=str(error))
            return self._visits.refused(request, 503, "photo_folder_unreadable")


class _Streaming(Response):
    """Hands the connection over to a stream."""

    def __init__(self, stream: EventStream) -> None:
        super().__init__()
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._stream(scope, receive, send)
