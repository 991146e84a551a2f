"""The rider's front wheel against the pacer's edge, UCI 3.2.140."""

from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timing.core.arrays import MISSING
from timing.core.margins import pacer_margins

V50 = 50 / 3.6


def test_a_wheel_level_with_the_pacers_edge_has_no_margin() -> None:
    margins = pacer_margins([[5_000_000]], [5_000_000], [[V50]], [V50], [0.33], 0.33)
    assert margins.margin_us.tolist() == [[0]]
    assert margins.margin_m.tolist() == [[0.0]]


def test_a_wheel_behind_is_positive_and_a_wheel_ahead_negative() -> None:
    margins = pacer_margins([[5_100_000], [4_900_000]], [5_000_000], [[V50], [V50]], [V50], [0.33, 0.33], 0.33)
    assert margins.margin_us.ravel().tolist() == [100_000, -100_000]
    np.testing.assert_allclose(margins.margin_m.ravel(), [V50 / 10, -V50 / 10])


def test_equal_transponder_times_hide_the_wheel_that_reaches_forward() -> None:
    """0.334 m of wheel are 24 ms at 50 km/h (track-rules §4.3)."""
    margins = pacer_margins([[5_000_000]], [5_000_000], [[V50]], [V50], [0.334], 0.0)
    assert margins.margin_us.tolist() == [[-24_048]]


def test_the_rear_wheel_rule_to_2016_calls_a_fault_where_the_front_wheel_rule_does_not() -> None:
    """1 m behind the pacer's front edge is an overlap with a rear wheel 1.6 m behind its transponder."""
    rider_us = 5_000_000 + round(1.0 / V50 * 1e6)
    front = pacer_margins([[rider_us]], [5_000_000], [[V50]], [V50], [0.33], 0.33)
    rear = pacer_margins([[rider_us]], [5_000_000], [[V50]], [V50], [0.33], -1.60)
    assert front.margin_m[0, 0] == pytest.approx(1.0, abs=1e-4)
    assert rear.margin_m[0, 0] == pytest.approx(-0.93, abs=1e-4)


def test_a_missing_time_or_an_unknown_speed_gives_no_margin() -> None:
    unknown = float("nan")
    margins = pacer_margins(
        [[MISSING, 1, 1, 1, 1]],
        [1, MISSING, 1, 1, 1],
        [[V50, V50, unknown, V50, 0.0]],
        [V50, V50, V50, unknown, V50],
        [0.33],
        0.33,
    )
    assert margins.margin_us.tolist() == [[MISSING] * 5]
    assert np.isnan(margins.margin_m).all()


MAYBE_TIME = st.one_of(st.none(), st.integers(0, 2**50))
SPEED = st.integers(0, 40).map(lambda half_ms: Fraction(half_ms, 2))
OFFSET = st.integers(-256, 256).map(lambda part: Fraction(part, 128))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    riders=st.lists(st.tuples(MAYBE_TIME, SPEED, OFFSET), min_size=1, max_size=36),
    pacer=st.tuples(MAYBE_TIME, SPEED, OFFSET),
)
def test_margins_agree_with_exact_fractions_to_the_rounding_of_one_microsecond(
    oracle: ModuleType,
    riders: list[tuple[int | None, Fraction, Fraction]],
    pacer: tuple[int | None, Fraction, Fraction],
) -> None:
    pacer_us, pacer_speed, edge = pacer
    margins = pacer_margins(
        [[MISSING if t is None else t] for t, _, _ in riders],
        [MISSING if pacer_us is None else pacer_us],
        [[float(v)] for _, v, _ in riders],
        [float(pacer_speed)],
        [float(front) for _, _, front in riders],
        float(edge),
    )
    for r, (rider_us, rider_speed, front) in enumerate(riders):
        expected = oracle.margin_us(rider_us, pacer_us, front, rider_speed, edge, pacer_speed)
        if expected is None:
            assert margins.margin_us[r, 0] == MISSING
            assert np.isnan(margins.margin_m[r, 0])
        else:
            assert abs(int(margins.margin_us[r, 0]) - expected) <= 1
            metres = int(margins.margin_us[r, 0]) * float(rider_speed) / 1e6
            assert margins.margin_m[r, 0] == pytest.approx(metres)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"pacer_us": [1]}, "pacer_us"),
        ({"rider_ms": [[1.0]]}, "rider_ms"),
        ({"pacer_ms": [1.0]}, "pacer_ms"),
        ({"rider_front_m": [0.3, 0.3]}, "rider_front_m"),
    ],
)
def test_shapes_that_do_not_match_are_refused_by_name(changed: dict[str, object], name: str) -> None:
    arguments: dict[str, object] = {
        "rider_us": [[1, 2]],
        "pacer_us": [1, 2],
        "rider_ms": [[1.0, 1.0]],
        "pacer_ms": [1.0, 1.0],
        "rider_front_m": [0.3],
        "pacer_edge_m": 0.33,
    }
    with pytest.raises(ValueError, match=f"{name}: shape"):
        pacer_margins(**(arguments | changed))  # type: ignore[arg-type]
