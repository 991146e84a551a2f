"""What P3 frames mean: fields by tag to records, records to frames, requests as a decoder reads them.

Fields come in any order and optional ones go missing, so everything is read by tag (hardware-protocols §1).
A decoder's RTC may hold local wall time: `device_us` is its own scale, never UTC by contract. UTC_TIME (tag
10), transponder code, driver and sport fields are left alone.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Final, TypeAlias

from drivers.protocols.p3_frame import (
    Frame,
    FrameReader,
    FramingError,
    ReceivedFrame,
)
from drivers.records import ClockReading, DeviceStatus, Malformed, Passing, Record, Unhandled

RESEND_TO_NEWEST: Final = 0xFFFF_FFFF
"""As the last number of a RESEND: up to the newest passing that the decoder has."""
_SHOWN_RAW_BYTES: Final = 128


class TypeOfRecord(IntEnum):
    """What a frame is about, by its number on the wire."""

    RESET = 0x0000
    PASSING = 0x0001
    STATUS = 0x0002
    VERSION = 0x0003
    RESEND = 0x0004
    CLEAR_PASSING = 0x0005
    SERVER_SETTINGS = 0x0013
    SESSION = 0x0015
    NETWORK_SETTINGS = 0x0016
    WATCHDOG = 0x0018
    PING = 0x0020
    GET_TIME = 0x0024
    GENERAL_SETTINGS = 0x0028
    SIGNALS = 0x002D
    LOOP_TRIGGER = 0x002F
    GPS_INFO = 0x0030
    FIRST_CONTACT = 0x0045
    TIMELINE = 0x004A
    ERROR = 0xFFFF


class PassingField(IntEnum):
    """Tags of a PASSING that are read or written here."""

    NUMBER = 0x01
    TRANSPONDER = 0x03
    RTC_TIME = 0x04
    STRENGTH = 0x05
    HITS = 0x06
    FLAGS = 0x08
    UTC_TIME = 0x10
    VOLTAGE = 0x30
    DECODER_ID = 0x81


class StatusField(IntEnum):
    """Tags of a STATUS. SUPPLY counts 0.1 V; the unit of TEMPERATURE differs between models, it stays raw."""

    NOISE = 0x01
    GPS = 0x06
    TEMPERATURE = 0x07
    SATELLITES = 0x0A
    LOOP_TRIGGERS = 0x0B
    SUPPLY = 0x0C
    DECODER_ID = 0x81


class TimeField(IntEnum):
    """Tags of a GET_TIME. The question carries them with length 0, the answer with values."""

    RTC_TIME = 0x01
    FLAGS = 0x04
    UTC_TIME = 0x05
    DECODER_ID = 0x81


class ResendField(IntEnum):
    """Tags of a RESEND request: the first and last passing number asked for, both inclusive."""

    FROM = 0x01
    UNTIL = 0x02


class VersionField(IntEnum):
    """Tags of a VERSION."""

    TYPE = 0x01
    DESCRIPTION = 0x02
    VERSION = 0x03
    RELEASE = 0x04
    REGISTRATION = 0x08
    BUILD = 0x0A
    OPTIONS = 0x0C
    DECODER_ID = 0x81


class ErrorField(IntEnum):
    """Tags of an ERROR."""

    CODE = 0x01
    DECODER_ID = 0x81


ERROR_MEANINGS: Final = {
    1: "wrong checksum",
    2: "no start of record",
    3: "bad header",
    4: "unknown type of record",
    5: "missing parameters",
    6: "record too long",
}
_MILLIVOLTS_PER_SUPPLY_STEP: Final = 100

_Widths: TypeAlias = Mapping[int, tuple[int, ...]]
_Values: TypeAlias = Mapping[int, int]

# Widths in bytes of the fields that are read; §1 gives none for VOLTAGE and LOOP_TRIGGERS.
_PASSING_WIDTHS: Final[_Widths] = {
    PassingField.NUMBER: (4,),
    PassingField.TRANSPONDER: (4,),
    PassingField.RTC_TIME: (8,),
    PassingField.STRENGTH: (2,),
    PassingField.HITS: (2,),
    PassingField.FLAGS: (2,),
    PassingField.VOLTAGE: (1, 2),
    PassingField.DECODER_ID: (4,),
}
_STATUS_WIDTHS: Final[_Widths] = {
    StatusField.NOISE: (2,),
    StatusField.GPS: (1,),
    StatusField.TEMPERATURE: (2,),
    StatusField.SATELLITES: (1,),
    StatusField.LOOP_TRIGGERS: (1, 2, 4),
    StatusField.SUPPLY: (1,),
    StatusField.DECODER_ID: (4,),
}
_TIME_WIDTHS: Final[_Widths] = {TimeField.RTC_TIME: (8,)}
_RESEND_WIDTHS: Final[_Widths] = {ResendField.FROM: (4,), ResendField.UNTIL: (4,)}


class _FieldError(ValueError):
    """A field of a valid frame is missing or wrong; the text says which."""


def _read_values(frame: Frame, widths: _Widths, names: type[IntEnum]) -> dict[int, int]:
    """Fields of `widths` as unsigned integers by tag; other fields are left out."""
    values: dict[int, int] = {}
    for tag, value in frame.fields:
        width = widths.get(tag)
        if width is None:
            continue
        if len(value) not in width:
            expected = " or ".join(map(str, width))
            raise _FieldError(f"field {tag:02x} {names(tag).name} has {len(value)} bytes instead of {expected}")
        if tag in values:
            raise _FieldError(f"field {tag:02x} {names(tag).name} is there twice")
        values[tag] = int.from_bytes(value, "little")
    return values


def _mandatory(values: _Values, tag: IntEnum) -> int:
    if tag not in values:
        raise _FieldError(f"field {tag:02x} {tag.name} is missing")
    return values[tag]


class P3Parser:
    """A decoder's stream to records, as `drivers.protocols.base.Parser`. Keeps only an unfinished frame.

    PASSING becomes Passing (start gates and other beacons too: they are transponders), STATUS DeviceStatus,
    an answered GET_TIME a ClockReading without `sent_us`, every other valid frame Unhandled. A frame with a
    wrong checksum, LENGTH or field becomes Malformed and never a passing.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._reader = FrameReader()

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes, in any split; return the records that they complete. Never raises."""
        return [self._record(item, received_us) for item in self._reader.feed(data)]

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: an unfinished frame becomes Malformed."""
        return [self._record(item, received_us) for item in self._reader.close()]

    def _record(self, item: ReceivedFrame | FramingError, received_us: int) -> Record:
        if isinstance(item, FramingError):
            return self._malformed(item, item.reason, received_us)
        frame = item.frame
        read = _READERS.get(frame.type_of_record, _read_unhandled)
        try:
            return read(frame, self._device, received_us)
        except _FieldError as error:
            return self._malformed(item, f"{_type_name(frame).upper()}: {error}", received_us)

    def _malformed(self, item: ReceivedFrame | FramingError, reason: str, received_us: int) -> Malformed:
        return Malformed(
            device=self._device,
            received_us=received_us,
            offset=item.offset,
            reason=reason,
            raw=item.raw[:_SHOWN_RAW_BYTES].hex(),
        )


def _read_passing(frame: Frame, device: str, received_us: int) -> Record:
    values = _read_values(frame, _PASSING_WIDTHS, PassingField)
    return Passing(
        device=device,
        received_us=received_us,
        device_us=_mandatory(values, PassingField.RTC_TIME),
        transponder=str(_mandatory(values, PassingField.TRANSPONDER)),
        sequence=_mandatory(values, PassingField.NUMBER),
        strength=values.get(PassingField.STRENGTH),
        hits=values.get(PassingField.HITS),
        decoder=_decoder(values),
        battery=values.get(PassingField.VOLTAGE),
        flags=values.get(PassingField.FLAGS),
    )


def _read_status(frame: Frame, device: str, received_us: int) -> Record:
    values = _read_values(frame, _STATUS_WIDTHS, StatusField)
    supply = values.get(StatusField.SUPPLY)
    gps = values.get(StatusField.GPS)
    return DeviceStatus(
        device=device,
        received_us=received_us,
        noise=values.get(StatusField.NOISE),
        temperature=values.get(StatusField.TEMPERATURE),
        supply_mv=None if supply is None else supply * _MILLIVOLTS_PER_SUPPLY_STEP,
        satellites=values.get(StatusField.SATELLITES),
        gps_locked=None if gps is None else gps != 0,
        loop_triggers=values.get(StatusField.LOOP_TRIGGERS),
        decoder=_decoder(values),
    )


def _read_time(frame: Frame, device: str, received_us: int) -> Record:
    if dict(frame.fields).get(TimeField.RTC_TIME) == b"":
        return Unhandled(device=device, received_us=received_us, name="get_time_question")
    values = _read_values(frame, _TIME_WIDTHS, TimeField)
    return ClockReading(device=device, received_us=received_us, device_us=_mandatory(values, TimeField.RTC_TIME))


def _read_unhandled(frame: Frame, device: str, received_us: int) -> Record:
    names = _DETAIL_NAMES.get(frame.type_of_record)
    detail: dict[str, int | str] = {}
    for tag, value in frame.fields:
        if names is not None and tag in names.__members__.values():
            detail[names(tag).name.lower()] = _readable(value, names(tag))
        elif tag == PassingField.DECODER_ID:
            detail["decoder_id"] = _readable(value, PassingField.DECODER_ID)
        else:
            detail[f"field_{tag:02x}"] = value.hex()
    code = detail.get("code")
    if frame.type_of_record == TypeOfRecord.ERROR and isinstance(code, int):
        detail["meaning"] = ERROR_MEANINGS.get(code, "unknown code")
    return Unhandled(device=device, received_us=received_us, name=_type_name(frame), detail=detail)


def _readable(value: bytes, tag: IntEnum) -> int | str:
    """Printable text where the field holds text, else a number, or hex where it is longer than any number."""
    if isinstance(tag, VersionField) and tag in _VERSION_TEXTS and _is_printable(value):
        return value.decode("ascii")
    return int.from_bytes(value, "little") if len(value) <= _LONGEST_NUMBER_BYTES else value.hex()


def _is_printable(value: bytes) -> bool:
    return value.isascii() and value.decode("ascii").isprintable()


def _decoder(values: _Values) -> str | None:
    number = values.get(PassingField.DECODER_ID)
    return None if number is None else str(number)


def _type_name(frame: Frame) -> str:
    if frame.type_of_record in TypeOfRecord.__members__.values():
        return TypeOfRecord(frame.type_of_record).name.lower()
    return f"type_{frame.type_of_record:04x}"


_READERS: Final[Mapping[int, Callable[[Frame, str, int], Record]]] = {
    TypeOfRecord.PASSING: _read_passing,
    TypeOfRecord.STATUS: _read_status,
    TypeOfRecord.GET_TIME: _read_time,
}
_VERSION_TEXTS: Final = (VersionField.DESCRIPTION, VersionField.VERSION, VersionField.RELEASE)
_LONGEST_NUMBER_BYTES: Final = 8
_DETAIL_NAMES: Final[Mapping[int, type[IntEnum]]] = {
    TypeOfRecord.VERSION: VersionField,
    TypeOfRecord.RESEND: ResendField,
    TypeOfRecord.ERROR: ErrorField,
}
