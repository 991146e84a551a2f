"""Making a new journal file: beside its place, then moved there, so that half a journal never exists."""

import os
from pathlib import Path

import apsw

from timing.journal.errors import JournalExists, JournalUnavailable, JournalWriteError
from timing.journal.schema import Identity, write_schema


def write_new_journal(path: Path, identity: Identity) -> None:
    """Write an empty journal at the absolute `path`, durably. The caller holds the writer's lock.

    Raises `JournalExists`, `JournalUnavailable` or `JournalWriteError`.
    """
    _refuse_remains(path)
    draft = path.with_name(path.name + "-new")
    try:
        _remove_with_side_files(draft)
        connection = apsw.Connection(str(draft))
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            write_schema(connection, identity)
        finally:
            connection.close()
        draft.rename(path)
        _sync_folder(path.parent)
    except apsw.Error as fault:
        _remove_with_side_files(draft)
        raise write_error(path, fault) from fault
    except OSError as fault:
        raise JournalUnavailable(
            path, f"cannot be made ({fault.strerror})", "check that its folder may be written to"
        ) from fault


def write_error(path: Path, fault: apsw.Error) -> JournalWriteError:
    """Say for an operator what SQLite says when it cannot write."""
    if isinstance(fault, apsw.FullError):
        return JournalWriteError(path, "the disk is full", "free space on it, then start again")
    if isinstance(fault, apsw.BusyError):
        return JournalWriteError(
            path, "another program is writing to the file", "close whatever has it open, then start again"
        )
    if isinstance(fault, apsw.ConstraintError):
        return JournalWriteError(
            path, f"another program has changed the file ({fault})", "close that program, then start again"
        )
    return JournalWriteError(
        path,
        f"the disk refused to write ({fault})",
        "check its free space, quota and health, then start again",
    )


def _refuse_remains(path: Path) -> None:
    if path.exists():
        raise JournalExists(path, "a file of this name exists", "open it, or choose another name")
    for suffix in ("-wal", "-journal"):
        remains = path.with_name(path.name + suffix)
        if remains.exists():
            # SQLite would take it for a part of the new file.
            raise JournalExists(
                path,
                f"{remains.name} of a removed journal is still there",
                "put that journal back, or move this file away too",
            )


def _remove_with_side_files(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
