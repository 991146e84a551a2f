"""The line between ceilings and floors: what it finds, what it admits not to know, and that it loses no µs."""

import numpy as np
import pytest

from timing.core.arrays import Int64Array
from timing.core.clockfit import RATE_LIMIT_PPB, fit_line

EPOCH_US = 1_700_000_000_000_000
NOTHING: Int64Array = np.empty(0, dtype=np.int64)


def device_times(count: int, every_us: int = 2_000_000) -> Int64Array:
    return EPOCH_US + np.arange(count, dtype=np.int64) * every_us


def offsets(x: Int64Array, rate_ppb: int, offset_at_newest_us: int) -> Int64Array:
    y: Int64Array = offset_at_newest_us + (x - x[-1]) * rate_ppb // 1_000_000_000
    return y


def delays(seed: int, count: int, shortest_us: int, mean_jitter_us: int) -> Int64Array:
    jitter = np.random.default_rng(seed).exponential(mean_jitter_us, count)
    return shortest_us + jitter.astype(np.int64)


def test_exact_bounds_give_the_exact_line_at_epoch_magnitude() -> None:
    x = device_times(300)
    y = offsets(x, rate_ppb=-23_000, offset_at_newest_us=-7_199_999_999_999)
    line = fit_line(x, y, x, y)
    assert line.offset_us == -7_199_999_999_999
    assert abs(line.rate_ppb - -23_000) <= 200, "the allowance for temperature leaves 0.2 ppm open"
    assert line.bound_us <= 2


def test_moving_all_times_to_another_epoch_moves_the_offset_and_nothing_else() -> None:
    x = device_times(200)
    y = offsets(x, 20_000, 5_000_000)
    ceilings, floors = y + delays(1, 200, 200, 800), y - delays(2, 200, 200, 800)
    here = fit_line(x, ceilings, x, floors)
    moved = fit_line(x - EPOCH_US, ceilings + EPOCH_US + 1, x - EPOCH_US, floors + EPOCH_US + 1)
    assert moved == here._replace(offset_us=here.offset_us + EPOCH_US + 1)


@pytest.mark.parametrize("seed", range(20))
def test_the_true_line_lies_within_the_bound_at_both_ends_however_lopsided_the_delays(seed: int) -> None:
    x = device_times(150)
    y = offsets(x, 40_000, 0)
    ceilings, floors = y + delays(seed, 150, 2_000, 5_000), y - delays(seed + 100, 150, 0, 50)
    line = fit_line(x, ceilings, x, floors)
    assert abs(line.offset_us) <= line.bound_us
    span_us = int(x[0] - x[-1])
    oldest_us = line.offset_us + span_us * line.rate_ppb // 1_000_000_000
    assert abs(oldest_us - int(y[0])) <= line.oldest_bound_us
    assert line.lowest_rate_ppb <= 40_000 <= line.highest_rate_ppb
    assert line.conflict_us == 0


def test_few_round_trips_leave_the_rate_near_zero() -> None:
    x = device_times(4, every_us=2_000_000)
    ceilings = np.array([3_000, 1_000, 2_500, 400], dtype=np.int64)
    line = fit_line(x, ceilings, x, -ceilings[::-1])
    assert abs(line.rate_ppb) < 20_000
    assert line.lowest_rate_ppb == -RATE_LIMIT_PPB
    assert line.highest_rate_ppb > 100_000


def test_a_lone_round_trip_gives_its_midpoint_and_half_its_width() -> None:
    x = device_times(1)
    line = fit_line(x, [1_500], x, [-500])
    assert (line.offset_us, line.rate_ppb) == (500, 0)
    assert line.bound_us == pytest.approx(1_000, abs=3)


def test_a_drift_beyond_what_crystals_do_is_clamped_and_reported_as_conflict() -> None:
    x = device_times(100)
    y = offsets(x, 500_000, 0)
    line = fit_line(x, y + 100, x, y - 100)
    assert line.rate_ppb == RATE_LIMIT_PPB
    assert line.conflict_us > 10_000
    assert abs(line.offset_us) <= line.bound_us


def test_one_bent_bound_is_reported_as_conflict_and_covered_by_the_bound() -> None:
    x = device_times(100)
    y = offsets(x, 0, 0)
    floors = y - 200
    floors[50] = 1_200
    line = fit_line(x, y + 200, x, floors)
    # The allowance for the temperature of the 100 s since then eases the 1,000 µs a little.
    assert line.conflict_us == pytest.approx(960, abs=50)
    assert abs(line.offset_us) <= line.bound_us


def test_without_floors_the_line_follows_the_quickest_arrivals_and_ignores_stalls() -> None:
    x = device_times(300)
    arrivals = offsets(x, 20_000, -3_600_000_000) + delays(3, 300, 300, 1_000)
    arrivals[::7] += 300_000
    line = fit_line(x, arrivals, NOTHING, NOTHING)
    assert line.offset_us - -3_600_000_000 == pytest.approx(300, abs=100)
    assert line.rate_ppb == pytest.approx(20_000, abs=500)
    assert 300 < line.bound_us < 1_500, "the median of delays with a mean of 1 ms"


def test_two_arrivals_do_not_make_a_drift() -> None:
    x = device_times(2, every_us=40_000_000)
    line = fit_line(x, [300_000, 400], NOTHING, NOTHING)
    assert abs(line.rate_ppb) < 1_000
    assert line.offset_us == pytest.approx(400, abs=1)


def test_the_same_bounds_give_the_same_line() -> None:
    x = device_times(300)
    y = offsets(x, 12_345, 99)
    ceilings, floors = y + delays(5, 300, 10, 700), y - delays(6, 300, 10, 700)
    assert fit_line(x, ceilings, x, floors) == fit_line(x.tolist(), ceilings.tolist(), x.tolist(), floors.tolist())


def test_a_fit_without_arrivals_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match="ceiling_x_us: a fit needs at least one arrival"):
        fit_line(NOTHING, NOTHING, NOTHING, NOTHING)


def test_bounds_that_do_not_pair_up_are_named() -> None:
    with pytest.raises(ValueError, match=r"floor_y_us: shape \(1,\)"):
        fit_line([0, 1], [0, 0], [0, 1], [0])
