"""THbC lines to records. Which line becomes what:

line                        record
passing                     Passing: channel, transponder without leading zeros, strength = power,
                            hits = count, flags = battery code
passing with refid 255      Impulse on `sync` (the unit's own CELL) or `sync-B01` to `sync-B07` (a remote's)
MAN with refid 0            Impulse on `MAN`, manual
status                      DeviceStatus: noise = the larger one; levels and time as text
configuration, texts, NACK  Unhandled: config, started, stopped, nack
anything else               Malformed
"""

import re
from enum import Enum
from typing import Final

import msgspec

from drivers.protocols.thbc_commands import CONFIG_FIELDS, read_setting
from drivers.protocols.thbc_wire import (
    BOX,
    CELL_REFID,
    MAN,
    MAN_REFID,
    STA,
    LineError,
    LineReader,
    Piece,
    PieceKind,
    format_time,
    parse_config_reply,
    parse_passing,
    parse_status,
)
from drivers.records import DeviceStatus, Impulse, Malformed, Passing, Record, Unhandled

SYNC_CHANNEL: Final = "sync"
"""The channel of the unit's own CELL input; a remote box's is `sync-` and its name."""
MINUTE_US: Final = 60_000_000
_RAW_BYTES: Final = 128
_TEXTS: Final = (
    (re.compile(rb"DEPART_([0-9]{4}-[0-9]{2}-[0-9]{2}__[0-9]{2}:[0-9]{2}:[0-9]{2})"), "started"),
    (re.compile(rb"STOP_([ -~]*)"), "stopped"),
)


class Held(Enum):
    """Does the unit hold this line until it is acknowledged?"""

    NO = "no"
    PASSING = "a passing"
    DAMAGED = "a passing that arrived damaged"


class Parsed(msgspec.Struct, frozen=True):
    """A record, whether the unit holds its line, that line with its byte offset in the stream.

    `status_us` is a status's time of the unit (whole seconds, in µs).
    """

    record: Record
    held: Held = Held.NO
    line: bytes = b""
    offset: int = 0
    status_us: int | None = None


def sync_drift_us(device_us: int, period_us: int = MINUTE_US) -> int:
    """What to add to a unit's stamps: nearest full period less its stamp of the sync pulse, in µs.

    The sync master pulses at each full minute of its own clock, so units that share its pulse agree after
    adding this. It says nothing about how far the master itself is from UTC. Above half a period off it is
    wrong by one. Source: hardware-protocols §2, clock discipline. Raises ValueError for a period below 1.
    """
    if period_us < 1:
        raise ValueError(f"period {period_us} µs is not possible: give the sync master's, usually {MINUTE_US}")
    return (device_us + period_us // 2) // period_us * period_us - device_us


class ThbcParser:
    """A `base.Parser` for the THbC lines of one unit."""

    def __init__(self, device: str) -> None:
        """`device` is the device id that the records carry."""
        self._device = device
        self._reader = LineReader()

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes; return what the lines in them say. See `base.Parser`."""
        return [parsed.record for parsed in self.read(data, received_us)]

    def read(self, data: bytes, received_us: int) -> list[Parsed]:
        """As `feed`, with what the session needs to know of each line."""
        return [self._take(piece, received_us) for piece in self._reader.feed(data)]

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: an unfinished line is Malformed."""
        return [self._malformed(p, received_us, "stream ended inside a line") for p in self._reader.close()]

    def _take(self, piece: Piece, received_us: int) -> Parsed:
        try:
            return self._interpret(piece, received_us)
        except LineError as error:
            is_passing = piece.kind in (PieceKind.PASSING, PieceKind.DAMAGED_PASSING) or piece.raw.endswith(b">")
            held = Held.DAMAGED if is_passing else Held.NO
            return Parsed(self._malformed(piece, received_us, str(error)), held, piece.raw, piece.offset)

    def _interpret(self, piece: Piece, received_us: int) -> Parsed:
        raw = piece.raw
        match piece.kind:
            case PieceKind.PASSING:
                return Parsed(self._passing(raw, received_us), Held.PASSING, raw, piece.offset)
            case PieceKind.STATUS:
                return self._status(raw, received_us)
            case PieceKind.CONFIG:
                return Parsed(self._config(raw, received_us))
            case PieceKind.NACK:
                return Parsed(self._unhandled("nack", {}, received_us))
            case PieceKind.DAMAGED_PASSING:
                raise LineError(f"passing line of {len(raw)} bytes: bytes were lost or came in between")
            case PieceKind.CUT:
                # Its line goes on (or comes again) after the piece: it is not counted as one of its own.
                reason = f"{len(raw)} bytes of a line in which another one begins"
                return Parsed(self._malformed(piece, received_us, reason))
            case PieceKind.TEXT:
                return Parsed(self._text(raw, received_us))

    def _passing(self, raw: bytes, received_us: int) -> Record:
        line = parse_passing(raw)
        if line.channel == MAN and line.refid == MAN_REFID:
            return self._impulse(MAN, line.time_us, received_us, manual=True)
        if line.refid == CELL_REFID:
            own = line.channel in (STA, BOX, MAN)
            channel = SYNC_CHANNEL if own else f"{SYNC_CHANNEL}-{line.channel}"
            return self._impulse(channel, line.time_us, received_us)
        return Passing(
            device=self._device,
            received_us=received_us,
            device_us=line.time_us,
            transponder=str(line.refid),
            channel=line.channel,
            strength=line.power,
            hits=line.count,
            flags=line.battery,
        )

    def _impulse(self, channel: str, time_us: int, received_us: int, *, manual: bool = False) -> Impulse:
        return Impulse(device=self._device, received_us=received_us, device_us=time_us, channel=channel, manual=manual)

    def _status(self, raw: bytes, received_us: int) -> Parsed:
        line = parse_status(raw)
        text = (
            f"noise STA {line.noise_sta} BOX {line.noise_box}, level STA {line.level_sta} BOX {line.level_box}, "
            f"time {format_time(line.time_us)}"
        )
        # No device_us: whole seconds, cut, would look to the clock fit like stamps that came late.
        record = DeviceStatus(
            device=self._device,
            received_us=received_us,
            noise=max(line.noise_sta, line.noise_box),
            text=text,
        )
        return Parsed(record, status_us=line.time_us)

    def _config(self, raw: bytes, received_us: int) -> Record:
        reply = parse_config_reply(raw)
        detail: dict[str, int | str] = {name: read_setting(reply.config, name) for name in CONFIG_FIELDS}
        for index, name in enumerate(("address", "mask", "gateway", "host")):
            detail[name] = ".".join(str(byte) for byte in reply.network[4 * index : 4 * index + 4])
        detail["ident"] = reply.ident.hex()
        detail["version"] = reply.version.hex()
        return self._unhandled("config", detail, received_us)

    def _text(self, raw: bytes, received_us: int) -> Record:
        for form, name in _TEXTS:
            if (found := form.fullmatch(raw)) is not None:
                return self._unhandled(name, {"text": found[1].decode("ascii")}, received_us)
        raise LineError(f"{len(raw)} bytes that are no THbC line")

    def _unhandled(self, name: str, detail: dict[str, int | str], received_us: int) -> Unhandled:
        return Unhandled(device=self._device, received_us=received_us, name=name, detail=detail)

    def _malformed(self, piece: Piece, received_us: int, reason: str) -> Malformed:
        raw = piece.raw[:_RAW_BYTES].hex()
        return Malformed(device=self._device, received_us=received_us, offset=piece.offset, reason=reason, raw=raw)
