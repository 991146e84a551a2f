"""JSON over MQTT: what any box or gateway may publish to be read without a driver (hardware-protocols §0).

One message is one JSON object on one line; `kind` says what it is: `passing`, `impulse`, `photo_finish`,
`status` or `clock`. The MQTT transport ends each payload with a line feed, so the stream is newline-delimited
JSON and a file of such lines reads the same. `schema()` is the whole contract, made from the structs below.

All instants and durations are integers of microseconds. A message cannot say which device it comes from or
when it arrived: the topic's device and the host's clock do. A key that we do not know is an error, because a
misspelt optional key would otherwise be lost in silence.

`sequence` of passings and impulses is one numbering for each device, rising by one. The session follows it, over
restarts of the host too, because a broker without persistence forgets what we never got to disk: numbers that did not
come are a SequenceGap, not asked for, as nobody can be asked. Numbers of the other kinds are the sender's own affair.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from config.models import Device
from drivers.protocols.base import ProtocolEntry, Reaction, Resume
from drivers.protocols.listen import ListenSession
from drivers.records import (
    ClockReading,
    DeviceStatus,
    Impulse,
    Malformed,
    Passing,
    PhotoFinish,
    PhotoFinishLine,
    Record,
    SequenceGap,
    Unhandled,
)

INT64_MAX: Final = 2**63 - 1
# A photo-finish sheet of a hundred riders is 10 kB; far more than that is not one message.
MAX_MESSAGE_BYTES: Final = 262_144
RAW_BYTES: Final = 128
REMEMBERED: Final = 4_096
"""Numbers, and gaps, kept to tell what is late or came twice from a numbering that began anew."""

# The arrays of timing.core hold int64: what does not fit is refused here, where it can still be named.
Micros = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX, description="microseconds")]
Count = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
Number = Annotated[int, msgspec.Meta(ge=-INT64_MAX, le=INT64_MAX)]
Text = Annotated[str, msgspec.Meta(min_length=1)]


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """What all kinds have in common; `device_us` is the sender's own clock, in its own scale."""


class PassingMessage(Message, frozen=True, tag="passing", forbid_unknown_fields=True):
    """A transponder over a loop; see `records.Passing`."""

    device_us: Micros
    transponder: Text
    channel: Text | None = None
    sequence: Count | None = None
    strength: Number | None = None
    hits: Count | None = None
    decoder: Text | None = None
    battery: Number | None = None
    flags: Count | None = None
    backlog: bool = False


class ImpulseMessage(Message, frozen=True, tag="impulse", forbid_unknown_fields=True):
    """An edge from a tape, photocell, gate, gun or key; see `records.Impulse`."""

    device_us: Micros
    channel: Text
    sequence: Count | None = None
    bib: Text | None = None
    manual: bool = False
    backlog: bool = False


class LineMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One rider of a photo-finish sheet; see `records.PhotoFinishLine`."""

    place: Annotated[int, msgspec.Meta(ge=1, le=9_999)] | None = None
    bib: Text | None = None
    lane: Count | None = None
    name: Text | None = None
    time_us: Micros | None = None
    gap_us: Micros | None = None
    status: Text | None = None


class PhotoFinishMessage(Message, frozen=True, tag="photo_finish", forbid_unknown_fields=True):
    """A whole result sheet, in judged order; see `records.PhotoFinish`."""

    lines: tuple[LineMessage, ...]
    event: Text | None = None
    round: Text | None = None
    heat: Text | None = None
    name: Text | None = None
    start_device_us: Micros | None = None
    official: bool = False
    sequence: Count | None = None


class StatusMessage(Message, frozen=True, tag="status", forbid_unknown_fields=True):
    """What a box says about itself; see `records.DeviceStatus`. Supply in mV."""

    device_us: Micros | None = None
    noise: Number | None = None
    temperature: Number | None = None
    supply_mv: Number | None = None
    satellites: Count | None = None
    gps_locked: bool | None = None
    loop_triggers: Count | None = None
    sequence: Count | None = None
    decoder: Text | None = None
    text: Text | None = None


class ClockMessage(Message, frozen=True, tag="clock", forbid_unknown_fields=True):
    """The sender's clock, read just before it published; see `records.ClockReading`."""

    device_us: Micros


AnyMessage: TypeAlias = PassingMessage | ImpulseMessage | PhotoFinishMessage | StatusMessage | ClockMessage
Encodable: TypeAlias = Passing | Impulse | PhotoFinish | DeviceStatus | ClockReading

KINDS: Final[dict[str, tuple[type[Message], type[Encodable]]]] = {
    "passing": (PassingMessage, Passing),
    "impulse": (ImpulseMessage, Impulse),
    "photo_finish": (PhotoFinishMessage, PhotoFinish),
    "status": (StatusMessage, DeviceStatus),
    "clock": (ClockMessage, ClockReading),
}
_RECORD_OF: Final = dict(KINDS.values())
_MESSAGE_OF: Final = {record: message for message, record in KINDS.values()}

_DECODER: Final = msgspec.json.Decoder(AnyMessage)


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a message, generated from the structs."""
    generated = msgspec.json.schema(AnyMessage)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "velodrome device message"}
    return head | generated


def encode(record: Encodable) -> bytes:
    """A record as the payload of one message, without a line end; its device and host time are left out.

    Raises msgspec.ValidationError for a value that the schema does not allow, TypeError for other records.
    """
    message = _MESSAGE_OF.get(type(record))
    if message is None:
        raise TypeError(f"{type(record).__name__} has no JSON message: only {', '.join(KINDS)} have")
    return msgspec.json.encode(msgspec.convert(record, message, from_attributes=True))


# -- reading -------------------------------------------------------------------------------------------------


def _unknown_key(value: object, allowed: type[msgspec.Struct], what: str) -> str | None:
    if not isinstance(value, Mapping):
        return None
    keys = list(allowed.__struct_fields__)
    unknown = [key for key in value if key not in keys and key != "kind"]
    return f"key {unknown[0]!r} is unknown in {what}: allowed are {', '.join(keys)}" if unknown else None


def _explain(line: bytes, error: Exception) -> str:
    """Say what is wrong with a message that `_DECODER` refused, and what would be right."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as damage:
        return f"not JSON ({damage}): a message is one JSON object in UTF-8 on one line"
    except RecursionError:
        return "nested too deeply: a message is one flat JSON object"
    if not isinstance(value, dict):
        return "a message is one JSON object with a key 'kind'"
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return f"kind {kind!r} is unknown: give one of {', '.join(KINDS)}"
    unknown = _unknown_key(value, KINDS[kind][0], f"{kind} messages")
    lines = value.get("lines")
    for rider in lines if unknown is None and kind == "photo_finish" and isinstance(lines, list) else ():
        unknown = unknown or _unknown_key(rider, LineMessage, "photo_finish lines")
    return unknown or f"{kind} message: {error}"


def decode(line: bytes, device: str, received_us: int) -> Encodable:
    """One message to its record. Raises ValueError that says what is wrong and what is allowed."""
    try:
        message = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(_explain(line, error)) from None
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    if isinstance(message, PhotoFinishMessage):
        fields["lines"] = tuple(PhotoFinishLine(**msgspec.structs.asdict(rider)) for rider in message.lines)
    return _RECORD_OF[type(message)](device=device, received_us=received_us, **fields)


class JsonParser:
    """A `base.Parser` for newline-delimited messages. An empty line is an empty payload and says nothing."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._buffer = bytearray()
        self._offset = 0
        # True inside a line that is longer than any message, until its line feed.
        self._skipping = False

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes; return the record of each message that they complete. See `base.Parser`."""
        self._buffer += data
        records: list[Record] = []
        position = 0
        while (end := self._buffer.find(b"\n", position)) >= 0:
            records += self._line(bytes(self._buffer[position:end]), self._offset + position, received_us)
            position = end + 1
            self._skipping = False
        if len(self._buffer) - position > MAX_MESSAGE_BYTES:
            records += self._line(bytes(self._buffer[position:]), self._offset + position, received_us)
            position = len(self._buffer)
            self._skipping = True
        elif self._skipping:
            position = len(self._buffer)
        del self._buffer[:position]
        self._offset += position
        return records

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: a last message without its line feed is Malformed. See `base.Parser`."""
        rest = bytes(self._buffer)
        records: list[Record] = []
        if rest.strip():
            reason = "stream ended inside a message: its line feed is missing"
            records.append(self._malformed(self._offset, received_us, reason, rest))
        self._offset += len(rest)
        self._buffer.clear()
        self._skipping = False
        return records

    def _line(self, line: bytes, offset: int, received_us: int) -> list[Record]:
        if self._skipping:
            return []
        if len(line) > MAX_MESSAGE_BYTES:
            reason = f"message is longer than {MAX_MESSAGE_BYTES} bytes: is a line feed missing?"
            return [self._malformed(offset, received_us, reason, line)]
        if not line.strip():
            return []
        try:
            return [decode(line, self._device, received_us)]
        except ValueError as error:
            return [self._malformed(offset, received_us, str(error), line)]

    def _malformed(self, offset: int, received_us: int, reason: str, raw: bytes) -> Malformed:
        cut = raw[:RAW_BYTES].hex()
        return Malformed(device=self._device, received_us=received_us, offset=offset, reason=reason, raw=cut)


class JsonSession(ListenSession):
    """Listens, and follows the numbers of passings and impulses: what never came is said."""

    def __init__(self, device: Device, resume: Resume) -> None:
        """`resume.last_sequence` is the newest number on disk: a gap may lie between it and the first to come."""
        super().__init__(device.id, JsonParser)
        self._newest = resume.last_sequence
        self._missing: OrderedDict[int, None] = OrderedDict()
        self._received: OrderedDict[int, tuple[str, int]] = OrderedDict()

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Parse; before a record whose number is not the next one stands what that means."""
        return self._followed(super().receive(data, now_us).records, None)

    def receive_again(self, data: bytes, now_us: int) -> Reaction:
        """The broker delivers it once more: a number up to the newest is then no sign that numbering began anew."""
        return self._followed(super().receive(data, now_us).records, self._newest)

    def _followed(self, parsed: Sequence[Record], known: int | None) -> Reaction:
        records: list[Record] = []
        for record in parsed:
            if isinstance(record, Passing | Impulse) and record.sequence is not None:
                number = record.sequence
                if known is None or number > known or number in self._missing:
                    records += self._follow(record, number)
            records.append(record)
        return Reaction(records=tuple(records))

    def _follow(self, record: Passing | Impulse, number: int) -> list[Record]:
        """What the number says. Duplicates and late ones say nothing: the record itself stands behind them."""
        name = record.transponder if isinstance(record, Passing) else record.channel
        content = (name, record.device_us)
        newest, said = self._newest, list[Record]()
        if newest is None or number > newest:
            if newest is not None and number > newest + 1:
                said.append(self._gap(record, newest + 1, number - 1))
            self._newest = number
        elif number in self._missing:
            del self._missing[number]
        elif self._received.get(number, content if number == newest else None) != content:
            said.append(self._restarted(record, newest, number))
            self._newest = number
        self._received[number] = content
        if len(self._received) > REMEMBERED:
            self._received.popitem(last=False)
        return said

    def _gap(self, record: Passing | Impulse, first: int, last: int) -> SequenceGap:
        self._missing.update(dict.fromkeys(range(max(first, last - REMEMBERED + 1), last + 1)))
        while len(self._missing) > REMEMBERED:
            self._missing.popitem(last=False)
        return SequenceGap(device=record.device, received_us=record.received_us, first=first, last=last)

    def _restarted(self, record: Passing | Impulse, newest: int, number: int) -> Unhandled:
        self._missing.clear()
        self._received.clear()
        detail: dict[str, int | str] = {"last": newest, "first": number}
        return Unhandled(
            device=record.device, received_us=record.received_us, name="numbering_restarted", detail=detail
        )


PROTOCOL = ProtocolEntry(
    name="json",
    summary="one JSON object a message, over MQTT or as lines: for boxes and gateways without a driver",
    parser=JsonParser,
    session=JsonSession,
)
