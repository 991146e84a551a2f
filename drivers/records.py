"""What hardware can say, whatever box said it: frozen records between the drivers and everything else.

Times: `device_us` is the box's own clock (its own scale, possibly local time of day without a date, then
counted from midnight); `received_us` is host UTC µs when the bytes arrived. Race time is made from both by
`timing.clock` and nowhere else. All are integers of microseconds.
"""

from typing import TypeAlias

import msgspec


class Passing(msgspec.Struct, frozen=True, kw_only=True, tag="passing", tag_field="kind", omit_defaults=True):
    """A transponder over a loop. `sequence` is the box's own number of the passing, if it has one."""

    device: str
    received_us: int
    device_us: int
    transponder: str
    channel: str | None = None
    sequence: int | None = None
    strength: int | None = None
    hits: int | None = None
    decoder: str | None = None
    battery: int | None = None
    flags: int | None = None
    backlog: bool = False
    """True when the box re-sent it from memory: its received_us says nothing about its delay."""


class Impulse(msgspec.Struct, frozen=True, kw_only=True, tag="impulse", tag_field="kind", omit_defaults=True):
    """An edge from a tape, photocell, gate, starting gun or hand key."""

    device: str
    received_us: int
    device_us: int
    channel: str
    sequence: int | None = None
    bib: str | None = None
    manual: bool = False
    backlog: bool = False


class PhotoFinishLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rider in a photo-finish result, as the camera's operator read it.

    `time_us` is the box's time since its start of the race, null where the judge placed without a time.
    `gap_us` is the gap to the winner where the box states one itself.
    """

    place: int | None = None
    bib: str | None = None
    lane: int | None = None
    name: str | None = None
    time_us: int | None = None
    gap_us: int | None = None
    status: str | None = None


class PhotoFinish(msgspec.Struct, frozen=True, kw_only=True, tag="photo_finish", tag_field="kind", omit_defaults=True):
    """A whole result sheet of the photo-finish. Its order is judged: it stands over transponder order."""

    device: str
    received_us: int
    lines: tuple[PhotoFinishLine, ...]
    event: str | None = None
    round: str | None = None
    heat: str | None = None
    name: str | None = None
    start_device_us: int | None = None
    official: bool = False
    sequence: int | None = None


class DeviceStatus(msgspec.Struct, frozen=True, kw_only=True, tag="status", tag_field="kind", omit_defaults=True):
    """What a box says about itself; absent fields are absent in its protocol. Battery and supply in mV."""

    device: str
    received_us: int
    device_us: int | None = None
    noise: int | None = None
    temperature: int | None = None
    supply_mv: int | None = None
    satellites: int | None = None
    gps_locked: bool | None = None
    loop_triggers: int | None = None
    sequence: int | None = None
    decoder: str | None = None
    text: str | None = None


class ClockReading(msgspec.Struct, frozen=True, kw_only=True, tag="clock", tag_field="kind", omit_defaults=True):
    """The box answered a question for its clock: it read `device_us` between `sent_us` and `received_us`.

    `sent_us` is null where the box tells its time unasked.
    """

    device: str
    received_us: int
    device_us: int
    sent_us: int | None = None


class SequenceGap(msgspec.Struct, frozen=True, kw_only=True, tag="gap", tag_field="kind", omit_defaults=True):
    """Records `first` to `last` (inclusive) are missing; `asked` says whether the box was asked for them."""

    device: str
    received_us: int
    first: int
    last: int
    asked: bool = False


class Malformed(msgspec.Struct, frozen=True, kw_only=True, tag="error", tag_field="kind", omit_defaults=True):
    """Bytes that are no valid record: where in the stream (byte offset from its beginning), why, and which."""

    device: str
    received_us: int
    offset: int
    reason: str
    raw: str = ""
    """The offending bytes as hex, cut to 128 bytes."""


class Unhandled(msgspec.Struct, frozen=True, kw_only=True, tag="other", tag_field="kind", omit_defaults=True):
    """A valid record that carries nothing for the race (version, settings …), named so that it is explained."""

    device: str
    received_us: int
    name: str
    detail: dict[str, int | str] = {}


Record: TypeAlias = Passing | Impulse | PhotoFinish | DeviceStatus | ClockReading | SequenceGap | Malformed | Unhandled


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What one read from a device brought: the raw bytes and the records that they completed.

    It is journaled as it is, raw bytes included, before anything that it says has an effect.
    """

    device: str
    received_us: int
    raw: bytes
    records: tuple[Record, ...]


class DeviceHealth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change in the supervisor's state of a device, with what the operator should know and do."""

    device: str
    at_us: int
    state: str
    """`connecting`, `live`, `silent`, `lost` or `backing_off`."""
    reason: str = ""
    advice: str = ""
    attempt: int = 0
