"""What needs a person now: alerts for the commissaires and the operator, most urgent first.

They propose and remind, with the article; none of them decides (DESIGN §5). Once official, nothing is open.
"""

from typing import NamedTuple

import numpy as np

from timing.clock import milliseconds
from timing.core.arrays import MISSING
from timing.race.alerts import alert
from timing.race.attempts import Attempt, HeatEvents
from timing.race.field import Field
from timing.race.finish import WARNING, too_close
from timing.race.heat import HeatLog
from timing.race.picture import RACING_STATES, Bell, Finish, HeatState, PaceReport, ResultLine
from timing.race.sentences import Alert

DOUBLE_SHOT_US = 3_000_000
"""Two shots within this time are the starter's stop signal, UCI 3.2.019."""
REACTION_US = 10_000_000
"""A mishap may have happened so long before somebody logged it."""
WARNINGS_FOR_DSQ = 2
RELEGATIONS_FOR_DSQ = 3
"""UCI 3.2.013, 3.10.003, counted within the heat here; over the heats of an event by `sanctions`."""
TOLERANCE_M = 0.001


class Facts(NamedTuple):
    """What was derived so far."""

    state: HeatState
    pace: PaceReport
    finish: Finish
    bell: Bell
    results: tuple[ResultLine, ...]


def notices(log: HeatLog, events: HeatEvents, attempt: Attempt, field: Field, facts: Facts) -> tuple[Alert, ...]:
    """The alerts of a heat, most urgent first; their English is its notices."""
    if facts.state == "official":
        return ()
    found: list[Alert] = []
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
        found.append(alert("sheet_without_start"))
    if facts.pace.findings and facts.pace.pull_off != "awaited":
        found.append(alert("pace_off", None, **_pace_params(facts.pace)))
    elif any(one.what == "pacer_unread" for one in facts.pace.findings):
        found.append(alert("pacer_unread", finding=facts.pace.findings[-1].text))
    return tuple(found)


def _pace_params(pace: PaceReport) -> dict[str, str | int]:
    """The summary in English, and its figures and findings by name for other languages."""
    return {
        "summary": pace.summary,
        "entry_kmh": "?" if pace.entry_kmh is None else f"{pace.entry_kmh:.0f}",
        "exit_kmh": "?" if pace.exit_kmh is None else f"{pace.exit_kmh:.0f}",
        "pull_off_m": "?" if pace.pull_off_m is None else f"{pace.pull_off_m:g}",
        "findings": ", ".join(dict.fromkeys(one.what for one in pace.findings)),
    }


def _clocks_in_doubt(log: HeatLog, attempt: Attempt, field: Field) -> list[Alert]:
    """Boxes whose clock was set, or whose records came late, so that their times leave something open."""
    found = []
    if attempt.start_doubt_us:
        found.append(
            alert("start_in_doubt", doubt=milliseconds(attempt.start_doubt_us), source=str(attempt.start_source))
        )
    worst_us: dict[str, int] = {}
    crossings: dict[str, int] = {}
    for row, mark in np.argwhere((field.doubt_us > 0) & (field.read_index >= 0)).tolist():
        device = log.reads[int(field.read_index[row, mark])].device
        worst_us[device] = max(worst_us.get(device, 0), int(field.doubt_us[row, mark]))
        crossings[device] = crossings.get(device, 0) + 1
    for device in sorted(worst_us):
        doubt = milliseconds(worst_us[device])
        found.append(alert("clock_in_doubt", device=device, crossings=crossings[device], doubt=doubt))
    return found


def _shots(attempt: Attempt) -> list[Alert]:
    """UCI 3.2.019: the double shot stops the race, and only the starter gives it."""
    shots_us = attempt.extra_shots_us
    if not shots_us:
        return []
    before_us = attempt.start_us if attempt.start_us is not None else shots_us[0]
    spans = [later - earlier for earlier, later in zip([before_us, *shots_us], shots_us, strict=False)]
    if min(spans) <= DOUBLE_SHOT_US:
        return [alert("double_shot")]
    return [alert("gun_again")]


def _mishaps(log: HeatLog, attempt: Attempt, field: Field) -> list[Alert]:
    """UCI 3.2.143: a new start of all in the first half lap, and after it the race goes on."""
    if not attempt.mishaps:
        return []
    limit_us = _restart_limit_us(log, field)
    found = []
    for at_us, bib, what in attempt.mishaps:
        if limit_us is None or at_us <= limit_us:
            found.append(alert("mishap_restart", bib=bib, what=what))
        elif at_us - limit_us <= REACTION_US:
            found.append(alert("mishap_late", bib=bib, what=what, seconds=f"{(at_us - limit_us) / 1e6:.1f}"))
        else:
            found.append(alert("mishap_goes_on", bib=bib, what=what))
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


def _riders_ahead(events: HeatEvents, pace: PaceReport) -> list[Alert]:
    """UCI 3.2.140, one notice a rider, until a commissaire has ruled on the rider."""
    ruled = {decision.bib for decision in events.decisions}
    found = []
    for bib in dict.fromkeys(margin.bib for margin in pace.riders_ahead):
        if bib in ruled:
            continue
        seen = [margin for margin in pace.riders_ahead if margin.bib == bib]
        most = min(seen, key=lambda margin: margin.margin_m)
        found.append(
            alert(
                "rider_ahead",
                bib=bib,
                distance=f"{most.distance_m:g}",
                margin_m=f"{-most.margin_m:.2f}",
                margin_ms=-most.margin_ms,
            )
        )
    return found


def _sanctions(events: HeatEvents) -> list[Alert]:
    """UCI 3.2.013, 3.10.003: a second warning or a third relegation in one event is a disqualification."""
    codes: dict[str, list[str]] = {}
    for decision in events.decisions:
        codes.setdefault(decision.bib, []).append(decision.code)
    found = []
    for bib, given in codes.items():
        if "DSQ" in given:
            continue
        if given.count(WARNING) >= WARNINGS_FOR_DSQ:
            found.append(alert("propose_dsq_warnings", bib=bib, count=given.count(WARNING)))
        if given.count("REL") >= RELEGATIONS_FOR_DSQ:
            found.append(alert("propose_dsq_relegations", bib=bib, count=given.count("REL")))
    return found


def _bell(facts: Facts) -> list[Alert]:
    """UCI 3.2.017bis."""
    if facts.bell.prompt:
        return [alert("ring_bell")]
    if facts.bell.due_us is not None and facts.bell.rung_us is None and facts.state in {"finished", "provisional"}:
        return [alert("no_bell")]
    return []


def _finish(log: HeatLog, attempt: Attempt, facts: Facts) -> list[Alert]:
    found: list[Alert] = []
    for one in facts.finish.disagreements:
        gap_ms = -one.transponder_gap_ms
        found.append(alert("photo_finish_differs", ahead=one.ahead, behind=one.behind, gap_ms=gap_ms))
    lines = attempt.sheet.sheet.lines if attempt.sheet is not None else ()
    for line in lines:
        if line.place is not None and line.bib not in log.index_of_bib and not attempt.judged:
            if line.bib is None:
                found.append(alert("photo_finish_no_bib", place=line.place))
            else:
                found.append(alert("photo_finish_unknown_bib", bib=line.bib, place=line.place))
    photo = facts.finish.photo_finish
    judged = [bib for group in attempt.judged for bib in group]
    if photo and judged and [bib for bib in judged if bib in photo] != [bib for bib in photo if bib in judged]:
        found.append(alert("judge_differs"))
    if facts.state == "finished":
        found.append(alert("awaiting_order"))
        close = too_close(facts.results)
        if close:
            pairs = ", ".join(f"{ahead} / {behind}" for ahead, behind in close)
            in_english = ", ".join(f"{ahead} and {behind}" for ahead, behind in close)
            found.append(alert("too_close", {"pairs": in_english}, pairs=pairs))
    return found
