"""THbC (Chronelec Cv3) lines: what a Protime or Elite decoder sends, cut and read (hardware-protocols §2).

A passing, 38 characters and CR LF:

    offset  size  field
    0       1     <
    1       3     channel STA, BOX, MAN or B01 to B07 (remote box)
    5       6     refid; 000255 is the CELL input (sync pulse, gate, photocell), 000000 on MAN a key
    12      12    time hh:mm'ss"mmm, time of day or running time by CONFIG 0
    25      2     power of the reading
    28      2     count of the pass
    31      1     battery of the transponder: 0 and 1 good, 2 low, 3 fault
    33      4     decimal sum of the bytes 1 to 32
    37      1     >

A status, 23 characters and CR LF: `[hh:mm'ss" NS NB LS LB]`, noise and level of STA and BOX, two digits each.
A configuration: `+++`, CONFIG 27 bytes, address, mask, gateway and host 4 bytes each, ident 4 bytes of 0 to 9,
version 1 byte or more, `>` CR LF. Texts: `DEPART_YYYY-MM-DD__hh:mm:ss` (started), `STOP_…`. NACK is one byte 07.
NULs before a line are padding.
"""

import re
from enum import Enum
from typing import Final

import msgspec

STA: Final = "STA"
BOX: Final = "BOX"
MAN: Final = "MAN"
CHANNELS: Final = (STA, BOX, MAN, "B01", "B02", "B03", "B04", "B05", "B06", "B07")
CELL_REFID: Final = 255
"""The refid of an edge on the CELL input: the sync pulse, or what else is wired to it."""
MAN_REFID: Final = 0
NACK: Final = b"\x07"
LINE_END: Final = b"\r\n"

PASSING_BYTES: Final = 38
STATUS_BYTES: Final = 23
CONFIG_BYTES: Final = 27
NETWORK_BYTES: Final = 16
IDENT_BYTES: Final = 4
_REPLY_HEAD: Final = b"+++"
_VERSION_AT: Final = len(_REPLY_HEAD) + CONFIG_BYTES + NETWORK_BYTES + IDENT_BYTES
LONGEST_REPLY_BYTES: Final = _VERSION_AT + 16
LONGEST_LINE_BYTES: Final = 128
"""No line but the configuration is longer than 38 bytes; this is where reading damage goes on at the latest."""

DAY_US: Final = 86_400_000_000
_SUMMED: Final = slice(1, 33)
_STATED_SUM: Final = slice(33, 37)
_PASSING: Final = re.compile(
    rb"<(STA|BOX|MAN|B0[1-7]) ([0-9]{6}) ([0-9]{2}):([0-9]{2})'([0-9]{2})\"([0-9]{3})"
    rb" ([0-9]{2}) ([0-9]{2}) ([0-9]) [0-9]{4}>"
)
_STATUS: Final = re.compile(rb"\[([0-9]{2}):([0-9]{2})'([0-9]{2})\" ([0-9]{2}) ([0-9]{2}) ([0-9]{2}) ([0-9]{2})\]")
_LINE_BREAK: Final = re.compile(rb"[\r\n<]")
_TEXT_BREAK: Final = re.compile(rb"[\r\n<\[]|\+\+\+")
_PADDING: Final = b"\0\r\n"


class LineError(ValueError):
    """Bytes that are no THbC line, or values that do not fit into one; the text says why."""


class PassingLine(msgspec.Struct, frozen=True, kw_only=True):
    """One passing as the decoder writes it. `time_us` is µs from its midnight or start, in whole ms."""

    channel: str
    refid: int
    time_us: int
    power: int
    count: int
    battery: int


class StatusLine(msgspec.Struct, frozen=True, kw_only=True):
    """One status. `time_us` is in whole seconds, cut; 0 when the unit is stopped."""

    time_us: int
    noise_sta: int
    noise_box: int
    level_sta: int
    level_box: int


class ConfigReply(msgspec.Struct, frozen=True, kw_only=True):
    """The unit's settings as bytes: CONFIG (27), network (16), ident (4) and version (1 or more)."""

    config: bytes
    network: bytes
    ident: bytes
    version: bytes


class PieceKind(Enum):
    """What a piece of the stream is, by its form alone."""

    PASSING = "passing"
    """`<`, 36 bytes and `>`; the sum is not checked yet."""
    DAMAGED_PASSING = "damaged passing"
    """Began with `<` and ended with the line, but not as a passing does."""
    STATUS = "status"
    CONFIG = "config"
    NACK = "nack"
    TEXT = "text"
    """Anything else up to the end of the line."""
    CUT = "cut"
    """Ended because the next line began inside it."""


class Piece(msgspec.Struct, frozen=True):
    """A run of the stream: the byte offset in it where the piece began, and its bytes without CR LF."""

    offset: int
    kind: PieceKind
    raw: bytes


def passing_sum(line: bytes) -> int:
    """The sum that a passing line must state: of its bytes 1 to 32."""
    return sum(line[_SUMMED])


def parse_passing(line: bytes) -> PassingLine:
    """Read a passing line, from `<` to `>`.

    Raises:
        LineError: its sum, its form or its time is wrong. The sum is weak (swapped characters keep it), so a
            right sum alone is not enough.
    """
    if len(line) != PASSING_BYTES:
        raise LineError(f"a passing line has {PASSING_BYTES} bytes, this one {len(line)}")
    stated = line[_STATED_SUM]
    computed = passing_sum(line)
    if stated != b"%04d" % computed:
        raise LineError(f"sum {stated.decode('ascii', 'replace')} does not match its bytes ({computed:04d})")
    found = _PASSING.fullmatch(line)
    if found is None:
        raise LineError("the sum is right, but the line is not <CCC RRRRRR hh:mm'ss\"mmm PP NN B SSSS>")
    hours, minutes, seconds, milliseconds, power, count, battery = (int(text) for text in found.groups()[2:])
    return PassingLine(
        channel=found[1].decode("ascii"),
        refid=int(found[2]),
        time_us=_time_us(hours, minutes, seconds) + milliseconds * 1_000,
        power=power,
        count=count,
        battery=battery,
    )


def encode_passing(passing: PassingLine) -> bytes:
    """The line with its sum and CR LF. Raises LineError for what does not fit; the time is cut to its ms."""
    if passing.channel not in CHANNELS:
        raise LineError(f"channel {passing.channel!r} does not exist: it must be one of {', '.join(CHANNELS)}")
    for name, number, largest in (
        ("refid", passing.refid, 999_999),
        ("power", passing.power, 99),
        ("count", passing.count, 99),
        ("battery", passing.battery, 9),
    ):
        if not 0 <= number <= largest:
            raise LineError(f"{name} {number} does not fit: it must be 0 to {largest}")
    clock = format_time(passing.time_us)
    milliseconds = passing.time_us // 1_000 % 1_000
    head = f"<{passing.channel} {passing.refid:06d} {clock}{milliseconds:03d} "
    line = f"{head}{passing.power:02d} {passing.count:02d} {passing.battery} ".encode("ascii")
    return line + b"%04d>" % passing_sum(line) + LINE_END


def parse_status(line: bytes) -> StatusLine:
    """Read a status line, from `[` to `]`. Raises LineError when its form or its time is wrong."""
    found = _STATUS.fullmatch(line)
    if found is None:
        raise LineError("a status line is [hh:mm'ss\" NS NB LS LB], all of them digits")
    hours, minutes, seconds, *values = (int(text) for text in found.groups())
    noise_sta, noise_box, level_sta, level_box = values
    return StatusLine(
        time_us=_time_us(hours, minutes, seconds),
        noise_sta=noise_sta,
        noise_box=noise_box,
        level_sta=level_sta,
        level_box=level_box,
    )


def encode_status(status: StatusLine) -> bytes:
    """The line with CR LF. Raises LineError for what does not fit; the time is cut to its second."""
    values = (status.noise_sta, status.noise_box, status.level_sta, status.level_box)
    if not all(0 <= value <= 99 for value in values):
        raise LineError(f"noise and levels {values} do not fit: they must be 0 to 99")
    text = " ".join(f"{value:02d}" for value in values)
    return f"[{format_time(status.time_us)} {text}]".encode("ascii") + LINE_END


def parse_config_reply(reply: bytes) -> ConfigReply:
    """Read a configuration, from `+++` to `>`. Raises LineError when it has another form."""
    if not reply.startswith(_REPLY_HEAD) or not reply.endswith(b">") or len(reply) < _VERSION_AT + 2:
        raise LineError(f"a configuration is +++, at least {_VERSION_AT - 2} bytes and >")
    network_at = len(_REPLY_HEAD) + CONFIG_BYTES
    ident_at = network_at + NETWORK_BYTES
    return ConfigReply(
        config=reply[len(_REPLY_HEAD) : network_at],
        network=reply[network_at:ident_at],
        ident=reply[ident_at:_VERSION_AT],
        version=reply[_VERSION_AT:-1],
    )


def encode_config_reply(reply: ConfigReply) -> bytes:
    """The configuration with CR LF. Raises LineError when a part has the wrong size."""
    sizes = (len(reply.config), len(reply.network), len(reply.ident))
    if sizes != (CONFIG_BYTES, NETWORK_BYTES, IDENT_BYTES) or not 1 <= len(reply.version) <= 12:
        wanted = (CONFIG_BYTES, NETWORK_BYTES, IDENT_BYTES)
        raise LineError(f"config, network and ident have {sizes} bytes: they must be {wanted}, version 1 to 12")
    if b">" in reply.version[:-1]:
        raise LineError(f"version {reply.version.hex()} cannot be told from the end of the configuration")
    return _REPLY_HEAD + reply.config + reply.network + reply.ident + reply.version + b">" + LINE_END


def format_time(time_us: int) -> str:
    """`hh:mm'ss"` of a time below one day, cut to its second. Raises LineError beyond it."""
    if not 0 <= time_us < DAY_US:
        raise LineError(f"time {time_us} µs does not fit: it must be 0 to {DAY_US - 1}")
    minutes, seconds = divmod(time_us // 1_000_000, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}'{seconds:02d}\""


def _time_us(hours: int, minutes: int, seconds: int) -> int:
    if hours > 23 or minutes > 59 or seconds > 59:
        raise LineError(f"time {hours:02d}:{minutes:02d}'{seconds:02d}\" does not exist")
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000


class LineReader:
    """Cuts a stream, fed in any split, into pieces. Keeps at most one unfinished piece."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0

    def feed(self, data: bytes) -> list[Piece]:
        """Take the next bytes; return what they complete, in stream order. Never raises."""
        self._buffer += data
        pieces: list[Piece] = []
        position = 0
        while position < len(self._buffer):
            if self._buffer[position] in _PADDING:
                position += 1
                continue
            cut = self._cut(position)
            if cut is None:
                break
            end, kind = cut
            pieces.append(Piece(self._offset + position, kind, bytes(self._buffer[position:end])))
            position = end
        del self._buffer[:position]
        self._offset += position
        return pieces

    def close(self) -> list[Piece]:
        """The stream ended: what is left was cut off."""
        raw = bytes(self._buffer)
        self._buffer.clear()
        pieces = [Piece(self._offset, PieceKind.CUT, raw)] if raw else []
        self._offset += len(raw)
        return pieces

    def _cut(self, start: int) -> tuple[int, PieceKind] | None:
        """Where the piece at `start` ends and what it is; None while that is open.

        Depends on the bytes only, never on how they were split over reads.
        """
        first = self._buffer[start : start + 1]
        if first == NACK:
            return start + 1, PieceKind.NACK
        if first == b"<":
            whole = self._closed(start, PASSING_BYTES, b">")
            return (whole, PieceKind.PASSING) if whole else self._damaged(start, PieceKind.DAMAGED_PASSING)
        if first == b"[":
            whole = self._closed(start, STATUS_BYTES, b"]")
            return (whole, PieceKind.STATUS) if whole else self._damaged(start, PieceKind.TEXT)
        if first == b"+":
            head = self._buffer[start : start + len(_REPLY_HEAD)]
            if head == _REPLY_HEAD:
                return self._reply(start)
            if _REPLY_HEAD.startswith(head):
                return None
        return self._damaged(start, PieceKind.TEXT, _TEXT_BREAK)

    def _closed(self, start: int, size: int, closing: bytes) -> int | None:
        """The end of a line of fixed size that is whole and has no other line inside."""
        end = start + size
        if self._buffer[end - 1 : end] != closing or _LINE_BREAK.search(self._buffer, start + 1, end):
            return None
        return end

    def _damaged(
        self, start: int, kind: PieceKind, breaks: re.Pattern[bytes] = _LINE_BREAK
    ) -> tuple[int, PieceKind] | None:
        limit = start + LONGEST_LINE_BYTES
        found = breaks.search(self._buffer, start + 1, limit)
        if found is not None:
            ended = found[0] in (b"\r", b"\n")
            return found.start(), kind if ended else PieceKind.CUT
        return (limit, kind) if len(self._buffer) >= limit else None

    def _reply(self, start: int) -> tuple[int, PieceKind] | None:
        limit = start + LONGEST_REPLY_BYTES
        # Its bytes may be anything, so only what stands behind its fixed part can be its end.
        end = self._buffer.find(b">" + LINE_END, start + _VERSION_AT + 1, limit)
        if end >= 0:
            return end + 1, PieceKind.CONFIG
        # Bytes are missing: only the head is given up, so that no line behind it goes with it.
        return (start + len(_REPLY_HEAD), PieceKind.CUT) if len(self._buffer) >= limit else None
