"""Omega / Swiss Timing Scan'O'Vision data handling (hardware-protocols §6). UNTESTED ON HARDWARE.

No capture of this protocol is public; one public client describes it. TCP or serial 9600 8N1.

    frame = SOH DC3 "DV" code(3 letters) STX payload EOT      CP1252; NUL bytes anywhere are skipped

    | code | payload (default columns of `osv_template`)   | becomes                                        |
    |------|-----------------------------------------------|------------------------------------------------|
    | SNR  | race id                                       | `event` of the sheets; forgets start and result|
    | ISV  | start time of day                             | `start_device_us` of the sheets                |
    | IST  | time-trial start, time of day                 | other: time_trial_start                        |
    | IFV IFF | net (beam) time · recovered finish         | other: net_time, recovered_finish              |
    | RCV  | bib 5, lane 2, time 12                        | other: temporary_result                        |
    | RDC  | number of competitors                         | a ranking begins                               |
    | RCC  | rank 3, bib 5, lane 2, time in 1/100 or code  | a line of the ranking                          |
    | RCF  | the same, time in 1/1000 or its decimals      | the exact time of the RCC line of the same bib |
    | RCS  | bib 5, lane 2                                 | that line is deleted                           |
    | RFC  |                                               | the ranking ends: `photo_finish`               |
    | RFJ  |                                               | official: the same `photo_finish` again        |
    | RTC  | lap 4, rank 3, bib 5, lane 2, time            | other: intermediate                            |
    | RTC  | lap "   0", …                                 | other: reaction_time                           |
    | RWM  | wind 6, unit 3                                | other: wind                                    |

There is no check sum. A ranking that is not whole (lines are missing or twice, or RCC and RCF contradict each
other) gives no sheet but an error that says why; the operator sends it again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from config.models import Device
from drivers.protocols import lif
from drivers.protocols.base import ProtocolEntry, Resume
from drivers.protocols.listen import ListenSession
from drivers.protocols.osv_template import DEFAULT_TEMPLATE, OsvTemplate, template_with
from drivers.protocols.soh_frames import EOT, SOH, SohFrames
from drivers.records import Malformed, PhotoFinish, PhotoFinishLine, Record, Unhandled

STX: Final = b"\x02"
HEAD: Final = SOH + b"\x13DV"  # 13 hex is DC3
ENCODING: Final = "cp1252"
MAX_FRAME_BYTES: Final = 512
RAW_BYTES: Final = 128
MILLISECOND_US: Final = 1_000
HUNDREDTH_US: Final = 10_000
SECOND_US: Final = 1_000_000

STATUSES: Final = ("DNF", "DNS", "DQ", "No Time", "NT", "USER1", "USER2", "USER3")
OTHERS: Final = {"IST": "time_trial_start", "IFV": "net_time", "IFF": "recovered_finish"}
WITH_COLUMNS: Final = {"RCV": "temporary_result", "RTC": "intermediate", "RWM": "wind"}

_FRAME = re.compile(rb"\x01\x13DV([A-Z]{3})\x02([^\x00-\x1f]*)\x04")


@dataclass(frozen=True)
class _Row:
    place: int | None
    bib: str
    lane: int | None
    time: str
    thousandths: str | None = None


class _Ranking:
    """A ranking between RDC and RFC. Raises ValueError as soon as it cannot be whole."""

    def __init__(self, competitors: int) -> None:
        self.competitors = competitors
        self.rows: dict[str, _Row] = {}

    def add(self, values: dict[str, str]) -> None:
        bib = values["bib"]
        if not bib or bib in self.rows:
            raise ValueError(f"ranking lists bib {bib!r} twice" if bib else "ranking has a line without a bib")
        self.rows[bib] = _Row(_number(values["rank"], "rank"), bib, _number(values["lane"], "lane"), values["time"])

    def refine(self, values: dict[str, str]) -> None:
        row = self.rows.get(values["bib"])
        if row is None:
            raise ValueError(f"thousandths for bib {values['bib']!r}, which has no line in the ranking")
        self.rows[row.bib] = _Row(row.place, row.bib, row.lane, row.time, values["time"])

    def delete(self, values: dict[str, str]) -> None:
        if self.rows.pop(values["bib"], None) is not None:
            self.competitors -= 1

    def lines(self, *, rounded_up: bool) -> tuple[PhotoFinishLine, ...]:
        if len(self.rows) != self.competitors:
            raise ValueError(f"ranking has {len(self.rows)} of {self.competitors} riders: send the results again")
        return tuple(_sheet_line(row, rounded_up=rounded_up) for row in self.rows.values())


def _number(text: str, what: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise ValueError(f"{what} {text!r} is not a whole number")
    return int(text)


def _sheet_line(row: _Row, *, rounded_up: bool) -> PhotoFinishLine:
    line = partial(PhotoFinishLine, bib=row.bib, lane=row.lane)
    if row.time in STATUSES:
        return line(status=row.time)
    if row.place is None:
        raise ValueError(f"bib {row.bib} has neither a rank nor a code that says why")
    hundredths_us = lif.parse_race_time(row.time)
    if hundredths_us is None or row.thousandths is None:
        return line(place=row.place, time_us=hundredths_us)
    return line(place=row.place, time_us=exact_time_us(hundredths_us, row.thousandths, rounded_up=rounded_up))


def exact_time_us(hundredths_us: int, thousandths: str, *, rounded_up: bool = True) -> int:
    """The time of RCC and RCF together, in µs. Raises ValueError when they contradict each other.

    RCF may hold the whole time or only its decimals (".996"); then the full seconds come from RCC, less one
    where rounding up to 1/100 went over a full second (7.996 is shown as 8.00).
    """
    match = re.fullmatch(r"([0-9:]*)[.,]([0-9]{3,6})", thousandths)
    if match is None:
        raise ValueError(f"thousandths {thousandths!r} are not of the form s.kkk or .kkk")
    decimals_us = int(match[2].ljust(6, "0"))
    if match[1]:
        exact_us = lif.parse_race_time(f"{match[1]}.{match[2]}")
    else:
        exact_us = hundredths_us // SECOND_US * SECOND_US + decimals_us
        if rounded_up and exact_us > hundredths_us:
            exact_us -= SECOND_US
    if exact_us is None:
        raise ValueError(f"thousandths {thousandths!r} hold no time")
    late_us = hundredths_us - exact_us
    if not (0 <= late_us < HUNDREDTH_US if rounded_up else -HUNDREDTH_US < late_us <= 0):
        raise ValueError(f"thousandths {thousandths!r} do not fit the hundredths of the same rider")
    return exact_us


class OsvParser:
    """A `base.Parser` for the stream of a Scan'O'Vision. One PhotoFinish a whole ranking, never a part."""

    def __init__(self, device: str, template: OsvTemplate = DEFAULT_TEMPLATE) -> None:
        self._device = device
        self._template = template
        self._frames = SohFrames(MAX_FRAME_BYTES, between=b"\0\r\n")
        self._race = ""
        self._start_us: int | None = None
        self._ranking: _Ranking | None = None
        self._broken = False
        """A line of the ranking could not be used: it was reported, and the ranking gives no sheet."""
        self._sheet: PhotoFinish | None = None

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes; return what the frames in them complete. See `base.Parser`."""
        return [record for piece in self._frames.feed(data) for record in self._take(*piece, received_us)]

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: a frame or a ranking that is not complete is Malformed. See `base.Parser`."""
        offset, raw = self._frames.close()
        records: list[Record] = []
        if raw:
            records.append(self._malformed(offset, received_us, "stream ended inside a frame", raw))
        if self._ranking is not None:
            reason = "stream ended inside a ranking: send the results again"
            records.append(self._malformed(offset, received_us, reason, b""))
        self._ranking, self._broken = None, False
        return records

    def _take(self, offset: int, raw: bytes, received_us: int) -> list[Record]:
        match = _FRAME.fullmatch(raw.replace(b"\0", b""))
        if match is None:
            reason = 'frame is not of the form SOH DC3 "DV" code STX payload EOT'
            return [self._malformed(offset, received_us, reason, raw)]
        code = match[1].decode("ascii")
        try:
            record = self._interpret(code, match[2].decode(ENCODING), received_us)
        except ValueError as error:
            self._broken = self._broken or (self._ranking is not None and code in ("RCC", "RCF", "RCS"))
            if code == "RFC":
                self._ranking, self._broken = None, False
            reason = f"{code}: {error}" if not isinstance(error, UnicodeError) else f"{code}: text is not CP1252"
            return [self._malformed(offset, received_us, reason, raw)]
        return [] if record is None else [record]

    def _interpret(self, code: str, payload: str, received_us: int) -> Record | None:
        text = payload.strip()
        if code == "SNR":
            self._race, self._start_us, self._sheet = text, None, None
            return self._unhandled("race", {"race": text}, received_us)
        if code == "ISV":
            self._start_us = lif.parse_time_of_day(text.replace(",", "."))
            return self._unhandled("started", {"time": text}, received_us)
        if code in ("RDC", "RFC", "RFJ"):
            return self._follow_ranking(code, text, received_us)
        if code in ("RCC", "RCF", "RCS") and self._ranking is not None:
            values = self._template.split(code, payload)
            step = {"RCC": self._ranking.add, "RCF": self._ranking.refine, "RCS": self._ranking.delete}[code]
            step(values)
            return None
        if code == "RTC" and payload[: self._template.lap_width].strip() == "0":
            return self._unhandled("reaction_time", {"payload": payload}, received_us)
        if code in WITH_COLUMNS:
            return self._unhandled(WITH_COLUMNS[code], dict(self._template.split(code, payload)), received_us)
        if code in OTHERS:
            return self._unhandled(OTHERS[code], {"time": text}, received_us)
        name = "outside_a_ranking" if code in ("RCC", "RCF", "RCS") else "unknown_code"
        return self._unhandled(name, {"code": code, "payload": payload}, received_us)

    def _follow_ranking(self, code: str, text: str, received_us: int) -> Record | None:
        if code == "RDC":
            begun, self._ranking = self._ranking, None
            self._broken = False
            competitors = _number(text, "number of competitors")
            if competitors is None:
                raise ValueError("number of competitors is missing")
            self._ranking = _Ranking(competitors)
            if begun is not None:
                raise ValueError("the ranking before this one has no end: send its results again if it was another")
            return None
        if code == "RFJ":
            if self._sheet is None:
                raise ValueError("official, but there is no ranking before it: send the results again")
            return msgspec.structs.replace(self._sheet, received_us=received_us, official=True)
        ranking, self._ranking = self._ranking, None
        broken, self._broken = self._broken, False
        self._sheet = None
        if ranking is None:
            raise ValueError("a ranking ends that has not begun: send the results again")
        if broken:
            raise ValueError("lines of this ranking could not be read: send the results again")
        self._sheet = PhotoFinish(
            device=self._device,
            received_us=received_us,
            lines=ranking.lines(rounded_up=self._template.hundredths_are_rounded_up),
            event=self._race or None,
            start_device_us=self._start_us,
        )
        return self._sheet

    def _unhandled(self, name: str, detail: dict[str, int | str], received_us: int) -> Unhandled:
        return Unhandled(device=self._device, received_us=received_us, name=name, detail=detail)

    def _malformed(self, offset: int, received_us: int, reason: str, raw: bytes) -> Malformed:
        cut = raw[:RAW_BYTES].hex()
        return Malformed(device=self._device, received_us=received_us, offset=offset, reason=reason, raw=cut)


# -- writing ---------------------------------------------------------------------------------------------------


def encode_frame(code: str, payload: str = "") -> bytes:
    """One frame. Raises ValueError for text that CP1252 has not, or that holds control characters."""
    frame = HEAD + code.encode("ascii") + STX + payload.encode(ENCODING) + EOT
    if _FRAME.fullmatch(frame) is None:
        raise ValueError(f"code {code!r} with payload {payload!r} is no frame")
    return frame


def encode_ranking(sheet: PhotoFinish, template: OsvTemplate = DEFAULT_TEMPLATE) -> bytes:
    """A sheet as the Scan'O'Vision sends it: SNR, ISV, RDC, RCC and RCF a rider, RFC, and RFJ if official."""
    encoded = encode_frame("SNR", sheet.event or "")
    if sheet.start_device_us is not None:
        encoded += encode_frame("ISV", lif.format_time_of_day(sheet.start_device_us))
    encoded += encode_frame("RDC", str(len(sheet.lines)))
    for line in sheet.lines:
        encoded += _encode_rider(line, template)
    return encoded + encode_frame("RFC") + (encode_frame("RFJ") if sheet.official else b"")


def _encode_rider(line: PhotoFinishLine, template: OsvTemplate) -> bytes:
    columns = {
        "rank": "" if line.place is None else str(line.place),
        "bib": line.bib or "",
        "lane": "" if line.lane is None else str(line.lane),
        "time": line.status or "",
    }
    if line.time_us is None or line.status:
        return encode_frame("RCC", template.join("RCC", columns))
    up_us = HUNDREDTH_US - 1 if template.hundredths_are_rounded_up else 0
    shown_us = (line.time_us // MILLISECOND_US * MILLISECOND_US + up_us) // HUNDREDTH_US * HUNDREDTH_US
    frames: Sequence[tuple[str, str]] = (
        ("RCC", lif.format_race_time(shown_us, 2)),
        ("RCF", lif.format_race_time(line.time_us, 3)),
    )
    return b"".join(encode_frame(code, template.join(code, columns | {"time": time})) for code, time in frames)


def osv_protocol(template: OsvTemplate, name: str) -> ProtocolEntry:
    """The protocol with a template of your own, for an entry point (see drivers/protocols/registry.py).

    Its sessions take what the meet file's `options` say instead.
    """

    def session(device: Device, resume: Resume) -> ListenSession:
        return ListenSession(device.id, partial(OsvParser, template=template_with(template, device.options)))

    return ProtocolEntry(
        name=name,
        summary="Omega / Swiss Timing Scan'O'Vision results over TCP or serial 9600 8N1 (untested on hardware)",
        parser=partial(OsvParser, template=template),
        session=session,
    )


PROTOCOL: Final = osv_protocol(DEFAULT_TEMPLATE, "osv")
