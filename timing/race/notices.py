"""What needs a person now: sentences for the commissaires and the operator, most urgent first.

They propose and remind, with the article; none of them decides (DESIGN §5). Once official, nothing is open.
"""

from typing import NamedTuple

import numpy as np

from timing.clock import milliseconds
from timing.core.arrays import MISSING
from timing.race.attempts import Attempt, HeatEvents
from timing.race.field import Field
from timing.race.finish import WARNING, too_close
from timing.race.heat import HeatLog
from timing.race.picture import RACING_STATES, Bell, Finish, HeatState, PaceReport, ResultLine

DOUBLE_SHOT_US = 3_000_000
"""Two shots within this time are the starter's stop signal, UCI 3.2.019."""
REACTION_US = 10_000_000
"""A mishap may have happened so long before somebody logged it."""
WARNINGS_FOR_DSQ = 2
RELEGATIONS_FOR_DSQ = 3
"""UCI 3.2.013, 3.10.003, counted within the heat; the event's count is the competition's."""
TOLERANCE_M = 0.001


class Facts(NamedTuple):
    """What was derived so far."""

    state: HeatState
    pace: PaceReport
    finish: Finish
    bell: Bell
    results: tuple[ResultLine, ...]


def notices(log: HeatLog, events: HeatEvents, attempt: Attempt, field: Field, facts: Facts) -> tuple[str, ...]:
    """The notices of a heat, most urgent first."""
    if facts.state == "official":
        return ()
    found: list[str] = []
    if facts.state in RACING_STATES:
        found += _shots(attempt)
    if facts.state in RACING_STATES or facts.state == "stopped":
        found += _mishaps(log, attempt, field)
    found += _riders_ahead(events, facts.pace)
    found += _sanctions(events)
    found += _bell(facts)
    found += _finish(log, attempt, facts)
    found += _clocks_in_doubt(log, attempt, field)
    if attempt.start_us is None and any(sheet.sheet.received_us >= attempt.from_us for sheet in log.sheets):
        found.append("a photo-finish sheet came for a race that was not started: log the gun with its time")
    if facts.pace.findings and facts.pace.pull_off != "awaited":
        found.append(f"pace: {facts.pace.summary}")
    elif any(one.what == "pacer_unread" for one in facts.pace.findings):
        found.append(f"pace: pacer {facts.pace.findings[-1].text}")
    return tuple(found)


def _clocks_in_doubt(log: HeatLog, attempt: Attempt, field: Field) -> list[str]:
    """Boxes whose clock was set, or whose records came late, so that their times leave something open."""
    found = []
    if attempt.start_doubt_us:
        found.append(
            f"the gun's time is uncertain by ±{milliseconds(attempt.start_doubt_us)} ({attempt.start_source}): "
            "its clock was set, or the impulse came late"
        )
    worst_us: dict[str, int] = {}
    crossings: dict[str, int] = {}
    for row, mark in np.argwhere((field.doubt_us > 0) & (field.read_index >= 0)).tolist():
        device = log.reads[int(field.read_index[row, mark])].device
        worst_us[device] = max(worst_us.get(device, 0), int(field.doubt_us[row, mark]))
        crossings[device] = crossings.get(device, 0) + 1
    for device in sorted(worst_us):
        found.append(
            f"{device}: times of {crossings[device]} crossings are uncertain by up to "
            f"±{milliseconds(worst_us[device])}: its clock was set, or they came late"
        )
    return found


def _shots(attempt: Attempt) -> list[str]:
    """UCI 3.2.019: the double shot stops the race, and only the starter gives it."""
    shots_us = attempt.extra_shots_us
    if not shots_us:
        return []
    before_us = attempt.start_us if attempt.start_us is not None else shots_us[0]
    spans = [later - earlier for earlier, later in zip([before_us, *shots_us], shots_us, strict=False)]
    if min(spans) <= DOUBLE_SHOT_US:
        return ["double shot of the gun: the starter's stop signal, stop the race (UCI 3.2.019)"]
    return ["the gun was fired again: stop the race if the starter stopped it (UCI 3.2.019)"]


def _mishaps(log: HeatLog, attempt: Attempt, field: Field) -> list[str]:
    """UCI 3.2.143: a new start of all in the first half lap, and after it the race goes on."""
    if not attempt.mishaps:
        return []
    limit_us = _restart_limit_us(log, field)
    found = []
    for at_us, bib, what in attempt.mishaps:
        mishap = f"mishap of {bib} ({what})"
        if limit_us is None or at_us <= limit_us:
            found.append(f"{mishap} in the first half lap: new start of all (UCI 3.2.143)")
        elif at_us - limit_us <= REACTION_US:
            seconds = (at_us - limit_us) / 1e6
            found.append(
                f"{mishap} logged {seconds:.1f} s after the first half lap: "
                "new start of all if it happened within it, else the race goes on (UCI 3.2.143)"
            )
        else:
            found.append(f"{mishap} after the first half lap: the race goes on (UCI 3.2.143)")
    return found


def _restart_limit_us(log: HeatLog, field: Field) -> int | None:
    """Race µs at which the head of the race completed the laps in which a mishap means a new start."""
    limit_m = log.setup.rules.keirin.mishap_restart_laps * log.course.track_length_m
    riders_us = field.read_us[: log.pacer_index, log.mark_m >= limit_m - TOLERANCE_M]
    for times in riders_us.T:
        read = times[times != MISSING]
        if read.size:
            return int(read.min())
    return None


def _riders_ahead(events: HeatEvents, pace: PaceReport) -> list[str]:
    """UCI 3.2.140, one notice a rider, until a commissaire has ruled on the rider."""
    ruled = {decision.bib for decision in events.decisions}
    found = []
    for bib in dict.fromkeys(margin.bib for margin in pace.riders_ahead):
        if bib in ruled:
            continue
        seen = [margin for margin in pace.riders_ahead if margin.bib == bib]
        most = min(seen, key=lambda margin: margin.margin_m)
        found.append(
            f"rider {bib} ahead of the pacer at {most.distance_m:g} m by {-most.margin_m:.2f} m "
            f"({-most.margin_ms} ms): commissaire to rule (UCI 3.2.140)"
        )
    return found


def _sanctions(events: HeatEvents) -> list[str]:
    """UCI 3.2.013, 3.10.003: a second warning or a third relegation in one event is a disqualification."""
    codes: dict[str, list[str]] = {}
    for decision in events.decisions:
        codes.setdefault(decision.bib, []).append(decision.code)
    found = []
    for bib, given in codes.items():
        if "DSQ" in given:
            continue
        if given.count(WARNING) >= WARNINGS_FOR_DSQ:
            found.append(f"rider {bib} has {given.count(WARNING)} warnings: DSQ is proposed (UCI 3.2.013, 3.10.003)")
        if given.count("REL") >= RELEGATIONS_FOR_DSQ:
            found.append(f"rider {bib} was relegated {given.count('REL')} times: DSQ is proposed (UCI 3.2.013)")
    return found


def _bell(facts: Facts) -> list[str]:
    """UCI 3.2.017bis."""
    if facts.bell.prompt:
        return ["ring the bell as the head of the race begins the last lap, then log it"]
    if facts.bell.due_us is not None and facts.bell.rung_us is None and facts.state in {"finished", "provisional"}:
        return ["no bell was logged"]
    return []


def _finish(log: HeatLog, attempt: Attempt, facts: Facts) -> list[str]:
    found = []
    for one in facts.finish.disagreements:
        found.append(
            f"photo-finish has {one.ahead} before {one.behind}, transponders the other way by "
            f"{-one.transponder_gap_ms} ms: the photo-finish stands"
        )
    lines = attempt.sheet.sheet.lines if attempt.sheet is not None else ()
    for line in lines:
        if line.place is not None and line.bib not in log.index_of_bib and not attempt.judged:
            who = "no bib" if line.bib is None else f"bib {line.bib}, who is not in this heat"
            found.append(f"the photo-finish has {who} at place {line.place}: judge to read the picture")
    photo = facts.finish.photo_finish
    judged = [bib for group in attempt.judged for bib in group]
    if photo and judged and [bib for bib in judged if bib in photo] != [bib for bib in photo if bib in judged]:
        found.append("the judge's order differs from the photo-finish: the judge's order stands")
    if facts.state == "finished":
        found.append("awaiting the photo-finish or the judge's order")
        close = too_close(facts.results)
        if close:
            pairs = ", ".join(f"{ahead} and {behind}" for ahead, behind in close)
            found.append(f"too close for transponders to tell who is who in the photocell: {pairs}; read the picture")
    return found
