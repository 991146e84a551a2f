"""A meet: heats one after another, records routed by time, setups that change, boxes that talk nonsense."""

from typing import Any

import msgspec
import pytest

from config.models import Loop
from drivers.records import Delivery, Passing, PhotoFinish, PhotoFinishLine
from timing.control.board import state_json
from timing.race.actions import CloseRace, Confirm, Decide, ManualPassing, OpenHeat, Place
from timing.race.events import Command, SetupTaken

TOKYO = "tokyo2020-men-keirin"
FIELD = ["13", "2", "23", "4", "21", "30"]


def test_heats_follow_each_other_and_each_keeps_its_result(office: Any, rig: Any) -> None:
    for heat in ("r1-1", "r1-2"):
        office.open(heat)
        office.arm()
        office.play(rig(TOKYO, heat))
        office.do(Confirm(), 200)
    assert office.state.current == "r1-2"
    assert [line.bib for line in office.state.picture("r1-1").results][:2] == ["1", "2"]
    assert office.state.picture("r1-2").state == "official"


def test_a_late_read_goes_to_the_heat_that_was_on_the_track_then(office: Any, rig: Any) -> None:
    office.open("final-b")
    office.arm()
    deliveries = rig(TOKYO, "final-b")
    lost = next(
        index
        for index, (at_us, (record,)) in enumerate(deliveries)
        if at_us > 60_000_000 and isinstance(record, Passing) and record.transponder == office.transponder("25")
    )
    office.play(deliveries[:lost] + deliveries[lost + 1 :])
    lost_at_us, (read,) = deliveries[lost]
    gun_us = office.gun_us
    office.open("final-a")
    before = office.state.picture("final-b")
    at_us = gun_us + lost_at_us
    late = msgspec.structs.replace(read, device_us=at_us, received_us=office.state.latest_us + 5_000_000, backlog=True)
    (news,) = office._deliver(late)
    assert news.heat == "final-b"
    after = office.state.picture("final-b")
    sources = [[one.source for one in rider.crossings if one.source != "read"] for rider in after.splits]
    assert after != before
    assert "interpolated" not in [source for row in sources for source in row]
    assert after.results == before.results
    assert office.picture.splits == ()
    assert state_json(office.replayed()) == office.json()


def test_the_times_of_a_heat_that_is_over_do_not_move_with_later_clock_readings(finished: Any) -> None:
    from drivers.records import ClockReading

    finished.do(Confirm(), 140)
    before = msgspec.json.encode(finished.picture)
    finished.open("final-b")
    for device in finished.setup.meet.devices:
        for second in range(200, 260):
            at_us = finished.at(second)
            # 4 ms off by now
            reading = ClockReading(
                device=device.id, received_us=at_us + 400, sent_us=at_us, device_us=at_us + 200 - 20 * second
            )
            finished._deliver(reading)
    assert msgspec.json.encode(finished.state.picture("final-a")) == before


def test_a_rider_of_another_heat_is_unknown_here(office: Any) -> None:
    office.start("final-a")
    office.read("1", "finish", 5)
    assert office.aside() == ["unknown transponder: nobody of this heat carries it"]


def test_reads_without_an_open_heat_are_in_the_inbox(office: Any) -> None:
    office.read("13", "finish", 5)
    assert [item.reason for item in office.state.inbox] == ["no heat is open"]


@pytest.mark.parametrize(
    ("heat", "reason"),
    [
        ("moon", "no heat 'moon' is in the meet file"),
        ("r1-3", "heat r1-3 was not opened yet"),
    ],
)
def test_a_sheet_for_a_heat_that_cannot_take_it_is_in_the_inbox(office: Any, heat: Any, reason: Any) -> None:
    office.start("final-a")
    office.sheet([(1, "13", 60.0)], 100, heat=heat)
    assert [item.reason for item in office.state.inbox] == [reason]


def test_a_sheet_without_a_heat_belongs_to_the_current_one(office: Any) -> None:
    office.start("final-a")
    office._deliver(
        PhotoFinish(device="camera", received_us=office.at(100), lines=(PhotoFinishLine(place=1, bib="13"),))
    )
    assert office.places[0] == (1, "13", None)


@pytest.mark.parametrize("device_us", [2**62, -(2**62), 2**64])
def test_a_stamp_that_is_no_time_is_turned_away_and_nothing_breaks(office: Any, device_us: Any) -> None:
    office.start("final-a")
    office.put(
        Delivery(
            device="p3-finish",
            received_us=office.at(5),
            raw=b"",
            records=(
                Passing(device="p3-finish", received_us=office.at(5), device_us=device_us, transponder="5000013"),
            ),
        )
    )
    assert "is no time: check the box's clock" in office.state.inbox[-1].reason
    assert office.picture.state == "started"


def test_a_setup_taken_in_mid_meet_keeps_opened_heats_and_renews_the_others(office: Any, tokyo: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 100)
    before = office.picture
    heats = tuple(
        msgspec.structs.replace(heat, paced_laps=2.0, sprint_laps=2.0) for heat in tokyo.meet.heats if heat.id != "r1-1"
    )
    changed = msgspec.structs.replace(tokyo, meet=msgspec.structs.replace(tokyo.meet, heats=heats))
    office.put(SetupTaken(at_us=office.at(9), setup=changed))
    assert msgspec.json.encode(office.picture.splits) == msgspec.json.encode(before.splits)
    assert office.picture.course_m == 1512.5
    assert office.state.picture("final-b").course_m == 1012.5
    assert "r1-1" not in office.state.heats


def test_a_box_that_a_new_setup_dropped_is_told_so(office: Any, tokyo: Any) -> None:
    office.start("final-a")
    devices = tuple(device for device in tokyo.meet.devices if device.id != "p3-back")
    changed = msgspec.structs.replace(tokyo, meet=msgspec.structs.replace(tokyo.meet, devices=devices))
    office.put(SetupTaken(at_us=office.at(1), setup=changed))
    office.read("13", "back", 10)
    assert office.state.inbox[-1].reason == "the device is not in the meet file any more"


def test_a_box_moved_to_another_loop_reads_there_from_then_on(office: Any, tokyo: Any) -> None:
    office.start("final-a")
    moved = tuple(
        msgspec.structs.replace(device, loop="l100") if device.id == "p3-back" else device
        for device in tokyo.meet.devices
    )
    changed = msgspec.structs.replace(tokyo, meet=msgspec.structs.replace(tokyo.meet, devices=moved))
    office.ride(FIELD, 70)
    office.put(SetupTaken(at_us=office.at(8), setup=changed))
    office.read("13", "back", 13)
    assert office.crossings("13")[162.5].source == "read"


# -- fields and venues of every kind -------------------------------------------------------------------------


def test_a_heat_of_one_rider(new_office: Any, tokyo: Any) -> None:
    alone = tuple(
        msgspec.structs.replace(heat, start_list=heat.start_list[:1]) if heat.id == "final-a" else heat
        for heat in tokyo.meet.heats
    )
    office = new_office(msgspec.structs.replace(tokyo, meet=msgspec.structs.replace(tokyo.meet, heats=alone)))
    office.start("final-a")
    office.ride(["pacer", "13"], 750)
    office.ride(["13"], 1512.5, from_m=751)
    assert office.places == [(1, "13", None)]
    assert office.gaps == {"13": None}
    assert office.picture.state == "finished"


def test_a_race_in_which_no_loop_reads_anybody_is_judged_by_eye(office: Any) -> None:
    office.start("final-a")
    office.tick(120)
    assert office.picture.state == "started"
    assert [line.place for line in office.picture.results] == [None] * 6
    office.do(CloseRace(), 121, role="judge")
    office.do(Place(order=tuple((bib,) for bib in FIELD)), 122)
    assert office.places[0] == (1, "13", None)
    assert set(office.gaps.values()) == {None}
    office.do(Confirm(), 123)
    assert office.picture.status == "official"


@pytest.mark.parametrize(
    ("loops", "state"),
    [
        (("l200", "back", "l100", "home"), "bell"),
        (("finish", "l200"), "finished"),
        (("back",), "bell"),
        ((), "started"),
    ],
    ids=["no finish loop", "no start loop", "one loop", "no loop"],
)
def test_a_venue_without_some_of_its_loops_still_runs_a_heat(
    new_office: Any, setup_for: Any, loops: Any, state: Any
) -> None:
    positions = {"finish": 0.0, "l200": 50.0, "back": 112.5, "l100": 150.0, "home": 237.5}
    office = new_office(
        setup_for("izu", "uci-2023", tuple(Loop(id=loop, position_m=positions[loop]) for loop in loops))
    )
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.ride(FIELD, 1512.5, from_m=751)
    assert office.picture.state == state
    office.sheet([(place, bib, 60.0 + place / 10) for place, bib in enumerate(FIELD, start=1)], 125)
    assert office.places == [(place, bib, None) for place, bib in enumerate(FIELD, start=1)]
    assert office.gaps["30"] == 500


def test_without_a_start_loop_a_read_just_before_the_gun_is_not_the_first_crossing(
    new_office: Any, setup_for: Any
) -> None:
    finish = (Loop(id="finish", position_m=0.0),)
    office = new_office(setup_for("izu", "uci-2023", finish))
    office.open("final-a")
    office.arm()
    office.read("13", "finish", -3)
    office.gun()
    office.ride(FIELD, 262.5)
    assert min(office.crossings("13")) == 12.5
    assert office.crossings("13")[12.5].race_ms == 1_000


def test_a_passing_by_hand_before_the_gun_is_no_crossing(office: Any) -> None:
    office.start("final-a")
    office.do(ManualPassing(bib="13", loop="back", at_us=office.at(-8)), 1)
    assert office.aside() == ["before the start: riding in or warming up"]


def test_a_decision_for_a_heat_that_is_not_the_current_one_reaches_that_heat(office: Any, rig: Any) -> None:
    office.open("r1-1")
    office.arm()
    office.play(rig(TOKYO, "r1-1"))
    office.open("r1-2")
    office.do(Decide(bib="1", code="REL", reason="x"), 1, heat="r1-1")
    assert office.state.picture("r1-1").results[-1].bib == "1"


def test_a_heat_is_opened_again_after_another_and_its_new_attempt_gets_its_reads(office: Any) -> None:
    from timing.race.actions import Restart, Stop

    office.start("final-a")
    office.ride(["pacer", *FIELD], 100)
    office.do(Stop(reason="fall"), 10)
    office.open("final-b")
    office.open("final-a")
    office.do(Restart(), -15)
    office.arm()
    office.gun()
    office.ride(["pacer", *FIELD], 70)
    assert sorted(office.crossings("13")) == [0.0, 12.5, 62.5]
    assert office.picture.attempt == 2


def test_what_a_heat_costs_does_not_grow_with_the_meet(office: Any, rig: Any) -> None:
    """Nothing that belongs to another heat is walked over: the picture of a new one stands on its own log."""
    for heat in ("r1-1", "r1-2", "r1-3"):
        office.open(heat)
        office.arm()
        office.play(rig(TOKYO, heat))
    office.open("r1-4")
    log = office.log
    assert (len(log.reads), len(log.shots), len(log.sheets), len(log.commands)) == (0, 0, 0, 1)
    assert office.state._live_pictures == {}


def test_an_unknown_command_role_changes_nothing_but_the_record(office: Any) -> None:
    office.put(Command(id="x", actor="A", role="nobody", at_us=office.at(0), action=OpenHeat(heat="r1-1")))
    assert office.state.current is None
    assert not office.state.outcomes["x"].accepted
