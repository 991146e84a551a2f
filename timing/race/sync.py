"""The sync pulse that several units share: it ties their clocks to each other, however late their lines are.

Units that cannot be asked for their clock (THbC) drift, and all that is known of them is when lines arrived. A sync
master gives a pulse at each full minute to all of them; each reports its own stamp of it, an impulse on `sync`.
Two stamps of one pulse are two readings of two clocks at one instant, with no delay in between. So for every two
units a `DeviceClock` of its own is fitted whose "host" is the earlier unit in the order of the meet:

    pulse at once     stamps d_a, d_b     d_b of b was read while a showed d_a ± half a tick of a     (a round trip)
    tied fit of b     race(d_b) = race_a(a_of_b(d_b))

What a's fit learns later holds for b at once, and an error of a's offset is the same for both: splits between the
units are right to about a tick. Source: hardware-protocols §2, clock discipline (velotrain `_systempass`).

What is a pulse of the master: one that stands whole minutes after another one of the same unit. Pulses of two units
belong together when their race times by the present fits are within 1 s. A single wrong one is left out by the
clock of the pair, as one bad answer of a box is.
"""

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from config.models import Device
from drivers.records import ClockReading, Impulse
from timing.clock import WANTED_US, DeviceClock, milliseconds
from timing.clock_fit import PARTS_PER_BILLION, ClockFit
from timing.units import MICROSECONDS_PER_SECOND

SYNC_CHANNEL: Final = "sync"
"""A unit's own pulse input; a remote box's is `sync-` and its name (`drivers.protocols.thbc_parser`)."""
MINUTE_US: Final = 60 * MICROSECONDS_PER_SECOND
TOGETHER_US: Final = MICROSECONDS_PER_SECOND
PULSES_KEPT: Final = 16
REGULAR_WITHIN_US: Final = 10_000
REGULAR_WITHIN_PPM: Final = 200
"""Whole minutes, but for how far a pulse and a crystal may be off."""
PAIRS_NEEDED: Final = 2
"""One pair shows no rate: two clocks at ±30 ppm are 3.6 ms apart a minute later."""
STALE_US: Final = 10 * MINUTE_US
"""Without a common pulse for so long the unit's own arrivals are better."""


def is_pulse(device: Device, impulse: Impulse) -> bool:
    """Whether an impulse is the sync pulse: on `sync` or `sync-…`, and wired to nothing in the meet file."""
    if impulse.channel != SYNC_CHANNEL and not impulse.channel.startswith(f"{SYNC_CHANNEL}-"):
        return False
    return all(wired.channel != impulse.channel for wired in device.channels)


def minute_drift_us(device_us: int) -> int:
    """What a unit's clock lacks against the master's: nearest full minute less its stamp of the pulse, in µs."""
    return (device_us + MINUTE_US // 2) // MINUTE_US * MINUTE_US - device_us


class _Pulse(msgspec.Struct):
    """A pulse on a unit's unwrapped scale, which holds within one segment of its clock."""

    device_us: int
    segment: int
    regular: bool
    paired: set[str] = msgspec.field(default_factory=set)


class _Unit:
    """A unit's clock and its newest pulses on one channel: its own input, or a remote box's while it has no other."""

    def __init__(self, rank: int, device: Device, clock: DeviceClock) -> None:
        self.rank, self.device, self.clock = rank, device, clock
        self.channel = ""
        self.pulses: deque[_Pulse] = deque(maxlen=PULSES_KEPT)

    def take(self, impulse: Impulse) -> _Pulse | None:
        """Keep a pulse; None where it is one of a channel that does not count or was here before."""
        if self.channel and impulse.channel > self.channel:
            return None
        if impulse.channel != self.channel:
            self.channel = impulse.channel
            self.pulses.clear()
        device_us = self.clock.unwrap(impulse.device_us, impulse.received_us)
        segment = self.clock.segment
        known = [one for one in self.pulses if one.segment == segment]
        if any(one.device_us == device_us for one in known):
            return None
        pulse = _Pulse(device_us, segment, any(_whole_minutes(device_us - one.device_us) for one in known))
        self.pulses.append(pulse)
        return pulse


class _Pair:
    """What `reference` showed at an instant of `unit`, from the pulses of both within one segment of each."""

    def __init__(self, reference: _Unit, unit: _Unit) -> None:
        self.reference, self.unit = reference, unit
        self._half_tick_us = (reference.device.resolution_us + 1) // 2
        self._segments = (0, 0)
        self._restart()
        self._parts: tuple[ClockFit, ClockFit] | None = None
        self._composed: ClockFit | None = None

    def _restart(self) -> None:
        # Both scales are unwrapped already.
        device = msgspec.structs.replace(self.unit.device, clock="utc")
        self._relative = DeviceClock(device, "UTC")

    def _segments_now(self) -> tuple[int, int]:
        return self.reference.clock.segment, self.unit.clock.segment

    def take(self, reference_us: int, unit_us: int) -> None:
        """One pulse on both unwrapped scales."""
        if self._segments != self._segments_now():
            self._segments = self._segments_now()
            self._restart()
        reading = ClockReading(
            device=self.unit.device.id,
            device_us=unit_us,
            sent_us=reference_us - self._half_tick_us,
            received_us=reference_us + self._half_tick_us,
        )
        self._relative.observe(reading)

    def corrected(self, own: ClockFit) -> ClockFit | None:
        """The unit's fit through the reference's; None while the pulses do not carry it."""
        if self._segments != self._segments_now():
            return None
        relative = self._relative.fit()
        if relative.samples < PAIRS_NEEDED or own.fitted_until_us - relative.fitted_until_us > STALE_US:
            return None
        reference = self.reference.clock.fit()
        if reference.quality == "none":
            return None
        if self._parts is None or self._parts[0] is not relative or self._parts[1] is not reference:
            self._parts = relative, reference
            self._composed = compose(self.unit.device.id, relative, self.reference.device.id, reference)
        return self._composed


class SyncPulses:
    """Ties the clocks of a meet's units by their pulses. A fold like the meet's state: no clock, no I/O."""

    def __init__(self, devices: Sequence[Device], clocks: dict[str, DeviceClock]) -> None:
        """`devices` in the order of the meet; the fits in `clocks` are corrected from here on."""
        self._units = {one.id: _Unit(rank, one, clocks[one.id]) for rank, one in enumerate(devices)}
        self._pairs: dict[str, list[_Pair]] = {}
        """Per unit, its references in the order of the meet."""
        for name in clocks:
            clocks[name].correct_by(None)

    def take(self, impulse: Impulse) -> bool:
        """Take a pulse (`is_pulse`) of one of the devices, after its clock has observed it.

        Returns whether it is a new one of the sync master's: whole minutes after another one.
        """
        unit = self._units[impulse.device]
        pulse = unit.take(impulse)
        if pulse is None or not pulse.regular:
            return False
        for other in self._units.values():
            if other is unit:
                continue
            partner = _together(unit, pulse, other)
            if partner is not None:
                partner.paired.add(unit.device.id)
                pulse.paired.add(other.device.id)
                if other.rank < unit.rank:
                    self._pair(other, unit).take(partner.device_us, pulse.device_us)
                else:
                    self._pair(unit, other).take(pulse.device_us, partner.device_us)
        return True

    def _pair(self, reference: _Unit, unit: _Unit) -> _Pair:
        pairs = self._pairs.setdefault(unit.device.id, [])
        for one in pairs:
            if one.reference is reference:
                return one
        pair = _Pair(reference, unit)
        pairs.append(pair)
        pairs.sort(key=lambda one: one.reference.rank)
        unit.clock.correct_by(partial(_corrected, pairs))
        return pair


def compose(unit: str, relative: ClockFit, reference: str, fit: ClockFit) -> ClockFit:
    """The fit of `unit`, from `relative` (its scale to the reference's) and the reference's own `fit`.

    Device times are the unit's, unwrapped; the ± adds up, so it is that of a time, not of a split between the two.
    """
    doubt_us = fit.uncertainty_at(relative.race_anchor_us)
    oldest_doubt_us = fit.uncertainty_at(relative.race_us(relative.fitted_from_us))
    product_ppb = (relative.rate_ppb * fit.rate_ppb + PARTS_PER_BILLION // 2) // PARTS_PER_BILLION
    uncertainty_us = relative.uncertainty_us + doubt_us
    warning = ""
    if uncertainty_us > WANTED_US:
        warning = (
            f"{unit}: times hold only ±{milliseconds(uncertainty_us)}, because the sync pulse ties them to {reference} "
            f"(±{milliseconds(relative.uncertainty_us)} between the two). {fit.warning}"
        ).strip()
    return ClockFit(
        device_anchor_us=relative.device_anchor_us,
        race_anchor_us=fit.race_us(relative.race_anchor_us),
        rate_ppb=relative.rate_ppb + fit.rate_ppb + product_ppb,
        uncertainty_us=uncertainty_us,
        oldest_uncertainty_us=relative.oldest_uncertainty_us + oldest_doubt_us,
        drift_uncertainty_ppb=relative.drift_uncertainty_ppb + fit.drift_uncertainty_ppb,
        samples=relative.samples,
        quality=fit.quality,
        fitted_from_us=relative.fitted_from_us,
        fitted_until_us=relative.fitted_until_us,
        warning=warning,
    )


def _corrected(pairs: Sequence[_Pair], own: ClockFit) -> ClockFit | None:
    """By the first reference in meet order that still shares a pulse with the unit."""
    found = (pair.corrected(own) for pair in pairs)
    return next((fit for fit in found if fit is not None), None)


def _whole_minutes(distance_us: int) -> bool:
    """Whether two pulses of one unit are a whole number of minutes apart, at least one."""
    minutes = (abs(distance_us) + MINUTE_US // 2) // MINUTE_US
    allowed_us = REGULAR_WITHIN_US + abs(distance_us) * REGULAR_WITHIN_PPM // 1_000_000
    return minutes > 0 and abs(abs(distance_us) - minutes * MINUTE_US) <= allowed_us


def _together(unit: _Unit, pulse: _Pulse, other: _Unit) -> _Pulse | None:
    """The pulse of another unit nearest to this one within a second, if it is regular and not paired yet."""
    own, fit, segment = unit.clock.fit(), other.clock.fit(), other.clock.segment
    # An unfitted clock's scale is its own: whatever seems near on it is not.
    if own.quality == "none" or fit.quality == "none":
        return None
    race_us = own.race_us(pulse.device_us)
    candidates = [
        (abs(fit.race_us(one.device_us) - race_us), one)
        for one in other.pulses
        if one.regular and one.segment == segment and unit.device.id not in one.paired
    ]
    distance_us, nearest = min(candidates, key=lambda found: found[0], default=(TOGETHER_US + 1, None))
    return nearest if distance_us <= TOGETHER_US else None
