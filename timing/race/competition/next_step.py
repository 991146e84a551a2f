"""What the race office does next, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from timing.race.competition.views import Conflict, NextStep, RoundView

if TYPE_CHECKING:
    from timing.race.competition.state import CompetitionState


def next_step(state: CompetitionState, rounds: Sequence[RoundView], conflicts: Sequence[Conflict]) -> NextStep:
    """The first thing that is waited for."""
    if conflicts:
        return NextStep("resolve_conflict", conflicts[0].round, f"{conflicts[0].text}: keep or recompute")
    for one in rounds:
        if one.state == "closed" and one.blocks:
            return NextStep("confirm", one.round, one.blocks[0].text)
    if not (rounds and rounds[0].state != "composed"):
        step = _before_the_first_start_list(state)
        if step is not None:
            return step
    for one in rounds:
        if one.state not in ("waiting", "closed"):
            return _in_round(one)
    return NextStep("issue_communique", "", "the classification is final: issue it")


def _before_the_first_start_list(state: CompetitionState) -> NextStep | None:
    if not state.entries:
        return NextStep("take_entries", "", "read the entry list")
    riders, formats = len(state.taking_part()), state.plan.formats
    if formats.for_field(riders) is None:
        return NextStep("take_entries", "", _no_format(state, riders))
    if state.needs_lot():
        return NextStep("draw", "", "draw the lot among riders whom the ranking does not tell apart (UCI 3.2.021bis)")
    if not state.rounds:
        fmt = formats.for_field(riders)
        assert fmt is not None
        first = fmt.rounds[0]
        return NextStep("compose", first.id, f"compose {first.name} of {riders} riders by {fmt.id}")
    return None


def _no_format(state: CompetitionState, riders: int) -> str:
    formats = state.plan.formats
    return (
        f"{formats.id} is for {formats.min_riders} to {formats.max_riders} riders and {riders} take part: "
        "amend the entries or choose another format in the meet file"
    )


def _in_round(one: RoundView) -> NextStep:
    if one.state == "open":
        return NextStep("compose", one.round, f"compose {one.name}")
    if one.state == "composed":
        if one.draw_seed is None and any(len(heat.riders) > 1 for heat in one.heats):
            return NextStep("draw", one.round, f"draw the start positions of {one.name} (UCI 3.2.138)")
        hint = "" if not one.proposals else f" ({len(one.proposals)} proposed exchanges to look at)"
        return NextStep("confirm_composition", one.round, f"confirm the start lists of {one.name}{hint}")
    if one.state == "start_list":
        waiting = [heat.heat for heat in one.heats if heat.status != "official"]
        return NextStep("open_heat", one.round, f"{one.name}: no official result yet of {', '.join(waiting)}")
    if one.blocks:
        return NextStep("resolve_tie", one.round, one.blocks[0].text)
    return NextStep("confirm_round", one.round, f"look at who goes on from {one.name} and confirm it")
