"""The rig makes the boxes of the bridges at their addresses, and plays a heat through them to their own sessions."""

import asyncio
import itertools
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from config.models import Broker, Device, DeviceChannel, Setup
from drivers.hostclock import ClockAnchor, HostClock
from drivers.protocols.base import Resume
from drivers.protocols.registry import protocol
from drivers.records import Malformed, Passing
from drivers.rig.ports import RigError
from drivers.rig.race import LoopRead
from drivers.rig.rig import Rig
from drivers.rig.script import load_script
from drivers.transports import create_transport

HEAT = "r1-1"
FAST = 50.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def device(name: str) -> Device:
    if name == "p98":
        return Device(id="box", protocol="p98", address=f"tcp:127.0.0.1:{free_port()}", loop="finish")
    names = ("C1", "C2") if name == "velotrain" else ("finish", "back")
    channels = tuple(DeviceChannel(channel=n, loop=loop) for n, loop in zip(names, ("finish", "back"), strict=True))
    address = "mqtt:velotrain/rawpass" if name == "velotrain" else f"tcp-listen:127.0.0.1:{free_port()}"
    return Device(id="box", protocol=name, address=address, channels=channels, clock="time_of_day")


@pytest.mark.parametrize("name", ["p98", "velotrain", "jchip"])
async def test_every_read_of_a_heat_arrives_once_and_in_order(
    name: str, make_setup: Callable[..., Setup], mosquitto: Any
) -> None:
    box = device(name)
    setup = make_setup((box,), mosquitto.broker)
    clock = HostClock(ClockAnchor(time.monotonic_ns(), time.time_ns() // 1_000, FAST))
    rig = Rig(setup, load_script("tokyo2020-men-keirin"), clock, seed=3)
    running = asyncio.create_task(rig.run())
    await rig.ready.wait()
    expected = [event for event in rig.timelines[HEAT].events if isinstance(event, LoopRead)]
    line = create_transport(box.address, clock, mosquitto.broker)
    session = protocol(name).session(box, Resume())
    await line.open()
    session.connected(clock.now_us())
    found: list[Passing] = []
    playing = asyncio.create_task(rig.run_heat(HEAT, clock.now_us() + 20_000_000))
    async with asyncio.timeout(20):
        while len(found) < len(expected):
            chunk = await line.receive()
            reaction = session.receive(chunk.data, chunk.received_us)
            assert not any(isinstance(record, Malformed) for record in reaction.records)
            found += [record for record in reaction.records if isinstance(record, Passing)]
            for message in reaction.send:
                await line.send(message)
    for task in (playing, running):
        task.cancel()
    await asyncio.wait([playing, running])
    await line.close()
    for channel in {event.channel for event in expected}:
        reads = [event for event in expected if event.channel == channel]
        seen = [record for record in found if name == "p98" or record.channel == channel]
        assert [record.transponder for record in seen] == [event.transponder for event in reads]
        for (a, b), (c, d) in zip(itertools.pairwise(seen), itertools.pairwise(reads), strict=True):
            gap_us = (b.device_us - a.device_us) % 86_400_000_000
            assert abs(gap_us - (d.at_us - c.at_us)) <= 2_000, "1 ms steps, 20 ppm"


def test_an_address_that_does_not_fit_is_refused(make_setup: Callable[..., Setup]) -> None:
    wrong = Device(id="box", protocol="velotrain", address="tcp:127.0.0.1:5000", loop="finish")
    with pytest.raises(RigError, match="velotrain at mqtt:, jchip at tcp-listen:"):
        Rig(make_setup((wrong,), Broker()), load_script("tokyo2020-men-keirin"), HostClock())
