"""What was acknowledged survives kill -9, and a -wal torn by a power cut costs nothing before the tear."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.timing.journal.kill_rounds import kill_rounds
from timing.journal import DamagedJournal, Entry, Journal, verify


def test_every_acknowledged_row_survives_forty_kills(journal_path: Path) -> None:
    acknowledged: dict[int, str] = {}
    rounds = 0
    for new_rows in kill_rounds(journal_path, kills=40, seed=2021_08_08):
        rounds += 1
        assert not acknowledged.keys() & new_rows.keys(), "an id was given twice"
        acknowledged |= new_rows
        if not journal_path.exists():
            assert not acknowledged
            continue
        with Journal.open_read_only(journal_path) as reader:
            stored = {row.id: row.body.decode() for row in reader.rows()}
        assert {row_id: stored.get(row_id) for row_id in acknowledged} == acknowledged
    assert rounds == 40
    assert len(acknowledged) > 300
    with Journal.open(journal_path) as journal:
        assert journal.append([Entry("after", 0, b"1")]) == [journal.last_id]
    report = verify(journal_path)
    assert (report.ok, report.problem) == (True, None)
    assert [file.name for file in journal_path.parent.iterdir()] == [journal_path.name]


def _torn_copies(journal: Path, folder: Path, damage: Callable[[bytes], bytes]) -> Path:
    """Copy a killed journal with a damaged -wal, as a power cut may leave it on a careless disk."""
    folder.mkdir()
    copy = folder / journal.name
    shutil.copy(journal, copy)
    wal = Path(f"{journal}-wal").read_bytes()
    Path(f"{copy}-wal").write_bytes(damage(wal))
    return copy


@pytest.mark.parametrize("missing", [1, 17, 24, 4_095, 4_120, 9_999, 30_000])
def test_a_wal_torn_at_its_end_keeps_every_row_before_the_tear(
    killed: Callable[[int], Path], tmp_path: Path, missing: int
) -> None:
    path = _torn_copies(killed(40), tmp_path / "torn", lambda wal: wal[:-missing])
    seen = verify(path)
    assert seen.ok
    # A row of its own costs one or two pages of 4,096 bytes with 24 of header.
    assert 40 - (missing // 4_120 + 1) <= seen.rows < 40
    with Journal.open(path) as journal:
        assert journal.last_id == seen.rows
        assert journal.append([Entry("after", 0, b"1")]) == [seen.rows + 1]
    assert verify(path).ok


def test_garbage_after_the_end_of_the_wal_is_no_row(killed: Callable[[int], Path], tmp_path: Path) -> None:
    path = _torn_copies(killed(10), tmp_path / "torn", lambda wal: wal + bytes(range(256)) * 40)
    with Journal.open(path) as journal:
        assert [row.id for row in journal.rows()] == list(range(1, 11))


def test_a_killed_writers_lock_does_not_outlive_it(killed: Callable[[int], Path]) -> None:
    path = killed(3)
    assert Path(f"{path}-lock").exists()
    with Journal.open(path) as journal:
        assert journal.append([Entry("after", 0, b"1")]) == [4]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_damaged_journal_with_a_wal_is_refused_and_left_as_it_is(
    killed: Callable[[int], Path], folder_state: Callable[..., dict[str, tuple[bytes, int]]]
) -> None:
    path = killed(5)
    path.write_bytes(path.read_bytes()[:200] + bytes(100))
    wal = Path(f"{path}-wal")
    wal.write_bytes(wal.read_bytes()[:100])
    Path(f"{path}-lock").unlink()
    before = folder_state(path.parent)
    with pytest.raises(DamagedJournal, match=r"cannot be read|broken|altered"):
        Journal.open(path)
    assert folder_state(path.parent) == before
