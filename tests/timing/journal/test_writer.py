"""The writer thread: durable before acknowledged, in order, grouped, and never silent about a loss."""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from timing.journal import Entry, Journal, JournalUnavailable, JournalWriteError, JournalWriter, verify

Entries = Callable[[int], list[Entry]]


class SlowDisk(Journal):
    """A journal whose commits wait for the test, and are counted."""

    gate: threading.Event
    started: threading.Event
    groups: list[int]

    @classmethod
    def make(cls, path: Path) -> "SlowDisk":
        journal = cls.create(path, 0, UUID(int=1))
        journal.gate, journal.started, journal.groups = threading.Event(), threading.Event(), []
        return journal

    def commit(self, entries: Sequence[Entry]) -> list[int]:
        self.started.set()
        assert self.gate.wait(20)
        if entries:
            self.groups.append(len(entries))
        return super().commit(entries)


@pytest.fixture
def slow_disk(journal_path: Path) -> SlowDisk:
    return SlowDisk.make(journal_path)


async def test_an_id_is_given_only_for_a_row_that_a_reader_finds(written: Callable[[int], Path]) -> None:
    path = written(0)
    async with JournalWriter(Journal.open(path)) as writer:
        with Journal.open_read_only(path) as reader:
            for number in range(1, 21):
                row_id = await writer.submit(Entry("lap", number, b"%d" % number))
                assert row_id == number == reader.last_id


async def test_entries_that_wait_for_the_disk_share_one_transaction(slow_disk: SlowDisk, entries: Entries) -> None:
    async with JournalWriter(slow_disk) as writer:
        first = writer.submit(entries(1)[0])
        assert await asyncio.to_thread(slow_disk.started.wait, 20)
        others = [writer.submit(entry) for entry in entries(500)]
        slow_disk.gate.set()
        assert [await first, *[await other for other in others]] == list(range(1, 502))
        assert slow_disk.groups == [1, 500]


async def test_a_group_is_bounded(slow_disk: SlowDisk, entries: Entries) -> None:
    async with JournalWriter(slow_disk, max_group=100) as writer:
        writer.submit(entries(1)[0])
        assert await asyncio.to_thread(slow_disk.started.wait, 20)
        for entry in entries(250):
            writer.submit(entry)
        slow_disk.gate.set()
        await writer.drain()
        assert slow_disk.groups == [1, 100, 100, 50]


async def test_a_group_wakes_the_loop_once(
    slow_disk: SlowDisk, entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    wake_ups: list[object] = []
    original = loop.call_soon_threadsafe

    def counted(callback: Callable[..., object], *arguments: object) -> asyncio.Handle:
        if threading.current_thread().name == "journal-writer":
            wake_ups.append(callback)
        return original(callback, *arguments)

    slow_disk.gate.set()
    async with JournalWriter(slow_disk) as writer:
        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        slow_disk.gate.clear()
        slow_disk.started.clear()
        futures = [writer.submit(entry) for entry in entries(1)]
        assert await asyncio.to_thread(slow_disk.started.wait, 20)
        futures += [writer.submit(entry) for entry in entries(1_000)]
        slow_disk.gate.set()
        await asyncio.gather(*futures)
        assert len(wake_ups) == 2


async def test_submitted_together_is_stored_together_and_in_place(slow_disk: SlowDisk, entries: Entries) -> None:
    slow_disk.gate.set()
    async with JournalWriter(slow_disk, max_group=10) as writer:
        before = writer.submit(entries(1)[0])
        together = writer.submit_many(entries(50))
        after = writer.submit(entries(1)[0])
        assert (await before, await together, await after) == (1, list(range(2, 52)), 52)
        assert any(group >= 50 for group in slow_disk.groups)


async def test_futures_are_done_in_the_order_of_their_rows(written: Callable[[int], Path], entries: Entries) -> None:
    done: list[int] = []
    async with JournalWriter(Journal.open(written(0)), max_group=7) as writer:
        for entry in entries(100):
            writer.submit(entry).add_done_callback(lambda future: done.append(future.result()))
        await writer.drain()
    assert done == list(range(1, 101))


async def test_a_cancelled_future_neither_takes_its_entry_back_nor_disturbs_others(
    slow_disk: SlowDisk, entries: Entries
) -> None:
    async with JournalWriter(slow_disk) as writer:
        futures = [writer.submit(entry) for entry in entries(3)]
        futures[1].cancel()
        slow_disk.gate.set()
        await writer.drain()
        assert (futures[0].result(), futures[1].cancelled(), futures[2].result()) == (1, True, 3)
    assert verify(slow_disk.path).rows == 3


async def test_close_stores_what_waits_and_leaves_one_clean_file(slow_disk: SlowDisk, entries: Entries) -> None:
    writer = JournalWriter(slow_disk)
    futures = [writer.submit(entry) for entry in entries(30)]
    slow_disk.gate.set()
    await writer.close()
    await writer.close()
    assert [future.result() for future in futures] == list(range(1, 31))
    assert [file.name for file in slow_disk.path.parent.iterdir()] == [slow_disk.path.name]
    with pytest.raises(JournalWriteError, match="was closed"):
        writer.submit(entries(1)[0])
    with pytest.raises(JournalUnavailable, match="was closed"):
        slow_disk.append(entries(1))


async def test_drain_of_an_idle_writer_returns_without_a_transaction(slow_disk: SlowDisk) -> None:
    slow_disk.gate.set()
    async with JournalWriter(slow_disk) as writer:
        await writer.drain()
    assert slow_disk.groups == []


@pytest.mark.parametrize(
    ("trouble", "complaint"),
    [
        # The connection refuses every write, as a disk that went read-only does.
        ("PRAGMA query_only = ON", r"refused to write .*; check its free space"),
        # The file may not grow: SQLite reports what it reports for ENOSPC.
        ("PRAGMA max_page_count = 1", r"the disk is full; free space on it, then start again"),
    ],
)
async def test_a_disk_error_fails_all_that_wait_and_all_that_follow(
    slow_disk: SlowDisk, trouble: str, complaint: str
) -> None:
    large = Entry("large", 0, b'"%s"' % (b"x" * 100_000))
    async with JournalWriter(slow_disk) as writer:
        waiting = [writer.submit(large) for _ in range(3)]
        assert await asyncio.to_thread(slow_disk.started.wait, 20)
        later = writer.submit_many([large, large])
        slow_disk._connection.execute(trouble)  # type: ignore[union-attr]
        slow_disk.gate.set()
        for future in [*waiting, later]:
            with pytest.raises(JournalWriteError, match=complaint):
                await future
        with pytest.raises(JournalWriteError, match=complaint):
            writer.submit(large)
        with pytest.raises(JournalWriteError, match=complaint):
            await writer.drain()
    assert verify(slow_disk.path).rows == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_even_a_bug_in_the_thread_leaves_nobody_waiting(
    slow_disk: SlowDisk, entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_entries: Sequence[Entry]) -> list[int]:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(slow_disk, "commit", broken)
    writer = JournalWriter(slow_disk)
    with pytest.raises(JournalWriteError, match="its writer has ended"):
        await writer.submit(entries(1)[0])
    await writer.close()


@pytest.mark.parametrize(
    ("largest_file", "where"),
    [(300_000, "the -wal cannot grow"), (6_000_000, "the -wal fits, a checkpoint does not")],
)
def test_a_full_disk_is_told_and_loses_nothing_acknowledged(
    journal_path: Path, run_python: Callable[..., str], largest_file: int, where: str
) -> None:
    outcome = json.loads(
        run_python(
            """
            import asyncio, json, resource, sys
            from uuid import UUID
            from timing.journal import Entry, Journal, JournalWriteError, JournalWriter

            async def main():
                writer = JournalWriter(Journal.create(sys.argv[1], 0, UUID(int=1)))
                resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
                acknowledged, failed, refused = 0, [], ""
                while not failed:
                    futures = [writer.submit(Entry("fill", 0, b'"%s"' % (b"x" * 2000))) for _ in range(5)]
                    for result in await asyncio.gather(*futures, return_exceptions=True):
                        if isinstance(result, JournalWriteError):
                            failed.append(str(result))
                        else:
                            acknowledged = result
                try:
                    writer.submit(Entry("fill", 0, b"1"))
                except JournalWriteError as error:
                    refused = str(error)
                await writer.close()
                print(json.dumps([acknowledged, failed, refused]))

            asyncio.run(main())
            """,
            journal_path,
            largest_file,
        )
    )
    acknowledged, failed, refused = outcome
    assert acknowledged > largest_file // 10_000, where
    assert "meet.journal: the disk refused to write" in refused
    assert "start again" in refused
    assert set(failed) == {refused}
    with Journal.open(journal_path) as journal:
        assert journal.last_id >= acknowledged
        assert journal.append([Entry("after", 0, b"1")]) == [journal.last_id]
    assert verify(journal_path).ok
