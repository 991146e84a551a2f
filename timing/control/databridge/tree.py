"""The meet as a tree of competitions, phases and contests, from which every topic of the data bridge follows.

A round is a phase. A heat of a round with several is a contest (the schema collapses heats so where a phase has no
contests); the only heat of a round is the phase itself. Heats of the meet file that belong to no `[[competitions]]`
make up a competition for each category and event.
"""

from collections.abc import Iterator
from itertools import groupby

import msgspec

from config.databridge import topic_level
from config.models import Competition, Heat, Setup
from timing.control.communique.wording import EVENT_NAMES, event_name
from timing.control.databridge.words import Status, overall, status_of
from timing.race.competition.outcomes import OutcomeLine
from timing.race.competition.rounds import Round
from timing.race.competition.views import CompetitionView, HeatView, RoundView
from timing.race.meet import MeetState
from timing.race.picture import HeatPicture


class Contest(msgspec.Struct, frozen=True, kw_only=True):
    """A heat. `path` is below the meet; that of the phase for the only heat of a round."""

    heat: str
    id: str | None
    """Within its phase; null for the only heat of a round."""
    path: str
    label: str
    subtitle: str
    first_place: int
    status: Status
    listed: Status
    """Status of the start list."""
    riders: tuple[tuple[str, str | None], ...]
    """Bib and place on the line by lot, from the lowest."""
    qualified: tuple[str, ...]
    """Bibs that go on by the places they have, in a heat that has given places."""
    walkover: tuple[OutcomeLine, ...]
    """What is official without a race."""
    distance_m: float | None
    laps: float | None


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """A round."""

    id: str
    path: str
    label: str
    info: str | None
    """Who goes where from it."""
    contests: tuple[Contest, ...]

    @property
    def status(self) -> Status:
        """Where its heats stand together."""
        return overall(one.status for one in self.contests)


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A competition. `view` is null for one that is made of heats of the meet file."""

    id: str
    category: str
    """Its topic level."""
    category_label: str
    path: str
    event: str
    label: str
    title: str
    phases: tuple[Phase, ...]
    listed: Status
    entries: tuple[tuple[str, int | None], ...]
    """Bib and seed, best seed first."""
    view: CompetitionView | None

    @property
    def status(self) -> Status:
        """Final only when the classification is confirmed."""
        stands = overall(one.status for one in self.phases)
        if self.view is None:
            return stands
        return "final" if self.view.final else "provisional" if stands == "final" else stands


def tree(state: MeetState) -> tuple[Branch, ...]:
    """Every competition of the meet. Before a setup is journaled there is none."""
    if state.setup is None or state.configured is None:
        return ()
    plain = sorted(enumerate(state.configured.meet.heats), key=lambda one: (one[1].category, one[1].event, one[0]))
    branches = [
        _plain_branch(state, category, event, [heat for _, heat in heats])
        for (category, event), heats in groupby(plain, key=lambda one: (one[1].category, one[1].event))
    ]
    return (*(_branch(state, state.setup, one) for one in state.setup.meet.competitions), *branches)


def pictures(state: MeetState) -> dict[str, HeatPicture]:
    """The pictures of the heats that were opened."""
    return {name: state.picture(name) for name, log in state.heats.items() if log.opened_us is not None}


def category_label(category: str) -> str:
    """`Men`."""
    return category.replace("-", " ").title()


# -- heats of the meet file ----------------------------------------------------------------------------------


def _plain_branch(state: MeetState, category: str, event: str, heats: list[Heat]) -> Branch:
    path = f"{topic_level(category)}/{topic_level(event)}"
    rounds = dict.fromkeys(heat.round for heat in heats)
    phases = tuple(_plain_phase(state, path, name, [heat for heat in heats if heat.round == name]) for name in rounds)
    bibs = sorted({place.bib: place.seed for heat in heats for place in heat.start_list}.items(), key=_by_seed)
    return Branch(
        id=topic_level(event),
        category=topic_level(category),
        category_label=category_label(category),
        path=path,
        event=event,
        label=EVENT_NAMES.get(event, event.title()),
        title=event_name(event, category),
        phases=phases,
        listed="final" if bibs else None,
        entries=tuple(bibs),
        view=None,
    )


def _plain_phase(state: MeetState, above: str, name: str, heats: list[Heat]) -> Phase:
    level = topic_level(name.lower())
    path = f"{above}/{level}"
    contests = []
    for heat in heats:
        alone = len(heats) == 1
        contests.append(
            _contest(
                state,
                heat.id,
                id=None if alone else str(heat.heat),
                above=path,
                phase=name,
                own_name=heat.name or (name if alone else ""),
                number=heat.heat,
                first_place=heat.first_place,
                listed="final" if heat.start_list else None,
                riders=tuple((one.bib, str(one.draw)) for one in sorted(heat.start_list, key=lambda one: one.draw)),
            )
        )
    return Phase(id=level, path=path, label=name, info=None, contests=tuple(contests))


# -- competitions --------------------------------------------------------------------------------------------


def _branch(state: MeetState, setup: Setup, plan: Competition) -> Branch:
    view = state.office.view(plan.id, state.outcome)
    category, level = topic_level(plan.category), topic_level(plan.id)
    path = f"{category}/{level}"
    rounds = state.office.competitions[plan.id].rounds
    # The view has the rounds of the fold, one for one.
    phases = tuple(_phase(state, plan, path, one, shown, view) for one, shown in zip(rounds, view.rounds, strict=True))
    alike = [one for one in setup.meet.competitions if (one.category, one.event) == (plan.category, plan.event)]
    confirmed = bool(view.rounds) and view.rounds[0].state not in ("open", "composed")
    entries = sorted(((one.entry.bib, one.seed) for one in view.entries if one.withdrawn is None), key=_by_seed)
    return Branch(
        id=level,
        category=category,
        category_label=category_label(plan.category),
        path=path,
        event=plan.event,
        label=EVENT_NAMES.get(plan.event, plan.event.title()) if len(alike) == 1 else plan.name,
        title=plan.name,
        phases=phases,
        listed=None if not entries else "final" if confirmed else "provisional",
        entries=tuple(entries),
        view=view,
    )


def _by_seed(one: tuple[str, int | None]) -> tuple[bool, int]:
    return one[1] is None, one[1] or 0


def _phase(
    state: MeetState, plan: Competition, above: str, one: Round, shown: RoundView, view: CompetitionView
) -> Phase:
    level = topic_level(one.plan.id)
    path = f"{above}/{level}"
    contests = tuple(_office_contest(state, plan, path, one, number, shown) for number in range(len(one.heat_ids)))
    return Phase(id=level, path=path, label=one.plan.name, info=_onward(one, view), contests=contests)


def _office_contest(
    state: MeetState, plan: Competition, above: str, one: Round, number: int, shown: RoundView
) -> Contest:
    heat_id = one.heat_ids[number]
    composed = shown.heats[number] if shown.heats else None
    own = one.plan.heats[number] if one.plan.rule == "table" else None
    alone = len(one.heat_ids) == 1
    short = heat_id.removeprefix(plan.heat_prefix).removeprefix(f"{one.plan.id}-")
    listed: Status = None
    if composed is not None:
        listed = "provisional" if shown.state == "composed" else "final"
    walkover = one.walkovers.get(number)
    qualified = tuple(
        going.bib for going in shown.going if going.heat == heat_id and going.to and going.mark[:1] in ("Q", "")
    )
    return _contest(
        state,
        heat_id,
        id=None if alone else topic_level(short),
        above=above,
        phase=one.plan.name,
        own_name=(own.name if own is not None else "") or (one.plan.name if alone else ""),
        number=number + 1,
        first_place=own.first_place if own is not None else 1,
        listed=listed,
        riders=_line_up(composed) if composed is not None else (),
        qualified=qualified,
        walkover=walkover.lines if walkover is not None else None,
    )


def _line_up(heat: HeatView) -> tuple[tuple[str, str | None], ...]:
    """As they stand on the line; in the order of the slots as long as no lot was drawn."""
    riders = sorted(heat.riders, key=lambda rider: rider.draw or 0)
    return tuple((rider.bib, None if rider.draw is None else str(rider.draw)) for rider in riders)


def _onward(one: Round, view: CompetitionView) -> str | None:
    names = {each.round: each.name for each in view.rounds}
    parts = (
        f"{each.places} to {names.get(each.to, each.to)}{f' ({each.mark})' if each.mark else ''}"
        for each in one.plan.onward
    )
    return "; ".join(parts) or None


# -- both ----------------------------------------------------------------------------------------------------


def _contest(
    state: MeetState,
    heat: str,
    *,
    id: str | None,
    above: str,
    phase: str,
    own_name: str,
    number: int,
    first_place: int,
    listed: Status,
    riders: tuple[tuple[str, str | None], ...],
    qualified: tuple[str, ...] = (),
    walkover: tuple[OutcomeLine, ...] | None = None,
) -> Contest:
    label = own_name or f"Heat {number}"
    log = state.heats.get(heat)
    opened = log is not None and log.opened_us is not None
    status = status_of(state.picture(heat)) if opened else "final" if walkover is not None else None
    return Contest(
        heat=heat,
        id=id,
        path=above if id is None else f"{above}/{id}",
        label=label,
        subtitle=own_name or f"{phase} - {label}",
        first_place=first_place,
        status=status,
        listed=listed,
        riders=riders,
        qualified=qualified if status in ("provisional", "final") else (),
        walkover=() if opened or walkover is None else walkover,
        distance_m=log.course.finish_m if log is not None else None,
        laps=log.course.total_laps if log is not None else None,
    )


def branches_of(branches: tuple[Branch, ...]) -> Iterator[tuple[Branch, Phase, Contest]]:
    """Every contest with what it belongs to."""
    for branch in branches:
        for phase in branch.phases:
            for contest in phase.contests:
                yield branch, phase, contest
