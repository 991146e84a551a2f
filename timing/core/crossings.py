"""Which mark of the course a read belongs to, and when a competitor crossed the marks that nobody read.

A *competitor* is a rider or the pacer, by index. A *mark* is one crossing of one loop at a known race distance
(m from the start line), so that each loop appears once a lap. Times are int64 µs, speeds m/s.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from timing.core.arrays import MISSING, Float64Array, Int64Array, as_float64, as_int64
from timing.core.runtime import kernel

DUPLICATE = -1
TOO_FAST = -2
BEFORE_START = -3
AFTER_FINISH = -4

SOURCE_NONE = 0
SOURCE_READ = 1
SOURCE_INTERPOLATED = 2
SOURCE_PREDICTED = 3

MAX_SPEED_MS = 85.0 / 3.6
"""No rider and no derny goes faster round a track; a read that would need more is a false trigger."""
REFERENCE_SPEED_MS = 30.0 / 3.6
"""Speed expected before a competitor's first sector: that of the pacer at the start, UCI 3.2.137."""
START_TOLERANCE_US = 5_000_000
"""A read of the start line's loop within this of the gun is the start itself (riders stand on the line)."""
DUPLICATE_WINDOW_US = 4_000_000
"""No competitor comes round to the same loop in less: 133 m at 85 km/h take 5.6 s."""
CLEAR_FIT = 0.26
"""A read fits its mark clearly when the speed it asks for is within 30 % of the speed before: log 1.3."""
POOR_FIT = 0.14
"""And poorly when it is off by more than 15 %: log 1.15."""
SPEED_CHANGE_MS2 = 1.0
"""Change of speed that a competitor may make between two reads; bounds the error of an inferred time."""
ALLOWANCE_US = 400_000
"""A read is overdue at the earliest this long after it was expected."""


class MarkAssignment(NamedTuple):
    """`mark[n]`: index of the mark of each read, or one of the negative reasons; `speed_ms[n]` that it implies."""

    mark: Int64Array
    speed_ms: Float64Array


class FilledCrossings(NamedTuple):
    """`crossing_us[N, M]` with inferred times, `source[N, M]` (SOURCE_*), `uncertainty_us[N, M]` (± µs)."""

    crossing_us: Int64Array
    source: Int64Array
    uncertainty_us: Int64Array


@kernel(
    "void(int64[::1], int64[::1], int64[::1], int64[::1], float64[::1], int64, int64, float64, float64,"
    " int64, int64, int64[:, ::1], int64[::1], float64[::1])"
)
def _assign(
    competitor: Int64Array,
    loop: Int64Array,
    time_us: Int64Array,
    mark_loop: Int64Array,
    mark_m: Float64Array,
    start_us: int,
    competitors: int,
    max_ms: float,
    reference_ms: float,
    start_tolerance_us: int,
    duplicate_window_us: int,
    seen_us: Int64Array,
    mark_out: Int64Array,
    speed_out: Float64Array,
) -> None:
    marks = mark_loop.shape[0]
    # Two accepted reads a competitor are remembered, so that a ghost read can be unseated by the true one after it.
    last = np.full((competitors, 2), -1, np.int64)
    last_mark = np.full((competitors, 2), -1, np.int64)
    last_us = np.full((competitors, 2), start_us, np.int64)
    reference = np.full((competitors, 2), reference_ms, np.float64)
    head_m = 0.0
    head_us = start_us
    for n in range(competitor.shape[0]):
        c = competitor[n]
        now = time_us[n]
        speed_out[n] = np.nan
        if now < start_us - start_tolerance_us:
            mark_out[n] = BEFORE_START
            continue
        at_start = loop[n] == mark_loop[0] and mark_m[0] == 0.0 and abs(now - start_us) <= start_tolerance_us
        if at_start and last_mark[c, 0] < 0:
            mark_out[n] = 0
            last[c, 0] = n
            last_mark[c, 0] = 0
            last_us[c, 0] = now
            seen_us[c, loop[n]] = now
            continue
        if now < start_us:
            mark_out[n] = BEFORE_START
            continue
        if seen_us[c, loop[n]] != MISSING and now - seen_us[c, loop[n]] < duplicate_window_us:
            mark_out[n] = DUPLICATE
            continue
        best = TOO_FAST
        best_speed = np.nan
        for back in range(2):
            if back == 1 and (last[c, 0] < 0 or last_mark[c, 0] <= 0):
                break
            from_mark = last_mark[c, back]
            from_m = mark_m[from_mark] if from_mark >= 0 else 0.0
            elapsed_s = (now - last_us[c, back]) * 1e-6
            limit_m = head_m + max_ms * max((now - head_us) * 1e-6, 0.0)
            first = True
            best_score = np.inf
            for j in range(from_mark + 1, marks):
                if mark_loop[j] != loop[n] or mark_m[j] <= from_m:
                    continue
                if elapsed_s <= 0.0 or mark_m[j] - from_m > max_ms * elapsed_s:
                    if first:
                        first = False
                    break
                if not first and mark_m[j] > limit_m:
                    break
                first = False
                speed = (mark_m[j] - from_m) / elapsed_s
                score = abs(np.log(speed / reference[c, back]))
                if score < best_score:
                    best_score = score
                    best = j
                    best_speed = speed
            if back == 0:
                if best >= 0:
                    break
                if first:
                    best = AFTER_FINISH
                    break
                continue
            # The read before is unseated only when this one fits clearly and that one did not.
            if best >= 0 and best_score < CLEAR_FIT:
                before = speed_out[last[c, 0]]
                if abs(np.log(before / reference[c, 1])) > POOR_FIT:
                    mark_out[last[c, 0]] = TOO_FAST
                    seen_us[c, mark_loop[last_mark[c, 0]]] = MISSING
                    last[c, 0] = last[c, 1]
                    last_mark[c, 0] = last_mark[c, 1]
                    last_us[c, 0] = last_us[c, 1]
                    reference[c, 0] = reference[c, 1]
                else:
                    best = TOO_FAST
            else:
                best = TOO_FAST
        mark_out[n] = best
        speed_out[n] = best_speed
        if best < 0:
            continue
        last[c, 1] = last[c, 0]
        last_mark[c, 1] = last_mark[c, 0]
        last_us[c, 1] = last_us[c, 0]
        reference[c, 1] = reference[c, 0]
        last[c, 0] = n
        last_mark[c, 0] = best
        last_us[c, 0] = now
        seen_us[c, loop[n]] = now
        # A standing start makes the first metres slow: they say nothing of the speed to expect.
        if mark_m[best] > 30.0:
            reference[c, 0] = best_speed
        if mark_m[best] > head_m:
            head_m = mark_m[best]
            head_us = now


@kernel(
    "void(int64[:, ::1], float64[::1], int64[::1], int64, int64, float64, int64,"
    " int64[:, ::1], int64[:, ::1], int64[:, ::1])"
)
def _fill(
    crossing_us: Int64Array,
    mark_m: Float64Array,
    last_awaited: Int64Array,
    latest_us: int,
    marks_ahead: int,
    speed_change_ms2: float,
    allowance_us: int,
    filled_us: Int64Array,
    source: Int64Array,
    uncertainty_us: Int64Array,
) -> None:
    competitors, marks = crossing_us.shape
    for c in range(competitors):
        previous = -1
        before = -1
        for m in range(marks):
            if crossing_us[c, m] == MISSING:
                continue
            filled_us[c, m] = crossing_us[c, m]
            source[c, m] = SOURCE_READ
            if previous >= 0:
                span_us = crossing_us[c, m] - crossing_us[c, previous]
                span_m = mark_m[m] - mark_m[previous]
                for k in range(previous + 1, m):
                    part_us = np.int64((mark_m[k] - mark_m[previous]) / span_m * span_us)
                    filled_us[c, k] = crossing_us[c, previous] + part_us
                    source[c, k] = SOURCE_INTERPOLATED
                    speed = span_m / (span_us * 1e-6)
                    error_s = speed_change_ms2 * (part_us * 1e-6) * ((span_us - part_us) * 1e-6) / (2.0 * speed)
                    uncertainty_us[c, k] = np.int64(error_s * 1e6) + 1
            before = previous
            previous = m
        if previous < 0 or before < 0:
            continue
        speed = (mark_m[previous] - mark_m[before]) / ((crossing_us[c, previous] - crossing_us[c, before]) * 1e-6)
        for k in range(previous + 1, min(last_awaited[c] + 1, previous + 1 + marks_ahead)):
            ahead_us = np.int64((mark_m[k] - mark_m[previous]) / speed * 1e6)
            due_us = crossing_us[c, previous] + ahead_us
            if latest_us <= due_us + max(allowance_us, ahead_us // 5):
                break
            filled_us[c, k] = due_us
            source[c, k] = SOURCE_PREDICTED
            ahead_s = ahead_us * 1e-6
            uncertainty_us[c, k] = np.int64(speed_change_ms2 * ahead_s * ahead_s / (2.0 * speed) * 1e6) + 1


def assign_marks(
    competitor: npt.ArrayLike,
    loop: npt.ArrayLike,
    time_us: npt.ArrayLike,
    mark_loop: npt.ArrayLike,
    mark_m: npt.ArrayLike,
    start_us: int,
    competitors: int,
) -> MarkAssignment:
    """Give each of n reads (in time order) its mark.

    Of the marks at the read's loop that lie ahead of the competitor the one is taken that asks for the speed
    nearest to the competitor's last, so that missed reads, even a whole missed lap, are seen for what they are;
    none beyond what the head of the race can have reached. A read at a loop that read the competitor less than
    DUPLICATE_WINDOW_US before is a duplicate, whatever was read between. A read that nobody can have made is a
    false trigger, and so is the read before it when that one fitted poorly and this one fits without it.

    Args: `competitor[n]`, `loop[n]` indices; `time_us[n]` race time rising; `mark_loop[M]`, `mark_m[M]` the
    course (M > 0; a mark at 0 m is the start line); `start_us` the gun; `competitors` their number.
    """
    reads = as_int64(competitor, "competitor")
    loops = as_int64(loop, "loop")
    loop_of_mark = as_int64(mark_loop, "mark_loop")
    loop_count = max(int(loops.max(initial=-1)), int(loop_of_mark.max(initial=-1))) + 1
    mark = np.empty(reads.shape[0], np.int64)
    speed = np.empty(reads.shape[0], np.float64)
    _assign(
        reads,
        loops,
        as_int64(time_us, "time_us"),
        loop_of_mark,
        as_float64(mark_m, "mark_m"),
        start_us,
        competitors,
        MAX_SPEED_MS,
        REFERENCE_SPEED_MS,
        START_TOLERANCE_US,
        DUPLICATE_WINDOW_US,
        np.full((competitors, loop_count), MISSING, np.int64),
        mark,
        speed,
    )
    return MarkAssignment(mark, speed)


def fill_missed(
    crossing_us: npt.ArrayLike,
    mark_m: npt.ArrayLike,
    last_awaited: npt.ArrayLike,
    latest_us: int,
    marks_ahead: int,
) -> FilledCrossings:
    """Infer the crossings that were not read, at once and with their ±.

    Between two reads the time is interpolated over the distance; ± is the error that a steady change of speed
    of 1 m/s² would make. After the last read a mark that is overdue at `latest_us` is predicted from the last
    speed, for at most `marks_ahead` marks and not beyond `last_awaited[N]`.

    Args: `crossing_us[N, M]` (MISSING where not read), `mark_m[M]`.
    """
    times = as_int64(crossing_us, "crossing_us", 2)
    filled = np.full(times.shape, MISSING, np.int64)
    source = np.zeros(times.shape, np.int64)
    uncertainty = np.zeros(times.shape, np.int64)
    _fill(
        times,
        as_float64(mark_m, "mark_m"),
        as_int64(last_awaited, "last_awaited"),
        latest_us,
        marks_ahead,
        SPEED_CHANGE_MS2,
        ALLOWANCE_US,
        filled,
        source,
        uncertainty,
    )
    return FilledCrossings(filled, source, uncertainty)
