"""What a journal promises: entries come back as given, in order, numbered, chained and unchangeable."""

import hashlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timing.journal import (
    BadEntry,
    Entry,
    Journal,
    JournalExists,
    JournalLocked,
    JournalUnavailable,
    JournalWriteError,
    verify,
)

SOME_UUID = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
Entries = Callable[[int], list[Entry]]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
).filter(lambda value: "\\ud" not in json.dumps(value) or _encodable(value))


def _encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def test_rows_come_back_as_they_were_given_numbered_from_1(journal_path: Path, entries: Entries) -> None:
    given_entries = entries(3)
    with Journal.create(journal_path, 7, SOME_UUID) as journal:
        assert journal.append(given_entries[:1]) == [1]
        assert journal.append(given_entries[1:]) == [2, 3]
        assert [Entry(row.kind, row.at_us, row.body) for row in journal.rows()] == given_entries
        assert [row.id for row in journal.rows()] == [1, 2, 3]


def test_a_reopened_journal_goes_on_where_it_ended(written: Callable[[int], Path], entries: Entries) -> None:
    with Journal.open(written(3)) as journal:
        assert (journal.last_id, journal.uuid, journal.created_us) == (3, SOME_UUID, 7)
        assert journal.append(entries(2)) == [4, 5]
        assert verify(journal.path).ok


def test_open_or_create_creates_once_and_then_opens(journal_path: Path, entries: Entries) -> None:
    with Journal.open_or_create(journal_path, 7, SOME_UUID) as journal:
        journal.append(entries(1))
    with Journal.open_or_create(journal_path, 8, UUID(int=1)) as journal:
        assert (journal.last_id, journal.uuid, journal.created_us) == (1, SOME_UUID, 7)


def test_nothing_to_append_is_no_transaction(journal_path: Path) -> None:
    with Journal.create(journal_path, 7, SOME_UUID) as journal:
        assert journal.append([]) == []
        assert journal.last_id == 0
        assert list(journal.rows()) == []


@pytest.mark.parametrize("first_id", [1, 2, 999, 1_000, 1_001, 1_002, 2_500, 2_501, 9_999])
def test_reading_may_begin_at_any_row(written: Callable[[int], Path], first_id: int, entries: Entries) -> None:
    with Journal.open(written(2_500)) as journal:
        assert [row.id for row in journal.rows(first_id)] == list(range(first_id, 2_501))


def test_rows_count_from_1(written: Callable[[int], Path]) -> None:
    with Journal.open(written(1)) as journal, pytest.raises(ValueError, match="rows count from 1"):
        list(journal.rows(0))


def test_the_chain_is_the_documented_one(written: Callable[[int], Path]) -> None:
    with Journal.open_read_only(written(2)) as journal:
        expected = hashlib.sha256(b"velodrome journal 1\n" + SOME_UUID.bytes + struct.pack(">q", 7)).digest()
        for row in journal.rows():
            head = struct.pack(">qqI", row.id, row.at_us, len(row.kind.encode()))
            expected = hashlib.sha256(expected + head + row.kind.encode() + row.body).digest()
            assert row.hash == expected
        assert journal.last_hash == expected


def test_any_sqlite_tool_can_read_the_bodies(written: Callable[[int], Path]) -> None:
    with apsw.Connection(str(written(2)), flags=apsw.SQLITE_OPEN_READONLY) as connection:
        names = connection.execute("SELECT body ->> '$.rider' FROM entry WHERE at_us = 2000").fetchall()
    connection.close()
    assert names == [("VIGIÉ",)]


@settings(max_examples=30, deadline=None)
@given(st.lists(json_values, min_size=1, max_size=20), st.integers(-(2**63), 2**63 - 1))
def test_every_json_body_survives_byte_for_byte(values: list[object], at_us: int) -> None:
    bodies = [json.dumps(value, ensure_ascii=index % 2 == 0).encode() for index, value in enumerate(values)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.journal"
        with Journal.create(path, 0, SOME_UUID) as journal:
            journal.append([Entry("any", at_us, body) for body in bodies])
        with Journal.open_read_only(path) as journal:
            assert [(row.at_us, row.body) for row in journal.rows()] == [(at_us, body) for body in bodies]
        assert verify(path).ok


@pytest.mark.parametrize(
    ("kind", "at_us", "body", "complaint"),
    [
        ("", 0, b"{}", "not printable"),
        ("a\x00b", 0, b"{}", "not printable"),
        ("\ud800", 0, b"{}", "not printable"),
        ("lap", 2**63, b"{}", "64 bits"),
        ("lap", 0, b"", "not JSON"),
        ("lap", 0, b"{} {}", "not JSON"),
        ("lap", 0, b'"\xff"', "not JSON"),
        ("lap", 0, b"NaN", "not JSON"),
        ("lap", 0, b"[" * 100_000, "not JSON"),
    ],
)
def test_an_entry_that_cannot_be_stored_cannot_be_made(kind: str, at_us: int, body: bytes, complaint: str) -> None:
    with pytest.raises(BadEntry, match=complaint):
        Entry(kind, at_us, body)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET body = '{}' WHERE id = 1",
        "DELETE FROM entry WHERE id = 2",
        "INSERT OR REPLACE INTO entry VALUES (1, 0, 'x', '{}', x'00')",
        "INSERT INTO entry VALUES (9, 0, 'x', '{}', x'00')",
        "INSERT INTO entry VALUES (NULL, 0, 'x', '{}', x'00')",
        "UPDATE meta SET value = '8'",
        "DELETE FROM meta",
        "INSERT OR REPLACE INTO meta VALUES ('created_us', '8')",
        "INSERT INTO meta VALUES ('other', '8')",
    ],
)
def test_the_file_itself_refuses_changes(written: Callable[[int], Path], statement: str) -> None:
    connection = apsw.Connection(str(written(2)))
    with pytest.raises(apsw.ConstraintError, match=r"append-only|numbered|never changes"):
        connection.execute(statement)
    connection.close()


def test_a_commit_is_an_fsync_of_the_wal(written: Callable[[int], Path]) -> None:
    with Journal.open(written(1)) as journal:
        connection = journal._open_connection()
        assert (connection.pragma("journal_mode"), connection.pragma("synchronous")) == ("wal", 2)


def test_the_wal_is_moved_into_the_file_while_writing_goes_on(written: Callable[[int], Path]) -> None:
    large = Entry("large", 0, b'"%s"' % (b"x" * 100_000))
    with Journal.open(written(0)) as journal:
        for _ in range(150):
            journal.append([large])
        wal_bytes = journal.path.with_name(journal.path.name + "-wal").stat().st_size
        assert wal_bytes < 6_000_000 < journal.path.stat().st_size


def test_a_second_writer_is_refused_and_told_who_holds_the_journal(
    written: Callable[[int], Path], run_python: Callable[..., str]
) -> None:
    with Journal.open(written(1)) as journal:
        with pytest.raises(JournalLocked, match=f"process {os.getpid()} is writing"):
            Journal.open(journal.path)
        with pytest.raises(JournalLocked, match=r"meet\.journal"):
            Journal.create(journal.path, 0, SOME_UUID)
        answer = run_python(
            """
            import sys
            from timing.journal import Journal, JournalLocked
            try:
                Journal.open(sys.argv[1])
            except JournalLocked as locked:
                print(locked.holder_pid)
            """,
            journal.path,
        )
        assert int(answer) == os.getpid()
        assert journal.append([Entry("still", 0, b"1")]) == [2]


def test_the_lock_ends_with_the_writer_and_leaves_one_file(written: Callable[[int], Path]) -> None:
    path = written(1)
    Journal.open(path).close()
    Journal.open(path).close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_same_journal_under_another_name_is_locked_too(written: Callable[[int], Path], tmp_path: Path) -> None:
    link = tmp_path / "link.journal"
    link.symlink_to(written(1))
    with Journal.open(link), pytest.raises(JournalLocked):
        Journal.open(link.resolve())


def test_create_never_writes_over_anything(written: Callable[[int], Path]) -> None:
    path = written(2)
    with pytest.raises(JournalExists, match="choose another name"):
        Journal.create(path, 0, SOME_UUID)
    path.rename(path.with_name("elsewhere"))
    path.with_name(path.name + "-wal").write_bytes(b"of the old one")
    with pytest.raises(JournalExists, match=r"meet\.journal-wal of a removed journal"):
        Journal.create(path, 0, SOME_UUID)


def test_the_remains_of_a_killed_create_are_no_hindrance(journal_path: Path) -> None:
    journal_path.with_name(journal_path.name + "-new").write_bytes(b"half a jour")
    with Journal.create(journal_path, 7, SOME_UUID) as journal:
        assert journal.last_id == 0
    assert [file.name for file in journal_path.parent.iterdir()] == [journal_path.name]


def test_a_file_out_of_reach_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="no such file; check the path"):
        Journal.open(tmp_path / "nowhere.journal")
    with pytest.raises(JournalUnavailable, match="a folder, not a journal"):
        Journal.open_read_only(tmp_path)
    with pytest.raises(JournalUnavailable, match="check that the folder exists"):
        Journal.create(tmp_path / "no" / "folder.journal", 0, SOME_UUID)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_journal_says_so(written: Callable[[int], Path], entries: Entries) -> None:
    journal = Journal.open(written(1))
    journal.close()
    journal.close()
    with pytest.raises(JournalUnavailable, match="was closed; open it again"):
        journal.append(entries(1))


def test_a_row_that_another_program_slipped_in_stops_the_writer(
    written: Callable[[int], Path], entries: Entries
) -> None:
    with Journal.open(written(1)) as journal:
        intruder = apsw.Connection(str(journal.path))
        intruder.execute("INSERT INTO entry VALUES (2, 0, 'x', '{}', x'00')")
        intruder.close()
        with pytest.raises(JournalWriteError, match="another program has changed the file"):
            journal.append(entries(1))
        with pytest.raises(JournalWriteError, match="another program has changed the file"):
            journal.append(entries(2))
    report = verify(journal.path)
    assert report.problem is not None
    assert report.problem.row_id == 2
