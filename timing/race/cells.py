"""Fusion at lines with a photocell or tape: whose wheel each impulse was, over the whole heat at once.

A transponder says who, a cell says when, the photo-finish says in what order (DESIGN §5). From each transponder's
crossing follow the instants of both wheels (geometry and speed); `timing.core.fusion` gives the line's impulses to
them one to one. At the finish a photo-finish sheet takes the transponders' part. The time of a crossing is then
that of the front wheel. What fits nobody is listed with its reason; nothing is thrown away.
"""

from typing import NamedTuple

import numpy as np

from timing.core.arrays import MISSING, Int64Array
from timing.core.fusion import UNMATCHED, WheelMatch, expect_wheels, match_wheels
from timing.core.order import MarkOrder, order_at_marks
from timing.core.splits import FieldSplits, field_splits
from timing.race.attempts import Attempt
from timing.race.field import ASIDES_SHOWN, NO_READ, Field
from timing.race.heat import HeatLog
from timing.race.picture import Aside, Unmatched
from timing.race.reads import RaceTime
from timing.race.unmatched import lonely_lines, lonely_reads, spare_impulses

WHEELBASE_M = 1.0
"""Between the front tangents of a track bike's wheels: what a beam sees as the second edge."""
WINDOW_US = 100_000
"""A chip's seat and turn move its read by up to this (track-rules §4.3)."""
WIDEST_US = 400_000
"""However uncertain an inferred crossing is, its wheels are looked for no further off."""
CLOSE_US = 30_000
"""Transponders cannot tell the order of front wheels this close: the photo-finish does (hardware-protocols §11)."""
FRONT, REAR = 0, 1


class Cells(NamedTuple):
    """N competitors, M marks. Race µs of the front wheels that cells saw; MISSING where none did."""

    front_us: Int64Array
    impulse: Int64Array
    """`[N, M]`: row of each impulse in the log's table of cells, NO_READ for none."""
    residual_us: Int64Array
    """`[N, M]`: impulse less what the transponder (or the camera) let expect."""
    splits: FieldSplits
    """From front wheel to front wheel, riders only."""
    order: MarkOrder
    """At lines with a cell by front wheels: the cell's where it saw one, else the transponder's less its way."""
    unmatched: list[Unmatched]
    unmatched_count: int
    aside: list[Aside]
    aside_count: int


class _Expected(NamedTuple):
    """Front tangent `[N, M]` (MISSING where nobody is expected), its ± window, and seconds from front to rear in µs."""

    front_us: Int64Array
    window_us: Int64Array
    span_us: Int64Array


class _Impulses(NamedTuple):
    """Of one attempt, in order of time: rows of the table, line (loop and cell) and instant."""

    row: Int64Array
    loop: Int64Array
    line: Int64Array
    at_us: Int64Array


def match_cells(log: HeatLog, attempt: Attempt, field: Field, race_time: RaceTime) -> Cells | None:
    """Fuse the impulses of an attempt with its field; None where no cell has spoken or the race has not begun."""
    if not len(log.cells.reads) or attempt.start_us is None or not log.mark_m.size:
        return None
    impulses, aside, aside_count = _impulses(log, attempt, field, race_time)
    expected = _expected(log, attempt, field)
    shape = field.read_us.shape
    front_us, rear_us = np.full(shape, MISSING, np.int64), np.full(shape, MISSING, np.int64)
    index, residual_us = np.full(shape, NO_READ, np.int64), np.zeros(shape, np.int64)
    spare: list[tuple[Int64Array, Int64Array, Int64Array]] = []
    for line in np.unique(impulses.line).tolist():
        here = impulses.line == line
        own = impulses if here.all() else _Impulses(*(column[here] for column in impulses))
        marks = np.flatnonzero((log.mark_loop == own.loop[0]) & (log.mark_m > 0.0))
        wheel_us, row, mark, wheel, match = _match_line(expected, own, marks)
        used = match.impulse != UNMATCHED
        rears = used & (wheel == REAR)
        rear_us[row[rears], mark[rears]] = own.at_us[match.impulse[rears]]
        # Where two cells look at one line, the first one that saw a wheel says when.
        fronts = used & (wheel == FRONT) & (index[row, mark] == NO_READ)
        where = row[fronts], mark[fronts]
        front_us[where] = own.at_us[match.impulse[fronts]]
        index[where] = own.row[match.impulse[fronts]]
        residual_us[where] = match.residual_us[fronts]
        left = np.ones(own.row.size, np.bool_)
        left[match.impulse[used]] = False
        spare.append((own.row[left], own.at_us[left], wheel_us))
    riders = log.pacer_index
    splits = field_splits(front_us[:riders], log.mark_m, log.course.track_length_m)
    watched = np.unique(impulses.loop)
    unmatched = [
        *spare_impulses(log, spare, field.latest_us),
        *lonely_reads(log, field, watched, front_us, rear_us),
        *lonely_lines(log, attempt, field, front_us),
    ]
    unmatched.sort(key=lambda one: (one.at_us, one.read, one.reason))
    order = _order(log, field, expected, front_us)
    return Cells(
        front_us, index, residual_us, splits, order, unmatched[-ASIDES_SHOWN:], len(unmatched), aside, aside_count
    )


# -- what is expected ----------------------------------------------------------------------------------------


def _match_line(
    expected: _Expected, own: _Impulses, marks: Int64Array
) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array, WheelMatch]:
    """Both wheels of everybody at the marks of one line, in order of time: instants, rows, marks, FRONT or REAR."""
    row, column = np.nonzero(expected.front_us[:, marks] != MISSING)
    mark = marks[column]
    front_us, window_us = expected.front_us[row, mark], expected.window_us[row, mark]
    wheel_us = np.concatenate([front_us, front_us + expected.span_us[row, mark]])
    wheel = np.zeros(wheel_us.size, np.int64)
    wheel[front_us.size :] = REAR
    order = np.argsort(wheel_us, kind="stable")
    whose = order % max(1, front_us.size)
    wheel_us = wheel_us[order]
    return wheel_us, row[whose], mark[whose], wheel[order], match_wheels(wheel_us, window_us[whose], own.at_us)


def _impulses(log: HeatLog, attempt: Attempt, field: Field, race_time: RaceTime) -> tuple[_Impulses, list[Aside], int]:
    """The attempt's impulses, and those that are set aside: before the gun and after a stop nobody races."""
    columns = log.cells.columns()
    at_us = race_time.of(log.cells, columns)
    row: Int64Array = np.flatnonzero((at_us >= attempt.from_us) & (at_us < attempt.until_us))
    row = row[np.lexsort((columns.device[row], columns.transponder[row], at_us[row]))]
    start_us = attempt.start_us if attempt.start_us is not None else attempt.from_us
    early = at_us[row] < start_us
    late = np.zeros(row.size, np.bool_) if attempt.stopped_us is None else at_us[row] >= attempt.stopped_us
    aside = []
    for one in row[early | late][-ASIDES_SHOWN:].tolist():
        read = log.cells.reads[one]
        reason = "before the start: riding in or warming up" if at_us[one] < start_us else "after the race was stopped"
        aside.append(Aside(read.ref, read.device, log.course.loops[read.loop], None, int(at_us[one]), reason))
    count = int(np.count_nonzero(early | late))
    row = row[~(early | late)]
    loop = columns.loop[row]
    # A line of sight is one channel of one box at one loop.
    line = (loop * len(log.cells.devices) + columns.device[row]) * len(log.cells.transponders)
    return _Impulses(row, loop, line + columns.transponder[row], at_us[row]), aside, count


def _expected(log: HeatLog, attempt: Attempt, field: Field) -> _Expected:
    front_m = np.array([*rider_fronts_m(log), log.pacer.front_wheel_front_m], np.float64)
    span_m = np.full(log.competitors, WHEELBASE_M)
    span_m[log.pacer_index] = log.pacer.front_wheel_front_m - log.pacer.rear_wheel_rear_m
    standing = log.pacer_index if log.mark_m[0] == 0.0 else 0
    wheels = expect_wheels(field.filled.crossing_us, field.splits.sector_ms, log.mark_m, standing, front_m, span_m)
    window_us = np.minimum(WINDOW_US + field.filled.uncertainty_us, WIDEST_US)
    _take_photo_finish(log, attempt, wheels.front_us, window_us)
    return _Expected(wheels.front_us, window_us, wheels.span_us)


def rider_fronts_m(log: HeatLog) -> list[float]:
    """From each rider's transponder forward to the foremost point of the front wheel, m."""
    return [
        log.setup.meet.transponder_to_front_m if rider.transponder_to_front_m is None else rider.transponder_to_front_m
        for rider in log.riders
    ]


def _take_photo_finish(log: HeatLog, attempt: Attempt, front_us: Int64Array, window_us: Int64Array) -> None:
    """At the finish the camera says in what order: its times, or the transponders' given to its order.

    Its scale is the gun's; how far that is off is the median over who is read by both (a hand-logged gun).
    """
    mark = log.course.finish_mark
    if attempt.sheet is None or mark < 0 or attempt.start_us is None:
        return
    lines = [line for line in attempt.sheet.sheet.lines if line.bib in log.index_of_bib and line.place is not None]
    rows = [log.index_of_bib[str(line.bib)] for line in lines]
    times = [line.time_us if line.time_us is not None else line.gap_us for line in lines]
    if lines and all(line.time_us is None for line in lines):
        times = [0 if line.place == 1 else line.gap_us for line in lines]
    both = [(row, us) for row, us in zip(rows, times, strict=True) if us is not None and front_us[row, mark] != MISSING]
    if both:
        offsets = sorted(int(front_us[row, mark]) - us for row, us in both)
        offset_us = offsets[len(offsets) // 2]
        for row, us in zip(rows, times, strict=True):
            if us is not None:
                front_us[row, mark] = offset_us + us
                window_us[row, mark] = WINDOW_US
        return
    known = [row for row in rows if front_us[row, mark] != MISSING]
    front_us[known, mark] = np.sort(front_us[known, mark])


def _order(log: HeatLog, field: Field, expected: _Expected, front_us: Int64Array) -> MarkOrder:
    """Order at every mark; where a cell saw anybody, everybody by the front wheel."""
    riders = log.pacer_index
    times = field.filled.crossing_us[:riders].copy()
    seen = front_us[:riders] != MISSING
    here = seen.any(axis=0)
    known = times[:, here] != MISSING
    times[:, here] = np.where(known, np.where(seen, front_us[:riders], expected.front_us[:riders])[:, here], MISSING)
    return order_at_marks(times)
