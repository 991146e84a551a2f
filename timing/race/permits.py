"""Who may order what, and when: a command is refused with a sentence that says why.

Roles follow track-rules §6: the operator runs the timing, the starter starts and stops, the judge places, the
commissaire rules, the president makes official; secretary and announcer read. `system` is the program itself (lap
counter).
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
    SwapTransponder,
    Undo,
)

TIMING = frozenset({"operator"})
START = frozenset({"operator", "starter"})
JUDGING = frozenset({"operator", "judge", "commissaire", "president"})
RULING = frozenset({"commissaire", "president"})
PRESIDENT = frozenset({"president"})

ROLES = frozenset({"operator", "starter", "judge", "commissaire", "president", "secretary", "announcer", "system"})

PERMITTED: dict[type[Action], frozenset[str]] = {
    OpenHeat: TIMING,
    Arm: START,
    Gun: START,
    RingBell: frozenset({"operator", "judge", "commissaire", "president"}),
    SetLapCounter: frozenset({"operator", "judge", "commissaire", "president", "system"}),
    Stop: START | RULING,
    Restart: START | RULING,
    Mishap: frozenset({"operator", "starter", "judge", "commissaire", "president"}),
    CloseRace: JUDGING,
    Place: JUDGING,
    Decide: RULING,
    Confirm: PRESIDENT,
    Reopen: PRESIDENT,
    SetAside: TIMING,
    AcceptInferred: TIMING,
    RejectInferred: TIMING,
    ManualPassing: TIMING,
    SwapTransponder: TIMING,
    Undo: frozenset({"operator", "starter", "judge", "commissaire", "president"}),
}

RACING = frozenset({"started", "first_lap", "paced", "pacer_exit", "sprint", "bell"})
AFTER_FINISH = frozenset({"finished", "provisional"})

STATES: dict[type[Action], frozenset[str]] = {
    Arm: frozenset({"on_line"}),
    Gun: frozenset({"pacer_run"}),
    RingBell: RACING,
    SetLapCounter: RACING | frozenset({"on_line", "pacer_run"}),
    Stop: RACING | frozenset({"pacer_run"}),
    Restart: frozenset({"stopped"}),
    Mishap: RACING,
    CloseRace: RACING,
    Place: RACING | AFTER_FINISH,
    Confirm: AFTER_FINISH,
    Reopen: frozenset({"official"}),
}
"""Heat states in which an action makes sense; an action not named here is taken in every state but official."""


ON_TRACK = (Arm, Gun, Stop, Restart)
"""What sends riders off and calls them back, and its undoing, is for the heat on the track alone: passings are its."""


def refuse_role(action: Action, role: str) -> str | None:
    """Why this role may not order this action, or None."""
    if role not in ROLES:
        return f"role {role!r} does not exist: use one of {', '.join(sorted(ROLES))}"
    allowed = PERMITTED[type(action)]
    if role in allowed:
        return None
    name = type(action).__struct_config__.tag
    return f"role {role!r} may not order {name!r}: it is for {', '.join(sorted(allowed))}"


def refuse_state(action: Action, state: str) -> str | None:
    """Why the heat's state does not allow this action now, or None."""
    allowed = STATES.get(type(action))
    name = type(action).__struct_config__.tag
    if allowed is None:
        if state == "official":
            return f"{name!r} is refused: the result is official (reopen it first)"
        return None
    if state in allowed:
        return None
    return f"{name!r} is refused in state {state!r}: it is taken in {', '.join(sorted(allowed))}"
