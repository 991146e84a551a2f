"""Who goes where from a heat: the places of an official result against the format's onward rules.

A slot counts the riders who may go on, in the order of the result: a disqualified rider makes room for those
behind, one who fell (DNF) stands behind the placed. So the three unplaced riders of Tokyo's heat 2 held B4, B5, B6.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from config.format_tables import onward_of, slot_name
from config.formats import Format, Onward, RoundPlan
from config.models import RuleBook, StatusCode
from timing.race.competition.outcomes import HeatOutcome, OutcomeLine
from timing.race.competition.views import Block, Going

DSQ = "DSQ"
DNF = "DNF"
DNS = "DNS"
UNKNOWN_SORT = 99
"""Codes that the rule book does not know are listed last."""


class Advance(NamedTuple):
    """Where every rider of a heat goes, and what must be decided first."""

    going: tuple[Going, ...]
    blocks: tuple[Block, ...]


class _Group(NamedTuple):
    """Riders whom the result does not tell apart: one rider, a dead heat, or all without a place."""

    lines: tuple[OutcomeLine, ...]
    placed: bool


class Passage:
    """Which riders may go on: the rule book's codes with the format's switch (track-rules §1.4, §3.14)."""

    def __init__(self, fmt: Format, rules: RuleBook) -> None:
        self.codes: Mapping[str, StatusCode] = {code.code: code for code in rules.codes}
        self._dnf = fmt.dnf == "onward" or (
            fmt.dnf == "rule_book" and rules.keirin.dnf_proceeds_to_repechage and self.codes[DNF].proceeds
        )

    def open_to(self, line: OutcomeLine) -> bool:
        """Whether this rider may go on. A disqualified one never; one without place and code as DNF."""
        if line.status == DSQ:
            return False
        if line.status == DNF or (line.status is None and line.place is None):
            return self._dnf
        if line.status is None:
            return True
        known = self.codes.get(line.status)
        return known.proceeds if known is not None else line.place is not None

    def listed(self, lines: Sequence[OutcomeLine]) -> list[OutcomeLine]:
        """As a result lists them: by place, then those without by code (track-rules §3.14), each by sheet order."""

        def key(line: OutcomeLine) -> tuple[bool, int, int]:
            if line.place is not None:
                return False, line.place, line.order
            code = self.codes.get(line.status or DNF)
            return True, code.sort if code is not None else UNKNOWN_SORT, line.order

        return sorted(lines, key=key)


def full_lines(outcome: HeatOutcome, starters: Sequence[str]) -> tuple[OutcomeLine, ...]:
    """The result with every rider of the start list; one whom it does not name did not start."""
    named = {line.bib: line for line in outcome.lines}
    last = max((line.order for line in outcome.lines), default=0)
    missing = [bib for bib in starters if bib not in named]
    lines = [named[bib] for bib in starters if bib in named]
    return (*lines, *(OutcomeLine(bib, None, DNS, last + 1 + number) for number, bib in enumerate(missing)))


def advance_heat(
    plan: RoundPlan,
    heat: int,
    heat_id: str,
    lines: Sequence[OutcomeLine],
    passage: Passage,
    resolved: Sequence[Sequence[str]] = (),
    round_names: Mapping[str, str] | None = None,
) -> Advance:
    """Where each rider of a heat goes. `resolved` holds the panel's orders of riders whom the result leaves equal."""
    names = round_names or {}
    listed = passage.listed(lines)
    able = [line for line in listed if passage.open_to(line)]
    position_of: dict[str, int] = {}
    held: set[str] = set()
    blocks: list[Block] = []
    first = 1
    for group in _groups(able):
        bibs = tuple(line.bib for line in group.lines)
        decided = next((order for order in resolved if set(order) == set(bibs)), None)
        position_of.update({bib: first + number for number, bib in enumerate(decided or bibs)})
        if decided is None:
            text = _undecided(plan, heat_id, group, first, names)
            if text:
                blocks.append(Block(plan.id, heat_id, bibs, text))
                held.update(bibs)
        first += len(bibs)
    going = [_going(plan, heat, heat_id, line, position_of.get(line.bib), line.bib in held) for line in listed]
    return Advance(tuple(going), tuple(blocks))


def _groups(able: Sequence[OutcomeLine]) -> Iterator[_Group]:
    places = dict.fromkeys(line.place for line in able if line.place is not None)
    for place in places:
        yield _Group(tuple(line for line in able if line.place == place), placed=True)
    without = tuple(line for line in able if line.place is None)
    if without:
        yield _Group(without, placed=False)


def _undecided(plan: RoundPlan, heat_id: str, group: _Group, first: int, names: Mapping[str, str]) -> str:
    """Why the panel must put these riders in order, or an empty string where their order changes nothing."""
    ways = [onward_of(plan, first + number) for number in range(len(group.lines))]
    if group.placed:
        if all(way == ways[0] for way in ways):
            return ""
        return (
            f"heat {heat_id}: {_named(group)} share place {group.lines[0].place}, and {_told(ways, names)}; "
            "the panel orders them (resolve_tie)"
        )
    if all(way is None or way.unplaced for way in ways):
        return ""
    return (
        f"heat {heat_id}: {_named(group)} without a place stand where {_told(ways, names)}; "
        "the judge places them, or the panel orders them (resolve_tie)"
    )


def _named(group: _Group) -> str:
    *others, last = (line.bib for line in group.lines)
    return f"{', '.join(others)} and {last}" if others else last


def _told(ways: Sequence[Onward | None], names: Mapping[str, str]) -> str:
    told = [
        "others are out" if way is None else f"{_places(way)} {names.get(way.to, way.to)}"
        for way in dict.fromkeys(ways)
    ]
    return ", ".join(told)


def _places(way: Onward) -> str:
    if way.places == "rest":
        return "the rest go to"
    return f"places {way.places} go to" if "-" in way.places else f"place {way.places} goes to"


def _going(plan: RoundPlan, heat: int, heat_id: str, line: OutcomeLine, position: int | None, held: bool) -> Going:
    way = onward_of(plan, position) if position is not None and not held else None
    note = "to be decided" if held else ""
    if way is not None and line.place is None:
        note = f"{line.status or 'no place'}: goes on by the rule book"
    if way is None:
        return Going(line.bib, heat_id, line.place, line.status, None if held else position, "", "", "", note)
    slot = slot_name(plan, heat, position or 0)
    return Going(line.bib, heat_id, line.place, line.status, position, slot, way.to, way.mark, note)
