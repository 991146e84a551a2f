"""The classification, virtual and final (track-rules §1.10, §3.14)."""

from collections.abc import Mapping

import msgspec
import pytest

from tests.timing.race.competition.office import KEIRIN, Office, formats, rules
from timing.race.competition.state import CompetitionPlan, CompetitionState


def ridden(format_name: str, riders: int) -> Office:
    """A whole competition without an incident: everybody ends in the order of the slots."""
    office = Office(format_name)
    office.enter(riders)
    office.run(formats(format_name).choices[0].format.rounds[0].id)
    for one in office.state.view().rounds[1:]:
        office.run(one.round)
    return office


def rank_counts(office: Office) -> dict[int, int]:
    """How many riders have each rank from 13 down."""
    ranks = [line.rank for line in office.state.view().classification]
    return {rank: ranks.count(rank) for rank in ranks if rank is not None and rank > 12}


@pytest.mark.parametrize(
    ("name", "riders", "shared"),
    [
        ("uci-keirin-10-14", 14, {13: 2}),
        ("uci-keirin-21", 21, {13: 3, 16: 3, 19: 3}),
        ("uci-keirin-22-28", 28, {13: 4, 17: 4, 21: 4, 25: 4}),
        ("uci-keirin-29-42", 42, {13: 6, 19: 6, 25: 6, 31: 6, 37: 6}),
        ("olympic-30", 30, {13: 3, 16: 3, 19: 4, 23: 4, 27: 4}),
    ],
)
def test_the_same_place_in_parallel_heats_is_one_rank_and_the_next_skips(
    name: str, riders: int, shared: Mapping[int, int]
) -> None:
    office = ridden(name, riders)
    assert rank_counts(office) == shared
    lines = office.state.view().classification
    assert [line.rank for line in lines[:12]] == list(range(1, 13))
    assert office.state.view().final
    assert all(line.settled for line in lines)


def test_the_champions_league_has_one_final_and_ranks_the_others_from_7() -> None:
    office = ridden("champions-league-18", 18)
    ranks = [line.rank for line in office.state.view().classification]
    assert ranks == [1, 2, 3, 4, 5, 6, 7, 7, 7, 10, 10, 10, 13, 13, 13, 16, 16, 16]


def test_a_club_may_rank_parallel_heats_by_their_number() -> None:
    plain = formats("uci-keirin-22-28")
    fmt = plain.choices[0].format
    by_heat = msgspec.structs.replace(fmt, ranking=msgspec.structs.replace(fmt.ranking, parallel="by_heat"))
    choices = (msgspec.structs.replace(plain.choices[0], format=by_heat),)
    office = Office()
    office.state = CompetitionState(
        CompetitionPlan(
            id=KEIRIN,
            name="Men's keirin",
            category="men",
            formats=msgspec.structs.replace(plain, choices=choices),
            rules=rules(),
        )
    )
    office.enter(28)
    for one in ("r1", "rep", "sf", "final"):
        office.run(one)
    assert [line.rank for line in office.state.view().classification] == list(range(1, 29))


# -- finals ------------------------------------------------------------------------------------------------------


def to_the_finals() -> Office:
    office = Office()
    office.enter(12)
    office.run("r1")
    office.compose("final")
    office.start_lists("final")
    office.ride("final")
    return office


def line_of(office: Office, bib: str) -> tuple[int, int | None, str | None]:
    """Order, rank and code of a rider."""
    return next((line.order, line.rank, line.status) for line in office.state.view().classification if line.bib == bib)


def test_final_b_ranks_from_7_even_when_final_a_is_short() -> None:
    office = Office()
    office.enter(12)
    office.run("r1")
    office.withdraw(office.round("r1").going[0].bib)
    office.compose("final")
    office.start_lists("final")
    office.ride("final")
    assert office.ranks()[office.bibs("final-a")[4]] == 5
    assert office.ranks()[office.bibs("final-b")[0]] == 7


def test_a_rider_who_does_not_start_final_b_leaves_rank_12_open() -> None:
    """Tokyo 2020, Final B shows 7 to 11 only (track-rules §1.8)."""
    office = to_the_finals()
    riders = office.bibs("final-b")
    office.ends("final-b", riders, codes={riders[5]: "DNS"})
    assert line_of(office, riders[5]) == (12, None, "DNS")


def test_a_rider_who_falls_in_the_final_is_last_of_it() -> None:
    office = to_the_finals()
    riders = office.bibs("final-a")
    office.ends("final-a", riders, codes={riders[5]: "DNF"})
    assert line_of(office, riders[5]) == (6, 6, "DNF")


def test_a_rider_relegated_in_the_final_has_its_last_place() -> None:
    office = to_the_finals()
    riders = office.bibs("final-a")
    office.ends("final-a", [*riders[1:], riders[0]], codes={riders[0]: "REL"})
    assert line_of(office, riders[0])[:2] == (6, 6)


def test_a_rider_disqualified_in_the_final_stands_at_the_very_end_without_a_rank() -> None:
    office = to_the_finals()
    riders = office.bibs("final-a")
    office.ends("final-a", [*riders[1:], riders[0]], codes={riders[0]: "DSQ"})
    assert line_of(office, riders[0]) == (12, None, "DSQ")
    assert office.ranks()[riders[5]] == 5
    assert office.ranks()[office.bibs("final-b")[0]] == 7


def test_a_dead_heat_in_the_final_shares_the_rank() -> None:
    office = to_the_finals()
    riders = office.bibs("final-a")
    office.ends("final-a", riders, ties=[riders[1:3]])
    assert [office.ranks()[bib] for bib in riders] == [1, 2, 2, 4, 5, 6]
    office.confirm("final")
    assert office.state.view().final


# -- who went out ------------------------------------------------------------------------------------------------


def repechages(codes: Mapping[str, str]) -> tuple[Office, list[str]]:
    """28 riders after the repechages; `codes` by slot of rep-1. Returns the riders of rep-1 by slot."""
    office = Office()
    office.enter(28)
    office.run("r1")
    office.compose("rep")
    office.start_lists("rep")
    office.ride("rep")
    riders = office.bibs("rep-1")
    slots = {rider.slot: rider.bib for rider in office.heat("rep-1").riders}
    coded = {slots[slot]: code for slot, code in codes.items()}
    plain = [bib for bib in riders if bib not in coded]
    office.ends("rep-1", [*plain, *coded], codes=coded)
    return office, riders


def test_behind_the_placed_of_a_round_come_dnf_then_dns_then_dsq_at_the_very_end() -> None:
    office, riders = repechages({"C5": "DNF", "B6": "DNS", "A7": "DSQ"})
    first, second, *others = riders
    assert office.where("rep")[first] == "sf"
    assert office.ranks()[second] == 13
    dnf, dns, dsq = others
    # 12 go on, 13 others were placed in the repechages.
    assert line_of(office, dnf) == (26, 26, "DNF")
    assert line_of(office, dns) == (27, None, "DNS")
    assert line_of(office, dsq) == (28, None, "DSQ")


def test_two_who_fell_in_one_round_share_the_rank() -> None:
    office, riders = repechages({"C5": "DNF", "B6": "DNF"})
    assert [line_of(office, bib)[1] for bib in riders[2:4]] == [27, 27]


def test_a_rider_who_never_started_stands_behind_everybody_who_did() -> None:
    office = Office()
    office.enter(13)
    office.withdraw("13")
    for one in ("r1", "final"):
        office.run(one)
    assert line_of(office, "13") == (13, None, "DNS")


def test_a_qualified_rider_who_does_not_start_the_next_round_stands_behind_it_without_a_rank() -> None:
    office = Office()
    office.enter(28)
    office.run("r1")
    office.run("rep")
    winner = office.round("r1").going[0].bib
    office.withdraw(winner)
    for one in ("sf", "final"):
        office.run(one)
    assert line_of(office, winner) == (12, None, "DNS")
    assert rank_counts(office) == {13: 4, 17: 4, 21: 4, 25: 4}


# -- while it runs -----------------------------------------------------------------------------------------------


def test_before_the_first_heat_everybody_stands_by_seed_without_a_rank() -> None:
    office = Office()
    office.enter(12)
    assert office.state.view().classification == ()
    office.compose("r1")
    lines = office.state.view().classification
    assert [line.bib for line in lines] == [str(bib) for bib in range(1, 13)]
    assert {line.rank for line in lines} == {None}


def test_virtually_those_who_go_on_stand_before_those_still_to_ride_and_those_before_the_eliminated() -> None:
    office = Office()
    office.enter(14)
    office.compose("r1")
    office.start_lists("r1")
    first, second = office.bibs("r1-1"), office.bibs("r1-2")
    office.ends("r1-1", first, status="virtual")
    lines = office.state.view().classification
    assert [line.bib for line in lines] == [*first[:6], *second, first[6]]
    assert not any(line.settled for line in lines)
    assert not office.state.view().final


def test_a_rider_is_settled_when_the_round_is_confirmed() -> None:
    office = Office()
    office.enter(14)
    office.compose("r1")
    office.start_lists("r1")
    office.ride("r1")
    assert not any(line.settled for line in office.state.view().classification)
    office.confirm("r1")
    assert [line.rank for line in office.state.view().classification if line.settled] == [13, 13]
