"""Orders of a browser: to the core over MQTT, and its answer back to the browser after the commit.

The id comes from the browser. The core applies the same id once, so an order whose answer was lost can be sent
again, and gets the same answer.
"""

import asyncio
import contextlib
from typing import Annotated, Final, NamedTuple

import msgspec
import structlog

from timing.control.console.line import Line, LineDownError
from timing.race.events import MeetAction

REPLY_TIMEOUT_S: Final = 1.5
MOST_TRIES: Final = 2
"""A broker can forget a subscription while it still takes orders: the order is sent once more under its id."""
MOST_BODY_BYTES: Final = 256 * 1024
"""The largest order is an entry list: 500 riders of some 250 bytes."""
ID_PATTERN: Final = r"^[A-Za-z0-9._:@=-]+$(?!\n)"
"""As `timing.control.messages` has it; importing that would load the whole core."""

log = structlog.get_logger("console")


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /commands`."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=ID_PATTERN)]
    action: MeetAction
    heat: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    seen: int | None = None
    preview: bool = False


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What goes to the core: `CommandRequest` of `timing.control.messages`."""

    id: str
    actor: str
    role: str
    action: MeetAction
    reply_to: str
    heat: str | None = None
    seen: int | None = None
    preview: bool = False


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the core answers: `CommandReply` of `timing.control.messages`, its preview unread."""

    id: str
    accepted: bool
    reason: str
    heat: str | None = None
    journal_id: int | None = None
    preview: msgspec.Raw = msgspec.Raw(b"null")


class Answer(NamedTuple):
    """What became of an order here: the core's reply, or the key of the words why there is none."""

    reply: Reply | None
    key: str = ""


class OrderError(Exception):
    """The body is no order; the message says what is wrong with it, and where."""


def read_order(body: bytes) -> Order:
    """The order in a request's body. Raises OrderError."""
    try:
        return msgspec.json.decode(body, type=Order)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OrderError(str(error)) from error


class Clerk:
    """Sends orders and waits for their answers."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[Reply]]] = {}
        self._asking: dict[bytes, asyncio.Task[Answer]] = {}

    def take_reply(self, payload: bytes) -> None:
        """An answer of the core, maybe to somebody else's order."""
        try:
            reply = msgspec.json.decode(payload, type=Reply)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            log.warning("reply_malformed", reason=str(error))
            return
        for waiting in self._waiting.get(reply.id, ()):
            if not waiting.done():
                waiting.set_result(reply)

    async def ask(self, line: Line, order: Order, actor: str, role: str) -> Answer:
        """Send the order and wait for its answer, not for ever. One that is on its way already is not sent again."""
        request = Request(
            id=order.id,
            actor=actor,
            role=role,
            action=order.action,
            reply_to=line.reply_topic(order.id),
            heat=order.heat,
            seen=order.seen,
            preview=order.preview,
        )
        payload = msgspec.json.encode(request)
        asking = self._asking.get(payload)
        if asking is None:
            asking = asyncio.create_task(self._ask(line, order.id, payload))
            self._asking[payload] = asking
            asking.add_done_callback(lambda _: self._asking.pop(payload))
        # Shielded: one of two that ask the same may hang up.
        return await asyncio.shield(asking)

    async def _ask(self, line: Line, order: str, payload: bytes) -> Answer:
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(order, []).append(answered)
        try:
            return await self._send_until_answered(line, payload, answered)
        finally:
            self._waiting[order].remove(answered)
            if not self._waiting[order]:
                del self._waiting[order]

    async def _send_until_answered(self, line: Line, payload: bytes, answered: "asyncio.Future[Reply]") -> Answer:
        sent = False
        for _ in range(MOST_TRIES):
            try:
                await line.send_order(payload)
            except LineDownError as error:
                sent = sent or error.sent
                if answered.done():
                    break
                return Answer(None, "unknown_mqtt" if sent else "not_sent")
            sent = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REPLY_TIMEOUT_S):
                    await asyncio.shield(answered)
            if answered.done():
                break
        return Answer(answered.result()) if answered.done() else Answer(None, "unknown_core")
