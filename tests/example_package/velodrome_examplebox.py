"""The made-up ExampleBox: an impulse box with one text line an impulse. Copy this module for a box of your own.

    I0001;START;HH:MM:SS.ffff;cc CR LF

| part | meaning |
|---|---|
| `I` | an impulse |
| `0001` | its number, 0000 to 9999, then from 0000 again |
| `START` | the name of the input: 1 to 8 letters or digits |
| `HH:MM:SS.ffff` | the box's time of day to 0.1 ms |
| `cc` | sum of all bytes before it modulo 256, two hex digits |

`?CR LF` asks for the time; the box answers `T;HH:MM:SS.ffff;cc CR LF`. Nothing is acknowledged.
"""

import re
from collections.abc import Sequence

from config.models import Device
from drivers.protocols.base import ProtocolEntry, Reaction, Resume
from drivers.records import ClockReading, Impulse, Malformed, Record

END = b"\r\n"
ASK_TIME = b"?" + END
LONGEST_LINE = 64
ASK_EVERY_US = 30_000_000
DAY_US = 86_400_000_000

_TIME = rb"([01]\d|2[0-3]):([0-5]\d):([0-5]\d)\.(\d{4})"
_IMPULSE = re.compile(rb"I(\d{4});([A-Z0-9]{1,8});" + _TIME + rb";")
_CLOCK = re.compile(rb"T;" + _TIME + rb";")


class ExampleBoxParser:
    """Bytes to records. Keeps a buffer and an offset, never raises, never lets a wrong sum through."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._buffer = b""
        self._offset = 0

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Any split of the bytes gives the same records."""
        *lines, self._buffer = (self._buffer + data).split(END)
        records = []
        for line in lines:
            records.append(self._read_line(line, received_us))
            self._offset += len(line) + len(END)
        if len(self._buffer) > LONGEST_LINE:
            rest, self._buffer = self._buffer[:-1], self._buffer[-1:]
            records.append(self._malformed(rest, "no end of line in 64 bytes", received_us))
            self._offset += len(rest)
        return records

    def close(self, received_us: int) -> list[Record]:
        """Report an unfinished line."""
        rest, self._buffer = self._buffer, b""
        return [self._malformed(rest, "unfinished line", received_us)] if rest else []

    def _read_line(self, line: bytes, received_us: int) -> Record:
        text, check = line[:-2], line[-2:]
        if check != b"%02X" % (sum(text) % 256):
            return self._malformed(line, "wrong sum", received_us)
        if match := _IMPULSE.fullmatch(text):
            return Impulse(
                device=self._device,
                received_us=received_us,
                device_us=_time_us(match.groups()[2:]),
                channel=match[2].decode("ascii"),
                sequence=int(match[1]),
            )
        if match := _CLOCK.fullmatch(text):
            return ClockReading(device=self._device, received_us=received_us, device_us=_time_us(match.groups()))
        return self._malformed(line, "neither an impulse nor a time", received_us)

    def _malformed(self, raw: bytes, reason: str, received_us: int) -> Malformed:
        return Malformed(
            device=self._device, received_us=received_us, offset=self._offset, reason=reason, raw=raw[:128].hex()
        )


class ExampleBoxSession:
    """Asks the box for its time when it is connected and every 30 s."""

    tick_us = ASK_EVERY_US

    def __init__(self, device: Device, resume: Resume) -> None:
        self._device = device.id
        self._parser = ExampleBoxParser(device.id)

    def connected(self, now_us: int) -> Sequence[bytes]:
        """Start with an empty buffer."""
        self._parser = ExampleBoxParser(self._device)
        return (ASK_TIME,)

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Parse."""
        return Reaction(tuple(self._parser.feed(data, now_us)))

    def disconnected(self, now_us: int) -> Sequence[Record]:
        """Report an unfinished line."""
        return self._parser.close(now_us)

    def tick(self, now_us: int) -> Sequence[bytes]:
        """Ask again."""
        return (ASK_TIME,)

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        """The box wants no acknowledgement."""
        return ()


def encode_impulse(number: int, channel: str, device_us: int) -> bytes:
    """The line of an impulse, for a simulated box and for tests."""
    return _with_sum(b"I%04d;%s;%s;" % (number, channel.encode("ascii"), _time_text(device_us)))


def encode_time(device_us: int) -> bytes:
    """The answer to a question for the time."""
    return _with_sum(b"T;%s;" % _time_text(device_us))


def _with_sum(text: bytes) -> bytes:
    return text + b"%02X" % (sum(text) % 256) + END


def _time_us(parts: Sequence[bytes]) -> int:
    hours, minutes, seconds, tenths = (int(part) for part in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + tenths * 100


def _time_text(device_us: int) -> bytes:
    seconds, rest_us = divmod(device_us % DAY_US, 1_000_000)
    return b"%02d:%02d:%02d.%04d" % (seconds // 3600, seconds // 60 % 60, seconds % 60, rest_us // 100)


PROTOCOL = ProtocolEntry(
    name="examplebox",
    summary="made-up impulse box, an example of a protocol in its own package",
    parser=ExampleBoxParser,
    session=ExampleBoxSession,
)
