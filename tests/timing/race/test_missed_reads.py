"""Missed, duplicate, false, late and unknown reads: marked at once or kept with a reason, never official."""

import itertools
from typing import Any

import pytest

from timing.race.actions import AcceptInferred, Decide, ManualPassing, RejectInferred, SetAside

FIELD = ["13", "2", "23", "4", "21", "30"]
TOKYO = "tokyo2020-men-keirin"


def mark_at(office: Any, distance_m: Any) -> Any:
    return office.log.course.mark_at(distance_m)


def test_a_missed_read_is_interpolated_when_the_next_one_comes_with_its_confidence(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 375.0, missed=[("4", 312.5)])
    missed = office.crossings("4")[312.5]
    # Steady speed: exactly in the middle by distance (50 of 112.5 m from 262.5 to 375.0).
    assert (missed.source, missed.race_ms, missed.read) == ("interpolated", 25600, None)
    assert 1 <= missed.confidence < 50
    assert missed.uncertainty_ms > 100
    entry = next(one for one in office.picture.orders if one.distance_m == 312.5).entries[3]
    assert (entry.bib, entry.inferred, entry.confidence) == ("4", True, missed.confidence)


def test_a_read_that_is_overdue_is_predicted_as_time_passes(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 375.0, missed=[("30", 375.0)])
    office.tick(31.5)
    assert 375.0 not in office.crossings("30")
    office.tick(33.0)
    predicted = office.crossings("30")[375.0]
    assert (predicted.source, predicted.race_ms) == ("predicted", 31_000)
    office.cross("30", 375.0, 31.1)
    assert office.crossings("30")[375.0].source == "read"


def test_a_rider_out_of_the_race_is_not_predicted(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 375.0, missed=[("30", 375.0)])
    office.do(Decide(bib="30", code="DNF", reason="fall"), 32)
    office.tick(50)
    assert 375.0 not in office.crossings("30")


def test_an_inferred_finish_never_places_a_rider(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.ride(FIELD, 1512.5, from_m=751, missed=[("13", 1512.5)])
    office.tick(130)
    assert office.crossings("13")[1512.5].source == "predicted"
    assert office.line("13").place is None
    assert office.places[0] == (1, "2", None)
    assert office.picture.state == "bell"


def test_an_accepted_finish_brings_the_rider_home_but_gives_no_place(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.ride(FIELD, 1512.5, from_m=751, missed=[("13", 1512.5)])
    office.tick(130)
    command = office.do(AcceptInferred(bib="13", mark=mark_at(office, 1512.5)), 131)
    assert office.crossings("13")[1512.5].source == "accepted"
    assert office.picture.state == "finished"
    assert office.line("13").place is None
    office.undo(command, 132, role="operator")
    assert office.picture.state == "bell"


def test_a_rejected_inference_disappears_and_comes_back_with_the_undo(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 375.0, missed=[("4", 312.5)])
    command = office.do(RejectInferred(bib="4", mark=mark_at(office, 312.5)), 31)
    assert 312.5 not in office.crossings("4")
    assert office.crossings("4")[375.0].sector_ms is None
    office.undo(command, 32, role="operator")
    assert office.crossings("4")[312.5].source == "interpolated"


def test_a_passing_that_a_person_saw_is_marked_manual(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 375.0, missed=[("4", 312.5)])
    office.do(ManualPassing(bib="4", loop="l200", at_us=office.at(25.65)), 31)
    seen = office.crossings("4")[312.5]
    assert (seen.source, seen.race_ms, seen.confidence) == ("manual", 25_650, 100)


def test_a_loop_that_is_dead_all_race_long_stops_nothing(office: Any) -> None:
    dead = [(who, 125.0 + 250 * lap) for who in ["pacer", *FIELD] for lap in range(6)]
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750, missed=dead)
    office.ride(FIELD, 1512.5, from_m=751, missed=dead)
    assert office.picture.state == "finished"
    assert {office.crossings("21")[125.0 + 250 * lap].source for lap in range(6)} == {"interpolated"}
    assert office.places == [(n, bib, None) for n, bib in enumerate(FIELD, start=1)]


def test_a_whole_lap_without_reads_of_a_rider_is_seen_for_what_it_is(office: Any) -> None:
    lap = [("4", mark) for mark in (250.0, 262.5, 312.5, 375.0, 412.5)]
    office.start("final-a")
    office.ride(["pacer", *FIELD], 562.5, missed=lap)
    crossings = office.crossings("4")
    assert crossings[500.0].source == "read"
    assert [crossings[mark].source for _, mark in lap] == ["interpolated"] * 5


def test_a_duplicate_read_is_set_aside_even_when_another_loop_was_read_between(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 262.5)
    office.cross("13", 250.0, 22.5)
    assert office.aside() == ["duplicate read at this loop"]
    assert office.crossings("13")[250.0].race_ms == 20_000


def test_the_same_passing_sent_twice_by_the_box_counts_once(office: Any) -> None:
    office.start("final-a")
    office.read("13", "finish", 1.0, sequence=77)
    office.read("13", "finish", 1.0, late=30, sequence=77)
    assert office.aside() == ["the device sent this passing before"]


def test_unknown_transponders_and_channels_without_a_role_are_kept_with_the_reason(office: Any) -> None:
    office.start("final-a")
    office.read("4711", "finish", 3.0)
    office.impulse("7", 4.0)
    office.read("1", "finish", 5.0)
    assert office.aside() == [
        "unknown transponder: nobody of this heat carries it",
        "the device's channel has no role in the meet file",
        "unknown transponder: nobody of this heat carries it",
    ]
    assert office.picture.set_aside[0].transponder == "4711"
    assert office.picture.set_aside_count == 3


def test_a_read_that_nobody_can_have_made_is_a_false_trigger(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 262.5)
    office.read("13", "back", 22.0)
    assert office.aside() == ["false trigger: nobody rides that fast from the read before"]


def test_a_ghost_read_is_unseated_by_the_true_reads_after_it(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 375.0)
    # 137.5 m ahead in 6.5 s is possible (76 km/h), but the reads at 412.5 and 500 m then would not be.
    ghost = office.cross("13", 500.0, 36.6)
    assert office.crossings("13")[500.0].read == ghost
    for distance in (412.5, 500.0, 512.5):
        office.cross("13", distance, distance * 0.08)
    crossings = office.crossings("13")
    assert (crossings[412.5].race_ms, crossings[500.0].race_ms, crossings[512.5].race_ms) == (33_000, 40_000, 41_000)
    assert ghost in [one.read for one in office.picture.set_aside]


def test_reads_of_riding_in_before_the_start_and_of_rolling_out_after_the_finish_do_not_count(office: Any) -> None:
    office.open("final-a")
    office.read("13", "finish", -12)
    office.arm()
    office.gun()
    office.ride(["pacer", *FIELD], 750)
    office.ride(FIELD, 1512.5, from_m=751)
    for bib in FIELD:
        office.read(bib, "finish", 150)
        office.read(bib, "l200", 158)
    reasons = office.aside()
    assert reasons[0] == "before the start: riding in or warming up"
    assert set(reasons[1:]) == {"after the finish or past the last mark of the course"}
    assert office.places == [(n, bib, None) for n, bib in enumerate(FIELD, start=1)]


def test_an_operator_sets_a_read_aside_and_brings_it_back(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 262.5)
    ref = office.crossings("13")[12.5].read
    command = office.do(SetAside(read=ref, reason="the spare bike was carried over the loop"), 25)
    assert 12.5 in office.crossings("13")
    assert office.crossings("13")[12.5].source == "interpolated"
    assert office.aside() == ["set aside: the spare bike was carried over the loop"]
    office.undo(command, 26, role="operator")
    assert office.crossings("13")[12.5].read == ref


def test_a_backlog_that_arrives_out_of_order_gives_the_same_picture_as_live_reads(
    office: Any, new_office: Any, tokyo: Any
) -> None:
    late = new_office(tokyo)
    for one in (office, late):
        one.start("final-a")
    office.ride(["pacer", *FIELD], 512.5)
    reads = [
        (distance * 0.08 + place * 0.2, who, mark.loop)
        for mark in late.log.course.marks
        if 0 < (distance := mark.distance_m) <= 512.5
        for place, who in enumerate(["pacer", *FIELD])
    ]
    for at, who, loop in reversed(reads):
        late.read(who, loop, at, late=60)
    for one in (office, late):
        one.tick(130)

    def figures(one: Any) -> Any:
        rider_splits = [
            [(c.distance_m, c.race_ms, c.sector_ms, c.source) for c in rider.crossings] for rider in one.picture.splits
        ]
        return rider_splits, one.picture.orders, one.picture.pace, one.picture.state

    assert figures(late) == figures(office)


def test_a_half_minute_on_the_loop_neither_counts_nor_hides_anything(office: Any) -> None:
    """A parked bike is read again and again."""
    office.start("final-a")
    for n in range(400):
        office.read("4", "back", -15 + n * 0.05)
    office.ride(["13", "2"], 250.0)
    assert len(office.picture.set_aside) == 50
    assert office.picture.set_aside_count >= 395
    assert office.crossings("13")[250.0].race_ms == 20_000


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_duplicates_in_any_order_of_arrival_leave_the_first_read_standing(office: Any, order: Any) -> None:
    office.start("final-a")
    for index in order:
        office.read("13", "finish", (1.0, 1.1, 2.5)[index], late=10 + index)
    assert office.crossings("13")[12.5].race_ms == 1_000
