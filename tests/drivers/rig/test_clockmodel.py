"""A box's clock: offset, drift, steps, time scale, all in integers."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from config.models import Device
from drivers.rig.clockmodel import DeviceClockModel, seeded_clock

NOON_TOKYO_US = int(datetime(2021, 8, 7, 12, 0, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp()) * 1_000_000


def device(clock: str = "utc", resolution_us: int = 1) -> Device:
    return Device(
        id="p3-finish",
        protocol="p3",
        address="tcp:127.0.0.1:5403",
        clock=clock,  # type: ignore[arg-type]
        resolution_us=resolution_us,
    )


def test_twenty_ppm_make_1200_us_a_minute() -> None:
    clock = DeviceClockModel(zero_host_us=1_000, drift_ppb=20_000)
    assert clock.device_us(1_000) == 1_000
    assert clock.device_us(60_001_000) - 60_001_000 == 1_200


def test_offset_is_exact_at_zero_and_stamps_are_cut_down_to_the_resolution() -> None:
    clock = DeviceClockModel(zero_host_us=0, offset_us=-2_500_001, resolution_us=1_000)
    assert clock.device_us(10_000_000) == 7_499_000


def test_stopwatch_shows_the_drift_but_not_the_offset() -> None:
    clock = DeviceClockModel(zero_host_us=0, offset_us=123_456, drift_ppb=-10_000, resolution_us=100)
    assert clock.elapsed_us(5_000_000, 105_000_000) == 99_999_000


def test_time_of_day_counts_from_local_midnight_and_starts_again_there() -> None:
    clock = seeded_clock(device("time_of_day"), "Asia/Tokyo", seed=1, zero_host_us=NOON_TOKYO_US)
    noon_us = 12 * 3_600_000_000
    assert abs(clock.device_us(NOON_TOKYO_US) - noon_us) <= 2_500_000
    assert clock.device_us(NOON_TOKYO_US + noon_us + 5_000_000) < 10_000_000


def test_local_time_box_is_nine_hours_ahead_of_utc_in_tokyo() -> None:
    local = seeded_clock(device("local_time"), "Asia/Tokyo", seed=1, zero_host_us=NOON_TOKYO_US)
    utc = seeded_clock(device("utc"), "Asia/Tokyo", seed=1, zero_host_us=NOON_TOKYO_US)
    assert local.device_us(NOON_TOKYO_US) - utc.device_us(NOON_TOKYO_US) == 9 * 3_600_000_000


@pytest.mark.parametrize("seed", range(20))
def test_seeded_clocks_stay_within_what_a_crystal_does(seed: int) -> None:
    clock = seeded_clock(device(), "UTC", seed, zero_host_us=0)
    assert clock == seeded_clock(device(), "UTC", seed, zero_host_us=0)
    assert abs(clock.offset_us) <= 2_500_000
    assert abs(clock.drift_ppb) <= 20_000
