"""The tries of a heat: a stopped race stays in the record as an attempt, a restart opens the next (track-rules §1.4).

Commands and impulses cut the log into attempts by time; nothing is moved or erased.
"""

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
from timing.race.reads import RaceTime

FOREVER_US = 2**62
BOUNCE_US = 100_000
"""A second edge this soon is the same shot: a contact bounces, a starter does not."""
ARM_SLACK_US = 1_000_000
"""A shot this little before the arming still starts the race; an earlier one was a test of the gun."""
GUN_BY_HAND_US = 5_000_000
"""A start logged by hand is off by this at most: an impulse near it is the gun itself and says when."""

BY_COMMAND = "command"
"""The source of a start that somebody logged; a gun's says which box heard it."""


@dataclass
class Attempt:
    """One try: from its opening or restart to the next, with what was ordered and seen in it."""

    number: int
    from_us: int
    until_us: int = FOREVER_US
    armed_us: int | None = None
    start_us: int | None = None
    start_source: str | None = None
    start_doubt_us: int = 0
    """± of an impulse of the gun whose box had its clock set about then."""
    excluded: frozenset[str] = frozenset()
    """Bibs that a restart left out, whatever their code (UCI 3.2.139, 3.2.140, 3.2.142)."""
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
    relegation_order: dict[str, int] = field(default_factory=dict)
    """Command id of a decision → the order among those relegated that it asks for."""


def read_log(log: HeatLog, race_time: RaceTime) -> HeatEvents:
    """Fold the standing commands, then the impulses in order of time and the photo-finish sheets, into attempts."""
    events = HeatEvents(opened=False, attempts=[Attempt(1, 0)], decisions=[], set_aside={})
    for command in log.standing():
        _apply(events, command)
    shots = [
        (*race_time.at(shot.device, shot.device_us, shot.fallback_us, backlog=shot.backlog), shot) for shot in log.shots
    ]
    # A shot may come from a box's backlog, after a later one.
    for at_us, doubt_us, shot in sorted(shots, key=lambda timed: timed[0]):
        _apply_shot(events.attempts, shot, at_us, doubt_us)
    for sheet in log.sheets:
        for attempt in reversed(events.attempts):
            if attempt.start_us is not None and sheet.sheet.received_us >= attempt.start_us:
                if attempt.stopped_us is None or sheet.sheet.received_us < attempt.stopped_us:
                    attempt.sheet = sheet
                break
    return events


def _apply_shot(attempts: list[Attempt], shot: Shot, at_us: int, doubt_us: int) -> None:
    attempt = next((one for one in reversed(attempts) if one.from_us <= at_us), None)
    if attempt is None or attempt.armed_us is None or at_us < attempt.armed_us - ARM_SLACK_US:
        return
    if shot.role == "gun":
        _apply_gun(attempt, shot, at_us, doubt_us)
    elif shot.role == "bell" and attempt.start_us is not None and attempt.bell_us is None:
        attempt.bell_us = at_us


def _apply_gun(attempt: Attempt, shot: Shot, at_us: int, doubt_us: int) -> None:
    """The first shot is the start; a later one is for the starter to explain (double shot, UCI 3.2.019)."""
    stopped = attempt.stopped_us is not None and at_us >= attempt.stopped_us
    start_us = attempt.start_us
    by_hand = attempt.start_source == BY_COMMAND
    if start_us is None or (by_hand and abs(at_us - start_us) <= GUN_BY_HAND_US):
        if not stopped:
            attempt.start_us = at_us
            attempt.start_source = f"gun impulse of {shot.device}"
            attempt.start_doubt_us = doubt_us
    elif at_us > start_us + BOUNCE_US:
        attempt.extra_shots_us.append(at_us)


def _apply(events: HeatEvents, command: Command) -> None:
    attempt = events.attempts[-1]
    action = command.action
    match action:
        case OpenHeat():
            events.opened = True
        # An arming or a start in a stopped attempt is that of a restart which was undone: it does not count.
        case Arm() if attempt.stopped_us is None:
            attempt.armed_us = command.at_us
        case Gun(at_us=at_us) if attempt.stopped_us is None:
            attempt.start_us = at_us if at_us is not None else command.at_us
            attempt.start_source = BY_COMMAND
        case RingBell(at_us=at_us):
            attempt.bell_us = at_us if at_us is not None else command.at_us
        case SetLapCounter(laps_to_go=laps):
            attempt.lap_counter = laps
        case Stop(reason=reason):
            attempt.stopped_us = command.at_us
            attempt.stop_reason = reason
        case Restart(excluded=excluded):
            attempt.until_us = command.at_us
            left_out = attempt.excluded | {out.bib for out in excluded}
            events.attempts.append(Attempt(attempt.number + 1, command.at_us, excluded=left_out))
            for out in excluded:
                events.decisions.append(_decision(command, out.bib, out.code, out.article, out.reason))
        case Mishap(bib=bib, what=what):
            attempt.mishaps.append((command.at_us, bib, what))
        case CloseRace():
            attempt.closed = True
        case Place(order=order):
            attempt.judged = order
            attempt.judged_by = f"{command.actor} ({command.role})"
        case Decide(bib=bib, code=code, article=article, reason=reason, order=order):
            events.decisions.append(_decision(command, bib, code, article, reason))
            if order is not None:
                events.relegation_order[command.id] = order
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
