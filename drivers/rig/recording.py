"""Recordings: every byte of a live run with its device, direction and time, in one file that people can read.

JSON Lines in UTF-8. The first line is the header, each other line is what one read or one write carried:

    {"format":"velodrome-recording/2","meet":"club-night","source":"live","created_us":1748968200000000,
     "devices":[{"id":"finish","protocol":"p3","address":"tcp:192.168.1.50:5403"}]}       (on one line)
    {"device":"finish","at_us":1748968201123456,"direction":"in","data":"jgIfAPOJ…"}
    {"device":"finish","at_us":1748968305000000,"direction":"close"}
    {"device":"finish","at_us":1748968307250000,"direction":"open"}

| key         | meaning                                                                                    |
|-------------|--------------------------------------------------------------------------------------------|
| `device`    | id of the device in the meet                                                               |
| `at_us`     | host UTC in µs: when the bytes were read (`in`) or handed to the line (`out`)              |
| `direction` | `in` from the box, `out` to the box; `open`: the line was connected, `close`: it broke, no `data` |
| `data`      | the bytes in base64 (RFC 4648 §4); of `mqtt:` a message and a line feed, of `folder:` a whole file |
| `source`    | `live`: made by `velodrome record MEET`; `journal`: taken out of a journal, without `out` |

`close` is a line that the box's side broke (unplugged, reset, switched off), not the end of the recording. In a journal
it is the health of the device that says so: of lines that break again and again within seconds only the first are
told; a restart of the service is a `close` of all. Format 1 is the same without `open` and `close` and is still read.

Lines of one device are in the order of its bytes; lines of different devices may be some milliseconds out of
order. A last line without its line feed was being written when the recorder was killed: it is not read.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal, Self

import msgspec

from config.models import Setup
from drivers.errors import DriverError

FORMAT: Final = "velodrome-recording/2"
READABLE: Final = (FORMAT, "velodrome-recording/1")
_BEGINNING: Final = b'{"format":"velodrome-recording/'
SUFFIX: Final = ".recording"

Direction = Literal["in", "out", "open", "close"]


class RecordingError(DriverError):
    """A recording cannot be written, read or replayed."""


class RecordedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the recorded meet."""

    id: str
    protocol: str
    address: str


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    format: str
    meet: str
    source: Literal["live", "journal"]
    created_us: int
    devices: tuple[RecordedDevice, ...]


class RecordedBytes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One read or one write; or, without bytes, a line that was connected or broke."""

    device: str
    at_us: int
    direction: Direction
    data: bytes = b""


def header_of(setup: Setup, source: Literal["live", "journal"], created_us: int) -> Header:
    """The header for a recording of a meet."""
    devices = tuple(
        RecordedDevice(id=device.id, protocol=device.protocol, address=device.address) for device in setup.meet.devices
    )
    return Header(format=FORMAT, meet=setup.meet.id, source=source, created_us=created_us, devices=devices)


def is_recording(path: Path) -> bool:
    """Whether a file begins like a recording of any version; False when there is no such file."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING
    except (FileNotFoundError, IsADirectoryError):
        return False
    except OSError as error:
        raise RecordingError(str(path), f"cannot be read ({error.strerror})", "check its permissions") from error


class RecordingWriter:
    """Writes a recording. `flush` puts what was written so far on the disk (one fsync)."""

    def __init__(self, path: Path, header: Header) -> None:
        """Make the file. Raises RecordingError: it is there already, or the folder cannot be written."""
        self.path = path
        self.lines = 0
        self._encoder = msgspec.json.Encoder()
        try:
            self._file: BinaryIO = path.open("xb")
        except FileExistsError as error:
            raise RecordingError(str(path), "is there already", "choose another name, or remove it first") from error
        except OSError as error:
            advice = "name a file in a folder that you may write"
            raise RecordingError(str(path), f"cannot be written ({error.strerror})", advice) from error
        self._file.write(self._encoder.encode(header) + b"\n")

    def write(self, line: RecordedBytes) -> None:
        """Append a line; it is safe after the next `flush`. Raises RecordingError: the disk does not take it."""
        try:
            self._file.write(self._encoder.encode(line) + b"\n")
        except OSError as error:
            raise self._not_taken(error) from error
        self.lines += 1

    def flush(self) -> None:
        """Return when all lines are on the disk. Raises RecordingError. May be called from another thread."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._not_taken(error) from error

    def close(self) -> None:
        """Flush and close. Raises RecordingError."""
        if not self._file.closed:
            try:
                self.flush()
            finally:
                with contextlib.suppress(OSError):
                    # What could not be flushed was told by `flush` already.
                    self._file.close()

    def _not_taken(self, error: OSError) -> RecordingError:
        advice = "check the disk (full, read-only, broken); what was recorded before stays readable"
        return RecordingError(str(self.path), f"the disk does not take it ({error.strerror})", advice)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Recording:
    """A recording, read through once and found whole. `lines` streams it again."""

    def __init__(self, path: Path) -> None:
        """Check the whole file. Raises RecordingError naming the line that is wrong."""
        self.path = path
        self._decoder = msgspec.json.Decoder(RecordedBytes)
        with self._opened() as file:
            self.header = self._read_header(file.readline())
        self.known = {device.id for device in self.header.devices}
        self.first_us: int | None = None
        """Time of the earliest bytes from a box; null when it has none."""
        self.last_us: int | None = None
        self.returns: dict[str, list[int | None]] = {device: [] for device in self.known}
        """For each `close` of a device, in order, when it was connected again; null when it never was."""
        self.count = 0
        self.unfinished = False
        """Whether the recorder was killed while it wrote the last line."""
        for line in self.lines():
            self.count += 1
            if line.direction == "in":
                self.first_us = line.at_us if self.first_us is None else min(self.first_us, line.at_us)
                self.last_us = line.at_us if self.last_us is None else max(self.last_us, line.at_us)
            self._note_outage(line)

    def lines(self) -> Iterator[RecordedBytes]:
        """What was recorded, in the order of the file. Raises RecordingError."""
        with self._opened() as file:
            file.readline()
            for number, text in enumerate(file, start=2):
                if not text.endswith(b"\n"):
                    self.unfinished = True
                    return
                yield self._read_line(number, text)

    def _note_outage(self, line: RecordedBytes) -> None:
        returns = self.returns[line.device]
        if line.direction == "close":
            returns.append(None)
        elif line.direction == "open" and returns and returns[-1] is None:
            returns[-1] = line.at_us

    def _opened(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            advice = "check the path; `velodrome record` makes one"
            raise RecordingError(str(self.path), f"cannot be read ({error.strerror})", advice) from error

    def _read_header(self, text: bytes) -> Header:
        try:
            header = msgspec.json.decode(text, type=Header)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            advice = "give a file that `velodrome record` made"
            raise RecordingError(str(self.path), f"line 1 is no header of a recording ({error})", advice) from error
        if header.format not in READABLE:
            advice = f"this program reads {FORMAT}; use the one that made it"
            raise RecordingError(str(self.path), f"its format is {header.format!r}", advice)
        return header

    def _read_line(self, number: int, text: bytes) -> RecordedBytes:
        advice = "remove the line, or make the recording again from its journal"
        try:
            line = self._decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RecordingError(str(self.path), f"line {number} is damaged ({error})", advice) from error
        if line.device not in self.known:
            reason = f"line {number} is of device {line.device!r}, which the header does not have"
            raise RecordingError(str(self.path), reason, advice)
        return line
