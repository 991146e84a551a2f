"""Fusion at lines with a photocell or tape: whose wheel each impulse was, over the whole heat at once.

A transponder says who, a cell says when, the photo-finish says in what order (DESIGN §5). From each transponder's
crossing follow the instants of both wheels (geometry and speed); `timing.core.fusion` gives the line's impulses to
them one to one. At the finish a photo-finish sheet takes the transponders' part. The time of a crossing is then
that of the front wheel. What fits nobody is listed with its reason; nothing is thrown away.

A front wheel's impulse is taken only where it can be nobody else's (`_front_doubt_us`):

| What was found | The crossing is |
| --- | --- |
| both wheels, no other impulse fits | the impulse ± what their distance is off; beyond CLOSE_US ± its residual |
| the front, its residual within NEAR_US and the clocks' ± | the impulse, ± its residual less the line's median |
| the same alone, TOLD_FROM_US off that median or more | the impulse, ± that and NEAR_US |
| the front alone, its residual up to CLOSE_US | the impulse, ± the residual and NEAR_US |
| the front, but an inferred wheel without an impulse could have made it | the impulse, ± its residual and NEAR_US |
| another impulse up to CLOSE_US away fits as well | the impulse, ± the way to it |
| a wheel without an impulse could have made it; it lies too far off, also from its rear wheel | the transponder's |
| a prediction that no read and no camera confirms | the prediction |
"""

from typing import NamedTuple

import numpy as np

from drivers.records import PhotoFinishLine
from timing.core.arrays import MISSING, BoolArray, Int64Array
from timing.core.crossings import SOURCE_PREDICTED
from timing.core.fusion import (
    SHIFT_FROM_WHEELS,
    UNMATCHED,
    WheelMatch,
    expect_wheels,
    match_wheels,
    weigh_doubts,
)
from timing.core.order import MarkOrder, order_at_marks
from timing.core.splits import FieldSplits, field_splits
from timing.race.attempts import BY_COMMAND, Attempt
from timing.race.field import ASIDES_SHOWN, NO_READ, Field
from timing.race.heat import HeatLog
from timing.race.picture import Aside, Unmatched
from timing.race.reads import RaceTime
from timing.race.unmatched import SpareImpulses, lonely_lines, lonely_reads, spare_impulses

WHEELBASE_M = 1.0
"""Between the front tangents of a track bike's wheels: what a beam sees as the second edge."""
WINDOW_US = 100_000
"""A chip's seat and turn move its read by up to this (track-rules §4.3)."""
WIDEST_US = 400_000
"""However uncertain an inferred crossing is, its wheels are looked for no further off."""
CLOSE_US = 30_000
"""Transponders cannot tell the order of front wheels this close: the photo-finish does (hardware-protocols §11)."""
NEAR_US = 3_000
"""The way from transponder to front wheel is made up from mean speeds and good to this, beside the clocks' ±."""
TOLD_FROM_US = 2_000
"""Less than this is not said of a front wheel: boxes and chips are no better."""
CLOCKS_US = 5_000
"""Clocks that are worse than this help nobody to tell wheels apart: no more is allowed for them."""
SPAN_PART = 10
"""From front to rear wheel takes the time that geometry and mean speed give, to a tenth."""
FRONT, REAR = 0, 1
REFUSED = -1


class Cells(NamedTuple):
    """N competitors, M marks. Race µs of the front wheels that cells saw; MISSING where none did."""

    front_us: Int64Array
    impulse: Int64Array
    """`[N, M]`: row of each impulse in the log's table of cells, NO_READ for none."""
    residual_us: Int64Array
    """`[N, M]`: impulse less what the transponder (or the camera) let expect."""
    uncertainty_us: Int64Array
    """`[N, M]`: ± of `front_us`; 0 where the impulse can have been of no other wheel."""
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
    loose_us: Int64Array
    """± of the crossing itself: 0 where it was read."""
    foretold: BoolArray
    """Nobody saw this crossing yet: no impulse proves it."""


class _Line(NamedTuple):
    """The wheels of one line in order of time, with their impulses. `doubt_us[P]`: ± of a front, REFUSED for none."""

    wheel_us: Int64Array
    row: Int64Array
    mark: Int64Array
    wheel: Int64Array
    match: WheelMatch
    doubt_us: Int64Array


class _Impulses(NamedTuple):
    """Of one attempt, in order of time: rows of the table, line (loop and cell) and instant."""

    row: Int64Array
    loop: Int64Array
    line: Int64Array
    at_us: Int64Array
    doubt_us: Int64Array
    """± of an impulse whose box had its clock set about then."""


def match_cells(log: HeatLog, attempt: Attempt, field: Field, race_time: RaceTime) -> Cells | None:
    """Fuse the impulses of an attempt with its field; None where no cell has spoken or the race has not begun."""
    if not len(log.cells.reads) or attempt.start_us is None or not log.mark_m.size:
        return None
    impulses, aside, aside_count = _impulses(log, attempt, field, race_time)
    expected = _expected(log, attempt, field)
    near_us = NEAR_US + min(CLOCKS_US, race_time.uncertainty_us(log.cells) + race_time.uncertainty_us(log.table))
    shape = field.read_us.shape
    front_us, rear_us = np.full(shape, MISSING, np.int64), np.full(shape, MISSING, np.int64)
    index, residual_us = np.full(shape, NO_READ, np.int64), np.zeros(shape, np.int64)
    uncertainty_us, refused = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    spare: list[SpareImpulses] = []
    for number in np.unique(impulses.line).tolist():
        here = impulses.line == number
        own = impulses if here.all() else _Impulses(*(column[here] for column in impulses))
        marks = np.flatnonzero((log.mark_loop == own.loop[0]) & (log.mark_m > 0.0))
        line = _match_line(expected, own, marks, near_us)
        row, mark, match = line.row, line.mark, line.match
        used = match.impulse != UNMATCHED
        rears = used & (line.wheel == REAR)
        rear_us[row[rears], mark[rears]] = own.at_us[match.impulse[rears]]
        doubtful = line.doubt_us == REFUSED
        refused[row[doubtful], mark[doubtful]] = True
        # Where two cells look at one line, the first one that saw a wheel says when.
        fronts = used & (line.wheel == FRONT) & ~doubtful & (index[row, mark] == NO_READ)
        where = row[fronts], mark[fronts]
        front_us[where] = own.at_us[match.impulse[fronts]]
        index[where] = own.row[match.impulse[fronts]]
        residual_us[where] = match.residual_us[fronts]
        uncertainty_us[where] = line.doubt_us[fronts] + own.doubt_us[match.impulse[fronts]]
        left = np.ones(own.row.size, np.bool_)
        left[match.impulse[used & ~doubtful]] = False
        claimed = np.zeros(own.row.size, np.bool_)
        claimed[match.impulse[doubtful]] = True
        spare.append(SpareImpulses(own.row[left], own.at_us[left], claimed[left], line.wheel_us))
    riders = log.pacer_index
    splits = field_splits(front_us[:riders], log.mark_m, log.course.track_length_m)
    watched = np.unique(impulses.loop)
    unmatched = [
        *spare_impulses(log, spare, field.latest_us),
        *lonely_reads(log, field, watched, front_us, rear_us, refused & (front_us == MISSING)),
        *lonely_lines(log, attempt, field, front_us),
    ]
    unmatched.sort(key=lambda one: (one.at_us, one.read, one.reason))
    order = _order(log, field, expected, front_us)
    shown, count = unmatched[-ASIDES_SHOWN:], len(unmatched)
    return Cells(front_us, index, residual_us, uncertainty_us, splits, order, shown, count, aside, aside_count)


# -- what is expected ----------------------------------------------------------------------------------------


def _match_line(expected: _Expected, own: _Impulses, marks: Int64Array, near_us: int) -> _Line:
    """Both wheels of everybody at the marks of one line, matched and doubted."""
    row, column = np.nonzero(expected.front_us[:, marks] != MISSING)
    mark = marks[column]
    front_us = expected.front_us[row, mark]
    wheel_us = np.concatenate([front_us, front_us + expected.span_us[row, mark]])
    order = np.argsort(wheel_us, kind="stable")
    wheel_us, wheel = wheel_us[order], np.where(order < front_us.size, FRONT, REAR)
    whose = order % max(1, front_us.size)
    row, mark = row[whose], mark[whose]
    # The other wheel of each crossing stands half the unsorted list further on.
    position = np.empty(order.size, np.int64)
    position[order] = np.arange(order.size)
    mate = position[(order + front_us.size) % max(1, order.size)]
    window_us, loose_us = expected.window_us[row, mark], expected.loose_us[row, mark]
    match = match_wheels(wheel_us, window_us, own.at_us)
    doubts = weigh_doubts(wheel_us, window_us, loose_us, mate, own.at_us, match, near_us)
    refused = doubts.contested | expected.foretold[row, mark]
    distance_us = own.at_us[match.impulse[mate]] - own.at_us[match.impulse]
    off_us = np.abs(distance_us - expected.span_us[row, mark])
    both = match.impulse[mate] != UNMATCHED
    pair = both & (off_us <= np.maximum(near_us, expected.span_us[row, mark] // SPAN_PART))
    # A rear wheel at the wrong distance denies a front one that is not where the transponder has it.
    refused |= both & ~pair & (np.abs(match.residual_us) > near_us)
    doubt_us = _front_doubt_us(match, np.where(pair, off_us, UNMATCHED), doubts.rival_us, refused, near_us)
    maybe_another = doubts.shared & (doubt_us != REFUSED)
    doubt_us[maybe_another] = np.maximum(doubt_us, np.abs(match.residual_us) + near_us)[maybe_another]
    seen = (doubt_us != REFUSED) & (match.impulse != UNMATCHED)
    doubt_us[seen] = np.maximum(doubt_us, loose_us)[seen]
    doubt_us[(wheel == REAR) | (match.impulse == UNMATCHED)] = 0
    return _Line(wheel_us, row, mark, wheel, match, doubt_us)


def _front_doubt_us(
    match: WheelMatch, span_off_us: Int64Array, rival_us: Int64Array, refused: BoolArray, near_us: int
) -> Int64Array:
    """± of a front wheel's impulse, REFUSED where the transponder's time is the better one; see the module's table.

    `span_off_us` is how far the rear wheel is from its right distance, UNMATCHED where there is none.
    """
    pair = span_off_us != UNMATCHED
    off_us = np.abs(match.residual_us)
    # What the others of the line have as well is the boxes' clocks; the rest may be an edge that hid the front's.
    own_us = np.abs(match.residual_us - _common_us(match))
    close_us = np.where(pair, np.minimum(own_us, span_off_us), own_us + NEAR_US)
    close_us[own_us < TOLD_FROM_US] = 0
    # Beyond what a read may be off the rear wheel is the witness: no better than its own distance fits.
    with_rear = np.where(off_us > CLOSE_US, off_us, np.where(off_us > near_us, span_off_us + near_us, close_us))
    alone = np.where(off_us > near_us, off_us + near_us, close_us)
    doubt_us = np.maximum(np.where(pair, with_rear, alone), rival_us)
    too_far = (rival_us > CLOSE_US) | (~pair & (off_us > CLOSE_US))
    return np.where(refused | too_far, REFUSED, doubt_us)


def _common_us(match: WheelMatch) -> int:
    """The median residual of a line; 0 where too few wheels were matched to tell."""
    found = np.sort(match.residual_us[match.impulse != UNMATCHED])
    return int(found[found.size // 2]) if found.size >= SHIFT_FROM_WHEELS else 0


def _impulses(log: HeatLog, attempt: Attempt, field: Field, race_time: RaceTime) -> tuple[_Impulses, list[Aside], int]:
    """The attempt's impulses, and those that are set aside: before the gun and after a stop nobody races."""
    columns = log.cells.columns()
    at_us, doubt_us = race_time.of(log.cells, columns)
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
    return _Impulses(row, loop, line + columns.transponder[row], at_us[row], doubt_us[row]), aside, count


def _expected(log: HeatLog, attempt: Attempt, field: Field) -> _Expected:
    front_m = np.array([*rider_fronts_m(log), log.pacer.front_wheel_front_m], np.float64)
    span_m = np.full(log.competitors, WHEELBASE_M)
    span_m[log.pacer_index] = log.pacer.front_wheel_front_m - log.pacer.rear_wheel_rear_m
    standing = log.pacer_index if log.mark_m[0] == 0.0 else 0
    wheels = expect_wheels(field.filled.crossing_us, field.splits.sector_ms, log.mark_m, standing, front_m, span_m)
    window_us = np.minimum(WINDOW_US + field.filled.uncertainty_us, WIDEST_US)
    by_transponder_us = wheels.front_us.copy()
    _take_photo_finish(log, attempt, wheels.front_us, window_us)
    # Whom the camera saw, it saw.
    by_camera = wheels.front_us != by_transponder_us
    foretold = (field.filled.source == SOURCE_PREDICTED) & ~by_camera
    loose_us = np.where(by_camera, 0, field.filled.uncertainty_us)
    return _Expected(wheels.front_us, window_us, wheels.span_us, loose_us, foretold)


def rider_fronts_m(log: HeatLog) -> list[float]:
    """From each rider's transponder forward to the foremost point of the front wheel, m."""
    return [
        log.setup.meet.transponder_to_front_m if rider.transponder_to_front_m is None else rider.transponder_to_front_m
        for rider in log.riders
    ]


def _take_photo_finish(log: HeatLog, attempt: Attempt, front_us: Int64Array, window_us: Int64Array) -> None:
    """At the finish the camera says in what order: its times, or the transponders' given to its order.

    Its scale is the gun's; how far that is off is the median over who is read by both (a hand-logged gun). Where
    nobody is read by both (no transponders, a dead loop) the gun's own impulse is its zero.
    """
    mark = log.course.finish_mark
    if attempt.sheet is None or mark < 0 or attempt.start_us is None:
        return
    lines = [line for line in attempt.sheet.sheet.lines if line.bib in log.index_of_bib and line.place is not None]
    rows = [log.index_of_bib[str(line.bib)] for line in lines]
    times = [line.time_us if line.time_us is not None else line.gap_us for line in lines]
    if lines and all(line.time_us is None for line in lines):
        times = [0 if line.place == 1 else line.gap_us for line in lines]
    offset_us = _photo_finish_zero(attempt, lines, list(zip(rows, times, strict=True)), front_us[:, mark])
    if offset_us is not None:
        for row, us in zip(rows, times, strict=True):
            if us is not None:
                front_us[row, mark] = offset_us + us
                window_us[row, mark] = WINDOW_US
        return
    known = [row for row in rows if front_us[row, mark] != MISSING]
    front_us[known, mark] = np.sort(front_us[known, mark])


def _photo_finish_zero(
    attempt: Attempt, lines: list[PhotoFinishLine], timed: list[tuple[int, int | None]], front_us: Int64Array
) -> int | None:
    """Race µs of the zero of the camera's times; None where nothing ties them to the other boxes.

    `timed` has row and time of each placed rider; `front_us[N]` are the front wheels by transponder, or MISSING.
    """
    offsets = sorted(int(front_us[row]) - us for row, us in timed if us is not None and front_us[row] != MISSING)
    if offsets:
        return offsets[len(offsets) // 2]
    # A start that was logged by hand is too far off, and gaps alone begin at the winner.
    by_gun = attempt.start_source not in (None, BY_COMMAND)
    since_gun = any(line.time_us is not None for line in lines)
    nobody_read = all(front_us[row] == MISSING for row, _ in timed)
    return attempt.start_us if by_gun and since_gun and nobody_read else None


def _order(log: HeatLog, field: Field, expected: _Expected, front_us: Int64Array) -> MarkOrder:
    """Order at every mark; where a cell saw anybody, everybody by the front wheel."""
    riders = log.pacer_index
    times = field.filled.crossing_us[:riders].copy()
    seen = front_us[:riders] != MISSING
    here = seen.any(axis=0)
    known = times[:, here] != MISSING
    by_transponder = np.where(known, expected.front_us[:riders, here], MISSING)
    # Whom no transponder tells of, the cell may have seen all the same: by the photo-finish it is known who that was.
    times[:, here] = np.where(seen[:, here], front_us[:riders, here], by_transponder)
    return order_at_marks(times)
