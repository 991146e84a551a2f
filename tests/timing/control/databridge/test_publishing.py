"""The data bridge and a real Mosquitto with the access rules that we ship."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec

from config.loader import load_setup
from config.models import Broker, Databridge
from tests.deploy.test_mosquitto import VenueBroker
from tests.end_to_end.mosquitto import Mosquitto
from tests.end_to_end.subscriber import Subscriber
from timing.app import Service, make_clock
from timing.control.board import Body
from timing.control.broker import client_options
from timing.control.publisher import Publisher

WAIT_S = 20.0
MEET = "tokyo2020-men-keirin"


async def told(broker: Broker, topic: str) -> dict[str, Any]:
    """The retained object that somebody gets who comes now."""
    async with asyncio.timeout(WAIT_S), aiomqtt.Client(**client_options(broker)) as client:
        await client.subscribe(topic, qos=1)
        message = await anext(aiter(client.messages))
        assert message.retain
        assert isinstance(message.payload, bytes)
        body = json.loads(message.payload)
        assert isinstance(body, dict)
        return body


async def test_a_board_that_comes_later_is_told_the_meet(tmp_path: Path) -> None:
    venue = VenueBroker(tmp_path)
    await venue.start()
    base = load_setup(MEET)
    meet = msgspec.structs.replace(
        base.meet, devices=(), broker=venue.as_role("velodrome-core"), databridge=Databridge(enabled=True)
    )
    service = Service(msgspec.structs.replace(base, meet=meet), tmp_path / "meet.velo", make_clock())
    serving = asyncio.create_task(service.run())
    try:
        await asyncio.wait_for(service.ready.wait(), WAIT_S)
        await asyncio.wait_for(service.connected(), WAIT_S)
        await service.flush()
        board = venue.as_role("velodrome-board")
        assert (await told(board, f"db/{MEET}"))["title"] == base.meet.name
        assert (await told(board, f"db/{MEET}/men/keirin/final-a/startlist"))["status"] == "final"
        assert (await told(board, f"db/{MEET}/current"))["path"] is None
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        service.close()
        venue.kill()


async def test_what_is_offered_as_it_is_outlives_the_broker_and_takes_no_number(mosquitto: Mosquitto) -> None:
    async def reserve() -> int:
        return 1_000

    async def no_command(topic: str, payload: bytes) -> None:
        raise AssertionError(f"nobody orders anything here: {topic} {payload!r}")

    publisher = Publisher(mosquitto.broker, "sixdays", 1, reserve, no_command)
    running = asyncio.create_task(publisher.run())
    listener = Subscriber(mosquitto.broker, "#")
    try:
        await listener.start()
        publisher.offer_raw("db/sixdays/current", b'{"serial":7}')
        publisher.offer(Body("meet", "meet/1", {"name": "Six Days"}), 1, 1)
        await listener.until(lambda: len(listener.heard) == 2)
        assert listener.numbers() == [1]
        assert publisher.retained["db/sixdays/current"] == b'{"serial":7}'
        mosquitto.kill()
        for database in mosquitto.folder.glob("*.db"):
            database.unlink()
        publisher.offer_raw("db/sixdays/men", b'{"serial":8}')
        await mosquitto.start()
        await listener.until(lambda: {one.payload for one in listener.heard[2:]} >= {b'{"serial":7}', b'{"serial":8}'})
        assert await told(mosquitto.broker, "db/sixdays/current") == {"serial": 7}
        assert await told(mosquitto.broker, "db/sixdays/men") == {"serial": 8}
    finally:
        await listener.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
