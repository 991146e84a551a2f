"""Who may order what in a competition. The secretary keeps the lists, the panel decides, the president settles."""

from timing.race.actions import Action
from timing.race.competition.actions import (
    AmendEntry,
    Compose,
    ConfirmComposition,
    ConfirmRound,
    Draw,
    IssueCommunique,
    Reinstate,
    ResolveConflict,
    ResolveTie,
    SwapRiders,
    TakeEntries,
    Withdraw,
)

OFFICE = frozenset({"secretary", "commissaire", "president"})
PANEL = frozenset({"commissaire", "president"})

PERMITTED: dict[type[Action], frozenset[str]] = {
    TakeEntries: OFFICE,
    AmendEntry: OFFICE,
    Withdraw: OFFICE,
    Reinstate: OFFICE,
    Draw: OFFICE,
    Compose: OFFICE,
    SwapRiders: PANEL,
    ConfirmComposition: PANEL,
    ConfirmRound: PANEL,
    ResolveConflict: PANEL,
    ResolveTie: PANEL,
    IssueCommunique: OFFICE,
}


def refuse_role(action: Action, role: str) -> str | None:
    """Why this role may not order this action, or None."""
    allowed = PERMITTED[type(action)]
    if role in allowed:
        return None
    name = type(action).__struct_config__.tag
    return f"role {role!r} may not order {name!r}: it is for {', '.join(sorted(allowed))}"
