"""Order and gaps at every mark and at the finish.

These are measured orders. A judged place is never derived from them (DESIGN §5): the photo-finish stands.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from timing.core.arrays import MISSING, Int64Array, as_int64
from timing.core.runtime import kernel


class MarkOrder(NamedTuple):
    """Shape [riders, marks] (1-D [riders] from `finish_gaps`)."""

    place: Int64Array
    """Competition ranking: equal times share a place, the next is skipped; 0 where the time is missing."""
    gap_us: Int64Array
    """Behind the first at this mark, 0 for the first; MISSING where the time is missing."""


def order_at_marks(crossing_us: ArrayLike) -> MarkOrder:
    """Order of R riders at each of M marks by `crossing_us[R, M]`, MISSING where a rider was not read.

    Raises ValueError for a wrong shape or times that are not whole µs.
    """
    crossings = as_int64(crossing_us, "crossing_us", ndim=2)
    order = MarkOrder(np.empty(crossings.shape, dtype=np.int64), np.empty(crossings.shape, dtype=np.int64))
    _order_at_marks(crossings, np.arange(crossings.shape[0], dtype=np.int64), *order)
    return order


def finish_gaps(finish_us: ArrayLike) -> MarkOrder:
    """Order and gaps of R riders by `finish_us[R]`, MISSING for who has no time; both results are 1-D [R].

    Raises ValueError for a wrong shape or times that are not whole µs.
    """
    place, gap_us = order_at_marks(as_int64(finish_us, "finish_us").reshape(-1, 1))
    return MarkOrder(place.ravel(), gap_us.ravel())


@kernel("void(int64[:, ::1], int64[::1], int64[:, ::1], int64[:, ::1])")
def _order_at_marks(crossing_us: Int64Array, riders: Int64Array, place: Int64Array, gap_us: Int64Array) -> None:
    """`riders` keeps its order from mark to mark, so that the insertion sort has only a few swaps to do."""
    for m in range(crossing_us.shape[1]):
        for i in range(1, riders.size):
            rider = riders[i]
            time_us = crossing_us[rider, m]
            j = i - 1
            while j >= 0 and crossing_us[riders[j], m] > time_us:
                riders[j + 1] = riders[j]
                j -= 1
            riders[j + 1] = rider
        # MISSING is the smallest int64, so the unread riders stand first.
        unread = 0
        while unread < riders.size and crossing_us[riders[unread], m] == MISSING:
            place[riders[unread], m] = 0
            gap_us[riders[unread], m] = MISSING
            unread += 1
        for i in range(unread, riders.size):
            rider = riders[i]
            gap_us[rider, m] = crossing_us[rider, m] - crossing_us[riders[unread], m]
            tied = i > unread and crossing_us[rider, m] == crossing_us[riders[i - 1], m]
            place[rider, m] = place[riders[i - 1], m] if tied else i - unread + 1
