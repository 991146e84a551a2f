"""Wrong baud, wrong protocol: the line is live, and the operator is told that its bytes mean nothing."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.models import Broker, Device
from drivers import meaning as meaning_module
from drivers import supervisor as supervisor_module
from drivers.hostclock import ClockAnchor, HostClock
from drivers.meaning import NONSENSE_AFTER_US, NONSENSE_BYTES, NONSENSE_FRAMES, UNFRAMED_BYTES, MeaningWatch
from drivers.protocols.base import Resume
from drivers.protocols.registry import protocol
from drivers.records import Delivery, DeviceHealth, DeviceStatus, Malformed
from drivers.supervisor import DeviceSupervisor
from drivers.transports import create_transport

WAIT_S = 5
SPEED = 50.0
"""The clock runs so many times faster: five seconds pass in a tenth."""
STATUS = bytes.fromhex("8e021f00f3890000020001022800070216000c01760601008104131804008f")
REASON = "bytes arrive but nothing in them is p3"

SERIAL = Device(id="finish", protocol="p3", address="serial:/dev/ttyUSB0")
BAD = Malformed(device="finish", received_us=0, offset=0, reason="checksum")
GOOD = DeviceStatus(device="finish", received_us=0, noise=20)


def garbage(seed: int, size: int) -> bytes:
    """What a 19,200 baud box looks like at 9,600: bytes with SOF and EOF of P3 here and there among them."""
    lot = random.Random(seed)
    return bytes(lot.choice((0x8E, 0x8F, lot.randrange(256))) for _ in range(size))


# -- the counting --------------------------------------------------------------------------------------------


def test_bytes_and_bad_frames_and_time_are_all_needed() -> None:
    watch = MeaningWatch(SERIAL)
    watch.heard(bytes(NONSENSE_BYTES), [BAD] * (NONSENSE_FRAMES - 1), 1_000)
    assert not watch.doubtful
    watch.heard(b"x", [BAD], 2_000)
    assert watch.doubtful
    assert not watch.is_nonsense(1_000 + NONSENSE_AFTER_US - 1)
    assert watch.is_nonsense(1_000 + NONSENSE_AFTER_US)


def test_a_stream_without_any_frame_needs_more_bytes() -> None:
    watch = MeaningWatch(SERIAL)
    watch.heard(bytes(UNFRAMED_BYTES - 1), [], 0)
    assert not watch.doubtful
    watch.heard(b"x", [], 0)
    assert watch.doubtful


def test_one_good_record_clears_all_doubt() -> None:
    watch = MeaningWatch(SERIAL)
    watch.heard(bytes(10_000), [BAD] * 50, 0)
    watch.heard(b"x", [BAD, GOOD, BAD], 1)
    assert not watch.doubtful
    assert not watch.is_nonsense(NONSENSE_AFTER_US * 9)


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 3), st.integers(0, 2_000_000)), max_size=40))
def test_a_box_whose_every_read_has_a_good_record_is_never_doubted(reads: list[tuple[int, int, int]]) -> None:
    watch = MeaningWatch(SERIAL)
    now_us = 0
    for size, bad, pause_us in reads:
        now_us += pause_us
        watch.heard(bytes(size), [*[BAD] * bad, GOOD], now_us)
        assert not watch.is_nonsense(now_us + NONSENSE_AFTER_US)


def test_the_advice_speaks_of_baud_on_a_serial_line_only() -> None:
    assert "baud" in MeaningWatch(SERIAL).advice
    over_tcp = MeaningWatch(Device(id="finish", protocol="p3", address="tcp:box:5403"))
    assert "baud" not in over_tcp.advice
    assert "protocol" in over_tcp.advice
    assert over_tcp.reason == REASON


# -- the supervisor over a pty -------------------------------------------------------------------------------


class Office:
    """What the supervisor reports, and a wait for it."""

    def __init__(self) -> None:
        self.healths: list[DeviceHealth] = []
        self.raw = bytearray()
        self._changed = asyncio.Event()

    def deliver(self, delivery: Delivery) -> asyncio.Future[None]:
        self.raw += delivery.raw
        self._changed.set()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def report(self, health: DeviceHealth) -> None:
        self.healths.append(health)
        self._changed.set()

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not happened():
                self._changed.clear()
                await self._changed.wait()

    def told(self) -> list[tuple[str, str]]:
        return [(health.state, health.reason) for health in self.healths]


@asynccontextmanager
async def supervised(box: Any, silent_after_s: float = 0) -> AsyncIterator[Office]:
    clock = HostClock(ClockAnchor(HostClock().anchor.monotonic_ns, 1_628_000_000_000_000, SPEED))
    device = Device(id="finish", protocol="p3", address=f"serial:{box.link}?baud=9600", silent_after_s=silent_after_s)
    office = Office()
    supervisor = DeviceSupervisor(
        device,
        protocol("p3").session(device, Resume()),
        lambda: create_transport(device.address, clock, Broker()),
        clock,
        office.deliver,
        office.report,
    )
    running = asyncio.create_task(supervisor.run())
    try:
        await office.until(lambda: office.told()[-1:] == [("live", "")])
        yield office
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_wrong_baud_is_told_while_live_and_untold_by_the_first_good_frame(box: Any) -> None:
    async with supervised(box) as office:
        box.say(garbage(1, 1_500))
        await office.until(lambda: len(office.healths) == 3)
        assert office.told() == [("connecting", ""), ("live", ""), ("live", REASON)]
        assert "compare baud" in office.healths[-1].advice
        # Lone end bytes first: the parser may still wait for the end of a frame that garbage began.
        box.say(b"\x8f" + STATUS)
        await office.until(lambda: len(office.healths) == 4)
        assert office.told()[-1] == ("live", "")
        assert office.healths[-1].advice == ""
        box.say(garbage(2, 1_500))
        await office.until(lambda: office.told()[-1] == ("live", REASON))


async def test_garbage_before_a_good_frame_within_five_seconds_is_no_alarm(
    box: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "NONSENSE_AFTER_US", 10**12)
    monkeypatch.setattr(meaning_module, "NONSENSE_AFTER_US", 10**12)
    async with supervised(box) as office:
        box.say(garbage(3, 1_500) + b"\x8f" + STATUS)
        await office.until(lambda: bytes(office.raw).endswith(STATUS))
        assert office.told() == [("connecting", ""), ("live", "")]


async def test_silence_and_garbage_again_is_told_again(box: Any) -> None:
    async with supervised(box, silent_after_s=10.0) as office:
        box.say(garbage(4, 1_500))
        await office.until(lambda: len(office.healths) == 4)
        assert [state for state, _ in office.told()] == ["connecting", "live", "live", "silent"]
        box.say(garbage(5, 50))
        await office.until(lambda: len(office.healths) >= 5)
        assert office.told()[4] == ("live", REASON)


async def test_a_new_connection_begins_without_prejudice(box: Any) -> None:
    async with supervised(box) as office:
        box.say(garbage(6, 1_500))
        await office.until(lambda: office.told()[-1] == ("live", REASON))
        box.unplug()
        await office.until(lambda: office.told()[-1][0] == "connecting")
        box.plug_in()
        await office.until(lambda: office.told()[-1][0] == "live")
        assert office.told()[-1] == ("live", "")
