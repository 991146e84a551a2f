"""Splits and orders of a field as race control shows them: every crossing, read or inferred, with its confidence.

Columns are made of whole arrays and become messages once, at the end: a heat is derived anew at every passing.
"""

from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timing.core.arrays import MISSING, Int64Array
from timing.core.crossings import SOURCE_INTERPOLATED, SOURCE_NONE, SOURCE_PREDICTED, SOURCE_READ
from timing.race.attempts import Attempt
from timing.race.cells import Cells
from timing.race.field import BY_A_PERSON, NO_READ, Field, or_none, truncated_ms
from timing.race.heat import HeatLog
from timing.race.picture import Crossing, MarkOrder, OrderEntry, RiderSplits

FULL_CONFIDENCE = 100
HALF_CONFIDENCE_US = 100_000
"""An inferred time with this ± has a confidence of 50."""
MS_TO_KMH = 3.6

SOURCE_START = 4
SOURCE_MANUAL = 5
SOURCE_ACCEPTED = 6
SOURCE_CELL = 7
SOURCE_NAMES = np.array(["", "read", "interpolated", "predicted", "start", "manual", "accepted", "cell"], dtype=object)
"""By number: those of the kernel, then what only the log knows."""


def confidence(uncertainty_us: int) -> int:
    """Confidence in an inferred crossing, 1 to 99: it halves at ±100 ms and falls on with the ±."""
    share = FULL_CONFIDENCE * HALF_CONFIDENCE_US // (HALF_CONFIDENCE_US + uncertainty_us)
    return max(1, min(99, share))


def confidences(source: Int64Array, uncertainty_us: Int64Array) -> Int64Array:
    """`confidence` of a whole array; 100 where the crossing was read."""
    share = FULL_CONFIDENCE * HALF_CONFIDENCE_US // (HALF_CONFIDENCE_US + uncertainty_us)
    return np.where(source == SOURCE_READ, FULL_CONFIDENCE, np.clip(share, 1, 99))


def rider_splits(log: HeatLog, attempt: Attempt, field: Field, cells: Cells | None = None) -> tuple[RiderSplits, ...]:
    """Every rider's crossings in course order, by the photocells where they saw them; none before the start."""
    start_us = attempt.start_us
    if start_us is None:
        return ()
    riders = log.pacer_index
    source, times = _sources(log, attempt, field), _times(log, field, cells)
    if cells is not None:
        source[cells.impulse[:riders] != NO_READ] = SOURCE_CELL
    known = source != SOURCE_NONE
    row, mark = np.nonzero(known)
    marks = [log.course.marks[one] for one in mark.tolist()]

    def duration(us: Int64Array) -> list[Any]:
        """A duration of each known crossing, None where the one before it is not known."""
        column = us[known]
        return or_none(truncated_ms(column), column != MISSING)

    speed_kmh = np.round(field.splits.sector_ms[:riders][known] * MS_TO_KMH, 2)
    # A race time counts from the gun: what is open about the gun's is open about all.
    uncertainty_us = _uncertainty_us(field, riders, cells) + np.where(log.mark_m > 0.0, attempt.start_doubt_us, 0)
    crossings = tuple(
        map(
            Crossing,
            mark.tolist(),
            [one.loop for one in marks],
            [one.lap for one in marks],
            [one.distance_m for one in marks],
            truncated_ms(times.crossing_us[known] - start_us).tolist(),
            duration(times.sector_us),
            duration(times.half_lap_us),
            duration(times.lap_us),
            or_none(speed_kmh, ~np.isnan(speed_kmh)),
            SOURCE_NAMES[source[known]].tolist(),
            _confidences(field, riders, cells)[known].tolist(),
            (uncertainty_us[known] // 1_000).tolist(),
            [log.reads[one].ref if one >= 0 else None for one in field.read_index[:riders][known].tolist()],
            _cell_references(log, cells, known),
        )
    )
    ends = accumulate(np.bincount(row, minlength=riders).tolist(), initial=0)
    return tuple(
        RiderSplits(rider.bib, rider.name, crossings[begin:end])
        for rider, (begin, end) in zip(log.riders, pairwise(ends), strict=True)
    )


class _Times(NamedTuple):
    """`[R, M]` µs of the riders as they are shown."""

    crossing_us: Int64Array
    sector_us: Int64Array
    half_lap_us: Int64Array
    lap_us: Int64Array


def _times(log: HeatLog, field: Field, cells: Cells | None) -> _Times:
    """The cell's time where there is one; a duration between two of them, else between two transponder times."""
    riders = log.pacer_index
    splits = field.splits
    of_reads = (field.filled.crossing_us, splits.sector_us, splits.half_lap_us, splits.lap_us)
    shown = _Times(*(column[:riders] for column in of_reads))
    if cells is None:
        return shown
    seen = _Times(cells.front_us[:riders], cells.splits.sector_us, cells.splits.half_lap_us, cells.splits.lap_us)
    return _Times(*(np.where(cell != MISSING, cell, read) for cell, read in zip(seen, shown, strict=True)))


def _uncertainty_us(field: Field, riders: int, cells: Cells | None) -> Int64Array:
    """± of the times that are shown: of a cell's, what its assignment leaves open."""
    by_transponder = field.filled.uncertainty_us[:riders]
    if cells is None:
        return by_transponder
    return np.where(cells.impulse[:riders] != NO_READ, cells.uncertainty_us[:riders], by_transponder)


def _confidences(field: Field, riders: int, cells: Cells | None) -> Int64Array:
    """Of a crossing timed by a cell: how sure it is who that was; of a read whose clock is in doubt: how sure, when."""
    source, uncertainty_us = field.filled.source[:riders], _uncertainty_us(field, riders, cells)
    found = confidences(source, uncertainty_us)
    doubtful = field.doubt_us[:riders] > 0
    if cells is not None:
        doubtful |= (cells.impulse[:riders] != NO_READ) & (uncertainty_us > 0)
    if not doubtful.any():
        return found
    return np.where(doubtful, confidences(np.zeros_like(source), uncertainty_us), found)


def _cell_references(log: HeatLog, cells: Cells | None, known: NDArray[np.bool_]) -> list[str | None]:
    references: list[str | None] = [None] * int(np.count_nonzero(known))
    if cells is not None:
        rows = cells.impulse[: log.pacer_index][known]
        for index in np.flatnonzero(rows != NO_READ).tolist():
            references[index] = log.cells.reads[int(rows[index])].ref
    return references


def _sources(log: HeatLog, attempt: Attempt, field: Field) -> Int64Array:
    """`[R, M]` numbers of SOURCE_NAMES."""
    riders = log.pacer_index
    source = field.filled.source[:riders].copy()
    index = field.read_index[:riders]
    read = source == SOURCE_READ
    source[read & (index == NO_READ)] = SOURCE_START
    source[read & (index == BY_A_PERSON)] = SOURCE_MANUAL
    for bib, mark in attempt.accepted:
        row = log.index_of_bib[bib]
        if source[row, mark] in (SOURCE_INTERPOLATED, SOURCE_PREDICTED):
            source[row, mark] = SOURCE_ACCEPTED
    return source


def mark_orders(log: HeatLog, field: Field) -> tuple[MarkOrder, ...]:
    """The order at every loop that anyone has crossed, the start line apart (there nobody has an order)."""
    riders = log.pacer_index
    place = field.order.place
    # Riders without a time have place 0: they go behind everybody and are then left out.
    ranking = np.argsort(np.where(place > 0, place, riders + 1), axis=0, kind="stable")

    def ranked(values: Int64Array) -> Int64Array:
        """`[M, R]`: at each mark the values in the order there."""
        return np.take_along_axis(values, ranking, axis=0).T

    ordered = ranked(place) > 0
    ordered[log.mark_m <= 0.0] = False
    source = field.filled.source[:riders]
    inferred = (source == SOURCE_INTERPOLATED) | (source == SOURCE_PREDICTED)
    bibs = [rider.bib for rider in log.riders]
    entries = tuple(
        map(
            OrderEntry,
            [bibs[row] for row in ranking.T[ordered].tolist()],
            ranked(place)[ordered].tolist(),
            truncated_ms(ranked(field.order.gap_us)[ordered]).tolist(),
            ranked(inferred)[ordered].tolist(),
            ranked(confidences(source, field.filled.uncertainty_us[:riders]))[ordered].tolist(),
        )
    )
    ends = accumulate(np.count_nonzero(ordered, axis=1).tolist(), initial=0)
    course = log.course
    return tuple(
        MarkOrder(
            mark.index,
            mark.loop,
            mark.lap,
            mark.distance_m,
            round((course.finish_m - mark.distance_m) / course.track_length_m, 3),
            entries[begin:end],
        )
        for mark, (begin, end) in zip(course.marks, pairwise(ends), strict=True)
        if end > begin
    )
