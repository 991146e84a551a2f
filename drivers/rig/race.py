"""A scripted heat as a timeline: which box sees what, in µs from the gun. One seed gives one race."""

import random
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from config.models import Device, Heat, Rider, Setup
from drivers.rig.field import US_PER_MS, Field, build_field, pacer_of
from drivers.rig.script import PACER, HeatScript

WHEELBASE_M = 1.0
"""From a track bike's front tangent to the rear wheel's: what a photocell sees as the second edge."""
SHEET_DELAY_US = 2_000_000
"""The camera's operator needs this long after the last finisher to read the picture."""
BELL_LEAD_US = 2_000_000
"""The bell begins this long before the leader starts the last lap."""
CAMERAS = ("lynx", "lif", "osv")


class LoopRead(msgspec.Struct, frozen=True, kw_only=True, tag="read"):
    """A transponder over a loop of a box. `channel` is null where the box has one loop only."""

    at_us: int
    device: str
    channel: str | None
    transponder: str
    strength: int
    hits: int


class Edge(msgspec.Struct, frozen=True, kw_only=True, tag="edge"):
    """An impulse on a channel of a box: gun, bell, or a wheel in a photocell."""

    at_us: int
    device: str
    channel: str


class CameraStart(msgspec.Struct, frozen=True, kw_only=True, tag="camera_start"):
    """The gun starts the camera's clock."""

    at_us: int
    device: str


class SheetLine(msgspec.Struct, frozen=True, kw_only=True):
    """A rider as the operator reads the picture; `finish_us` is null for who is not in it."""

    bib: str
    name: str
    place: int | None
    finish_us: int | None


class Sheet(msgspec.Struct, frozen=True, kw_only=True, tag="sheet"):
    """The camera's result sheet of the heat, in judged order."""

    at_us: int
    device: str
    heat: str
    lines: tuple[SheetLine, ...]
    half_written: bool = False


TimedEvent: TypeAlias = LoopRead | Edge | CameraStart | Sheet


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What the boxes see of one heat, in the order of time."""

    heat: str
    events: tuple[TimedEvent, ...]
    finished_us: int
    """When the last rider crosses the finish line."""


def build_timeline(setup: Setup, heat: Heat, script: HeatScript, seed: int) -> Timeline:
    """Everything that the meet's boxes see of the heat. Raises MotionError as `build_field` does."""
    field = build_field(setup, heat, script, seed)
    observer = _Observer(setup, heat, script, field, seed)
    events = sorted(observer.events(), key=lambda event: (event.at_us, event.device))
    return Timeline(heat=heat.id, events=tuple(events), finished_us=observer.finished_us)


class _Observer:
    """Turns the motions of one heat into what each box of the meet sees."""

    def __init__(self, setup: Setup, heat: Heat, script: HeatScript, field: Field, seed: int) -> None:
        self._setup = setup
        self._heat = heat
        self._script = script
        self._field = field
        self._lot = random.Random(f"{seed}/reads/{heat.id}")
        self._riders = {rider.bib: rider for rider in setup.meet.riders}
        self._positions = {loop.id: loop.position_m for loop in setup.venue.loops}
        finish_m = field.distances.finish_m
        self.finished_us = max(motion.time_at(finish_m) for bib, motion in field.riders.items() if field.arrives[bib])

    def events(self) -> Iterator[TimedEvent]:
        for device in self._setup.meet.devices:
            if device.protocol in CAMERAS:
                yield CameraStart(at_us=0, device=device.id)
                yield self._sheet(device)
                continue
            if device.loop is not None:
                yield from self._reads(device, None, device.loop)
            for wire in device.channels:
                if wire.role is None and wire.loop is not None:
                    yield from self._reads(device, wire.channel, wire.loop)
                elif wire.role == "gun":
                    yield Edge(at_us=0, device=device.id, channel=wire.channel)
                elif wire.role == "bell":
                    yield Edge(at_us=self._bell_us(), device=device.id, channel=wire.channel)
                elif wire.role == "photocell":
                    yield from self._wheels(device, wire.channel, self._positions.get(wire.loop or "", 0.0))
                for trigger in self._script.false_triggers:
                    if trigger.channel == wire.channel:
                        at_us = trigger.at_ms * US_PER_MS
                        yield Edge(at_us=at_us, device=device.id, channel=wire.channel)

    def _offset_m(self, rider: Rider) -> float:
        own = rider.transponder_to_front_m
        return self._setup.meet.transponder_to_front_m if own is None else own

    def _reads(self, device: Device, channel: str | None, loop: str) -> Iterator[LoopRead]:
        """Every read of one loop: the pacer while on the track, all riders, and the scripted faults."""
        position_m = self._positions[loop]
        pacer = self._field.pacer
        for from_m, to_m in self._field.pacer_on_track:
            for lap, distance_m in self._field.distances.crossings(position_m, from_m, to_m):
                transponder = pacer_of(self._setup, self._heat).transponders[0]
                at_us = pacer.time_at(distance_m)
                yield from self._read(device, channel, loop, (PACER, lap), at_us, transponder)
        for bib, motion in self._field.riders.items():
            rider = self._riders[bib]
            offset_m = self._offset_m(rider)
            crossings = self._field.distances.crossings(position_m, 0.0, motion.end_m - offset_m)
            for lap, distance_m in crossings:
                at_us = motion.time_at(distance_m + offset_m)
                yield from self._read(device, channel, loop, (bib, lap), at_us, rider.transponders[0])
        for stray in self._script.unknown_transponders:
            if stray.loop == loop:
                yield self._signal(device, channel, stray.at_ms * US_PER_MS, stray.transponder)

    def _read(
        self,
        device: Device,
        channel: str | None,
        loop: str,
        who: tuple[str, int],
        at_us: int,
        transponder: str,
    ) -> Iterator[LoopRead]:
        """The read of one crossing: once, or as scripted not at all or a second time."""
        first = self._signal(device, channel, at_us, transponder)
        if not any((fault.bib, fault.lap) == who and fault.loop == loop for fault in self._script.missed_reads):
            yield first
        for fault in self._script.double_reads:
            if (fault.bib, fault.lap) == who and fault.loop == loop:
                yield self._signal(device, channel, at_us + fault.after_ms * US_PER_MS, transponder)

    def _signal(self, device: Device, channel: str | None, at_us: int, transponder: str) -> LoopRead:
        return LoopRead(
            at_us=at_us,
            device=device.id,
            channel=channel,
            transponder=transponder,
            strength=self._lot.randint(70, 140),
            hits=self._lot.randint(12, 50),
        )

    def _wheels(self, device: Device, channel: str, position_m: float) -> Iterator[Edge]:
        """Both wheels of everybody in a photocell, every time round."""
        distances = self._field.distances
        entry = pacer_of(self._setup, self._heat)
        instants: list[int] = []
        for from_m, to_m in self._field.pacer_on_track:
            for _lap, distance_m in distances.crossings(position_m, from_m, to_m):
                for wheel_m in (entry.front_wheel_front_m, entry.rear_wheel_rear_m):
                    at_m = max(distance_m - wheel_m, self._field.pacer.start_m)
                    instants.append(self._field.pacer.time_at(at_m))
        for motion in self._field.riders.values():
            # From 1 mm on: on the start line itself the front wheel stands in the beam, it does not enter it.
            for _lap, distance_m in distances.crossings(position_m, 0.001, motion.end_m - WHEELBASE_M):
                instants += [motion.time_at(distance_m), motion.time_at(distance_m + WHEELBASE_M)]
        for at_us in sorted(instants):
            yield Edge(at_us=at_us, device=device.id, channel=channel)

    def _bell_us(self) -> int:
        last_lap_m = self._field.distances.finish_m - self._field.distances.lap_m
        motions = self._field.riders.values()
        leader_us = min(motion.time_at(last_lap_m) for motion in motions if motion.covers(last_lap_m))
        return leader_us - BELL_LEAD_US

    def _sheet(self, device: Device) -> Sheet:
        """The operator's reading: who crossed the line, with time; the others below, without."""
        finish_m = self._field.distances.finish_m
        lines = tuple(
            SheetLine(
                bib=finisher.bib,
                name=self._riders[finisher.bib].name,
                place=finisher.place,
                finish_us=(
                    self._field.riders[finisher.bib].time_at(finish_m) if self._field.arrives[finisher.bib] else None
                ),
            )
            for finisher in self._script.finish
        )
        return Sheet(
            at_us=self.finished_us + SHEET_DELAY_US,
            device=device.id,
            heat=self._heat.id,
            lines=lines,
            half_written=self._script.sheet_half_written,
        )
