"""What follows from a competition's fold: where it stands, who would go on, what contradicts what was confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from timing.race.competition.actions import START_POSITIONS, UNRANKED
from timing.race.competition.advance import Advance
from timing.race.competition.classification import Progress, classify
from timing.race.competition.compose import Pair, Seat, compatriots, propose_swaps, strengths
from timing.race.competition.draw import draw
from timing.race.competition.next_step import next_step
from timing.race.competition.outcomes import HeatOutcome
from timing.race.competition.rounds import Round, advance_round, first_place, outcome_in, signature
from timing.race.competition.views import (
    Block,
    ClassificationLine,
    CompetitionView,
    Conflict,
    DrawView,
    Going,
    HeatRider,
    HeatView,
    RoundState,
    RoundView,
    SeededEntry,
    SwapProposal,
)

if TYPE_CHECKING:
    from timing.race.competition.state import CompetitionState


# -- results and what follows --------------------------------------------------------------------------------


def outcomes_in(state: CompetitionState, one: Round) -> list[HeatOutcome]:
    """The outcome of every heat of a round."""
    return [outcome_in(one, number, state.outcomes.get(heat)) for number, heat in enumerate(one.heat_ids)]


def all_official(state: CompetitionState, one: Round) -> bool:
    """Whether every heat of a round has an official result."""
    return one.confirmed and all(outcome.status == "official" for outcome in outcomes_in(state, one))


def advance(state: CompetitionState, one: Round) -> Advance:
    """Who goes where from a round by the results as they are now."""
    if one.heats is None:
        return Advance((), ())
    known = state.advances.get(one.plan.id)
    if known is not None:
        return known
    names = {each.plan.id: each.plan.name for each in state.rounds}
    found = advance_round(one, outcomes_in(state, one), state.passage(), state.resolved, names)
    state.advances[one.plan.id] = found
    return found


def round_state(state: CompetitionState, one: Round) -> RoundState:
    """Where a round stands."""
    if one.heats is None:
        sources = (each for each in state.rounds if any(onward.to == one.plan.id for onward in each.plan.onward))
        return "open" if all(each.going is not None for each in sources) else "waiting"
    if not one.confirmed:
        return "composed"
    if one.going is not None:
        return "closed"
    return "ridden" if all_official(state, one) else "start_list"


# -- conflicts -----------------------------------------------------------------------------------------------


def conflicts(state: CompetitionState) -> tuple[Conflict, ...]:
    """Confirmed rounds whose results now say something else, and the panel has not decided yet."""
    return tuple(_conflicts(state))


def _conflicts(state: CompetitionState) -> Iterator[Conflict]:
    for one in state.rounds:
        if one.going is None or not all_official(state, one):
            continue
        now = advance(state, one)
        after = signature(one, now.going)
        if after in (signature(one, one.going), one.kept):
            continue
        ridden = [heat for heat in _later_heats(state, one) if _has_result(state, heat)]
        text = f"a result of {one.plan.name} changed after the round was confirmed"
        if ridden:
            text += f"; heat {ridden[0]} was ridden since, so what was confirmed can only be kept"
        for block in now.blocks:
            text += f"; {block.text}"
        yield Conflict(one.plan.id, text, tuple(_changes(state, one, now.going)), not ridden and not now.blocks)


def _later_heats(state: CompetitionState, one: Round) -> Iterator[str]:
    for later in state.rounds[one.index + 1 :]:
        if later.heats is not None:
            yield from later.heat_ids


def _has_result(state: CompetitionState, heat: str) -> bool:
    outcome = state.outcomes.get(heat)
    return outcome is not None and outcome.status != "none"


def _changes(state: CompetitionState, one: Round, now: tuple[Going, ...]) -> Iterator[str]:
    names = {each.plan.id: each.plan.name for each in state.rounds}
    before = {going.bib: going for going in one.going or ()}
    for going in now:
        was, is_now = (_told(one, each, names) for each in (before.get(going.bib), going))
        if was != is_now:
            yield f"{going.bib}: {was} as confirmed, {is_now} by the result"


def _told(one: Round, going: Going | None, names: dict[str, str]) -> str:
    if going is None:
        return "not in the result"
    if not one.plan.onward:
        return going.status or (f"place {going.place}" if going.place is not None else "no place")
    return f"{names[going.to]} as {going.slot}" if going.to else "out"


def unsettled(state: CompetitionState, before: int) -> str | None:
    """Why nothing may be built on the rounds before this index now; None where all is settled."""
    for conflict in conflicts(state):
        one = state.round(conflict.round)
        if one is not None and one.index < before:
            return f"{conflict.text}: resolve this conflict first (resolve_conflict)"
    for one in state.rounds[:before]:
        reopened = _reopened(state, one)
        if reopened:
            return reopened[0].text
    return None


def _reopened(state: CompetitionState, one: Round) -> list[Block]:
    if one.going is None:
        return []
    return [
        Block(
            one.plan.id,
            outcome.heat,
            (),
            f"the result of {outcome.heat} was reopened after {one.plan.name} was confirmed: make it official again",
        )
        for outcome in outcomes_in(state, one)
        if outcome.status != "official"
    ]


# -- the picture ---------------------------------------------------------------------------------------------


def competition_view(state: CompetitionState) -> CompetitionView:
    """Everything that is shown."""
    rounds = tuple(_round_view(state, one) for one in state.rounds)
    found = conflicts(state)
    last = state.rounds[-1] if state.rounds else None
    final = last is not None and last.going is not None and unsettled(state, len(state.rounds)) is None
    return CompetitionView(
        competition=state.plan.id,
        name=state.plan.name,
        category=state.plan.category,
        format=state.format.id if state.format is not None else None,
        entries=_entries(state),
        rounds=rounds,
        draws=tuple(_draws(state)),
        conflicts=found,
        classification=classification(state),
        final=final,
        next=next_step(state, rounds, found),
    )


def classification(state: CompetitionState) -> tuple[ClassificationLine, ...]:
    """Every entrant once, best first: virtual until the last round is confirmed."""
    if state.format is None:
        return ()
    going = {one.plan.id: one.going if one.going is not None else advance(state, one).going for one in state.rounds}
    progress = Progress(state.format, state.tables, state.rounds, state.outcomes, going)
    by_seed = sorted(state.entries, key=lambda bib: state.seeds.get(bib, len(state.entries) + 1))
    return classify(progress, by_seed)


def _entries(state: CompetitionState) -> tuple[SeededEntry, ...]:
    seeds = dict(state.seeds)
    if not seeds and not state.needs_lot():
        seeds = {bib: number for number, bib in enumerate(state.seeded(), start=1)}
    return tuple(SeededEntry(entry, seeds.get(bib), state.withdrawn.get(bib)) for bib, entry in state.entries.items())


def _draws(state: CompetitionState) -> Iterator[DrawView]:
    for purpose, seed in state.seeds_of_lots.items():
        if purpose == UNRANKED:
            rankings = [entry.ranking for entry in state.taking_part()]
            alike = [one.bib for one in state.taking_part() if one.ranking is None or rankings.count(one.ranking) > 1]
            order = draw(f"{seed}/{UNRANKED}", alike)
            yield DrawView(purpose, seed, tuple(f"{UNRANKED}/{bib}" for bib in order))
            continue
        one = state.round(purpose.removeprefix(START_POSITIONS))
        if one is not None and one.heats is not None:
            lines = [
                f"{heat}/{bib}"
                for number, heat in enumerate(one.heat_ids)
                for bib in state.start_positions(one, number)
            ]
            yield DrawView(purpose, seed, tuple(lines))


def _round_view(state: CompetitionState, one: Round) -> RoundView:
    now = advance(state, one)
    nations = {bib: entry.nation for bib, entry in state.entries.items()}
    stands = round_state(state, one)
    proposals: tuple[SwapProposal, ...] = ()
    # Nobody is moved from one final to another: they are ridden for different places.
    if stands == "composed" and one.plan.onward and one.heats is not None and state.format is not None:
        proposals = propose_swaps(
            one.plan.id, one.heats, one.heat_ids, nations, strengths(state.format, one.heats), _met(state, one)
        )
    return RoundView(
        round=one.plan.id,
        name=one.plan.name,
        state=stands,
        heats=tuple(_heat_view(state, one, number) for number in range(len(one.heat_ids) if one.heats else 0)),
        swaps=tuple(one.swaps),
        compatriots=compatriots(one.heats, one.heat_ids, nations) if one.heats is not None else (),
        proposals=proposals,
        draw_seed=state.seeds_of_lots.get(START_POSITIONS + one.plan.id),
        going=one.going if one.going is not None else now.going,
        blocks=now.blocks if one.going is None else tuple(_reopened(state, one)),
    )


def _met(state: CompetitionState, one: Round) -> frozenset[Pair]:
    """Riders who were in one heat before."""
    return frozenset(
        frozenset(two)
        for earlier in state.rounds[: one.index]
        for number in range(len(earlier.heats or ()))
        for two in combinations(earlier.starters(number), 2)
    )


def _heat_view(state: CompetitionState, one: Round, number: int) -> HeatView:
    assert one.heats is not None
    own_name = one.plan.heats[number].name if one.plan.rule == "table" else ""
    drawn = state.start_positions(one, number)
    proposed = state.tables[one.plan.id][number]

    def rider(seat: Seat) -> HeatRider:
        return HeatRider(
            bib=seat.bib,
            slot=seat.slot,
            seed=state.seeds.get(seat.bib),
            draw=drawn.get(seat.bib),
            swapped=seat.slot not in proposed,
            withdrawn=seat.bib in state.withdrawn,
        )

    riders = one.heats[number]
    return HeatView(
        heat=one.heat_ids[number],
        round=one.plan.id,
        round_name=own_name or one.plan.name,
        number=1 if own_name else number + 1,
        letter=chr(ord("A") + number),
        first_place=first_place(one.plan, number),
        riders=tuple(rider(seat) for seat in riders),
        absent=tuple(rider(seat) for seat in one.absent[number]),
        walkover=one.confirmed and len(riders) == 1,
        status=outcome_in(one, number, state.outcomes.get(one.heat_ids[number])).status,
    )
