"""The classification of a competition, at any time and at the end (track-rules §1.10, §3.14).

Final heats first, each from its first place; then those who went out, by round, then by place: the same place in
parallel heats is one rank, and the next skips. Behind the placed of a round come its DNF, then its DNS (whose rank
may be left open), disqualified riders at the very end without a rank. While rounds are still to be ridden, whoever
is in one stands before those who went out in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from config.format_tables import parse_slot
from config.formats import Format
from timing.race.competition.advance import DNS, DSQ
from timing.race.competition.outcomes import HeatOutcome, OutcomeLine
from timing.race.competition.rounds import Round, first_place, outcome_in
from timing.race.competition.views import ClassificationLine, Going

Stage = Literal["alive", "placed", "dnf", "dns", "dsq"]
_STAGES: tuple[Stage, ...] = ("alive", "placed", "dnf", "dns")
NOWHERE = -1


@dataclass(frozen=True)
class _Fate:
    """Where a rider stands: the round and heat of the last ride, or of the next one for who goes on."""

    bib: str
    round_index: int
    heat: int
    stage: Stage
    place: int | None
    status: str | None
    group: tuple[int, ...]
    """Riders of one round, stage and group share a rank."""
    settled: bool
    ridden_in: str = ""
    ridden_place: int | None = None


@dataclass(frozen=True)
class Progress:
    """How far a competition is: all that a classification follows from."""

    fmt: Format
    tables: Mapping[str, Sequence[Sequence[str]]]
    """Slots of each heat by id of the round (`config.format_tables.tables`)."""
    rounds: Sequence[Round]
    outcomes: Mapping[str, HeatOutcome]
    going: Mapping[str, Sequence[Going]]
    """Where riders go from each round (by id): as confirmed, or as it looks."""

    def is_final(self, round_index: int) -> bool:
        """Whether this is the last round, whose heats are ranked one after the other."""
        return round_index == len(self.rounds) - 1


def classify(progress: Progress, entrants: Sequence[str]) -> tuple[ClassificationLine, ...]:
    """Every entrant once, best first; `entrants` are all bibs, in order of seed where they have one."""
    fates = [_fate(progress, bib, number) for number, bib in enumerate(entrants)]
    lines: list[ClassificationLine] = []
    rank = 1
    for group, first in _groups(progress, fates):
        rank = max(rank, first)
        ranked = _is_ranked(progress.fmt, group[0])
        by_heat = (
            progress.fmt.ranking.parallel == "by_heat"
            and group[0].stage == "placed"
            and not progress.is_final(group[0].round_index)
        )
        for number, fate in enumerate(group):
            own = rank + number if by_heat else rank
            lines.append(_line(len(lines) + 1, own if ranked else None, fate, progress))
        rank += len(group)
    out = sorted((fate for fate in fates if fate.stage == "dsq"), key=lambda fate: (-fate.round_index, fate.heat))
    return (*lines, *(_line(len(lines) + 1 + n, None, fate, progress) for n, fate in enumerate(out)))


def _fate(progress: Progress, bib: str, number: int) -> _Fate:
    """Where a rider ended or is now; `number` orders those who have not been in a heat."""
    for one in reversed(progress.rounds):
        for heat, seats in enumerate(one.heats or ()):
            for seat in seats:
                if seat.bib == bib:
                    return _ridden(progress, one, heat, bib, seat.slot)
        for heat, seats in enumerate(one.absent):
            if any(seat.bib == bib for seat in seats):
                return _Fate(bib, one.index, heat, "dns", None, DNS, (), one.confirmed)
    if not progress.rounds or progress.rounds[0].heats is None:
        return _Fate(bib, NOWHERE, 0, "alive", None, None, (number,), False)
    return _Fate(bib, NOWHERE, 0, "dns", None, DNS, (), True)


def _ridden(progress: Progress, one: Round, heat: int, bib: str, slot: str) -> _Fate:
    """The fate of a rider who is in a heat: still to ride it, on the way to a later round, or out."""
    heat_id = one.heat_ids[heat]
    outcome = outcome_in(one, heat, progress.outcomes.get(heat_id))
    if outcome.status == "none":
        return _Fate(bib, one.index, heat, "alive", None, None, _from_slot(progress.fmt, slot), False)
    line = next((each for each in outcome.lines if each.bib == bib), OutcomeLine(bib, None, DNS, 0))
    settled = one.going is not None and outcome.status == "official"
    if line.status == DSQ:
        return _Fate(bib, one.index, heat, "dsq", None, DSQ, (), settled, heat_id)
    onward = next((each for each in progress.going.get(one.plan.id, ()) if each.bib == bib and each.to), None)
    if onward is not None:
        target = next(each for each in progress.rounds if each.plan.id == onward.to)
        at = next(n for n, slots in enumerate(progress.tables[onward.to]) if onward.slot in slots)
        group = _from_slot(progress.fmt, onward.slot)
        return _Fate(bib, target.index, at, "alive", None, None, group, False, heat_id, line.place)
    if line.place is not None:
        return _Fate(bib, one.index, heat, "placed", line.place, None, (line.place,), settled, heat_id, line.place)
    stage: Stage = "dns" if line.status == DNS else "dnf"
    return _Fate(bib, one.index, heat, stage, None, line.status, (), settled, heat_id)


def _from_slot(fmt: Format, slot: str) -> tuple[int, ...]:
    """Riders who came by the same place of the same round stand alike until they ride."""
    parsed = parse_slot(fmt, slot)
    return (int(slot),) if parsed is None else (parsed.round_index, parsed.place)


def _groups(progress: Progress, fates: Sequence[_Fate]) -> Iterator[tuple[list[_Fate], int]]:
    """Riders who share a rank, best first, with the least rank that they can have."""
    for index in (*range(len(progress.rounds) - 1, -1, -1), NOWHERE):
        here = [fate for fate in fates if fate.round_index == index]
        if index != NOWHERE and progress.is_final(index):
            plan = progress.rounds[index].plan
            for heat in sorted({fate.heat for fate in here}):
                for group in _by_stage([fate for fate in here if fate.heat == heat]):
                    yield group, first_place(plan, heat)
        else:
            for group in _by_stage(here):
                yield group, 1


def _by_stage(fates: Sequence[_Fate]) -> Iterator[list[_Fate]]:
    for stage in _STAGES:
        for group in sorted({fate.group for fate in fates if fate.stage == stage}):
            members = (fate for fate in fates if fate.stage == stage and fate.group == group)
            yield sorted(members, key=lambda fate: fate.heat)


def _is_ranked(fmt: Format, fate: _Fate) -> bool:
    """Whether a group has a rank. Seeds who have not ridden, and those who never started, have none."""
    if fate.round_index == NOWHERE:
        return False
    if fate.stage == "alive":
        return len(fate.group) > 1
    if fate.stage == "placed":
        return True
    return (fmt.ranking.dnf if fate.stage == "dnf" else fmt.ranking.dns) == "ranked"


def _line(order: int, rank: int | None, fate: _Fate, progress: Progress) -> ClassificationLine:
    round_id = "" if fate.round_index == NOWHERE else progress.rounds[fate.round_index].plan.id
    return ClassificationLine(
        order, rank, fate.bib, fate.status, round_id, fate.ridden_in, fate.ridden_place, fate.settled
    )
