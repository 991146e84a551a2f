"""The same heat through other makes of boxes: the published result is one, the times agree within each clock's ±.

Tokyo 2020, final A, ridden by the rig over and over: P3 decoders over TCP, THbC units on serial lines, race result
decoders over TCP, each with a FinishLynx camera and a gateway for gun and bell; then a Timy on a serial line with gun,
bell and photocells and the camera, without any transponder; and the same Timy beside P3 decoders.

A host clock at SPEED makes every real delay SPEED times as long, so the clock fits state ±10 to ±50 ms here where they
state ±0.5 ms at a track. What a time may be off is therefore taken from the fits themselves, crossing by crossing.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from config.loader import load_setup
from config.models import Device, DeviceChannel, Setup
from drivers.rig.field import build_field
from drivers.rig.race import LoopRead, Sheet, Timeline
from drivers.rig.script import load_script
from tests.end_to_end.conftest import MEET, SCRIPT, Venue
from tests.end_to_end.mosquitto import Mosquitto, free_port
from timing.core.pace import LINEAR_DISTANCE, pace_sections
from timing.journal import verify
from timing.race.heat import HeatLog
from timing.race.picture import Crossing, HeatPicture

HEAT = "final-a"
SPEED = 30.0
LOOPS = ("finish", "home", "back", "l200", "l100")
PTY_DELAY_US = int(400 * SPEED)
"""Shortest way over a pty and an event loop, 0.4 ms, as the sped-up clock counts it: one-way clocks rest on it."""
MQTT_DELAY_US = int(1_000 * SPEED)
"""The same over the broker: 1 ms."""
PUBLISHED = [
    (1, 1, "4", None, None),
    (2, 2, "13", 763, None),
    (3, 3, "23", 773, None),
    (4, 4, "30", 1264, None),
    (5, 5, "21", 1344, None),
    (6, 6, "2", 2344, None),
]
"""Tokyo 2020, final for places 1-6: order, place, bib, gap in ms, status."""


WITH_TRANSPONDERS = ("p3", "thbc", "raceresult")
PUBLISHED_STEP_US = 1_000
"""Times are published in whole ms, truncated."""


class Ridden(NamedTuple):
    """What one make of boxes made of the heat, and what was true."""

    picture: HeatPicture
    log: HeatLog
    timeline: Timeline
    verified: bool

    @property
    def gun_device(self) -> str:
        return str(self.picture.start_source).removeprefix("gun impulse of ")

    @property
    def start_us(self) -> int:
        assert self.picture.start_us is not None
        return self.picture.start_us

    def off_us(self, device: str, since_gun_us: int) -> int:
        """What an instant of a device may be off: the stated ± of its clock then, and its resolution."""
        fit = self.log.fits[device]
        on_its_clock_us = self.start_us + since_gun_us - fit.race_anchor_us + fit.device_anchor_us
        (own,) = (one for one in self.log.setup.meet.devices if one.id == device)
        return fit.uncertainty_at(on_its_clock_us) + own.resolution_us

    def device_of(self, crossing: Crossing) -> str:
        """The box that read a crossing."""
        (read,) = (one for one in self.log.reads if one.ref == crossing.read)
        return read.device

    def true_reads_us(self, transponder: str) -> dict[str, list[int]]:
        """Per loop, when the transponder was over it, µs since the gun."""
        wired = {one.id: one.loop for one in self.log.setup.meet.devices}
        found: dict[str, list[int]] = {loop: [] for loop in LOOPS}
        for event in self.timeline.events:
            if isinstance(event, LoopRead) and event.transponder == transponder:
                found[str(wired[event.device])].append(event.at_us)
        return found


# -- the same meet with other boxes --------------------------------------------------------------------------


def _serial(folder: Path, name: str) -> str:
    return f"serial:{folder / name}"


def _tcp() -> str:
    return f"tcp:127.0.0.1:{free_port()}"


def _camera(address: str) -> Device:
    return Device(id="camera", protocol="lynx", address=address, silent_after_s=0.0, resolution_us=100)


def _gateway() -> Device:
    return Device(
        id="gateway",
        protocol="json",
        address=f"mqtt:velodrome/{MEET}/hardware/gateway",
        silent_after_s=0.0,
        transport_delay_us=MQTT_DELAY_US,
        channels=(DeviceChannel(channel="gun", role="gun"), DeviceChannel(channel="bell", role="bell")),
    )


def p3(folder: Path) -> tuple[Device, ...]:
    """A P3 decoder over TCP at every loop; the camera over TCP."""
    decoders = [Device(id=f"p3-{loop}", protocol="p3", address=_tcp(), loop=loop) for loop in LOOPS]
    return (*decoders, _camera(_tcp()), _gateway())


def thbc(folder: Path) -> tuple[Device, ...]:
    """A THbC unit on a serial line at every loop; the camera on a serial line."""
    units = [
        Device(
            id=f"thbc-{loop}",
            protocol="thbc",
            address=_serial(folder, f"thbc-{loop}"),
            loop=loop,
            clock="time_of_day",
            transport_delay_us=PTY_DELAY_US,
        )
        for loop in LOOPS
    ]
    return (*units, _camera(_serial(folder, "lynx")), _gateway())


def raceresult(folder: Path) -> tuple[Device, ...]:
    """A race result decoder over TCP at every loop; the camera over TCP."""
    decoders = [Device(id=f"rr-{loop}", protocol="raceresult", address=_tcp(), loop=loop) for loop in LOOPS]
    return (*decoders, _camera(_tcp()), _gateway())


def timy(folder: Path) -> tuple[Device, ...]:
    """No transponders: a Timy with gun, bell and a photocell at every line; the camera on a serial line."""
    cells = tuple(
        DeviceChannel(channel=f"C{number}", role="photocell", loop=loop) for number, loop in enumerate(LOOPS, start=1)
    )
    wires = (DeviceChannel(channel="C0", role="gun"), *cells, DeviceChannel(channel="C6", role="bell"))
    box = Device(
        id="timy",
        protocol="timy",
        address=_serial(folder, "timy"),
        silent_after_s=0.0,
        clock="time_of_day",
        transport_delay_us=PTY_DELAY_US,
        resolution_us=100,
        channels=wires,
    )
    return (box, _camera(_serial(folder, "lynx")))


def timy_and_p3(folder: Path) -> tuple[Device, ...]:
    """The Timy says when, P3 decoders at the same lines say who."""
    return (*(one for one in p3(folder) if one.protocol == "p3"), *timy(folder))


def _six_digits(number: str) -> str:
    """5000004 as 500004: a THbC unit sends six digits."""
    return number[0] + number[-5:]


def _setup(devices: tuple[Device, ...], mosquitto: Mosquitto) -> Setup:
    setup = load_setup(MEET)
    meet = msgspec.structs.replace(setup.meet, devices=devices, broker=mosquitto.broker)
    if any(device.protocol == "thbc" for device in devices):
        riders = tuple(
            msgspec.structs.replace(one, transponders=tuple(map(_six_digits, one.transponders))) for one in meet.riders
        )
        pacers = tuple(
            msgspec.structs.replace(one, transponders=tuple(map(_six_digits, one.transponders))) for one in meet.pacers
        )
        meet = msgspec.structs.replace(meet, riders=riders, pacers=pacers)
    return msgspec.structs.replace(setup, meet=meet)


# -- riding it -----------------------------------------------------------------------------------------------


async def _ride(make: Callable[[Path], tuple[Device, ...]], folder: Path) -> Ridden:
    (folder / "broker").mkdir()
    mosquitto = Mosquitto(folder / "broker")
    await mosquitto.start()
    try:
        venue = Venue(_setup(make(folder), mosquitto), folder / "meet.journal", SPEED)
        async with venue.rig() as rig, venue.service() as service:
            async with asyncio.timeout(10):
                while not all(view.state == "live" for view in service.state.devices.values()):
                    service.changed.clear()
                    await service.changed.wait()
            picture = await asyncio.wait_for(venue.ride(service, HEAT), 40)
            log, timeline = service.state.heats[HEAT], rig.timelines[HEAT]
        return Ridden(picture, log, timeline, verify(venue.journal).ok)
    finally:
        mosquitto.kill()


@pytest.fixture(scope="module")
def ridden(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ridden]:
    """The heat as ridden through one make of boxes; each is ridden once for all tests of this file."""
    makes = {make.__name__: make for make in (p3, thbc, raceresult, timy, timy_and_p3)}
    rides: dict[str, Ridden] = {}

    def ride(make: str) -> Ridden:
        if make not in rides:
            rides[make] = asyncio.run(_ride(makes[make], tmp_path_factory.mktemp(make)))
        return rides[make]

    return ride


# -- the results ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [*WITH_TRANSPONDERS, "timy", "timy_and_p3"])
def test_the_published_result_is_the_same_through_every_make(ridden: Callable[[str], Ridden], make: str) -> None:
    ride = ridden(make)
    lines = ride.picture.results
    assert [(one.order, one.place, one.bib, one.gap_ms, one.status) for one in lines] == PUBLISHED
    assert {one.source for one in lines} == {"photo_finish"}
    assert (ride.picture.status, ride.picture.attempt) == ("official", 1)
    assert ride.verified, "replay differs from the live state"


# -- the times -----------------------------------------------------------------------------------------------


def _reads(ride: Ridden, bib: str) -> list[Crossing]:
    """The rider's crossings by transponder: all but the start."""
    (splits,) = (one for one in ride.picture.splits if one.bib == bib)
    return [one for one in splits.crossings if one.source == "read" and one.distance_m > 0.0]


def _nearest(at_us: int, true_us: list[int]) -> int:
    """A loop is crossed every 12 s or more: the nearest is meant."""
    return min(true_us, key=lambda one: abs(one - at_us))


@pytest.mark.parametrize("make", WITH_TRANSPONDERS)
def test_every_split_is_true_within_the_stated_uncertainty(ridden: Callable[[str], Ridden], make: str) -> None:
    """A time since the gun rests on two clocks, the loop's and the gun's; a sector on those of its two loops."""
    ride = ridden(make)
    for rider in ride.log.riders:
        true_us = ride.true_reads_us(rider.transponders[0])
        before: tuple[int, int] | None = None
        reads = _reads(ride, rider.bib)
        assert len(reads) == 31, f"{rider.bib}: a read of 6 laps over 5 loops and the finish is missing"
        for one in reads:
            at_us = one.race_ms * PUBLISHED_STEP_US
            truth_us = _nearest(at_us, true_us[one.loop])
            off_us = ride.off_us(ride.device_of(one), truth_us)
            tolerance_us = off_us + ride.off_us(ride.gun_device, 0) + PUBLISHED_STEP_US
            assert abs(at_us - truth_us) <= tolerance_us, (rider.bib, one)
            if before is not None:
                assert one.sector_ms is not None
                sector_off_us = one.sector_ms * PUBLISHED_STEP_US - (truth_us - before[0])
                assert abs(sector_off_us) <= off_us + before[1] + PUBLISHED_STEP_US, (rider.bib, one)
            before = truth_us, off_us


@pytest.mark.parametrize("make", WITH_TRANSPONDERS)
def test_a_lap_hardly_depends_on_the_clock(ridden: Callable[[str], Ridden], make: str) -> None:
    """Both ends of a lap are stamps of one box: its offset cancels, what its rate may be off remains."""
    ride = ridden(make)
    laps = 0
    for rider in ride.log.riders:
        true_us = ride.true_reads_us(rider.transponders[0])
        for one in _reads(ride, rider.bib):
            end_us = _nearest(one.race_ms * PUBLISHED_STEP_US, true_us[one.loop])
            earlier = [at_us for at_us in true_us[one.loop] if at_us < end_us - 1_000_000]
            if one.lap_ms is None or not earlier or one.distance_m <= 250.0:
                continue
            fit = ride.log.fits[ride.device_of(one)]
            lap_us = end_us - earlier[-1]
            drift_us = lap_us * max(fit.drift_uncertainty_ppb, 50_000) // 1_000_000_000
            assert abs(one.lap_ms * PUBLISHED_STEP_US - lap_us) <= drift_us + 3 * PUBLISHED_STEP_US, (rider.bib, one)
            laps += 1
    assert laps == 6 * 26, "six riders, 26 marks more than a lap behind the start"


@pytest.mark.parametrize("make", WITH_TRANSPONDERS[1:])
def test_splits_of_two_makes_agree(ridden: Callable[[str], Ridden], make: str) -> None:
    """Each may be off by its own ± to either side; who was ahead of whom at each loop is the same."""
    ride, reference = ridden(make), ridden("p3")
    guns_us = ride.off_us(ride.gun_device, 0) + reference.off_us(reference.gun_device, 0)
    for rider in ride.log.riders:
        for one, other in zip(_reads(ride, rider.bib), _reads(reference, rider.bib), strict=True):
            assert (one.mark, one.loop, one.lap) == (other.mark, other.loop, other.lap)
            at_us = one.race_ms * PUBLISHED_STEP_US
            boxes_us = ride.off_us(ride.device_of(one), at_us) + reference.off_us(reference.device_of(other), at_us)
            assert abs(one.race_ms - other.race_ms) * PUBLISHED_STEP_US <= boxes_us + guns_us + 2 * PUBLISHED_STEP_US
    orders = [
        [(one.mark, [entry.bib for entry in one.entries]) for one in it.picture.orders] for it in (ride, reference)
    ]
    assert orders[0] == orders[1]


# -- the pace ------------------------------------------------------------------------------------------------


def _true_pace(ride: Ridden) -> tuple[list[int], list[float]]:
    """When the pacer's transponder truly was at each mark up to its exit, and these marks in m."""
    reads = ride.true_reads_us(ride.log.pacer.transponders[0])
    in_order = sorted((at_us, loop) for loop, times in reads.items() for at_us in times)
    first = next(index for index, (_, loop) in enumerate(in_order) if loop == "home")
    marks = [float(one) for one in ride.log.mark_m if one <= ride.log.course.exit_m + 0.001]
    paced = in_order[first : first + len(marks)]
    assert [loop for _, loop in paced] == [one.loop for one in ride.log.course.marks[: len(marks)]]
    return [at_us for at_us, _ in paced], marks


def _edges_kmh(marks: list[float], times: list[int]) -> tuple[float, float]:
    """Speed of the pacer as it enters and as it leaves, by the kernel that the service uses."""
    edge_ms = pace_sections(np.array(marks), np.array(times), 30 / 3.6, 50 / 3.6, 750.0, LINEAR_DISTANCE).edge_ms
    return float(edge_ms[0]) * 3.6, float(edge_ms[-1]) * 3.6


@pytest.mark.parametrize("make", WITH_TRANSPONDERS)
def test_the_pace_is_true_within_what_the_clocks_let_it(ridden: Callable[[str], Ridden], make: str) -> None:
    """Tolerance: every read of the pacer moved by its own ± in turn, what that does to the speed added up."""
    ride = ridden(make)
    pace = ride.picture.pace
    times, marks = _true_pace(ride)
    entry_kmh, exit_kmh = _edges_kmh(marks, times)
    assert (entry_kmh, exit_kmh) == pytest.approx((30.0, 50.0), abs=0.1)
    entry_off_kmh = exit_off_kmh = 0.01  # published to so much
    for index, mark in enumerate(ride.log.course.marks[: len(marks)]):
        (device,) = (one.id for one in ride.log.setup.meet.devices if one.loop == mark.loop)
        moved = times.copy()
        moved[index] += ride.off_us(device, times[index])
        entry_moved, exit_moved = _edges_kmh(marks, moved)
        entry_off_kmh += abs(entry_moved - entry_kmh)
        exit_off_kmh += abs(exit_moved - exit_kmh)
    assert pace.entry_kmh == pytest.approx(entry_kmh, abs=entry_off_kmh)
    assert pace.exit_kmh == pytest.approx(exit_kmh, abs=exit_off_kmh)
    # Seen: 0.2 and 0.6 km/h with clocks that answer, 1.0 and 4.2 with THbC units, whose delay is only assumed.
    assert max(entry_off_kmh, exit_off_kmh) < 10.0, "so wide a tolerance would prove nothing"
    assert (pace.pull_off, pace.pull_off_m, pace.compliant) == ("on_time", 750.0, True)
    assert len(pace.sections) == len(marks) - 1


# -- impulses ------------------------------------------------------------------------------------------------


def _drift_us(ride: Ridden, elapsed_us: int) -> int:
    """Two stamps of the Timy: its offset cancels, its rate, which is only fitted, may be off; 0.1 ms steps."""
    fit = ride.log.fits["timy"]
    return elapsed_us * max(fit.drift_uncertainty_ppb, 50_000) // 1_000_000_000 + 2 * 100


def test_without_transponders_the_camera_says_whose_impulse_it_was(ridden: Callable[[str], Ridden]) -> None:
    ride = ridden("timy")
    (sheet,) = (one for one in ride.timeline.events if isinstance(one, Sheet))
    for line in sheet.lines:
        (splits,) = (one for one in ride.picture.splits if one.bib == line.bib)
        start, finish = splits.crossings
        assert (start.source, finish.source, finish.loop, finish.distance_m) == ("start", "cell", "finish", 1512.5)
        assert (finish.read, finish.confidence < 100) == (None, True), "no transponder said so"
        assert line.finish_us is not None
        off_us = finish.race_ms * PUBLISHED_STEP_US - line.finish_us
        assert abs(off_us) <= _drift_us(ride, line.finish_us) + PUBLISHED_STEP_US
    (order,) = ride.picture.orders
    gaps = [(one.place, one.bib, one.gap_ms or None) for one in order.entries]
    assert gaps == [(place, bib, gap_ms) for _, place, bib, gap_ms, _ in PUBLISHED]


def test_without_transponders_nothing_is_said_of_the_pace(ridden: Callable[[str], Ridden]) -> None:
    """Nobody knows whose wheels they were on the way: no speed, no verdict, and every impulse is accounted for."""
    ride = ridden("timy")
    pace = ride.picture.pace
    assert (pace.entry_kmh, pace.exit_kmh, pace.pull_off, pace.compliant) == (None, None, "awaited", None)
    assert pace.sections == ()
    by_rider = sum(one.source == "cell" for rider in ride.picture.splits for one in rider.crossings)
    assert by_rider == 6
    assert ride.picture.unmatched_count > 300


def test_beside_transponders_the_impulses_time_every_split(ridden: Callable[[str], Ridden]) -> None:
    """All but the front wheels that came within the Timy's 10 ms dead time after another wheel: those are told."""
    ride = ridden("timy_and_p3")
    pace = ride.picture.pace
    assert (pace.pull_off, pace.pull_off_m, pace.compliant) == ("on_time", 750.0, True)
    setup = ride.log.setup
    field = build_field(setup, ride.log.heat, load_script(SCRIPT).heats[HEAT], 0)
    hidden = []
    for splits in ride.picture.splits:
        for one in splits.crossings[1:]:
            if one.source != "cell":
                hidden.append((one.source, one.loop, splits.bib))
                continue
            truth_us = field.riders[splits.bib].time_at(one.distance_m)
            off_us = one.race_ms * PUBLISHED_STEP_US - truth_us
            assert abs(off_us) <= _drift_us(ride, truth_us) + PUBLISHED_STEP_US, (splits.bib, one)
    told = [(one.what, one.loop, one.bib) for one in ride.picture.unmatched if one.what == "read"]
    assert sorted(hidden) == sorted(told)
    assert len(hidden) <= 6, "of 186 crossings"
