"""One unwrapped scale from stamps without a date, a zone or a promise: midnight, local time, daylight saving."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest

from config.models import Device
from drivers.records import ClockReading, Impulse
from timing.clock import DeviceClock

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
DELAY_US = 300
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def a_clock(kind: str, timezone: str) -> DeviceClock:
    settings = {"id": "timy", "protocol": "timy", "address": "serial:/dev/ttyUSB0", "clock": kind}
    return DeviceClock(msgspec.convert(settings | {"transport_delay_us": DELAY_US}, Device), timezone)


def utc_us(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def zone_offset_us(true_us: int, timezone: str) -> int:
    offset = datetime.fromtimestamp(true_us // SECOND_US, ZoneInfo(timezone)).utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)


def feed(clock: DeviceClock, stamp_us: int, true_us: int) -> int:
    """Let an impulse arrive; return the error of its race time."""
    received_us = true_us + DELAY_US
    clock.observe(Impulse(device="timy", received_us=received_us, device_us=stamp_us, channel="C0"))
    return clock.race_us(stamp_us, received_us) - true_us


def test_a_time_of_day_runs_on_through_midnight() -> None:
    clock = a_clock("time_of_day", "Asia/Tokyo")
    start_us = utc_us("2021-08-08T14:50:00")
    unwrapped = []
    for elapsed_us in range(0, 20 * 60 * SECOND_US, 10 * SECOND_US):
        true_us = start_us + elapsed_us
        stamp_us = (true_us + 9 * HOUR_US) % DAY_US
        assert abs(feed(clock, stamp_us, true_us)) <= 600
        unwrapped.append(clock.unwrap(stamp_us, true_us + DELAY_US))
    assert {later - earlier for earlier, later in pairwise(unwrapped)} == {10 * SECOND_US}
    assert clock.fit().rate_ppb == 0


def test_backlog_from_before_midnight_stays_on_the_day_before() -> None:
    clock = a_clock("time_of_day", "Asia/Tokyo")
    midnight_us = utc_us("2021-08-08T15:00:00")
    for elapsed_us in range(0, 60 * SECOND_US, 5 * SECOND_US):
        feed(clock, elapsed_us, midnight_us + elapsed_us)
    stamp_us = DAY_US - 7 * HOUR_US
    assert clock.race_us(stamp_us, midnight_us + 61 * SECOND_US) == pytest.approx(midnight_us - 7 * HOUR_US, abs=600)


def test_a_time_of_day_that_was_never_set_is_learned_like_any_offset() -> None:
    """A box that counts from its power-up passes its own midnight in the middle of the afternoon."""
    clock = a_clock("time_of_day", "Europe/Zurich")
    power_up_us = utc_us("2026-03-01T13:27:11")
    for elapsed_us in range(DAY_US - 300 * SECOND_US, DAY_US + 300 * SECOND_US, 10 * SECOND_US):
        assert abs(feed(clock, elapsed_us % DAY_US, power_up_us + elapsed_us)) <= 600


def test_a_time_of_day_clock_that_was_set_is_refitted() -> None:
    clock = a_clock("time_of_day", "Europe/Zurich")
    start_us = utc_us("2026-03-01T13:00:00")
    for elapsed_us in range(0, 300 * SECOND_US, 5 * SECOND_US):
        feed(clock, elapsed_us, start_us + elapsed_us)
    set_us = start_us + 300 * SECOND_US
    for elapsed_us in range(0, 60 * SECOND_US, 5 * SECOND_US):
        feed(clock, 14 * HOUR_US + elapsed_us, set_us + elapsed_us)
    true_us = set_us + 60 * SECOND_US
    error_us = clock.race_us(14 * HOUR_US + 60 * SECOND_US, true_us + DELAY_US) - true_us
    assert abs(error_us) <= 600


@pytest.mark.parametrize("kind", ["local_time", "time_of_day"])
@pytest.mark.parametrize("box_follows", [True, False], ids=["box follows", "box does not follow"])
@pytest.mark.parametrize("change", ["2026-03-29T01:00:00", "2026-10-25T01:00:00"], ids=["spring", "autumn"])
def test_a_change_of_daylight_saving_does_not_move_a_race_time(kind: str, box_follows: bool, change: str) -> None:
    clock = a_clock(kind, "Europe/Zurich")
    change_us = utc_us(change)
    before_us = zone_offset_us(change_us - 1, "Europe/Zurich")
    for elapsed_us in range(-1_200 * SECOND_US, 7_200 * SECOND_US, 15 * SECOND_US):
        true_us = change_us + elapsed_us
        local_us = true_us + (zone_offset_us(true_us, "Europe/Zurich") if box_follows else before_us)
        stamp_us = local_us if kind == "local_time" else local_us % DAY_US
        assert abs(feed(clock, stamp_us, true_us)) <= 600
    assert clock.fit().rate_ppb == 0
    assert clock.fit().fitted_until_us - clock.fit().fitted_from_us > 590 * SECOND_US, "one fit, never restarted"


def test_local_time_in_an_epoch_field_is_not_taken_for_utc() -> None:
    """hardware-protocols §0 fact 1: a real AMBrc log holds local wall time in RTC_TIME."""
    clock = a_clock("local_time", "Europe/Zurich")
    true_us = utc_us("2026-07-01T12:55:57")
    assert clock.unwrap(true_us + 2 * HOUR_US, true_us) == true_us


def test_a_clock_that_claims_utc_is_measured_all_the_same() -> None:
    clock = a_clock("utc", "Europe/Zurich")
    true_us = utc_us("2026-07-01T12:55:57")
    local_us = true_us + 2 * HOUR_US
    assert clock.unwrap(local_us, true_us) == local_us
    clock.observe(ClockReading(device="timy", sent_us=true_us - 200, received_us=true_us + 200, device_us=local_us))
    assert clock.race_us(local_us, true_us + 200) == pytest.approx(true_us, abs=1)
