"""The picture of a competition: what screens, communiqués and interfaces show of it, derived and never stored."""

from typing import Literal

import msgspec

from config.entries import Entry
from timing.race.picture import ResultStatus

RoundState = Literal["waiting", "open", "composed", "start_list", "ridden", "closed"]
"""`waiting` for earlier rounds, `open` to be composed, `composed` but not confirmed, `start_list`: heats may be
opened, `ridden`: all official, `closed`: who goes on is confirmed."""


class SeededEntry(msgspec.Struct, frozen=True):
    """An entry with its seed, 1 the best; null until the lot among the unranked is drawn or when withdrawn before."""

    entry: Entry
    seed: int | None
    withdrawn: str | None = None
    """Why the rider takes no further part; null for one who does."""


class HeatRider(msgspec.Struct, frozen=True):
    """A rider in a heat. `slot` is where the rider came from (A3, rB1; the seed in the first round)."""

    bib: str
    slot: str
    seed: int | None
    draw: int | None
    """Place on the line by lot, 1 lowest; null until drawn. UCI 3.2.138."""
    swapped: bool = False
    """Whether the panel put the rider into this heat, and not the format."""
    withdrawn: bool = False


class Compatriots(msgspec.Struct, frozen=True):
    """Riders of one nation in one heat. No article forbids it; panels part them (track-rules §1.9)."""

    heat: str
    nation: str
    bibs: tuple[str, ...]


class SwapProposal(msgspec.Struct, frozen=True):
    """An exchange of two riders that parts compatriots, for the panel to accept or not."""

    round: str
    first: str
    second: str
    text: str


class Swap(msgspec.Struct, frozen=True):
    """An exchange that the panel made."""

    first: str
    second: str
    first_heat: str
    """The heat that `first` left."""
    second_heat: str
    reason: str


class HeatView(msgspec.Struct, frozen=True):
    """A heat of a round. Riders by slot; `absent` were withdrawn before the start list was confirmed."""

    heat: str
    round: str
    round_name: str
    """As it is printed: `Quarterfinals`; `Final A` for a heat with a name of its own."""
    number: int
    """From 1 in what `round_name` names."""
    letter: str
    first_place: int
    riders: tuple[HeatRider, ...]
    absent: tuple[HeatRider, ...]
    walkover: bool
    """Whether one rider is alone: the place is given without a race."""
    status: ResultStatus


class Going(msgspec.Struct, frozen=True):
    """Where a rider goes from a heat. `position` counts those who may go on, as slots do; null for the others."""

    bib: str
    heat: str
    place: int | None
    status: str | None
    position: int | None
    slot: str
    """Empty for one who is out."""
    to: str
    """Id of the next round; empty for out."""
    mark: str
    note: str = ""


class Block(msgspec.Struct, frozen=True):
    """Something that must be decided before a round can be confirmed. `heat` may be empty."""

    round: str
    heat: str
    bibs: tuple[str, ...]
    text: str


class Conflict(msgspec.Struct, frozen=True):
    """A result changed after its round was confirmed, and others would go on."""

    round: str
    text: str
    changes: tuple[str, ...]
    can_recompute: bool
    """Whether no heat that follows from it was ridden yet."""


class RoundView(msgspec.Struct, frozen=True):
    """A round as it stands."""

    round: str
    name: str
    state: RoundState
    heats: tuple[HeatView, ...]
    swaps: tuple[Swap, ...]
    compatriots: tuple[Compatriots, ...]
    proposals: tuple[SwapProposal, ...]
    draw_seed: str | None
    going: tuple[Going, ...]
    """Confirmed once the round is closed; before that what follows from the results so far."""
    blocks: tuple[Block, ...]


class ClassificationLine(msgspec.Struct, frozen=True):
    """A rider in the classification. `rank` is null where the rule leaves it open, and for DSQ."""

    order: int
    rank: int | None
    bib: str
    status: str | None
    """DNF, DNS or DSQ where the rider ended with one; REL is in the heat's result."""
    round: str
    """The round in which the rider is, or went out; empty for one who never started."""
    heat: str
    place: int | None
    """In that heat."""
    settled: bool
    """Whether nothing that is still to be ridden can change the rank."""


class DrawView(msgspec.Struct, frozen=True):
    """A lot that was drawn: with `lines` anyone can check it. A line is what is hashed, after `seed/`."""

    purpose: str
    seed: str
    lines: tuple[str, ...]


class NextStep(msgspec.Struct, frozen=True):
    """What the race office does next: the action's name, the round it concerns, a sentence."""

    action: str
    round: str
    text: str


class CompetitionView(msgspec.Struct, frozen=True):
    """The whole competition as it is now."""

    competition: str
    name: str
    category: str
    format: str | None
    """Id of the format in use; null until the number of riders is settled by the first composition."""
    entries: tuple[SeededEntry, ...]
    rounds: tuple[RoundView, ...]
    draws: tuple[DrawView, ...]
    conflicts: tuple[Conflict, ...]
    classification: tuple[ClassificationLine, ...]
    final: bool
    """Whether the classification is final (the last round is confirmed and no conflict open)."""
    next: NextStep
