"""Clock questions to a P3 decoder: when they are asked, and which answer belongs to which question."""

from itertools import pairwise

from config.models import Device
from drivers.protocols.base import Resume
from drivers.protocols.p3 import P3Session, encode_get_time, encode_time_reply
from drivers.records import ClockReading

DEVICE = Device(id="line", protocol="p3", address="tcp:127.0.0.1:5403")
SECOND = 1_000_000
START = 1_700_000_000 * SECOND
DECODER_CLOCK_AHEAD_US = 7_200 * SECOND
"""The decoder holds local wall time, as real ones do."""


def connected() -> P3Session:
    session = P3Session(DEVICE, Resume())
    assert session.connected(START) == [encode_get_time()]
    return session


def questions(session: P3Session, from_us: int, until_us: int) -> list[int]:
    """The instants in this time at which the session, ticked as it wishes, asks for the clock."""
    asked = []
    for now_us in range(from_us + session.tick_us, until_us + 1, session.tick_us):
        for question in session.tick(now_us):
            assert question == encode_get_time()
            asked.append(now_us)
    return asked


def answer(session: P3Session, now_us: int) -> ClockReading:
    (reading,) = session.receive(encode_time_reply(now_us + DECODER_CLOCK_AHEAD_US), now_us).records
    assert isinstance(reading, ClockReading)
    return reading


def test_the_first_eight_questions_come_every_second_then_every_five() -> None:
    session = connected()
    asked = [START]
    answer(session, START)
    for now_us in range(START, START + 25 * SECOND, session.tick_us):
        if session.tick(now_us):
            asked.append(now_us)
            answer(session, now_us)

    assert [(later - sooner) // SECOND for sooner, later in pairwise(asked)] == [*[1] * 7, *[5] * 3]


def test_a_new_connection_begins_with_quick_questions_again() -> None:
    session = connected()
    for now_us in range(START, START + 25 * SECOND, session.tick_us):
        session.tick(now_us)
        answer(session, now_us)
    again_us = START + 25 * SECOND
    session.disconnected(again_us)

    session.connected(again_us)
    answer(session, again_us)

    assert questions(session, again_us, again_us + SECOND) == [again_us + SECOND]


def test_an_answer_carries_the_instant_of_its_question() -> None:
    assert answer(connected(), START + 1_400) == ClockReading(
        device="line",
        received_us=START + 1_400,
        device_us=START + 1_400 + DECODER_CLOCK_AHEAD_US,
        sent_us=START,
    )


def test_a_second_answer_belongs_to_no_question() -> None:
    session = connected()

    assert answer(session, START + 1_000).sent_us == START
    assert answer(session, START + 2_000).sent_us is None


def test_an_answer_after_two_seconds_belongs_to_no_question() -> None:
    assert answer(connected(), START + 2 * SECOND).sent_us == START
    assert answer(connected(), START + 2 * SECOND + 1).sent_us is None


def test_after_an_unanswered_question_the_next_waits_until_a_late_answer_cannot_be_taken_for_its_own() -> None:
    session = connected()
    assert questions(session, START, START + 4_750_000) == []
    assert answer(session, START + 4_900_000).sent_us is None

    (asked_us,) = questions(session, START + 4_750_000, START + 5 * SECOND)

    assert asked_us == START + 5 * SECOND
    assert answer(session, asked_us + 1_000).sent_us == asked_us


def test_a_question_of_the_lost_connection_is_forgotten() -> None:
    session = connected()
    session.disconnected(START + 50)
    session.connected(START + 100)

    assert answer(session, START + 200).sent_us == START + 100
