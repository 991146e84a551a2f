"""Why an action on a competition is not taken: what, why, how to mend it, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.entries import check_entry, check_together
from timing.race.competition import derive
from timing.race.competition.actions import (
    START_POSITIONS,
    UNRANKED,
    AmendEntry,
    CompetitionAction,
    Compose,
    ConfirmComposition,
    ConfirmRound,
    Draw,
    Reinstate,
    ResolveConflict,
    ResolveTie,
    SwapRiders,
    TakeEntries,
    Withdraw,
)
from timing.race.competition.compose import heat_of
from timing.race.competition.rounds import Round

if TYPE_CHECKING:
    from timing.race.competition.state import CompetitionState


def refuse_action(state: CompetitionState, action: CompetitionAction) -> str | None:
    """Why the competition does not take this action now, or None."""
    if action.competition != state.plan.id:
        return f"no competition {action.competition!r} is in the meet file: this one is {state.plan.id!r}"
    match action:
        case TakeEntries():
            return _take_entries(state, action)
        case AmendEntry():
            return _amend(state, action)
        case Withdraw():
            return _withdraw(state, action)
        case Reinstate():
            return _reinstate(state, action)
        case Draw():
            return _draw(state, action)
        case Compose():
            return _compose(state, action)
        case SwapRiders():
            return _swap(state, action)
        case ConfirmComposition():
            return _confirm_composition(state, action)
        case ConfirmRound():
            return _confirm_round(state, action)
        case ResolveConflict():
            return _resolve_conflict(state, action)
        case ResolveTie():
            return _resolve_tie(state, action)
        case _:
            # A communiqué may be issued at any time; its number is the meet's affair.
            return None


# -- entries -------------------------------------------------------------------------------------------------


def _started(state: CompetitionState) -> bool:
    return bool(state.rounds) and state.rounds[0].confirmed


def _take_entries(state: CompetitionState, action: TakeEntries) -> str | None:
    if _started(state):
        return "the first start lists are confirmed: entries are amended one by one (amend_entry) or withdrawn"
    if not action.entries:
        return "the entry list is empty: nobody would take part"
    rows = list(enumerate(action.entries, start=1))
    problems = [problem for row, entry in rows for problem in check_entry(entry, row)]
    problems += check_together(rows)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return f"the entry list is refused: {problems[0]}{more}"
    return None


def _amend(state: CompetitionState, action: AmendEntry) -> str | None:
    entry = action.entry
    problem = next(iter(check_entry(entry)), None)
    if problem is not None:
        return f"the entry of {entry.bib or 'a rider without a number'} is refused: {problem.column} {problem.text}"
    others = [(None, other) for other in state.entries.values() if other.bib != entry.bib]
    problem = next(iter(check_together([*others, (None, entry)])), None)
    if problem is not None:
        return f"the entry of {entry.bib} is refused: {problem.column} {problem.text}"
    if entry.bib not in state.entries and _started(state):
        return f"{entry.bib} comes too late: the first start lists are confirmed"
    return _reason(action.reason, "an amended entry")


def _withdraw(state: CompetitionState, action: Withdraw) -> str | None:
    if action.bib not in state.entries:
        return f"no rider {action.bib} is entered: {_bibs(state.entries)}"
    if action.bib in state.withdrawn:
        return f"{action.bib} is withdrawn already: {state.withdrawn[action.bib]}"
    return _reason(action.reason, "a withdrawal")


def _reinstate(state: CompetitionState, action: Reinstate) -> str | None:
    if action.bib not in state.entries:
        return f"no rider {action.bib} is entered: {_bibs(state.entries)}"
    if action.bib not in state.withdrawn:
        return f"{action.bib} is not withdrawn"
    for one in state.rounds:
        rides = any(heat_of(seats, action.bib) is not None for seats in (one.heats or (), one.absent))
        left_out = heat_of(one.absent, action.bib) is not None or (one.index == 0 and not rides)
        if one.confirmed and left_out:
            return f"the start lists of {one.plan.name} were confirmed without {action.bib}: they stand"
    return _reason(action.reason, "a return")


def _bibs(bibs: object) -> str:
    listed = list(bibs) if isinstance(bibs, dict) else []
    return f"entered are {', '.join(listed[:8])}{' …' if len(listed) > 8 else ''}" if listed else "nobody is"


def _reason(reason: str, what: str) -> str | None:
    return None if reason.strip() else f"{what} needs a reason"


# -- composition ---------------------------------------------------------------------------------------------


def _known_round(state: CompetitionState, round_id: str) -> Round | str:
    if not state.rounds:
        return f"{round_id!r} is not known yet: compose the first round first"
    one = state.round(round_id)
    if one is None:
        known = ", ".join(each.plan.id for each in state.rounds)
        return f"no round {round_id!r} in {state.plan.formats.id}: it has {known}"
    return one


def _draw(state: CompetitionState, action: Draw) -> str | None:
    if not action.seed.strip():
        return "a draw needs a seed that is published: words or digits that nobody here could choose"
    if action.purpose in state.seeds_of_lots:
        seed = state.seeds_of_lots[action.purpose]
        return f"{action.purpose} was drawn with the seed {seed!r}: a lot is drawn once"
    if action.purpose == UNRANKED:
        if not state.entries:
            return "there is nobody to draw: take the entries first"
        return "the first start lists are confirmed: the seeds are settled" if _started(state) else None
    if not action.purpose.startswith(START_POSITIONS):
        return f"nothing is drawn for {action.purpose!r}: use {UNRANKED!r} or '{START_POSITIONS}<round>'"
    one = _known_round(state, action.purpose.removeprefix(START_POSITIONS))
    if isinstance(one, str):
        return one
    if one.heats is None:
        return f"{one.plan.name} is not composed: there is nobody to draw start positions for"
    return f"the start lists of {one.plan.name} are confirmed" if one.confirmed else None


def _compose(state: CompetitionState, action: Compose) -> str | None:
    if not _started(state):
        return _compose_first(state, action.round)
    one = _known_round(state, action.round)
    if isinstance(one, str):
        return one
    if one.confirmed:
        return f"the start lists of {one.plan.name} are confirmed: they stand (a rider who does not start is ruled DNS)"
    if derive.round_state(state, one) == "waiting":
        missing = [
            each.plan.name
            for each in state.rounds
            if each.going is None and any(onward.to == one.plan.id for onward in each.plan.onward)
        ]
        return f"{one.plan.name} cannot be composed yet: confirm {', '.join(missing)} first (confirm_round)"
    return derive.unsettled(state, one.index)


def _compose_first(state: CompetitionState, round_id: str) -> str | None:
    formats, riders = state.plan.formats, len(state.taking_part())
    fmt = formats.for_field(riders)
    if fmt is None:
        return (
            f"{formats.id} is for {formats.min_riders} to {formats.max_riders} riders and {riders} take part: "
            "amend the entries, or choose another format in the meet file"
        )
    if fmt.rounds[0].id != round_id:
        known = [plan.id for plan in fmt.rounds]
        if round_id not in known:
            return f"no round {round_id!r} in {fmt.id}: it has {', '.join(known)}"
        return f"{round_id!r} cannot be composed yet: {fmt.rounds[0].id!r} comes first"
    if state.needs_lot():
        return "the ranking does not order all riders: draw the lot first (draw unranked, UCI 3.2.021bis)"
    return None


def _swap(state: CompetitionState, action: SwapRiders) -> str | None:
    one = _known_round(state, action.round)
    if isinstance(one, str):
        return one
    if one.heats is None:
        return f"{one.plan.name} is not composed: there is nothing to exchange"
    if one.confirmed:
        return f"the start lists of {one.plan.name} are confirmed: they stand"
    heats = []
    for bib in (action.first, action.second):
        heat = heat_of(one.heats, bib)
        if heat is None:
            return f"rider {bib} does not ride {one.plan.name}"
        heats.append(heat)
    if heats[0] == heats[1]:
        return f"{action.first} and {action.second} are both in {one.heat_ids[heats[0]]}: nothing would change"
    if not one.plan.onward:
        return f"the heats of {one.plan.name} are ridden for different places: nobody is exchanged between them"
    return _reason(action.reason, "an exchange")


def _confirm_composition(state: CompetitionState, action: ConfirmComposition) -> str | None:
    one = _known_round(state, action.round)
    if isinstance(one, str):
        return one
    if one.heats is None:
        return f"{one.plan.name} is not composed: compose it first"
    if one.confirmed:
        return f"the start lists of {one.plan.name} are confirmed already"
    if START_POSITIONS + one.plan.id not in state.seeds_of_lots and any(len(heat) > 1 for heat in one.heats):
        return f"the start positions of {one.plan.name} are not drawn: draw them first (UCI 3.2.138)"
    return derive.unsettled(state, one.index)


# -- results -------------------------------------------------------------------------------------------------


def _confirm_round(state: CompetitionState, action: ConfirmRound) -> str | None:
    one = _known_round(state, action.round)
    if isinstance(one, str):
        return one
    if one.going is not None:
        return f"{one.plan.name} is confirmed already"
    if not one.confirmed:
        return f"{one.plan.name} was not ridden: its start lists are not confirmed"
    waiting = [outcome.heat for outcome in derive.outcomes_in(state, one) if outcome.status != "official"]
    if waiting:
        return f"{one.plan.name} cannot be confirmed: no official result of {', '.join(waiting)}"
    blocks = derive.advance(state, one).blocks
    return blocks[0].text if blocks else derive.unsettled(state, one.index)


def _resolve_conflict(state: CompetitionState, action: ResolveConflict) -> str | None:
    conflict = next((each for each in derive.conflicts(state) if each.round == action.round), None)
    if conflict is None:
        return f"there is no conflict in {action.round!r} to resolve"
    if action.decision == "recompute" and not conflict.can_recompute:
        return f"{action.round!r} cannot be made anew: {conflict.text}"
    return _reason(action.reason, "the decision on a conflict")


def _resolve_tie(state: CompetitionState, action: ResolveTie) -> str | None:
    found = state.round_of_heat(action.heat)
    if found is None:
        return f"no heat {action.heat!r} in this competition"
    one, _ = found
    blocks = [block for block in derive.advance(state, one).blocks if block.heat == action.heat]
    if not blocks:
        return f"the result of {action.heat} leaves nothing to decide: who goes on follows from it"
    wanted = [block.bibs for block in blocks]
    if len(set(action.order)) != len(action.order) or set(action.order) not in [set(bibs) for bibs in wanted]:
        groups = " or ".join(", ".join(bibs) for bibs in wanted)
        return f"the order must name each of {groups} once"
    return _reason(action.reason, "the panel's order")
