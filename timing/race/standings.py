"""Splits and orders of a field as race control shows them: every crossing, read or inferred, with its confidence."""

import math

from timing.core.arrays import MISSING
from timing.core.crossings import SOURCE_INTERPOLATED, SOURCE_NONE, SOURCE_PREDICTED, SOURCE_READ
from timing.race.attempts import Attempt
from timing.race.field import Field
from timing.race.heat import HeatLog
from timing.race.picture import Crossing, CrossingSource, MarkOrder, OrderEntry, RiderSplits
from timing.units import truncate_to_ms

FULL_CONFIDENCE = 100
HALF_CONFIDENCE_US = 100_000
"""An inferred time with this ± has a confidence of 50."""
MS_TO_KMH = 3.6


def confidence(uncertainty_us: int) -> int:
    """Confidence in an inferred crossing, 1 to 99: it halves at ±100 ms and falls on with the ±."""
    share = FULL_CONFIDENCE * HALF_CONFIDENCE_US // (HALF_CONFIDENCE_US + uncertainty_us)
    return max(1, min(99, share))


def _duration_ms(duration_us: int) -> int | None:
    return None if duration_us == MISSING else truncate_to_ms(duration_us)


def rider_splits(log: HeatLog, attempt: Attempt, field: Field) -> tuple[RiderSplits, ...]:
    """Every rider's crossings in course order. Plain lists are walked: they are far quicker to read than arrays."""
    start_us = attempt.start_us
    if start_us is None:
        return ()
    crossing = field.filled.crossing_us.tolist()
    source = field.filled.source.tolist()
    plus_minus = field.filled.uncertainty_us.tolist()
    sector = field.splits.sector_us.tolist()
    half = field.splits.half_lap_us.tolist()
    lap = field.splits.lap_us.tolist()
    speed = field.splits.sector_ms.tolist()
    marks = log.course.marks
    riders = []
    for row, rider in enumerate(log.riders):
        found = []
        for mark in marks:
            at = mark.index
            kind = source[row][at]
            if kind == SOURCE_NONE:
                continue
            speed_ms = speed[row][at]
            found.append(
                Crossing(
                    at,
                    mark.loop,
                    mark.lap,
                    mark.distance_m,
                    truncate_to_ms(crossing[row][at] - start_us),
                    _duration_ms(sector[row][at]),
                    _duration_ms(half[row][at]),
                    _duration_ms(lap[row][at]),
                    None if math.isnan(speed_ms) else round(speed_ms * MS_TO_KMH, 2),
                    _source_name(attempt, field, rider.bib, row, at, kind),
                    FULL_CONFIDENCE if kind == SOURCE_READ else confidence(plus_minus[row][at]),
                    plus_minus[row][at] // 1_000,
                    field.refs.get((row, at)),
                )
            )
        riders.append(RiderSplits(rider.bib, rider.name, tuple(found)))
    return tuple(riders)


def _source_name(attempt: Attempt, field: Field, bib: str, row: int, mark: int, kind: int) -> CrossingSource:
    if kind == SOURCE_READ:
        if (row, mark) in field.manual:
            return "manual"
        return "read" if (row, mark) in field.refs else "start"
    if (bib, mark) in attempt.accepted:
        return "accepted"
    return "interpolated" if kind == SOURCE_INTERPOLATED else "predicted"


def mark_orders(log: HeatLog, field: Field) -> tuple[MarkOrder, ...]:
    """The order at every loop that anyone has crossed, the start line apart (there nobody has an order)."""
    place = field.order.place.T.tolist()
    gap = field.order.gap_us.T.tolist()
    source = field.filled.source.T.tolist()
    plus_minus = field.filled.uncertainty_us.T.tolist()
    bibs = [rider.bib for rider in log.riders]
    course = log.course
    orders = []
    for mark in course.marks:
        at = mark.index
        if mark.distance_m <= 0.0:
            continue
        ranked = sorted((place[at][row], row) for row in range(len(bibs)) if place[at][row] > 0)
        if not ranked:
            continue
        entries = tuple(
            OrderEntry(
                bibs[row],
                rank,
                truncate_to_ms(gap[at][row]),
                source[at][row] in (SOURCE_INTERPOLATED, SOURCE_PREDICTED),
                FULL_CONFIDENCE if source[at][row] == SOURCE_READ else confidence(plus_minus[at][row]),
            )
            for rank, row in ranked
        )
        laps_to_go = round((course.finish_m - mark.distance_m) / course.track_length_m, 3)
        orders.append(MarkOrder(at, mark.loop, mark.lap, mark.distance_m, laps_to_go, entries))
    return tuple(orders)
