"""The programme of a meet as it runs: the heats of the meet file and those of its competitions, against their plan."""

from collections.abc import Iterator

from config.local_times import later
from config.models import Competition, Heat, RoundTime, Session, Setup
from timing.race.competition.schedule import PlannedHeat, Schedule, schedule
from timing.race.competition.state import CompetitionState
from timing.race.meet import MeetState


def programme(state: MeetState) -> Schedule:
    """Every heat known or planned, in the order of the plan; those without a time follow those that have one."""
    setup = state.setup
    if setup is None:
        return schedule((), "UTC", 0)
    planned = [_planned(state, setup, heat) for heat in setup.meet.heats]
    known = {one.heat for one in planned}
    planned += [one for one in _to_come(state, setup) if one.heat not in known]
    ordered = sorted(planned, key=lambda one: (not one.planned, one.planned))
    return schedule(ordered, setup.venue.timezone, state.latest_us)


def _planned(state: MeetState, setup: Setup, heat: Heat) -> PlannedHeat:
    log = state.heats.get(heat.id)
    started_us, over = None, False
    if log is not None and log.opened_us is not None:
        picture = state.picture(heat.id)
        started_us, over = picture.start_us, picture.status == "official"
    alone = sum(one.round == heat.round and one.category == heat.category for one in setup.meet.heats) == 1
    name = heat.name or (heat.round if alone else f"{heat.round} {heat.heat}")
    return PlannedHeat(
        heat=heat.id,
        name=name,
        session=session_at(setup.meet.sessions, heat.scheduled),
        planned=heat.scheduled,
        started_us=started_us,
        over=over,
    )


def _to_come(state: MeetState, setup: Setup) -> Iterator[PlannedHeat]:
    """Heats of rounds whose start lists are not confirmed yet."""
    for one in setup.meet.competitions:
        times = {time.round: time for time in one.times}
        yield from _rounds_to_come(one, state.office.competitions[one.id], times, setup.meet.sessions)


def _rounds_to_come(
    competition: Competition, known: CompetitionState, times: dict[str, RoundTime], sessions: tuple[Session, ...]
) -> Iterator[PlannedHeat]:
    for one in known.rounds:
        time = times.get(one.plan.id)
        for number, heat in enumerate(one.heat_ids):
            planned = "" if time is None else later(time.starts, number * time.every_s)
            own = one.plan.heats[number].name if one.plan.rule == "table" else ""
            name = own or (f"{one.plan.name} {number + 1}" if len(one.heat_ids) > 1 else one.plan.name)
            # A heat of a confirmed round that is not in the meet is a walkover: nobody rides it.
            if not one.confirmed:
                yield PlannedHeat(heat=heat, name=name, session=session_at(sessions, planned), planned=planned)


def session_at(sessions: tuple[Session, ...], planned: str) -> str:
    """The session in which a heat is: the last one that starts no later."""
    begun = [one for one in sessions if planned and one.starts <= planned]
    return max(begun, key=lambda one: one.starts).id if begun else ""
