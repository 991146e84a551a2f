"""Device time to race time: offset, rate and honest ± of every device's clock (DESIGN §3).

A 20 ppm crystal drifts 1.2 ms a minute, so offset *and* rate are fitted, per device, from nothing but the
records themselves: the same records give the same fit, bit for bit. What the fit does is in `core.clockfit`;
here is what may enter it (`DeviceClock.observe`), how device stamps become one unwrapped scale, and when a
clock was set rather than late. Sources: hardware-protocols §0 fact 1, §1 Clock, §10.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import numpy as np

from config.models import Device
from drivers.records import ClockReading, DeviceStatus, Impulse, Passing, Record
from timing.core.arrays import Int64Array
from timing.core.clockfit import Line, fit_line
from timing.units import MICROSECONDS_PER_MILLISECOND, MICROSECONDS_PER_SECOND

Quality = Literal["none", "one_way", "round_trip"]

DAY_US: Final = 86_400 * MICROSECONDS_PER_SECOND
PARTS_PER_BILLION: Final = 1_000_000_000

WINDOW_US: Final = 600 * MICROSECONDS_PER_SECOND
"""Long enough to know the rate to a few ppm, short enough that temperature does not bend the line."""
BUCKET_US: Final = 2 * MICROSECONDS_PER_SECOND
"""Of this much device time only the tightest bound is kept: at most 301 in a window, however busy the box."""
KEPT_AT_LEAST: Final = 16
"""Bounds kept beyond the window's age: a box that speaks seldom still has a rate."""

SHORT_SPAN_US: Final = 30 * MICROSECONDS_PER_SECOND
UNKNOWN_DRIFT_PPB: Final = 50_000
LEAST_DRIFT_PPB: Final = 1_000
"""A crystal's rate moves this much with temperature, however well it was known."""
UNFITTED_UNCERTAINTY_US: Final = MICROSECONDS_PER_SECOND
"""± of a time that is taken from its arrival because nothing is known of the clock."""

WANTED_US: Final = MICROSECONDS_PER_MILLISECOND
STEP_MARGIN_US: Final = MICROSECONDS_PER_MILLISECOND
STEP_COUNT: Final = 3
"""So many impossible stamps in a row, and the clock was set; one alone is a bad reading."""
LATE_COUNT: Final = 8
LATE_SPAN_US: Final = 10 * MICROSECONDS_PER_SECOND
LATE_MARGIN_US: Final = 20 * MICROSECONDS_PER_MILLISECOND
LATE_SPREADS: Final = 8
"""Late arrivals are possible: it takes more of them, over longer than a network stalls, to mean a step."""
STEADY_SHARE: Final = 20
"""The shortest delays of the earlier and the later half may differ by this part of their span: jitter, no queue."""
SUSPECTS_KEPT: Final = 32
EARLY_SPREADS: Final = 4
"""Without round trips the shortest delay is a guess: jitter may undercut it, but not by so much."""


class ClockFit(msgspec.Struct, frozen=True, kw_only=True):
    """race = race_anchor_us + (device - device_anchor_us) * (1 + rate_ppb * 1e-9), with its ±.

    Device times are on the unwrapped scale of `DeviceClock.unwrap`. The ± is for a single stamp, so it holds
    half a tick of the device's resolution.
    """

    device_anchor_us: int
    race_anchor_us: int
    rate_ppb: int
    uncertainty_us: int
    """± at the anchor, which is the newest device time in the fit."""
    oldest_uncertainty_us: int
    """± at the oldest device time in the fit."""
    drift_uncertainty_ppb: int
    """± of the rate: how fast the ± grows outside the observed span."""
    samples: int
    """Bounds that the fit rests on: the tightest of each bucket, not every record."""
    quality: Quality
    fitted_from_us: int
    """Oldest device time in the fit."""
    fitted_until_us: int
    """Newest device time in the fit."""
    warning: str
    """Empty while the device holds ±1 ms; otherwise one sentence: how much, why, and what to do."""

    def race_us(self, device_us: int) -> int:
        """UTC µs of an unwrapped device time, in integers; the rate's share is rounded half up to the µs."""
        elapsed_us = device_us - self.device_anchor_us
        gained_us = (elapsed_us * self.rate_ppb + PARTS_PER_BILLION // 2) // PARTS_PER_BILLION
        return self.race_anchor_us + elapsed_us + gained_us

    def uncertainty_at(self, device_us: int) -> int:
        """± in µs of `race_us(device_us)`: linear between the observed ends, growing beyond them."""
        outside_us = max(0, device_us - self.fitted_until_us, self.fitted_from_us - device_us)
        age_us = min(max(0, self.fitted_until_us - device_us), self.fitted_until_us - self.fitted_from_us)
        span_us = max(1, self.fitted_until_us - self.fitted_from_us)
        inside_us = _divide_up((self.oldest_uncertainty_us - self.uncertainty_us) * age_us, span_us)
        return self.uncertainty_us + inside_us + _divide_up(outside_us * self.drift_uncertainty_ppb, PARTS_PER_BILLION)


def _divide_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


class _Sample(NamedTuple):
    """Bounds of the offset host - device at an unwrapped device time; no floor if the stamp came unasked."""

    device_us: int
    received_us: int
    ceiling_us: int
    floor_us: int | None


class _Envelope:
    """The tightest bound of each bucket over the window: highest floors or lowest ceilings."""

    def __init__(self, tighter: Literal["higher", "lower"]) -> None:
        self._sign = 1 if tighter == "higher" else -1
        self._points: Int64Array = np.zeros((2, 1024), dtype=np.int64)
        self._first = self._end = 0

    def __len__(self) -> int:
        return self._end - self._first

    @property
    def device_us(self) -> Int64Array:
        return self._points[0, self._first : self._end]

    @property
    def offset_us(self) -> Int64Array:
        return self._points[1, self._first : self._end]

    def add(self, device_us: int, offset_us: int) -> bool:
        """Take a bound, unless older than the newest bucket; returns whether the envelope changed."""
        if len(self):
            newest_us = int(self._points[0, self._end - 1])
            if device_us // BUCKET_US < newest_us // BUCKET_US:
                return False
            if device_us // BUCKET_US == newest_us // BUCKET_US:
                if self._sign * offset_us <= self._sign * int(self._points[1, self._end - 1]):
                    return False
                self._end -= 1
        self._append(device_us, offset_us)
        return True

    def _append(self, device_us: int, offset_us: int) -> None:
        if self._end == self._points.shape[1]:
            kept = len(self)
            self._points[:, :kept] = self._points[:, self._first : self._end].copy()
            self._first, self._end = 0, kept
        self._points[:, self._end] = device_us, offset_us
        self._end += 1
        while len(self) > KEPT_AT_LEAST and device_us - int(self._points[0, self._first]) > WINDOW_US:
            self._first += 1


class DeviceClock:
    """The clock of one device, folded over its records. Holds no time of its own and reads no clock."""

    def __init__(self, device: Device, timezone: str) -> None:
        """`timezone` is the venue's, which a box may keep. Raises ValueError when it is unknown."""
        try:
            self._zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                f"time zone {timezone!r} of device {device.id!r} is unknown: "
                "give a name of the tz database, such as 'Asia/Tokyo'"
            ) from error
        self._device = device
        self._half_tick_us = (device.resolution_us + 1) // 2
        self._learned_offset_us = 0
        self._zone_offset_us: int | None = None
        self._correction: Callable[[ClockFit], ClockFit | None] | None = None
        self.segment = 0
        """Rises when the device's clock was set: stamps of two segments do not compare."""
        self._begin_segment()

    def correct_by(self, correction: Callable[[ClockFit], ClockFit | None] | None) -> None:
        """Let something better than arrivals correct the fit while the box cannot be asked (`race.sync`).

        `correction` gets the clock's own one-way fit and returns the one to use, or None while it has none.
        What belongs to the clock and when it was set is always judged by its own fit.
        """
        self._correction = correction

    def _begin_segment(self) -> None:
        self.segment += 1
        self._ceilings, self._floors = _Envelope("lower"), _Envelope("higher")
        self._suspects: list[_Sample] = []
        self._suspects_late = False
        self._fit: ClockFit | None = None

    # -- device stamps on one scale --------------------------------------------------------------------------

    def unwrap(self, device_us: int, received_us: int) -> int:
        """Device stamp to a scale without midnights and daylight saving; it stays the device's own.

        `utc`: as it is. `local_time`: less the zone's offset. `time_of_day`: the same, plus days. Of the
        possible readings the one nearest to what the clock should show at `received_us` is taken: a box may
        follow a change of daylight saving or not, a backlog may be 12 h old (30 min across such a change).
        """
        return self._unwrap(device_us, received_us)[0]

    def _unwrap(self, device_us: int, received_us: int) -> tuple[int, int | None]:
        if self._device.clock == "utc":
            return device_us, None
        expected_us = received_us - self._learned_offset_us
        zone_offset_us = self._zone_offset_at(received_us)
        candidates = [zone_offset_us]
        if self._zone_offset_us is not None and self._zone_offset_us != zone_offset_us:
            candidates.insert(0, self._zone_offset_us)
        readings = [(self._nearest_day(device_us - offset, expected_us), offset) for offset in candidates]
        return min(readings, key=lambda reading: abs(reading[0] - expected_us))

    def _nearest_day(self, stamp_us: int, expected_us: int) -> int:
        if self._device.clock == "local_time":
            return stamp_us
        return stamp_us + (expected_us - stamp_us + DAY_US // 2) // DAY_US * DAY_US

    def _zone_offset_at(self, utc_us: int) -> int:
        offset = datetime.fromtimestamp(utc_us // MICROSECONDS_PER_SECOND, self._zone).utcoffset()
        return 0 if offset is None else (offset.days * 86_400 + offset.seconds) * MICROSECONDS_PER_SECOND

    # -- what the records prove ------------------------------------------------------------------------------

    def observe(self, record: Record) -> None:
        """Learn from a record of this device; those of others, without device time or re-sent say nothing.

        A ClockReading with `sent_us` is a round trip; every other stamp only shows that it was made before it
        arrived. Once the box answers, its answers carry the fit.
        """
        if record.device != self._device.id:
            return
        if not isinstance(record, Passing | Impulse | DeviceStatus | ClockReading) or record.device_us is None:
            return
        if isinstance(record, Passing | Impulse) and record.backlog:
            return
        device_us, zone_offset_us = self._unwrap(record.device_us, record.received_us)
        sent_us = record.sent_us if isinstance(record, ClockReading) else None
        # A stamp may stand for anything within half a tick of it, whether the box truncates or rounds.
        sample = _Sample(
            device_us=device_us,
            received_us=record.received_us,
            ceiling_us=record.received_us - device_us + self._half_tick_us,
            floor_us=None if sent_us is None else sent_us - device_us - self._half_tick_us,
        )
        if self._belongs(sample):
            self._take(sample)
            self._learned_offset_us = record.received_us - device_us
            self._zone_offset_us = zone_offset_us

    def _belongs(self, sample: _Sample) -> bool:
        """Whether the sample is of this segment; the last of enough suspects in a row begins a new one."""
        fit = self._own_fit()
        if fit.quality == "none":
            return True
        if fit.quality == "one_way" and sample.floor_us is not None:
            # Answers make the arrivals before them worthless: nothing is known of those delays.
            self._begin_segment()
            return True
        impossible, late = self._doubts(sample, fit)
        if not (impossible or late):
            if fit.quality == "one_way" or sample.floor_us is not None:
                self._suspects.clear()
            return True
        if late != self._suspects_late:
            self._suspects.clear()
        self._suspects_late = late
        self._suspects.append(sample)
        if not self._was_set():
            return False
        earlier = self._suspects[:-1]
        self._begin_segment()
        for suspect in earlier:
            self._take(suspect)
        return True

    def _doubts(self, sample: _Sample, fit: ClockFit) -> tuple[bool, bool]:
        """Whether the fit makes the sample impossible, and whether it is suspiciously late."""
        expected_us = fit.race_us(sample.device_us) - sample.device_us
        believed_us = fit.uncertainty_at(sample.device_us) + STEP_MARGIN_US
        if fit.quality == "round_trip":
            before_asked = sample.floor_us is not None and sample.floor_us > expected_us + believed_us
            return before_asked or sample.ceiling_us < expected_us - believed_us, False
        late_us = sample.ceiling_us - self._device.transport_delay_us - expected_us
        return late_us < -EARLY_SPREADS * believed_us, late_us > LATE_SPREADS * believed_us + LATE_MARGIN_US

    def _was_set(self) -> bool:
        if not self._suspects_late:
            return len(self._suspects) >= STEP_COUNT
        if len(self._suspects) > SUSPECTS_KEPT:
            del self._suspects[1::2]
        span_us = self._suspects[-1].received_us - self._suspects[0].received_us
        if len(self._suspects) < LATE_COUNT or span_us < LATE_SPAN_US:
            return False
        return self._are_steadily_late(span_us)

    def _are_steadily_late(self, span_us: int) -> bool:
        """A clock that was set makes every arrival late by the same; a queue that is worked off, by less and less."""
        late_us = [sample.ceiling_us for sample in self._suspects]
        half = len(late_us) // 2
        return abs(min(late_us[half:]) - min(late_us[:half])) <= span_us // STEADY_SHARE

    def _take(self, sample: _Sample) -> None:
        changed = False
        if sample.floor_us is not None:
            changed = self._floors.add(sample.device_us, sample.floor_us)
        if sample.floor_us is not None or not len(self._floors):
            changed = self._ceilings.add(sample.device_us, sample.ceiling_us) or changed
        if changed:
            self._fit = None

    # -- the fit ---------------------------------------------------------------------------------------------

    def fit(self) -> ClockFit:
        """The present fit, corrected if something corrects it (`correct_by`)."""
        own = self._own_fit()
        if self._correction is None or own.quality != "one_way":
            return own
        return self._correction(own) or own

    def _own_fit(self) -> ClockFit:
        """What the records prove; recomputed only when one changed what it rests on."""
        if self._fit is None:
            self._fit = self._fitted() if len(self._ceilings) else self._unfitted()
        return self._fit

    def race_us(self, device_us: int, received_us: int) -> int:
        """UTC µs of a device stamp that arrived at host time `received_us`.

        Never later than its arrival, whatever the fit says: a clock that was just set forward cannot put a
        passing into the future. Without a fit: the arrival less the device's shortest transport delay.
        """
        fit = self.fit()
        if fit.quality == "none":
            return received_us - self._device.transport_delay_us
        return min(fit.race_us(self.unwrap(device_us, received_us)), received_us)

    def uncertainty_us(self, device_us: int, received_us: int) -> int:
        """± in µs of `race_us` for the same stamp."""
        return self.fit().uncertainty_at(self.unwrap(device_us, received_us))

    def _unfitted(self) -> ClockFit:
        return ClockFit(
            device_anchor_us=0,
            race_anchor_us=0,
            rate_ppb=0,
            uncertainty_us=UNFITTED_UNCERTAINTY_US,
            oldest_uncertainty_us=UNFITTED_UNCERTAINTY_US,
            drift_uncertainty_ppb=0,
            samples=0,
            quality="none",
            fitted_from_us=0,
            fitted_until_us=0,
            warning=f"{self._device.id}: nothing is known of its clock, times are those of arrival: "
            "check that the box is connected and sends or answers.",
        )

    def _fitted(self) -> ClockFit:
        ceilings, floors = self._ceilings, self._floors
        line = fit_line(ceilings.device_us, ceilings.offset_us, floors.device_us, floors.offset_us)
        from_us, until_us = int(ceilings.device_us[0]), int(ceilings.device_us[-1])
        quality: Quality = "one_way"
        offset_us = line.offset_us - self._device.transport_delay_us
        if len(floors):
            quality, offset_us = "round_trip", line.offset_us
            from_us = min(from_us, int(floors.device_us[0]))
            until_us = max(until_us, int(floors.device_us[-1]))
        doubt_us, oldest_doubt_us, drift_ppb = self._doubt(line, quality, until_us - from_us)
        uncertainty_us = doubt_us + self._half_tick_us
        return ClockFit(
            device_anchor_us=until_us,
            race_anchor_us=until_us + offset_us,
            rate_ppb=line.rate_ppb,
            uncertainty_us=uncertainty_us,
            oldest_uncertainty_us=oldest_doubt_us + self._half_tick_us,
            drift_uncertainty_ppb=drift_ppb,
            samples=len(ceilings),
            quality=quality,
            fitted_from_us=from_us,
            fitted_until_us=until_us,
            warning=self._warning(quality, uncertainty_us, line, until_us - from_us),
        )

    def _doubt(self, line: Line, quality: Quality, span_us: int) -> tuple[int, int, int]:
        """± of the offset at the newest and at the oldest end in µs, and of the rate in ppb."""
        if quality == "round_trip":
            doubt_us, oldest_doubt_us = line.bound_us, line.oldest_bound_us
            drift_ppb = max(line.highest_rate_ppb - line.rate_ppb, line.rate_ppb - line.lowest_rate_ppb)
        else:
            doubt_us = oldest_doubt_us = self._device.transport_delay_us + line.bound_us
            drift_ppb = min(UNKNOWN_DRIFT_PPB, 2 * line.bound_us * PARTS_PER_BILLION // max(1, span_us))
        if span_us < SHORT_SPAN_US:
            drift_ppb = min(drift_ppb, UNKNOWN_DRIFT_PPB)
        return doubt_us, oldest_doubt_us, max(drift_ppb, LEAST_DRIFT_PPB)

    def _warning(self, quality: Quality, uncertainty_us: int, line: Line, span_us: int) -> str:
        if uncertainty_us <= WANTED_US:
            return ""
        held = f"{self._device.id}: times hold only ±{milliseconds(uncertainty_us)}, because "
        if self._half_tick_us > WANTED_US // 2:
            tick = milliseconds(self._device.resolution_us)
            return f"{held}the box counts in steps of {tick}: let a photocell or the camera decide."
        if line.conflict_us > self._half_tick_us:
            return (
                f"{held}its clock runs unevenly ({milliseconds(line.conflict_us)} off a straight line): "
                "switch off its own time synchronisation, or let it warm up."
            )
        if quality == "one_way":
            return (
                f"{held}its clock cannot be asked and the delay to us is only assumed: "
                "let it share an impulse with a box that answers, or connect it by a direct cable."
            )
        if span_us < 2 * SHORT_SPAN_US:
            seconds = span_us // MICROSECONDS_PER_SECOND
            return f"{held}its clock was watched for {seconds} s only: wait for a minute of answers."
        fastest_us = int(np.min(self._ceilings.offset_us)) - int(np.max(self._floors.offset_us))
        return (
            f"{held}its answers take long or vary (about {milliseconds(max(fastest_us, 0))} at best): "
            "connect it by cable and keep other traffic off the network."
        )


def milliseconds(duration_us: int) -> str:
    """For people: milliseconds rounded up to one decimal, by integers."""
    tenths = _divide_up(duration_us, MICROSECONDS_PER_MILLISECOND // 10)
    return f"{tenths // 10}.{tenths % 10} ms"
