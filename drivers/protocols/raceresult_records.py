"""race result decoder: its lines to records and back (hardware-protocols §5.1). TCP port 3601, CR LF lines.

host      GETPROTOCOL · SETPROTOCOL;2.0 · SETPUSHPREWARNS;0 · SETPUSHPASSINGS;1;0 · GETSTATUS · GETTIME
          PASSINGS · n · n:count
decoder   the command's name again with its values; passings `n…` ended by an empty line; pushes `#P;…`

| passing field | | | |
|---|---|---|---|
| 0 PassingNo    | from 1, in one file       | 10 LoopID             | 1–8, active only         |
| 1 Code         | transponder, or bib       | 11 LoopOnly           | 1: stored by the loop    |
| 2 Date         | yyyy-mm-dd; 0000-00-dd without GPS | 12 WakeupCounter | |
| 3 Time         | hh:mm:ss.kkk              | 13 Battery            | V                        |
| 4 EventID      | of the bib set            | 14 Temperature        | °C                       |
| 5 Hits         |                           | 15 InternalActiveData | one byte, `ActiveData`   |
| 6 MaxRSSI      | passive at most 31        | 16 BoxName            |                          |
| 7 InternalData |                           | 17 FileNumber         | numbers count per file   |
| 8 IsActive     | 1 or 0                    | 18 MaxRSSIAntenna     | passive only             |
| 9 Channel      | 1–8, active only          | 19 BoxId              |                          |

GETSTATUS; and the 24 fields of `STATUS_FIELDS`  (25 with the name; a newer firmware may add more)
"""

import re
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from datetime import date as Date
from enum import IntFlag
from typing import Final

from drivers.protocols.raceresult_lines import ENCODING, Line, LineReader, unhandled
from drivers.records import ClockReading, DeviceStatus, Impulse, Passing, Record

END_OF_LINE: Final = b"\r\n"
PUSHED: Final = "#P"
MARKER: Final = "99999"
"""The code of a passing that the decoder's trigger input or its marker key made."""
TRIGGER_CHANNEL: Final = "trigger"
MICROSECONDS: Final = 1_000_000
DAY_US: Final = 86_400 * MICROSECONDS

STATUS_FIELDS: Final = (
    "Date",
    "Time",
    "HasPower",
    "Antennas",
    "IsInTimingMode",
    "FileNumber",
    "GPSHasFix",
    "Position",
    "ReaderIsHealthy",
    "BatteryCharge",
    "BoardTemperature",
    "ReaderTemperature",
    "UHFFrequency",
    "ActiveExtConnected",
    "Channel",
    "LoopID",
    "LoopPower",
    "LoopConnected",
    "LoopUnderPower",
    "TimeIsRunning",
    "TimeSource",
    "ScheduledStandbyEnabled",
    "IsInStandby",
    "ErrorFlags",
)
LEAST_STATUS_FIELDS: Final = 10
"""Old firmware sends fewer fields; up to BatteryCharge their order never changed."""

_TIME = re.compile(r"([0-9]{2}):([0-5][0-9]):([0-5][0-9])\.([0-9]{3})")
_CODE = re.compile(r"[0-9A-Za-z_\-]{1,32}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_DECIMAL = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,3}))?")
_WORD = re.compile(r"#?[A-Z][A-Z0-9]{1,31}")


class ActiveData(IntFlag):
    """InternalActiveData of a passing: how the active transponder got rid of it."""

    CHANNEL_BUSY = 0x07
    NO_ACK = 0x38
    STORED = 0x40
    DEEP_SLEEP = 0x80


class ErrorFlags(IntFlag):
    """What the decoder reports in GETSTATUS."""

    UHF_MODULE = 1
    LOOP_ERROR = 16
    LOOP_LIMIT = 32
    ACTIVE_CONNECTION_LOST = 64
    GPS_TIME_SYNC = 256
    GPS_COMMUNICATION = 512
    ACTIVE_TIME_SYNC = 1024


@dataclass(frozen=True)
class PassingLine:
    """The 20 fields of a passing as they stand on the wire."""

    number: str
    code: str
    date: str
    time: str
    event_id: str = "0"
    hits: str = ""
    max_rssi: str = ""
    internal_data: str = ""
    is_active: str = "1"
    channel: str = ""
    loop_id: str = ""
    loop_only: str = ""
    wakeup_counter: str = ""
    battery: str = ""
    temperature: str = ""
    internal_active_data: str = ""
    box_name: str = ""
    file_number: str = ""
    max_rssi_antenna: str = ""
    box_id: str = ""


PASSING_FIELDS: Final = 20


# -- writing ---------------------------------------------------------------------------------------------------


def encode_line(*fields: str | int) -> bytes:
    """A command or a reply: the fields joined by `;`, with the line end. No field makes an empty line."""
    return ";".join(str(field) for field in fields).encode(ENCODING) + END_OF_LINE


def encode_passing(passing: PassingLine, *, pushed: bool) -> bytes:
    """A passing as the decoder pushes it (`#P;…`) or sends it when asked."""
    return encode_line(*((PUSHED,) if pushed else ()), *astuple(passing))


def encode_fetch(first: int, count: int) -> bytes:
    """The request for passings `first` to `first + count - 1`."""
    return encode_line(f"{first}:{count}")


def format_stamp(device_us: int, *, gps: bool) -> tuple[str, str]:
    """(Date, Time) of a device time: µs since 1970 with GPS, else from midnight, cut to ms."""
    milliseconds = device_us // 1_000
    if gps:
        moment = datetime.fromtimestamp(milliseconds // 1_000, UTC)
        return moment.strftime("%Y-%m-%d"), f"{moment:%H:%M:%S}.{milliseconds % 1_000:03d}"
    days, rest = divmod(milliseconds, 86_400_000)
    seconds, fraction = divmod(rest, 1_000)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:03d}"
    return f"0000-00-{days:02d}", clock


# -- reading ---------------------------------------------------------------------------------------------------


def parse_stamp(date: str, time: str) -> int:
    """Date and Time to device µs: since 1970 with a date, from midnight without. Raises ValueError.

    A decoder without GPS counts days (0000-00-01 after 24 h); they are left out, as midnight is unwrapped for
    every box in one place. What zone a date is in, only its operator knows: see docs/raceresult.md.
    """
    match = _TIME.fullmatch(time)
    if match is None or int(match[1]) > 23:
        raise ValueError(f"time {time!r} is not of the form hh:mm:ss.kkk")
    hours, minutes, seconds, milliseconds = (int(part) for part in match.groups())
    of_day = ((hours * 60 + minutes) * 60 + seconds) * MICROSECONDS + milliseconds * 1_000
    if not date or re.fullmatch(r"0000-00-[0-9]{2,3}", date):
        return of_day
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", date) is None:
        raise ValueError(f"date {date!r} is not of the form yyyy-mm-dd")
    days = Date.fromisoformat(date).toordinal() - Date(1970, 1, 1).toordinal()
    return days * DAY_US + of_day


def decoder_of(passing: PassingLine) -> str | None:
    """What the number of a passing counts in: its box and its file, `BOX/FILE`."""
    box = passing.box_id or passing.box_name
    return f"{box}/{passing.file_number}" if box or passing.file_number else None


def read_passing(fields: list[str]) -> PassingLine:
    """The fields of a passing. Raises ValueError."""
    if len(fields) != PASSING_FIELDS:
        raise ValueError(
            f"passing has {len(fields)} fields instead of {PASSING_FIELDS}: "
            "the decoder must speak protocol 1.6 or newer; update its firmware"
        )
    return PassingLine(*fields)


def _whole(text: str) -> int | None:
    """A whole number; None when it is empty or something else: these fields only describe the read."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _thousandths(text: str) -> int | None:
    match = _DECIMAL.fullmatch(text)
    return None if match is None else int(match[1]) * 1_000 + int((match[2] or "").ljust(3, "0"))


def passing_record(line: PassingLine, device: str, received_us: int, *, pushed: bool) -> Passing | Impulse:
    """A passing, or the impulse of a marker. Raises ValueError when number, code or time is none.

    `backlog`: it was fetched from memory, or the transponder had stored it.
    """
    if _NUMBER.fullmatch(line.number) is None or int(line.number) < 1:
        raise ValueError(f"passing number {line.number!r} is no whole number from 1")
    if _CODE.fullmatch(line.code) is None:
        raise ValueError(f"transponder code {line.code!r} is no word of letters and digits")
    device_us = parse_stamp(line.date, line.time)
    flags = _whole(line.internal_active_data)
    backlog = not pushed or bool((flags or 0) & ActiveData.STORED)
    if line.code == MARKER:
        return Impulse(
            device=device,
            received_us=received_us,
            device_us=device_us,
            channel=TRIGGER_CHANNEL,
            sequence=int(line.number),
            backlog=backlog,
        )
    return Passing(
        device=device,
        received_us=received_us,
        device_us=device_us,
        transponder=line.code,
        channel=line.loop_id or None,
        sequence=int(line.number),
        strength=_whole(line.max_rssi),
        hits=_whole(line.hits),
        decoder=decoder_of(line),
        battery=_thousandths(line.battery),
        flags=flags,
        backlog=backlog,
    )


def error_names(flags: int) -> str:
    """The names of the set error flags; bits that the maker does not name as a number."""
    known = [flag for flag in ErrorFlags if flags & flag]
    names = [(flag.name or "").lower().replace("_", " ") for flag in known]
    rest = flags & ~sum(known)
    return ", ".join([*names, *([f"unknown {rest}"] if rest else [])])


def status_record(fields: list[str], device: str, received_us: int) -> DeviceStatus:
    """The reply to GETSTATUS without its name. Raises ValueError."""
    if len(fields) < LEAST_STATUS_FIELDS:
        raise ValueError(f"status has {len(fields)} fields instead of {len(STATUS_FIELDS)}")
    whole = len(fields) >= len(STATUS_FIELDS)
    values = dict(zip(STATUS_FIELDS if whole else STATUS_FIELDS[:LEAST_STATUS_FIELDS], fields, strict=False))
    return DeviceStatus(
        device=device,
        received_us=received_us,
        device_us=parse_stamp(values["Date"], values["Time"]),
        temperature=_whole(values.get("BoardTemperature", "")),
        gps_locked=values["GPSHasFix"] == "1",
        text=_status_text(values),
    )


def _status_text(values: dict[str, str]) -> str:
    """What an operator wants to know, in words."""
    timing = values["IsInTimingMode"] == "1"
    charge = "unknown" if values["BatteryCharge"] in ("", "-1") else f"{values['BatteryCharge']} %"
    parts = [
        "timing" if timing else "NOT timing: passings are not stored, start operation on the decoder",
        f"file {values['FileNumber']}",
        "mains power" if values["HasPower"] == "1" else "NO mains power",
        f"battery {charge}",
    ]
    if values["ReaderIsHealthy"] != "1":
        parts.append("UHF module NOT healthy")
    if values.get("ActiveExtConnected") == "1":
        parts.append("loop connected" if values["LoopConnected"] == "1" else "loop NOT connected")
    text = values.get("ErrorFlags", "0") or "0"
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,9}", text) is None:
        raise ValueError(f"error flags {text!r} are no number")
    flags = int(text, 16) if text[:2] in ("0x", "0X") else int(text)
    return "; ".join([*parts, *([f"errors: {error_names(flags)}"] if flags else [])])


class RaceResultParser:
    """A `base.Parser` for the decoder's side of the line."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._lines = LineReader()

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes; return what the lines in them say. See `base.Parser`."""
        return [record for _, record in self.feed_lines(data, received_us) if record is not None]

    def feed_lines(self, data: bytes, received_us: int) -> list[tuple[str, Record | None]]:
        """As `feed`, with the text of each line; an empty line, the end of a reply, has no record."""
        return [(line.text, self._read(line, received_us)) for line in self._lines.feed(data)]

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: an unfinished line is Malformed. See `base.Parser`."""
        line = self._lines.close()
        return [] if line is None else [line.malformed(self._device, received_us, line.problem)]

    def _read(self, line: Line, received_us: int) -> Record | None:
        if line.problem:
            return line.malformed(self._device, received_us, line.problem)
        if not line.text:
            return None
        try:
            return self._interpret(line.text.split(";"), received_us)
        except ValueError as error:
            return line.malformed(self._device, received_us, str(error))

    def _interpret(self, fields: list[str], received_us: int) -> Record:
        name, values = fields[0], fields[1:]
        if name == PUSHED:
            return passing_record(read_passing(values), self._device, received_us, pushed=True)
        if name[:1].isdigit():
            return passing_record(read_passing(fields), self._device, received_us, pushed=False)
        if name == "GETSTATUS":
            return status_record(values, self._device, received_us)
        if name == "GETTIME":
            if len(values) != 2:
                raise ValueError(f"GETTIME has {len(values)} values instead of date and time")
            device_us = parse_stamp(values[0], values[1])
            return ClockReading(device=self._device, received_us=received_us, device_us=device_us)
        detail: dict[str, int | str]
        if name == "PASSINGS":
            if not values or len(values) > 2 or any(_NUMBER.fullmatch(value) is None for value in values):
                raise ValueError("PASSINGS is not followed by a number of passings and of the file")
            detail = {"count": int(values[0])} | ({"file": values[1]} if len(values) == 2 else {})
            return unhandled(self._device, received_us, "passings", **detail)
        if name.startswith("ONLY "):
            return unhandled(self._device, received_us, "only", text=name)
        if _WORD.fullmatch(name) is None:
            raise ValueError("line is neither a passing nor a reply")
        detail = {f"value_{index}": value for index, value in enumerate(values, 1)}
        return unhandled(self._device, received_us, name.lstrip("#").lower(), **detail)
