"""JChip readers: their lines, several in one stream of frames, the conversation, and readers over real TCP."""

import asyncio
import socket

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.models import Broker, Device, DeviceChannel
from drivers.hostclock import HostClock
from drivers.peers import CLOSED, DATA, OPENED, PeerEvent, PeerReader, encode_data, encode_frame
from drivers.protocols.base import Resume
from drivers.protocols.jchip import (
    GET_TIME,
    SEND,
    JChipParser,
    JChipSession,
    encode_name,
    encode_passing,
    encode_time,
)
from drivers.protocols.registry import protocol
from drivers.records import ClockReading, Malformed, Passing, Record, Unhandled
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.jchip_box import JChipBox
from drivers.rig.race import LoopRead
from drivers.transports import create_transport
from drivers.transports.address import TcpListenAddress

STEADY = settings(derandomize=True, deadline=None)
DEVICE = Device(id="uhf", protocol="jchip", address="tcp-listen:0.0.0.0:53135", clock="time_of_day")
SECOND = 1_000_000
START = 1_700_000_000 * SECOND
NINE = 9 * 3_600 * SECOND

NAME = b"N0000gate 7\r"
TIME = b"GT009000050 date=20250601\r"
PASSING = b"DA413A36 10:11:16.443300 10  00001      C7 date=20250601\r"


def parse(data: bytes, size: int = 100_000) -> list[Record]:
    parser = JChipParser("uhf")
    records = [r for start in range(0, len(data), size) for r in parser.feed(data[start : start + size], 9)]
    return records + parser.close(9)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_lines_of_a_reader(size: int) -> None:
    assert parse(NAME + TIME + PASSING, size) == [
        Unhandled(
            device="uhf", received_us=9, name="reader_named", detail={"reader": "gate-7", "from": "", "records": 0}
        ),
        ClockReading(device="uhf", received_us=9, device_us=NINE + 500_000),
        Passing(
            device="uhf",
            received_us=9,
            device_us=36_676_443_300,
            transponder="413A36",
            channel="gate-7",
            sequence=1,
            decoder="gate-7",
        ),
    ]


@pytest.mark.parametrize(
    ("line", "device_us", "sequence"),
    [
        (b"DA413A36 10:11:16.44 10  10000      C7\n", 36_676_440_000, 0x10000),
        (b"DA413A36 10:11:16.4433\r\n", 36_676_443_300, None),
        (b"DJ413A36 10:11:16\r", 36_676_000_000, None),
        (b"DA413A36 10:11:16.5 date=20250601\r", 36_676_500_000, None),
    ],
)
def test_older_forms_of_a_passing(line: bytes, device_us: int, sequence: int | None) -> None:
    (passing,) = parse(line)
    assert passing == Passing(device="uhf", received_us=9, device_us=device_us, transponder="413A36", sequence=sequence)


@pytest.mark.parametrize("digits", [b"50", b"500", b"500000"])
def test_a_time_with_hundredths_or_microseconds_is_the_same(digits: bytes) -> None:
    assert parse(b"GT0090000" + digits + b"\r") == [ClockReading(device="uhf", received_us=9, device_us=NINE + 500_000)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"hello\r", "line beginning 'he' is neither"),
        (b"DA413A36 25:11:16.44\r", "time of day 25:11:16 does not exist"),
        (b"DA413A36 10:11:16.44 10  00001      C7 date=20250631\r", "date 20250631 does not exist"),
        (b"DA 10:11:16.44\r", "line beginning 'DA' is neither"),
        (b"GT0250000500000\r", "time of day 25:00:00 does not exist"),
        (b"\xff\xfe\r", "line is not text"),
        (b"D" * 300 + b"\r", "no line end within 256 bytes"),
    ],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_a_bad_line_is_named_at_its_offset_and_the_next_is_read(line: bytes, reason: str, size: int) -> None:
    records = parse(PASSING + line + PASSING, size)
    assert [type(record) for record in records] == [Passing, Malformed, Passing]
    bad = records[1]
    assert isinstance(bad, Malformed)
    assert bad.reason.startswith(reason)
    assert (bad.offset, bytes.fromhex(bad.raw)) == (len(PASSING), line[:-1][:128])


def test_an_unfinished_line_is_told() -> None:
    assert [type(record) for record in parse(PASSING[:-1])] == [Malformed]


@STEADY
@given(st.integers(0, 86_399_999_999), st.from_regex("[0-9A-F]{1,24}", fullmatch=True), st.integers(0, 0xFFFFF))
def test_what_is_written_is_read(device_us: int, tag: str, number: int) -> None:
    passing, reading = parse(encode_passing(tag, device_us, number, "20250601") + encode_time(device_us, "20250601"))
    assert passing == Passing(device="uhf", received_us=9, device_us=device_us, transponder=tag, sequence=number)
    assert reading == ClockReading(device="uhf", received_us=9, device_us=device_us)


def test_the_known_line_is_written_byte_for_byte() -> None:
    assert encode_passing("413A36", 36_676_443_300, 1, "20250601") == PASSING
    with pytest.raises(ValueError, match="letters and digits"):
        encode_passing("41 3", 0, 1, "20250601")


# -- frames ----------------------------------------------------------------------------------------------------


FRAMES = (
    encode_frame(OPENED, 1, b"10.0.0.1:4000")
    + encode_frame(OPENED, 2, b"10.0.0.2:4000")
    + encode_data(1, NAME + PASSING[:20])
    + encode_data(2, b"N0000back\r")
    + encode_data(1, PASSING[20:])
    + encode_data(2, PASSING[:-1])
    + encode_frame(CLOSED, 2, b"gone")
)


@pytest.mark.parametrize("size", [1, 3, 100_000])
def test_the_streams_of_two_readers_are_kept_apart(size: int) -> None:
    records = parse(FRAMES, size)
    assert [r.channel for r in records if isinstance(r, Passing)] == ["gate-7"]
    assert [r.name for r in records if isinstance(r, Unhandled)] == [
        "reader_connected",
        "reader_connected",
        "reader_named",
        "reader_named",
        "reader_disconnected",
    ]
    (bad,) = [r for r in records if isinstance(r, Malformed)]
    assert bad.reason == "reader back: stream ended inside a line"
    assert bad.offset == len(b"N0000back\r"), "counted in the reader's own stream"


@STEADY
@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=30).map(lambda b: b.replace(b"\x10", b"")))))
def test_frames_come_out_as_they_went_in(parts: list[tuple[int, bytes]]) -> None:
    found: dict[int, bytes] = {}
    stream = b"".join(encode_data(peer, data) for peer, data in parts)
    reader = PeerReader()
    for byte in stream:
        for event in reader.feed(bytes([byte])):
            assert event.kind == DATA
            found[event.peer] = found.get(event.peer, b"") + event.payload
    assert reader.close() is None
    expected: dict[int, bytes] = {}
    for peer, data in parts:
        expected[peer] = expected.get(peer, b"") + data
    assert {p: d for p, d in found.items() if d} == {p: d for p, d in expected.items() if d}


def test_a_long_read_takes_several_frames_and_a_stray_escape_is_a_plain_byte() -> None:
    events = PeerReader().feed(encode_data(7, b"x" * 100_000))
    assert [len(event.payload) for event in events] == [65_535, 34_465]
    reader = PeerReader()
    assert [e.payload for e in reader.feed(b"a\x10b\x10D0000" + b"0001z")] == [b"a\x10b\x10D00000001z"]
    assert reader.feed(b"\x10D00") == []
    assert reader.close() == PeerEvent(DATA, 0, b"\x10D00", 14)
    with pytest.raises(ValueError, match="cannot be made"):
        encode_frame(DATA, 0, b"")


@STEADY
@given(st.binary(max_size=300), st.integers(1, 40))
def test_garbage_never_raises_and_its_split_does_not_matter(garbage: bytes, size: int) -> None:
    assert parse(garbage, size) == parse(garbage)


@STEADY
@given(st.integers(0, len(FRAMES) * 8 - 1), st.integers(1, 60))
def test_a_flipped_bit_in_frames_never_raises(bit: int, size: int) -> None:
    damaged = bytearray(FRAMES)
    damaged[bit // 8] ^= 1 << bit % 8
    assert parse(bytes(damaged), size) == parse(bytes(damaged))


# -- the conversation ------------------------------------------------------------------------------------------


def say(session: JChipSession, now_us: int, data: bytes) -> tuple[tuple[Record, ...], bytes]:
    reaction = session.receive(data, now_us)
    return reaction.records, b"".join(reaction.send)


def join(session: JChipSession, peer: int, name: str, now_us: int, device_us: int) -> bytes:
    """A reader connects and is asked; its answer comes 2 ms later."""
    _, asked = say(session, now_us, encode_frame(OPENED, peer, b"x:1") + encode_data(peer, encode_name(name)))
    _, told = say(session, now_us + 2_000, encode_data(peer, encode_time(device_us, "20250601")))
    assert told == encode_data(peer, SEND)
    return asked


def test_a_reader_is_asked_for_its_time_and_then_told_to_send() -> None:
    session = JChipSession(DEVICE, Resume())
    assert session.connected(START) == ()
    assert join(session, 3, "gate", START, NINE) == encode_data(3, GET_TIME)
    records, sent = say(session, START + SECOND, encode_data(3, encode_passing("AB", NINE + SECOND, 0, "20250601")))
    assert sent == b""
    assert records == (
        Passing(
            device="uhf",
            received_us=START + SECOND,
            device_us=NINE + SECOND,
            transponder="AB",
            channel="gate",
            sequence=0,
            decoder="gate",
        ),
    )


def test_the_answer_carries_when_it_was_asked() -> None:
    session = JChipSession(DEVICE, Resume())
    session.connected(START)
    say(session, START, NAME)
    records, sent = say(session, START + 2_000, TIME + TIME)
    assert [(r.sent_us, r.device_us) for r in records if isinstance(r, ClockReading)] == [
        (START, NINE + 500_000),
        (None, NINE + 500_000),
    ], "the second is no answer to our question"
    assert sent == SEND, "once, and plain where the reader is plain"


def test_the_times_of_a_second_reader_are_brought_to_the_scale_of_the_first() -> None:
    session = JChipSession(DEVICE, Resume())
    session.connected(START)
    join(session, 1, "gate", START, NINE)
    join(session, 2, "back", START, NINE + 250_000)
    records, _ = say(session, START, encode_data(2, encode_passing("AB", NINE + SECOND, 0, "20250601")))
    assert [r.device_us for r in records if isinstance(r, Passing)] == [NINE + SECOND - 250_000]
    # It comes back with its clock set right: measured anew.
    say(session, START, encode_frame(CLOSED, 2, b"gone"))
    join(session, 4, "back", START + 60 * SECOND, NINE + 60 * SECOND)
    records, _ = say(session, START, encode_data(4, encode_passing("AB", NINE, 1, "20250601")))
    assert [r.device_us for r in records if isinstance(r, Passing)] == [NINE]


def test_a_reader_that_connects_again_ends_its_old_connection() -> None:
    session = JChipSession(DEVICE, Resume())
    session.connected(START)
    join(session, 1, "gate", START, NINE)
    asked = join(session, 2, "gate", START, NINE)
    assert PeerReader().feed(asked) == [
        PeerEvent(CLOSED, 1, b"the reader connected again", 0),
        PeerEvent(DATA, 2, GET_TIME, asked.index(b"\x10D")),
    ]


def test_a_reader_that_does_not_tell_its_time_sends_all_the_same_and_it_is_said_once() -> None:
    session = JChipSession(DEVICE, Resume())
    session.connected(START)
    say(session, START, encode_frame(OPENED, 1, b"x:1") + encode_data(1, encode_name("gate")))
    assert session.tick(START + SECOND) == []
    assert session.tick(START + 5 * SECOND) == [encode_data(1, SEND)]
    assert session.tick(START + 6 * SECOND) == []
    records, _ = say(session, START, encode_data(1, 2 * encode_passing("AB", NINE, 0, "20250601")))
    assert [type(r) for r in records] == [Unhandled, Passing, Passing]
    assert isinstance(records[0], Unhandled)
    assert (records[0].name, records[0].detail["reader"]) == ("reader_clock_unknown", "gate")


def test_what_readers_left_unfinished_is_told_when_the_line_is_lost() -> None:
    session = JChipSession(DEVICE, Resume())
    session.connected(START)
    say(session, START, encode_data(1, encode_name("gate") + PASSING[:9]))
    assert [type(record) for record in session.disconnected(START)] == [Malformed]
    session.connected(START)
    assert session.tick(START + 60 * SECOND) == []


def test_the_registry_knows_it() -> None:
    entry = protocol("jchip")
    assert entry.name == "jchip"
    assert entry.session(DEVICE, Resume()).tick_us == SECOND
    assert entry.parser("uhf").feed(PASSING, 9) == parse(PASSING)


# -- over real TCP ---------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_two_simulated_readers_are_read_and_keep_what_they_could_not_send() -> None:
    address = f"tcp-listen:127.0.0.1:{free_port()}"
    channels = tuple(DeviceChannel(channel=name, loop=name) for name in ("finish", "back"))
    device = msgspec.structs.replace(DEVICE, address=address, channels=channels)
    clock = HostClock()
    listen_at = TcpListenAddress(text=address, host="127.0.0.1", port=int(address.rpartition(":")[2]))
    model = DeviceClockModel(zero_host_us=0, resolution_us=10_000, wraps_daily=True)
    box = JChipBox(device, listen_at, model, clock)
    box.readers["back"].error_us = 3 * SECOND
    line = create_transport(address, clock, Broker())
    session = JChipSession(device, Resume())
    records: list[Record] = []

    async def hear_until(count: int) -> list[Passing]:
        async with asyncio.timeout(10):
            while len(found := [r for r in records if isinstance(r, Passing)]) < count:
                chunk = await line.receive()
                reaction = session.receive(chunk.data, chunk.received_us)
                records.extend(reaction.records)
                for message in reaction.send:
                    await line.send(message)
        return found

    gun_us = clock.now_us()

    def pass_over(channel: str, at_us: int) -> None:
        read = LoopRead(at_us=at_us, device="uhf", channel=channel, transponder="AB12", strength=1, hits=1)
        box.read(read, gun_us)

    running = asyncio.create_task(box.run())
    pass_over("finish", 0)
    await line.open()
    session.connected(clock.now_us())
    await hear_until(1)
    pass_over("back", SECOND)
    found = await hear_until(2)
    box.readers["finish"].vanish()
    pass_over("finish", 2 * SECOND)
    found = await hear_until(3)
    running.cancel()
    await asyncio.wait([running])
    await line.close()
    assert [(p.channel, p.sequence) for p in found] == [("finish", 0), ("back", 0), ("finish", 1)]
    assert found[2].device_us - found[0].device_us == 2 * SECOND
    # The back reader's clock is 3 s ahead: taken out as well as the two round trips and 10 ms allow.
    assert abs((found[1].device_us - found[0].device_us) - SECOND) < 200_000
    assert not any(isinstance(record, Malformed) for record in records)
    assert all(reader.waiting == 0 for reader in box.readers.values())
