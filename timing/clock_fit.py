"""The fit of a device's clock: from its own time to race time, with its ± (DESIGN §3)."""

from typing import Final, Literal

import msgspec

Quality = Literal["none", "one_way", "round_trip"]

PARTS_PER_BILLION: Final = 1_000_000_000


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
        inside_us = divide_up((self.oldest_uncertainty_us - self.uncertainty_us) * age_us, span_us)
        return self.uncertainty_us + inside_us + divide_up(outside_us * self.drift_uncertainty_ppb, PARTS_PER_BILLION)


def divide_up(numerator: int, denominator: int) -> int:
    """The quotient, rounded up."""
    return -(-numerator // denominator)
