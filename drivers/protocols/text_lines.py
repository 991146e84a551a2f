"""What boxes that print lines have in common: a stream cut at CR, LF or CR LF, and times of day as text.

A line's bytes do not depend on how the stream was split over reads. Empty lines say nothing. A line that is
longer than any of the protocol is reported once, and what follows it up to the next line end is reported too:
the tail of damaged bytes is never taken for a line of its own.
"""

import re
from abc import ABC, abstractmethod
from typing import Final

from drivers.records import Malformed, Record

MAX_LINE_BYTES: Final = 128
RAW_BYTES: Final = 128
US_PER_SECOND: Final = 1_000_000
MAX_DECIMALS: Final = 6

_LINE_END = re.compile(rb"[\r\n]")


class LineError(ValueError):
    """A line is no valid record; the text says why and is the reason of the `Malformed`."""


class LineParser(ABC):
    """A `base.Parser` for lines. A protocol says in `read` what one line means."""

    def __init__(self, device: str) -> None:
        """`device` is the device id that the records carry."""
        self.device = device
        self._buffer = bytearray()
        self._offset = 0
        self._is_tail = False

    @abstractmethod
    def read(self, line: bytes, received_us: int) -> Record:
        """One line without its end, never empty, to its record. Raises LineError."""

    def feed(self, data: bytes, received_us: int) -> list[Record]:
        """Take the next bytes (any split); return one record for each line that they complete."""
        self._buffer += data
        records: list[Record] = []
        position = 0
        while position < len(self._buffer):
            end = _LINE_END.search(self._buffer, position, position + MAX_LINE_BYTES)
            if end is None and len(self._buffer) - position < MAX_LINE_BYTES:
                break
            stop = position + MAX_LINE_BYTES if end is None else end.start()
            line = bytes(self._buffer[position:stop])
            if line:
                records.append(self._take(line, self._offset + position, received_us, is_open=end is None))
            self._is_tail = end is None
            position = stop if end is None else end.end()
        del self._buffer[:position]
        self._offset += position
        return records

    def close(self, received_us: int) -> list[Record]:
        """The stream ended: a line without its end is Malformed."""
        line = bytes(self._buffer)
        self._buffer.clear()
        offset = self._offset
        self._offset += len(line)
        self._is_tail = False
        if not line:
            return []
        return [self._malformed(line, offset, received_us, "stream ended inside a line")]

    def _take(self, line: bytes, offset: int, received_us: int, *, is_open: bool) -> Record:
        if self._is_tail:
            return self._malformed(line, offset, received_us, "rest of a line that is too long")
        if is_open:
            return self._malformed(
                line, offset, received_us, f"no line end within {MAX_LINE_BYTES} bytes: check the baud rate"
            )
        try:
            return self.read(line, received_us)
        except LineError as error:
            return self._malformed(line, offset, received_us, str(error))

    def _malformed(self, line: bytes, offset: int, received_us: int, reason: str) -> Malformed:
        raw = line[:RAW_BYTES].hex()
        return Malformed(device=self.device, received_us=received_us, offset=offset, reason=reason, raw=raw)


def read_duration(hours: str, minutes: str, seconds: str, fraction: str = "") -> int:
    """Digits of a time to µs; `fraction` is what follows the decimal point, up to six digits.

    Raises LineError when minutes or seconds are above 59.
    """
    if int(minutes) > 59 or int(seconds) > 59:
        raise LineError(f"{hours}:{minutes}:{seconds} is no time: minutes and seconds go to 59")
    whole_s = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return whole_s * US_PER_SECOND + int(fraction.ljust(MAX_DECIMALS, "0"))


def read_time_of_day(hours: str, minutes: str, seconds: str, fraction: str = "") -> int:
    """Digits of a time of day to µs from midnight. Raises LineError when it is none."""
    if int(hours) > 23:
        raise LineError(f"{hours}:{minutes}:{seconds} is no time of day: hours go to 23")
    return read_duration(hours, minutes, seconds, fraction)


def split_time(time_us: int) -> tuple[int, int, int, int]:
    """µs to (hours, minutes, seconds, µs of the second). Raises ValueError below 0 or from 100 hours on."""
    if not 0 <= time_us < 360_000 * US_PER_SECOND:
        raise ValueError(f"time {time_us} µs cannot be written: give 0 to 99:59:59.999999")
    seconds, rest_us = divmod(time_us, US_PER_SECOND)
    return seconds // 3600, seconds // 60 % 60, seconds % 60, rest_us


def fraction_digits(rest_us: int, decimals: int) -> str:
    """The first `decimals` (0 to 6) digits of a fraction of a second: cut, not rounded."""
    return f"{rest_us:06d}"[:decimals]
