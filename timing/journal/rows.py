"""Reading rows: in batches, in order, and never one that does not fit the hash chain."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import apsw

from timing.journal.chain import row_hash
from timing.journal.entries import Row
from timing.journal.errors import DamagedJournal
from timing.journal.view import reading

BATCH_ROWS = 1_000
"""Rows held in memory at once; also how long a reader can keep the writer from recycling its -wal."""

StoredRow: TypeAlias = tuple[Any, Any, Any, Any, Any]
"""id, at_us, kind, body, hash as they are in the file: of any type, since the file may be damaged."""

Fetch: TypeAlias = Callable[[int, int], list[StoredRow]]
"""(first id, limit) to the rows from that id on, in order. Raises `apsw.Error`."""


def fetch_rows(connection: apsw.Connection, first_id: int, limit: int) -> list[StoredRow]:
    """Read up to `limit` rows from `first_id` on; texts as bytes, since damaged ones are no texts."""
    rows: Any = connection.execute(
        "SELECT id, at_us, CAST(kind AS BLOB), CAST(body AS BLOB), hash FROM entry WHERE id >= ? ORDER BY id LIMIT ?",
        (first_id, limit),
    ).fetchall()
    return list(rows)


def last_row(connection: apsw.Connection, genesis: bytes) -> tuple[int, bytes]:
    """Return id and hash of the last row; 0 and the genesis hash when there is none. Raises `apsw.Error`."""
    found = connection.execute("SELECT id, hash FROM entry ORDER BY id DESC LIMIT 1").fetchone()
    return found if found is not None else (0, genesis)


def checked_rows(path: Path, genesis: bytes, fetch: Fetch, first_id: int = 1) -> Iterator[Row]:
    """Yield the rows from `first_id` on, each checked against the one before it.

    Ends at what is the last row when it gets there. Raises `DamagedJournal` in place of the first row that
    is not as it was written.
    """
    if first_id < 1:
        raise ValueError(f"first_id {first_id} is not allowed: rows count from 1")
    next_id = max(first_id - 1, 1)
    previous = genesis if next_id == 1 else None
    limit = BATCH_ROWS
    while True:
        try:
            batch = fetch(next_id, limit)
        except apsw.CorruptError as fault:
            if limit > 1:
                # Row by row from here on, so that every good row is delivered and the bad one named.
                limit = 1
                continue
            with reading(path, next_id):
                raise fault
        for stored in batch:
            row = _checked(path, stored, next_id, previous)
            previous = row.hash
            next_id += 1
            if row.id >= first_id:
                yield row
        if len(batch) < limit:
            return


def _checked(path: Path, stored: StoredRow, expected_id: int, previous: bytes | None) -> Row:
    """Make a Row of what was stored; `previous` is None for a row that only serves to start the chain."""
    row_id, at_us, kind, body, stored_hash = stored
    if row_id != expected_id:
        raise DamagedJournal(path, expected_id, f"is missing (row {row_id} follows in its place)")
    if not (
        isinstance(at_us, int)
        and isinstance(kind, bytes)
        and isinstance(body, bytes)
        and isinstance(stored_hash, bytes)
    ):
        raise DamagedJournal(path, row_id, "holds values of the wrong type")
    if previous is not None and row_hash(previous, row_id, at_us, kind, body) != stored_hash:
        raise DamagedJournal(path, row_id, "does not match its hash: it or the hash before it was changed")
    try:
        return Row(row_id, at_us, kind.decode(), body, stored_hash)
    except UnicodeDecodeError as fault:
        raise DamagedJournal(path, row_id, f"has a kind that is no text ({fault})") from fault
