"""The arithmetic of slots: which slot stands in which heat, and which slots exist with so many riders.

A rule is written out as a table once, for the largest field; with fewer riders the slots that nobody holds are
left out. So a format has one table, and what `config.format_checks` counts is what is ridden.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from config.formats import REST, Format, Onward, RoundPlan, Rule

_SLOT = re.compile(r"(?P<prefix>.*)(?P<letter>[A-Z])(?P<place>[1-9][0-9]*)")
_PLACES = re.compile(r"(?P<first>[1-9][0-9]*)(?:-(?P<last>[1-9][0-9]*))?")
MOST_HEATS = 26
"""Heats have letters in slots."""

Sizes = dict[str, tuple[int, ...]]
"""Riders in each heat, by id of the round."""


@dataclass(frozen=True, order=True)
class Slot:
    """A place of an earlier round. Sorts as riders are dealt out: by round, place, heat."""

    round_index: int
    place: int
    heat: int
    """From 0."""


def seed_slot(seed: int) -> str:
    """The slot of a seed in the first round."""
    return str(seed)


def slot_name(plan: RoundPlan, heat: int, place: int) -> str:
    """`A3`, `rB1`: what the place of a heat (from 0) of this round is called."""
    return f"{plan.prefix}{chr(ord('A') + heat)}{place}"


def parse_slot(fmt: Format, name: str) -> Slot | None:
    """The slot of this name, or None where no round of the format has such slots."""
    match = _SLOT.fullmatch(name)
    if match is None:
        return None
    for index, plan in enumerate(fmt.rounds):
        if plan.prefix == match["prefix"]:
            return Slot(index, int(match["place"]), ord(match["letter"]) - ord("A"))
    return None


@lru_cache(maxsize=256)
def parse_places(text: str, after: int) -> tuple[int, int | None] | None:
    """`"1-2"` as (1, 2), `"4"` as (4, 4), `"rest"` as all behind place `after`; None where it is neither."""
    if text == REST:
        return after + 1, None
    match = _PLACES.fullmatch(text)
    if match is None:
        return None
    first = int(match["first"])
    last = int(match["last"] or first)
    return (first, last) if first <= last else None


def onward_of(plan: RoundPlan, place: int) -> Onward | None:
    """Where a place of this round goes; None for out."""
    after = 0
    for onward in plan.onward:
        places = parse_places(onward.places, after)
        if places is None:
            continue
        first, last = places
        if first <= place and (last is None or place <= last):
            return onward
        after = max(after, last or after)
    return None


def heats_in(plan: RoundPlan) -> int:
    """How many heats the round has."""
    return len(plan.heats) if plan.rule == "table" else plan.heat_count


def heat_id(plan: RoundPlan, heat: int) -> str:
    """The id of a heat (from 0) inside the competition, without the competition's prefix."""
    own = plan.heats[heat].id if plan.rule == "table" else ""
    return own or f"{plan.id}-{heat + 1}"


def seed_table(plan: RoundPlan, riders: int) -> tuple[tuple[str, ...], ...]:
    """The first round with so many riders: the seeds of each heat."""
    if plan.rule == "table":
        here = {seed_slot(seed) for seed in range(1, riders + 1)}
        return tuple(tuple(slot for slot in heat.slots if slot in here) for heat in plan.heats)
    heats = _dealt(plan.rule, [riders], plan.heat_count)
    return _gathered((seed_slot(seed) for seed in range(1, riders + 1)), heats, plan.heat_count)


def slot_table(fmt: Format, index: int, sizes: Sizes) -> tuple[tuple[str, ...], ...]:
    """The slots of each heat of a later round; `sizes` are those of the earlier rounds with the largest field."""
    plan = fmt.rounds[index]
    if plan.rule == "table":
        return tuple(heat.slots for heat in plan.heats)
    slots = arriving(fmt, index, sizes)
    if plan.rule == "rotating":
        slots = _rotated(slots)
    blocks: dict[tuple[int, int], int] = {}
    for slot in slots:
        key = (slot.round_index, slot.place)
        blocks[key] = blocks.get(key, 0) + 1
    names = (slot_name(fmt.rounds[slot.round_index], slot.heat, slot.place) for slot in slots)
    return _gathered(names, _dealt(plan.rule, blocks.values(), plan.heat_count), plan.heat_count)


def arriving(fmt: Format, index: int, sizes: Sizes) -> list[Slot]:
    """Every slot that the earlier rounds send to a round, as riders are dealt out."""
    found = []
    for source in range(index):
        plan = fmt.rounds[source]
        for heat, riders in enumerate(sizes[plan.id]):
            for place in range(1, riders + 1):
                onward = onward_of(plan, place)
                if onward is not None and onward.to == fmt.rounds[index].id:
                    found.append(Slot(source, place, heat))
    return sorted(found)


def tables(fmt: Format) -> dict[str, tuple[tuple[str, ...], ...]]:
    """The table of every round at the largest field, by id of the round."""
    written: dict[str, tuple[tuple[str, ...], ...]] = {}
    sizes: Sizes = {}
    for index, plan in enumerate(fmt.rounds):
        written[plan.id] = slot_table(fmt, index, sizes) if index else seed_table(plan, fmt.max_riders)
        sizes[plan.id] = _sizes_of(fmt, index, written[plan.id], sizes)
    return written


def sizes_with(fmt: Format, riders: int, written: dict[str, tuple[tuple[str, ...], ...]]) -> Sizes:
    """Riders in each heat when so many are entered and all finish. `written` is `tables(fmt)`."""
    sizes: Sizes = {}
    for index, plan in enumerate(fmt.rounds):
        table = written[plan.id] if index else seed_table(plan, riders)
        sizes[plan.id] = _sizes_of(fmt, index, table, sizes)
    return sizes


def _sizes_of(fmt: Format, index: int, table: tuple[tuple[str, ...], ...], sizes: Sizes) -> tuple[int, ...]:
    if index == 0:
        return tuple(len(heat) for heat in table)
    here = {slot_name(fmt.rounds[one.round_index], one.heat, one.place) for one in arriving(fmt, index, sizes)}
    return tuple(sum(slot in here for slot in heat) for heat in table)


# -- rules ---------------------------------------------------------------------------------------------------


def _dealt(rule: Rule, blocks: Iterable[int], heats: int) -> list[int]:
    """The heat (from 0) of one rider after another; `blocks` says how many of them have the same place."""
    if rule == "snake_by_place":
        return [
            heat if number % 2 == 0 else heats - 1 - heat
            for number, size in enumerate(blocks)
            for heat in _snake(size, heats)
        ]
    riders = sum(blocks)
    return _snake(riders, heats) if rule == "snake" else [rider % heats for rider in range(riders)]


def _snake(riders: int, heats: int) -> list[int]:
    rows = (divmod(rider, heats) for rider in range(riders))
    return [heat if row % 2 == 0 else heats - 1 - heat for row, heat in rows]


def _rotated(slots: list[Slot]) -> list[Slot]:
    """Each place behind the first backward, one heat further round: riders of one heat meet as late as possible."""
    rows: dict[tuple[int, int], list[Slot]] = {}
    for slot in slots:
        rows.setdefault((slot.round_index, slot.place), []).append(slot)
    return list(_rows_rotated(rows.values()))


def _rows_rotated(rows: Iterable[list[Slot]]) -> Iterator[Slot]:
    for number, row in enumerate(rows):
        if number == 0:
            yield from row
        else:
            turned = list(reversed(row))
            shift = (number - 1) % len(turned)
            yield from turned[shift:] + turned[:shift]


def _gathered(slots: Iterable[str], heats_of: list[int], heats: int) -> tuple[tuple[str, ...], ...]:
    gathered: list[list[str]] = [[] for _ in range(heats)]
    for slot, heat in zip(slots, heats_of, strict=True):
        gathered[heat].append(slot)
    return tuple(tuple(heat) for heat in gathered)
