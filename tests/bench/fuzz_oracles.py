"""What may come out of a damaged stream: an own reading of its bytes, for each protocol with a checksum.

An oracle looks for everything in the bytes that has the outer form of a message and a right checksum, computed here
once more from its definition, and says which passings, impulses, statuses and sheets those may be. A record that is
not among them passed a bad checksum on. An oracle may allow more than a parser returns (a message inside an
overlong line, a sheet whose first line is unreadable), never less: plain sums allow swapped characters, so the
checksum is the measure and not the message that was sent.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from drivers.records import DeviceStatus, Impulse, Passing, PhotoFinish, Record

Key: TypeAlias = tuple[object, ...]
"""What a record and its bytes must have in common."""


class Oracle(NamedTuple):
    """`allowed` reads a stream; `key` is a record's place in that reading, None for records without a checksum."""

    allowed: Callable[[bytes], Counter[Key]]
    key: Callable[[Record], Key | None]


def _crc_table() -> list[int]:
    table = []
    for high in range(256):
        register = high << 8
        for _ in range(8):
            register = (register << 1 ^ 0x1021 if register & 0x8000 else register << 1) & 0xFFFF
        table.append(register)
    return table


_TABLE = _crc_table()


def crc(data: bytes) -> int:
    """hardware-protocols §1 word by word: T[crc>>8] ^ (crc<<8) ^ byte, from FFFF."""
    register = 0xFFFF
    for byte in data:
        register = _TABLE[register >> 8] ^ (register << 8 & 0xFFFF) ^ byte
    return register


def _time_us(text: str) -> int | None:
    """`[[h:]m:]s[.ffffff]` with blanks for zeros to µs; None for anything else."""
    whole, _, fraction = text.partition(".")
    try:
        seconds = 0
        for part in whole.split(":"):
            seconds = seconds * 60 + int(part)
        return seconds * 1_000_000 + int(fraction.ljust(6, "0"))
    except ValueError:
        return None


# -- P3 ----------------------------------------------------------------------------------------------------------

_P3_FRAME = re.compile(rb"\x8e([^\x8e\x8f]*)\x8f")
_P3_PASSING = 1
_P3_STATUS = 2


def p3_frames(data: bytes) -> Counter[Key]:
    """("passing", number) of each passing and ("status",) of each status whose CRC, with bytes 4-5 zeroed, is right."""
    allowed: Counter[Key] = Counter()
    for found in _P3_FRAME.finditer(data):
        plain = bytearray(b"\x8e")
        escaped = False
        for byte in found[1]:
            if byte == 0x8D and not escaped:
                escaped = True
                continue
            plain.append((byte - 0x20) & 0xFF if escaped else byte)
            escaped = False
        plain.append(0x8F)
        if len(plain) < 11 or crc(bytes(plain[:4] + b"\0\0" + plain[6:])) != plain[4] | plain[5] << 8:
            continue
        kind, position = plain[8] | plain[9] << 8, 10
        if kind == _P3_STATUS:
            allowed["status",] += 1
        while kind == _P3_PASSING and position + 2 < len(plain):
            if plain[position] == 1:
                number = int.from_bytes(plain[position + 2 : position + 2 + plain[position + 1]], "little")
                allowed["passing", number] += 1
            position += 2 + plain[position + 1]
    return allowed


def _p3_key(record: Record) -> Key | None:
    if isinstance(record, Passing | Impulse):
        return ("passing", record.sequence)
    return ("status",) if isinstance(record, DeviceStatus) else None


# -- P98 ---------------------------------------------------------------------------------------------------------

_P98_LINE = re.compile(rb"([@#]\t[^\x01\r\n]*\t)x([0-9A-Fa-f]{4})")


def p98_lines(data: bytes) -> Counter[Key]:
    """(kind, decoder, number) of each line whose CRC over the text to its last TAB is right."""
    allowed: Counter[Key] = Counter()
    for line in re.split(rb"[\x01\r\n]", data):
        match = _P98_LINE.fullmatch(line)
        if match is not None and crc(match[1]) == int(match[2], 16):
            kind, *fields = match[1].decode("latin-1").split("\t")
            decoder, number = (*fields, "", "")[:2]
            allowed[kind, decoder, int(number) if number.isdigit() else -1] += 1
    return allowed


def _p98_key(record: Record) -> Key | None:
    if isinstance(record, Passing):
        return ("@", record.decoder, record.sequence)
    return ("#", record.decoder, record.sequence) if isinstance(record, DeviceStatus) else None


# -- THbC --------------------------------------------------------------------------------------------------------

_THBC_LINE = re.compile(rb"(?=<([^\r\n<]{36})>)", re.DOTALL)


def thbc_lines(data: bytes) -> Counter[Key]:
    """(time in µs, refid) of each passing whose 32 characters after `<` add up to the decimal number behind them."""
    allowed: Counter[Key] = Counter()
    for found in _THBC_LINE.finditer(data):
        text = found[1]
        if text[32:].isdigit() and sum(text[:32]) == int(text[32:]):
            clock = text[11:23].decode("latin-1").replace("'", ":").replace('"', ".")
            refid = text[4:10].decode("latin-1")
            allowed[_time_us(clock), int(refid) if refid.isdecimal() else -1] += 1
    return allowed


def _thbc_key(record: Record) -> Key | None:
    if isinstance(record, Passing):
        return (record.device_us, int(record.transponder))
    if isinstance(record, Impulse):
        return (record.device_us, 0 if record.manual else 255)
    return None


# -- THCOM08 -----------------------------------------------------------------------------------------------------


def thcom08_frames(data: bytes) -> Counter[Key]:
    """(number, time in µs) of each time whose characters add up to the four hex digits after the TAB."""
    allowed: Counter[Key] = Counter()
    for line in re.split(rb"[\r\n]", data):
        text, _, stated = line.rpartition(b"\t")
        if re.fullmatch(rb"[0-9A-F]{4}", stated) and sum(text) & 0xFFFF == int(stated, 16) and text[:1] in b"TA":
            shown = text.decode("latin-1")
            number = shown[8:12].strip()
            clock = shown[16:].strip().split(" ")[0]
            allowed[int(number) if number.isdecimal() else -1, _time_us(clock)] += 1
    return allowed


def _impulse_key(record: Record) -> Key | None:
    return (record.sequence, record.device_us) if isinstance(record, Impulse) else None


# -- Timy --------------------------------------------------------------------------------------------------------

_TIMY_SUM = re.compile(rb"[0-?]{2}")
_TIMY_LENGTHS: Final = (23, 26, 30)
"""Of a line without a sum: to the time, to the group, to the rank."""


def timy_lines(data: bytes) -> Counter[Key]:
    """(None, time in µs) of each line that states a right sum or is too short to state one (CHK1 may be off)."""
    allowed: Counter[Key] = Counter()
    for line in re.split(rb"[\r\n]", data):
        text = line
        if len(line) not in _TIMY_LENGTHS:
            text, stated = line[:-2], line[-2:]
            total = sum(text) & 0xFF
            if len(text) not in _TIMY_LENGTHS or stated != bytes((0x30 | total >> 4, 0x30 | total & 15)):
                continue
        clock = text[10:23].decode("latin-1").rstrip()
        if len(clock) > 8:
            clock = clock[:8] + "." + clock[9:]
        allowed[None, _time_us(clock)] += 1
    return allowed


# -- FinishLynx, live --------------------------------------------------------------------------------------------

_LYNX_LINE = re.compile(rb"(?=\x01([0-9]{5})([A-Z]{2})\x02((?:[^\x00-\x1f]*\x1f)*)\x03([0-9]{6})\x04)")
_LYNX_FIELDS: Final = {b"TG": 1, b"RH": 8, b"RR": 8, b"RT": 4}


def _lynx_sums(raw: bytes) -> bytes:
    """The running sum after the head, each field and ETX; it and the sum of those, modulo 256, three digits each."""
    running = total = 0
    for byte in raw:
        running += byte
        if byte in b"\x02\x1f\x03":
            total += running
    return b"%03d%03d" % (running & 0xFF, total & 0xFF)


def _texts(raw: bytes) -> list[str]:
    for encoding in ("utf-8", "cp1252"):
        try:
            return [field.strip() for field in raw.decode(encoding).split("\x1f")[:-1]]
        except UnicodeDecodeError:
            continue
    return []


def lynx_lines(data: bytes) -> Counter[Key]:
    """("sheet", its riders' (bib, time in µs)) of each run of right RH, RR … RT lines, ("gun", µs) of each gun.

    A line that is not of the form (another number of fields, no text) neither ends nor begins a sheet.
    """
    allowed: Counter[Key] = Counter()
    riders: list[Key] | None = None
    for found in _LYNX_LINE.finditer(data):
        number, code, body, stated = found.groups()
        if _lynx_sums(b"\x01" + number + code + b"\x02" + body + b"\x03") != stated:
            continue
        fields = _texts(body)
        if len(fields) != _LYNX_FIELDS.get(code):
            continue
        if code == b"TG":
            allowed["gun", _time_us(fields[0])] += 1
        elif code == b"RH":
            riders = []
        elif code == b"RR" and riders is not None:
            riders.append((fields[3] or None, _time_us(fields[6]) if fields[6] else None))
        elif code == b"RT" and riders is not None:
            allowed["sheet", tuple(riders)] += 1
            riders = None
    return allowed


def _lynx_key(record: Record) -> Key | None:
    if isinstance(record, PhotoFinish):
        return ("sheet", tuple((line.bib, line.time_us) for line in record.lines))
    return ("gun", record.device_us) if isinstance(record, Impulse) else None


ORACLES: Final[Mapping[str, Oracle]] = {
    "p3": Oracle(p3_frames, _p3_key),
    "p98": Oracle(p98_lines, _p98_key),
    "lynx": Oracle(lynx_lines, _lynx_key),
    "thbc": Oracle(thbc_lines, _thbc_key),
    "thcom08": Oracle(thcom08_frames, _impulse_key),
    "timy": Oracle(timy_lines, _impulse_key),
}
"""The protocols that have a checksum; the others can only be held to raise nothing and return records."""
