"""The supervisor over real lines that break: a pulled serial plug, a rebooting box, a killed broker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt

from config.models import Broker, Device
from drivers.hostclock import HostClock
from drivers.protocols.base import Reaction
from drivers.records import Delivery, DeviceHealth, Passing, Record
from drivers.supervisor import DeviceSupervisor
from drivers.transports import create_transport

WAIT_S = 5
BACK_WITHIN_US = 1_000_000


class ChunkSession:
    """Every chunk is a passing; nothing is asked."""

    tick_us = 0

    def connected(self, now_us: int) -> Sequence[bytes]:
        return ()

    def receive(self, data: bytes, now_us: int) -> Reaction:
        return Reaction((Passing(device="box", received_us=now_us, device_us=0, transponder=data.decode()),))

    def disconnected(self, now_us: int) -> Sequence[Record]:
        return ()

    def tick(self, now_us: int) -> Sequence[bytes]:
        return ()

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        return ()


class Office:
    """The rest of the program, as far as a supervisor sees it."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.healths: list[DeviceHealth] = []
        self._changed = asyncio.Event()

    def deliver(self, delivery: Delivery) -> asyncio.Future[None]:
        self.deliveries.append(delivery)
        self._changed.set()
        on_disk: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        on_disk.set_result(None)
        return on_disk

    def report(self, health: DeviceHealth) -> None:
        self.healths.append(health)
        self._changed.set()

    @property
    def states(self) -> list[str]:
        return [health.state for health in self.healths]

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not happened():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def supervised(address: str, clock: HostClock, broker: Broker | None = None) -> AsyncIterator[Office]:
    office = Office()
    device = Device(id="box", protocol="chunks", address=address)
    supervisor = DeviceSupervisor(
        device,
        ChunkSession(),
        lambda: create_transport(address, clock, broker or Broker()),
        clock,
        office.deliver,
        office.report,
    )
    running = asyncio.create_task(supervisor.run())
    try:
        yield office
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_pulled_and_replugged_serial_plug_is_seen_in_order_and_back_within_a_second(
    box: Any, clock: HostClock
) -> None:
    async with supervised(f"serial:{box.link}?baud=19200", clock) as office:
        await office.until(lambda: office.states == ["connecting", "live"])
        box.say(b"before")
        await office.until(lambda: len(office.deliveries) == 1)
        box.unplug()
        gone = ["connecting", "live", "lost", "backing_off", "connecting", "backing_off", "connecting"]
        await office.until(lambda: len(office.healths) == len(gone))
        assert office.states == gone
        assert office.healths[2].reason.startswith("the line broke") or "closed" in office.healths[2].reason
        assert office.healths[-1].reason == f"there is no port {box.link}"
        replugged_us = clock.now_us()
        box.plug_in()
        box.say(b"after")
        await office.until(lambda: len(office.deliveries) == 2)
        assert office.deliveries[1].received_us - replugged_us < BACK_WITHIN_US
    assert [delivery.raw for delivery in office.deliveries] == [b"before", b"after"]
    assert office.states == [*gone, "live"]


async def test_a_box_that_reboots_is_back_within_a_second(tcp_box: Any, clock: HostClock) -> None:
    async with supervised(f"tcp:127.0.0.1:{tcp_box.port}", clock) as office:
        await tcp_box.accepted()
        await office.until(lambda: office.states == ["connecting", "live"])
        await tcp_box.switch_off()
        await office.until(lambda: any("refused" in health.reason for health in office.healths))
        returned_us = clock.now_us()
        await tcp_box.switch_on()
        _, writer = await tcp_box.accepted()
        writer.write(b"back")
        await office.until(lambda: len(office.deliveries) == 1)
        assert office.deliveries[0].received_us - returned_us < BACK_WITHIN_US
    assert office.states[:4] == ["connecting", "live", "lost", "backing_off"]
    assert office.states[-1] == "live"


async def test_a_broker_killed_and_returned_is_connected_again_within_a_second(
    mosquitto: Any, clock: HostClock
) -> None:
    async with supervised("mqtt:loops/finish", clock, mosquitto.broker) as office:
        await office.until(lambda: office.states == ["connecting", "live"])
        mosquitto.kill()
        await office.until(lambda: any("refused" in health.reason for health in office.healths))
        await mosquitto.start()
        returned_us = clock.now_us()
        await office.until(lambda: office.states[-1] == "live")
        assert office.healths[-1].at_us - returned_us < BACK_WITHIN_US
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as sender:
            await sender.publish("loops/finish", b"back", qos=1)
        await office.until(lambda: len(office.deliveries) == 1)
    assert office.deliveries[0].raw == b"back\n"
    assert office.states[2:4] == ["lost", "backing_off"]


async def test_a_box_that_was_never_there_is_waited_for(box: Any, clock: HostClock) -> None:
    box.unplug()
    async with supervised(f"serial:{box.link}", clock) as office:
        await office.until(lambda: "backing_off" in office.states)
        box.plug_in()
        await office.until(lambda: office.states[-1] == "live")
    assert office.states == ["connecting", "backing_off", "connecting", "live"]
