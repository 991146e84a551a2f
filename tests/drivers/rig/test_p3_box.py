"""The simulated P3 decoder over a real pty and over real TCP, asked by a hand-made host."""

import asyncio
import os
import socket
import termios
import time
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from config.models import Device
from drivers.hostclock import HostClock
from drivers.protocols.p3 import P3Parser
from drivers.protocols.p3_frame import Frame, FrameReader, ReceivedFrame
from drivers.protocols.p3_messages import encode_get_time, encode_resend
from drivers.protocols.p3_records import PassingField, TimeField, TypeOfRecord
from drivers.records import Passing
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.p3_box import P3Box
from drivers.rig.ports import Greet, Port, PtyPort, RigError, TcpPort
from drivers.rig.race import Edge, LoopRead
from drivers.transports.address import SerialAddress, TcpAddress, parse_address

WAIT_S = 5.0
OFFSET_US = 1_234_567


class Host(Protocol):
    async def receive(self) -> bytes: ...

    async def send(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


class PtyHost:
    """The host's end of a serial line, without any of our transport code."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._descriptor, termios.TCSANOW)  # keeps what the box sent before

    async def receive(self) -> bytes:
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._descriptor, lambda: readable.done() or readable.set_result(None))
        try:
            await readable
            return os.read(self._descriptor, 65_536)
        finally:
            loop.remove_reader(self._descriptor)

    async def send(self, data: bytes) -> None:
        os.write(self._descriptor, data)

    async def close(self) -> None:
        os.close(self._descriptor)


class TcpHost:
    """The host's end of a TCP line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self) -> bytes:
        return await self._reader.read(65_536)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def close(self) -> None:
        self._writer.close()


class Line:
    """One box and the way to connect to it."""

    def __init__(self, box: P3Box, address: SerialAddress | TcpAddress, clock: HostClock) -> None:
        self.box = box
        self.address = address
        self.clock = clock

    async def connect(self) -> Host:
        if isinstance(self.address, SerialAddress):
            return PtyHost(Path(self.address.path))
        return TcpHost(*await asyncio.open_connection(self.address.host, self.address.port))

    def pass_over(self, transponder: int, at_us: int = 0, gun_us: int = 1_000_000_000) -> None:
        read = LoopRead(at_us=at_us, device="p3", channel=None, transponder=str(transponder), strength=99, hits=31)
        self.box.read(read, gun_us)


async def frames(host: Host, kind: TypeOfRecord, count: int) -> list[Frame]:
    """The next `count` frames of a kind; others are passed over."""
    reader = FrameReader()
    found: list[Frame] = []
    async with asyncio.timeout(WAIT_S):
        while len(found) < count:
            for item in reader.feed(await host.receive()):
                assert isinstance(item, ReceivedFrame), item
                if item.frame.type_of_record == kind:
                    found.append(item.frame)
    return found


def number(frame: Frame, tag: int) -> int:
    return int.from_bytes(dict(frame.fields)[tag], "little")


@asynccontextmanager
async def opened_line(address: str) -> AsyncIterator[Line]:
    device = Device(id="p3", protocol="p3", address=address, loop="finish")
    clock = HostClock()
    model = DeviceClockModel(zero_host_us=0, offset_us=OFFSET_US, resolution_us=1_000)
    parsed = parse_address(address)
    assert isinstance(parsed, SerialAddress | TcpAddress)

    def opening(greet: Greet) -> Port:
        return PtyPort(parsed, greet) if isinstance(parsed, SerialAddress) else TcpPort(parsed, greet)

    box = P3Box(device, opening, model, clock, seed=1)
    await box.open()
    running = asyncio.create_task(box.run())
    try:
        yield Line(box, parsed, clock)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await box.close()


async def turned_away(host: Host) -> bool:
    try:
        return await host.receive() == b""
    except ConnectionResetError:
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=["serial", "tcp"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the box is: behind a symlink to a pty, or on a TCP port."""
    if request.param == "serial":
        return f"serial:{tmp_path / 'dev' / 'p3-finish'}?baud=19200"
    return f"tcp:127.0.0.1:{free_port()}"


async def connected(line: Line) -> Host:
    """Connect, and wait until the box has noticed it: it answers."""
    host = await line.connect()
    await host.send(encode_get_time())
    await frames(host, TypeOfRecord.GET_TIME, 1)
    return host


async def test_box_speaks_first_with_a_status(tmp_path: Path) -> None:
    async with opened_line(f"serial:{tmp_path / 'p3'}") as line:
        host = await line.connect()
        (status,) = await frames(host, TypeOfRecord.STATUS, 1)
        assert number(status, 0x01) < 40, "noise of a healthy loop"
        await host.close()


async def test_passing_carries_its_number_transponder_strength_hits_and_the_boxs_own_time(
    address: str,
) -> None:
    async with opened_line(address) as line:
        host = await connected(line)
        line.pass_over(5_000_004, at_us=123_456)
        (passing,) = await frames(host, TypeOfRecord.PASSING, 1)
        assert number(passing, PassingField.NUMBER) == 1
        assert number(passing, PassingField.TRANSPONDER) == 5_000_004
        assert number(passing, PassingField.STRENGTH) == 99
        assert number(passing, PassingField.HITS) == 31
        exact_us = 1_000_000_000 + 123_456 + OFFSET_US
        assert number(passing, PassingField.RTC_TIME) == exact_us - exact_us % 1_000
        await host.close()


async def test_get_time_is_answered_with_the_boxs_clock_between_question_and_answer(address: str) -> None:
    async with opened_line(address) as line:
        host = await connected(line)
        trips_us = []
        for _ in range(20):
            sent_us = line.clock.now_us()
            await host.send(encode_get_time())
            (answer,) = await frames(host, TypeOfRecord.GET_TIME, 1)
            received_us = line.clock.now_us()
            stamp_us = number(answer, TimeField.RTC_TIME) - OFFSET_US
            assert sent_us - 1_000 <= stamp_us <= received_us, "cut down to 1 ms"
            trips_us.append(received_us - sent_us)
        assert min(trips_us) < 5_000
        await host.close()


async def test_resend_gives_exactly_the_passings_asked_for_and_nothing_for_unknown_numbers(
    address: str,
) -> None:
    async with opened_line(address) as line:
        for index in range(1, 11):
            line.pass_over(1_000 + index)
        host = await connected(line)
        await host.send(encode_resend(50, 60) + encode_resend(3, 5) + encode_resend(9, 0xFFFF_FFFF))
        found = await frames(host, TypeOfRecord.PASSING, 5)
        assert [number(frame, PassingField.NUMBER) for frame in found[-5:]] == [3, 4, 5, 9, 10]
        await host.close()


async def test_memory_and_numbers_outlive_a_lost_host(address: str) -> None:
    async with opened_line(address) as line:
        host = await connected(line)
        line.pass_over(1_001)
        await frames(host, TypeOfRecord.PASSING, 1)
        await host.close()
        line.pass_over(1_002)
        again = await connected(line)
        await again.send(encode_resend(1, 2))
        found = await frames(again, TypeOfRecord.PASSING, 2)
        assert [number(frame, PassingField.TRANSPONDER) for frame in found][-1] == 1_002
        line.pass_over(1_003)
        (live,) = await frames(again, TypeOfRecord.PASSING, 1)
        assert number(live, PassingField.NUMBER) == 3
        await again.close()


async def test_a_line_that_nobody_reads_never_blocks_the_box_and_resend_has_everything(
    tmp_path: Path,
) -> None:
    async with opened_line(f"serial:{tmp_path / 'p3'}") as line:
        began = time.monotonic()
        for index in range(3_000):
            line.pass_over(index)
        assert time.monotonic() - began < 2.0
        host = PtyHost(tmp_path / "p3")
        newest = 0
        reader = FrameReader()
        await host.send(encode_resend(1, 3_000))
        seen: set[int] = set()
        async with asyncio.timeout(WAIT_S):
            while newest < 3_000 or len(seen) < 3_000:
                for item in reader.feed(await host.receive()):
                    assert isinstance(item, ReceivedFrame)
                    if item.frame.type_of_record == TypeOfRecord.PASSING:
                        newest = number(item.frame, PassingField.NUMBER)
                        seen.add(newest)
        assert seen == set(range(1, 3_001))
        await host.close()


async def test_what_waits_unread_for_more_than_a_second_is_dropped_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.rig.ports.UNREAD_AFTER_S", -1.0)
    async with opened_line(f"serial:{tmp_path / 'p3'}") as line:
        for index in range(3_000):
            line.pass_over(index)
        host = PtyHost(tmp_path / "p3")
        await host.send(encode_get_time())
        reader = FrameReader()
        numbers: list[int] = []
        answered = False
        async with asyncio.timeout(WAIT_S):
            while not answered:
                for item in reader.feed(await host.receive()):
                    assert isinstance(item, ReceivedFrame), "no frame is cut"
                    answered = answered or item.frame.type_of_record == TypeOfRecord.GET_TIME
                    if item.frame.type_of_record == TypeOfRecord.PASSING:
                        numbers.append(number(item.frame, PassingField.NUMBER))
                if not answered:
                    await host.send(encode_get_time())
        assert len(numbers) < 3_000
        assert numbers == sorted(numbers)
        await host.close()


async def test_other_requests_get_an_error_and_a_damaged_one_too(address: str) -> None:
    async with opened_line(address) as line:
        host = await connected(line)
        damaged = bytearray(encode_resend(1, 2))
        damaged[12] ^= 0x01
        await host.send(bytes(damaged))
        (error,) = await frames(host, TypeOfRecord.ERROR, 1)
        assert number(error, 0x01) == 1
        await host.close()


async def test_tcp_box_serves_four_hosts_and_turns_the_fifth_away() -> None:
    async with opened_line(f"tcp:127.0.0.1:{free_port()}") as line:
        hosts = [await connected(line) for _ in range(4)]
        fifth = await line.connect()
        async with asyncio.timeout(WAIT_S):
            assert await turned_away(fifth)
        line.pass_over(7)
        for host in hosts:
            assert len(await frames(host, TypeOfRecord.PASSING, 1)) == 1
            await host.close()


async def test_the_symlink_goes_with_the_box_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "p3"
    path.symlink_to("/dev/null")
    async with opened_line(f"serial:{path}"):
        assert os.readlink(path).startswith("/dev/pts/")
    assert not path.is_symlink()


async def test_a_file_in_the_way_is_never_touched_and_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "p3"
    path.write_text("precious", "utf-8")
    with pytest.raises(RigError, match=r"cannot put its serial port there \(File exists\); choose an address"):
        async with opened_line(f"serial:{path}"):
            raise AssertionError("it must not open")
    assert path.read_text("utf-8") == "precious"


async def test_a_port_in_use_is_named_in_the_error() -> None:
    port = free_port()
    async with opened_line(f"tcp:127.0.0.1:{port}"):
        with pytest.raises(RigError, match=f"tcp:127.0.0.1:{port}: the rig cannot listen there"):
            async with opened_line(f"tcp:127.0.0.1:{port}"):
                raise AssertionError("it must not open")


def test_a_beacons_edge_is_a_numbered_passing_of_its_channel() -> None:
    model = DeviceClockModel(zero_host_us=0, offset_us=OFFSET_US)
    device = Device(id="p3", protocol="p3", address="tcp:127.0.0.1:1", loop="finish")
    box = P3Box(
        device,
        lambda greet: TcpPort(TcpAddress(text="tcp:127.0.0.1:1", host="127.0.0.1", port=1), greet),
        model,
        HostClock(),
        5,
    )
    box.read(LoopRead(at_us=0, device="p3", channel=None, transponder="77", strength=99, hits=31), 1_000_000)
    box.edge(Edge(at_us=500_000, device="p3", channel="9992"), 1_000_000)
    records = P3Parser("p3").feed(b"".join(box.passings), 1)
    assert [(one.transponder, one.sequence, one.strength, one.hits) for one in records if isinstance(one, Passing)] == [
        ("77", 1, 99, 31),
        ("9992", 2, None, None),
    ]
    assert isinstance(records[1], Passing)
    assert records[1].device_us == 1_500_000 + OFFSET_US
