"""The race office of a meet: its competitions, the heats that arise from them, and the numbers of its communiqués.

Part of the fold (`timing.race.meet`): it takes what was ordered and how heats ended, and says which riders and heats
the meet has now. It reads no clock and draws no lot of its own.
"""

from collections.abc import Callable, Iterator

import msgspec

from config.entries import Entry
from config.format_tables import parse_places
from config.formats import RoundPlan
from config.local_times import later
from config.models import Competition, Heat, Onward, Rider, Setup, StartPosition
from timing.race.competition.actions import (
    AmendEntry,
    ConfirmComposition,
    IssueCommunique,
    ResolveConflict,
    TakeEntries,
)
from timing.race.competition.communiques import CommuniqueRegister
from timing.race.competition.outcomes import HeatOutcome
from timing.race.competition.permits import refuse_role
from timing.race.competition.state import CompetitionPlan, CompetitionState
from timing.race.competition.views import CompetitionView, HeatView, RoundView
from timing.race.events import COMPETITION_ACTIONS, Command

Outcomes = Callable[[str], HeatOutcome | None]
"""How a heat stands, by its id; None for one that was never opened."""


class RaceOffice:
    """All competitions of a meet."""

    def __init__(self) -> None:
        self.competitions: dict[str, CompetitionState] = {}
        self.register = CommuniqueRegister()
        self._setup: Setup | None = None

    def take_setup(self, setup: Setup) -> None:
        """The meet file as it holds from here on. A competition that is in it keeps what was ordered so far."""
        self._setup = setup
        known = self.competitions
        self.competitions = {}
        for one in setup.meet.competitions:
            plan = CompetitionPlan(
                id=one.id,
                name=one.name,
                category=one.category,
                formats=setup.formats[one.id],
                rules=setup.rules,
                heat_prefix=one.heat_prefix,
            )
            state = known.get(one.id) or CompetitionState(plan)
            # What was composed under another format stays composed under it; the next composition takes this one.
            state.plan = plan
            self.competitions[one.id] = state

    # -- orders ----------------------------------------------------------------------------------------------

    def refuse(self, command: Command, outcomes: Outcomes, on_track: Callable[[str], bool]) -> str | None:
        """Why a command of the office is refused, or None. `on_track` says whether a heat was opened."""
        action = command.action
        assert isinstance(action, COMPETITION_ACTIONS)
        reason = refuse_role(action, command.role)
        if reason is not None:
            return reason
        if not command.actor.strip():
            return "a command needs the name of its actor"
        state = self.competitions.get(action.competition)
        if state is None:
            names = ", ".join(self.competitions) or "none"
            return f"no competition {action.competition!r} is in the meet file: it has {names}"
        self.refresh(state, outcomes)
        if isinstance(action, IssueCommunique):
            return self.register.refuse(action) or self._refuse_subject(state, action, outcomes)
        if isinstance(action, TakeEntries | AmendEntry):
            entries = action.entries if isinstance(action, TakeEntries) else (action.entry,)
            reason = self._refuse_strangers(action.competition, entries)
        if isinstance(action, ResolveConflict) and action.decision == "recompute":
            reason = reason or self._refuse_recompute(state, action, on_track)
        return reason or state.refuse(action, command.role)

    def apply(self, row: int, command: Command, outcomes: Outcomes) -> bool:
        """Take a command that was not refused. True when the meet's riders or heats may be others now."""
        action = command.action
        assert isinstance(action, COMPETITION_ACTIONS)
        if isinstance(action, IssueCommunique):
            self.register.take(action, row, command.at_us, command.actor)
            return False
        state = self.competitions[action.competition]
        self.refresh(state, outcomes)
        state.apply(action)
        return isinstance(action, TakeEntries | AmendEntry | ConfirmComposition | ResolveConflict)

    def _refuse_strangers(self, competition: str, entries: tuple[Entry, ...]) -> str | None:
        """A bib or a transponder is one rider's in the whole meet: the loops do not know competitions."""
        bibs = {
            bib: (name, entry)
            for name, state in self.competitions.items()
            if name != competition
            for bib, entry in state.entries.items()
        }
        owners = {transponder: bib for bib, (_, entry) in bibs.items() for transponder in entry.transponders}
        pacers = self._setup.meet.pacers if self._setup is not None else ()
        owners |= {transponder: f"the pacer {pacer.name}" for pacer in pacers for transponder in pacer.transponders}
        for entry in entries:
            if entry.bib in bibs and bibs[entry.bib][1].name != entry.name:
                name, other = bibs[entry.bib]
                return f"bib {entry.bib} is {other.name} in {name!r}: give {entry.name} a number of their own"
            for transponder in entry.transponders:
                owner = owners.get(transponder)
                if owner is not None and owner != entry.bib:
                    return f"transponder {transponder} of {entry.bib} belongs to {owner}: give one to each"
        return None

    def _refuse_recompute(
        self, state: CompetitionState, action: ResolveConflict, on_track: Callable[[str], bool]
    ) -> str | None:
        one = state.round(action.round)
        later = state.rounds[one.index + 1 :] if one is not None else []
        opened = [heat for each in later for heat in each.heat_ids if on_track(heat)]
        if not opened:
            return None
        return f"heat {opened[0]} was opened already: the advancement from {action.round} can only be kept"

    def _refuse_subject(self, state: CompetitionState, action: IssueCommunique, outcomes: Outcomes) -> str | None:
        """A communiqué is about something that there is."""
        view = state.view()
        if action.kind == "classification":
            return None if view.classification else "there is nobody to classify: take the entries first"
        round_view, heat_view = _subject(view, action.subject)
        if round_view is None:
            known = ", ".join(one.round for one in view.rounds) or "no round yet"
            return f"no round or heat {action.subject!r} is in {action.competition!r}: it has {known}"
        if action.kind == "start_list":
            ready = round_view.state not in ("waiting", "open", "composed")
            return None if ready else f"the start lists of {round_view.name} are not confirmed yet"
        if action.kind in ("round", "decisions"):
            return None if round_view.heats else f"{round_view.name} is not composed yet"
        if action.kind == "result":
            if heat_view is None:
                return f"a result is that of one heat: give one of {', '.join(one.heat for one in round_view.heats)}"
            outcome = outcomes(action.subject)
            if outcome is None or outcome.status not in ("provisional", "official"):
                return f"heat {action.subject} has no result yet: wait for the photo-finish or the judge's order"
            return None
        return f"no communiqué of kind {action.kind!r}: use start_list, result, round, classification or decisions"

    # -- what follows ----------------------------------------------------------------------------------------

    def refresh(self, state: CompetitionState, outcomes: Outcomes) -> None:
        """Tell a competition how its heats stand now."""
        for one in state.rounds:
            for heat in one.heat_ids:
                outcome = outcomes(heat)
                if outcome is not None:
                    state.take_outcome(outcome)

    def views(self, outcomes: Outcomes) -> Iterator[CompetitionView]:
        """Every competition as it stands."""
        for state in self.competitions.values():
            self.refresh(state, outcomes)
            yield state.view()

    def view(self, competition: str, outcomes: Outcomes) -> CompetitionView:
        """One competition as it stands. Raises KeyError."""
        state = self.competitions[competition]
        self.refresh(state, outcomes)
        return state.view()

    def competition_of(self, heat: str) -> str | None:
        """The competition that a heat belongs to; None for one that stands in the meet file."""
        return next((name for name, state in self.competitions.items() if state.round_of_heat(heat) is not None), None)

    def extend(self, setup: Setup) -> Setup:
        """The meet file with the riders that were entered and the heats whose start lists are confirmed."""
        riders = {rider.bib: rider for rider in setup.meet.riders}
        heats = list(setup.meet.heats)
        for one in setup.meet.competitions:
            state = self.competitions[one.id]
            riders |= {bib: _rider(entry, riders.get(bib)) for bib, entry in state.entries.items()}
            heats += _heats(one, state)
        meet = msgspec.structs.replace(setup.meet, riders=tuple(riders.values()), heats=tuple(heats))
        return msgspec.structs.replace(setup, meet=meet)


def _subject(view: CompetitionView, subject: str) -> tuple[RoundView | None, HeatView | None]:
    for one in view.rounds:
        if one.round == subject:
            return one, None
        for heat in one.heats:
            if heat.heat == subject:
                return one, heat
    return None, None


def _rider(entry: Entry, known: Rider | None) -> Rider:
    """An entry as a rider of the meet; what the meet file says of the same bib and the entry does not, is kept."""
    return Rider(
        bib=entry.bib,
        name=entry.name,
        surname=entry.surname,
        given=entry.given,
        nation=entry.nation if entry.nation is not None or known is None else known.nation,
        transponders=entry.transponders or (known.transponders if known is not None else ()),
        transponder_to_front_m=known.transponder_to_front_m if known is not None else None,
    )


def _heats(competition: Competition, state: CompetitionState) -> Iterator[Heat]:
    times = {one.round: one for one in competition.times}
    plans = {one.plan.id: one.plan for one in state.rounds}
    for one in state.view().rounds:
        if one.state in ("waiting", "open", "composed"):
            continue
        for number, heat in enumerate(one.heats):
            time = times.get(one.round)
            scheduled = "" if time is None else later(time.starts, number * time.every_s)
            if len(heat.riders) > 1:
                yield _heat(competition, heat, scheduled, _onward(plans[one.round]))


def _onward(plan: RoundPlan) -> tuple[Onward, ...]:
    """Where the places of a round go, as a heat of the meet file says it."""
    found, after = [], 0
    for one in plan.onward:
        places = parse_places(one.places, after)
        if places is None or places[1] is None:
            found.append(Onward(mark=one.mark or one.to, rest=True))
        else:
            found.append(Onward(mark=one.mark or one.to, first=places[0], last=places[1]))
            after = places[1]
    return tuple(found)


def _heat(competition: Competition, heat: HeatView, scheduled: str, onward: tuple[Onward, ...]) -> Heat:
    # A draw that was not made leaves the order of the slots: the commissaires line them up as they stand.
    start_list = tuple(
        StartPosition(bib=rider.bib, draw=rider.draw or place, origin=rider.slot, seed=rider.seed)
        for place, rider in enumerate(heat.riders, start=1)
    )
    return Heat(
        id=heat.heat,
        event=competition.event,
        category=competition.category,
        round=heat.round_name,
        heat=heat.number,
        start_list=start_list,
        pacer=competition.pacer,
        first_place=heat.first_place,
        scheduled=scheduled,
        onward=onward,
    )
