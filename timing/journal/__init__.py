"""The append-only store of everything that happened. Knows nothing of racing. See README.md beside this."""

from timing.journal.entries import Entry, Row
from timing.journal.errors import (
    BadEntry,
    DamagedJournal,
    JournalError,
    JournalExists,
    JournalLocked,
    JournalUnavailable,
    JournalWriteError,
    NotAJournal,
)
from timing.journal.reader import JournalReader
from timing.journal.store import Journal
from timing.journal.verify import Problem, VerifyReport, verify
from timing.journal.writer import JournalWriter

__all__ = [
    "BadEntry",
    "DamagedJournal",
    "Entry",
    "Journal",
    "JournalError",
    "JournalExists",
    "JournalLocked",
    "JournalReader",
    "JournalUnavailable",
    "JournalWriteError",
    "JournalWriter",
    "NotAJournal",
    "Problem",
    "Row",
    "VerifyReport",
    "verify",
]
