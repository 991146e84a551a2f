"""What a format must keep: every slot filled once for every field size, no rider lost, ranks without a gap.

The heats are counted for each allowed number of riders, as they would be ridden, so an error can say which slot in
which round does not add up, and with how many riders.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from config.checks import Checker
from config.errors import ABSENT, ConfigError
from config.format_tables import (
    MOST_HEATS,
    Sizes,
    arriving,
    heat_id,
    heats_in,
    onward_of,
    parse_places,
    parse_slot,
    seed_slot,
    seed_table,
    sizes_with,
    slot_name,
    tables,
)
from config.formats import REST, Format, FormatChoice, FormatSet, FormatTable, RoundPlan, SizedFormat

MOST_RIDERS = 200
"""No field is larger; the check counts every size."""
_PREFIX = re.compile(r"[A-Za-z]*")


def check_format(fmt: Format, file: str) -> None:
    """Check a format by itself; raises ConfigError for the first thing that does not add up."""
    check = Checker(file)
    check.identifier("id", fmt.id)
    check.text("name", fmt.name)
    check.between("min_riders", fmt.min_riders, 2, MOST_RIDERS, "riders")
    check.between("max_riders", fmt.max_riders, fmt.min_riders, MOST_RIDERS, "riders (from min_riders)")
    check.require(bool(fmt.rounds), "rounds", ABSENT, "must give at least one round")
    check.unique((f"rounds[{index}].id", plan.id) for index, plan in enumerate(fmt.rounds))
    check.unique((f"rounds[{index}].prefix", plan.prefix) for index, plan in enumerate(fmt.rounds[:-1]))
    for index, plan in enumerate(fmt.rounds):
        _check_round(plan, f"rounds[{index}]", check)
        _check_onward(fmt, index, check)
    check.unique(_heat_ids(fmt))
    _check_seeds(fmt, check)
    _check_slots(fmt, check)
    _check_sizes(fmt, check)


def _heat_ids(fmt: Format) -> Iterator[tuple[str, str]]:
    for index, plan in enumerate(fmt.rounds):
        for heat in range(heats_in(plan)):
            yield f"rounds[{index}].heats[{heat}].id", heat_id(plan, heat)


def _check_round(plan: RoundPlan, key: str, check: Checker) -> None:
    """A round by itself: its words and numbers, and that it has heats in one way only."""
    check.identifier(f"{key}.id", plan.id)
    check.text(f"{key}.name", plan.name)
    check.require(
        _PREFIX.fullmatch(plan.prefix) is not None,
        f"{key}.prefix",
        plan.prefix,
        'must be letters only, like "r" or "S", or empty',
    )
    check.at_least(f"{key}.min_riders", plan.min_riders, 1, "riders")
    check.at_least(f"{key}.max_riders", plan.max_riders, plan.min_riders, "riders (from min_riders)")
    if plan.rule == "table":
        check.require(
            plan.heat_count == 0,
            f"{key}.heat_count",
            plan.heat_count,
            "is for a rule; a table counts its heats itself",
        )
        check.require(bool(plan.heats), f"{key}.heats", ABSENT, "is missing; give the slots of each heat, or a rule")
    else:
        check.require(not plan.heats, f"{key}.heats", f"{len(plan.heats)} heats", f'stands beside rule "{plan.rule}"')
        check.at_least(f"{key}.heat_count", plan.heat_count, 1, f'heats (rule "{plan.rule}")')
    check.between(f"{key}.heats", heats_in(plan), 1, MOST_HEATS, "heats (A to Z)")
    for number, heat in enumerate(plan.heats):
        if heat.id:
            check.identifier(f"{key}.heats[{number}].id", heat.id)


def _check_onward(fmt: Format, index: int, check: Checker) -> None:
    """Places go to later rounds, in rising order and none twice; only the last round sends nobody on."""
    plan = fmt.rounds[index]
    key = f"rounds[{index}].onward"
    is_last = index == len(fmt.rounds) - 1
    check.require(not (is_last and plan.onward), key, ABSENT, "must be left out: no round follows")
    check.require(is_last or bool(plan.onward), key, ABSENT, "is missing; nobody would reach the next round")
    later = [one.id for one in fmt.rounds[index + 1 :]]
    after = 0
    for number, onward in enumerate(plan.onward):
        at = f"{key}[{number}]"
        check.require(
            onward.to in later, f"{at}.to", onward.to, f"must be a later round: {', '.join(later) or 'none follows'}"
        )
        places = parse_places(onward.places, after)
        check.require(
            places is not None, f"{at}.places", onward.places, f'must be places like "1-2" or "4", or "{REST}"'
        )
        first, last = places or (0, 0)
        check.require(
            first > after,
            f"{at}.places",
            onward.places,
            f"must come behind place {after}, which goes on already",
        )
        check.require(
            last is not None or number == len(plan.onward) - 1,
            f"{at}.places",
            onward.places,
            "must be the last way on of the round",
        )
        after = last or after


def _check_seeds(fmt: Format, check: Checker) -> None:
    plan = fmt.rounds[0]
    check.require(
        plan.rule not in ("snake_by_place", "rotating"),
        "rounds[0].rule",
        plan.rule,
        'deals by places, and nobody has one yet; use "snake", "deal" or a table of seeds',
    )
    seeds = {seed_slot(seed) for seed in range(1, fmt.max_riders + 1)}
    named = [
        (f"rounds[0].heats[{h}].slots[{s}]", slot)
        for h, heat in enumerate(plan.heats)
        for s, slot in enumerate(heat.slots)
    ]
    for key, slot in named:
        check.require(slot in seeds, key, slot, f"must be a seed from 1 to {fmt.max_riders} (max_riders)")
    check.unique(named)
    seated = {slot for heat in seed_table(plan, fmt.max_riders) for slot in heat}
    for seed in range(1, fmt.max_riders + 1):
        check.require(
            seed_slot(seed) in seated,
            "rounds[0].heats",
            ABSENT,
            f"lose seed {seed}: with {max(seed, fmt.min_riders)} riders no heat of {plan.id} takes it",
        )


def _check_slots(fmt: Format, check: Checker) -> None:
    """Every slot of a table exists and stands once, and every rider sent to a round has a slot there."""
    sizes: Sizes = {fmt.rounds[0].id: tuple(len(heat) for heat in seed_table(fmt.rounds[0], fmt.max_riders))}
    for index in range(1, len(fmt.rounds)):
        plan = fmt.rounds[index]
        key = f"rounds[{index}]"
        coming = {
            slot_name(fmt.rounds[one.round_index], one.heat, one.place): one for one in arriving(fmt, index, sizes)
        }
        check.require(bool(coming), key, ABSENT, f"is never ridden: no place of an earlier round goes to {plan.id}")
        named = [
            (f"{key}.heats[{h}].slots[{s}]", slot)
            for h, heat in enumerate(plan.heats)
            for s, slot in enumerate(heat.slots)
        ]
        for at, slot in named:
            if slot not in coming:
                raise ConfigError(check.file, at, slot, _no_such_slot(fmt, index, slot, sizes))
        check.unique(named)
        seated = {slot for _, slot in named} if plan.rule == "table" else coming
        for slot in coming:
            if slot not in seated:
                raise ConfigError(check.file, f"{key}.heats", ABSENT, _lost(fmt, index, slot))
        sizes = {one.id: rows for one, rows in zip(fmt.rounds, _largest(fmt, index), strict=False)}


def _largest(fmt: Format, index: int) -> list[tuple[int, ...]]:
    """Heat sizes of the rounds up to `index` with the largest field."""
    upto = msgspec.structs.replace(fmt, rounds=fmt.rounds[: index + 1])
    return list(sizes_with(upto, fmt.max_riders, tables(upto)).values())


def _no_such_slot(fmt: Format, index: int, name: str, sizes: Sizes) -> str:
    slot = parse_slot(fmt, name)
    plan = fmt.rounds[index]
    if slot is None or slot.round_index >= index:
        rounds = ", ".join(f"{one.id} ({slot_name(one, 0, 1)} …)" for one in fmt.rounds[:index])
        return f"is no slot of a round before {plan.id}: {rounds}"
    source = fmt.rounds[slot.round_index]
    heats = sizes[source.id]
    if slot.heat >= len(heats):
        return f"does not exist: {source.id} has {len(heats)} heats, A to {chr(ord('A') + len(heats) - 1)}"
    if slot.place > heats[slot.heat]:
        return (
            f"does not exist: that heat of {source.id} has {heats[slot.heat]} riders at most "
            f"(with {fmt.max_riders} riders)"
        )
    onward = onward_of(source, slot.place)
    where = f"goes to {onward.to}" if onward is not None else "is out"
    return f"does not come to {plan.id}: place {slot.place} of {source.id} {where}"


def _lost(fmt: Format, index: int, name: str) -> str:
    written = tables(msgspec.structs.replace(fmt, rounds=fmt.rounds[:index]))
    upto = msgspec.structs.replace(fmt, rounds=fmt.rounds[:index])
    slot = parse_slot(fmt, name)
    riders = fmt.max_riders
    if slot is not None:
        source = fmt.rounds[slot.round_index].id
        sizes = range(fmt.min_riders, fmt.max_riders + 1)
        riders = next((n for n in sizes if sizes_with(upto, n, written)[source][slot.heat] >= slot.place), riders)
    return f"lose a rider: with {riders} riders {name} goes to {fmt.rounds[index].id} and no heat there takes it"


def _check_sizes(fmt: Format, check: Checker) -> None:
    """Every heat within its limits for every field, and the finals' places without a gap."""
    written = tables(fmt)
    for riders in range(fmt.min_riders, fmt.max_riders + 1):
        sizes = sizes_with(fmt, riders, written)
        for index, plan in enumerate(fmt.rounds):
            for heat, count in enumerate(sizes[plan.id]):
                check.require(
                    plan.min_riders <= count <= plan.max_riders,
                    f"rounds[{index}].{'max' if count > plan.max_riders else 'min'}_riders",
                    plan.max_riders if count > plan.max_riders else plan.min_riders,
                    f"does not hold: with {riders} riders heat {heat_id(plan, heat)} has {count}",
                )
        _check_final_places(fmt, riders, sizes[fmt.rounds[-1].id], check)


def _check_final_places(fmt: Format, riders: int, sizes: Sequence[int], check: Checker) -> None:
    plan = fmt.rounds[-1]
    place = 1
    for number, count in enumerate(sizes):
        first = plan.heats[number].first_place if plan.rule == "table" else 1
        check.require(
            first == place,
            f"rounds[{len(fmt.rounds) - 1}].heats[{number}].first_place",
            first,
            f"must be {place} with {riders} riders: the places of the final heats follow each other from 1",
        )
        place += count


# -- tables --------------------------------------------------------------------------------------------------


def check_table(table: FormatTable, file: str) -> None:
    """Check a table by itself: it has choices, in rising order, without a gap."""
    check = Checker(file)
    check.identifier("id", table.id)
    check.text("name", table.name)
    check.require(bool(table.choose), "choose", ABSENT, "must give at least one format")
    following: FormatChoice | None = None
    for index, choice in enumerate(table.choose):
        key = f"choose[{index}]"
        check.at_least(f"{key}.max_riders", choice.max_riders, choice.min_riders, "riders (from min_riders)")
        if following is not None:
            check.require(
                choice.min_riders == following.max_riders + 1,
                f"{key}.min_riders",
                choice.min_riders,
                f"must be {following.max_riders + 1}: the line before ends with {following.max_riders} riders",
            )
        following = choice


def resolve_table(table: FormatTable, formats: Sequence[Format], file: str) -> FormatSet:
    """The table with its formats (one for each choice), each fit for the fields for which it is chosen."""
    check = Checker(file)
    sized = []
    for index, (choice, fmt) in enumerate(zip(table.choose, formats, strict=True)):
        key = f"choose[{index}].format"
        check.require(
            fmt.min_riders <= choice.min_riders and choice.max_riders <= fmt.max_riders,
            key,
            choice.format,
            f"is for {fmt.min_riders} to {fmt.max_riders} riders, "
            f"and is chosen here for {choice.min_riders} to {choice.max_riders}",
        )
        check.require(fmt.event == table.event, key, choice.format, f"must be for the event {table.event}")
        sized.append(SizedFormat(min_riders=choice.min_riders, max_riders=choice.max_riders, format=fmt))
    return FormatSet(id=table.id, name=table.name, event=table.event, choices=tuple(sized))


def single(fmt: Format) -> FormatSet:
    """A format as the only one of a set."""
    sized = SizedFormat(min_riders=fmt.min_riders, max_riders=fmt.max_riders, format=fmt)
    return FormatSet(id=fmt.id, name=fmt.name, event=fmt.event, choices=(sized,))
