"""A run is recorded from real lines and played again: every byte of every kind of line arrives, in its rhythm."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.models import Device, Setup
from drivers.errors import TransportError, TransportLost
from drivers.hostclock import ClockAnchor, HostClock
from drivers.peers import CLOSED, DATA, OPENED, PeerReader, encode_data, encode_frame
from drivers.records import Delivery, DeviceHealth
from drivers.rig.boxes import make_box
from drivers.rig.clockmodel import seeded_clock
from drivers.rig.p3_box import P3Box
from drivers.rig.player import Player
from drivers.rig.ports import RigError
from drivers.rig.race import LoopRead
from drivers.rig.recorder import Recorder
from drivers.rig.recording import RecordedBytes, Recording, RecordingError, RecordingWriter, header_of
from drivers.transports import create_transport

Until = Callable[[Callable[[], bool]], Awaitable[None]]
BEGAN_US = 1_628_000_000_000_000


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def one_of_each(folder: Path) -> tuple[Device, ...]:
    """A device on each kind of line."""
    udp = f"udp:127.0.0.1:{free_port(socket.SOCK_DGRAM)}?local={free_port(socket.SOCK_DGRAM)}"
    addresses = {
        "pty": f"serial:{folder}/ttyBox",
        "tcp": f"tcp:127.0.0.1:{free_port()}",
        "udp": udp,
        "mqtt": "mqtt:velodrome/tokyo/hardware/gateway",
        "files": f"folder:{folder}/lynx?pattern=*.lif",
    }
    protocols = {"mqtt": "json", "files": "lif"}
    return tuple(
        Device(id=name, protocol=protocols.get(name, "p3"), address=address) for name, address in addresses.items()
    )


def said_by(name: str, lot: random.Random, number: int) -> bytes:
    """One read of a recorded run: whole messages over MQTT, whole files in a folder, anything elsewhere."""
    if name == "mqtt":
        return b'{"n":%d}\n' % number
    if name == "files":
        return b"file %d\r\n" % number
    return lot.randbytes(lot.randint(1, 400))


def make_recording(path: Path, setup: Setup, reads: int, every_us: int) -> dict[str, list[RecordedBytes]]:
    lot = random.Random(4)
    lines: dict[str, list[RecordedBytes]] = {device.id: [] for device in setup.meet.devices}
    with RecordingWriter(path, header_of(setup, "live", BEGAN_US)) as writer:
        for number in range(reads):
            for name in lines:
                line = RecordedBytes(
                    device=name,
                    at_us=BEGAN_US + number * every_us,
                    direction="in",
                    data=said_by(name, lot, number),
                )
                writer.write(line)
                writer.write(msgspec.structs.replace(line, direction="out", data=b"a question"))
                lines[name].append(line)
    return lines


@asynccontextmanager
async def listening(
    setup: Setup, clock: HostClock, told: list[tuple[str, str]] | None = None
) -> AsyncIterator[dict[str, list[tuple[int, bytes]]]]:
    """A host at every address of the meet: when what arrived. Connects when the boxes are there.

    `told` gets (device, `open` or `lost`) of each connection.
    """
    told = [] if told is None else told
    heard: dict[str, list[tuple[int, bytes]]] = {device.id: [] for device in setup.meet.devices}

    async def listen(device: Device) -> None:
        while True:
            transport = create_transport(device.address, clock, setup.meet.broker)
            try:
                await transport.open()
                told.append((device.id, "open"))
                while True:
                    chunk = await transport.receive()
                    heard[device.id].append((chunk.received_us, chunk.data))
            except TransportLost:
                told.append((device.id, "lost"))
            except TransportError:
                await asyncio.sleep(0.01)
            finally:
                await transport.close()

    tasks = [asyncio.create_task(listen(device)) for device in setup.meet.devices]
    try:
        yield heard
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def playing(player: Player) -> AsyncIterator[None]:
    running = asyncio.create_task(player.run())
    try:
        yield
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def bytes_of(lines: list[RecordedBytes]) -> bytes:
    return b"".join(line.data for line in lines)


async def test_every_byte_goes_out_again_over_every_kind_of_line(
    make_setup: Callable[..., Setup], mosquitto: Any, tmp_path: Path, until: Until
) -> None:
    setup = make_setup(one_of_each(tmp_path), mosquitto.broker)
    lines = make_recording(tmp_path / "a.recording", setup, reads=20, every_us=50_000)
    clock = HostClock()
    player = Player(setup, Recording(tmp_path / "a.recording"), clock, lead_s=1.0)
    async with playing(player), listening(setup, clock) as heard:
        await until(player.played.is_set)
        await until(lambda: all(len(b"".join(d for _, d in heard[one])) >= len(bytes_of(lines[one])) for one in lines))
    for name, recorded in lines.items():
        assert b"".join(data for _, data in heard[name]) == bytes_of(recorded), name
    # Messages and files keep their borders, and so do datagrams.
    for name in ("mqtt", "udp", "files"):
        assert [data for _, data in heard[name]] == [line.data for line in lines[name]]


async def test_the_rhythm_is_kept_and_the_shift_is_one_for_all(
    make_setup: Callable[..., Setup], mosquitto: Any, tmp_path: Path, until: Until
) -> None:
    devices = tuple(device for device in one_of_each(tmp_path) if device.id in ("tcp", "udp"))
    setup = make_setup(devices, mosquitto.broker)
    lines = make_recording(tmp_path / "a.recording", setup, reads=10, every_us=30_000)
    clock = HostClock()
    player = Player(setup, Recording(tmp_path / "a.recording"), clock, lead_s=0.3)
    async with playing(player), listening(setup, clock) as heard:
        await until(lambda: len(heard["udp"]) == 10)
    assert player.shift_us is not None
    late_us = [
        received_us - player.shift_us - line.at_us
        for (received_us, _), line in zip(heard["udp"], lines["udp"], strict=True)
    ]
    assert min(late_us) >= 0
    # Never early; the last one is as little late as the first: pauses do not add up.
    assert sorted(late_us)[len(late_us) // 2] < 25_000


async def test_a_fast_clock_plays_faster(
    make_setup: Callable[..., Setup], mosquitto: Any, tmp_path: Path, until: Until
) -> None:
    devices = tuple(device for device in one_of_each(tmp_path) if device.id == "tcp")
    setup = make_setup(devices, mosquitto.broker)
    lines = make_recording(tmp_path / "a.recording", setup, reads=100, every_us=1_000_000)
    clock = HostClock(ClockAnchor(HostClock().anchor.monotonic_ns, BEGAN_US, 500.0))
    began_s = asyncio.get_running_loop().time()
    player = Player(setup, Recording(tmp_path / "a.recording"), clock, lead_s=0.0)
    async with playing(player), listening(setup, clock) as heard:
        await until(lambda: b"".join(data for _, data in heard["tcp"]) == bytes_of(lines["tcp"]))
    assert asyncio.get_running_loop().time() - began_s < 10, "99 s of the recording"


async def test_a_tcp_host_that_comes_back_gets_what_was_said_meanwhile(
    make_setup: Callable[..., Setup], mosquitto: Any, tmp_path: Path, until: Until
) -> None:
    devices = tuple(device for device in one_of_each(tmp_path) if device.id == "tcp")
    setup = make_setup(devices, mosquitto.broker)
    lines = make_recording(tmp_path / "a.recording", setup, reads=40, every_us=10_000)
    port = int(devices[0].address.rsplit(":", 1)[1])
    player = Player(setup, Recording(tmp_path / "a.recording"), HostClock(), lead_s=0.0)
    async with playing(player):
        await until(player.ready.is_set)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        first = await reader.readexactly(len(lines["tcp"][0].data))
        writer.close()
        await writer.wait_closed()
        await until(player.played.is_set)
        assert first == lines["tcp"][0].data
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(3):
            rest = await reader.readexactly(len(lines["tcp"][-1].data))
        assert bytes_of(lines["tcp"]).find(rest) > 0
        writer.close()


def read_of(device: str, number: int) -> LoopRead:
    return LoopRead(at_us=number, device=device, channel=None, transponder=str(9_000 + number), strength=90, hits=20)


def two_decoders(folder: Path) -> tuple[Device, ...]:
    return (
        Device(id="p3-finish", protocol="p3", address=f"serial:{folder}/ttyFinish", loop="finish"),
        Device(id="p3-home", protocol="p3", address=f"tcp:127.0.0.1:{free_port()}", loop="home"),
    )


def boxes_of(setup: Setup, clock: HostClock) -> list[P3Box]:
    made = [
        make_box(device, setup, seeded_clock(device, setup.venue.timezone, 1, clock.now_us()), clock, 1)
        for device in setup.meet.devices
    ]
    return [box for box in made if isinstance(box, P3Box)]


async def test_a_run_of_simulated_boxes_is_recorded_and_its_replay_is_the_same(
    make_setup: Callable[..., Setup], mosquitto: Any, tmp_path: Path, until: Until
) -> None:
    clock = HostClock()
    setup = make_setup(two_decoders(tmp_path), mosquitto.broker)
    boxes = boxes_of(setup, clock)
    healths: list[DeviceHealth] = []
    path = tmp_path / "live.recording"
    for box in boxes:
        await box.open()
    recorder = Recorder(setup, path, clock, healths.append)
    recording = asyncio.create_task(recorder.run())
    await until(lambda: [health.state for health in healths].count("live") == 2)
    for number in range(30):
        for box in boxes:
            box.read(read_of(box.device.id, number), clock.now_us())
    await until(lambda: all(heard > 30 * 40 for heard in recorder.heard.values()))
    recording.cancel()
    await asyncio.gather(recording, return_exceptions=True)
    for box in boxes:
        await box.close()
    found = Recording(path)
    recorded = {box.device.id: [line for line in found.lines() if line.device == box.device.id] for box in boxes}
    for box in boxes:
        said = bytes_of([line for line in recorded[box.device.id] if line.direction == "in"])
        assert b"".join(box.passings) in said
        assert any(line.direction == "out" for line in recorded[box.device.id]), "the driver asks for the time"
    player = Player(setup, found, clock, lead_s=0.5)
    async with playing(player), listening(setup, clock) as heard:
        await until(player.played.is_set)
        for device in setup.meet.devices:
            said = bytes_of([line for line in recorded[device.id] if line.direction == "in"])
            await until(lambda one=device, whole=said: b"".join(d for _, d in heard[one.id]) == whole)


async def test_an_unplugged_box_is_unplugged_in_the_recording_and_in_its_replay(
    make_setup: Callable[..., Setup], mosquitto: Any, tmp_path: Path, until: Until
) -> None:
    clock = HostClock()
    setup = make_setup(two_decoders(tmp_path), mosquitto.broker)
    boxes = boxes_of(setup, clock)
    path = tmp_path / "live.recording"
    healths: list[DeviceHealth] = []
    await record_with_an_outage(Recorder(setup, path, clock, healths.append), healths, boxes, until)
    found = Recording(path)
    lines = {device.id: [line for line in found.lines() if line.device == device.id] for device in setup.meet.devices}
    for of_device in lines.values():
        assert [line.direction for line in of_device if not line.data] == ["open", "close", "open"]

    told: list[tuple[str, str]] = []
    player = Player(setup, found, clock, lead_s=0.5)
    async with playing(player), listening(setup, clock, told) as heard:
        await until(player.played.is_set)
        for name, of_device in lines.items():
            said = bytes_of([line for line in of_device if line.direction == "in"])
            await until(lambda one=name, whole=said: b"".join(d for _, d in heard[one]) == whole)
            assert [what for device, what in told if device == name][:3] == ["open", "lost", "open"]


async def record_with_an_outage(
    recorder: Recorder, healths: list[DeviceHealth], boxes: list[Any], until: Until
) -> None:
    """Each box is read, unplugged, plugged in and read again."""

    def connections() -> list[int]:
        return [sum(one.state == "live" and one.device == box.device.id for one in healths) for box in boxes]

    for box in boxes:
        await box.open()
    recording = asyncio.create_task(recorder.run())
    for time in (1, 2):
        await until(lambda time=time: min(connections()) == time)
        before = dict(recorder.heard)
        for box in boxes:
            box.read(read_of(box.device.id, time), BEGAN_US)
        await until(lambda before=before: all(recorder.heard[name] > before[name] + 40 for name in before))
        if time == 1:
            for box in boxes:
                await box.close()
            await until(lambda: [health.state for health in healths].count("lost") == 2)
            for box in boxes:
                await box.open()
    recording.cancel()
    await asyncio.gather(recording, return_exceptions=True)
    for box in boxes:
        await box.close()


async def test_the_recorder_acknowledges_only_what_is_on_its_disk(
    make_setup: Callable[..., Setup], mosquitto: Any, tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Device(id="p3-home", protocol="p3", address=f"tcp:127.0.0.1:{free_port()}", loop="home")
    setup = make_setup((device,), mosquitto.broker)
    recorder = Recorder(setup, tmp_path / "a.recording", HostClock(), lambda health: None)

    def full() -> None:
        raise RecordingError("a.recording", "the disk does not take it (No space left on device)", "make room")

    running = asyncio.create_task(recorder._flush_all())
    good = recorder._deliver(Delivery(device="p3-home", received_us=1, raw=b"x", records=()))
    async with asyncio.timeout(3):
        await good
    monkeypatch.setattr(recorder.writer, "flush", full)
    bad = recorder._deliver(Delivery(device="p3-home", received_us=2, raw=b"y", records=()))
    with pytest.raises(RecordingError, match="No space left"):
        async with asyncio.timeout(3):
            await bad
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert recorder.heard == {"p3-home": 2}


def test_a_recording_of_another_meet_is_refused(make_setup: Callable[..., Setup], tmp_path: Path) -> None:
    setup = make_setup(one_of_each(tmp_path))
    make_recording(tmp_path / "a.recording", setup, reads=1, every_us=1)
    other = make_setup((Device(id="tuba", protocol="p3", address="tcp:127.0.0.1:9", loop="home"),))
    with pytest.raises(RecordingError, match="devices that meet tokyo does not have: pty, tcp, udp, mqtt, files"):
        Player(other, Recording(tmp_path / "a.recording"), HostClock())


def test_a_recording_in_which_nobody_speaks_is_refused(setup: Setup, tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "a.recording", header_of(setup, "live", 0)):
        pass
    with pytest.raises(RecordingError, match="no box says anything in it"):
        Player(setup, Recording(tmp_path / "a.recording"), HostClock())


async def test_boxes_that_connect_to_us_connect_again(
    make_setup: Callable[..., Setup], mosquitto: Any, tmp_path: Path, until: Until
) -> None:
    device = Device(id="readers", protocol="p3", address=f"tcp-listen:0.0.0.0:{free_port()}")
    setup = make_setup((device,), mosquitto.broker)
    frames = [
        encode_frame(OPENED, 7, b"10.0.0.7:40001"),
        encode_data(7, b"N0000READER\r"),
        encode_frame(OPENED, 9, b"10.0.0.9:40002") + encode_data(9, b"N0000OTHER\r"),
        encode_data(7, b"DA1234567 10:11:12.34 10  0CC\r"),
        encode_frame(CLOSED, 7, b"gone"),
        encode_data(9, b"last\r"),
    ]
    with RecordingWriter(tmp_path / "a.recording", header_of(setup, "live", BEGAN_US)) as writer:
        for number, data in enumerate(frames):
            at_us = BEGAN_US + number * 20_000
            # Reads may be cut anywhere.
            writer.write(RecordedBytes(device="readers", at_us=at_us, direction="in", data=data[:3]))
            writer.write(RecordedBytes(device="readers", at_us=at_us, direction="in", data=data[3:]))
    player = Player(setup, Recording(tmp_path / "a.recording"), HostClock(), lead_s=0.0)

    def said(heard: dict[str, list[tuple[int, bytes]]]) -> tuple[dict[int, bytes], int]:
        by_peer: dict[int, bytes] = {}
        closed = 0
        for event in PeerReader().feed(b"".join(data for _, data in heard["readers"])):
            closed += event.kind == CLOSED
            if event.kind == DATA:
                by_peer[event.peer] = by_peer.get(event.peer, b"") + event.payload
        return by_peer, closed

    async with playing(player):
        # The host begins to listen when some of it is over already.
        await until(lambda: player.shift_us is not None)
        async with listening(setup, HostClock()) as heard:
            await until(
                lambda: (
                    sorted(said(heard)[0].values())
                    == sorted([b"N0000READER\rDA1234567 10:11:12.34 10  0CC\r", b"N0000OTHER\rlast\r"])
                )
            )
            await until(lambda: said(heard)[1] == 1)


def test_an_address_at_which_nothing_can_be_played_is_told(make_setup: Callable[..., Setup], tmp_path: Path) -> None:
    setup = make_setup((Device(id="box", protocol="p3", address="serial:usb:A50285BI", loop="home"),))
    make_recording(tmp_path / "a.recording", setup, reads=1, every_us=1)
    with pytest.raises(RigError, match="the rig cannot speak there"):
        Player(setup, Recording(tmp_path / "a.recording"), HostClock())
