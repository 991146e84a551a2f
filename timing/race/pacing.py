"""The derny's pace against its target curve, its pull-off, and the riders' margin to it (UCI 3.2.137, 3.2.140).

Shown and logged; it never decides. No article sets a tolerance or a sanction for a wrong pace (track-rules §5).
"""

import math
from typing import Literal

import numpy as np

from config.models import PaceCurve, PaceTolerance
from timing.core.arrays import MISSING, Float64Array, Int64Array
from timing.core.crossings import ALLOWANCE_US
from timing.core.margins import pacer_margins
from timing.core.pace import CONSTANT_ACCELERATION, HOLD_RAMP_HOLD, LINEAR_DISTANCE, pace_sections
from timing.race.field import Field, or_none, truncated_ms
from timing.race.heat import HeatLog
from timing.race.picture import PaceFinding, PaceReport, PaceSection, PullOffVerdict, RiderMargin

MS_TO_KMH = 3.6
UNSEEN_LOOPS = 2
"""So many live loops in a row without the pacer, and it has left the track: one alone may have missed it."""
SHAPES = {
    "linear_distance": LINEAR_DISTANCE,
    "constant_acceleration": CONSTANT_ACCELERATION,
    "hold_ramp_hold": HOLD_RAMP_HOLD,
}


def pace_curve(log: HeatLog) -> tuple[str, PaceCurve]:
    """Name and curve that the rule book sets for the heat's category."""
    pace = log.setup.rules.keirin.pace
    name = pace.get(log.heat.category, pace.get("default", ""))
    return name, log.setup.rules.pace_curves[name]


def pace_report(log: HeatLog, field: Field, racing: bool, stopped: bool) -> PaceReport:
    """Everything known of the pacing of one attempt.

    `racing` is False once no more reads are awaited; `stopped` when the starter ended the attempt, so that a
    pacer who is not seen any more did not leave early.
    """
    name, curve = pace_curve(log)
    tolerance = log.setup.rules.keirin.tolerance
    course = log.course
    read_us = field.read_us[log.pacer_index]
    run = _run(log, field, read_us)
    paced = [mark for mark in run if field.mark_m[mark] <= course.exit_m + 0.001]
    sections, entry_kmh, exit_kmh, predicted_kmh = _sections(field, read_us, paced, curve, course.exit_m, tolerance)
    pull_off, last_m, before_m, again_m = _pull_off(log, field, read_us, run, tolerance, racing, stopped)
    margins = _margins(log, field)
    ahead = tuple(margin for margin in margins if margin.margin_ms < 0)
    left = pull_off != "awaited"
    unread_exit = pull_off == "early" and bool(run) and _is_last_before_exit(log, run[-1])
    if course.exit_mark not in paced and (not left or unread_exit):
        exit_kmh = None
    if unread_exit and last_m is not None:
        findings = _unread_exit(course.exit_m, last_m, predicted_kmh)
    else:
        findings = _findings(curve, tolerance, course.exit_m, entry_kmh, exit_kmh, pull_off, last_m, again_m)
    findings += _ahead_findings(ahead)
    if not racing and len(run) < 2 and any(_live(log, field)):
        text = f"read {len(run)} times only, its pace is unknown: check its transponder"
        findings += (PaceFinding("pacer_unread", text, float(len(run)), 2.0),)
    compliant = not findings if left and not unread_exit else None
    return PaceReport(
        curve=name,
        target_entry_kmh=curve.start_kmh,
        target_exit_kmh=curve.end_kmh,
        paced_m=course.exit_m,
        entry_kmh=entry_kmh,
        exit_kmh=exit_kmh,
        predicted_exit_kmh=predicted_kmh,
        pull_off=pull_off,
        pull_off_m=last_m if left else None,
        pull_off_before_m=before_m if left else None,
        seen_again_m=again_m,
        compliant=compliant,
        summary=_summary(curve, course.exit_m, entry_kmh, exit_kmh, pull_off, last_m, findings, compliant),
        findings=findings,
        sections=sections,
        margins=margins,
        riders_ahead=ahead,
    )


def _run(log: HeatLog, field: Field, read_us: Int64Array) -> list[int]:
    """Marks of the pacer's reads in one run on the track: two live loops in a row without it end the run."""
    live = _live(log, field)
    run: list[int] = []
    for mark in np.flatnonzero(read_us != MISSING).tolist():
        if run and sum(live[run[-1] + 1 : mark]) >= UNSEEN_LOOPS:
            break
        run.append(mark)
    return run


def _live(log: HeatLog, field: Field) -> list[bool]:
    """`[M]`: whether the loop of each mark has read anybody in this attempt.

    The gun stands in for the start line's loop, so the first mark does not show that its loop lives.
    """
    read = (field.read_us != MISSING).any(axis=0)
    read[:1] = False
    loops = log.mark_loop[read]
    live: list[bool] = np.isin(log.mark_loop, loops).tolist()
    return live


def _band(deviation_kmh: float, tolerance: PaceTolerance) -> Literal["in", "amber", "red"]:
    size = abs(deviation_kmh)
    if size > tolerance.red_kmh:
        return "red"
    return "amber" if size > tolerance.amber_kmh else "in"


def _kmh(speed_ms: float) -> float | None:
    return None if math.isnan(speed_ms) else round(speed_ms * MS_TO_KMH, 2)


def _sections(
    field: Field,
    read_us: Int64Array,
    paced: list[int],
    curve: PaceCurve,
    exit_m: float,
    tolerance: PaceTolerance,
) -> tuple[tuple[PaceSection, ...], float | None, float | None, float | None]:
    """Sections between the pacer's reads, its speed at the first and last of them, the predicted exit speed."""
    if len(paced) < 2:
        return (), None, None, None
    mark_m: Float64Array = field.mark_m[paced]
    times = read_us[paced]
    pace = pace_sections(
        mark_m, times, curve.start_kmh / MS_TO_KMH, curve.end_kmh / MS_TO_KMH, exit_m, SHAPES[curve.shape]
    )
    deviation_kmh = np.round(pace.deviation_ms * MS_TO_KMH, 2)
    edge_kmh, predicted_kmh = (
        or_none(np.round(speed_ms[1:] * MS_TO_KMH, 2), ~np.isnan(speed_ms[1:]))
        for speed_ms in (pace.edge_ms, pace.predicted_exit_ms)
    )
    sections = tuple(
        map(
            PaceSection,
            mark_m[:-1].tolist(),
            mark_m[1:].tolist(),
            truncated_ms(np.diff(times)).tolist(),
            np.round(pace.section_ms * MS_TO_KMH, 2).tolist(),
            np.round(pace.target_ms * MS_TO_KMH, 2).tolist(),
            deviation_kmh.tolist(),
            [_band(one, tolerance) for one in deviation_kmh.tolist()],
            edge_kmh,
            predicted_kmh,
        )
    )
    entry = _kmh(float(pace.edge_ms[0])) if mark_m[0] < 0.25 * exit_m else None
    return sections, entry, _kmh(float(pace.edge_ms[-1])), _kmh(float(pace.predicted_exit_ms[-1]))


def _pull_off(
    log: HeatLog,
    field: Field,
    read_us: Int64Array,
    run: list[int],
    tolerance: PaceTolerance,
    racing: bool,
    stopped: bool,
) -> tuple[PullOffVerdict, float | None, float | None, float | None]:
    """Verdict, last metre seen in one run, first metre not seen any more, first metre seen again."""
    if len(run) < 2:
        return "awaited", None, None, None
    marks = field.mark_m
    last = run[-1]
    last_m = float(marks[last])
    following_m = float(marks[last + 1]) if last + 1 < len(marks) else None
    later = [mark for mark in np.flatnonzero(read_us != MISSING).tolist() if mark > last]
    again_m = float(marks[later[0]]) if later else None
    exit_m = log.course.exit_m
    limit_m = exit_m + tolerance.pull_off_m
    if last_m > limit_m:
        return "late", last_m, following_m, again_m
    if later:
        return "seen_again", last_m, following_m, again_m
    if stopped and last_m < exit_m - 0.001:
        return "awaited", last_m, following_m, None
    if racing and not _overdue(field, read_us, run, limit_m if last_m >= exit_m - 0.001 else exit_m):
        return "awaited", last_m, following_m, None
    verdict: PullOffVerdict = "on_time" if last_m >= exit_m - 0.001 else "early"
    return verdict, last_m, following_m, None


def _overdue(field: Field, read_us: Int64Array, run: list[int], beyond_m: float) -> bool:
    """Whether the pacer would by now have been read at the next mark (beyond `beyond_m` when it was on time)."""
    before, last = run[-2], run[-1]
    elapsed_s = (int(read_us[last]) - int(read_us[before])) * 1e-6
    speed = float(field.mark_m[last] - field.mark_m[before]) / elapsed_s
    awaited = [mark for mark in range(last + 1, len(field.mark_m)) if field.mark_m[mark] >= beyond_m - 0.001]
    if not awaited:
        return True
    ahead_us = int(float(field.mark_m[awaited[0]] - field.mark_m[last]) / speed * 1e6)
    return field.latest_us > int(read_us[last]) + ahead_us + max(ALLOWANCE_US, ahead_us // 5)


def _margins(log: HeatLog, field: Field) -> tuple[RiderMargin, ...]:
    """Every rider against the pacer at each loop from the first metres to the exit line, reads only."""
    keirin = log.setup.rules.keirin
    pacer = log.pacer_index
    edge_m = log.pacer.front_wheel_front_m if keirin.passing_rule == "front_wheel" else log.pacer.rear_wheel_rear_m
    front_m = [
        rider.transponder_to_front_m
        if rider.transponder_to_front_m is not None
        else log.setup.meet.transponder_to_front_m
        for rider in log.riders
    ]
    speed = field.splits.sector_ms
    margins = pacer_margins(field.read_us[:pacer], field.read_us[pacer], speed[:pacer], speed[pacer], front_m, edge_m)
    # On the start line the riders stand while the pacer rolls by: nothing to compare yet.
    paced = (log.mark_m > 0.0) & (log.mark_m <= log.course.exit_m + 0.001)
    known = ((margins.margin_us != MISSING) & paced).T
    mark_of, row_of = np.nonzero(known)
    marks = [log.course.marks[mark] for mark in mark_of.tolist()]
    return tuple(
        map(
            RiderMargin,
            [log.riders[row].bib for row in row_of.tolist()],
            mark_of.tolist(),
            [mark.loop for mark in marks],
            [mark.distance_m for mark in marks],
            truncated_ms(margins.margin_us.T[known]).tolist(),
            np.round(margins.margin_m.T[known], 2).tolist(),
        )
    )


def _is_last_before_exit(log: HeatLog, mark: int) -> bool:
    """Whether only the exit line's own loop lies between this mark and the exit."""
    exit_mark = log.course.exit_mark
    return mark == exit_mark - 1 if exit_mark >= 0 else False


def _unread_exit(exit_m: float, last_m: float, predicted_kmh: float | None) -> tuple[PaceFinding, ...]:
    """One loop alone cannot tell a pacer who left before it from a read that it missed."""
    expected = "" if predicted_kmh is None else f", where {predicted_kmh:.1f} km/h were to be expected"
    text = (
        f"last read at {last_m:g} m and not at its exit line at {exit_m:g} m{expected}: "
        "it left early, or that loop missed it; no later loop can tell"
    )
    return (PaceFinding("exit_unread", text, last_m, exit_m),)


def _findings(
    curve: PaceCurve,
    tolerance: PaceTolerance,
    exit_m: float,
    entry_kmh: float | None,
    exit_kmh: float | None,
    pull_off: PullOffVerdict,
    last_m: float | None,
    again_m: float | None,
) -> tuple[PaceFinding, ...]:
    """What is off in speed and place, with figures."""
    findings = []
    if entry_kmh is not None and abs(entry_kmh - curve.start_kmh) > tolerance.amber_kmh:
        text = f"entered at {entry_kmh:.1f} km/h, {entry_kmh - curve.start_kmh:+.1f} against {curve.start_kmh:g}"
        findings.append(PaceFinding("entry_speed", text, entry_kmh, curve.start_kmh))
    if pull_off == "early" and last_m is not None:
        text = f"left the track after {last_m:g} m, {exit_m - last_m:g} m before its exit line at {exit_m:g} m"
        findings.append(PaceFinding("pull_off_early", text, last_m, exit_m))
    elif exit_kmh is not None and abs(exit_kmh - curve.end_kmh) > tolerance.amber_kmh:
        text = f"exit speed {exit_kmh:.1f} km/h, {exit_kmh - curve.end_kmh:+.1f} against {curve.end_kmh:g}"
        findings.append(PaceFinding("exit_speed", text, exit_kmh, curve.end_kmh))
    if pull_off == "late" and last_m is not None:
        text = f"stayed on the track to {last_m:g} m, {last_m - exit_m:g} m past its exit line at {exit_m:g} m"
        findings.append(PaceFinding("pull_off_late", text, last_m, exit_m))
    if again_m is not None:
        text = f"seen again at {again_m:g} m after it had left"
        findings.append(PaceFinding("seen_again", text, again_m, exit_m))
    return tuple(findings)


def _ahead_findings(ahead: tuple[RiderMargin, ...]) -> tuple[PaceFinding, ...]:
    """A finding for each loop at which a rider was ahead of the pacer: by how much, in m and ms."""
    return tuple(
        PaceFinding(
            "rider_ahead",
            f"rider {margin.bib} ahead of the pacer at {margin.distance_m:g} m by "
            f"{-margin.margin_m:.2f} m ({-margin.margin_ms} ms)",
            margin.margin_m,
            0.0,
        )
        for margin in ahead
    )


def _summary(
    curve: PaceCurve,
    exit_m: float,
    entry_kmh: float | None,
    exit_kmh: float | None,
    pull_off: PullOffVerdict,
    last_m: float | None,
    findings: tuple[PaceFinding, ...],
    compliant: bool | None,
) -> str:
    if compliant is None and not findings:
        return f"target {curve.start_kmh:g}→{curve.end_kmh:g} km/h over {exit_m:g} m"
    entry = "?" if entry_kmh is None else f"{entry_kmh:.0f}"
    leave = "?" if exit_kmh is None else f"{exit_kmh:.0f}"
    where = "?" if last_m is None else f"{last_m:g}"
    if compliant:
        return f"{entry}→{leave} km/h, pull-off at {where} m: compliant"
    return f"{entry}→{leave} km/h, pull-off at {where} m ({pull_off}): " + "; ".join(one.text for one in findings)
