"""The field of an attempt as arrays: competitors by marks of the course, ready for the numba core.

Rows 0 … R-1 are the riders by draw, row R is the pacer. MISSING where nothing is known.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timing.core.arrays import MISSING, Float64Array, Int64Array
from timing.core.crossings import (
    AFTER_FINISH,
    BEFORE_START,
    DUPLICATE,
    SOURCE_READ,
    TOO_FAST,
    FilledCrossings,
    assign_marks,
    fill_missed,
)
from timing.core.order import MarkOrder, order_at_marks
from timing.core.splits import FieldSplits, field_splits
from timing.race.attempts import Attempt, HeatEvents
from timing.race.heat import HeatLog
from timing.race.picture import Aside
from timing.race.reads import RaceTime

MANUAL = "manual"
"""Stands for the device where a person saw a passing."""

UNKNOWN = -10
AFTER_STOP = -11
BY_HAND = -12
"""Further reasons why a read has no mark, beside those of the kernel."""

REASONS = {
    DUPLICATE: "duplicate read at this loop",
    TOO_FAST: "false trigger: nobody rides that fast from the read before",
    BEFORE_START: "before the start: riding in or warming up",
    AFTER_FINISH: "after the finish or past the last mark of the course",
    UNKNOWN: "unknown transponder: nobody of this heat carries it",
    AFTER_STOP: "after the race was stopped",
}

NO_READ = -1
BY_A_PERSON = -2
ASIDES_SHOWN = 50


class Field(NamedTuple):
    """N competitors, M marks. `read_us[N, M]` are times of reads only; `filled` has inferred ones too."""

    mark_m: Float64Array
    read_us: Int64Array
    read_index: Int64Array
    """`[N, M]`: which read of the log it was; BY_A_PERSON for a passing that was seen, NO_READ for none."""
    filled: FilledCrossings
    splits: FieldSplits
    order: MarkOrder
    aside: list[Aside]
    """The newest ASIDES_SHOWN of the reads that do not count."""
    aside_count: int
    latest_us: int
    """The newest instant known to the heat, race µs."""
    doubt_us: Int64Array
    """`[N, M]`: ± of reads whose box had its clock set about then, or of which nobody knows; 0 for all others."""


class _Placed(NamedTuple):
    """All reads of the attempt: `read[n]` of the log (or BY_A_PERSON), where and when, and the mark or reason."""

    read: Int64Array
    competitor: Int64Array
    loop: Int64Array
    at_us: Int64Array
    mark: Int64Array
    doubt_us: Int64Array


def build_field(log: HeatLog, events: HeatEvents, attempt: Attempt, race_time: RaceTime, out: frozenset[str]) -> Field:
    """Place the reads of an attempt on the course and infer what was missed. `out`: bibs not awaited any more."""
    mark_m = log.mark_m
    shape = (log.competitors, mark_m.size)
    read_us = np.full(shape, MISSING, np.int64)
    read_index = np.full(shape, NO_READ, np.int64)
    doubt_us = np.zeros(shape, np.int64)
    aside: list[Aside] = []
    aside_count = 0
    if attempt.start_us is not None and mark_m.size:
        placed = _place(log, events, attempt, race_time)
        on_course = placed.mark >= 0
        where = placed.competitor[on_course], placed.mark[on_course]
        read_us[where] = placed.at_us[on_course]
        read_index[where] = placed.read[on_course]
        doubt_us[where] = placed.doubt_us[on_course]
        if mark_m[0] == 0.0:
            # The riders stand on the line: the gun is their crossing of it, whatever the loop read.
            read_us[: log.pacer_index, 0] = attempt.start_us
            doubt_us[: log.pacer_index, 0] = 0
        aside_count = int(np.count_nonzero(~on_course))
        if aside_count:
            aside = _asides(log, events, placed)
    filled = _with_doubts(_fill(log, attempt, read_us, out), doubt_us)
    return Field(
        mark_m,
        read_us,
        read_index,
        filled,
        field_splits(filled.crossing_us, mark_m, log.course.track_length_m),
        order_at_marks(filled.crossing_us[: log.pacer_index]),
        aside,
        aside_count,
        log.latest_us,
        doubt_us,
    )


def _place(log: HeatLog, events: HeatEvents, attempt: Attempt, race_time: RaceTime) -> _Placed:
    """Reads from the beginning of the attempt to its end, in order of time, each with its mark or a reason."""
    columns = log.table.columns()
    at_us, doubt_us = race_time.of(log.table, columns)
    index: Int64Array = np.flatnonzero((at_us >= attempt.from_us) & (at_us < attempt.until_us))
    at_us, loop, doubt_us = at_us[index], columns.loop[index], doubt_us[index]
    competitor = log.owners()[columns.transponder[index]] if index.size else index
    seen = [
        (log.index_of_bib[bib], log.loop_index[loop_id], seen_us)
        for bib, loop_id, seen_us in attempt.manual
        if bib in log.index_of_bib and loop_id in log.loop_index
    ]
    if seen:
        by_person = np.array(seen, np.int64)
        index = np.concatenate([index, np.full(len(seen), BY_A_PERSON, np.int64)])
        competitor = np.concatenate([competitor, by_person[:, 0]])
        loop = np.concatenate([loop, by_person[:, 1]])
        at_us = np.concatenate([at_us, by_person[:, 2]])
        doubt_us = np.concatenate([doubt_us, np.zeros(len(seen), np.int64)])
    # Equal times in a fixed order, so that the order of arrival cannot matter.
    order = np.lexsort((loop, competitor, at_us))
    index, competitor, loop, at_us, doubt_us = (one[order] for one in (index, competitor, loop, at_us, doubt_us))
    mark = np.where(competitor < 0, UNKNOWN, 0)
    if attempt.stopped_us is not None:
        mark[at_us >= attempt.stopped_us] = AFTER_STOP
    if events.set_aside:
        refs = [log.reads[one].ref if one >= 0 else "" for one in index.tolist()]
        mark[[ref in events.set_aside for ref in refs]] = BY_HAND
    counts = mark == 0
    start_us = attempt.start_us if attempt.start_us is not None else attempt.from_us
    mark[counts] = assign_marks(
        competitor[counts], loop[counts], at_us[counts], log.mark_loop, log.mark_m, start_us, log.competitors
    ).mark
    return _Placed(index, competitor, loop, at_us, mark, doubt_us)


def _asides(log: HeatLog, events: HeatEvents, placed: _Placed) -> list[Aside]:
    found = []
    for row in np.flatnonzero(placed.mark < 0)[-ASIDES_SHOWN:].tolist():
        index, reason_number = int(placed.read[row]), int(placed.mark[row])
        loop, at_us = log.course.loops[int(placed.loop[row])], int(placed.at_us[row])
        read = log.reads[index] if index >= 0 else None
        ref, device = ("", MANUAL) if read is None else (read.ref, read.device)
        transponder = None if read is None else read.transponder
        reason = REASONS.get(reason_number) or f"set aside: {events.set_aside.get(ref, '')}"
        found.append(Aside(ref, device, loop, transponder, at_us, reason))
    return found


def _fill(log: HeatLog, attempt: Attempt, read_us: Int64Array, out: frozenset[str]) -> FilledCrossings:
    course = log.course
    last_mark = log.mark_m.size - 1
    awaited = np.full(log.competitors, last_mark, np.int64)
    awaited[log.pacer_index] = int(np.count_nonzero(log.mark_m <= course.exit_m + 0.001)) - 1
    for bib in out:
        awaited[log.index_of_bib[bib]] = -1
    if attempt.stopped_us is not None or attempt.closed:
        awaited[:] = -1
    filled = fill_missed(read_us, log.mark_m, awaited, log.latest_us, len(course.loops))
    for bib, mark in attempt.rejected:
        row = log.index_of_bib.get(bib)
        if row is not None and 0 <= mark <= last_mark and read_us[row, mark] == MISSING:
            filled.crossing_us[row, mark] = MISSING
            filled.source[row, mark] = 0
    return filled


def _with_doubts(filled: FilledCrossings, doubt_us: Int64Array) -> FilledCrossings:
    """What is inferred from reads in doubt is no better than the worst of them."""
    if not doubt_us.any():
        return filled
    inferred = (filled.source != SOURCE_READ) & (filled.crossing_us != MISSING)
    worst_us = np.where(inferred, doubt_us.max(axis=1, keepdims=True), doubt_us)
    return filled._replace(uncertainty_us=filled.uncertainty_us + worst_us)


def truncated_ms(duration_us: Int64Array) -> Int64Array:
    """`timing.units.truncate_to_ms` of a whole array: toward zero, in integers."""
    whole: Int64Array = np.sign(duration_us) * (np.abs(duration_us) // 1_000)
    return whole


def or_none(values: NDArray[np.int64] | NDArray[np.float64], known: NDArray[np.bool_]) -> list[Any]:
    """A column for messages: Python numbers, None where nothing is known."""
    column = values.astype(object)
    column[~known] = None
    return list(column)
