"""Two people at once: an order on a state that has moved on is refused with what changed.

A console says with each order up to which row of the heat's history its screen showed. What others have ordered
since of the same kind was not known to the person; it is told instead of being overruled. A photo-finish sheet
that has come since is told in the same way to whoever rules on the order. What the program itself ordered (role
`system`) is no one's mind and stands in nobody's way.
"""

from timing.race.actions import (
    AcceptInferred,
    Action,
    Arm,
    CloseRace,
    Confirm,
    Decide,
    Gun,
    ManualPassing,
    OpenHeat,
    Place,
    RejectInferred,
    Reopen,
    Restart,
    RingBell,
    SetAside,
    SetLapCounter,
    Stop,
    SwapTransponder,
)
from timing.race.events import Command
from timing.race.heat import HeatLog, Ordered, Sheet
from timing.race.history import sentence
from timing.race.sentences import local_time
from timing.race.undoing import root_action

RACE_FLOW = "race flow"
ORDER = "order"
BELL = "bell"
LAP_COUNTER = "lap counter"

GROUPS: dict[type[Action], str] = {
    OpenHeat: RACE_FLOW,
    Arm: RACE_FLOW,
    Gun: RACE_FLOW,
    Stop: RACE_FLOW,
    Restart: RACE_FLOW,
    CloseRace: RACE_FLOW,
    Place: ORDER,
    Decide: ORDER,
    Confirm: ORDER,
    Reopen: ORDER,
    RingBell: BELL,
    SetLapCounter: LAP_COUNTER,
}
"""What belongs together: of two orders in one group the second may rest on what the first has changed."""
SHOWN = 3
"""So many changes are told, the newest; more would not be read."""
SYSTEM = "system"


def refuse_unseen(log: HeatLog, command: Command) -> str | None:
    """Why a command does not fit what others did since the person looked, or None. Without `seen` nothing is asked."""
    if command.seen is None:
        return None
    orders = [(one.row, _told(log, one)) for one in unseen_changes(log, command, command.seen)]
    sheets = [(one.row, _told_sheet(log, one)) for one in unseen_sheets(log, command, command.seen)]
    changes = [text for _, text in sorted(orders + sheets)]
    if not changes:
        return None
    told = "; ".join(changes[-SHOWN:])
    more = f" ({len(changes) - SHOWN} more before)" if len(changes) > SHOWN else ""
    return f"changed since your screen: {told}{more}; look again, and order it anew if it still holds"


def unseen_changes(log: HeatLog, command: Command, seen: int) -> list[Ordered]:
    """What other people had taken in the command's groups in rows above `seen`, standing or undone since."""
    mine = groups(log, command)
    return [
        one
        for one in log.orders
        if one.row > seen
        and one.refusal is None
        and one.command.actor != command.actor
        and one.command.role != SYSTEM
        and mine & groups(log, one.command)
    ]


def unseen_sheets(log: HeatLog, command: Command, seen: int) -> list[Sheet]:
    """Photo-finish sheets in rows above `seen`, for an order that rests on who finished where."""
    return [one for one in log.sheets if one.row > seen] if ORDER in groups(log, command) else []


def groups(log: HeatLog, command: Command) -> frozenset[str]:
    """What a command is about; an undo is about what its target is. None for what never collides (a mishap)."""
    action = root_action(log, command)
    group = GROUPS.get(type(action))
    if group is not None:
        return frozenset({group})
    match action:
        case AcceptInferred(bib=bib) | RejectInferred(bib=bib) | ManualPassing(bib=bib):
            return frozenset({_reads_of(bib)})
        case SwapTransponder(bib=bib, transponder=transponder):
            owners = (rider.bib for rider in log.riders if transponder in rider.transponders)
            return frozenset(map(_reads_of, (bib, *owners)))
        case SetAside(read=ref):
            read = next((one for one in log.reads if one.ref == ref), None)
            competitor = None if read is None else log.competitor_of.get(read.transponder)
            if competitor is not None and competitor < log.pacer_index:
                return frozenset({_reads_of(log.riders[competitor].bib)})
            return frozenset({f"read {ref}"})
        case _:
            return frozenset()


def _reads_of(bib: str) -> str:
    return f"reads of {bib}"


def _told(log: HeatLog, one: Ordered) -> str:
    command = one.command
    at = local_time(log.setup, command.at_us)
    return f"{command.actor} ({command.role}) {sentence(log, command).text}, at {at}"


def _told_sheet(log: HeatLog, one: Sheet) -> str:
    return f"a photo-finish sheet came from {one.sheet.device}, at {local_time(log.setup, one.sheet.received_us)}"
