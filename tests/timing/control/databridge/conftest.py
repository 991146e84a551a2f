"""Boards of the data bridge: what they have been told so far, of heats that were really folded."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import config
from config.entry_files import read_entries
from config.loader import load_setup
from tests.timing.race.conftest import TOKYO, Office, _deliveries, _setup
from timing.control.databridge.bridge import DataBridge
from timing.race.actions import Gun, Place
from timing.race.competition.actions import Compose, ConfirmComposition, Draw, TakeEntries
from timing.race.meet import MeetState

KEIRIN = "men-keirin"
ENTRIES = Path(config.__file__).parent / "meets" / "tokyo2020-men-keirin.csv"


class Board:
    """A board that keeps the newest object of every topic."""

    def __init__(self, state: MeetState) -> None:
        self.state = state
        self.meet = state.setup.meet.id if state.setup is not None else ""
        self.bridge = DataBridge("db", self.meet)
        self.told: dict[str, dict[str, Any]] = {}
        self.serials: dict[str, list[int]] = {}

    def hear(self) -> set[str]:
        """Take what differs now; the topics of it below the meet."""
        return set(self._hear())

    def _hear(self) -> Iterator[str]:
        picture = self.state.picture(self.state.current) if self.state.current is not None else None
        for payloads in (self.bridge.current(self.state, picture), self.bridge.changes(self.state)):
            for topic, payload in payloads:
                assert topic == f"db/{self.meet}" or topic.startswith(f"db/{self.meet}/")
                below = topic.removeprefix(f"db/{self.meet}").removeprefix("/")
                self.told[below] = json.loads(payload)
                self.serials.setdefault(below, []).append(self.told[below]["serial"])
                yield below

    def __getitem__(self, topic: str) -> dict[str, Any]:
        return self.told[topic]

    def lines(self, topic: str) -> list[tuple[int, str | None, str, str | None]]:
        """(rank, class, competitor, result) of a result."""
        return [(one["rank"], one["class"], one["competitor"], one["result"]) for one in self[topic]["lines"]]

    def badges(self, topic: str) -> dict[str, list[str]]:
        """Of those in a result or start list who wear any."""
        listed = self[topic].get("lines", self[topic].get("competitors", []))
        return {one["competitor"]: one["badges"] for one in listed if one["badges"]}


@pytest.fixture
def office() -> Office:
    """Heats of the meet file, without competitions."""
    return Office(_setup(TOKYO))


@pytest.fixture
def finished(office: Office) -> Office:
    """Tokyo's final A ridden to its photo-finish: 4, 13, 23, 30, 21, 2."""
    office.open("final-a")
    office.arm()
    office.play(_deliveries(TOKYO, "final-a"))
    return office


@cache
def _rounds_setup() -> Any:
    return load_setup("tokyo2020-men-keirin-rounds")


@pytest.fixture
def rounds() -> Office:
    """The same people as a competition, with the first round drawn and its start lists confirmed."""
    office = Office(_rounds_setup())
    entries = read_entries(ENTRIES).entries
    office.do(TakeEntries(competition=KEIRIN, entries=entries), role="secretary")
    office.do(Compose(competition=KEIRIN, round="r1"), role="secretary")
    office.do(Draw(competition=KEIRIN, purpose="start_positions:r1", seed="izu"), role="secretary")
    office.do(ConfirmComposition(competition=KEIRIN, round="r1"), role="president")
    return office


def judged(office: Office, heat: str) -> tuple[str, ...]:
    """Ride a heat by the judge's order alone: bibs as they stand on the line; returns them."""
    office.open(heat)
    office.arm()
    office.do(Gun(), role="starter")
    bibs = tuple(rider.bib for rider in office.log.riders)
    office.do(Place(order=tuple((bib,) for bib in bibs)), 100, role="judge")
    return bibs
