"""The conversation with a THbC unit, held with a simulated one: ACKs only from the disk, and never one too many."""

from collections import deque

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.models import Device
from drivers.protocols.base import Resume
from drivers.protocols.thbc import ThbcSession
from drivers.protocols.thbc_commands import encode_ack, encode_ask_status, encode_get_config, encode_repeat
from drivers.protocols.thbc_wire import DAY_US, PassingLine, StatusLine, encode_passing, encode_status
from drivers.records import DeviceStatus, Impulse, Malformed, Passing, Record, Unhandled
from timing.clock import DeviceClock

DEVICE = Device(id="unit", protocol="thbc", address="serial:/dev/unit?baud=19200", clock="time_of_day")
SECOND = 1_000_000
START = 1_700_000_000 * SECOND
NOON = 12 * 3_600 * SECOND


def line(refid: int, at_us: int, channel: str = "STA") -> bytes:
    return encode_passing(
        PassingLine(channel=channel, refid=refid, time_us=at_us % DAY_US, power=50, count=1, battery=0)
    )


def damaged(wire: bytes, how: int = 1) -> bytes:
    return wire[:33] + b"%04d" % (int(wire[33:37]) + how) + wire[37:]


class Venue:
    """A session on a disk that the test commands. Time of the unit: 12:00:00 at START."""

    def __init__(self) -> None:
        self.session = ThbcSession(DEVICE, Resume())
        self.now_us = START
        self.records: list[Record] = []
        self.waiting: deque[tuple[Record, ...]] = deque()
        self.asked = 0
        """So many times the session asked for the status because it was in doubt."""
        self.asked_again = 0
        """So many times it asked for a second copy of a passing."""

    def connect(self) -> "Venue":
        assert self.session.connected(self.now_us) == (encode_get_config(), encode_ask_status())
        return self

    def say(self, *wires: bytes) -> list[Record]:
        """The unit sends; nothing may be answered before the disk has it."""
        reaction = self.session.receive(b"".join(wires), self.now_us)
        assert set(reaction.send) <= {encode_ask_status(), encode_repeat()}, "never an ACK"
        assert len(reaction.send) == len(set(reaction.send)), "at most one question of a kind"
        self.asked += encode_ask_status() in reaction.send
        self.asked_again += encode_repeat() in reaction.send
        self.records += reaction.records
        self.waiting.append(reaction.records)
        return list(reaction.records)

    def sync_disk(self, deliveries: int | None = None) -> int:
        """Put what waits on disk; how many ACKs leave."""
        acknowledgements = 0
        for _ in range(len(self.waiting) if deliveries is None else deliveries):
            sent = self.session.committed(self.waiting.popleft(), self.now_us)
            assert all(message == encode_ack() for message in sent)
            acknowledgements += len(sent)
        return acknowledgements

    def rider(self, refid: int, ago_us: int = 0) -> bytes:
        return line(refid, NOON + self.now_us - START - ago_us)

    def status(self) -> bytes:
        time_us = (NOON + self.now_us - START) % DAY_US
        return encode_status(StatusLine(time_us=time_us, noise_sta=20, noise_box=5, level_sta=10, level_box=10))


# -- acknowledgements --------------------------------------------------------------------------------------


def test_a_passing_is_acknowledged_once_and_only_when_it_is_on_disk() -> None:
    venue = Venue().connect()
    (record,) = venue.say(venue.rider(100))
    assert isinstance(record, Passing)
    assert venue.session.tick(venue.now_us) == (encode_ask_status(),)
    assert venue.sync_disk() == 1
    assert venue.session.committed([record], venue.now_us) == [], "the same record again"


def test_there_is_one_ack_for_each_passing_impulse_and_key_and_none_for_the_rest() -> None:
    venue = Venue().connect()
    venue.say(line(100, 1_000), venue.status(), line(255, 2_000), line(0, 3_000, "MAN"), b"STOP_\r\n\x07")
    assert [type(record).__name__ for record in venue.records] == [
        *("Passing", "DeviceStatus", "Impulse", "Impulse", "Unhandled", "Unhandled")
    ]
    assert venue.sync_disk() == 3


def test_an_implausible_refid_is_acknowledged_like_any_other() -> None:
    venue = Venue().connect()
    venue.say(line(999_999, 1_000), line(1, 2_000))
    assert venue.sync_disk() == 2


def test_a_repeat_before_the_disk_has_the_passing_gets_no_ack_of_its_own() -> None:
    venue = Venue().connect()
    wire = venue.rider(100)
    venue.say(wire)
    venue.now_us += 2 * SECOND
    (repeat,) = venue.say(wire)
    assert isinstance(repeat, Unhandled)
    assert (repeat.name, repeat.detail["transponder"]) == ("passing_repeated", "100")
    assert venue.sync_disk() == 1


def test_a_repeat_that_crossed_the_ack_is_not_acknowledged_again() -> None:
    venue = Venue().connect()
    wire = venue.rider(100)
    venue.say(wire)
    assert venue.sync_disk() == 1
    venue.now_us += 20_000
    venue.say(wire)
    assert venue.sync_disk() == 0


def test_a_repeat_behind_the_answer_to_a_question_behind_the_ack_means_that_the_ack_was_lost() -> None:
    venue = Venue().connect()
    venue.say(venue.status())
    wire = venue.rider(100)
    venue.say(wire)
    assert venue.sync_disk() == 1
    for lost in range(1, 4):
        venue.now_us += 1_500_000
        venue.say(wire)
        assert (venue.asked, venue.sync_disk()) == (lost, 0), "the ACK may be slow: first it is asked"
        venue.say(venue.status())
        venue.now_us += 1_500_000
        venue.say(wire)
        assert (venue.asked, venue.sync_disk()) == (lost, 1)
    assert sum(isinstance(record, Passing) for record in venue.records) == 1


def test_an_ack_that_is_slow_is_not_followed_by_another_which_would_free_the_next_passing_unseen() -> None:
    venue = Venue().connect()
    venue.say(venue.status())
    first, second = venue.rider(100), venue.rider(200)
    unit = Unit([first, second])
    venue.say(first)
    assert venue.sync_disk() == 1
    acknowledgements = 1
    for _ in range(2):
        venue.now_us += 1_500_000
        venue.say(first)
        acknowledgements += venue.sync_disk()
    for _ in range(acknowledgements):
        unit.hear_ack()
    assert unit.held() == second, "the host does not have it yet"
    venue.say(venue.status(), second)
    assert venue.sync_disk() == 1


def test_an_answer_to_a_question_before_the_ack_says_nothing_about_the_ack() -> None:
    venue = Venue().connect()
    wire = venue.rider(100)
    venue.say(wire)
    assert venue.sync_disk() == 1
    venue.say(venue.status())
    venue.now_us += 1_500_000
    venue.say(wire)
    assert (venue.asked, venue.sync_disk()) == (1, 0)


def test_an_ack_under_way_on_the_old_line_is_not_forgotten_with_a_new_connection() -> None:
    venue = Venue().connect()
    wire = venue.rider(100)
    venue.say(wire)
    assert venue.sync_disk() == 1
    venue.session.disconnected(venue.now_us)
    venue.now_us += 1_500_000
    venue.connect().say(wire)
    assert (venue.asked, venue.sync_disk()) == (1, 0)
    venue.say(venue.status(), wire)
    assert (venue.asked, venue.sync_disk()) == (2, 0), "it may answer the question of the old line"
    venue.say(venue.status(), wire)
    assert venue.sync_disk() == 1


def test_a_unit_that_answers_no_question_does_not_stay_stuck_after_a_lost_ack() -> None:
    venue = Venue().connect()
    wire = venue.rider(100)
    venue.say(wire)
    assert venue.sync_disk() == 1
    acknowledged = []
    for _ in range(8):
        venue.now_us += 1_500_000
        venue.say(wire)
        acknowledged.append(venue.sync_disk())
    assert acknowledged == [0, 0, 0, 0, 0, 0, 1, 0]


def test_a_repeat_is_not_acknowledged_when_the_unit_has_gone_on_before_the_disk_had_it() -> None:
    venue = Venue().connect()
    first = venue.rider(100)
    venue.say(venue.status(), first)
    assert venue.sync_disk() == 1
    venue.session.tick(venue.now_us)
    venue.now_us += 1_500_000
    venue.say(venue.status(), first)
    venue.say(venue.rider(200))
    assert venue.sync_disk(1) == 0, "it would be taken for the passing of 200, which is not on disk"
    assert venue.sync_disk() == 1


def test_the_same_pulse_on_both_inputs_of_a_unit_is_two_passings() -> None:
    venue = Venue().connect()
    assert all(isinstance(r, Impulse) for r in venue.say(line(255, 60_000_000), line(255, 60_000_000, "BOX")))
    assert venue.sync_disk() == 2


def test_a_connection_acknowledges_only_what_it_brought_itself() -> None:
    venue = Venue().connect()
    wire = venue.rider(100)
    venue.say(wire)
    venue.session.disconnected(venue.now_us)
    venue.connect()
    assert venue.sync_disk() == 0, "the ACK would go to whatever the unit holds now"
    (repeat,) = venue.say(wire)
    assert isinstance(repeat, Unhandled)
    assert venue.sync_disk() == 1


def test_an_unfinished_line_is_reported_when_the_connection_goes_and_comes_again() -> None:
    venue = Venue().connect()
    wire = venue.rider(100)
    venue.say(wire[:20])
    (left,) = venue.session.disconnected(venue.now_us)
    assert isinstance(left, Malformed)
    assert venue.session.tick(venue.now_us) == ()
    venue.connect()
    assert [type(record) for record in venue.say(wire)] == [Passing]


# -- damaged passings --------------------------------------------------------------------------------------


def test_the_same_bad_sum_for_the_fourth_time_is_acknowledged_once_its_bytes_are_on_disk() -> None:
    venue = Venue().connect()
    bad = damaged(venue.rider(100))
    acknowledged = []
    for _ in range(8):
        venue.now_us += 1_500_000
        (_, record) = venue.say(venue.status(), bad)
        venue.session.tick(venue.now_us)
        assert isinstance(record, Malformed)
        assert record.reason.startswith("sum ")
        acknowledged.append(venue.sync_disk())
    assert acknowledged == [0, 0, 0, 1, 0, 0, 0, 1]


def test_a_damaged_line_is_not_acknowledged_while_an_ack_may_be_under_way() -> None:
    venue = Venue().connect()
    venue.say(venue.status(), venue.rider(100))
    assert venue.sync_disk() == 1
    bad = damaged(venue.rider(200))
    venue.say(*[bad] * 4)
    assert (venue.asked, venue.sync_disk()) == (1, 0)
    venue.say(venue.status(), bad)
    assert venue.sync_disk() == 1


def test_damage_that_differs_each_time_is_the_lines_and_the_passing_is_waited_for() -> None:
    """What the soak lost: four sends of one passing, each damaged by the line in another place."""
    venue = Venue().connect()
    wire = venue.rider(100)
    for how in range(1, 200):
        venue.now_us += 1_500_000
        assert isinstance(venue.say(damaged(wire, how))[0], Malformed)
        assert venue.sync_disk() == 0
    assert venue.say(wire) == []
    assert isinstance(venue.say(wire)[0], Passing)
    assert venue.sync_disk() == 1


def test_on_a_line_that_damages_a_passing_counts_when_it_has_come_twice_alike() -> None:
    """Two bent bits leave a plain sum as it was: what the soak acknowledged and had not got."""
    venue = Venue().connect()
    good = b"<STA 100001 17:07'34\"964 99 24 0 1582>\r\n"
    bent = b"<STA 100041 17:07'34\"924 99 24 0 1582>\r\n"
    venue.say(damaged(line(99, SECOND)))
    assert (venue.say(bent), venue.asked_again) == ([], 1)
    assert (venue.say(good), venue.asked_again) == ([], 2)
    wrong, right = venue.say(good)
    assert isinstance(wrong, Malformed)
    assert "no second copy" in wrong.reason
    assert wrong.raw == bent.strip().hex()
    assert isinstance(right, Passing)
    assert right.transponder == "100001"
    assert venue.sync_disk() == 1


def test_a_line_that_damaged_nothing_lately_is_not_asked_twice() -> None:
    venue = Venue().connect()
    venue.say(damaged(venue.rider(1)))
    venue.now_us += 601 * SECOND
    assert isinstance(venue.say(venue.rider(2))[0], Passing)
    assert venue.asked_again == 0


def test_what_waited_in_the_unit_says_nothing_about_delays() -> None:
    """A second try after damage, and those behind a passing that was acknowledged late, came late: no clock was set."""
    venue = Venue().connect()
    venue.say(venue.status())
    first, second, third = (venue.rider(refid) for refid in (1, 2, 3))
    venue.now_us += SECOND // 100
    assert backlog(venue.say(first)) == [("1", False)]
    venue.now_us += SECOND
    assert venue.sync_disk() == 1
    assert backlog(venue.say(second)) == [("2", True)]
    assert venue.sync_disk() == 1
    assert backlog(venue.say(third)) == [("3", True)]
    assert venue.sync_disk() == 1
    venue.now_us += SECOND
    assert backlog(venue.say(venue.rider(4))) == [("4", False)]
    assert venue.sync_disk() == 1
    venue.now_us += SECOND
    lost = venue.rider(5)
    venue.now_us += 1_500_000
    venue.say(venue.status())
    assert backlog(venue.say(lost)) == [("5", True)], "its first datagram was lost, and nothing else tells"


def test_a_good_passing_ends_the_row() -> None:
    venue = Venue().connect()
    for refid in range(1, 5):
        wire = venue.rider(refid)
        venue.say(*[damaged(wire)] * 3)
        assert venue.sync_disk() == 0
        venue.say(wire, wire)
        assert venue.sync_disk() == 1


@pytest.mark.parametrize(
    "stuck",
    [
        b"<STA 1253\r\n",
        b"STA 125328 16:18'32\"303 55 01 0 1574>\r\n",
        b"<STA 119371 80:27'53\"648 01 01 3 1569>\r\n",
        b"<XYZ 119371 00:27'53\"648 01 01 3 1573>\r\n",
    ],
)
def test_whatever_the_damage_the_line_does_not_stay_stuck(stuck: bytes) -> None:
    venue = Venue().connect()
    assert all(isinstance(record, Malformed) for record in venue.say(*[stuck] * 4))
    assert venue.sync_disk() == 1


def test_noise_and_a_damaged_status_are_no_passings() -> None:
    venue = Venue().connect()
    venue.say(*[b"x\x80y\r\n[00:00'12\" 23 0\r\n"] * 10)
    assert len(venue.records) == 20
    assert venue.sync_disk() == 0


def test_damage_while_an_ack_is_due_cannot_bring_a_second_ack() -> None:
    venue = Venue().connect()
    wire = venue.rider(100)
    venue.say(wire)
    venue.say(*[damaged(wire)] * 10)
    assert venue.sync_disk() == 1


def test_a_damaged_line_that_came_whole_after_all_brings_one_ack() -> None:
    venue = Venue().connect()
    wire = venue.rider(100)
    venue.say(*[damaged(wire)] * 4)
    venue.say(wire)
    assert venue.sync_disk(1) == 0
    venue.say(wire)
    assert venue.sync_disk() == 1


# -- backlog -----------------------------------------------------------------------------------------------


def backlog(records: list[Record]) -> list[tuple[str, bool]]:
    return [(record.transponder, record.backlog) for record in records if isinstance(record, Passing)]


def test_what_was_timed_before_the_connection_is_backlog_until_the_first_live_passing() -> None:
    venue = Venue().connect()
    old = [venue.rider(refid, ago_us=(10 - refid) * SECOND) for refid in (1, 2)]
    venue.say(venue.status())
    venue.now_us += SECOND
    venue.say(*old, venue.rider(3), venue.rider(4, ago_us=60 * SECOND))
    assert backlog(venue.records) == [("1", True), ("2", True), ("3", False), ("4", False)]


def test_backlog_is_known_over_midnight() -> None:
    venue = Venue().connect()
    venue.now_us = START + 12 * 3_600 * SECOND + 5 * SECOND
    venue.say(venue.status(), venue.rider(1, ago_us=30 * SECOND), venue.rider(2))
    assert backlog(venue.records) == [("1", True), ("2", False)]


def test_without_a_status_backlog_ends_with_the_first_pause() -> None:
    venue = Venue().connect()
    venue.say(venue.rider(1))
    venue.now_us += SECOND
    venue.say(venue.rider(2))
    venue.now_us += 2 * SECOND
    venue.say(venue.rider(3))
    venue.say(venue.rider(4))
    assert backlog(venue.records) == [("1", True), ("2", True), ("3", False), ("4", False)]


# -- status ------------------------------------------------------------------------------------------------


def test_a_unit_that_stands_at_zero_is_reported_as_stopped_until_it_runs() -> None:
    venue = Venue().connect()
    zero = encode_status(StatusLine(time_us=0, noise_sta=20, noise_box=5, level_sta=10, level_box=10))
    texts = [r.text or "" for r in venue.say(zero, zero, zero, venue.status()) if isinstance(r, DeviceStatus)]
    assert [text.startswith("stopped, it times nothing: start it at the unit; noise") for text in texts] == [
        *(False, True, True, False)
    ]


def test_a_running_unit_at_midnight_is_not_stopped() -> None:
    venue = Venue().connect()
    venue.now_us = START + 12 * 3_600 * SECOND
    venue.say(venue.status())
    venue.now_us += venue.session.tick_us
    venue.say(venue.status())
    texts = [record.text or "" for record in venue.records if isinstance(record, DeviceStatus)]
    assert texts[0].endswith("time 00:00'00\"")
    assert not any(text.startswith("stopped") for text in texts)


def test_the_sync_pulse_and_passings_hold_the_units_clock_to_a_millisecond() -> None:
    """One way: the unit runs 20 ppm fast and 1.2 s ahead, every stamp arrives 300 µs later."""
    venue = Venue().connect()
    clock = DeviceClock(DEVICE, "UTC")
    for minute in range(1, 11):
        real_us = minute * 60 * SECOND
        venue.now_us = START + real_us + 300
        stamp_us = (START + real_us + real_us // 50_000 + 1_200_000) // 1_000 * 1_000
        (pulse,) = venue.say(line(255, stamp_us))
        assert isinstance(pulse, Impulse)
        clock.observe(msgspec.structs.replace(pulse, backlog=False))
    race_us = clock.race_us(stamp_us % DAY_US, venue.now_us)
    assert abs(race_us - (START + real_us)) <= 1_000
    assert abs(clock.fit().rate_ppb + 20_000) < 5_000


# -- the whole protocol against a unit, with losses --------------------------------------------------------


class Unit:
    """A unit by the protocol text: holds one passing, forgets it at any ACK, whatever that was meant for."""

    def __init__(self, wires: list[bytes]) -> None:
        self.queue = deque(wires)
        self.forgotten: list[bytes] = []

    def held(self) -> bytes | None:
        return self.queue[0] if self.queue else None

    def hear_ack(self) -> None:
        if self.queue:
            self.forgotten.append(self.queue.popleft())

    @property
    def last(self) -> bytes | None:
        return self.forgotten[-1] if self.forgotten else None


STEPS = st.sampled_from(["repeat", "repeat", "disk", "disk", "hear", "hear", "damage", "lose", "tick", "reconnect"])
SLOWEST_US = 8 * SECOND


class SlowLine:
    """Commands wait in order until the unit hears them, over reconnects too; what it answers arrives at once."""

    def __init__(self, venue: Venue, unit: Unit) -> None:
        self.venue = venue
        self.unit = unit
        self.commands: deque[tuple[int, bytes]] = deque()
        self.on_disk: set[str] = set()

    def send(self, *commands: bytes) -> None:
        self.commands.extend((self.venue.now_us, command) for command in commands)

    def say(self, wire: bytes) -> None:
        asked, asked_again = self.venue.asked, self.venue.asked_again
        self.venue.say(wire)
        self.send(*[encode_repeat()] * (self.venue.asked_again - asked_again))
        self.send(*[encode_ask_status()] * (self.venue.asked - asked))

    def hear(self) -> None:
        _, command = self.commands.popleft()
        if command == encode_ack():
            self.unit.hear_ack()
            assert {str(int(wire[5:11])) for wire in self.unit.forgotten} <= self.on_disk
        elif command == encode_ask_status():
            self.say(self.venue.status())
        elif command == encode_repeat():
            again = self.unit.held() or self.unit.last
            if again is not None:
                self.say(again)

    def disk(self) -> None:
        """The supervisor's rule: what is on disk first, then its ACK over the line."""
        if self.venue.waiting:
            records = self.venue.waiting[0]
            self.on_disk |= {record.transponder for record in records if isinstance(record, Passing)}
            self.send(*[encode_ack()] * self.venue.sync_disk(1))

    def reconnect(self) -> None:
        self.venue.session.disconnected(self.venue.now_us)
        self.venue.connect()
        self.send(encode_get_config(), encode_ask_status())


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(STEPS, max_size=100))
def test_whatever_is_lost_or_slow_no_passing_is_forgotten_before_it_is_on_disk_and_none_doubled(
    steps: list[str],
) -> None:
    unit = Unit([line(refid, refid * SECOND) for refid in range(1, 6)])
    venue = Venue().connect()
    track = SlowLine(venue, unit)
    for number, step in enumerate([*steps, *["hear", "disk"] * len(steps), *["repeat", "disk", "hear", "hear"] * 60]):
        venue.now_us += 750_000
        held = unit.held()
        while track.commands and venue.now_us - track.commands[0][0] > SLOWEST_US:
            track.hear()
        if step == "disk":
            track.disk()
        elif step == "hear" and track.commands:
            track.hear()
        elif step == "lose" and track.commands:
            track.commands.popleft()
        elif step == "tick":
            track.send(*venue.session.tick(venue.now_us))
        elif step == "reconnect":
            track.reconnect()
        elif step == "repeat" and held is not None:
            track.say(held)
        elif step == "damage" and held is not None:
            track.say(damaged(held, 1 + number))
    passings = [record.transponder for record in venue.records if isinstance(record, Passing)]
    assert len(passings) == len(set(passings)), "none doubled"
    assert track.on_disk == set(passings) == {"1", "2", "3", "4", "5"}
    assert unit.held() is None, "the line does not stay stuck"


@settings(max_examples=200, deadline=None)
@given(chunks=st.lists(st.binary(max_size=60), max_size=10))
def test_garbage_never_raises_and_is_never_acknowledged(chunks: list[bytes]) -> None:
    venue = Venue().connect()
    venue.say(*(chunk.replace(b">", b"?").replace(b"<", b"?") for chunk in chunks))
    assert not any(isinstance(record, Passing | Impulse) for record in venue.records)
    assert venue.sync_disk() == 0
