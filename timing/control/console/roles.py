"""What a role may open, see and order. What it may order is asked of `timing.race.permits`, never kept here.

A screen belongs to those who may order something of what is ordered from it, and to few who must read it; the two
boards belong to everybody.
"""

from typing import Final, Literal

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
from timing.race.permits import PERMITTED, ROLES

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
}
"""What is ordered from a screen and nowhere else first; on the pace screen, what those order who must watch it."""
OFFICE: Final = frozenset({"secretary", "commissaire", "president"})
"""Who keeps the competition: entries, draws, compositions, advancement, communiqués."""
READERS: Final = {"finish": frozenset({"secretary"}), "commissaire": frozenset({"secretary"}), "office": OFFICE}
"""Who opens a screen without ordering anything of a heat: the secretary writes the communiqués from it."""
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


def screens_of(role: str) -> tuple[str, ...]:
    """The screens that the role may open, in the order of their keys."""
    return tuple(name for name in SCREENS if name in OPEN_SCREENS or _opens(role, name))


def first_screen(role: str) -> str:
    """Where the role begins: its own screen, else the first that it may open."""
    return FIRST_SCREENS.get(role, screens_of(role)[0])


def audience_of(role: str) -> AudienceName:
    """Who has a screen of the race office sees what it needs; everybody else sees what the boards see."""
    return "officials" if set(screens_of(role)) - set(OPEN_SCREENS) else "public"


def _opens(role: str, screen: str) -> bool:
    return role in READERS.get(screen, ()) or any(
        role in PERMITTED[action] for action in SCREEN_ACTIONS.get(screen, ())
    )
