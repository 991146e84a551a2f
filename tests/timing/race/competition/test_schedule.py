"""The programme of a session against the clock, as the speaker and the riders' pit want to know it."""

import pytest

from timing.race.competition.schedule import PlannedHeat, Schedule, local_to_us, schedule

MINUTE_US = 60_000_000
IZU = "Asia/Tokyo"
NOON = "2021-08-08T12:00"
NOON_US = local_to_us(NOON, IZU)


def heat(name: str, planned: str = "", started_us: int | None = None, over: bool = False) -> PlannedHeat:
    return PlannedHeat(heat=name, name=name, planned=planned, started_us=started_us, over=over)


def expected_minutes(shown: Schedule) -> list[float | None]:
    return [None if line.expected_us is None else (line.expected_us - NOON_US) / MINUTE_US for line in shown.lines]


def test_local_time_is_that_of_the_venue() -> None:
    assert local_to_us("2021-08-08T11:51", IZU) == 1_628_391_060_000_000


def test_a_planned_time_with_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="local time without one"):
        local_to_us("2021-08-08T11:51+09:00", IZU)


def test_before_the_session_everything_is_as_planned() -> None:
    shown = schedule([heat("sf-1", NOON), heat("sf-2", "2021-08-08T12:06")], IZU, NOON_US - 30 * MINUTE_US)

    assert expected_minutes(shown) == [0, 6]
    assert shown.delay_ms == 0
    assert shown.next == ("sf-1", "sf-2")


def test_a_late_start_delays_those_that_follow_closely() -> None:
    heats = [heat("sf-1", NOON, NOON_US + 4 * MINUTE_US), heat("sf-2", "2021-08-08T12:06")]

    shown = schedule(heats, IZU, NOON_US + 5 * MINUTE_US)

    assert shown.lines[0].delay_ms == 4 * 60_000
    assert expected_minutes(shown) == [None, 10]
    assert shown.delay_ms == 4 * 60_000


def test_a_pause_takes_the_delay_up() -> None:
    heats = [heat("sf-2", NOON, NOON_US + 9 * MINUTE_US, over=True), heat("final-a", "2021-08-08T12:42")]

    shown = schedule(heats, IZU, NOON_US + 20 * MINUTE_US)

    assert expected_minutes(shown) == [None, 42]
    assert shown.delay_ms == 0


def test_a_heat_that_does_not_start_grows_later_by_the_minute() -> None:
    shown = schedule([heat("final-a", NOON), heat("final-b", "2021-08-08T12:06")], IZU, NOON_US + 15 * MINUTE_US)

    assert expected_minutes(shown) == [15, 21]
    assert shown.delay_ms == 15 * 60_000


def test_heats_without_a_plan_follow_each_other_by_the_usual_slot() -> None:
    shown = schedule([heat("a", "", NOON_US), heat("b"), heat("c")], IZU, NOON_US + MINUTE_US)

    assert expected_minutes(shown) == [None, 6.5, 13]
    assert shown.delay_ms is None


def test_when_all_are_over_the_last_delay_is_told_and_nothing_is_next() -> None:
    shown = schedule([heat("final-a", NOON, NOON_US + 90_000_000, over=True)], IZU, NOON_US + 60 * MINUTE_US)

    assert (shown.delay_ms, shown.next) == (90_000, ())


def test_an_empty_programme_is_no_error() -> None:
    assert schedule([], IZU, NOON_US).lines == ()
