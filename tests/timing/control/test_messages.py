"""What is published has the shape that we promise: the structs, and the JSON Schemas that we ship."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.timing.control.conftest import Office
from tests.timing.control.schema import faults
from timing.control import board
from timing.control.messages import CommandReply, CommandRequest, read_command
from timing.control.office_board import office_bodies
from timing.control.topics import TOPICS, json_schemas
from timing.race.actions import Arm, Confirm, Decide, OpenHeat
from timing.race.picture import HeatPicture

REPOSITORY = Path(__file__).parents[3]
SHIPPED = REPOSITORY / "deploy" / "schemas" / "velodrome.json"
NOT_RETAINED = {"passing", "alive", "commands", "replies/<id>"}
OFFICE = {"competitions/<id>", "communiques"}
"""Only where the meet has a competition: tests/timing/control/test_office_board.py."""
COMMAND = {"id": "c-1", "actor": "Anna", "role": "operator", "action": {"type": "arm"}}


def message(body: board.Body, seq: int = 1) -> bytes:
    """A body as the publisher completes it."""
    head = {"schema": f"velodrome/{body.schema}", "seq": seq, "journal_id": 5, "generated_us": 7}
    return msgspec.json.encode(head | body.fields)


def kind_of(topic: str) -> str:
    """`heats/final-a/order` → `heats/<heat>/order`."""
    return re.sub(r"^heats/[^/]+/", "heats/<heat>/", re.sub(r"^devices/.+", "devices/<id>", topic))


def bodies(office: Office) -> list[board.Body]:
    """Everything that is retained for the office's state."""
    picture = office.picture if office.state.current is not None else None
    return [
        board.meet_body(office.state),
        *board.device_bodies(office.state),
        board.current_body(office.state, picture),
        board.board_body(board.current_body(office.state, picture)),
        *(heat_bodies(office, picture) if picture is not None else ()),
        board.competition_body(office.state),
        board.health_body(office.state),
        *office_bodies(office.state),
    ]


def heat_bodies(office: Office, picture: HeatPicture) -> list[board.Body]:
    """The seven topics of a heat."""
    log = office.state.heats[picture.heat]
    earlier = office.state.earlier_paces(picture.heat)
    return [*board.heat_bodies(log, picture, earlier), board.history_body(log, picture)]


def assert_well_formed(topic: str, payload: bytes) -> None:
    """It decodes with its struct, nothing in it is unknown to the struct, and it is valid under its schema."""
    decoded = msgspec.json.decode(payload, type=TOPICS[topic])
    again = json.loads(msgspec.json.encode(decoded))
    assert again == json.loads(payload), f"{topic} has a field that its struct does not know"
    schemas = json_schemas()
    assert faults(json.loads(payload), schemas["topics"][topic], schemas["components"]["schemas"]) == []


def test_every_message_of_a_whole_heat_has_its_promised_shape(office: Office) -> None:
    seen: dict[str, bytes] = {}

    def look() -> None:
        for body in bodies(office):
            payload = msgspec.json.encode(body.fields)
            if seen.get(body.topic) != payload:
                seen[body.topic] = payload
                assert_well_formed(kind_of(body.topic), message(body))

    look()
    office.health("camera", "lost", "no such device", "check the plug")
    office.to_the_gun()
    look()
    states = set()
    for picture in office.ride("derny-slow"):
        if picture.state not in states:
            states.add(picture.state)
            look()
    office.order("commissaire", Decide(bib="23", code="REL", reason="crowding", article="3.2.044"))
    office.order("president", Confirm())
    look()
    assert {"started", "paced", "sprint", "bell", "finished", "provisional"} <= states
    assert {kind_of(topic) for topic in seen} == set(TOPICS) - NOT_RETAINED - OFFICE


def test_each_message_names_its_own_schema(office: Office) -> None:
    office.order("operator", OpenHeat(heat="r1-1"))
    for body in bodies(office):
        other = "current/1" if body.schema == "meet/1" else "meet/1"
        wrong = message(msgspec.structs.replace(body, schema=other))
        with pytest.raises(msgspec.ValidationError, match=r"\$\.schema"):
            msgspec.json.decode(wrong, type=TOPICS[kind_of(body.topic)])


def test_the_same_state_gives_the_same_bytes(make_office: Callable[[], Office]) -> None:
    first, second = make_office(), make_office()
    for office in (first, second):
        office.to_the_gun()
        office.until("paced")
    assert [message(body) for body in bodies(first)] == [message(body) for body in bodies(second)]
    assert board.state_json(first.state) == board.state_json(second.state)


def test_the_shipped_schemas_are_those_of_the_code() -> None:
    assert json.loads(SHIPPED.read_text("utf-8")) == json.loads(json.dumps(json_schemas())), (
        "the messages changed: velodrome schemas > deploy/schemas/velodrome.json"
    )


def test_the_schemas_command_prints_what_is_shipped() -> None:
    command = [sys.executable, "-c", "from timing.cli import main; main()", "schemas"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == SHIPPED.read_text("utf-8")


def test_a_schema_refuses_what_its_message_is_not(office: Office) -> None:
    schemas = json_schemas()
    body = board.current_body(office.state, None)
    good = json.loads(message(body))
    for key, wrong in (("seq", "1"), ("laps_to_go", None), ("status", "perhaps"), ("notices", [3])):
        found = faults(good | {key: wrong}, schemas["topics"]["current"], schemas["components"]["schemas"])
        assert found, key
        assert f"$.{key}" in found[0]


def test_a_command_and_its_answer_have_schemas_too() -> None:
    schemas = json_schemas()
    components = schemas["components"]["schemas"]
    assert faults(COMMAND, schemas["topics"]["commands"], components) == []
    assert faults(COMMAND | {"id": "a/b"}, schemas["topics"]["commands"], components)
    assert faults(COMMAND | {"colour": "red"}, schemas["topics"]["commands"], components)
    assert faults(COMMAND | {"action": {"type": "fly"}}, schemas["topics"]["commands"], components)
    assert_well_formed(
        "commands", json.dumps(COMMAND | {"heat": None, "reply_to": None, "seen": None, "preview": False}).encode()
    )
    reply = CommandReply(id="c-1", accepted=True, reason="", heat="final-a", journal_id=7)
    assert_well_formed("replies/<id>", msgspec.json.encode(reply))


def test_a_well_formed_command_is_read() -> None:
    assert read_command(json.dumps(COMMAND).encode()) == CommandRequest(
        id="c-1", actor="Anna", role="operator", action=Arm()
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"action": {"type": "fly"}}, "fly"),
        ({"action": {"type": "stop"}}, "reason"),
        ({"action": {"type": "arm", "loudly": True}}, "loudly"),
        ({"colour": "red"}, "colour"),
        ({"actor": 7}, "$.actor"),
        ({"reply_to": "velodrome/tokyo/heats/final-a/result"}, "$.reply_to"),
        ({"reply_to": "velodrome/tokyo/replies/#"}, "$.reply_to"),
        ({"reply_to": "velodrome/tokyo/replies/me\n"}, "$.reply_to"),
        ({"reply_to": ""}, "$.reply_to"),
    ],
)
def test_a_command_that_is_none_is_answered_with_what_is_wrong_under_its_id(change: dict[str, Any], told: str) -> None:
    reply = read_command(json.dumps(COMMAND | change).encode())
    assert isinstance(reply, CommandReply)
    assert (reply.id, reply.accepted, reply.journal_id) == ("c-1", False, None)
    assert reply.reason.startswith("no command: ")
    assert told in reply.reason


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"arm!",
        b"\xff\xfe",
        b"[1]",
        b"null",
        b'"c-1"',
        b'{"id": 7}',
        b"[" * 100_000,
        b'{"id":' * 100_000,
        b'{"id": "\\ud800"}',
        *(
            json.dumps(COMMAND | {"id": name}).encode()
            for name in ("", "a/b", "a#", "+", "x\n", "x\x00", "ü", "x" * 101)
        ),
    ],
)
def test_a_command_whose_id_fits_no_topic_is_answered_as_unknown(payload: bytes) -> None:
    reply = read_command(payload)
    assert isinstance(reply, CommandReply)
    assert (reply.id, reply.accepted, reply.journal_id) == ("unknown", False, None)
    assert len(reply.reason) < 300
