"""The conversation with a P3 decoder, held with a simulated one: gaps, backlog, restart of the numbering."""

from pathlib import Path

import pytest

from config.models import Device
from drivers.protocols.base import Resume
from drivers.protocols.p3 import (
    PROTOCOL,
    FrameReader,
    GetTime,
    P3Session,
    ReceivedFrame,
    Request,
    Resend,
    encode_passing,
    encode_resend,
    encode_status,
    encode_time_reply,
    read_request,
)
from drivers.records import Malformed, Passing, Record, SequenceGap, Unhandled

CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "p3" / "amb-short.out"
DEVICE = Device(id="line", protocol="p3", address="tcp:127.0.0.1:5403")
SECOND = 1_000_000
START = 1_700_000_000 * SECOND
DECODER = 135_059
DECODER_CLOCK_AHEAD_US = 7_200 * SECOND
"""The decoder holds local wall time, as real ones do."""


class Venue:
    """A session and a decoder with its memory. Every byte between them is in the hands of the test."""

    def __init__(self, resume: Resume | None = None) -> None:
        self.session = P3Session(DEVICE, resume or Resume())
        self.now_us = START
        self.memory: dict[int, bytes] = {}
        self.requests: list[Request] = []
        self.records: list[Record] = []

    def connect(self) -> list[Request]:
        return self.hear(*self.session.connected(self.now_us))

    def hear(self, *questions: bytes) -> list[Request]:
        """The decoder reads what the session sends; its answers are left to the test."""
        found = FrameReader().feed(b"".join(questions))
        heard = [read_request(item.frame) for item in found if isinstance(item, ReceivedFrame)]
        assert len(heard) == len(questions)
        self.requests += heard
        return heard

    def say(self, *wires: bytes) -> list[Record]:
        """The decoder sends; the session's records, and its questions to the decoder."""
        reaction = self.session.receive(b"".join(wires), self.now_us)
        self.hear(*reaction.send)
        self.records += reaction.records
        return list(reaction.records)

    def wait(self, duration_us: int) -> list[Request]:
        """Time passes with the session's ticks."""
        heard: list[Request] = []
        for _ in range(duration_us // self.session.tick_us):
            self.now_us += self.session.tick_us
            heard += self.hear(*self.session.tick(self.now_us))
        return heard

    def passing(self, number: int, transponder: int = 100, ago_us: int = 0, decoder: int = DECODER) -> bytes:
        """A rider passes; the decoder keeps the passing in its memory."""
        wire = encode_passing(
            number=number,
            transponder=transponder,
            rtc_us=self.device_us() - ago_us,
            strength=100,
            hits=20,
            decoder=decoder,
        )
        self.memory[number] = wire
        return wire

    def device_us(self) -> int:
        return self.now_us + DECODER_CLOCK_AHEAD_US

    def clock_answer(self) -> bytes:
        return encode_time_reply(self.device_us(), decoder=DECODER)

    def commit(self) -> None:
        assert self.session.committed(self.records, self.now_us) == ()


def numbers(records: list[Record], *, backlog: bool) -> list[int | None]:
    return [r.sequence for r in records if isinstance(r, Passing) and r.backlog is backlog]


def gaps(records: list[Record]) -> list[tuple[int, int, bool]]:
    return [(r.first, r.last, r.asked) for r in records if isinstance(r, SequenceGap)]


def resends(requests: list[Request]) -> list[tuple[int, int]]:
    return [(r.first, r.last) for r in requests if isinstance(r, Resend)]


# -- gaps --------------------------------------------------------------------------------------------------


def test_a_missing_number_is_reported_and_asked_for_at_once_and_exactly() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(100))

    records = venue.say(venue.passing(104))

    assert gaps(records) == [(101, 103, True)]
    assert isinstance(records[0], SequenceGap)
    assert resends(venue.requests) == [(101, 103)]


def test_the_passings_sent_again_are_marked_as_backlog_and_the_live_ones_between_are_not() -> None:
    venue = Venue()
    venue.connect()
    lost = [venue.passing(number, ago_us=SECOND) for number in (101, 102)]
    venue.say(venue.passing(100), venue.passing(103))

    venue.say(lost[0], venue.passing(104), lost[1])

    assert numbers(venue.records, backlog=True) == [101, 102]
    assert numbers(venue.records, backlog=False) == [100, 103, 104]
    assert resends(venue.wait(30 * SECOND)) == []
    assert gaps(venue.say(encode_status(noise=1))) == []


def test_a_gap_that_stays_open_is_asked_again_three_times_and_then_reported_as_open() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(100), venue.passing(102))
    asked = []
    for second in range(1, 21):
        asked += [second] * len(resends(venue.wait(SECOND)))

    records = venue.say(encode_status(noise=1))

    assert asked == [3, 6, 9]
    assert resends(venue.requests) == [(101, 101)] * 4
    assert gaps(records) == [(101, 101, False)]
    assert gaps(venue.say(encode_status(noise=1))) == []


def test_a_gap_given_up_is_reported_when_the_connection_goes_before_the_decoder_spoke() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(100), venue.passing(102))
    venue.wait(13 * SECOND)

    assert gaps(list(venue.session.disconnected(venue.now_us))) == [(101, 101, False)]


def test_a_passing_that_comes_after_its_gap_was_given_up_is_still_backlog() -> None:
    venue = Venue()
    venue.connect()
    late = venue.passing(101)
    venue.say(venue.passing(100), venue.passing(102))
    venue.wait(20 * SECOND)

    records = venue.say(late)

    assert numbers(records, backlog=True) == [101]
    assert not any(isinstance(record, Unhandled) for record in records)


def test_only_what_is_still_missing_is_asked_again_and_not_while_the_answer_is_running() -> None:
    venue = Venue()
    venue.connect()
    stored = {number: venue.passing(number) for number in range(101, 110)}
    venue.say(venue.passing(100), venue.passing(110))
    for number in (101, 102, 103):
        assert resends(venue.wait(2 * SECOND)) == []
        venue.say(stored[number])
    venue.say(*(stored[number] for number in (105, 106, 107, 109)))

    assert resends(venue.wait(3 * SECOND)) == [(104, 104), (108, 108)]


def test_a_passing_sent_twice_is_passed_on_as_backlog() -> None:
    venue = Venue()
    venue.connect()
    first, second = venue.passing(100), venue.passing(101)
    venue.say(first, second)

    records = venue.say(first, second)

    assert numbers(records, backlog=True) == [100, 101]
    assert len(records) == 2


def test_of_very_many_gaps_the_oldest_are_reported_as_open() -> None:
    venue = Venue()
    venue.connect()

    records = venue.say(*(venue.passing(number) for number in range(0, 600, 2)))

    asked = [gap for gap in gaps(records) if gap[2]]
    assert asked == [(number, number, True) for number in range(1, 598, 2)]
    assert [gap for gap in gaps(records) if not gap[2]] == [(n, n, False) for n in range(1, 87, 2)]


def test_gaps_are_counted_for_each_decoder_by_itself() -> None:
    venue = Venue()
    venue.connect()

    records = venue.say(
        venue.passing(100, decoder=1),
        venue.passing(7, decoder=2),
        venue.passing(101, decoder=1),
        venue.passing(9, decoder=2),
    )

    assert gaps(records) == [(8, 8, True)]


def test_a_damaged_passing_is_missing_and_therefore_asked_for() -> None:
    venue = Venue()
    venue.connect()
    damaged = bytearray(venue.passing(101))
    damaged[20] ^= 1

    records = venue.say(venue.passing(100), bytes(damaged), venue.passing(102), venue.memory[101])

    assert [type(r) for r in records] == [Passing, Malformed, SequenceGap, Passing, Passing]
    assert resends(venue.requests) == [(101, 101)]
    assert numbers(records, backlog=True) == [101]


def test_nothing_is_asked_while_there_is_no_connection() -> None:
    venue = Venue()
    assert venue.wait(10 * SECOND) == []
    venue.connect()
    venue.say(venue.passing(1), venue.passing(3))
    venue.session.disconnected(venue.now_us)

    assert venue.wait(60 * SECOND) == []


# -- restart of the numbering ------------------------------------------------------------------------------


def test_a_smaller_number_that_nobody_asked_for_means_that_the_numbering_began_again() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(500))

    records = venue.say(venue.passing(1), venue.passing(2), venue.passing(4))

    assert records[0] == Unhandled(
        device="line",
        received_us=venue.now_us,
        name="numbering_restarted",
        detail={"newest": 500, "number": 1, "decoder": str(DECODER)},
    )
    assert numbers(records, backlog=False) == [1, 2, 4]
    assert gaps(records) == [(3, 3, True)]


def test_a_number_received_before_with_another_content_means_a_new_numbering() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(1), venue.passing(2))
    venue.now_us += 60 * SECOND

    records = venue.say(venue.passing(1, transponder=7))

    assert [type(r) for r in records] == [Unhandled, Passing]
    assert numbers(records, backlog=False) == [1]


def test_the_gaps_of_the_old_numbering_are_reported_as_open() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(500), venue.passing(503))

    assert gaps(venue.say(venue.passing(1))) == [(501, 502, False)]
    assert resends(venue.wait(10 * SECOND)) == []


def test_after_a_restart_the_backlog_of_the_next_connection_follows_the_new_numbering() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(500), venue.passing(1), venue.passing(2))
    venue.commit()
    venue.session.disconnected(venue.now_us)

    assert resends(venue.connect()) == [(3, 0xFFFFFFFF)]


# -- backlog of a new connection ---------------------------------------------------------------------------


def resumed(last: int = 100, decoder: str | None = str(DECODER)) -> Venue:
    venue = Venue(Resume(last_sequence=last, decoder=decoder))
    venue.connect()
    return venue


def test_a_session_that_resumes_asks_for_everything_after_the_last_passing_on_disk() -> None:
    assert resumed(last=100).requests == [GetTime(), Resend(101, 0xFFFFFFFF)]


@pytest.mark.parametrize("decoder", [str(DECODER), None])
def test_passings_from_before_the_connection_are_backlog_until_the_first_live_one(
    decoder: str | None,
) -> None:
    venue = resumed(last=100, decoder=decoder)
    stored = [venue.passing(n, ago_us=(104 - n) * SECOND) for n in (101, 102, 103)]
    venue.say(venue.clock_answer())
    venue.now_us += 1_000

    venue.say(*stored, venue.passing(104), venue.passing(105))

    assert numbers(venue.records, backlog=True) == [101, 102, 103]
    assert numbers(venue.records, backlog=False) == [104, 105]
    assert gaps(venue.records) == []


def test_a_live_passing_that_overtakes_the_backlog_is_live_and_the_rest_is_not_asked_for_twice() -> None:
    venue = resumed(last=100)
    stored = [venue.passing(n, ago_us=(104 - n) * SECOND) for n in (101, 102, 103)]
    venue.say(venue.clock_answer())
    venue.now_us += 1_000

    venue.say(stored[0], venue.passing(104), stored[1], stored[2])

    assert numbers(venue.records, backlog=True) == [101, 102, 103]
    assert numbers(venue.records, backlog=False) == [104]
    assert gaps(venue.records) == [(102, 103, True)]
    assert resends(venue.requests) == [(101, 0xFFFFFFFF)]


def test_a_backlog_that_does_not_come_is_asked_again_as_a_gap() -> None:
    venue = resumed(last=100)
    venue.say(venue.clock_answer())
    venue.now_us += 1_000
    venue.say(venue.passing(104))

    assert resends(venue.wait(3 * SECOND)) == [(101, 103)]


def test_without_a_clock_answer_the_backlog_ends_with_the_first_pause() -> None:
    venue = resumed(last=100)
    venue.now_us += 1_000
    venue.say(venue.passing(101), venue.passing(102))
    venue.now_us += 2_000_000

    venue.say(venue.passing(103), venue.passing(104))

    assert numbers(venue.records, backlog=True) == [101, 102]
    assert numbers(venue.records, backlog=False) == [103, 104]


def test_a_decoder_clock_set_back_does_not_turn_live_passings_into_backlog_for_long() -> None:
    venue = resumed(last=100)
    venue.say(venue.clock_answer())
    venue.now_us += SECOND - 3_600 * SECOND  # only the decoder's clock is read from here on
    venue.say(venue.clock_answer(), venue.passing(101))

    assert numbers(venue.records, backlog=False) == [101]


def test_what_was_on_disk_without_a_decoder_id_counts_for_the_first_decoder_that_speaks() -> None:
    venue = resumed(last=100, decoder=None)
    venue.say(venue.clock_answer())
    venue.now_us += 1_000

    assert gaps(venue.say(venue.passing(104))) == [(101, 103, True)]


def test_a_decoder_that_was_reset_has_no_backlog_of_the_old_numbering() -> None:
    venue = resumed(last=100)
    venue.say(venue.passing(1), venue.passing(2))

    assert numbers(venue.records, backlog=False) == [1, 2]


def test_another_decoder_in_place_of_the_known_one_begins_its_own_numbering() -> None:
    venue = resumed(last=100, decoder="999")

    records = venue.say(venue.clock_answer(), venue.passing(5))

    assert not any(isinstance(record, SequenceGap | Unhandled) for record in records)


def test_the_backlog_mark_moves_only_when_passings_are_on_disk() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(100))
    venue.commit()
    venue.say(venue.passing(101), venue.passing(102))
    venue.session.disconnected(venue.now_us)

    assert resends(venue.connect()) == [(101, 0xFFFFFFFF)]
    again = venue.say(venue.memory[101], venue.memory[102], venue.passing(103))
    assert numbers(again, backlog=True)[:2] == [101, 102]
    assert gaps(again) == []
    venue.commit()
    venue.session.disconnected(venue.now_us)
    assert resends(venue.connect()) == [(104, 0xFFFFFFFF)]


def test_a_resent_passing_on_disk_does_not_move_the_mark_back() -> None:
    venue = Venue()
    venue.connect()
    lost = venue.passing(101)
    venue.say(venue.passing(100), venue.passing(102), lost)
    venue.commit()
    venue.session.disconnected(venue.now_us)

    assert resends(venue.connect()) == [(103, 0xFFFFFFFF)]


def test_a_gap_below_the_mark_is_asked_for_again_on_the_next_connection() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(100), venue.passing(102))
    venue.commit()
    venue.session.disconnected(venue.now_us)

    assert resends(venue.connect()) == [(103, 0xFFFFFFFF), (101, 101)]


def test_after_a_new_connection_asked_for_a_gap_its_answer_is_waited_for() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(100), venue.passing(102))
    venue.session.disconnected(venue.now_us)
    venue.now_us += 60 * SECOND
    venue.connect()

    assert resends(venue.wait(2_750_000)) == []
    assert resends(venue.wait(250_000)) == [(101, 101)]


def test_the_offset_of_an_error_counts_from_the_beginning_of_its_connection() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(100))
    venue.session.disconnected(venue.now_us)
    venue.connect()

    error = venue.say(b"~~~", venue.passing(101))[0]

    assert isinstance(error, Malformed)
    assert error.offset == 0


def test_an_unfinished_frame_is_reported_when_the_connection_goes_and_does_not_spoil_the_next() -> None:
    venue = Venue()
    venue.connect()
    venue.say(venue.passing(100)[:20])

    (error,) = venue.session.disconnected(venue.now_us)
    venue.connect()

    assert isinstance(error, Malformed)
    assert error.reason == "stream ended 20 bytes into a frame"
    assert numbers(venue.say(venue.passing(100)), backlog=False) == [100]


# -- the whole ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_nothing_is_lost_over_a_line_that_drops_every_fifth_passing(size: int) -> None:
    venue = Venue()
    venue.connect()
    line = b""
    for number in range(1, 41):
        wire = venue.passing(number, transponder=number % 6)
        line += b"" if number % 5 == 0 else wire
    line += venue.passing(41)

    for start in range(0, len(line), size):
        venue.say(line[start : start + size])
    for first, last in resends(venue.requests):
        venue.say(*(venue.memory[number] for number in range(first, last + 1)))

    received = numbers(venue.records, backlog=True) + numbers(venue.records, backlog=False)
    assert sorted(n for n in received if n is not None) == list(range(1, 42))
    assert numbers(venue.records, backlog=True) == list(range(5, 41, 5))


def test_the_protocol_is_registered_under_its_contract_name() -> None:
    assert PROTOCOL.name == "p3"
    assert PROTOCOL.session(DEVICE, Resume()).tick_us == 250_000
    assert PROTOCOL.parser("line").feed(encode_status(noise=3), START) != []


@pytest.mark.skipif(not CAPTURE.exists(), reason=f"needs the AMBrc capture {CAPTURE.name} in ../shared/captures/p3")
def test_the_number_missing_in_the_capture_of_a_real_decoder_is_asked_for() -> None:
    session = P3Session(DEVICE, Resume())
    session.connected(START)

    reaction = session.receive(bytes.fromhex(CAPTURE.read_text()), START)

    assert gaps(list(reaction.records)) == [(157_829, 157_829, True)]
    assert reaction.send == (encode_resend(157_829, 157_829),)


def test_what_was_read_while_the_line_was_lost_is_asked_for_even_where_nothing_was_known_before() -> None:
    """The soak's: four riders passed during the first outage, and their numbers were never missed."""
    venue = Venue()
    venue.connect()
    venue.session.disconnected(venue.now_us)
    missed = [venue.passing(number) for number in (1, 2, 3, 4)]
    venue.now_us += 10 * SECOND
    venue.connect()
    gap, live = venue.say(venue.passing(5))
    assert isinstance(gap, SequenceGap)
    assert (gap.first, gap.last, gap.asked) == (1, 4, True)
    assert isinstance(live, Passing)
    assert venue.requests[-1] == Resend(1, 4)
    assert [record.backlog for record in venue.say(*missed) if isinstance(record, Passing)] == [True] * 4


def test_on_a_first_connection_the_numbers_before_are_those_of_another_day() -> None:
    venue = Venue()
    venue.connect()
    assert [type(record) for record in venue.say(venue.passing(500))] == [Passing]
