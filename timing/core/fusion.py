"""Which impulse of a photocell was which wheel: an optimal one-to-one matching over a whole line at once.

Wheels are expected at instants that other boxes give (a transponder's read, less its way to the front tangent; the
photo-finish); impulses say when *some* wheel came. Times are int64 µs. Nothing here knows a rider.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from timing.core.arrays import MISSING, BoolArray, Float64Array, Int64Array, as_float64, as_int64, check_shape
from timing.core.crossings import REFERENCE_SPEED_MS
from timing.core.runtime import kernel

UNMATCHED = -1

MISSED_COST_US = 50_000
"""What a wheel without an impulse costs, and an impulse without a wheel: two of them weigh as much as a residual of
100 ms, the most by which the seat of a chip moves its read (track-rules §4.3)."""

SHIFT_FROM_US = 2_000
"""What the boxes' clocks are apart anyway is not looked after."""
SHIFT_FROM_WHEELS = 6
"""Fewer wheels say nothing of their line: a single wrong one would prove itself right."""
STANDING_START = 2.0
"""Who starts from standing leaves the first sector at twice its mean speed."""
LEAST_MS = 1.0
"""Below this no speed is believed."""


class ExpectedWheels(NamedTuple):
    """Shape [N, M]: the front tangent's instant (MISSING where no crossing is known), and from it to the rear's."""

    front_us: Int64Array
    span_us: Int64Array


class Doubts(NamedTuple):
    """Of P matched wheels: what else could have been theirs. Both 0 (False) for an unmatched wheel."""

    rival_us: Int64Array
    """`[P]`: to the farthest other impulse that could be this wheel's as well; 0 for none."""
    contested: BoolArray
    """`[P]`: whether the impulse could be of a wheel that was left without one."""
    shared: BoolArray
    """`[P]`: whether it could be of such a wheel although it lies where this one is expected, within `near_us`."""


class WheelMatch(NamedTuple):
    """Of P wheels with the impulses of their line."""

    impulse: Int64Array
    """`[P]`: which impulse each wheel made, or UNMATCHED."""
    residual_us: Int64Array
    """`[P]`: the impulse less the expectation and the shift; 0 where unmatched."""
    shift_us: int
    """By how much the line's impulses come late (+) as a whole: clocks of two boxes, a cell beside its loop."""
    cost_us: int
    """Sum of |residual| and of MISSED_COST_US for whatever is left alone, which no other matching undercuts."""


def match_wheels(wheel_us: ArrayLike, window_us: ArrayLike, impulse_us: ArrayLike) -> WheelMatch:
    """Match P expected wheels with I impulses, both in order of time (equal times are allowed).

    An impulse may be wheel p only within ± `window_us[p]` of `wheel_us[p]`. Of all one-to-one matchings that keep
    the order of time the cheapest is taken, over everything at once. Keeping the order loses nothing: where a and b
    come in this order, crossing their impulses never shortens |residual| a + |residual| b. So wheels that are
    closer than their expectations are good stay in the order of these.

    A second pass takes a median residual of SHIFT_FROM_US or more, of SHIFT_FROM_WHEELS or more, off, if it is the
    cheaper: `shift_us`.

    Raises ValueError for times that fall, a negative window or shapes that do not match.
    """
    wheels = as_int64(wheel_us, "wheel_us")
    windows = as_int64(window_us, "window_us")
    impulses = as_int64(impulse_us, "impulse_us")
    check_shape(windows, wheels.shape, "window_us")
    for name, times in (("wheel_us", wheels), ("impulse_us", impulses)):
        if bool((times[1:] < times[:-1]).any()):
            raise ValueError(f"{name}: times fall; sort them first")
    if windows.size and int(windows.min()) < 0:
        raise ValueError("window_us: a window is negative; give the µs allowed to either side")
    best = _matched(wheels, windows, impulses, 0)
    found = best.impulse != UNMATCHED
    if int(np.count_nonzero(found)) < SHIFT_FROM_WHEELS:
        return best
    shift_us = int(np.sort(best.residual_us[found])[int(np.count_nonzero(found)) // 2])
    if abs(shift_us) < SHIFT_FROM_US:
        return best
    shifted = _matched(wheels, windows, impulses, shift_us)
    return shifted if shifted.cost_us < best.cost_us else best


def weigh_doubts(
    wheel_us: ArrayLike,
    window_us: ArrayLike,
    loose_us: ArrayLike,
    mate: ArrayLike,
    impulse_us: ArrayLike,
    match: WheelMatch,
    near_us: int,
) -> Doubts:
    """How far the cheapest matching is the only one that can be. All times as for `match_wheels`, which gave `match`.

    `loose_us[P]` is the ± of each expectation itself (0 for a wheel that was read), `mate[P]` the other wheel of the
    same crossing, `near_us` what two residuals may differ by and say nothing. Another impulse is a rival where it is
    nobody's and as near, or where exchanging the two fits as well (both wheels of one crossing cannot be exchanged).
    An impulse is contested by a wheel without one that is as near, for a residual above `near_us` with its ±. Below
    that it is shared with such a wheel of another crossing whose ± reaches so far: this one may have made none.

    Raises ValueError for shapes that do not match.
    """
    wheels, impulses = as_int64(wheel_us, "wheel_us"), as_int64(impulse_us, "impulse_us")
    windows, loose = as_int64(window_us, "window_us"), as_int64(loose_us, "loose_us")
    mates, own = as_int64(mate, "mate"), match.impulse
    for name, column in (("window_us", windows), ("loose_us", loose), ("mate", mates), ("match", own)):
        check_shape(column, wheels.shape, name)
    rival_us, contested, shared = (np.zeros(wheels.size, np.int64) for _ in range(3))
    _weigh(wheels + match.shift_us, windows, loose, mates, own, impulses, near_us, rival_us, contested, shared)
    return Doubts(rival_us, contested != 0, shared != 0)


def _matched(wheels: Int64Array, windows: Int64Array, impulses: Int64Array, shift_us: int) -> WheelMatch:
    expected = wheels + shift_us
    match = np.empty(wheels.size, np.int64)
    cost_us = int(_align(expected, windows, impulses, MISSED_COST_US, match))
    residual_us = np.zeros(wheels.size, np.int64)
    found = match != UNMATCHED
    residual_us[found] = impulses[match[found]] - expected[found]
    return WheelMatch(match, residual_us, shift_us, cost_us)


def expect_wheels(
    crossing_us: ArrayLike,
    sector_ms: ArrayLike,
    mark_m: ArrayLike,
    standing: int,
    front_m: ArrayLike,
    span_m: ArrayLike,
) -> ExpectedWheels:
    """When both wheels of N competitors should cut a beam at M marks.

    `crossing_us[N, M]` are times of the transponders (MISSING where unknown), `sector_ms[N, M]` the mean speeds of
    the sectors that end there (NaN where unknown), `front_m[N]` the front tangent ahead of the transponder,
    `span_m[N]` from the front tangent to the rear one. The first `standing` competitors start from standing at the
    first mark. The speed at a mark lies between those of the sectors before and after it.

    Raises ValueError for shapes that do not match.
    """
    crossings = as_int64(crossing_us, "crossing_us", ndim=2)
    speeds = as_float64(sector_ms, "sector_ms", ndim=2)
    marks = as_float64(mark_m, "mark_m")
    fronts, spans = as_float64(front_m, "front_m"), as_float64(span_m, "span_m")
    check_shape(speeds, crossings.shape, "sector_ms")
    check_shape(marks, crossings.shape[1:], "mark_m")
    check_shape(fronts, crossings.shape[:1], "front_m")
    check_shape(spans, crossings.shape[:1], "span_m")
    wheels = ExpectedWheels(np.empty(crossings.shape, np.int64), np.empty(crossings.shape, np.int64))
    _expect(crossings, speeds, marks, standing, fronts, spans, REFERENCE_SPEED_MS, *wheels)
    return wheels


@kernel(
    "void(int64[:, ::1], float64[:, ::1], float64[::1], int64, float64[::1], float64[::1], float64,"
    " int64[:, ::1], int64[:, ::1])"
)
def _expect(
    crossing_us: Int64Array,
    sector_ms: Float64Array,
    mark_m: Float64Array,
    standing: int,
    front_m: Float64Array,
    span_m: Float64Array,
    reference_ms: float,
    front_us: Int64Array,
    span_us: Int64Array,
) -> None:
    marks = mark_m.size
    for n in range(crossing_us.shape[0]):
        for m in range(marks):
            before = sector_ms[n, m]
            after = sector_ms[n, m + 1] if m + 1 < marks else np.nan
            if m == 1 and n < standing:
                speed = STANDING_START * before
                if after > LEAST_MS:
                    speed = min(speed, after)
            elif after > LEAST_MS and before > LEAST_MS and m > 0:
                # The mean speeds hold in the middles of the sectors.
                behind_m, ahead_m = mark_m[m] - mark_m[m - 1], mark_m[m + 1] - mark_m[m]
                speed = (before * ahead_m + after * behind_m) / (behind_m + ahead_m)
            else:
                speed = after if np.isnan(before) else before
            if not speed > LEAST_MS:
                speed = reference_ms
            span_us[n, m] = np.int64(np.rint(span_m[n] / speed * 1e6))
            front_us[n, m] = MISSING
            if crossing_us[n, m] != MISSING:
                front_us[n, m] = crossing_us[n, m] - np.int64(np.rint(front_m[n] / speed * 1e6))


@kernel("int64(int64[::1], int64[::1], int64[::1], int64, int64[::1])")
def _align(
    wheel_us: Int64Array, window_us: Int64Array, impulse_us: Int64Array, missed_us: int, match: Int64Array
) -> int:
    """The cheapest matching in order of time, cluster by cluster; returns its cost.

    Between two clusters lies more than the widest window, so that no match can span the gap.
    """
    wheels, impulses = wheel_us.size, impulse_us.size
    widest = np.int64(0)
    for p in range(wheels):
        widest = max(widest, window_us[p])
    total = 0
    first_wheel = 0
    first_impulse = 0
    while first_wheel < wheels or first_impulse < impulses:
        end_wheel, end_impulse = first_wheel, first_impulse
        latest = np.int64(0)
        begun = False
        while end_wheel < wheels or end_impulse < impulses:
            wheel_next = end_impulse >= impulses or (
                end_wheel < wheels and wheel_us[end_wheel] <= impulse_us[end_impulse]
            )
            now = wheel_us[end_wheel] if wheel_next else impulse_us[end_impulse]
            if begun and now - latest > widest:
                break
            latest = now
            begun = True
            if wheel_next:
                end_wheel += 1
            else:
                end_impulse += 1
        rows, columns = end_wheel - first_wheel, end_impulse - first_impulse
        cost = np.empty((rows + 1, columns + 1), np.int64)
        cost[0, 0] = 0
        for b in range(1, columns + 1):
            cost[0, b] = b * missed_us
        for a in range(1, rows + 1):
            cost[a, 0] = a * missed_us
            p = first_wheel + a - 1
            for b in range(1, columns + 1):
                best = min(cost[a - 1, b], cost[a, b - 1]) + missed_us
                off = abs(impulse_us[first_impulse + b - 1] - wheel_us[p])
                if off <= window_us[p]:
                    best = min(best, cost[a - 1, b - 1] + off)
                cost[a, b] = best
        total += int(cost[rows, columns])
        a, b = rows, columns
        while a > 0:
            p = first_wheel + a - 1
            if b > 0:
                i = first_impulse + b - 1
                off = abs(impulse_us[i] - wheel_us[p])
                if off <= window_us[p] and cost[a, b] == cost[a - 1, b - 1] + off:
                    match[p] = i
                    a -= 1
                    b -= 1
                    continue
                if cost[a, b] == cost[a, b - 1] + missed_us:
                    b -= 1
                    continue
            match[p] = -1
            a -= 1
        first_wheel, first_impulse = end_wheel, end_impulse
    return total


@kernel(
    "void(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64, int64[::1], int64[::1],"
    " int64[::1])"
)
def _weigh(
    wheel_us: Int64Array,
    window_us: Int64Array,
    loose_us: Int64Array,
    mate: Int64Array,
    match: Int64Array,
    impulse_us: Int64Array,
    near_us: int,
    rival_us: Int64Array,
    contested: Int64Array,
    shared: Int64Array,
) -> None:
    wheels, impulses = wheel_us.size, impulse_us.size
    owner = np.full(impulses, -1, np.int64)
    loosest = np.int64(0)
    for p in range(wheels):
        if match[p] >= 0:
            owner[match[p]] = p
        else:
            loosest = max(loosest, loose_us[p])
    for p in range(wheels):
        rival_us[p] = 0
        contested[p] = 0
        shared[p] = 0
        if match[p] < 0:
            continue
        own_us = impulse_us[match[p]]
        off_us = abs(own_us - wheel_us[p])
        first = np.searchsorted(impulse_us, wheel_us[p] - window_us[p])
        for k in range(first, impulses):
            if impulse_us[k] > wheel_us[p] + window_us[p]:
                break
            q = owner[k]
            if k == match[p] or (q >= 0 and q == mate[p]):
                continue
            there_us = abs(impulse_us[k] - wheel_us[p])
            if q < 0:
                rival = there_us <= off_us + near_us
            else:
                kept_us = off_us + abs(impulse_us[k] - wheel_us[q])
                rival = there_us + abs(own_us - wheel_us[q]) <= kept_us + near_us
            if rival:
                rival_us[p] = max(rival_us[p], abs(impulse_us[k] - own_us))
        reach_us = off_us + near_us + loosest
        for q in range(np.searchsorted(wheel_us, own_us - reach_us), wheels):
            if wheel_us[q] > own_us + reach_us:
                break
            if q == p or match[q] >= 0:
                continue
            away_us = abs(wheel_us[q] - own_us)
            if away_us <= off_us + near_us or (off_us > near_us and away_us <= off_us + near_us + loose_us[q]):
                contested[p] = 1
            elif q != mate[p] and away_us <= off_us + near_us + loose_us[q]:
                shared[p] = 1
