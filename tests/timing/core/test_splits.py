"""Lap, half-lap and sector times."""

from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timing.core.arrays import MISSING
from timing.core.splits import LapSplits, field_splits, lap_splits, lap_times

METRE = Fraction(1)


def or_missing(time_us: int | None) -> int:
    return MISSING if time_us is None else time_us


@st.composite
def passing_streams(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    riders, loops = draw(st.integers(1, 36)), draw(st.integers(1, 9))
    steps = draw(st.lists(st.tuples(st.integers(0, riders - 1), st.integers(0, loops - 1), st.integers(0, 40_000_000))))
    stream, now = [], draw(st.integers(-(2**40), 2**60))
    for rider, loop, step in steps:
        now += step
        stream.append((rider, loop, now))
    return stream


@st.composite
def courses(draw: st.DrawFn) -> tuple[Fraction, list[Fraction], list[list[int | None]]]:
    """A track of 133 to 500 m (half laps making 1 km), loops anywhere on it, a field with missed reads."""
    half_laps_in_1_km = draw(st.integers(4, 15))
    length = Fraction(2000, half_laps_in_1_km)
    cm = st.integers(0, int(length * 100) - 1)
    loops = sorted(draw(st.sets(cm, min_size=1, max_size=5)))
    positions = {Fraction(position, 100) for position in loops}
    if draw(st.booleans()):
        positions |= {(position + length / 2) % length for position in positions}
    ordered = sorted(positions)
    # Two loops nearer than the tolerance of a mark are one loop.
    apart = [p for i, p in enumerate(ordered) if i == 0 or p - ordered[i - 1] > Fraction(1, 100)]
    laps = draw(st.integers(1, 4))
    marks = [lap * length + position for lap in range(laps) for position in apart]
    time = st.one_of(st.none(), st.integers(0, 10**12))
    riders = draw(st.integers(1, 36))
    rows = st.lists(time, min_size=len(marks), max_size=len(marks))
    return length, marks, draw(st.lists(rows, min_size=riders, max_size=riders))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(stream=passing_streams())
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_every_passing_gets_its_lap_its_sector_and_its_lap_number(
    oracle: ModuleType, dtype: type[np.integer[Any]], stream: list[tuple[int, int, int]]
) -> None:
    columns = np.array(stream, dtype=np.int64).reshape(-1, 3)
    rider = np.asarray(columns[:, 0], dtype=dtype)
    loop = np.asarray(columns[:, 1], dtype=dtype)
    expected = oracle.lap_splits(stream)
    splits = lap_splits(rider, loop, columns[:, 2], 36, 9)
    assert splits.lap_us.tolist() == [or_missing(lap) for lap, _, _ in expected]
    assert splits.sector_us.tolist() == [or_missing(sector) for _, sector, _ in expected]
    assert splits.lap_number.tolist() == [number for _, _, number in expected]
    assert lap_times(rider, loop, columns[:, 2], 36, 9).tolist() == splits.lap_us.tolist()


def test_results_go_into_the_arrays_that_are_given() -> None:
    out = LapSplits(*(np.empty(2, dtype=np.int64) for _ in range(3)))
    splits = lap_splits([0, 0], [0, 0], [5, 25], 1, 1, out=out)
    assert splits is out
    assert out.lap_us.tolist() == [MISSING, 20]
    assert lap_times([0, 0], [0, 0], [5, 26], 1, 1, out=out.lap_us) is out.lap_us
    assert out.lap_us.tolist() == [MISSING, 21]


@pytest.mark.parametrize(
    ("rider", "loop", "time_us", "message"),
    [
        ([0, 2], [0, 0], [1, 2], "passing 1: rider 2 is not below rider_count 2"),
        ([0, -1], [0, 0], [1, 2], "passing 1: rider -1 is not below"),
        ([0, 1], [0, 3], [1, 2], "passing 1: loop 3 is not below loop_count 3"),
        ([0, 1], [0, 0], [2, 1], "passing 1: 1 µs is before its predecessor .* sort the passings"),
        ([0, 1], [0], [1, 2], "loop: shape"),
        ([0, 1], [0, 0], [1], "time_us: shape"),
    ],
)
def test_a_bad_stream_is_refused_at_the_passing_where_it_goes_wrong(
    rider: list[int], loop: list[int], time_us: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        lap_splits(rider, loop, time_us, 2, 3)
    with pytest.raises(ValueError, match=message):
        lap_times(rider, loop, time_us, 2, 3)


@pytest.mark.parametrize("out", [np.empty(3, np.int64), np.empty(2, np.int32), np.empty(4, np.int64)[::2]])
def test_an_output_array_that_cannot_take_the_result_is_refused(out: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot take the result"):
        lap_times([0, 0], [0, 0], [1, 2], 1, 1, out=out)


def test_a_keirin_on_250_m_has_its_laps_and_half_laps_at_the_marks_that_close_them() -> None:
    marks = [12.5, 125.0, 250.0, 262.5]
    splits = field_splits([[1_000_000, 13_000_000, 27_000_000, 28_400_000]], marks, 250.0)
    assert splits.sector_us.tolist() == [[MISSING, 12_000_000, 14_000_000, 1_400_000]]
    assert splits.half_lap_us.tolist() == [[MISSING, MISSING, 14_000_000, MISSING]]
    assert splits.lap_us.tolist() == [[MISSING, MISSING, MISSING, 27_400_000]]
    np.testing.assert_allclose(splits.sector_ms[0, 1:], [112.5 / 12, 125 / 14, 12.5 / 1.4])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(course=courses())
def test_field_splits_on_any_track_with_any_loops_and_missed_reads(
    oracle: ModuleType, course: tuple[Fraction, list[Fraction], list[list[int | None]]]
) -> None:
    length, marks, field = course
    crossings = [[or_missing(t) for t in row] for row in field]
    splits = field_splits(crossings, [float(mark) for mark in marks], float(length))
    for r, row in enumerate(field):
        sector = oracle.sectors(row)
        assert splits.sector_us[r].tolist() == [or_missing(t) for t in sector]
        for found, distance in ((splits.lap_us, length), (splits.half_lap_us, length / 2)):
            expected = oracle.since_mark_before(row, marks, distance)
            assert found[r].tolist() == [or_missing(t) for t in expected]
        for m, duration in enumerate(sector):
            if duration is None or duration <= 0:
                assert np.isnan(splits.sector_ms[r, m])
            else:
                exact = (marks[m] - marks[m - 1]) * 1_000_000 / duration
                assert splits.sector_ms[r, m] == pytest.approx(float(exact), rel=1e-9)


def test_a_track_without_length_and_times_that_do_not_fit_the_marks_are_refused() -> None:
    with pytest.raises(ValueError, match="track_length_m: 0 is not a length"):
        field_splits([[1]], [0.0], 0)
    with pytest.raises(ValueError, match=r"crossing_us: shape \(1, 2\) does not match"):
        field_splits([[1, 2]], [0.0], 250.0)
