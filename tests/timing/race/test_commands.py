"""Commands: refused with a sentence by role, state or content; once for each id; undone and redone."""

from typing import Any

import pytest

from timing.race.actions import (
    AcceptInferred,
    Arm,
    CloseRace,
    Confirm,
    Decide,
    Exclusion,
    Gun,
    ManualPassing,
    Mishap,
    OpenHeat,
    Place,
    RejectInferred,
    Reopen,
    Restart,
    RingBell,
    SetAside,
    SetLapCounter,
    Stop,
    SwapTransponder,
    Undo,
)
from timing.race.events import Command

FIELD = ["13", "2", "23", "4", "21", "30"]
IN_THE_HEAT = "it has 13, 2, 23, 4, 21, 30"


@pytest.fixture
def racing(office: Any) -> Any:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 400, missed=[("4", 312.5)])
    # As late as anything that is ordered below: no read becomes overdue between two pictures.
    office.tick(60)
    return office


@pytest.mark.parametrize(
    ("action", "role", "sentence"),
    [
        (Decide(bib="13", code="REL", reason="x"), "operator", "role 'operator' may not order 'decide': it is for"),
        (Confirm(), "commissaire", "role 'commissaire' may not order 'confirm': it is for president"),
        (OpenHeat(heat="r1-1"), "judge", "role 'judge' may not order 'open_heat': it is for operator"),
        (Stop(reason="x"), "announcer", "role 'announcer' may not order 'stop'"),
        (Stop(reason="x"), "visitor", "role 'visitor' does not exist: use one of"),
    ],
)
def test_refused_by_role(racing: Any, action: Any, role: Any, sentence: Any) -> None:
    assert racing.refused(action, 35, role=role).startswith(sentence)


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (Arm(), "'arm' is refused in state 'paced': it is taken in on_line"),
        (Gun(), "'gun' is refused in state 'paced': it is taken in pacer_run"),
        (Restart(), "'restart' is refused in state 'paced': it is taken in stopped"),
        (Confirm(), "'confirm' is refused in state 'paced': it is taken in finished, provisional"),
        (Reopen(reason="x"), "'reopen' is refused in state 'paced': it is taken in official"),
        (OpenHeat(heat="r1-1"), "heat 'final-a' is on the track (paced): stop or finish it before another is opened"),
    ],
)
def test_refused_by_state(racing: Any, action: Any, sentence: Any) -> None:
    assert racing.refused(action, 35) == sentence


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (Decide(bib="99", code="REL", reason="x"), f"bib '99' does not ride in heat 'final-a': {IN_THE_HEAT}"),
        (Decide(bib="13", code="XYZ", reason="x"), "code 'XYZ' is not in rule book 'uci-2023': it has W, REL"),
        (Mishap(bib="1", what="fall"), f"bib '1' does not ride in heat 'final-a': {IN_THE_HEAT}"),
        (SwapTransponder(bib="1", transponder="5"), "bib '1' does not ride"),
        (Place(order=()), "the order is empty"),
        (Place(order=(("13",), ())), "an empty place in the order: give at least one bib for each"),
        (Place(order=(("13",), ("13",))), "bib '13' stands twice in the order"),
        (Place(order=(("13", "77"),)), "bib '77' does not ride"),
        (ManualPassing(bib="13", loop="moon", at_us=1), "at_us = 1 is not within 6 h of now"),
        (RingBell(at_us=2**63), "at_us = 9223372036854775808 is not within 6 h of now"),
        (SetLapCounter(laps_to_go=-1), "-1 laps to go cannot be: the race has 6"),
        (SetAside(read="1:0", reason="x"), "read '1:0' is not one of heat 'final-a'"),
        (AcceptInferred(bib="13", mark=32), "mark 32 is not on the course: it has 0 to 31"),
        (RejectInferred(bib="13", mark=-1), "mark -1 is not on the course: it has 0 to 31"),
        (Undo(command="never"), "command 'never' is not one of heat 'final-a': nothing to undo"),
    ],
)
def test_refused_by_content(racing: Any, action: Any, sentence: Any) -> None:
    before = racing.picture
    assert racing.refused(action, 35).startswith(sentence)
    assert racing.picture == before


def test_a_loop_that_the_venue_does_not_have_is_named(racing: Any) -> None:
    action = ManualPassing(bib="13", loop="moon", at_us=racing.at(30))
    assert racing.refused(action, 35) == "loop 'moon' is not in the venue: it has finish, l200, back, l100, home"


def test_an_exclusion_of_an_unknown_bib_is_refused(racing: Any) -> None:
    racing.do(Stop(reason="x"), 35)
    reason = racing.refused(Restart(excluded=(Exclusion(bib="99", code="DSQ", reason="x"),)), 36)
    assert reason.startswith("bib '99' does not ride")


def test_before_any_heat_is_open_there_is_nothing_to_order(office: Any) -> None:
    assert office.refused(Arm()) == "no heat is open: open one first"
    assert office.refused(OpenHeat(heat="moon")).startswith("heat 'moon' is not in the meet file: it has r1-1")
    assert office.refused(Arm(), heat="r1-2") == "heat 'r1-2' is not open: open it first"


def test_riders_are_sent_off_only_in_the_heat_that_is_on_the_track(office: Any) -> None:
    office.open("r1-1")
    office.order(OpenHeat(heat="r1-2"), -19)
    elsewhere = "heat 'r1-1' is not on the track, 'r1-2' is: open 'r1-1' first"
    assert office.refused(Arm(), -18, heat="r1-1") == elsewhere
    office.order(OpenHeat(heat="r1-1"), -17)
    assert office.order(Arm(), -16).accepted


def test_a_stop_is_not_taken_back_while_another_heat_is_on_the_track(racing: Any) -> None:
    racing.do(Stop(reason="crash"), 35, id="stop")
    racing.order(OpenHeat(heat="r1-1"), 36)
    elsewhere = "heat 'final-a' is not on the track, 'r1-1' is: open 'final-a' first"
    assert racing.refused(Undo(command="stop"), 37, heat="final-a") == elsewhere
    assert racing.refused(Restart(), 37, heat="final-a") == elsewhere
    racing.order(OpenHeat(heat="final-a"), 38)
    assert racing.order(Undo(command="stop"), 39).accepted


def test_a_command_without_a_name_is_refused(racing: Any) -> None:
    racing.put(Command(id="x", actor=" ", role="starter", at_us=racing.at(35), action=Stop(reason="x")))
    assert racing.state.outcomes["x"].reason == "a command needs the name of its actor"


def test_the_same_id_twice_is_applied_once(racing: Any) -> None:
    racing.do(SetLapCounter(laps_to_go=5), 21, id="counter-5")
    racing.order(SetLapCounter(laps_to_go=3), 35, id="counter-5")
    assert racing.picture.laps_to_go == 5


def test_an_official_result_is_untouchable_until_reopened(finished: Any) -> None:
    stop = finished.do(Decide(bib="13", code="W", reason="x"), 139)
    finished.do(Confirm(), 140)
    official = "the result is official (reopen it first)"
    assert official in finished.refused(Decide(bib="4", code="DSQ", reason="x"), 141)
    assert official in finished.refused(Undo(command=stop), 141, role="president")
    assert "is refused in state 'official'" in finished.refused(Place(order=(("13",),)), 141)
    assert "is official: reopen it first" in finished.refused(OpenHeat(heat="final-a"), 142)


def test_confirm_and_reopen_and_opening_are_not_undone(finished: Any) -> None:
    confirmed = finished.do(Confirm(), 140)
    assert "taken back with 'reopen'" in finished.refused(Undo(command=confirmed), 141, role="president")
    assert "cannot be undone" in finished.refused(Undo(command="c1"), 141, role="operator")


def test_who_may_not_order_may_not_undo(finished: Any) -> None:
    ruling = finished.do(Decide(bib="13", code="REL", reason="x"), 140)
    assert "may not order 'decide'" in finished.refused(Undo(command=ruling), 141, role="operator")


def undoable(office: Any) -> Any:
    """Every kind of command that can be undone, each where it makes a difference."""
    return {
        "lap_counter": SetLapCounter(laps_to_go=5),
        "bell": RingBell(at_us=office.at(30)),
        "stop": Stop(reason="fall"),
        "mishap": Mishap(bib="13", what="puncture"),
        "close": CloseRace(),
        "place": Place(order=(("30",), ("2",))),
        "decide": Decide(bib="13", code="DSQ", reason="x"),
        "warning": Decide(bib="13", code="W", reason="x"),
        "set_aside": SetAside(read=office.crossings("13")[12.5].read, reason="x"),
        "accept_inferred": AcceptInferred(bib="4", mark=office.log.course.mark_at(312.5)),
        "reject_inferred": RejectInferred(bib="4", mark=office.log.course.mark_at(312.5)),
        "manual_passing": ManualPassing(bib="4", loop="l200", at_us=office.at(25.7)),
        "swap": SwapTransponder(bib="13", transponder=office.transponder("2")),
    }


KINDS = [
    "lap_counter", "bell", "stop", "mishap", "close", "place", "decide", "warning", "set_aside", "accept_inferred",
    "reject_inferred", "manual_passing", "swap",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_undo_takes_a_command_back_and_undoing_the_undo_brings_it_again(racing: Any, kind: Any) -> None:
    before = racing.picture
    command = racing.do(undoable(racing)[kind], 35, role="president" if kind in {"decide", "warning"} else "operator")
    after = racing.picture
    assert after != before
    role = "president" if kind in {"decide", "warning"} else "operator"
    undo = racing.undo(command, 36, role=role)
    assert racing.picture == before
    assert "already undone" in racing.refused(Undo(command=command), 36, role=role)
    racing.undo(undo, 37, role=role)
    assert racing.picture == after


def test_arming_and_a_gun_by_hand_can_be_undone(office: Any) -> None:
    office.open("final-a")
    arm = office.do(Arm(), -10)
    gun = office.do(Gun(), 0)
    assert office.picture.state == "started"
    office.undo(gun, 1, role="starter")
    assert office.picture.state == "pacer_run"
    office.undo(arm, 2, role="starter")
    assert office.picture.state == "on_line"


def test_a_restart_undone_brings_the_stopped_attempt_back_as_it_was(racing: Any) -> None:
    racing.do(Stop(reason="x"), 35)
    stopped = racing.picture
    restart = racing.do(Restart(excluded=(Exclusion(bib="13", code="DSQ", reason="x"),)), 40)
    racing.do(Arm(), 41)
    racing.do(Gun(), 42)
    racing.undo(restart, 43, role="starter")
    assert racing.picture == stopped


def test_every_decision_keeps_who_ordered_it(finished: Any) -> None:
    finished.do(Decide(bib="13", code="REL", reason="left the line", article="3.2.042"), 140)
    (decision,) = finished.picture.decisions
    assert (decision.actor, decision.role, decision.article) == ("Somebody", "commissaire", "3.2.042")
    assert decision.at_us == finished.at(140)
