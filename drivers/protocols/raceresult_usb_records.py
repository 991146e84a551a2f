"""race result USB timing box: its lines to records and back (hardware-protocols §5.2). LF lines, hex numbers.

    host   command[;values] LF
    box    command;error LF   line LF …   LF          error 00 is none; the empty line ends the reply
    box    #P;passing LF                              a pushed passing, between replies (firmware 2.6)
    box    AUTOBOOT LF · rrActive LF                  it was reset: reference and ids begin again

    | command            | lines of the reply                                                              |
    |--------------------|---------------------------------------------------------------------------------|
    | EPOCHREFSET;e      | e;tick: this tick was the second e since 1970 (latched by the DTR pulse)        |
    | EPOCHREFGET        | e;tick                                                                          |
    | EPOCHREFADJ1D      | e;tick, moved on by one day                                                     |
    | TIMESTAMPGET       | tick now                                                                        |
    | PASSINGGET;id      | id;count, then count passings with the ids id, id+1 …                           |
    |   with error 10    | id;lowest: id is not in memory, the lowest kept id is `lowest`                  |
    | PASSINGINFOGET     | count;first id;its tick;last id;its tick                                        |
    | INFOGET;n, CONFGET;n | n;value                                                                       |

    passing  code;wakeups 4;tick 8;hits 2;rssi 2;battery 2;temp 2;loop only 1;loop id 1;channel 1;active 2;internal 1

A tick is 1/256 s in 8 digits, 1/2048 s in 10 digits (firmware 2.6). A passing's id becomes its `sequence` as
id + 1, because a sequence counts from 1.
"""

import re
from dataclasses import astuple, dataclass
from typing import Final

from drivers.protocols.raceresult_lines import ENCODING, Line, LineReader, unhandled
from drivers.records import ClockReading, DeviceStatus, Impulse, Passing, Record

NO_ERROR: Final = "00"
ID_MISMATCH: Final = "10"
MARKER: Final = "_____127"
"""The code of a passing that the trigger input made."""
TRIGGER_CHANNEL: Final = "trigger"
PASSING_FIELDS: Final = 12
STORED: Final = 0x40
"""Bit of the active data: the transponder had stored the passing."""
BOOTED: Final = ("AUTOBOOT", "rrActive")
COMMANDS: Final = (
    "ASCII",
    "CONFSET",
    "CONFGET",
    "INFOGET",
    "SITESURVEY",
    "TIMESTAMPGET",
    "EPOCHREFGET",
    "EPOCHREFSET",
    "EPOCHREFADJ1D",
    "PASSINGGET",
    "PASSINGINFOGET",
    "BEACONGET",
    "PREWARN",
    "RESET",
)
INFO: Final = {"01": "decoder id", "09": "temperature", "0a": "supply voltage", "0b": "loop"}
LOOP_STATES: Final = {"00": "loop OK", "01": "loop FAULT", "02": "loop LIMIT", "03": "loop OVERVOLTAGE"}

# One second is 1,000,000 µs and 2,048 of the finer ticks: 15,625 µs are 32 of them.
TICK_NUMERATOR: Final = 15_625
TICK_DENOMINATOR: Final = 32
COARSE: Final = 8
"""Finer ticks in a tick of 1/256 s."""

_ID = re.compile(r"[0-9a-fA-F]{8}")
_CODE = re.compile(r"[0-9A-Za-z_\-]{1,32}")
_HEX = re.compile(r"[0-9a-fA-F]{1,8}")
_TICK = re.compile(r"[0-9a-fA-F]{8}|[0-9a-fA-F]{10}")


@dataclass(frozen=True)
class Reference:
    """At `tick` (1/2048 s) the second `epoch_s` began. Without one: the box's ticks since power-on."""

    epoch_s: int = 0
    tick: int = 0

    def device_us(self, tick: int) -> int:
        """Device µs of a tick, cut to µs; exact integer arithmetic."""
        return self.epoch_s * 1_000_000 + (tick - self.tick) * TICK_NUMERATOR // TICK_DENOMINATOR


@dataclass(frozen=True)
class UsbPassing:
    """The 12 fields of a passing as they stand on the wire; all numbers hexadecimal."""

    code: str
    wakeup_counter: str
    time: str
    hits: str
    rssi: str
    battery: str
    temperature: str
    loop_only: str
    loop_id: str
    channel: str
    internal_active_data: str
    internal_data: str


@dataclass(frozen=True)
class Ended:
    """A reply that ended: the command, its error, and the values of its first line."""

    command: str
    error: str
    values: tuple[str, ...]
    passings: int = 0


# -- writing ---------------------------------------------------------------------------------------------------


def encode_command(*fields: str) -> bytes:
    """A command or a line of a reply: the fields joined by `;`. No field makes the empty line."""
    return ";".join(fields).encode(ENCODING) + b"\n"


def encode_id(number: int) -> str:
    """A passing id, an epoch or a tick of 1/256 s as 8 hex digits."""
    return f"{number & 0xFFFF_FFFF:08x}"


def encode_reply(command: str, *lines: str, error: str = NO_ERROR) -> bytes:
    """A whole reply with its empty line."""
    return b"".join(encode_command(line) for line in (f"{command};{error}", *lines, ""))


def format_passing(passing: UsbPassing) -> str:
    """A passing as a line of a PASSINGGET reply, without its line end."""
    return ";".join(astuple(passing))


# -- reading ---------------------------------------------------------------------------------------------------


def parse_tick(text: str) -> int:
    """A tick in 1/2048 s from 8 (1/256 s) or 10 (1/2048 s) hex digits. Raises ValueError."""
    if _TICK.fullmatch(text) is None:
        raise ValueError(f"tick {text!r} has not 8 or 10 hexadecimal digits")
    return int(text, 16) * (COARSE if len(text) == 8 else 1)


def read_passing(fields: list[str]) -> UsbPassing:
    """The fields of a passing. Raises ValueError."""
    if len(fields) != PASSING_FIELDS:
        raise ValueError(f"passing has {len(fields)} fields instead of {PASSING_FIELDS}")
    return UsbPassing(*fields)


def _hex(text: str) -> int | None:
    """A number; None when it is empty or something else: these fields only describe the read."""
    return int(text, 16) if _HEX.fullmatch(text) else None


def _id(text: str, what: str) -> int:
    if _ID.fullmatch(text) is None:
        raise ValueError(f"{what} {text!r} has not 8 hexadecimal digits")
    return int(text, 16)


class RaceResultUsbParser:
    """A `base.Parser` for the box's side of the line. `reference` is the last that the box told."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._lines = LineReader()
        self._ended: list[Ended] = []
        self._reply: Ended | None = None
        self._next_id: int | None = None
        self._due = 0
        self.reference = Reference()
        self.box: str | None = None
        """The box's name as its label has it, `A-1234`, from INFOGET;01."""

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes; return what the lines in them say. See `base.Parser`."""
        records: list[Record] = []
        for line in self._lines.feed(data):
            records += self._read(line, received_us)
        return records

    def take_ended(self) -> list[Ended]:
        """The replies that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: an unfinished line is Malformed. See `base.Parser`."""
        line = self._lines.close()
        return [] if line is None else [line.malformed(self._device, received_us, line.problem)]

    def _read(self, line: Line, received_us: int) -> list[Record]:
        if line.problem:
            return [line.malformed(self._device, received_us, line.problem)]
        try:
            if not line.text:
                return self._end(received_us)
            record = self._interpret(line.text, received_us)
        except ValueError as error:
            return [line.malformed(self._device, received_us, str(error))]
        return [] if record is None else [record]

    def _end(self, received_us: int) -> list[Record]:
        reply, self._reply = self._reply, None
        missing, self._due = self._due, 0
        if reply is not None:
            self._ended.append(reply)
        if missing:
            raise ValueError(f"reply to PASSINGGET ended with {missing} passings too few")
        return []

    def _interpret(self, text: str, received_us: int) -> Record | None:
        fields = text.split(";")
        if fields[0] == "#P":
            return self._passing(read_passing(fields[1:]), received_us, None)
        if text in BOOTED:
            self._reply, self._next_id, self._due, self.reference = None, None, 0, Reference()
            self._ended.append(Ended("AUTOBOOT", NO_ERROR, ()))
            return unhandled(self._device, received_us, "numbering_restarted", reason=f"the box was reset ({text})")
        if fields[0] in COMMANDS and len(fields) == 2 and re.fullmatch(r"[0-9a-fA-F]{2}", fields[1]):
            self._reply, self._next_id, self._due = Ended(fields[0], fields[1].lower(), ()), None, 0
            if fields[1] in (NO_ERROR, ID_MISMATCH):
                return None
            return unhandled(self._device, received_us, "refused", command=fields[0], error=fields[1])
        if self._reply is None:
            raise ValueError("line belongs to no reply")
        return self._line_of_reply(self._reply, fields, received_us)

    def _line_of_reply(self, reply: Ended, fields: list[str], received_us: int) -> Record | None:
        command, first = reply.command, not reply.values
        if command == "PASSINGGET" and reply.error == NO_ERROR and not first:
            return self._fetched(reply, fields, received_us)
        record = self._value(command, reply.error, fields, received_us) if first else None
        if first:
            self._reply = Ended(command, reply.error, tuple(fields))
        elif command not in ("SITESURVEY", "BEACONGET"):
            raise ValueError(f"reply to {command} has a line too many")
        if record is None and not (command == "PASSINGGET" and reply.error == NO_ERROR):
            return unhandled(self._device, received_us, command.lower(), value=";".join(fields))
        return record

    def _value(self, command: str, error: str, fields: list[str], received_us: int) -> Record | None:
        """The first line of a reply. Raises ValueError."""
        if command == "PASSINGGET":
            if len(fields) != 2:
                raise ValueError("PASSINGGET is not followed by an id and a count")
            first = _id(fields[0], "passing id")
            if error == NO_ERROR:
                if re.fullmatch(r"[0-9a-fA-F]{2}", fields[1]) is None:
                    raise ValueError(f"number of passings {fields[1]!r} has not 2 hexadecimal digits")
                self._next_id, self._due = first, int(fields[1], 16)
            else:
                _id(fields[1], "lowest id")
        elif command.startswith("EPOCHREF"):
            if len(fields) != 2:
                raise ValueError(f"{command} is not followed by a second and a tick")
            self.reference = Reference(_id(fields[0], "second"), parse_tick(fields[1]))
        elif command == "TIMESTAMPGET":
            if len(fields) != 1:
                raise ValueError("TIMESTAMPGET is not followed by a tick")
            device_us = self.reference.device_us(parse_tick(fields[0]))
            return ClockReading(device=self._device, received_us=received_us, device_us=device_us)
        elif command == "INFOGET" and len(fields) == 2:
            return self._info(fields[0].lower(), fields[1].lower(), received_us)
        return None

    def _info(self, number: str, value: str, received_us: int) -> Record | None:
        reading = _hex(value)
        if reading is None:
            raise ValueError(f"information {number} {value!r} is no hexadecimal number")
        if number == "01":
            self.box = f"A-{reading}"
        if number == "09":
            return DeviceStatus(device=self._device, received_us=received_us, temperature=reading)
        if number == "0a":
            return DeviceStatus(device=self._device, received_us=received_us, supply_mv=reading * 100)
        if number == "0b":
            text = LOOP_STATES.get(value, f"loop state {value} unknown")
            return DeviceStatus(device=self._device, received_us=received_us, text=text)
        return None

    def _fetched(self, reply: Ended, fields: list[str], received_us: int) -> Record:
        """A passing of a PASSINGGET reply. Its id counts even when the passing cannot be read."""
        if self._next_id is None or self._due == 0:
            raise ValueError("reply to PASSINGGET has more passings than it said")
        number = self._next_id
        self._next_id += 1
        self._due -= 1
        record = self._passing(read_passing(fields), received_us, number)
        self._reply = Ended(reply.command, reply.error, reply.values, reply.passings + 1)
        return record

    def _passing(self, line: UsbPassing, received_us: int, number: int | None) -> Passing | Impulse:
        if _CODE.fullmatch(line.code) is None:
            raise ValueError(f"transponder code {line.code!r} is no word of letters and digits")
        device_us = self.reference.device_us(parse_tick(line.time))
        flags = _hex(line.internal_active_data)
        stored = bool((flags or 0) & STORED)
        sequence = None if number is None else number + 1
        if line.code == MARKER:
            return Impulse(
                device=self._device,
                received_us=received_us,
                device_us=device_us,
                channel=TRIGGER_CHANNEL,
                sequence=sequence,
                backlog=stored,
            )
        loop = _hex(line.loop_id)
        return Passing(
            device=self._device,
            received_us=received_us,
            device_us=device_us,
            transponder=line.code,
            channel=None if loop is None else str(loop + 1),
            sequence=sequence,
            strength=_hex(line.rssi),
            hits=_hex(line.hits),
            decoder=self.box,
            battery=_hex(line.battery),
            flags=flags,
            backlog=stored,
        )
