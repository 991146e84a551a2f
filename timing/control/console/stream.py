"""Server-Sent Events: a snapshot, then numbered deltas, to any number of browsers.

Each audience (officials, public) has its own numbers, because it sees other topics. An event is encoded once and the
same bytes go to all of its browsers; of a long topic only what changed. A browser that cannot keep up is not waited
for: what it has not read yet is dropped and a fresh snapshot takes its place.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import structlog
from starlette.types import Receive, Scope, Send

from timing.control.console.feed import Fields
from timing.control.console.patches import patch_bytes
from timing.control.console.roles import AudienceName

RETRY_MS: Final = 500
RING_EVENTS: Final = 4_000
RING_BYTES: Final = 16 * 1024 * 1024
"""A browser that was away for shorter than this goes on where it was."""
PENDING_BYTES: Final = 4 * 1024 * 1024
"""A browser that has not read so much gets a snapshot instead."""
GATHER_S: Final = 0.008
"""The parts of one picture of a race come one by one; so long after the first they go to all browsers in one piece."""
SEND_TIMEOUT_S: Final = 20.0
"""A browser that takes nothing for so long is gone."""
HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

log = structlog.get_logger("console")


class Browser:
    """One open stream: what it has not been sent yet."""

    def __init__(self, audience: "Audience", still_allowed: Callable[[], bool]) -> None:
        self._audience = audience
        self.still_allowed = still_allowed
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._behind = False
        self._work = asyncio.Event()
        self.closed = False

    def push(self, event: bytes) -> None:
        """One more event to send, and now."""
        self.put(event)
        self.wake()

    def put(self, event: bytes) -> None:
        """One more event to send with the next that is pushed, or when the stream is woken."""
        if not self._behind:
            self._waiting.append(event)
            self._waiting_bytes += len(event)
            if self._waiting_bytes > PENDING_BYTES:
                self._waiting.clear()
                self._behind = True
                log.info("slow_browser", audience=self._audience.name)

    def wake(self) -> None:
        """Send what waits."""
        if self._waiting or self._behind:
            self._work.set()

    def close(self) -> None:
        """End the stream; the browser will ask again."""
        self.closed = True
        self._work.set()

    async def take(self) -> bytes:
        """Everything that waits, as soon as something does; empty when the stream ends."""
        await self._work.wait()
        self._work.clear()
        if self.closed:
            return b""
        if self._behind:
            self._behind = False
            self._waiting_bytes = 0
            return self._audience.snapshot()
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return data


class Audience:
    """Everybody who sees the same: the newest payloads, the last events by number, the browsers."""

    def __init__(self, name: AudienceName, run: str, beat: Callable[[], Fields], passings: Iterable[Any]) -> None:
        self.name = name
        self.browsers: set[Browser] = set()
        self._run = run
        self._beat = beat
        self._passings = passings
        self._topics: dict[str, bytes] = {}
        self._decoded: dict[str, Fields] = {}
        self._number = 0
        self._ring: deque[tuple[int, bytes]] = deque()
        self._ring_bytes = 0
        self._snapshot: tuple[int, bytes] | None = None
        self._gathering: asyncio.TimerHandle | None = None

    def change(self, topic: str, payload: bytes, fields: Fields) -> None:
        """A topic has a new payload: as JSON, and decoded."""
        patch = patch_bytes(self._decoded.get(topic), fields, payload)
        self._decoded[topic] = fields
        self._topics[topic] = _one_line(payload)
        name = msgspec.json.encode(topic)
        if patch is None:
            self._put("delta", b'{"n":%d,"topic":%s,"payload":%s}', name, self._topics[topic])
        else:
            self._put("delta", b'{"n":%d,"topic":%s,"patch":%s}', name, patch)
        self._gather()

    def remove(self, topic: str) -> None:
        """A topic is gone."""
        if self._topics.pop(topic, None) is not None:
            del self._decoded[topic]
            self._put("delta", b'{"n":%d,"topic":%s,"payload":null}', msgspec.json.encode(topic))
            self._gather()

    def passing(self, payload: bytes) -> None:
        """Passings came. Nothing is waited for with them."""
        self._put("passing", b'{"n":%d,"payload":%s}', _one_line(payload))
        self._wake()

    def tell(self, event: bytes) -> None:
        """Something without a number, to everybody who is here now."""
        for browser in self.browsers:
            browser.push(event)

    def join(self, last_event_id: str, still_allowed: Callable[[], bool]) -> Browser:
        """A browser opens the stream; it goes on where it was, or gets a snapshot."""
        browser = Browser(self, still_allowed)
        browser.push(b"retry: %d\n\n" % RETRY_MS)
        missed = self._since(last_event_id)
        if missed is None:
            browser.push(self.snapshot())
        else:
            for event in missed:
                browser.push(event)
            browser.push(event_bytes("beat", msgspec.json.encode(self._beat())))
        self.browsers.add(browser)
        return browser

    def leave(self, browser: Browser) -> None:
        """The stream of a browser is over."""
        self.browsers.discard(browser)

    def snapshot(self) -> bytes:
        """Everything as it is now, as one event. The topics in it are joined once for all who ask between changes."""
        if self._snapshot is None or self._snapshot[0] != self._number:
            topics = b",".join(msgspec.json.encode(topic) + b":" + body for topic, body in self._topics.items())
            self._snapshot = (self._number, topics)
        state = msgspec.json.encode(self._beat() | {"passings": list(self._passings)})
        data = b'{"n":%d,"topics":{%s},%s' % (self._number, self._snapshot[1], state[1:])
        return event_bytes("snapshot", data, self._id(self._number))

    def _gather(self) -> None:
        if self.browsers and self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(GATHER_S, self._wake)

    def _wake(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        for browser in self.browsers:
            browser.wake()

    def _put(self, kind: str, form: bytes, *parts: bytes) -> None:
        self._number += 1
        event = event_bytes(kind, form % (self._number, *parts), self._id(self._number))
        self._ring.append((self._number, event))
        self._ring_bytes += len(event)
        while len(self._ring) > RING_EVENTS or self._ring_bytes > RING_BYTES:
            self._ring_bytes -= len(self._ring.popleft()[1])
        for browser in self.browsers:
            browser.put(event)

    def _id(self, number: int) -> bytes:
        return f"{self._run}.{self.name}.{number}".encode()

    def _since(self, last_event_id: str) -> list[bytes] | None:
        """The events after that one; None when it is not of this run or too long ago."""
        head, _, number = last_event_id.rpartition(".")
        if head != f"{self._run}.{self.name}" or not number.isascii() or not number.isdecimal():
            return None
        last = int(number)
        oldest = self._ring[0][0] if self._ring else self._number + 1
        if not oldest - 1 <= last <= self._number:
            return None
        return [event for n, event in self._ring if n > last]


class EventStream:
    """The response that sends a browser's events until it goes, or has to."""

    def __init__(self, audience: Audience, browser: Browser) -> None:
        self._audience = audience
        self._browser = browser

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watching = asyncio.create_task(self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
            while data := await self._browser.take():
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            # Its buffers are full and nothing is read: the connection is of no use any more.
            log.info("browser_gone", audience=self._audience.name)
        finally:
            self._audience.leave(self._browser)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            continue
        self._browser.close()


def event_bytes(kind: str, data: bytes, number: bytes = b"") -> bytes:
    """An event as it goes over the wire (HTML standard, section 9.2.6); `data` is JSON on one line."""
    head = b"event: " + kind.encode()
    return head + (b"\nid: " + number if number else b"") + b"\ndata: " + data + b"\n\n"


def _one_line(payload: bytes) -> bytes:
    """JSON without line breaks, which would end the event's data in the middle."""
    if b"\n" in payload or b"\r" in payload:
        return msgspec.json.encode(msgspec.json.decode(payload))
    return payload
