"""Topic names of metarace's data bridge: what a meet calls its sessions, categories and rounds as parts of a path.

Sessions and categories are neighbours there (`<meet>/<session>`, `<meet>/<category>`), so their names must differ.
"""

import re
from collections.abc import Iterator

from config.checks import Checker
from config.models import Meet

BESIDE_CATEGORIES = ("events", "current")
"""What stands beside sessions and categories below the meet."""
WITHIN = ("competitors", "startlist", "result")
"""What stands beside competitions, phases and contests below what they belong to."""

_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9_-]*)*")
_NOT_IN_A_LEVEL = re.compile(r"[^A-Za-z0-9_.-]+")


def topic_level(text: str) -> str:
    """A name as one level of a topic: `First round` is `First-round`. Never one of `WITHIN`."""
    level = _NOT_IN_A_LEVEL.sub("-", text).strip("-") or "-"
    return f"{level}-" if level in WITHIN else level


def check_databridge(meet: Meet, check: Checker) -> None:
    """Check the prefix, and in a meet that publishes the bridge that no two things have one topic."""
    prefix = meet.databridge.prefix
    check.require(
        _PREFIX.fullmatch(prefix) is not None and prefix.partition("/")[0] != "velodrome",
        "databridge.prefix",
        prefix,
        'must be a topic of its own like "db": letters, digits, - and _, levels parted by /, not below velodrome',
    )
    if not meet.databridge.enabled:
        return
    for index, session in enumerate(meet.sessions):
        check.require(
            session.id not in BESIDE_CATEGORIES,
            f"sessions[{index}].id",
            session.id,
            f"is taken in the data bridge ({', '.join(BESIDE_CATEGORIES)}): give the session another id",
        )
    taken = {one: f"the data bridge's own {one!r}" for one in BESIDE_CATEGORIES}
    taken |= {session.id: f"session {session.id!r}" for session in meet.sessions} or {"1": "the meet's only session"}
    for key, category in _categories(meet):
        level = topic_level(category)
        owner = taken.setdefault(level, f"category {category!r}")
        check.require(
            owner == f"category {category!r}",
            key,
            category,
            f"has the topic {level!r} in the data bridge as {owner} has: give one of them another name",
        )
    events = {(heat.category, heat.event) for heat in meet.heats}
    for index, one in enumerate(meet.competitions):
        check.require(
            (one.category, one.id) not in events,
            f"competitions[{index}].id",
            one.id,
            f"is in the data bridge what the heats of {one.category} {one.id} are called too: give it another id",
        )


def _categories(meet: Meet) -> Iterator[tuple[str, str]]:
    """Every mention of a category with its key."""
    for index, competition in enumerate(meet.competitions):
        yield f"competitions[{index}].category", competition.category
    for index, heat in enumerate(meet.heats):
        yield f"heats[{index}].category", heat.category
