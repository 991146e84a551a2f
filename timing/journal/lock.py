"""One writer at a time: a lock on a side file, `<journal>-lock`, that dies with its process.

It is an open-file-description lock (fcntl(2), F_OFD_SETLK), so that a second writer in the same process is
refused too, and a reader can ask for the writer without ever being in its way. The side file holds the
writer's process id; it goes away when the writer closes, and stays, unlocked and harmless, after a kill.
A side file, because closing any other descriptor of the database would drop SQLite's own locks on it.
"""

import fcntl
import os
import struct
from pathlib import Path

from timing.journal.errors import JournalLocked, JournalUnavailable

_FLOCK = struct.Struct("@hhqqi0q")
"""`struct flock` with its tail padding: type, whence, start, length, pid. The pid must be 0 in a request."""
_LENGTH_OF_PID = 20


def _whole_file(lock_type: int) -> bytes:
    return _FLOCK.pack(lock_type, os.SEEK_SET, 0, 0, 0)


def _side_file(journal: Path) -> Path:
    return journal.with_name(journal.name + "-lock")


def _written_pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, _LENGTH_OF_PID, 0)
    return int(text) if text.isdigit() else None


def writer_is_alive(journal: Path) -> bool:
    """Whether some process, this one included, has the journal open for writing. Takes no lock itself."""
    try:
        descriptor = os.open(_side_file(journal), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _whole_file(fcntl.F_WRLCK))
    finally:
        os.close(descriptor)
    lock_type: int = _FLOCK.unpack(answer)[0]
    return lock_type != fcntl.F_UNLCK


class WriterLock:
    """The right to write one journal, from construction to `release`.

    Raises `JournalLocked`, or `JournalUnavailable` when the side file cannot be made.
    """

    def __init__(self, journal: Path) -> None:
        self._side_file = _side_file(journal)
        try:
            self._descriptor = self._acquire(journal)
        except OSError as fault:
            raise JournalUnavailable(
                journal,
                f"cannot make its lock file {self._side_file.name} ({fault.strerror})",
                "check that the folder exists and may be written to",
            ) from fault

    def _acquire(self, journal: Path) -> int:
        while True:
            descriptor = os.open(self._side_file, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_WRLCK))
            except BlockingIOError:
                holder = _written_pid(descriptor)
                os.close(descriptor)
                raise JournalLocked(journal, holder) from None
            if self._is_still_there(descriptor):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                return descriptor
            # The last writer removed the file between our open and our lock: this lock guards nothing.
            os.close(descriptor)

    def _is_still_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._side_file.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the journal up. Removing before unlocking keeps two writers from holding two files."""
        self._side_file.unlink(missing_ok=True)
        os.close(self._descriptor)
