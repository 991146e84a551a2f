"""ALGE Timy, TdC 8000/8001 and PC-Timer: lines of printed characters (hardware-protocols §3).

    column  0      info          blank valid, ? no start number, m from the box's memory; others: INFO_NAMES
            1-4    start number  leading zeros (TdC) or blanks (Timy)
            5      course        blank, or r, b, … in parallel races
            6-8    channel       C0 to C9, then M for a key; RT, TT, SQ, DT for computed times
            9      blank
            10-22  time          hh:mm:ss.zhtq, left aligned, missing digits blank
            23     blank         from here on absent on a PC-Timer
            24-25  group
            26-29  rank          only from some programs of the Timy 3
            last 2 checksum      only after the command CHK1

Lines end with CR; CR LF and LF of log files are taken too. Lower-case channels, blanks before the start number
and `,` or `:` before the decimals (other makes and programs of the family) are read, and never written.
Checksum: the sum of all characters before it modulo 256, as two characters 0x30 + nibble, high one first.

Beside these: `n0034` / `s0034` (next start number at finish / start), a running time `hh:mm:ss.z`, and answers
to commands. A text that is none of these is Malformed: nothing else tells a damaged line from a message.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

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
CHARSET: Final = "cp437"
NIBBLE_BASE: Final = 0x30
SHOWN_CHARACTERS: Final = 64

VALID: Final = " "
NO_NUMBER: Final = "?"
FROM_MEMORY: Final = "m"
INFO_NAMES: Final[Mapping[str, str]] = {
    "c": "cleared",
    "C": "cleared",
    "d": "disqualified",
    "i": "inserted",
    "n": "renumbered",
    "s": "renumbered",
    "p": "penalty",
    "b": "info_b",
    "t": "info_t",
}
"""Lines with these characters change what was said before, or hold a time that a hand typed: no edge."""
COMPUTED_NAMES: Final[Mapping[str, str]] = {
    "RT": "run_time",
    "TT": "total_time",
    "SQ": "lap_time",
    "DT": "delta_time",
}
"""Times that the box computed (truncated, two decimals): no edge."""

_TIMING = re.compile(
    rb"(?P<info>[ ?mcCdinspbt])(?P<number>[ 0-9]{4})(?P<course>[ A-Za-z])"
    rb"(?P<channel>[Cc][0-9]|RT|TT|SQ|DT)(?P<manual>[ M]) "
    rb"(?P<hours>[0-9]{2}):(?P<minutes>[0-9]{2}):(?P<seconds>[0-9]{2})"
    rb"(?P<decimals>[.,:][0-9]   |[.,:][0-9]{2}  |[.,:][0-9]{3} |[.,:][0-9]{4}|     )"
    rb"(?: (?P<group>[ 0-9]{2})(?P<rank>[ 0-9]{4})?)?"
)
_NUMBER = re.compile(rb"(?P<kind>[ns])(?P<number>[ 0-9]{4})")
_RUNNING = re.compile(rb" *[0-9]{2}:[0-5][0-9]:[0-5][0-9](?:[.,:][0-9])? *")
_BLANKS_THEN_DIGITS = re.compile(rb" *[0-9]*")
_CHECKSUM = re.compile(rb"[0-?]{2}")

_TEXT = rb"[^\x00-\x1f\x7f]*"
_REPLIES: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("hardware_serial", rb"HW_SN" + _TEXT),
        ("firmware", rb"NSF" + _TEXT),
        ("program", rb"PROG:? ?" + _TEXT),
        ("pulse_hold", rb"PULSE HOLD" + _TEXT),
        ("memory_cleared", rb"CLR *"),
        ("banner", rb" *ALGE-TIMING" + _TEXT),
        ("version", rb" *(?:TIMY|TdC|TDC|PC-TIMER)" + rb"[ 0-9]" + _TEXT),
        (
            "date",
            rb" *[0-9]{2}(?:[0-9]{2})?[-./][0-9]{2}[-./][0-9]{2}(?:[0-9]{2})?"
            rb"(?: +[0-9]{2}[-:.][0-9]{2}(?:[-:.][0-9]{2})?)? *",
        ),
        (
            "echo",
            rb"(?:TIMYINIT|CHK[01]|PRE[0-4]|RR[0-2]|BE[01]|DT[SF][0-9]{2}\.[0-9]{2}|EMU[01]|PRINTER[01]"
            rb"|PRIIGN[01]|KL[01]|SL[01]|PRILF|RSM)",
        ),
    )
)


class TimyLine(msgspec.Struct, frozen=True, kw_only=True):
    """One timing line as the box prints it. `time_us` counts from midnight on channels C0 to C9."""

    channel: str
    time_us: int
    info: str = VALID
    number: int | None = None
    course: str = " "
    manual: bool = False
    decimals: int = 4
    group: str = "00"


def checksum(text: bytes) -> bytes:
    """CHK1: the two characters for the sum of `text` modulo 256."""
    total = sum(text) % 256
    return bytes((NIBBLE_BASE + total // 16, NIBBLE_BASE + total % 16))


def read_line(line: bytes) -> TimyLine:
    """A timing line without its CR, with or without checksum. Raises LineError that says what is wrong."""
    match = _TIMING.fullmatch(line)
    if match is None and _CHECKSUM.fullmatch(line[-2:]):
        match = _TIMING.fullmatch(line[:-2])
        if match is not None:
            _check(line)
    if match is None:
        raise LineError("line is no timing line, start number or known answer of a Timy")
    if _BLANKS_THEN_DIGITS.fullmatch(match["number"]) is None:
        raise LineError(f"start number {match['number'].decode('ascii')!r} is no number")
    channel = match["channel"].decode("ascii").upper()
    if channel in COMPUTED_NAMES and match["manual"] != b" ":
        raise LineError(f"channel {channel}M does not exist: a computed time has no key")
    hours, minutes, seconds = (match[name].decode("ascii") for name in ("hours", "minutes", "seconds"))
    decimals = match["decimals"].strip()[1:].decode("ascii")
    read = read_duration if channel in COMPUTED_NAMES else read_time_of_day
    number = match["number"].strip()
    return TimyLine(
        channel=channel,
        time_us=read(hours, minutes, seconds, decimals),
        info=match["info"].decode("ascii"),
        number=int(number) if number else None,
        course=match["course"].decode("ascii"),
        manual=match["manual"] == b"M",
        decimals=len(decimals),
        group=(match["group"] or b"").decode("ascii"),
    )


def _check(line: bytes) -> None:
    said, right = line[-2:], checksum(line[:-2])
    if said != right:
        raise LineError(f"checksum is {said.decode('ascii')} instead of {right.decode('ascii')}: damaged on its way")


class TimyParser(LineParser):
    """A `base.Parser` for the lines above. An Impulse for each edge, Unhandled by name for the rest.

    After the first line with a right checksum one without is damaged.
    """

    def __init__(self, device: str, *, insists: bool = False) -> None:
        """`insists` takes no timing line without checksum from the first one on."""
        super().__init__(device)
        self._insists = insists
        self.refused = 0
        """Timing lines that had no checksum and should have had one."""

    def read(self, line: bytes, received_us: int) -> Record:
        """One line. Raises LineError. See `text_lines.LineParser`."""
        record = self._number(line, received_us) or self._reply(line, received_us)
        if record is not None:
            return record
        timing = read_line(line)
        if _TIMING.fullmatch(line) is None:
            self._insists = True
        elif self._insists:
            self.refused += 1
            raise LineError("line has no checksum, although the box was told to send them: damaged on its way")
        if timing.channel in COMPUTED_NAMES or timing.info in INFO_NAMES:
            return self._told(timing, received_us)
        unknown = timing.info == NO_NUMBER or not timing.number
        return Impulse(
            device=self.device,
            received_us=received_us,
            device_us=timing.time_us,
            channel=timing.channel,
            bib=None if unknown else str(timing.number),
            manual=timing.manual,
            backlog=timing.info == FROM_MEMORY,
        )

    def _told(self, timing: TimyLine, received_us: int) -> Unhandled:
        name = INFO_NAMES.get(timing.info) or COMPUTED_NAMES[timing.channel]
        detail: dict[str, int | str] = {"channel": timing.channel, "time_us": timing.time_us, "info": timing.info}
        if timing.number is not None:
            detail["number"] = timing.number
        if timing.manual:
            detail["manual"] = 1
        return self._unhandled(name, detail, received_us)

    def _number(self, line: bytes, received_us: int) -> Unhandled | None:
        text = line
        if len(line) == 7 and _NUMBER.fullmatch(line[:5]) and _CHECKSUM.fullmatch(line[5:]):
            _check(line)
            text = line[:5]
        match = _NUMBER.fullmatch(text)
        if match is None or _BLANKS_THEN_DIGITS.fullmatch(match["number"]) is None:
            return None
        number = int(match["number"].strip() or b"0")
        name = "next_at_finish" if match["kind"] == b"n" else "next_at_start"
        return self._unhandled(name, {"number": number}, received_us)

    def _reply(self, line: bytes, received_us: int) -> Unhandled | None:
        name = next((name for name, pattern in _REPLIES if pattern.fullmatch(line)), None)
        if name is None and _RUNNING.fullmatch(line):
            name = "running_time"
        if name is None:
            return None
        return self._unhandled(name, {"text": line.decode(CHARSET).strip()[:SHOWN_CHARACTERS]}, received_us)

    def _unhandled(self, name: str, detail: dict[str, int | str], received_us: int) -> Unhandled:
        return Unhandled(device=self.device, received_us=received_us, name=name, detail=detail)


# -- writing, for the simulated box and the session ----------------------------------------------------------


def encode_line(line: TimyLine, *, with_checksum: bool = False) -> bytes:
    """One timing line with its CR, as a TdC or Timy prints it; the time is cut to `decimals`.

    Raises ValueError for a channel, number or time that does not fit its columns.
    """
    hours, minutes, seconds, rest_us = split_time(line.time_us)
    digits = fraction_digits(rest_us, line.decimals)
    time = f"{hours:02d}:{minutes:02d}:{seconds:02d}" + (f".{digits}" if digits else "")
    number = "    " if line.number is None else f"{line.number:04d}"
    channel = line.channel + ("M" if line.manual else " ")
    group = f" {line.group}" if line.group else ""
    text = f"{line.info}{number}{line.course}{channel} {time:<13}{group}".encode("ascii")
    if _TIMING.fullmatch(text) is None:
        raise ValueError(f"{line} cannot be written as a Timy line: see the columns in drivers/protocols/timy_lines.py")
    return text + (checksum(text) if with_checksum else b"") + CR


def encode_number(number: int, *, at_start: bool = False) -> bytes:
    """The line that names the next start number at the finish, or at the start."""
    return b"%s%04d" % (b"s" if at_start else b"n", number) + CR


def encode_text(text: str) -> bytes:
    """A command to the box, or an answer of it, with its CR. Raises ValueError for control characters."""
    data = text.encode(CHARSET)
    if any(byte < 0x20 for byte in data):
        raise ValueError(f"text {text!r} holds a control character: remove it")
    return data + CR
