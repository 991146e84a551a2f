"""Lines of text as both race result boxes send them, and the questions for their clocks. No I/O.

    line = text CR LF (decoder) | text LF (USB timing box); an empty line ends a reply

There is no check sum: a changed digit inside a field cannot be seen, so whatever is not exactly of a known
form is refused. Text is ISO 8859-1; control characters do not occur in it.
"""

from dataclasses import dataclass
from typing import Final

from drivers.records import Malformed, Unhandled

ENCODING: Final = "iso8859-1"
MAX_LINE_BYTES: Final = 1_024
"""The longest line is a GETSTATUS or GETCONFIG reply with long names, under 300 bytes."""
RAW_BYTES: Final = 128
NO_LINE_END: Final = f"no line end within {MAX_LINE_BYTES} bytes: is this a race result box, and the baud rate right?"


@dataclass(frozen=True)
class Line:
    """One line: where it begins in the stream, its bytes with line end, its text or why it has none."""

    offset: int
    raw: bytes
    text: str
    problem: str = ""

    def malformed(self, device: str, received_us: int, reason: str) -> Malformed:
        """The record that reports this line."""
        raw = self.raw[:RAW_BYTES].hex()
        return Malformed(device=device, received_us=received_us, offset=self.offset, reason=reason, raw=raw)


class LineReader:
    """Bytes to lines, whatever way the bytes were split over reads."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0

    def feed(self, data: bytes) -> list[Line]:
        """Take the next bytes; return the lines that they complete."""
        self._buffer += data
        lines: list[Line] = []
        position = 0
        while (end := self._next_end(position)) is not None:
            lines.append(_line(self._offset + position, bytes(self._buffer[position:end])))
            position = end
        del self._buffer[:position]
        self._offset += position
        return lines

    def close(self) -> Line | None:
        """The stream ended: the unfinished line, if there is one."""
        raw = bytes(self._buffer)
        self._buffer.clear()
        offset, self._offset = self._offset, self._offset + len(raw)
        return Line(offset, raw, "", "stream ended inside a line") if raw else None

    def _next_end(self, position: int) -> int | None:
        line_end = self._buffer.find(b"\n", position, position + MAX_LINE_BYTES)
        if line_end >= 0:
            return line_end + 1
        return position + MAX_LINE_BYTES if len(self._buffer) - position >= MAX_LINE_BYTES else None


def _line(offset: int, raw: bytes) -> Line:
    if not raw.endswith(b"\n"):
        return Line(offset, raw, "", NO_LINE_END)
    # The USB box puts NUL bytes before its first line after power-on.
    body = raw[: -2 if raw.endswith(b"\r\n") else -1].lstrip(b"\0")
    if any(byte < 0x20 or 0x7F <= byte < 0xA0 for byte in body):
        return Line(offset, raw, "", "control character inside a line")
    return Line(offset, raw, body.decode(ENCODING))


def unhandled(device: str, received_us: int, name: str, **detail: int | str) -> Unhandled:
    """A valid line that carries nothing for the race."""
    return Unhandled(device=device, received_us=received_us, name=name, detail=dict(detail))


FAST_QUESTIONS: Final = 8
"""So many clock questions come quickly, so that the clock fit has something to hold on to soon."""
FAST_INTERVAL_US: Final = 1_000_000
INTERVAL_US: Final = 5_000_000
ANSWER_WITHIN_US: Final = 2_000_000
AFTER_SILENCE_US: Final = 5_000_000
"""After an unanswered question the next one waits this long: a late answer must not be taken for its own."""


class ClockQuestions:
    """Which clock question waits for its answer. One at a time, so that an answer belongs to one question."""

    def __init__(self) -> None:
        self._asked_us: int | None = None
        self._answered = True
        self._count = 0

    def is_due(self, now_us: int) -> bool:
        """Whether to ask now."""
        if self._asked_us is None:
            return True
        interval = FAST_INTERVAL_US if self._count < FAST_QUESTIONS else INTERVAL_US
        return now_us - self._asked_us >= (interval if self._answered else AFTER_SILENCE_US)

    def asked(self, now_us: int) -> None:
        """The question leaves at host time `now_us`."""
        self._asked_us = now_us
        self._answered = False
        self._count += 1

    def answered(self, received_us: int) -> int | None:
        """When the question that this answer belongs to was asked; None for a late or unasked answer."""
        if self._answered or self._asked_us is None or received_us - self._asked_us > ANSWER_WITHIN_US:
            return None
        self._answered = True
        return self._asked_us
