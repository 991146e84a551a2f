"""A box's own clock: wrong by an offset, running at its own rate, read in steps, perhaps in local time.

Integer arithmetic only, so a stamp is the same on every machine. Rates are parts per billion: ±20 ppm, what
a plain crystal has, are ±20,000 ppb.
"""

import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from config.models import Device
from drivers.rig.faults import DeviceFaults, time_of_day_us

DAY_US = 86_400_000_000
PPB = 1_000_000_000

MAX_OFFSET_US = 2_500_000
"""A box set by hand or over the wire is within a few seconds."""
MAX_DRIFT_PPB = 20_000
"""The usual bound of an uncompensated crystal (DESIGN §3)."""


class DeviceClockModel(msgspec.Struct, frozen=True, kw_only=True):
    """Host time to device time: `host + offset + (host - zero) * drift`, cut to the box's resolution.

    `zero_host_us` is the host instant at which the offset is exactly `offset_us`. With `wraps_daily` the box
    counts from midnight of its own clock.
    """

    zero_host_us: int
    offset_us: int = 0
    drift_ppb: int = 0
    resolution_us: int = 1
    wraps_daily: bool = False

    def device_us(self, host_us: int) -> int:
        """What the box stamps on something that happens at host time `host_us`."""
        exact = host_us + self.offset_us + (host_us - self.zero_host_us) * self.drift_ppb // PPB
        if self.wraps_daily:
            exact %= DAY_US
        return exact - exact % self.resolution_us

    def elapsed_us(self, start_host_us: int, host_us: int) -> int:
        """What the box's stopwatch, started at `start_host_us`, shows at `host_us`."""
        elapsed = host_us - start_host_us
        exact = elapsed + elapsed * self.drift_ppb // PPB
        return exact - exact % self.resolution_us


def seeded_clock(
    device: Device, timezone: str, seed: int, zero_host_us: int, faults: DeviceFaults | None = None
) -> DeviceClockModel:
    """The clock of a box: offset and drift by lot from the seed and its id, time scale as the meet says.

    `faults` may say another offset and drift, or what the box shows at `zero_host_us`.
    """
    faults = faults or DeviceFaults()
    lot = random.Random(f"{seed}/clock/{device.id}")
    offset_us = lot.randint(-MAX_OFFSET_US, MAX_OFFSET_US)
    if device.clock != "utc":
        offset_us += _utc_offset_us(timezone, zero_host_us)
    drift_ppb = lot.randint(-MAX_DRIFT_PPB, MAX_DRIFT_PPB)
    if faults.clock_offset_ms is not None:
        offset_us = faults.clock_offset_ms * 1_000
        offset_us += 0 if device.clock == "utc" else _utc_offset_us(timezone, zero_host_us)
    if faults.clock_drift_ppb is not None:
        drift_ppb = faults.clock_drift_ppb
    if faults.shows_at_start is not None:
        shown_us = time_of_day_us(faults.shows_at_start)
        # The nearest such instant: the date moves by a day at most.
        offset_us += (shown_us - zero_host_us - offset_us + DAY_US // 2) % DAY_US - DAY_US // 2
    return DeviceClockModel(
        zero_host_us=zero_host_us,
        offset_us=offset_us,
        drift_ppb=drift_ppb,
        resolution_us=device.resolution_us,
        wraps_daily=device.clock == "time_of_day",
    )


def _utc_offset_us(timezone: str, host_us: int) -> int:
    moment = datetime.fromtimestamp(host_us // 1_000_000, UTC).astimezone(ZoneInfo(timezone))
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError(f"time zone {timezone!r} has no offset from UTC: give a name such as Asia/Tokyo")
    return offset.days * DAY_US + offset.seconds * 1_000_000
