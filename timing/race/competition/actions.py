"""What the race office and the panel do to a competition: the actions of a command, as they are journaled.

As in `timing.race.actions` none erases another: what is to be different is said anew.
"""

from typing import Literal, TypeAlias

from config.entries import Entry
from timing.race.actions import Action

UNRANKED = "unranked"
START_POSITIONS = "start_positions:"
"""Followed by the id of the round: the lot for the places on the line (UCI 3.2.138)."""


class TakeEntries(Action, frozen=True, kw_only=True, tag="take_entries"):
    """The entry list of a competition, instead of the one before. `source` says where it was read."""

    competition: str
    entries: tuple[Entry, ...]
    source: str = ""


class AmendEntry(Action, frozen=True, kw_only=True, tag="amend_entry"):
    """An entry is corrected, or (until the first start list is confirmed) a late one added."""

    competition: str
    entry: Entry
    reason: str


class Withdraw(Action, frozen=True, kw_only=True, tag="withdraw"):
    """A rider takes no further part. On a confirmed start list the rider stays, to be ruled DNS in the heat."""

    competition: str
    bib: str
    reason: str


class Reinstate(Action, frozen=True, kw_only=True, tag="reinstate"):
    """A withdrawal was a mistake, and no start list was confirmed without the rider since."""

    competition: str
    bib: str
    reason: str


class Draw(Action, frozen=True, kw_only=True, tag="draw"):
    """A lot, by a seed that is published (`timing.race.competition.draw`). Once for each purpose: it holds for
    whoever is composed later."""

    competition: str
    purpose: str
    """`unranked`, or `start_positions:<round>`."""
    seed: str


class Compose(Action, frozen=True, kw_only=True, tag="compose"):
    """Make the heats of a round as the format has it, without the swaps made so far."""

    competition: str
    round: str


class SwapRiders(Action, frozen=True, kw_only=True, tag="swap_riders"):
    """The panel puts two riders of a round into each other's heat."""

    competition: str
    round: str
    first: str
    second: str
    reason: str


class ConfirmComposition(Action, frozen=True, kw_only=True, tag="confirm_composition"):
    """The start lists of a round are final: its heats may be opened."""

    competition: str
    round: str


class ConfirmRound(Action, frozen=True, kw_only=True, tag="confirm_round"):
    """Who goes where from a round is settled. After the last round: the classification is final."""

    competition: str
    round: str


class ResolveConflict(Action, frozen=True, kw_only=True, tag="resolve_conflict"):
    """A result changed after its round was confirmed: the confirmed advancement stands, or is made anew."""

    competition: str
    round: str
    decision: Literal["keep", "recompute"]
    reason: str


class ResolveTie(Action, frozen=True, kw_only=True, tag="resolve_tie"):
    """The panel's order of riders whom the result does not tell apart where it matters."""

    competition: str
    heat: str
    order: tuple[str, ...]
    reason: str


class IssueCommunique(Action, frozen=True, kw_only=True, tag="issue_communique"):
    """A communiqué is issued. Its number is given by the fold of the meet; a correction is a new number."""

    competition: str
    kind: str
    subject: str = ""
    corrects: int | None = None
    reason: str = ""


CompetitionAction: TypeAlias = (
    TakeEntries
    | AmendEntry
    | Withdraw
    | Reinstate
    | Draw
    | Compose
    | SwapRiders
    | ConfirmComposition
    | ConfirmRound
    | ResolveConflict
    | ResolveTie
    | IssueCommunique
)
