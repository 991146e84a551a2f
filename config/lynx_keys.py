"""How a heat is named in FinishLynx: three numbers that its start lists and results carry (hardware-protocols §4).

FinishLynx knows an event, a round and a heat by number only. We number events (kind and category) and the rounds of
an event in the order in which they stand in the meet file; the heat keeps its own number. So new events and rounds
belong at the end of the file once FinishLynx has read its start lists.
"""

from typing import NamedTuple

from config.models import Heat, Meet


class LynxKey(NamedTuple):
    """Event, round and heat as FinishLynx numbers them, each from 1."""

    event: int
    round: int
    heat: int


def lynx_keys(meet: Meet) -> dict[str, LynxKey]:
    """The key of every heat of the meet by its id. No two heats share one: `check_meet` sees to that."""
    rounds: dict[tuple[str, str], list[str]] = {}
    for heat in meet.heats:
        names = rounds.setdefault(_event_of(heat), [])
        if heat.round not in names:
            names.append(heat.round)
    events = list(rounds)
    return {
        heat.id: LynxKey(
            event=events.index(_event_of(heat)) + 1,
            round=rounds[_event_of(heat)].index(heat.round) + 1,
            heat=heat.heat,
        )
        for heat in meet.heats
    }


def heat_of_key(keys: dict[str, LynxKey], event: str | None, round_: str | None, heat: str | None) -> str | None:
    """The id of the heat that a result sheet with these texts is of; None when it names no heat of the meet."""
    texts = (event, round_, heat)
    numbers = [
        int(text) for text in texts if text is not None and text.isascii() and text.isdecimal() and len(text) < 9
    ]
    if len(numbers) != len(texts):
        return None
    wanted = LynxKey(*numbers)
    return next((heat_id for heat_id, key in keys.items() if key == wanted), None)


def _event_of(heat: Heat) -> tuple[str, str]:
    return heat.event, heat.category
