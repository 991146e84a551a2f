"""Everything that can go wrong with a journal, in one tree.

    JournalError                 catch this one to catch them all
    ├── BadEntry                 an entry that must not be stored: its body is no JSON, its kind is empty …
    ├── JournalUnavailable       no such file, no permission, a folder …: the file could not be reached
    ├── JournalExists            `create` where a journal, or the remains of one, already is
    ├── NotAJournal              the file is something else, or was made by a newer velodrome
    ├── DamagedJournal           it is a journal, but not as it was written; says which row and why
    ├── JournalLocked            another process writes this journal
    └── JournalWriteError        the disk refused an entry: it is not stored, and no further one will be

Each message says what is wrong, where, and how to mend it, and fits on one line.
"""

from pathlib import Path


class JournalError(Exception):
    """The root. `path` is the journal's file, None where no file is concerned."""

    def __init__(self, path: Path | None, what: str, mend: str) -> None:
        where = f"{path}: " if path is not None else ""
        super().__init__(f"{where}{what}; {mend}")
        self.path = path


class BadEntry(JournalError):
    """Raised when an `Entry` is made from values that a journal cannot hold."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(None, what, mend)


class JournalUnavailable(JournalError):
    """Raised when the file cannot be reached at all."""


class JournalExists(JournalError):
    """Raised by `create` rather than writing over something."""


class NotAJournal(JournalError):
    """Raised for a file that is no journal, or one of a version that this program does not know."""


class DamagedJournal(JournalError):
    """Raised for a journal that is not as it was written. `row_id` is None where no one row is to blame."""

    def __init__(self, path: Path, row_id: int | None, reason: str) -> None:
        where = f"row {row_id} " if row_id is not None else ""
        super().__init__(
            path,
            f"damaged journal: {where}{reason}",
            "keep the file as it is, run `velodrome verify` on it, and go on with a copy or a new journal",
        )
        self.row_id = row_id
        self.reason = reason


class JournalLocked(JournalError):
    """Raised when another writer holds the journal. `holder_pid` is None where it could not be learned."""

    def __init__(self, path: Path, holder_pid: int | None) -> None:
        holder = f"process {holder_pid}" if holder_pid is not None else "another process"
        super().__init__(path, f"{holder} is writing this journal", "stop it first, or open read-only")
        self.holder_pid = holder_pid


class JournalWriteError(JournalError):
    """Raised when an entry could not be made durable. It has no id and must be treated as never entered."""
