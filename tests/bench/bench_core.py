"""Benchmarks of the numba core, each beside numpy, polars and a copy of the same bytes (DESIGN §11).

`python -m tests.bench --only core` prints the rows.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from tests.bench.table import Row
from timing.core import margins, order, pace, runtime, splits
from timing.core.arrays import MISSING, Int64Array

PASSINGS = 10_000_000
RIDERS = 1_000
LOOPS = 9


def run(passings: int = PASSINGS) -> list[Row]:
    """Measure everything once; takes about half a minute and 2 GB. Fewer passings only show that it works."""
    runtime.warm()
    runtime.freeze()
    return [*_split_rows(passings), _heat_row()]


def best_of(repeats: int, work: Callable[[], Any]) -> float:
    """Shortest run in seconds: what the code costs when the machine does nothing else."""
    shortest = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - began)
    return shortest


def _stream(passings: int) -> tuple[np.ndarray, np.ndarray, Int64Array]:
    """Riders in random order, loops in the order of the track, a passing each 10 to 30 µs."""
    chance = np.random.default_rng(2020)
    rider = chance.integers(0, RIDERS, passings, dtype=np.int32)
    loop = (np.arange(passings) % LOOPS).astype(np.int32)
    return rider, loop, np.cumsum(chance.integers(10, 30, passings))


def _since(key: np.ndarray, time_us: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Time since the previous passing with the same key, and the rank within the key, in plain numpy."""
    by_key = np.argsort(key, kind="stable")
    sorted_key, sorted_us = key[by_key], time_us[by_key]
    first = np.r_[True, sorted_key[1:] != sorted_key[:-1]]
    since = np.empty_like(sorted_us)
    since[1:] = np.diff(sorted_us)
    since[first] = MISSING
    begins = np.flatnonzero(first)
    rank = np.arange(key.size) - np.repeat(begins, np.diff(np.r_[begins, key.size]))
    answer, answer_rank = np.empty_like(since), np.empty_like(rank)
    answer[by_key], answer_rank[by_key] = since, rank
    return answer, answer_rank


def _numpy_splits(rider: np.ndarray, loop: np.ndarray, time_us: Int64Array) -> splits.LapSplits:
    # 9,000 keys fit into 16 bits, for which numpy sorts by radix: its fastest way.
    lap_us, lap_number = _since((rider * LOOPS + loop).astype(np.uint16), time_us)
    sector_us, _ = _since(rider.astype(np.uint16), time_us)
    return splits.LapSplits(lap_us, sector_us, lap_number)


def _polars_splits(frame: pl.DataFrame) -> pl.DataFrame:
    # One integer key: polars is slower over two columns.
    key = (pl.col("rider") * LOOPS + pl.col("loop")).alias("key")
    return frame.with_columns(key).select(
        pl.col("time_us").diff().over("key").fill_null(MISSING).alias("lap_us"),
        pl.col("time_us").diff().over("rider").fill_null(MISSING).alias("sector_us"),
        pl.int_range(pl.len()).over("key").alias("lap_number"),
    )


def _check_equal(found: splits.LapSplits, other: splits.LapSplits, who: str) -> None:
    for name, ours, theirs in zip(found._fields, found, other, strict=True):
        if not np.array_equal(ours, theirs):
            raise AssertionError(f"{who} and the kernel disagree on {name}: the comparison would be of two things")


def _split_rows(passings: int) -> list[Row]:
    stream = _stream(passings)
    frame = pl.DataFrame(dict(zip(("rider", "loop", "time_us"), stream, strict=True)))
    out = splits.LapSplits(*(np.zeros(passings, dtype=np.int64) for _ in range(3)))
    splits.lap_splits(*stream, RIDERS, LOOPS, out=out)
    _check_equal(out, _numpy_splits(*stream), "numpy")
    _check_equal(out, splits.LapSplits(*(c.to_numpy() for c in _polars_splits(frame))), "polars")
    copies = [np.zeros_like(array) for array in (*stream, *out)]

    def copy() -> None:
        for target, source in zip(copies, (*stream, *out), strict=True):
            np.copyto(target, source)

    reused = best_of(7, lambda: splits.lap_splits(*stream, RIDERS, LOOPS, out=out))
    fresh = best_of(5, lambda: splits.lap_splits(*stream, RIDERS, LOOPS))
    laps = best_of(7, lambda: splits.lap_times(*stream, RIDERS, LOOPS, out=out.lap_us))
    copied = best_of(7, copy)
    numpy_s = best_of(2, lambda: _numpy_splits(*stream))
    polars_s = best_of(3, lambda: _polars_splits(frame))
    what = f"lap_splits of {passings:,} passings x 1,000 riders x 9 loops"
    return [
        _rate(what, passings / reused, 100e6),
        _rate(f"{what}, fresh outputs", passings / fresh, 100e6),
        _rate("lap_times of the same (lap_us only)", passings / laps, 100e6),
        _times(f"{what}: time over a copy of the same 40 bytes", reused, copied, reused / copied, 4.0, True),
        _times(f"{what}, fresh outputs: speed-up on polars", fresh, polars_s, polars_s / fresh, 4.0, False),
        _times(f"{what}, fresh outputs: speed-up on numpy", fresh, numpy_s, numpy_s / fresh, 15.0, False),
    ]


def _rate(what: str, rate: float, target: float) -> Row:
    return Row(
        what,
        f"{rate / 1e6:.0f} M/s",
        f"{target / 1e6:.0f} M/s",
        f"{rate / target:.1f}",
        ">= 1",
        rate >= target,
    )


def _times(what: str, ours: float, theirs: float, ratio: float, target: float, at_most: bool) -> Row:
    met = ratio <= target if at_most else ratio >= target
    sign = "<=" if at_most else ">="
    return Row(what, f"{ours * 1e3:.1f} ms", f"{theirs * 1e3:.1f} ms", f"{ratio:.1f}", f"{sign} {target:g}", met)


def _heat_row() -> Row:
    """All doors once over a keirin of 7 riders and 30 marks, as at each reading of a live heat."""
    marks = np.array([250.0 * lap + at for lap in range(6) for at in (12.5, 62.5, 125.0, 162.5, 250.0)])
    curve = (30 / 3.6, 50 / 3.6, 750.0, pace.LINEAR_DISTANCE)
    pacer_us = pace.target_elapsed_us(marks, *curve)
    rider_us = pacer_us + 150_000 * np.arange(1, 8)[:, None]
    paced = marks <= 750.0
    fronts = np.full(7, 0.334)

    def heat() -> None:
        field = splits.field_splits(rider_us, marks, 250.0)
        order.order_at_marks(rider_us)
        order.finish_gaps(rider_us[:, -1])
        sections = pace.pace_sections(marks[paced], pacer_us[paced], *curve)
        pace.pull_off(marks, pacer_us, 750.0)
        margins.pacer_margins(
            rider_us[:, paced], pacer_us[paced], field.sector_ms[:, paced], sections.edge_ms, fronts, 0.33
        )

    seconds = best_of(200, heat)
    return Row(
        "all core results of one keirin heat from scratch (7 riders, 30 marks)",
        f"{seconds * 1e6:.0f} µs",
        "1000 µs",
        f"{seconds * 1e3:.2f}",
        "<= 1",
        seconds <= 1e-3,
    )
