"""The conversation with a Timy: programming, and the memory after a broken line."""

import msgspec
import pytest

from config.models import Device
from drivers.protocols.base import Resume
from drivers.protocols.timy import PROTOCOL, TimyLine, TimySession, encode_line, encode_text, programming
from drivers.records import Impulse, Malformed, Record, Unhandled

DEVICE = Device(id="timy", protocol="timy", address="serial:/dev/timy", clock="time_of_day")
SECOND = 1_000_000
DAY_US = 86_400 * SECOND
START = 1_700_000_000 * SECOND
TEN = 10 * 3_600 * SECOND
END = (b"  ALGE-TIMING\r", b"  TIMY V 1982\r", b"20-10-04  16-53-08\r")


class Venue:
    """A session and a box whose memory the test writes."""

    def __init__(self) -> None:
        self.session = TimySession(DEVICE, Resume())
        self.now_us = START
        self.box_ahead_us = TEN - START

    def connect(self) -> list[bytes]:
        return list(self.session.connected(self.now_us))

    def line(self, ago_us: int = 0, channel: str = "C1", number: int = 0) -> bytes:
        time_us = (self.now_us + self.box_ahead_us - ago_us) % DAY_US
        return encode_line(TimyLine(channel=channel, time_us=time_us, number=number), with_checksum=True)

    def say(self, *wires: bytes) -> list[Record]:
        reaction = self.session.receive(b"".join(wires), self.now_us)
        assert reaction.send == ()
        return list(reaction.records)

    def live(self, after_us: int = SECOND, number: int = 0) -> bytes:
        """An edge that the session hears."""
        self.now_us += after_us
        wire = self.line(number=number)
        (record,) = self.say(wire)
        assert isinstance(record, Impulse)
        assert not record.backlog
        return wire

    def lose(self, for_us: int = 10 * SECOND) -> list[Record]:
        records = list(self.session.disconnected(self.now_us))
        self.now_us += for_us
        return records

    def wait(self, duration_us: int) -> None:
        for _ in range(duration_us // self.session.tick_us):
            self.now_us += self.session.tick_us
            assert self.session.tick(self.now_us) == ()


def backlog(records: list[Record]) -> list[int]:
    return [record.device_us for record in records if isinstance(record, Impulse) and record.backlog]


def summary(records: list[Record]) -> dict[str, int | str]:
    (found,) = [r for r in records if isinstance(r, Unhandled) and r.name == "memory_dump"]
    return found.detail


def counts(new: int, known: int, older: int, *, complete: int = 1) -> dict[str, int | str]:
    return {"lines": new + known + older, "new": new, "known": known, "older": older, "complete": complete}


def device_us(wire: bytes) -> int:
    (record,) = TimySession(DEVICE, Resume()).receive(wire, START).records
    assert isinstance(record, Impulse)
    return record.device_us


def test_the_box_is_programmed_on_every_connection_and_its_memory_asked_for_from_the_second_on() -> None:
    venue = Venue()
    first = venue.connect()
    assert first[0] == b"TIMYINIT\r"
    for command in (
        b"NSF?",
        b"PROG?",
        b"CHK1",
        b"PRE4",
        b"RR0",
        b"BE1",
        b"DTS00.01",
        b"DTF00.01",
        b"EMU0",
        b"PRINTER0",
    ):
        assert command + b"\r" in first
    assert b"RSM\r" not in first
    venue.lose()
    assert venue.connect() == [*first, b"RSM\r"]
    assert b"CLR\r" not in first, "the memory belongs to the operator"


def test_dead_times_are_an_option() -> None:
    session = TimySession(DEVICE, Resume(), start_dead_hundredths=200, finish_dead_hundredths=0)
    commands = session.connected(START)
    assert b"DTS02.00\r" in commands
    assert b"DTF00.00\r" in commands
    with pytest.raises(ValueError, match="give 0 to 9999"):
        programming(10_000, 0)


def test_the_meet_file_gives_the_dead_times() -> None:
    options = {"start_dead_hundredths": "200", "finish_dead_hundredths": "15"}
    commands = PROTOCOL.session(msgspec.structs.replace(DEVICE, options=options), Resume()).connected(START)
    assert b"DTS02.00\r" in commands
    assert b"DTF00.15\r" in commands
    assert PROTOCOL.session(DEVICE, Resume()).connected(START) == TimySession(DEVICE, Resume()).connected(START)


def test_the_memory_brings_what_was_lost_once_and_marks_it() -> None:
    venue = Venue()
    venue.connect()
    known = [venue.live(), venue.live()]
    venue.lose()
    lost = [venue.line(ago_us=5 * SECOND), venue.line(ago_us=4 * SECOND)]
    venue.connect()

    records = venue.say(*known, *lost, *END)

    assert backlog(records) == [device_us(wire) for wire in lost]
    assert summary(records) == counts(new=2, known=2, older=0)
    assert venue.live(), "live again after the end of the memory"


def test_an_earlier_race_in_the_memory_is_no_news() -> None:
    venue = Venue()
    venue.connect()
    known = venue.live()
    venue.lose()
    yesterday = [venue.line(ago_us=ago * SECOND) for ago in (7_000, 6_000, 5_000)]
    lost = venue.line(ago_us=SECOND)
    venue.connect()

    records = venue.say(*yesterday, known, lost, *END)

    assert backlog(records) == [device_us(lost)]
    assert summary(records) == counts(new=1, known=1, older=3)


def test_a_memory_that_was_cleared_during_the_loss_is_all_new() -> None:
    venue = Venue()
    venue.connect()
    venue.live()
    venue.lose(for_us=60 * SECOND)
    lost = [venue.line(ago_us=40 * SECOND), venue.line(ago_us=30 * SECOND)]
    venue.connect()

    assert backlog(venue.say(*lost)) == []
    records = venue.say(*END)

    assert backlog(records) == [device_us(wire) for wire in lost]
    assert summary(records) == counts(new=2, known=0, older=0)


def test_an_edge_between_the_lines_of_the_memory_is_reported_at_once_even_before_a_known_line() -> None:
    venue = Venue()
    venue.connect()
    known = venue.live()
    venue.lose()
    old = venue.line(ago_us=9_000 * SECOND)
    venue.connect()
    venue.now_us += SECOND
    now = venue.line()

    assert backlog(venue.say(old, now)) == [device_us(now)]
    assert summary(venue.say(known, now, *END)) == {"lines": 4, "new": 1, "known": 2, "older": 1, "complete": 1}


def test_an_edge_across_midnight_is_of_this_connection() -> None:
    venue = Venue()
    venue.box_ahead_us = DAY_US - 5 * SECOND - START
    venue.connect()
    venue.live()
    venue.lose(for_us=3 * SECOND)
    venue.connect()
    venue.now_us += 2 * SECOND
    assert backlog(venue.say(venue.line())) == [SECOND]


def test_a_start_number_given_later_makes_no_second_edge() -> None:
    venue = Venue()
    venue.connect()
    known = venue.live(number=0)
    with_number = encode_line(TimyLine(channel="C1", time_us=device_us(known), number=12))
    venue.lose()
    venue.connect()

    records = venue.say(with_number, *END)

    assert backlog(records) == []
    assert ("renumbered", "12") in [(r.name, r.detail.get("bib")) for r in records if isinstance(r, Unhandled)]


def test_a_group_start_is_one_impulse_for_each_number_and_a_line_said_twice_is_one() -> None:
    venue = Venue()
    venue.connect()
    lines = [venue.line(channel="C0", number=number) for number in (1, 2)]
    first = venue.say(*lines)
    assert [record.bib for record in first if isinstance(record, Impulse)] == ["1", "2"]
    (again,) = venue.say(lines[0])
    assert isinstance(again, Unhandled)
    assert again.name == "repeated"


def test_a_banner_before_the_memory_does_not_end_it() -> None:
    venue = Venue()
    venue.connect()
    known = venue.live()
    venue.lose()
    lost = venue.line(ago_us=SECOND)
    venue.connect()
    venue.say(*END)
    assert summary(venue.say(known, lost, *END)) == counts(new=1, known=1, older=0)


def test_a_memory_without_an_end_is_over_after_a_pause() -> None:
    venue = Venue()
    venue.connect()
    known = venue.live()
    venue.lose()
    lost = venue.line(ago_us=SECOND)
    venue.connect()
    assert backlog(venue.say(known, lost)) == [device_us(lost)]
    venue.wait(3 * SECOND)

    records = venue.say(venue.line())

    assert backlog(records) == []
    assert summary(records) == counts(new=1, known=1, older=0, complete=0)
    assert [r.backlog for r in records if isinstance(r, Impulse)] == [False]


def test_a_box_that_does_not_know_the_question_is_asked_three_times_and_is_live_after_thirty_seconds() -> None:
    venue = Venue()
    venue.connect()
    venue.live()
    venue.lose()
    asked = venue.connect().count(encode_text("RSM"))
    for _ in range(35 * SECOND // venue.session.tick_us):
        venue.now_us += venue.session.tick_us
        asked += list(venue.session.tick(venue.now_us)).count(encode_text("RSM"))
    assert asked == 3
    records = venue.say(venue.line())
    assert {str(r.detail) for r in records if isinstance(r, Unhandled)} == {str(counts(0, 0, 0, complete=0))}
    assert [r.backlog for r in records if isinstance(r, Impulse)] == [False]


def test_after_a_restart_of_the_program_the_memory_brings_what_nobody_heard() -> None:
    """The host was killed: the edges on disk are known again, those between are new, an earlier day's are older."""
    before = Venue()
    before.connect()
    yesterday = before.line(ago_us=7_200 * SECOND)
    before.now_us += SECOND
    heard = before.line()
    on_disk = [record for record in before.say(heard) if isinstance(record, Impulse)]

    after = Venue()
    after.now_us = before.now_us + 5 * SECOND
    after.session = TimySession(DEVICE, Resume(impulses=tuple(on_disk)))
    missed = after.line(ago_us=2 * SECOND)
    assert after.connect()[-1] == encode_text("RSM")
    records = after.say(yesterday, heard, missed, *END)
    assert backlog(records) == [device_us(missed)]
    assert summary(records) == counts(new=1, known=1, older=1)


def test_with_a_heat_on_the_track_a_restart_asks_even_where_no_edge_is_on_disk() -> None:
    venue = Venue()
    venue.session = TimySession(DEVICE, Resume(in_heat=True))
    assert venue.connect()[-1] == encode_text("RSM")
    assert backlog(venue.say(venue.line(ago_us=SECOND), *END)) != []


def test_a_box_of_which_nothing_was_ever_heard_is_not_asked_for_its_memory() -> None:
    assert encode_text("RSM") not in Venue().connect()


def without_sum(wire: bytes) -> bytes:
    return wire[:-3] + wire[-1:]


def test_once_sums_come_a_line_that_lost_its_own_is_damaged_and_fetched_from_the_memory() -> None:
    venue = Venue()
    venue.connect()
    venue.live()
    venue.now_us += SECOND
    cut = venue.line()
    reaction = venue.session.receive(without_sum(cut), venue.now_us)
    (refused,) = reaction.records
    assert isinstance(refused, Malformed)
    assert "no checksum" in refused.reason
    assert list(reaction.send) == [encode_text("CHK1"), encode_text("RSM")]
    assert backlog(venue.say(cut, *END)) == [device_us(cut)]


def test_a_box_without_checksums_is_heard_unless_the_meet_insists_on_them() -> None:
    wire = without_sum(Venue().line())
    taken = PROTOCOL.session(DEVICE, Resume()).receive(wire, START).records
    insisting = msgspec.structs.replace(DEVICE, options={"checksum": "always"})
    refused = PROTOCOL.session(insisting, Resume()).receive(wire, START).records
    assert [type(one) for one in (*taken, *refused)] == [Impulse, Malformed]
    with pytest.raises(ValueError, match="'auto' or 'always'"):
        PROTOCOL.session(msgspec.structs.replace(DEVICE, options={"checksum": "no"}), Resume())


def test_a_memory_cut_off_by_a_second_loss_is_asked_for_again_and_gives_each_edge_once() -> None:
    venue = Venue()
    venue.connect()
    known = venue.live()
    venue.lose()
    lost = [venue.line(ago_us=ago * SECOND) for ago in (3, 2)]
    venue.connect()
    assert backlog(venue.say(known, lost[0], lost[1][:9])) == [device_us(lost[0])]

    left = venue.lose()

    assert any(isinstance(record, Malformed) for record in left)
    assert summary(left) == counts(new=1, known=1, older=0, complete=0)
    assert venue.connect()[-1] == encode_text("RSM")
    assert backlog(venue.say(known, *lost, *END)) == [device_us(lost[1])]


def test_nothing_is_acknowledged_and_a_damaged_line_is_reported() -> None:
    venue = Venue()
    venue.connect()
    (record,) = venue.say(venue.line()[:-2] + b"~\r")
    assert isinstance(record, Malformed)
    assert venue.session.committed([record], venue.now_us) == ()


def test_the_protocol_makes_the_session() -> None:
    assert isinstance(PROTOCOL.session(DEVICE, Resume()), TimySession)
