"""What every protocol offers: a parser for its bytes and a session for talking to its box. No I/O, no clock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from config.models import Device
from drivers.records import Impulse, Record


class Parser(Protocol):
    """Bytes of a stream to records. Keeps only a buffer; never raises on input; bad bytes become Malformed."""

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes (any split) that arrived at host time `received_us`; return what they complete."""
        ...

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: report what is left in the buffer as Malformed (an unfinished record)."""
        ...


class Resume(msgspec.Struct, frozen=True):
    """What is on disk of a device from earlier: where a backlog request has to begin."""

    last_sequence: int | None = None
    decoder: str | None = None
    impulses: tuple[Impulse, ...] = ()
    """The newest edges of a box that numbers nothing, oldest first: what it sends again is known by them."""
    in_heat: bool = False
    """Whether a heat is on the track: what a box saw of it meanwhile may be in its memory only."""


class Reaction(msgspec.Struct, frozen=True):
    """What a session makes of bytes: records to journal, and bytes to send to the box now (questions only)."""

    records: tuple[Record, ...] = ()
    send: tuple[bytes, ...] = ()


class Session(Protocol):
    """The conversation with one box over one or more connections. Sans-I/O; the supervisor drives it.

    Acknowledgements and resend marks depend on the disk: they leave only from `committed`.
    """

    tick_us: int
    """How often the supervisor should call `tick`, in µs of host time; 0 for never."""

    def connected(self, now_us: int) -> Sequence[bytes]:
        """A connection is up: reset the parser, return what to send first (clock question, backlog request)."""
        ...

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Bytes arrived."""
        ...

    def disconnected(self, now_us: int) -> Sequence[Record]:
        """The connection is gone; report an unfinished record, forget unanswered questions."""
        ...

    def tick(self, now_us: int) -> Sequence[bytes]:
        """Time passed: questions to ask now (clock, status, gaps still open)."""
        ...

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        """These records are on disk: acknowledgements to send, backlog marks to move."""
        ...


@dataclass(frozen=True)
class ProtocolEntry:
    """A protocol under its contract name: how to parse its stream and how to hold its conversation."""

    name: str
    summary: str
    parser: Callable[[str], Parser]
    """Device id to parser."""
    session: Callable[[Device, Resume], Session]
    serial_defaults: Mapping[str, str] = field(default_factory=dict)
    """Settings of a `serial:` address as it writes them (`{"dtr": "off"}`) that count where it says nothing."""
