"""Bytes to pieces, for streams whose lines stand between SOH and EOT. Sans-I/O."""

from typing import Final, NamedTuple

SOH: Final = b"\x01"  # start of heading: a line begins
EOT: Final = b"\x04"  # end of transmission: the line is complete


class Piece(NamedTuple):
    """SOH to EOT, or a run of bytes that are no such line. `offset` is the stream position of its first byte."""

    offset: int
    raw: bytes


class SohFrames:
    """Cuts a stream into pieces, which depend on its bytes only, never on how they were split over reads."""

    def __init__(self, longest: int, between: bytes) -> None:
        """`longest`: bytes without an end that are no line any more; `between`: filling bytes, in no piece."""
        self._longest = longest
        self._between = between
        self._buffer = bytearray()
        self._offset = 0

    def feed(self, data: bytes) -> list[Piece]:
        """Take the next bytes; return the pieces that they complete."""
        self._buffer += data
        pieces: list[Piece] = []
        position = 0
        while (end := self._next_end(position)) is not None:
            if self._buffer[position] not in self._between:
                pieces.append(Piece(self._offset + position, bytes(self._buffer[position:end])))
            position = end
        del self._buffer[:position]
        self._offset += position
        return pieces

    def close(self) -> Piece:
        """The stream ended: what is left without an end, perhaps nothing. The buffer is empty afterwards."""
        piece = Piece(self._offset, bytes(self._buffer))
        self._offset += len(piece.raw)
        self._buffer.clear()
        return piece

    def _next_end(self, position: int) -> int | None:
        """Where the piece at `position` ends: a line, a filling byte, or bytes that are neither; None when open."""
        buffer, length = self._buffer, len(self._buffer)
        if position == length:
            return None
        if buffer[position] in self._between:
            return position + 1
        next_line = buffer.find(SOH, position + 1, position + self._longest)
        if buffer[position : position + 1] == SOH:
            end = buffer.find(EOT, position + 1, position + self._longest)
            if end >= 0 and (next_line < 0 or end < next_line):
                return end + 1
        if next_line >= 0:
            return next_line
        return position + self._longest if length - position >= self._longest else None
