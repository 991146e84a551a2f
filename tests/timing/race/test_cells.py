"""Photocells: the transponder says who, the cell says when, the photo-finish says in what order."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.records import Impulse, Passing, PhotoFinish
from timing.race.actions import Gun
from timing.race.events import Tick
from timing.race.meet import MeetState

TOKYO = "tokyo2020-men-keirin"
TRUTH = [("4", None), ("13", 763), ("23", 773), ("30", 1264), ("21", 1344), ("2", 2344)]
FINISH_M = 1512.5
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Deliveries = Sequence[tuple[int, Sequence[Any]]]


@pytest.fixture
def heat(rig: Callable[..., Deliveries]) -> Deliveries:
    """The final A without its photo-finish."""
    return [one for one in rig(TOKYO, "final-a") if not isinstance(one[1][0], PhotoFinish)]


def ridden(office: Any, deliveries: Deliveries) -> Any:
    office.open("final-a")
    office.arm()
    office.play(deliveries)
    office.tick(300)
    return office


def gaps(office: Any) -> list[tuple[str, int | None]]:
    return [(line.bib, line.gap_ms) for line in office.picture.results if line.place is not None]


def is_impulse(delivery: tuple[int, Sequence[Any]]) -> bool:
    return isinstance(delivery[1][0], Impulse) and delivery[1][0].channel == "finish"


def moved(delivery: tuple[int, Sequence[Any]], by_us: int) -> tuple[int, Sequence[Any]]:
    at_us, (record,) = delivery
    # Nothing arrives before it happened.
    received_us = record.received_us + max(0, by_us)
    return at_us, (msgspec.structs.replace(record, device_us=record.device_us + by_us, received_us=received_us),)


def at_finish(deliveries: Deliveries) -> list[int]:
    """Indices of the finish photocell's impulses of the last crossing: 12 wheels."""
    return [index for index, one in enumerate(deliveries) if is_impulse(one)][-12:]


def test_every_wheel_of_a_clean_heat_finds_its_impulse(office: Any, heat: Deliveries) -> None:
    picture = ridden(office, heat).picture
    assert gaps(office) == TRUTH
    assert {line.source for line in picture.results} == {"cell"}
    assert picture.unmatched == ()
    marks = [12.5 + lap * 250 for lap in range(7)]
    for rider in picture.splits:
        by_cell = [one for one in rider.crossings if one.source == "cell"]
        assert [one.distance_m for one in by_cell] == marks
        assert all(one.cell and one.read and one.confidence == 100 for one in by_cell)
        # A lap at the cell is exactly the difference of what is shown, but for the truncation of each.
        for before, after in pairwise(by_cell):
            assert abs(after.lap_ms - (after.race_ms - before.race_ms)) <= 1
    assert len({one.cell for rider in picture.splits for one in rider.crossings if one.cell}) == 42


def test_the_impulse_gives_the_time_even_where_chips_are_read_late(office: Any, heat: Deliveries) -> None:
    """Chips that hang differently: up to 12 ms off. Gaps are those of the wheels all the same."""
    late = [
        moved(one, int(one[1][0].transponder) * 7_919 % 12_000)
        if isinstance(one[1][0], Passing) and one[1][0].device == "p3-finish"
        else one
        for one in heat
    ]
    ridden(office, late)
    assert sorted(gap for _, gap in gaps(office) if gap) == [gap for _, gap in TRUTH if gap]


def test_close_riders_are_left_to_the_picture(office: Any, heat: Deliveries) -> None:
    assert ridden(office, heat).noticed("transponders to tell who is who in the photocell: 13 and 23")


def test_the_photo_finish_decides_whose_wheel_it_was(
    office: Any, heat: Deliveries, rig: Callable[..., Deliveries]
) -> None:
    """13 and 23 swap in the chips' order; with the sheet the impulses go to the riders in the judged order."""
    swapped = []
    for one in heat:
        record = one[1][0]
        last = isinstance(record, Passing) and record.device == "p3-finish" and one[0] > 111_000_000
        swapped.append(moved(one, 15_000) if last and record.transponder == "5000013" else one)
    ridden(office, swapped)
    assert [bib for bib, _ in gaps(office)][:3] == ["4", "23", "13"]
    before = {bib: office.crossings(bib)[FINISH_M].cell for bib in ("13", "23")}
    office.play([one for one in rig(TOKYO, "final-a") if isinstance(one[1][0], PhotoFinish)])
    assert gaps(office) == TRUTH
    after = {bib: office.crossings(bib)[FINISH_M].cell for bib in ("13", "23")}
    assert (after["13"], after["23"]) == (before["23"], before["13"])
    assert office.picture.finish.disagreements[0].ahead == "13"


def test_a_missed_transponder_is_timed_by_the_cell_and_stays_marked(office: Any, heat: Deliveries) -> None:
    missed = [
        one
        for one in heat
        if not (
            isinstance(one[1][0], Passing) and one[1][0].transponder == "5000002" and one[1][0].device == "p3-finish"
        )
    ]
    ridden(office, missed)
    crossing = office.crossings("2")[762.5]
    assert (crossing.source, crossing.read) == ("cell", None)
    assert crossing.confidence < 100
    assert office.line("2").place is None, "who was not read is not placed by an impulse"


def test_a_covered_front_wheel_leaves_the_transponder_and_says_so(office: Any, heat: Deliveries) -> None:
    front = at_finish(heat)[-2]
    ridden(office, [one for index, one in enumerate(heat) if index != front])
    crossing = office.crossings("2")[FINISH_M]
    assert (crossing.source, crossing.cell) == ("read", None)
    (item,) = office.picture.unmatched
    assert (item.what, item.bib, item.loop) == ("read", "2", "finish")
    assert "rear wheel only" in item.reason
    assert abs((dict(gaps(office))["2"] or 0) - 2344) <= 1


def test_a_cell_with_dead_time_gives_the_first_wheel_only(office: Any, heat: Deliveries) -> None:
    """2 s of dead time, as track programs set it: one impulse a lap, and it is the leader's front wheel."""
    kept: list[Any] = []
    last_us = -10_000_000
    for one in heat:
        if is_impulse(one):
            if one[0] - last_us < 2_000_000:
                continue
            last_us = one[0]
        kept.append(one)
    ridden(office, kept)
    assert office.crossings("4")[FINISH_M].source == "cell"
    assert office.crossings("13")[FINISH_M].source == "read"
    assert {item.what for item in office.picture.unmatched} == {"read"}


def test_a_bystander_waits_in_the_list_with_its_reason(office: Any, heat: Deliveries) -> None:
    ridden(office, heat)
    office.impulse("finish", 50.9)
    office.impulse("finish", 90.0)
    (item,) = [one for one in office.picture.unmatched if one.at_us == office.at(90)]
    assert item.what == "impulse"
    assert "after the nearest wheel" in item.reason
    assert office.picture.unmatched_count == 2
    assert gaps(office) == TRUTH


def test_an_impulse_is_not_called_unmatched_before_its_transponder_can_be_there(office: Any) -> None:
    office.start("final-a")
    office.impulse("finish", 4.0)
    office.tick(5.5)
    assert office.picture.unmatched == ()
    office.tick(6.1)
    assert "no transponder was read here yet" in office.picture.unmatched[0].reason


def test_impulses_before_the_gun_are_set_aside(office: Any) -> None:
    office.open("final-a")
    office.impulse("finish", -15)
    office.arm()
    office.gun()
    assert office.aside() == ["before the start: riding in or warming up"]
    assert office.picture.unmatched == ()


def test_a_line_of_the_photo_finish_that_nobody_confirms_waits_too(office: Any) -> None:
    office.start("final-a")
    office.ride(["4", "13"], to_m=FINISH_M)
    office.impulse("finish", 130)
    office.sheet([(1, "4", 121.0), (2, "13", 121.2), (3, "23", 140.0), (4, "99", 141.0)], 150)
    office.tick(200)
    lines = [one for one in office.picture.unmatched if one.what == "photo_finish"]
    assert [one.bib for one in lines] == ["23", "99"]
    assert "no transponder and no impulse" in lines[0].reason
    assert "not in this heat" in lines[1].reason


def test_the_replayed_state_is_the_same(office: Any, heat: Deliveries) -> None:
    ridden(office, heat)
    replayed: MeetState = office.replayed()
    assert msgspec.json.encode(replayed.picture("final-a")) == msgspec.json.encode(office.picture)


def test_without_impulses_the_picture_has_the_shape_of_before(office: Any, heat: Deliveries) -> None:
    """Digests in journals of heats without photocells hold."""
    ridden(office, [one for one in heat if not is_impulse(one)])
    plain = msgspec.json.decode(msgspec.json.encode(office.picture))
    assert "unmatched" not in plain
    assert "unmatched_count" not in plain
    assert all("cell" not in crossing for rider in plain["splits"] for crossing in rider["crossings"])
    assert [bib for bib, _ in gaps(office)] == [bib for bib, _ in TRUTH]


@given(data=st.data())
@FEW
def test_lost_and_stray_impulses_never_give_one_impulse_to_two_riders(
    new_office: Any, tokyo: Any, heat: Deliveries, data: Any
) -> None:
    office = new_office(tokyo)
    cells = [index for index, one in enumerate(heat) if is_impulse(one)]
    lost = data.draw(st.sets(st.sampled_from(cells), max_size=60))
    ridden(office, [one for index, one in enumerate(heat) if index not in lost])
    for at_ms in data.draw(st.lists(st.integers(0, 115_000), max_size=12)):
        office.impulse("finish", at_ms / 1_000, late=200)
    office.put(Tick(at_us=office.at(600)))
    picture = office.picture
    used = [one.cell for rider in picture.splits for one in rider.crossings if one.cell]
    assert len(used) == len(set(used))
    waiting = {one.read for one in picture.unmatched if one.what == "impulse"}
    assert not waiting & set(used)
    for rider in picture.splits:
        times = [one.race_ms for one in rider.crossings]
        assert times == sorted(times)


def no_transponders(deliveries: Deliveries) -> Deliveries:
    return [one for one in deliveries if not isinstance(one[1][0], Passing)]


def test_without_transponders_the_photo_finish_says_whose_impulse_it_was(
    office: Any, rig: Callable[..., Deliveries]
) -> None:
    """The camera counts from the gun, and so do the impulses: its times find the front wheels."""
    picture = ridden(office, no_transponders(rig(TOKYO, "final-a"))).picture
    assert gaps(office) == TRUTH
    (order,) = picture.orders
    assert [(one.bib, one.gap_ms or None) for one in order.entries] == TRUTH
    for rider in picture.splits:
        (finish,) = (one for one in rider.crossings if one.source == "cell")
        assert (finish.distance_m, finish.read) == (FINISH_M, None)
        assert finish.confidence < 100, "no transponder confirms it"
    assert not [one for one in picture.unmatched if one.what == "photo_finish"]


def test_a_gun_by_hand_ties_no_impulse_to_the_photo_finish(office: Any, rig: Callable[..., Deliveries]) -> None:
    """It is off by the reaction of a thumb: more than lies between two riders."""
    office.open("final-a")
    office.arm()
    office.do(Gun(at_us=office.at(0.05)), 1)
    deliveries = no_transponders(rig(TOKYO, "final-a"))
    is_gun = [isinstance(one[1][0], Impulse) and one[1][0].channel == "gun" for one in deliveries]
    assert is_gun.count(True) == 1
    office.play([one for one, gun in zip(deliveries, is_gun, strict=True) if not gun])
    office.tick(300)
    assert gaps(office) == TRUTH
    assert not [one for rider in office.picture.splits for one in rider.crossings if one.source == "cell"]
    assert len([one for one in office.picture.unmatched if one.what == "photo_finish"]) == 6


# -- whose wheel it was is not certain: situations of the soak's heats ---------------------------------------


def with_stray(office: Any, heat: Deliveries, lost: Sequence[int], beside: int, by_us: int) -> Any:
    """The heat without some impulses (indices) and with another one, `by_us` after the one at index `beside`."""
    kept = [one for index, one in enumerate(heat) if index not in lost]
    kept.append(moved(heat[beside], by_us))
    return ridden(office, kept)


def gap_ms(office: Any, bib: str) -> int:
    gap = dict(gaps(office))[bib]
    assert gap is not None
    return gap


def reasons(office: Any, what: str) -> list[str]:
    return [one.reason for one in office.picture.unmatched if one.what == what]


@pytest.mark.parametrize(
    ("lost", "beside", "by_us"),
    [
        pytest.param((-2,), -1, 54, id="the front missing, the rear wheel's edge twice"),
        pytest.param((-2, -1), -2, -42_700, id="both missing, a stray before"),
        pytest.param((-2,), -2, -28_430, id="the front missing, another's wheel before, the own rear wheel"),
        pytest.param((-2,), -2, 24_500, id="the front missing, another's wheel after, the own rear wheel"),
    ],
)
def test_what_is_not_certainly_the_front_wheel_leaves_the_transponders_time(
    new_office: Any, tokyo: Any, heat: Deliveries, lost: Sequence[int], beside: int, by_us: int
) -> None:
    clean, office = ridden(new_office(tokyo), heat), new_office(tokyo)
    finish = at_finish(heat)
    with_stray(office, heat, [finish[one] for one in lost], finish[beside], by_us)
    crossing = office.crossings("2")[FINISH_M]
    assert (crossing.source, crossing.cell, crossing.uncertainty_ms) == ("read", None, 0)
    (read,) = [one for one in office.picture.unmatched if one.what == "read"]
    assert (read.bib, "for certain" in read.reason) == ("2", True)
    assert any("certain of nobody" in one or "no wheel is left" in one for one in reasons(office, "impulse"))
    assert abs(gap_ms(office, "2") - gap_ms(clean, "2")) <= 2


def test_an_edge_that_hid_the_front_wheel_in_the_dead_time_does_not_become_its_time_for_certain(
    office: Any, heat: Deliveries
) -> None:
    """The soak's: a double edge of the rider before fell 8 ms before the front wheel, which the cell did not see."""
    finish = at_finish(heat)
    with_stray(office, heat, [finish[-2]], finish[-2], -3_400)
    crossing = office.crossings("2")[FINISH_M]
    assert crossing.source == "cell"
    assert 2 <= crossing.uncertainty_ms <= 8
    assert crossing.confidence < 100


@pytest.mark.parametrize("step_us", [-3_600_000_000, -600_000, 700_000, 3_600_000_000])
def test_a_clock_that_is_set_in_mid_race_moves_no_crossing_or_says_so(
    office: Any, new_office: Any, tokyo: Any, heat: Deliveries, step_us: int
) -> None:
    """Daylight saving, or somebody at the decoder of the 200 m line: splits before and after stay true."""
    clean = ridden(new_office(tokyo), heat)
    stepped = [
        moved_clock(one, step_us) if isinstance(one[1][0], Passing) and one[1][0].device == "p3-l200" else one
        for one in heat
    ]
    ridden(office, stepped)
    for rider in clean.picture.splits:
        shown = office.crossings(rider.bib)
        for true in rider.crossings:
            off_ms = abs(shown[true.distance_m].race_ms - true.race_ms)
            allowed_ms = shown[true.distance_m].uncertainty_ms + office.picture.clock_uncertainty_us // 1_000 + 2
            assert off_ms <= allowed_ms, (rider.bib, true.distance_m)


def moved_clock(delivery: tuple[int, Sequence[Any]], by_us: int) -> tuple[int, Sequence[Any]]:
    at_us, (record,) = delivery
    if at_us < 60_000_000:
        return delivery
    return at_us, (msgspec.structs.replace(record, device_us=record.device_us + by_us),)


def test_a_front_wheel_alone_and_a_little_off_states_how_far(office: Any, heat: Deliveries) -> None:
    finish = at_finish(heat)
    with_stray(office, heat, [finish[-2], finish[-1]], finish[-2], 12_000)
    crossing = office.crossings("2")[FINISH_M]
    assert crossing.source == "cell"
    assert 12 <= crossing.uncertainty_ms <= 25
    assert crossing.confidence < 100


def test_a_crossing_that_is_only_foretold_is_not_proved_by_an_impulse(office: Any) -> None:
    """13 falls after 1262.5 m; a bystander cuts the beam when he would have finished."""
    office.start("final-a")
    office.ride(["4", "13"], to_m=1_450.0)
    office.ride(["4"], from_m=1_450.0, to_m=FINISH_M)
    at_s = FINISH_M / 12.5 + 0.2
    office.impulse("finish", at_s)
    office.tick(at_s + 5)
    assert [one for one in office.crossings("13").values() if one.source == "cell"] == []
    assert office.picture.unmatched_count >= 1


@given(data=st.data())
@FEW
def test_a_time_stated_by_the_cell_is_true_within_its_uncertainty(
    new_office: Any, tokyo: Any, heat: Deliveries, data: Any
) -> None:
    """Any finish impulses lost, and strays beside them: what is stated ±0 is the impulse of the clean heat."""
    true = {rider.bib: rider.crossings for rider in ridden(new_office(tokyo), heat).picture.splits}
    true_ms = {(bib, one.mark): one.race_ms for bib, crossings in true.items() for one in crossings}
    cells = [index for index, one in enumerate(heat) if is_impulse(one)]
    lost = data.draw(st.sets(st.sampled_from(cells), min_size=1, max_size=10))
    kept = [one for index, one in enumerate(heat) if index not in lost]
    beside = data.draw(st.lists(st.tuples(st.sampled_from(sorted(lost)), st.integers(-90_000, 90_000)), max_size=8))
    kept += [moved(heat[index], by_us) for index, by_us in beside]
    office = ridden(new_office(tokyo), kept)
    stated = [(rider.bib, one) for rider in office.picture.splits for one in rider.crossings if one.source == "cell"]
    assert stated
    for bib, one in stated:
        assert abs(one.race_ms - true_ms[bib, one.mark]) <= one.uncertainty_ms + 6, (bib, one)
