"""The pacer's pace: the derived tables of UCI 3.2.137, speeds at the marks, prediction and pull-off."""

import random
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timing.core.arrays import MISSING
from timing.core.pace import (
    CONSTANT_ACCELERATION,
    HOLD_RAMP_HOLD,
    LINEAR_DISTANCE,
    SHAPES,
    PullOff,
    pace_sections,
    pull_off,
    target_elapsed_us,
    target_speed,
)

V25, V30, V45, V50 = 25 / 3.6, 30 / 3.6, 45 / 3.6, 50 / 3.6
HALF_LAPS_M = np.arange(0.0, 751.0, 125.0)
IZU_LOOPS_M = (0.0, 50.0, 112.5, 150.0, 237.5)
"""Finish, 200 m line, back pursuit line, 100 m line, home pursuit line."""

every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def izu_marks(line_to_finish_m: float, until_m: float = 750.0) -> np.ndarray:
    """Race distances of the loops when the finish line is `line_to_finish_m` after the start of the pace."""
    marks = [250.0 * lap + loop + line_to_finish_m for lap in range(4) for loop in IZU_LOOPS_M]
    return np.array([mark for mark in marks if mark <= until_m])


starting_lines = pytest.mark.parametrize(
    "line_to_finish_m", [0.0, 12.5], ids=["from the finish line", "from the home pursuit line"]
)


@pytest.mark.parametrize(
    ("shape", "seconds"),
    [
        (LINEAR_DISTANCE, [14.22, 12.87, 11.75, 10.81, 10.00, 9.31]),
        (CONSTANT_ACCELERATION, [14.03, 12.50, 11.38, 10.52, 9.82, 9.25]),
        (HOLD_RAMP_HOLD, [15.00, 15.00, 12.63, 9.87, 9.00, 9.00]),
    ],
)
def test_half_lap_times_of_30_to_50_are_those_of_the_table(shape: int, seconds: list[float]) -> None:
    elapsed = target_elapsed_us(HALF_LAPS_M, V30, V50, 750.0, shape)
    assert np.round(np.diff(elapsed) / 1e6, 2).tolist() == seconds


def test_linear_pace_reaches_the_speeds_of_the_table_at_the_half_laps() -> None:
    speeds = target_speed(HALF_LAPS_M, V30, V50, 750.0, LINEAR_DISTANCE) * 3.6
    assert np.round(speeds, 1).tolist() == [30.0, 33.3, 36.7, 40.0, 43.3, 46.7, 50.0]


@every_shape
@pytest.mark.parametrize(("kmh", "seconds"), [(25, 36.0), (30, 30.0), (40, 22.5), (50, 18.0)])
def test_a_constant_pace_gives_the_lap_times_of_constant_speed(shape: int, kmh: int, seconds: float) -> None:
    elapsed = target_elapsed_us([0.0, 250.0, 500.0], kmh / 3.6, kmh / 3.6, 750.0, shape)
    np.testing.assert_allclose(np.diff(elapsed), seconds * 1e6, atol=1)


@every_shape
def test_the_pace_is_constant_before_the_start_and_after_the_exit(shape: int) -> None:
    speeds = target_speed([-80.0, 0.0, 750.0, 900.0], V25, V45, 750.0, shape)
    np.testing.assert_allclose(speeds, [V25, V25, V45, V45])
    before, start, at_exit, after = target_elapsed_us([-80.0, 0.0, 750.0, 900.0], V25, V45, 750.0, shape)
    assert start == 0
    assert before == pytest.approx(-80 / V25 * 1e6, abs=1)
    assert after - at_exit == pytest.approx(150 / V45 * 1e6, abs=1)


@pytest.mark.parametrize("shape_name", SHAPES)
def test_the_elapsed_time_is_the_integral_of_the_speed(oracle: ModuleType, shape_name: str) -> None:
    distances = [60.0, 300.0, 412.5, 833.3, 1000.0]
    elapsed = target_elapsed_us(distances, V25, V50, 833.3, SHAPES[shape_name])
    expected = [oracle.elapsed_us(d, V25, V50, 833.3, shape_name) for d in distances]
    np.testing.assert_allclose(elapsed, expected, atol=10)
    speeds = target_speed(distances, V25, V50, 833.3, SHAPES[shape_name])
    np.testing.assert_allclose(speeds, [oracle.speed(d, V25, V50, 833.3, shape_name) for d in distances])


@every_shape
@starting_lines
def test_a_pacer_on_the_curve_has_no_deviation_and_its_true_speed_at_every_loop(
    shape: int, line_to_finish_m: float
) -> None:
    marks = izu_marks(line_to_finish_m)
    start_us = 1_600_000_000_000_000
    times = start_us + target_elapsed_us(marks, V30, V50, 750.0, shape)
    pace = pace_sections(marks, times, V30, V50, 750.0, shape)
    np.testing.assert_allclose(pace.deviation_ms * 3.6, 0.0, atol=0.001)
    np.testing.assert_allclose(pace.section_ms, pace.target_ms + pace.deviation_ms)
    true_kmh = target_speed(marks, V30, V50, 750.0, shape) * 3.6
    np.testing.assert_allclose(pace.edge_ms * 3.6, true_kmh, atol=0.05)
    np.testing.assert_allclose(pace.predicted_exit_ms[1:] * 3.6, 50.0, atol=0.01)


def test_the_speed_at_the_exit_owes_nothing_to_the_braking_after_it() -> None:
    marks = np.append(izu_marks(12.5), [790.0, 830.0])
    times = target_elapsed_us(marks, V30, V50, 750.0, CONSTANT_ACCELERATION)
    braking_us = np.array([2_000_000, 6_000_000])
    times[-2:] += braking_us
    pace = pace_sections(marks, times, V30, V50, 750.0, CONSTANT_ACCELERATION)
    assert marks[-3] == 750.0
    assert pace.edge_ms[-3] * 3.6 == pytest.approx(50.0, abs=0.05)
    assert pace.predicted_exit_ms[-1] * 3.6 == pytest.approx(50.0, abs=0.05)


@every_shape
def test_loop_clocks_that_differ_by_5_ms_and_1_ms_of_noise_cost_less_than_1_kmh(shape: int) -> None:
    marks = izu_marks(12.5)
    true_us = target_elapsed_us(marks, V30, V50, 750.0, shape)
    true_kmh = target_speed(marks, V30, V50, 750.0, shape) * 3.6
    chance = random.Random(7)
    squares = []
    for _ in range(200):
        clocks = {loop: chance.uniform(-5_000, 5_000) for loop in IZU_LOOPS_M}
        read = [
            time + round(clocks[(mark - 12.5) % 250] + chance.uniform(-1_000, 1_000))
            for mark, time in zip(marks.tolist(), true_us.tolist(), strict=True)
        ]
        off = pace_sections(marks, read, V30, V50, 750.0, shape).edge_ms * 3.6 - true_kmh
        assert np.abs(off).max() < 1.0
        squares.append(np.mean(off**2))
    assert np.sqrt(np.mean(squares)) < 0.15


def test_a_pacer_that_rides_30_to_45_is_predicted_45_from_half_way_on() -> None:
    marks = izu_marks(12.5)
    times = target_elapsed_us(marks, V30, V45, 750.0, LINEAR_DISTANCE)
    pace = pace_sections(marks, times, V30, V50, 750.0, LINEAR_DISTANCE)
    predicted_kmh = pace.predicted_exit_ms[marks >= 375.0] * 3.6
    np.testing.assert_allclose(predicted_kmh, 45.0, atol=0.1)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    sections=st.lists(st.tuples(st.integers(5, 200), st.integers(50, 180)), min_size=1, max_size=20),
    shape_name=st.sampled_from(sorted(SHAPES)),
)
def test_sections_and_prediction_of_any_ride(
    oracle: ModuleType, sections: list[tuple[int, int]], shape_name: str
) -> None:
    """Sections as (m, speed in dm/s)."""
    marks, times = [0.0], [0]
    for length_m, speed_dms in sections:
        marks.append(marks[-1] + length_m)
        times.append(times[-1] + length_m * 10_000_000 // speed_dms)
    pace = pace_sections(marks, times, V30, V50, 750.0, SHAPES[shape_name])
    exact = [
        Fraction(length_m * 1_000_000, b - a) for (length_m, _), a, b in zip(sections, times, times[1:], strict=False)
    ]
    np.testing.assert_allclose(pace.section_ms, [float(v) for v in exact])
    curve = target_elapsed_us(marks, V30, V50, 750.0, SHAPES[shape_name])
    np.testing.assert_allclose(pace.target_ms, np.diff(marks) * 1e6 / np.diff(curve), rtol=1e-5)
    np.testing.assert_allclose(pace.deviation_ms, pace.section_ms - pace.target_ms)
    assert np.isnan(pace.predicted_exit_ms[0])
    for k in range(1, len(marks)):
        within = [j for j in range(k) if marks[j + 1] <= 750.5]
        if not within:
            assert np.isnan(pace.predicted_exit_ms[k])
            continue
        middles = [(marks[j] + marks[j + 1]) / 2 for j in within]
        lengths = [marks[j + 1] - marks[j] for j in within]
        trend = oracle.trend_at(middles, [float(pace.deviation_ms[j]) for j in within], lengths, 750.0)
        assert pace.predicted_exit_ms[k] == pytest.approx(V50 + trend, abs=1e-6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(gaps_m=st.lists(st.integers(40, 160), min_size=2, max_size=12), start_dms=st.integers(60, 140))
def test_edge_speeds_of_any_even_acceleration_are_exact_wherever_the_loops_lie(
    gaps_m: list[int], start_dms: int
) -> None:
    """A parabola of distance over time is recovered, and the middle of one section is its mean speed."""
    marks = np.cumsum([0, *gaps_m]).astype(np.float64)
    start_ms = start_dms / 10
    times = target_elapsed_us(marks, start_ms, 15.0, float(marks[-1]), CONSTANT_ACCELERATION)
    pace = pace_sections(marks, times, V30, V50, float(marks[-1]), LINEAR_DISTANCE)
    true_ms = target_speed(marks, start_ms, 15.0, float(marks[-1]), CONSTANT_ACCELERATION)
    np.testing.assert_allclose(pace.edge_ms, true_ms, atol=1e-4)


def test_one_mark_has_no_speed_and_two_have_the_mean_of_their_section() -> None:
    one = pace_sections([12.5], [7], V30, V50, 750.0, LINEAR_DISTANCE)
    assert one.section_ms.size == 0
    assert np.isnan([one.edge_ms[0], one.predicted_exit_ms[0]]).all()
    two = pace_sections([12.5, 62.5], [0, 5_000_000], V30, V50, 750.0, LINEAR_DISTANCE)
    assert two.section_ms.tolist() == [10.0]
    assert two.edge_ms.tolist() == [10.0, 10.0]
    assert two.predicted_exit_ms[1] == pytest.approx(V50 + two.deviation_ms[0])


def test_marks_closer_than_the_spacing_are_used_when_there_are_no_others() -> None:
    pace = pace_sections([0.0, 12.5, 25.0], [0, 1_250_000, 2_500_000], V30, V50, 750.0, LINEAR_DISTANCE)
    np.testing.assert_allclose(pace.edge_ms, 10.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [], V30, V50, 750.0, 0), "no marks"),
        (([0.0, 50.0], [5, 5], V30, V50, 750.0, 0), r"time_us\[1\] = 5 µs is not after"),
        (([0.0, 50.0], [5], V30, V50, 750.0, 0), "time_us: shape"),
        (([0.0], [5], V30, V50, 750.0, 3), "shape 3 is unknown"),
        (([0.0], [5], 0.0, V50, 750.0, 0), "give positive speeds"),
        (([0.0], [5], V30, V50, float("nan"), 0), "positive distance"),
    ],
)
def test_a_pace_that_cannot_be_computed_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pace_sections(*arguments)


# -- pull-off ------------------------------------------------------------------------------------------------

MARKS_M = [662.5, 700.0, 750.0, 762.5, 812.5, 875.0, 912.5]


def test_a_pacer_that_leaves_is_expected_at_the_next_mark_and_not_seen_again() -> None:
    read = [0, 3_000_000, 7_000_000, MISSING, MISSING, MISSING, MISSING]
    assert pull_off(MARKS_M, read, 750.0) == PullOff(2, 3, 8_000_000, -1)


def test_a_pacer_that_comes_back_after_two_marks_is_seen_again() -> None:
    read = [0, 3_000_000, 7_000_000, MISSING, MISSING, 21_000_000, MISSING]
    assert pull_off(MARKS_M, read, 750.0) == PullOff(2, 3, 8_000_000, 5)


def test_one_missed_read_is_no_return() -> None:
    read = [0, 3_000_000, MISSING, 8_000_000, MISSING, 17_000_000, 20_000_000]
    assert pull_off(MARKS_M, read, 750.0) == PullOff(6, -1, MISSING, -1)


def test_missed_reads_before_the_exit_are_no_return() -> None:
    read = [0, MISSING, MISSING, 8_000_000, MISSING, MISSING, MISSING]
    assert pull_off(MARKS_M, read, 762.5).seen_again == -1


def test_one_reading_gives_no_speed_and_none_gives_nothing() -> None:
    unread = [MISSING] * 7
    assert pull_off(MARKS_M, unread, 750.0) == PullOff(-1, -1, MISSING, -1)
    assert pull_off(MARKS_M, [5, *unread[1:]], 750.0) == PullOff(0, 1, MISSING, -1)
    assert pull_off([], [], 750.0) == PullOff(-1, -1, MISSING, -1)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(read=st.lists(st.one_of(st.none(), st.integers(1, 20_000_000)), max_size=20), exit_m=st.integers(0, 1000))
def test_pull_off_of_any_pattern_of_readings(oracle: ModuleType, read: list[int | None], exit_m: int) -> None:
    """Each number is the time since the mark before, so that times rise."""
    times: list[int | None] = []
    now = 0
    for step in read:
        now += step or 1
        times.append(None if step is None else now)
    marks = [Fraction(75 * index, 2) for index in range(len(times))]
    expected = oracle.pull_off(times, marks, Fraction(exit_m))
    found = pull_off(
        [float(m) for m in marks],
        np.array([MISSING if t is None else t for t in times], np.int64),
        float(exit_m),
    )
    assert (found.last_seen, found.next_mark, found.seen_again) == (expected[0], expected[1], expected[3])
    if expected[2] is None:
        assert found.expected_next_us == MISSING
    else:
        assert abs(found.expected_next_us - expected[2]) <= 1
