"""AMB P98, the text form that older AMB decoders (and their clones) speak (hardware-protocols §1, last paragraph).

    line     SOH kind TAB field TAB field TAB … x crc(4 hex) CR LF
    @        decoder id, number, transponder, seconds since the decoder's start, hits, strength, flags   passing
    #        decoder id, number, noise                                                                   status
    $        four numbers whose meaning nobody has published                                             other

`crc` is the CRC-16 of the P3 protocol over the text after SOH up to and including the last TAB. Numbers count
passings and status lines alike and begin again when the decoder is switched on. The time has one to six decimals
after a point, or a comma in some locales; it counts from the decoder's start, so `device_us` has a zero of its own:
the meet needs no clock setting but the default. SOH is missing in recordings of some tools and is not asked for.

Nothing can be asked again: P98 has no request. A number that was never seen is told as a gap and stays open.
"""

import re
from binascii import crc_hqx
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from config.models import Device
from drivers.protocols.base import ProtocolEntry, Reaction, Resume
from drivers.protocols.line_buffer import LineBuffer, TextLine
from drivers.protocols.listen import ListenSession
from drivers.records import DeviceStatus, Passing, Record, SequenceGap, Unhandled

SOH: Final = b"\x01"  # start of heading: a line begins
TAB: Final = b"\t"  # ends each field
CRC_MARK: Final = b"x"  # the checksum follows
LINE_END: Final = b"\r\n"
PASSING: Final = "@"
STATUS: Final = "#"
OTHER: Final = "$"

MAX_LINE_BYTES: Final = 256
"""The longest line seen has 50 bytes."""
MAX_TIME_US: Final = 10**10 * 1_000_000
"""Ten digits of seconds: more than a decoder runs."""
REMEMBERED: Final = 256
"""So many lines back a line sent twice is told from a numbering that began again."""
MAX_DECODERS: Final = 32
"""Decoder ids followed on one line; a network of more would not share one."""

_CRC_START: Final = 0x1D0F  # the P3 register (FFFF) after the two bytes by which `crc_hqx` is ahead
_CHECKED = re.compile(rb"([@#$]\t(?:[^\t\x00-\x1f]*\t)*)x([0-9A-Fa-f]{4})")
_NUMBER = re.compile(r"[0-9]{1,18}")
_SECONDS = re.compile(r"([0-9]{1,10})(?:[.,]([0-9]{1,6}))?")


def checksum(text: bytes) -> int:
    """CRC-16 over a line's text after SOH up to and including the last TAB. Raises ValueError below two bytes."""
    if len(text) < 2:
        raise ValueError("a P98 line has a kind and a TAB at least")
    return crc_hqx(text[:-2], _CRC_START) ^ (text[-2] << 8 | text[-1])


# -- reading -------------------------------------------------------------------------------------------------


def _number(text: str, what: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{what} {text!r} is not a whole number")
    return int(text)


def parse_seconds(text: str) -> int:
    """`2434.835` or `2434,835` to exact µs. Raises ValueError on anything else."""
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise ValueError(f"time {text!r} is not of the form seconds.decimals")
    return int(match[1]) * 1_000_000 + int((match[2] or "").ljust(6, "0"))


def read_line(text: bytes) -> tuple[str, list[str]]:
    """(kind, fields) of a line without SOH and line end. Raises ValueError saying what is wrong with it."""
    match = _CHECKED.fullmatch(text)
    if match is None:
        raise ValueError("line is not of the form kind TAB fields TAB x crc")
    expected = checksum(match[1])
    if int(match[2], 16) != expected:
        raise ValueError(f"checksum is {match[2].decode().upper()} but the text has {expected:04X}: damaged on its way")
    kind, *fields = match[1].decode("latin-1").split("\t")[:-1]
    return kind, fields


def _record(kind: str, fields: list[str], device: str, received_us: int) -> Record:
    if kind == PASSING:
        if len(fields) != 7:
            raise ValueError(f"passing has {len(fields)} fields instead of 7")
        decoder, number, transponder, seconds, hits, strength, flags = fields
        return Passing(
            device=device,
            received_us=received_us,
            device_us=parse_seconds(seconds),
            transponder=str(_number(transponder, "transponder")),
            sequence=_number(number, "number"),
            hits=_number(hits, "hits"),
            strength=_number(strength, "strength"),
            flags=_number(flags, "flags"),
            decoder=decoder,
        )
    if kind == STATUS:
        if len(fields) != 3:
            raise ValueError(f"status has {len(fields)} fields instead of 3")
        decoder, number, noise = fields
        return DeviceStatus(
            device=device,
            received_us=received_us,
            noise=_number(noise, "noise"),
            sequence=_number(number, "number"),
            decoder=decoder,
        )
    return Unhandled(device=device, received_us=received_us, name="p98_other", detail={"fields": " ".join(fields)})


class P98Parser:
    """A `base.Parser` for the P98 stream."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._lines = LineBuffer(LINE_END, MAX_LINE_BYTES)

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes; return the records that they complete. See `base.Parser`."""
        return [record for line in self._lines.feed(data) for record in self._take(line, received_us)]

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: an unfinished line is Malformed. See `base.Parser`."""
        line = self._lines.close()
        return [] if line is None else [line.malformed(self._device, received_us, "stream ended inside a line")]

    def _take(self, line: TextLine, received_us: int) -> list[Record]:
        if line.too_long:
            reason = f"no line end within {MAX_LINE_BYTES} bytes: is this P98?"
            return [line.malformed(self._device, received_us, reason)]
        records: list[Record] = []
        # An SOH inside means that the end of the line before it was lost: both are looked at for themselves.
        begins = line.text.rfind(SOH)
        if begins > 0:
            lost = TextLine(line.offset, line.text[:begins])
            records.append(lost.malformed(self._device, received_us, "line has no end: the next one began inside it"))
        offset, text = line.offset + max(begins, 0), line.text[max(begins, 0) :]
        try:
            kind, fields = read_line(text.removeprefix(SOH))
            records.append(_record(kind, fields, self._device, received_us))
        except ValueError as error:
            records.append(TextLine(offset, text).malformed(self._device, received_us, str(error)))
        return records


# -- the numbers of the lines --------------------------------------------------------------------------------


class _Numbers:
    """What one decoder's numbers say: the next, some missing, one sent twice, or counted from the start again."""

    def __init__(self, newest: int | None = None) -> None:
        self._newest = newest
        self._seen: dict[int, int | None] = {}

    def take(self, number: int, stamp: int | None) -> tuple[str, int]:
        """("next" | "gap" | "repeated" | "restarted", the newest number before). `stamp` tells lines apart."""
        newest = self._newest
        if newest is None or number == newest + 1:
            verdict = "next"
        elif number > newest:
            verdict = "gap"
        elif number in self._seen and self._seen[number] == stamp:
            return "repeated", newest
        else:
            verdict = "restarted"
            self._seen.clear()
        self._newest = number
        self._seen[number] = stamp
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return verdict, newest or 0


class P98Session(ListenSession):
    """A `base.Session` that listens, and tells gaps, repeated lines and a decoder that was switched on again.

    The numbers are followed over reconnects and restarts of the program, so what was missed meanwhile is a gap.
    """

    def __init__(self, device: Device, resume: Resume) -> None:
        super().__init__(device.id, P98Parser)
        self._numbers: dict[str, _Numbers] = {}
        if resume.decoder is not None and resume.last_sequence:
            self._numbers[resume.decoder] = _Numbers(resume.last_sequence)

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Parse, and follow the numbers."""
        followed = [self._follow(record) for record in super().receive(data, now_us).records]
        return Reaction(records=tuple(record for records in followed for record in records))

    def _follow(self, record: Record) -> list[Record]:
        if not isinstance(record, Passing | DeviceStatus) or record.sequence is None or record.decoder is None:
            return [record]
        stamp = record.device_us if isinstance(record, Passing) else None
        if record.decoder not in self._numbers and len(self._numbers) >= MAX_DECODERS:
            del self._numbers[next(iter(self._numbers))]
        verdict, newest = self._numbers.setdefault(record.decoder, _Numbers()).take(record.sequence, stamp)
        if verdict == "gap":
            gap: Callable[..., SequenceGap] = partial(SequenceGap, device=self._device, received_us=record.received_us)
            return [gap(first=newest + 1, last=record.sequence - 1), record]
        if verdict == "restarted":
            detail: dict[str, int | str] = {"newest": newest, "number": record.sequence, "decoder": record.decoder}
            name = "numbering_restarted"
            return [Unhandled(device=self._device, received_us=record.received_us, name=name, detail=detail), record]
        if verdict == "repeated" and isinstance(record, Passing):
            return [msgspec.structs.replace(record, backlog=True)]
        return [record]


# -- writing, for the simulated decoder ----------------------------------------------------------------------


def encode_line(kind: str, fields: Sequence[str]) -> bytes:
    """One line with SOH, checksum and CR LF. Raises ValueError for a kind or a field that cannot be sent."""
    if kind not in (PASSING, STATUS, OTHER):
        raise ValueError(f"kind {kind!r} does not exist: give @, # or $")
    text = "".join(f"{part}\t" for part in (kind, *fields)).encode("latin-1")
    if not _CHECKED.fullmatch(text + b"x0000") or text.count(TAB) != len(fields) + 1:
        raise ValueError(f"fields {list(fields)} hold a control character: remove it")
    return SOH + text + CRC_MARK + b"%04X" % checksum(text) + LINE_END


def format_seconds(time_us: int, decimals: int = 3, point: str = ".") -> str:
    """µs since the decoder's start as it writes them, truncated. Raises ValueError out of range."""
    if not 0 <= time_us < MAX_TIME_US or not 1 <= decimals <= 6 or point not in (".", ","):
        raise ValueError(f"{time_us} µs with {decimals} decimals and {point!r} cannot be sent")
    return f"{time_us // 1_000_000}{point}{f'{time_us % 1_000_000:06d}'[:decimals]}"


def encode_passing(passing: Passing, *, decimals: int = 3, point: str = ".") -> bytes:
    """A passing as a line; absent numbers are sent as 0. Raises ValueError for what P98 cannot say."""
    numbers = [passing.hits or 0, passing.strength or 0, passing.flags or 0]
    transponder = str(_number(passing.transponder, "transponder"))
    seconds = format_seconds(passing.device_us, decimals, point)
    head = [passing.decoder or "0", str(passing.sequence or 0), transponder, seconds]
    return encode_line(PASSING, [*head, *(str(_number(str(number), "value")) for number in numbers)])


def encode_status(status: DeviceStatus) -> bytes:
    """A status line: decoder, number, noise. Raises ValueError for what P98 cannot say."""
    noise = _number(str(status.noise or 0), "noise")
    return encode_line(STATUS, [status.decoder or "0", str(status.sequence or 0), str(noise)])


PROTOCOL = ProtocolEntry(
    name="p98",
    summary="AMB P98 transponder decoders (older AMB, and clones), text over serial or TCP",
    parser=P98Parser,
    session=P98Session,
)
