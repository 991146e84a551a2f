"""TAG Heuer CP 540, CP 545, HL displays and remote units: protocol THCOM08 (hardware-protocols §7).

    frame = ["#"] text TAB sum(4 hex digits, upper case) CR LF

`#` leads what the host says. The sum is that of the characters of `text`, 16 bit. CR and LF alone end too.

    text of a time:  ident bib(4) number(4) channel(2) hh:mm:ss.fffff day(5), one blank between the fields
        ident        T live, A recalled from memory; then N new, or - * + = C as on the CP 520
        number       counts the times of a channel, 1 to 9999
        channel      05, or M5 for a trigger by key
    host:            RT number channel    recall a time: answered by an A frame, or AK F
                     WC, WP, RP, ID, DL   commands and parameters
    box:             AK C / F / R         done, failed, not supported

What the variants mean is known from a CP 520 log only (see `cp520`): - and C take an earlier time back, the
others are taken for edges. That a number counts the times of its own channel is inferred from RT, which names
both. A recalled time may have more decimals than the live one had: a time is known by its number.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from drivers.protocols.text_lines import (
    LineError,
    LineParser,
    fraction_digits,
    read_time_of_day,
    split_time,
)
from drivers.records import Impulse, Record, Unhandled

CR_LF: Final = b"\r\n"
TAB: Final = b"\t"
FROM_HOST: Final = b"#"
SUM_MODULUS: Final = 0x1_0000
SHOWN_CHARACTERS: Final = 64

LIVE: Final = "T"
RECALLED: Final = "A"
TOLD_NAMES: Final[Mapping[str, str]] = {"-": "withdrawn", "C": "cleared"}
MESSAGE_NAMES: Final[Mapping[str, str]] = {
    "AK": "acknowledge",
    "OP": "run_opened",
    "CL": "run_closed",
    "DS": "download_start",
    "DE": "download_end",
    "VE": "version",
    "TS": "synchro",
    "&P": "parameter",
    "WC": "write_command",
    "WP": "write_parameter",
    "RP": "read_parameter",
    "RT": "recall_time",
    "ID": "identification",
    "DL": "download",
}

_FRAME = re.compile(rb"(?P<host>#?)(?P<text>[^\x00-\x1f\x7f#][^\x00-\x1f\x7f]*)\t(?P<sum>[0-9A-F]{4})")
_IS_TIME = re.compile(r"[TA][N\-*+=C] ")
_TIME = re.compile(
    r"(?P<source>[TA])(?P<variant>[N\-*+=C]) (?P<bib>[ 0-9]{4}) (?P<number>[ 0-9]{3}[0-9])"
    r" (?P<channel>M[1-9]|[ 0-9][0-9]) (?P<hours>[ 0-9][0-9]):(?P<minutes>[0-9]{2}):(?P<seconds>[0-9]{2})"
    r"\.(?P<fraction>[0-9]{1,5}) (?P<day>[ 0-9]{4}[0-9])"
)
_DIGITS = re.compile(r"(?P<fill> *)[0-9]*")


class TimeFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One time. `device_us` counts from midnight; `day` is the box's own count of days."""

    number: int
    channel: int
    device_us: int
    day: int = 0
    bib: int | None = None
    recalled: bool = False
    variant: str = "N"
    manual: bool = False
    decimals: int = 5


def checksum(text: bytes) -> int:
    """The sum of the characters, 16 bit, without `#` and TAB."""
    return sum(text) % SUM_MODULUS


def read_frame(line: bytes) -> tuple[str, bool]:
    """(text, whether the host said it) of a frame without its line end. Raises LineError."""
    match = _FRAME.fullmatch(line)
    if match is None:
        raise LineError("line is not of the form text TAB sum")
    right = checksum(match["text"])
    if int(match["sum"], 16) != right:
        said = match["sum"].decode("ascii")
        raise LineError(f"checksum is {said} instead of {right:04X}: damaged on its way, or another rule for the sum")
    return match["text"].decode("latin-1"), bool(match["host"])


def read_time(text: str) -> TimeFrame:
    """The fields of a T or A text. Raises LineError."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise LineError("time is not of the form ident bib number channel hh:mm:ss.fffff day")
    values = {name: match[name].strip() for name in ("bib", "number", "day")}
    if any(_DIGITS.fullmatch(match[name]) is None for name in values):
        raise LineError("bib, number or day is no number")
    fraction = match["fraction"]
    return TimeFrame(
        number=int(values["number"]),
        channel=int(match["channel"].removeprefix("M")),
        device_us=read_time_of_day(match["hours"].strip(), match["minutes"], match["seconds"], fraction),
        day=int(values["day"]),
        bib=int(values["bib"]) if values["bib"] else None,
        recalled=match["source"] == RECALLED,
        variant=match["variant"],
        manual=match["channel"].startswith("M"),
        decimals=len(fraction),
    )


class Thcom08Parser(LineParser):
    """A `base.Parser` for the frames above. The channel of an Impulse is its number without zeros: `5`."""

    def read(self, line: bytes, received_us: int) -> Record:
        """One frame. Raises LineError. See `text_lines.LineParser`."""
        text, from_host = read_frame(line)
        if _IS_TIME.match(text) and not from_host:
            return self._time(read_time(text), received_us)
        code, _, rest = text.partition(" ")
        detail: dict[str, int | str] = {"code": code, "text": rest[:SHOWN_CHARACTERS]}
        if from_host:
            detail["from_host"] = 1
        return self._unhandled(MESSAGE_NAMES.get(code, "message"), detail, received_us)

    def _time(self, frame: TimeFrame, received_us: int) -> Record:
        name = TOLD_NAMES.get(frame.variant)
        if name is not None:
            detail: dict[str, int | str] = {
                "channel": str(frame.channel),
                "number": frame.number,
                "time_us": frame.device_us,
            }
            if frame.bib is not None:
                detail["bib"] = frame.bib
            return self._unhandled(name, detail, received_us)
        return Impulse(
            device=self.device,
            received_us=received_us,
            device_us=frame.device_us,
            channel=str(frame.channel),
            sequence=frame.number,
            bib=str(frame.bib) if frame.bib else None,
            manual=frame.manual,
            backlog=frame.recalled,
        )

    def _unhandled(self, name: str, detail: dict[str, int | str], received_us: int) -> Unhandled:
        return Unhandled(device=self.device, received_us=received_us, name=name, detail=detail)


# -- writing ---------------------------------------------------------------------------------------------------


def encode_frame(text: str, *, from_host: bool = False) -> bytes:
    """A frame of any text with sum and line end. Raises ValueError for control characters or no text."""
    body = text.encode("latin-1")
    line = (FROM_HOST if from_host else b"") + body + TAB + b"%04X" % checksum(body)
    if body.startswith(FROM_HOST) or _FRAME.fullmatch(line) is None:
        raise ValueError(f"text {text!r} cannot be sent: it is empty, begins with # or holds a control character")
    return line + CR_LF


def encode_time(frame: TimeFrame, fill: str | None = None) -> bytes:
    """A time. `fill` pads the numbers: by default 0 for a live time, blank for a recalled one, as seen.

    Raises ValueError for what does not fit its columns.
    """
    pad = (" " if frame.recalled else "0") if fill is None else fill
    hours, minutes, seconds, rest_us = split_time(frame.device_us)
    channel = f"M{frame.channel}" if frame.manual else f"{frame.channel:02d}"
    bib = "" if frame.bib is None else str(frame.bib).rjust(4, pad)
    text = (
        f"{RECALLED if frame.recalled else LIVE}{frame.variant} {bib:>4} {str(frame.number).rjust(4, pad)} {channel}"
        f" {hours:02d}:{minutes:02d}:{seconds:02d}.{fraction_digits(rest_us, frame.decimals)}"
        f" {str(frame.day).rjust(5, pad)}"
    )
    try:
        read_time(text)
    except LineError as error:
        raise ValueError(f"{frame} cannot be written as a THCOM08 time: {error}") from error
    return encode_frame(text)


def encode_recall(number: int, channel: int) -> bytes:
    """The host's question for one time of a channel."""
    return encode_frame(f"RT {number:04d} {channel:02d}", from_host=True)
