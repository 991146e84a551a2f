"""How far a rider's front wheel was behind the pacer at each loop: the measure for UCI 3.2.140."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from timing.core.arrays import MISSING, Float64Array, Int64Array, as_float64, as_int64, check_shape
from timing.core.runtime import kernel


class Margins(NamedTuple):
    """Shape [riders, marks]. Positive: the rider's wheel came after the pacer's edge (behind it, lawful)."""

    margin_us: Int64Array
    """From the pacer's edge to the foremost point of the rider's front wheel; MISSING where unknown."""
    margin_m: Float64Array
    """The rider's distance to the loop at the instant when the pacer's edge is on it; NaN where unknown."""


def pacer_margins(
    rider_us: ArrayLike,
    pacer_us: ArrayLike,
    rider_ms: ArrayLike,
    pacer_ms: ArrayLike,
    rider_front_m: ArrayLike,
    pacer_edge_m: float,
) -> Margins:
    """Margins of R riders behind the pacer at M marks.

    `rider_us[R, M]` and `pacer_us[M]` are the times of the transponders at the same loop (MISSING where not
    read), `rider_ms[R, M]` and `pacer_ms[M]` their speeds there in m/s (NaN where unknown). The foremost
    point of a rider's front wheel is `rider_front_m[R]` ahead of its transponder, so it crossed
    `rider_front_m / speed` earlier. `pacer_edge_m` is the pacer's edge that may not be passed, ahead (+) of
    or behind (-) its transponder: the foremost edge of the front wheel (UCI 3.2.140), or the rear wheel
    under the rule to 2016.

    A margin is unknown where a time is missing or a speed is not positive. The wheel corrections are rounded
    together, once, to the nearest µs. Raises ValueError for shapes that do not match.
    """
    riders = as_int64(rider_us, "rider_us", ndim=2)
    pacer = as_int64(pacer_us, "pacer_us")
    rider_speeds = as_float64(rider_ms, "rider_ms", ndim=2)
    pacer_speeds = as_float64(pacer_ms, "pacer_ms")
    fronts = as_float64(rider_front_m, "rider_front_m")
    check_shape(pacer, riders.shape[1:], "pacer_us")
    check_shape(rider_speeds, riders.shape, "rider_ms")
    check_shape(pacer_speeds, riders.shape[1:], "pacer_ms")
    check_shape(fronts, riders.shape[:1], "rider_front_m")
    margins = Margins(np.empty(riders.shape, dtype=np.int64), np.empty(riders.shape, dtype=np.float64))
    _pacer_margins(riders, pacer, rider_speeds, pacer_speeds, fronts, float(pacer_edge_m), *margins)
    return margins


@kernel(
    "void(int64[:, ::1], int64[::1], float64[:, ::1], float64[::1], float64[::1], float64, "
    "int64[:, ::1], float64[:, ::1])"
)
def _pacer_margins(
    rider_us: Int64Array,
    pacer_us: Int64Array,
    rider_ms: Float64Array,
    pacer_ms: Float64Array,
    rider_front_m: Float64Array,
    pacer_edge_m: float,
    margin_us: Int64Array,
    margin_m: Float64Array,
) -> None:
    for r in range(rider_us.shape[0]):
        for m in range(rider_us.shape[1]):
            margin_us[r, m] = MISSING
            margin_m[r, m] = np.nan
            read = rider_us[r, m] != MISSING and pacer_us[m] != MISSING
            # A NaN speed fails both comparisons.
            if read and rider_ms[r, m] > 0 and pacer_ms[m] > 0:
                lead_us = 1e6 * (rider_front_m[r] / rider_ms[r, m] - pacer_edge_m / pacer_ms[m])
                margin_us[r, m] = rider_us[r, m] - pacer_us[m] - np.int64(np.rint(lead_us))
                margin_m[r, m] = margin_us[r, m] * rider_ms[r, m] / 1e6
