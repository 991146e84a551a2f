"""The simulated impulse boxes, asked by the real sessions over a pty and over TCP, and read by the real parsers."""

import asyncio
import os
import socket
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from config.models import Device, DeviceChannel, Setup
from drivers.hostclock import HostClock
from drivers.protocols.base import Resume, Session
from drivers.protocols.registry import protocol
from drivers.protocols.thcom08 import encode_frame, encode_recall
from drivers.protocols.timy import encode_text
from drivers.records import Impulse, Malformed, Record, SequenceGap, Unhandled
from drivers.rig.clockmodel import DAY_US, DeviceClockModel
from drivers.rig.impulse_box import IMPULSE_PROTOCOLS, ImpulseBox, TimyDialect
from drivers.rig.ports import Greet, Port, PtyPort, Receive, RigError, TcpPort
from drivers.rig.race import Edge
from drivers.rig.rig import Rig
from drivers.rig.script import load_script
from drivers.transports.address import SerialAddress, TcpAddress, parse_address

WAIT_S = 5.0
GUN_US = 1_628_390_000_000_000
MODEL = DeviceClockModel(zero_host_us=GUN_US, offset_us=50_000, drift_ppb=20_000, resolution_us=100)
CHANNELS = {"timy": ("C0", "C1"), "cp520": ("1", "2"), "thcom08": ("1", "5"), "rei2": ("000", "255")}


def device(name: str, address: str = "tcp:127.0.0.1:1") -> Device:
    gun, cell = CHANNELS[name]
    return Device(
        id=name,
        protocol=name,
        address=address,
        clock="time_of_day",
        resolution_us=100,
        channels=(
            DeviceChannel(channel=gun, role="gun"),
            DeviceChannel(channel=cell, role="photocell", loop="finish"),
        ),
    )


class Wire:
    """A port that keeps what the box sends, and lets the test be the host."""

    def __init__(self, greet: Greet) -> None:
        self.sent = bytearray()
        self.hear: Receive = greet(self.send)

    async def open(self) -> None:
        self.sent.clear()

    def send(self, data: bytes) -> None:
        self.sent += data

    async def close(self) -> None:
        self.sent.clear()

    def take(self) -> bytes:
        data = bytes(self.sent)
        self.sent.clear()
        return data


def boxed(name: str, skew_us: dict[str, int] | None = None) -> tuple[ImpulseBox, Wire]:
    wires: list[Wire] = []

    def opening(greet: Greet) -> Wire:
        wires.append(Wire(greet))
        return wires[0]

    return ImpulseBox(device(name), opening, MODEL, HostClock(), skew_us), wires[0]


def edge(name: str, number: int, at_us: int) -> Edge:
    return Edge(at_us=at_us, device=name, channel=CHANNELS[name][number])


def impulses(records: list[Record]) -> list[tuple[str, int]]:
    assert not [record for record in records if isinstance(record, Malformed | SequenceGap)]
    return [(record.channel, record.device_us) for record in records if isinstance(record, Impulse)]


@pytest.mark.parametrize("name", IMPULSE_PROTOCOLS)
def test_an_edge_is_read_back_with_the_box_time_of_day(name: str) -> None:
    box, wire = boxed(name)
    box.edge(edge(name, 0, 0), GUN_US)
    box.edge(edge(name, 1, 1_234_567), GUN_US)
    stamps = [MODEL.device_us(GUN_US + at_us) % DAY_US for at_us in (0, 1_234_567)]
    records = protocol(name).parser("x").feed(wire.take(), 0)
    assert impulses(records) == list(zip(CHANNELS[name], stamps, strict=True))


@pytest.mark.parametrize("name", IMPULSE_PROTOCOLS)
def test_the_box_counts_on_from_midnight(name: str) -> None:
    box, wire = boxed(name)
    # Its clock gains up to 1.8 s in a day: 4 s before and after midnight are safely on either side.
    midnight_us = (GUN_US // DAY_US + 1) * DAY_US - GUN_US
    instants = [midnight_us - 4_000_000, midnight_us + 4_000_000]
    for at_us in instants:
        box.edge(edge(name, 1, at_us), GUN_US)
    (_, late), (_, early) = impulses(protocol(name).parser("x").feed(wire.take(), 0))
    assert [late, early] == [MODEL.device_us(GUN_US + at_us) % DAY_US for at_us in instants]
    assert early < 6_000_000 < DAY_US - 4_000_000 < late


def test_a_timy_hides_what_falls_into_its_dead_time_and_sends_sums_when_it_is_told_to() -> None:
    box, wire = boxed("timy")
    wire.hear(b"CHK1\rDTF00.")
    wire.hear(b"01\rDTS00.00\rNSF?\rPROG?\r")
    assert wire.take() == encode_text("NSF V 1982") + encode_text("PROG: BACKUP")
    for at_us in (0, 9_000, 10_000, 11_000):
        box.edge(edge("timy", 1, at_us), GUN_US)
    lines = wire.take().split(b"\r")[:-1]
    assert [len(line) for line in lines] == [28, 28]
    assert isinstance(box.dialect, TimyDialect)
    assert box.dialect.hidden == 2
    wire.hear(b"CHK0\rCLR\rRSM\r")
    assert wire.take().startswith(encode_text("CLR") + encode_text("  ALGE-TIMING"))


def test_a_skewed_channel_stamps_later() -> None:
    box, wire = boxed("timy", {"C1": 300})
    for number in (0, 1):
        box.edge(edge("timy", number, 1_000_000), GUN_US)
    (_, straight), (_, skewed) = impulses(protocol("timy").parser("x").feed(wire.take(), 0))
    assert skewed - straight == 300


def test_a_cp540_recalls_what_it_has_and_refuses_the_rest() -> None:
    box, wire = boxed("thcom08")
    box.edge(edge("thcom08", 1, 0), GUN_US)
    live = wire.take()
    wire.hear(encode_recall(1, 5) + encode_recall(2, 5) + encode_frame("ID", from_host=True) + b"noise\r\n")
    recalled, *answers = protocol("thcom08").parser("x").feed(wire.take(), 0)
    (first,) = protocol("thcom08").parser("x").feed(live, 0)
    assert isinstance(first, Impulse)
    assert isinstance(recalled, Impulse)
    assert (recalled.device_us, recalled.sequence, recalled.backlog) == (first.device_us, 1, True)
    assert [r.detail["text"] for r in answers if isinstance(r, Unhandled)] == ["F", "R", "F"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"loop": "finish", "channels": ()}, "no transponder loop"),
        ({"channels": (DeviceChannel(channel="C1", loop="finish"),)}, "no transponder loop"),
        ({"channels": (DeviceChannel(channel="gun", role="gun"),)}, "no channel 'gun'"),
        ({"protocol": "p3"}, "no impulse box"),
    ],
)
def test_a_device_that_no_such_box_can_be_is_refused(change: dict[str, object], why: str) -> None:
    values = {name: getattr(device("timy"), name) for name in Device.__struct_fields__}
    with pytest.raises(RigError, match=why):
        ImpulseBox(Device(**(values | change)), Wire, MODEL, HostClock())


# -- over real lines ---------------------------------------------------------------------------------------------


class Host:
    """The host's end of a line: the protocol's session with plain reads and writes under it."""

    def __init__(self, session: Session, address: SerialAddress | TcpAddress) -> None:
        self.session = session
        self.records: list[Record] = []
        self._address = address
        self._descriptor = -1
        self._now_us = 1_700_000_000_000_000

    async def connect(self) -> None:
        if isinstance(self._address, SerialAddress):
            self._descriptor = os.open(self._address.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._descriptor)
        else:
            line = socket.create_connection((self._address.host, self._address.port), WAIT_S)
            line.setblocking(False)
            self._descriptor = line.detach()
        self._write(self.session.connected(self._now_us))

    def cut(self) -> None:
        os.close(self._descriptor)
        self.records += self.session.disconnected(self._now_us)

    async def until(self, condition: Callable[[list[Record]], bool]) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WAIT_S):
            while not condition(self.records):
                readable: asyncio.Future[None] = loop.create_future()
                loop.add_reader(self._descriptor, _settle, readable)
                try:
                    await readable
                finally:
                    loop.remove_reader(self._descriptor)
                self._now_us += 1_000
                reaction = self.session.receive(os.read(self._descriptor, 4_096), self._now_us)
                self.records += reaction.records
                self._write(reaction.send)

    def _write(self, messages: object) -> None:
        assert isinstance(messages, list | tuple)
        for message in messages:
            assert os.write(self._descriptor, message) == len(message)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def said(name: str) -> Callable[[list[Record]], bool]:
    return lambda records: any(isinstance(r, Unhandled) and r.name == name for r in records)


def edges(count: int) -> Callable[[list[Record]], bool]:
    return lambda records: sum(isinstance(r, Impulse) for r in records) == count


@pytest.fixture(params=["serial", "tcp"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the box is: behind a symlink to a pty, or on a TCP port."""
    if request.param == "serial":
        return f"serial:{tmp_path / 'dev' / 'box'}?baud=38400"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp:127.0.0.1:{probe.getsockname()[1]}"


@asynccontextmanager
async def opened(name: str, address: str) -> AsyncIterator[tuple[ImpulseBox, Host]]:
    parsed = parse_address(address)
    assert isinstance(parsed, SerialAddress | TcpAddress)

    def opening(greet: Greet) -> Port:
        return PtyPort(parsed, greet) if isinstance(parsed, SerialAddress) else TcpPort(parsed, greet)

    entry = device(name, address)
    box = ImpulseBox(entry, opening, MODEL, HostClock())
    await box.open()
    running = asyncio.create_task(box.run())
    try:
        yield box, Host(protocol(name).session(entry, Resume()), parsed)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await box.close()


async def test_a_timy_brings_the_edges_of_a_loss_once_from_its_memory(address: str) -> None:
    async with opened("timy", address) as (box, host):
        await host.connect()
        await host.until(said("program"))
        box.edge(edge("timy", 0, 0), GUN_US)
        box.edge(edge("timy", 1, 1_000_000), GUN_US)
        await host.until(edges(2))
        host.cut()
        # The pty has no carrier: a cut host reads what was sent meanwhile, so the loss is made in the box.
        port, box._port = box._port, Wire(lambda send: lambda data: None)
        box.edge(edge("timy", 1, 2_000_000), GUN_US)
        box._port = port
        await host.connect()
        await host.until(said("memory_dump"))
        box.edge(edge("timy", 1, 3_000_000), GUN_US)
        await host.until(edges(4))
        found = [record for record in host.records if isinstance(record, Impulse)]
        assert [record.backlog for record in found] == [False, False, True, False]
        stamps = [MODEL.device_us(GUN_US + second * 1_000_000) % DAY_US for second in range(4)]
        assert [record.device_us for record in found] == stamps
        assert not [record for record in host.records if isinstance(record, Malformed)]
        host.cut()


async def test_a_cp540_closes_a_loss_by_number(address: str) -> None:
    async with opened("thcom08", address) as (box, host):
        await host.connect()
        # The box learns of a TCP connection later than the host: ask it something first.
        host._write((encode_frame("ID", from_host=True),))
        await host.until(said("acknowledge"))
        box.edge(edge("thcom08", 1, 0), GUN_US)
        await host.until(edges(1))
        host.cut()
        port, box._port = box._port, Wire(lambda send: lambda data: None)
        for second in (1, 2):
            box.edge(edge("thcom08", 1, second * 1_000_000), GUN_US)
        box._port = port
        await host.connect()
        await host.until(edges(3))
        found = [record for record in host.records if isinstance(record, Impulse)]
        assert [(record.sequence, record.backlog) for record in found] == [(1, False), (2, True), (3, True)]
        host.cut()


async def test_the_rig_plays_a_heat_on_an_impulse_box(make_setup: Callable[..., Setup]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    setup = make_setup(devices=(device("timy", f"tcp:127.0.0.1:{port}"),))
    rig = Rig(setup, load_script("tokyo2020-men-keirin"), HostClock(), seed=3)
    box = rig.boxes["timy"]
    assert isinstance(box, ImpulseBox)
    timeline = rig.timelines["final-a"]
    for event in timeline.events:
        rig._emit(event, GUN_US)
    assert isinstance(box.dialect, TimyDialect)
    assert len(box.dialect.memory) == len(timeline.events)
    assert {line.channel for line in box.dialect.memory} == {"C0", "C1"}
