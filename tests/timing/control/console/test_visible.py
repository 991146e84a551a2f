"""What the public sees of each message: decided field by field, so that a new field stays inside until it is."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timing.control.console.feed import SUBSCRIPTIONS
from timing.control.console.hub import Hub
from timing.control.console.visible import HEAD, PUBLIC_TOPICS, public_fields
from timing.control.topics import TOPICS as ALL_TOPICS
from timing.race.picture import Decision, Finish, PaceReport, ResultLine

HELD_BACK = {"history", "device", "health", "competitions", "schedule", "communiques"}
"""Messages of which the public sees nothing."""

DECISION = {
    "command": "c-1",
    "actor": "A. Sato",
    "role": "commissaire",
    "at_us": 1,
    "bib": "4",
    "code": "REL",
    "article": "3.2.044",
    "reason": "left the lane",
}
LINE = {"order": 1, "place": 1, "bib": "4", "gap_ms": None, "status": "REL", "reason": "left the lane", "warnings": 1}


TOPICS = [
    *((name, name) for name in ("meet", "passing", "current", "board", "competition", "health")),
    *((f"heats/final-a/{name}", name) for name in ("start", "order", "splits", "pace", "finish", "result", "history")),
    *(("schedule", "schedule"), ("communiques", "communiques"), ("competitions/men-keirin", "competitions")),
]
NAMES = [
    "passings",
    "attempts",
    "starters",
    "pace",
    "finish",
    "results",
    "decisions",
    "status",
    "disagreements",
    "bell",
]


def message_types() -> dict[str, type[msgspec.Struct]]:
    """Retained and streamed messages by the name in their schema."""
    named = {"devices/<id>": "device", "competitions/<id>": "competitions"}
    return {
        named.get(topic, topic.rpartition("/")[2]): kind
        for topic, kind in ALL_TOPICS.items()
        if topic not in ("alive", "commands", "replies/<id>")
    }


def test_every_message_is_either_shown_or_held_back() -> None:
    assert set(message_types()) == set(PUBLIC_TOPICS) | HELD_BACK


@pytest.mark.parametrize("name", sorted(PUBLIC_TOPICS))
def test_every_field_of_a_message_is_decided(name: str) -> None:
    fields = set(message_types()[name].__struct_fields__) - HEAD
    topic = PUBLIC_TOPICS[name]
    assert fields <= topic.shown | set(topic.emptied), "shown, emptied, or a reason to change this test"


def test_every_topic_of_the_core_is_subscribed() -> None:
    topics = {topic.partition("/")[0] for topic in ALL_TOPICS} - {"commands", "replies"}
    assert {one.partition("/")[0] for one in SUBSCRIPTIONS} == topics


def head(name: str, **fields: Any) -> dict[str, Any]:
    return {"schema": f"velodrome/{name}/1", "seq": 1, "journal_id": 1, "generated_us": 1, **fields}


def seen(name: str, **fields: Any) -> dict[str, Any]:
    """What the public sees of these fields."""
    found = public_fields(name, head(name, **fields))
    assert found is not None
    return found


@pytest.mark.parametrize("status", ["virtual", "provisional"])
def test_before_the_result_is_official_nobody_outside_learns_of_decisions_or_reasons(status: str) -> None:
    result = seen("result", status=status, results=[LINE], decisions=[DECISION])
    assert result["decisions"] == []
    assert result["results"] == [{**LINE, "reason": "", "warnings": 0}]


def test_the_official_result_tells_its_decisions_but_not_who_made_them() -> None:
    result = seen("result", status="official", results=[LINE], decisions=[DECISION])
    assert result["results"] == [LINE]
    assert result["decisions"] == [{"bib": "4", "code": "REL", "article": "3.2.044", "reason": "left the lane"}]


def test_who_rode_ahead_of_the_pacer_is_for_the_commissaires() -> None:
    told = {"summary": "rider 7 ahead of the pacer", "findings": [{"what": "rider_ahead"}], "compliant": False}
    pace = seen("pace", pace={"exit_kmh": 50.0, "margins": [1], "riders_ahead": [1], **told}, earlier=[{"attempt": 1}])
    hidden = {"summary": "", "findings": [], "compliant": None, "margins": [], "riders_ahead": []}
    assert pace["pace"] == {"exit_kmh": 50.0, **hidden}


def test_disagreements_and_what_matches_nobody_are_for_the_operator() -> None:
    finish = seen("finish", finish={"photo_finish": ["4"], "disagreements": [1]}, disagreements=[1])
    assert (finish["finish"]["disagreements"], finish["disagreements"]) == ([], [])
    splits = seen("splits", splits=[], unmatched=[1], unmatched_count=1)
    assert (splits["unmatched"], splits["unmatched_count"]) == ([], 0)


def test_a_field_that_nobody_has_decided_about_stays_inside() -> None:
    assert "secret" not in seen("current", heat=None, secret="x")
    assert public_fields("unheard-of", head("unheard-of")) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.sampled_from(TOPICS), st.dictionaries(st.sampled_from(NAMES), JSON)), max_size=5))
def test_whatever_shape_a_message_has_the_hub_goes_on(said: list[tuple[tuple[str, str], dict[str, Any]]]) -> None:
    hub = Hub()
    for number, ((topic, name), fields) in enumerate(said):
        payload = json.dumps({**fields, **head(name), "seq": number, "generated_us": number})
        hub.feed.take(topic, payload.encode("utf-8", "surrogatepass"), False)
    for audience in hub.audiences.values():
        assert audience.snapshot().count(b"\n") == 4, "one event, whatever is in it"


def test_what_is_emptied_or_mended_still_exists() -> None:
    for kind, names in (
        (Decision, {"bib", "code", "article", "reason"}),
        (ResultLine, {"reason", "warnings"}),
        (PaceReport, {"margins", "riders_ahead"}),
        (Finish, {"disagreements"}),
    ):
        assert names <= set(kind.__struct_fields__)
