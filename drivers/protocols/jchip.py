"""JChip, the protocol of CrossMgr's readers: the UHF bridges (Impinj, Alien, Ubidium …) connect to us (§9).

Over `tcp-listen:0.0.0.0:53135`; every line ends with CR (old readers: LF). The reader is the TCP client:

    reader  N0000NAME                                           who it is, and how many records it holds
    host    GT                                                  what time is it with you?
    reader  GT0HHMMSScc… date=YYYYMMDD                          days running, time of day, 2-6 decimals
    host    S0000                                               send
    reader  DATAG HH:MM:SS.ff… 10  00001      C7 date=YYYYMMDD  a passing; 00001 is its number in hex, from 0

`date` and all after the time are missing from older readers. There is no checksum and no acknowledgement. A bridge
takes exactly GT and then S0000 and then listens no more, so its clock is asked once a connection.

Every reader has its own clock, and a device has one: `JChipSession` measures each reader by its GT answer and
brings its times to the scale of the first one that answered (CrossMgr brings them to the computer's). `device_us`
counts from midnight; `channel` and `decoder` are the reader's name, blanks replaced by `-`.

Facts: hardware-protocols §9; JChip.py and Impinj2JChip.py of the public repository esitarski/CrossMgr.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

import msgspec

from config.models import Device
from drivers.peers import CLOSED, DATA, OPENED, PLAIN, PeerEvent, PeerReader, encode_data, encode_frame
from drivers.protocols.base import ProtocolEntry, Reaction, Resume
from drivers.protocols.line_buffer import LineBuffer, TextLine
from drivers.records import ClockReading, Malformed, Passing, Record, Unhandled

GET_TIME: Final = b"GT\r"
SEND: Final = b"S0000\r"
LINE_ENDS: Final = b"\r\n"
CONNECTED: Final = "reader_connected"
NAMED: Final = "reader_named"
DISCONNECTED: Final = "reader_disconnected"
CLOCK_UNKNOWN: Final = "reader_clock_unknown"

DAY_US: Final = 86_400_000_000
MAX_LINE_BYTES: Final = 256
MAX_NAME: Final = 64
MAX_PEERS: Final = 256
"""Streams followed at once; the transport has fewer."""
ANSWER_WITHIN_US: Final = 5_000_000
"""A reader that does not tell its time for so long is told to send all the same."""
TICK_US: Final = 1_000_000

_PASSING = re.compile(
    r"D[A-Z0-9]([0-9A-Za-z]{1,40})\s+([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?"
    r"(?:\s+[0-9A-Fa-f]{1,4}\s+([0-9A-Fa-f]{1,12})(?:\s+[0-9A-Fa-f]{1,4})?)?(?:\s+date=([0-9]{8}))?\s*"
)
_TIME = re.compile(r"GT([0-9])([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2,6})(?:\s+date=([0-9]{8}))?\s*")
_NAME = re.compile(r"N([0-9]{4})(.*)")


def _day_us(hours: str, minutes: str, seconds: str, fraction: str | None, day: str | None) -> int:
    if int(hours) > 23 or int(minutes) > 59 or int(seconds) > 59:
        raise ValueError(f"time of day {hours}:{minutes}:{seconds} does not exist")
    if day is not None:
        try:
            date.fromisoformat(day)
        except ValueError:
            raise ValueError(f"date {day} does not exist") from None
    whole_us = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1_000_000
    return whole_us + int((fraction or "").ljust(6, "0"))


# -- reading -------------------------------------------------------------------------------------------------


class _Stream:
    """What one reader says."""

    def __init__(self, device: str, peer: int, sender: str) -> None:
        self.name: str | None = None
        self.sender = sender
        self._device = device
        self._peer = peer
        self._lines = LineBuffer(LINE_ENDS, MAX_LINE_BYTES)

    @property
    def label(self) -> str:
        """The reader's name, or where it connected from."""
        return self.name or self.sender or "plain"

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        return [self._take(line, received_us) for line in self._lines.feed(data)]

    def close(self, received_us: int) -> list[Record]:
        line = self._lines.close()
        return [] if line is None else [self._malformed(line, received_us, "stream ended inside a line")]

    def _take(self, line: TextLine, received_us: int) -> Record:
        if line.too_long:
            reason = f"no line end within {MAX_LINE_BYTES} bytes: is this a JChip reader?"
            return self._malformed(line, received_us, reason)
        try:
            return self._read(line.text.decode("utf-8"), received_us)
        except UnicodeDecodeError:
            return self._malformed(line, received_us, "line is not text")
        except ValueError as error:
            return self._malformed(line, received_us, str(error))

    def _read(self, text: str, received_us: int) -> Record:
        if match := _PASSING.fullmatch(text):
            return Passing(
                device=self._device,
                received_us=received_us,
                device_us=_day_us(match[2], match[3], match[4], match[5], match[7]),
                transponder=match[1],
                channel=self.name,
                sequence=None if match[6] is None else int(match[6], 16),
                decoder=self.name,
            )
        if match := _TIME.fullmatch(text):
            device_us = _day_us(match[2], match[3], match[4], match[5], match[6])
            return ClockReading(device=self._device, received_us=received_us, device_us=device_us)
        if match := _NAME.fullmatch(text):
            self.name = "-".join(match[2].split())[:MAX_NAME] or f"reader-{self._peer}"
            detail: dict[str, int | str] = {"reader": self.name, "from": self.sender, "records": int(match[1])}
            return Unhandled(device=self._device, received_us=received_us, name=NAMED, detail=detail)
        raise ValueError(f"line beginning {text[:2]!r} is neither a name (N), a time (GT) nor a passing (D)")

    def _malformed(self, line: TextLine, received_us: int, reason: str) -> Malformed:
        # The offset of a reader behind a listening line counts in the reader's own stream.
        where = "" if self._peer == PLAIN else f"reader {self.label}: "
        return line.malformed(self._device, received_us, where + reason)


class JChipParser:
    """A `base.Parser` for one reader's plain stream, or for several in the frames of `drivers.peers`."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._reader = PeerReader()
        self._streams: dict[int, _Stream] = {PLAIN: _Stream(device, PLAIN, "")}

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes; return the records that they complete. See `base.Parser`."""
        return [record for _, record in self.feed_peers(data, received_us)]

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: what each reader left unfinished is Malformed. See `base.Parser`."""
        records: list[Record] = []
        if (rest := self._reader.close()) is not None:
            records += self._streams[PLAIN].feed(rest.payload, received_us)
        for stream in self._streams.values():
            records += stream.close(received_us)
        self._streams = {PLAIN: _Stream(self._device, PLAIN, "")}
        return records

    def feed_peers(self, data: bytes, received_us: int) -> list[tuple[int, Record]]:
        """As `feed`, with the number of the peer that each record came from."""
        found: list[tuple[int, Record]] = []
        for event in self._reader.feed(data):
            found += [(event.peer, record) for record in self._take(event, received_us)]
        return found

    def _take(self, event: PeerEvent, received_us: int) -> list[Record]:
        if event.kind == DATA:
            return self._stream(event.peer).feed(event.payload, received_us)
        text = event.payload.decode("utf-8", "replace")
        records: list[Record] = []
        old = self._streams.pop(event.peer, None)
        if old is not None:
            records += old.close(received_us)
        if event.kind == OPENED:
            self._stream(event.peer).sender = text
            records.append(self._told(CONNECTED, {"from": text}, received_us))
        else:
            label = "" if old is None else old.label
            records.append(self._told(DISCONNECTED, {"reader": label, "reason": text}, received_us))
        return records

    def _stream(self, peer: int) -> _Stream:
        if peer not in self._streams:
            while len(self._streams) >= MAX_PEERS:
                del self._streams[next(number for number in self._streams if number != PLAIN)]
            self._streams[peer] = _Stream(self._device, peer, "")
        return self._streams[peer]

    def _told(self, name: str, detail: dict[str, int | str], received_us: int) -> Unhandled:
        return Unhandled(device=self._device, received_us=received_us, name=name, detail=detail)


# -- the conversation ----------------------------------------------------------------------------------------


class _Reader(msgspec.Struct):
    """Where the conversation with one connected reader stands."""

    name: str
    asked_us: int
    may_send: bool = False
    is_told: bool = False
    """Whether it was said that the clock of this reader is unknown."""


class JChipSession:
    """A `base.Session` with all readers that connect to one port."""

    tick_us = TICK_US

    def __init__(self, device: Device, resume: Resume) -> None:
        self._device = device.id
        self._parser = JChipParser(device.id)
        self._readers: dict[int, _Reader] = {}
        # Reader's name to how far its clock is ahead of the host's time of day (UTC), in µs modulo a day.
        self._ahead_us: dict[str, int] = {}
        self._first: str | None = None

    def connected(self, now_us: int) -> Sequence[bytes]:
        """We listen: nobody is there yet. The readers' clocks are remembered until they are measured again."""
        self._parser = JChipParser(self._device)
        self._readers = {}
        return ()

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Records of all readers on one time scale; GT to who told its name, S0000 to who told its time."""
        records: list[Record] = []
        send: list[bytes] = []
        for peer, record in self._parser.feed_peers(data, now_us):
            if isinstance(record, Unhandled) and record.name == NAMED:
                send += self._welcome(peer, str(record.detail["reader"]), now_us)
                records.append(record)
            elif isinstance(record, Unhandled) and record.name == DISCONNECTED:
                self._readers.pop(peer, None)
                records.append(record)
            elif isinstance(record, ClockReading):
                records.append(self._measure(peer, record))
                send += self._let_send(peer)
            elif isinstance(record, Passing):
                records += self._align(peer, record)
            else:
                records.append(record)
        return Reaction(records=tuple(records), send=tuple(send))

    def disconnected(self, now_us: int) -> Sequence[Record]:
        """We no longer listen: report what the readers left unfinished."""
        self._readers = {}
        return self._parser.close(now_us)

    def tick(self, now_us: int) -> Sequence[bytes]:
        """Tell readers that do not say their time to send all the same."""
        late = [peer for peer, reader in self._readers.items() if now_us - reader.asked_us >= ANSWER_WITHIN_US]
        return [message for peer in late for message in self._let_send(peer)]

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        """JChip has no acknowledgements."""
        return ()

    def _welcome(self, peer: int, name: str, now_us: int) -> list[bytes]:
        # A reader that connects anew while its old connection lingers: only the new one counts.
        old = [other for other, reader in self._readers.items() if reader.name == name and other not in (peer, PLAIN)]
        for other in old:
            del self._readers[other]
        self._readers[peer] = _Reader(name=name, asked_us=now_us)
        farewells = [encode_frame(CLOSED, other, b"the reader connected again") for other in old]
        return [*farewells, encode_data(peer, GET_TIME)]

    def _let_send(self, peer: int) -> list[bytes]:
        reader = self._readers.get(peer)
        if reader is None or reader.may_send:
            return []
        reader.may_send = True
        return [encode_data(peer, SEND)]

    def _measure(self, peer: int, reading: ClockReading) -> ClockReading:
        reader = self._readers.get(peer)
        if reader is None or reader.may_send:
            # Not the answer to our question: nobody knows how old it is.
            return reading
        middle_us = (reader.asked_us + reading.received_us) // 2
        self._ahead_us[reader.name] = (reading.device_us - middle_us) % DAY_US
        if self._first is None:
            self._first = reader.name
        device_us = (reading.device_us + self._shift_us(reader.name)) % DAY_US
        return msgspec.structs.replace(reading, device_us=device_us, sent_us=reader.asked_us)

    def _shift_us(self, name: str) -> int:
        return 0 if self._first is None else self._ahead_us[self._first] - self._ahead_us[name]

    def _align(self, peer: int, passing: Passing) -> list[Record]:
        reader = self._readers.get(peer)
        if reader is not None and reader.name in self._ahead_us:
            aligned_us = (passing.device_us + self._shift_us(reader.name)) % DAY_US
            return [msgspec.structs.replace(passing, device_us=aligned_us)]
        records: list[Record] = [passing]
        if reader is not None and not reader.is_told:
            reader.is_told = True
            records.insert(0, self._clock_unknown(reader.name, passing.received_us))
        return records

    def _clock_unknown(self, name: str, received_us: int) -> Unhandled:
        detail: dict[str, int | str] = {"reader": name, "advice": "its times are as it says them: set its clock"}
        return Unhandled(device=self._device, received_us=received_us, name=CLOCK_UNKNOWN, detail=detail)


# -- writing, for the simulated readers ----------------------------------------------------------------------


def _clock(device_us: int, separator: str) -> str:
    seconds, fraction_us = divmod(device_us % DAY_US, 1_000_000)
    parts = f"{seconds // 3600:02d}", f"{seconds // 60 % 60:02d}", f"{seconds % 60:02d}"
    return separator.join(parts) + (f".{fraction_us:06d}" if separator else f"{fraction_us:06d}")


def encode_name(name: str) -> bytes:
    """What a reader says first."""
    return f"N0000{name}\r".encode()


def encode_time(device_us: int, day: str) -> bytes:
    """The answer to GT: µs from midnight, and the date as YYYYMMDD."""
    return f"GT0{_clock(device_us, '')} date={day}\r".encode()


def encode_passing(transponder: str, device_us: int, number: int, day: str) -> bytes:
    """A passing as CrossMgr's bridges write it. Raises ValueError for a tag that is not letters and digits."""
    if not re.fullmatch("[0-9A-Za-z]{1,40}", transponder):
        raise ValueError(f"tag {transponder!r} cannot be sent: it is letters and digits")
    return f"DA{transponder} {_clock(device_us, ':')} 10  {number:05X}      C7 date={day}\r".encode()


PROTOCOL = ProtocolEntry(
    name="jchip",
    summary="JChip / CrossMgr readers and UHF bridges, which connect to us on TCP port 53135",
    parser=JChipParser,
    session=JChipSession,
)
