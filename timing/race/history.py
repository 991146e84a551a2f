"""What was ordered in a heat, by whom and when, with what was taken back: the record that can be asked."""

import msgspec

from timing.race.actions import (
    AcceptInferred,
    AnyAction,
    Decide,
    Exclusion,
    Gun,
    ManualPassing,
    Mishap,
    Place,
    RejectInferred,
    Reopen,
    Restart,
    RingBell,
    SetAside,
    SetLapCounter,
    Stop,
    SwapTransponder,
    Undo,
)
from timing.race.events import Command, heat_action
from timing.race.finish import WARNING
from timing.race.heat import HeatLog
from timing.race.sentences import Params, Sentence, local_time, say
from timing.race.undoing import undo_roles

NOTHING = "-"
"""Stands for a reason that nobody gave."""

ENGLISH = {
    "open_heat": "opened the heat",
    "arm": "armed the heat: pacer on the track, waiting for the gun",
    "gun": "logged the gun by hand at {time}",
    "bell": "logged the bell at {time}",
    "lap_counter": "set the lap counter to {laps}",
    "stop": "stopped the race: {reason}",
    "restart": "opened the next attempt for all riders: {reason}",
    "restart_without": "opened the next attempt without {riders}: {reason}",
    "mishap": "logged a mishap of {bib}: {what}",
    "close": "closed the race: nobody else is awaited at the finish",
    "place": "placed {order}",
    "warn": "warned {bib}: {reason}",
    "decide": "ruled {code} for {bib}: {reason}",
    "decide_order": "ruled {code} for {bib}, number {order} among those relegated: {reason}",
    "confirm": "made the result official",
    "reopen": "reopened the official result: {reason}",
    "set_aside": "set aside the read of {bib} at {loop} at {time}: {reason}",
    "set_aside_unknown": "set aside the read of transponder {transponder} at {loop} at {time}: {reason}",
    "set_aside_gone": "set aside the read {read}: {reason}",
    "accept_inferred": "accepted the missed read of {bib} at {loop}, {distance} m",
    "reject_inferred": "rejected the missed read of {bib} at {loop}, {distance} m",
    "manual_passing": "saw {bib} pass {loop} at {time}",
    "swap_transponder": "{bib} rides with transponder {transponder}",
    "undo": "took back: {what}",
    "redo": "brought back: {what}",
}
"""The predicate of each sentence: the actor stands before it, the time behind it or in a column of its own."""


class HistoryEntry(msgspec.Struct, frozen=True):
    """An order as it is on record. `text` is the English of `key` with `params`, without actor and time."""

    row: int
    id: str
    at_us: int
    actor: str
    role: str
    action: AnyAction
    accepted: bool
    reason: str
    """Why it was refused; empty where it was taken."""
    undone_by: str | None
    """Id of the command by which it does not count now."""
    can_undo: bool
    undo_roles: tuple[str, ...]
    """Who may take it back; empty where nobody can."""
    key: str
    params: Params
    text: str


def history(log: HeatLog) -> tuple[HistoryEntry, ...]:
    """Every order of the heat in the order of the journal, as things stand now."""
    undone_by = {one.action.command: one.id for one in log.standing() if isinstance(one.action, Undo)}
    found = []
    for one in log.orders:
        command, accepted = one.command, one.refusal is None
        said = sentence(log, command)
        roles = undo_roles(log, command) if accepted else ()
        entry = HistoryEntry(
            row=one.row,
            id=command.id,
            at_us=command.at_us,
            actor=command.actor,
            role=command.role,
            action=heat_action(command),
            accepted=accepted,
            reason=one.refusal or "",
            undone_by=undone_by.get(command.id) if accepted else None,
            can_undo=bool(roles),
            undo_roles=roles,
            key=said.key,
            params=said.params,
            text=said.text,
        )
        found.append(entry)
    return tuple(found)


def last_row(log: HeatLog) -> int:
    """The highest row of the heat's history, and of the photo-finish sheets beside it; 0 before the first order."""
    return max(
        log.orders[-1].row if log.orders else 0,
        log.sheets[-1].row if log.sheets else 0,
    )


def sentence(log: HeatLog, command: Command) -> Sentence:
    """What a command says, as a predicate to its actor."""
    action = heat_action(command)
    match action:
        case Gun(at_us=at_us):
            seen_us = command.at_us if at_us is None else at_us
            return say(ENGLISH, "gun", time=local_time(log.setup, seen_us, milliseconds=True))
        case RingBell(at_us=at_us):
            seen_us = command.at_us if at_us is None else at_us
            return say(ENGLISH, "bell", time=local_time(log.setup, seen_us, milliseconds=True))
        case SetLapCounter(laps_to_go=laps):
            return say(ENGLISH, "lap_counter", laps=laps)
        case Stop(reason=reason):
            return say(ENGLISH, "stop", reason=reason or NOTHING)
        case Reopen(reason=reason):
            return say(ENGLISH, "reopen", reason=reason or NOTHING)
        case Restart(excluded=excluded, reason=reason) if excluded:
            riders = ", ".join(f"{out.bib} ({_because(out)})" for out in excluded)
            return say(ENGLISH, "restart_without", riders=riders, reason=reason or NOTHING)
        case Restart(reason=reason):
            return say(ENGLISH, "restart", reason=reason or NOTHING)
        case Mishap(bib=bib, what=what):
            return say(ENGLISH, "mishap", bib=bib, what=what)
        case Place(order=order):
            return say(ENGLISH, "place", order=order_text(order))
        case Decide():
            return _decision(action)
        case Undo(command=target):
            return _undo(log, target)
        case _:
            return _read_sentence(log, action)


def order_text(order: tuple[tuple[str, ...], ...]) -> str:
    """A judge's order on one line; riders of a dead heat stand together."""
    return ", ".join(" = ".join(group) for group in order)


def _because(ruling: Exclusion) -> str:
    return " ".join(part for part in (f"{ruling.code},", ruling.article, ruling.reason) if part)


def _decision(action: Decide) -> Sentence:
    reason = " ".join(part for part in (action.article, action.reason) if part) or NOTHING
    if action.code == WARNING:
        return say(ENGLISH, "warn", bib=action.bib, reason=reason)
    if action.order is not None:
        return say(ENGLISH, "decide_order", code=action.code, bib=action.bib, order=action.order, reason=reason)
    return say(ENGLISH, "decide", code=action.code, bib=action.bib, reason=reason)


def _undo(log: HeatLog, target_id: str) -> Sentence:
    """An undo by what it took back: that of an undo brings the first command back, and so on."""
    target = log.command_of.get(target_id)
    redone = False
    while target is not None and isinstance(target.action, Undo):
        redone = not redone
        target = log.command_of.get(target.action.command)
    what = sentence(log, target).text if target is not None else target_id
    return say(ENGLISH, "redo" if redone else "undo", what=what, target=target.id if target is not None else target_id)


def _read_sentence(log: HeatLog, action: AnyAction) -> Sentence:
    """Orders about the reads of a rider, and those that need no more than their name."""
    match action:
        case SetAside(read=ref, reason=reason):
            return _set_aside(log, ref, reason or NOTHING)
        case AcceptInferred(bib=bib, mark=mark) | RejectInferred(bib=bib, mark=mark):
            key = str(type(action).__struct_config__.tag)
            known = 0 <= mark < len(log.course.marks)
            loop = log.course.marks[mark].loop if known else NOTHING
            distance = f"{log.course.marks[mark].distance_m:g}" if known else NOTHING
            return say(ENGLISH, key, bib=bib, loop=loop, distance=distance)
        case ManualPassing(bib=bib, loop=loop, at_us=at_us):
            return say(
                ENGLISH, "manual_passing", bib=bib, loop=loop, time=local_time(log.setup, at_us, milliseconds=True)
            )
        case SwapTransponder(bib=bib, transponder=transponder):
            return say(ENGLISH, "swap_transponder", bib=bib, transponder=transponder)
        case _:
            return say(ENGLISH, str(type(action).__struct_config__.tag))


def _set_aside(log: HeatLog, ref: str, reason: str) -> Sentence:
    read = next((one for one in log.reads if one.ref == ref), None)
    if read is None:
        return say(ENGLISH, "set_aside_gone", read=ref, reason=reason)
    loop, time = log.course.loops[read.loop], local_time(log.setup, read.fallback_us)
    competitor = log.competitor_of.get(read.transponder, log.pacer_index)
    if competitor == log.pacer_index:
        return say(ENGLISH, "set_aside_unknown", transponder=read.transponder, loop=loop, time=time, reason=reason)
    return say(ENGLISH, "set_aside", bib=log.riders[competitor].bib, loop=loop, time=time, reason=reason)
