"""The publisher and a real Mosquitto: what goes out, under which numbers, and what a loss of the broker changes."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from config.models import Broker
from tests.end_to_end.mosquitto import Mosquitto
from tests.end_to_end.subscriber import Subscriber
from timing.control import publisher as publishing
from timing.control.board import Body
from timing.control.broker import BrokerError, EmbeddedBroker, client_options
from timing.control.publisher import Publisher

MEET = "sixdays"
BASE = f"velodrome/{MEET}"
BLOCK = 10
WAIT_S = 10.0


class Desk:
    """A publisher with somebody who reserves numbers and takes commands."""

    def __init__(self, broker: Broker, first: int = 1) -> None:
        self.reserved: list[int] = []
        self.commands: list[tuple[str, bytes]] = []
        self.command_came = asyncio.Event()
        self.publisher = Publisher(broker, MEET, first, self._reserve, self._take)
        self._rows = itertools.count(100)

    async def _reserve(self) -> int:
        self.reserved.append(self.publisher.next_sequence + BLOCK)
        return self.reserved[-1]

    async def _take(self, topic: str, payload: bytes) -> None:
        self.commands.append((topic, payload))
        self.command_came.set()

    def offer(self, topic: str, **fields: object) -> None:
        """A new picture of a topic."""
        row = next(self._rows)
        self.publisher.offer(Body(topic, f"{topic}/1", fields), row, row * 1_000)

    def stream(self, number: int) -> None:
        """A passing."""
        row = next(self._rows)
        self.publisher.stream("passing", "passing/1", {"number": number}, row, row * 1_000)


@contextlib.asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[Desk]:
    task = asyncio.create_task(desk.publisher.run())
    try:
        yield desk
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def connected(desk: Desk) -> None:
    await asyncio.wait_for(desk.publisher.connected.wait(), WAIT_S)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a state of the publisher that sets no event."""
    deadline_s = asyncio.get_running_loop().time() + WAIT_S
    while not condition():
        assert asyncio.get_running_loop().time() < deadline_s, "it never came"
        await asyncio.sleep(0.005)


async def cut_off(desk: Desk) -> None:
    """Wait until the publisher has noticed that its broker is gone."""
    await until(lambda: not desk.publisher.connected.is_set())


def numbers_streamed(subscriber: Subscriber) -> list[int]:
    return [one.body["number"] for one in subscriber.heard if one.topic == f"{BASE}/passing"]


async def retained(broker: Broker, count: int) -> dict[str, dict[str, Any]]:
    """What a console that connects now is told at once."""
    found: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(WAIT_S), aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe(f"{BASE}/#", qos=1)
        async for message in client.messages:
            assert message.retain
            assert isinstance(message.payload, bytes)
            found[str(message.topic)] = json.loads(message.payload)
            if len(found) == count:
                break
    return found


@pytest.fixture
async def subscriber(mosquitto: Mosquitto) -> AsyncIterator[Subscriber]:
    one = Subscriber(mosquitto.broker, f"{BASE}/#")
    await one.start()
    yield one
    await one.stop()


async def test_a_message_carries_its_head_and_numbers_rise_over_all_topics(
    mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    async with running(Desk(mosquitto.broker, first=41)) as desk:
        desk.offer("meet", name="Six Days")
        await subscriber.until(lambda: len(subscriber.heard) == 1)
        desk.stream(1)
        await subscriber.until(lambda: len(subscriber.heard) == 2)
        desk.offer("current", heat="final-a")
        await subscriber.until(lambda: len(subscriber.heard) == 3)
    assert [(one.topic, one.body) for one in subscriber.heard] == [
        (
            f"{BASE}/meet",
            {
                "schema": "velodrome/meet/1",
                "seq": 41,
                "journal_id": 100,
                "generated_us": 100_000,
                "name": "Six Days",
            },
        ),
        (
            f"{BASE}/passing",
            {"schema": "velodrome/passing/1", "seq": 42, "journal_id": 101, "generated_us": 101_000, "number": 1},
        ),
        (
            f"{BASE}/current",
            {
                "schema": "velodrome/current/1",
                "seq": 43,
                "journal_id": 102,
                "generated_us": 102_000,
                "heat": "final-a",
            },
        ),
    ]


async def test_snapshots_are_retained_and_the_stream_and_answers_are_not(
    mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    async with running(Desk(mosquitto.broker)) as desk:
        desk.offer("meet", name="Six Days")
        desk.stream(1)
        desk.publisher.reply(f"{BASE}/replies/c-1", b'{"accepted":true}')
        desk.offer("current", heat=None)
        await subscriber.until(lambda: len(subscriber.heard) == 4)
        assert set(await retained(mosquitto.broker, 2)) == {f"{BASE}/meet", f"{BASE}/current"}


async def test_only_what_changed_is_published(mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    async with running(Desk(mosquitto.broker)) as desk:
        desk.offer("current", laps=6)
        await subscriber.until(lambda: len(subscriber.heard) == 1)
        desk.offer("current", laps=6)
        desk.offer("meet", name="Six Days")
        desk.offer("current", laps=6)
        desk.stream(1)
        desk.offer("current", laps=5)
        await subscriber.until(lambda: any(one.body.get("laps") == 5 for one in subscriber.heard))
    assert [one.body.get("laps") for one in subscriber.heard if one.topic == f"{BASE}/current"] == [6, 5]


async def test_numbers_are_reserved_before_they_are_used(mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    async with running(Desk(mosquitto.broker, first=1)) as desk:
        for number in range(3 * BLOCK):
            desk.stream(number)
        await subscriber.until(lambda: len(subscriber.heard) == 3 * BLOCK)
    assert subscriber.numbers() == list(range(1, 3 * BLOCK + 1))
    assert desk.reserved == [11, 21, 31]


async def test_a_broker_that_comes_late_is_told_the_newest_picture_and_the_whole_stream(
    stopped_mosquitto: Mosquitto,
) -> None:
    async with running(Desk(stopped_mosquitto.broker)) as desk:
        for number in range(5):
            desk.stream(number)
            desk.offer("current", laps=number)
        await stopped_mosquitto.start()
        subscriber = Subscriber(stopped_mosquitto.broker, f"{BASE}/#")
        await subscriber.start()
        await subscriber.until(lambda: any(one.topic == f"{BASE}/current" for one in subscriber.heard))
        found = await retained(stopped_mosquitto.broker, 1)
        await subscriber.stop()
    assert found[f"{BASE}/current"]["laps"] == 4
    assert [one.body["laps"] for one in subscriber.heard if one.topic == f"{BASE}/current"] == [4]
    assert desk.publisher.next_sequence == 7, "five passings and one picture"


async def test_a_broker_that_forgot_everything_is_told_every_retained_topic_again(
    mosquitto: Mosquitto, broker_folder: Path, subscriber: Subscriber
) -> None:
    topics = [f"heats/h{number}/result" for number in range(40)]
    async with running(Desk(mosquitto.broker)) as desk:
        for topic in topics:
            desk.offer(topic, about=topic)
        await subscriber.until(lambda: len(subscriber.heard) == 40)
        before = desk.publisher.retained
        mosquitto.kill()
        await cut_off(desk)
        (broker_folder / "mosquitto.db").unlink()
        await mosquitto.start()
        await connected(desk)
        found = await retained(mosquitto.broker, 40)
    assert found == {topic: json.loads(payload) for topic, payload in before.items()}
    assert {body["about"] for body in found.values()} == set(topics)


@pytest.mark.parametrize("away_longer_than_the_window", [False, True])
async def test_a_persistent_subscriber_misses_nothing_of_the_stream_over_a_kill(
    mosquitto: Mosquitto,
    subscriber: Subscriber,
    away_longer_than_the_window: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if away_longer_than_the_window:
        # What was in flight at the loss counts from the loss, not from the return.
        monkeypatch.setattr(publishing, "REPEAT_WINDOW_S", 0.5)
    async with running(Desk(mosquitto.broker)) as desk:
        for number in range(200):
            desk.stream(number)
        await subscriber.until(lambda: len(subscriber.heard) > 50)
        mosquitto.kill()
        for number in range(200, 400):
            desk.stream(number)
        await cut_off(desk)
        if away_longer_than_the_window:
            await asyncio.sleep(0.6)
        await mosquitto.start()
        for number in range(400, 450):
            desk.stream(number)
        await subscriber.until(lambda: set(numbers_streamed(subscriber)) == set(range(450)))
    assert set(subscriber.numbers()) == set(range(1, 451))
    by_number = {one.body["seq"]: one.payload for one in subscriber.heard}
    assert all(by_number[one.body["seq"]] == one.payload for one in subscriber.heard), "a repeat differs"


async def test_ten_losses_in_a_row_lose_nothing(mosquitto: Mosquitto, subscriber: Subscriber) -> None:
    async with running(Desk(mosquitto.broker)) as desk:
        for round_ in range(10):
            await connected(desk)
            for number in range(20):
                desk.stream(20 * round_ + number)
            desk.offer("current", round=round_)
            mosquitto.kill()
            await cut_off(desk)
            await mosquitto.start()
        await subscriber.until(lambda: set(numbers_streamed(subscriber)) == set(range(200)))
        await subscriber.until(lambda: any(one.body.get("round") == 9 for one in subscriber.heard))
        assert (await retained(mosquitto.broker, 1))[f"{BASE}/current"]["round"] == 9


async def test_commands_are_heard_again_after_a_loss(mosquitto: Mosquitto) -> None:
    async with running(Desk(mosquitto.broker)) as desk:
        await connected(desk)
        mosquitto.kill()
        await cut_off(desk)
        await mosquitto.start()
        await connected(desk)
        async with aiomqtt.Client(mosquitto.broker.host, mosquitto.broker.port) as console:
            await console.publish(f"{BASE}/commands", b"{}", qos=1)
            await asyncio.wait_for(desk.command_came.wait(), WAIT_S)
    assert desk.commands == [(f"{BASE}/commands", b"{}")]


async def test_a_broker_that_never_comes_costs_no_more_memory_than_is_set_aside(
    stopped_mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "STREAM_KEPT", 100)
    desk = Desk(stopped_mosquitto.broker)
    for number in range(1_000):
        desk.stream(number)
        desk.offer("current", laps=number)
        desk.publisher.reply(f"{BASE}/replies/c-{number}", b"{}")
    await stopped_mosquitto.start()
    subscriber = Subscriber(stopped_mosquitto.broker, f"{BASE}/#")
    await subscriber.start()
    async with running(desk):
        await subscriber.until(lambda: any(one.topic == f"{BASE}/current" for one in subscriber.heard))
        await subscriber.until(lambda: len(numbers_streamed(subscriber)) == 100)
    await subscriber.stop()
    assert numbers_streamed(subscriber) == list(range(900, 1_000)), "the newest are kept"
    assert min(subscriber.numbers()) == 2, "a number left out tells that something was dropped"
    assert len([one for one in subscriber.heard if "/replies/" in one.topic]) <= publishing.REPLIES_KEPT


async def test_idle_means_confirmed_by_the_broker(mosquitto: Mosquitto) -> None:
    desk = Desk(mosquitto.broker)
    assert not desk.publisher.idle, "not connected: nobody knows what the broker has"
    async with running(desk):
        await connected(desk)
        desk.stream(1)
        assert not desk.publisher.idle
        await until(lambda: desk.publisher.idle)
        mosquitto.kill()
        await cut_off(desk)
        assert not desk.publisher.idle


async def test_a_password_file_that_vanishes_later_does_not_end_a_race(
    stopped_mosquitto: Mosquitto, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("secret\n")
    broker = msgspec.structs.replace(stopped_mosquitto.broker, username="core", password_file=str(password))
    await stopped_mosquitto.start()
    async with running(Desk(broker)) as desk:
        await connected(desk)
        password.unlink()
        stopped_mosquitto.kill()
        await cut_off(desk)
        await stopped_mosquitto.start()
        await connected(desk)


def test_secrets_that_cannot_be_read_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"broker\.password_file .*No such file.*may read"):
        client_options(Broker(password_file=str(tmp_path / "nothing")))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(BrokerError, match=r"broker\.password_file .*not UTF-8"):
        client_options(Broker(password_file=str(tmp_path / "binary")))
    with pytest.raises(BrokerError, match=r"broker\.tls_ca_file .*PEM"):
        client_options(Broker(tls_ca_file=str(tmp_path / "nothing")))
    (tmp_path / "no.pem").write_text("no certificate")
    with pytest.raises(BrokerError, match=r"broker\.tls_ca_file .*PEM"):
        client_options(Broker(tls_ca_file=str(tmp_path / "no.pem")))


async def test_the_embedded_broker_serves_and_says_when_its_port_is_taken(tmp_path: Path) -> None:
    port = Mosquitto(tmp_path).port
    embedded = EmbeddedBroker("127.0.0.1", port)
    embedded.start()
    try:
        async with running(Desk(Broker(host="127.0.0.1", port=port))) as desk:
            await connected(desk)
            desk.offer("meet", name="Six Days")
            found = await retained(Broker(host="127.0.0.1", port=port), 1)
            assert found[f"{BASE}/meet"]["name"] == "Six Days"
        with pytest.raises(BrokerError, match=rf"cannot listen on 127\.0\.0\.1:{port}.*another program"):
            EmbeddedBroker("127.0.0.1", port).start()
    finally:
        embedded.stop()
        embedded.stop()


async def test_a_publish_that_the_loss_of_the_broker_cancels_does_not_end_the_publisher(
    mosquitto: Mosquitto, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As asyncio's wait_for does it when its future was cancelled by the connection that ended."""
    publish = aiomqtt.Client.publish
    cut = asyncio.Event()

    async def cut_once(client: aiomqtt.Client, topic: str, *rest: Any, **more: Any) -> None:
        if topic == f"{BASE}/passing" and not cut.is_set():
            cut.set()
            raise asyncio.CancelledError
        await publish(client, topic, *rest, **more)

    monkeypatch.setattr(aiomqtt.Client, "publish", cut_once)
    async with running(Desk(mosquitto.broker)) as desk:
        await connected(desk)
        desk.stream(1)
        await asyncio.wait_for(cut.wait(), WAIT_S)
        await until(lambda: numbers_streamed(subscriber) == [1])
        async with aiomqtt.Client(mosquitto.broker.host, mosquitto.broker.port) as client:
            await client.publish(f"{BASE}/commands", b"{}", qos=1)
        await asyncio.wait_for(desk.command_came.wait(), WAIT_S)
