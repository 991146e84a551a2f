"""What a role may open, see and order. What it may order is asked of the core's permits, never kept here.

A screen belongs to those who may order something of what is ordered from it, and to few who must read it; the two
boards belong to everybody.
"""

from typing import Final, Literal

from timing.race import permits as race_permits
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
    SetAside,
    Stop,
    SwapTransponder,
)
from timing.race.competition import permits as office_permits
from timing.race.permits import ROLES

PUBLIC: Final = "public"
"""Nobody has signed in: the boards may be read, nothing may be ordered."""
PROGRAM: Final = "system"
"""The role of the program itself: no person signs in with it."""

AudienceName = Literal["officials", "public"]

SCREEN_ACTIONS: Final[dict[str, frozenset[type[Action]]]] = {
    "operator": frozenset(
        {OpenHeat, Arm, Gun, AcceptInferred, RejectInferred, SetAside, ManualPassing, SwapTransponder}
    ),
    "finish": frozenset({CloseRace, Place}),
    "commissaire": frozenset({Decide, Confirm, Reopen}),
    "pace": frozenset({Stop, CloseRace}),
    "office": frozenset(office_permits.PERMITTED),
}
"""What is ordered from a screen and nowhere else first; on the pace screen, what those order who must watch it."""
PERMITTED: Final = race_permits.PERMITTED | office_permits.PERMITTED
"""Of every action of a heat and of a competition, who may order it."""
READERS: Final = {"finish": frozenset({"secretary"}), "commissaire": frozenset({"secretary"})}
"""Who reads a screen without ordering anything: the secretary writes the communiqués from it."""
OPEN_SCREENS: Final = ("announcer", "board")
SCREENS: Final = ("operator", "pace", "finish", "commissaire", *OPEN_SCREENS, "office")
"""In the order of the keys that open them."""
FIRST_SCREENS: Final = {
    "judge": "finish",
    "commissaire": "commissaire",
    "president": "commissaire",
    "secretary": "office",
    PUBLIC: "board",
}


def login_roles() -> tuple[str, ...]:
    """The roles with which a person can sign in."""
    return tuple(sorted(ROLES - {PROGRAM}))


def actions_of(role: str) -> tuple[str, ...]:
    """The `type` of every action that the role may order: a screen greys out the others; the core decides."""
    return tuple(sorted(str(kind.__struct_config__.tag) for kind, roles in PERMITTED.items() if role in roles))


def refuse_role(action: Action, role: str) -> str | None:
    """Why this role may not order this action, or None."""
    if type(action) in office_permits.PERMITTED:
        return office_permits.refuse_role(action, role)
    return race_permits.refuse_role(action, role)


def screens_of(role: str) -> tuple[str, ...]:
    """The screens that the role may open, in the order of their keys."""
    return tuple(name for name in SCREENS if name in OPEN_SCREENS or _opens(role, name))


def first_screen(role: str) -> str:
    """Where the role begins: its own screen, else the first that it may open."""
    return FIRST_SCREENS.get(role, screens_of(role)[0])


def role_at(screen: str) -> str:
    """The role that usually sits at a screen: who begins there, the one of its name first. Empty for none."""
    return next(
        (role for role in sorted(ROLES - {PROGRAM}, key=lambda role: role != screen) if first_screen(role) == screen),
        "",
    )


def audience_of(role: str) -> AudienceName:
    """Who has a screen of the race office sees what it needs; everybody else sees what the boards see."""
    return "officials" if set(screens_of(role)) - set(OPEN_SCREENS) else "public"


def _opens(role: str, screen: str) -> bool:
    return role in READERS.get(screen, ()) or any(role in PERMITTED[action] for action in SCREEN_ACTIONS[screen])
