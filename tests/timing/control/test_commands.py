"""Orders from the consoles, as they come over a real broker to the live service."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from tests.end_to_end.mosquitto import Mosquitto
from tests.end_to_end.subscriber import Subscriber
from tests.timing.control.serve_meet import MEET, bare_setup
from timing.app import Service, make_clock
from timing.control.messages import CommandReply
from timing.journal import JournalReader
from timing.race.events import Command, decode_event

BASE = f"velodrome/{MEET}"
WAIT_S = 40.0
REPOSITORY = Path(__file__).parents[3]
OPEN = {"type": "open_heat", "heat": "final-a"}


class Console:
    """Sends orders and keeps what is answered."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._replies = aiter(client.messages)

    async def send(self, payload: dict[str, Any] | bytes) -> None:
        """Publish an order."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        await self._client.publish(f"{BASE}/commands", data, qos=1)

    async def answer(self) -> tuple[str, CommandReply]:
        """The next answer: its topic below the meet, and what it says."""
        message = await asyncio.wait_for(anext(self._replies), WAIT_S)
        assert isinstance(message.payload, bytes)
        reply = msgspec.json.decode(message.payload, type=CommandReply)
        return str(message.topic).removeprefix(f"{BASE}/"), reply

    async def order(self, name: str, role: str, action: dict[str, Any], **more: object) -> CommandReply:
        """Order and wait for the answer."""
        await self.send({"id": name, "actor": f"the {role}", "role": role, "action": action, **more})
        topic, reply = await self.answer()
        assert topic == f"replies/{name}"
        assert reply.id == name
        return reply


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "meet.journal"


@contextlib.asynccontextmanager
async def serving(mosquitto: Mosquitto, journal: Path) -> AsyncIterator[Service]:
    service = Service(bare_setup(mosquitto.port), journal, make_clock())
    task = asyncio.create_task(service.run())
    try:
        await asyncio.wait_for(service.ready.wait(), WAIT_S)
        await asyncio.wait_for(service.connected(), WAIT_S)
        yield service
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        service.close()


@contextlib.asynccontextmanager
async def console_at(mosquitto: Mosquitto) -> AsyncIterator[Console]:
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
        await client.subscribe(f"{BASE}/replies/#", qos=1)
        yield Console(client)


@pytest.fixture
async def service(mosquitto: Mosquitto, journal: Path) -> AsyncIterator[Service]:
    async with serving(mosquitto, journal) as running:
        yield running


@pytest.fixture
async def console(mosquitto: Mosquitto, service: Service) -> AsyncIterator[Console]:
    async with console_at(mosquitto) as one:
        yield one


def rows_of(journal: Path, command: str) -> list[int]:
    """Rows on disk that hold a command with this id."""
    found = []
    with JournalReader(journal) as reader:
        for row in reader.rows():
            event = decode_event(row.kind, row.body)
            if isinstance(event, Command) and event.id == command:
                found.append(row.id)
    return found


async def test_an_order_is_answered_when_it_is_on_disk_and_not_before(console: Console, journal: Path) -> None:
    reply = await console.order("c-1", "operator", OPEN)
    assert reply.accepted
    assert reply.reason == ""
    assert reply.heat == "final-a"
    assert rows_of(journal, "c-1") == [reply.journal_id]


async def test_the_order_shows_in_the_picture(console: Console, service: Service) -> None:
    await console.order("c-1", "operator", OPEN)
    await console.order("c-2", "starter", {"type": "arm"})
    picture = service.state.picture("final-a")
    assert picture.state == "pacer_run"


async def test_the_last_change_is_told_without_waiting_for_another(
    mosquitto: Mosquitto, service: Service, console: Console
) -> None:
    subscriber = Subscriber(mosquitto.broker, f"{BASE}/health")
    await subscriber.start()
    await console.order("c-1", "operator", OPEN)
    await console.order("c-2", "operator", {"type": "arm"})
    assert service.setup.meet.devices == (), "nothing else happens"
    await subscriber.until(lambda: any(one.body["commands"] == 2 for one in subscriber.heard), 5)
    await subscriber.stop()


async def test_a_role_that_may_not_is_refused_with_a_sentence_and_the_refusal_is_on_record(
    console: Console, service: Service, journal: Path
) -> None:
    reply = await console.order("c-1", "announcer", OPEN)
    assert not reply.accepted
    assert reply.reason == "role 'announcer' may not order 'open_heat': it is for operator"
    assert rows_of(journal, "c-1") == [reply.journal_id]
    assert service.state.current is None


@pytest.mark.parametrize(
    ("role", "action", "more", "told"),
    [
        ("emperor", OPEN, {}, "role 'emperor' does not exist"),
        ("operator", {"type": "open_heat", "heat": "final-z"}, {}, "heat 'final-z' is not in the meet file"),
        ("operator", {"type": "arm"}, {}, "no heat is open"),
        ("operator", {"type": "arm"}, {"heat": "final-z"}, "heat 'final-z' is not in the meet file"),
        ("operator", {"type": "arm"}, {"heat": "final-b"}, "heat 'final-b' is not open"),
        ("operator", OPEN, {"actor": "  "}, "needs the name of its actor"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_with_the_reason(
    console: Console, role: str, action: dict[str, Any], more: dict[str, Any], told: str
) -> None:
    reply = await console.order("c-1", role, action, **more)
    assert not reply.accepted
    assert told in reply.reason


async def test_the_same_id_twice_is_applied_once_and_answered_twice(console: Console, service: Service) -> None:
    first = await console.order("c-1", "operator", OPEN)
    again = await console.order("c-1", "operator", OPEN)
    assert first == again
    assert [one.id for one in service.state.heats["final-a"].commands] == ["c-1"]


async def test_the_same_id_twice_at_once_is_applied_once_and_answered_twice(console: Console, service: Service) -> None:
    order = {"id": "c-1", "actor": "Anna", "role": "operator", "action": OPEN}
    await asyncio.gather(console.send(order), console.send(order), console.send(order))
    answers = [await console.answer() for _ in range(3)]
    assert len(set(answers)) == 1
    assert answers[0][1].accepted
    assert [one.id for one in service.state.heats["final-a"].commands] == ["c-1"]


async def test_an_answer_goes_where_it_was_asked_for(console: Console) -> None:
    await console.send(
        {
            "id": "c-1",
            "actor": "Anna",
            "role": "operator",
            "action": OPEN,
            "reply_to": f"{BASE}/replies/console-7/c-1",
        }
    )
    topic, reply = await console.answer()
    assert topic == "replies/console-7/c-1"
    assert reply.accepted


@pytest.mark.parametrize(
    ("payload", "topic"),
    [
        (b"arm!", "replies/unknown"),
        (b"", "replies/unknown"),
        (b"\xff", "replies/unknown"),
        (b"[" * 50_000, "replies/unknown"),
        (b'{"id":"c-1"}', "replies/c-1"),
        (b'{"id":"a\\u0001b"}', "replies/unknown"),
        (b'{"id":"c-1","actor":"A","role":"operator","action":{"type":"fly"}}', "replies/c-1"),
        (b'{"id":"#","actor":"A","role":"operator","action":{"type":"arm"}}', "replies/unknown"),
        (
            b'{"id":"c-1","actor":"A","role":"operator","action":{"type":"arm"},"reply_to":"velodrome/x/commands"}',
            "replies/c-1",
        ),
    ],
)
async def test_what_is_no_order_is_answered_and_the_next_order_is_taken(
    console: Console, journal: Path, payload: bytes, topic: str
) -> None:
    await console.send(payload)
    where, reply = await console.answer()
    assert where == topic
    assert not reply.accepted
    assert reply.journal_id is None
    assert reply.reason.startswith("no command: ")
    assert (await console.order("c-9", "operator", OPEN)).accepted
    assert rows_of(journal, "c-1") == []


async def test_an_order_repeated_after_a_restart_is_answered_from_the_journal(
    mosquitto: Mosquitto, journal: Path
) -> None:
    async with serving(mosquitto, journal), console_at(mosquitto) as console:
        first = await console.order("c-1", "operator", OPEN)
    async with serving(mosquitto, journal) as service, console_at(mosquitto) as console:
        assert service.state.current == "final-a"
        assert await console.order("c-1", "operator", OPEN) == first
    assert rows_of(journal, "c-1") == [first.journal_id]


async def test_an_order_whose_answer_was_lost_with_the_broker_is_answered_when_repeated(
    mosquitto: Mosquitto, service: Service, journal: Path
) -> None:
    async with console_at(mosquitto) as console:
        first = await console.order("c-1", "operator", OPEN)
    mosquitto.kill()
    await mosquitto.start()
    await asyncio.wait_for(service.connected(), WAIT_S)
    order = {"id": "c-1", "actor": "the operator", "role": "operator", "action": OPEN}
    async with console_at(mosquitto) as console:
        for _ in range(20):
            # As a console does: the service may not have noticed the loss yet and hear nothing.
            await console.send(order)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    assert (await console.answer())[1] == first
                    break
        else:
            pytest.fail("the repeated order was never answered")
    assert rows_of(journal, "c-1") == [first.journal_id]


async def test_numbers_rise_over_a_restart_of_the_service(mosquitto: Mosquitto, journal: Path) -> None:
    subscriber = Subscriber(mosquitto.broker, f"{BASE}/#")
    await subscriber.start()
    ends = []
    for _ in range(3):
        async with serving(mosquitto, journal) as service:
            await subscriber.until(lambda: any(one.topic == f"{BASE}/competition" for one in subscriber.heard))
            await service.flush()
        ends.append(len(subscriber.heard))
        subscriber.heard.append(subscriber.heard[-1]._replace(topic="restart", payload=b"{}"))
    await subscriber.stop()
    numbers = subscriber.numbers()
    assert numbers == sorted(set(numbers)), "a number came twice or went back"
    assert len(ends) == 3


async def test_numbers_are_never_used_again_after_a_kill_of_the_service(mosquitto: Mosquitto, journal: Path) -> None:
    subscriber = Subscriber(mosquitto.broker, f"{BASE}/#")
    await subscriber.start()
    for life in range(3):
        heard = len(subscriber.heard)
        process = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-m", "tests.timing.control.serve_meet", str(mosquitto.port), str(journal)],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
        )
        try:
            await subscriber.until(_meet_told(subscriber, heard), 60)
            async with console_at(mosquitto) as console:
                assert (await console.order(f"open-{life}", "operator", OPEN)).accepted
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)
    async with serving(mosquitto, journal) as service:
        assert {"open-0", "open-1", "open-2"} <= set(service.state.outcomes), "an acknowledged order was lost"
        heard = len(subscriber.heard)
        await subscriber.until(_meet_told(subscriber, heard))
    await subscriber.stop()
    payloads: dict[int, bytes] = {}
    for one in subscriber.heard:
        if "seq" in one.body:
            assert payloads.setdefault(one.body["seq"], one.payload) == one.payload, "a number was used twice"
    firsts = [one.body["seq"] for one in subscriber.heard if one.topic == f"{BASE}/meet"]
    assert len(set(firsts)) == 4
    assert firsts == sorted(firsts)


def _meet_told(subscriber: Subscriber, since: int) -> Any:
    return lambda: any(one.topic == f"{BASE}/meet" for one in subscriber.heard[since:])
