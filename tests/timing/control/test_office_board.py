"""What the race office publishes: competitions, the programme, the communiqués, and its orders over the wire."""

import json
from pathlib import Path

import msgspec
import pytest

import config
from config.entry_files import read_entries
from config.loader import load_setup
from tests.timing.control.schema import faults
from timing.control.messages import CommandReply, CommandRequest, read_command
from timing.control.office_board import office_bodies
from timing.control.topics import TOPICS, json_schemas
from timing.race.competition.actions import (
    Compose,
    ConfirmComposition,
    Draw,
    IssueCommunique,
    SwapRiders,
    TakeEntries,
    Withdraw,
)
from timing.race.events import Command, MeetAction, SetupTaken, decode_event, encode_event
from timing.race.meet import MeetState

KEIRIN = "men-keirin"
ENTRIES = Path(config.__file__).parent / "meets" / "tokyo2020-men-keirin.csv"


class Secretary:
    """Orders one after the other, each through its journal form."""

    def __init__(self) -> None:
        self.state = MeetState()
        self.row = 0
        self._put(SetupTaken(at_us=1_628_300_000_000_000, setup=load_setup("tokyo2020-men-keirin-rounds")))

    def _put(self, event: SetupTaken | Command) -> None:
        self.row += 1
        kind, body = encode_event(event)
        self.state.apply(self.row, decode_event(kind, body))

    def order(self, action: MeetAction, role: str = "president") -> str:
        """Returns why it was refused, empty when it was taken."""
        at_us = 1_628_300_000_000_000 + self.row
        self._put(Command(id=f"c{self.row}", actor="Sato", role=role, at_us=at_us, action=action))
        return self.state.outcomes[f"c{self.row - 1}"].reason

    def first_round(self) -> None:
        entries = read_entries(ENTRIES).entries
        assert self.order(TakeEntries(competition=KEIRIN, entries=entries, source="list.csv"), "secretary") == ""
        assert self.order(Compose(competition=KEIRIN, round="r1"), "secretary") == ""
        assert self.order(Draw(competition=KEIRIN, purpose="start_positions:r1", seed="izu"), "secretary") == ""

    def body(self, topic: str) -> dict[str, object]:
        return json.loads(
            next(msgspec.json.encode(one.fields) for one in office_bodies(self.state) if one.topic == topic)
        )


@pytest.fixture
def office() -> Secretary:
    return Secretary()


def test_heats_arise_only_when_their_start_lists_are_confirmed(office: Secretary) -> None:
    office.first_round()
    assert list(office.state.heats) == []

    office.order(ConfirmComposition(competition=KEIRIN, round="r1"))

    assert list(office.state.heats) == ["r1-1", "r1-2", "r1-3", "r1-4", "r1-5"]
    heat = office.state.heats["r1-2"].heat
    assert (heat.round, heat.heat, heat.scheduled) == ("First round", 2, "2021-08-07T15:54")
    assert {rider.bib for rider in office.state.heats["r1-2"].riders} == {"7", "8", "9", "10", "11", "12"}
    assert sorted(place.draw for place in heat.start_list) == [1, 2, 3, 4, 5, 6]


def test_every_topic_of_the_office_has_its_promised_shape(office: Secretary) -> None:
    office.first_round()
    office.order(ConfirmComposition(competition=KEIRIN, round="r1"))
    office.order(IssueCommunique(competition=KEIRIN, kind="start_list", subject="r1"), "secretary")
    schemas = json_schemas()
    seen = set()
    for body in office_bodies(office.state):
        head = {"schema": f"velodrome/{body.schema}", "seq": 1, "journal_id": office.row, "generated_us": 7}
        payload = msgspec.json.encode(head | body.fields)
        topic = "competitions/<id>" if body.topic.startswith("competitions/") else body.topic
        seen.add(topic)
        assert json.loads(msgspec.json.encode(msgspec.json.decode(payload, type=TOPICS[topic]))) == json.loads(payload)
        assert faults(json.loads(payload), schemas["topics"][topic], schemas["components"]["schemas"]) == []
    assert seen == {"schedule", "communiques", f"competitions/{KEIRIN}".replace(KEIRIN, "<id>")}


def test_the_programme_is_that_of_the_venue_with_the_rounds_to_come(office: Secretary) -> None:
    office.first_round()
    office.order(ConfirmComposition(competition=KEIRIN, round="r1"))

    schedule = office.body("schedule")

    assert schedule["timezone"] == "Asia/Tokyo"
    lines = {line["heat"]: line for line in schedule["lines"]}  # type: ignore[attr-defined, index]
    assert lines["final-a"]["name"] == "Final A"
    assert (lines["r1-1"]["session"], lines["qf-1"]["session"]) == ("1", "2")
    assert schedule["next"] == ["r1-1", "r1-2", "r1-3", "r1-4"]


def test_the_panel_swaps_and_the_secretary_may_not(office: Secretary) -> None:
    office.first_round()
    swap = SwapRiders(competition=KEIRIN, round="r1", first="1", second="7", reason="compatriots parted")

    assert "may not order 'swap_riders'" in office.order(swap, "secretary")
    assert office.order(swap, "commissaire") == ""
    assert office.order(ConfirmComposition(competition=KEIRIN, round="r1"), "commissaire") == ""
    assert "1" in office.state.heats["r1-2"].index_of_bib


def test_communiques_are_numbered_in_order_and_a_correction_takes_a_new_number(office: Secretary) -> None:
    office.first_round()
    early = IssueCommunique(competition=KEIRIN, kind="start_list", subject="r1")
    assert office.order(early, "secretary") == "the start lists of First round are not confirmed yet"
    office.order(ConfirmComposition(competition=KEIRIN, round="r1"))

    assert office.order(early, "secretary") == ""
    wrong = IssueCommunique(competition=KEIRIN, kind="start_list", subject="r1", corrects=7, reason="bib")
    assert office.order(wrong, "secretary") == "communiqué 7 was not issued: the last number is 1"
    again = IssueCommunique(competition=KEIRIN, kind="start_list", subject="r1", corrects=1, reason="wrong bib")
    assert office.order(again, "secretary") == ""

    issued = office.body("communiques")["issued"]
    assert [(one["number"], one["corrects"]) for one in issued] == [(1, None), (2, 1)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (IssueCommunique(competition=KEIRIN, kind="result", subject="r1-1"), "heat r1-1 has no result yet"),
        (IssueCommunique(competition=KEIRIN, kind="result", subject="r1"), "a result is that of one heat: give one of"),
        (IssueCommunique(competition=KEIRIN, kind="poem", subject="r1"), "no communiqué of kind 'poem'"),
        (IssueCommunique(competition=KEIRIN, kind="round", subject="r9"), "no round or heat 'r9'"),
        (Withdraw(competition=KEIRIN, bib="77", reason="ill"), "no rider 77 is entered"),
        (Compose(competition="women-keirin", round="r1"), "no competition 'women-keirin' is in the meet file"),
    ],
)
def test_what_cannot_be_is_refused_in_words(office: Secretary, action: MeetAction, words: str) -> None:
    office.first_round()
    office.order(ConfirmComposition(competition=KEIRIN, round="r1"))

    assert words in office.order(action)


def test_an_order_of_the_office_needs_a_name(office: Secretary) -> None:
    command = Command(id="x", actor=" ", role="president", at_us=1, action=Compose(competition=KEIRIN, round="r1"))
    office.state.apply(2, command)

    assert office.state.outcomes["x"].reason == "a command needs the name of its actor"


def test_the_pacers_transponder_is_nobodys_else(office: Secretary) -> None:
    entries = list(read_entries(ENTRIES).entries)
    entries[0] = msgspec.structs.replace(entries[0], transponders=("9000001",))

    reason = office.order(TakeEntries(competition=KEIRIN, entries=tuple(entries)))

    assert reason == "transponder 9000001 of 1 belongs to the pacer Derny: give one to each"


def test_an_order_of_the_office_comes_over_mqtt_as_any_other() -> None:
    request = read_command(
        b'{"id":"1","actor":"Sato","role":"secretary","action":{"type":"compose","competition":"k","round":"r1"}}'
    )
    assert isinstance(request, CommandRequest)
    assert request.action == Compose(competition="k", round="r1")

    answer = read_command(b'{"id":"1","actor":"Sato","role":"secretary","action":{"type":"compose","round":"r1"}}')
    assert isinstance(answer, CommandReply)
    assert "competition" in answer.reason


def test_a_new_meet_file_keeps_what_was_ordered(office: Secretary) -> None:
    office.first_round()
    office.order(ConfirmComposition(competition=KEIRIN, round="r1"))
    setup = load_setup("tokyo2020-men-keirin-rounds")
    meet = msgspec.structs.replace(setup.meet, name="Renamed")

    office.state.apply(office.row + 1, SetupTaken(at_us=2, setup=msgspec.structs.replace(setup, meet=meet)))

    assert list(office.state.heats) == ["r1-1", "r1-2", "r1-3", "r1-4", "r1-5"]
    assert office.state.setup is not None
    assert office.state.setup.meet.name == "Renamed"
