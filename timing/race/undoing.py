"""What can be taken back, and by whom: the one rule for the refusal of an undo and for the key that offers it."""

from timing.race.actions import Action, Confirm, OpenHeat, Reopen, Undo
from timing.race.events import Command
from timing.race.heat import HeatLog
from timing.race.permits import PERMITTED, refuse_role


def root_action(log: HeatLog, command: Command) -> Action:
    """What an undo is about in the end: an undo of an undo of X is about X."""
    action: Action = command.action
    while isinstance(action, Undo):
        target = log.command_of.get(action.command)
        if target is None:
            break
        action = target.action
    return action


def refuse_undo(log: HeatLog, command_id: str) -> str | None:
    """Why a command cannot be taken back by anybody, or None."""
    target = log.command_of.get(command_id)
    if target is None:
        return f"command {command_id!r} is not one of heat {log.heat.id!r}: nothing to undo"
    if target.id in log.undone:
        return f"command {command_id!r} is already undone: undo that undo to bring it back"
    if isinstance(target.action, OpenHeat):
        return "opening a heat cannot be undone: open another one"
    if isinstance(target.action, Confirm | Reopen):
        return "an official result is taken back with 'reopen', not with 'undo'"
    if log.closed:
        return "'undo' is refused: the result is official (reopen it first)"
    return None


def refuse_undo_by(log: HeatLog, command_id: str, role: str) -> str | None:
    """Why this role may not take a command back, or None: who may not order it may neither undo nor redo it."""
    reason = refuse_undo(log, command_id)
    target = log.command_of.get(command_id)
    if reason is not None or target is None:
        return reason
    return refuse_role(root_action(log, target), role)


def undo_roles(log: HeatLog, command: Command) -> tuple[str, ...]:
    """The roles that may take a command back as things stand, in alphabetical order; none where nobody can."""
    if refuse_undo(log, command.id) is not None:
        return ()
    return tuple(sorted(PERMITTED[Undo] & PERMITTED[type(root_action(log, command))]))
