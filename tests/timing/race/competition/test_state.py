"""The fold of a competition: what is refused and why, what is confirmed and stays, conflicts."""

import json
from itertools import pairwise

import msgspec
import pytest

from tests.timing.race.competition.office import KEIRIN, Office, entries
from timing.race.competition.actions import (
    AmendEntry,
    CompetitionAction,
    Compose,
    ConfirmComposition,
    ConfirmRound,
    Draw,
    Reinstate,
    ResolveConflict,
    SwapRiders,
    TakeEntries,
    Withdraw,
)
from timing.race.competition.outcomes import HeatOutcome


def of_12() -> Office:
    office = Office()
    office.enter(12)
    return office


def composed() -> Office:
    office = of_12()
    office.compose("r1")
    return office


def ridden() -> Office:
    """The first round is ridden and not confirmed."""
    office = composed()
    office.start_lists("r1")
    office.ride("r1")
    return office


# -- what is next ------------------------------------------------------------------------------------------------


def test_the_office_is_told_what_comes_next_from_the_entries_to_the_classification() -> None:
    office = Office("uci-keirin-10-14")
    steps = []

    def step() -> None:
        after = office.state.view().next
        steps.append(f"{after.action} {after.round}".strip())

    step()
    office.enter(12)
    step()
    office.compose("r1")
    step()
    office.order(Draw(competition=KEIRIN, purpose="start_positions:r1", seed="1"))
    step()
    office.start_lists("r1")
    step()
    office.ride("r1")
    step()
    office.confirm("r1")
    step()
    office.run("final")
    step()
    assert steps == [
        "take_entries",
        "compose r1",
        "draw r1",
        "confirm_composition r1",
        "open_heat r1",
        "confirm_round r1",
        "compose final",
        "issue_communique",
    ]


def test_a_round_waits_opens_is_composed_ridden_and_closed() -> None:
    office = Office()
    office.enter(28)
    office.compose("r1")
    states = [office.round("r1").state]
    office.start_lists("r1")
    states.append(office.round("r1").state)
    office.ride("r1")
    states.append(office.round("r1").state)
    assert office.round("rep").state == "waiting"
    office.confirm("r1")
    states.append(office.round("r1").state)
    assert states == ["composed", "start_list", "ridden", "closed"]
    assert [one.state for one in office.state.view().rounds] == ["closed", "open", "waiting", "waiting"]


# -- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (Compose(competition="madison", round="r1"), "no competition 'madison' is in the meet file"),
        (Compose(competition=KEIRIN, round="sf"), "no round 'sf' in uci-keirin-10-14: it has r1, final"),
        (Compose(competition=KEIRIN, round="final"), "'final' cannot be composed yet: 'r1' comes first"),
        (ConfirmComposition(competition=KEIRIN, round="r1"), "'r1' is not known yet: compose the first round first"),
        (Withdraw(competition=KEIRIN, bib="99", reason="ill"), "no rider 99 is entered: entered are 1, 2, 3, 4"),
        (Withdraw(competition=KEIRIN, bib="1", reason=""), "a withdrawal needs a reason"),
        (Reinstate(competition=KEIRIN, bib="99", reason="ill"), "no rider 99 is entered: entered are 1, 2, 3, 4"),
        (Reinstate(competition=KEIRIN, bib="1", reason="fit"), "1 is not withdrawn"),
        (Draw(competition=KEIRIN, purpose="unranked", seed=" "), "a draw needs a seed that is published"),
        (Draw(competition=KEIRIN, purpose="bibs", seed="1"), "nothing is drawn for 'bibs': use 'unranked' or"),
        (
            ResolveConflict(competition=KEIRIN, round="r1", decision="keep", reason="so"),
            "there is no conflict in 'r1' to resolve",
        ),
        (TakeEntries(competition=KEIRIN, entries=()), "the entry list is empty"),
        (
            TakeEntries(competition=KEIRIN, entries=(*entries(2), *entries(1))),
            "the entry list is refused: row 3, bib: '1' stands in row 1 already",
        ),
        (
            AmendEntry(
                competition=KEIRIN,
                entry=msgspec.structs.replace(entries(1)[0], bib="", surname="X"),
                reason="late",
            ),
            "the entry of a rider without a number is refused: bib is missing",
        ),
        (
            AmendEntry(competition=KEIRIN, entry=entries(1)[0], reason=" "),
            "an amended entry needs a reason",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_round(action: CompetitionAction, told: str) -> None:
    assert of_12().refusal(action).startswith(told)


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (ConfirmComposition(competition=KEIRIN, round="r1"), "the start positions of First round are not drawn"),
        (ConfirmRound(competition=KEIRIN, round="r1"), "First round was not ridden: its start lists are not confirmed"),
        (
            SwapRiders(competition=KEIRIN, round="r1", first="1", second="4", reason="x"),
            "1 and 4 are both in r1-1: nothing would change",
        ),
        (
            SwapRiders(competition=KEIRIN, round="r1", first="1", second="44", reason="x"),
            "rider 44 does not ride First round",
        ),
        (SwapRiders(competition=KEIRIN, round="r1", first="1", second="2", reason=""), "an exchange needs a reason"),
        (
            SwapRiders(competition=KEIRIN, round="final", first="1", second="2", reason="x"),
            "Finals is not composed: there is nothing to exchange",
        ),
        (
            Draw(competition=KEIRIN, purpose="start_positions:final", seed="1"),
            "Finals is not composed: there is nobody to draw start positions for",
        ),
        (
            Draw(competition=KEIRIN, purpose="start_positions:sf", seed="1"),
            "no round 'sf' in uci-keirin: it has r1, final",
        ),
    ],
)
def test_what_cannot_be_is_refused_once_the_first_round_is_composed(action: CompetitionAction, told: str) -> None:
    assert composed().refusal(action).startswith(told)


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (Compose(competition=KEIRIN, round="r1"), "the start lists of First round are confirmed: they stand"),
        (Compose(competition=KEIRIN, round="final"), "Finals cannot be composed yet: confirm First round first"),
        (ConfirmComposition(competition=KEIRIN, round="r1"), "the start lists of First round are confirmed already"),
        (
            SwapRiders(competition=KEIRIN, round="r1", first="1", second="2", reason="x"),
            "the start lists of First round are confirmed: they stand",
        ),
        (
            Draw(competition=KEIRIN, purpose="start_positions:r1", seed="2"),
            "start_positions:r1 was drawn with the seed 'seed of r1': a lot is drawn once",
        ),
        (
            Draw(competition=KEIRIN, purpose="unranked", seed="2"),
            "the first start lists are confirmed: the seeds are settled",
        ),
        (TakeEntries(competition=KEIRIN, entries=entries(3)), "the first start lists are confirmed"),
        (
            AmendEntry(
                competition=KEIRIN, entry=msgspec.structs.replace(entries(1)[0], bib="50", ranking=50), reason="late"
            ),
            "50 comes too late: the first start lists are confirmed",
        ),
    ],
)
def test_what_is_confirmed_stands(action: CompetitionAction, told: str) -> None:
    assert ridden().refusal(action).startswith(told)


def test_a_round_is_confirmed_once() -> None:
    office = ridden()
    office.confirm("r1")
    assert office.refusal(ConfirmRound(competition=KEIRIN, round="r1")) == "First round is confirmed already"


def test_a_rider_is_withdrawn_once() -> None:
    office = of_12()
    office.withdraw("3")
    again = Withdraw(competition=KEIRIN, bib="3", reason="hurt")
    assert office.refusal(again) == "3 is withdrawn already: ill"


def test_who_was_withdrawn_by_mistake_is_back_where_the_rider_was() -> None:
    office = composed()
    before = office.state.view()
    office.withdraw("3")
    assert office.state.view() != before
    office.reinstate("3")
    after = office.state.view()
    heats = [{(one.bib, one.slot, one.seed) for one in heat.riders} for heat in after.rounds[0].heats]
    assert heats == [{(one.bib, one.slot, one.seed) for one in heat.riders} for heat in before.rounds[0].heats]
    assert not any(heat.absent for heat in after.rounds[0].heats)
    assert after.entries == before.entries


def test_who_comes_back_into_a_field_that_was_composed_without_the_rider_changes_its_seeds() -> None:
    office = of_12()
    office.withdraw("3")
    office.compose("r1")
    office.reinstate("3")
    assert office.state.view().rounds == ()
    office.compose("r1")
    assert "3" in [rider.bib for heat in office.round("r1").heats for rider in heat.riders]


def test_who_is_on_a_confirmed_start_list_may_come_back_and_who_was_left_out_of_it_may_not() -> None:
    office = composed()
    office.withdraw("3")
    office.start_lists("r1")
    office.withdraw("4")
    office.reinstate("4")
    back = Reinstate(competition=KEIRIN, bib="3", reason="was another rider")
    assert office.refusal(back) == "the start lists of First round were confirmed without 3: they stand"
    assert {one.entry.bib for one in office.state.view().entries if one.withdrawn is not None} == {"3"}


@pytest.mark.parametrize("riders", [9, 71])
def test_a_field_that_the_format_does_not_have_is_refused(riders: int) -> None:
    office = Office()
    office.enter(riders)
    refused = office.refusal(Compose(competition=KEIRIN, round="r1"))
    assert refused.startswith(f"uci-keirin is for 10 to 70 riders and {riders} take part")
    assert office.state.view().next.action == "take_entries"


def test_the_lot_comes_before_the_composition() -> None:
    office = Office()
    office.enter(msgspec.structs.replace(one, ranking=None) for one in entries(12))
    refused = office.refusal(Compose(competition=KEIRIN, round="r1"))
    assert "draw the lot first" in refused
    assert {one.seed for one in office.state.view().entries} == {None}


@pytest.mark.parametrize(
    ("role", "action", "allowed"),
    [
        ("secretary", Compose(competition=KEIRIN, round="r1"), True),
        ("secretary", SwapRiders(competition=KEIRIN, round="r1", first="1", second="2", reason="x"), False),
        ("secretary", ConfirmComposition(competition=KEIRIN, round="r1"), False),
        ("secretary", ConfirmRound(competition=KEIRIN, round="r1"), False),
        ("operator", Reinstate(competition=KEIRIN, bib="1", reason="fit"), False),
        ("operator", Withdraw(competition=KEIRIN, bib="1", reason="ill"), False),
        ("commissaire", SwapRiders(competition=KEIRIN, round="r1", first="1", second="2", reason="x"), True),
    ],
)
def test_the_secretary_keeps_the_lists_and_the_panel_decides(
    role: str, action: CompetitionAction, allowed: bool
) -> None:
    refused = composed().state.refuse(action, role)
    assert (refused is None) is allowed
    if refused is not None:
        assert refused.startswith(f"role {role!r} may not order")


# -- a pure fold -------------------------------------------------------------------------------------------------


def test_the_same_actions_and_outcomes_give_the_same_view_byte_by_byte() -> None:
    views = []
    for _ in range(2):
        office = ridden()
        office.confirm("r1")
        office.run("final")
        views.append(msgspec.json.encode(office.state.view()))
    assert views[0] == views[1]
    assert json.loads(views[0])["classification"][0]["rank"] == 1


def test_the_view_follows_every_change_and_looking_changes_nothing() -> None:
    watched, silent = Office(), Office()
    seen = []
    for office in (watched, silent):
        office.enter(12)
        office.compose("r1")
        office.start_lists("r1")
        for heat in ("r1-1", "r1-2"):
            office.ends(heat, office.bibs(heat))
            if office is watched:
                seen.append(msgspec.json.encode(watched.state.view()))
        office.confirm("r1")
    seen.append(msgspec.json.encode(watched.state.view()))
    assert all(before != after for before, after in pairwise(seen))
    assert seen[-1] == msgspec.json.encode(silent.state.view())


def test_outcomes_of_heats_of_another_competition_are_harmless() -> None:
    office = composed()
    before = msgspec.json.encode(office.state.view())
    office.state.take_outcome(HeatOutcome("women-r1-1", "official"))
    assert msgspec.json.encode(office.state.view()) == before
