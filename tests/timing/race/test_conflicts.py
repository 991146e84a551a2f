"""Two people at once: an order on what has moved on is refused with who changed what, and when."""

from typing import Any

import pytest

from timing.race.actions import (
    AcceptInferred,
    Arm,
    CloseRace,
    Confirm,
    Decide,
    ManualPassing,
    Mishap,
    OpenHeat,
    Place,
    RejectInferred,
    Reopen,
    RingBell,
    SetAside,
    SetLapCounter,
    Stop,
    SwapTransponder,
    Undo,
)
from timing.race.conflicts import GROUPS, groups
from timing.race.events import Command
from timing.race.history import last_row
from timing.race.permits import PERMITTED

FIELD = ["13", "2", "23", "4", "21", "30"]
RULING = Decide(bib="13", code="REL", reason="left the line", article="3.2.042")


@pytest.fixture
def racing(office: Any) -> Any:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 400, missed=[("4", 312.5)])
    office.tick(60)
    return office


def order(office: Any, actor: str, action: Any, seen: int | None, role: str = "president", at: float = 150) -> Any:
    name = f"{actor}-{len(office.events)}"
    office.put(Command(id=name, actor=actor, role=role, at_us=office.at(at), action=action, seen=seen))
    return office.state.outcomes[name]


def test_the_second_of_two_orders_is_refused_with_who_changed_what_and_when(finished: Any) -> None:
    seen = last_row(finished.log)
    first = order(finished, "Anna", Place(order=(("13",), ("4",), ("23", "30"))), seen)
    second = order(finished, "Bernard", RULING, seen)
    assert first.accepted
    assert not second.accepted
    assert second.reason == (
        f"changed since your screen: Anna (president) placed 13, 4, 23 = 30, at {local(finished, 150)}; "
        "look again, and order it anew if it still holds"
    )


def local(office: Any, at: float) -> str:
    """The venue's local time, Izu: nine hours before UTC in the day."""
    seconds = office.at(at) // 1_000_000 + 9 * 3_600
    return f"{seconds // 3_600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def test_a_photo_finish_sheet_that_came_since_is_told_to_whoever_rules_on_the_order(finished: Any) -> None:
    seen = last_row(finished.log)
    finished.sheet([(1, "4", None), (2, "13", None)], 149)
    refused = order(finished, "Anna", Confirm(), seen)
    device = finished.log.sheets[-1].sheet.device
    assert refused.reason == (
        f"changed since your screen: a photo-finish sheet came from {device}, at {local(finished, 149)}; "
        "look again, and order it anew if it still holds"
    )
    assert order(finished, "Carla", RingBell(), seen).reason.startswith("'bell' is refused in state"), (
        "not of the order"
    )
    assert last_row(finished.log) > seen
    assert order(finished, "Anna", Confirm(), last_row(finished.log)).accepted


def test_a_sheet_that_the_camera_sends_again_is_nothing_new(finished: Any) -> None:
    finished.sheet([(1, "4", None), (2, "13", None)], 149)
    seen = last_row(finished.log)
    finished.sheet([(1, "4", None), (2, "13", None)], 149.5)
    assert order(finished, "Anna", Confirm(), seen).accepted


def test_who_has_seen_the_change_may_order_on(finished: Any) -> None:
    first = order(finished, "Anna", Place(order=(("13",), ("4",))), last_row(finished.log))
    assert order(finished, "Bernard", RULING, first.journal_id).accepted


def test_an_order_without_seen_is_asked_nothing(finished: Any) -> None:
    order(finished, "Anna", Place(order=(("13",), ("4",))), None)
    assert order(finished, "Bernard", RULING, None).accepted


def test_ones_own_orders_and_refused_ones_and_those_of_the_program_stand_in_nobodys_way(racing: Any) -> None:
    seen = last_row(racing.log)
    racing.put(
        Command(id="turn", actor="lap counter", role="system", at_us=racing.at(61), action=SetLapCounter(laps_to_go=5))
    )
    assert order(racing, "Anna", SetLapCounter(laps_to_go=4), seen, "operator", 62).accepted
    assert order(racing, "Anna", SetLapCounter(laps_to_go=5), seen, "operator", 63).accepted
    assert not order(racing, "Bernard", SetLapCounter(laps_to_go=99), None, "operator", 64).accepted
    assert order(racing, "Anna", SetLapCounter(laps_to_go=3), seen, "operator", 65).accepted


def test_different_things_do_not_collide(racing: Any) -> None:
    seen = last_row(racing.log)
    mark = racing.log.course.mark_at(312.5)
    assert order(racing, "Anna", AcceptInferred(bib="4", mark=mark), seen, "operator", 61).accepted
    by_eye = ManualPassing(bib="13", loop="l200", at_us=racing.at(25))
    assert order(racing, "Bernard", by_eye, seen, "operator", 62).accepted
    assert order(racing, "Carla", RingBell(), seen, "judge", 63).accepted
    assert order(racing, "Dora", RULING, seen, at=64).accepted
    assert order(racing, "Emil", Stop(reason="fall"), seen, "starter", 65).accepted


def test_the_reads_of_one_rider_belong_together(racing: Any) -> None:
    seen = last_row(racing.log)
    mark = racing.log.course.mark_at(312.5)
    assert order(racing, "Anna", AcceptInferred(bib="4", mark=mark), seen, "operator", 61).accepted
    refused = order(racing, "Bernard", RejectInferred(bib="4", mark=mark), seen, "operator", 62)
    assert "Anna (operator) accepted the missed read of 4 at l200, 312.5 m" in refused.reason


def test_a_swap_touches_both_riders(racing: Any) -> None:
    seen = last_row(racing.log)
    assert order(
        racing, "Anna", SwapTransponder(bib="13", transponder=racing.transponder("2")), seen, "operator", 61
    ).accepted
    read = racing.crossings("23")[12.5].read
    assert order(racing, "Bernard", SetAside(read=read, reason="x"), seen, "operator", 62).accepted
    refused = order(racing, "Bernard", ManualPassing(bib="2", loop="l200", at_us=racing.at(25)), seen, "operator", 63)
    assert "13 rides with transponder" in refused.reason


def test_an_undo_belongs_to_what_it_takes_back_and_a_change_that_was_undone_still_counts(finished: Any) -> None:
    seen = last_row(finished.log)
    ruling = order(finished, "Anna", RULING, seen)
    assert order(finished, "Anna", Undo(command=ruling.id), seen).accepted
    refused = order(finished, "Bernard", Confirm(), seen)
    assert "Anna (president) ruled REL for 13" in refused.reason
    assert "Anna (president) took back: ruled REL for 13: 3.2.042 left the line" in refused.reason
    again = order(finished, "Bernard", Undo(command=ruling.id), ruling.journal_id)
    assert "Anna (president) took back" in again.reason, "and not: it is already undone"


def test_a_stop_after_a_stop_says_who_stopped(racing: Any) -> None:
    seen = last_row(racing.log)
    assert order(racing, "Anna", Stop(reason="fall"), seen, "starter", 61).accepted
    refused = order(racing, "Bernard", Stop(reason="fall"), seen, "commissaire", 62)
    assert refused.reason.startswith("changed since your screen: Anna (starter) stopped the race: fall, at ")


def test_only_the_newest_three_changes_are_told(finished: Any) -> None:
    seen = last_row(finished.log)
    for bib in ("13", "2", "23", "4", "21"):
        order(finished, "Anna", Decide(bib=bib, code="W", reason="x"), None)
    reason = order(finished, "Bernard", Confirm(), seen).reason
    assert reason.count("warned") == 3
    assert "(2 more before)" in reason
    assert "warned 21" in reason


def test_two_who_open_the_same_heat(office: Any) -> None:
    office.open("final-a")
    refused = order(office, "Bernard", OpenHeat(heat="final-a"), 0, "operator", 1)
    assert "Somebody (operator) opened the heat" in refused.reason
    assert order(office, "Bernard", OpenHeat(heat="final-a"), last_row(office.log), "operator", 2).accepted


def test_the_role_is_refused_before_what_changed_is_told(finished: Any) -> None:
    order(finished, "Anna", RULING, None)
    assert "may not order 'confirm'" in order(finished, "Bernard", Confirm(), 0, "judge").reason


@pytest.mark.parametrize("kind", sorted(PERMITTED, key=str), ids=str)
def test_every_kind_of_order_has_its_group_or_never_collides(racing: Any, kind: Any) -> None:
    by_rider = {AcceptInferred, RejectInferred, ManualPassing, SetAside, SwapTransponder}
    assert (kind in GROUPS) or kind in by_rider or kind in {Mishap, Undo}


def test_a_mishap_never_collides(racing: Any) -> None:
    command = Command(id="m", actor="A", role="judge", at_us=1, action=Mishap(bib="13", what="puncture"))
    assert groups(racing.log, command) == frozenset()


def test_groups_of_the_race_and_of_the_order() -> None:
    assert GROUPS[Arm] == GROUPS[Stop] == GROUPS[CloseRace]
    assert GROUPS[Place] == GROUPS[Decide] == GROUPS[Confirm] == GROUPS[Reopen] != GROUPS[Arm]


def test_a_refusal_for_what_changed_is_the_same_in_replay(finished: Any) -> None:
    seen = last_row(finished.log)
    order(finished, "Anna", RULING, seen)
    order(finished, "Bernard", Confirm(), seen)
    assert finished.replayed().outcomes == finished.state.outcomes
