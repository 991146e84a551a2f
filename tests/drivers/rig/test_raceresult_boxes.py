"""The simulated race result boxes with our own sessions over real TCP and a real pty: a small whole."""

import asyncio
import os
import socket
import termios
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from config.models import Device, DeviceChannel
from drivers.hostclock import ClockAnchor, HostClock
from drivers.protocols.base import Resume, Session
from drivers.protocols.raceresult import RaceResultSession
from drivers.protocols.raceresult_usb import RaceResultUsbSession
from drivers.records import ClockReading, DeviceStatus, Impulse, Malformed, Passing, Record
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.ports import Greet, Port, PtyPort, RigError, TcpPort
from drivers.rig.race import Edge, LoopRead
from drivers.rig.raceresult_box import RaceResultBox
from drivers.rig.raceresult_usb_box import RaceResultUsbBox
from drivers.transports.address import SerialAddress, TcpAddress, parse_address

WAIT_S = 10.0
SPEED = 10.0
OFFSET_US = 1_234_567
GUN_US = HostClock().now_us() - 30_000_000
"""In the past: what was stored before a connection is backlog on the box's clock."""


class Host:
    """A session on a line: reads, ticks, and commits what it heard at once."""

    def __init__(self, session: Session, clock: HostClock, send: Callable[[bytes], None]) -> None:
        self.session = session
        self.records: list[Record] = []
        self._clock = clock
        self._send = send
        self._news = asyncio.Condition()

    async def run(self, receive: Callable[[], Awaitable[bytes]]) -> None:
        self._say(self.session.connected(self._clock.now_us()))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick())
            while data := await receive():
                reaction = self.session.receive(data, self._clock.now_us())
                self.records += reaction.records
                async with self._news:
                    self._news.notify_all()
                self._say(reaction.send)
                self._say(self.session.committed(reaction.records, self._clock.now_us()))

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep_us(self.session.tick_us)
            self._say(self.session.tick(self._clock.now_us()))

    def _say(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            self._send(message)

    def crossings(self) -> list[Passing | Impulse]:
        return [one for one in self.records if isinstance(one, Passing | Impulse)]

    async def heard(self, count: int) -> list[Passing | Impulse]:
        async with asyncio.timeout(WAIT_S), self._news:
            await self._news.wait_for(lambda: len(self.crossings()) >= count)
        return self.crossings()

    async def until(self, kind: type[ClockReading] | type[DeviceStatus]) -> None:
        async with asyncio.timeout(WAIT_S), self._news:
            await self._news.wait_for(lambda: any(isinstance(record, kind) for record in self.records))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clock_and_model(*, wraps_daily: bool) -> tuple[HostClock, DeviceClockModel]:
    start = HostClock().anchor
    clock = HostClock(ClockAnchor(start.monotonic_ns, start.utc_us, SPEED))
    return clock, DeviceClockModel(
        zero_host_us=GUN_US, offset_us=OFFSET_US, resolution_us=1_000, wraps_daily=wraps_daily
    )


def read(transponder: str, at_us: int, channel: str | None = None) -> LoopRead:
    return LoopRead(at_us=at_us, device="rr", channel=channel, transponder=transponder, strength=90, hits=12)


@asynccontextmanager
async def decoder(*, wraps_daily: bool = False) -> AsyncIterator[tuple[RaceResultBox, HostClock, int]]:
    clock, model = clock_and_model(wraps_daily=wraps_daily)
    port = free_port()
    address = parse_address(f"tcp:127.0.0.1:{port}")
    assert isinstance(address, TcpAddress)

    def opening(greet: Greet) -> Port:
        return TcpPort(address, greet)

    box = RaceResultBox(Device(id="rr", protocol="raceresult", address=address.text), opening, model, clock)
    await box.open()
    try:
        yield box, clock, port
    finally:
        await box.close()


@asynccontextmanager
async def on_tcp(clock: HostClock, port: int, resume: Resume | None = None) -> AsyncIterator[Host]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    device = Device(id="rr", protocol="raceresult", address=f"tcp:127.0.0.1:{port}")
    host = Host(RaceResultSession(device, resume or Resume()), clock, writer.write)
    running = asyncio.create_task(host.run(lambda: reader.read(65_536)))
    try:
        yield host
    finally:
        running.cancel()
        await asyncio.wait([running])
        writer.close()


async def test_the_decoder_pushes_live_and_gives_its_memory_to_who_asks_for_the_rest() -> None:
    async with decoder() as (box, clock, port):
        box.read(read("TAG1", 100_400), GUN_US)
        box.read(read("TAG2", 200_000, "3"), GUN_US)
        async with on_tcp(clock, port, Resume(1, None)) as host:
            await host.heard(1)
            box.read(read("TAG3", 300_000), GUN_US)
            box.edge(Edge(at_us=400_000, device="rr", channel="gun"), GUN_US)
            second, third, marker = await host.heard(3)
            await host.until(ClockReading)
            await host.until(DeviceStatus)

    assert isinstance(second, Passing)
    assert isinstance(third, Passing)
    assert isinstance(marker, Impulse)
    assert (second.sequence, second.transponder, second.channel, second.backlog) == (2, "TAG2", "3", True)
    assert (third.sequence, third.transponder, third.channel, third.backlog) == (3, "TAG3", "1", False)
    assert (marker.sequence, marker.channel) == (4, "trigger")
    exact_us = GUN_US + 300_000 + OFFSET_US
    assert third.device_us == exact_us - exact_us % 1_000
    assert not [record for record in host.records if isinstance(record, Malformed)]
    reading = next(record for record in host.records if isinstance(record, ClockReading))
    assert reading.sent_us is not None
    assert reading.sent_us - 1_000 <= reading.device_us - OFFSET_US <= reading.received_us


async def test_a_long_backlog_of_the_decoder_arrives_whole_and_once() -> None:
    async with decoder(wraps_daily=True) as (box, clock, port):
        for number in range(100):
            box.read(read(f"TAG{number + 1}", number * 1_000), GUN_US)
        async with on_tcp(clock, port, Resume(0, None)) as host:
            found = await host.heard(100)

    assert [one.sequence for one in found] == list(range(1, 101))
    assert all(one.backlog for one in found)
    assert {type(one) for one in found} == {Passing}
    assert max(one.device_us for one in found) < 86_400_000_000


async def test_the_usb_box_gives_its_memory_then_what_is_live_in_ticks_of_a_256th_second(tmp_path: Path) -> None:
    clock, model = clock_and_model(wraps_daily=False)
    address = parse_address(f"serial:{tmp_path / 'box'}?baud=19200&dtr=off")
    assert isinstance(address, SerialAddress)
    device = Device(id="rr", protocol="raceresult-usb", address=address.text)

    def opening(greet: Greet) -> Port:
        return PtyPort(address, greet)

    box = RaceResultUsbBox(device, opening, model, clock)
    await box.open()
    for number in range(40):
        box.read(read(f"TAG{number + 1}", number * 1_000, "2"), GUN_US)
    descriptor = os.open(address.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(descriptor, termios.TCSANOW)
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(descriptor, lambda: chunks.put_nowait(os.read(descriptor, 65_536)))
    host = Host(RaceResultUsbSession(device, Resume(0)), clock, lambda data: _write(descriptor, data))
    running = asyncio.create_task(host.run(chunks.get))
    try:
        memory = await host.heard(40)
        live_us = clock.now_us()
        box.read(read("TAG41", 0), live_us)
        box.edge(Edge(at_us=0, device="rr", channel="gun"), live_us)
        *_, live, marker = await host.heard(42)
    finally:
        running.cancel()
        await asyncio.wait([running])
        loop.remove_reader(descriptor)
        os.close(descriptor)
        await box.close()

    assert [one.sequence for one in memory] == list(range(1, 41))
    assert all(one.backlog for one in memory)
    assert {one.channel for one in memory} == {"2"}
    for number, one in enumerate(memory):
        assert 0 <= GUN_US + number * 1_000 + OFFSET_US - one.device_us <= 3_907
    assert isinstance(live, Passing)
    assert isinstance(marker, Impulse)
    assert (live.sequence, live.transponder, live.backlog, live.channel) == (41, "TAG41", False, "1")
    assert (marker.sequence, marker.channel) == (42, "trigger")
    assert 0 <= live_us + OFFSET_US - live.device_us <= 3_907
    assert not [record for record in host.records if isinstance(record, Malformed)]


def _write(descriptor: int, data: bytes) -> None:
    assert os.write(descriptor, data) == len(data)


@pytest.mark.parametrize("kind", [RaceResultBox, RaceResultUsbBox])
@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (DeviceChannel(channel="home", loop="finish"), r"'home' is no loop id.*name its loop channels 1 to 8"),
        (DeviceChannel(channel="gun", role="gun"), r"'gun' \(gun\) is no input.*name it trigger"),
    ],
)
def test_a_channel_that_the_box_does_not_have_is_refused(
    kind: type[RaceResultBox] | type[RaceResultUsbBox], wire: DeviceChannel, reason: str
) -> None:
    clock, model = clock_and_model(wraps_daily=False)
    device = Device(id="rr", protocol="raceresult", address="tcp:127.0.0.1:3601", channels=(wire,))

    def never(greet: Greet) -> Port:
        raise AssertionError("not opened here")

    with pytest.raises(RigError, match=reason):
        kind(device, never, model, clock)
