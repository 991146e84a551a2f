"""A clock that is set in mid-race: every stamp keeps the time that it was made by, or says what is left open."""

import msgspec
import pytest

from config.models import Device
from drivers.records import Impulse, Passing
from timing.clock import DeviceClock
from timing.race.reads import RaceTime, Read, ReadTable

START_US = 1_628_420_000_000_000
SECOND_US = 1_000_000
DELAY_US = 1_000
HOUR_US = 3_600 * SECOND_US


def a_device(**settings: object) -> Device:
    return msgspec.convert({"id": "box", "protocol": "thbc", "address": "tcp:10.0.0.2:5403", **settings}, Device)


class Box:
    """A box that only talks. `stamp` is what it prints at a true time; it can be set and its line can be slow."""

    def __init__(self, clock: str = "utc") -> None:
        self.clock = DeviceClock(a_device(clock=clock), "UTC")
        self.ahead_us = 250_000
        self.wraps = clock == "time_of_day"

    def stamp(self, true_us: int) -> int:
        stamp_us = true_us + self.ahead_us
        return stamp_us % (24 * HOUR_US) if self.wraps else stamp_us

    def says(self, true_us: int, late_us: int = 0, *, backlog: bool = False) -> tuple[int, int]:
        """A passing is told; returns its stamp and its arrival."""
        stamp_us, received_us = self.stamp(true_us), true_us + DELAY_US + late_us
        self.clock.observe(
            Passing(device="box", received_us=received_us, device_us=stamp_us, transponder="1", backlog=backlog)
        )
        return stamp_us, received_us

    def rides(self, from_s: int, to_s: int) -> None:
        for second in range(from_s, to_s):
            self.says(START_US + second * SECOND_US)

    def placed(self, told: tuple[int, int], *, backlog: bool = False) -> tuple[int, int]:
        return self.clock.placed(*told, backlog=backlog)


@pytest.mark.parametrize("clock", ["utc", "time_of_day"])
@pytest.mark.parametrize("step_us", [-HOUR_US, -500_000, 700_000, HOUR_US])
def test_stamps_before_and_after_a_clock_was_set_are_both_right(clock: str, step_us: int) -> None:
    box = Box(clock)
    box.rides(0, 60)
    before_us = START_US + 60 * SECOND_US
    before = box.says(before_us)
    box.ahead_us += step_us
    after_us = before_us + 5 * SECOND_US
    after = box.says(after_us)
    box.rides(66, 140)
    for told, true_us in ((before, before_us), (after, after_us)):
        race_us, doubt_us = box.placed(told)
        assert race_us == pytest.approx(true_us, abs=2_500)
        assert doubt_us == 0


def test_a_clock_set_back_is_for_a_minute_told_from_a_slow_line_by_nothing_and_says_so() -> None:
    box = Box()
    box.rides(0, 60)
    box.ahead_us -= 500_000
    box.rides(60, 90)
    true_us = START_US + 90 * SECOND_US
    told = box.says(true_us)
    race_us, doubt_us = box.placed(told)
    assert race_us == pytest.approx(true_us, abs=2_500)
    assert doubt_us == pytest.approx(500_000, abs=3_000)
    box.rides(91, 125)
    assert box.placed(told)[1] == 0


@pytest.mark.parametrize("step_us", [-1_946_000, 700_000])
def test_a_clock_set_when_it_was_hardly_known_is_noticed_all_the_same(step_us: int) -> None:
    """The soak's: five passings within a second, then somebody set it. The ± of half a second hid that."""
    box = Box()
    for number in range(5):
        first = box.says(START_US + number * 5_000)
    box.ahead_us += step_us
    box.rides(25, 100)
    later = box.says(START_US + 100 * SECOND_US)
    assert box.clock.segment != Box().clock.segment
    assert box.placed(first)[0] == pytest.approx(START_US + 20_000, abs=2_500)
    assert box.placed(later)[0] == pytest.approx(START_US + 100 * SECOND_US, abs=2_500)


def test_first_arrivals_that_all_came_late_are_uncertain_by_what_the_next_ones_show() -> None:
    """The soak's: the first five datagrams of a day were repeats, 1.65 s late."""
    box = Box()
    told = [box.says(START_US + second * SECOND_US // 8, late_us=1_650_000) for second in range(5)]
    box.rides(9, 60)
    for number, one in enumerate(told):
        race_us, doubt_us = box.placed(one)
        assert abs(race_us - (START_US + number * SECOND_US // 8)) <= doubt_us + 2_500


def test_a_late_passing_is_uncertain_by_its_lateness_until_the_next_one_shows_that_nothing_was_set() -> None:
    box = Box()
    box.rides(0, 60)
    true_us = START_US + 60 * SECOND_US
    late = box.says(true_us, late_us=800_000)
    race_us, doubt_us = box.placed(late)
    assert race_us == pytest.approx(true_us, abs=2_500)
    assert doubt_us == pytest.approx(800_000, abs=3_000)
    box.rides(62, 63)
    assert box.placed(late)[1] == 0


def test_a_stamp_after_its_arrival_is_taken_from_its_arrival_and_says_since_when_nothing_is_known() -> None:
    box = Box()
    box.rides(0, 60)
    box.ahead_us += 700_000
    true_us = START_US + 70 * SECOND_US
    race_us, doubt_us = box.placed(box.says(true_us))
    assert race_us == pytest.approx(true_us, abs=2_500)
    assert doubt_us == pytest.approx(11 * SECOND_US, abs=20_000), "the last passing that fitted came 11 s before"


def test_a_passing_from_memory_about_the_time_of_a_small_step_is_uncertain_by_the_step() -> None:
    box = Box()
    box.rides(0, 60)
    at_us = START_US + 65 * SECOND_US
    memory = (box.stamp(at_us), at_us + 20 * SECOND_US)
    box.ahead_us -= 500_000
    box.rides(70, 100)
    race_us, doubt_us = box.placed(memory, backlog=True)
    assert abs(race_us - at_us) <= doubt_us + 2_500
    assert doubt_us == pytest.approx(500_000, abs=3_000)
    early_us = START_US + 30 * SECOND_US
    early = (early_us + 250_000, at_us + 20 * SECOND_US)
    assert box.placed(early, backlog=True) == (pytest.approx(early_us, abs=2_500), 0), "long before nothing is open"


def test_lateness_that_only_looked_like_a_clock_set_back_is_taken_back() -> None:
    """Eight arrivals a second and a half late each, as repeats are: then one comes at once."""
    box = Box()
    box.rides(0, 60)
    segment = box.clock.segment
    told = [box.says(START_US + second * SECOND_US, late_us=1_500_000) for second in range(60, 76)]
    assert box.clock.segment != segment
    box.rides(80, 82)
    assert box.clock.segment == segment
    for second, one in zip(range(60, 76), told, strict=True):
        race_us, doubt_us = box.placed(one)
        assert (race_us, doubt_us) == (pytest.approx(START_US + second * SECOND_US, abs=2_500), 0)


def test_a_box_of_whose_clock_nothing_is_known_states_no_time_for_certain() -> None:
    clock = DeviceClock(a_device(), "UTC")
    assert clock.placed(123, START_US)[1] == SECOND_US
    assert clock.placed(123, START_US, backlog=True)[1] == HOUR_US


def test_single_stamps_and_columns_say_the_same() -> None:
    box, table = Box(), ReadTable()
    box.rides(0, 60)
    told = [box.says(START_US + 60 * SECOND_US)]
    box.ahead_us += 700_000
    told += [box.says(START_US + second * SECOND_US) for second in range(64, 70)]
    told += [box.says(START_US + 71 * SECOND_US, late_us=900_000)]
    for number, (stamp_us, received_us) in enumerate(told):
        table.append(Read(str(number), "1", 0, "box", stamp_us, received_us))
    race_time = RaceTime({"box": box.clock.history()})
    found = race_time.of(table, table.columns())
    singles = [race_time.at("box", read.device_us, read.fallback_us) for read in table.reads]
    assert list(zip(found.race_us.tolist(), found.doubt_us.tolist(), strict=True)) == singles


def test_an_impulse_counts_as_a_passing_does() -> None:
    box = Box()
    box.rides(0, 60)
    true_us = START_US + 61 * SECOND_US
    box.clock.observe(Impulse(device="box", received_us=true_us + DELAY_US, device_us=box.stamp(true_us), channel="C0"))
    assert box.clock.history().stretches[-1].last_us == true_us + DELAY_US
