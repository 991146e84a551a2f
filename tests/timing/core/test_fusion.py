"""Wheels and impulses: the kernel against an exact search in plain Python, and known lines by hand."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timing.core.arrays import MISSING
from timing.core.fusion import MISSED_COST_US, UNMATCHED, Doubts, expect_wheels, match_wheels, weigh_doubts

TIMES = st.lists(st.integers(-400_000, 400_000), max_size=9).map(sorted)


def cheapest(wheels: list[int], windows: list[int], impulses: list[int], shift: int = 0) -> int:
    """Cost of the best matching of all, whatever its order: every wheel with every free impulse or with none."""

    @functools.cache
    def best(wheel: int, free: frozenset[int]) -> int:
        if wheel == len(wheels):
            return MISSED_COST_US * len(free)
        found = MISSED_COST_US + best(wheel + 1, free)
        for one in free:
            off = abs(impulses[one] - wheels[wheel] - shift)
            if off <= windows[wheel]:
                found = min(found, off + best(wheel + 1, free - {one}))
        return found

    return best(0, frozenset(range(len(impulses))))


def price(wheels: list[int], impulses: list[int], match: list[int], shift: int) -> int:
    used = [(wheel, one) for wheel, one in enumerate(match) if one != UNMATCHED]
    alone = len(wheels) + len(impulses) - 2 * len(used)
    return alone * MISSED_COST_US + sum(abs(impulses[one] - wheels[wheel] - shift) for wheel, one in used)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(wheels=st.lists(st.integers(-400_000, 400_000), max_size=6).map(sorted), impulses=TIMES)
def test_no_other_matching_at_all_is_cheaper(wheels: list[int], impulses: list[int]) -> None:
    """Keeping the order of time costs nothing: the search tries crossed ones too."""
    windows = [100_000] * len(wheels)
    found = match_wheels(wheels, windows, impulses)
    assert found.cost_us == cheapest(wheels, windows, impulses, found.shift_us)
    assert found.cost_us <= cheapest(wheels, windows, impulses)
    assert found.cost_us == price(wheels, impulses, found.impulse.tolist(), found.shift_us)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(wheels=TIMES, impulses=TIMES, data=st.data())
def test_one_to_one_in_order_and_within_each_window(
    wheels: list[int], impulses: list[int], data: st.DataObject
) -> None:
    windows = [data.draw(st.integers(0, 300_000)) for _ in wheels]
    found = match_wheels(wheels, windows, impulses)
    used = [one for one in found.impulse.tolist() if one != UNMATCHED]
    assert used == sorted(set(used))
    for wheel, one in enumerate(found.impulse.tolist()):
        residual = int(found.residual_us[wheel])
        if one == UNMATCHED:
            assert residual == 0
        else:
            assert residual == impulses[one] - wheels[wheel] - found.shift_us
            assert abs(residual) <= windows[wheel]
    assert found.cost_us == price(wheels, impulses, found.impulse.tolist(), found.shift_us)


def test_the_whole_line_decides_and_not_the_first_impulse_in_the_window() -> None:
    """A bystander 40 ms before the first of three riders must not move everybody's impulse by one."""
    wheels = [0, 70_000, 140_000]
    found = match_wheels(wheels, [100_000] * 3, [-40_000, 1_000, 71_000, 139_000])
    assert found.impulse.tolist() == [1, 2, 3]
    assert found.residual_us.tolist() == [1_000, 1_000, -1_000]


def test_a_single_impulse_is_the_wheel_that_it_fits() -> None:
    """45 km/h: the rear wheel 80 ms behind the front one, which another rider covered."""
    assert match_wheels([0, 80_000], [100_000] * 2, [79_000]).impulse.tolist() == [UNMATCHED, 0]


def test_a_cell_beside_its_loop_is_seen_as_a_shift() -> None:
    wheels = [index * 500_000 for index in range(8)]
    found = match_wheels(wheels, [100_000] * 8, [one + 30_000 for one in wheels])
    assert (found.shift_us, found.cost_us) == (30_000, 0)
    assert found.impulse.tolist() == list(range(8))


def test_long_streams_are_matched_piece_by_piece() -> None:
    """20,000 wheels: the work is that of the bunches, not of the whole square."""
    wheels = np.arange(20_000, dtype=np.int64) * 150_000
    found = match_wheels(wheels, np.full(wheels.size, 100_000), np.delete(wheels, 777) + 5)
    assert found.cost_us == MISSED_COST_US + 5 * (wheels.size - 1)
    assert np.flatnonzero(found.impulse == UNMATCHED).tolist() == [777]


def test_nothing_to_match_is_no_error() -> None:
    assert match_wheels([], [], []).cost_us == 0
    assert match_wheels([5], [10], []).impulse.tolist() == [UNMATCHED]
    assert match_wheels([], [], [5, 6]).cost_us == 2 * MISSED_COST_US


@pytest.mark.parametrize(
    ("wheels", "windows", "impulses", "words"),
    [
        ([2, 1], [9, 9], [], "wheel_us: times fall"),
        ([1], [9], [3, 2], "impulse_us: times fall"),
        ([1], [-1], [1], "window is negative"),
        ([1, 2], [9], [1], "window_us: shape"),
    ],
)
def test_what_cannot_be_matched_is_refused(
    wheels: list[int], windows: list[int], impulses: list[int], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        match_wheels(wheels, windows, impulses)


def test_both_wheels_from_geometry_and_speed() -> None:
    """Marks at 0, 50 and 100 m; sectors of 10 and 12 m/s: 11 m/s at the mark between, 12 at the last."""
    wheels = expect_wheels([[MISSING, 5_000_000, 9_166_667]], [[math.nan, 10.0, 12.0]], [0, 50, 100], 0, [0.33], [1.0])
    assert wheels.front_us.tolist() == [[MISSING, 5_000_000 - 30_000, 9_166_667 - 27_500]]
    assert wheels.span_us.tolist()[0][1:] == [90_909, 83_333]


def test_from_standing_the_first_sector_ends_at_twice_its_mean_speed() -> None:
    crossings = [[0, 2_500_000, 6_000_000]] * 2
    wheels = expect_wheels(crossings, [[math.nan, 5.0, 14.0]] * 2, [0, 12.5, 61.5], 1, [0.5, 0.5], [1.0, 1.0])
    # The pacer, below, comes rolling: between 5 and 14 m/s by the metres to either side.
    assert wheels.front_us[:, 1].tolist() == [2_500_000 - 50_000, 2_500_000 - round(0.5e6 / (420 / 61.5))]


def test_without_any_speed_that_of_the_pacer_at_the_start_is_taken() -> None:
    wheels = expect_wheels([[1_000_000]], [[math.nan]], [50.0], 0, [1.0], [1.0])
    assert wheels.span_us.tolist() == [[120_000]]


def test_the_riders_of_a_field_are_their_own() -> None:
    with pytest.raises(ValueError, match="front_m: shape"):
        expect_wheels([[1], [2]], [[1.0], [1.0]], [0.0], 0, [0.3], [1.0, 1.0])


def doubted(wheels: list[int], impulses: list[int], mate: list[int], loose: list[int] | None = None) -> Doubts:
    windows = [100_000] * len(wheels)
    found = match_wheels(wheels, windows, impulses)
    return weigh_doubts(wheels, windows, loose or [0] * len(wheels), mate, impulses, found, 3_000)


def test_a_clean_line_leaves_no_doubt() -> None:
    """Two bikes 20 ms apart, their wheels interleaved, impulses off by what a seat makes."""
    found = doubted([0, 20_000, 60_000, 80_000], [900, 20_100, 60_500, 79_800], [2, 3, 0, 1])
    assert found.rival_us.tolist() == [0] * 4
    assert not found.contested.any()


def test_an_inferred_wheel_without_an_impulse_shares_what_lies_near_another() -> None:
    """The second bike was not read (±50 ms): the one impulse may be its wheel, 30 ms early, and hide the first's."""
    wheels, mate = [0, 30_000, 60_000, 90_000], [2, 3, 0, 1]
    found = doubted(wheels, [500, 60_400, 90_100], mate, [0, 50_000, 0, 50_000])
    assert found.shared.tolist() == [True, False, True, False]
    assert not found.contested.any()
    assert not doubted(wheels, [500, 60_400, 90_100], mate).shared.any(), "read, it lies too far off"


def test_two_fronts_91_us_apart_are_each_others_rivals() -> None:
    found = doubted([0, 91, 60_000, 60_091], [0, 91, 60_000, 60_091], [2, 3, 0, 1])
    assert found.rival_us.tolist() == [91] * 4


def test_a_row_that_may_be_shifted_by_one_says_by_how_much() -> None:
    """Three fronts 28 ms apart; the first impulse is missing and a stray follows: shifted is the cheaper by 16 ms."""
    far = [0, 28_000, 56_000]
    found = doubted(far, [28_000, 56_000, 84_000], [0, 1, 2])
    assert found.rival_us.tolist()[:2] >= [28_000, 28_000]
    assert found.rival_us[2] >= 28_000


def test_a_wheel_without_an_impulse_contests_one_that_fits_it_as_well() -> None:
    """One impulse between a front and another rider's rear wheel, 10 ms from each."""
    found = doubted([0, 20_000], [9_000], [0, 1])
    assert found.contested.tolist() == [True, False]
    assert doubted([0, 20_000], [1_000], [0, 1]).contested.tolist() == [False, False]


def test_a_wheel_that_is_only_inferred_contests_from_further_off() -> None:
    near, far = doubted([0, 60_000], [9_000], [0, 1]), doubted([0, 60_000], [9_000], [0, 1], [0, 45_000])
    assert (near.contested[0], far.contested[0]) == (False, True)


def test_a_stray_as_near_as_the_impulse_is_its_rival() -> None:
    assert doubted([0], [-8_000, 7_000], [0]).rival_us.tolist() == [15_000]


def test_a_few_wheels_do_not_prove_a_shift() -> None:
    found = match_wheels([0, 500_000], [100_000] * 2, [42_000, 542_000])
    assert (found.shift_us, found.residual_us.tolist()) == (0, [42_000, 42_000])


def test_doubts_want_one_mate_for_each_wheel() -> None:
    with pytest.raises(ValueError, match="mate: shape"):
        doubted([0, 1], [0], [0])
