"""The kernels' answers computed the obvious way: Python integers and fractions, None for a missing time."""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

MICRO = 1_000_000
Time = int | None


def lap_splits(passings: Sequence[tuple[int, int, int]]) -> list[tuple[Time, Time, int]]:
    """(rider, loop, time) in order -> (lap, sector, earlier passings of the loop)."""
    answers: list[tuple[Time, Time, int]] = []
    for index, (rider, loop, time_us) in enumerate(passings):
        own = [earlier for earlier in passings[:index] if earlier[0] == rider]
        here = [earlier for earlier in own if earlier[1] == loop]
        lap = time_us - here[-1][2] if here else None
        sector = time_us - own[-1][2] if own else None
        answers.append((lap, sector, len(here)))
    return answers


def since_mark_before(times: Sequence[Time], marks: Sequence[Fraction], distance: Fraction) -> list[Time]:
    """Time since the mark that lies `distance` before, to 1 mm."""
    answers: list[Time] = []
    for here, mark in zip(times, marks, strict=True):
        there = [t for t, m in zip(times, marks, strict=True) if abs(mark - distance - m) <= Fraction(1, 1000)]
        known = here is not None and there and there[0] is not None
        answers.append(here - there[0] if known else None)  # type: ignore[operator]
    return answers


def sectors(times: Sequence[Time]) -> list[Time]:
    before = [None, *times[:-1]]
    return [None if a is None or b is None else b - a for a, b in zip(before, times, strict=True)]


def order(times: Sequence[Time]) -> list[tuple[int, Time]]:
    """(place, gap) of each rider; place 0 without a time."""
    seen = [t for t in times if t is not None]
    return [(0, None) if t is None else (1 + sum(other < t for other in seen), t - min(seen)) for t in times]


def elapsed_us(distance: float, start: float, end: float, paced: float, shape: str) -> int:
    """Time on the target curve by summing many short steps of its speed (midpoint rule)."""
    steps = 20_000
    step = distance / steps
    seconds = math.fsum(step / speed((index + 0.5) * step, start, end, paced, shape) for index in range(steps))
    return round(seconds * MICRO)


def speed(distance: float, start: float, end: float, paced: float, shape: str) -> float:
    if shape == "hold_ramp_hold":
        third = paced / 3
        return speed(distance - third, start, end, third, "constant_acceleration")
    part = min(max(distance / paced, 0.0), 1.0)
    if shape == "linear_distance":
        return start + (end - start) * part
    return math.sqrt(start * start + (end * end - start * start) * part)


def trend_at(positions: Sequence[float], values: Sequence[float], weights: Sequence[float], x: float) -> float:
    """Weighted least-squares line through (positions, values) at x; the weighted mean below three points."""
    total = math.fsum(weights)
    mean_x = math.fsum(w * p for w, p in zip(weights, positions, strict=True)) / total
    mean_y = math.fsum(w * v for w, v in zip(weights, values, strict=True)) / total
    if len(values) < 3:
        return mean_y
    spread = math.fsum(w * (p - mean_x) ** 2 for w, p in zip(weights, positions, strict=True))
    slant = math.fsum(w * (p - mean_x) * (v - mean_y) for w, p, v in zip(weights, positions, values, strict=True))
    return mean_y + slant / spread * (x - mean_x)


def margin_us(
    rider: Time, pacer: Time, front: Fraction, rider_speed: Fraction, edge: Fraction, pacer_speed: Fraction
) -> Time:
    """Rider's wheel minus pacer's edge at the loop, rounded once."""
    if rider is None or pacer is None or rider_speed <= 0 or pacer_speed <= 0:
        return None
    wheel = rider - MICRO * front / rider_speed
    edge_at = pacer - MICRO * edge / pacer_speed
    return round(wheel - edge_at)


def pull_off(times: Sequence[Time], marks: Sequence[Fraction], exit_m: Fraction) -> tuple[int, int, Time, int]:
    """(last_seen, next_mark, expected_next_us, seen_again)."""
    seen = [index for index, t in enumerate(times) if t is not None]
    again = next((b for a, b in itertools.pairwise(seen) if b - a > 2 and marks[b] > exit_m), None)
    before = seen if again is None else [index for index in seen if index < again]
    if not before:
        return -1, -1, None, -1
    last = before[-1]
    following = last + 1 if last + 1 < len(times) else -1
    expected: Time = None
    if following != -1 and len(before) > 1:
        first_us, last_us = times[before[-2]], times[last]
        assert first_us is not None
        assert last_us is not None
        us_per_m = (last_us - first_us) / (marks[last] - marks[before[-2]])
        expected = last_us + round((marks[following] - marks[last]) * us_per_m)
    return last, following, expected, -1 if again is None else again
