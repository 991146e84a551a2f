"""What a competition format says: its rounds in order, who rides where in them and where the riders go from there.

Shapes only; `config.format_tables` is the arithmetic of slots, `config.format_checks` what a format must keep.

A *slot* names a place of an earlier round: its prefix, the heat's letter, the place. A3 is third of first-round
heat A, rB1 winner of repechage B (track-rules §1.9). In the first round a slot is a seed: "1", "2" …
"""

from typing import Literal

from config.strict import EventKind, Strict

Rule = Literal["table", "snake", "snake_by_place", "rotating", "deal"]
"""How riders are spread over the heats. `table`: as written in `heats`. The others deal them out one by one, in
order of the round they come from, their place, their heat:

`snake`             to the last heat, then back (1 2 3 3 2 1 1 2 3 …)
`snake_by_place`    a snake for each place, every second one from the other end
`deal`              always forward (1 2 3 1 2 3 …)
`rotating`          forward; the first places in order of heats, each later place backward, one heat further round"""

Parallel = Literal["shared", "by_heat"]
Unplaced = Literal["ranked", "open"]

ENTRIES = "entries"
REST = "rest"


class HeatPlan(Strict, frozen=True, kw_only=True):
    """One heat of a round with a table. `first_place` is 7 for a final for places 7 to 12."""

    slots: tuple[str, ...]
    id: str = ""
    """Id of the heat; empty for `<round>-<number>`."""
    name: str = ""
    """Name of its own, for a heat that stands for itself: `Final A`."""
    first_place: int = 1


class Onward(Strict, frozen=True, kw_only=True):
    """Where some places of every heat of a round go."""

    places: str
    """`"1-2"`, `"4"`, or `"rest"` for all behind the places named before it."""
    to: str
    """Id of a later round."""
    mark: str = ""
    """Qualification mark as printed: Q1/4, Q1/2, QG, Q7-12, R (track-rules §1.7)."""
    unplaced: bool = False
    """Whether riders without a place (DNF) may fill these places, where the rule book lets them go on. Where not,
    the panel has to order them first."""


class RoundPlan(Strict, frozen=True, kw_only=True):
    """A round. With a table its heats are in `heats`, else `heat_count` says how many the rule fills."""

    id: str
    name: str
    rule: Rule = "table"
    heats: tuple[HeatPlan, ...] = ()
    heat_count: int = 0
    prefix: str = ""
    """Stands before the letter in the slots of this round: "" in the first, `r`, `S`, `F` …"""
    max_riders: int = 7
    min_riders: int = 2
    onward: tuple[Onward, ...] = ()


class Ranking(Strict, frozen=True, kw_only=True):
    """How those are ranked who went out. Final heats are ranked first, each from its `first_place`."""

    parallel: Parallel = "shared"
    """The same place in parallel heats of one round: one rank for all (13, 17, 21 …), or by number of heat."""
    dnf: Unplaced = "ranked"
    """Without a place, behind those placed in the round (in a final: in the heat): with a rank or without."""
    dns: Unplaced = "open"
    """Did not start: listed behind the DNF; `open` leaves the rank out, as Tokyo 2020 did with 12."""


class Format(Strict, frozen=True, kw_only=True):
    """A way to run an event, for fields from `min_riders` to `max_riders`."""

    id: str
    name: str
    event: EventKind
    min_riders: int
    max_riders: int
    rounds: tuple[RoundPlan, ...]
    ranking: Ranking = Ranking()
    dnf: Literal["rule_book", "onward", "out"] = "rule_book"
    """Whether a rider who did not finish goes on: as the rule book says (`keirin.dnf_proceeds_to_repechage`), or by
    the format."""
    source: str = ""

    def round_plan(self, round_id: str) -> RoundPlan:
        """The round of this id; KeyError where there is none."""
        for plan in self.rounds:
            if plan.id == round_id:
                return plan
        raise KeyError(round_id)


class FormatChoice(Strict, frozen=True, kw_only=True):
    """Which format a field of this size rides."""

    min_riders: int
    max_riders: int
    format: str
    """Id of a shipped format, or a path relative to this file."""


class FormatTable(Strict, frozen=True, kw_only=True):
    """A table that chooses a format by the number of riders (UCI 3.2.135)."""

    id: str
    name: str
    event: EventKind
    choose: tuple[FormatChoice, ...]
    source: str = ""


class SizedFormat(Strict, frozen=True, kw_only=True):
    """A format and the fields for which it is chosen."""

    min_riders: int
    max_riders: int
    format: Format


class FormatSet(Strict, frozen=True, kw_only=True):
    """What a competition names as its format, resolved: one format, or a table with all that it can choose."""

    id: str
    name: str
    event: EventKind
    choices: tuple[SizedFormat, ...]
    """In rising order of field sizes, without a gap."""

    def for_field(self, riders: int) -> Format | None:
        """The format for so many riders; None where the set has none."""
        for choice in self.choices:
            if choice.min_riders <= riders <= choice.max_riders:
                return choice.format
        return None

    @property
    def min_riders(self) -> int:
        """The smallest field allowed."""
        return self.choices[0].min_riders

    @property
    def max_riders(self) -> int:
        """The largest field allowed."""
        return self.choices[-1].max_riders
