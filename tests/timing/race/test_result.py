"""Places and gaps: judge over photo-finish over transponders; REL, DNF, DNS, DSQ, warnings (UCI 3.2.013, 3.10.003)."""

import itertools
from typing import Any

import pytest

from timing.race.actions import CloseRace, Confirm, Decide, ManualPassing, Place, Reopen

FIELD = ["13", "2", "23", "4", "21", "30"]
PHOTO = ["4", "13", "23", "30", "21", "2"]
"""The photo-finish of the final A, with gaps 763, 773, 1264, 1344 and 2344 ms."""


@pytest.fixture
def home(office: Any) -> Any:
    """Everybody home by transponder in the drawn order, 0.2 s apart; no photo-finish yet."""
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.ride(FIELD, 1512.5, from_m=751)
    return office


def rel(bib: Any, order: int | None = None) -> Any:
    return Decide(bib=bib, code="REL", reason="left the line", article="3.2.042", order=order)


def test_transponder_order_is_provisional_until_the_photo_finish_judges(home: Any) -> None:
    assert (home.picture.state, home.picture.status) == ("finished", "virtual")
    assert {line.source for line in home.picture.results} == {"transponder"}
    home.sheet([(1, "2", 60.0), (2, "13", 60.004)], 125)
    assert (home.picture.state, home.picture.status) == ("provisional", "provisional")
    assert home.places[:2] == [(1, "2", None), (2, "13", None)]


def test_where_photo_finish_and_transponders_disagree_both_are_shown_and_the_photo_finish_stands(home: Any) -> None:
    home.sheet([(1, "2", 60.0), (2, "13", 60.004), (3, "23", 60.3)], 125)
    (one,) = home.picture.finish.disagreements
    assert (one.ahead, one.behind, one.transponder_gap_ms) == ("2", "13", -200)
    assert [entry.bib for entry in home.picture.finish.transponder] == FIELD
    assert home.picture.finish.photo_finish == ("2", "13", "23")
    assert home.noticed("photo-finish has 2 before 13, transponders the other way by 200 ms")


def test_the_judges_order_stands_over_the_photo_finish(finished: Any) -> None:
    finished.do(Place(order=tuple((bib,) for bib in ["13", "4", "23", "30", "21", "2"])), 140)
    assert [bib for _, bib, _ in finished.places] == ["13", "4", "23", "30", "21", "2"]
    assert {line.source for line in finished.picture.results} == {"judge"}
    assert finished.noticed("the judge's order differs from the photo-finish")


def test_place_is_never_derived_from_the_gap(home: Any) -> None:
    """Paris 2024: places 3 and 4 both +0.236. Equal printed gaps keep the places that were judged."""
    home.sheet([(1, "13", 60.0), (2, "2", 60.2363), (3, "23", 60.2361), (4, "4", 60.3)], 125)
    assert home.places[:4] == [(1, "13", None), (2, "2", None), (3, "23", None), (4, "4", None)]
    assert (home.gaps["2"], home.gaps["23"]) == (236, 236)


def test_gaps_are_truncated_once_and_the_winner_has_none(home: Any) -> None:
    home.sheet([(1, "13", 60.0005), (2, "2", 60.0104), (3, "23", 60.0105)], 125)
    assert home.gaps == {"13": None, "2": 9, "23": 10, "4": None, "21": None, "30": None}


def test_a_dead_heat_shares_the_place_and_the_next_is_skipped(finished: Any) -> None:
    finished.do(Place(order=(("4",), ("13", "23"), ("30",), ("21",), ("2",))), 140)
    assert [(place, bib) for place, bib, _ in finished.places] == [
        (1, "4"), (2, "13"), (2, "23"), (4, "30"), (5, "21"), (6, "2"),
    ]  # fmt: skip
    assert (finished.gaps["13"], finished.gaps["23"]) == (763, 773)


def test_a_dead_heat_for_the_win_has_two_winners_without_a_gap(home: Any) -> None:
    home.sheet([(1, "13", 60.0), (1, "2", 60.0), (3, "23", 60.5)], 125)
    assert home.places[:3] == [(1, "13", None), (1, "2", None), (3, "23", None)]
    assert (home.gaps["13"], home.gaps["2"], home.gaps["23"]) == (None, None, 500)


def test_a_placed_rider_without_a_time_keeps_the_place_and_has_no_gap(home: Any) -> None:
    home.sheet([(1, "13", 60.0), (2, "2", None), (3, "23", 60.5)], 125)
    assert home.places[1] == (2, "2", None)
    assert (home.gaps["2"], home.gaps["23"]) == (None, 500)


def test_without_a_time_of_the_winner_there_is_nothing_to_measure_gaps_from(home: Any) -> None:
    home.sheet([(1, "13", None), (2, "2", 60.1), (3, "23", 60.5)], 125)
    assert [home.gaps[bib] for bib in ("13", "2", "23")] == [None, None, None]


def test_a_line_without_a_bib_holds_its_place(home: Any) -> None:
    """A camera's operator could not read a number: nobody moves up into that place."""
    home.sheet([(1, "13", 60.0), (2, None, 60.1), (3, "23", 60.5)], 125)
    assert [(place, bib) for place, bib, _ in home.places[:2]] == [(1, "13"), (3, "23")]
    assert home.noticed("the photo-finish has no bib at place 2: judge to read the picture")


def test_a_bib_that_the_sheet_has_twice_counts_once(home: Any) -> None:
    home.sheet([(1, "13", 60.0), (2, "2", 60.1), (3, "13", 60.2), (4, "23", 60.5)], 125)
    assert sorted(line.bib for line in home.picture.results) == sorted(FIELD)
    assert home.line("13").place == 1


def test_rel_is_the_last_place_of_the_heat_without_a_gap(finished: Any) -> None:
    finished.do(rel("13"), 140)
    assert finished.places == [
        (1, "4", None), (2, "23", None), (3, "30", None), (4, "21", None), (5, "2", None), (6, "13", "REL"),
    ]  # fmt: skip
    assert finished.gaps["13"] is None
    assert finished.line("13").reason == "3.2.042: left the line"


def test_when_the_winner_is_relegated_the_gaps_count_from_the_new_winner(finished: Any) -> None:
    finished.do(rel("4"), 140)
    assert finished.places[0] == (1, "13", None)
    assert (finished.gaps["13"], finished.gaps["23"], finished.gaps["30"]) == (None, 10, 501)
    assert finished.places[-1] == (6, "4", "REL")


def test_the_last_200_m_is_that_of_the_winner_after_the_ruling(finished: Any) -> None:
    before = finished.picture.finish.last_200_ms
    finished.do(rel("4"), 140)
    assert finished.picture.finish.last_200_ms != before


def test_two_relegated_stand_in_the_order_of_the_rulings_unless_the_commissaire_orders_them(finished: Any) -> None:
    first = finished.do(rel("2"), 140)
    finished.do(rel("13"), 141)
    assert [bib for _, bib, _ in finished.places[-2:]] == ["2", "13"]
    finished.undo(first, 142)
    finished.do(rel("2", order=2), 143)
    finished.do(rel("13", order=1), 144)
    assert [bib for _, bib, _ in finished.places[-2:]] == ["13", "2"]


def test_all_relegated_is_still_a_result(finished: Any) -> None:
    for bib in FIELD:
        finished.do(rel(bib), 140)
    assert finished.places == [(n, bib, "REL") for n, bib in enumerate(FIELD, start=1)]
    assert set(finished.gaps.values()) == {None}


def test_rel_of_a_rider_who_was_not_placed_gives_the_last_place(office: Any) -> None:
    """Tokyo, heat 2: a fallen rider was placed third as relegated, the three other fallen had no place."""
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.ride(FIELD[:2], 1512.5, from_m=751)
    office.sheet([(1, "13", 60.0), (2, "2", 60.2), (None, "23", None), (None, "4", None)], 125)
    office.do(rel("23"), 140)
    office.do(Decide(bib="4", code="DNF", reason="fall"), 141)
    assert office.places[:4] == [(1, "13", None), (2, "2", None), (3, "23", "REL"), (None, "21", None)]
    assert office.line("4").status == "DNF"


def test_a_disqualified_rider_has_no_place_and_those_behind_move_up(finished: Any) -> None:
    finished.do(Decide(bib="13", code="DSQ", reason="passed the pacer", article="3.2.140"), 140)
    assert [(place, bib) for place, bib, _ in finished.places] == [
        (1, "4"), (2, "23"), (3, "30"), (4, "21"), (5, "2"), (None, "13"),
    ]  # fmt: skip


def test_a_disqualified_rider_in_the_judges_order_is_left_out_of_it(finished: Any) -> None:
    finished.do(Decide(bib="4", code="DSQ", reason="blue band", article="3.2.008"), 140)
    finished.do(Place(order=(("4", "13"), ("23",), ("30",), ("21",), ("2",))), 141)
    assert finished.places[0] == (1, "13", None)
    assert finished.places[-1] == (None, "4", "DSQ")


def test_codes_without_a_place_are_listed_dnf_dns_dsq(finished: Any) -> None:
    finished.do(Decide(bib="4", code="DSQ", reason="x"), 140)
    finished.do(Decide(bib="13", code="DNS", reason="x"), 141)
    finished.do(Decide(bib="23", code="DNF", reason="x"), 142)
    assert finished.places[3:] == [(None, "23", "DNF"), (None, "13", "DNS"), (None, "4", "DSQ")]


def test_a_rider_who_does_not_start_is_ruled_so_before_the_gun_and_is_not_awaited(office: Any) -> None:
    office.open("final-a")
    office.do(Decide(bib="30", code="DNS", reason="ill"), -15)
    office.arm()
    office.gun()
    office.ride(["pacer", *FIELD[:5]], 750)
    office.ride(FIELD[:5], 1512.5, from_m=751)
    assert office.picture.state == "finished"
    assert next(one.status for one in office.picture.starters if one.bib == "30") == "DNS"
    assert office.places[-1] == (None, "30", "DNS")


def test_a_heat_in_which_nobody_finishes_has_no_place_and_cannot_be_official(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    for bib in FIELD:
        office.do(Decide(bib=bib, code="DNF", reason="mass fall"), 80)
    office.do(CloseRace(), 90, role="judge")
    assert office.picture.state == "finished"
    assert [line.status for line in office.picture.results] == ["DNF"] * 6
    assert "nobody is placed yet" in office.refused(Confirm(), 91)


def test_what_the_camera_noted_of_an_unplaced_rider_is_shown_until_a_commissaire_rules(home: Any) -> None:
    home.sheet([(1, "13", 60.0), (None, "2", None)], 125, statuses={"2": "DNF"})
    assert (home.line("2").status, home.line("2").reason) == ("DNF", "as read on the photo-finish")
    home.do(Decide(bib="2", code="DSQ", reason="blue band"), 130)
    assert home.line("2").status == "DSQ"


def test_a_warning_keeps_the_place_and_is_counted_and_the_second_proposes_dsq(finished: Any) -> None:
    finished.do(Decide(bib="13", code="W", reason="moved down", article="3.2.045"), 140)
    assert (finished.line("13").place, finished.line("13").status, finished.line("13").warnings) == (2, None, 1)
    assert not finished.noticed("DSQ is proposed")
    second = finished.do(Decide(bib="13", code="W", reason="again"), 141)
    assert finished.noticed("rider 13 has 2 warnings: DSQ is proposed (UCI 3.2.013, 3.10.003)")
    assert finished.line("13").place == 2
    finished.undo(second, 142)
    assert not finished.noticed("DSQ is proposed")


def test_the_third_relegation_proposes_dsq(finished: Any) -> None:
    for second in range(3):
        finished.do(rel("13"), 140 + second)
    assert finished.noticed("rider 13 was relegated 3 times: DSQ is proposed")


def test_a_later_sheet_replaces_the_earlier_one_and_a_repeated_one_changes_nothing(home: Any) -> None:
    home.sheet([(1, "13", 60.0), (2, "2", 60.2)], 125)
    for at in range(130, 330, 5):
        home.sheet([(1, "13", 60.0), (2, "2", 60.2)], at)
    assert len(home.log.sheets) == 1
    home.sheet([(1, "2", 60.0), (2, "13", 60.2)], 340)
    assert home.places[0] == (1, "2", None)


def test_a_finish_seen_by_a_person_places_the_rider_provisionally(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.ride(FIELD, 1512.5, from_m=751, missed=[("13", 1512.5)])
    office.do(ManualPassing(bib="13", loop="finish", at_us=office.at(121.15)), 125)
    assert office.picture.state == "finished"
    assert office.places[0] == (1, "13", None)


def test_equal_times_by_transponder_share_the_place_until_judged(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.ride(["13", "2"], 1512.5, from_m=751, spacing=0.0)
    assert office.places[:2] == [(1, "13", None), (1, "2", None)]


def test_a_sheet_that_came_before_the_start_asks_for_the_gun(office: Any) -> None:
    office.open("final-a")
    office.sheet([(1, "13", 60.0)], -5)
    assert office.noticed("was not started: log the gun")
    assert office.picture.state == "on_line"


def test_late_reads_and_sheets_after_official_go_to_the_inbox_and_change_nothing(finished: Any) -> None:
    finished.do(Confirm(), 140)
    before = finished.picture
    finished.read("13", "finish", 130, late=20)
    finished.sheet([(1, "13", 60.0)], 150)
    assert finished.picture == before
    reasons = [item.reason for item in finished.state.inbox]
    assert reasons == [
        "arrived after the result of final-a was made official",
        "the result of final-a is official: reopen it to use this sheet",
    ]
    finished.do(Reopen(reason="new picture"), 160)
    finished.sheet([(1, "13", 60.0)], 170)
    assert finished.places[0] == (1, "13", None)


@pytest.mark.parametrize("winner", PHOTO)
def test_places_are_without_holes_whoever_is_relegated_or_disqualified(finished: Any, winner: Any) -> None:
    finished.do(rel(winner), 140)
    assert [place for place, _, _ in finished.places] == [1, 2, 3, 4, 5, 6]
    finished.do(Decide(bib=winner, code="DSQ", reason="x"), 141)
    assert [place for place, _, _ in finished.places] == [1, 2, 3, 4, 5, None]
    assert all(a <= b for a, b in itertools.pairwise(line.order for line in finished.picture.results))
