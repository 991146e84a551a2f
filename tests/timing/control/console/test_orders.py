"""Orders of a screen: answered after the commit, once each, in words when they cannot be."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiomqtt
import msgspec
import pytest

from tests.timing.control.console.hall import Hall, actor_of
from timing.control import messages
from timing.control.console import commands, desk
from timing.journal import JournalReader
from timing.race.events import Command, decode_event

MakeHall = Callable[[], Hall]
OPEN = {"type": "open_heat", "heat": "final-a"}


def commands_on_disk(hall: Hall) -> list[Command]:
    """The commands in the journal, in order."""
    with JournalReader(hall.folder / "meet.journal") as reader:
        events = [decode_event(row.kind, row.body) for row in reader.rows()]
    return [event for event in events if isinstance(event, Command)]


async def test_an_order_is_answered_with_the_row_of_the_journal_in_which_it_stands(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser:
        answer = await browser.order(OPEN, "c-1")
        assert answer.status_code == 200
        assert answer.json()["accepted"] is True
        assert answer.json()["journal_id"] > 0
        (command,) = commands_on_disk(hall)
        assert (command.id, command.actor, command.role) == ("c-1", actor_of("operator"), "operator")


async def test_who_gives_an_order_is_whoever_has_signed_in_not_who_it_says(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser:
        answer = await browser.order(OPEN, actor="somebody else", role="president")
        assert (answer.status_code, answer.json()["key"]) == (400, "malformed")
        assert commands_on_disk(hall) == []


async def test_an_order_that_the_core_refuses_says_why(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser:
        await browser.order(OPEN)
        answer = await browser.order({"type": "gun"})
        assert answer.status_code == 409
        assert answer.json()["reason"] == "'gun' is refused in state 'on_line': it is taken in pacer_run"
        assert answer.json()["journal_id"] is not None


async def test_the_same_order_again_gets_the_same_answer_and_counts_once(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser:
        first = await browser.order(OPEN, "c-1")
        again = await asyncio.gather(*(browser.order(OPEN, "c-1") for _ in range(3)))
        assert {one.text for one in again} == {first.text}
        assert [one.id for one in commands_on_disk(hall)] == ["c-1"]


async def test_an_order_sent_twice_at_the_same_moment_counts_once(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser:
        answers = await asyncio.gather(*(browser.order(OPEN, "c-1") for _ in range(5)))
        assert {one.text for one in answers} == {answers[0].text}
        assert len(commands_on_disk(hall)) == 1


async def test_a_preview_tells_what_would_change_and_changes_nothing(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser, hall.signed_in("president") as president:
        await browser.order(OPEN)
        decision = {"type": "decide", "bib": "4", "code": "DNS", "reason": "did not come"}
        answer = await president.order(decision, preview=True)
        assert answer.status_code == 200, answer.text
        assert answer.json()["journal_id"] is None
        before, after = (answer.json()["preview"][name] for name in ("results_before", "results_after"))
        assert [line["status"] for line in before if line["bib"] == "4"] == [None]
        assert [line["status"] for line in after if line["bib"] == "4"] == ["DNS"]
        assert [one.action.__struct_config__.tag for one in commands_on_disk(hall)] == ["open_heat"]


async def test_an_order_on_a_picture_that_has_moved_on_is_refused_with_what_changed(hall: Hall) -> None:
    async with hall.signed_in("operator") as operator, hall.signed_in("starter") as starter:
        seen = (await operator.order(OPEN)).json()["journal_id"]
        assert (await starter.order({"type": "arm"}, seen=seen)).status_code == 200
        late = await operator.order({"type": "arm"}, seen=seen)
        assert late.status_code == 409
        assert actor_of("starter") in late.json()["reason"]


async def test_without_a_core_the_order_is_told_to_be_uncertain_and_can_be_sent_again(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        await stream.linked(core="up")
        await hall.stop_service()
        answer = await browser.order(OPEN, "c-1")
        assert (answer.status_code, answer.json()["key"]) == (503, "unknown_core")
        assert "can be sent again with the same id" in answer.json()["reason"]
        await hall.start_service()
        again = await browser.order(OPEN, "c-1")
        assert again.status_code == 200
        assert [one.id for one in commands_on_disk(hall)] == ["c-1"]


async def test_a_broker_that_dies_meanwhile_leaves_the_order_uncertain(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        await stream.linked(core="up")
        await hall.stop_service()
        asking = asyncio.create_task(browser.order(OPEN))
        async with aiomqtt.Client("127.0.0.1", hall.mosquitto.port) as witness:
            await witness.subscribe(f"{hall.base}/commands", qos=1)
            await asyncio.wait({asking}, timeout=0.3)
        hall.mosquitto.kill()
        answer = await asking
        assert (answer.status_code, answer.json()["key"]) == (503, "unknown_mqtt")


MALFORMED: list[tuple[bytes, str]] = [
    (b"", "truncated"),
    (b"{", "truncated"),
    (b"\xff", "malformed"),
    (b"[]", "Expected `object`, got `array`"),
    (b"{}", "missing required field `id`"),
    (b'{"id": "x"}', "missing required field `action`"),
    (b'{"id": "x", "action": {}}', "missing required field `type`"),
    (b'{"id": "x", "action": {"type": "fly"}}', "Invalid value 'fly'"),
    (b'{"id": "x", "action": {"type": "gun", "at": 1}}', "unknown field `at`"),
    (b'{"id": "x", "action": {"type": "lap_counter", "laps_to_go": "3"}}', "Expected `int`, got `str`"),
    (b'{"id": "a/b", "action": {"type": "gun"}}', "Expected `str` matching regex"),
    (b'{"id": "x\\n", "action": {"type": "gun"}}', "Expected `str` matching regex"),
    (b'{"id": "", "action": {"type": "gun"}}', "Expected `str` of length >= 1"),
    (b"[" * 50_000, "Expected `object`, got `array`"),
]


@pytest.mark.parametrize(("body", "words"), MALFORMED, ids=[str(number) for number in range(len(MALFORMED))])
async def test_what_is_no_order_is_refused_with_what_is_wrong_with_it(hall: Hall, body: bytes, words: str) -> None:
    async with hall.signed_in("operator") as browser:
        headers = {"Origin": browser.origin, "X-CSRF-Token": browser.csrf, "Accept-Language": "en"}
        answer = await browser.http.post("/commands", content=body, headers=headers)
        assert answer.status_code == 400
        told = answer.json()
        assert (told["accepted"], told["journal_id"], told["key"]) == (False, None, "malformed")
        assert told["reason"].startswith("This is no order: ")
        assert words in told["reason"]


async def test_a_stuck_key_does_not_flood_the_core(make_hall: MakeHall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "ORDERS_PER_S", 0.001)
    monkeypatch.setattr(desk, "ORDERS_AT_ONCE", 5.0)
    hall = await make_hall().start()
    async with hall.signed_in("operator") as browser, hall.signed_in("starter") as other:
        answers = [await browser.order({"type": "gun"}) for _ in range(8)]
        assert [one.status_code for one in answers] == [409] * 5 + [429] * 3
        assert answers[-1].headers["retry-after"] == "1"
        assert (await other.order({"type": "gun"})).status_code == 409, "others are not held up by it"


async def test_an_answer_that_is_none_is_not_taken_for_one(hall: Hall) -> None:
    junk: list[bytes] = [b"", b"no", b"[]", json.dumps({"id": "c-1"}).encode()]
    async with hall.signed_in("operator") as browser:
        async with aiomqtt.Client("127.0.0.1", hall.mosquitto.port) as client:
            for payload in junk:
                await client.publish(f"{hall.base}/replies/c-1", payload, qos=1)
        assert (await browser.order(OPEN, "c-1")).status_code == 200


def fields_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


def test_what_is_sent_and_read_is_what_the_core_reads_and_sends() -> None:
    request, reply = fields_of(messages.CommandRequest), fields_of(messages.CommandReply)
    assert set(fields_of(commands.Request)) == set(request)
    assert set(fields_of(commands.Reply)) == set(reply)
    assert commands.ID_PATTERN == messages.ID_PATTERN
    sent = commands.Request(
        id="x",
        actor="A",
        role="judge",
        action=messages.read_command(_REQUEST).action,
        reply_to="velodrome/m/replies/c/x",
    )
    assert messages.read_command(msgspec.json.encode(sent)) == messages.read_command(_REQUEST)


_REQUEST = b'{"id":"x","actor":"A","role":"judge","action":{"type":"close"},"reply_to":"velodrome/m/replies/c/x"}'
