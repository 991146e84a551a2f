"""FinishLynx live: the stream that our script deploy/finishlynx/velodrome.lss makes (hardware-protocols §4).

    line  = SOH sequence(5 digits) code(2 letters) STX field US field US … ETX sum(3) total(3) EOT [CR] [LF]
    sheet = RH line, RR lines numbered from 0 without a gap, RT line that names the same heat

`sequence` counts lines from 00001 to 99999 and on from 00001; 00000 says that the box does not count. `sum`
is the sum of all bytes from SOH to ETX; `total` the sum of the values that `sum` has after the head, after
each field with its US, and after ETX; both modulo 256. The script's language can make exactly these (\\F ADD
with a seed, \\+) whatever the width of its registers; a changed byte shows, and so do swapped fields.

The separator is the ASCII unit separator, not `|`: real event names hold `|` ("20:10 | 800m M").

Nothing acknowledges and nothing is repeated. A sheet counts only when every line of it came: anything else is
Malformed, and the operator sends the results again (Alt-E in FinishLynx).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from drivers.protocols import lif
from drivers.protocols.base import ProtocolEntry
from drivers.protocols.listen import listen
from drivers.protocols.soh_frames import EOT, SOH, SohFrames
from drivers.records import Impulse, Malformed, PhotoFinish, PhotoFinishLine, Record, SequenceGap, Unhandled

STX: Final = b"\x02"  # start of text: the fields begin
ETX: Final = b"\x03"  # end of text: the check sums follow
UNIT_SEPARATOR: Final = b"\x1f"  # ends each field

SCRIPT: Final = ("velodrome", "1")  # name and version that the script tells when it starts
LAST_SEQUENCE: Final = 99_999
NOT_COUNTED: Final = 0
# The longest line is a header with long names, well under 1 kB; more than this without an EOT is no line.
MAX_LINE_BYTES: Final = 4_096
RAW_BYTES: Final = 128

_LINE = re.compile(rb"\x01([0-9]{5})([A-Z]{2})\x02((?:[^\x00-\x1f]*\x1f)*)\x03([0-9]{3})([0-9]{3})\x04")


@dataclass(frozen=True)
class LineKind:
    """What a two-letter code means: the record's name and the fields in their order."""

    name: str
    fields: tuple[str, ...]


TIME: Final = ("time",)
HEADER: Final = ("official", "name", "event", "round", "heat", "start_type", "participants", "start_time")
ROW: Final = ("row", "place", "lane", "id", "name", "affiliation", "time", "delta")
HEAT_KEY: Final = ("event", "round", "heat", "participants")

LINE_KINDS: Final[dict[str, LineKind]] = {
    "IN": LineKind("script_started", ("script", "version")),
    "TA": LineKind("armed", TIME),
    "TR": LineKind("running", TIME),
    "TS": LineKind("stopped", TIME),
    "TP": LineKind("paused", TIME),
    "TG": LineKind("gun", TIME),
    "TB": LineKind("break", TIME),
    "TU": LineKind("update", TIME),
    "TD": LineKind("time_of_day", TIME),
    "WI": LineKind("wind", ("wind",)),
    "RH": LineKind("result_header", HEADER),
    "RR": LineKind("result_row", ROW),
    "RT": LineKind("result_trailer", HEAT_KEY),
    "SH": LineKind("start_list_header", HEADER),
    "SL": LineKind("start_list_row", ROW),
    "ST": LineKind("start_list_trailer", HEAT_KEY),
    "MH": LineKind("message_header", ()),
    "ML": LineKind("message", ("text",)),
    "MT": LineKind("message_trailer", ()),
}
RESULT_LINES: Final = ("RH", "RR", "RT")


def check_sums(head: bytes, fields: Sequence[bytes]) -> tuple[int, int]:
    """(sum, total) of a line: `head` is SOH to STX, each field is without its US. Both modulo 256."""
    running = total = 0
    for part in (head, *(text + UNIT_SEPARATOR for text in fields), ETX):
        running += sum(part)
        total += running
    return running % 256, total % 256


# -- reading -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    sequence: int
    code: str
    values: dict[str, str]


def _read_line(raw: bytes) -> _Line:
    """One line, SOH to EOT. Raises ValueError that says what is wrong with it."""
    match = _LINE.fullmatch(raw)
    if match is None:
        raise ValueError("line is not of the form SOH number code STX fields ETX sums EOT")
    texts = match[3].split(UNIT_SEPARATOR)[:-1]
    head = SOH + match[1] + match[2] + STX
    if (int(match[4]), int(match[5])) != check_sums(head, texts):
        raise ValueError("check sums do not match: the line was damaged on its way")
    code = match[2].decode("ascii")
    kind = LINE_KINDS.get(code)
    if kind is None:
        raise ValueError(f"line code {code} is unknown: FinishLynx must use the velodrome.lss of this version")
    if len(texts) != len(kind.fields):
        raise ValueError(f"{code} line has {len(texts)} fields instead of {len(kind.fields)}")
    body = match[3].decode(lif.text_encoding(match[3])).split("\x1f")
    values = {name: text.strip() for name, text in zip(kind.fields, body, strict=False)}
    return _Line(int(match[1]), code, values)


def _count(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError(f"{what} {text!r} is not a whole number")
    return int(text)


def _result_row(values: dict[str, str]) -> PhotoFinishLine:
    place, status = lif.parse_place(values["place"])
    return PhotoFinishLine(
        place=place,
        status=status,
        bib=values["id"] or None,
        lane=lif.parse_lane(values["lane"]),
        name=values["name"] or None,
        time_us=lif.parse_race_time(values["time"]),
    )


@dataclass
class _Sheet:
    """A result sheet between its header and its trailer. Raises ValueError as soon as it cannot be whole."""

    header: dict[str, str]
    sequence: int
    rows: list[PhotoFinishLine] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.participants = _count(self.header["participants"], "number of participants")
        start = self.header["start_time"]
        self.start_device_us = lif.parse_time_of_day(start) if start else None

    def add(self, values: dict[str, str]) -> None:
        index = _count(values["row"], "row")
        if index != len(self.rows):
            raise ValueError(f"result row {len(self.rows)} is missing (row {index} came)")
        self.rows.append(_result_row(values))

    def check(self, trailer: dict[str, str]) -> None:
        if any(trailer[name] != self.header[name] for name in HEAT_KEY):
            raise ValueError("header and trailer name different heats: lines between them are missing")
        if len(self.rows) != self.participants:
            raise ValueError(
                f"sheet has {len(self.rows)} of {self.participants} riders: "
                "turn paging off in FinishLynx's scoreboard options and send the results again"
            )
        bibs = [row.bib for row in self.rows if row.bib is not None]
        if len(bibs) != len(set(bibs)):
            raise ValueError("sheet lists a rider twice: mend the heat in FinishLynx and send it again")

    def photo_finish(self, device: str, received_us: int) -> PhotoFinish:
        return PhotoFinish(
            device=device,
            received_us=received_us,
            lines=tuple(self.rows),
            event=self.header["event"] or None,
            round=self.header["round"] or None,
            heat=self.header["heat"] or None,
            name=self.header["name"] or None,
            start_device_us=self.start_device_us,
            official=self.header["official"].upper() == "OFFICIAL",
            sequence=self.sequence or None,
        )


class LynxParser:
    """A `base.Parser` for the stream of velodrome.lss. One PhotoFinish a complete sheet, never a part."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._pieces = SohFrames(MAX_LINE_BYTES, between=b"\r\n")
        self._last_sequence: int | None = None
        self._sheet: _Sheet | None = None
        # True from the line that broke a sheet to its trailer: one report is enough for one sheet.
        self._skipping = False

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes; return what the lines in them complete. See `base.Parser`."""
        return [record for piece in self._pieces.feed(data) for record in self._take(*piece, received_us)]

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: a line or a sheet that is not complete is Malformed. See `base.Parser`."""
        offset, raw = self._pieces.close()
        records: list[Record] = []
        if raw:
            records.append(self._malformed(offset, received_us, "stream ended inside a line", raw))
        elif self._sheet is not None:
            reason = "stream ended inside a result sheet: send the results again"
            records.append(self._malformed(offset, received_us, reason))
        self._sheet, self._skipping, self._last_sequence = None, False, None
        return records

    def _take(self, offset: int, raw: bytes, received_us: int) -> list[Record]:
        try:
            line = _read_line(raw)
        except ValueError as error:
            return [self._malformed(offset, received_us, str(error), raw)]
        records = self._follow_sequence(line, received_us)
        if line.code in ("IN", "RH") and self._sheet is not None:
            reason = "the result sheet before this line has no end: send the results again"
            records.append(self._malformed(offset, received_us, reason, raw))
            self._sheet = None
        try:
            records += self._interpret(line, received_us)
        except ValueError as error:
            records.append(self._malformed(offset, received_us, f"{line.code} line: {error}", raw))
            if line.code in RESULT_LINES:
                self._sheet, self._skipping = None, line.code != "RT"
        return records

    def _follow_sequence(self, line: _Line, received_us: int) -> list[Record]:
        last, self._last_sequence = self._last_sequence, line.sequence
        # The script's first line starts a new count; a box that does not count says 0 in every line.
        if last is None or line.code == "IN" or NOT_COUNTED in (last, line.sequence):
            return []
        first = last % LAST_SEQUENCE + 1
        missing = (line.sequence - first) % LAST_SEQUENCE
        if missing == 0:
            return []
        if missing > LAST_SEQUENCE // 2:
            # It went back: a repeated line, or a restart whose first line was lost. No gap to name.
            return [self._unhandled("count_went_back", {"from": last, "to": line.sequence}, received_us)]
        end = first + missing - 1
        spans = [(first, end)] if end <= LAST_SEQUENCE else [(first, LAST_SEQUENCE), (1, end - LAST_SEQUENCE)]
        gap = partial(SequenceGap, device=self._device, received_us=received_us)
        return [gap(first=low, last=high) for low, high in spans]

    def _interpret(self, line: _Line, received_us: int) -> list[Record]:
        if line.code in RESULT_LINES:
            sheet = self._follow_sheet(line, received_us)
            return [] if sheet is None else [sheet]
        if line.code == "IN":
            told = (line.values["script"], line.values["version"])
            if told != SCRIPT:
                raise ValueError(
                    f"FinishLynx runs script {told[0]!r} version {told[1]!r}; "
                    f"install the velodrome.lss of this program (version {SCRIPT[1]})"
                )
        # Only a time of day can be an impulse: a gun told in running time says "0.00" and not when.
        if line.code == "TG" and line.values["time"].count(":") == 2:
            return [self._gun(line, received_us)]
        return [self._unhandled(LINE_KINDS[line.code].name, dict(line.values), received_us)]

    def _follow_sheet(self, line: _Line, received_us: int) -> Record | None:
        if line.code == "RH":
            self._skipping = False
            self._sheet = _Sheet(line.values, line.sequence)
        elif self._sheet is not None and line.code == "RR":
            self._sheet.add(line.values)
        elif self._sheet is not None:
            sheet, self._sheet = self._sheet, None
            sheet.check(line.values)
            if not sheet.rows:
                return self._unhandled("empty_sheet", dict(line.values), received_us)
            return sheet.photo_finish(self._device, received_us)
        elif not self._skipping:
            raise ValueError("the sheet's header is missing: send the results again")
        elif line.code == "RT":
            self._skipping = False
        return None

    def _gun(self, line: _Line, received_us: int) -> Impulse:
        return Impulse(
            device=self._device,
            received_us=received_us,
            device_us=lif.parse_time_of_day(line.values["time"]),
            channel="gun",
            sequence=line.sequence or None,
        )

    def _unhandled(self, name: str, detail: dict[str, int | str], received_us: int) -> Unhandled:
        return Unhandled(device=self._device, received_us=received_us, name=name, detail=detail)

    def _malformed(self, offset: int, received_us: int, reason: str, raw: bytes = b"") -> Malformed:
        cut = raw[:RAW_BYTES].hex()
        return Malformed(device=self._device, received_us=received_us, offset=offset, reason=reason, raw=cut)


# -- writing, for the simulated camera -----------------------------------------------------------------------


@dataclass
class LineCounter:
    """The sequence number of the last line written, as the script counts: 1 to 99999, then 1 again."""

    last: int = 0

    def next(self) -> int:
        """Count one line and return its number."""
        self.last = self.last % LAST_SEQUENCE + 1
        return self.last


def encode_line(code: str, fields: Sequence[str], counter: LineCounter, encoding: str = "utf-8") -> bytes:
    """One line as velodrome.lss sends it. Raises ValueError for what the script cannot send."""
    kind = LINE_KINDS.get(code)
    if kind is None or len(fields) != len(kind.fields):
        raise ValueError(f"{code} line with {len(fields)} fields does not exist: see LINE_KINDS")
    texts = [text.encode(encoding) for text in fields]
    if any(byte < 0x20 for text in texts for byte in text):
        raise ValueError(f"{code} line {list(fields)} holds a control character: remove it")
    head = SOH + b"%05d%s" % (counter.next(), code.encode("ascii")) + STX
    body = b"".join(text + UNIT_SEPARATOR for text in texts)
    return head + body + ETX + b"%03d%03d" % check_sums(head, texts) + EOT + b"\n"


def encode_script_start(counter: LineCounter) -> bytes:
    """What the camera sends first, when FinishLynx (re)starts the script; the count begins again."""
    counter.last = 0
    return encode_line("IN", SCRIPT, counter)


def encode_clock(state: str, time_us: int | None, counter: LineCounter, decimals: int = 2) -> bytes:
    """A clock line: `state` is the record name of a T* line in LINE_KINDS, such as `running` or `gun`.

    `time_us` is µs since the start, but from midnight for `gun` and `time_of_day`; None sends no time.
    Raises ValueError for an unknown state or a time out of range.
    """
    code = next((c for c, kind in LINE_KINDS.items() if c[0] == "T" and kind.name == state), None)
    if code is None:
        raise ValueError(f"clock state {state!r} does not exist: give one of the T lines of LINE_KINDS")
    form = lif.format_time_of_day if code in ("TG", "TD") else lif.format_race_time
    text = "" if time_us is None else form(time_us, decimals)
    return encode_line(code, (text,), counter)


def encode_sheet(sheet: PhotoFinish, counter: LineCounter, *, decimals: int = 3, encoding: str = "utf-8") -> bytes:
    """A whole result sheet: times truncated to `decimals`, the start to four as FinishLynx states it.

    The sheet's `sequence`, `device` and `received_us` are not sent. Raises ValueError as `encode_line` does.
    """
    participants = str(len(sheet.lines))
    key = [sheet.event or "", sheet.round or "", sheet.heat or "", participants]
    official = "OFFICIAL" if sheet.official else "UNOFFICIAL"
    start = "" if sheet.start_device_us is None else lif.format_time_of_day(sheet.start_device_us)
    header = [official, sheet.name or "", *key[:3], "AUTO", participants, start]
    encoded = encode_line("RH", header, counter, encoding)
    for index, line in enumerate(sheet.lines):
        place = (line.status or "") if line.place is None else str(line.place)
        lane = "" if line.lane is None else str(line.lane)
        time = "" if line.time_us is None else lif.format_race_time(line.time_us, decimals)
        row = [f"{index:03d}", place, lane, line.bib or "", line.name or "", "", time, ""]
        encoded += encode_line("RR", row, counter, encoding)
    return encoded + encode_line("RT", key, counter, encoding)


PROTOCOL = ProtocolEntry(
    name="lynx",
    summary="FinishLynx photo-finish, live stream of our scoreboard script velodrome.lss",
    parser=LynxParser,
    session=listen(LynxParser),
)
