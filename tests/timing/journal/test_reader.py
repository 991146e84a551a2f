"""A reader sees what is on disk, beside a live writer, after a kill or in a copy, and leaves no trace."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from timing.journal import Entry, Journal, JournalReader, verify

FolderState = Callable[..., dict[str, tuple[bytes, int]]]


def test_a_reader_beside_a_live_writer_sees_each_row_once_it_is_acknowledged(
    written: Callable[[int], Path], entries: Callable[[int], list[Entry]]
) -> None:
    with Journal.open(written(2)) as journal, Journal.open_read_only(journal.path) as reader:
        assert reader.last_id == 2
        for entry in entries(5):
            [new_id] = journal.append([entry])
            assert (reader.last_id, reader.last_hash) == (new_id, journal.last_hash)
        assert [row.id for row in reader.rows(3)] == [3, 4, 5, 6, 7]


def test_a_reader_in_another_process_does_not_disturb_the_writer(
    written: Callable[[int], Path],
    entries: Callable[[int], list[Entry]],
    run_python: Callable[..., str],
    folder_state: FolderState,
) -> None:
    with Journal.open(written(2)) as journal:
        journal.append(entries(3))
        size = journal.path.with_name(journal.path.name + "-wal").stat().st_size
        answer = run_python(
            "import sys; from timing.journal import Journal\n"
            "with Journal.open_read_only(sys.argv[1]) as reader: print([row.id for row in reader.rows()])",
            journal.path,
        )
        assert answer == "[1, 2, 3, 4, 5]\n"
        assert journal.path.with_name(journal.path.name + "-wal").stat().st_size == size > 0
        assert journal.append(entries(1)) == [6]


def test_a_reader_outlives_the_writer_and_meets_the_next_one(
    written: Callable[[int], Path], entries: Callable[[int], list[Entry]]
) -> None:
    path = written(1)
    with Journal.open_read_only(path) as reader:
        assert reader.last_id == 1
        with Journal.open(path) as journal:
            journal.append(entries(2))
            assert reader.last_id == 3
        assert reader.last_id == 3
        with Journal.open(path) as journal:
            journal.append(entries(1))
            assert [row.id for row in reader.rows()] == [1, 2, 3, 4]


def test_a_writer_that_comes_while_a_finished_file_is_read_does_not_spoil_the_reading(
    written: Callable[[int], Path], entries: Callable[[int], list[Entry]]
) -> None:
    path = written(1_500)
    with Journal.open_read_only(path) as reader:
        rows = reader.rows()
        first_batch = [next(rows).id for _ in range(1_000)]
        with Journal.open(path) as journal:
            journal.append(entries(3_000))
            assert first_batch + [row.id for row in rows] == list(range(1, 4_501))


def test_reading_a_finished_journal_leaves_no_trace(written: Callable[[int], Path], folder_state: FolderState) -> None:
    path = written(3)
    before = folder_state(path.parent, ignore=())
    with Journal.open_read_only(path) as reader:
        assert len(list(reader.rows())) == 3
    assert verify(path).ok
    assert folder_state(path.parent, ignore=()) == before


def test_reading_after_a_kill_recovers_nothing_on_disk(
    killed: Callable[[int], Path], folder_state: FolderState
) -> None:
    path = killed(5)
    before = folder_state(path.parent)
    assert len(before[path.name + "-wal"][0]) > 0
    with Journal.open_read_only(path) as reader:
        assert [row.id for row in reader.rows()] == [1, 2, 3, 4, 5]
    assert verify(path).rows == 5
    assert folder_state(path.parent) == before


def test_a_copied_journal_is_read_with_its_wal_and_nothing_is_added(
    killed: Callable[[int], Path], tmp_path: Path, folder_state: FolderState
) -> None:
    source = killed(5)
    copy = tmp_path / "evidence" / source.name
    copy.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{source}{suffix}", f"{copy}{suffix}")
    before = folder_state(copy.parent, ignore=())
    assert verify(copy).rows == 5
    assert folder_state(copy.parent, ignore=()) == before


def test_a_copied_wal_without_a_whole_row_is_left_where_it_is(
    killed: Callable[[int], Path], tmp_path: Path, folder_state: FolderState
) -> None:
    source = killed(5)
    copy = tmp_path / "evidence" / source.name
    copy.parent.mkdir()
    shutil.copy(source, copy)
    Path(f"{copy}-wal").write_bytes(Path(f"{source}-wal").read_bytes()[:100])
    before = folder_state(copy.parent, ignore=())
    assert verify(copy).rows == 0
    assert folder_state(copy.parent, ignore=()) == before


def test_a_reader_cannot_write(written: Callable[[int], Path]) -> None:
    with Journal.open_read_only(written(1)) as reader:
        assert isinstance(reader, JournalReader)
        assert not hasattr(reader, "append")


@pytest.mark.parametrize("rows", [0, 1, 1_000, 1_001])
def test_progress_of_verify_ends_with_all_rows(written: Callable[[int], Path], rows: int) -> None:
    steps: list[tuple[int, int]] = []
    report = verify(written(rows), lambda done, total: steps.append((done, total)))
    assert (report.ok, report.rows, report.last_id) == (True, rows, rows or None)
    assert steps == [(1_000, rows), (rows, rows)] if rows > 1_000 else [(rows, rows)]
