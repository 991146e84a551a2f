"""The simulated gateway on a real Mosquitto, which is killed and comes back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiomqtt
import pytest

from config.models import Broker, Device
from drivers.hostclock import HostClock
from drivers.protocols.json_mqtt import decode
from drivers.records import ClockReading, Impulse
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.json_box import JsonBox
from drivers.rig.mqtt_link import read_password
from drivers.rig.ports import RigError
from drivers.rig.race import Edge
from drivers.transports.address import MqttAddress

Until = Callable[[Callable[[], bool]], Awaitable[None]]
TOPIC = "velodrome/tokyo/hardware/gateway"
GUN_US = 1_628_390_000_000_000
MODEL = DeviceClockModel(zero_host_us=GUN_US, offset_us=-777_777, resolution_us=100)


def gateway(broker: Broker) -> JsonBox:
    device = Device(id="gateway", protocol="json", address=f"mqtt:{TOPIC}")
    return JsonBox(device, MqttAddress(text=device.address, topic=TOPIC), broker, MODEL, HostClock())


def edge(number: int) -> Edge:
    return Edge(at_us=number * 1_000_000, device="gateway", channel="finish")


async def impulses(client: aiomqtt.Client, count: int) -> list[Impulse]:
    found: list[Impulse] = []
    async with asyncio.timeout(10.0):
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            record = decode(message.payload, "gateway", 0)
            if isinstance(record, Impulse):
                found.append(record)
            if len(found) == count:
                break
    return found


async def test_impulses_reach_a_subscriber_in_order_with_the_gateways_own_time(mosquitto: Any) -> None:
    box = gateway(mosquitto.broker)
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
        await client.subscribe(TOPIC, qos=1)
        running = asyncio.create_task(box.run())
        for number in range(5):
            box.edge(edge(number), GUN_US)
        found = await impulses(client, 5)
        running.cancel()
        await asyncio.wait([running])
    assert [impulse.sequence for impulse in found] == [1, 2, 3, 4, 5]
    stamps = [GUN_US + number * 1_000_000 - 777_777 for number in range(5)]
    assert [impulse.device_us for impulse in found] == [stamp - stamp % 100 for stamp in stamps]
    assert {impulse.channel for impulse in found} == {"finish"}


async def test_the_gateway_tells_its_clock_unasked(mosquitto: Any) -> None:
    box = gateway(mosquitto.broker)
    clock = HostClock()
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client, asyncio.timeout(10.0):
        await client.subscribe(TOPIC, qos=1)
        running = asyncio.create_task(box.run())
        message = await anext(client.messages)
        received_us = clock.now_us()
        running.cancel()
        await asyncio.wait([running])
    assert isinstance(message.payload, bytes)
    reading = decode(message.payload, "gateway", received_us)
    assert isinstance(reading, ClockReading)
    assert 0 <= received_us - (reading.device_us + 777_777) < 1_000_000


async def test_a_broker_killed_in_the_middle_loses_nothing_and_order_is_kept(mosquitto: Any, until: Until) -> None:
    def subscriber() -> aiomqtt.Client:
        return aiomqtt.Client("127.0.0.1", mosquitto.port, identifier="timing", clean_session=False)

    box = gateway(mosquitto.broker)
    running = asyncio.create_task(box.run())
    async with subscriber() as client:
        await client.subscribe(TOPIC, qos=1)
        for number in range(10):
            box.edge(edge(number), GUN_US)
        seen = await impulses(client, 10)
        await until(lambda: box.waiting == 0)
    await until(lambda: mosquitto.has_saved("timing") and mosquitto.has_saved(TOPIC))
    mosquitto.kill()
    for number in range(10, 20):
        box.edge(edge(number), GUN_US)
    assert box.waiting == 10
    mosquitto.start()
    async with subscriber() as client:
        for number in range(20, 25):
            box.edge(edge(number), GUN_US)
        while seen[-1].sequence != 25:
            seen += await impulses(client, 1)
    await until(lambda: box.waiting == 0)
    running.cancel()
    await asyncio.wait([running])
    numbers = list(dict.fromkeys(impulse.sequence for impulse in seen))
    assert numbers == list(range(1, 26)), "each at least once, in order"


async def test_messages_that_waited_for_the_broker_say_that_they_are_backlog(mosquitto: Any, until: Until) -> None:
    box = gateway(mosquitto.broker)
    box.edge(edge(1), GUN_US)
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
        await client.subscribe(TOPIC, qos=1)
        running = asyncio.create_task(box.run())
        (late,) = await impulses(client, 1)
        await until(lambda: box.waiting == 0)
        box.edge(edge(2), GUN_US)
        (live,) = await impulses(client, 1)
        running.cancel()
        await asyncio.wait([running])
    assert (late.backlog, live.backlog) == (True, False)


async def test_an_unreadable_password_file_is_named() -> None:
    with pytest.raises(RigError, match=r"no-such-file: the broker's password file cannot be read"):
        read_password(Broker(username="rig", password_file="no-such-file"))
