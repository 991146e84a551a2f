"""The tries of a heat: a stopped race stays in the record as an attempt, a restart opens the next (track-rules §1.4).

Commands and impulses cut the log into attempts by time; nothing is moved or erased.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from timing.race.actions import (
    AcceptInferred,
    Arm,
    CloseRace,
    Confirm,
    Decide,
    Gun,
    ManualPassing,
    Mishap,
    OpenHeat,
    Place,
    RejectInferred,
    Reopen,
    Restart,
    RingBell,
    SetAside,
    SetLapCounter,
    Stop,
)
from timing.race.events import Command
from timing.race.heat import HeatLog, Sheet, Shot
from timing.race.picture import Decision

FOREVER_US = 2**62
DOUBLE_SHOT_US = 3_000_000
"""Two shots within this time are the starter's stop signal, UCI 3.2.019."""


@dataclass
class Attempt:
    """One try: from its opening or restart to the next, with what was ordered and seen in it."""

    number: int
    from_us: int
    until_us: int = FOREVER_US
    armed_us: int | None = None
    start_us: int | None = None
    start_source: str | None = None
    extra_shots_us: list[int] = field(default_factory=list)
    stopped_us: int | None = None
    stop_reason: str = ""
    bell_us: int | None = None
    lap_counter: int | None = None
    closed: bool = False
    official: bool = False
    judged: tuple[tuple[str, ...], ...] = ()
    judged_by: str = ""
    mishaps: list[tuple[int, str, str]] = field(default_factory=list)
    """(UTC µs, bib, what happened)."""
    manual: list[tuple[str, str, int]] = field(default_factory=list)
    """(bib, loop, UTC µs)."""
    accepted: set[tuple[str, int]] = field(default_factory=set)
    rejected: set[tuple[str, int]] = field(default_factory=set)
    sheet: Sheet | None = None


@dataclass
class HeatEvents:
    """What the standing commands and impulses of a heat amount to."""

    opened: bool
    attempts: list[Attempt]
    decisions: list[Decision]
    set_aside: dict[str, str]


RaceTime = Callable[[str, int, int], int]
"""(device, its unwrapped device_us, fallback_us) → race µs."""


def read_log(log: HeatLog, race_time: RaceTime) -> HeatEvents:
    """Fold the standing commands, then the impulses and the photo-finish sheets, into attempts."""
    events = HeatEvents(opened=False, attempts=[Attempt(1, 0)], decisions=[], set_aside={})
    for command in log.standing():
        _apply(events, command)
    for shot in log.shots:
        at_us = race_time(shot.device, shot.device_us, shot.fallback_us)
        _apply_shot(events.attempts, shot, at_us)
    for sheet in log.sheets:
        for attempt in reversed(events.attempts):
            if attempt.start_us is not None and sheet.sheet.received_us >= attempt.start_us:
                if attempt.stopped_us is None or sheet.sheet.received_us < attempt.stopped_us:
                    attempt.sheet = sheet
                break
    return events


def _apply_shot(attempts: list[Attempt], shot: Shot, at_us: int) -> None:
    attempt = next((one for one in reversed(attempts) if one.from_us <= at_us), None)
    if attempt is None or attempt.armed_us is None:
        return
    if shot.role == "gun":
        if attempt.start_us is None or attempt.start_source == "command":
            attempt.start_us = at_us
            attempt.start_source = f"gun impulse of {shot.device}"
        elif at_us > attempt.start_us:
            attempt.extra_shots_us.append(at_us)
    elif shot.role == "bell" and attempt.start_us is not None and attempt.bell_us is None:
        attempt.bell_us = at_us


def _apply(events: HeatEvents, command: Command) -> None:
    attempt = events.attempts[-1]
    action = command.action
    match action:
        case OpenHeat():
            events.opened = True
        case Arm():
            attempt.armed_us = command.at_us
        case Gun(at_us=at_us):
            attempt.start_us = at_us if at_us is not None else command.at_us
            attempt.start_source = "command"
        case RingBell(at_us=at_us):
            attempt.bell_us = at_us if at_us is not None else command.at_us
        case SetLapCounter(laps_to_go=laps):
            attempt.lap_counter = laps
        case Stop(reason=reason):
            attempt.stopped_us = command.at_us
            attempt.stop_reason = reason
        case Restart(excluded=excluded):
            attempt.until_us = command.at_us
            events.attempts.append(Attempt(attempt.number + 1, command.at_us))
            for out in excluded:
                events.decisions.append(_decision(command, out.bib, out.code, out.article, out.reason))
        case Mishap(bib=bib, what=what):
            attempt.mishaps.append((command.at_us, bib, what))
        case CloseRace():
            attempt.closed = True
        case Place(order=order):
            attempt.judged = order
            attempt.judged_by = f"{command.actor} ({command.role})"
        case Decide(bib=bib, code=code, article=article, reason=reason):
            events.decisions.append(_decision(command, bib, code, article, reason))
        case Confirm():
            attempt.official = True
        case Reopen():
            attempt.official = False
        case SetAside(read=read, reason=reason):
            events.set_aside[read] = reason
        case ManualPassing(bib=bib, loop=loop, at_us=passed_us):
            attempt.manual.append((bib, loop, passed_us))
        case AcceptInferred(bib=bib, mark=mark):
            attempt.accepted.add((bib, mark))
            attempt.rejected.discard((bib, mark))
        case RejectInferred(bib=bib, mark=mark):
            attempt.rejected.add((bib, mark))
            attempt.accepted.discard((bib, mark))
        case _:
            pass


def _decision(command: Command, bib: str, code: str, article: str, reason: str) -> Decision:
    return Decision(command.id, command.actor, command.role, command.at_us, bib, code, article, reason)
