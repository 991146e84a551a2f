"""One round of a competition as it is kept in the fold: its heats, what the panel changed, what was confirmed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from config.format_tables import heat_id
from config.formats import RoundPlan
from timing.race.competition.advance import DNS, Advance, Passage, advance_heat, full_lines
from timing.race.competition.compose import Seat, Seats
from timing.race.competition.outcomes import HeatOutcome, OutcomeLine
from timing.race.competition.views import Block, Going, Swap

Signature = frozenset[tuple[str, str, str]]


@dataclass
class Round:
    """What was ordered for a round so far. `heats` is None until it is composed."""

    plan: RoundPlan
    index: int
    heat_ids: tuple[str, ...]
    heats: Seats | None = None
    absent: Seats = ()
    """Riders who were withdrawn before the start lists were confirmed, by heat."""
    swaps: list[Swap] = field(default_factory=list)
    confirmed: bool = False
    """Whether the start lists are final."""
    going: tuple[Going, ...] | None = None
    """Who goes where, as confirmed; None until then."""
    kept: Signature | None = None
    """What the changed results would say that the panel decided not to follow."""
    walkovers: dict[int, HeatOutcome] = field(default_factory=dict)
    """By number of the heat (from 0): what is official without a race, for heats of one rider or none."""

    def clear(self) -> None:
        """Back to a round that was not composed."""
        self.heats, self.absent, self.confirmed = None, (), False
        self.swaps.clear()
        self.walkovers.clear()
        self.going = self.kept = None

    def starters(self, number: int) -> tuple[str, ...]:
        """The bibs of a heat (from 0)."""
        return tuple(seat.bib for seat in self.heats[number]) if self.heats is not None else ()

    def everybody(self) -> tuple[Seat, ...]:
        """All riders of the round, those absent too."""
        return tuple(seat for heats in (self.heats or (), self.absent) for heat in heats for seat in heat)


def round_of(plan: RoundPlan, index: int, heats: int, heat_prefix: str) -> Round:
    """A round that was not composed yet."""
    return Round(plan, index, tuple(heat_prefix + heat_id(plan, number) for number in range(heats)))


def first_place(plan: RoundPlan, number: int) -> int:
    """The place that the winner of a heat gets: 7 in a final for the places 7 to 12."""
    return plan.heats[number].first_place if plan.rule == "table" else 1


def walkover(one: Round, number: int, withdrawn: Collection[str]) -> HeatOutcome | None:
    """What is official of a heat with nobody to race against; None for one that has to be ridden."""
    starters = one.starters(number)
    if len(starters) > 1:
        return None
    place = first_place(one.plan, number)
    lines = (
        OutcomeLine(bib, None, DNS, 1) if bib in withdrawn else OutcomeLine(bib, place, None, 1) for bib in starters
    )
    return HeatOutcome(one.heat_ids[number], "official", tuple(lines))


def outcome_in(one: Round, number: int, reported: HeatOutcome | None) -> HeatOutcome:
    """The outcome of a heat: what was reported, or the walkover."""
    if reported is not None and reported.status != "none":
        return reported
    return one.walkovers.get(number, HeatOutcome(one.heat_ids[number], "none"))


def advance_round(
    one: Round,
    outcomes: Sequence[HeatOutcome],
    passage: Passage,
    resolved: dict[str, tuple[tuple[str, ...], ...]],
    round_names: dict[str, str],
) -> Advance:
    """Where everybody of a round goes by the results so far, heat by heat; `outcomes` is one for each heat."""
    going: list[Going] = []
    blocks: list[Block] = []
    for number, outcome in enumerate(outcomes):
        if outcome.status == "none":
            continue
        heat = one.heat_ids[number]
        lines = full_lines(outcome, one.starters(number))
        advance = advance_heat(one.plan, number, heat, lines, passage, resolved.get(heat, ()), round_names)
        going += advance.going
        blocks += advance.blocks
    return Advance(tuple(going), tuple(blocks))


def signature(one: Round, going: Sequence[Going]) -> Signature:
    """What must not change unnoticed: who goes where; in the last round the places."""
    if not one.plan.onward:
        return frozenset((each.bib, str(each.place), each.status or "") for each in going)
    return frozenset((each.bib, each.to, each.slot) for each in going if each.to)
