"""The pacing of the tries that came before the present one: a stopped race is looked at again afterwards."""

import msgspec

from timing.race.attempts import read_log
from timing.race.field import build_field
from timing.race.heat import HeatLog
from timing.race.pacing import pace_report
from timing.race.picture import PaceReport
from timing.race.reads import RaceTime


class AttemptPace(msgspec.Struct, frozen=True):
    """The pace report of an earlier attempt. `reason` is why it was stopped."""

    attempt: int
    start_us: int
    stopped_us: int | None
    reason: str
    pace: PaceReport


def earlier_paces(log: HeatLog, race_time: RaceTime) -> tuple[AttemptPace, ...]:
    """The pace of every attempt of the heat before the present one that was started."""
    events = read_log(log, race_time)
    found = []
    for attempt in events.attempts[:-1]:
        if attempt.start_us is None:
            continue
        excluded = attempt.excluded & frozenset(log.index_of_bib)
        # Riders that a decision took out later still rode in this one.
        field = build_field(log, events, attempt, race_time, excluded)
        pace = pace_report(log, field, racing=False, stopped=attempt.stopped_us is not None)
        found.append(AttemptPace(attempt.number, attempt.start_us, attempt.stopped_us, attempt.stop_reason, pace))
    return tuple(found)
