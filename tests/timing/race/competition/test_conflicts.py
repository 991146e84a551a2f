"""A result that changes after its round was confirmed: nothing moves by itself, the panel decides."""

import msgspec

from tests.timing.race.competition.office import KEIRIN, Office
from timing.race.competition.actions import Compose, ResolveConflict


def ridden() -> Office:
    """The first round of twelve is ridden and not confirmed."""
    office = Office()
    office.enter(12)
    office.compose("r1")
    office.start_lists("r1")
    office.ride("r1")
    return office


def confirmed_with_another_result() -> tuple[Office, list[str]]:
    """The first round is confirmed, then the third of heat 1 is disqualified: the fourth would ride final A."""
    office = ridden()
    riders = office.bibs("r1-1")
    office.confirm("r1")
    office.ends("r1-1", [*riders[:2], *riders[3:], riders[2]], codes={riders[2]: "DSQ"})
    return office, riders


def test_a_result_that_changes_who_goes_on_is_a_conflict_and_changes_nothing_by_itself() -> None:
    office, riders = confirmed_with_another_result()
    (conflict,) = office.state.view().conflicts
    assert conflict.round == "r1"
    assert conflict.can_recompute
    assert f"{riders[2]}: Finals as A3 as confirmed, out by the result" in conflict.changes
    assert f"{riders[3]}: Finals as A4 as confirmed, Finals as A3 by the result" in conflict.changes
    assert office.where("r1")[riders[2]] == "final"
    assert office.state.view().next.action == "resolve_conflict"


def test_nothing_is_built_on_a_conflict() -> None:
    office, _ = confirmed_with_another_result()
    assert "resolve this conflict first" in office.refusal(Compose(competition=KEIRIN, round="final"))


def test_kept_the_confirmed_advancement_stands() -> None:
    office, riders = confirmed_with_another_result()
    office.order(ResolveConflict(competition=KEIRIN, round="r1", decision="keep", reason="appeal upheld"))
    assert office.state.view().conflicts == ()
    office.compose("final")
    assert riders[2] in office.bibs("final-a")


def test_recomputed_the_next_round_is_composed_anew() -> None:
    office = ridden()
    office.confirm("r1")
    office.compose("final")
    office.start_lists("final")
    riders = office.bibs("r1-1")
    office.ends("r1-1", [*riders[:2], *riders[3:], riders[2]], codes={riders[2]: "DSQ"})
    office.order(ResolveConflict(competition=KEIRIN, round="r1", decision="recompute", reason="the film"))
    assert office.state.view().conflicts == ()
    assert office.round("final").state == "open"
    office.run("final")
    assert riders[3] in office.bibs("final-a")
    assert riders[2] not in [rider.bib for heat in office.round("final").heats for rider in heat.riders]
    assert office.state.view().final


def test_what_was_ridden_since_cannot_be_made_anew() -> None:
    office = ridden()
    office.confirm("r1")
    office.compose("final")
    office.start_lists("final")
    office.ends("final-b", office.bibs("final-b"), status="virtual")
    riders = office.bibs("r1-1")
    office.ends("r1-1", [*riders[:2], *riders[3:], riders[2]], codes={riders[2]: "DSQ"})
    (conflict,) = office.state.view().conflicts
    assert not conflict.can_recompute
    wanted = ResolveConflict(competition=KEIRIN, round="r1", decision="recompute", reason="the film")
    assert "heat final-b was ridden since, so what was confirmed can only be kept" in office.refusal(wanted)
    office.order(msgspec.structs.replace(wanted, decision="keep"))
    assert office.state.view().conflicts == ()


def test_another_change_after_a_decision_is_another_conflict() -> None:
    office, riders = confirmed_with_another_result()
    office.order(ResolveConflict(competition=KEIRIN, round="r1", decision="keep", reason="appeal upheld"))
    office.ends("r1-1", riders[::-1])
    assert len(office.state.view().conflicts) == 1


def test_a_change_that_moves_nobody_is_no_conflict() -> None:
    office = Office()
    office.enter(28)
    office.run("r1")
    office.run("rep")
    riders = office.bibs("rep-1")
    office.ends("rep-1", [riders[0], *riders[:0:-1]])
    assert office.state.view().conflicts == ()
    assert office.ranks()[riders[1]] == 25


def test_a_result_reopened_after_the_confirmation_must_be_official_again_before_the_office_goes_on() -> None:
    office = ridden()
    office.confirm("r1")
    office.ends("r1-1", office.bibs("r1-1"), status="provisional")
    told = "the result of r1-1 was reopened after First round was confirmed: make it official again"
    assert office.state.view().conflicts == ()
    assert office.refusal(Compose(competition=KEIRIN, round="final")) == told
    assert office.state.view().next.text == told
    office.ends("r1-1", office.bibs("r1-1"))
    office.compose("final")


def test_a_change_in_the_final_after_the_classification_is_final_is_a_conflict() -> None:
    office = ridden()
    office.confirm("r1")
    office.run("final")
    assert office.state.view().final
    riders = office.bibs("final-a")
    office.ends("final-a", [riders[1], riders[0], *riders[2:]])
    view = office.state.view()
    assert not view.final
    assert view.conflicts[0].changes[:2] == (
        f"{riders[1]}: place 2 as confirmed, place 1 by the result",
        f"{riders[0]}: place 1 as confirmed, place 2 by the result",
    )
    office.order(ResolveConflict(competition=KEIRIN, round="final", decision="recompute", reason="the film"))
    assert office.state.view().final
    assert office.ranks()[riders[1]] == 1
