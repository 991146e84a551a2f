"""Lap, half-lap and sector times: of a stream of passings, and of a field over the marks of a race."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timing.core.arrays import (
    MISSING,
    Float64Array,
    Int64Array,
    as_int64,
    as_rising_m,
    check_shape,
)
from timing.core.runtime import kernel

MARK_TOLERANCE_M = 0.02
"""How far a mark may lie from exactly one lap, or half a lap, before another one: lines are surveyed in cm."""

IN_ORDER = -1


class LapSplits(NamedTuple):
    """One entry a passing, in the order of the stream; MISSING where there is no earlier passing."""

    lap_us: Int64Array
    """Since the same rider's previous passing at the same loop."""
    sector_us: Int64Array
    """Since the same rider's previous passing at any loop."""
    lap_number: Int64Array
    """How many times the rider has passed this loop before: 0 at the first, so the laps ridden since."""


class FieldSplits(NamedTuple):
    """Shape [riders, marks]; MISSING (speed: NaN) where either time is missing or no mark lies there."""

    sector_us: Int64Array
    """Since the mark before."""
    half_lap_us: Int64Array
    """Since the mark that lies half a track length before."""
    lap_us: Int64Array
    """Since the mark that lies one track length before."""
    sector_ms: Float64Array
    """Mean speed over the sector, m/s; NaN also where the sector's time is not positive."""


def lap_splits(
    rider: ArrayLike,
    loop: ArrayLike,
    time_us: ArrayLike,
    rider_count: int,
    loop_count: int,
    out: LapSplits | None = None,
) -> LapSplits:
    """Lap and sector times of a stream of n passings in time order (equal times are allowed).

    `rider[n]` and `loop[n]` are indices below `rider_count` and `loop_count`, both int32 or both int64 (used
    as they are) or anything whole (copied); `time_us[n]` is race time. `out` may hold C-contiguous int64[n]
    arrays to write into, which saves the page faults of fresh ones.

    Raises ValueError for an index out of range, a time before its predecessor, or a wrong shape.
    """
    riders, loops = _indices(rider, loop)
    times = as_int64(time_us, "time_us")
    check_shape(loops, riders.shape, "loop")
    check_shape(times, riders.shape, "time_us")
    if out is None:
        out = LapSplits(*(np.empty(times.size, dtype=np.int64) for _ in LapSplits._fields))
    for name, array in zip(out._fields, out, strict=True):
        _check_out(array, times.size, name)
    last_at_loop = np.zeros((rider_count * loop_count, 2), dtype=np.int64)
    last_at_loop[:, 0] = MISSING
    last_anywhere = np.full(rider_count, MISSING, dtype=np.int64)
    refused = _lap_splits(riders, loops, times, rider_count, loop_count, last_at_loop, last_anywhere, *out)
    _check_accepted(refused, riders, loops, times, rider_count, loop_count)
    return out


def lap_times(
    rider: ArrayLike,
    loop: ArrayLike,
    time_us: ArrayLike,
    rider_count: int,
    loop_count: int,
    out: Int64Array | None = None,
) -> Int64Array:
    """The `lap_us[n]` of `lap_splits` alone, for who needs nothing else; same arguments, same errors."""
    riders, loops = _indices(rider, loop)
    times = as_int64(time_us, "time_us")
    check_shape(loops, riders.shape, "loop")
    check_shape(times, riders.shape, "time_us")
    lap_us = np.empty(times.size, dtype=np.int64) if out is None else out
    _check_out(lap_us, times.size, "out")
    last_at_loop = np.full(rider_count * loop_count, MISSING, dtype=np.int64)
    refused = _lap_times(riders, loops, times, rider_count, loop_count, last_at_loop, lap_us)
    _check_accepted(refused, riders, loops, times, rider_count, loop_count)
    return lap_us


def field_splits(crossing_us: ArrayLike, mark_m: ArrayLike, track_length_m: float) -> FieldSplits:
    """Splits of R riders over the M successive loop crossings of a race.

    `crossing_us[R, M]` is race time, MISSING where a rider was not read. `mark_m[M]` is the race distance of
    each crossing, from the start line, strictly rising. A lap at a mark is the time since the mark exactly
    one `track_length_m` before, to 1 mm; a half lap likewise (UCI 3.6.067: tracks of 133 to 500 m).

    Raises ValueError for marks that do not rise, a track length that is not positive, or a wrong shape.
    """
    marks = as_rising_m(mark_m, "mark_m")
    crossings = as_int64(crossing_us, "crossing_us", ndim=2)
    check_shape(crossings, (crossings.shape[0], marks.size), "crossing_us")
    if not track_length_m > 0:
        raise ValueError(f"track_length_m: {track_length_m} is not a length; give the venue's track length")
    half_lap_from = np.empty(marks.size, dtype=np.int64)
    lap_from = np.empty(marks.size, dtype=np.int64)
    _marks_before(marks, track_length_m / 2, half_lap_from)
    _marks_before(marks, float(track_length_m), lap_from)
    splits = FieldSplits(
        np.empty(crossings.shape, dtype=np.int64),
        np.empty(crossings.shape, dtype=np.int64),
        np.empty(crossings.shape, dtype=np.int64),
        np.empty(crossings.shape, dtype=np.float64),
    )
    _field_splits(crossings, marks, half_lap_from, lap_from, *splits)
    return splits


# -- doors' checks -------------------------------------------------------------------------------------------


def _indices(rider: ArrayLike, loop: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    riders, loops = np.asarray(rider), np.asarray(loop)
    if riders.dtype == np.int32 and loops.dtype == np.int32 and riders.ndim == loops.ndim == 1:
        return np.require(riders, requirements=("C", "W", "A")), np.require(loops, requirements=("C", "W", "A"))
    return as_int64(riders, "rider"), as_int64(loops, "loop")


def _check_out(array: Int64Array, size: int, name: str) -> None:
    if array.dtype != np.int64 or array.shape != (size,) or not array.flags.carray:
        raise ValueError(
            f"{name}: {array.dtype}{array.shape} cannot take the result; "
            f"give a C-contiguous writable int64 array of shape ({size},)"
        )


def _check_accepted(
    index: int,
    rider: NDArray[Any],
    loop: NDArray[Any],
    time_us: Int64Array,
    rider_count: int,
    loop_count: int,
) -> None:
    if index == IN_ORDER:
        return
    where = f"passing {index}"
    if not 0 <= rider[index] < rider_count:
        raise ValueError(f"{where}: rider {rider[index]} is not below rider_count {rider_count}")
    if not 0 <= loop[index] < loop_count:
        raise ValueError(f"{where}: loop {loop[index]} is not below loop_count {loop_count}")
    raise ValueError(
        f"{where}: {time_us[index]} µs is before its predecessor ({time_us[index - 1]} µs); "
        "sort the passings by race time"
    )


# -- kernels -------------------------------------------------------------------------------------------------


@kernel(
    [
        f"int64({index}[::1], {index}[::1], int64[::1], int64, int64, "
        "int64[:, ::1], int64[::1], int64[::1], int64[::1], int64[::1])"
        for index in ("int32", "int64")
    ]
)
def _lap_splits(
    rider: NDArray[Any],
    loop: NDArray[Any],
    time_us: Int64Array,
    rider_count: int,
    loop_count: int,
    last_at_loop: Int64Array,
    last_anywhere: Int64Array,
    lap_us: Int64Array,
    sector_us: Int64Array,
    lap_number: Int64Array,
) -> int:
    """`last_at_loop[rider * loops + loop]` holds time and count side by side: one cache line a passing."""
    latest = np.int64(MISSING)
    for i in range(time_us.size):
        r, q, now = rider[i], loop[i], time_us[i]
        if r < 0 or r >= rider_count or q < 0 or q >= loop_count or now < latest:
            return i
        latest = now
        # Unsigned indices spare numba's test for negative ones, which costs a fifth of the speed.
        cell = np.uint64(r) * np.uint64(loop_count) + np.uint64(q)
        before = last_at_loop[cell, 0]
        passed = last_at_loop[cell, 1]
        lap_us[i] = MISSING if before == MISSING else now - before
        lap_number[i] = passed
        last_at_loop[cell, 0] = now
        last_at_loop[cell, 1] = passed + 1
        before = last_anywhere[np.uint64(r)]
        sector_us[i] = MISSING if before == MISSING else now - before
        last_anywhere[np.uint64(r)] = now
    return IN_ORDER


@kernel(
    [
        f"int64({index}[::1], {index}[::1], int64[::1], int64, int64, int64[::1], int64[::1])"
        for index in ("int32", "int64")
    ]
)
def _lap_times(
    rider: NDArray[Any],
    loop: NDArray[Any],
    time_us: Int64Array,
    rider_count: int,
    loop_count: int,
    last_at_loop: Int64Array,
    lap_us: Int64Array,
) -> int:
    latest = np.int64(MISSING)
    for i in range(time_us.size):
        r, q, now = rider[i], loop[i], time_us[i]
        if r < 0 or r >= rider_count or q < 0 or q >= loop_count or now < latest:
            return i
        latest = now
        cell = np.uint64(r) * np.uint64(loop_count) + np.uint64(q)
        before = last_at_loop[cell]
        lap_us[i] = MISSING if before == MISSING else now - before
        last_at_loop[cell] = now
    return IN_ORDER


@kernel("void(float64[::1], float64, int64[::1])")
def _marks_before(mark_m: Float64Array, distance_m: float, found: Int64Array) -> None:
    """`found[m]`: the mark nearest to `mark_m[m] - distance_m` within the tolerance, or -1."""
    first = 0
    for m in range(mark_m.size):
        target_m = mark_m[m] - distance_m
        while first < m and mark_m[first] < target_m - MARK_TOLERANCE_M:
            first += 1
        found[m] = -1
        nearest_m = MARK_TOLERANCE_M
        for candidate in range(first, m):
            off_m = abs(mark_m[candidate] - target_m)
            if off_m > nearest_m:
                break
            nearest_m = off_m
            found[m] = candidate


@kernel(
    "void(int64[:, ::1], float64[::1], int64[::1], int64[::1], "
    "int64[:, ::1], int64[:, ::1], int64[:, ::1], float64[:, ::1])"
)
def _field_splits(
    crossing_us: Int64Array,
    mark_m: Float64Array,
    half_lap_from: Int64Array,
    lap_from: Int64Array,
    sector_us: Int64Array,
    half_lap_us: Int64Array,
    lap_us: Int64Array,
    sector_ms: Float64Array,
) -> None:
    for r in range(crossing_us.shape[0]):
        for m in range(crossing_us.shape[1]):
            now = crossing_us[r, m]
            before = crossing_us[r, m - 1] if m > 0 else MISSING
            half = crossing_us[r, half_lap_from[m]] if half_lap_from[m] >= 0 else MISSING
            lap = crossing_us[r, lap_from[m]] if lap_from[m] >= 0 else MISSING
            seen = now != MISSING
            sector_us[r, m] = now - before if seen and before != MISSING else MISSING
            half_lap_us[r, m] = now - half if seen and half != MISSING else MISSING
            lap_us[r, m] = now - lap if seen and lap != MISSING else MISSING
            sector_ms[r, m] = np.nan
            if sector_us[r, m] > 0:
                sector_ms[r, m] = (mark_m[m] - mark_m[m - 1]) * 1e6 / sector_us[r, m]
