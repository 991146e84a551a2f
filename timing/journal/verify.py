"""Proving that a journal is as it was written, row by row, without changing it."""

import os
from collections.abc import Callable

import msgspec

from timing.journal.entries import json_fault
from timing.journal.errors import DamagedJournal
from timing.journal.reader import JournalReader
from timing.journal.rows import BATCH_ROWS
from timing.journal.view import reading, resolve


class Problem(msgspec.Struct, frozen=True):
    """What is wrong. `row_id` is the first row that is not as written, None where no one row is to blame."""

    row_id: int | None
    reason: str


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `verify` found. `rows`, `first_id` and `last_id` are of the rows that are proven good.

    `last_hash` (hex) stands for the journal up to `last_id`: compare it with one that was noted earlier to
    see that no rows were cut from the end, which no file can prove by itself.
    """

    path: str
    ok: bool
    rows: int
    first_id: int | None = None
    last_id: int | None = None
    problem: Problem | None = None
    journal_id: str = ""
    created_us: int | None = None
    last_hash: str = ""


def verify(path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None) -> VerifyReport:
    """Check every row (number, hash, JSON) up to the last one there is now, then the file's structure.

    `progress(rows checked, rows in all)` is called every 1,000 rows and at the end. A journal may be
    verified while it is written. Damage is reported, not raised; raises `NotAJournal` for a file that is
    no journal and `JournalUnavailable` for one that cannot be reached.
    """
    try:
        with JournalReader(path) as journal:
            return _verify(journal, progress)
    except DamagedJournal as damage:
        return VerifyReport(path=str(resolve(path)), ok=False, rows=0, problem=Problem(damage.row_id, damage.reason))


def _verify(journal: JournalReader, progress: Callable[[int, int], None] | None) -> VerifyReport:
    total = journal.last_id
    good = 0
    last_hash = b""
    problem: Problem | None = None
    try:
        for row in journal.rows():
            if (fault := json_fault(row.body)) is not None:
                raise DamagedJournal(journal.path, row.id, f"has a body that is not JSON ({fault})")
            good, last_hash = row.id, row.hash
            if progress is not None and good % BATCH_ROWS == 0 and good < total:
                progress(good, total)
            if good >= total:
                break
        if (fault := _structure_fault(journal)) is not None:
            raise DamagedJournal(journal.path, None, fault)
    except DamagedJournal as damage:
        problem = Problem(damage.row_id, damage.reason)
    if progress is not None:
        progress(good, total)
    return VerifyReport(
        path=str(journal.path),
        ok=problem is None,
        rows=good,
        first_id=1 if good else None,
        last_id=good or None,
        problem=problem,
        journal_id=str(journal.uuid),
        created_us=journal.created_us,
        last_hash=last_hash.hex(),
    )


def _structure_fault(journal: JournalReader) -> str | None:
    with reading(journal.path):
        verdicts = journal.ask(lambda connection: connection.execute("PRAGMA integrity_check(1)").fetchall())
    verdict = str(verdicts[0][0])
    return None if verdict == "ok" else f"the file's structure is broken ({' '.join(verdict.split())})"
