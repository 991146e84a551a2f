"""What the core said, and whether it still says something: the console's whole knowledge of the meet.

Pure but for the clocks given to it: `Line` brings the messages, `Hub` takes them to the browsers. A message that is
none, repeats what is known, or is older than what is known, changes nothing.
"""

import re
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, Protocol

import msgspec
import structlog

CORE_SILENCE_S: Final = 1.5
"""The core speaks each half second (`alive`): three in a row left out, and it counts as lost."""
PASSINGS_KEPT: Final = 100
SHRUNK_BEATS: Final = 3
"""So many beats in a row with a lower number than was seen: this is another journal, its numbers begin anew."""
BEHIND_BEATS: Final = 3
"""So many beats in a row with a higher number than was seen: something did not come."""

SUBSCRIPTIONS: Final = (
    *("meet", "current", "board", "competition", "health", "passing", "alive", "schedule", "communiques"),
    *("devices/+", "heats/+/+", "competitions/+"),
)
"""Topics below the meet. What else a broker delivers is not for us (amqtt sometimes mixes up its clients)."""
_WANTED: Final = re.compile(
    r"(?P<one>meet|current|board|competition|health|passing|alive|schedule|communiques)"
    r"|(?P<each>devices|competitions)/[^/+#]+|heats/[^/+#]+/(?P<part>[a-z_]+)"
)
_NAMES: Final = {"devices": "device"}
"""Where the name in the schema is not that of the topic."""

LinkState = Literal["up", "down"]
Fields = dict[str, Any]

log = structlog.get_logger("console")


class Links(msgspec.Struct, frozen=True):
    """Who is there. `since_us` is host UTC: since when each has been so."""

    mqtt: LinkState
    core: LinkState
    mqtt_since_us: int
    core_since_us: int


class CoreClock(msgspec.Struct, frozen=True):
    """The core's own time at one instant, and how many of its seconds pass in one of ours."""

    at_us: int
    speed: float
    journal_id: int
    seq: int


class Alive(msgspec.Struct, frozen=True):
    """The message of topic `alive`, as far as it is used."""

    at_us: int
    speed: float
    journal_id: int
    seq: int


class Clocks(NamedTuple):
    """The two clocks: seconds that never jump, and host UTC in µs."""

    monotonic_s: Callable[[], float]
    utc_us: Callable[[], int]


class Listener(Protocol):
    """Who is told what is new."""

    def changed(self, topic: str, name: str, payload: bytes, fields: Fields | None) -> None:
        """A retained topic has a new payload (`name` is that of its schema); empty and None when it is gone."""

    def passed(self, payload: bytes, fields: Fields) -> None:
        """Passings came."""

    def linked(self, links: Links) -> None:
        """A line was lost or came back."""


class _Known(NamedTuple):
    seq: int
    generated_us: int
    payload: bytes


class Feed:
    """The newest payload of every topic, the newest passings, and the state of the two lines before us."""

    def __init__(self, listener: Listener, clocks: Clocks) -> None:
        self._listener = listener
        self._clocks = clocks
        self._known: dict[str, _Known] = {}
        self._highest = 0
        self._passing_seq = 0
        self._alive: Alive | None = None
        self._alive_at_s = 0.0
        self._shrunk = 0
        self._behind = 0
        now_us = clocks.utc_us()
        self.links = Links("down", "down", now_us, now_us)
        self.passings: deque[Any] = deque(maxlen=PASSINGS_KEPT)
        """The newest passings, oldest first, as the core sent them."""
        self.resync_wanted = False
        """Something did not come: the retained topics have to be fetched again."""

    # -- messages ----------------------------------------------------------------------------------------------

    def take(self, topic: str, payload: bytes, retained: bool) -> None:
        """A message on a topic below the meet, whatever it is."""
        wanted = _WANTED.fullmatch(topic)
        if wanted is None:
            log.debug("not_for_us", topic=topic)
            return
        if topic == "alive":
            if not retained:
                self._take_alive(payload)
            return
        if not payload:
            self._forget(topic)
            return
        name = wanted["one"] or wanted["part"] or _NAMES.get(wanted["each"], wanted["each"])
        fields = _message(payload, name)
        if fields is None:
            log.warning("message_malformed", topic=topic, begins=payload[:80].decode("utf-8", "replace"))
            return
        if topic == "passing":
            self._take_passing(payload, fields, retained)
            return
        known = self._known.get(topic)
        seq, generated_us = fields["seq"], fields["generated_us"]
        if known is not None and (known.payload == payload or _is_older(seq, generated_us, known)):
            return
        self._known[topic] = _Known(seq, generated_us, payload)
        self._highest = max(self._highest, seq)
        self._listener.changed(topic, name, payload, fields)

    def _take_passing(self, payload: bytes, fields: Fields, retained: bool) -> None:
        # After a loss of the broker the core repeats the last seconds under the numbers that it had.
        if retained or fields["seq"] <= self._passing_seq:
            return
        self._passing_seq = fields["seq"]
        self._highest = max(self._highest, fields["seq"])
        news = fields.get("passings")
        if isinstance(news, list):
            self.passings.extend(news)
            self._listener.passed(payload, fields)

    def _forget(self, topic: str) -> None:
        if self._known.pop(topic, None) is not None:
            self._listener.changed(topic, "", b"", None)

    # -- lines -------------------------------------------------------------------------------------------------

    def _take_alive(self, payload: bytes) -> None:
        try:
            alive = msgspec.json.decode(payload, type=Alive)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            log.warning("message_malformed", topic="alive", reason=str(error))
            return
        self._alive = alive
        self._alive_at_s = self._clocks.monotonic_s()
        self._shrunk = self._shrunk + 1 if alive.seq < self._highest else 0
        self._behind = self._behind + 1 if alive.seq > self._highest else 0
        if self._shrunk >= SHRUNK_BEATS:
            log.warning("journal_replaced", highest=self._highest, now=alive.seq)
            self._known = {topic: _Known(0, 0, one.payload) for topic, one in self._known.items()}
            self._passing_seq = 0
            self._want_resync(alive.seq)
        elif self._behind >= BEHIND_BEATS:
            log.warning("messages_missing", highest=self._highest, now=alive.seq)
            self._want_resync(alive.seq)
        self._set_core("up")

    def _want_resync(self, highest: int) -> None:
        self._highest = highest
        self._shrunk = self._behind = 0
        self.resync_wanted = True

    def broker_reached(self) -> None:
        """The broker is there and has taken the subscriptions; whether the core lives is not known yet."""
        self._shrunk = self._behind = 0
        self.resync_wanted = False
        now_us = self._clocks.utc_us()
        core_since_us = self.links.core_since_us if self.links.core == "down" else now_us
        self._set_links(Links("up", "down", now_us, core_since_us))

    def broker_lost(self) -> None:
        """The broker is gone. Of the core nothing is known then, so its state stays as it was."""
        if self.links.mqtt == "up":
            self._set_links(msgspec.structs.replace(self.links, mqtt="down", mqtt_since_us=self._clocks.utc_us()))

    def look(self) -> None:
        """Notice that the core has fallen silent. Call it often."""
        silent_s = self._clocks.monotonic_s() - self._alive_at_s
        if self.links.mqtt == "up" and self.links.core == "up" and silent_s > CORE_SILENCE_S:
            self._set_core("down")

    def core_clock(self) -> CoreClock | None:
        """What time it is in the core; None while it is not heard."""
        alive = self._alive
        if alive is None or self.links.core == "down" or self.links.mqtt == "down":
            return None
        passed_s = self._clocks.monotonic_s() - self._alive_at_s
        at_us = alive.at_us + round(passed_s * 1e6 * alive.speed)
        return CoreClock(at_us, alive.speed, alive.journal_id, alive.seq)

    def _set_core(self, state: LinkState) -> None:
        if self.links.core != state:
            self._set_links(msgspec.structs.replace(self.links, core=state, core_since_us=self._clocks.utc_us()))

    def _set_links(self, links: Links) -> None:
        self.links = links
        log.info("links", mqtt=links.mqtt, core=links.core)
        self._listener.linked(links)


def _is_older(seq: int, generated_us: int, known: _Known) -> bool:
    """A repeat from before what is known. A lower number that tells of something newer is of another journal."""
    return seq < known.seq and generated_us <= known.generated_us


def _message(payload: bytes, name: str) -> Fields | None:
    """The fields of a message of this name; None for anything else."""
    try:
        fields = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.get("schema") != f"velodrome/{name}/1":
        return None
    if type(fields.get("seq")) is not int or type(fields.get("generated_us")) is not int:
        return None
    return fields
