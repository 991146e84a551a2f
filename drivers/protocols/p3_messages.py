"""What a P3 decoder and its host say to each other, as bytes: the simulated decoder's and the session's side.

Each `encode_*` raises `FrameError` for a number that does not fit its field. Fields go out in the order
that an AMBrc decoder uses (hardware-protocols §1); an optional one is left out when it is None.
"""

from typing import Final, TypeAlias

import msgspec

from drivers.protocols.p3_frame import Fields, Frame, FrameError, encode_frame
from drivers.protocols.p3_records import (
    ErrorField,
    PassingField,
    ResendField,
    StatusField,
    TimeField,
    TypeOfRecord,
    VersionField,
)

_Number: TypeAlias = tuple[int, int | None, int]
"""Tag, value or None, width in bytes."""


class GetTime(msgspec.Struct, frozen=True):
    """The host asks for the decoder's clock."""


class Resend(msgspec.Struct, frozen=True):
    """The host asks for the passings `first` to `last`, both inclusive."""

    first: int
    last: int


class OtherRequest(msgspec.Struct, frozen=True):
    """A request that the simulated decoder has no answer to, or one with missing or wrong parameters."""

    type_of_record: int


Request: TypeAlias = GetTime | Resend | OtherRequest
_RESEND_NUMBER_BYTES: Final = 4


def read_request(frame: Frame) -> Request:
    """What a host asks a decoder with this frame."""
    values = dict(frame.fields)
    if frame.type_of_record == TypeOfRecord.GET_TIME:
        return GetTime()
    if frame.type_of_record == TypeOfRecord.RESEND:
        first = values.get(ResendField.FROM, b"")
        last = values.get(ResendField.UNTIL, b"")
        if len(first) == len(last) == _RESEND_NUMBER_BYTES:
            return Resend(int.from_bytes(first, "little"), int.from_bytes(last, "little"))
    return OtherRequest(frame.type_of_record)


def encode_passing(
    *,
    number: int,
    transponder: int,
    rtc_us: int,
    strength: int | None = None,
    hits: int | None = None,
    flags: int | None = 0,
    decoder: int | None = None,
    utc_us: int | None = None,
    voltage: int | None = None,
) -> bytes:
    """A PASSING. `rtc_us` is the decoder's own clock in µs; `utc_us` its UTC where it has GPS."""
    return _encode(
        TypeOfRecord.PASSING,
        (PassingField.NUMBER, number, 4),
        (PassingField.TRANSPONDER, transponder, 4),
        (PassingField.RTC_TIME, rtc_us, 8),
        (PassingField.STRENGTH, strength, 2),
        (PassingField.HITS, hits, 2),
        (PassingField.FLAGS, flags, 2),
        (PassingField.UTC_TIME, utc_us, 8),
        (PassingField.VOLTAGE, voltage, 1),
        (PassingField.DECODER_ID, decoder, 4),
    )


def encode_status(
    *,
    noise: int,
    temperature: int | None = None,
    supply_decivolts: int | None = None,
    gps: int | None = None,
    satellites: int | None = None,
    loop_triggers: int | None = None,
    decoder: int | None = None,
) -> bytes:
    """A STATUS. `temperature` in the model's own unit, `supply_decivolts` in 0.1 V, `gps` 1 when locked."""
    return _encode(
        TypeOfRecord.STATUS,
        (StatusField.NOISE, noise, 2),
        (StatusField.TEMPERATURE, temperature, 2),
        (StatusField.SUPPLY, supply_decivolts, 1),
        (StatusField.GPS, gps, 1),
        (StatusField.SATELLITES, satellites, 1),
        (StatusField.LOOP_TRIGGERS, loop_triggers, 2),
        (StatusField.DECODER_ID, decoder, 4),
    )


def encode_time_reply(
    rtc_us: int, utc_us: int | None = None, *, flags: int | None = 0, decoder: int | None = None
) -> bytes:
    """The decoder's answer to GET_TIME: its clock in µs, and UTC where it has GPS."""
    return _encode(
        TypeOfRecord.GET_TIME,
        (TimeField.RTC_TIME, rtc_us, 8),
        (TimeField.FLAGS, flags, 2),
        (TimeField.UTC_TIME, utc_us, 8),
        (TimeField.DECODER_ID, decoder, 4),
    )


def encode_error(code: int, *, decoder: int | None = None) -> bytes:
    """The decoder's answer to a request that it refuses; codes in `p3_records.ERROR_MEANINGS`."""
    return _encode(TypeOfRecord.ERROR, (ErrorField.CODE, code, 2), (ErrorField.DECODER_ID, decoder, 4))


def encode_version(*, decoder_type: int, description: str, version: str, decoder: int | None = None) -> bytes:
    """A VERSION: decoder type (0x10 AMBrc, 0x11 AMBMX, 0x12 TranX, 0x13 TranX Pro) and two ASCII texts."""
    numbers = _numbers((VersionField.TYPE, decoder_type, 1))
    texts: Fields = (
        (VersionField.DESCRIPTION, description.encode("ascii", "replace")),
        (VersionField.VERSION, version.encode("ascii", "replace")),
    )
    tail = _numbers((VersionField.DECODER_ID, decoder, 4))
    return encode_frame(Frame(type_of_record=TypeOfRecord.VERSION, fields=numbers + texts + tail))


def encode_get_time() -> bytes:
    """The host asks for the decoder's clock: the fields wanted, each with length 0."""
    fields = ((TimeField.RTC_TIME, b""), (TimeField.FLAGS, b""), (TimeField.UTC_TIME, b""))
    return encode_frame(Frame(type_of_record=TypeOfRecord.GET_TIME, fields=fields))


def encode_resend(first: int, last: int) -> bytes:
    """The host asks for the passings `first` to `last`, both inclusive."""
    return _encode(
        TypeOfRecord.RESEND,
        (ResendField.FROM, first, _RESEND_NUMBER_BYTES),
        (ResendField.UNTIL, last, _RESEND_NUMBER_BYTES),
    )


def _encode(type_of_record: TypeOfRecord, *numbers: _Number) -> bytes:
    return encode_frame(Frame(type_of_record=type_of_record, fields=_numbers(*numbers)))


def _numbers(*numbers: _Number) -> Fields:
    fields = []
    for tag, value, width in numbers:
        if value is None:
            continue
        if not 0 <= value < 1 << 8 * width:
            raise FrameError(f"field {tag:02x}: {value} does not fit into {width} bytes")
        fields.append((int(tag), value.to_bytes(width, "little")))
    return tuple(fields)
