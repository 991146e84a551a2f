"""The simulated THbC unit over a real pty and over real UDP: by hand, and served by our own driver."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import TypeAlias

import pytest

from config.models import Broker, Device, DeviceChannel, Setup
from drivers.hostclock import ClockAnchor, HostClock
from drivers.protocols.base import Resume
from drivers.protocols.thbc import ThbcParser, ThbcSession, sync_drift_us
from drivers.protocols.thbc_commands import (
    encode_ack,
    encode_ask_status,
    encode_get_config,
    encode_level,
    encode_repeat,
    encode_set_config,
    encode_set_date,
    encode_set_network,
    encode_set_time,
    encode_start,
    encode_stop,
    with_setting,
)
from drivers.records import Delivery, DeviceHealth, DeviceStatus, Impulse, Malformed, Passing, Record, Unhandled
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.ports import Port, RigError, Send
from drivers.rig.race import Edge, LoopRead
from drivers.rig.thbc_box import ThbcBox, make_unit
from drivers.supervisor import DeviceSupervisor
from drivers.transports.address import SerialAddress, UdpAddress, parse_address
from drivers.transports.factory import create_transport

Until: TypeAlias = Callable[[Callable[[], bool]], Awaitable[None]]
MINUTE = 60_000_000
GUN = 43_200_000_000
"""Noon of the first day: what the clock model of these tests makes of a time is its offset more."""
MODEL = DeviceClockModel(zero_host_us=0, offset_us=1_234_567, resolution_us=1_000, wraps_daily=True)


class Wire:
    """A port that is a list: what the box sent, and its ear."""

    def __init__(self) -> None:
        self.parser = ThbcParser("unit")
        self.records: list[Record] = []
        self.raw = b""

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    def send(self, data: bytes) -> None:
        self.raw += data
        self.records += self.parser.feed(data, 0)


class Bench:
    """A box on a list, with the commands of a host."""

    def __init__(self, model: DeviceClockModel = MODEL, clock: HostClock | None = None) -> None:
        self.wire = Wire()
        device = Device(id="unit", protocol="thbc", address="serial:/dev/unit", clock="time_of_day")

        def opening(greet: Callable[[Send], Callable[[bytes], None]]) -> Port:
            self.hear = greet(self.wire.send)
            return self.wire

        self.box = ThbcBox(device, opening, model, clock or HostClock(), seed=1)

    def ask(self, *commands: bytes) -> list[Record]:
        before = len(self.wire.records)
        self.hear(b"".join(commands))
        return self.wire.records[before:]

    def ride(self, *transponders: int, at_us: int = 0, channel: str | None = None) -> None:
        for number in transponders:
            read = LoopRead(at_us=at_us, device="unit", channel=channel, transponder=str(number), strength=120, hits=31)
            self.box.read(read, GUN)

    @property
    def passings(self) -> list[str]:
        return [record.transponder for record in self.wire.records if isinstance(record, Passing)]


# -- by hand -----------------------------------------------------------------------------------------------


def test_the_next_passing_comes_only_after_the_ack() -> None:
    bench = Bench()
    bench.ride(101, 102, 103)
    assert bench.passings == ["101"]
    bench.ask(encode_ack())
    assert bench.passings == ["101", "102"]
    bench.ask(encode_ack() + encode_ack() + encode_ack())
    assert bench.passings == ["101", "102", "103"]
    assert bench.box.unacknowledged == 0
    bench.ask(encode_repeat())
    assert bench.passings[-1] == "103", "the last acknowledged one"


def test_a_passing_carries_the_boxs_own_time_of_day_and_what_two_digits_hold() -> None:
    bench = Bench()
    bench.ride(125_328, at_us=12 * 3_600_000_000, channel="B03")
    (passing,) = bench.wire.records
    assert passing == Passing(
        device="unit",
        received_us=0,
        device_us=1_234_000,
        transponder="125328",
        channel="B03",
        strength=99,
        hits=31,
        flags=0,
    )


def test_edges_come_as_pulses_and_keys() -> None:
    bench = Bench()
    for channel in ("sync", "sync-B07", "MAN"):
        bench.box.edge(Edge(at_us=0, device="unit", channel=channel), GUN)
        bench.ask(encode_ack())
    assert [(r.channel, r.manual) for r in bench.wire.records if isinstance(r, Impulse)] == [
        ("sync", False),
        ("sync-B07", False),
        ("MAN", True),
    ]
    assert b"<STA 000255 " in bench.wire.raw
    assert b"<B07 000255 " in bench.wire.raw


def test_start_stop_levels_configuration_network_and_clock() -> None:
    bench = Bench()
    config = with_setting(bench.box.config, "cell_minutes", 31)
    network = encode_set_network("192.0.2.11", "255.255.255.0", "192.0.2.1", "192.0.2.252")
    assert bench.ask(encode_set_config(config), network, encode_level("STA", 42), encode_level("BOX", 7)) == []
    (reply,) = bench.ask(encode_get_config())
    assert isinstance(reply, Unhandled)
    assert (reply.detail["cell_minutes"], reply.detail["level_sta"], reply.detail["host"]) == (31, 42, "192.0.2.252")
    (stopped,) = bench.ask(encode_stop())
    assert isinstance(stopped, Unhandled)
    assert stopped.name == "stopped"
    bench.ride(101)
    assert bench.passings == []
    (status,) = bench.ask(encode_ask_status())
    assert isinstance(status, DeviceStatus)
    assert (status.text or "").endswith("level STA 42 BOX 7, time 00:00'00\"")
    bench.ask(encode_set_date(date(2026, 5, 12)), encode_set_time(14, 30, 5))
    (started,) = bench.ask(encode_start())
    assert isinstance(started, Unhandled)
    assert (started.name, started.detail) == ("started", {"text": "2026-05-12__14:30:05"})
    assert bench.ask(encode_start()) == []


def test_a_damaged_command_is_answered_with_a_nack() -> None:
    bench = Bench()
    damaged = bytearray(encode_set_date(date(2026, 5, 12)))
    damaged[5] ^= 1
    assert [r.name for r in bench.ask(bytes(damaged)) if isinstance(r, Unhandled)] == ["nack"]
    assert bench.box.day == date(2000, 1, 1)


async def test_what_is_not_acknowledged_is_repeated_and_each_minute_brings_the_sync_pulse(until: Until) -> None:
    fast = HostClock(ClockAnchor(HostClock().anchor.monotonic_ns, 1_700_000_039_000_000, speed=200.0))
    model = DeviceClockModel(zero_host_us=1_700_000_000_000_000, offset_us=3_005, resolution_us=1_000, wraps_daily=True)
    bench = Bench(model, fast)
    bench.ride(101)
    running = asyncio.create_task(bench.box.run())
    await until(lambda: len(bench.passings) == 3)

    def two_pulses() -> bool:
        bench.ask(encode_ack())
        return len({record.device_us for record in bench.wire.records if isinstance(record, Impulse)}) == 2

    await until(two_pulses)
    running.cancel()
    await asyncio.wait([running])
    assert set(bench.passings) == {"101"}
    pulses = {record.device_us for record in bench.wire.records if isinstance(record, Impulse)}
    assert {(stamp + sync_drift_us(stamp)) % MINUTE for stamp in pulses} == {0}
    assert {sync_drift_us(stamp) for stamp in pulses} <= {-3_000, -4_000}


async def test_a_damaged_send_is_repeated_whole(until: Until) -> None:
    fast = HostClock(ClockAnchor(HostClock().anchor.monotonic_ns, 1_700_000_000_000_000, speed=100.0))
    bench = Bench(clock=fast)
    bench.box.damaged_sends = 2
    bench.ride(101)
    running = asyncio.create_task(bench.box.run())
    await until(lambda: bool(bench.passings))
    running.cancel()
    await asyncio.wait([running])
    assert [type(record) for record in bench.wire.records if not isinstance(record, Impulse)][:3] == [
        *(Malformed, Malformed, Passing)
    ]


# -- served by our own driver ------------------------------------------------------------------------------


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=["serial", "udp"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "serial":
        return f"serial:{tmp_path / 'dev' / 'unit'}?baud=19200"
    return f"udp:127.0.0.1:{free_port(socket.SOCK_DGRAM)}?local={free_port(socket.SOCK_DGRAM)}"


class Driven:
    """A unit at an address and a supervisor that serves it; the test is the disk."""

    def __init__(self, box: ThbcBox) -> None:
        self.box = box
        self.deliveries: list[Delivery] = []
        self.disk: list[asyncio.Future[None]] = []
        self.health: list[DeviceHealth] = []
        self.disk_works = True

    def deliver(self, delivery: Delivery) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.deliveries.append(delivery)
        if self.disk_works:
            future.set_result(None)
        else:
            self.disk.append(future)
        return future

    def repair_disk(self) -> None:
        self.disk_works = True
        for future in self.disk:
            future.set_result(None)

    @property
    def records(self) -> list[Record]:
        return [record for delivery in self.deliveries for record in delivery.records]

    @property
    def passings(self) -> list[str]:
        return [record.transponder for record in self.records if isinstance(record, Passing)]


@asynccontextmanager
async def driven(address: str, setup: Setup) -> AsyncIterator[Driven]:
    device = Device(id="unit", protocol="thbc", address=address, loop="finish", clock="time_of_day")
    clock = HostClock(ClockAnchor(time.monotonic_ns(), GUN + MINUTE))
    parsed = parse_address(address)
    assert isinstance(parsed, SerialAddress | UdpAddress)
    host = Driven(make_unit(device, parsed, setup, MODEL, clock, 1))
    supervisor = DeviceSupervisor(
        device,
        ThbcSession(device, Resume()),
        lambda: create_transport(address, clock, Broker()),
        clock,
        host.deliver,
        host.health.append,
    )
    await host.box.open()
    running = [asyncio.create_task(host.box.run()), asyncio.create_task(supervisor.run())]
    try:
        yield host
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        await host.box.close()


def ride(box: ThbcBox, *transponders: int) -> None:
    for index, number in enumerate(transponders):
        read = LoopRead(at_us=index * 1_000, device="unit", channel=None, transponder=str(number), strength=50, hits=9)
        box.read(read, GUN)


async def test_a_burst_arrives_whole_in_order_and_once(address: str, setup: Setup, until: Until) -> None:
    async with driven(address, setup) as host:
        await until(lambda: any(isinstance(record, DeviceStatus) for record in host.records))
        assert any(isinstance(r, Unhandled) and r.name == "config" for r in host.records)
        ride(host.box, *range(1_000, 1_036))
        await until(lambda: host.box.unacknowledged == 0)
        assert host.passings == [str(number) for number in range(1_000, 1_036)]


async def test_nothing_is_acknowledged_while_the_disk_does_not_answer(address: str, setup: Setup, until: Until) -> None:
    async with driven(address, setup) as host:
        await until(lambda: any(isinstance(record, DeviceStatus) for record in host.records))
        host.disk_works = False
        ride(host.box, 2_001, 2_002)
        # The repeat shows that the unit still waits after having had time enough for an ACK.
        await until(lambda: any(isinstance(r, Unhandled) and r.name == "passing_repeated" for r in host.records))
        assert host.passings == ["2001"]
        assert host.box.unacknowledged == 2
        host.repair_disk()
        await until(lambda: host.box.unacknowledged == 0)
        assert host.passings == ["2001", "2002"]


async def test_passings_of_the_time_without_a_host_come_as_backlog(address: str, setup: Setup, until: Until) -> None:
    async with driven(address, setup) as host:
        ride(host.box, 3_001, 3_002, 3_003)
        await until(lambda: host.box.unacknowledged == 0)
        read = LoopRead(at_us=MINUTE + 30_000_000, device="unit", channel=None, transponder="3004", strength=50, hits=9)
        host.box.read(read, GUN)
        await until(lambda: host.box.unacknowledged == 0)
        assert [(r.transponder, r.backlog) for r in host.records if isinstance(r, Passing)] == [
            *(("3001", True), ("3002", True), ("3003", True), ("3004", False))
        ]


# -- what cannot be simulated ------------------------------------------------------------------------------


def refused(setup: Setup, device: Device, address: str = "serial:/dev/unit") -> str:
    parsed = parse_address(address)
    assert isinstance(parsed, SerialAddress | UdpAddress)
    with pytest.raises(RigError) as error:
        make_unit(device, parsed, setup, MODEL, HostClock(), 1)
    return str(error.value)


def test_a_meet_that_a_unit_cannot_serve_is_refused_with_the_mend(make_setup: Callable[..., Setup]) -> None:
    setup = make_setup()
    undated = Device(id="unit", protocol="thbc", address="serial:/dev/unit")
    assert refused(setup, undated).endswith('a THbC unit has no date; give it clock = "time_of_day"')
    channels = (DeviceChannel(channel="C1", loop="finish"),)
    wrong = Device(id="unit", protocol="thbc", address="serial:/dev/unit", clock="time_of_day", channels=channels)
    assert "has no channel 'C1' for that; it has STA, BOX, MAN, B01" in refused(setup, wrong)


def test_one_udp_port_cannot_be_both_ends(setup: Setup) -> None:
    device = Device(id="unit", protocol="thbc", address="udp:127.0.0.1:2008", clock="time_of_day")
    assert refused(setup, device, device.address) == (
        "udp:127.0.0.1:2008: on one machine box and host cannot both have port 2008; "
        "give the host another one: udp:127.0.0.1:2008?local=12008"
    )
