"""FinishLynx result files, LIF (hardware-protocols §4): one CSV file a heat, written into a folder.

    header  event, round, heat, name, wind, unit, template, captured time, capture duration, distance,
            start h:mm:ss.ffff [, wind mode, lap time ...]                        11 columns or more
    row     place, id, lane, last name, first name, affiliation, time, licence, delta, reaction, splits,
            trial start, user 1, user 2, user 3, delta 2, delta 3 [, speed, pace]      17 or 19 columns

Times are `[h:][m]m:ss.hh…`, the start is local time of day with an unpadded hour. A place that is no number
(`DNF`, `DNS`, `DQ`, `aufg.`) is a status. Text is UTF-8 or CP1252 (which holds all text of Latin-1): both occur
within one meet, and, where names were pasted in, within one file, so each line is read by itself. `delta` is the
gap to the *previous* finisher and repeats the winner's own time, so it never becomes `gap_us`: gaps are made
from the times, by `timing.core`.

What is damaged is never guessed: a row that cannot be read is named, and the other rows are still given; a
file whose rows contradict each other or whose end is missing gives no result at all.
"""

import csv
import io
import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from drivers.protocols.base import ProtocolEntry
from drivers.protocols.listen import listen
from drivers.records import Malformed, PhotoFinish, PhotoFinishLine, Record

HEADER_COLUMNS = 11
ROW_COLUMNS = (17, 19)
HEADER_START = 10

MICROSECONDS = 1_000_000
FRACTION_DIGITS = 6
SECONDS_PER_DAY = 86_400
HEATS_REMEMBERED = 1_000
"""Heats whose versions are counted: more than a meet has."""
RAW_BYTES = 128

# `<<<<<<<`, `=======` and `>>>>>>>` are what a version control merge leaves: two versions of the same rows.
CONFLICT_MARKS = (b"<<<<<<<", b"=======", b">>>>>>>")
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
UTF8_MARK = b"\xef\xbb\xbf"

_RACE_TIME = re.compile(r"(?:(?:([0-9]{1,3}):)?([0-9]{1,4}):)?([0-9]{1,6})(?:\.([0-9]{1,6}))?")
_TIME_OF_DAY = re.compile(r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?")


# -- times and places as FinishLynx writes them; the LSS stream shares them ----------------------------------


def _fraction_us(digits: str | None) -> int:
    return int((digits or "").ljust(FRACTION_DIGITS, "0"))


def parse_race_time(text: str) -> int | None:
    """`[[h:]m:]s[.ffffff]` to exact µs; None for an empty text. Raises ValueError on anything else."""
    if not text:
        return None
    match = _RACE_TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"time {text!r} is not of the form m:ss.hh")
    hours, minutes, seconds = int(match[1] or 0), int(match[2] or 0), int(match[3])
    if (match[1] and minutes > 59) or (match[2] and seconds > 59):
        raise ValueError(f"time {text!r} has more than 59 minutes or seconds in its place")
    return ((hours * 60 + minutes) * 60 + seconds) * MICROSECONDS + _fraction_us(match[4])


def parse_time_of_day(text: str) -> int:
    """`h:mm:ss[.ffffff]` to µs from local midnight. Raises ValueError on anything else."""
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise ValueError(f"time of day {text!r} is not of the form h:mm:ss.ffff")
    hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(f"time of day {text!r} does not exist: the day ends at 23:59:59.999999")
    return ((hours * 60 + minutes) * 60 + seconds) * MICROSECONDS + _fraction_us(match[4])


def _with_fraction(whole: str, fraction_us: int, decimals: int) -> str:
    if not 0 <= decimals <= FRACTION_DIGITS:
        raise ValueError(f"{decimals} decimals are not possible: give 0 to {FRACTION_DIGITS}")
    digits = f"{fraction_us:0{FRACTION_DIGITS}d}"[:decimals]
    return f"{whole}.{digits}" if digits else whole


def format_race_time(duration_us: int, decimals: int) -> str:
    """µs to `s.hh`, `m:ss.hh` or `h:mm:ss.hh`, truncated to `decimals`. Raises ValueError when negative."""
    if duration_us < 0:
        raise ValueError(f"race time {duration_us} µs is negative")
    seconds, fraction_us = divmod(duration_us, MICROSECONDS)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        whole = f"{hours}:{minute:02d}:{second:02d}"
    elif minute:
        whole = f"{minute}:{second:02d}"
    else:
        whole = f"{second}"
    return _with_fraction(whole, fraction_us, decimals)


def format_time_of_day(device_us: int, decimals: int = 4) -> str:
    """µs from midnight to `h:mm:ss.ffff`, truncated. Raises ValueError outside one day."""
    seconds, fraction_us = divmod(device_us, MICROSECONDS)
    if not 0 <= seconds < SECONDS_PER_DAY:
        raise ValueError(f"{device_us} µs is no time of day: give 0 to 24 h from midnight")
    whole = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return _with_fraction(whole, fraction_us, decimals)


def parse_place(text: str) -> tuple[int | None, str | None]:
    """The place column to (place, None), (None, status) or, for a rider not yet read, (None, None)."""
    if not text:
        return None, None
    if text.isascii() and text.isdigit() and len(text) <= 4:
        if int(text) == 0:
            raise ValueError("place 0 does not exist: places count from 1")
        return int(text), None
    return None, text


def parse_lane(text: str) -> int | None:
    """The lane column; None when empty. Raises ValueError when it is no whole number."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError(f"lane {text!r} is not a whole number")
    return int(text)


def text_encoding(data: bytes) -> Literal["utf-8", "cp1252"]:
    """How the camera's computer wrote a text: UTF-8, else CP1252. Raises ValueError when it is neither."""
    try:
        data.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass  # only older files are CP1252, so that is the second guess, and its error the one to report
    try:
        data.decode("cp1252")
        return "cp1252"
    except UnicodeDecodeError as error:
        raise ValueError(f"text is neither UTF-8 nor CP1252 (byte 0x{data[error.start]:02x})") from None


# -- reading -------------------------------------------------------------------------------------------------


class _Damaged(Exception):
    """A line, or when raised the whole file, is unusable: at which byte, why, and the bytes that show it."""

    def __init__(self, offset: int, reason: str, raw: bytes) -> None:
        super().__init__(reason)
        self.offset, self.reason, self.raw = offset, reason, raw


def _lines(data: bytes) -> list[tuple[int, int, bytes]]:
    """Non-empty lines as (line number from 1, byte offset, bytes without line end)."""
    lines, offset = [], 0
    for number, line in enumerate(data.split(b"\n"), start=1):
        text = line.removesuffix(b"\r")
        if number == 1:
            text = text.removeprefix(UTF8_MARK)
        if text.strip():
            lines.append((number, offset, text))
        offset += len(line) + 1
    return lines


def _check_whole(data: bytes) -> None:
    if data.startswith(UTF16_MARKS) or b"\0" in data:
        raise _Damaged(0, "file is UTF-16 or binary: let FinishLynx write its result files as UTF-8", data)
    if not data.endswith(b"\n"):
        tail = data.rfind(b"\n") + 1
        raise _Damaged(tail, "unfinished file: its last line has no end; wait until it is written", data[tail:])
    for number, offset, line in _lines(data):
        if line.startswith(CONFLICT_MARKS):
            reason = "merge conflict mark; the file holds two versions, save it again from FinishLynx"
            raise _Damaged(offset, f"line {number}: {reason}", line)


def _columns(line: str) -> list[str]:
    try:
        return [column.strip() for column in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise ValueError(f"not a CSV line ({error})") from None


def _row(line: str) -> PhotoFinishLine:
    columns = _columns(line)
    if len(columns) not in ROW_COLUMNS:
        raise ValueError(f"row has {len(columns)} columns instead of 17 or 19")
    place, status = parse_place(columns[0])
    return PhotoFinishLine(
        place=place,
        status=status,
        bib=columns[1] or None,
        lane=parse_lane(columns[2]),
        # Last names come with doubled blanks where clubs keep the whole name in that column.
        name=" ".join(f"{columns[3]} {columns[4]}".split()) or None,
        time_us=parse_race_time(columns[6]),
    )


def _header(line: str, sheet: tuple[PhotoFinishLine, ...], device: str, received_us: int) -> PhotoFinish:
    columns = _columns(line)
    if len(columns) < HEADER_COLUMNS:
        raise ValueError(f"header has {len(columns)} columns instead of {HEADER_COLUMNS} or more")
    start = columns[HEADER_START]
    event, round_, heat, name = (column or None for column in columns[:4])
    return PhotoFinish(
        device=device,
        received_us=received_us,
        lines=sheet,
        event=event,
        round=round_,
        heat=heat,
        name=name,
        start_device_us=parse_time_of_day(start) if start else None,
    )


def _repeated_bib(rows: Sequence[PhotoFinishLine]) -> str | None:
    bibs: set[str] = set()
    for row in rows:
        if row.bib in bibs:
            return row.bib
        if row.bib is not None:
            bibs.add(row.bib)
    return None


def _read(data: bytes, device: str, received_us: int) -> tuple[PhotoFinish | None, list[_Damaged]]:
    _check_whole(data)
    rows: list[PhotoFinishLine] = []
    damages: list[_Damaged] = []
    header, *lines = _lines(data) or [(1, 0, b"")]
    for number, offset, line in lines:
        try:
            rows.append(_row(line.decode(text_encoding(line))))
        except ValueError as error:
            damages.append(_Damaged(offset, f"line {number}: {error}", line))
    number, offset, line = header
    try:
        sheet = _header(line.decode(text_encoding(line)), tuple(rows), device, received_us)
    except ValueError as error:
        raise _Damaged(offset, f"line {number}: {error}", line) from None
    if not rows:
        reason = "no readable result row: evaluate the heat in FinishLynx and save it again"
        return None, [*damages, _Damaged(offset, reason, line)]
    twice = _repeated_bib(rows)
    if twice is not None:
        reason = f"bib {twice} is listed twice: mend the heat in FinishLynx and save it again"
        return None, [*damages, _Damaged(offset, reason, line)]
    return sheet, damages


def parse_lif(data: bytes, device: str, received_us: int) -> list[PhotoFinish | Malformed]:
    """Read one whole file: its readable rows as one PhotoFinish, and a Malformed for each line that is not.

    `offset` counts from the beginning of the file and `reason` names the line. There is no PhotoFinish when
    the file is unfinished, holds merge conflict marks, has no good header or row, or lists a rider twice.
    A LIF file does not say whether it is official: `official` stays False.
    """
    sheets: list[PhotoFinish | Malformed] = []
    try:
        sheet, damages = _read(data, device, received_us)
        sheets.extend([sheet] if sheet is not None else [])
    except _Damaged as error:
        damages = [error]
    for damage in damages:
        raw = damage.raw[:RAW_BYTES].hex()
        malformed = Malformed(
            device=device, received_us=received_us, offset=damage.offset, reason=damage.reason, raw=raw
        )
        sheets.append(malformed)
    return sheets


class LifParser:
    """A `base.Parser` whose every `feed` takes the contents of one whole file (the folder's promise).

    A heat's result may be issued again: `sequence` is its version, 1 for the first, one more for each that differs.
    A file saved again unchanged keeps its version.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._issued: dict[tuple[str | None, ...], PhotoFinish] = {}

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Read one file. An empty feed brings nothing: FinishLynx creates a file before it writes it."""
        if not data:
            return []
        found = parse_lif(data, self._device, received_us)
        return [self._number(record) if isinstance(record, PhotoFinish) else record for record in found]

    def _number(self, sheet: PhotoFinish) -> PhotoFinish:
        key = (sheet.event, sheet.round, sheet.heat)
        last = self._issued.pop(key, None)
        version = 1 if last is None or last.sequence is None else last.sequence
        if last is not None and (last.lines, last.name, last.start_device_us) != (
            sheet.lines,
            sheet.name,
            sheet.start_device_us,
        ):
            version += 1
        sheet = msgspec.structs.replace(sheet, sequence=version)
        self._issued[key] = sheet
        while len(self._issued) > HEATS_REMEMBERED:
            del self._issued[next(iter(self._issued))]
        return sheet

    def close(self, received_us: int) -> list[Record]:
        """Nothing is ever left over: each feed was complete in itself."""
        return []


# -- writing, for the simulated camera -----------------------------------------------------------------------


def _row_columns(line: PhotoFinishLine, previous_us: int | None, start: str, decimals: int) -> list[str]:
    time = delta = ""
    if line.time_us is not None:
        time = format_race_time(line.time_us, decimals)
        # To the previous finisher, and for the first the own time, as in 5,534 of 5,535 real rows. A
        # relegated rider may have crossed before the one listed above: then there is nothing to state.
        delta_us = line.time_us - (previous_us or 0)
        delta = format_race_time(delta_us, decimals) if delta_us >= 0 else ""
    place = (line.status or "") if line.place is None else str(line.place)
    lane = "" if line.lane is None else str(line.lane)
    who = [line.bib or "", lane, line.name or "", "", ""]
    return [place, *who, time, "", delta, "", "", start, "", "", "", delta, delta]


def encode_lif(
    sheet: PhotoFinish,
    *,
    decimals: int = 3,
    columns: int = 17,
    encoding: str = "utf-8",
    line_end: str = "\n",
    distance: str = "",
) -> bytes:
    """Write a sheet as FinishLynx does: times cut to `decimals`, the start to four, the name as last name.

    `columns` is 17 or 19 (with empty speed and pace). The status of a line shows only where it has no place.
    Raises ValueError for other column counts, a negative time and a start outside one day.
    """
    if columns not in ROW_COLUMNS:
        raise ValueError(f"{columns} columns are not possible: a LIF row has 17 or 19")
    start = "" if sheet.start_device_us is None else format_time_of_day(sheet.start_device_us)
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=line_end)
    key = [sheet.event or "", sheet.round or "", sheet.heat or "", sheet.name or ""]
    writer.writerow([*key, "", "", "", "", "", distance, start])
    previous_us: int | None = None
    for line in sheet.lines:
        row = _row_columns(line, previous_us, start, decimals)
        writer.writerow(row + [""] * (columns - len(row)))
        previous_us = previous_us if line.time_us is None else line.time_us
    return file.getvalue().encode(encoding)


PROTOCOL = ProtocolEntry(
    name="lif",
    summary="FinishLynx photo-finish result files (LIF), one file a heat in a watched folder",
    parser=LifParser,
    session=listen(LifParser),
)
