"""What a person can do to a heat: the actions of a command, as they are journaled.

Every action is an event with an actor; none erases another. `Undo` names the command that no longer counts.
"""

from typing import TypeAlias

import msgspec


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of all actions; `type` names it in JSON."""


class OpenHeat(Action, frozen=True, kw_only=True, tag="open_heat"):
    """Make a heat the current one: its riders come to the line (track-rules §1.13 on_line)."""

    heat: str


class Arm(Action, frozen=True, kw_only=True, tag="arm"):
    """The pacer is on the track and the heat waits for the gun (pacer_run)."""


class Gun(Action, frozen=True, kw_only=True, tag="gun"):
    """The start by hand, where no gun impulse came. `at_us` is UTC µs; null means when the command arrived."""

    at_us: int | None = None


class RingBell(Action, frozen=True, kw_only=True, tag="bell"):
    """The bell was really rung. UCI 3.2.017bis."""

    at_us: int | None = None


class SetLapCounter(Action, frozen=True, kw_only=True, tag="lap_counter"):
    """What the lap counter shows. It stands even when it is wrong. UCI 3.2.017ter."""

    laps_to_go: int


class Stop(Action, frozen=True, kw_only=True, tag="stop"):
    """Double pistol shot: the attempt is over. UCI 3.2.019."""

    reason: str


class Exclusion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rider who does not take part in the restart."""

    bib: str
    code: str
    reason: str
    article: str = ""


class Restart(Action, frozen=True, kw_only=True, tag="restart"):
    """Open the next attempt; the riders left keep their drawn order. UCI 3.2.139, 3.2.140, 3.2.143."""

    excluded: tuple[Exclusion, ...] = ()
    reason: str = ""


class Mishap(Action, frozen=True, kw_only=True, tag="mishap"):
    """A fall, puncture or breakage. In the first half lap it calls for a new start of all. UCI 3.2.143."""

    bib: str
    what: str


class CloseRace(Action, frozen=True, kw_only=True, tag="close"):
    """No more riders are awaited at the finish."""


class Place(Action, frozen=True, kw_only=True, tag="place"):
    """The judge's order: groups of bibs from first to last, a group of two or more is a dead heat."""

    order: tuple[tuple[str, ...], ...]


class Decide(Action, frozen=True, kw_only=True, tag="decide"):
    """A decision on a rider: W, REL, DNF, DNS or DSQ with its rule article and reason. UCI 3.10.001-004."""

    bib: str
    code: str
    reason: str
    article: str = ""
    order: int | None = None
    """Among several riders relegated in one heat: smaller is placed better."""


class Confirm(Action, frozen=True, kw_only=True, tag="confirm"):
    """The president makes the result official."""


class Reopen(Action, frozen=True, kw_only=True, tag="reopen"):
    """The official result is taken back for a correction."""

    reason: str


class SetAside(Action, frozen=True, kw_only=True, tag="set_aside"):
    """A read does not count. `read` is its reference as published (`row:index`)."""

    read: str
    reason: str


class AcceptInferred(Action, frozen=True, kw_only=True, tag="accept_inferred"):
    """A missed read that the program inferred is accepted as it stands."""

    bib: str
    mark: int


class RejectInferred(Action, frozen=True, kw_only=True, tag="reject_inferred"):
    """A missed read that the program inferred did not take place."""

    bib: str
    mark: int


class ManualPassing(Action, frozen=True, kw_only=True, tag="manual_passing"):
    """A passing that a person saw. `at_us` is UTC µs."""

    bib: str
    loop: str
    at_us: int


class SwapTransponder(Action, frozen=True, kw_only=True, tag="swap_transponder"):
    """A rider of this heat carries another transponder than entered."""

    bib: str
    transponder: str


class Undo(Action, frozen=True, kw_only=True, tag="undo"):
    """The named command no longer counts. Undoing an undo is redo."""

    command: str


AnyAction: TypeAlias = (
    OpenHeat
    | Arm
    | Gun
    | RingBell
    | SetLapCounter
    | Stop
    | Restart
    | Mishap
    | CloseRace
    | Place
    | Decide
    | Confirm
    | Reopen
    | SetAside
    | AcceptInferred
    | RejectInferred
    | ManualPassing
    | SwapTransponder
    | Undo
)
