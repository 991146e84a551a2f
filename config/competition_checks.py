"""What a meet says of its competitions and sessions: pacers and rounds that exist, heats that have one name each."""

from collections.abc import Mapping

from config.checks import Checker
from config.format_tables import heat_id, heats_in
from config.formats import Format, FormatSet
from config.local_times import is_local_time
from config.models import Competition, Meet, RoundTime, RuleBook

LONGEST_SLOT_S = 4 * 3600


def check_competitions(meet: Meet, check: Checker) -> None:
    """Check them by themselves; raises ConfigError."""
    pacers = [pacer.id for pacer in meet.pacers]
    check.unique((f"competitions[{index}].id", one.id) for index, one in enumerate(meet.competitions))
    for index, one in enumerate(meet.competitions):
        key = f"competitions[{index}]"
        check.identifier(f"{key}.id", one.id)
        check.text(f"{key}.name", one.name)
        check.text(f"{key}.category", one.category)
        if one.heat_prefix:
            check.identifier(f"{key}.heat_prefix", one.heat_prefix)
        check.require(
            one.pacer in pacers,
            f"{key}.pacer",
            one.pacer,
            f"must be the id of a pacer of this meet: {', '.join(pacers) or 'none is entered'}",
        )
        for number, time in enumerate(one.times):
            _check_time(time, f"{key}.times[{number}]", check)
        check.unique((f"{key}.times[{number}].round", time.round) for number, time in enumerate(one.times))
    check.unique((f"sessions[{index}].id", one.id) for index, one in enumerate(meet.sessions))
    for index, session in enumerate(meet.sessions):
        key = f"sessions[{index}]"
        check.identifier(f"{key}.id", session.id)
        check.text(f"{key}.name", session.name)
        _check_local(f"{key}.starts", session.starts, check)


def _check_time(time: RoundTime, key: str, check: Checker) -> None:
    _check_local(f"{key}.starts", time.starts, check)
    check.between(f"{key}.every_s", time.every_s, 0, LONGEST_SLOT_S, "s between the starts of two heats")


def _check_local(key: str, text: str, check: Checker) -> None:
    check.require(is_local_time(text), key, text, 'must be a local time without offset like "2021-08-08T11:51"')


def check_formats(meet: Meet, formats: Mapping[str, FormatSet], rules: RuleBook, check: Checker) -> None:
    """Check the competitions against their formats: rounds by name, and no heat id twice in the meet."""
    taken = {heat.id: "heats" for heat in meet.heats}
    for index, one in enumerate(meet.competitions):
        known = formats[one.id]
        key = f"competitions[{index}]"
        check.require(
            known.event == one.event,
            f"{key}.format",
            one.format,
            f"must be a format for {one.event}: it is for another",
        )
        choices = [choice.format for choice in known.choices]
        largest = max(plan.max_riders for choice in choices for plan in choice.rounds)
        check.require(
            largest <= rules.keirin.max_riders,
            f"{key}.format",
            one.format,
            f"has heats of {largest} riders; rule book {rules.id} allows {rules.keirin.max_riders}",
        )
        rounds = sorted({plan.id for choice in choices for plan in choice.rounds})
        for number, time in enumerate(one.times):
            check.require(
                time.round in rounds, f"{key}.times[{number}].round", time.round, f"must be one of {', '.join(rounds)}"
            )
        ids = {name for choice in choices for name in heat_ids(one, choice)}
        for name in sorted(ids):
            check.require(
                name not in taken,
                f"{key}.heat_prefix",
                one.heat_prefix,
                f"gives a heat the id {name}, which {taken.get(name)} has already; choose another prefix",
            )
            taken[name] = key


def heat_ids(competition: Competition, fmt: Format) -> list[str]:
    """The ids of all heats of a competition under one format, as they are called in the meet."""
    return [competition.heat_prefix + heat_id(plan, heat) for plan in fmt.rounds for heat in range(heats_in(plan))]
