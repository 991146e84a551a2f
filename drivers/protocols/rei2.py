"""Microgate REI2 / Racetime, extended protocol: lines of 50 characters (hardware-protocols §8).

    column  0      DLE 0x10       DC2 0x12 and DC4 0x14 lead other kinds of records
            1      `R`
            2-3    blank
            4      program        e.g. S
            5      online flag    O
            6-11   record counter
            12-16  bib
            17-19  group
            20-22  run
            23-25  physical channel
            26-28  logical channel, 000 start, 255 stop
            29     kind           0 time of day, 1 run time, 2 total time, A, Q, P, a: marked times
            30-39  hhmmssffff     1/10000 s; computed times are cut to 1/100
            40-47  ddmmyyyy       of computed times: signed number of days, +0000000 or -0000001
            48-49  blank

Lines end with CR LF; CR and LF alone are taken too. There is no checksum.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from config.models import Device
from drivers.protocols.base import ProtocolEntry, Reaction, Resume
from drivers.protocols.listen import ListenSession
from drivers.protocols.text_lines import (
    LineError,
    LineParser,
    fraction_digits,
    read_time_of_day,
    split_time,
)
from drivers.records import Impulse, Record, SequenceGap, Unhandled

CR_LF: Final = b"\r\n"
DLE: Final = "\x10"
LINE_LENGTH: Final = 50
DECIMALS: Final = 4
COUNTERS: Final = 1_000_000
RECORDS_ON_A_LINE: Final = 1_000
"""A larger step of the counter is another box or a damaged digit, and no gap to look for."""

TIME_OF_DAY: Final = "0"
KIND_NAMES: Final[Mapping[str, str]] = {
    "1": "run_time",
    "2": "total_time",
    "A": "marked_A",
    "Q": "marked_Q",
    "P": "marked_P",
    "a": "marked_a",
}
OTHER_LEADS: Final[Mapping[str, str]] = {"\x12": "record_DC2", "\x14": "record_DC4"}

_LINE = re.compile(
    r"\x10R  (?P<program>[!-~])(?P<online>[ -~])(?P<counter>[0-9]{6})(?P<bib>[0-9]{5})(?P<group>[0-9]{3})"
    r"(?P<run>[0-9]{3})(?P<physical>[0-9]{3})(?P<logical>[0-9]{3})(?P<kind>[012AQPa])"
    r"(?P<hours>[0-9]{2})(?P<minutes>[0-9]{2})(?P<seconds>[0-9]{2})(?P<fraction>[0-9]{4})"
    r"(?P<date>[0-9]{8}|[+\-][0-9]{7})  "
)
_OTHER = re.compile(r"[\x12\x14][ -~]*")


class Rei2Line(msgspec.Struct, frozen=True, kw_only=True):
    """One record. `time_us` counts from midnight; `date` is ddmmyyyy, or signed days of a computed time."""

    counter: int
    bib: int
    time_us: int
    date: str
    logical: int
    physical: int = 0
    kind: str = TIME_OF_DAY
    group: int = 0
    run: int = 1
    program: str = "S"
    online: str = "O"


def read_line(line: bytes) -> Rei2Line:
    """A record without its line end. Raises LineError."""
    if len(line) != LINE_LENGTH:
        raise LineError(f"line has {len(line)} characters instead of {LINE_LENGTH}")
    match = _LINE.fullmatch(line.decode("latin-1"))
    if match is None:
        raise LineError("line is not of the form DLE R program counter bib group run channels kind time date")
    date = match["date"]
    if match["kind"] == TIME_OF_DAY and not _is_date(date):
        raise LineError(f"date {date} of a time of day is no ddmmyyyy")
    return Rei2Line(
        counter=int(match["counter"]),
        bib=int(match["bib"]),
        time_us=read_time_of_day(match["hours"], match["minutes"], match["seconds"], match["fraction"]),
        date=date,
        logical=int(match["logical"]),
        physical=int(match["physical"]),
        kind=match["kind"],
        group=int(match["group"]),
        run=int(match["run"]),
        program=match["program"],
        online=match["online"],
    )


def _is_date(text: str) -> bool:
    return text.isdigit() and 1 <= int(text[:2]) <= 31 and 1 <= int(text[2:4]) <= 12


class Rei2Parser(LineParser):
    """A `base.Parser` for the lines above. The channel of an Impulse is the logical one: `000`, `255`, …"""

    def read(self, line: bytes, received_us: int) -> Record:
        """One line. Raises LineError. See `text_lines.LineParser`."""
        text = line.decode("latin-1")
        if _OTHER.fullmatch(text):
            shown: dict[str, int | str] = {"text": text[1:].strip()}
            return Unhandled(device=self.device, received_us=received_us, name=OTHER_LEADS[text[0]], detail=shown)
        told = read_line(line)
        if told.kind == TIME_OF_DAY:
            return Impulse(
                device=self.device,
                received_us=received_us,
                device_us=told.time_us,
                channel=f"{told.logical:03d}",
                sequence=told.counter,
                bib=str(told.bib) if told.bib else None,
            )
        detail: dict[str, int | str] = {
            "counter": told.counter,
            "bib": told.bib,
            "run": told.run,
            "channel": f"{told.logical:03d}",
            "time_us": told.time_us,
            "date": told.date,
        }
        return Unhandled(device=self.device, received_us=received_us, name=KIND_NAMES[told.kind], detail=detail)


class Rei2Session(ListenSession):
    """Listens and follows the record counter, over reconnections too: what is missing is a SequenceGap.

    The box is not asked for it: no question of this protocol is known.
    """

    def __init__(self, device: str, resume: Resume) -> None:
        """`device` is the device id that the records carry. After a restart the counter goes on from the disk's."""
        super().__init__(device, Rei2Parser)
        self._last = resume.impulses[-1].sequence if resume.impulses else None

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Lines to records, each with the gap before it."""
        records: list[Record] = []
        for record in super().receive(data, now_us).records:
            records += self._follow(record, now_us)
            records.append(record)
        return Reaction(tuple(records))

    def _follow(self, record: Record, now_us: int) -> Sequence[Record]:
        counter = _counter_of(record)
        if counter is None:
            return ()
        last, self._last = self._last, counter
        if last is None or (counter - last) % COUNTERS == 1:
            return ()
        missing = counter - last - 1
        if 0 < missing <= RECORDS_ON_A_LINE:
            return (SequenceGap(device=self._device, received_us=now_us, first=last + 1, last=counter - 1),)
        detail: dict[str, int | str] = {"from": last, "to": counter}
        return (Unhandled(device=self._device, received_us=now_us, name="numbering_restarted", detail=detail),)


def _counter_of(record: Record) -> int | None:
    if isinstance(record, Impulse):
        return record.sequence
    counter = record.detail.get("counter") if isinstance(record, Unhandled) else None
    return counter if isinstance(counter, int) else None


def encode_line(line: Rei2Line) -> bytes:
    """One record with its line end. Raises ValueError for what does not fit its columns."""
    hours, minutes, seconds, rest_us = split_time(line.time_us)
    text = (
        f"{DLE}R  {line.program}{line.online}{line.counter:06d}{line.bib:05d}{line.group:03d}{line.run:03d}"
        f"{line.physical:03d}{line.logical:03d}{line.kind}{hours:02d}{minutes:02d}{seconds:02d}"
        f"{fraction_digits(rest_us, DECIMALS)}{line.date}  "
    )
    data = text.encode("latin-1")
    try:
        read_line(data)
    except LineError as error:
        raise ValueError(f"{line} cannot be written as a REI2 record: {error}") from error
    return data + CR_LF


def _session(device: Device, resume: Resume) -> Rei2Session:
    return Rei2Session(device.id, resume)


PROTOCOL: Final = ProtocolEntry(
    name="rei2",
    summary="Microgate REI2 / Racetime, extended protocol: impulses, serial line 9600 8N1",
    parser=Rei2Parser,
    session=_session,
)
