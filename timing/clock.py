"""Device time to race time: offset, rate and honest ± of every device's clock (DESIGN §3).

A 20 ppm crystal drifts 1.2 ms a minute, so offset *and* rate are fitted, per device, from nothing but the
records themselves: the same records give the same fit, bit for bit. What the fit does is in `core.clockfit`;
here is what may enter it (`DeviceClock.observe`), how device stamps become one unwrapped scale, and when a
clock was set rather than late. Sources: hardware-protocols §0 fact 1, §1 Clock, §10.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from config.models import Device
from drivers.records import ClockReading, DeviceStatus, Impulse, Passing, Record
from timing.clock_bounds import Sample, Segment
from timing.clock_fit import PARTS_PER_BILLION, ClockFit, Quality, divide_up
from timing.clock_history import (
    STEP_MARGIN_US,
    STRETCHES_KEPT,
    ClockHistory,
    Stretch,
    arrives_promptly,
    margins,
)
from timing.core.clockfit import Line, fit_line
from timing.units import MICROSECONDS_PER_MILLISECOND, MICROSECONDS_PER_SECOND

DAY_US: Final = 86_400 * MICROSECONDS_PER_SECOND

SHORT_SPAN_US: Final = 30 * MICROSECONDS_PER_SECOND
UNKNOWN_DRIFT_PPB: Final = 50_000
LEAST_DRIFT_PPB: Final = 1_000
"""A crystal's rate moves this much with temperature, however well it was known."""
UNFITTED_UNCERTAINTY_US: Final = MICROSECONDS_PER_SECOND
"""± of a time that is taken from its arrival because nothing is known of the clock."""

WANTED_US: Final = MICROSECONDS_PER_MILLISECOND
STEP_COUNT: Final = 3
"""So many impossible stamps in a row, and the clock was set; one alone is a bad reading."""
LATE_COUNT: Final = 8
LATE_SPAN_US: Final = 10 * MICROSECONDS_PER_SECOND
"""Late arrivals are possible: it takes more of them, over longer than a network stalls, to mean a step."""
STEADY_SHARE: Final = 20
"""The shortest delays of the earlier and the later half may differ by this part of their span: jitter, no queue."""
SUSPECTS_KEPT: Final = 32


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
        self._numbers = 0
        self._past: list[Stretch] = []
        self._before: Segment | None = None
        self._segment = self._new_segment()
        self._suspects: list[Sample] = []
        self._suspects_late = False
        self._fit: ClockFit | None = None

    @property
    def segment(self) -> int:
        """Another number whenever the device's clock was set: stamps of two segments do not compare."""
        return self._segment.number

    def correct_by(self, correction: Callable[[ClockFit], ClockFit | None] | None) -> None:
        """Let something better than arrivals correct the fit while the box cannot be asked (`race.sync`).

        `correction` gets the clock's own one-way fit and returns the one to use, or None while it has none.
        What belongs to the clock and when it was set is always judged by its own fit.
        """
        self._correction = correction

    def _new_segment(self, *, by_lateness: bool = False) -> Segment:
        self._numbers += 1
        return Segment(self._numbers, by_lateness)

    def _was_set_now(self) -> None:
        """The suspects are the first records of a new segment; what was before stays as a stretch of the past."""
        self._past.append(self._present())
        del self._past[: -(STRETCHES_KEPT - 1)]
        self._before, self._segment = self._segment, self._new_segment(by_lateness=self._suspects_late)
        suspects, self._suspects = self._suspects, []
        self._segment.first_us = suspects[0].received_us
        self._fit = None
        for suspect in suspects[:-1]:
            self._take(suspect)

    def _was_only_late(self, sample: Sample) -> bool:
        """Whether this record shows that the clock was not set back after all: those before it had only waited."""
        if not self._segment.by_lateness or self._before is None:
            return False
        late_us = sample.received_us - self._device.transport_delay_us - self._past[-1].fit.race_us(sample.device_us)
        return arrives_promptly(self._past[-1].fit, late_us)

    def _go_back(self) -> None:
        if self._before is not None:
            self._segment, self._before = self._before, None
            self._past.pop()
            self._suspects.clear()
            self._fit = None

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
        sample = Sample(
            device_us=device_us,
            received_us=record.received_us,
            ceiling_us=record.received_us - device_us + self._half_tick_us,
            floor_us=None if sent_us is None else sent_us - device_us - self._half_tick_us,
        )
        if self._belongs(sample):
            self._take(sample)
            self._learned_offset_us = record.received_us - device_us
            self._zone_offset_us = zone_offset_us
            self._note_arrival(sample)

    def _note_arrival(self, sample: Sample) -> None:
        """A record that came without delay shows that the clock was not set before it."""
        segment = self._segment
        segment.first_us = segment.first_us or sample.received_us
        late_us = sample.received_us - self._device.transport_delay_us - self._own_fit().race_us(sample.device_us)
        if arrives_promptly(self._own_fit(), late_us):
            segment.last_us = max(segment.last_us, sample.received_us)

    def _belongs(self, sample: Sample) -> bool:
        """Whether the sample is of this segment; the last of enough suspects in a row begins a new one."""
        fit = self._own_fit()
        if fit.quality == "none":
            return True
        if fit.quality == "one_way" and sample.floor_us is not None:
            # Answers make the arrivals before them worthless: nothing is known of those delays.
            first_us, self._segment = self._segment.first_us, self._new_segment()
            self._segment.first_us, self._before, self._fit = first_us, None, None
            self._suspects.clear()
            return True
        impossible, late = self._doubts(sample, fit)
        if not (impossible or late):
            if fit.quality == "one_way" or sample.floor_us is not None:
                self._suspects.clear()
            return True
        if impossible and self._was_only_late(sample):
            self._go_back()
            return True
        if late != self._suspects_late:
            self._suspects.clear()
        self._suspects_late = late
        self._suspects.append(sample)
        if not self._was_set():
            return False
        self._was_set_now()
        return True

    def _doubts(self, sample: Sample, fit: ClockFit) -> tuple[bool, bool]:
        """Whether the fit makes the sample impossible, and whether it is suspiciously late."""
        expected_us = fit.race_us(sample.device_us) - sample.device_us
        uncertainty_us = fit.uncertainty_at(sample.device_us)
        if fit.quality == "round_trip":
            believed_us = uncertainty_us + STEP_MARGIN_US
            before_asked = sample.floor_us is not None and sample.floor_us > expected_us + believed_us
            return before_asked or sample.ceiling_us < expected_us - believed_us, False
        late_us = sample.ceiling_us - self._device.transport_delay_us - expected_us
        early_us, late_most_us = margins(fit, uncertainty_us)
        return late_us < -early_us, late_us > late_most_us

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

    def _take(self, sample: Sample) -> None:
        changed = False
        if sample.floor_us is not None:
            changed = self._segment.floors.add(sample.device_us, sample.floor_us)
        if sample.floor_us is not None or not len(self._segment.floors):
            changed = self._segment.ceilings.add(sample.device_us, sample.ceiling_us) or changed
        if changed:
            self._fit = None

    # -- the fit ---------------------------------------------------------------------------------------------

    def fit(self) -> ClockFit:
        """The present fit, corrected if something corrects it (`correct_by`)."""
        own = self._own_fit()
        if self._correction is None or own.quality != "one_way":
            return own
        return self._correction(own) or own

    def history(self) -> ClockHistory:
        """The present fit with the stretches before the clock was set."""
        return ClockHistory((*self._past, self._present()))

    def _present(self) -> Stretch:
        segment = self._segment
        return Stretch(self.fit(), segment.first_us, segment.last_us, segment.by_lateness)

    def placed(self, device_us: int, received_us: int, *, backlog: bool = False) -> tuple[int, int]:
        """Race µs of a device stamp, never later than its arrival, and the ± that the clock's setting leaves open."""
        arrived_us = received_us - self._device.transport_delay_us
        race_us, doubt_us = self.history().at(self.unwrap(device_us, received_us), arrived_us, backlog=backlog)
        return min(race_us, received_us), doubt_us

    def _own_fit(self) -> ClockFit:
        """What the records prove; recomputed only when one changed what it rests on."""
        if self._fit is None:
            self._fit = self._fitted() if len(self._segment.ceilings) else self._unfitted()
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
        ceilings, floors = self._segment.ceilings, self._segment.floors
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
        fastest_us = int(np.min(self._segment.ceilings.offset_us)) - int(np.max(self._segment.floors.offset_us))
        return (
            f"{held}its answers take long or vary (about {milliseconds(max(fastest_us, 0))} at best): "
            "connect it by cable and keep other traffic off the network."
        )


def milliseconds(duration_us: int) -> str:
    """For people: milliseconds rounded up to one decimal, by integers."""
    tenths = divide_up(duration_us, MICROSECONDS_PER_MILLISECOND // 10)
    return f"{tenths // 10}.{tenths % 10} ms"
