"""TAG Heuer Chronoprinter CP 520: lines of 30 characters (hardware-protocols §7).

    column  0-1    ident    `T ` time, T- T* T+ T= TC variants of it; R run time, S its heading, L
            2-4    rank     of a run time, else blank
            5-6    blank
            7-10   bib      right aligned, blank when the operator gave none
            11     blank
            12-13  channel  `1 `, `2 `; M1, M2 by key
            14     blank
            15-29  time     `hh:mm:ss.ffffff` right aligned; leading zeros and empty units are blank

Lines end with CR; CR LF and LF of log files are taken too. There is no checksum.

What T- and TC mean is seen in a log: both repeat an earlier T line of the same bib with its very time, T- before
a start that is taken again, TC for a finish that is. T*, T+ and T= were never seen: they are taken for edges,
but one whose channel and time are known becomes Unhandled `repeated`.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from drivers.protocols.base import ProtocolEntry
from drivers.protocols.impulse_memory import listen_once
from drivers.protocols.text_lines import (
    LineError,
    LineParser,
    fraction_digits,
    read_duration,
    read_time_of_day,
    split_time,
)
from drivers.records import Impulse, Record, Unhandled

CR: Final = b"\r"
LINE_LENGTH: Final = 30
DECIMALS: Final = 6

EDGE_IDENTS: Final = ("T ", "T*", "T+", "T=")
TOLD_NAMES: Final[Mapping[str, str]] = {
    "T-": "withdrawn",
    "TC": "cleared",
    "R ": "run_time",
    "S ": "heading",
    "L ": "lap_time",
}

_LINE = re.compile(
    r"(?P<ident>T[ \-*+=C]|[RSL] )(?P<rank>[ 0-9]{3})  (?P<bib>[ 0-9]{4}) (?P<channel>M[1-9]|[1-9] |  )"
    r" (?P<time>[ -~]{15})"
)
_TIME = re.compile(
    r" *(?:(?:(?P<hours>[0-9]{1,2}):)?(?P<minutes>[0-9]{1,2}):)?(?P<seconds>[0-9]{1,2})\.(?P<fraction>[0-9]{6})"
)
_BLANKS_THEN_DIGITS = re.compile(r" *[0-9]*")
_HEADING = re.compile(r"S [ 0-9]{4}[ -~]{24}")


class Cp520Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line with a time. `time_us` counts from midnight for the T idents, else from the start."""

    ident: str
    time_us: int
    rank: int | None = None
    bib: int | None = None
    channel: str = ""
    manual: bool = False


def read_line(line: bytes) -> Cp520Line:
    """A line with a time, without its CR. Raises LineError."""
    if len(line) != LINE_LENGTH:
        raise LineError(f"line has {len(line)} characters instead of {LINE_LENGTH}")
    match = _LINE.fullmatch(line.decode("latin-1"))
    if match is None:
        raise LineError("line is not of the form ident rank bib channel time")
    time = _TIME.fullmatch(match["time"])
    if time is None or match["time"] != time[0].strip().rjust(15):
        raise LineError(f"time {match['time'].strip()!r} is not of the form hh:mm:ss.ffffff")
    for name in ("rank", "bib"):
        if _BLANKS_THEN_DIGITS.fullmatch(match[name]) is None:
            raise LineError(f"{name} {match[name]!r} is no number")
    is_edge = match["ident"][0] == "T"
    channel = match["channel"].strip().removeprefix("M")
    if is_edge and (not channel or time["hours"] is None):
        raise LineError("a time of day must have its hours and a channel")
    read = read_time_of_day if is_edge else read_duration
    return Cp520Line(
        ident=match["ident"],
        time_us=read(time["hours"] or "0", time["minutes"] or "0", time["seconds"], time["fraction"]),
        rank=int(match["rank"].strip()) if match["rank"].strip() else None,
        bib=int(match["bib"].strip()) if match["bib"].strip() else None,
        channel=channel,
        manual="M" in match["channel"],
    )


class Cp520Parser(LineParser):
    """A `base.Parser` for the lines above: an Impulse for each edge, Unhandled by name for the rest."""

    def read(self, line: bytes, received_us: int) -> Record:
        """One line. Raises LineError. See `text_lines.LineParser`."""
        text = line.decode("latin-1")
        if len(line) == LINE_LENGTH and _HEADING.fullmatch(text):
            detail: dict[str, int | str] = {"number": text[2:6].strip(), "text": text[6:].strip()}
            return Unhandled(device=self.device, received_us=received_us, name="heading", detail=detail)
        told = read_line(line)
        if told.ident in EDGE_IDENTS:
            return Impulse(
                device=self.device,
                received_us=received_us,
                device_us=told.time_us,
                channel=told.channel,
                bib=str(told.bib) if told.bib else None,
                manual=told.manual,
            )
        detail = {"time_us": told.time_us}
        for name, value in (("rank", told.rank), ("bib", told.bib), ("channel", told.channel or None)):
            if value is not None:
                detail[name] = value
        return Unhandled(device=self.device, received_us=received_us, name=TOLD_NAMES[told.ident], detail=detail)


def encode_line(line: Cp520Line) -> bytes:
    """One line with its CR. Raises ValueError for what does not fit its columns."""
    hours, minutes, seconds, rest_us = split_time(line.time_us)
    time = str(seconds)
    if hours or line.ident[0] == "T":
        time = f"{hours}:{minutes:02d}:{seconds:02d}"
    elif minutes:
        time = f"{minutes}:{seconds:02d}"
    rank = "" if line.rank is None else str(line.rank)
    bib = "" if line.bib is None else str(line.bib)
    channel = ("M" if line.manual else "") + line.channel
    text = f"{line.ident}{rank:>3}  {bib:>4} {channel:<2} {time + '.' + fraction_digits(rest_us, DECIMALS):>15}"
    data = text.encode("ascii")
    try:
        read_line(data)
    except LineError as error:
        raise ValueError(f"{line} cannot be written as a CP 520 line: {error}") from error
    return data + CR


def encode_heading(text: str, number: int = 1) -> bytes:
    """The line before a run time, e.g. `NET TIME`. Raises ValueError for a text that does not fit."""
    line = f"S {number:03d}          {text:<15}"
    if len(line) != LINE_LENGTH or not line.isprintable() or not line.isascii():
        raise ValueError(f"heading {text!r} does not fit: at most 15 printable ASCII characters")
    return line.encode("ascii") + CR


PROTOCOL: Final = ProtocolEntry(
    name="cp520",
    summary="TAG Heuer Chronoprinter CP 520: impulses and keys, serial line 9600 8N1",
    parser=Cp520Parser,
    session=listen_once(Cp520Parser),
)
