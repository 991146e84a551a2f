"""The simulated Scan'O'Vision, read by the real parser; and that the rig has a box for every protocol."""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.models import Device, DeviceChannel, Heat, Setup
from drivers.hostclock import ClockAnchor, HostClock
from drivers.protocols.base import Resume
from drivers.protocols.osv import OsvParser
from drivers.protocols.osv_template import DEFAULT_TEMPLATE, template_with
from drivers.protocols.registry import protocol, protocol_names
from drivers.records import Malformed, PhotoFinish, Record, Unhandled
from drivers.rig.boxes import make_box
from drivers.rig.clockmodel import DAY_US, DeviceClockModel
from drivers.rig.osv_box import OsvBox
from drivers.rig.ports import Greet
from drivers.rig.race import Sheet, build_timeline
from drivers.rig.rig import Rig
from drivers.rig.script import load_script
from drivers.transports import create_transport

GUN_US = 1_628_390_000_000_000
MODEL = DeviceClockModel(zero_host_us=GUN_US, offset_us=50_000, drift_ppb=20_000, resolution_us=1_000)
CAMERA = Device(id="camera", protocol="osv", address="tcp:127.0.0.1:1", clock="time_of_day", resolution_us=1_000)
NARROW = {"bib_width": "6", "rcc": "bib,rank,lane,rest"}
FINAL_GAPS_MS = (0, 763, 773, 1_264, 1_344, 2_344)


class Wire:
    """A port that keeps what the camera sends."""

    def __init__(self, greet: Greet) -> None:
        self.sent = bytearray()
        self.greet = greet
        greet(self.send)

    async def open(self) -> None:
        self.greet(self.send)

    def send(self, data: bytes) -> None:
        self.sent += data

    async def close(self) -> None:
        self.sent.clear()


def camera(clock: HostClock | None = None, device: Device = CAMERA) -> tuple[OsvBox, Wire]:
    wires: list[Wire] = []

    def opening(greet: Greet) -> Wire:
        wires.append(Wire(greet))
        return wires[0]

    return OsvBox(device, opening, MODEL, clock or HostClock()), wires[0]


def final_of(setup: Setup) -> tuple[Heat, Sheet]:
    heat = next(heat for heat in setup.meet.heats if heat.id == "final-a")
    timeline = build_timeline(setup, heat, load_script("tokyo2020-men-keirin").heats["final-a"], 1)
    (sheet,) = (event for event in timeline.events if isinstance(event, Sheet))
    return heat, sheet


def sheets(records: list[Record]) -> list[PhotoFinish]:
    assert not [record for record in records if isinstance(record, Malformed)]
    return [record for record in records if isinstance(record, PhotoFinish)]


def gaps_ms(sheet: PhotoFinish) -> list[int]:
    times = [line.time_us or 0 for line in sheet.lines]
    return [(time_us - times[0]) // 1_000 for time_us in times]


@pytest.mark.parametrize("options", [{}, NARROW])
def test_a_heat_gives_its_start_and_an_official_sheet_in_the_columns_of_the_meet(
    setup: Setup, options: dict[str, str]
) -> None:
    heat, sheet = final_of(setup)
    box, wire = camera(device=msgspec.structs.replace(CAMERA, options=options))
    box.arm(heat)
    box.start(GUN_US)
    box.show(sheet, GUN_US)
    records = OsvParser("camera", template_with(DEFAULT_TEMPLATE, options)).feed(bytes(wire.sent), 0)
    temporary, official = sheets(records)
    assert [record.name for record in records if isinstance(record, Unhandled)][:2] == ["race", "started"]
    assert (temporary.official, official.official, official.event) == (False, True, "final-a")
    assert official.start_device_us is not None
    assert abs(official.start_device_us - MODEL.device_us(GUN_US) % DAY_US) < 1_000
    assert [line.bib for line in official.lines] == ["4", "13", "23", "30", "21", "2"]
    for got, published in zip(gaps_ms(official), FINAL_GAPS_MS, strict=True):
        assert abs(got - published) <= 1, "times are stated in steps of 1 ms"


async def test_the_results_are_sent_once_more_and_to_whoever_connects_later(setup: Setup) -> None:
    heat, sheet = final_of(setup)
    clock = HostClock(ClockAnchor(time.monotonic_ns(), GUN_US, 200.0))
    box, wire = camera(clock)
    box.arm(heat)
    box.show(sheet, GUN_US)
    running = asyncio.create_task(box.run())
    async with asyncio.timeout(5.0):
        while len(sheets(OsvParser("camera").feed(bytes(wire.sent), 0))) < 4:
            await clock.sleep_us(1_000_000)
    running.cancel()
    await asyncio.wait([running])
    await box.close()
    await box.open()
    assert len(sheets(OsvParser("camera").feed(bytes(wire.sent), 0))) == 2
    box.stop()
    await box.close()
    await box.open()
    assert not wire.sent, "a stopped race has no results"


async def test_the_rig_plays_a_heat_through_it_over_tcp(make_setup: Callable[..., Setup], mosquitto: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        device = msgspec.structs.replace(CAMERA, address=f"tcp:127.0.0.1:{probe.getsockname()[1]}")
    clock = HostClock(ClockAnchor(time.monotonic_ns(), time.time_ns() // 1_000, 100.0))
    rig = Rig(make_setup((device,), mosquitto.broker), load_script("tokyo2020-men-keirin"), clock, seed=3)
    running = asyncio.create_task(rig.run())
    await rig.ready.wait()
    line = create_transport(device.address, clock, mosquitto.broker)
    await line.open()
    session = protocol("osv").session(device, Resume())
    session.connected(clock.now_us())
    playing = asyncio.create_task(rig.run_heat("final-a", clock.now_us() + 10_000_000))
    found: list[PhotoFinish] = []
    async with asyncio.timeout(20):
        while not any(sheet.official for sheet in found):
            chunk = await line.receive()
            found += sheets(list(session.receive(chunk.data, chunk.received_us).records))
    for task in (playing, running):
        task.cancel()
    await asyncio.wait([playing, running])
    await line.close()
    assert [line.bib for line in found[-1].lines] == ["4", "13", "23", "30", "21", "2"]


BOX_AT = {
    "lif": "folder:results",
    "json": "mqtt:hub/loops",
    "velotrain": "mqtt:velotrain/rawpass",
    "jchip": "tcp-listen:127.0.0.1:53135",
}
CHANNEL = {
    "thbc": "STA",
    "timy": "C1",
    "cp520": "1",
    "thcom08": "1",
    "rei2": "001",
    "velotrain": "C1",
    "jchip": "finish",
}


@pytest.mark.parametrize("name", protocol_names())
def test_every_protocol_has_a_simulated_box(name: str, setup: Setup, tmp_path: Path) -> None:
    role = None if name in ("thbc", "velotrain", "jchip") else "photocell"
    wired = (DeviceChannel(channel=CHANNEL[name], role=role, loop="finish"),) if name in CHANNEL else ()
    device = Device(
        id="box",
        protocol=name,
        address=BOX_AT.get(name, f"serial:{tmp_path / 'box'}"),
        loop=None if wired else "finish",
        channels=wired,
        clock="time_of_day",
    )
    box = make_box(device, setup, MODEL, HostClock(), 1)
    assert callable(box.run)
