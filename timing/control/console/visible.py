"""What leaves the console for whom: officials see every topic, everybody else what may be announced.

For the public a field is shown only if it is named here, so that a field which a message gains later stays inside
until somebody has decided about it. What is held back keeps its type and is empty: no screen has to know of it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from timing.control.console.feed import Fields

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})

HEAD: Final = frozenset({"schema", "seq", "journal_id", "generated_us"})
HEAT_HEAD: Final = frozenset({"heat", "round", "number", "attempt", "state"})


class PublicTopic(NamedTuple):
    """What the public sees of a topic: fields as they are, fields emptied, and what has to be mended inside."""

    shown: frozenset[str]
    emptied: Mapping[str, object] = _NOTHING
    mend: Callable[[Fields], None] | None = None


def _without_reasons(fields: Fields) -> None:
    fields["attempts"] = [{**one, "reason": ""} for one in fields.get("attempts", ())]
    fields["starters"] = [{**one, "transponders": []} for one in fields.get("starters", ())]


def _without_accusations(fields: Fields) -> None:
    """Who rode beside or ahead of the pacer is for the commissaires to rule on."""
    hidden: Fields = {"margins": [], "riders_ahead": [], "findings": [], "summary": "", "compliant": None}
    fields["pace"] = {**fields.get("pace", {}), **hidden}


def _without_disagreements(fields: Fields) -> None:
    fields["finish"] = {**fields.get("finish", {}), "disagreements": []}


def _official_decisions_only(fields: Fields) -> None:
    """Reasons and warnings are announced with the official result, never before."""
    if fields.get("status") == "official":
        kept = ("bib", "code", "article", "reason")
        fields["decisions"] = [{name: one.get(name, "") for name in kept} for one in fields.get("decisions", ())]
        return
    fields["decisions"] = []
    fields["results"] = [{**line, "reason": "", "warnings": 0} for line in fields.get("results", ())]


_CURRENT = frozenset(
    {
        *("heat", "attempt", "state", "status", "start_us", "laps_to_go", "laps_to_go_measured"),
        *("bell", "bell_rung_us", "head_m", "course_m"),
    }
)
_MEET = frozenset(
    {
        *("meet", "name", "venue", "venue_name", "track_length_m", "timezone", "rules", "loops", "lines", "heats"),
        *("codes", "reasons", "pace_curves", "pace_tolerance"),
    }
)

PUBLIC_TOPICS: Final[dict[str, PublicTopic]] = {
    "meet": PublicTopic(_MEET),
    "passing": PublicTopic(frozenset({"passings"})),
    "current": PublicTopic(_CURRENT, {"notices": [], "alerts": []}),
    "board": PublicTopic(_CURRENT),
    "competition": PublicTopic(frozenset({"heats"})),
    "start": PublicTopic(HEAT_HEAD | {"starters", "attempts", "start_us"}, mend=_without_reasons),
    "order": PublicTopic(HEAT_HEAD | {"orders", "laps_to_go"}),
    "splits": PublicTopic(HEAT_HEAD | {"splits"}, {"unmatched": [], "unmatched_count": 0}),
    "pace": PublicTopic(HEAT_HEAD | {"pace"}, {"earlier": []}, _without_accusations),
    "finish": PublicTopic(HEAT_HEAD | {"finish"}, {"disagreements": []}, _without_disagreements),
    "result": PublicTopic(
        HEAT_HEAD | {"status", "results", "decisions", "last_200_ms", "marks"}, mend=_official_decisions_only
    ),
}
"""By the name in the message's schema: `velodrome/<name>/1`."""


def public_fields(name: str, fields: Fields) -> Fields | None:
    """What the public sees of a message with this schema name; None for nothing at all."""
    topic = PUBLIC_TOPICS.get(name)
    if topic is None:
        return None
    seen: Fields = {key: value for key, value in fields.items() if key in topic.shown or key in HEAD}
    seen |= {key: empty for key, empty in topic.emptied.items() if key in fields}
    if topic.mend is not None:
        topic.mend(seen)
    return seen
