"""The journal's file format: an SQLite database with these marks, tables and triggers, and nothing else.

The marks are SQLite's own fields for this (https://www.sqlite.org/fileformat2.html section 1.3):
`application_id` says that it is a journal, `user_version` of which version.
"""

from pathlib import Path
from uuid import UUID

import apsw
import msgspec

from timing.journal.chain import genesis_hash
from timing.journal.errors import DamagedJournal, NotAJournal

APPLICATION_ID = int.from_bytes(b"VELO", "big")
VERSION = 1

_SQLITE_MAGIC = b"SQLite format 3\x00"
_HEADER_LENGTH = 100
_USER_VERSION_AT = 60
_APPLICATION_ID_AT = 68

SCHEMA = {
    "meta": "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "entry": (
        "CREATE TABLE entry (id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, kind TEXT NOT NULL,"
        " body TEXT NOT NULL, hash BLOB NOT NULL) STRICT"
    ),
    # INSERT OR REPLACE deletes without firing delete triggers; a number that must be the next one stops it.
    "entry_numbered": (
        "CREATE TRIGGER entry_numbered BEFORE INSERT ON entry"
        " WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM entry)"
        " BEGIN SELECT RAISE(ABORT, 'journal rows are numbered 1, 2, 3 without holes'); END"
    ),
    "entry_unchanged": (
        "CREATE TRIGGER entry_unchanged BEFORE UPDATE ON entry"
        " BEGIN SELECT RAISE(ABORT, 'a journal is append-only: enter a correction instead'); END"
    ),
    "entry_kept": (
        "CREATE TRIGGER entry_kept BEFORE DELETE ON entry"
        " BEGIN SELECT RAISE(ABORT, 'a journal is append-only: enter a correction instead'); END"
    ),
    "meta_complete": (
        "CREATE TRIGGER meta_complete BEFORE INSERT ON meta WHEN NEW.name NOT IN ('uuid', 'created_us')"
        " OR EXISTS (SELECT 1 FROM meta WHERE name = NEW.name)"
        " BEGIN SELECT RAISE(ABORT, 'the identity of a journal never changes'); END"
    ),
    "meta_unchanged": (
        "CREATE TRIGGER meta_unchanged BEFORE UPDATE ON meta"
        " BEGIN SELECT RAISE(ABORT, 'the identity of a journal never changes'); END"
    ),
    "meta_kept": (
        "CREATE TRIGGER meta_kept BEFORE DELETE ON meta"
        " BEGIN SELECT RAISE(ABORT, 'the identity of a journal never changes'); END"
    ),
}
"""Name of each object to its SQL, word for word as SQLite keeps it."""


class Identity(msgspec.Struct, frozen=True):
    """Which journal this is: a random uuid and host UTC µs, both given at its creation."""

    uuid: UUID
    created_us: int

    @property
    def genesis(self) -> bytes:
        """The hash that stands before row 1."""
        return genesis_hash(self.uuid, self.created_us)


def write_schema(connection: apsw.Connection, identity: Identity) -> None:
    """Make an empty database a journal without rows, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for sql in SCHEMA.values():
        connection.execute(sql)
    connection.executemany(
        "INSERT INTO meta (name, value) VALUES (?, ?)",
        [("uuid", str(identity.uuid)), ("created_us", str(identity.created_us))],
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def check_header(path: Path, header: bytes) -> None:
    """Check the first 100 bytes of a file. Raises `NotAJournal`."""
    if not header:
        raise NotAJournal(path, "the file is empty, not a journal", "check the path, or remove the file")
    if len(header) < _HEADER_LENGTH or not header.startswith(_SQLITE_MAGIC):
        raise NotAJournal(path, "not a journal (nor any SQLite file)", "check the path")
    application_id = int.from_bytes(header[_APPLICATION_ID_AT : _APPLICATION_ID_AT + 4], "big")
    if application_id != APPLICATION_ID:
        raise NotAJournal(path, "an SQLite file of another program, not a journal", "check the path")
    version = int.from_bytes(header[_USER_VERSION_AT : _USER_VERSION_AT + 4], "big")
    if version != VERSION:
        raise NotAJournal(
            path,
            f"a journal of version {version}; this velodrome knows version {VERSION}",
            "open it with the velodrome that wrote it, or a newer one",
        )


def read_header(path: Path) -> bytes:
    """Return the first 100 bytes of a file, fewer when it has no more. Raises OSError."""
    with path.open("rb") as file:
        return file.read(_HEADER_LENGTH)


def read_identity(connection: apsw.Connection, path: Path) -> Identity:
    """Check that tables and triggers are the ones of `SCHEMA` and return whose they are.

    Raises `DamagedJournal`, or `apsw.Error` when the file cannot be read that far.
    """
    found = _pairs(connection, "SELECT name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*'")
    if found != SCHEMA:
        changed = sorted(name for name in found.keys() | SCHEMA if found.get(name) != SCHEMA.get(name))
        raise DamagedJournal(path, None, f"tables or triggers were altered: {', '.join(map(str, changed))}")
    meta = _pairs(connection, "SELECT name, value FROM meta")
    try:
        return Identity(UUID(meta["uuid"]), int(meta["created_us"]))
    except (KeyError, ValueError) as fault:
        raise DamagedJournal(path, None, f"the identity in its meta table is unreadable ({fault})") from fault


def _pairs(connection: apsw.Connection, query: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in connection.execute(query).fetchall()}
