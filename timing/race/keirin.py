"""The keirin, rule by rule: from the log of a heat to its picture (UCI 3.2.134-143, track-rules §1).

`derive` is a pure function: the same log, fits and instant give the same picture, live and in replay.
"""

import math
from typing import NamedTuple

import numpy as np

from timing.core.arrays import MISSING
from timing.race.attempts import Attempt, HeatEvents, read_log
from timing.race.cells import match_cells
from timing.race.field import ASIDES_SHOWN, Field, build_field
from timing.race.finish import finish_and_results
from timing.race.heat import HeatLog
from timing.race.notices import Facts, notices
from timing.race.pacing import pace_report
from timing.race.picture import (
    RACING_STATES,
    AttemptSummary,
    Bell,
    HeatPicture,
    HeatState,
    ResultLine,
    ResultStatus,
    Starter,
)
from timing.race.reads import RaceTime
from timing.race.standings import mark_orders, rider_splits

OUT_CODES = frozenset({"DNF", "DNS", "DSQ"})
"""Riders with these are not awaited at the loops."""
TOLERANCE_M = 0.001


class Progress(NamedTuple):
    """How far the race is, metres from the start line; -1 before anything was read."""

    head_m: float
    pacer_m: float
    finished: int
    awaited: int


def derive(log: HeatLog, race_time: RaceTime, uncertainty_us: int) -> HeatPicture:
    """The heat's picture. `race_time` maps a device's time to race µs; `uncertainty_us` is its largest ±."""
    events = read_log(log, race_time)
    attempt = events.attempts[-1]
    ruled_out = frozenset(one.bib for one in events.decisions if one.code in OUT_CODES)
    out = (ruled_out | attempt.excluded) & frozenset(log.index_of_bib)
    field = build_field(log, events, attempt, race_time, out)
    cells = match_cells(log, attempt, field, race_time)
    if cells is not None:
        field = field._replace(order=cells.order)
    progress = _progress(log, attempt, field, out)
    state = heat_state(log, events, attempt, progress)
    pace = pace_report(log, field, state in RACING_STATES, attempt.stopped_us is not None)
    finish, results = finish_and_results(log, events, attempt, field, cells)
    counter = attempt.lap_counter if attempt.lap_counter is not None else log.course.total_laps
    bell = _bell(log, attempt, field, progress, state)
    facts = Facts(state, pace, finish, bell, results)
    alerts = notices(log, events, attempt, field, facts)
    asides = [*log.aside, *field.aside, *(cells.aside if cells is not None else ())]
    asides.sort(key=lambda aside: (aside.at_us, aside.read))
    return HeatPicture(
        heat=log.heat.id,
        event=log.heat.event,
        category=log.heat.category,
        round=log.heat.round,
        number=log.heat.heat,
        name=log.heat.name or log.heat.id,
        attempt=attempt.number,
        state=state,
        status=_result_status(state, progress, results),
        start_us=attempt.start_us,
        start_source=attempt.start_source,
        laps_to_go=counter,
        laps_to_go_measured=measured_laps_to_go(log, progress),
        course_m=log.course.finish_m,
        exit_m=log.course.exit_m,
        starters=_starters(log, events),
        attempts=tuple(
            AttemptSummary(one.number, one.armed_us, one.start_us, one.stopped_us, one.stop_reason)
            for one in events.attempts
        ),
        bell=bell,
        orders=mark_orders(log, field),
        splits=rider_splits(log, attempt, field, cells),
        pace=pace,
        finish=finish,
        results=results,
        decisions=tuple(events.decisions),
        notices=tuple(one.text for one in alerts),
        set_aside=tuple(asides[-ASIDES_SHOWN:]),
        set_aside_count=log.aside_count + field.aside_count + (cells.aside_count if cells is not None else 0),
        clock_uncertainty_us=uncertainty_us,
        unmatched=tuple(cells.unmatched) if cells is not None else (),
        unmatched_count=cells.unmatched_count if cells is not None else 0,
        alerts=alerts,
    )


def _starters(log: HeatLog, events: HeatEvents) -> tuple[Starter, ...]:
    codes = {decision.bib: decision.code for decision in events.decisions if decision.code != "W"}
    return tuple(
        Starter(
            rider.bib,
            rider.name,
            rider.surname,
            rider.given,
            rider.nation,
            position.draw,
            position.origin,
            rider.transponders,
            codes.get(rider.bib),
        )
        for position, rider in zip(log.start_list, log.riders, strict=True)
    )


def _progress(log: HeatLog, attempt: Attempt, field: Field, out: frozenset[str]) -> Progress:
    reads = field.read_us[: log.pacer_index] != MISSING
    seen = np.flatnonzero(reads.any(axis=0))
    pacer = np.flatnonzero(field.read_us[log.pacer_index] != MISSING)
    finish = log.course.finish_mark
    in_race = [index for index, rider in enumerate(log.riders) if rider.bib not in out]
    home = reads[:, finish].tolist() if finish >= 0 else []
    for bib, mark in attempt.accepted:
        # Accepted by a person: the rider is home, though the time stays an inferred one and out of the result.
        row = log.index_of_bib[bib]
        if mark == finish and field.filled.crossing_us[row, mark] != MISSING:
            home[row] = True
    return Progress(
        head_m=float(field.mark_m[seen[-1]]) if seen.size else -1.0,
        pacer_m=float(field.mark_m[pacer[-1]]) if pacer.size else -1.0,
        finished=sum(home[index] for index in in_race) if home else 0,
        awaited=len(in_race),
    )


def heat_state(log: HeatLog, events: HeatEvents, attempt: Attempt, progress: Progress) -> HeatState:
    """The state of the heat as in track-rules §1.13. Without a pacer's read the head of the race stands in."""
    if attempt.official:
        return "official"
    if attempt.stopped_us is not None:
        return "stopped"
    if attempt.start_us is None:
        if attempt.armed_us is not None:
            return "pacer_run"
        return "on_line" if events.opened else "drawn"
    if attempt.judged or attempt.sheet is not None:
        return "provisional"
    if attempt.closed or (progress.awaited > 0 and progress.finished == progress.awaited):
        return "finished"
    return _racing_state(log, progress)


def _racing_state(log: HeatLog, progress: Progress) -> HeatState:
    course = log.course
    length = course.track_length_m
    if progress.head_m >= course.finish_m - length - TOLERANCE_M:
        return "bell"
    if progress.head_m > course.exit_m + TOLERANCE_M:
        return "sprint"
    lead_m = max(progress.pacer_m, progress.head_m)
    if lead_m >= course.exit_m - TOLERANCE_M:
        return "pacer_exit"
    if lead_m >= log.setup.rules.keirin.drawn_order_laps * length - TOLERANCE_M:
        return "paced"
    return "first_lap" if lead_m > 0.0 else "started"


def measured_laps_to_go(log: HeatLog, progress: Progress) -> float:
    """What the lap counter should show by the head's reads at the finish line (or wherever it was read)."""
    course = log.course
    if progress.head_m <= 0.0:
        return course.total_laps
    left = math.ceil((course.finish_m - progress.head_m - TOLERANCE_M) / course.track_length_m)
    return min(float(left), course.total_laps)


def _bell(log: HeatLog, attempt: Attempt, field: Field, progress: Progress, state: HeatState) -> Bell:
    """UCI 3.2.017bis: once, as the head of the race crosses the line to begin the last lap."""
    course = log.course
    line_m = course.finish_m - course.track_length_m
    prompt_from_m = line_m - course.track_length_m / 2
    due_us = None
    mark = course.mark_at(line_m)
    if mark >= 0:
        times = field.read_us[: log.pacer_index, mark]
        read = times[times != MISSING]
        due_us = int(read.min()) if read.size else None
    racing = state in RACING_STATES
    prompt = racing and attempt.bell_us is None and progress.head_m >= prompt_from_m - TOLERANCE_M
    return Bell(prompt, due_us, attempt.bell_us)


def _result_status(state: HeatState, progress: Progress, results: tuple[ResultLine, ...]) -> ResultStatus:
    if state == "official":
        return "official"
    if state == "provisional":
        return "provisional"
    return "virtual" if any(line.place is not None for line in results) else "none"
