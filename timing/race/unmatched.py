"""What of a line with a photocell matches nobody, and why: impulses, transponder reads, lines of the photo-finish.

They wait on the picture for a person; nothing is thrown away.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from timing.core.arrays import MISSING, BoolArray, Int64Array
from timing.race.attempts import Attempt
from timing.race.field import Field
from timing.race.heat import HeatLog
from timing.race.picture import Unmatched

WAIT_US = 2_000_000
"""Boxes tell of the same crossing at different times: so long nothing is said to match nobody."""

DOUBTFUL = (
    "a wheel for certain of nobody: it could be one rider's front wheel or another wheel, "
    "or no transponder confirms who it would be"
)


class SpareImpulses(NamedTuple):
    """Of one line: rows in the table and instants of what was given to nobody, and all wheels that are expected.

    `claimed` are those that fit a front wheel best, and another wheel or an unconfirmed crossing too well.
    """

    row: Int64Array
    at_us: Int64Array
    claimed: BoolArray
    wheel_us: Int64Array


def spare_impulses(log: HeatLog, spare: list[SpareImpulses], latest_us: int) -> Iterator[Unmatched]:
    """Impulses that are nobody's wheel for certain."""
    for rows, at_us, claimed, wheel_us in spare:
        for row, seen_us, doubtful in zip(rows.tolist(), at_us.tolist(), claimed.tolist(), strict=True):
            if seen_us + WAIT_US > latest_us:
                continue
            read = log.cells.reads[row]
            loop = log.course.loops[read.loop]
            reason = DOUBTFUL if doubtful else _why_spare(wheel_us, seen_us)
            yield Unmatched("impulse", read.ref, read.device, loop, seen_us, None, reason)


def _why_spare(wheel_us: Int64Array, at_us: int) -> str:
    if not wheel_us.size:
        return "no crossing of this line is known at all: no transponder was read here yet"
    off_us = at_us - int(wheel_us[np.abs(wheel_us - at_us).argmin()])
    side = "after" if off_us >= 0 else "before"
    return (
        f"{abs(off_us) // 1_000} ms {side} the nearest wheel that is expected, and no wheel is left for it: "
        "a bystander, a double edge, or a rider without a read"
    )


def lonely_reads(
    log: HeatLog, field: Field, watched: Int64Array, front_us: Int64Array, rear_us: Int64Array, refused: BoolArray
) -> Iterator[Unmatched]:
    """Transponder reads at lines whose cell is at work, without an impulse of the front wheel."""
    at_work = np.zeros(len(log.course.loops), np.bool_)
    at_work[watched] = True
    lonely = (
        (field.read_index >= 0)
        & (at_work[log.mark_loop] & (log.mark_m > 0.0))
        & (front_us == MISSING)
        & (field.read_us + WAIT_US <= field.latest_us)
    )
    bibs = [*(rider.bib for rider in log.riders), log.pacer.id]
    for row, mark in np.argwhere(lonely).tolist():
        read = log.reads[int(field.read_index[row, mark])]
        if refused[row, mark]:
            reason = "no impulse is the front wheel's for certain: the nearest could be another wheel's"
        elif rear_us[row, mark] != MISSING:
            reason = "the photocell saw the rear wheel only: the front one was covered, or in the cell's dead time"
        else:
            reason = "the photocell saw neither wheel: covered by another rider, in its dead time, or out of its beam"
        loop = log.course.loops[read.loop]
        yield Unmatched("read", read.ref, read.device, loop, int(field.read_us[row, mark]), bibs[row], reason)


def lonely_lines(log: HeatLog, attempt: Attempt, field: Field, front_us: Int64Array) -> Iterator[Unmatched]:
    """Placed lines of the photo-finish that neither a transponder nor an impulse confirms."""
    mark = log.course.finish_mark
    if attempt.sheet is None or mark < 0:
        return
    sheet = attempt.sheet.sheet
    for line in sheet.lines:
        if line.place is None:
            continue
        row = log.index_of_bib.get(line.bib or "")
        if row is None:
            who = "no bib" if line.bib is None else f"bib {line.bib}, who is not in this heat"
            reason = f"the photo-finish has {who} at place {line.place}: judge to read the picture"
        elif field.read_us[row, mark] == MISSING and front_us[row, mark] == MISSING:
            reason = f"place {line.place} on the photo-finish only: no transponder and no impulse at the finish"
        else:
            continue
        loop = log.course.marks[mark].loop
        yield Unmatched("photo_finish", attempt.sheet.ref, sheet.device, loop, sheet.received_us, line.bib, reason)
