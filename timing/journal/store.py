"""The journal opened for writing: one file, one writer, every row on disk before `append` returns."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self
from uuid import UUID

import apsw

from timing.journal.chain import row_hash
from timing.journal.creation import write_error, write_new_journal
from timing.journal.entries import Entry, Row
from timing.journal.errors import DamagedJournal, JournalUnavailable, JournalWriteError
from timing.journal.lock import WriterLock
from timing.journal.reader import JournalReader
from timing.journal.rows import StoredRow, checked_rows, fetch_rows, last_row
from timing.journal.schema import Identity, read_identity
from timing.journal.view import BUSY_TIMEOUT_MS, View, reading, resolve

CHECKPOINT_PAGES = 1_000
"""Pages (4 KiB) in the -wal from which on it is worth moving them into the file; SQLite's own default."""

CHECKED_AT_OPEN = 1_000
"""Last rows whose chain `open` proves. `rows` and `verify` prove all that they read."""

_INSERT = "INSERT INTO entry (id, at_us, kind, body, hash) VALUES (?, ?, ?, ?, ?)"


class Journal:
    """An append-only file of entries, numbered from 1 without holes and chained by hashes.

    Knows nothing of what the entries mean. Made by `create`, `open` or `open_or_create`. Not safe for use
    by two threads at once; `JournalWriter` gives it a thread of its own.
    """

    def __init__(self, path: Path, lock: WriterLock) -> None:
        """For the class methods only: `lock` is held for the absolute `path` of an existing journal."""
        self.path = path
        self._lock = lock
        self._identity, (self._last_id, self._last_hash) = _prove(path)
        self._wal_pages = 0
        self._checkpointed_pages = 0
        self._failure: JournalWriteError | None = None
        self._connection: apsw.Connection | None = self._connect()

    @classmethod
    def create(cls, path: str | os.PathLike[str], now_us: int, uuid: UUID) -> Self:
        """Make a new journal and open it; a kill on the way leaves the whole file or none.

        Raises `JournalExists`, `JournalLocked`, `JournalUnavailable` or `JournalWriteError`.
        """
        file = resolve(path)
        lock = WriterLock(file)
        try:
            write_new_journal(file, Identity(uuid, now_us))
            return cls(file, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a journal to go on with it. What a killed writer left in the -wal is recovered.

        The structure of the file (SQLite's quick_check, 1 s a gigabyte) and the chain of its last 1,000
        rows are proven first. When this raises `NotAJournal`, `DamagedJournal`, `JournalLocked` or
        `JournalUnavailable`, the file is as it was.
        """
        file = resolve(path)
        # Refuses a foreign file before a lock file appears beside it.
        View(file).close()
        lock = WriterLock(file)
        try:
            return cls(file, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open_or_create(cls, path: str | os.PathLike[str], now_us: int, uuid: UUID) -> Self:
        """Open the journal at `path`, or create it with this time and identity when nothing is there."""
        if resolve(path).exists():
            return cls.open(path)
        return cls.create(path, now_us, uuid)

    @staticmethod
    def open_read_only(path: str | os.PathLike[str]) -> JournalReader:
        """Open a journal to look at it, beside a live writer or without one; changes no file."""
        return JournalReader(path)

    @property
    def uuid(self) -> UUID:
        """The journal's identity for life."""
        return self._identity.uuid

    @property
    def created_us(self) -> int:
        """Host UTC µs of its creation."""
        return self._identity.created_us

    @property
    def last_id(self) -> int:
        """Id of the last row, 0 when there is none."""
        return self._last_id

    @property
    def last_hash(self) -> bytes:
        """Hash of the last row: it stands for the whole journal up to there."""
        return self._last_hash

    def append(self, entries: Sequence[Entry]) -> list[int]:
        """Store entries in one transaction; return their ids, in order, once they are on disk.

        Raises `JournalWriteError`: then none of them is stored, and the journal takes no more.
        """
        ids = self.commit(entries)
        self.checkpoint_when_due()
        return ids

    def commit(self, entries: Sequence[Entry]) -> list[int]:
        """Do what `append` does but leave the checkpoint to the caller, for a moment when nobody waits."""
        connection = self._writable()
        if not entries:
            return []
        previous = self._last_hash
        stored = []
        for row_id, entry in enumerate(entries, self._last_id + 1):
            kind = entry.kind.encode()
            previous = row_hash(previous, row_id, entry.at_us, kind, entry.body)
            stored.append((row_id, entry.at_us, entry.kind, entry.body.decode(), previous))
        try:
            if len(stored) == 1:
                # A statement by itself is a transaction: the shortest way for the most frequent case.
                connection.execute(_INSERT, stored[0])
            else:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(_INSERT, stored)
                connection.execute("COMMIT")
        except apsw.Error as fault:
            self._refuse_from_now_on(fault)
        first_id, self._last_id, self._last_hash = self._last_id + 1, stored[-1][0], previous
        return list(range(first_id, self._last_id + 1))

    def checkpoint_when_due(self, due_pages: int = CHECKPOINT_PAGES) -> None:
        """Move rows from the -wal into the file when `due_pages` have gathered; never waits for readers.

        Raises nothing, as all rows are safe where they are: a disk that refuses fails the next `commit`.
        """
        if self._connection is None or self._wal_pages - self._checkpointed_pages < due_pages:
            return
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:
            # Somebody else's checkpoint is under way and does the same work.
            return
        except apsw.Error as fault:
            self._failure = write_error(self.path, fault)
        self._checkpointed_pages = self._wal_pages

    def rows(self, first_id: int = 1) -> Iterator[Row]:
        """Stream the rows from `first_id` on, each checked by its hash.

        Raises `DamagedJournal` in place of a bad row, ValueError for a `first_id` below 1.
        """
        return checked_rows(self.path, self._identity.genesis, self._fetch, first_id)

    def close(self) -> None:
        """Move all rows into the one file, let the lock go. Closing twice is allowed."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            finally:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self) -> apsw.Connection:
        with reading(self.path):
            connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            connection.execute("PRAGMA trusted_schema = OFF")
            mode = connection.pragma("journal_mode", "wal")
            connection.execute("PRAGMA synchronous = FULL")
            # Replaces SQLite's checkpoint inside COMMIT, which would let one commit in some hundreds wait.
            connection.set_wal_hook(self._note_wal_pages)
        if connection.readonly("main"):
            # SQLite opens a write-protected file for reading without a word.
            connection.close()
            raise JournalUnavailable(
                self.path, "the file is write-protected", "change its permissions, or open it read-only"
            )
        if mode != "wal":
            connection.close()
            raise JournalUnavailable(
                self.path, f"its disk allows only {mode} mode", "put it on a local disk with shared memory"
            )
        return connection

    def _note_wal_pages(self, connection: apsw.Connection, database: str, pages: int) -> int:
        if pages < self._wal_pages:
            # SQLite has begun the -wal anew.
            self._checkpointed_pages = 0
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _fetch(self, first_id: int, limit: int) -> list[StoredRow]:
        return fetch_rows(self._open_connection(), first_id, limit)

    def _open_connection(self) -> apsw.Connection:
        if self._connection is None:
            raise JournalUnavailable(self.path, "this journal was closed", "open it again")
        return self._connection

    def _writable(self) -> apsw.Connection:
        if self._failure is not None:
            raise self._failure
        return self._open_connection()

    def _refuse_from_now_on(self, fault: apsw.Error) -> NoReturn:
        """Remember the first failure for ever: after a failed fsync nobody knows what a next one proves."""
        self._failure = write_error(self.path, fault)
        connection = self._open_connection()
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except apsw.Error as second_fault:
            # Closing the connection rolls back too.
            self._failure.add_note(f"rolling back failed too: {second_fault}")
        raise self._failure from fault


def _prove(path: Path) -> tuple[Identity, tuple[int, bytes]]:
    """Check a journal before writing to it; return its identity, and id and hash of its last row."""
    view = View(path, writer_is_us=True)
    try:
        connection = view.connection
        with reading(path):
            identity = read_identity(connection, path)
            verdict = str(connection.pragma("quick_check", 1))
            if verdict != "ok":
                raise DamagedJournal(path, None, f"its structure is broken ({' '.join(verdict.split())})")
            last = last_row(connection, identity.genesis)
            first_id = max(1, last[0] - CHECKED_AT_OPEN + 1)
            for _ in checked_rows(path, identity.genesis, lambda *a: fetch_rows(connection, *a), first_id):
                pass
    finally:
        view.close()
    return identity, last
