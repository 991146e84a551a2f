"""A broker delivers again what was not acknowledged when the host died: on disk twice, counted once."""

from typing import Any

import pytest

from drivers.records import Impulse, Passing


def passing(office: Any, at: float, sequence: int | None, late: float = 0.0, transponder: str = "") -> None:
    at_us = office.at(at)
    office._deliver(
        Passing(
            device="p3-home",
            received_us=at_us + 1_500 + round(late * 1_000_000),
            device_us=at_us,
            transponder=transponder or office.log.riders[0].transponders[0],
            sequence=sequence,
            backlog=late > 0,
        )
    )


@pytest.mark.parametrize("sequence", [7, None])
def test_a_passing_that_comes_again_counts_once(office: Any, sequence: int | None) -> None:
    office.start("final-a")
    passing(office, 20.0, sequence)
    passing(office, 20.0, sequence, late=5.0)
    assert len(office.log.reads) == 1
    assert office.aside() == ["the device sent this passing before"]


def test_two_unnumbered_passings_that_differ_are_two(office: Any) -> None:
    office.start("final-a")
    passing(office, 20.0, None)
    passing(office, 20.000_001, None, late=5.0, transponder="1")
    passing(office, 20.001, None, late=5.0)
    assert len(office.log.reads) == 3


def test_live_passings_without_a_number_are_never_taken_for_repeats(office: Any) -> None:
    office.start("final-a")
    passing(office, 20.0, None)
    passing(office, 20.0, None)
    assert len(office.log.reads) == 2


def test_a_gun_that_comes_again_is_no_second_shot(office: Any) -> None:
    """Two shots stop a heat (UCI 3.2.019)."""
    office.open("final-a")
    office.arm()
    office.gun()
    office.impulse("gun", 0.0, late=5.0)
    assert len(office.log.shots) == 1
    assert office.aside() == ["the device sent this impulse before"]
    assert office.picture.state == "started"


def test_a_gun_that_comes_late_for_the_first_time_counts(office: Any) -> None:
    office.open("final-a")
    office.arm()
    office._deliver(
        Impulse(
            device="gateway",
            received_us=office.at(3.0),
            device_us=office.at(0.0),
            channel="gun",
            sequence=4,
            backlog=True,
        )
    )
    assert office.picture.start_us == office.at(0.0)
