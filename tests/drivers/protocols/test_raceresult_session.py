"""The conversation with a race result decoder: negotiation, gaps, backlog, new files; held by hand."""

from config.models import Device
from drivers.protocols.base import Resume
from drivers.protocols.raceresult import PassingLine, RaceResultSession, encode_passing
from drivers.records import ClockReading, Passing, Record, SequenceGap, Unhandled

DEVICE = Device(id="line", protocol="raceresult", address="tcp:127.0.0.1:3601")
SECOND = 1_000_000
START = 1_700_000_000 * SECOND
GREETING = b"GETPROTOCOL;2.0;1.0;3.2\r\n"
SETUP = [
    b"SETPROTOCOL;2.0\r\n",
    b"GETTIME\r\n",
    b"SETPUSHPREWARNS;0\r\n",
    b"SETPUSHPASSINGS;1;0\r\n",
    b"GETSTATUS\r\n",
    b"PASSINGS\r\n",
]


def line(number: int, *, pushed: bool, file: str = "50") -> bytes:
    passing = PassingLine(
        number=str(number),
        code=f"TAG{number}",
        date="0000-00-00",
        time=f"00:{number // 60 % 60:02d}:{number % 60:02d}.000",
        file_number=file,
        box_id="D-50001",
    )
    return encode_passing(passing, pushed=pushed)


class Venue:
    """A session; every byte between it and the decoder is in the hands of the test."""

    def __init__(self, resume: Resume | None = None) -> None:
        self.session = RaceResultSession(DEVICE, resume or Resume())
        self.now_us = START
        self.asked: list[bytes] = []
        self.records: list[Record] = []

    def connect(self, count: int, file: str = "50") -> None:
        assert self.session.connected(self.now_us) == (b"GETPROTOCOL\r\n",)
        self.say(GREETING)
        self.asked.clear()
        self.say(b"PASSINGS;%d;%s\r\n" % (count, file.encode()))

    def say(self, *lines: bytes) -> list[Record]:
        reaction = self.session.receive(b"".join(lines), self.now_us)
        self.asked += reaction.send
        self.records += reaction.records
        return list(reaction.records)

    def wait(self, duration_us: int) -> list[bytes]:
        asked: list[bytes] = []
        for _ in range(duration_us // self.session.tick_us):
            self.now_us += self.session.tick_us
            asked += self.session.tick(self.now_us)
        self.asked += asked
        return asked

    def commit(self) -> None:
        assert self.session.committed(self.records, self.now_us) == ()


def numbers(records: list[Record], *, backlog: bool) -> list[int | None]:
    return [r.sequence for r in records if isinstance(r, Passing) and r.backlog is backlog]


def gaps(records: list[Record]) -> list[tuple[int, int, bool]]:
    return [(r.first, r.last, r.asked) for r in records if isinstance(r, SequenceGap)]


def fetches(asked: list[bytes]) -> list[bytes]:
    return [one for one in asked if one[:1].isdigit()]


def restarts(records: list[Record]) -> list[Unhandled]:
    return [r for r in records if isinstance(r, Unhandled) and r.name == "numbering_restarted"]


def test_the_host_speaks_first_and_chooses_2_0_where_it_can() -> None:
    venue = Venue()
    assert venue.session.connected(START) == (b"GETPROTOCOL\r\n",)
    venue.say(GREETING)

    assert venue.asked == SETUP


def test_an_older_decoder_gets_its_highest_protocol_and_one_too_old_is_named() -> None:
    older = Venue()
    older.session.connected(START)
    older.say(b"GETPROTOCOL;1.0;1.0;1.6\r\n")
    oldest = Venue()
    oldest.session.connected(START)
    records = oldest.say(b"GETPROTOCOL;1.0;1.0;1.5\r\n")

    assert older.asked[0] == b"SETPROTOCOL;1.6\r\n"
    assert oldest.asked == []
    assert [r.name for r in records if isinstance(r, Unhandled)] == ["getprotocol", "protocol_too_old"]


def test_an_unanswered_negotiation_is_asked_again() -> None:
    venue = Venue()
    venue.session.connected(START)

    assert venue.wait(5 * SECOND) == [b"GETPROTOCOL\r\n"] * 2


def test_of_a_box_with_nothing_on_disk_only_new_passings_are_taken() -> None:
    venue = Venue()
    venue.connect(40)
    venue.say(line(41, pushed=True))

    assert fetches(venue.asked) == []
    assert numbers(venue.records, backlog=False) == [41]
    assert gaps(venue.records) == []


def test_the_backlog_is_fetched_in_parts_of_32_each_after_the_end_of_the_one_before() -> None:
    venue = Venue(Resume(10, "D-50001/50"))
    venue.connect(50)
    assert fetches(venue.asked) == [b"11:32\r\n"]
    venue.say(*(line(number, pushed=False) for number in range(11, 43)))
    assert fetches(venue.asked) == [b"11:32\r\n"]
    venue.say(b"\r\n")
    assert fetches(venue.asked) == [b"11:32\r\n", b"43:8\r\n"]
    venue.say(*(line(number, pushed=False) for number in range(43, 51)), b"\r\n")

    assert numbers(venue.records, backlog=True) == list(range(11, 51))
    assert gaps(venue.records) == []


def test_a_push_during_the_backlog_and_a_passing_sent_twice_make_no_duplicate() -> None:
    venue = Venue(Resume(10, "D-50001/50"))
    venue.connect(12)
    venue.say(line(13, pushed=True))
    venue.say(line(11, pushed=False), line(12, pushed=False), line(13, pushed=False), b"\r\n")

    assert numbers(venue.records, backlog=False) == [13]
    assert numbers(venue.records, backlog=True) == [11, 12]
    assert fetches(venue.asked) == [b"11:2\r\n"]


def test_a_jump_is_reported_and_fetched_at_once_exactly() -> None:
    venue = Venue()
    venue.connect(100)
    records = venue.say(line(101, pushed=True), line(104, pushed=True))
    assert gaps(records) == [(102, 103, True)]
    assert fetches(venue.asked) == [b"102:2\r\n"]

    venue.say(line(102, pushed=False), line(103, pushed=False), b"\r\n")

    assert numbers(venue.records, backlog=False) == [101, 104]
    assert numbers(venue.records, backlog=True) == [102, 103]
    assert gaps(venue.records) == [(102, 103, True)]


def test_a_gap_that_stays_open_is_asked_for_again_and_then_given_up() -> None:
    venue = Venue()
    venue.connect(100)
    venue.say(line(101, pushed=True), line(103, pushed=True))
    for _ in range(20):
        venue.wait(SECOND)
        venue.say(b"\r\n")

    assert fetches(venue.asked).count(b"102:1\r\n") == 4
    assert gaps(venue.records) == [(102, 102, True), (102, 102, False)]


def test_after_a_second_of_silence_the_next_number_is_asked_for() -> None:
    venue = Venue()
    venue.connect(7)
    asked = venue.wait(SECOND)
    assert fetches(asked) == [b"8:32\r\n"]

    records = venue.say(line(8, pushed=False), b"\r\n")

    assert numbers(records, backlog=True) == [8]


def test_the_answer_that_there_is_nothing_new_is_not_journaled_each_second() -> None:
    venue = Venue()
    venue.connect(7)
    venue.wait(SECOND)

    assert venue.say(b"ONLY 7 PASSINGS\r\n") == []
    assert fetches(venue.wait(SECOND)) == [b"8:32\r\n"]


def test_a_reconnect_begins_after_what_is_on_disk_and_not_after_what_was_heard() -> None:
    venue = Venue()
    venue.connect(0)
    venue.say(line(1, pushed=True), line(2, pushed=True))
    venue.commit()
    venue.say(line(3, pushed=True))
    venue.session.disconnected(venue.now_us)
    venue.connect(5)

    assert fetches(venue.asked) == [b"3:3\r\n"]


def test_a_new_file_begins_the_numbers_again_and_is_fetched_whole() -> None:
    venue = Venue(Resume(10, "D-50001/50"))
    venue.connect(3, file="51")

    assert [r.detail for r in restarts(venue.records)] == [{"newest": 10, "number": 3}]
    assert fetches(venue.asked) == [b"1:3\r\n"]


def test_fewer_passings_than_on_disk_mean_that_the_file_was_cleared() -> None:
    venue = Venue(Resume(10, "D-50001/50"))
    venue.connect(2)

    assert len(restarts(venue.records)) == 1
    assert fetches(venue.asked) == [b"1:2\r\n"]


def test_a_new_file_in_the_middle_of_a_connection_is_noticed_by_its_number() -> None:
    venue = Venue()
    venue.connect(10)
    venue.say(line(11, pushed=True))
    records = venue.say(line(2, pushed=True, file="51"))

    assert [r.detail["decoder"] for r in restarts(records)] == ["D-50001/51"]
    assert gaps(records) == [(1, 1, True)]
    assert numbers(records, backlog=False) == [2]
    assert fetches(venue.asked) == [b"1:1\r\n"]


def test_clock_answers_find_their_questions_and_only_once() -> None:
    venue = Venue()
    venue.session.connected(START)
    venue.say(GREETING)
    venue.now_us += 4_000
    first, late = venue.say(b"GETTIME;0000-00-00;00:00:01.000\r\n" * 2)

    assert isinstance(first, ClockReading)
    assert isinstance(late, ClockReading)
    assert (first.sent_us, first.received_us) == (START, START + 4_000)
    assert late.sent_us is None
    assert venue.wait(SECOND).count(b"GETTIME\r\n") == 1


def test_status_is_asked_for_every_ten_seconds() -> None:
    venue = Venue()
    venue.connect(0)

    assert venue.wait(30 * SECOND).count(b"GETSTATUS\r\n") == 3


def test_what_passed_while_the_line_was_gone_is_fetched_though_nothing_was_on_disk_yet() -> None:
    venue = Venue()
    venue.connect(7)
    venue.session.disconnected(venue.now_us)
    venue.connect(9)

    assert fetches(venue.asked) == [b"8:2\r\n"]
    assert numbers(venue.say(line(8, pushed=False), line(9, pushed=False), b"\r\n"), backlog=True) == [8, 9]
