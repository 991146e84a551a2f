"""A heat with its faults as one list of steps: what each box sees and when it tells it, and what breaks when.

Deterministic from the faults' seed, the heat and the device, so that a failed run can be repeated.
"""

import random
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from config.models import Device
from drivers.rig.faults import LATE_MS, US_PER_MS, FaultRates, Faults
from drivers.rig.race import Edge, LoopRead, Sheet, TimedEvent, Timeline

DOUBLE_AFTER_US: Final = (60_000, 400_000)
FaultKind = Literal["restart", "disconnect", "reconnect", "stall", "unstall", "clock_step"]


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """Something breaks, or comes back, at a device."""

    device: str
    kind: FaultKind
    by_us: int = 0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """At `at_us` after the gun a box tells of an event (whose own time may lie before), or something happens to it."""

    at_us: int
    what: TimedEvent | Happening


class Injected(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that the lot drew: what a report has to be able to explain."""

    kind: str
    device: str
    at_us: int
    transponder: str | None = None


class HeatPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of a heat in order of time, and the faults in them."""

    steps: tuple[Step, ...]
    injected: tuple[Injected, ...]


def plan_heat(timeline: Timeline, faults: Faults, devices: tuple[Device, ...]) -> HeatPlan:
    """Lay the faults of a script over a heat. A Happening at a device comes after what it saw at the same µs."""
    injected: list[Injected] = []
    rates = {device.id: faults.of(device) for device in devices}
    lots = {device.id: random.Random(f"{faults.seed}/reads/{timeline.heat}/{device.id}") for device in devices}
    steps: list[Step] = []
    for event in timeline.events:
        steps += _told(event, rates[event.device], lots[event.device], injected.append)
    steps += _happenings(faults, timeline.heat)
    injected += [
        Injected(kind=step.what.kind, device=step.what.device, at_us=step.at_us)
        for step in steps
        if isinstance(step.what, Happening)
    ]
    steps.sort(key=lambda step: (step.at_us, isinstance(step.what, Happening), step.what.device))
    return HeatPlan(steps=tuple(steps), injected=tuple(injected))


def _told(event: TimedEvent, rates: FaultRates, lot: random.Random, note: Callable[[Injected], None]) -> Iterator[Step]:
    if isinstance(event, Sheet):
        if not event.half_written and lot.random() < rates.rate("half_written"):
            note(Injected(kind="half_written", device=event.device, at_us=event.at_us))
            event = msgspec.structs.replace(event, half_written=True)
        yield Step(at_us=event.at_us, what=event)
        return
    if not isinstance(event, LoopRead | Edge):
        yield Step(at_us=event.at_us, what=event)
        return
    who = event.transponder if isinstance(event, LoopRead) else None
    missed, doubled, late = (lot.random() < rates.rate(f"{name}_reads") for name in ("missed", "double", "late"))

    def noted(kind: str) -> None:
        note(Injected(kind=kind, device=event.device, at_us=event.at_us, transponder=who))

    if missed:
        noted("missed_read")
        return
    at_us = event.at_us
    if late:
        noted("late_read")
        at_us += lot.randint(1, (rates.late_ms or LATE_MS) * US_PER_MS)
    yield Step(at_us=at_us, what=event)
    if doubled:
        noted("double_read")
        again_us = event.at_us + lot.randint(*DOUBLE_AFTER_US)
        yield Step(at_us=max(at_us, again_us), what=msgspec.structs.replace(event, at_us=again_us))


def _happenings(faults: Faults, heat: str) -> Iterator[Step]:
    def step(device: str, at_ms: int, kind: FaultKind, by_ms: int = 0) -> Step:
        happening = Happening(device=device, kind=kind, by_us=by_ms * US_PER_MS)
        return Step(at_us=at_ms * US_PER_MS, what=happening)

    for restart in faults.restarts:
        if restart.heat in (None, heat):
            yield step(restart.device, restart.at_ms, "restart")
    for outage in faults.disconnects:
        if outage.heat in (None, heat):
            yield step(outage.device, outage.at_ms, "disconnect")
            yield step(outage.device, outage.at_ms + outage.for_ms, "reconnect")
    for outage in faults.ack_stalls:
        if outage.heat in (None, heat):
            yield step(outage.device, outage.at_ms, "stall")
            yield step(outage.device, outage.at_ms + outage.for_ms, "unstall")
    for clock in faults.clock_steps:
        if clock.heat in (None, heat):
            yield step(clock.device, clock.at_ms, "clock_step", clock.by_ms)
