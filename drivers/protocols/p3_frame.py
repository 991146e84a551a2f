"""P3 framing: where a frame begins and ends, its escapes, LENGTH and checksum (hardware-protocols §1).

All integers little-endian:

    offset  size  field
    0       1     start of record 0x8E, never escaped
    1       1     version, 2 from every decoder seen, 0 or 1 in some requests
    2       2     LENGTH of the unescaped frame with start and end; requests with 0 are in the wild
    4       2     checksum, see `checksum`
    6       2     flags
    8       2     type of record
    10      n     fields: tag u8, length u8, value
    last    1     end of record 0x8F, never escaped

Between start and end the bytes 8D, 8E and 8F travel as 8D and byte + 0x20, in LENGTH and checksum too.
So a raw 8E always begins a frame, and that is how a reader finds its way back after damage.
"""

import re
from binascii import crc_hqx
from struct import Struct as Layout
from typing import Final, TypeAlias

import msgspec

START_OF_RECORD: Final = b"\x8e"
END_OF_RECORD: Final = b"\x8f"
ESCAPE: Final = b"\x8d"
ESCAPE_SHIFT: Final = 0x20
VERSION: Final = 2

_HEADER: Final = Layout("<xBHHHH")
_SHORTEST_BYTES: Final = _HEADER.size + len(END_OF_RECORD)
# The longest frame seen has 61 bytes, but LENGTH could say 65535: a lost end of record would hold up
# everything behind it. 4 KiB leaves room for any settings record.
LONGEST_WIRE_BYTES: Final = 4_096
LONGEST_JUNK_BYTES: Final = 1_024
# Decoders escape 8D to 8F. One public description escapes 8A to 8F, so a foreign box may: the checksum
# decides.
_ESCAPED: Final = re.compile(rb"\x8d([\xaa-\xaf])")
_TO_ESCAPE: Final = re.compile(rb"[\x8d-\x8f]")
# The decoder's register starts at FFFF *before* two zero bytes are shifted in; this is its value after them.
_CRC_START: Final = 0x1D0F

Fields: TypeAlias = tuple[tuple[int, bytes], ...]


class FrameError(ValueError):
    """Bytes that are no P3 frame, or a frame that cannot be put on the wire; the text says why."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One P3 record off the wire: (tag, value) fields in wire order, values as sent (little-endian)."""

    type_of_record: int
    fields: Fields = ()
    version: int = VERSION
    flags: int = 0


class ReceivedFrame(msgspec.Struct, frozen=True):
    """A valid frame, the byte offset in the stream where it began, and its bytes on the wire."""

    offset: int
    raw: bytes
    frame: Frame


class FramingError(msgspec.Struct, frozen=True):
    """Bytes that belong to no valid frame: the byte offset in the stream where they began, and why."""

    offset: int
    raw: bytes
    reason: str


def checksum(unescaped: bytes) -> int:
    """CRC-16 of a whole unescaped frame, its checksum bytes taken as zero. Source: hardware-protocols §1.

    Polynomial 0x1021 over a register that the message itself is shifted into. That equals the common form
    (`crc_hqx`) over all but the last two bytes, which are only XORed in.
    """
    middle = unescaped[:4] + b"\0\0" + unescaped[6:-2]
    return crc_hqx(middle, _CRC_START) ^ (unescaped[-2] << 8 | unescaped[-1])


def encode_frame(frame: Frame) -> bytes:
    """Put a frame on the wire: fields, LENGTH, checksum, escapes.

    Raises:
        FrameError: a number or value does not fit its place in the frame, or the frame is too long.
    """
    body = bytearray()
    for tag, value in frame.fields:
        if not 0 <= tag <= 0xFF or len(value) > 0xFF:
            raise FrameError(f"field {tag} with {len(value)} bytes: tag and length must be 0 to 255")
        body += bytes((tag, len(value))) + value
    length = _SHORTEST_BYTES + len(body)
    for name, number, largest in (
        ("version", frame.version, 0xFF),
        ("length", length, 0xFFFF),
        ("flags", frame.flags, 0xFFFF),
        ("type of record", frame.type_of_record, 0xFFFF),
    ):
        if not 0 <= number <= largest:
            raise FrameError(f"{name} {number} does not fit: it must be 0 to {largest}")
    header = bytearray(_HEADER.pack(frame.version, length, 0, frame.flags, frame.type_of_record))
    header[0:1] = START_OF_RECORD
    plain = bytes(header + body) + END_OF_RECORD
    header[4:6] = checksum(plain).to_bytes(2, "little")
    inner = _TO_ESCAPE.sub(lambda found: bytes((ESCAPE[0], found[0][0] + ESCAPE_SHIFT)), header[1:] + body)
    wire = START_OF_RECORD + inner + END_OF_RECORD
    if len(wire) > LONGEST_WIRE_BYTES:
        raise FrameError(f"frame of {len(wire)} bytes: {LONGEST_WIRE_BYTES} is the most; send fewer fields")
    return wire


def decode_frame(wire: bytes) -> Frame:
    """Read one frame, from its start of record to its end of record.

    Raises:
        FrameError: an escape, LENGTH, the checksum or a field is wrong.
    """
    plain = wire if ESCAPE not in wire else _unescape(wire)
    size = len(plain)
    if size < _SHORTEST_BYTES:
        raise FrameError(f"frame of {size} bytes: its header alone needs {_SHORTEST_BYTES}")
    version, length, stated, flags, type_of_record = _HEADER.unpack_from(plain)
    if length not in (size, 0):
        raise FrameError(f"LENGTH says {length} bytes, the frame has {size}")
    computed = checksum(plain)
    if stated != computed:
        raise FrameError(f"checksum {stated:04x} does not match its bytes ({computed:04x})")
    return Frame(version=version, flags=flags, type_of_record=type_of_record, fields=_split_fields(plain, size - 1))


def _unescape(wire: bytes) -> bytes:
    plain, unescaped = _ESCAPED.subn(lambda found: bytes((found[1][0] - ESCAPE_SHIFT,)), wire)
    if unescaped != wire.count(ESCAPE):
        raise FrameError("escape 8d is not followed by an escaped byte (aa to af)")
    return plain


def _split_fields(plain: bytes, end: int) -> Fields:
    fields = []
    position = _HEADER.size
    while position < end:
        value = position + 2
        if value > end:
            raise FrameError(f"field {plain[position]:02x} at byte {position} is cut off after its tag")
        next_field = value + plain[position + 1]
        if next_field > end:
            raise FrameError(
                f"field {plain[position]:02x} at byte {position} says {plain[position + 1]} bytes, "
                f"{end - value} are left"
            )
        fields.append((plain[position], plain[value:next_field]))
        position = next_field
    return tuple(fields)


class FrameReader:
    """Cuts a stream, fed in any split, into frames and framing errors. Keeps at most one unfinished frame."""

    def __init__(self) -> None:
        self._pending = b""
        self._offset = 0

    def feed(self, data: bytes) -> list[ReceivedFrame | FramingError]:
        """Take the next bytes; return what they complete, in stream order. Never raises."""
        stream = self._pending + data
        found: list[ReceivedFrame | FramingError] = []
        position = 0
        while position < len(stream):
            start = stream.find(START_OF_RECORD, position)
            if start != position:
                position, complete = self._take_junk(stream, position, start, found)
                if not complete:
                    break
                continue
            limit = start + LONGEST_WIRE_BYTES
            end = stream.find(END_OF_RECORD, start + 1, limit)
            restart = stream.find(START_OF_RECORD, start + 1, limit if end < 0 else end)
            if restart >= 0:
                reason = f"frame cut short after {restart - start} bytes: the next one begins"
                found.append(FramingError(self._offset + start, stream[start:restart], reason))
                position = restart
            elif end >= 0:
                position = end + 1
                found.append(self._decode(start, stream[start:position]))
            elif len(stream) >= limit:
                reason = f"no end of record within {LONGEST_WIRE_BYTES} bytes"
                found.append(FramingError(self._offset + start, stream[start:limit], reason))
                position = limit
            else:
                break
        self._pending = stream[position:]
        self._offset += position
        return found

    def close(self) -> list[ReceivedFrame | FramingError]:
        """The stream ended: report what is left as an error."""
        if not self._pending:
            return []
        left, self._pending = self._pending, b""
        reason = f"stream ended {len(left)} bytes into a frame"
        if not left.startswith(START_OF_RECORD):
            reason = _junk_reason(len(left))
        error = FramingError(self._offset, left, reason)
        self._offset += len(left)
        return [error]

    def _decode(self, start: int, wire: bytes) -> ReceivedFrame | FramingError:
        try:
            return ReceivedFrame(self._offset + start, wire, decode_frame(wire))
        except FrameError as error:
            return FramingError(self._offset + start, wire, str(error))

    def _take_junk(
        self, stream: bytes, position: int, start: int, found: list[ReceivedFrame | FramingError]
    ) -> tuple[int, bool]:
        """Report a run of bytes outside any frame; return where reading goes on and whether the run is over.

        An unfinished run waits for its end, so that the split of the stream does not show in the errors.
        """
        run_end = len(stream) if start < 0 else start
        if run_end - position < LONGEST_JUNK_BYTES and start < 0:
            return position, False
        cut = min(run_end, position + LONGEST_JUNK_BYTES)
        found.append(FramingError(self._offset + position, stream[position:cut], _junk_reason(cut - position)))
        return cut, True


def _junk_reason(size: int) -> str:
    return f"{size} bytes outside any frame (no start of record 8e before them)"
