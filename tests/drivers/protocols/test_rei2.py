"""REI2 records: every column, the record counter, and a real log."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.models import Device
from drivers.protocols.base import Resume
from drivers.protocols.registry import protocol
from drivers.protocols.rei2 import PROTOCOL, Rei2Line, Rei2Parser, encode_line, read_line
from drivers.records import Impulse, Malformed, Record, SequenceGap, Unhandled

STEADY = settings(derandomize=True, deadline=None)
CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "microgate_rei2" / "REI2_RAW.log"
needs_capture = pytest.mark.skipif(
    not CAPTURE.exists(), reason=f"needs the log {CAPTURE.name} in ../shared/captures/microgate_rei2"
)
MARK = b"input>>"
DEVICE = Device(id="rei", protocol="rei2", address="serial:/dev/rei", clock="time_of_day")

START = b"\x10R  SO000008000030000010000000103302384106052016  "
START_US = ((10 * 60 + 33) * 60 + 2) * 1_000_000 + 384_100
RUN = b"\x10R  SO0000100000300000101525510000576800+0000000  "


def parse(data: bytes) -> list[Record]:
    parser = Rei2Parser("rei")
    return parser.feed(data, 9) + parser.close(9)


def one(line: bytes) -> Record:
    (record,) = parse(line + b"\r\n")
    return record


def line_with(counter: int) -> bytes:
    return encode_line(Rei2Line(counter=counter, bib=0, time_us=START_US, date="06052016", logical=0))


@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\n"])
def test_a_start_is_an_impulse_with_the_box_number(end: bytes) -> None:
    assert parse(START + end) == [
        Impulse(device="rei", received_us=9, device_us=START_US, channel="000", sequence=8, bib="3")
    ]


def test_the_columns_of_a_record() -> None:
    assert read_line(RUN) == Rei2Line(
        counter=10, bib=3, time_us=57_680_000, date="+0000000", logical=255, physical=15, kind="1"
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("1", "run_time"),
        ("2", "total_time"),
        ("A", "marked_A"),
        ("Q", "marked_Q"),
        ("P", "marked_P"),
        ("a", "marked_a"),
    ],
)
def test_computed_and_marked_times_are_no_edge(kind: str, name: str) -> None:
    record = one(RUN[:29] + kind.encode() + RUN[30:])
    assert isinstance(record, Unhandled)
    assert (record.name, record.detail["time_us"], record.detail["counter"]) == (name, 57_680_000, 10)


@pytest.mark.parametrize(("lead", "name"), [(b"\x12", "record_DC2"), (b"\x14", "record_DC4")])
def test_other_kinds_of_records_are_named(lead: bytes, name: str) -> None:
    assert one(lead + b"R battery  ") == Unhandled(device="rei", received_us=9, name=name, detail={"text": "R battery"})


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (START[:-1], "49 characters instead of 50"),
        (b"\x11" + START[1:], "not of the form DLE R"),
        (START[:29] + b"9" + START[30:], "not of the form DLE R"),
        (START[:30] + b"24" + START[32:], "hours go to 23"),
        (START[:32] + b"60" + START[34:], "minutes and seconds go to 59"),
        (START[:40] + b"32052016  ", "no ddmmyyyy"),
        (START[:40] + b"+0000000  ", "no ddmmyyyy"),
        (b"\xff" * 50, "not of the form DLE R"),
    ],
)
def test_what_does_not_fit_is_malformed(line: bytes, why: str) -> None:
    record = one(line)
    assert isinstance(record, Malformed)
    assert why in record.reason


def test_a_missing_record_is_a_gap_over_reconnections_too_and_a_new_count_is_told() -> None:
    session = PROTOCOL.session(DEVICE, Resume())
    assert session.connected(0) == ()
    assert [type(r) for r in session.receive(line_with(8) + line_with(9), 1).records] == [Impulse, Impulse]
    session.disconnected(2)
    session.connected(3)
    gap, impulse = session.receive(line_with(12), 4).records
    assert gap == SequenceGap(device="rei", received_us=4, first=10, last=11)
    assert isinstance(impulse, Impulse)
    restarted, _ = session.receive(line_with(0), 5).records
    assert isinstance(restarted, Unhandled)
    assert (restarted.name, restarted.detail) == ("numbering_restarted", {"from": 12, "to": 0})


def test_the_counter_wraps_without_a_gap() -> None:
    session = PROTOCOL.session(DEVICE, Resume())
    records = session.receive(line_with(999_999) + line_with(0), 1).records
    assert [type(record) for record in records] == [Impulse, Impulse]


STREAM = START + b"\r\n" + RUN + b"\r\nnoise\x00\r\n\x12R x\r\n" + START + b"\r\n"


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=10))
@STEADY
def test_records_do_not_depend_on_the_split(cuts: list[int]) -> None:
    parser, records, begin = Rei2Parser("rei"), [], 0
    for cut in [*sorted(cuts), len(STREAM)]:
        records += parser.feed(STREAM[begin:cut], 9)
        begin = cut
    assert records == parse(STREAM)


@given(data=st.binary(max_size=200), flip=st.integers(0, len(STREAM) * 8 - 1))
@STEADY
def test_garbage_and_flipped_bits_raise_nothing(data: bytes, flip: int) -> None:
    damaged = bytearray(STREAM)
    damaged[flip // 8] ^= 1 << flip % 8
    for stream in (data, bytes(damaged)):
        impulses = [record for record in parse(stream) if isinstance(record, Impulse)]
        assert len(impulses) <= stream.count(b"\x10R  ")


@given(
    line=st.builds(
        Rei2Line,
        counter=st.integers(0, 999_999),
        bib=st.integers(0, 99_999),
        time_us=st.integers(0, 863_999_999).map(lambda n: n * 100),
        date=st.sampled_from(["06052016", "31122026"]),
        logical=st.integers(0, 999),
        physical=st.integers(0, 999),
        kind=st.sampled_from("012AQPa"),
        group=st.integers(0, 999),
        run=st.integers(0, 999),
    )
)
@STEADY
def test_what_is_written_is_read_back(line: Rei2Line) -> None:
    wire = encode_line(line)
    assert len(wire) == 52
    assert read_line(wire[:-2]) == line


@pytest.mark.parametrize("over", [{"bib": 100_000}, {"counter": 1_000_000}, {"date": "x"}, {"kind": "9"}])
def test_what_does_not_fit_cannot_be_written(over: dict[str, object]) -> None:
    values: dict[str, object] = {"counter": 1, "bib": 1, "time_us": 0, "date": "06052016", "logical": 0}
    with pytest.raises(ValueError, match="cannot be written"):
        encode_line(Rei2Line(**(values | over)))  # type: ignore[arg-type]


def test_the_protocol_is_found_by_its_name() -> None:
    assert protocol("rei2") is PROTOCOL


def captured() -> list[bytes]:
    return [line.split(MARK)[1] for line in CAPTURE.read_bytes().splitlines() if MARK in line]


@needs_capture
def test_every_record_of_a_real_log_is_explained_and_written_again_byte_for_byte() -> None:
    lines = captured()
    assert (len(lines), {len(line) for line in lines}) == (67, {50})
    records = parse(b"".join(line + b"\r\n" for line in lines))
    kinds = Counter(
        record.channel if isinstance(record, Impulse) else getattr(record, "name", "malformed") for record in records
    )
    assert kinds == {"000": 26, "255": 14, "run_time": 13, "total_time": 13, "marked_a": 1}
    assert [encode_line(read_line(line)) for line in lines] == [line + b"\r\n" for line in lines]


@needs_capture
def test_after_a_restart_of_the_program_the_counter_goes_on_from_the_disk() -> None:
    known = Impulse(device="rei", received_us=1, device_us=2, channel="000", sequence=7)
    session = PROTOCOL.session(DEVICE, Resume(impulses=(known,)))
    gap, impulse = session.receive(line_with(10), 4).records
    assert isinstance(gap, SequenceGap)
    assert (gap.first, gap.last) == (8, 9)
    assert isinstance(impulse, Impulse)


def test_the_counter_of_a_real_log_has_no_gap_and_one_restart() -> None:
    session = PROTOCOL.session(DEVICE, Resume())
    records = session.receive(b"".join(line + b"\r\n" for line in captured()), 1).records
    assert len(records) == 68
    assert [r.detail for r in records if isinstance(r, Unhandled) and r.name == "numbering_restarted"] == [
        {"from": 40, "to": 0}
    ]


@needs_capture
def test_the_box_cut_its_run_times() -> None:
    started: dict[int, int] = {}
    stopped: dict[int, int] = {}
    pairs = []
    for line in map(read_line, captured()):
        if line.kind == "0":
            (started if line.logical == 0 else stopped)[line.bib] = line.time_us
        elif line.kind == "1":
            pairs.append((stopped[line.bib] - started[line.bib], line.time_us))
    same_day = [(exact, told) for exact, told in pairs if exact > 0]
    assert (len(pairs), len(same_day)) == (13, 12)
    assert all(told == exact // 10_000 * 10_000 for exact, told in same_day)
