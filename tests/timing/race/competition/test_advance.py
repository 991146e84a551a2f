"""Who goes where from a heat: by place, by code, by rule book; what decides waits for the panel."""

import msgspec
import pytest

from tests.timing.race.competition.office import KEIRIN, Office, formats, rules
from timing.race.competition.actions import ConfirmRound, ResolveTie
from timing.race.competition.state import CompetitionPlan, CompetitionState


def first_round(format_name: str = "uci-keirin-22-28", riders: int = 28, **plan: object) -> Office:
    """The first round with its start lists out."""
    office = Office(format_name)
    if plan:
        office.state = CompetitionState(
            CompetitionPlan(
                **{
                    "id": KEIRIN,
                    "name": "Men's keirin",
                    "category": "men",
                    "formats": formats(format_name),
                    "rules": rules(),
                    **plan,
                }  # type: ignore[arg-type]
            )
        )
    office.enter(riders)
    office.compose("r1")
    office.start_lists("r1")
    return office


def dnf_is_out() -> object:
    book = rules()
    return msgspec.structs.replace(book, keirin=msgspec.structs.replace(book.keirin, dnf_proceeds_to_repechage=False))


def test_places_go_on_with_their_marks() -> None:
    office = first_round("olympic-30", 30)
    office.ride("r1")
    riders = office.bibs("r1-1")
    assert [office.marks("r1-1")[bib] for bib in riders] == ["Q1/4", "Q1/4", "R", "R", "R", "R"]
    slots = {going.bib: going.slot for going in office.round("r1").going}
    assert [slots[bib] for bib in riders] == ["A1", "A2", "A3", "A4", "A5", "A6"]


def test_the_finals_are_marked_gold_and_7_to_12() -> None:
    office = first_round("uci-keirin-10-14", 14)
    office.ride("r1")
    assert list(office.marks("r1-1").values()) == ["QG", "QG", "QG", "Q7-12", "Q7-12", "Q7-12", ""]


def test_a_virtual_result_shows_who_would_go_on_and_confirms_nobody() -> None:
    office = first_round()
    office.ends("r1-1", office.bibs("r1-1"), status="virtual")
    assert office.where("r1")[office.bibs("r1-1")[0]] == "sf"
    assert "no official result of r1-1" in office.refusal(ConfirmRound(competition=KEIRIN, round="r1"))


def test_a_rider_who_fell_rides_the_repechage_where_the_rule_book_says_so() -> None:
    office = first_round()
    riders = office.bibs("r1-1")
    office.ends("r1-1", riders, codes={riders[6]: "DNF"})
    assert office.where("r1")[riders[6]] == "rep"


def test_a_rider_who_fell_is_out_where_the_rule_book_says_so() -> None:
    office = first_round(rules=dnf_is_out())
    riders = office.bibs("r1-1")
    office.ends("r1-1", riders, codes={riders[6]: "DNF"})
    assert office.where("r1")[riders[6]] == ""


@pytest.mark.parametrize(("switch", "goes"), [("onward", "rep"), ("out", "")])
def test_the_formats_switch_stands_over_the_rule_book(switch: str, goes: str) -> None:
    plain = formats("uci-keirin-22-28")
    switched = msgspec.structs.replace(plain.choices[0].format, dnf=switch)
    choices = (msgspec.structs.replace(plain.choices[0], format=switched),)
    book = dnf_is_out() if switch == "onward" else rules()
    office = first_round(formats=msgspec.structs.replace(plain, choices=choices), rules=book)
    riders = office.bibs("r1-1")
    office.ends("r1-1", riders, codes={riders[6]: "DNF"})
    assert office.where("r1")[riders[6]] == goes


def test_a_disqualified_rider_never_goes_on_and_those_behind_move_up_a_slot() -> None:
    office = first_round()
    riders = office.bibs("r1-1")
    office.ends("r1-1", [*riders[1:], riders[0]], codes={riders[0]: "DSQ"})
    going = {one.bib: one for one in office.round("r1").going}
    assert (going[riders[0]].to, going[riders[0]].position) == ("", None)
    assert [going[bib].slot for bib in riders[1:]] == ["A1", "A2", "A3", "A4", "A5", "A6"]


def test_a_rider_who_did_not_start_is_out() -> None:
    office = first_round()
    riders = office.bibs("r1-1")
    office.ends("r1-1", riders, codes={riders[6]: "DNS"})
    assert office.where("r1")[riders[6]] == ""


def test_a_rider_whom_the_official_result_does_not_name_did_not_start() -> None:
    office = first_round()
    riders = office.bibs("r1-1")
    office.ends("r1-1", riders[:6])
    going = next(one for one in office.round("r1").going if one.bib == riders[6])
    assert (going.status, going.to) == ("DNS", "")


def test_a_relegated_rider_keeps_the_last_place_and_goes_on_from_it() -> None:
    office = first_round()
    riders = office.bibs("r1-1")
    office.ends("r1-1", [*riders[1:], riders[0]], codes={riders[0]: "REL"})
    going = next(one for one in office.round("r1").going if one.bib == riders[0])
    assert (going.place, going.slot, going.to) == (7, "A7", "rep")


def test_riders_without_a_place_hold_the_slots_behind_the_placed_in_sheet_order() -> None:
    """Tokyo 2020, heat 2: three riders without a place rode the repechages as B4, B5 and B6."""
    office = first_round("olympic-30", 30)
    riders = office.bibs("r1-2")
    office.ends("r1-2", riders, unplaced=riders[3:])
    slots = {one.bib: one.slot for one in office.round("r1").going}
    assert [slots[bib] for bib in riders[3:]] == ["B4", "B5", "B6"]
    assert office.round("r1").blocks == ()


# -- what decides waits ------------------------------------------------------------------------------------------


def test_a_dead_heat_where_it_decides_blocks_until_the_panel_orders_the_riders() -> None:
    office = first_round()
    office.ride("r1")
    riders = office.bibs("r1-1")
    office.ends("r1-1", riders, ties=[riders[1:3]])
    (block,) = office.round("r1").blocks
    assert block.heat == "r1-1"
    assert block.text == (
        f"heat r1-1: {riders[1]} and {riders[2]} share place 2, and places 1-2 go to Semifinals, the rest go to "
        "Repechages; the panel orders them (resolve_tie)"
    )
    assert office.refusal(ConfirmRound(competition=KEIRIN, round="r1")) == block.text
    assert office.state.view().next.action == "resolve_tie"
    assert {office.where("r1")[bib] for bib in riders[1:3]} == {""}
    order = (riders[2], riders[1])
    office.order(ResolveTie(competition=KEIRIN, heat="r1-1", order=order, reason="the film was read again"))
    assert office.round("r1").blocks == ()
    slots = {one.bib: one.slot for one in office.round("r1").going}
    assert (slots[riders[2]], slots[riders[1]]) == ("A2", "A3")
    office.confirm("r1")


def test_a_dead_heat_that_decides_nothing_does_not_block() -> None:
    office = first_round()
    office.ride("r1")
    riders = office.bibs("r1-1")
    office.ends("r1-1", riders, ties=[riders[3:5]])
    assert office.round("r1").blocks == ()
    office.confirm("r1")


def test_a_dead_heat_between_going_on_and_out_blocks() -> None:
    office = Office("uci-keirin-22-28")
    office.enter(28)
    office.run("r1")
    office.compose("rep")
    office.start_lists("rep")
    office.ride("rep")
    riders = office.bibs("rep-1")
    office.ends("rep-1", riders, ties=[riders[0:2]])
    (block,) = office.round("rep").blocks
    assert "share place 1, and place 1 goes to Semifinals, others are out" in block.text


def test_too_few_placed_for_the_next_round_waits_for_the_judge() -> None:
    """A rider without a place does not take a place that qualifies unless the panel says so."""
    office = first_round()
    office.ride("r1")
    riders = office.bibs("r1-1")
    office.ends("r1-1", riders, unplaced=riders[1:])
    (block,) = office.round("r1").blocks
    assert "without a place stand where places 1-2 go to Semifinals" in block.text
    office.order(
        ResolveTie(competition=KEIRIN, heat="r1-1", order=tuple(riders[:0:-1]), reason="order before the fall")
    )
    assert office.where("r1")[riders[6]] == "sf"
    office.confirm("r1")


def test_two_decisions_in_one_heat_stand_side_by_side() -> None:
    office = first_round("uci-keirin-10-14", 14)
    office.ride("r1")
    riders = office.bibs("r1-1")
    office.ends("r1-1", riders, ties=[riders[2:4], riders[5:7]])
    assert len(office.round("r1").blocks) == 2
    for pair in (riders[2:4], riders[5:7]):
        office.order(ResolveTie(competition=KEIRIN, heat="r1-1", order=tuple(pair[::-1]), reason="lot"))
    assert office.round("r1").blocks == ()
    slots = {one.bib: one.slot for one in office.round("r1").going}
    assert [slots[bib] for bib in (riders[3], riders[2], riders[6], riders[5])] == ["A3", "A4", "A6", ""]


def test_a_decision_on_a_dead_heat_does_not_outlive_it() -> None:
    office = first_round()
    office.ride("r1")
    riders = office.bibs("r1-1")
    office.ends("r1-1", riders, ties=[riders[1:3]])
    office.order(ResolveTie(competition=KEIRIN, heat="r1-1", order=(riders[2], riders[1]), reason="lot"))
    office.ends("r1-1", riders)
    slots = {one.bib: one.slot for one in office.round("r1").going}
    assert slots[riders[1]] == "A2"


def test_an_order_must_name_those_whom_the_result_leaves_equal() -> None:
    office = first_round()
    office.ride("r1")
    riders = office.bibs("r1-1")
    nothing = ResolveTie(competition=KEIRIN, heat="r1-1", order=(riders[0],), reason="lot")
    assert "leaves nothing to decide" in office.refusal(nothing)
    office.ends("r1-1", riders, ties=[riders[1:3]])
    for order in ((riders[1],), (riders[1], riders[1]), (riders[0], riders[1])):
        wrong = ResolveTie(competition=KEIRIN, heat="r1-1", order=order, reason="lot")
        assert office.refusal(wrong) == f"the order must name each of {riders[1]}, {riders[2]} once"
    silent = ResolveTie(competition=KEIRIN, heat="r1-1", order=(riders[1], riders[2]), reason=" ")
    assert office.refusal(silent) == "the panel's order needs a reason"
    elsewhere = ResolveTie(competition=KEIRIN, heat="sf-9", order=("1",), reason="lot")
    assert office.refusal(elsewhere) == "no heat 'sf-9' in this competition"
