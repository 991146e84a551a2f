"""Whether a command is taken: by role, by the heat's state, and by what it says. A refusal is a sentence."""

from typing import TYPE_CHECKING

from timing.race.actions import (
    AcceptInferred,
    Confirm,
    Decide,
    ManualPassing,
    Mishap,
    OpenHeat,
    Place,
    RejectInferred,
    Restart,
    SetAside,
    SetLapCounter,
    SwapTransponder,
    Undo,
)
from timing.race.conflicts import refuse_unseen
from timing.race.events import Command
from timing.race.finish import WARNING
from timing.race.heat import HeatLog
from timing.race.permits import ON_TRACK, RACING, refuse_role, refuse_state
from timing.race.undoing import refuse_undo_by, root_action

if TYPE_CHECKING:
    from timing.race.meet import MeetState

LONGEST_US = 6 * 3_600_000_000
"""Nobody logs a gun, a bell or a passing longer after it than this."""


def refuse(state: "MeetState", command: Command, heat: str | None) -> str | None:
    """Why a command is refused, or None when it is taken. `heat` is the one that it means."""
    action = command.action
    reason = refuse_role(action, command.role)
    if reason is not None:
        return reason
    if not command.actor.strip():
        return "a command needs the name of its actor"
    if heat is None:
        return "no heat is open: open one first"
    if heat not in state.heats:
        return f"heat {heat!r} is not in the meet file: it has {', '.join(state.heats)}"
    log = state.heats[heat]
    reason = refuse_unseen(log, command)
    if reason is not None:
        return reason
    if isinstance(action, OpenHeat):
        return _refuse_opening(state, heat)
    if log.opened_us is None:
        return f"heat {heat!r} is not open: open it first"
    if heat != state.current and isinstance(root_action(log, command), ON_TRACK):
        return f"heat {heat!r} is not on the track, {state.current!r} is: open {heat!r} first"
    if isinstance(action, Undo):
        return refuse_undo_by(log, action.command, command.role)
    picture = state.picture(heat)
    reason = refuse_state(action, picture.state)
    if reason is not None:
        return reason
    if isinstance(action, Confirm) and not any(line.place is not None for line in picture.results):
        return "'confirm' is refused: nobody is placed yet (photo-finish, or place by hand)"
    return _refuse_time(command) or _refuse_content(log, command)


def _refuse_opening(state: "MeetState", heat: str) -> str | None:
    if state.heats[heat].closed:
        return f"the result of heat {heat!r} is official: reopen it first, or open another heat"
    if state.current is None or state.current == heat:
        return None
    now = state.picture(state.current).state
    if now in RACING or now == "pacer_run":
        return f"heat {state.current!r} is on the track ({now}): stop or finish it before another is opened"
    return None


def _refuse_time(command: Command) -> str | None:
    """An instant given by hand lies near the command: a slip of the pen would move the whole race."""
    at_us = getattr(command.action, "at_us", None)
    if at_us is None or abs(at_us - command.at_us) <= LONGEST_US:
        return None
    hours = LONGEST_US // 3_600_000_000
    return f"at_us = {at_us} is not within {hours} h of now ({command.at_us}): give UTC microseconds"


def _refuse_content(log: HeatLog, command: Command) -> str | None:
    action = command.action
    match action:
        case Place(order=order):
            return _refuse_order(log, order)
        case Decide(bib=bib, code=code):
            return _unknown_bib(log, bib) or _unknown_code(log, code)
        case Restart(excluded=excluded):
            for out in excluded:
                reason = _unknown_bib(log, out.bib) or _unknown_code(log, out.code)
                if reason is not None:
                    return reason
        case ManualPassing(bib=bib, loop=loop):
            if loop not in log.loop_index:
                return f"loop {loop!r} is not in the venue: it has {', '.join(log.loop_index)}"
            return _unknown_bib(log, bib)
        case Mishap(bib=bib) | SwapTransponder(bib=bib):
            return _unknown_bib(log, bib)
        case AcceptInferred(bib=bib, mark=mark) | RejectInferred(bib=bib, mark=mark):
            if not 0 <= mark < len(log.course.marks):
                return f"mark {mark} is not on the course: it has 0 to {len(log.course.marks) - 1}"
            return _unknown_bib(log, bib)
        case SetLapCounter(laps_to_go=laps):
            if not 0 <= laps <= log.course.total_laps + 1:
                return f"{laps} laps to go cannot be: the race has {log.course.total_laps:g}"
        case SetAside(read=read):
            if all(read != one.ref for one in log.reads):
                return f"read {read!r} is not one of heat {log.heat.id!r}"
        case _:
            return None
    return None


def _refuse_order(log: HeatLog, order: tuple[tuple[str, ...], ...]) -> str | None:
    seen: set[str] = set()
    for group in order:
        if not group:
            return "an empty place in the order: give at least one bib for each"
        for bib in group:
            reason = _unknown_bib(log, bib)
            if reason is not None:
                return reason
            if bib in seen:
                return f"bib {bib!r} stands twice in the order"
            seen.add(bib)
    return None if seen else "the order is empty"


def _unknown_bib(log: HeatLog, bib: str) -> str | None:
    if bib in log.index_of_bib:
        return None
    return f"bib {bib!r} does not ride in heat {log.heat.id!r}: it has {', '.join(log.index_of_bib)}"


def _unknown_code(log: HeatLog, code: str) -> str | None:
    known = [WARNING, *(one.code for one in log.setup.rules.codes)]
    if code in known:
        return None
    return f"code {code!r} is not in rule book {log.setup.rules.id!r}: it has {', '.join(known)}"
