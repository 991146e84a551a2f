"""Looking at a journal's file without changing anything: which of SQLite's ways to open it is safe now."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import apsw

from timing.journal.errors import DamagedJournal, JournalUnavailable, NotAJournal
from timing.journal.lock import writer_is_alive
from timing.journal.schema import check_header, read_header

BUSY_TIMEOUT_MS = 5_000
"""How long to wait for the moments in which SQLite locks everybody out (recovery, the last close)."""

_FileState: TypeAlias = tuple[int, int, int] | None


class View:
    """A read-only connection to a journal. Writes neither the file nor its -wal, and leaves no file behind.

    Where a writer lives or was killed, its -shm exists and the connection shares SQLite's locks through it.
    Where there is none, none is made: a file without -wal is read as immutable, a copied file with its -wal
    through an index in memory. Those two take no locks, so what was read counts only if `is_current` still
    says so afterwards; if not, open a new View and read again. Closing a View of the third kind drops the
    SQLite locks that this process holds on the same file (fcntl(2)): close it before writing a copied file.

    `writer_is_us` says that the caller holds the writer's lock and has not begun to write, so that nobody
    else will. Raises `NotAJournal` or `JournalUnavailable`.
    """

    def __init__(self, path: Path, *, writer_is_us: bool = False) -> None:
        self._path = path
        self._writer_is_us = writer_is_us
        with reaching(path):
            alive = not writer_is_us and writer_is_alive(path)
            self._state = _states(path)
            has_wal = bool(_size(_beside(path, "-wal")))
            if not alive:
                check_header(path, read_header(path))
        self._locks = alive or (has_wal and _size(_beside(path, "-shm")) is not None)
        if self._locks:
            options = "mode=ro"
        elif has_wal:
            options = "mode=ro&vfs=unix-none"
        else:
            options = "mode=ro&immutable=1"
        with reading(path):
            self.connection = apsw.Connection(
                f"{path.as_uri()}?{options}", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            )
            self.connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            if has_wal and not self._locks:
                # Before the first read, this keeps the index of the -wal in memory instead of in a -shm file.
                self.connection.execute("PRAGMA locking_mode = EXCLUSIVE")

    @property
    def is_current(self) -> bool:
        """Whether what was read so far can be trusted: no writer came while we read without locks."""
        if self._locks or self._writer_is_us:
            return True
        return _states(self._path) == self._state and not writer_is_alive(self._path)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def resolve(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path without links: the one that SQLite names the -wal after."""
    return Path(os.path.realpath(path))


@contextmanager
def reaching(path: Path) -> Iterator[None]:
    """Turn what the file system says about the file into `JournalUnavailable`."""
    try:
        yield
    except FileNotFoundError as fault:
        raise JournalUnavailable(path, "no such file", "check the path, or create the journal first") from fault
    except IsADirectoryError as fault:
        raise JournalUnavailable(path, "a folder, not a journal", "name the file in it") from fault
    except OSError as fault:
        raise JournalUnavailable(
            path, f"cannot be read ({fault.strerror})", "check the file's permissions and its disk"
        ) from fault


@contextmanager
def reading(path: Path, row_id: int | None = None) -> Iterator[None]:
    """Turn what SQLite says while reading into our errors, blaming `row_id` for damage."""
    try:
        yield
    except apsw.CorruptError as fault:
        raise DamagedJournal(path, row_id, f"cannot be read, the file is cut or overwritten ({fault})") from fault
    except apsw.NotADBError as fault:
        raise NotAJournal(path, f"not a journal ({fault})", "check the path") from fault
    except apsw.Error as fault:
        raise JournalUnavailable(
            path, f"cannot be read ({fault})", "check the file's permissions and its disk, then try again"
        ) from fault


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _state(path: Path) -> _FileState:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _states(path: Path) -> tuple[_FileState, _FileState]:
    return _state(path), _state(_beside(path, "-wal"))
