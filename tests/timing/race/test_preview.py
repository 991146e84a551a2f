"""What an order would change is told before it is given, and telling it changes nothing."""

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
from timing.race.history import history, last_row
from timing.race.preview import CROSSINGS_TOLD, ENGLISH, Preview, preview

FIELD = ["13", "2", "23", "4", "21", "30"]


@pytest.fixture
def racing(office: Any) -> Any:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 400, missed=[("4", 312.5)])
    office.tick(60)
    return office


def ask(office: Any, action: Any, role: str = "president", at: float = 60, **more: Any) -> Any:
    command = Command(id="asked", actor="Anna", role=role, at_us=office.at(at), action=action, **more)
    return preview(office.state, command)


def told(office: Any, action: Any, role: str = "operator", at: float = 60) -> list[str]:
    found = ask(office, action, role, at)
    assert isinstance(found, Preview), found
    return [one.text for one in found.changes]


def everything(office: Any) -> list[Any]:
    """(action, role) of every kind that can be ordered in a running race."""
    read = office.crossings("13")[12.5].read
    mark = office.log.course.mark_at(312.5)
    return [
        (SetLapCounter(laps_to_go=5), "operator"),
        (RingBell(), "operator"),
        (Stop(reason="fall"), "starter"),
        (Mishap(bib="13", what="puncture"), "operator"),
        (CloseRace(), "judge"),
        (Place(order=(("30",), ("2",))), "judge"),
        (Decide(bib="13", code="DSQ", reason="x"), "commissaire"),
        (SetAside(read=read, reason="x"), "operator"),
        (AcceptInferred(bib="4", mark=mark), "operator"),
        (RejectInferred(bib="4", mark=mark), "operator"),
        (ManualPassing(bib="4", loop="l200", at_us=office.at(25.7)), "operator"),
        (SwapTransponder(bib="13", transponder=office.transponder("2")), "operator"),
        (Undo(command=office.log.commands[1].id), "starter"),
    ]


def test_the_meet_is_to_the_byte_what_it_was_after_any_number_of_questions(racing: Any) -> None:
    before, picture, orders = racing.json(), racing.picture, list(racing.log.orders)
    for action, role in everything(racing):
        assert isinstance(ask(racing, action, role), Preview)
    assert racing.json() == before
    assert racing.picture == picture
    assert racing.log.orders == orders
    assert racing.log.version == racing.replayed().heats["final-a"].version


def test_what_was_told_is_what_happens_for_every_kind_of_order(racing: Any) -> None:
    for action, role in everything(racing):
        found = ask(racing, action, role, at=61)
        assert isinstance(found, Preview)
        done = racing.do(action, 61, role=role)
        assert racing.picture.results == found.results_after, action
        undoable = next(one for one in history(racing.log) if one.id == done)
        racing.undo(done, 62, role=undoable.undo_roles[0])
        assert racing.picture.results == found.results_before, action


def test_a_relegation_shows_places_gaps_and_who_goes_on_before_it_is_given(office: Any) -> None:
    office.start("r1-1")
    a, b, c, d, e, f = (rider.bib for rider in office.log.riders)
    office.sheet([(place, bib, 60.0 + place / 10) for place, bib in enumerate((a, b, c, d, e, f), start=1)], 65)
    found = ask(office, Decide(bib=a, code="REL", reason="left the line"), "commissaire", 70)
    assert [line.bib for line in found.results_before] == [a, b, c, d, e, f]
    assert [line.bib for line in found.results_after] == [b, c, d, e, f, a]
    assert (found.marks_before[a], found.marks_after[a]) == ("Q1/4", "R")
    assert [one.text for one in found.changes] == [
        f"{b}: place 2 → 1",
        f"{c}: place 3 → 2",
        f"{d}: place 4 → 3",
        f"{e}: place 5 → 4",
        f"{f}: place 6 → 5",
        f"{a} has REL",
        f"{a}: place 1 → 6",
        f"the gaps count from {b} instead of {a}",
        f"{a}: Q1/4 → R",
        f"{c}: R → Q1/4",
    ]
    assert office.line(a).status is None


def test_a_disqualification_takes_the_place_and_the_way_on(office: Any) -> None:
    office.start("rep-1")
    bibs = [rider.bib for rider in office.log.riders]
    office.do(Place(order=tuple((bib,) for bib in bibs)), 20)
    texts = told(office, Decide(bib=bibs[1], code="DSQ", reason="x"), "commissaire", 21)
    assert f"{bibs[1]} loses place 2" in texts
    assert f"{bibs[1]} goes on to Q1/4 no more" in texts
    assert f"{bibs[2]} goes on to Q1/4" in texts


def test_a_second_warning_tells_that_it_proposes_dsq_over_heats_too(office: Any) -> None:
    warning = Decide(bib="13", code="W", reason="x")
    office.start("r1-3")
    office.do(Place(order=(("13",),)), 20)
    assert told(office, warning, "commissaire", 21) == ["13: warnings in this heat 0 → 1"]
    office.do(warning, 21)
    office.start("qf-3")
    office.do(Place(order=(("13",),)), 20)
    found = ask(office, warning, "commissaire", 21)
    (asked,) = [one for one in found.changes if one.key == "alert"]
    assert asked.params["alert_key"] == "propose_dsq"
    assert "13 has 2 warnings" in asked.text


def test_a_judges_correction_tells_the_gap_and_the_dead_heat(finished: Any) -> None:
    texts = told(finished, Place(order=(("4",), ("13", "23"), ("30",), ("21",), ("2",))), "judge", 140)
    assert texts == ["23: place 3 → 2"]
    assert "the heat: provisional → official" in told(finished, Confirm(), "president", 140)


def test_the_flow_of_the_race(office: Any) -> None:
    assert told(office, OpenHeat(heat="final-a"), at=-20) == ["the heat: drawn → on_line"]
    office.open("final-a")
    assert told(office, Arm(), at=-10) == ["the heat: on_line → pacer_run"]
    office.arm()
    assert told(office, Gun(), at=0) == ["the heat: pacer_run → started"]
    office.gun()
    assert told(office, SetLapCounter(laps_to_go=5)) == ["lap counter: 6 → 5"]
    assert told(office, RingBell()) == ["the bell counts as rung"]
    assert told(office, Stop(reason="x")) == ["the heat: started → stopped"]


def test_a_restart_without_a_rider_and_its_undo(racing: Any) -> None:
    racing.do(Stop(reason="x"), 61)
    out = Exclusion(bib="13", code="DSQ", reason="passed the pacer", article="3.2.140")
    assert told(racing, Restart(excluded=(out,)), "starter", 62) == [
        "the heat: stopped → on_line",
        "attempt 2 opens",
        "13 does not ride the restart",
        "13 has DSQ",
    ]
    restart = racing.do(Restart(excluded=(out,)), 62)
    texts = told(racing, Undo(command=restart), "starter", 63)
    assert "attempt 1 holds again" in texts
    assert "13 has DSQ no more" in texts


def test_a_missed_read_accepted_rejected_or_seen_by_a_person(racing: Any) -> None:
    mark = racing.log.course.mark_at(312.5)
    inferred = racing.crossings("4")[312.5].race_ms
    time = f"{inferred // 1_000}.{inferred % 1_000:03d}"
    assert told(racing, AcceptInferred(bib="4", mark=mark)) == [
        f"4 at l200, 312.5 m: {time} s (interpolated) → {time} s (accepted)"
    ]
    assert told(racing, RejectInferred(bib="4", mark=mark)) == ["4 at l200, 312.5 m: no crossing any more"]
    seen = told(racing, ManualPassing(bib="4", loop="l200", at_us=racing.at(25.7)))
    assert f"4 at l200, 312.5 m: {time} s (interpolated) → 25.700 s (manual)" in seen


def test_a_read_set_aside_and_a_swap(racing: Any) -> None:
    read = racing.crossings("13")[12.5].read
    (moved,) = told(racing, SetAside(read=read, reason="x"))
    assert moved.startswith("13 at finish, 12.5 m: 1.200 s (read) → ")
    texts = told(racing, SwapTransponder(bib="13", transponder=racing.transponder("2")))
    assert len(texts) == CROSSINGS_TOLD + 1
    assert texts[-1].endswith("more crossings change")


def test_a_mishap_tells_what_it_will_ask_for(office: Any) -> None:
    office.start("final-a")
    assert told(office, Mishap(bib="13", what="fall"), at=3) == [
        "asked of a person then: mishap of 13 (fall) in the first half lap: new start of all (UCI 3.2.143)"
    ]


def test_an_order_without_effect_says_so(racing: Any) -> None:
    racing.do(RingBell(), 60)
    assert told(racing, RingBell()) == [ENGLISH["nothing"]]


def test_a_preview_is_refused_as_the_order_would_be(finished: Any) -> None:
    for action, role in (
        (Decide(bib="13", code="REL", reason="x"), "operator"),
        (Reopen(reason="x"), "president"),
        (Decide(bib="99", code="REL", reason="x"), "commissaire"),
        (Undo(command="never"), "president"),
    ):
        assert ask(finished, action, role, 140) == finished.refused(action, 140, role=role)


def test_a_preview_is_refused_too_when_somebody_else_changed_it(finished: Any) -> None:
    seen = last_row(finished.log)
    finished.do(Place(order=(("13",), ("4",))), 140)
    assert "changed since your screen: Somebody (judge) placed 13, 4" in ask(
        finished, Decide(bib="13", code="REL", reason="x"), at=141, seen=seen
    )


def test_before_any_heat_is_open(office: Any) -> None:
    assert ask(office, Arm(), "operator") == "no heat is open: open one first"
