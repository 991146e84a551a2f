"""What a continued run asks a decoder for: everything that is not on disk, and nothing that it cannot have."""

import pytest

from config.loader import load_setup
from drivers.records import Delivery, DeviceStatus, Impulse, Passing, Record, SequenceGap, Unhandled
from timing.race.actions import OpenHeat
from timing.race.events import Command, ServiceStarted, SetupTaken
from timing.race.meet import MeetState

DEVICE = "p3-home"
NOW_US = 1_628_380_000_000_000


@pytest.fixture
def meet() -> MeetState:
    state = MeetState()
    state.apply(1, SetupTaken(at_us=NOW_US, setup=load_setup("tokyo2020-men-keirin")))
    return state


def _passing(number: int, *, backlog: bool = False) -> Passing:
    at_us = NOW_US + number * 1_000_000
    return Passing(
        device=DEVICE,
        received_us=at_us,
        device_us=at_us,
        transponder="5000001",
        sequence=number,
        decoder="77",
        backlog=backlog,
    )


def _gap(first: int, last: int, *, asked: bool) -> SequenceGap:
    return SequenceGap(device=DEVICE, received_us=NOW_US, first=first, last=last, asked=asked)


def _told(meet: MeetState, *records: Record) -> None:
    row = meet.journal_id + 1
    meet.apply(row, Delivery(device=DEVICE, received_us=NOW_US, raw=b"", records=records))


def test_a_box_that_was_never_heard_is_asked_for_nothing(meet: MeetState) -> None:
    assert meet.resume(DEVICE).last_sequence is None


def test_the_backlog_begins_after_the_last_passing_on_disk(meet: MeetState) -> None:
    _told(meet, _passing(1), _passing(2))
    assert (meet.resume(DEVICE).last_sequence, meet.resume(DEVICE).decoder) == (2, "77")


def test_a_gap_that_is_still_open_is_part_of_the_backlog(meet: MeetState) -> None:
    _told(meet, _passing(1), _gap(2, 4, asked=True), _passing(5))
    assert meet.resume(DEVICE).last_sequence == 1


def test_a_gap_that_was_filled_in_part_begins_at_its_oldest_missing_number(meet: MeetState) -> None:
    _told(meet, _passing(1), _gap(2, 4, asked=True), _passing(5), _passing(2, backlog=True), _passing(4, backlog=True))
    assert meet.resume(DEVICE).last_sequence == 2
    _told(meet, _passing(3, backlog=True))
    assert meet.resume(DEVICE).last_sequence == 5


def test_what_the_box_was_asked_for_in_vain_is_not_asked_for_again(meet: MeetState) -> None:
    _told(meet, _passing(1), _gap(2, 4, asked=True), _passing(5), _gap(2, 4, asked=False))
    assert meet.resume(DEVICE).last_sequence == 5


def test_a_process_that_begins_knows_no_line_to_be_live(meet: MeetState) -> None:
    meet.devices[DEVICE].state = "live"
    meet.apply(2, ServiceStarted(at_us=NOW_US, version="0"))
    assert meet.devices[DEVICE].state == "unknown"


def test_a_box_that_was_heard_but_read_nobody_is_asked_for_its_whole_memory_only_in_the_middle_of_a_heat(
    meet: MeetState,
) -> None:
    _told(meet, DeviceStatus(device=DEVICE, received_us=NOW_US, noise=30, decoder="77"))
    assert meet.resume(DEVICE).last_sequence is None
    opened = Command(id="1", actor="me", role="operator", at_us=NOW_US, action=OpenHeat(heat="final-a"))
    meet.apply(meet.journal_id + 1, opened)
    assert meet.resume(DEVICE).last_sequence == 0


@pytest.mark.parametrize(("protocol", "last"), [("json", 8), ("p3", 7)])
def test_impulses_count_where_they_are_numbered_with_the_passings(meet: MeetState, protocol: str, last: int) -> None:
    meet.devices[DEVICE].protocol = protocol
    late = Impulse(device=DEVICE, received_us=NOW_US, device_us=NOW_US, channel="gun", sequence=5, backlog=True)
    live = Impulse(device=DEVICE, received_us=NOW_US, device_us=NOW_US, channel="gun", sequence=8)
    _told(meet, _passing(7), live, late)
    assert meet.resume(DEVICE).last_sequence == last


def test_the_newest_edges_are_given_along_and_whether_a_heat_is_on_the_track(meet: MeetState) -> None:
    """A box that numbers nothing prints its memory: what is on disk is known by channel and time."""
    edges = [
        Impulse(device=DEVICE, received_us=NOW_US + second, device_us=NOW_US + second, channel="C1")
        for second in range(5_000)
    ]
    _told(meet, *edges)
    assert meet.resume(DEVICE).impulses == tuple(edges[-4_096:])
    assert not meet.resume(DEVICE).in_heat
    opened = Command(id="1", actor="me", role="operator", at_us=NOW_US, action=OpenHeat(heat="final-a"))
    meet.apply(meet.journal_id + 1, opened)
    assert meet.resume(DEVICE).in_heat


def test_a_memory_that_did_not_come_whole_is_an_error_of_its_box(meet: MeetState) -> None:
    _told(meet, Unhandled(device=DEVICE, received_us=NOW_US, name="memory_dump", detail={"lines": 3, "complete": 1}))
    assert meet.devices[DEVICE].errors == 0
    _told(meet, Unhandled(device=DEVICE, received_us=NOW_US, name="memory_dump", detail={"lines": 3, "complete": 0}))
    assert "may be missing" in meet.devices[DEVICE].last_error


def test_a_p98_decoder_numbers_its_status_lines_too(meet: MeetState) -> None:
    meet.devices[DEVICE].protocol = "p98"
    _told(meet, _passing(7), DeviceStatus(device=DEVICE, received_us=NOW_US, noise=3, sequence=8, decoder="77"))
    assert meet.resume(DEVICE).last_sequence == 8
