"""The self-test of two serial ports: over two ptys joined by a pump that stands for the cable, good or bad."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from drivers import selftest
from drivers.errors import AddressError, OpenFailed
from drivers.hostclock import HostClock
from drivers.selftest import BAUDS, FRAMES, check_cable, count_good_frames, encode_frames

Wire: TypeAlias = Callable[[bytes], bytes]
SENT = len(b"".join(encode_frames()))


def whole(data: bytes) -> bytes:
    return data


class Cable:
    """Two ports and what joins them: each wire is a function of the bytes that go into it."""

    def __init__(self, a_to_b: Wire = whole, b_to_a: Wire = whole, *, looped: bool = False) -> None:
        self._masters = []
        self._slaves = []
        self.ports = []
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._masters.append(master)
            self._slaves.append(slave)
            self.ports.append(os.ttyname(slave))
        self._wires = (a_to_b, b_to_a)
        self._looped = looped

    def join(self) -> None:
        loop = asyncio.get_running_loop()
        for end in range(2):
            loop.add_reader(self._masters[end], self._carry, end)

    def cut(self) -> None:
        loop = asyncio.get_running_loop()
        for master, slave in zip(self._masters, self._slaves, strict=True):
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)

    def _carry(self, end: int) -> None:
        data = self._wires[end](os.read(self._masters[end], 4_096))
        os.write(self._masters[end if self._looped else 1 - end], data)


@asynccontextmanager
async def joined(cable: Cable) -> AsyncIterator[tuple[str, str]]:
    cable.join()
    try:
        yield cable.ports[0], cable.ports[1]
    finally:
        cable.cut()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pty takes no time on the wire; a bad cable need not cost a second and a half."""
    monkeypatch.setattr(selftest, "SLACK_S", 0.1)


async def test_a_good_cable_carries_every_byte_both_ways_at_every_speed(clock: HostClock) -> None:
    async with joined(Cable()) as (a, b):
        results = await check_cable(a, b, clock)
    assert [one.baud for one in results] == [baud for baud in BAUDS for _ in range(2)]
    assert {(one.sender, one.receiver) for one in results} == {
        (f"serial:{a}", f"serial:{b}"),
        (f"serial:{b}", f"serial:{a}"),
    }
    for one in results:
        assert one.good, one
        assert (one.received, one.frames_good) == (SENT, FRAMES)
        assert one.took_us > 0


async def test_a_cable_that_is_not_there_is_told(clock: HostClock) -> None:
    async with joined(Cable(a_to_b=lambda data: b"")) as (a, b):
        there, back = await check_cable(a, b, clock, bauds=(115_200,))
    assert there.reason == "nothing arrives"
    assert "crossed (null modem)" in there.advice
    assert (there.received, there.frames_good) == (0, 0)
    assert back.good


async def test_a_loop_back_plug_on_one_port_is_told_apart_from_a_cable(clock: HostClock) -> None:
    async with joined(Cable(looped=True)) as (a, b):
        results = await check_cable(a, b, clock, bauds=(115_200,))
    assert {one.reason for one in results} == {f"the {SENT} bytes came back to the port that sent them"}
    assert "joins TX and RX of one port" in results[0].advice


async def test_a_changed_byte_is_told_with_its_place(clock: HostClock) -> None:
    def without_eighth_bit(data: bytes) -> bytes:
        return bytes(byte & 0x7F for byte in data)

    async with joined(Cable(b_to_a=without_eighth_bit)) as (a, b):
        there, back = await check_cable(a, b, clock, bauds=(19_200,))
    assert there.good
    assert back.reason == "byte 0 arrives as 25 in place of a5"
    assert "19200 baud" in back.advice
    assert back.frames_good == 0


async def test_swallowed_flow_control_characters_are_found(clock: HostClock) -> None:
    async with joined(Cable(a_to_b=lambda data: data.replace(b"\x11", b"").replace(b"\x13", b""))) as (a, b):
        there, _ = await check_cable(a, b, clock, bauds=(38_400,))
    assert not there.good
    assert there.received < SENT


async def test_missing_last_bytes_are_counted(clock: HostClock) -> None:
    passed = 0

    def cut_short(data: bytes) -> bytes:
        nonlocal passed
        kept = data[: max(0, SENT - 5 - passed)]
        passed += len(data)
        return kept

    async with joined(Cable(a_to_b=cut_short)) as (a, b):
        there, _ = await check_cable(a, b, clock, bauds=(57_600,))
    assert there.reason == "5 bytes are missing"
    assert there.frames_good == FRAMES - 1


async def test_bytes_left_from_before_do_not_spoil_the_test(clock: HostClock) -> None:
    cable = Cable()
    os.write(cable._masters[1], b"left over")
    async with joined(cable) as (a, b):
        assert all(one.good for one in await check_cable(a, b, clock, bauds=(9_600,)))


async def test_a_port_that_is_not_there_and_an_address_that_is_none_are_refused(clock: HostClock) -> None:
    with pytest.raises(OpenFailed, match="there is no port"):
        await check_cable("/dev/velodrome/absent", "/dev/velodrome/absent2", clock)
    with pytest.raises(AddressError, match="no setting 'speed'"):
        await check_cable("serial:/dev/a?speed=1", "/dev/b", clock)


def test_the_frames_hold_every_value_of_a_byte() -> None:
    assert set(b"".join(encode_frames())) == set(range(256))
    assert count_good_frames(b"".join(encode_frames(7))) == FRAMES


@given(st.binary(max_size=60), st.integers(0, FRAMES - 1), st.integers(0, 69), st.integers(0, 7))
def test_a_flipped_bit_costs_its_frame_and_garbage_between_costs_none(
    garbage: bytes, frame: int, place: int, bit: int
) -> None:
    frames = encode_frames()
    assert count_good_frames(garbage.replace(b"\xa5", b"") + b"".join(frames)) == FRAMES
    damaged = bytearray(frames[frame])
    damaged[place] ^= 1 << bit
    assert count_good_frames(b"".join([*frames[:frame], bytes(damaged), *frames[frame + 1 :]])) == FRAMES - 1


@given(st.binary(max_size=400))
def test_counting_never_raises(data: bytes) -> None:
    assert 0 <= count_good_frames(data) <= len(data) // 6


def test_the_command_prints_a_table_and_fails_when_one_way_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from timing.commands import loopback

    def result(good: bool) -> selftest.LoopbackResult:
        return selftest.LoopbackResult(
            sender="serial:/dev/a",
            receiver="serial:/dev/b",
            baud=9_600,
            sent=420,
            received=420 if good else 0,
            frames_good=6 if good else 0,
            frames_sent=6,
            took_us=500_000,
            reason="" if good else "nothing arrives",
            advice="" if good else "check the cable",
        )

    verdicts = iter([[result(True)], [result(True), result(False)]])

    async def check(port_a: str, port_b: str, clock: HostClock) -> list[selftest.LoopbackResult]:
        assert (port_a, port_b) == ("/dev/a", "/dev/b")
        return next(verdicts)

    monkeypatch.setattr(loopback, "check_cable", check)
    monkeypatch.setattr(loopback, "Console", lambda **options: Console(width=160, **options))
    assert loopback.run("/dev/a", "/dev/b") == 0
    assert "6 of 6 frames, 420 of 420 bytes in 500 ms" in capsys.readouterr().out
    assert loopback.run("/dev/a", "/dev/b") == 1
    shown = capsys.readouterr().out
    assert "WRONG" in shown
    assert "nothing arrives; check the cable" in shown
