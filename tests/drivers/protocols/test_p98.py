"""P98 lines: the capture whole and byte by byte, the checksum, damage, numbers, and a decoder over a real pty."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.models import Device
from drivers.hostclock import HostClock
from drivers.protocols.base import Resume
from drivers.protocols.p98 import (
    P98Parser,
    P98Session,
    checksum,
    encode_line,
    encode_passing,
    encode_status,
    format_seconds,
    parse_seconds,
    read_line,
)
from drivers.protocols.registry import protocol
from drivers.records import DeviceStatus, Malformed, Passing, Record, SequenceGap, Unhandled
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.p98_box import P98Box
from drivers.rig.ports import Greet, Port, PtyPort
from drivers.rig.race import LoopRead
from drivers.transports.address import SerialAddress, parse_address
from drivers.transports.serial import SerialTransport

STEADY = settings(derandomize=True, deadline=None)
CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "p98" / "lines.txt"
needs_capture = pytest.mark.skipif(not CAPTURE.is_file(), reason="../shared/captures/p98 is not beside the repository")

PASSING = b"\x01@\t101\t1379\t8110984\t2434.835\t190\t40\t2\tx26C0\r\n"
STATUS = b"\x01#\t101\t1378\t0\tx53D2\r\n"
OTHER = b"\x01$\t40\t3\t5\t28800\txF9EB\r\n"
DEVICE = Device(id="line", protocol="p98", address="serial:/dev/p98")


def parse(data: bytes, size: int = 10_000) -> list[Record]:
    parser = P98Parser("line")
    records = [r for start in range(0, len(data), size) for r in parser.feed(data[start : start + size], 9)]
    return records + parser.close(9)


def encode(record: Record) -> bytes:
    if isinstance(record, Passing):
        return encode_passing(record)
    if isinstance(record, DeviceStatus):
        return encode_status(record)
    assert isinstance(record, Unhandled)
    return encode_line("$", str(record.detail["fields"]).split(" "))


@pytest.mark.parametrize(
    ("text", "crc"),
    [
        (b"#\t101\t1378\t0\t", 0x53D2),
        (b"@\t101\t1379\t8110984\t2434.835\t190\t40\t2\t", 0x26C0),
        (b"$\t40\t3\t5\t28800\t", 0xF9EB),
    ],
)
def test_the_checksum_of_the_known_lines(text: bytes, crc: int) -> None:
    assert checksum(text) == crc


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_the_three_kinds_of_line(size: int) -> None:
    assert parse(STATUS + PASSING + OTHER, size) == [
        DeviceStatus(device="line", received_us=9, noise=0, sequence=1378, decoder="101"),
        Passing(
            device="line",
            received_us=9,
            device_us=2_434_835_000,
            transponder="8110984",
            sequence=1379,
            hits=190,
            strength=40,
            flags=2,
            decoder="101",
        ),
        Unhandled(device="line", received_us=9, name="p98_other", detail={"fields": "40 3 5 28800"}),
    ]


@needs_capture
def test_every_line_of_the_capture_is_read_and_written_again_byte_for_byte() -> None:
    data = CAPTURE.read_bytes()
    records = parse(data)
    kinds = [type(record) for record in records]
    assert len(records) == 21
    assert (kinds.count(Passing), kinds.count(DeviceStatus), kinds.count(Unhandled)) == (11, 9, 1)
    assert b"".join(encode(record) for record in records) == b"".join(
        b"\x01" + line + b"\r\n" for line in data.splitlines()
    )
    wire = b"".join(encode(record) for record in records)
    assert parse(wire, 1) == records
    assert P98Session(DEVICE, Resume()).receive(wire, 9).records == tuple(records), "no gap, no restart"


@pytest.mark.parametrize("text", ["2434.8", "2434,8", "2434.800000", "2434.80"])
def test_point_and_comma_and_any_decimals_are_exact(text: str) -> None:
    assert parse_seconds(text) == 2_434_800_000


@pytest.mark.parametrize("text", ["", "1.", ".5", "1.2.3", "1.1234567", "-1.0", "1e3", "٣.0"])
def test_a_time_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not of the form"):
        parse_seconds(text)


def test_a_comma_is_covered_by_the_checksum_of_what_was_sent() -> None:
    (passing,) = parse(PASSING)
    assert isinstance(passing, Passing)
    wire = encode_passing(passing, point=",")
    assert b"\t2434,835\t" in wire
    assert wire[-8:-2] != PASSING[-8:-2]
    assert parse(wire) == [passing]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (PASSING.replace(b"190", b"191"), "checksum is 26C0 but the text has"),
        (b"hello\r\n", "line is not of the form"),
        (b"\x01@\t\r\n", "line is not of the form"),
        (encode_line("@", ["1", "2", "3"]), "passing has 3 fields instead of 7"),
        (encode_line("#", ["1", "2", "3", "4"]), "status has 4 fields instead of 3"),
        (encode_line("#", ["1", "2", "-3"]), "noise '-3' is not a whole number"),
        (encode_line("@", ["1", "2", "3", "x", "1", "1", "1"]), "time 'x' is not of the form"),
        (b"\x01" + b"a" * 300 + b"\r\n", "no line end within 256 bytes"),
    ],
)
@pytest.mark.parametrize("size", [1, 10_000])
def test_a_bad_line_is_named_at_its_offset_and_the_next_is_read(line: bytes, reason: str, size: int) -> None:
    records = parse(STATUS + line + PASSING, size)
    assert [type(record) for record in records] == [DeviceStatus, Malformed, Passing]
    bad = records[1]
    assert isinstance(bad, Malformed)
    assert bad.reason.startswith(reason)
    assert bad.offset == len(STATUS)
    assert bytes.fromhex(bad.raw) == line.rstrip(b"\r\n")[:128]


def test_a_line_whose_end_was_lost_does_not_take_the_next_one_with_it() -> None:
    lost, kept = parse(STATUS[:-2] + PASSING)
    assert isinstance(lost, Malformed)
    assert (lost.offset, lost.reason) == (0, "line has no end: the next one began inside it")
    assert isinstance(kept, Passing)


def test_an_unfinished_line_is_told_when_the_stream_ends() -> None:
    assert [type(record) for record in parse(PASSING[:-5])] == [Malformed]


@pytest.mark.parametrize("field", ["a\tb", "a\r", "\x01"])
def test_what_cannot_be_sent_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        encode_line("@", [field])
    with pytest.raises(ValueError, match="kind"):
        encode_line("!", ["1"])
    with pytest.raises(ValueError, match="cannot be sent"):
        format_seconds(-1)


@STEADY
@given(st.binary(max_size=400), st.integers(min_value=1, max_value=50))
def test_garbage_never_raises_and_its_split_does_not_matter(garbage: bytes, size: int) -> None:
    records = parse(garbage, size)
    assert records == parse(garbage)
    assert not any(isinstance(record, Passing) for record in records)


@STEADY
@given(st.integers(min_value=0, max_value=len(PASSING) * 8 - 1))
def test_no_flipped_bit_makes_another_passing(bit: int) -> None:
    damaged = bytearray(PASSING)
    damaged[bit // 8] ^= 1 << bit % 8
    true_passing = parse(PASSING)[0]
    # A bit of SOH, of the line end or of a hex digit's case is not part of what the checksum covers.
    assert all(record == true_passing for record in parse(bytes(damaged) + b"\r\n") if isinstance(record, Passing))


@STEADY
@given(st.lists(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=9)))
def test_what_is_written_is_read(fields: list[str]) -> None:
    wire = encode_line("$", fields)
    assert read_line(wire[1:-2]) == ("$", fields)


# -- the session ---------------------------------------------------------------------------------------------


def passing(number: int, seconds: int = 0) -> bytes:
    record = Passing(
        device="line", received_us=0, device_us=seconds * 1_000_000, transponder="7", sequence=number, decoder="101"
    )
    return encode_passing(record)


def test_missing_numbers_are_told_and_stay_open() -> None:
    session = P98Session(DEVICE, Resume())
    assert session.connected(0) == ()
    reaction = session.receive(passing(10) + passing(14), 9)
    assert reaction.send == ()
    assert reaction.records[1] == SequenceGap(device="line", received_us=9, first=11, last=13)
    assert [type(record) for record in reaction.records] == [Passing, SequenceGap, Passing]


def test_a_gap_over_a_reconnect_is_told_as_well() -> None:
    session = P98Session(DEVICE, Resume())
    session.connected(0)
    session.receive(passing(10) + passing(11)[:9], 9)
    assert [type(record) for record in session.disconnected(10)] == [Malformed]
    session.connected(11)
    records = session.receive(passing(13), 12).records
    assert records[0] == SequenceGap(device="line", received_us=12, first=11, last=12)


def test_a_line_sent_twice_is_backlog_and_a_smaller_number_means_a_restart() -> None:
    session = P98Session(DEVICE, Resume())
    session.receive(passing(10, 5) + passing(11, 6), 9)
    (again,) = session.receive(passing(10, 5), 9).records
    assert isinstance(again, Passing)
    assert again.backlog
    restarted, first = session.receive(passing(1, 1), 9).records
    assert isinstance(restarted, Unhandled)
    assert restarted.name == "numbering_restarted"
    assert restarted.detail == {"newest": 11, "number": 1, "decoder": "101"}
    assert isinstance(first, Passing)
    assert not first.backlog


def test_the_registry_knows_it() -> None:
    entry = protocol("p98")
    assert entry.name == "p98"
    assert entry.session(DEVICE, Resume()).tick_us == 0
    assert entry.parser("line").feed(PASSING, 9) == parse(PASSING)


async def test_the_simulated_decoder_is_read_over_a_real_pty(tmp_path: Path) -> None:
    device = Device(id="line", protocol="p98", address=f"serial:{tmp_path / 'p98'}", loop="finish")
    clock = HostClock()
    address = parse_address(device.address)
    assert isinstance(address, SerialAddress)

    def opening(greet: Greet) -> Port:
        return PtyPort(address, greet)

    model = DeviceClockModel(zero_host_us=0, offset_us=1_234_567, resolution_us=1_000)
    box = P98Box(device, opening, model, clock, 1)
    await box.open()
    line = SerialTransport(address, clock)
    await line.open()
    session = P98Session(device, Resume())
    session.connected(clock.now_us())
    gun_us = clock.now_us() + 10_000_000
    for number in range(3):
        read = LoopRead(
            at_us=number * 1_500_000, device="line", channel=None, transponder="8110984", strength=90, hits=20
        )
        box.read(read, gun_us)
    records: list[Record] = []
    while len(records) < 3:
        chunk = await line.receive()
        records += session.receive(chunk.data, chunk.received_us).records
    await line.close()
    await box.close()
    passings = [record for record in records if isinstance(record, Passing)]
    assert [record.sequence for record in passings] == [1, 2, 3]
    gaps_us = [b.device_us - a.device_us for a, b in itertools.pairwise(passings)]
    assert gaps_us == [1_500_000, 1_500_000]
    assert 10_000_000 <= passings[0].device_us < 15_000_000, "counted from the decoder's own start"


def test_after_a_restart_of_the_program_what_was_missed_meanwhile_is_a_gap() -> None:
    session = P98Session(DEVICE, Resume(last_sequence=7, decoder="101"))
    gap, record = session.receive(passing(10), 9).records
    assert isinstance(gap, SequenceGap)
    assert (gap.first, gap.last) == (8, 9)
    assert isinstance(record, Passing)
