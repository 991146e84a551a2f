"""Why is this rider here? Evidence by evidence: photo-finish, judge, gap, decision, code, way on, president."""

import re
from typing import Any

import pytest

from timing.race.actions import Confirm, Decide, Exclusion, Place, Reopen, Restart, Stop
from timing.race.explain import ENGLISH, why
from timing.race.onward import marks

FIELD = ["13", "2", "23", "4", "21", "30"]


def sentences(office: Any, bib: str) -> list[str]:
    return [one.text for one in why(office.log, office.picture)[bib]]


def keys(office: Any, bib: str) -> list[str]:
    return [one.key for one in why(office.log, office.picture)[bib]]


def local(office: Any, at: float) -> str:
    seconds = office.at(at) // 1_000_000 + 9 * 3_600
    return f"{seconds // 3_600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def sheet_row(office: Any) -> str:
    return str(office.picture.finish.photo_finish_read).partition(":")[0]


@pytest.fixture
def home(office: Any) -> Any:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.ride(FIELD, 1512.5, from_m=751)
    return office


def test_a_rider_placed_by_the_photo_finish(finished: Any) -> None:
    assert sentences(finished, "13") == [
        f"place 2 on the photo-finish (journal row {sheet_row(finished)})",
        "+0.763 s behind the winner, 4: the difference of both times, truncated to 1/1000 s (UCI 3.2.015)",
        "provisional: not confirmed by the president yet",
    ]
    assert sentences(finished, "4")[1] == "first of the heat: the gaps count from here"


def test_by_transponder_with_the_read_that_says_so(home: Any) -> None:
    read = home.crossings("2")[1512.5].read
    assert sentences(home, "2") == [
        f"place 2 by transponder at the finish line (read {read}): provisional, not judged",
        "+0.200 s behind the winner, 13: the difference of both times, truncated to 1/1000 s (UCI 3.2.015)",
        "virtual: by transponders alone, not judged yet",
    ]


def test_before_the_finish_there_is_nothing_to_explain_but_that(office: Any) -> None:
    office.start("final-a")
    assert sentences(office, "13") == ["no place: not read at the finish, and nobody placed the rider"]


def test_a_judge_who_agrees_with_the_photo_finish_and_one_who_does_not(finished: Any) -> None:
    order = tuple((bib,) for bib in ["13", "4", "23", "30", "21", "2"])
    finished.do(Place(order=order), 140)
    row = len(finished.events)
    assert sentences(finished, "13")[:2] == [
        f"place 1 by the judge's order of Somebody (judge) at {local(finished, 140)} (journal row {row})",
        f"the photo-finish has place 2 (journal row {sheet_row(finished)}); the judge's order stands",
    ]
    assert sentences(finished, "23")[1] == f"the photo-finish has the same place (journal row {sheet_row(finished)})"


def test_a_rider_whom_the_judge_left_out(finished: Any) -> None:
    finished.do(Place(order=(("13",), ("4",))), 140)
    assert keys(finished, "2")[0] == "judge_unplaced"


def test_a_relegation_names_article_reason_who_when_and_what_the_code_does(finished: Any) -> None:
    finished.do(Decide(bib="4", code="REL", reason="left the line", article="3.2.042"), 140)
    row = len(finished.events)
    assert sentences(finished, "4") == [
        f"place 1 on the photo-finish (journal row {sheet_row(finished)})",
        f"REL by Somebody (commissaire) at {local(finished, 140)} (journal row {row}): 3.2.042 left the line",
        "REL keeps a place: the last of the heat, without a gap",
        "provisional: not confirmed by the president yet",
    ]
    assert "moved up from place 2 to 1: 4 ahead lost the place" in sentences(finished, "13")


def test_a_code_without_a_place_and_those_behind(finished: Any) -> None:
    finished.do(Decide(bib="13", code="DSQ", reason="passed the pacer", article="3.2.140"), 140)
    assert "DSQ has no place in the heat" in sentences(finished, "13")
    assert "moved up from place 3 to 2: 13 ahead lost the place" in sentences(finished, "23")
    assert "moved_up" not in keys(finished, "4")


def test_a_warning_is_told_and_changes_no_place(finished: Any) -> None:
    finished.do(Decide(bib="13", code="W", reason="moved down", article="3.2.045"), 140)
    assert keys(finished, "13") == ["photo_finish", "decision", "warnings", "gap", "provisional"]


def test_a_ruling_that_a_later_one_replaced(finished: Any) -> None:
    finished.do(Decide(bib="13", code="DSQ", reason="x"), 140)
    finished.do(Decide(bib="13", code="REL", reason="y"), 141)
    assert keys(finished, "13")[1:4] == ["superseded", "decision", "keeps_place"]


def test_a_ruling_that_was_taken_back_is_told_too(finished: Any) -> None:
    ruling = finished.do(Decide(bib="13", code="DSQ", reason="x"), 140)
    undo = finished.undo(ruling, 145)
    row = len(finished.events)
    taken = (
        f"DSQ by Somebody (commissaire) at {local(finished, 140)} was taken back "
        f"by Somebody (president) at {local(finished, 145)} (row {row})"
    )
    assert taken in sentences(finished, "13")
    assert "loses_place" not in keys(finished, "13")
    finished.undo(undo, 146)
    assert "taken_back" not in keys(finished, "13")


def test_a_rider_whom_a_restart_left_out(office: Any) -> None:
    office.start("final-a")
    office.do(Stop(reason="x"), 20)
    office.do(Restart(excluded=(Exclusion(bib="13", code="DSQ", reason="passed the pacer", article="3.2.140"),)), 30)
    assert keys(office, "13") == ["not_home", "decision", "loses_place"]
    assert "starter" in sentences(office, "13")[1]


def test_a_dead_heat(finished: Any) -> None:
    finished.do(Place(order=(("4",), ("13", "23"), ("30",))), 140)
    assert "dead heat: shares the place with 23" in sentences(finished, "13")


def test_what_the_camera_noted_until_a_commissaire_rules(home: Any) -> None:
    home.sheet([(1, "13", 60.0), (None, "2", None)], 125, statuses={"2": "DNF"})
    assert keys(home, "2") == ["photo_finish_unplaced", "camera_code", "loses_place", "provisional"]
    home.do(Decide(bib="2", code="DNF", reason="fall"), 130)
    assert keys(home, "2") == ["photo_finish_unplaced", "decision", "loses_place", "provisional"]


def test_a_final_for_places_seven_and_on_speaks_of_the_printed_places(office: Any) -> None:
    office.open("final-b")
    office.arm()
    office.gun()
    first, second = (rider.bib for rider in office.log.riders[:2])
    office.sheet([(1, first, 60.0), (2, second, 60.1)], 70)
    assert sentences(office, second)[0].startswith("place 8 on the photo-finish")


def test_the_way_on_by_place_with_the_rest_by_code_or_open(office: Any) -> None:
    office.start("r1-1")
    a, b, c, d, e, _ = (rider.bib for rider in office.log.riders)
    office.do(Place(order=((a,), (b,), (c,), (d,))), 20)
    office.do(Decide(bib=d, code="DSQ", reason="x"), 21)
    assert "goes on to Q1/4: places 1 to 2" in sentences(office, a)
    assert "goes on to R: all others who may go on" in sentences(office, c)
    assert "does not go on: DSQ" in sentences(office, d)
    assert not any("go" in text and "on" in text.split() for text in sentences(office, e)), "no place, no code yet"
    office.do(Place(order=((a,), (b, c))), 22)
    assert any("open whether to Q1/4" in text for text in sentences(office, b))


def test_a_place_that_is_not_enough(office: Any) -> None:
    office.start("rep-1")
    order = tuple((rider.bib,) for rider in office.log.riders)
    office.do(Place(order=order), 20)
    assert "does not go on: place 3 is not among those of this heat" in sentences(office, order[2][0])


def test_official_by_whom_since_when_and_no_longer_after_a_reopening(finished: Any) -> None:
    finished.do(Confirm(), 150)
    row = len(finished.events)
    assert sentences(finished, "4")[-1] == (
        f"official by Somebody (president) since {local(finished, 150)} (journal row {row})"
    )
    finished.do(Reopen(reason="x"), 151)
    assert keys(finished, "4")[-1] == "provisional"


def test_every_rider_is_explained_in_agreement_with_result_and_marks(office: Any) -> None:
    office.start("sf-1")
    bibs = [rider.bib for rider in office.log.riders]
    office.do(Place(order=tuple((bib,) for bib in bibs)), 20)
    for bib, code in zip(bibs, ("REL", "DNF", "W", "DSQ"), strict=False):
        office.do(Decide(bib=bib, code=code, reason="x"), 21)
    told = why(office.log, office.picture)
    given = marks(office.log, office.picture.results)
    assert list(told) == [line.bib for line in office.picture.results]
    for bib, found in told.items():
        marked = [one.params["mark"] for one in found if one.key in ("onward", "onward_rest")]
        assert marked == ([given[bib]] if bib in given else [])
        for one in found:
            assert one.text == ENGLISH[one.key].format(**one.params)


def test_why_is_the_same_in_replay(finished: Any) -> None:
    finished.do(Decide(bib="13", code="REL", reason="x"), 140)
    replayed = finished.replayed()
    assert why(replayed.heats["final-a"], replayed.picture("final-a")) == why(finished.log, finished.picture)


@pytest.mark.parametrize("key", ENGLISH)
def test_placeholders_are_plain_names(key: str) -> None:
    assert all(re.fullmatch(r"[a-z_]+", name) for name in re.findall(r"\{([^}]*)\}", ENGLISH[key]))
