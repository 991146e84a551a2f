"""The field of an attempt as arrays: competitors by marks of the course, ready for the numba core.

Rows 0 … R-1 are the riders by draw, row R is the pacer. MISSING where nothing is known.
"""

from typing import NamedTuple

import numpy as np

from timing.core.arrays import MISSING, Float64Array, Int64Array
from timing.core.crossings import (
    AFTER_FINISH,
    BEFORE_START,
    DUPLICATE,
    TOO_FAST,
    FilledCrossings,
    assign_marks,
    fill_missed,
)
from timing.core.order import MarkOrder, order_at_marks
from timing.core.splits import FieldSplits, field_splits
from timing.race.attempts import Attempt, HeatEvents, RaceTime
from timing.race.heat import HeatLog
from timing.race.picture import Aside

MANUAL_DEVICE = "manual"

REASONS = {
    DUPLICATE: "duplicate read at this loop",
    TOO_FAST: "false trigger: nobody rides that fast from the read before",
    BEFORE_START: "before the start: riding in or warming up",
    AFTER_FINISH: "after the finish or past the last mark of the course",
}


class Field(NamedTuple):
    """`read_us[N, M]` times of reads only; `filled` with inferred ones; splits and orders of the riders."""

    mark_m: Float64Array
    read_us: Int64Array
    filled: FilledCrossings
    splits: FieldSplits
    order: MarkOrder
    refs: dict[tuple[int, int], str]
    manual: frozenset[tuple[int, int]]
    aside: list[Aside]
    latest_us: int
    """The newest instant known to the heat, race µs."""


def build_field(log: HeatLog, events: HeatEvents, attempt: Attempt, race_time: RaceTime, out: frozenset[str]) -> Field:
    """Place the reads of an attempt on the course and infer what was missed. `out`: bibs not awaited any more."""
    course = log.course
    start_us = attempt.start_us
    mark_m = np.array([mark.distance_m for mark in course.marks], np.float64)
    shape = (log.competitors, len(course.marks))
    read_us = np.full(shape, MISSING, np.int64)
    refs: dict[tuple[int, int], str] = {}
    manual: set[tuple[int, int]] = set()
    aside: list[Aside] = []
    latest_us = log.latest_us
    if start_us is not None:
        rows = _rows(log, events, attempt, race_time, aside)
        if rows:
            columns = np.array([row[:3] for row in rows], np.int64)
            mark_loop = [mark.loop_index for mark in course.marks]
            marks = assign_marks(
                columns[:, 1], columns[:, 2], columns[:, 0], mark_loop, mark_m, start_us, log.competitors
            ).mark.tolist()
            for (at_us, competitor, loop, ref, device), mark in zip(rows, marks, strict=True):
                if mark < 0:
                    aside.append(Aside(ref, device, course.loops[loop], None, at_us, REASONS[mark]))
                    continue
                read_us[competitor, mark] = at_us
                refs[competitor, mark] = ref
                if device == MANUAL_DEVICE:
                    manual.add((competitor, mark))
        if course.marks[0].distance_m == 0.0:
            # The riders stand on the line: the gun is their crossing of it, whatever the loop read.
            read_us[: log.pacer_index, 0] = start_us
    filled = _fill(log, attempt, read_us, mark_m, latest_us, out)
    riders_us = filled.crossing_us[: log.pacer_index]
    return Field(
        mark_m,
        read_us,
        filled,
        field_splits(filled.crossing_us, mark_m, course.track_length_m),
        order_at_marks(riders_us),
        refs,
        frozenset(manual),
        aside,
        latest_us,
    )


def _rows(
    log: HeatLog, events: HeatEvents, attempt: Attempt, race_time: RaceTime, aside: list[Aside]
) -> list[tuple[int, int, int, str, str]]:
    """(race µs, competitor, loop, reference, device) of the attempt in time order."""
    rows: list[tuple[int, int, int, str, str]] = []
    until_us = attempt.until_us if attempt.stopped_us is None else min(attempt.until_us, attempt.stopped_us)
    for read in log.reads:
        at_us = race_time(read.device, read.device_us, read.fallback_us)
        if at_us < attempt.from_us or at_us >= until_us:
            continue
        reason = events.set_aside.get(read.ref)
        if reason is not None:
            aside.append(Aside(read.ref, read.device, log.course.loops[read.loop], None, at_us, f"set aside: {reason}"))
            continue
        rows.append((at_us, read.competitor, read.loop, read.ref, read.device))
    for bib, loop, at_us in attempt.manual:
        if bib in log.index_of_bib and loop in log.loop_index:
            rows.append((at_us, log.index_of_bib[bib], log.loop_index[loop], "", MANUAL_DEVICE))
    rows.sort(key=lambda row: row[:3])
    return rows


def _fill(
    log: HeatLog,
    attempt: Attempt,
    read_us: Int64Array,
    mark_m: Float64Array,
    latest_us: int,
    out: frozenset[str],
) -> FilledCrossings:
    course = log.course
    last_mark = len(course.marks) - 1
    exit_marks = np.flatnonzero(mark_m <= course.exit_m + 0.001)
    awaited = np.full(log.competitors, last_mark, np.int64)
    awaited[log.pacer_index] = int(exit_marks[-1]) if exit_marks.size else -1
    for bib in out:
        awaited[log.index_of_bib[bib]] = -1
    if attempt.stopped_us is not None or attempt.closed:
        awaited[:] = -1
    filled = fill_missed(read_us, mark_m, awaited, latest_us, len(course.loops))
    for bib, mark in attempt.rejected:
        row = log.index_of_bib.get(bib)
        if row is not None and 0 <= mark <= last_mark and read_us[row, mark] == MISSING:
            filled.crossing_us[row, mark] = MISSING
            filled.source[row, mark] = 0
    return filled
