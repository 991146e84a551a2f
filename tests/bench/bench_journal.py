"""The journal against its floor: the same row with one fsync through bare SQLite, in the same run.

`python -m tests.bench --only journal kill` prints the rows and counts those lost in kills.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import UUID

import apsw

from tests.bench.table import Row
from tests.timing.journal.kill_rounds import kill_rounds
from timing.journal import Entry, Journal, JournalWriter, verify

APPENDS = 1_000
OPENED_ROWS = 100_000
BODY = b'{"device":"loop-finish","received_us":1628416260123456,"raw":"' + b"A" * 240 + b'"}'
ENTRY = Entry("delivery", 1_628_416_260_123_456, BODY)
SOME_UUID = UUID(int=1)


def run(appends: int = APPENDS, rows: int = OPENED_ROWS) -> list[Row]:
    """Measure in a temporary folder on the disk of the working directory; about 5 s. Half the rows go in grouped."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        return [*asyncio.run(_one_row(Path(folder), appends)), *asyncio.run(_many_rows(Path(folder), rows))]


def count_lost_rows(kills: int, seed: int = 1) -> Row:
    """Kill a writer `kills` times at random moments; count acknowledged rows that are gone or changed."""
    acknowledged: dict[int, str] = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        journal = Path(folder) / "killed.journal"
        for new_rows in kill_rounds(journal, kills, seed):
            acknowledged |= new_rows
        with Journal.open_read_only(journal) as reader:
            stored = {row.id: row.body.decode() for row in reader.rows()}
        lost = sum(stored.get(row_id) != body for row_id, body in acknowledged.items())
        proven = verify(journal).ok
    return Row(
        what=f"acknowledged rows lost in {kills} kill -9",
        measured=f"{lost} of {len(acknowledged)}",
        floor="-",
        ratio="-",
        target="0",
        met=lost == 0 and proven,
    )


async def _one_row(folder: Path, appends: int) -> list[Row]:
    """One durable row at a time, floor and journal by turns so that the disk's moods hit all alike."""
    floor = _bare_append(folder / "bare.db")
    journal = Journal.create(folder / "sync.journal", 0, SOME_UUID)
    floor_us: list[float] = []
    journal_us: list[float] = []
    writer_us: list[float] = []
    async with JournalWriter(Journal.create(folder / "writer.journal", 0, SOME_UUID)) as writer:
        for number in range(appends):
            floor_us.append(_timed(partial(floor, number)))
            journal_us.append(_timed(lambda: journal.append([ENTRY])))
            begin = time.perf_counter_ns()
            await writer.submit(ENTRY)
            writer_us.append((time.perf_counter_ns() - begin) / 1_000)
    journal.close()
    return [
        _latency_row("one durable append", journal_us, floor_us, 1.5, 2.0),
        _latency_row("one durable append from the event loop (JournalWriter)", writer_us, floor_us, 1.5, 2.0),
    ]


async def _many_rows(folder: Path, rows: int) -> list[Row]:
    path = folder / "grouped.journal"
    grouped = rows // 2
    floor_s = _bare_group(folder / "bare-group.db", grouped)
    async with JournalWriter(Journal.create(path, 0, SOME_UUID)) as writer:
        begin = time.perf_counter()
        for _ in range(grouped):
            writer.submit(ENTRY)
        await writer.drain()
        grouped_s = time.perf_counter() - begin
        await writer.submit_many([ENTRY] * (rows - grouped))
    begin = time.perf_counter()
    with Journal.open(path):
        open_s = time.perf_counter() - begin
    begin = time.perf_counter()
    report = verify(path)
    verify_s = time.perf_counter() - begin
    size = path.stat().st_size / 1e6
    return [
        Row(
            "rows/s, each with its own future, group commit",
            f"{grouped / grouped_s:,.0f}/s",
            f"{grouped / floor_s:,.0f}/s (bare SQLite, groups of 2,000)",
            f"{grouped_s / floor_s:.1f}",
            "≥ 10,000/s",
            grouped / grouped_s >= 10_000,
        ),
        Row(
            f"open a journal of {rows:,} rows ({size:.0f} MB)",
            f"{open_s * 1_000:.0f} ms",
            "-",
            "-",
            "≤ 3 s",
            open_s <= 3,
        ),
        Row(
            f"verify {report.rows:,} rows",
            f"{report.rows / verify_s:,.0f}/s",
            "-",
            "-",
            "all good",
            report.ok and report.rows == rows,
        ),
    ]


def _bare_database(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, at_us, kind, body, hash)")
    return connection


def _bare_values(number: int) -> tuple[int, str, str, bytes]:
    return ENTRY.at_us + number, ENTRY.kind, BODY.decode(), bytes(32)


_BARE_INSERT = "INSERT INTO entry (at_us, kind, body, hash) VALUES (?, ?, ?, ?)"


def _bare_append(path: Path) -> Callable[[int], object]:
    connection = _bare_database(path)
    return lambda number: connection.execute(_BARE_INSERT, _bare_values(number))


def _bare_group(path: Path, rows: int) -> float:
    connection = _bare_database(path)
    begin = time.perf_counter()
    for start in range(0, rows, 2_000):
        with connection:
            connection.executemany(_BARE_INSERT, [_bare_values(n) for n in range(start, min(rows, start + 2_000))])
    elapsed = time.perf_counter() - begin
    connection.close()
    return elapsed


def _timed(action: Callable[[], object]) -> float:
    begin = time.perf_counter_ns()
    action()
    return (time.perf_counter_ns() - begin) / 1_000


def _latency_row(what: str, measured: list[float], floor: list[float], p50: float, p99: float) -> Row:
    (m50, m99), (f50, f99) = _percentiles(measured), _percentiles(floor)
    return Row(
        what=f"{what}, p50 / p99",
        measured=f"{m50:.0f} / {m99:.0f} µs",
        floor=f"{f50:.0f} / {f99:.0f} µs (bare SQLite row and commit)",
        ratio=f"{m50 / f50:.2f} / {m99 / f99:.2f}",
        target=f"≤ {p50} / ≤ {p99}",
        met=m50 <= p50 * f50 and m99 <= p99 * f99,
    )


def _percentiles(values: list[float]) -> tuple[float, float]:
    hundredths = statistics.quantiles(values, n=100)
    return hundredths[49], hundredths[98]
