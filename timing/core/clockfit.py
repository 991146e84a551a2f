"""The line that ties a device's clock to the host's: offset and rate from what each arrival proves.

Every stamp bounds the offset y = host - device at its device time x. It cannot have been read after it
arrived (a *ceiling*), nor before it was asked for (a *floor*, round trips only). However long and lopsided
the delays were, a clock of constant rate is a straight line below all ceilings and above all floors, so only
the lower convex hull of the ceilings and the upper convex hull of the floors matter (A. Duda et al.,
"Estimating global time in distributed systems", 1987; L. Zhang, Z. Liu, C. H. Xia, "Clock synchronization
algorithms for network measurements", 2002). Late packets fall away by themselves, and how far the line could
be shifted and tilted between the hulls is its uncertainty, with no assumption on how delays are distributed.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from timing.core.arrays import Float64Array, Int64Array, as_int64, check_shape
from timing.core.runtime import kernel

RATE_LIMIT_PPB: Final = 200_000
"""No crystal in a timing box is further off than this."""
RATE_PRIOR_PPB: Final = 50_000
"""What a crystal is expected to be off by: holds the rate near 0 until the span outweighs the jitter."""
WANDER_PPB: Final = 200
"""How far a crystal's mean rate strays with temperature inside a window: old bounds count for less."""

FIRST_ARRIVAL_SPREAD_US: Final = 500_000
"""How late a first arrival may be; the doubt about the shortest delay falls with their number squared."""


class Line(NamedTuple):
    """offset(x) = offset_us + (x - anchor_us) * rate_ppb * 1e-9, and how far the truth may be from it."""

    offset_us: int
    """Host minus device at the anchor, which is the newest device time given."""
    rate_ppb: int
    lowest_rate_ppb: int
    highest_rate_ppb: int
    """The extreme rates of lines between the hulls; without floors the limits, because nothing is proven."""
    bound_us: int
    """With floors: the furthest that any line between the hulls is from this one, at the anchor.
    Without: the jitter, as the median height of n ceilings above the line, plus what n arrivals may not have
    shown of the shortest delay (`FIRST_ARRIVAL_SPREAD_US` / n²)."""
    oldest_bound_us: int
    """The same at the oldest device time; between the two ends it is at most on a straight line."""
    conflict_us: int
    """By how much the bounds had to be widened to let a line through; 0 when they agree."""


def fit_line(ceiling_x_us: ArrayLike, ceiling_y_us: ArrayLike, floor_x_us: ArrayLike, floor_y_us: ArrayLike) -> Line:
    """Fit the line through U ceilings and L floors: x rising device time, y host minus device, in µs.

    With floors, the line runs midway between the hulls, where the gap is widest; a ridge (`RATE_PRIOR_PPB`)
    draws its rate to 0 as long as the gap leaves it open. Without floors (shape [0]) it is the most likely
    line under exponential delays and the same prior: it touches the ceilings from below and is biased by the
    shortest delay, which the caller has to take off. Anchors are subtracted in integers first, so that µs of
    the epoch lose nothing.

    Raises ValueError when there is no ceiling or when shapes do not match.
    """
    ceiling_x, ceiling_y = as_int64(ceiling_x_us, "ceiling_x_us"), as_int64(ceiling_y_us, "ceiling_y_us")
    floor_x, floor_y = as_int64(floor_x_us, "floor_x_us"), as_int64(floor_y_us, "floor_y_us")
    check_shape(ceiling_y, ceiling_x.shape, "ceiling_y_us")
    check_shape(floor_y, floor_x.shape, "floor_y_us")
    if not ceiling_x.size:
        raise ValueError("ceiling_x_us: a fit needs at least one arrival; got none")
    return Line(*_fit_line(ceiling_x, ceiling_y, floor_x, floor_y))


@kernel("int64(float64[::1], float64[::1])")
def _keep_lower_hull(x: Float64Array, y: Float64Array) -> int:
    """Move the lower hull of points with rising x to the front of both arrays; return its size."""
    size = 0
    for i in range(x.shape[0]):
        while size >= 2 and (x[size - 1] - x[size - 2]) * (y[i] - y[size - 2]) <= (x[i] - x[size - 2]) * (
            y[size - 1] - y[size - 2]
        ):
            size -= 1
        x[size], y[size] = x[i], y[i]
        size += 1
    return size


@kernel("float64(int64, float64[::1], float64[::1])")
def _lowest(rate_ppb: int, x: Float64Array, y: Float64Array) -> float:
    """Height at x = 0 of the highest line of this rate that stays below all points."""
    lowest = np.inf
    for i in range(x.shape[0]):
        lowest = min(lowest, y[i] - 1e-9 * rate_ppb * x[i])
    return lowest


@kernel("float64(int64, float64[::1], float64[::1], float64[::1], float64[::1])")
def _gap(rate_ppb: int, x: Float64Array, y: Float64Array, floor_x: Float64Array, floor_y: Float64Array) -> float:
    """Vertical room between the hulls for lines of this rate; floors are given negated."""
    return _lowest(rate_ppb, x, y) + _lowest(-rate_ppb, floor_x, floor_y)


@kernel("int64(float64[::1], float64[::1], float64[::1], float64[::1], float64)")
def _best_rate(x: Float64Array, y: Float64Array, floor_x: Float64Array, floor_y: Float64Array, ridge_us: float) -> int:
    """The rate in whole ppb of the widest gap less the ridge: by bisection, as that is concave."""
    low, high = -RATE_LIMIT_PPB, RATE_LIMIT_PPB
    penalty = ridge_us / (2.0 * RATE_PRIOR_PPB * RATE_PRIOR_PPB)
    while low < high:
        rate = (low + high) // 2
        gain = _gap(rate + 1, x, y, floor_x, floor_y) - _gap(rate, x, y, floor_x, floor_y)
        if gain > penalty * (2.0 * rate + 1.0):
            low = rate + 1
        else:
            high = rate
    return low


@kernel("int64(float64[::1], float64[::1], float64[::1], float64[::1], float64, int64, int64)")
def _furthest_rate(
    x: Float64Array,
    y: Float64Array,
    floor_x: Float64Array,
    floor_y: Float64Array,
    widened_us: float,
    inside_ppb: int,
    outside_ppb: int,
) -> int:
    """The rate furthest towards `outside_ppb` of a line that still fits between the widened hulls."""
    if _gap(outside_ppb, x, y, floor_x, floor_y) + widened_us >= 0.0:
        return outside_ppb
    inside, outside = inside_ppb, outside_ppb
    while abs(outside - inside) > 1:
        rate = (inside + outside) // 2
        if _gap(rate, x, y, floor_x, floor_y) + widened_us >= 0.0:
            inside = rate
        else:
            outside = rate
    return inside


@kernel("UniTuple(int64, 7)(float64[::1], float64[::1], float64[::1], float64[::1], float64)")
def _fit_between(
    x: Float64Array,
    y: Float64Array,
    floor_x: Float64Array,
    floor_y: Float64Array,
    oldest_us: float,
) -> tuple[int, int, int, int, int, int, int]:
    """Line midway between two hulls (floors negated); x = 0 is the newest end, `oldest_us` the other."""
    widest = _gap(_best_rate(x, y, floor_x, floor_y, 0.0), x, y, floor_x, floor_y)
    conflict = max(0.0, -widest)
    # Once to let a line through, once more as nobody knows which bound is wrong, and a µs for the rounding.
    widened = 2.0 * conflict + 1.0
    # Bounds that contradict each other leave nothing open: then the ridge vanishes with the gap.
    rate = _best_rate(x, y, floor_x, floor_y, max(widest, 1.0))
    offset = 0.5 * (_lowest(rate, x, y) - _lowest(-rate, floor_x, floor_y))
    highest = _furthest_rate(x, y, floor_x, floor_y, 2.0 * widened, rate, RATE_LIMIT_PPB)
    lowest = _furthest_rate(x, y, floor_x, floor_y, 2.0 * widened, rate, -RATE_LIMIT_PPB)
    # All x are ≤ 0, so at the newest end the steepest line is the highest and at the oldest end the lowest.
    tilt_up, tilt_down = 1e-9 * oldest_us * (highest - rate), 1e-9 * oldest_us * (lowest - rate)
    newest_above = _lowest(highest, x, y) - offset
    newest_below = offset + _lowest(-lowest, floor_x, floor_y)
    oldest_above = _lowest(lowest, x, y) - offset + tilt_down
    oldest_below = offset + _lowest(-highest, floor_x, floor_y) - tilt_up
    newest = max(newest_above, newest_below) + widened
    oldest = max(oldest_above, oldest_below) + widened
    return (
        int(np.rint(offset)),
        rate,
        lowest,
        highest,
        int(np.ceil(newest)),
        int(np.ceil(oldest)),
        int(np.ceil(conflict)),
    )


@kernel("UniTuple(int64, 7)(float64[::1], float64[::1])")
def _fit_below(x: Float64Array, y: Float64Array) -> tuple[int, int, int, int, int, int, int]:
    """Most likely line below n ceilings under exponential delays, with a prior as strong as one arrival."""
    # The likelihood of a line depends on its height at the mean x alone: the gap above a floor at that point.
    mean_x, mean_y = np.full(1, np.mean(x)), np.zeros(1)
    hull_x, hull_y = x.copy(), y.copy()
    size = _keep_lower_hull(hull_x, hull_y)
    hull_x, hull_y = hull_x[:size], hull_y[:size]
    unseen = FIRST_ARRIVAL_SPREAD_US / x.shape[0] ** 2
    # The jitter has to be measured along the drift, so a first line is drawn with next to no prior.
    rate = _best_rate(hull_x, hull_y, mean_x, mean_y, 1.0)
    jitter = np.median(y - 1e-9 * rate * x) - _lowest(rate, hull_x, hull_y)
    rate = _best_rate(hull_x, hull_y, mean_x, mean_y, jitter + unseen)
    offset = _lowest(rate, hull_x, hull_y)
    spread = int(np.ceil(np.median(y - 1e-9 * rate * x) - offset + unseen))
    return int(np.rint(offset)), rate, -RATE_LIMIT_PPB, RATE_LIMIT_PPB, spread, spread, 0


@kernel("UniTuple(int64, 7)(int64[::1], int64[::1], int64[::1], int64[::1])")
def _fit_line(
    ceiling_x: Int64Array, ceiling_y: Int64Array, floor_x: Int64Array, floor_y: Int64Array
) -> tuple[int, int, int, int, int, int, int]:
    anchor_x, oldest = ceiling_x[-1], ceiling_x[0]
    anchor_y = ceiling_y[-1]
    if floor_x.shape[0]:
        anchor_x, oldest = max(anchor_x, floor_x[-1]), min(oldest, floor_x[0])
    x, y = (ceiling_x - anchor_x).astype(np.float64), (ceiling_y - anchor_y).astype(np.float64)
    if not floor_x.shape[0]:
        line = _fit_below(x, y)
    else:
        below_x, below_y = (floor_x - anchor_x).astype(np.float64), (anchor_y - floor_y).astype(np.float64)
        y -= 1e-9 * WANDER_PPB * x
        below_y -= 1e-9 * WANDER_PPB * below_x
        upper, lower = _keep_lower_hull(x, y), _keep_lower_hull(below_x, below_y)
        span = np.float64(oldest - anchor_x)
        line = _fit_between(x[:upper], y[:upper], below_x[:lower], below_y[:lower], span)
    return line[0] + anchor_y, line[1], line[2], line[3], line[4], line[5], line[6]
