"""A venue with an impulse box and a camera and no transponders: what can be official, as docs/timy.md says."""

from typing import Any

import msgspec
import pytest

from config.models import Device, DeviceChannel
from drivers.records import PhotoFinish, PhotoFinishLine
from timing.race.actions import Confirm

TIMY = Device(
    id="timy",
    protocol="timy",
    address="serial:/dev/velodrome/timy",
    resolution_us=100,
    channels=(
        DeviceChannel(channel="C0", role="gun"),
        DeviceChannel(channel="C1", role="photocell", loop="finish"),
    ),
)
WHEELS_AT = (100.0, 100.5, 101.0, 101.5, 102.0, 102.5)


@pytest.fixture
def office(new_office: Any, tokyo: Any) -> Any:
    camera = next(device for device in tokyo.meet.devices if device.protocol == "lynx")
    return new_office(msgspec.structs.replace(tokyo, meet=msgspec.structs.replace(tokyo.meet, devices=(TIMY, camera))))


def ride(office: Any) -> None:
    """Gun on C0, a front wheel of each rider on C1 at the finish."""
    office.open("final-a")
    office.arm()
    office.impulse("C0", 0.0, "timy")
    for at in WHEELS_AT:
        office.impulse("C1", at, "timy")


def read_picture(office: Any) -> None:
    """The camera's sheet, on its own clock; the riders come home in the order of their draw."""
    lines = tuple(
        PhotoFinishLine(place=place, bib=rider.bib, time_us=round(at * 1_000_000))
        for place, (rider, at) in enumerate(zip(office.log.riders, WHEELS_AT, strict=True), 1)
    )
    sheet = PhotoFinish(
        device=next(name for name in office.state.devices if name != "timy"),
        received_us=office.at(120.0),
        lines=lines,
        heat="final-a",
        start_device_us=office.at(0.0),
        official=True,
    )
    office._deliver(sheet)


def test_without_a_sheet_edges_wait_because_nobody_says_whose_they_are(office: Any) -> None:
    ride(office)
    assert (office.picture.state, office.picture.status) == ("started", "none")
    assert office.picture.start_us == office.at(0.0)
    assert {one.what for one in office.picture.unmatched} == {"impulse"}
    assert "no transponder was read here yet" in office.picture.unmatched[0].reason


def test_the_sheet_gives_places_and_gaps_that_a_president_can_make_official(office: Any) -> None:
    ride(office)
    read_picture(office)
    results = office.picture.results
    assert [(line.place, line.gap_ms, line.source) for line in results] == [
        (place, None if place == 1 else (place - 1) * 500, "photo_finish") for place in range(1, 7)
    ]
    assert office.order(Confirm(), 130.0).accepted
    assert office.picture.status == "official"


def test_laps_pace_and_the_last_200_m_are_not_measured(office: Any) -> None:
    ride(office)
    read_picture(office)
    assert office.picture.finish.last_200_ms is None
    assert office.picture.pace.sections == ()
    between = [one for rider in office.picture.splits for one in rider.crossings[1:] if one.mark < 10 and one.read]
    assert between == []
    assert office.picture.laps_to_go == office.log.course.total_laps, "the counter is turned by hand"
