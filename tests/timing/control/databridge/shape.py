"""The schema of the data bridge as its document has it (metarace trackmeet, databridge.md of 2025-10-14).

Written from the document and not from our code, so that it judges what our code makes. Every key may be null.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

STATUSES = ("virtual", "hold", "provisional", "final")
BADGES = set("warning disqualified qualified win rel gold silver bronze champion chr acr nr wr".split())  # noqa: SIM905
KINDS = ("single", "dual", "sprintround", "sprintfinal", "bunch", "classification")
DURATION = re.compile(r"PT(\d+H)?(\d+M)?\d+(\.\d+)?S")


def _is_moment(value: Any) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None


TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "8601D": lambda value: date.fromisoformat(value).isoformat() == value,
    "8601DT": _is_moment,
    "8601I": lambda value: DURATION.fullmatch(value) is not None,
    "STATUS": lambda value: value in STATUSES,
    "KIND": lambda value: value in KINDS,
    "BADGES": lambda value: set(value) <= BADGES,
}


def keys(**types: str) -> dict[str, str]:
    """Keys of one type each: `keys(string="title subtitle", integer="laps")`."""
    return {key: kind for kind, names in types.items() for key in names.split()}


MEET = keys(string="title subtitle organiser location locationCode pcp date timezone", object="schedule categories") | {
    "startDate": "8601D",
    "endDate": "8601D",
}
EVENT = keys(
    string="title subtitle info extra distance session category competition phase", integer="laps", array="fragments"
)
CURRENT = keys(
    string="path title subtitle info event session category competition phase contest heat competitorType "
    "competitionType competitorA labelA infoA nameA competitorB labelB infoB nameB eliminated distance",
    integer="rankA rankB remain toGo laps",
    array="membersA membersB",
    object="record weather",
    STATUS="status",
) | dict.fromkeys(("startTime", "endTime"), "8601DT")
CURRENT |= dict.fromkeys(("timeA", "downA", "timeB", "downB"), "8601I")
SESSION = keys(string="title subtitle location label", object="events finals") | dict.fromkeys(
    ("startTime", "endTime"), "8601DT"
)
CATEGORY = keys(string="label", object="competitions")
COMPETITORS = keys(object="riders teams pairs pilots")
RIDER = keys(string="number class first last nation uciid state org") | {"dob": "8601D"}
COMPETITION = keys(
    string="label competitorType category title", STATUS="status", object="phases events warnings records"
)
PHASE = keys(string="title subtitle info distance", STATUS="status", object="contests events", integer="laps")
CONTEST = keys(string="title subtitle label info distance", STATUS="status", object="heats events", integer="laps")
STARTLIST = keys(
    string="title subtitle info distance competitorType",
    integer="laps",
    STATUS="status",
    KIND="type",
    array="competitors",
)
STARTER = keys(string="competitor name info qualPlace", array="members", BADGES="badges", integer="qualRank") | {
    "qualTime": "8601I"
}
RESULT = keys(
    string="title subtitle info distance competitorType units",
    integer="laps",
    STATUS="status",
    KIND="type",
    array="lines decisions",
    object="weather detail",
) | {"startTime": "8601DT"}
RESULTLINE = keys(string="class competitor name info result", integer="rank", array="members", BADGES="badges")
DETAIL = keys(string="label", integer="rank points") | dict.fromkeys(("elapsed", "interval"), "8601I")
STAMP = {"serial": "integer", "updated": "8601DT"}
"""Which every object has besides, never null."""


def faults(topic: str, body: dict[str, Any], sessions: set[str]) -> list[str]:
    """What does not fit the document in the object of a topic below `<prefix>/<meet>`."""
    own = {key: value for key, value in body.items() if key not in ("serial", "updated")}
    found = list(_faults(topic, {key: body.get(key) for key in ("serial", "updated")}, STAMP))
    found += [f"{topic}: {key} is null" for key in STAMP if body.get(key) is None]
    return found + list(_of(topic, own, sessions))


def _of(topic: str, own: dict[str, Any], sessions: set[str]) -> Iterator[str]:
    levels = topic.split("/") if topic else []
    if topic == "events":
        for event, fields in own.items():
            yield from _faults(f"events {event}", fields, EVENT)
    elif levels[-1:] == ["startlist"]:
        yield from _faults(topic, own, STARTLIST)
        for one in own["competitors"]:
            yield from _faults(topic, one, STARTER)
    elif levels[-1:] == ["result"]:
        yield from _faults(topic, own, RESULT)
        for one in own["lines"]:
            yield from _faults(topic, one, RESULTLINE)
        for splits in own["detail"].values():
            for split in splits.values():
                yield from _faults(topic, split, DETAIL)
    elif levels[-1:] == ["competitors"]:
        yield from _faults(topic, own, COMPETITORS)
        for one in own["riders"].values():
            yield from _faults(topic, one, RIDER)
    elif levels == ["current"]:
        yield from _faults(topic, own, CURRENT)
    elif len(levels) == 1:
        yield from _faults(topic, own, SESSION if topic in sessions else CATEGORY)
    else:
        yield from _faults(topic, own, (MEET, CATEGORY, COMPETITION, PHASE, CONTEST)[len(levels)])


def _faults(where: str, fields: Mapping[str, Any], shape: Mapping[str, str]) -> Iterator[str]:
    if set(fields) != set(shape):
        yield f"{where}: keys {sorted(set(fields) ^ set(shape))} are missing or too many"
        return
    for key, kind in shape.items():
        if fields[key] is not None and not TYPES[kind](fields[key]):
            yield f"{where}: {key} = {fields[key]!r} is no {kind}"
