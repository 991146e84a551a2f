"""THCOM08 frames: sums, times, recall of missing numbers, and the public samples."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.models import Device, DeviceChannel
from drivers.protocols.base import Resume
from drivers.protocols.registry import protocol
from drivers.protocols.thcom08 import (
    PROTOCOL,
    Thcom08Parser,
    Thcom08Session,
    TimeFrame,
    checksum,
    encode_frame,
    encode_recall,
    encode_time,
    read_frame,
    read_time,
)
from drivers.records import Impulse, Malformed, Record, SequenceGap, Unhandled

STEADY = settings(derandomize=True, deadline=None)
CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "tagheuer" / "cp540_frames.txt"
DEVICE = Device(id="cp", protocol="thcom08", address="serial:/dev/cp", clock="time_of_day")
SECOND = 1_000_000

# By hand: A 41 + K 4B + blank 20 + F 46 = F2.
FAILED = b"AK F\t00F2\r\n"
LIVE = b"TN 0016 0072 05 12:13:56.7800 12345\t06D9\r\n"
RECALLED = b"AN   16   72 M5 12:13:56.77984  2345\t06D6\r\n"
NOON_US = (12 * 3_600 + 13 * 60 + 56) * SECOND


def parse(data: bytes) -> list[Record]:
    parser = Thcom08Parser("cp")
    return parser.feed(data, 9) + parser.close(9)


def one(data: bytes) -> Record:
    (record,) = parse(data)
    return record


def test_a_live_time_is_an_impulse_and_a_recalled_one_is_backlog() -> None:
    assert parse(LIVE + RECALLED) == [
        Impulse(device="cp", received_us=9, device_us=NOON_US + 780_000, channel="5", sequence=72, bib="16"),
        Impulse(
            device="cp",
            received_us=9,
            device_us=NOON_US + 779_840,
            channel="5",
            sequence=72,
            bib="16",
            manual=True,
            backlog=True,
        ),
    ]


@pytest.mark.parametrize("ident", ["T*", "T+", "T="])
def test_variants_of_unknown_meaning_are_edges(ident: str) -> None:
    record = one(encode_frame(f"{ident}      0072 05 12:13:56.78000 12345"))
    assert isinstance(record, Impulse)
    assert (record.sequence, record.bib) == (72, None)


@pytest.mark.parametrize(("ident", "name"), [("T-", "withdrawn"), ("TC", "cleared"), ("AC", "cleared")])
def test_times_taken_back_are_no_edge(ident: str, name: str) -> None:
    assert one(encode_frame(f"{ident} 0016 0072 05 12:13:56.78000 12345")) == Unhandled(
        device="cp",
        received_us=9,
        name=name,
        detail={"channel": "5", "number": 72, "time_us": NOON_US + 780_000, "bib": 16},
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("AK F", "acknowledge"),
        ("OP 001", "run_opened"),
        ("CL 001", "run_closed"),
        ("VE07", "message"),
        ("DS", "download_start"),
    ],
)
def test_messages_are_named(text: str, name: str) -> None:
    record = one(encode_frame(text))
    assert isinstance(record, Unhandled)
    assert (record.name, record.detail["code"]) == (name, text.split()[0])


def test_the_frame_of_the_forum_that_does_not_fit_is_refused() -> None:
    record = one(b"#RT 0072 05\t0292\r\n")
    assert isinstance(record, Malformed)
    assert record.reason.startswith("checksum is 0292 instead of 0214")
    assert encode_recall(72, 5) == b"#RT 0072 05\t0214\r\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (LIVE.replace(b"\t", b" "), "not of the form text TAB sum"),
        (LIVE.replace(b"06D9", b"06d9"), "not of the form text TAB sum"),
        (b"\t0000\r\n", "not of the form text TAB sum"),
        (encode_frame("TN 0016 0072 05 24:13:56.7800 12345"), "hours go to 23"),
        (encode_frame("TN 0016 0072 05 12:13:56 12345"), "time is not of the form"),
        (encode_frame("TN 0 16 0072 05 12:13:56.7800 12345"), "is no number"),
        (LIVE[:-2], "stream ended inside a line"),
    ],
)
def test_what_does_not_fit_is_malformed(data: bytes, why: str) -> None:
    record = one(data)
    assert isinstance(record, Malformed), record
    assert why in record.reason


def test_no_flipped_bit_gives_a_record() -> None:
    body = len(LIVE) - 2
    for position in range(body * 8):
        damaged = bytearray(LIVE)
        damaged[position // 8] ^= 1 << position % 8
        assert all(isinstance(record, Malformed) for record in parse(bytes(damaged))), position


STREAM = LIVE + b"junk\r\n" + FAILED + RECALLED + b"\x00\xff\r\n" + LIVE


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=10))
@STEADY
def test_records_do_not_depend_on_the_split(cuts: list[int]) -> None:
    parser, records, begin = Thcom08Parser("cp"), [], 0
    for cut in [*sorted(cuts), len(STREAM)]:
        records += parser.feed(STREAM[begin:cut], 9)
        begin = cut
    assert records == parse(STREAM)


@given(data=st.binary(max_size=200), flips=st.lists(st.integers(0, len(STREAM) * 8 - 1), max_size=4))
@STEADY
def test_garbage_raises_nothing_and_no_impulse_has_a_bad_sum(data: bytes, flips: list[int]) -> None:
    damaged = bytearray(STREAM)
    for flip in flips:
        damaged[flip // 8] ^= 1 << flip % 8
    for stream in (data, bytes(damaged)):
        good = 0
        for line in stream.replace(b"\n", b"\r").split(b"\r"):
            text, _, told = line.removeprefix(b"#").partition(b"\t")
            good += told == b"%04X" % checksum(text)
        assert sum(not isinstance(record, Malformed) for record in parse(stream)) <= good


@given(
    frame=st.builds(
        TimeFrame,
        number=st.integers(0, 9_999),
        channel=st.integers(1, 9),
        device_us=st.integers(0, 8_639_999_999).map(lambda n: n * 10),
        day=st.integers(0, 99_999),
        bib=st.none() | st.integers(0, 9_999),
        recalled=st.booleans(),
        variant=st.sampled_from("N-*+=C"),
        manual=st.booleans(),
    )
)
@STEADY
def test_what_is_written_is_read_back(frame: TimeFrame) -> None:
    wire = encode_time(frame)
    text, from_host = read_frame(wire[:-2])
    assert (read_time(text), from_host) == (frame, False)
    assert encode_frame(text) == wire


def test_what_does_not_fit_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        encode_time(TimeFrame(number=10_000, channel=5, device_us=0))
    for text in ("", "#RT", "a\rb"):
        with pytest.raises(ValueError, match="cannot be sent"):
            encode_frame(text)


def test_the_protocol_is_found_by_its_name() -> None:
    assert protocol("thcom08") is PROTOCOL


@pytest.mark.skipif(not CAPTURE.exists(), reason=f"needs {CAPTURE.name} in ../shared/captures/tagheuer")
def test_all_nine_public_frames_have_a_right_sum_and_are_written_again_byte_for_byte() -> None:
    lines = [line for line in CAPTURE.read_text("ascii").splitlines() if not line.startswith("//")]
    frames = [line.replace("\\t", "\t").encode() for line in lines]
    records = parse(b"".join(frame + b"\r\n" for frame in frames))
    kinds = [
        type(record).__name__ if isinstance(record, Impulse) else getattr(record, "name", "bad") for record in records
    ]
    assert kinds == [
        "write_parameter",
        *["write_command"] * 4,
        "write_parameter",
        "acknowledge",
        "Impulse",
        "Impulse",
    ]
    for frame in frames:
        text, from_host = read_frame(frame)
        assert encode_frame(text, from_host=from_host) == frame + b"\r\n"
    assert [encode_time(read_time(read_frame(frame)[0])) for frame in frames[-2:]] == [
        frame + b"\r\n" for frame in frames[-2:]
    ]


# -- the conversation ------------------------------------------------------------------------------------------


class Venue:
    """A session and a box that numbers its times."""

    def __init__(self) -> None:
        self.session = Thcom08Session(DEVICE, Resume())
        self.now_us = 1_700_000_000 * SECOND

    def time(self, number: int, *, recalled: bool = False, channel: int = 1) -> bytes:
        frame = TimeFrame(number=number, channel=channel, device_us=number * SECOND, recalled=recalled)
        return encode_time(frame)

    def say(self, *wires: bytes) -> tuple[list[Record], list[bytes]]:
        reaction = self.session.receive(b"".join(wires), self.now_us)
        return list(reaction.records), list(reaction.send)

    def wait(self, seconds: int) -> list[bytes]:
        asked: list[bytes] = []
        for _ in range(seconds):
            self.now_us += self.session.tick_us
            asked += self.session.tick(self.now_us)
        return asked


def test_skipped_numbers_are_recalled_at_once_and_come_as_backlog() -> None:
    venue = Venue()
    assert venue.session.connected(venue.now_us) == []
    venue.say(venue.time(7))

    records, asked = venue.say(venue.time(10))

    assert records[0] == SequenceGap(device="cp", received_us=venue.now_us, first=8, last=9, asked=True)
    assert asked == [encode_recall(8, 1), encode_recall(9, 1)]
    records, asked = venue.say(venue.time(8, recalled=True), venue.time(9, recalled=True))
    assert [(r.sequence, r.backlog) for r in records if isinstance(r, Impulse)] == [(8, True), (9, True)]
    assert asked == []
    assert venue.wait(20) == []


def test_channels_are_numbered_by_themselves() -> None:
    venue = Venue()
    records, asked = venue.say(venue.time(7), venue.time(70, channel=2), venue.time(8), venue.time(71, channel=2))
    assert all(isinstance(record, Impulse) for record in records)
    assert asked == []


def test_a_number_that_does_not_come_is_asked_for_three_times_and_then_reported_open() -> None:
    venue = Venue()
    venue.say(venue.time(7), venue.time(9))
    assert venue.wait(20) == [encode_recall(8, 1)] * 2, "the first question left with the gap"
    records, _ = venue.say(FAILED)
    assert [(r.first, r.last, r.asked) for r in records if isinstance(r, SequenceGap)] == [(8, 8, False)]


def test_after_a_reconnection_the_loss_is_closed_one_number_after_the_other() -> None:
    venue = Venue()
    venue.say(venue.time(7), venue.time(9))
    venue.session.disconnected(venue.now_us)
    assert venue.session.connected(venue.now_us) == [encode_recall(8, 1), encode_recall(10, 1)]
    _, asked = venue.say(venue.time(8, recalled=True))
    assert asked == []
    records, asked = venue.say(venue.time(10, recalled=True))
    assert [r.backlog for r in records if isinstance(r, Impulse)] == [True]
    assert asked == [encode_recall(11, 1)]
    _, asked = venue.say(FAILED)
    assert asked == []


def test_a_number_that_was_received_is_no_second_edge() -> None:
    venue = Venue()
    venue.say(venue.time(7))
    records, _ = venue.say(venue.time(7, recalled=True), venue.time(7))
    assert [record.name for record in records if isinstance(record, Unhandled)] == ["repeated", "repeated"]


def test_a_smaller_live_number_is_a_new_run() -> None:
    venue = Venue()
    venue.say(venue.time(70))
    records, asked = venue.say(venue.time(1), venue.time(2))
    assert isinstance(records[0], Unhandled)
    assert (records[0].name, records[0].detail) == (
        "numbering_restarted",
        {"channel": "1", "newest": 70, "number": 1},
    )
    assert [type(record) for record in records[1:]] == [Impulse, Impulse]
    assert asked == []


def test_an_unfinished_frame_is_reported_when_the_line_is_lost() -> None:
    venue = Venue()
    venue.say(LIVE[:5])
    (left,) = venue.session.disconnected(venue.now_us)
    assert isinstance(left, Malformed)
    assert venue.session.committed([left], venue.now_us) == ()


def on_disk(number: int, channel: str = "5") -> Impulse:
    return Impulse(device="cp", received_us=9, device_us=number * SECOND, channel=channel, sequence=number)


def test_after_a_restart_of_the_program_each_channel_goes_on_from_its_newest_number_on_disk() -> None:
    session = Thcom08Session(DEVICE, Resume(impulses=(on_disk(70), on_disk(1, "6"), on_disk(72))))
    assert session.connected(0) == [encode_recall(71, 5), encode_recall(73, 5), encode_recall(2, 6)]


def test_with_a_heat_on_the_track_channels_of_which_nothing_is_on_disk_are_recalled_from_their_first_number() -> None:
    wired = DeviceChannel(channel="5", role="gun")
    device = msgspec.structs.replace(DEVICE, channels=(wired,))
    assert Thcom08Session(device, Resume(in_heat=True)).connected(0) == [encode_recall(1, 5)]
    assert Thcom08Session(device, Resume()).connected(0) == []
