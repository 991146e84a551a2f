"""The flow of one heat (track-rules §1.13) and its attempts (UCI 3.2.016-019, 3.2.139-143)."""

from typing import Any

import pytest

from timing.race.actions import (
    Arm,
    CloseRace,
    Confirm,
    Exclusion,
    Gun,
    Mishap,
    OpenHeat,
    Place,
    Reopen,
    Restart,
    RingBell,
    SetLapCounter,
    Stop,
)

FIELD = ["13", "2", "23", "4", "21", "30"]
"""The final A by draw."""
WITH_PACER = ["pacer", *FIELD]


def test_a_heat_goes_through_its_states_in_order(office: Any) -> None:
    seen = []

    def look() -> None:
        if not seen or seen[-1] != office.picture.state:
            seen.append(office.picture.state)

    assert office.state.picture("final-a").state == "drawn"
    office.open("final-a")
    look()
    office.arm()
    look()
    office.gun()
    look()
    for to_m in range(0, 750, 50):
        office.ride(WITH_PACER, to_m + 50, from_m=to_m + 0.1)
        look()
    for to_m in range(750, 1550, 50):
        office.ride(FIELD, to_m + 50, from_m=to_m + 0.1)
        look()
    office.sheet([(1, "13", 60.0), (2, "2", 60.1)], 130)
    look()
    office.do(Confirm(), 140)
    look()
    assert seen == [
        "on_line", "pacer_run", "started", "first_lap", "paced", "pacer_exit", "sprint", "bell", "finished",
        "provisional", "official",
    ]  # fmt: skip


def test_pacer_exit_begins_with_the_pacer_and_ends_with_the_first_rider_beyond_the_line(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 750)
    assert office.picture.state == "pacer_exit"
    office.cross("13", 762.5, 61.2)
    assert office.picture.state == "sprint"


def test_without_a_single_read_of_the_pacer_the_head_of_the_race_tells_the_state(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 250)
    assert office.picture.state == "paced"
    office.ride(FIELD, 750, from_m=251)
    assert office.picture.state == "pacer_exit"


def test_the_gun_impulse_says_when_the_race_started(office: Any) -> None:
    office.start("final-a")
    assert office.picture.start_us == office.gun_us
    assert office.picture.start_source == "gun impulse of gateway"


def test_a_test_shot_before_the_arming_starts_nothing(office: Any) -> None:
    office.open("final-a")
    office.gun(-15)
    office.arm()
    assert office.picture.state == "pacer_run"
    office.gun()
    assert office.picture.start_us == office.gun_us


def test_the_bouncing_contact_of_the_gun_is_one_shot(office: Any) -> None:
    office.start("final-a")
    office.gun(0.02)
    assert not office.noticed("gun")


def test_a_start_by_hand_gives_way_to_the_impulse_that_comes_late(office: Any) -> None:
    office.open("final-a")
    office.arm()
    office.do(Gun(), 0.8)
    assert office.picture.start_source == "command"
    office.impulse("gun", 0.0, late=3.0)
    assert office.picture.start_us == office.gun_us


def test_a_stop_shot_does_not_become_the_start_of_a_race_that_was_started_by_hand(office: Any) -> None:
    office.open("final-a")
    office.arm()
    office.do(Gun(at_us=office.at(0)), 1)
    office.gun(40)
    assert office.picture.start_us == office.gun_us
    assert office.noticed("UCI 3.2.019")


def test_shots_that_arrive_in_the_wrong_order_give_the_same_start(office: Any) -> None:
    office.open("final-a")
    office.arm()
    office.gun(30)
    office.impulse("gun", 0.0, late=60.0)
    assert office.picture.start_us == office.gun_us
    assert office.noticed("fired again")


def test_double_shot_asks_for_the_stop_and_the_program_never_stops_by_itself_3_2_019(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 260)
    office.gun(25.0)
    assert office.picture.state == "paced"
    assert office.noticed("the gun was fired again: stop the race if the starter stopped it (UCI 3.2.019)")
    office.gun(25.6)
    assert office.noticed("double shot of the gun: the starter's stop signal, stop the race (UCI 3.2.019)")
    office.do(Stop(reason="fall"), 28)
    assert office.picture.state == "stopped"
    assert not office.noticed("3.2.019")


def test_a_restart_opens_the_next_attempt_and_keeps_the_old_one_and_the_drawn_order_3_2_139(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 200)
    office.do(Stop(reason="drawn order not kept"), 20)
    office.do(Restart(excluded=(Exclusion(bib="23", code="DSQ", reason="left the order", article="3.2.139"),)), 60)
    picture = office.picture
    assert (picture.attempt, picture.state) == (2, "on_line")
    assert [(one.number, one.stopped_us is None, one.reason) for one in picture.attempts] == [
        (1, False, "drawn order not kept"),
        (2, True, ""),
    ]
    assert [one.bib for one in picture.starters if one.status is None] == ["13", "2", "4", "21", "30"]
    assert picture.splits == ()
    assert office.line("23").status == "DSQ"
    assert office.line("23").place is None


def test_the_second_attempt_counts_only_its_own_reads(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 400)
    office.do(Stop(reason="fall"), 40)
    office.read("13", "finish", 45)
    assert "after the race was stopped" in office.aside()
    office.do(Restart(), 100)
    office.gun_us += 200_000_000
    office.do(Arm(), -5)
    office.gun()
    office.ride(WITH_PACER, 70)
    assert sorted(office.crossings("13")) == [0.0, 12.5, 62.5]
    assert office.picture.attempt == 2
    assert office.picture.laps_to_go == 6


@pytest.mark.parametrize("code", ["DSQ", "REL"])
def test_riders_left_out_of_a_restart_are_not_awaited_whatever_their_code_3_2_142(office: Any, code: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 200)
    office.do(Stop(reason="riding behind the pacer"), 20)
    office.do(Restart(excluded=(Exclusion(bib="30", code=code, reason="bad riding", article="3.2.142"),)), 60)
    office.gun_us += 200_000_000
    office.do(Arm(), -5)
    office.gun()
    office.ride(["pacer", *FIELD[:5]], 750)
    office.ride(FIELD[:5], 1512.5, from_m=751)
    assert office.picture.state == "finished"
    assert office.places[-1] == ((6 if code == "REL" else None), "30", code)


def test_a_restart_with_everybody_excluded_leaves_a_heat_without_riders(office: Any) -> None:
    office.start("final-a")
    office.do(Stop(reason="all of them"), 20)
    everybody = tuple(Exclusion(bib=bib, code="DSQ", reason="order", article="3.2.139") for bib in FIELD)
    office.do(Restart(excluded=everybody), 60)
    assert [line.status for line in office.picture.results] == ["DSQ"] * 6
    office.gun_us += 200_000_000
    office.do(Arm(), -5)
    office.gun()
    assert office.picture.state == "started"
    office.do(CloseRace(), 20)
    assert office.picture.state == "finished"


def test_a_mishap_in_the_first_half_lap_means_a_new_start_of_all_3_2_143(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 70)
    office.do(Mishap(bib="21", what="puncture"), 8)
    assert office.noticed("mishap of 21 (puncture) in the first half lap: new start of all (UCI 3.2.143)")
    assert office.picture.state == "first_lap"


def test_a_mishap_after_the_first_half_lap_is_not_considered_3_2_143(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 400)
    office.do(Mishap(bib="21", what="fall"), 31)
    assert office.noticed("mishap of 21 (fall) after the first half lap: the race goes on (UCI 3.2.143)")


def test_a_mishap_logged_just_after_the_first_half_lap_may_have_happened_within_it(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 130)
    office.do(Mishap(bib="21", what="fall"), 13)
    assert office.noticed("logged 2.8 s after the first half lap: new start of all if it happened within it")


def test_the_lap_counter_is_an_event_and_stands_even_when_it_is_wrong_3_2_017ter(office: Any) -> None:
    office.start("final-a")
    assert (office.picture.laps_to_go, office.picture.laps_to_go_measured) == (6, 6)
    office.ride(WITH_PACER, 512.5)
    assert (office.picture.laps_to_go, office.picture.laps_to_go_measured) == (6, 4)
    office.do(SetLapCounter(laps_to_go=3), 42, role="judge")
    assert (office.picture.laps_to_go, office.picture.laps_to_go_measured) == (3, 4)


def test_laps_to_go_change_at_the_finish_line_not_where_the_pacer_leaves(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 750)
    assert office.picture.laps_to_go_measured == 4
    office.ride(FIELD, 762.5, from_m=751)
    assert office.picture.laps_to_go_measured == 3


def test_the_bell_is_prompted_half_a_lap_before_due_at_the_line_and_logged_when_rung_3_2_017bis(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 750)
    office.ride(FIELD, 1124, from_m=751)
    assert not office.picture.bell.prompt
    office.ride(FIELD, 1200, from_m=1124)
    assert office.picture.bell.prompt
    assert office.noticed("ring the bell")
    office.ride(FIELD, 1262.5, from_m=1201)
    assert office.picture.bell.due_us == office.at(1262.5 / 12.5)
    assert office.picture.state == "bell"
    office.impulse("bell", 100.9)
    bell = office.picture.bell
    assert (bell.prompt, bell.rung_us) == (False, office.at(100.9))


def test_a_bell_rung_by_hand_counts_and_a_missing_one_is_noticed(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 750)
    office.ride(FIELD, 1512.5, from_m=751)
    assert office.noticed("no bell was logged")
    command = office.order(RingBell(at_us=office.at(100)), 124, role="judge")
    assert "is refused in state 'finished'" in command.reason


def test_a_race_that_a_rider_does_not_finish_is_closed_by_the_judge(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 750)
    office.ride(FIELD[:5], 1512.5, from_m=751)
    assert office.picture.state == "bell"
    office.do(CloseRace(), 140, role="judge")
    assert office.picture.state == "finished"
    assert office.noticed("awaiting the photo-finish or the judge's order")


def test_official_freezes_and_reopen_makes_it_provisional_again(finished: Any) -> None:
    finished.do(Confirm(), 140)
    assert (finished.picture.state, finished.picture.status) == ("official", "official")
    assert finished.picture.notices == ()
    finished.do(Reopen(reason="bib misread"), 150)
    assert (finished.picture.state, finished.picture.status) == ("provisional", "provisional")
    finished.do(Place(order=(("13",), ("4",), ("23",), ("30",), ("21",), ("2",))), 160)
    finished.do(Confirm(), 170)
    assert finished.places[0] == (1, "13", None)


def test_opening_the_same_heat_twice_changes_nothing(office: Any) -> None:
    office.start("final-a")
    office.ride(WITH_PACER, 100)
    before = office.picture
    office.do(OpenHeat(heat="final-a"), 9)
    assert office.picture == before
