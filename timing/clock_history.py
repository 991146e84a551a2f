"""Which setting of a device's clock a stamp was made by, and what that leaves open.

A clock that is set in mid-race has two fits, and a stamp alone does not say under which one it was made. What does:

| Evidence | A stamp is |
| --- | --- |
| it arrived as soon after the time by a fit as records usually do | of that stretch |
| its time by a fit lies outside the stretch over which that fit can have held, or after its arrival | not of that one |
| several stretches are left | of the later one, ± the way to the farthest other one |
| it arrived later than usual, and nothing has fitted since | told late, or the clock was set back: ± its lateness |
| only late arrivals said that the clock was set back, less than a minute ago | ± the way to the time without that |
| the stretch rests on a few arrivals, and the next one is earlier | ± the way to the time by the next one |
| its time lies after its arrival | the clock was set forward: its arrival, ± the time since a record last fitted |

Records from a box's memory (`backlog`) arrive whenever: their arrival says only that they are not younger.
All times are µs; arrivals are host UTC less the device's shortest transport delay.
"""

from typing import Final, NamedTuple

import msgspec
import numpy as np

from timing.clock_fit import PARTS_PER_BILLION, ClockFit
from timing.core.arrays import BoolArray, Int64Array

EARLY_SPREADS: Final = 4
"""So many times its ± may a fit be undercut by jitter."""
LATE_SPREADS: Final = 8
STEP_MARGIN_US: Final = 1_000
LATE_MARGIN_US: Final = 20_000
"""Later than this, beside LATE_SPREADS of the ±, is more than a busy network."""
ROUGH_US: Final = 5_000
"""A past stretch with a worse fit says so for each of its stamps: the heat tells only of the present fits."""
FEW_SAMPLES: Final = 8
"""Bounds on which a fit knows neither its ± nor the jitter. As long as it rests on fewer:"""
LATE_AT_MOST_US: Final = 300_000
"""later than this is no network's delay;"""
EARLY_AT_MOST_US: Final = 600_000
"""no first arrival was later than this."""
PROVEN_AFTER_US: Final = 60_000_000
"""So long nothing holds up each and every record by the same time."""
STRETCHES_KEPT: Final = 8
EXACT_BELOW: Final = 2**62
"""A product up to here is exact in int64; a larger one (a clock that is nonsense) is left to Python's integers."""
BACKLOG_UNKNOWN_US: Final = 3_600_000_000
"""± of a record from the memory of a box of whose clock nothing is known."""
FAR_US: Final = 2**60


class Stretch(msgspec.Struct, frozen=True):
    """A time over which the clock was not set, and its fit: from the first arrival that fits it to the last."""

    fit: ClockFit
    first_us: int
    last_us: int
    by_lateness: bool = False
    """Whether only late arrivals say that the clock was set before it; else the fit before it was impossible."""

    @property
    def is_proven(self) -> bool:
        """Whether it cannot have been a line that held everything up."""
        return not self.by_lateness or self.last_us - self.first_us >= PROVEN_AFTER_US

    @property
    def is_hardly_known(self) -> bool:
        """Whether all of its arrivals may have been late: then what came next was on time, and no clock was set."""
        return self.fit.quality == "one_way" and self.fit.samples < FEW_SAMPLES


class Instants(NamedTuple):
    """Shape [n] each: race µs, and the ± that is left open about the clock's setting (0: nothing)."""

    race_us: Int64Array
    doubt_us: Int64Array


class ClockHistory(msgspec.Struct, frozen=True):
    """The stretches of one device's clock, oldest first; the last one is the present. Never empty."""

    stretches: tuple[Stretch, ...]

    @property
    def fit(self) -> ClockFit:
        """The present fit."""
        return self.stretches[-1].fit

    def at(self, device_us: int, arrived_us: int, *, backlog: bool = False) -> tuple[int, int]:
        """Race µs of one stamp and its doubt; `device_us` on the unwrapped scale, `arrived_us` where it has no fit."""
        present = self.stretches[-1]
        if len(self.stretches) == 1 and present.fit.quality != "none":
            race_us = present.fit.race_us(device_us)
            late_us = arrived_us - race_us
            early_us, late_most_us = margins(present.fit, present.fit.uncertainty_us)
            if late_us >= -early_us and (backlog or late_us <= late_most_us):
                return race_us, 0
        found = self.of(
            np.array([device_us], np.int64), np.array([arrived_us], np.int64), np.array([backlog], np.bool_)
        )
        return int(found.race_us[0]), int(found.doubt_us[0])

    def of(self, device_us: Int64Array, arrived_us: Int64Array, backlog: BoolArray) -> Instants:
        """As `at` of whole columns, shape [n] each."""
        if self.fit.quality == "none":
            return Instants(arrived_us.copy(), np.where(backlog, BACKLOG_UNKNOWN_US, self.fit.uncertainty_us))
        if len(self.stretches) == 1:
            race_us = fit_column(self.fit, device_us)
            doubt_us = np.zeros(race_us.size, np.int64)
        else:
            race_us, doubt_us = self._among_stretches(device_us, arrived_us, backlog)
        return self._against_arrivals(race_us, doubt_us, arrived_us, backlog)

    def _against_arrivals(
        self, race_us: Int64Array, doubt_us: Int64Array, arrived_us: Int64Array, backlog: BoolArray
    ) -> Instants:
        """What the arrivals say against the present stretch, as long as nothing has fitted it since."""
        present = self.stretches[-1]
        early_us, late_most_us = margins(present.fit, present.fit.uncertainty_us)
        late_us = arrived_us - race_us
        since_us = np.maximum(0, arrived_us - present.last_us)
        late = (late_us > late_most_us) & ~backlog & (since_us > 0)
        doubt_us = np.where(late, np.maximum(doubt_us, late_us), doubt_us)
        early = late_us < -early_us
        doubt_us = np.where(early, np.maximum(np.maximum(doubt_us, -late_us), since_us), doubt_us)
        return Instants(np.where(early, arrived_us, race_us), doubt_us)

    def _among_stretches(
        self, device_us: Int64Array, arrived_us: Int64Array, backlog: BoolArray
    ) -> tuple[Int64Array, Int64Array]:
        count = len(self.stretches)
        times = np.stack([fit_column(one.fit, device_us) for one in self.stretches])
        feasible, prompt = np.zeros(times.shape, np.bool_), np.zeros(times.shape, np.bool_)
        for index, one in enumerate(self.stretches):
            early_us, late_most_us = margins(one.fit, one.fit.uncertainty_us)
            from_us = self.stretches[index - 1].last_us if index else -FAR_US
            until_us = self.stretches[index + 1].first_us if index + 1 < count else FAR_US
            late_us = arrived_us - times[index]
            in_it = (times[index] >= from_us - late_most_us) & (times[index] <= until_us + early_us)
            feasible[index] = in_it & (late_us >= -early_us)
            prompt[index] = feasible[index] & ~backlog & (late_us <= late_most_us)
        none = ~feasible.any(axis=0)
        # What fits nowhere is of the present stretch as far as anybody knows: `_against_arrivals` says how far off.
        feasible[-1, none] = True
        candidates = np.where(prompt.any(axis=0), prompt, feasible)
        chosen = count - 1 - np.argmax(candidates[::-1], axis=0)
        columns = np.arange(device_us.size)
        race_us: Int64Array = times[chosen, columns]
        doubt_us = np.where(candidates, np.abs(times - race_us), 0).max(axis=0)
        doubt_us[none] = np.abs(arrived_us - race_us)[none]
        for index, one in enumerate(self.stretches):
            # A last stretch that is not proven may be the one before it, only late; a stretch of few arrivals may be
            # the one after it, late.
            late_back = index == count - 1 and not one.is_proven
            neighbour = index - 1 if late_back else index + 1
            if late_back or (index < count - 1 and one.is_hardly_known):
                own = chosen == index
                doubt_us[own] = np.maximum(doubt_us, np.abs(times[index] - times[neighbour]))[own]
        rough_us = np.array([one.fit.uncertainty_us for one in self.stretches], np.int64)
        rough_us[-1] = 0
        rough_us[rough_us < ROUGH_US] = 0
        return race_us, np.maximum(doubt_us, rough_us[chosen])


def margins(fit: ClockFit, uncertainty_us: int) -> tuple[int, int]:
    """How much before and after its time by a fit a record may arrive and say nothing against it, µs."""
    believed_us = uncertainty_us + STEP_MARGIN_US
    early_us, late_us = EARLY_SPREADS * believed_us, LATE_SPREADS * believed_us + LATE_MARGIN_US
    if fit.samples >= FEW_SAMPLES:
        return early_us, late_us
    return min(early_us, EARLY_AT_MOST_US), min(late_us, LATE_AT_MOST_US)


def arrives_promptly(fit: ClockFit, late_us: int) -> bool:
    """Whether a record that arrives `late_us` after its time by a fit says that the fit holds."""
    early_us, late_most_us = margins(fit, fit.uncertainty_us)
    return -early_us <= late_us <= late_most_us


def fit_column(fit: ClockFit, device_us: Int64Array) -> Int64Array:
    """`ClockFit.race_us` of a whole column: the same integers, rounded half up in the same place."""
    elapsed_us = device_us - fit.device_anchor_us
    farthest_us = int(np.abs(elapsed_us).max(initial=0))
    if farthest_us * abs(fit.rate_ppb) >= EXACT_BELOW:
        return np.array([fit.race_us(one) for one in device_us.tolist()], np.int64)
    gained_us = (elapsed_us * fit.rate_ppb + PARTS_PER_BILLION // 2) // PARTS_PER_BILLION
    shifted: Int64Array = elapsed_us + (gained_us + fit.race_anchor_us)
    return shifted
