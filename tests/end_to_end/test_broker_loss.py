"""The broker dies in the middle of a heat: race control gets everything back and the heat goes on unharmed."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiomqtt
import msgspec
import pytest

from tests.end_to_end.mosquitto import Mosquitto
from tests.end_to_end.subscriber import Heard, Subscriber
from timing.app import Service
from timing.control import board
from timing.journal import verify
from timing.race.picture import HeatPicture

HEAT = "final-a"
PUBLISHED = [("4", None), ("13", 763), ("23", 773), ("30", 1264), ("21", 1344), ("2", 2344)]
"""Tokyo 2020, final for places 1-6: bib and gap in ms."""


async def until(
    service: Service, riding: "asyncio.Task[HeatPicture]", condition: Callable[[HeatPicture], bool]
) -> HeatPicture:
    """Wait until the picture of the heat on the track fulfils a condition, which must be before the ride is over."""
    async with asyncio.timeout(30):
        while service.shown is None or not condition(service.shown):
            if riding.done():
                pytest.fail(f"the heat is over: {riding.result().state}")
            service.changed.clear()
            changed = asyncio.ensure_future(service.changed.wait())
            await asyncio.wait({changed, riding}, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
    return service.shown


async def retained_now(mosquitto: Mosquitto, meet: str, count: int) -> dict[str, bytes]:
    """What a console that connects now is told at once."""
    found: dict[str, bytes] = {}
    async with asyncio.timeout(10), aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
        await client.subscribe(f"velodrome/{meet}/#", qos=1)
        async for message in client.messages:
            if str(message.topic).endswith("/alive"):
                continue
            assert message.retain, f"{message.topic} was not retained"
            assert isinstance(message.payload, bytes)
            found[str(message.topic)] = message.payload
            if len(found) == count:
                break
    return found


async def settled(service: Service, mosquitto: Mosquitto) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What the service published last of every topic and what the broker retains, at an instant without news."""
    publisher = service._publisher
    async with asyncio.timeout(20):
        while True:
            await service.flush()
            published, number = publisher.retained, publisher.next_sequence
            retained = await retained_now(mosquitto, service.setup.meet.id, len(published))
            if publisher.next_sequence == number:
                return published, retained


def newest_by_topic(heard: list[Heard]) -> dict[str, bytes]:
    """The payload with the highest number of every snapshot topic."""
    newest: dict[str, tuple[int, bytes]] = {}
    for one in heard:
        number = one.body.get("seq")
        if number is not None and not one.topic.endswith("/passing"):
            newest[one.topic] = max(newest.get(one.topic, (0, b"")), (number, one.payload))
    return {topic: payload for topic, (_, payload) in newest.items()}


def passings_in(heard: list[Heard]) -> set[str]:
    """References of all passings of the stream."""
    return {news["read"] for one in heard if one.topic.endswith("/passing") for news in one.body["passings"]}


def reads_of(picture: HeatPicture) -> set[str]:
    """References of all reads that count in a heat."""
    return {one.read for rider in picture.splits for one in rider.crossings if one.read is not None}


async def test_a_broker_killed_in_mid_heat_loses_nothing(
    mosquitto: Mosquitto, make_venue: Callable[..., Any], make_subscriber: Callable[..., Subscriber]
) -> None:
    venue = make_venue(mosquitto.broker)
    subscriber = make_subscriber(mosquitto.broker)
    await subscriber.start()
    async with venue.rig(), venue.service() as service:
        riding = asyncio.create_task(venue.ride(service, HEAT))
        before = await until(service, riding, lambda shown: shown.state == "paced")
        mosquitto.kill()
        await until(service, riding, lambda shown: len(shown.orders) > len(before.orders) + 1)
        await mosquitto.start()
        picture = await asyncio.wait_for(riding, 60)
        published, retained = await settled(service, mosquitto)
        await subscriber.until(lambda: newest_by_topic(subscriber.heard) == retained)

    assert [(line.bib, line.gap_ms) for line in picture.results] == PUBLISHED
    assert picture.status == "official"
    assert picture.attempt == 1
    assert subscriber.connections >= 2, "the subscriber was cut off as well"
    numbers = set(subscriber.numbers())
    assert sorted(numbers) == list(range(min(numbers), max(numbers) + 1)), "a sequence number is missing"
    assert reads_of(picture) <= passings_in(subscriber.heard)
    assert retained == published
    for body in board.heat_bodies(service.state.heats[picture.heat], picture):
        told = json.loads(retained[f"velodrome/{venue.setup.meet.id}/{body.topic}"])
        assert told == told | json.loads(msgspec.json.encode(body.fields)), body.topic
    report = verify(venue.journal)
    assert report.problem is None
    assert report.ok
