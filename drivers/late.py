"""Records that came late because the line kept them: what they may still say, and how a session takes them."""

from typing import Protocol, runtime_checkable

import msgspec

from drivers.protocols.base import Reaction, Session
from drivers.records import ClockReading, DeviceStatus, Impulse, Passing, Record, Unhandled
from drivers.transports.base import Chunk

LATE_CLOCK = "clock_too_late"
"""Name of the record that stands for a clock reading whose time of arrival is false."""


@runtime_checkable
class KnowsRepeats(Protocol):
    """A session that tells a message that came again from one that is new (a box that counts its messages)."""

    def receive_again(self, data: bytes, now_us: int) -> Reaction:
        """Like `Session.receive`, for bytes that were delivered before and perhaps journaled then."""
        ...


def take(session: Session, chunk: Chunk) -> Reaction:
    """Let a session take a chunk. What came late is marked, so that it teaches nothing about the box's clock."""
    if chunk.delay == "none":
        return session.receive(chunk.data, chunk.received_us)
    if chunk.delay == "repeated" and isinstance(session, KnowsRepeats):
        reaction = session.receive_again(chunk.data, chunk.received_us)
    else:
        reaction = session.receive(chunk.data, chunk.received_us)
    return Reaction(records=tuple(_late(record) for record in reaction.records), send=reaction.send)


def _late(record: Record) -> Record:
    if isinstance(record, Passing | Impulse):
        return msgspec.structs.replace(record, backlog=True)
    if isinstance(record, DeviceStatus):
        return msgspec.structs.replace(record, device_us=None)
    if isinstance(record, ClockReading):
        detail: dict[str, int | str] = {"device_us": record.device_us}
        return Unhandled(device=record.device, received_us=record.received_us, name=LATE_CLOCK, detail=detail)
    return record
