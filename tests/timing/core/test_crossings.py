"""Which crossing a read was, and when the missed ones took place, against a plain Python account of the same rules."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timing.core.arrays import MISSING
from timing.core.crossings import (
    AFTER_FINISH,
    ALLOWANCE_US,
    BEFORE_START,
    CLEAR_FIT,
    DUPLICATE,
    DUPLICATE_WINDOW_US,
    MAX_SPEED_MS,
    POOR_FIT,
    REFERENCE_SPEED_MS,
    SOURCE_INTERPOLATED,
    SOURCE_NONE,
    SOURCE_PREDICTED,
    SOURCE_READ,
    SPEED_CHANGE_MS2,
    START_TOLERANCE_US,
    TOO_FAST,
    assign_marks,
    fill_missed,
)

START_US = 1_700_000_000_000_000
SOME = settings(max_examples=150, deadline=None)


# -- the oracle ----------------------------------------------------------------------------------------------


class Rider:
    """What is remembered of a competitor: the accepted reads and the speed to expect after each."""

    def __init__(self) -> None:
        self.accepted: list[dict[str, Any]] = []
        self.seen: dict[int, int] = {}

    def state(self, back: int) -> tuple[int, int, float]:
        """(mark, time, expected speed) after all accepted reads but the last `back`."""
        known = self.accepted[: len(self.accepted) - back] if back else self.accepted
        speeds = [one["speed"] for one in known if one["tells_speed"]]
        expected = speeds[-1] if speeds else REFERENCE_SPEED_MS
        return (known[-1]["mark"], known[-1]["at"], expected) if known else (-1, START_US, expected)


def candidates(
    state: tuple[int, int, float], loop: int, now: int, loops: list[int], metres: list[float], limit_m: float
) -> tuple[list[tuple[float, int, float]], bool]:
    """([(score, mark, speed)], whether the course has any such mark ahead at all)."""
    mark, at, expected = state
    from_m = metres[mark] if mark >= 0 else 0.0
    ahead = [j for j in range(mark + 1, len(loops)) if loops[j] == loop and metres[j] > from_m]
    elapsed = (now - at) / 1e6
    found: list[tuple[float, int, float]] = []
    for j in ahead:
        if elapsed <= 0 or metres[j] - from_m > MAX_SPEED_MS * elapsed:
            break
        if j != ahead[0] and metres[j] > limit_m:
            break
        speed = (metres[j] - from_m) / elapsed
        found.append((abs(math.log(speed / expected)), j, speed))
    return found, bool(ahead)


def oracle_assign(reads: list[tuple[int, int, int]], loops: list[int], metres: list[float], riders: int) -> list[int]:
    field = [Rider() for _ in range(riders)]
    answers: list[int] = []
    head_m, head_us = 0.0, START_US
    for n, (who, loop, now) in enumerate(reads):
        rider = field[who]
        on_start_line = loop == loops[0] and metres[0] == 0.0 and abs(now - START_US) <= START_TOLERANCE_US
        if on_start_line and not rider.accepted:
            rider.accepted.append({"n": n, "mark": 0, "at": now, "speed": math.nan, "tells_speed": False})
            rider.seen[loop] = now
            answers.append(0)
            continue
        if now < START_US:
            answers.append(BEFORE_START)
            continue
        if loop in rider.seen and now - rider.seen[loop] < DUPLICATE_WINDOW_US:
            answers.append(DUPLICATE)
            continue
        limit_m = head_m + MAX_SPEED_MS * max((now - head_us) / 1e6, 0.0)
        found, any_ahead = candidates(rider.state(0), loop, now, loops, metres, limit_m)
        answer = TOO_FAST if any_ahead else AFTER_FINISH
        if not found and any_ahead and rider.accepted and rider.accepted[-1]["mark"] > 0:
            found, _ = candidates(rider.state(1), loop, now, loops, metres, limit_m)
            ghost = rider.accepted[-1]
            doubt = abs(math.log(ghost["speed"] / rider.state(1)[2]))
            if found and min(found)[0] < CLEAR_FIT and doubt > POOR_FIT:
                answers[ghost["n"]] = TOO_FAST
                rider.seen.pop(loops[ghost["mark"]])
                rider.accepted.pop()
            else:
                found = []
        if found:
            _, answer, speed = min(found, key=lambda one: (one[0], one[1]))
            rider.accepted.append(
                {"n": n, "mark": answer, "at": now, "speed": speed, "tells_speed": metres[answer] > 30.0}
            )
            rider.seen[loop] = now
            if metres[answer] > head_m:
                head_m, head_us = metres[answer], now
        answers.append(answer)
    return answers


def oracle_fill(
    times: list[int | None], metres: list[float], last_awaited: int, latest_us: int, marks_ahead: int
) -> list[tuple[int | None, int]]:
    """(time, source) of each mark of one competitor; interpolated times to ± 1 µs."""
    answer: list[tuple[int | None, int]] = [(at, SOURCE_READ if at is not None else SOURCE_NONE) for at in times]
    read = [m for m, at in enumerate(times) if at is not None]
    for a, b in pairwise(read):
        for k in range(a + 1, b):
            share = (metres[k] - metres[a]) / (metres[b] - metres[a])
            answer[k] = (times[a] + int(share * (times[b] - times[a])), SOURCE_INTERPOLATED)  # type: ignore[operator]
    if len(read) >= 2:
        a, b = read[-2:]
        us_per_m = (times[b] - times[a]) / (metres[b] - metres[a])  # type: ignore[operator]
        for k in range(b + 1, min(last_awaited + 1, b + 1 + marks_ahead)):
            ahead_us = int((metres[k] - metres[b]) * us_per_m)
            if latest_us <= times[b] + ahead_us + max(ALLOWANCE_US, ahead_us // 5):  # type: ignore[operator]
                break
            answer[k] = (times[b] + ahead_us, SOURCE_PREDICTED)  # type: ignore[operator]
    return answer


# -- random fields -------------------------------------------------------------------------------------------


@st.composite
def courses(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    """(loop of each mark, metres of each mark) of a track of 133 to 500 m with 1 to 6 loops."""
    length_cm = draw(st.integers(13_300, 50_000))
    positions = draw(st.lists(st.integers(0, length_cm - 1), min_size=1, max_size=6, unique_by=lambda cm: cm // 500))
    if draw(st.booleans()):
        positions[0] = 0
    positions = sorted(set(positions))
    laps = draw(st.integers(2, 8))
    marks = sorted((lap * length_cm + cm, loop) for lap in range(laps) for loop, cm in enumerate(positions))
    return [loop for _, loop in marks], [cm / 100 for cm, _ in marks]


@st.composite
def races(draw: st.DrawFn) -> tuple[list[tuple[int, int, int]], list[int], list[float], int]:
    """Riders at changing speeds with missed, doubled and ghost reads, all in order of time."""
    loops, metres = draw(courses())
    riders = draw(st.integers(1, 7))
    reads = []
    for rider in range(riders):
        now, before_m = START_US, 0.0
        for loop, metre in zip(loops, metres, strict=True):
            speed = draw(st.integers(6_000, 21_000)) / 1_000
            now += int((metre - before_m) / speed * 1e6)
            before_m = metre
            fate = draw(st.integers(0, 9))
            if fate > 0:
                reads.append((rider, loop, now))
            if fate == 1:
                reads.append((rider, loop, now + draw(st.integers(0, 3_000_000))))
            if fate == 2:
                ghost_us = draw(st.integers(-8_000_000, 40_000_000))
                reads.append((rider, draw(st.sampled_from(loops)), now + ghost_us))
    return sorted(reads, key=lambda read: read[2]), loops, metres, riders


@given(races())
@SOME
def test_every_read_gets_the_mark_that_the_oracle_gives_it(
    race: tuple[list[tuple[int, int, int]], list[int], list[float], int],
) -> None:
    reads, loops, metres, riders = race
    columns = np.array(reads, np.int64).reshape(-1, 3)
    got = assign_marks(columns[:, 0], columns[:, 1], columns[:, 2], loops, metres, START_US, riders)
    assert got.mark.tolist() == oracle_assign(reads, loops, metres, riders)


@given(races())
@SOME
def test_a_competitor_never_gets_a_mark_twice_nor_goes_backwards(
    race: tuple[list[tuple[int, int, int]], list[int], list[float], int],
) -> None:
    reads, loops, metres, riders = race
    columns = np.array(reads, np.int64).reshape(-1, 3)
    marks = assign_marks(columns[:, 0], columns[:, 1], columns[:, 2], loops, metres, START_US, riders).mark.tolist()
    for rider in range(riders):
        own = [mark for (who, _, _), mark in zip(reads, marks, strict=True) if who == rider and mark >= 0]
        assert all(a < b for a, b in pairwise(own))
    assert all(loops[mark] == loop for (_, loop, _), mark in zip(reads, marks, strict=True) if mark >= 0)


@given(courses(), st.integers(80, 86), st.sets(st.integers(0, 60)))
@SOME
def test_at_a_steady_speed_missing_reads_never_shift_the_others(
    course: tuple[list[int], list[float]], speed_dms: int, missed: set[int]
) -> None:
    """However many reads one rider misses from the gun on, at the pace of the start (29 to 31 km/h)."""
    loops, metres = course
    at_us = [START_US + int(metre / speed_dms * 1e7) for metre in metres]
    whole = [(0, loop, at) for loop, at in zip(loops, at_us, strict=True)]
    partial = [(1, loop, at) for m, (loop, at) in enumerate(zip(loops, at_us, strict=True)) if m not in missed]
    reads = sorted(whole + partial, key=lambda read: read[2])
    columns = np.array(reads, np.int64)
    marks = assign_marks(columns[:, 0], columns[:, 1], columns[:, 2], loops, metres, START_US, 2).mark.tolist()
    for (_, _, at), mark in zip(reads, marks, strict=True):
        assert mark == at_us.index(at)


@st.composite
def crossings(draw: st.DrawFn) -> tuple[list[list[int | None]], list[float], list[int], int, int]:
    _, metres = draw(courses())
    riders = draw(st.integers(1, 6))
    field = []
    for _ in range(riders):
        now = START_US
        times: list[int | None] = []
        for before, metre in pairwise([0.0, *metres]):
            now += 1 + int((metre - before) / draw(st.integers(5, 20)) * 1e6)
            times.append(now if draw(st.integers(0, 3)) else None)
        field.append(times)
    awaited = draw(st.lists(st.integers(-1, len(metres) - 1), min_size=riders, max_size=riders))
    latest_us = START_US + draw(st.integers(0, 600_000_000))
    return field, metres, awaited, latest_us, draw(st.integers(0, 6))


@given(crossings())
@SOME
def test_missed_crossings_are_filled_as_the_oracle_fills_them(
    case: tuple[list[list[int | None]], list[float], list[int], int, int],
) -> None:
    field, metres, awaited, latest_us, marks_ahead = case
    times = np.array([[MISSING if at is None else at for at in row] for row in field], np.int64)
    got = fill_missed(times, metres, awaited, latest_us, marks_ahead)
    for row, rider in enumerate(field):
        expected = oracle_fill(rider, metres, awaited[row], latest_us, marks_ahead)
        assert got.source[row].tolist() == [source for _, source in expected]
        for mark, (at, source) in enumerate(expected):
            known = int(got.crossing_us[row, mark])
            assert known == MISSING if at is None else abs(known - at) <= 1
            assert (int(got.uncertainty_us[row, mark]) > 0) == (source in (SOURCE_INTERPOLATED, SOURCE_PREDICTED))


def test_the_uncertainty_is_that_of_a_steady_change_of_speed_of_1_m_s2() -> None:
    # 100 m in 8 s, unread in the middle: half of 1 m/s² times 4 s times 4 s, over 12.5 m/s.
    filled = fill_missed([[0, MISSING, 8_000_000]], [0.0, 50.0, 100.0], [2], 8_000_000, 5)
    assert SPEED_CHANGE_MS2 == 1.0
    assert int(filled.crossing_us[0, 1]) == 4_000_000
    assert int(filled.uncertainty_us[0, 1]) == pytest.approx(640_000, abs=1)


def test_a_duplicate_is_one_also_after_another_loop_12_m_on() -> None:
    marks = assign_marks(
        [0, 0, 0], [0, 1, 0], [START_US + at for at in (20_000_000, 21_000_000, 22_000_000)],
        [0, 1, 0, 1], [250.0, 262.5, 500.0, 512.5], START_US, 1,
    ).mark  # fmt: skip
    assert marks.tolist() == [0, 1, DUPLICATE]


def test_no_reads_and_an_empty_course_make_no_trouble() -> None:
    assert assign_marks([], [], [], [0], [0.0], START_US, 3).mark.size == 0
    empty = fill_missed(np.empty((2, 0), np.int64), [], [-1, -1], START_US, 0)
    assert empty.crossing_us.shape == (2, 0)
