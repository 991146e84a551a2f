"""Between what the core said and the browsers: who sees what of it, the beat, and the end of streams."""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from timing.control.console.feed import Clocks, Feed, Fields, Links
from timing.control.console.roles import AudienceName
from timing.control.console.stream import Audience, Browser, event_bytes
from timing.control.console.visible import public_fields

BEAT_EVERY_S: Final = 0.5
LOOK_EVERY_S: Final = 0.1
MOST_BROWSERS: Final = 600
"""Streams that are open at once; a race office has some fifty."""
MOST_PUBLIC: Final = 400
"""Of these for the public, so that a crowd at the boards never keeps an official out."""

log = structlog.get_logger("console")


class TooManyBrowsersError(Exception):
    """No further stream can be opened now."""


class Hub:
    """The two audiences and the one feed."""

    def __init__(self) -> None:
        self.feed = Feed(self, Clocks(time.monotonic, _utc_us))
        run = secrets.token_hex(8)
        passings = self.feed.passings
        names: tuple[AudienceName, ...] = ("officials", "public")
        self.audiences = {name: Audience(name, run, self._beat, passings) for name in names}
        self.closing = False

    def open(self, name: AudienceName, last_event_id: str, still_allowed: Callable[[], bool]) -> Browser:
        """A browser's stream. Raises TooManyBrowsersError."""
        count = len(self.audiences[name].browsers)
        if self.closing or count >= (MOST_PUBLIC if name == "public" else MOST_BROWSERS - MOST_PUBLIC):
            raise TooManyBrowsersError
        return self.audiences[name].join(last_event_id, still_allowed)

    def close(self) -> None:
        """End every stream, and open no other."""
        self.closing = True
        for audience in self.audiences.values():
            for browser in audience.browsers:
                browser.close()

    async def run(self) -> None:
        """Beat, notice the core's silence, end the streams of those who may no longer see; until cancelled."""
        loop = asyncio.get_running_loop()
        beat_at_s = loop.time()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.feed.look()
            if loop.time() >= beat_at_s:
                beat_at_s = loop.time() + BEAT_EVERY_S - LOOK_EVERY_S / 2
                self._close_disallowed()
                self._tell("beat", self._beat())

    # -- what the feed tells -----------------------------------------------------------------------------------

    def changed(self, topic: str, name: str, payload: bytes, fields: Fields | None) -> None:
        """A retained topic has a new payload, or is gone."""
        officials, public = self.audiences["officials"], self.audiences["public"]
        if fields is None:
            officials.remove(topic)
            public.remove(topic)
            return
        officials.change(topic, payload, fields)
        seen = _for_the_public(name, fields)
        if seen is not None:
            public.change(topic, *seen)

    def passed(self, payload: bytes, fields: Fields) -> None:
        """Passings came."""
        self.audiences["officials"].passing(payload)
        seen = _for_the_public("passing", fields)
        if seen is not None:
            self.audiences["public"].passing(seen[0])

    def linked(self, links: Links) -> None:
        """A line was lost or came back."""
        self._tell("links", msgspec.to_builtins(links))

    def _beat(self) -> Fields:
        return {"host_us": _utc_us(), "core": self.feed.core_clock(), "links": self.feed.links}

    def _tell(self, kind: str, fields: Fields) -> None:
        event = event_bytes(kind, msgspec.json.encode(fields))
        for audience in self.audiences.values():
            audience.tell(event)

    def _close_disallowed(self) -> None:
        for audience in self.audiences.values():
            for browser in audience.browsers:
                if not browser.still_allowed():
                    browser.close()


def _for_the_public(name: str, fields: Fields) -> tuple[bytes, Fields] | None:
    """What the public sees of a message, as JSON and decoded; None for nothing."""
    try:
        seen = public_fields(name, fields)
        return None if seen is None else (msgspec.json.encode(seen), seen)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        # It has our schema's name and another's shape. Officials see what it is; the public does not.
        log.warning("message_malformed", schema=name, reason=str(error))
        return None


def _utc_us() -> int:
    return time.time_ns() // 1_000
