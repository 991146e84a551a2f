"""The pacer's pace: target curve, measured speeds against it, predicted exit speed, and its pull-off.

UCI 3.2.137 asks for a gradual rise from 30 to 50 km/h by the exit and gives no table; the curves are data
(`config.models.PaceCurve`) and what is measured here is shown and logged, never decides (DESIGN §5).
Speeds are m/s, distances metres from the start of the paced part.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from timing.core.arrays import (
    MISSING,
    Float64Array,
    Int64Array,
    as_float64,
    as_int64,
    as_rising_m,
    check_shape,
)
from timing.core.runtime import kernel

LINEAR_DISTANCE: Final = 0
"""Speed rises evenly with distance: v = v0 + (v1 - v0) d / D."""
CONSTANT_ACCELERATION: Final = 1
"""Speed rises evenly with time: v² = v0² + (v1² - v0²) d / D."""
HOLD_RAMP_HOLD: Final = 2
"""v0 for the first third of the distance, CONSTANT_ACCELERATION over the second, v1 for the last."""

SHAPES: Final = {
    "linear_distance": LINEAR_DISTANCE,
    "constant_acceleration": CONSTANT_ACCELERATION,
    "hold_ramp_hold": HOLD_RAMP_HOLD,
}
"""Names of the shapes in `config.models.PaceShape`."""

STENCIL_SPACING_M: Final = 35.0
"""Marks for an instantaneous speed lie at least this far apart. Two loops 12.5 m apart whose clocks differ by
5 ms would show an error of 0.3 km/h at 50 km/h, at 35 m it is 0.1; the common 37.5 m sectors stay in use."""

CORNER_TOLERANCE_M: Final = 0.5
"""A mark this near to a corner of the target curve counts as lying on it."""

TREND_SECTIONS: Final = 3
"""Sections that a trend of the deviations needs; with fewer the deviation is taken as constant."""

UNSEEN_MARKS_BEFORE_RETURN: Final = 2
"""Consecutive marks without the pacer before a new reading counts as seen again: one may be a missed read."""

NO_MARK: Final = -1


class PaceSections(NamedTuple):
    """What the pacer did between and at K marks. Speeds in m/s."""

    section_ms: Float64Array
    """[K-1] Mean speed over the section that ends at mark k + 1."""
    target_ms: Float64Array
    """[K-1] Section length over the target curve's time for it: what section_ms would be on the curve."""
    deviation_ms: Float64Array
    """[K-1] section_ms - target_ms; positive is too fast."""
    edge_ms: Float64Array
    """[K] Instantaneous speed at each mark; NaN for a single mark."""
    predicted_exit_ms: Float64Array
    """[K] Speed to expect at the end of the paced part, as known at each mark; NaN at the first."""


class PullOff(NamedTuple):
    """Where the pacer was last and whether it came back. Indices into the marks, NO_MARK (-1) for none."""

    last_seen: int
    """The last mark with the pacer, before its absence if it was seen again."""
    next_mark: int
    """The mark after last_seen: where the pacer would come next if it stayed on the track."""
    expected_next_us: int
    """When it would be there at its last seen speed; MISSING with fewer than two readings or no next mark."""
    seen_again: int
    """The first mark beyond the exit with the pacer after two or more marks in a row without it."""


def target_speed(distance_m: ArrayLike, start_ms: float, end_ms: float, paced_m: float, shape: int) -> Float64Array:
    """Target speed in m/s at `distance_m[K]`: from `start_ms` to `end_ms` over `paced_m`, constant outside.

    Raises ValueError for speeds or a distance that are not positive, or a shape that is none of SHAPES.
    """
    distances = as_float64(distance_m, "distance_m")
    _check_curve(start_ms, end_ms, paced_m, shape)
    speed_ms = np.empty(distances.size, dtype=np.float64)
    _target_speed(distances, float(start_ms), float(end_ms), float(paced_m), shape, speed_ms)
    return speed_ms


def target_elapsed_us(distance_m: ArrayLike, start_ms: float, end_ms: float, paced_m: float, shape: int) -> Int64Array:
    """Target time in µs from the start of the paced part to `distance_m[K]`, rounded to the nearest µs.

    Negative before the start. Same arguments and errors as `target_speed`.
    """
    distances = as_float64(distance_m, "distance_m")
    _check_curve(start_ms, end_ms, paced_m, shape)
    elapsed_us = np.empty(distances.size, dtype=np.int64)
    _target_elapsed(distances, float(start_ms), float(end_ms), float(paced_m), shape, elapsed_us)
    return elapsed_us


def pace_sections(
    mark_m: ArrayLike, time_us: ArrayLike, start_ms: float, end_ms: float, paced_m: float, shape: int
) -> PaceSections:
    """Measured against target speeds for the K >= 1 marks at which the pacer was read, in order.

    `mark_m[K]` is metres from the start of the paced part, `time_us[K]` race time; both strictly rise.

    An edge speed is the slope, at the mark, of the parabola of distance over time through three marks at
    least STENCIL_SPACING_M apart: one before and one after where possible, else the next two on one side. No
    parabola spans a corner of the target curve (its ends, and the thirds of HOLD_RAMP_HOLD), where the
    acceleration may jump; so the speed at the exit owes nothing to the pull-off after it. Where too few marks
    are left the rule of the corners goes first, then that of the spacing. With two marks it is the section's
    mean.

    A prediction is `end_ms` plus the trend of the deviations so far, extended to `paced_m`: a least-squares
    line over the sections' middles, each weighted by its length (a short section's speed is the noisier);
    with fewer than three sections their weighted mean. Sections beyond `paced_m` take no part.

    Raises ValueError for no mark, marks or times that do not rise, or a bad curve (see `target_speed`).
    """
    marks = as_rising_m(mark_m, "mark_m")
    times = as_int64(time_us, "time_us")
    check_shape(times, marks.shape, "time_us")
    _check_curve(start_ms, end_ms, paced_m, shape)
    if marks.size == 0:
        raise ValueError("mark_m: no marks; ask for the pace once the pacer was read")
    late = np.flatnonzero(np.diff(times) <= 0)
    if late.size:
        raise ValueError(
            f"time_us[{late[0] + 1}] = {times[late[0] + 1]} µs is not after the reading before it; "
            "leave out the double reading of the pacer"
        )
    section, target, deviation = (np.empty(marks.size - 1, dtype=np.float64) for _ in range(3))
    edge, predicted_exit = (np.empty(marks.size, dtype=np.float64) for _ in range(2))
    start, end, paced = float(start_ms), float(end_ms), float(paced_m)
    _section_speeds(marks, times, start, end, paced, shape, section, target, deviation)
    _edge_speeds(marks, times, paced, shape, edge)
    _predict_exit(marks, deviation, end, paced, predicted_exit)
    return PaceSections(section, target, deviation, edge, predicted_exit)


def pull_off(mark_m: ArrayLike, time_us: ArrayLike, exit_m: float) -> PullOff:
    """Where the pacer was last read, when it would come next had it stayed, and whether it was read again.

    `mark_m[M]` strictly rises; `time_us[M]` is race time, MISSING where the pacer was not read (at trailing
    marks because the race is not there yet, or because the pacer left). The last seen speed is the mean
    between the last two readings. Raises ValueError for marks that do not rise or a wrong shape.
    """
    marks = as_rising_m(mark_m, "mark_m")
    times = as_int64(time_us, "time_us")
    check_shape(times, marks.shape, "time_us")
    return PullOff(*_pull_off(marks, times, float(exit_m)))


def _check_curve(start_ms: float, end_ms: float, paced_m: float, shape: int) -> None:
    if not (0 < start_ms < np.inf and 0 < end_ms < np.inf and 0 < paced_m < np.inf):
        raise ValueError(
            f"pace curve {start_ms} -> {end_ms} m/s over {paced_m} m: give positive speeds and a positive distance"
        )
    if shape not in SHAPES.values():
        raise ValueError(f"pace curve: shape {shape} is unknown; choose one of {SHAPES}")


# -- the target curve ----------------------------------------------------------------------------------------


@kernel("float64(float64, float64, float64, float64, int64)")
def _speed_at(distance_m: float, start_ms: float, end_ms: float, paced_m: float, shape: int) -> float:
    if shape == HOLD_RAMP_HOLD:
        distance_m -= paced_m / 3
        paced_m /= 3
    if distance_m <= 0:
        return start_ms
    if distance_m >= paced_m:
        return end_ms
    ridden = distance_m / paced_m
    if shape == LINEAR_DISTANCE:
        return start_ms + (end_ms - start_ms) * ridden
    return float(np.sqrt(start_ms**2 + (end_ms**2 - start_ms**2) * ridden))


@kernel("float64(float64, float64, float64, float64, int64)")
def _elapsed_s(distance_m: float, start_ms: float, end_ms: float, paced_m: float, shape: int) -> float:
    """Seconds from 0 m; inside the kernels only, the doors give µs."""
    held_s = 0.0
    if shape == HOLD_RAMP_HOLD:
        distance_m -= paced_m / 3
        paced_m /= 3
        held_s = paced_m / start_ms
    if distance_m <= 0:
        return held_s + distance_m / start_ms
    ramp_m = min(distance_m, paced_m)
    after_s = (distance_m - ramp_m) / end_ms
    if shape == LINEAR_DISTANCE:
        rise = (end_ms - start_ms) / start_ms * ramp_m / paced_m
        # log1p(x)/x tends to 1, but 0/0 is NaN for a constant pace.
        stretch = np.log1p(rise) / rise if rise != 0 else 1.0
        return held_s + ramp_m / start_ms * stretch + after_s
    speed_ms = np.sqrt(start_ms**2 + (end_ms**2 - start_ms**2) * ramp_m / paced_m)
    return float(held_s + 2 * ramp_m / (start_ms + speed_ms) + after_s)


@kernel("void(float64[::1], float64, float64, float64, int64, float64[::1])")
def _target_speed(
    distance_m: Float64Array,
    start_ms: float,
    end_ms: float,
    paced_m: float,
    shape: int,
    speed_ms: Float64Array,
) -> None:
    for k in range(distance_m.size):
        speed_ms[k] = _speed_at(distance_m[k], start_ms, end_ms, paced_m, shape)


@kernel("void(float64[::1], float64, float64, float64, int64, int64[::1])")
def _target_elapsed(
    distance_m: Float64Array,
    start_ms: float,
    end_ms: float,
    paced_m: float,
    shape: int,
    elapsed_us: Int64Array,
) -> None:
    for k in range(distance_m.size):
        elapsed_us[k] = np.int64(np.rint(1e6 * _elapsed_s(distance_m[k], start_ms, end_ms, paced_m, shape)))


# -- measured pace -------------------------------------------------------------------------------------------


@kernel("void(float64[::1], int64[::1], float64, float64, float64, int64, float64[::1], float64[::1], float64[::1])")
def _section_speeds(
    mark_m: Float64Array,
    time_us: Int64Array,
    start_ms: float,
    end_ms: float,
    paced_m: float,
    shape: int,
    section_ms: Float64Array,
    target_ms: Float64Array,
    deviation_ms: Float64Array,
) -> None:
    for k in range(mark_m.size - 1):
        length_m = mark_m[k + 1] - mark_m[k]
        begin_s = _elapsed_s(mark_m[k], start_ms, end_ms, paced_m, shape)
        end_s = _elapsed_s(mark_m[k + 1], start_ms, end_ms, paced_m, shape)
        section_ms[k] = 1e6 * length_m / (time_us[k + 1] - time_us[k])
        target_ms[k] = length_m / (end_s - begin_s)
        deviation_ms[k] = section_ms[k] - target_ms[k]


@kernel("int64(float64[::1], int64, int64, float64, int64)")
def _neighbour(mark_m: Float64Array, k: int, step: int, spacing_m: float, limit: int) -> int:
    """The nearest mark from k in direction `step` (+1, -1) to `limit` that is `spacing_m` off; or NO_MARK."""
    j = k
    while j != limit:
        j += step
        if abs(mark_m[j] - mark_m[k]) >= spacing_m:
            return j
    return NO_MARK


@kernel("UniTuple(int64, 2)(float64[::1], int64, int64, int64, float64)")
def _stencil(mark_m: Float64Array, k: int, low: int, high: int, spacing_m: float) -> tuple[int, int]:
    """The two marks in low..high that make a parabola with k; (NO_MARK, NO_MARK) when there are too few."""
    before = _neighbour(mark_m, k, -1, spacing_m, low)
    after = _neighbour(mark_m, k, +1, spacing_m, high)
    if before != NO_MARK and after == NO_MARK:
        after = _neighbour(mark_m, before, -1, spacing_m, low)
    elif after != NO_MARK and before == NO_MARK:
        before = _neighbour(mark_m, after, +1, spacing_m, high)
    if before == NO_MARK or after == NO_MARK:
        return NO_MARK, NO_MARK
    return before, after


@kernel("UniTuple(int64, 2)(float64[::1], int64, float64, int64, int64)")
def _smooth_stretch(mark_m: Float64Array, k: int, paced_m: float, shape: int, side: int) -> tuple[int, int]:
    """First and last mark between the corners of the target curve around mark k.

    When k is on a corner, `side` -1 takes the stretch before that corner and +1 the one after it.
    """
    here_m = mark_m[k] + side * CORNER_TOLERANCE_M
    from_m, to_m = -np.inf, np.inf
    for third in range(4):
        if shape != HOLD_RAMP_HOLD and third in (1, 2):
            continue
        corner_m = paced_m * third / 3
        if corner_m < here_m:
            from_m = corner_m
        else:
            to_m = min(to_m, corner_m)
    low, high = k, k
    while low > 0 and mark_m[low - 1] >= from_m - CORNER_TOLERANCE_M:
        low -= 1
    while high < mark_m.size - 1 and mark_m[high + 1] <= to_m + CORNER_TOLERANCE_M:
        high += 1
    return low, high


@kernel("float64(float64[::1], int64[::1], int64, int64, int64)")
def _slope_ms(mark_m: Float64Array, time_us: Int64Array, k: int, i: int, j: int) -> float:
    """Slope at mark k of the parabola of distance over time through the marks k, i and j."""
    to_i_s = (time_us[i] - time_us[k]) / 1e6
    to_j_s = (time_us[j] - time_us[k]) / 1e6
    mean_i_ms = (mark_m[i] - mark_m[k]) / to_i_s
    mean_j_ms = (mark_m[j] - mark_m[k]) / to_j_s
    return float((mean_i_ms * to_j_s - mean_j_ms * to_i_s) / (to_j_s - to_i_s))


@kernel("void(float64[::1], int64[::1], float64, int64, float64[::1])")
def _edge_speeds(mark_m: Float64Array, time_us: Int64Array, paced_m: float, shape: int, edge_ms: Float64Array) -> None:
    last = mark_m.size - 1
    for k in range(mark_m.size):
        i = j = NO_MARK
        for side in (-1, +1):
            if i == NO_MARK:
                low, high = _smooth_stretch(mark_m, k, paced_m, shape, side)
                i, j = _stencil(mark_m, k, low, high, STENCIL_SPACING_M)
        for spacing_m in (STENCIL_SPACING_M, 0.0):
            if i == NO_MARK:
                i, j = _stencil(mark_m, k, 0, last, spacing_m)
        if i != NO_MARK:
            edge_ms[k] = _slope_ms(mark_m, time_us, k, i, j)
        elif last == 1:
            edge_ms[k] = 1e6 * (mark_m[1] - mark_m[0]) / (time_us[1] - time_us[0])
        else:
            edge_ms[k] = np.nan


@kernel("void(float64[::1], float64[::1], float64, float64, float64[::1])")
def _predict_exit(
    mark_m: Float64Array,
    deviation_ms: Float64Array,
    end_ms: float,
    paced_m: float,
    predicted_exit_ms: Float64Array,
) -> None:
    """Running weighted sums; distances count from `paced_m`, so that the line's constant is the answer."""
    sections = 0
    weight = sum_x = sum_y = sum_xx = sum_xy = 0.0
    predicted_exit_ms[0] = np.nan
    for k in range(mark_m.size - 1):
        predicted_exit_ms[k + 1] = predicted_exit_ms[k]
        if mark_m[k + 1] > paced_m + CORNER_TOLERANCE_M:
            continue
        length_m = mark_m[k + 1] - mark_m[k]
        middle_m = (mark_m[k + 1] + mark_m[k]) / 2 - paced_m
        sections += 1
        weight += length_m
        sum_x += length_m * middle_m
        sum_y += length_m * deviation_ms[k]
        sum_xx += length_m * middle_m * middle_m
        sum_xy += length_m * middle_m * deviation_ms[k]
        if sections < TREND_SECTIONS:
            at_exit_ms = sum_y / weight
        else:
            at_exit_ms = (sum_y * sum_xx - sum_x * sum_xy) / (weight * sum_xx - sum_x * sum_x)
        predicted_exit_ms[k + 1] = end_ms + at_exit_ms


@kernel("UniTuple(int64, 4)(float64[::1], int64[::1], float64)")
def _pull_off(mark_m: Float64Array, time_us: Int64Array, exit_m: float) -> tuple[int, int, int, int]:
    """The fields of a PullOff."""
    before = last = again = NO_MARK
    for m in range(mark_m.size):
        if time_us[m] == MISSING:
            continue
        absent = m - last - 1
        if last != NO_MARK and absent >= UNSEEN_MARKS_BEFORE_RETURN and mark_m[m] > exit_m:
            again = m
            break
        before, last = last, m
    following = last + 1 if last != NO_MARK and last + 1 < mark_m.size else NO_MARK
    expected_us: int = MISSING
    if before != NO_MARK and following != NO_MARK and time_us[last] > time_us[before]:
        us_per_m = (time_us[last] - time_us[before]) / (mark_m[last] - mark_m[before])
        ahead_us = (mark_m[following] - mark_m[last]) * us_per_m
        expected_us = int(time_us[last]) + int(np.rint(ahead_us))
    return last, following, expected_us, again
