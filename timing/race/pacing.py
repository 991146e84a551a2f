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
from timing.race.field import Field
from timing.race.heat import HeatLog
from timing.race.picture import PaceFinding, PaceReport, PaceSection, PullOffVerdict, RiderMargin
from timing.units import truncate_to_ms

MS_TO_KMH = 3.6
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


def pace_report(log: HeatLog, field: Field, racing: bool) -> PaceReport:
    """Everything known of the pacing of one attempt. `racing` is False once no more reads are awaited."""
    name, curve = pace_curve(log)
    tolerance = log.setup.rules.keirin.tolerance
    course = log.course
    read_us = field.read_us[log.pacer_index]
    run = _run(log, field, read_us)
    paced = [mark for mark in run if field.mark_m[mark] <= course.exit_m + 0.001]
    sections, entry_kmh, exit_kmh, predicted_kmh = _sections(field, read_us, paced, curve, course.exit_m, tolerance)
    pull_off, last_m, before_m, again_m = _pull_off(log, field, read_us, run, tolerance, racing)
    margins = _margins(log, field)
    ahead = tuple(margin for margin in margins if margin.margin_ms < 0)
    reached_exit = bool(paced) and course.exit_mark in paced
    if not reached_exit and pull_off == "awaited":
        exit_kmh = None
    findings = _findings(curve, tolerance, course.exit_m, entry_kmh, exit_kmh, pull_off, last_m, again_m, ahead)
    compliant = None if pull_off == "awaited" else not findings
    return PaceReport(
        curve=name,
        target_entry_kmh=curve.start_kmh,
        target_exit_kmh=curve.end_kmh,
        paced_m=course.exit_m,
        entry_kmh=entry_kmh,
        exit_kmh=exit_kmh,
        predicted_exit_kmh=predicted_kmh,
        pull_off=pull_off,
        pull_off_m=last_m if pull_off != "awaited" else None,
        pull_off_before_m=before_m if pull_off != "awaited" else None,
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
    read_marks = np.flatnonzero((field.read_us != MISSING).any(axis=0)).tolist()
    # The gun stands in for the start line's loop, so the first mark does not show that its loop lives.
    live = {log.course.marks[mark].loop for mark in read_marks if mark > 0}
    run: list[int] = []
    for mark in np.flatnonzero(read_us != MISSING).tolist():
        if run:
            missed = [one for one in range(run[-1] + 1, mark) if log.course.marks[one].loop in live]
            if len(missed) >= 2:
                break
        run.append(mark)
    return run


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
    sections = []
    for index in range(len(paced) - 1):
        deviation = round(float(pace.deviation_ms[index]) * MS_TO_KMH, 2)
        sections.append(
            PaceSection(
                from_m=float(mark_m[index]),
                to_m=float(mark_m[index + 1]),
                duration_ms=truncate_to_ms(int(times[index + 1] - times[index])),
                speed_kmh=round(float(pace.section_ms[index]) * MS_TO_KMH, 2),
                target_kmh=round(float(pace.target_ms[index]) * MS_TO_KMH, 2),
                deviation_kmh=deviation,
                band=_band(deviation, tolerance),
                speed_at_end_kmh=_kmh(float(pace.edge_ms[index + 1])),
                predicted_exit_kmh=_kmh(float(pace.predicted_exit_ms[index + 1])),
            )
        )
    entry = _kmh(float(pace.edge_ms[0])) if mark_m[0] < 0.25 * exit_m else None
    return tuple(sections), entry, _kmh(float(pace.edge_ms[-1])), _kmh(float(pace.predicted_exit_ms[-1]))


def _pull_off(
    log: HeatLog,
    field: Field,
    read_us: Int64Array,
    run: list[int],
    tolerance: PaceTolerance,
    racing: bool,
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
    exit_m = log.course.exit_m
    found = []
    for mark in log.course.marks:
        # On the start line the riders stand while the pacer rolls by: nothing to compare yet.
        if mark.distance_m <= 0.0 or mark.distance_m > exit_m + 0.001:
            continue
        for index, rider in enumerate(log.riders):
            margin_us = int(margins.margin_us[index, mark.index])
            if margin_us == MISSING:
                continue
            margin_m = round(float(margins.margin_m[index, mark.index]), 2)
            found.append(
                RiderMargin(rider.bib, mark.index, mark.loop, mark.distance_m, truncate_to_ms(margin_us), margin_m)
            )
    return tuple(found)


def _findings(
    curve: PaceCurve,
    tolerance: PaceTolerance,
    exit_m: float,
    entry_kmh: float | None,
    exit_kmh: float | None,
    pull_off: PullOffVerdict,
    last_m: float | None,
    again_m: float | None,
    ahead: tuple[RiderMargin, ...],
) -> tuple[PaceFinding, ...]:
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
    for margin in ahead:
        text = (
            f"rider {margin.bib} ahead of the pacer at {margin.distance_m:g} m by "
            f"{-margin.margin_m:.2f} m ({-margin.margin_ms} ms)"
        )
        findings.append(PaceFinding("rider_ahead", text, margin.margin_m, 0.0))
    return tuple(findings)


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
    if compliant is None:
        return f"target {curve.start_kmh:g}→{curve.end_kmh:g} km/h over {exit_m:g} m"
    entry = "?" if entry_kmh is None else f"{entry_kmh:.0f}"
    leave = "?" if exit_kmh is None else f"{exit_kmh:.0f}"
    where = "?" if last_m is None else f"{last_m:g}"
    if compliant:
        return f"{entry}→{leave} km/h, pull-off at {where} m: compliant"
    return f"{entry}→{leave} km/h, pull-off at {where} m ({pull_off}): " + "; ".join(one.text for one in findings)
