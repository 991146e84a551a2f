"""Every order is on record in words: who, when, what, taken or refused, taken back and brought back."""

from typing import Any

import pytest

from timing.race.actions import (
    AcceptInferred,
    CloseRace,
    Confirm,
    Decide,
    Exclusion,
    Gun,
    ManualPassing,
    Mishap,
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
from timing.race.heat import REFUSED_KEPT
from timing.race.history import ENGLISH, HistoryEntry, history, last_row
from timing.race.orders import refuse
from timing.race.permits import ROLES

FIELD = ["13", "2", "23", "4", "21", "30"]
REL_2 = Decide(bib="13", code="REL", reason="x", order=2)


@pytest.fixture
def racing(office: Any) -> Any:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 400, missed=[("4", 312.5)])
    office.tick(60)
    return office


def l200(office: Any) -> int:
    """The mark of the read that 4 missed."""
    mark: int = office.log.course.mark_at(312.5)
    return mark


def newest(office: Any) -> HistoryEntry:
    return history(office.log)[-1]


def said(office: Any) -> list[str]:
    return [one.text for one in history(office.log)]


def local(office: Any, at: float) -> str:
    us = office.at(at) + 9 * 3_600_000_000
    seconds, ms = us // 1_000_000, us // 1_000 % 1_000
    return f"{seconds // 3_600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"


def test_a_heat_from_its_opening_to_official_reads_like_a_protocol(finished: Any) -> None:
    finished.do(Decide(bib="13", code="REL", reason="left the line", article="3.2.042"), 140)
    finished.do(Decide(bib="2", code="W", reason="moved down", article="3.2.045"), 141)
    finished.do(Confirm(), 150)
    finished.do(Reopen(reason="bib misread"), 160)
    assert said(finished) == [
        "opened the heat",
        "armed the heat: pacer on the track, waiting for the gun",
        "ruled REL for 13: 3.2.042 left the line",
        "warned 2: 3.2.045 moved down",
        "made the result official",
        "reopened the official result: bib misread",
    ]
    entry = history(finished.log)[2]
    assert (entry.actor, entry.role, entry.at_us) == ("Somebody", "commissaire", finished.at(140))
    assert finished.events[entry.row - 1][1].id == entry.id
    assert last_row(finished.log) == newest(finished).row


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (lambda o: RingBell(), "logged the bell at {60.000}"),
        (lambda o: SetLapCounter(laps_to_go=5), "set the lap counter to 5"),
        (lambda o: Stop(reason="false start"), "stopped the race: false start"),
        (lambda o: Mishap(bib="13", what="puncture"), "logged a mishap of 13: puncture"),
        (lambda o: CloseRace(), "closed the race: nobody else is awaited at the finish"),
        (lambda o: Place(order=(("30",), ("2", "4"))), "placed 30, 2 = 4"),
        (lambda o: Decide(bib="13", code="DSQ", reason=""), "ruled DSQ for 13: -"),
        (lambda o: REL_2, "ruled REL for 13, number 2 among those relegated: x"),
        (lambda o: AcceptInferred(bib="4", mark=l200(o)), "accepted the missed read of 4 at l200, 312.5 m"),
        (lambda o: RejectInferred(bib="4", mark=l200(o)), "rejected the missed read of 4 at l200, 312.5 m"),
        (lambda o: ManualPassing(bib="4", loop="l200", at_us=o.at(25.7)), "saw 4 pass l200 at {25.700}"),
        (lambda o: SwapTransponder(bib="13", transponder="77"), "13 rides with transponder 77"),
    ],
)  # fmt: skip
def test_every_order_of_a_race_has_its_sentence(racing: Any, action: Any, sentence: str) -> None:
    racing.do(action(racing), 60, role="president" if isinstance(action(racing), Decide) else "operator")
    expected = sentence.replace("{60.000}", local(racing, 60)).replace("{25.700}", local(racing, 25.7))
    assert newest(racing).text == expected


def test_a_read_set_aside_is_named_by_rider_or_by_transponder(racing: Any) -> None:
    racing.do(SetAside(read=racing.crossings("13")[12.5].read, reason="stray"), 60)
    assert newest(racing).text.startswith("set aside the read of 13 at finish at ")
    assert newest(racing).text.endswith(": stray")
    unknown = racing.read("666", "finish", 61)
    racing.do(SetAside(read=unknown, reason="stray"), 62)
    assert "set aside the read of transponder 666 at finish at " in newest(racing).text


def test_a_gun_by_hand_and_a_restart_without_riders(office: Any) -> None:
    office.open("final-a")
    office.arm()
    office.do(Gun(at_us=office.at(0.25)), 1)
    assert newest(office).text == f"logged the gun by hand at {local(office, 0.25)}"
    office.do(Stop(reason="drawn order not kept"), 10)
    out = (
        Exclusion(bib="13", code="DSQ", reason="passed the pacer", article="3.2.140"),
        Exclusion(bib="4", code="REL", reason="x"),
    )
    office.do(Restart(excluded=out), 20)
    assert newest(office).text == "opened the next attempt without 13 (DSQ, 3.2.140 passed the pacer), 4 (REL, x): -"


def test_undo_and_redo_read_as_what_they_took_back_and_brought_back(finished: Any) -> None:
    ruling = finished.do(Decide(bib="13", code="DSQ", reason="x"), 140)
    undo = finished.undo(ruling, 141)
    entries = {one.id: one for one in history(finished.log)}
    assert entries[ruling].undone_by == undo
    assert not entries[ruling].can_undo
    assert entries[undo].text == "took back: ruled DSQ for 13: x"
    assert entries[undo].params["target"] == ruling
    redo = finished.undo(undo, 142)
    entries = {one.id: one for one in history(finished.log)}
    assert entries[redo].text == "brought back: ruled DSQ for 13: x"
    assert entries[undo].undone_by == redo
    assert (entries[ruling].undone_by, entries[ruling].can_undo) == (None, True)
    again = finished.undo(redo, 143)
    assert {one.id: one.text for one in history(finished.log)}[again] == "took back: ruled DSQ for 13: x"


def test_a_refused_order_is_on_record_with_its_reason_and_only_the_newest_of_them(racing: Any) -> None:
    sentence = racing.refused(Confirm(), 60)
    assert (newest(racing).accepted, newest(racing).reason, newest(racing).can_undo) == (False, sentence, False)
    for _ in range(REFUSED_KEPT + 10):
        racing.refused(Confirm(), 61)
    entries = history(racing.log)
    assert len([one for one in entries if not one.accepted]) == REFUSED_KEPT
    assert [one.text for one in entries if one.accepted] == said(racing)[:2]


def test_a_refused_order_with_nonsense_in_it_has_a_sentence_too(racing: Any) -> None:
    racing.refused(RingBell(at_us=2**63), 60)
    assert newest(racing).text == f"logged the bell at {2**63} µs"
    racing.refused(AcceptInferred(bib="13", mark=999), 60)
    assert newest(racing).text == "accepted the missed read of 13 at -, - m"
    racing.refused(SetAside(read="1:0", reason="x"), 60)
    assert newest(racing).text == "set aside the read 1:0: x"
    racing.refused(Undo(command="never"), 60, role="operator")
    assert newest(racing).text == "took back: never"


def test_can_undo_is_what_the_refusal_says_for_every_order_and_every_role(finished: Any) -> None:
    ruling = finished.do(Decide(bib="13", code="DSQ", reason="x"), 140)
    undo = finished.undo(ruling, 141)
    finished.undo(undo, 142)
    finished.do(Place(order=(("13",), ("4",))), 143)
    confirmed = len(history(finished.log))
    for closed in (False, True):
        if closed:
            finished.do(Confirm(), 150)
        entries = history(finished.log)
        assert len(entries) == confirmed + closed
        for entry in entries:
            for role in ROLES:
                command = Command(id="try", actor="A", role=role, at_us=finished.at(151), action=Undo(command=entry.id))
                taken = refuse(finished.state, command, "final-a") is None
                assert taken == (role in entry.undo_roles), (entry.text, role)
            assert entry.can_undo == bool(entry.undo_roles)
        assert any(entry.can_undo for entry in entries) is not closed


def test_who_may_not_rule_may_not_bring_a_ruling_back(finished: Any) -> None:
    ruling = finished.do(Decide(bib="13", code="DSQ", reason="x"), 140)
    undo = finished.undo(ruling, 141)
    assert "may not order 'decide'" in finished.refused(Undo(command=undo), 142, role="operator")


def test_the_text_is_the_english_of_key_and_parameters(racing: Any) -> None:
    racing.do(Stop(reason="fall"), 61)
    racing.do(Restart(reason="fall in the first half lap"), 62)
    for entry in history(racing.log):
        assert entry.text == ENGLISH[entry.key].format(**entry.params)


def test_the_history_is_the_same_in_replay(finished: Any) -> None:
    ruling = finished.do(Decide(bib="13", code="DSQ", reason="x"), 140)
    finished.undo(ruling, 141)
    assert history(finished.replayed().heats["final-a"]) == history(finished.log)
