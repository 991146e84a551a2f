"""Start gates and guns that a decoder reports as a transponder of its own (P3 gate beacons 9991 to 9995)."""

from typing import Any

import msgspec
import pytest

from config.models import DeviceChannel
from drivers.records import Passing

GATE = "9992"


@pytest.fixture
def gated(new_office: Any, tokyo: Any) -> Any:
    """The decoder at the home line hears the gate's beacon, which is the gun, and one at the bell."""
    wired = (DeviceChannel(channel=GATE, role="gun"), DeviceChannel(channel="9995", role="bell"))
    devices = tuple(
        msgspec.structs.replace(one, channels=wired) if one.id == "p3-home" else one for one in tokyo.meet.devices
    )
    return new_office(msgspec.structs.replace(tokyo, meet=msgspec.structs.replace(tokyo.meet, devices=devices)))


def beacon(office: Any, at: float, sequence: int, transponder: str = GATE, late: float = 0.0) -> list[Any]:
    at_us = office.at(at)
    passing = Passing(
        device="p3-home",
        received_us=at_us + 1_500 + round(late * 1_000_000),
        device_us=at_us,
        transponder=transponder,
        sequence=sequence,
        backlog=late > 0,
    )
    news: list[Any] = office._deliver(passing)
    return news


def test_the_gate_starts_the_heat(gated: Any) -> None:
    gated.open("final-a")
    gated.arm()
    assert beacon(gated, 0.0, 500) == [], "it is no rider"
    assert gated.picture.start_us == gated.at(0.0)
    assert gated.picture.state == "started"
    assert gated.aside() == []
    assert gated.state.trends.transponder(GATE) is None
    view = gated.state.devices["p3-home"]
    assert (view.last_sequence, view.passings) == (500, 1)


def test_a_backlog_gives_no_second_shot(gated: Any) -> None:
    """Two shots stop a heat (UCI 3.2.019): a RESEND must not make them."""
    gated.open("final-a")
    gated.arm()
    beacon(gated, 0.0, 500)
    beacon(gated, 0.0, 500, late=2.0)
    assert len(gated.log.shots) == 1
    assert gated.aside() == ["the device sent this passing before"]
    assert gated.picture.state == "started"
    beacon(gated, 1.0, 501)
    assert len(gated.log.shots) == 2


def test_every_other_transponder_is_a_passing(gated: Any) -> None:
    gated.open("final-a")
    gated.arm()
    beacon(gated, 0.0, 500)
    (news,) = beacon(gated, 0.5, 501, transponder="9991")
    assert (news.transponder, news.bib) == ("9991", None)
    gated.ride(["13", "2"], 300)
    assert {line.source for line in gated.crossings("13").values()} >= {"read"}
    assert gated.state.last_read_us["home"] > gated.at(0.5)


def test_each_beacon_has_its_role_and_the_replay_is_the_same(gated: Any) -> None:
    from timing.control.board import state_json

    gated.open("final-a")
    gated.arm()
    beacon(gated, 0.0, 500)
    gated.ride(["13", "2"], 300)
    beacon(gated, 90.0, 900, transponder="9995")
    assert [shot.role for shot in gated.log.shots] == ["gun", "bell"]
    assert state_json(gated.replayed()) == gated.json()


def test_a_beacon_without_its_role_is_no_impulse(office: Any) -> None:
    office.open("final-a")
    office.arm()
    (news,) = beacon(office, 0.0, 500)
    assert news.transponder == GATE
    assert office.log.shots == []
    assert office.picture.start_us is None
