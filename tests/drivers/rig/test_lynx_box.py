"""The simulated camera, read by the real parsers of its two forms."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from config.models import Device, Heat, Setup
from drivers.hostclock import ClockAnchor, HostClock
from drivers.protocols.lif import LifParser
from drivers.protocols.lynx import LynxParser
from drivers.records import Impulse, Malformed, PhotoFinish, Record, SequenceGap, Unhandled
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.lynx_box import LifBox, LynxBox
from drivers.rig.ports import Greet
from drivers.rig.race import Sheet, build_timeline
from drivers.rig.script import load_script
from drivers.transports.address import FolderAddress

GUN_US = 1_628_390_000_000_000
MODEL = DeviceClockModel(zero_host_us=GUN_US, offset_us=50_000, drift_ppb=20_000, resolution_us=100)
DEVICE = Device(id="camera", protocol="lynx", address="tcp:127.0.0.1:1", resolution_us=100)


class Wire:
    """A port that keeps what the camera sends."""

    def __init__(self, greet: Greet) -> None:
        self.sent = bytearray()
        greet(self.send)

    async def open(self) -> None:
        self.sent.clear()

    def send(self, data: bytes) -> None:
        self.sent += data

    async def close(self) -> None:
        self.sent.clear()


def camera(clock: HostClock | None = None) -> tuple[LynxBox, Wire]:
    wires: list[Wire] = []

    def opening(greet: Greet) -> Wire:
        wires.append(Wire(greet))
        return wires[0]

    box = LynxBox(DEVICE, opening, MODEL, clock or HostClock())
    return box, wires[0]


def heat_of(setup: Setup, heat_id: str) -> Heat:
    return next(heat for heat in setup.meet.heats if heat.id == heat_id)


def sheet_of(setup: Setup, heat_id: str) -> Sheet:
    script = load_script("tokyo2020-men-keirin").heats[heat_id]
    timeline = build_timeline(setup, heat_of(setup, heat_id), script, 1)
    (sheet,) = (event for event in timeline.events if isinstance(event, Sheet))
    return sheet


def parsed(data: bytes) -> list[Record]:
    records = LynxParser("camera").feed(bytes(data), 0)
    assert not [record for record in records if isinstance(record, Malformed | SequenceGap)]
    return records


def gaps_ms(result: PhotoFinish) -> list[int | None]:
    winner_us = result.lines[0].time_us
    assert winner_us is not None
    return [None if line.time_us is None else (line.time_us - winner_us) // 1_000 for line in result.lines]


@pytest.mark.parametrize("heat_id", ["final-a", "final-b", "r1-2", "sf-1"])
async def test_the_stream_gives_order_places_and_gaps_to_the_lynx_parser(setup: Setup, heat_id: str) -> None:
    box, wire = camera()
    await box.open()
    heat = heat_of(setup, heat_id)
    box.arm(heat)
    box.start(GUN_US)
    box.show(sheet_of(setup, heat_id), GUN_US)
    records = parsed(wire.sent)
    (gun,) = (record for record in records if isinstance(record, Impulse))
    assert gun.device_us == MODEL.device_us(GUN_US) % 86_400_000_000
    (result,) = (record for record in records if isinstance(record, PhotoFinish))
    assert (result.heat, result.event, result.start_device_us) == (heat_id, "keirin", gun.device_us)
    finish = load_script("tokyo2020-men-keirin").heats[heat_id].finish
    assert [line.bib for line in result.lines] == [finisher.bib for finisher in finish]
    assert gaps_ms(result)[1:] == [finisher.gap_ms for finisher in finish][1:]


async def test_places_on_the_sheet_count_from_one_whatever_places_the_final_is_for(setup: Setup) -> None:
    box, wire = camera()
    await box.open()
    box.arm(msgspec.structs.replace(heat_of(setup, "final-b"), first_place=7))
    box.show(sheet_of(setup, "final-b"), GUN_US)
    (result,) = (record for record in parsed(wire.sent) if isinstance(record, PhotoFinish))
    assert [line.place for line in result.lines] == [1, 2, 3, 4, 5]


async def test_who_has_no_published_place_or_gap_is_listed_without(setup: Setup) -> None:
    box, wire = camera()
    await box.open()
    box.arm(heat_of(setup, "r1-2"))
    box.show(sheet_of(setup, "r1-2"), GUN_US)
    (result,) = (record for record in parsed(wire.sent) if isinstance(record, PhotoFinish))
    assert [(line.place, line.time_us is None) for line in result.lines] == [
        (1, False),
        (2, False),
        (3, True),
        (None, True),
        (None, True),
        (None, True),
    ]


async def test_the_sheet_is_sent_again_every_five_seconds_until_the_next_heat_is_armed(setup: Setup) -> None:
    clock = HostClock(ClockAnchor(HostClock().anchor.monotonic_ns, GUN_US + 120_000_000, 200.0))
    box, wire = camera(clock)
    await box.open()
    box.arm(heat_of(setup, "final-a"))
    box.show(sheet_of(setup, "final-a"), GUN_US)
    running = asyncio.create_task(box.run())

    def sheets() -> list[Record]:
        return [record for record in parsed(wire.sent) if isinstance(record, PhotoFinish)]

    async with asyncio.timeout(5.0):
        while len(sheets()) < 3:
            await clock.sleep_us(1_000_000)
    first, second, third = sheets()[:3]
    assert first.lines == second.lines == third.lines  # type: ignore[union-attr]
    box.arm(heat_of(setup, "final-b"))
    wire.sent.clear()
    await clock.sleep_us(12_000_000)
    running.cancel()
    await asyncio.wait([running])
    assert sheets() == []


async def test_the_running_clock_is_told_every_second_from_the_gun_on(setup: Setup) -> None:
    clock = HostClock(ClockAnchor(HostClock().anchor.monotonic_ns, GUN_US, 100.0))
    box, wire = camera(clock)
    await box.open()
    box.arm(heat_of(setup, "final-a"))
    box.start(clock.now_us())
    running = asyncio.create_task(box.run())

    def clock_lines() -> list[str]:
        return [record.name for record in parsed(wire.sent) if isinstance(record, Unhandled)]

    async with asyncio.timeout(5.0):
        while clock_lines().count("running") < 3:
            await clock.sleep_us(1_000_000)
    running.cancel()
    await asyncio.wait([running])
    assert "armed" in clock_lines()


def lif_box(folder: Path, clock: HostClock) -> LifBox:
    address = FolderAddress(text=f"folder:{folder}", path=str(folder))
    return LifBox(DEVICE, address, MODEL, clock)


async def test_the_folder_form_writes_one_whole_file_a_heat(setup: Setup, tmp_path: Path) -> None:
    box = lif_box(tmp_path / "results", HostClock())
    await box.open()
    box.arm(heat_of(setup, "final-a"))
    box.start(GUN_US)
    box.show(sheet_of(setup, "final-a"), GUN_US)
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["final-a.lif"]
    (result,) = LifParser("camera").feed((tmp_path / "results" / "final-a.lif").read_bytes(), 0)
    assert isinstance(result, PhotoFinish)
    assert (result.heat, gaps_ms(result)) == ("final-a", [0, 763, 773, 1_264, 1_344, 2_344])


async def test_a_half_written_file_is_no_result_and_is_completed_later(setup: Setup, tmp_path: Path) -> None:
    clock = HostClock(ClockAnchor(HostClock().anchor.monotonic_ns, GUN_US, 20.0))
    box = lif_box(tmp_path, clock)
    box.arm(heat_of(setup, "final-a"))
    box.show(msgspec.structs.replace(sheet_of(setup, "final-a"), half_written=True), GUN_US)
    path = tmp_path / "final-a.lif"
    half = path.read_bytes()
    assert not any(isinstance(record, PhotoFinish) for record in LifParser("camera").feed(half, 0))
    running = asyncio.create_task(box.run())
    async with asyncio.timeout(5.0):
        while path.read_bytes() == half:
            await clock.sleep_us(250_000)
    running.cancel()
    await asyncio.wait([running])
    (result,) = LifParser("camera").feed(path.read_bytes(), 0)
    assert isinstance(result, PhotoFinish)
