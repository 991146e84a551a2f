"""The script's truth against what the heat says: right, marked as uncertain, or a silent error.

Silent is: a crossing or place that is shown as read and is not true within the ± that the heat states; a crossing
that happened and is neither read, nor inferred, nor awaited by name; a passing that a box was told is safe and that
is not in the journal; a passing that was told and is nowhere, without a gap, an error or a fault that explains it.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from config.models import Rider
from drivers.records import Delivery, Impulse, Malformed, Passing, SequenceGap, Unhandled
from drivers.rig.fault_plan import Happening
from drivers.rig.field import Field, build_field
from drivers.rig.impulse_box import ImpulseBox, TimyDialect
from drivers.rig.p98_box import P98Box
from drivers.rig.race import Edge, LoopRead
from drivers.rig.raceresult_usb_box import COARSE_TICK_US, RaceResultUsbBox
from drivers.rig.rig import Box
from drivers.rig.thbc_box import ThbcBox
from tests.soak_parts.office import Office
from timing.race.heat import HeatLog
from timing.race.picture import Crossing, HeatPicture

DAY_US: Final = 86_400_000_000
SLACK_US: Final = {"read": 2_000, "cell": 300}
"""Ticks of the boxes; a cell's is 100 µs."""
STAMP_SLACK_US: Final = 4_000
"""The coarsest box counts in steps of 1/256 s."""
SURE: Final = frozenset({"read", "cell"})
GAP_SLACK_MS: Final = 1
FRONT_SLACK_MS: Final = 12
"""The way from transponder to front wheel is made up from the sector's mean speed."""


@dataclass
class Findings:
    """Counts over many heats, and every silent error in words."""

    counts: Counter[str] = field(default_factory=Counter)
    silent: list[str] = field(default_factory=list)


def judge_heat(office: Office, picture: HeatPicture, gun_us: int, findings: Findings) -> None:
    """Compare a heat that was ridden with its script."""
    setup, script = office.meet.setup, office.meet.script.heats[picture.heat]
    log = office.state.heats[picture.heat]
    truth = build_field(setup, log.heat, script, office.meet.seed)
    where = f"seed {office.meet.seed} heat {picture.heat}"
    start_us = picture.start_us
    if start_us is None:
        findings.silent.append(f"{where}: no start, although one was logged by hand")
        return
    findings.counts["started by hand"] += picture.start_source == "command"
    for index, rider in enumerate(log.riders):
        crossings = {one.mark: one for one in picture.splits[index].crossings}
        for mark in range(len(log.course.marks)):
            problem = _judge_crossing(office, log, truth, rider, mark, crossings.get(mark), gun_us, start_us, findings)
            if problem:
                findings.silent.append(f"{where}: bib {rider.bib} {problem}")
    _judge_result(picture, [one.bib for one in script.finish], dict(_gaps(office, picture.heat)), where, findings)


def _gaps(office: Office, heat: str) -> list[tuple[str, int | None]]:
    finish = office.meet.script.heats[heat].finish
    return [(one.bib, 0 if index == 0 else one.gap_ms) for index, one in enumerate(finish)]


def _judge_crossing(
    office: Office,
    log: HeatLog,
    truth: Field,
    rider: Rider,
    mark: int,
    shown: Crossing | None,
    gun_us: int,
    start_us: int,
    findings: Findings,
) -> str | None:
    distance_m = log.course.marks[mark].distance_m
    motion = truth.riders[rider.bib]
    offset_m = rider.transponder_to_front_m
    offset_m = log.setup.meet.transponder_to_front_m if offset_m is None else offset_m
    happened = motion.covers(distance_m + offset_m)
    if distance_m == 0.0:
        # The riders stand on the line: the gun is their crossing of it, whatever the loop read.
        return None
    if not happened:
        if shown is None:
            return None
        findings.counts["crossings that were not, shown as inferred"] += shown.source not in SURE
        return f"shown at {distance_m:g} m as {shown.source}, where he never was" if shown.source in SURE else None
    if shown is None:
        # Not shown is not said: unless the picture names the crossing as awaited it would be a hole.
        findings.counts["crossings missing"] += 1
        return f"crossed {distance_m:g} m ({log.course.marks[mark].loop}) and the heat does not say so"
    if shown.source not in SURE:
        findings.counts["crossings inferred and marked"] += 1
        true_us = gun_us + motion.time_at(distance_m + offset_m)
        off_ms = abs(start_us + shown.race_ms * 1_000 - true_us) // 1_000
        findings.counts["inferred within their ±"] += off_ms <= shown.uncertainty_ms + 2
        return None
    findings.counts["crossings read"] += 1
    true_us = gun_us + motion.time_at(distance_m + (0.0 if shown.source == "cell" else offset_m))
    off_us = start_us + shown.race_ms * 1_000 - true_us
    allowed_us = (shown.uncertainty_ms + 1) * 1_000 + _clock_slack_us(office, log, shown)
    findings.counts["crossings by cell"] += shown.source == "cell"
    findings.counts["crossings whose clock is in doubt"] += shown.source == "read" and shown.uncertainty_ms > 0
    if shown.uncertainty_ms == 0:
        worst = f"worst µs of a crossing by {shown.source} that is stated ±0"
        findings.counts[worst] = max(findings.counts[worst], abs(off_us))
    if abs(off_us) <= allowed_us:
        return None
    if _is_second_read(office, log, rider, shown, true_us - gun_us, off_us):
        findings.counts["second reads that stand for one that was lost, said so"] += 1
        return None
    return f"{shown.source} at {distance_m:g} m is {off_us} µs off, stated ±{shown.uncertainty_ms} ms"


def _is_second_read(office: Office, log: HeatLog, rider: Rider, shown: Crossing, true_at_us: int, off_us: int) -> bool:
    """Whether the box did read him then, once more, and said that it lost something (the first read) in this heat."""
    device = next((one.device for one in log.reads if one.ref == shown.read), None)
    steps = [step.what for step in office.rig.plans[log.heat.id].steps]
    reads = (one for one in steps if isinstance(one, LoopRead) and one.device == device)
    told_us = [one.at_us - true_at_us for one in reads if one.transponder in rider.transponders]
    if not any(abs(at_us - off_us) <= STAMP_SLACK_US + shown.uncertainty_ms * 1_000 for at_us in told_us):
        return False
    switched_off = any(isinstance(one, Happening) and one.device == device and one.kind == "restart" for one in steps)
    return switched_off or _said_trouble(office, log.opened_us or 0)[device or ""] > 0


def _said_trouble(office: Office, since_us: int) -> Counter[str]:
    """How often each device reported damaged bytes or missing numbers."""
    troubled: Counter[str] = Counter()
    for event in office.events:
        if isinstance(event, Delivery) and event.received_us >= since_us:
            for record in event.records:
                restarted = isinstance(record, Unhandled) and record.name == "numbering_restarted"
                troubled[record.device] += isinstance(record, Malformed | SequenceGap) or restarted
    return troubled


def _clock_slack_us(office: Office, log: HeatLog, shown: Crossing) -> int:
    """± of the box's clock, which the heat tells beside the crossing, and its ticks."""
    ref, reads = (shown.cell, log.cells.reads) if shown.source == "cell" else (shown.read, log.reads)
    device = next(one.device for one in reads if one.ref == ref)
    return office.state.clocks[device].fit().uncertainty_us + SLACK_US[shown.source]


def _judge_result(
    picture: HeatPicture, order: list[str], gaps: dict[str, int | None], where: str, findings: Findings
) -> None:
    arrived = [bib for bib in order if gaps[bib] is not None]
    placed = [line for line in picture.results if line.place is not None]
    source = placed[0].source if placed else "none"
    findings.counts[f"results by {source}"] += 1
    if source != "photo_finish":
        # Nothing is decided: the state says that the judge or the picture is awaited, and proposes no official order.
        if picture.state == "provisional":
            findings.silent.append(f"{where}: provisional by {source}, without a camera and a judge")
        findings.counts["results that await the judge"] += 1
        _judge_proposal(gaps, where, picture, findings)
        return
    if [line.bib for line in placed][: len(arrived)] != arrived:
        findings.silent.append(f"{where}: {[line.bib for line in placed]} placed, {arrived} came")
    for line in placed:
        gap_ms = gaps[line.bib]
        if gap_ms and (line.gap_ms is None or abs(line.gap_ms - gap_ms) > GAP_SLACK_MS):
            findings.silent.append(f"{where}: gap of {line.bib} is {line.gap_ms} ms, true {gap_ms} ms")
    findings.counts["results equal to the truth"] += 1


def _judge_proposal(gaps: dict[str, int | None], where: str, picture: HeatPicture, findings: Findings) -> None:
    """The order by transponders or cells: true but for those who are closer than it can tell."""
    known = [line.bib for line in picture.results if line.place is not None and gaps.get(line.bib) is not None]
    slack_ms = FRONT_SLACK_MS + 2 * picture.clock_uncertainty_us // 1_000
    for ahead, behind in pairwise(known):
        early, late = gaps[ahead], gaps[behind]
        if early is None or late is None or early <= late:
            continue
        if early - late > slack_ms:
            findings.silent.append(
                f"{where}: {ahead} before {behind} by {picture.results[0].source}, true is the other way "
                f"by {early - late} ms (±{slack_ms})"
            )
        findings.counts["pairs too close for transponders"] += 1


def judge_passings(office: Office, heat: str, gun_us: int, findings: Findings) -> None:
    """Whatever a box of the rig saw is in the journal, or something says why not."""
    deliveries = [event for event in office.events if isinstance(event, Delivery) and event.received_us >= gun_us]
    stored: dict[str, list[tuple[str, int]]] = {}
    troubled = _said_trouble(office, gun_us)
    for delivery in deliveries:
        for record in delivery.records:
            if isinstance(record, Passing):
                stored.setdefault(record.device, []).append((record.transponder, record.device_us))
            elif isinstance(record, Impulse):
                stored.setdefault(record.device, []).append((record.channel, record.device_us))
    plan = office.rig.plans[heat]
    happenings = [step.what for step in plan.steps if isinstance(step.what, Happening)]
    broken = {one.device: one.kind for one in happenings if one.kind != "clock_step"}
    set_by_us = {one.device: one.by_us for one in happenings if one.kind == "clock_step"}
    lost: Counter[str] = Counter()
    for step in plan.steps:
        event = step.what
        if not isinstance(event, LoopRead | Edge):
            continue
        findings.counts["passings and impulses told"] += 1
        name = event.transponder if isinstance(event, LoopRead) else event.channel
        box = office.rig.boxes[event.device]
        wanted = _stamps(box, gun_us + event.at_us, set_by_us.get(event.device, 0))
        switched_off = broken.get(event.device) == "restart"
        if isinstance(box, ImpulseBox) and isinstance(box.dialect, TimyDialect) and not switched_off:
            printed = [(line.channel, line.time_us) for line in box.dialect.memory]
            if not _was_told(name, wanted, printed):
                findings.counts["edges in the Timy's own dead time"] += 1
                continue
        if not _was_told(name, wanted, stored.get(event.device, [])):
            lost[event.device] += 1
    for device, count in lost.items():
        kind = office.meet.kinds[device]
        findings.counts["passings not in the journal"] += count
        why = [kind.protocol]
        if broken.get(device) == "restart" and kind.forgets:
            why.append("switched off")
        elif not kind.keeps or troubled[device] or office.rig.lines[device].damaged:
            why.append("damaged, said so" if troubled[device] else "")
        findings.counts[f"passings not in the journal: {' '.join(why)}"] += count
        acknowledged = office.rig.boxes[device]
        if isinstance(acknowledged, ThbcBox):
            if acknowledged.unacknowledged < count:
                findings.silent.append(f"seed {office.meet.seed} heat {heat}: {device} lost {count} acknowledged")
        elif len(why) == 1:
            findings.silent.append(
                f"seed {office.meet.seed} heat {heat}: {device} ({kind.protocol}) lost {count}, unsaid"
            )


def _stamps(box: Box, at_us: int, set_by_us: int) -> set[int]:
    """What a box may have stamped at a host time: before its clock was set it did so by the old one."""
    now_us = box.model.device_us(at_us)
    stamps = {now_us, now_us - set_by_us}
    if isinstance(box, P98Box):
        return {stamp_us - box.started_us for stamp_us in stamps}
    if isinstance(box, RaceResultUsbBox):
        # Without its reference, if the question for that was lost, the ticks count from power-on.
        stamps.add(box.tick(at_us) * COARSE_TICK_US[0] // COARSE_TICK_US[1])
    return stamps


def _was_told(name: str, wanted: set[int], stored: list[tuple[str, int]]) -> bool:
    return any(_near(name, wanted_us, one) for one in stored for wanted_us in wanted)


def _near(name: str, wanted_us: int, stored: tuple[str, int]) -> bool:
    """Whether a record is that event, within the box's ticks, on a clock with or without a date."""
    if stored[0] != name:
        return False
    off_us = abs(stored[1] - wanted_us) % DAY_US
    return min(off_us, DAY_US - off_us) <= STAMP_SLACK_US
