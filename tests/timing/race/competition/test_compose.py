"""Who rides in which heat: short fields, exchanges by the panel, compatriots."""

from itertools import combinations

import pytest

from tests.timing.race.competition.office import KEIRIN, Office, entries
from timing.race.competition.actions import AmendEntry, Draw, SwapRiders
from timing.race.competition.compose import Seat, seat_slots


def test_the_first_round_is_the_snake_over_the_seeds() -> None:
    office = Office()
    office.enter(10)
    office.compose("r1")
    assert [office.bibs(f"r1-{heat}") for heat in (1, 2)] == [["1", "4", "5", "8", "9"], ["2", "3", "6", "7", "10"]]
    assert office.state.view().format == "uci-keirin-10-14"


def test_heats_have_the_competitions_prefix_and_finals_their_own_names() -> None:
    office = Office("uci-keirin-10-14", prefix="men-")
    office.enter(12)
    office.run("r1")
    office.compose("final")
    named = [(heat.heat, heat.round_name, heat.number, heat.first_place) for heat in office.round("final").heats]
    assert named == [("men-final-a", "Final A", 1, 1), ("men-final-b", "Final B", 1, 7)]
    first = [(heat.heat, heat.round_name, heat.number) for heat in office.round("r1").heats]
    assert first == [("men-r1-1", "First round", 1), ("men-r1-2", "First round", 2)]


def test_a_slot_that_nobody_holds_makes_a_shorter_heat() -> None:
    """Paris 2024: a rider was disqualified, the repechages were of 5, 5, 5 and 4 riders."""
    office = Office("olympic-30")
    office.enter(30)
    office.compose("r1")
    office.start_lists("r1")
    office.ride("r1")
    riders = office.bibs("r1-1")
    office.ends("r1-1", riders, codes={riders[5]: "DSQ"})
    office.confirm("r1")
    office.compose("rep")
    assert sorted(len(heat.riders) for heat in office.round("rep").heats) == [4, 5, 5, 5]
    assert "A6" not in {slot for heat in office.slots("rep") for slot in heat}


def test_a_rider_withdrawn_after_qualifying_leaves_the_slot_empty_and_is_listed_as_absent() -> None:
    office = Office()
    office.enter(28)
    office.run("r1")
    office.withdraw("28")
    office.compose("rep")
    heats = office.round("rep").heats
    assert sum(len(heat.riders) for heat in heats) == 19
    assert [[rider.bib for rider in heat.absent] for heat in heats if heat.absent] == [["28"]]


def test_a_rider_withdrawn_from_a_confirmed_start_list_stays_on_it() -> None:
    office = Office()
    office.enter(12)
    office.compose("r1")
    office.start_lists("r1")
    office.withdraw("5")
    assert [rider.withdrawn for rider in office.heat("r1-1").riders if rider.bib == "5"] == [True]


def test_a_rider_alone_in_a_heat_walks_over() -> None:
    office = Office("uci-keirin-22-28")
    office.enter(22)
    office.run("r1")
    office.compose("rep")
    alone, *others = office.bibs("rep-1")
    for bib in others:
        office.withdraw(bib)
    office.start_lists("rep")
    heat = office.heat("rep-1")
    assert (heat.walkover, heat.status, [rider.bib for rider in heat.riders]) == (True, "official", [alone])
    for number in (2, 3, 4):
        office.ends(f"rep-{number}", office.bibs(f"rep-{number}"))
    office.confirm("rep")
    assert office.where("rep")[alone] == "sf"


def test_a_lone_rider_who_withdraws_does_not_walk_over() -> None:
    office = Office("uci-keirin-22-28")
    office.enter(22)
    office.run("r1")
    office.compose("rep")
    alone, *others = office.bibs("rep-1")
    for bib in others:
        office.withdraw(bib)
    office.start_lists("rep")
    office.withdraw(alone)
    for number in (2, 3, 4):
        office.ends(f"rep-{number}", office.bibs(f"rep-{number}"))
    office.confirm("rep")
    assert office.where("rep")[alone] == ""


def test_a_slot_that_no_heat_takes_is_an_error_and_not_a_lost_rider() -> None:
    with pytest.raises(ValueError, match=r"no heat of the format takes 7 \(Z1\)"):
        seat_slots((("A1",),), {"A1": "3", "Z1": "7"})
    assert seat_slots((("A1", "B1"), ("A2",)), {"A1": "3", "A2": "7"}) == ((Seat("3", "A1"),), (Seat("7", "A2"),))


# -- the panel ---------------------------------------------------------------------------------------------------


def test_an_exchange_is_kept_with_its_reason_and_the_riders_keep_their_slots() -> None:
    office = Office()
    office.enter(12)
    office.compose("r1")
    office.order(SwapRiders(competition=KEIRIN, round="r1", first="1", second="2", reason="team mates"), "commissaire")
    assert "2" in office.bibs("r1-1")
    rider = next(one for one in office.heat("r1-2").riders if one.bib == "1")
    assert (rider.slot, rider.seed, rider.swapped) == ("1", 1, True)
    (swap,) = office.round("r1").swaps
    assert (swap.first, swap.first_heat, swap.second, swap.second_heat) == ("1", "r1-1", "2", "r1-2")
    assert swap.reason == "team mates"


def test_composing_again_forgets_the_exchanges() -> None:
    office = Office()
    office.enter(12)
    office.compose("r1")
    office.order(SwapRiders(competition=KEIRIN, round="r1", first="1", second="2", reason="a slip"))
    office.compose("r1")
    assert office.bibs("r1-1")[0] == "1"
    assert office.round("r1").swaps == ()


def test_compatriots_are_flagged_and_the_proposal_parts_them() -> None:
    office = Office()
    office.enter(12, {"1": "NED", "4": "NED", "2": "GBR"})
    office.compose("r1")
    (pair,) = office.round("r1").compatriots
    assert (pair.heat, pair.nation, pair.bibs) == ("r1-1", "NED", ("1", "4"))
    (proposal,) = office.round("r1").proposals
    assert "NED" in proposal.text
    office.order(
        SwapRiders(competition=KEIRIN, round="r1", first=proposal.first, second=proposal.second, reason=proposal.text)
    )
    assert office.round("r1").compatriots == ()
    assert office.round("r1").proposals == ()


def test_a_proposal_moves_the_nearest_in_strength() -> None:
    """Riders 1 and 4 of heat 1 are compatriots: 4 against 3 changes least."""
    office = Office()
    office.enter(12, {"1": "NED", "4": "NED"})
    office.compose("r1")
    (proposal,) = office.round("r1").proposals
    assert (proposal.first, proposal.second) == ("4", "3")


def test_nothing_is_proposed_where_nothing_gets_better() -> None:
    office = Office()
    office.enter(12, {str(bib): "JPN" for bib in range(1, 13)})
    office.compose("r1")
    assert len(office.round("r1").compatriots) == 2
    assert office.round("r1").proposals == ()


def test_riders_of_unknown_nation_are_nobodys_compatriots() -> None:
    office = Office()
    office.enter(12)
    office.compose("r1")
    assert office.round("r1").compatriots == ()


def test_nobody_is_exchanged_between_finals_for_different_places() -> None:
    office = Office()
    office.enter(12, {"1": "NED", "2": "NED"})
    office.run("r1")
    office.compose("final")
    assert office.round("final").compatriots != ()
    assert office.round("final").proposals == ()
    swap = SwapRiders(competition=KEIRIN, round="final", first="1", second="8", reason="compatriots")
    assert "different places" in office.refusal(swap)


# -- seeds and lots ----------------------------------------------------------------------------------------------


def test_unranked_riders_are_seeded_by_a_lot_that_can_be_checked() -> None:
    office = Office()
    unranked = tuple(
        type(one)(bib=one.bib, surname=one.surname, ranking=one.ranking if int(one.bib) < 9 else None)
        for one in entries(12)
    )
    office.enter(unranked)
    assert office.state.view().next.action == "draw"
    office.order(Draw(competition=KEIRIN, purpose="unranked", seed=" amber river 42 "), "secretary")
    (lot,) = office.state.view().draws
    assert lot.seed == "amber river 42"
    assert sorted(lot.lines) == ["unranked/10", "unranked/11", "unranked/12", "unranked/9"]
    office.compose("r1")
    seeds = {one.entry.bib: one.seed for one in office.state.view().entries}
    assert [seeds[line.removeprefix("unranked/")] for line in lot.lines] == [9, 10, 11, 12]
    assert [seeds[str(bib)] for bib in range(1, 9)] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_the_places_on_the_line_are_drawn_for_each_heat_by_itself() -> None:
    office = Office()
    office.enter(14)
    office.compose("r1")
    office.order(Draw(competition=KEIRIN, purpose="start_positions:r1", seed="7 3 1"))
    for heat in office.round("r1").heats:
        assert sorted(rider.draw or 0 for rider in heat.riders) == [1, 2, 3, 4, 5, 6, 7]
    orders = [[rider.draw for rider in heat.riders] for heat in office.round("r1").heats]
    assert orders[0] != orders[1]


def test_an_exchange_after_the_draw_leaves_the_order_of_the_others() -> None:
    office = Office()
    office.enter(14)
    office.compose("r1")
    office.order(Draw(competition=KEIRIN, purpose="start_positions:r1", seed="7 3 1"))
    before = [rider.bib for rider in sorted(office.heat("r1-1").riders, key=lambda rider: rider.draw or 0)]
    office.order(SwapRiders(competition=KEIRIN, round="r1", first="1", second="2", reason="team mates"))
    after = [rider.bib for rider in sorted(office.heat("r1-1").riders, key=lambda rider: rider.draw or 0)]
    assert [bib for bib in after if bib != "2"] == [bib for bib in before if bib != "1"]


def test_an_entry_that_moves_the_seeds_takes_the_composition_back() -> None:
    office = Office()
    office.enter(12)
    office.compose("r1")
    late = type(entries(1)[0])(bib="50", surname="Late", ranking=13)
    office.order(AmendEntry(competition=KEIRIN, entry=late, reason="late entry"), "secretary")
    assert office.state.view().rounds == ()
    office.compose("r1")
    assert sum(len(heat.riders) for heat in office.round("r1").heats) == 13


def test_a_corrected_name_changes_no_heat() -> None:
    office = Office()
    office.enter(12)
    office.run("r1")
    corrected = type(entries(1)[0])(bib="1", surname="Bötticher", ranking=1)
    office.order(AmendEntry(competition=KEIRIN, entry=corrected, reason="spelling"))
    assert office.round("r1").state == "closed"
    assert office.state.view().entries[0].entry.surname == "Bötticher"


@pytest.mark.parametrize(("riders", "most"), [(28, 4), (42, 4), (49, 1), (56, 0), (63, 0), (70, 0)])
def test_the_repechages_spread_the_riders_of_a_heat(riders: int, most: int) -> None:
    """Hardly anybody meets a rider of the first heat again; seven places over four repechages cannot do without."""
    office = Office()
    office.enter(riders)
    office.run("r1")
    office.compose("rep")
    met, again = (
        {frozenset(two) for heat in office.round(one).heats for two in combinations([r.bib for r in heat.riders], 2)}
        for one in ("r1", "rep")
    )
    assert len(met & again) <= most
