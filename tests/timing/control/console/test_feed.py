"""What the console makes of what the core says: nothing twice, nothing old, and another journal is noticed."""

import json
from typing import Any

import pytest

from timing.control.console.feed import BEHIND_BEATS, CORE_SILENCE_S, SHRUNK_BEATS, Clocks, Feed, Links


class Ear:
    """Keeps what the feed tells, and moves its clocks."""

    def __init__(self) -> None:
        self.topics: list[tuple[str, Any]] = []
        self.passings: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.s = 100.0
        self.feed = Feed(self, Clocks(lambda: self.s, lambda: round(self.s * 1e6)))

    def changed(self, topic: str, name: str, payload: bytes, fields: dict[str, Any] | None) -> None:
        self.topics.append((topic, None if fields is None else fields.get("value")))

    def passed(self, payload: bytes, fields: dict[str, Any]) -> None:
        self.passings += fields["passings"]

    def linked(self, links: Links) -> None:
        self.links.append((links.mqtt, links.core))

    def say(self, topic: str, name: str, seq: int, value: Any = None, at_us: int = 0, retained: bool = False) -> None:
        """A message of the core."""
        head = {"schema": f"velodrome/{name}/1", "seq": seq, "journal_id": 1, "generated_us": at_us or seq}
        self.feed.take(topic, json.dumps({**head, "value": value, "passings": [value]}).encode(), retained)

    def alive(self, seq: int, at_us: int = 0, speed: float = 1.0, retained: bool = False) -> None:
        """A beat of the core."""
        fields = {"schema": "velodrome/alive/1", "at_us": at_us, "speed": speed, "journal_id": 1, "seq": seq}
        self.feed.take("alive", json.dumps(fields).encode(), retained)


@pytest.fixture
def ear() -> Ear:
    one = Ear()
    one.feed.broker_reached()
    return one


def test_the_newest_of_each_topic_counts(ear: Ear) -> None:
    ear.say("current", "current", 5, "b")
    ear.say("current", "current", 4, "a")
    ear.say("current", "current", 5, "b")
    ear.say("health", "health", 3, "old but the first of its topic")
    ear.say("current", "current", 6, "c")
    assert ear.topics == [("current", "b"), ("health", "old but the first of its topic"), ("current", "c")]


def test_what_is_not_for_us_is_left_alone(ear: Ear) -> None:
    for topic in ("commands", "hardware/gateway", "heats/final-a", "heats/a/b/c", "devices/", "", "alive/x", "meet/x"):
        ear.say(topic, topic.rpartition("/")[2], 1)
    assert ear.topics == []


def test_a_part_of_a_heat_that_a_newer_core_publishes_is_passed_on(ear: Ear) -> None:
    ear.say("heats/final-a/weather", "weather", 1, "rain")
    assert ear.topics == [("heats/final-a/weather", "rain")]


def test_a_heartbeat_that_a_broker_kept_is_none(ear: Ear) -> None:
    ear.alive(1, retained=True)
    assert ear.links == [("up", "down")]


def test_the_core_is_lost_after_its_silence_and_back_with_its_first_word(ear: Ear) -> None:
    ear.alive(1)
    ear.s += CORE_SILENCE_S
    ear.feed.look()
    assert ear.feed.links.core == "up"
    ear.s += 0.001
    ear.feed.look()
    assert ear.feed.links.core == "down"
    assert ear.feed.links.core_since_us == round(ear.s * 1e6)
    ear.alive(1)
    assert ear.links == [("up", "down"), ("up", "up"), ("up", "down"), ("up", "up")]


def test_other_messages_of_a_dead_core_do_not_make_it_alive(ear: Ear) -> None:
    ear.say("current", "current", 1, retained=True)
    ear.say("passing", "passing", 2)
    assert ear.feed.links.core == "down"


def test_a_broker_that_is_away_says_nothing_about_the_core(ear: Ear) -> None:
    ear.alive(1)
    ear.feed.broker_lost()
    ear.s += 60
    ear.feed.look()
    assert (ear.feed.links.mqtt, ear.feed.links.core) == ("down", "up")
    ear.feed.broker_reached()
    assert (ear.feed.links.mqtt, ear.feed.links.core) == ("up", "down"), "not before it is heard"


def test_the_core_s_clock_runs_on_at_its_speed_and_stands_when_it_is_lost(ear: Ear) -> None:
    assert ear.feed.core_clock() is None
    ear.alive(7, at_us=1_000_000, speed=20.0)
    ear.s += 0.25
    clock = ear.feed.core_clock()
    assert clock is not None
    assert (clock.at_us, clock.speed, clock.seq) == (6_000_000, 20.0, 7)
    ear.s += 2
    ear.feed.look()
    assert ear.feed.core_clock() is None


def test_passings_are_told_once_and_the_newest_are_kept(ear: Ear) -> None:
    for seq in (10, 11, 10, 11, 12):
        ear.say("passing", "passing", seq, f"read {seq}")
    ear.say("passing", "passing", 13, "kept by a broker", retained=True)
    assert ear.passings == ["read 10", "read 11", "read 12"]
    assert list(ear.feed.passings) == ear.passings


def test_a_message_that_did_not_come_is_fetched(ear: Ear) -> None:
    ear.say("current", "current", 5)
    for _ in range(BEHIND_BEATS - 1):
        ear.alive(9)
    assert not ear.feed.resync_wanted, "it may still be on its way"
    ear.alive(9)
    assert ear.feed.resync_wanted
    ear.feed.broker_reached()
    for _ in range(5):
        ear.alive(9)
    assert not ear.feed.resync_wanted, "what is not retained cannot be fetched: once is enough"


def test_another_journal_with_lower_numbers_is_shown(ear: Ear) -> None:
    ear.say("current", "current", 500, "old journal", at_us=1_000)
    ear.say("passing", "passing", 501, "old read")
    for _ in range(SHRUNK_BEATS):
        ear.alive(3)
    assert ear.feed.resync_wanted
    ear.say("current", "current", 2, "new journal", at_us=900)
    ear.say("passing", "passing", 3, "new read")
    assert ear.topics[-1] == ("current", "new journal")
    assert ear.passings == ["old read", "new read"]
