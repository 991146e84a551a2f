"""CP 520 lines: every column, what is no edge, and a real log."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.models import Device
from drivers.protocols.base import Resume
from drivers.protocols.cp520 import PROTOCOL, Cp520Line, Cp520Parser, encode_heading, encode_line, read_line
from drivers.protocols.registry import protocol
from drivers.records import Impulse, Malformed, Record, Unhandled

STEADY = settings(derandomize=True, deadline=None)
CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "tagheuer" / "cp520.log"
needs_capture = pytest.mark.skipif(
    not CAPTURE.exists(), reason=f"needs the log {CAPTURE.name} in ../shared/captures/tagheuer"
)
MARK = b"Tag Heuer CP 520:"
DEVICE = Device(id="cp", protocol="cp520", address="serial:/dev/cp", clock="time_of_day")

START = b"T       200 M1  2:51:15.742000"
START_US = ((2 * 60 + 51) * 60 + 15) * 1_000_000 + 742_000


def parse(data: bytes) -> list[Record]:
    parser = Cp520Parser("cp")
    return parser.feed(data, 9) + parser.close(9)


def one(line: bytes) -> Record:
    (record,) = parse(line + b"\r")
    return record


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_a_key_time_is_an_impulse(end: bytes) -> None:
    assert parse(START + end) == [
        Impulse(device="cp", received_us=9, device_us=START_US, channel="1", bib="200", manual=True)
    ]


def test_an_input_without_a_bib() -> None:
    assert one(b"T           2  23:59:59.999999") == Impulse(
        device="cp", received_us=9, device_us=86_399_999_999, channel="2"
    )


@pytest.mark.parametrize("ident", [b"T*", b"T+", b"T="])
def test_variants_of_unknown_meaning_are_edges_once(ident: bytes) -> None:
    session = PROTOCOL.session(DEVICE, Resume())
    assert session.connected(0) == ()
    again = ident + START[2:]
    first, second = session.receive(START + b"\r" + again + b"\r", 9).records
    assert isinstance(first, Impulse)
    assert isinstance(second, Unhandled)
    assert (second.name, second.detail["time_us"]) == ("repeated", START_US)
    (alone,) = PROTOCOL.session(DEVICE, Resume()).receive(again + b"\r", 9).records
    assert isinstance(alone, Impulse)


@pytest.mark.parametrize(
    ("line", "name", "time_us"),
    [
        (b"T-" + START[2:], "withdrawn", START_US),
        (b"TC" + START[2:], "cleared", START_US),
        (b"R   1   201          16.350000", "run_time", 16_350_000),
        (b"R   1   201        1:06.350000", "run_time", 66_350_000),
        (b"R   1   201     2:01:06.350000", "run_time", 7_266_350_000),
        (b"L   1   201           6.350000", "lap_time", 6_350_000),
    ],
)
def test_what_is_no_edge_keeps_its_time(line: bytes, name: str, time_us: int) -> None:
    record = one(line)
    assert isinstance(record, Unhandled)
    assert (record.name, record.detail["time_us"]) == (name, time_us)


def test_a_heading() -> None:
    assert one(b"S 001          NET TIME       ") == Unhandled(
        device="cp", received_us=9, name="heading", detail={"number": "001", "text": "NET TIME"}
    )
    assert encode_heading("NET TIME", 2) == b"S 002          NET TIME       \r"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (START[:-1], "29 characters instead of 30"),
        (START + b" ", "31 characters instead of 30"),
        (b"X" + START[1:], "not of the form"),
        (START[:15] + b" 24-51-15.74200", "not of the form hh:mm:ss"),
        (START[:15] + b"24:51:15.742000", "hours go to 23"),
        (START[:15] + b" 2:61:15.742000", "minutes and seconds go to 59"),
        (START[:15] + b"      15.742000", "must have its hours"),
        (b"T       200    " + START[15:], "a channel"),
        (b"T       2 0 M1 " + START[15:], "bib"),
        (START[:15] + b"2:51:15.742000 ", "not of the form hh:mm:ss"),
        (b"\xff" * 30, "not of the form"),
    ],
)
def test_what_does_not_fit_is_malformed(line: bytes, why: str) -> None:
    record = one(line)
    assert isinstance(record, Malformed), record
    assert why in record.reason


STREAM = START + b"\rS 001          NET TIME       \r\n\x00garbage\rR   1   201          16.350000\r" + START + b"\r"


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=10))
@STEADY
def test_records_do_not_depend_on_the_split(cuts: list[int]) -> None:
    parser, records, begin = Cp520Parser("cp"), [], 0
    for cut in [*sorted(cuts), len(STREAM)]:
        records += parser.feed(STREAM[begin:cut], 9)
        begin = cut
    assert records == parse(STREAM)


@given(data=st.binary(max_size=200), flip=st.integers(0, len(STREAM) * 8 - 1))
@STEADY
def test_garbage_and_flipped_bits_raise_nothing_and_every_impulse_has_its_thirty_characters(
    data: bytes, flip: int
) -> None:
    damaged = bytearray(STREAM)
    damaged[flip // 8] ^= 1 << flip % 8
    for stream in (data, bytes(damaged)):
        impulses = [record for record in parse(stream) if isinstance(record, Impulse)]
        lines = [line for line in stream.replace(b"\n", b"\r").split(b"\r") if len(line) == 30]
        assert len(impulses) <= len(lines)


@given(
    line=st.builds(
        Cp520Line,
        ident=st.sampled_from(["T ", "T-", "T*", "T+", "T=", "TC"]),
        time_us=st.integers(0, 86_399_999_999),
        bib=st.none() | st.integers(0, 9_999),
        channel=st.sampled_from(["1", "2"]),
        manual=st.booleans(),
    )
    | st.builds(
        Cp520Line,
        ident=st.sampled_from(["R ", "L "]),
        time_us=st.integers(0, 86_399_999_999),
        rank=st.none() | st.integers(0, 999),
        bib=st.none() | st.integers(0, 9_999),
    )
)
@STEADY
def test_what_is_written_is_read_back(line: Cp520Line) -> None:
    wire = encode_line(line)
    assert len(wire) == 31
    assert read_line(wire[:-1]) == line


@pytest.mark.parametrize(
    "line",
    [
        Cp520Line(ident="T ", time_us=0),
        Cp520Line(ident="T ", time_us=86_400_000_000, channel="1"),
        Cp520Line(ident="X ", time_us=0, channel="1"),
        Cp520Line(ident="T ", time_us=0, channel="1", bib=10_000),
    ],
)
def test_what_does_not_fit_cannot_be_written(line: Cp520Line) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        encode_line(line)
    with pytest.raises(ValueError, match="does not fit"):
        encode_heading("a heading that is too long")


def test_the_protocol_is_found_by_its_name() -> None:
    assert protocol("cp520") is PROTOCOL


@needs_capture
def test_every_line_of_a_real_log_is_explained_and_written_again_byte_for_byte() -> None:
    lines = [line.split(MARK)[1] for line in CAPTURE.read_bytes().splitlines() if MARK in line]
    assert {len(line) for line in lines} == {30}
    records = parse(b"".join(line + b"\r" for line in lines))
    kinds = Counter(
        record.channel if isinstance(record, Impulse) else getattr(record, "name", "malformed") for record in records
    )
    assert kinds == {"1": 28, "2": 30, "run_time": 28, "heading": 4, "withdrawn": 2, "cleared": 2}
    assert len(lines) == 94
    for line in lines:
        again = encode_heading("NET TIME", int(line[2:5])) if line[:1] == b"S" else encode_line(read_line(line))
        assert again == line + b"\r"


@needs_capture
def test_times_taken_back_were_said_before() -> None:
    lines = [line.split(MARK)[1] for line in CAPTURE.read_bytes().splitlines() if MARK in line]
    told = {(line.time_us, line.bib) for line in (read_line(one) for one in lines if one[:2] == b"T ")}
    back = [read_line(one) for one in lines if one[:2] in (b"T-", b"TC")]
    assert len(back) == 4
    assert all((line.time_us, line.bib) in told for line in back)
