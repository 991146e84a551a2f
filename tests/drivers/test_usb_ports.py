"""A serial port found by its adapter's USB serial number, in whatever socket the adapter is."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from config.models import Broker, Device
from drivers.errors import OpenFailed
from drivers.hostclock import HostClock
from drivers.protocols.listen import ListenSession
from drivers.protocols.p3 import PROTOCOL as P3
from drivers.records import Delivery, DeviceHealth
from drivers.supervisor import DeviceSupervisor
from drivers.transports import create_transport

WAIT_S = 5
STATUS = bytes.fromhex("8e021f00f3890000020001022800070216000c01760601008104131804008f")


def port(device: str, serial_number: str | None = None, location: str | None = None) -> ListPortInfo:
    info = ListPortInfo(device, skip_link_detection=True)
    info.serial_number = serial_number
    info.location = location
    return info


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> list[ListPortInfo]:
    """What list_ports finds; to be changed by the test, as people change plugs."""
    found: list[ListPortInfo] = []
    monkeypatch.setattr(list_ports, "comports", lambda: list(found))
    return found


async def failure_to_open(text: str, clock: HostClock) -> OpenFailed:
    transport = create_transport(text, clock, Broker())
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(OpenFailed) as caught:
            await transport.open()
    await transport.close()
    return caught.value


@pytest.mark.parametrize("form", ["serial:usb:A50285BI?baud=19200", "serial:/dev/ttyUSB0?usb_serial=A50285BI"])
async def test_the_port_of_the_adapter_is_opened_whatever_it_is_called(
    form: str, box: Any, clock: HostClock, plugged: list[ListPortInfo]
) -> None:
    plugged += [port("/dev/null", "OTHER"), port(str(box.link), "A50285BI")]
    transport = create_transport(form, clock, Broker())
    await transport.open()
    box.say(b"passing")
    async with asyncio.timeout(WAIT_S):
        assert (await transport.receive()).data == b"passing"
    await transport.close()


async def test_an_adapter_that_is_not_plugged_in_is_told_with_the_ports_that_are(
    clock: HostClock, plugged: list[ListPortInfo]
) -> None:
    plugged += [port("/dev/ttyS0"), port("/dev/ttyUSB3", "OTHER")]
    failure = await failure_to_open("serial:usb:A50285BI", clock)
    assert failure.reason == "no USB adapter with the serial number A50285BI is plugged in"
    assert failure.advice.endswith("ports present: /dev/ttyS0, /dev/ttyUSB3 (USB serial number OTHER)")


async def test_an_adapter_with_two_ports_must_be_told_apart(
    box: Any, clock: HostClock, plugged: list[ListPortInfo]
) -> None:
    plugged += [port("/dev/null", "FT2", "1-1.4:1.0"), port(str(box.link), "FT2", "1-1.4:1.1")]
    failure = await failure_to_open("serial:usb:FT2", clock)
    assert failure.reason == "2 ports have the USB serial number FT2"
    assert "usb_interface=" in failure.advice
    assert f"{box.link} (interface 1)" in failure.advice
    transport = create_transport("serial:usb:FT2?usb_interface=1", clock, Broker())
    await transport.open()
    box.say(b"x")
    async with asyncio.timeout(WAIT_S):
        assert (await transport.receive()).data == b"x"
    await transport.close()
    failure = await failure_to_open("serial:usb:FT2?usb_interface=7", clock)
    assert "has no port with the interface 7" in failure.reason
    assert "/dev/null (interface 0)" in failure.advice


async def test_an_adapter_in_use_is_told_by_the_path_that_it_has_now(
    box: Any, clock: HostClock, plugged: list[ListPortInfo]
) -> None:
    plugged.append(port(str(box.link), "A50285BI"))
    first = create_transport("serial:usb:A50285BI", clock, Broker())
    await first.open()
    failure = await failure_to_open("serial:usb:A50285BI", clock)
    assert failure.reason == f"{box.link} is in use by another device of this same program"
    await first.close()


async def test_replugged_into_another_socket_the_box_is_live_again_within_a_second(
    make_box: Callable[[str], Any], clock: HostClock, plugged: list[ListPortInfo]
) -> None:
    first, second = make_box("ttyUSB0"), make_box("ttyUSB5")
    first.plug_in()
    plugged.append(port(str(first.link), "A50285BI"))
    deliveries: list[Delivery] = []
    healths: list[DeviceHealth] = []
    changed = asyncio.Event()

    def deliver(delivery: Delivery) -> asyncio.Future[None]:
        deliveries.append(delivery)
        changed.set()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def report(health: DeviceHealth) -> None:
        healths.append(health)
        changed.set()

    async def until(happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not happened():
                changed.clear()
                await changed.wait()

    device = Device(id="finish", protocol="p3", address="serial:usb:A50285BI")
    supervisor = DeviceSupervisor(
        device,
        ListenSession("finish", P3.parser),
        lambda: create_transport(device.address, clock, Broker()),
        clock,
        deliver,
        report,
    )
    running = asyncio.create_task(supervisor.run())
    try:
        await until(lambda: bool(healths) and healths[-1].state == "live")
        first.say(STATUS)
        await until(lambda: len(deliveries) == 1)
        plugged.clear()
        first.unplug()
        await until(lambda: healths[-1].state == "connecting" and "no USB adapter" in healths[-1].reason)
        second.plug_in()
        back_us = clock.now_us()
        plugged.append(port(str(second.link), "A50285BI"))
        second.say(STATUS)
        await until(lambda: len(deliveries) == 2)
        assert clock.now_us() - back_us < 1_000_000
        assert deliveries[1].raw == STATUS
        told = [health for health in healths if health.state == "backing_off"]
        assert told[-1].advice.startswith("plug it in, into any socket")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def make_box(tmp_path: Path, box: Any) -> Callable[[str], Any]:
    """A pluggable box (the kind of the `box` fixture) behind another name."""
    kind = type(box)
    return lambda name: kind(tmp_path / name)
