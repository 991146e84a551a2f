"""The whole rig: boxes at the meet's addresses, heats played as race control asks, stamps from the script."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt
import msgspec
import pytest

from config.errors import ConfigError
from config.models import Device, DeviceChannel, Setup
from drivers.hostclock import ClockAnchor, HostClock
from drivers.protocols.lynx import LynxParser
from drivers.protocols.p3_frame import FrameReader, ReceivedFrame
from drivers.protocols.p3_records import PassingField, TypeOfRecord
from drivers.records import PhotoFinish
from drivers.rig.p3_box import P3Box
from drivers.rig.ports import RigError
from drivers.rig.race import Edge, LoopRead
from drivers.rig.rig import Rig
from drivers.rig.script import load_script

TOPIC = "velodrome/tokyo/current"
SPEED = 100.0
Until = Callable[[Callable[[], bool]], Awaitable[None]]


def fast_clock(speed: float = SPEED) -> HostClock:
    now = HostClock()
    return HostClock(ClockAnchor(now.anchor.monotonic_ns, now.anchor.utc_us, speed))


def on_free_ports(devices: tuple[Device, ...]) -> tuple[Device, ...]:
    """Give every TCP box a port of its own that nothing uses."""
    moved: list[Device] = []
    probes = [socket.socket() for _ in devices]
    for device, probe in zip(devices, probes, strict=True):
        probe.bind(("127.0.0.1", 0))
        address = f"tcp:127.0.0.1:{probe.getsockname()[1]}"
        moved.append(msgspec.structs.replace(device, address=address) if device.protocol != "json" else device)
    for probe in probes:
        probe.close()
    return tuple(moved)


@asynccontextmanager
async def running_rig(setup: Setup, clock: HostClock, script: str = "tokyo2020-men-keirin") -> AsyncIterator[Rig]:
    rig = Rig(setup, load_script(script), clock, seed=5)
    running = asyncio.create_task(rig.run())
    ready = asyncio.create_task(rig.ready.wait())
    await asyncio.wait([running, ready], timeout=10.0, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    assert rig.ready.is_set(), running
    try:
        yield rig
    finally:
        running.cancel()
        await asyncio.wait([running])


async def connect(setup: Setup, device_id: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    (device,) = (device for device in setup.meet.devices if device.id == device_id)
    return await asyncio.open_connection("127.0.0.1", int(device.address.rsplit(":", 1)[1]))


async def tell(port: int, heat: str | None, attempt: int, state: str) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        message = {"schema": "current/1", "seq": 1, "heat": heat, "attempt": attempt, "state": state}
        await client.publish(TOPIC, json.dumps(message), qos=1, retain=True)


async def next_sheet(reader: asyncio.StreamReader, parser: LynxParser) -> PhotoFinish:
    async with asyncio.timeout(15.0):
        while True:
            for record in parser.feed(await reader.read(65_536), 0):
                if isinstance(record, PhotoFinish):
                    return record


def decoder(rig: Rig, loop: str) -> P3Box:
    box = rig.boxes[f"p3-{loop}"]
    assert isinstance(box, P3Box)
    return box


@pytest.fixture
def meet(make_setup: Callable[..., Setup], setup: Setup, mosquitto: Any) -> Setup:
    """The Tokyo meet on free ports and the test's own Mosquitto."""
    return make_setup(on_free_ports(setup.meet.devices), mosquitto.broker)


async def test_an_armed_heat_is_played_once_and_its_photo_finish_has_the_published_gaps(
    meet: Setup, mosquitto: Any
) -> None:
    async with running_rig(meet, fast_clock()) as rig:
        reader, writer = await connect(meet, "camera")
        parser = LynxParser("camera")
        await tell(mosquitto.port, "final-a", 1, "pacer_run")
        await tell(mosquitto.port, "final-a", 1, "pacer_run")
        sheet = await next_sheet(reader, parser)
        winner_us = sheet.lines[0].time_us
        assert winner_us is not None
        gaps_ms = [(line.time_us - winner_us) // 1_000 for line in sheet.lines if line.time_us is not None]
        assert sheet.heat == "final-a"
        assert [line.bib for line in sheet.lines] == ["4", "13", "23", "30", "21", "2"]
        assert gaps_ms == [0, 763, 773, 1_264, 1_344, 2_344]
        reads = [event for event in rig.timelines["final-a"].events if isinstance(event, LoopRead)]
        passings = sum(len(decoder(rig, loop.id).passings) for loop in meet.venue.loops)
        assert passings == len(reads)
        writer.close()


async def test_device_stamps_come_from_the_script_and_not_from_the_time_of_sending(meet: Setup) -> None:
    clock = fast_clock(1_000.0)
    async with running_rig(meet, clock) as rig:
        gun_us = clock.now_us() + 1_000_000
        await rig.run_heat("sf-1", gun_us)
        for loop in meet.venue.loops:
            box = decoder(rig, loop.id)
            expected = [
                box.model.device_us(gun_us + event.at_us)
                for event in rig.timelines["sf-1"].events
                if isinstance(event, LoopRead) and event.device == box.device.id
            ]
            frames = FrameReader().feed(b"".join(box.passings))
            assert [stamp(item) for item in frames if isinstance(item, ReceivedFrame)] == expected


def stamp(item: ReceivedFrame) -> int:
    assert item.frame.type_of_record == TypeOfRecord.PASSING
    return int.from_bytes(dict(item.frame.fields)[PassingField.RTC_TIME], "little")


async def test_a_stopped_race_brings_no_more_passings_and_the_next_attempt_is_played_again(
    meet: Setup, mosquitto: Any, until: Until
) -> None:
    async with running_rig(meet, fast_clock()) as rig:
        box = decoder(rig, "home")
        await tell(mosquitto.port, "qf-1", 1, "pacer_run")
        await until(lambda: len(box.passings) >= 4)
        await tell(mosquitto.port, "qf-1", 1, "stopped")
        await until(lambda: rig.playing is None)
        stopped_at = len(box.passings)
        assert stopped_at < sum(
            isinstance(event, LoopRead) and event.device == "p3-home" for event in rig.timelines["qf-1"].events
        )
        reader, writer = await connect(meet, "camera")
        await tell(mosquitto.port, "qf-1", 2, "pacer_run")
        sheet = await next_sheet(reader, LynxParser("camera"))
        assert sheet.heat == "qf-1"
        assert len(box.passings) > stopped_at
        writer.close()


async def test_the_rig_follows_race_control_again_after_the_broker_was_killed(
    meet: Setup, mosquitto: Any, until: Until
) -> None:
    async with running_rig(meet, fast_clock()) as rig:
        mosquitto.kill()
        mosquitto.start()
        await tell(mosquitto.port, "r1-1", 1, "pacer_run")
        await until(lambda: rig.playing == ("r1-1", 1))
        assert rig.playing == ("r1-1", 1)


async def test_nonsense_and_unknown_heats_on_the_current_topic_are_passed_over(
    meet: Setup, mosquitto: Any, until: Until
) -> None:
    async with running_rig(meet, fast_clock()) as rig:
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
            for payload in (b"", b"{", b'{"heat": 5}', b'{"heat": null, "attempt": 0, "state": "idle"}'):
                await client.publish(TOPIC, payload, qos=1)
        await tell(mosquitto.port, "no-such-heat", 1, "pacer_run")
        await tell(mosquitto.port, "r1-2", 1, "pacer_run")
        await until(lambda: rig.playing == ("r1-2", 1))
        assert rig.playing == ("r1-2", 1)


def test_a_protocol_without_a_simulated_box_is_named_with_those_there_are(
    make_setup: Callable[..., Setup],
) -> None:
    foreign = Device(id="hub", protocol="mybox", address="tcp:127.0.0.1:2008", loop="finish")
    with pytest.raises(RigError, match=r"device hub at tcp:127\.0\.0\.1:2008: the rig has no 'mybox' box"):
        Rig(make_setup((foreign,)), load_script("tokyo2020-men-keirin"), HostClock())


def test_a_transponder_that_p3_cannot_send_is_named(make_setup: Callable[..., Setup]) -> None:
    setup = make_setup()
    rider = msgspec.structs.replace(setup.meet.riders[0], transponders=("FL-94890",))
    meet = msgspec.structs.replace(setup.meet, riders=(rider, *setup.meet.riders[1:]))
    with pytest.raises(RigError, match="rider 1 has transponder 'FL-94890'"):
        Rig(msgspec.structs.replace(setup, meet=meet), load_script("tokyo2020-men-keirin"), HostClock())


def test_a_p3_decoder_may_have_beacons(make_setup: Callable[..., Setup]) -> None:
    """Beside its loop, as numbers with a role: the gate's beacon is the gun of each heat."""
    decoder = Device(id="p3-home", protocol="p3", address="tcp:127.0.0.1:5499", loop="home")
    script = load_script("tokyo2020-men-keirin")

    def rig(channel: DeviceChannel) -> Rig:
        return Rig(make_setup((msgspec.structs.replace(decoder, channels=(channel,)),)), script, HostClock())

    timeline = rig(DeviceChannel(channel="9992", role="gun")).timelines["final-a"]
    (gun,) = (event for event in timeline.events if isinstance(event, Edge))
    assert (gun.at_us, gun.device, gun.channel) == (0, "p3-home", "9992")
    with pytest.raises(RigError, match="a p3 decoder has one loop and no channel 'gate'"):
        rig(DeviceChannel(channel="gate", role="gun"))
    with pytest.raises(RigError, match="a p3 decoder has one loop and no channel '1'"):
        rig(DeviceChannel(channel="1", loop="finish"))


def test_a_script_for_another_meet_is_refused(setup: Setup) -> None:
    heats = {"other": load_script("tokyo2020-men-keirin").heats["final-a"]}
    script = msgspec.structs.replace(load_script("tokyo2020-men-keirin"), heats=heats)
    with pytest.raises(ConfigError, match=r"heats\.other: the meet has no such heat"):
        Rig(setup, script, HostClock())


def test_the_same_seed_gives_the_same_boxes_and_races(setup: Setup) -> None:
    clock = HostClock(ClockAnchor(0, 1_628_000_000_000_000, 1e-9))
    script = load_script("tokyo2020-men-keirin")
    first, second = (Rig(setup, script, clock, seed=9) for _ in range(2))
    other = Rig(setup, script, clock, seed=10)
    assert first.timelines == second.timelines
    assert first.timelines != other.timelines
    assert [box.model.drift_ppb for box in first.boxes.values()] == [
        box.model.drift_ppb for box in second.boxes.values()
    ]
