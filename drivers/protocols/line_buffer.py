"""Bytes to lines, for protocols whose line may begin inside another one or differ in length. Sans-I/O."""

from typing import Final

import msgspec

from drivers.records import Malformed

RAW_BYTES: Final = 128
"""So much of a line that is too long is kept to show what it was."""


class TextLine(msgspec.Struct, frozen=True):
    """A line without its end. `offset` is the stream position of its first byte."""

    offset: int
    text: bytes
    too_long: bool = False
    """True for a line longer than allowed: `text` is its beginning."""

    def malformed(self, device: str, received_us: int, reason: str) -> Malformed:
        """The record that says that this line is none, and why."""
        raw = self.text[:RAW_BYTES].hex()
        return Malformed(device=device, received_us=received_us, offset=self.offset, reason=reason, raw=raw)


class LineBuffer:
    """Cuts a stream at the bytes in `ends`. An empty line (CR LF counts as two ends) is no line."""

    def __init__(self, ends: bytes, longest: int) -> None:
        """`ends` are the bytes that each end a line; `longest` is the greatest length of a line in bytes."""
        self._ends = ends
        self._longest = longest
        self._buffer = bytearray()
        self._offset = 0
        # True inside a line that was reported as too long, until its end.
        self._skipping = False

    def feed(self, data: bytes) -> list[TextLine]:
        """Take the next bytes; return the lines that they complete."""
        searched = len(self._buffer)
        self._buffer += data
        lines: list[TextLine] = []
        position = 0
        while (end := self._find_end(max(position, searched))) >= 0:
            if end > position and not self._skipping:
                lines.append(self._line(position, bytes(self._buffer[position:end])))
            self._skipping = False
            position = end + 1
        if not self._skipping and len(self._buffer) - position > self._longest:
            lines.append(self._line(position, bytes(self._buffer[position:])))
            self._skipping = True
        if self._skipping:
            position = len(self._buffer)
        del self._buffer[:position]
        self._offset += position
        return lines

    def close(self) -> TextLine | None:
        """The stream ended: what is left without an end, if anything. The buffer is empty afterwards."""
        rest = bytes(self._buffer)
        line = TextLine(self._offset, rest) if rest else None
        self._offset += len(rest)
        self._buffer.clear()
        self._skipping = False
        return line

    def _find_end(self, start: int) -> int:
        found = [at for end in self._ends if (at := self._buffer.find(end, start)) >= 0]
        return min(found, default=-1)

    def _line(self, position: int, text: bytes) -> TextLine:
        if len(text) > self._longest:
            return TextLine(self._offset + position, text[:RAW_BYTES], too_long=True)
        return TextLine(self._offset + position, text)
