"""A journal that is not as it was written is found out, named to the row, and left exactly as it is."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import apsw
import pytest

from timing.journal import DamagedJournal, Entry, Journal, JournalError, NotAJournal, verify
from timing.journal.chain import row_hash
from timing.journal.schema import APPLICATION_ID

Written = Callable[[int], Path]
FolderState = Callable[..., dict[str, tuple[bytes, int]]]
Tamper = Callable[..., None]

_SOME_HASH = "x'" + "ab" * 32 + "'"


def _foreign_database(path: Path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE lunch (menu TEXT)")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def _text_file(path: Path) -> None:
    path.write_text("bib,rider\n" * 100)


def _other_database(path: Path) -> None:
    _foreign_database(path)


def _other_wal_database(path: Path) -> None:
    _foreign_database(path, "PRAGMA journal_mode = WAL")


def _newer_journal(path: Path) -> None:
    _foreign_database(path, f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 2")


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (Path.touch, "empty"),
        (lambda path: path.write_bytes(b"SQLite format 3\x00"), "not a journal"),
        (_text_file, "nor any SQLite file"),
        (_other_database, "an SQLite file of another program"),
        (_other_wal_database, "an SQLite file of another program"),
        (_newer_journal, "version 2; this velodrome knows version 1"),
    ],
)
@pytest.mark.parametrize("opening", [Journal.open, Journal.open_read_only, verify])
def test_a_foreign_file_is_named_and_left_alone(
    journal_path: Path,
    folder_state: FolderState,
    make: Callable[[Path], object],
    complaint: str,
    opening: Callable[[Path], object],
) -> None:
    make(journal_path)
    before = folder_state(journal_path.parent, ignore=())
    with pytest.raises(NotAJournal, match=complaint) as raised:
        opening(journal_path)
    assert str(journal_path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert folder_state(journal_path.parent, ignore=()) == before


ROW_DAMAGE = [
    ("UPDATE entry SET body = replace(body, 'VIGI', 'VIGO') WHERE id = 3", 3, "does not match its hash"),
    ("UPDATE entry SET at_us = at_us + 1 WHERE id = 2", 2, "does not match its hash"),
    ("UPDATE entry SET kind = 'decision' WHERE id = 1", 1, "does not match its hash"),
    (f"UPDATE entry SET hash = {_SOME_HASH} WHERE id = 5", 5, "does not match its hash"),
    ("DELETE FROM entry WHERE id = 4", 4, "is missing"),
    ("DELETE FROM entry WHERE id = 1", 1, "is missing"),
    ("UPDATE meta SET value = '00000000-0000-0000-0000-000000000000' WHERE name = 'uuid'", 1, "its hash"),
]


@pytest.mark.parametrize(("statement", "row_id", "reason"), ROW_DAMAGE)
def test_a_changed_row_is_found_and_the_file_not_touched(
    written: Written, tamper: Tamper, folder_state: FolderState, statement: str, row_id: int, reason: str
) -> None:
    path = written(6)
    tamper(path, statement)
    before = folder_state(path.parent, ignore=())

    report = verify(path)
    assert not report.ok
    assert report.problem is not None
    assert report.problem.row_id == row_id
    assert reason in report.problem.reason
    assert (report.rows, report.last_id) == (row_id - 1, row_id - 1 or None)

    with pytest.raises(DamagedJournal, match=f"row {row_id} .*{reason}") as raised:
        Journal.open(path)
    assert raised.value.row_id == row_id
    with Journal.open_read_only(path) as reader:
        ids = (row.id for row in reader.rows())
        with pytest.raises(DamagedJournal, match=reason):
            list(ids)
    assert folder_state(path.parent, ignore=()) == before


def test_reading_delivers_every_row_before_the_damage(written: Written, tamper: Tamper) -> None:
    path = written(1_500)
    tamper(path, "DELETE FROM entry WHERE id = 1400")
    delivered = []
    with Journal.open_read_only(path) as reader:
        ids = (row.id for row in reader.rows())
        with pytest.raises(DamagedJournal, match="row 1400 is missing"):
            delivered.extend(ids)
    assert delivered == list(range(1, 1_400))


def test_old_damage_is_found_by_reading_and_verify_even_where_open_does_not_look(
    written: Written, tamper: Tamper
) -> None:
    path = written(2_500)
    tamper(path, "UPDATE entry SET kind = 'x' WHERE id = 10")
    with Journal.open(path) as journal, pytest.raises(DamagedJournal, match="row 10 does not match"):
        list(journal.rows())
    problem = verify(path).problem
    assert problem is not None
    assert problem.row_id == 10


def test_a_body_that_is_not_json_is_found_though_its_hash_is_right(written: Written, tamper: Tamper) -> None:
    path = written(2)
    with Journal.open_read_only(path) as reader:
        forged = row_hash(reader.last_hash, 3, 0, b"x", b"{]")
    tamper(path, f"INSERT INTO entry VALUES (3, 0, 'x', '{{]', x'{forged.hex()}')")
    problem = verify(path).problem
    assert problem is not None
    assert (problem.row_id, "not JSON" in problem.reason) == (3, True)


def test_rows_cut_from_the_end_show_in_the_last_hash(written: Written, tamper: Tamper) -> None:
    path = written(3)
    noted = verify(path)
    tamper(path, "DELETE FROM entry WHERE id = 3")
    shortened = verify(path)
    assert shortened.ok, "a chain cannot see this by itself"
    assert (shortened.last_id, shortened.last_hash) != (noted.last_id, noted.last_hash)


def test_a_journal_without_its_triggers_is_refused(written: Written, folder_state: FolderState) -> None:
    path = written(2)
    connection = apsw.Connection(str(path))
    connection.execute("DROP TRIGGER entry_kept")
    connection.close()
    before = folder_state(path.parent, ignore=())
    with pytest.raises(DamagedJournal, match="tables or triggers were altered: entry_kept"):
        Journal.open(path)
    assert not verify(path).ok
    assert folder_state(path.parent, ignore=()) == before


@pytest.mark.parametrize("kept", [50, 4_096, 9_000, 20_480, -1])
def test_a_cut_file_is_refused_and_left_as_it_is(written: Written, folder_state: FolderState, kept: int) -> None:
    path = written(2_000)
    content = path.read_bytes()
    path.write_bytes(content[:kept])
    before = folder_state(path.parent, ignore=())
    for opening in (Journal.open, lambda p: list(Journal.open_read_only(p).rows())):
        with pytest.raises(JournalError, match=r"cannot be read|not a journal|broken|does not match"):
            opening(path)
    assert folder_state(path.parent, ignore=()) == before


def test_a_journal_overwritten_in_the_middle_is_refused_with_the_row(
    written: Written, folder_state: FolderState
) -> None:
    path = written(2_000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4_096 * 4_096
    content[middle : middle + 4_096] = bytes(4_096)
    path.write_bytes(content)
    before = folder_state(path.parent, ignore=())
    report = verify(path)
    assert report.problem is not None
    assert report.problem.row_id == report.rows + 1
    assert 0 < report.rows < 2_000
    with pytest.raises(DamagedJournal):
        Journal.open(path)
    assert folder_state(path.parent, ignore=()) == before


def test_a_flipped_bit_anywhere_in_a_row_never_goes_unnoticed(written: Written) -> None:
    path = written(100)
    content = path.read_bytes()
    with Journal.open_read_only(path) as reader:
        row = next(reader.rows(61))
    stored = row.kind.encode() + row.body + row.hash
    begin = content.index(stored) - 2
    for at in range(begin, begin + 2 + len(stored)):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        problem = verify(path).problem
        assert problem is not None
        assert problem.row_id == 61


def test_entries_of_a_damaged_journal_can_be_carried_into_a_new_one(
    written: Written, tamper: Tamper, tmp_path: Path
) -> None:
    path = written(6)
    tamper(path, "DELETE FROM entry WHERE id = 4")
    good = verify(path).rows
    with Journal.open_read_only(path) as old, Journal.create(tmp_path / "copy", 0, old.uuid) as copy:
        rows = old.rows()
        copy.append([Entry(row.kind, row.at_us, row.body) for row in islice(rows, good)])
        assert copy.last_id == 3
    assert verify(tmp_path / "copy").ok
