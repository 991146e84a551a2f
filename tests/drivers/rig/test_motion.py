"""Motion in closed form, against numbers from the rule book and against brute-force integration."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.models import PaceCurve
from drivers.rig.motion import Motion, MotionError, RiseWithDistance, SteadyChange
from drivers.rig.rides import Sprint, pacer_motion, rider_motion, slot_behind_pacer_m

EXIT_M = 750.0
END_M = 1_800.0


def integrated_us(speed_at: object, from_m: float, to_m: float, steps: int = 20_000) -> float:
    """∫ ds/v by Simpson's rule, in µs: what `time_at` must give without its closed form."""
    assert callable(speed_at)
    step = (to_m - from_m) / steps
    total = 0.0
    for index in range(steps):
        left = from_m + index * step
        total += step / 6 * (1 / speed_at(left) + 4 / speed_at(left + step / 2) + 1 / speed_at(left + step * 0.999999))
    return total * 1_000_000


@pytest.mark.parametrize("shape", ["uci", "even", "pist6"])
def test_closed_form_equals_numeric_integration_over_every_half_lap(curves: dict[str, PaceCurve], shape: str) -> None:
    pacer = pacer_motion(curves[shape], EXIT_M, END_M)
    for number in range(6):
        from_m, to_m = number * 125.0, (number + 1) * 125.0
        expected_us = integrated_us(pacer.speed_at, from_m, to_m)
        assert pacer.time_at(to_m) - pacer.time_at(from_m) == pytest.approx(expected_us, abs=50)


@pytest.mark.parametrize(
    ("shape", "half_laps_s"),
    [
        ("uci", [14.22, 12.87, 11.75, 10.81, 10.00, 9.31]),
        ("even", [14.03, 12.50, 11.38, 10.52, 9.82, 9.25]),
        ("pist6", [15.00, 15.00, 12.63, 9.87, 9.00, 9.00]),
    ],
)
def test_pacer_rides_the_half_lap_times_of_track_rules_5(
    curves: dict[str, PaceCurve], shape: str, half_laps_s: list[float]
) -> None:
    pacer = pacer_motion(curves[shape], EXIT_M, END_M)
    for number, expected_s in enumerate(half_laps_s):
        took_us = pacer.time_at((number + 1) * 125.0) - pacer.time_at(number * 125.0)
        assert took_us == pytest.approx(expected_s * 1_000_000, abs=7_000)


def test_pacer_with_linear_distance_takes_68_96_s_from_30_to_50_km_h(curves: dict[str, PaceCurve]) -> None:
    pacer = pacer_motion(curves["uci"], EXIT_M, END_M)
    assert pacer.time_at(0.0) == 0
    assert pacer.speed_at(0.0) * 3.6 == pytest.approx(30.0)
    assert pacer.speed_at(EXIT_M) * 3.6 == pytest.approx(50.0)
    assert pacer.time_at(EXIT_M) == pytest.approx(68_960_000, abs=5_000)


def test_pacer_comes_over_the_run_up_at_30_km_h(curves: dict[str, PaceCurve]) -> None:
    pacer = pacer_motion(curves["uci"], EXIT_M, END_M)
    assert pacer.start_m == -60.0
    assert pacer.start_us == -7_200_000
    assert pacer.time_at(-37.5) == -4_500_000


@given(
    start=st.floats(min_value=3.0, max_value=20.0),
    change=st.sampled_from([-0.2, -0.01, 0.001, 0.1, 0.5]),
    distance=st.floats(min_value=0.1, max_value=19.9),
)
def test_time_and_distance_are_each_others_inverse(start: float, change: float, distance: float) -> None:
    for segment in (
        SteadyChange(5, 0.0, 20.0, start, change * start / 20),
        RiseWithDistance(5, 0.0, 20.0, start, change * start / 20),
    ):
        assert segment.distance_at(segment.time_at(distance)) == pytest.approx(distance, abs=2e-5)


def test_rider_stands_at_the_gun_and_crosses_the_finish_at_exactly_the_asked_microsecond(
    curves: dict[str, PaceCurve],
) -> None:
    pacer = pacer_motion(curves["uci"], EXIT_M, END_M)
    for extra_us in (0, 1, 499, 3_173_500):
        sprint = Sprint(EXIT_M, 1_512.5, 111_000_123 + extra_us, 13_000_000, 1_540.0)
        rider = rider_motion(pacer, slot_behind_pacer_m(2, -1.6), sprint)
        assert rider.distance_at(0) == 0.0
        assert rider.time_at(1_512.5) == 111_000_123 + extra_us


def test_rider_accelerates_from_50_to_about_70_km_h_in_the_sprint(curves: dict[str, PaceCurve]) -> None:
    pacer = pacer_motion(curves["uci"], EXIT_M, END_M)
    finish_us = pacer.time_at(EXIT_M) + 42_000_000
    rider = rider_motion(pacer, slot_behind_pacer_m(0, -1.6), Sprint(EXIT_M, 1_512.5, finish_us, 13_000_000, 1_540.0))
    assert rider.speed_at(EXIT_M) * 3.6 == pytest.approx(50.0, abs=0.2)
    assert 65.0 < rider.speed_at(1_512.5) * 3.6 < 72.0


def test_followers_ride_two_metres_apart_behind_the_pacers_rear_wheel(curves: dict[str, PaceCurve]) -> None:
    pacer = pacer_motion(curves["uci"], EXIT_M, END_M)
    sprint = Sprint(EXIT_M, 1_512.5, 111_000_000, 13_000_000, 1_540.0)
    riders = [rider_motion(pacer, slot_behind_pacer_m(index, -1.6), sprint) for index in range(6)]
    for time_us in range(21_000_000, 60_000_000, 500_000):
        places = [pacer.distance_at(time_us)] + [rider.distance_at(time_us) for rider in riders]
        gaps = [ahead - behind for ahead, behind in pairwise(places)]
        assert gaps == pytest.approx([1.9, 2.0, 2.0, 2.0, 2.0, 2.0], abs=1e-3)


def test_motion_outside_its_ends_stands_still_and_has_no_time() -> None:
    motion = Motion([SteadyChange(0, 0.0, 100.0, 10.0)])
    assert motion.distance_at(-1) == 0.0
    assert motion.distance_at(11_000_000) == 100.0
    with pytest.raises(MotionError, match=r"100\.5 m is outside the motion, from 0\.0 to 100\.0 m"):
        motion.time_at(100.5)


def test_motion_refuses_pieces_that_do_not_meet_or_stand_still() -> None:
    with pytest.raises(MotionError, match=r"ends at 10\.0 m and the next begins at 11\.0 m"):
        Motion([SteadyChange(0, 0.0, 10.0, 5.0), SteadyChange(2_000_000, 11.0, 20.0, 5.0)])
    with pytest.raises(MotionError, match="does not go forward"):
        Motion([SteadyChange(0, 5.0, 5.0, 5.0)])


def test_a_sprint_that_is_too_short_is_refused_with_the_figures(curves: dict[str, PaceCurve]) -> None:
    pacer = pacer_motion(curves["uci"], EXIT_M, END_M)
    with pytest.raises(MotionError, match="give it more than the 13000000 µs of its acceleration"):
        rider_motion(pacer, 3.0, Sprint(EXIT_M, 1_512.5, 75_000_000, 13_000_000, 1_540.0))
