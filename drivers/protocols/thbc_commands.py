"""THbC (Chronelec Cv3) commands: what the host sends to a Protime or Elite decoder (hardware-protocols §2).

ESC is 1b. CRC is CRC-16/MCRF4XX over the bytes between ESC and CRC, high byte first.

    bytes                       effect                                  reply
    1b 05                       status                                  [hh:mm'ss" NS NB LS LB]
    1b 07                       start                                   DEPART_…, or nothing if running
    1b 10                       get configuration                       +++…
    1b 11                       ACK passing                             the next passing, if any
    1b 12                       repeat                                  first passing without ACK, else the last one
    1b 13 5c                    stop                                    STOP_…
    1b 1e dd, 1b 1f dd          level of STA, BOX: two ASCII digits     none
    1b 48 h m s 74              set time, raw bytes                     none
    1b 49 B                     status of remote box '1' to '7'         not known
    1b 4e 2b                    raise all levels by 10                  not known
    1b 0a 0a D M Y CRC 3e       set date, raw bytes, Y from 2000        none
    1b 08 08 CONFIG CRC 3e      set configuration, 27 bytes             none
    1b 09 09 IP CRC 3e          set network, 16 bytes; stop first       binary

No whole command with a CRC was ever published as captured: the CRC and the layout come from two independent
programs and one description; the date, network and level examples of §2 are in the tests.
"""

from collections.abc import Mapping
from datetime import date
from enum import Enum
from ipaddress import AddressValueError, IPv4Address
from typing import Final

import msgspec
from fastcrc import crc16

from drivers.protocols.thbc_wire import BOX, CONFIG_BYTES, NETWORK_BYTES, STA

ESC: Final = b"\x1b"
_END: Final = b"\x3e"
_LEVELS: Final = {STA: b"\x1e", BOX: b"\x1f"}


class CommandError(ValueError):
    """A value that the command cannot carry; the text says which, and what is allowed."""


class Code(Enum):
    """The commands by the byte after ESC; the value is that byte and how many bytes follow it."""

    STATUS = (0x05, 0)
    START = (0x07, 0)
    SET_CONFIG = (0x08, 1 + CONFIG_BYTES + 3)
    SET_NETWORK = (0x09, 1 + NETWORK_BYTES + 3)
    SET_DATE = (0x0A, 1 + 3 + 3)
    GET_CONFIG = (0x10, 0)
    ACK = (0x11, 0)
    REPEAT = (0x12, 0)
    STOP = (0x13, 1)
    LEVEL_STA = (0x1E, 2)
    LEVEL_BOX = (0x1F, 2)
    SET_TIME = (0x48, 4)
    REMOTE_STATUS = (0x49, 1)
    RAISE_LEVELS = (0x4E, 1)


_CODES: Final[Mapping[int, Code]] = {code.value[0]: code for code in Code}
_WITH_CRC: Final = (Code.SET_CONFIG, Code.SET_NETWORK, Code.SET_DATE)
_FIXED_TAIL: Final = {Code.STOP: b"\x5c", Code.SET_TIME: b"\x74", Code.RAISE_LEVELS: b"\x2b"}

CONFIG_FIELDS: Final[Mapping[str, tuple[int, int]]] = {
    "time_of_day": (0, 1),
    "gps_sync": (1, 1),
    "zone_hours": (2, 1),
    "zone_minutes": (3, 1),
    "rs485_remote": (4, 1),
    "fibre_remote": (5, 1),
    "print": (6, 1),
    "detect_max": (7, 1),
    "protocol": (8, 1),
    "sync_out": (9, 1),
    "interval_minutes": (10, 1),
    "cell_starts_clock": (11, 1),
    "cell_hours": (12, 1),
    "cell_minutes": (13, 1),
    "active_loop": (14, 1),
    "tone_sta": (15, 2),
    "tone_box": (17, 2),
    "tone_man": (19, 2),
    "tone_cell": (21, 2),
    "tone_bxx": (23, 2),
    "level_sta": (25, 1),
    "level_box": (26, 1),
}
"""Where the 27 CONFIG bytes hold what: first byte and size. Numbers stand as decimal read as hex (30 is 0x30)."""


def crc(body: bytes) -> bytes:
    """CRC-16/MCRF4XX of the bytes after ESC, as the command carries it: high byte first."""
    return crc16.mcrf4xx(body).to_bytes(2, "big")


def _with_crc(body: bytes) -> bytes:
    return ESC + body + crc(body) + _END


def encode_ask_status() -> bytes:
    """Ask for a status line."""
    return ESC + b"\x05"


def encode_start() -> bytes:
    """Start the unit's clock."""
    return ESC + b"\x07"


def encode_stop() -> bytes:
    """Stop the unit: it times nothing until it is started."""
    return ESC + b"\x13\x5c"


def encode_get_config() -> bytes:
    """Ask for the configuration."""
    return ESC + b"\x10"


def encode_ack() -> bytes:
    """Acknowledge the passing that the unit holds: it forgets it and sends the next. Only when it is on disk."""
    return ESC + b"\x11"


def encode_repeat() -> bytes:
    """Ask for the first passing without ACK, or else for the last one that had it."""
    return ESC + b"\x12"


def encode_set_time(hour: int, minute: int, second: int) -> bytes:
    """Set the unit's clock as the command arrives (±20 ms over a network). Raises CommandError."""
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        raise CommandError(f"time {hour}:{minute}:{second} does not exist")
    return ESC + bytes((0x48, hour, minute, second, 0x74))


def encode_set_date(day: date) -> bytes:
    """Set the unit's date. Raises CommandError for a year that one byte from 2000 on cannot say."""
    if not 2000 <= day.year <= 2255:
        raise CommandError(f"year {day.year} does not fit: it must be 2000 to 2255")
    return _with_crc(bytes((0x0A, 0x0A, day.day, day.month, day.year - 2000)))


def encode_set_config(config: bytes) -> bytes:
    """Write the 27 CONFIG bytes (see `with_setting`). Raises CommandError for another size."""
    if len(config) != CONFIG_BYTES:
        raise CommandError(f"CONFIG has {len(config)} bytes: it must be {CONFIG_BYTES}, as the unit told them")
    return _with_crc(b"\x08\x08" + config)


def encode_set_network(address: str, mask: str, gateway: str, host: str) -> bytes:
    """Set the unit's IPv4 address, mask, gateway and the host that it reports to; stop the unit first.

    Raises CommandError naming what is no IPv4 address.
    """
    try:
        packed = b"".join(IPv4Address(text).packed for text in (address, mask, gateway, host))
    except AddressValueError as error:
        raise CommandError(f"{error}: give four IPv4 addresses such as 192.0.2.11") from error
    return _with_crc(b"\x09\x09" + packed)


def encode_level(channel: str, level: int) -> bytes:
    """Set the detection level of STA or BOX, 0 to 99. Raises CommandError."""
    if channel not in _LEVELS or not 0 <= level <= 99:
        raise CommandError(f"level {level} of {channel!r} cannot be set: give STA or BOX and 0 to 99")
    return ESC + _LEVELS[channel] + b"%02d" % level


def encode_remote_status(box: int) -> bytes:
    """Ask for the status of remote box 1 to 7; its reply is not documented. Raises CommandError."""
    if not 1 <= box <= 7:
        raise CommandError(f"remote box {box} does not exist: it must be 1 to 7")
    return ESC + b"\x49%d" % box


def encode_raise_levels() -> bytes:
    """Raise all levels by 10."""
    return ESC + b"\x4e\x2b"


def read_setting(config: bytes, name: str) -> int | str:
    """One setting of the CONFIG bytes as a number; as hex text where its digits are no decimal ones.

    Raises CommandError for a name that `CONFIG_FIELDS` does not have.
    """
    text = config[_place(name)].hex()
    return int(text) if text.isdecimal() else text


def with_setting(config: bytes, name: str, value: int) -> bytes:
    """CONFIG with one setting changed. Raises CommandError for an unknown name or a value that does not fit."""
    place = _place(name)
    digits = 2 * (place.stop - place.start)
    if not 0 <= value < 10**digits:
        raise CommandError(f"{name} {value} does not fit: it must be 0 to {10**digits - 1}")
    return config[: place.start] + bytes.fromhex(f"{value:0{digits}d}") + config[place.stop :]


def _place(name: str) -> slice:
    if name not in CONFIG_FIELDS:
        raise CommandError(f"setting {name!r} does not exist: known are {', '.join(CONFIG_FIELDS)}")
    first, size = CONFIG_FIELDS[name]
    return slice(first, first + size)


class Command(msgspec.Struct, frozen=True):
    """A command off the wire: what it is, and what it carries without CRC and end."""

    code: Code
    body: bytes = b""


class CommandReader:
    """The unit's side: cuts what hosts send into commands. What is none, or has a wrong CRC, is None."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Command | None]:
        """Take the next bytes, in any split; return the commands that they complete. Never raises."""
        self._buffer += data
        found: list[Command | None] = []
        while self._buffer:
            if not self._buffer.startswith(ESC):
                _junk, escape, rest = self._buffer.partition(ESC)
                self._buffer = escape + rest
                found.append(None)
                continue
            if len(self._buffer) < 2:
                break
            code = _CODES.get(self._buffer[1])
            if code is None:
                self._buffer = self._buffer[2:]
                found.append(None)
                continue
            end = 2 + code.value[1]
            if len(self._buffer) < end:
                break
            found.append(_read(code, self._buffer[1:end]))
            self._buffer = self._buffer[end:]
        return found


def _read(code: Code, body: bytes) -> Command | None:
    if code in _WITH_CRC:
        whole = body[-3:] == crc(body[:-3]) + _END and body[0] == body[1]
        return Command(code, body[2:-3]) if whole else None
    tail = _FIXED_TAIL.get(code, b"")
    return Command(code, body[1 : len(body) - len(tail)]) if body.endswith(tail) else None
