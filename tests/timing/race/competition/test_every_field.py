"""Whatever happens, for every field from 10 to 70: the competition ends, and everybody is classified exactly once."""

from collections.abc import Sequence
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timing.race.competition.office import KEIRIN, Office, entries, formats
from timing.race.competition.actions import Draw, ResolveTie
from timing.race.competition.views import HeatView

FATES = ("", "", "", "", "", "", "REL", "DNF", "DNS", "DSQ", "unplaced", "unnamed")
"""What befalls a rider: a code, no place, or no word in the result."""
FORMATS = ("uci-keirin", "uci-keirin-blueband", "olympic-30", "rio-2016-27", "champions-league-18", "example-club")


def shuffled(bibs: Sequence[str], chance: Random) -> list[str]:
    return chance.sample(bibs, k=len(bibs))


def check_heats(office: Office, round_id: str) -> None:
    """Every heat within its limits, nobody in two heats of a round."""
    one = office.state.round(round_id)
    assert one is not None
    riders = [rider.bib for heat in office.round(round_id).heats for rider in (*heat.riders, *heat.absent)]
    assert len(set(riders)) == len(riders)
    assert all(len(heat.riders) <= one.plan.max_riders for heat in office.round(round_id).heats)


def run_to_the_end(office: Office, first: str, chance: Random) -> None:
    """Ride all rounds with whatever befalls the riders; the panel decides where it has to."""
    office.compose(first)
    for round_id in [one.round for one in office.state.view().rounds]:
        if round_id != first:
            office.compose(round_id)
        if chance.random() < 0.5:
            withdraw_somebody(office, round_id, chance)
        check_heats(office, round_id)
        office.start_lists(round_id)
        for heat in office.round(round_id).heats:
            if heat.riders and heat.status != "official":
                end_somehow(office, heat, chance)
        while office.round(round_id).blocks:
            block = office.round(round_id).blocks[0]
            order = tuple(shuffled(block.bibs, chance))
            office.order(ResolveTie(competition=KEIRIN, heat=block.heat, order=order, reason="the panel"))
        office.confirm(round_id)


def withdraw_somebody(office: Office, round_id: str, chance: Random) -> None:
    riders = [rider.bib for heat in office.round(round_id).heats for rider in heat.riders]
    if riders:
        bib = chance.choice(riders)
        office.withdraw(bib)
        if chance.random() < 0.3:
            office.reinstate(bib)


def end_somehow(office: Office, heat: HeatView, chance: Random) -> None:
    """An order, with falls, no-shows, relegations, disqualifications and a dead heat now and then."""
    order = shuffled([rider.bib for rider in heat.riders], chance)
    fates = chance.choices(FATES, k=len(order))
    codes = {bib: fate for bib, fate in zip(order, fates, strict=True) if fate in ("REL", "DNF", "DNS", "DSQ")}
    unplaced = [bib for bib, fate in zip(order, fates, strict=True) if fate == "unplaced"]
    named = [bib for bib, fate in zip(order, fates, strict=True) if fate != "unnamed"]
    first = chance.randint(0, len(order))
    tie = [bib for bib in order[first : first + 2] if bib in named and bib not in codes and bib not in unplaced]
    office.ends(heat.heat, named, codes, unplaced, [tie] if len(tie) > 1 else [])


def check_classification(office: Office, entered: list[str]) -> None:
    view = office.state.view()
    assert view.final
    lines = view.classification
    assert sorted(line.bib for line in lines) == sorted(entered)
    assert [line.order for line in lines] == list(range(1, len(entered) + 1))
    ranks = [line.rank for line in lines if line.rank is not None]
    assert ranks == sorted(ranks)
    assert all(line.rank is None for line in lines if line.status == "DSQ")
    disqualified = [line.status == "DSQ" for line in lines]
    assert disqualified == sorted(disqualified)
    assert all(line.settled for line in lines)


@st.composite
def fields(draw: st.DrawFn) -> tuple[str, int]:
    name = draw(st.sampled_from(FORMATS))
    return name, draw(st.integers(formats(name).min_riders, formats(name).max_riders))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(field=fields(), seed=st.integers(0, 2**32))
def test_a_random_competition_ends_with_everybody_classified_once(field: tuple[str, int], seed: int) -> None:
    name, riders = field
    chance = Random(seed)
    office = Office(name)
    listed = [
        msgspec.structs.replace(one, ranking=one.ranking if chance.random() < 0.5 else None) for one in entries(riders)
    ]
    office.enter(listed)
    if office.state.needs_lot():
        office.order(Draw(competition=KEIRIN, purpose="unranked", seed=str(chance.random())))
    fmt = formats(name).for_field(riders)
    assert fmt is not None
    run_to_the_end(office, fmt.rounds[0].id, chance)
    check_classification(office, [one.bib for one in listed])


@pytest.mark.parametrize("riders", range(10, 71))
def test_every_field_from_10_to_70_is_ridden_to_a_complete_classification(riders: int) -> None:
    office = Office()
    office.enter(riders)
    office.run("r1")
    for one in office.state.view().rounds[1:]:
        office.run(one.round)
    for one in office.state.view().rounds:
        check_heats(office, one.round)
        assert min(len(heat.riders) for heat in one.heats) >= 2
    check_classification(office, [str(bib) for bib in range(1, riders + 1)])
    ranks = [line.rank for line in office.state.view().classification]
    groups = [ranks.count(rank) for rank in dict.fromkeys(ranks)]
    assert list(dict.fromkeys(ranks)) == [1 + sum(groups[:before]) for before in range(len(groups))]


@pytest.mark.parametrize("riders", range(10, 71))
def test_every_field_from_10_to_70_ends_whatever_befalls_the_riders(riders: int) -> None:
    office = Office()
    office.enter(riders)
    run_to_the_end(office, "r1", Random(riders))
    check_classification(office, [str(bib) for bib in range(1, riders + 1)])
