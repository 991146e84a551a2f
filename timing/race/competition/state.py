"""The state of a competition: a fold over what was ordered and how the heats ended.

    state = CompetitionState(CompetitionPlan(…))
    state.refuse(action, role)      a sentence, or None
    state.apply(action)             takes an action that was not refused
    state.take_outcome(outcome)     whenever the result of a heat of this competition changed
    state.view()                    everything that screens and communiqués show

The same actions and outcomes in the same order give the same view. What is confirmed does not move: a later
change of a result raises a conflict, which the panel resolves.
"""

import msgspec

from config.entries import Entry
from config.format_tables import heats_in, tables
from config.formats import Format, FormatSet
from config.models import RuleBook
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
from timing.race.competition.advance import Advance, Passage
from timing.race.competition.compose import Seats, exchange, heat_of, seat_seeds, seat_slots
from timing.race.competition.draw import draw
from timing.race.competition.outcomes import HeatOutcome
from timing.race.competition.permits import refuse_role
from timing.race.competition.refusals import refuse_action
from timing.race.competition.rounds import Round, round_of, signature, walkover
from timing.race.competition.seeding import needs_lot, seed_order
from timing.race.competition.views import CompetitionView, Swap


class CompetitionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is fixed before the first entry: which format, which rule book, how the heats are called."""

    id: str
    name: str
    category: str
    formats: FormatSet
    rules: RuleBook
    heat_prefix: str = ""


class CompetitionState:
    """Everything that follows from the actions and outcomes so far."""

    def __init__(self, plan: CompetitionPlan) -> None:
        self._plan = plan
        self.entries: dict[str, Entry] = {}
        self.source = ""
        self.withdrawn: dict[str, str] = {}
        """Bib to reason."""
        self.seeds: dict[str, int] = {}
        """As the first round was composed."""
        self.seeds_of_lots: dict[str, str] = {}
        """Purpose of a draw to its seed."""
        self.format: Format | None = None
        self.tables: dict[str, tuple[tuple[str, ...], ...]] = {}
        self.rounds: list[Round] = []
        self.outcomes: dict[str, HeatOutcome] = {}
        self.resolved: dict[str, tuple[tuple[str, ...], ...]] = {}
        """Heat to the panel's orders of riders whom its result left equal."""
        self.advances: dict[str, Advance] = {}
        """By id of the round, what follows from its results; derived anew when they change."""
        self._shown: CompetitionView | None = None

    @property
    def plan(self) -> CompetitionPlan:
        """What is fixed beforehand. Another one (the meet file changed) leaves all that was ordered as it is."""
        return self._plan

    @plan.setter
    def plan(self, plan: CompetitionPlan) -> None:
        self._plan = plan
        self._forget()

    def _forget(self) -> None:
        """What was derived so far may be out of date."""
        self.advances.clear()
        self._shown = None

    # -- asking ----------------------------------------------------------------------------------------------

    def refuse(self, action: CompetitionAction, role: str) -> str | None:
        """Why this action is not taken now: what, why, how to mend it; None when it is taken."""
        return refuse_role(action, role) or refuse_action(self, action)

    def view(self) -> CompetitionView:
        """The competition as it is now; derived once until something changes."""
        if self._shown is None:
            self._shown = derive.competition_view(self)
        return self._shown

    def round(self, round_id: str) -> Round | None:
        """The round of this id; None while the format is not settled or where it has none."""
        return next((one for one in self.rounds if one.plan.id == round_id), None)

    def round_of_heat(self, heat: str) -> tuple[Round, int] | None:
        """The round and the number (from 0) of a heat; None for one of another competition."""
        for one in self.rounds:
            if heat in one.heat_ids:
                return one, one.heat_ids.index(heat)
        return None

    def taking_part(self) -> list[Entry]:
        """The entries that were not withdrawn."""
        return [entry for bib, entry in self.entries.items() if bib not in self.withdrawn]

    def needs_lot(self) -> bool:
        """Whether the seeds wait for the lot among the unranked (UCI 3.2.021bis)."""
        return UNRANKED not in self.seeds_of_lots and needs_lot(self.taking_part())

    def seeded(self) -> tuple[str, ...]:
        """Bibs of those taking part, from seed 1 down, once the lot is drawn where one is needed."""
        riders = self.taking_part()
        bibs = [entry.bib for entry in riders]
        seed = self.seeds_of_lots.get(UNRANKED)
        return seed_order(riders, bibs if seed is None else draw(f"{seed}/{UNRANKED}", bibs))

    def start_positions(self, one: Round, heat: int) -> dict[str, int]:
        """Place on the line of each rider of a heat (from 0), 1 lowest; empty until drawn. UCI 3.2.138."""
        seed = self.seeds_of_lots.get(START_POSITIONS + one.plan.id)
        if seed is None:
            return {}
        order = draw(f"{seed}/{one.heat_ids[heat]}", one.starters(heat))
        return {bib: number for number, bib in enumerate(order, start=1)}

    def passage(self) -> Passage:
        """Which riders may go on, by rule book and format."""
        assert self.format is not None
        return Passage(self.format, self.plan.rules)

    # -- folding ---------------------------------------------------------------------------------------------

    def take_outcome(self, outcome: HeatOutcome) -> None:
        """Take how a heat stands. Outcomes of heats of other competitions are harmless."""
        if self.outcomes.get(outcome.heat) != outcome:
            self.outcomes[outcome.heat] = outcome
            found = self.round_of_heat(outcome.heat)
            if found is not None:
                self.advances.pop(found[0].plan.id, None)
            self._shown = None

    def apply(self, action: CompetitionAction) -> None:
        """Take an action that `refuse` did not refuse."""
        self._forget()
        match action:
            case TakeEntries():
                self.entries = {entry.bib: entry for entry in action.entries}
                self.source = action.source
                self.withdrawn = {}
                self._back_to_entries()
            case AmendEntry():
                self._amend(action.entry)
            case Withdraw():
                self._withdraw(action)
            case Reinstate():
                self._reinstate(action.bib)
            case Draw():
                self.seeds_of_lots[action.purpose] = action.seed.strip()
            case Compose():
                self._compose(action.round)
            case SwapRiders():
                self._swap(action)
            case ConfirmComposition():
                one = self._round(action.round)
                one.confirmed = True
                self._walk_over(one)
            case ConfirmRound():
                one = self._round(action.round)
                one.going = derive.advance(self, one).going
            case ResolveConflict():
                self._resolve(action)
            case ResolveTie():
                others = (order for order in self.resolved.get(action.heat, ()) if set(order) != set(action.order))
                self.resolved[action.heat] = (*others, action.order)
            case _:
                # Communiqués are numbered for the whole meet: timing.race.competition.communiques.
                return

    def _round(self, round_id: str) -> Round:
        one = self.round(round_id)
        if one is None:
            raise KeyError(round_id)
        return one

    def _back_to_entries(self) -> None:
        """The riders changed: what was composed of them (and not confirmed) does not hold any more."""
        self.format, self.tables, self.rounds, self.seeds = None, {}, [], {}

    def _amend(self, entry: Entry) -> None:
        before = self.entries.get(entry.bib)
        self.entries[entry.bib] = entry
        seeds_move = before is None or before.ranking != entry.ranking
        if seeds_move and not (self.rounds and self.rounds[0].confirmed):
            self._back_to_entries()

    def _withdraw(self, action: Withdraw) -> None:
        self.withdrawn[action.bib] = action.reason
        for one in self.rounds:
            if one.heats is not None and not one.confirmed:
                one.heats, absent = self._parted(one.heats)
                one.absent = tuple((*before, *now) for before, now in zip(one.absent, absent, strict=True))
            elif one.confirmed and one.going is None:
                self._walk_over(one)

    def _reinstate(self, bib: str) -> None:
        del self.withdrawn[bib]
        if not any(seat.bib == bib for one in self.rounds for seat in one.everybody()):
            # Seeds and format were those of a field without this rider.
            self._back_to_entries()
        for one in self.rounds:
            if one.heats is not None and not one.confirmed:
                back = [tuple(seat for seat in heat if seat.bib == bib) for heat in one.absent]
                one.heats = tuple(heat + seats for heat, seats in zip(one.heats, back, strict=True))
                _, one.absent = self._parted(one.absent)
            elif one.confirmed and one.going is None:
                one.walkovers.clear()
                self._walk_over(one)

    def _walk_over(self, one: Round) -> None:
        for number in range(len(one.heat_ids)):
            outcome = walkover(one, number, self.withdrawn)
            if outcome is not None:
                one.walkovers[number] = outcome

    def _compose(self, round_id: str) -> None:
        if not (self.rounds and self.rounds[0].confirmed):
            self._settle_format()
        one = self._round(round_id)
        one.clear()
        if one.index == 0:
            assert self.format is not None
            seeded = self.seeded()
            self.seeds = {bib: number for number, bib in enumerate(seeded, start=1)}
            seats = seat_seeds(self.format, seeded)
        else:
            seats = seat_slots(self.tables[round_id], self._holders(round_id))
        one.heats, one.absent = self._parted(seats)

    def _settle_format(self) -> None:
        """The number of riders at the first composition decides which format of the set is ridden."""
        self.format = self.plan.formats.for_field(len(self.taking_part()))
        assert self.format is not None
        self.tables = tables(self.format)
        self.rounds = [
            round_of(plan, index, heats_in(plan), self.plan.heat_prefix)
            for index, plan in enumerate(self.format.rounds)
        ]

    def _holders(self, round_id: str) -> dict[str, str]:
        return {going.slot: going.bib for one in self.rounds for going in one.going or () if going.to == round_id}

    def _parted(self, seats: Seats) -> tuple[Seats, Seats]:
        """Those who ride and those who were withdrawn, by heat."""
        ride = tuple(tuple(seat for seat in heat if seat.bib not in self.withdrawn) for heat in seats)
        absent = tuple(tuple(seat for seat in heat if seat.bib in self.withdrawn) for heat in seats)
        return ride, absent

    def _swap(self, action: SwapRiders) -> None:
        one = self._round(action.round)
        assert one.heats is not None
        first, second = heat_of(one.heats, action.first), heat_of(one.heats, action.second)
        assert first is not None
        assert second is not None
        one.swaps.append(Swap(action.first, action.second, one.heat_ids[first], one.heat_ids[second], action.reason))
        one.heats = exchange(one.heats, action.first, action.second)

    def _resolve(self, action: ResolveConflict) -> None:
        one = self._round(action.round)
        going = derive.advance(self, one).going
        if action.decision == "keep":
            one.kept = signature(one, going)
            return
        one.going, one.kept = going, None
        for later in self.rounds[one.index + 1 :]:
            later.clear()
