"""How well loops and transponders are read, over a day: medians of bounded windows, and a sentence when they fall.

Folded from the passings in the journal. Hits fall with speed, so a window spans several heats; a transponder is
measured against the loop that read it, so that neither a weak loop nor a fast heat looks like a weak battery.
"""

from collections import deque
from collections.abc import Iterable
from statistics import median_low

import msgspec

from drivers.records import DeviceStatus, Passing

LOOP_WINDOW = 120
"""Reads of a loop compared: some three heats, so that slow and fast crossings are in both windows."""
TRANSPONDER_WINDOW = 20
LOOP_FALL_PERCENT = 70
TRANSPONDER_FALL_PERCENT = 70
"""Below this share of what it was at first, a median has fallen."""
NOISE_LIMIT = 40
"""Below it noise is normal (hardware-protocols §2, §14)."""
NOISE_WINDOW = 12
LOW_SUPPLY_MV = 10_500
"""A 12 V lead battery is empty here."""
LEAST_SUPPLY_MV = 6_000
"""Boxes that state less run from another source, for which no limit is known."""
SYNC_DRIFT_LIMIT_US = 100_000
"""From here on velotrain calls a unit out of step with the sync pulse (hardware-protocols §2, clock discipline)."""
TRANSPONDERS_KEPT = 1_000
"""Of transponders nobody has entered no more are followed than this."""


class LoopTrend(msgspec.Struct, frozen=True):
    """Reads at one loop by one device. Medians of the first and of the newest LOOP_WINDOW; null where not stated."""

    loop: str
    reads: int
    hits: int | None
    hits_at_first: int | None
    strength: int | None
    strength_at_first: int | None


class DeviceTrends(msgspec.Struct, frozen=True):
    """Trends of a device, with a sentence for each that needs a person."""

    last_byte_us: int = 0
    noise: int | None = None
    """Median of the newest NOISE_WINDOW statements."""
    supply_mv: int | None = None
    loops: tuple[LoopTrend, ...] = ()
    warnings: tuple[str, ...] = ()
    sync_drift_us: int | None = None
    """Nearest full minute less the unit's stamp of its newest sync pulse; null for boxes without one."""


class TransponderTrend(msgspec.Struct, frozen=True):
    """Strength and hits as a share of what its loops read at that time: medians of the first and the newest reads.

    Hits also follow the speed within a heat, so only the strength makes a warning.
    """

    transponder: str
    reads: int
    strength_percent: int | None
    strength_percent_at_first: int | None
    hits_percent: int | None
    hits_percent_at_first: int | None
    battery: int | None
    """As the box states it, in its own unit."""
    warning: str


class _Series:
    """The first `size` values, the newest `size` after them, and how many there were."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.first: list[int] = []
        self.newest: deque[int] = deque(maxlen=size)

    def add(self, value: int) -> None:
        if len(self.first) < self.size:
            self.first.append(value)
        self.newest.append(value)

    @property
    def now(self) -> int | None:
        """Median of the newest values."""
        return median_low(self.newest) if self.newest else None

    @property
    def at_first(self) -> int | None:
        """Median of the first values; null before there are enough to compare with."""
        return median_low(self.first) if len(self.first) == self.size else None

    def fell_below(self, percent: int) -> bool:
        """Whether the newest median is less than this share of the first (both positive scales)."""
        first, now = self.at_first, self.now
        return first is not None and now is not None and first > 0 and 100 * now < percent * first


class _LoopSeries:
    def __init__(self) -> None:
        self.reads = 0
        self.hits = _Series(LOOP_WINDOW)
        self.strength = _Series(LOOP_WINDOW)
        self.strength_level: int | None = None
        self.hits_level: int | None = None
        """Medians, brought up to date every few reads: a median a passing would cost more than the rest."""


class _TransponderSeries:
    def __init__(self) -> None:
        self.reads = 0
        self.percent = _Series(TRANSPONDER_WINDOW)
        self.hits_percent = _Series(TRANSPONDER_WINDOW)
        self.battery: int | None = None


class Trends:
    """What the passings of a meet say of its loops and transponders: a fold, like the state that holds it."""

    LEVEL_EVERY = 16

    def __init__(self) -> None:
        self._loops: dict[tuple[str, str], _LoopSeries] = {}
        self._transponders: dict[str, _TransponderSeries] = {}
        self._noise: dict[str, _Series] = {}
        self._supply_mv: dict[str, int] = {}
        self._last_byte_us: dict[str, int] = {}
        self._sync_drift_us: dict[str, int] = {}

    def take_bytes(self, device: str, received_us: int) -> None:
        """Bytes arrived, whatever was in them."""
        self._last_byte_us[device] = max(received_us, self._last_byte_us.get(device, 0))

    def take_passing(self, passing: Passing, loop: str | None) -> None:
        """A passing at a loop of the venue (None: at none of them)."""
        where = passing.device, loop or ""
        series = self._loops.get(where)
        if series is None:
            series = self._loops[where] = _LoopSeries()
        series.reads += 1
        if passing.hits is not None:
            series.hits.add(passing.hits)
        if passing.strength is not None:
            series.strength.add(passing.strength)
        if series.reads % self.LEVEL_EVERY == 1:
            series.hits_level, series.strength_level = series.hits.now, series.strength.now
        known = self._transponders.get(passing.transponder)
        if known is None:
            if len(self._transponders) >= TRANSPONDERS_KEPT:
                return
            known = self._transponders[passing.transponder] = _TransponderSeries()
        known.reads += 1
        known.battery = passing.battery if passing.battery is not None else known.battery
        if passing.strength is not None and series.strength_level is not None and series.strength_level > 0:
            known.percent.add(100 * passing.strength // series.strength_level)
        if passing.hits is not None and series.hits_level is not None and series.hits_level > 0:
            known.hits_percent.add(100 * passing.hits // series.hits_level)

    def take_pulse(self, device: str, drift_us: int) -> None:
        """A unit stamped the sync pulse of the full minute; `drift_us` is what its clock lacks."""
        self._sync_drift_us[device] = drift_us

    def take_status(self, status: DeviceStatus) -> None:
        """What a box says of itself."""
        if status.noise is not None:
            self._noise.setdefault(status.device, _Series(NOISE_WINDOW)).add(status.noise)
        if status.supply_mv is not None:
            self._supply_mv[status.device] = status.supply_mv

    def device(self, name: str) -> DeviceTrends:
        """The trends of one device."""
        noise, supply_mv = self._noise.get(name), self._supply_mv.get(name)
        noise_now = None if noise is None else noise.now
        loops, warnings = [], []
        for (device, loop), series in self._loops.items():
            if device != name:
                continue
            loops.append(_loop_trend(loop, series))
            warnings += _loop_warnings(name, loop, series)
        if noise_now is not None and noise_now >= NOISE_LIMIT:
            warnings.append(
                f"{name}: noise {noise_now}, normal is below {NOISE_LIMIT}: look for a power cable, a lamp or a screen "
                "beside the loop or its lead"
            )
        if supply_mv is not None and LEAST_SUPPLY_MV <= supply_mv < LOW_SUPPLY_MV:
            warnings.append(f"{name}: supply {supply_mv // 100 / 10:.1f} V is low: connect mains or change its battery")
        drift_us = self._sync_drift_us.get(name)
        if drift_us is not None and abs(drift_us) > SYNC_DRIFT_LIMIT_US:
            warnings.append(
                f"{name}: its clock is {abs(drift_us) // 1_000} ms {'behind' if drift_us > 0 else 'ahead of'} the sync "
                "pulse: times are corrected by it; before the next session stop all units and start them by the pulse"
            )
        last_us = self._last_byte_us.get(name, 0)
        return DeviceTrends(last_us, noise_now, supply_mv, tuple(loops), tuple(warnings), drift_us)

    def transponder(self, number: str) -> TransponderTrend | None:
        """The trend of one transponder; None where it was never read."""
        series = self._transponders.get(number)
        if series is None:
            return None
        first, now = series.percent.at_first, series.percent.now
        warning = ""
        if series.percent.fell_below(TRANSPONDER_FALL_PERCENT):
            warning = (
                f"transponder {number}: strength fell from {first} to {now} % of what its loops read: "
                "charge or change it, check how it is mounted"
            )
        hits = series.hits_percent
        return TransponderTrend(number, series.reads, now, first, hits.now, hits.at_first, series.battery, warning)

    def transponders(self, numbers: Iterable[str]) -> tuple[TransponderTrend, ...]:
        """The trends of those that were read, in the order given."""
        found = (self.transponder(number) for number in numbers)
        return tuple(one for one in found if one is not None)


def _loop_trend(loop: str, series: _LoopSeries) -> LoopTrend:
    hits, strength = series.hits, series.strength
    return LoopTrend(loop, series.reads, hits.now, hits.at_first, strength.now, strength.at_first)


def _loop_warnings(device: str, loop: str, series: _LoopSeries) -> list[str]:
    found = []
    where = f"{device}, loop {loop}" if loop else device
    for what, one in (("hits", series.hits), ("strength", series.strength)):
        if one.fell_below(LOOP_FALL_PERCENT):
            found.append(f"{where}: {what} fell from {one.at_first} to {one.now} (medians): check loop, lead and plug")
    return found
