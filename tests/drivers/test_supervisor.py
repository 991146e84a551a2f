"""The supervisor's promises: what is journaled, when a box is acknowledged, what is reported."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.models import Device
from drivers import supervisor as supervisor_module
from drivers.errors import DeliveryFailed, OpenFailed
from drivers.hostclock import ClockAnchor, HostClock
from drivers.protocols.base import Reaction
from drivers.records import Delivery, DeviceHealth, Malformed, Passing, Record
from drivers.supervisor import TRANSITIONS, DeviceState, DeviceSupervisor
from drivers.transports import LoopbackTransport, Transport

WAIT_S = 3


class LineSession:
    """A box that sends one transponder a line, wants `ack` for each and is asked `hello` and `tick`."""

    def __init__(self, tick_us: int = 0) -> None:
        self.tick_us = tick_us
        self.ticks = 0
        self._buffer = b""

    def connected(self, now_us: int) -> Sequence[bytes]:
        self._buffer = b""
        return [b"hello\n"]

    def receive(self, data: bytes, now_us: int) -> Reaction:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        records = [Passing(device="loop", received_us=now_us, device_us=0, transponder=line.decode()) for line in lines]
        return Reaction(tuple(records), tuple(b"more\n" for line in lines if line == b"?"))

    def disconnected(self, now_us: int) -> Sequence[Record]:
        rest, self._buffer = self._buffer, b""
        return [Malformed(device="loop", received_us=now_us, offset=0, reason="cut", raw=rest.hex())] if rest else []

    def tick(self, now_us: int) -> Sequence[bytes]:
        self.ticks += 1
        return [b"tick\n"]

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        return [f"ack {record.transponder}\n".encode() for record in records if isinstance(record, Passing)]


class Bench:
    """A supervisor with a loopback box and a journal turned by hand; what it says is written down."""

    def __init__(self, clock: HostClock, *, silent_after_s: float = 0, session: LineSession | None = None) -> None:
        self.clock = clock
        self.session = session or LineSession()
        self.boxes: asyncio.Queue[LoopbackTransport] = asyncio.Queue()
        self.lines: list[LoopbackTransport] = []
        self.failures: list[OpenFailed] = []
        self.deliveries: list[Delivery] = []
        self.on_disk: list[asyncio.Future[None]] = []
        self.journal_is_quick = True
        self.healths: list[DeviceHealth] = []
        self._changed = asyncio.Event()
        device = Device(id="loop", protocol="line", address="tcp:box:1", silent_after_s=silent_after_s)
        self.supervisor = DeviceSupervisor(device, self.session, self.make_transport, clock, self.deliver, self.report)
        self.running: asyncio.Task[None] | None = None

    def make_transport(self) -> Transport:
        if self.failures:
            return LoopbackTransport(self.clock, self.failures.pop(0))
        line, box = LoopbackTransport.pair(self.clock)
        self.lines.append(line)
        self.boxes.put_nowait(box)
        return line

    def deliver(self, delivery: Delivery) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.journal_is_quick:
            future.set_result(None)
        self.deliveries.append(delivery)
        self.on_disk.append(future)
        self._changed.set()
        return future

    def report(self, health: DeviceHealth) -> None:
        self.healths.append(health)
        self._changed.set()

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not happened():
                self._changed.clear()
                await self._changed.wait()

    async def until_state(self, *states: str) -> None:
        """Wait until exactly these states were reported, in this order."""
        await self.until(lambda: len(self.healths) >= len(states))
        assert [health.state for health in self.healths] == list(states)

    async def box(self) -> LoopbackTransport:
        async with asyncio.timeout(WAIT_S):
            return await self.boxes.get()

    async def __aenter__(self) -> "Bench":
        self.running = asyncio.create_task(self.supervisor.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.running is not None
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


async def heard(box: LoopbackTransport, count: int) -> list[bytes]:
    async with asyncio.timeout(WAIT_S):
        return [(await box.receive()).data for _ in range(count)]


# -- bytes, records, disk ------------------------------------------------------------------------------------


async def test_a_connection_begins_with_the_sessions_questions(clock: HostClock) -> None:
    async with Bench(clock) as bench:
        assert await heard(await bench.box(), 1) == [b"hello\n"]


async def test_a_read_is_handed_over_raw_with_the_records_that_it_completed(clock: HostClock) -> None:
    async with Bench(clock) as bench:
        box = await bench.box()
        await box.send(b"101\n102\n")
        await bench.until(lambda: len(bench.deliveries) == 1)
    (delivery,) = bench.deliveries
    assert (delivery.device, delivery.raw) == ("loop", b"101\n102\n")
    assert [record.transponder for record in delivery.records if isinstance(record, Passing)] == [
        "101",
        "102",
    ]
    assert delivery.received_us == delivery.records[0].received_us


async def test_a_question_of_the_session_goes_out_at_once(clock: HostClock) -> None:
    async with Bench(clock) as bench:
        bench.journal_is_quick = False
        box = await bench.box()
        await box.send(b"?\n")
        assert await heard(box, 2) == [b"hello\n", b"more\n"]


async def test_the_box_is_acknowledged_only_when_its_record_is_on_disk(clock: HostClock) -> None:
    async with Bench(clock) as bench:
        bench.journal_is_quick = False
        box = await bench.box()
        await box.send(b"101\n")
        await box.send(b"?\n")
        # The answer to the second read shows that the first was handled to its end without an acknowledgement.
        assert await heard(box, 2) == [b"hello\n", b"more\n"]
        await bench.until(lambda: len(bench.on_disk) == 2)
        for future in bench.on_disk:
            future.set_result(None)
        assert await heard(box, 2) == [b"ack 101\n", b"ack ?\n"]


async def test_an_acknowledgement_never_goes_over_a_later_connection(clock: HostClock) -> None:
    async with Bench(clock) as bench:
        bench.journal_is_quick = False
        first = await bench.box()
        await first.send(b"101\n")
        await bench.until(lambda: len(bench.on_disk) == 1)
        await first.close()
        second = await bench.box()
        assert await heard(second, 1) == [b"hello\n"]
        bench.on_disk[0].set_result(None)
        await second.send(b"102\n")
        await bench.until(lambda: len(bench.on_disk) == 2)
        bench.on_disk[1].set_result(None)
        assert await heard(second, 1) == [b"ack 102\n"]


async def test_bytes_that_complete_nothing_wait_for_those_that_do(clock: HostClock) -> None:
    async with Bench(clock) as bench:
        box = await bench.box()
        for part in (b"1", b"0", b"1\n1"):
            await box.send(part)
        await bench.until(lambda: len(bench.deliveries) == 1)
        assert bench.deliveries[0].raw == b"101\n1"


async def test_bytes_that_complete_nothing_are_journaled_after_a_second_all_the_same(
    clock: HostClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supervisor_module.HOLD_AT_MOST_S == 1.0
    monkeypatch.setattr(supervisor_module, "HOLD_AT_MOST_S", 0.02)
    async with Bench(clock) as bench:
        await (await bench.box()).send(b"noise")
        await bench.until(lambda: len(bench.deliveries) == 1)
        assert (bench.deliveries[0].raw, bench.deliveries[0].records) == (b"noise", ())


async def test_more_than_four_kilobytes_that_complete_nothing_are_not_held(clock: HostClock) -> None:
    async with Bench(clock) as bench:
        await (await bench.box()).send(b"x" * 4_096)
        await bench.until(lambda: len(bench.deliveries) == 1)
        assert (len(bench.deliveries[0].raw), bench.deliveries[0].records) == (4_096, ())


async def test_an_unfinished_record_is_journaled_when_the_line_is_lost(clock: HostClock) -> None:
    async with Bench(clock) as bench:
        box = await bench.box()
        await box.send(b"10")
        await box.close()
        await bench.until(lambda: len(bench.deliveries) == 1)
        (delivery,) = bench.deliveries
        assert delivery.raw == b"10"
        assert isinstance(delivery.records[0], Malformed)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 39), max_size=12, unique=True))
def test_any_split_of_the_bytes_gives_the_same_records_and_the_same_raw_stream(cuts: list[int]) -> None:
    stream = b"".join(b"%03d\n" % number for number in range(10))

    async def play() -> list[Delivery]:
        async with Bench(HostClock()) as bench:
            box = await bench.box()
            for start, end in pairwise([0, *sorted(cuts), len(stream)]):
                await box.send(stream[start:end])
            await bench.until(lambda: sum(len(delivery.records) for delivery in bench.deliveries) == 10)
            return bench.deliveries

    deliveries = asyncio.run(play())
    assert b"".join(delivery.raw for delivery in deliveries) == stream
    transponders = [
        record.transponder for delivery in deliveries for record in delivery.records if isinstance(record, Passing)
    ]
    assert transponders == [f"{number:03d}" for number in range(10)]


async def test_a_stuck_disk_stops_reading_until_it_takes_deliveries_again(
    clock: HostClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "UNDELIVERED_AT_MOST", 3)
    async with Bench(clock) as bench:
        bench.journal_is_quick = False
        box = await bench.box()
        await bench.until_state("connecting", "live")
        for number in range(5):
            await box.send(b"%d\n" % number)
        await bench.until(lambda: len(bench.deliveries) == 3)
        assert bench.lines[0]._inbox.waiting_bytes == 4
        bench.on_disk[0].set_result(None)
        await bench.until(lambda: len(bench.deliveries) == 4)
        for future in bench.on_disk[1:]:
            future.set_result(None)
        await bench.until(lambda: len(bench.deliveries) == 5)


@pytest.mark.parametrize("refusal", ["error", "cancelled"])
async def test_a_journal_that_refuses_a_delivery_ends_the_supervisor(clock: HostClock, refusal: str) -> None:
    async with Bench(clock) as bench:
        bench.journal_is_quick = False
        await (await bench.box()).send(b"101\n")
        await bench.until(lambda: len(bench.on_disk) == 1)
        if refusal == "error":
            bench.on_disk[0].set_exception(OSError(28, "No space left on device"))
        else:
            bench.on_disk[0].cancel()
        assert bench.running is not None
        async with asyncio.timeout(WAIT_S):
            with pytest.raises(DeliveryFailed) as caught:
                await bench.running
    assert bench.healths[-1].reason == caught.value.reason
    assert "check the disk" in bench.healths[-1].advice
    assert refusal == "cancelled" or "No space left" in caught.value.reason


async def test_cancelling_leaves_no_task_and_does_not_cancel_the_journals_work(clock: HostClock) -> None:
    tasks_before = asyncio.all_tasks()
    async with Bench(clock, silent_after_s=10, session=LineSession(tick_us=10_000)) as bench:
        bench.journal_is_quick = False
        await (await bench.box()).send(b"101\n10")
        await bench.until(lambda: len(bench.on_disk) == 1)
    assert asyncio.all_tasks() == tasks_before
    assert bench.lines[0].closed
    assert not any(future.cancelled() for future in bench.on_disk)
    assert isinstance(bench.deliveries[-1].records[0], Malformed)


# -- time ----------------------------------------------------------------------------------------------------


async def test_the_session_is_ticked_at_its_own_pace_of_the_host_clock(clock: HostClock) -> None:
    async with Bench(clock, session=LineSession(tick_us=5_000)) as bench:
        start_us = clock.now_us()
        assert await heard(await bench.box(), 4) == [b"hello\n", b"tick\n", b"tick\n", b"tick\n"]
        assert clock.now_us() - start_us >= 15_000


async def test_a_fast_clock_does_not_make_ticks_faster_than_two_milliseconds() -> None:
    fast = HostClock(ClockAnchor(HostClock().anchor.monotonic_ns, 0, speed=1_000))
    async with Bench(fast, session=LineSession(tick_us=1)) as bench:
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        await heard(await bench.box(), 6)
        assert loop.time() - start_s >= 0.010


async def test_a_quiet_box_falls_silent_and_its_next_byte_makes_it_live(clock: HostClock) -> None:
    async with Bench(clock, silent_after_s=0.02) as bench:
        box = await bench.box()
        await bench.until_state("connecting", "live", "silent")
        assert bench.healths[-1].reason == "connected, but nothing heard for 0.02 s"
        assert bench.healths[-1].advice
        await box.send(b"1")
        await bench.until_state("connecting", "live", "silent", "live", "silent")


# -- states --------------------------------------------------------------------------------------------------


async def test_a_lost_line_goes_through_lost_and_backing_off_and_is_live_again(clock: HostClock) -> None:
    async with Bench(clock) as bench:
        await (await bench.box()).close()
        await bench.until_state("connecting", "live", "lost", "backing_off", "connecting", "live")
    lost = bench.healths[2]
    assert lost.reason == "the other end was closed"
    assert lost.advice


async def test_a_box_that_stays_away_is_reported_once_and_again_when_the_reason_changes(
    clock: HostClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "BACK_OFF_S", (0.001,))
    monkeypatch.setattr(supervisor_module, "SHORTEST_PAUSE_S", 0.001)
    bench = Bench(clock)
    bench.failures = [OpenFailed("box", "no port", "plug it in") for _ in range(20)]
    bench.failures += [OpenFailed("box", "no permission", "join dialout") for _ in range(20)]
    async with bench:
        await bench.box()
        await bench.until(lambda: bench.healths[-1].state == "live")
    assert [(health.state, health.reason) for health in bench.healths] == [
        ("connecting", ""),
        ("backing_off", "no port"),
        ("connecting", "no port"),
        ("backing_off", "no permission"),
        ("connecting", "no permission"),
        ("live", ""),
    ]
    assert [health.attempt for health in bench.healths] == [1, 1, 2, 21, 22, 41]


async def test_a_box_that_hangs_up_at_once_again_and_again_makes_no_flood(
    clock: HostClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "BACK_OFF_S", (0.001,))
    monkeypatch.setattr(supervisor_module, "SHORTEST_PAUSE_S", 0.001)
    monkeypatch.setattr(supervisor_module, "STEADY_AFTER_S", 0.3)
    async with Bench(clock) as bench:
        for _ in range(20):
            await (await bench.box()).close()
        steady = await bench.box()
        await heard(steady, 1)
        told = len(bench.healths)
        assert [health.state for health in bench.healths].count("live") == supervisor_module.FLAPS_TOLD
        await bench.until(lambda: len(bench.healths) == told + 1)
        assert bench.healths[-1].state == "live"
        await steady.close()
        await bench.until(lambda: len(bench.healths) > told + 1)
        assert bench.healths[told + 1].state == "lost"


def test_back_off_is_bounded_so_that_a_box_is_back_within_a_second() -> None:
    assert supervisor_module.BACK_OFF_S == (0.1, 0.2, 0.4, 0.8)


def test_no_state_is_a_dead_end_and_each_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(DeviceState)
    assert all(TRANSITIONS.values())
    assert set().union(*TRANSITIONS.values()) == set(DeviceState)
