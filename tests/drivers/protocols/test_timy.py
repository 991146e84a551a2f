"""Timy lines: every column, the checksum, every kind of line by name, and a real run."""

import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.protocols.registry import protocol
from drivers.protocols.text_lines import MAX_LINE_BYTES, LineError
from drivers.protocols.timy import (
    PROTOCOL,
    TimyLine,
    TimyParser,
    checksum,
    encode_line,
    encode_number,
    encode_text,
    read_line,
)
from drivers.records import Impulse, Malformed, Record, Unhandled

STEADY = settings(derandomize=True, deadline=None)
CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "alge_timy" / "KSC4--U12_ALGE_Run1.txt"
needs_capture = pytest.mark.skipif(
    not CAPTURE.exists(), reason=f"needs the run {CAPTURE.name} in ../shared/captures/alge_timy"
)

KEY_START = b" 0035 C0M 21:46:36.3900 00"
# By hand: the 26 bytes add up to 1292 = 5 * 256 + 12, so the sum is 0C: characters 0x30 and 0x3C.
KEY_START_SUM = b"0<"
KEY_START_US = ((21 * 60 + 46) * 60 + 36) * 1_000_000 + 390_000


def parse(data: bytes) -> list[Record]:
    parser = TimyParser("timy")
    return parser.feed(data, 9) + parser.close(9)


def one(data: bytes) -> Record:
    (record,) = parse(data)
    return record


def reason(data: bytes) -> str:
    record = one(data)
    assert isinstance(record, Malformed), record
    return record.reason


def named(data: bytes) -> tuple[str, dict[str, int | str]]:
    record = one(data)
    assert isinstance(record, Unhandled), record
    return record.name, record.detail


# -- impulses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("check", [b"", KEY_START_SUM])
def test_a_key_start_is_an_impulse_of_its_channel_with_any_line_end_and_with_or_without_sum(
    check: bytes, end: bytes
) -> None:
    assert parse(KEY_START + check + end) == [
        Impulse(device="timy", received_us=9, device_us=KEY_START_US, channel="C0", bib="35", manual=True)
    ]


def test_an_impulse_without_a_confirmed_number_has_no_bib() -> None:
    record = one(b"?0300 C0  08:53:39.4922 00\r")
    assert record == Impulse(device="timy", received_us=9, device_us=32_019_492_200, channel="C0")


@pytest.mark.parametrize("number", [b"0000", b"    "])
def test_number_zero_and_no_number_are_no_bib(number: bytes) -> None:
    record = one(b" " + number + b" C1  00:00:00.0000 00\r")
    assert record == Impulse(device="timy", received_us=9, device_us=0, channel="C1")


@pytest.mark.parametrize("channel", range(9))
def test_every_channel_up_to_the_last_instant_of_the_day(channel: int) -> None:
    record = one(b" 0007rC%d  23:59:59.9999 09\r" % channel)
    assert isinstance(record, Impulse)
    assert (record.channel, record.device_us, record.bib) == (f"C{channel}", 86_399_999_900, "7")


@pytest.mark.parametrize(
    ("line", "device_us"),
    [
        (b"   35 c0M 21:46:36,39   00", KEY_START_US),  # Timy 3: lower case, blanks, comma
        (b" 0035 C0M 21:46:36:3900", KEY_START_US),  # PC-Timer: no group, colon
        (b" 0035 C0M 21:46:36.39   00   1", KEY_START_US),  # with rank
        (b" 0035 C0M 21:46:36      00", KEY_START_US - 390_000),
        (b" 0035 C0M 21:46:36.3    00", KEY_START_US - 90_000),
    ],
)
def test_relatives_of_the_line_are_read(line: bytes, device_us: int) -> None:
    record = one(line + b"\r")
    assert isinstance(record, Impulse)
    assert (record.channel, record.device_us, record.bib, record.manual) == ("C0", device_us, "35", True)


def test_a_time_from_the_memory_is_backlog_and_not_a_key() -> None:
    record = one(b"m0009 C0  15:44:00.5499 00\r")
    assert isinstance(record, Impulse)
    assert (record.backlog, record.manual) == (True, False)


# -- the rest by name ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"c0001 C0M 09:00:38.7600 00", "cleared"),
        (b"C0001 C0  09:00:38.7600 00", "cleared"),
        (b"d0001 C1  09:00:38.7600 00", "disqualified"),
        (b"i0001 C1  09:00:38.7600 00", "inserted"),
        (b"n0001 C1  09:00:38.7600 00", "renumbered"),
        (b"s0001 C0  09:00:38.7600 00", "renumbered"),
        (b"p0001 C1  09:00:38.7600 00", "penalty"),
        (b"b0001 C1  09:00:38.7600 00", "info_b"),
        (b"t0001 C1  09:00:38.7600 00", "info_t"),
    ],
)
def test_lines_that_change_what_was_said_are_no_edge_and_lose_nothing(line: bytes, name: str) -> None:
    told, detail = named(line + b"\r")
    assert told == name
    assert (detail["channel"], detail["number"], detail["time_us"]) == (line[6:8].decode(), 1, 32_438_760_000)
    assert detail["info"] == line[:1].decode()


@pytest.mark.parametrize(
    ("channel", "name"), [("RT", "run_time"), ("TT", "total_time"), ("SQ", "lap_time"), ("DT", "delta_time")]
)
def test_computed_times_are_no_edge(channel: str, name: str) -> None:
    told, detail = named(f" 0001 {channel}  00:00:59.76   00\r".encode())
    assert told == name
    assert (detail["time_us"], detail["number"]) == (59_760_000, 1)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"HW_SN: 1234", "hardware_serial"),
        (b"NSF V 1982", "firmware"),
        (b"PROG: BACKUP", "program"),
        (b"PROG?", "program"),
        (b"PULSE HOLD: C1", "pulse_hold"),
        (b"CLR", "memory_cleared"),
        (b"  ALGE-TIMING", "banner"),
        (b"  TIMY V 1982", "version"),
        (b"20-10-04  16-53-08", "date"),
        (b"04.10.2020", "date"),
        (b"CHK1", "echo"),
        (b"DTS00.01", "echo"),
        (b"RSM", "echo"),
        (b"10:04:55.6", "running_time"),
    ],
)
def test_answers_and_headers_are_named_with_their_text(line: bytes, name: str) -> None:
    assert named(line + b"\r") == (name, {"text": line.decode().strip()})


def test_next_numbers() -> None:
    assert named(b"n0034\r") == ("next_at_finish", {"number": 34})
    assert named(b"s  35\r") == ("next_at_start", {"number": 35})
    assert named(b"n0034" + checksum(b"n0034") + b"\r") == ("next_at_finish", {"number": 34})
    assert (encode_number(34), encode_number(35, at_start=True)) == (b"n0034\r", b"s0035\r")


# -- what is wrong -----------------------------------------------------------------------------------------------


def test_a_bad_sum_is_refused_with_both_sums_and_its_offset() -> None:
    good, bad = one(KEY_START + b"0<\r"), parse(b"CLR\r\n" + KEY_START + b"0;\r")[1]
    assert isinstance(good, Impulse)
    assert isinstance(bad, Malformed)
    assert (bad.offset, bad.raw) == (5, (KEY_START + b"0;").hex())
    assert bad.reason == "checksum is 0; instead of 0<: damaged on its way"


@pytest.mark.parametrize("position", range(28))
@pytest.mark.parametrize("bit", range(8))
def test_no_flipped_bit_of_a_line_with_sum_gives_an_impulse(position: int, bit: int) -> None:
    line = bytearray(KEY_START + KEY_START_SUM + b"\r")
    line[position] ^= 1 << bit
    assert not [record for record in parse(bytes(line)) if isinstance(record, Impulse)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b" 0035 C0M 24:46:36.3900 00", "hours go to 23"),
        (b" 0035 C0M 21:60:36.3900 00", "minutes and seconds go to 59"),
        (b" 0035 C0M 21:46:60.3900 00", "minutes and seconds go to 59"),
        (b" 00 5 C0M 21:46:36.3900 00", "start number"),
        (b" 0035 RTM 00:00:59.76   00", "computed time has no key"),
        (b" 0035 CXM 21:46:36.3900 00", "no timing line"),
        (b"x0035 C0M 21:46:36.3900 00", "no timing line"),
        (b" 0035 C0M 21:46:36.3900", ""),
        (b" 0035 C0M 21:46:36.390000", "checksum is 00"),
        (b"hello", "no timing line"),
        (b"\xff\x00\x80", "no timing line"),
        (b"n00x4", "no timing line"),
    ],
)
def test_what_does_not_fit_its_columns_is_malformed(line: bytes, why: str) -> None:
    if not why:
        assert isinstance(one(line + b"\r"), Impulse), "the short form of a PC-Timer"
        return
    assert why in reason(line + b"\r")


def test_a_stream_that_ends_inside_a_line_says_so_and_the_offsets_go_on() -> None:
    parser = TimyParser("timy")
    assert parser.feed(KEY_START, 9) == []
    (left,) = parser.close(9)
    assert isinstance(left, Malformed)
    assert (left.reason, left.offset) == ("stream ended inside a line", 0)
    (bad,) = parser.feed(b"x\r", 9)
    assert isinstance(bad, Malformed)
    assert bad.offset == len(KEY_START)


def test_an_endless_line_is_reported_in_pieces_and_its_tail_is_never_a_record() -> None:
    noise = b"U" * MAX_LINE_BYTES
    records = parse(noise + KEY_START + b"\r" + KEY_START + b"\r")
    assert [type(record) for record in records] == [Malformed, Malformed, Impulse]
    assert [record.reason for record in records if isinstance(record, Malformed)] == [
        f"no line end within {MAX_LINE_BYTES} bytes: check the baud rate",
        "rest of a line that is too long",
    ]


# -- any split, any bytes ------------------------------------------------------------------------------------------

STREAM = (
    b"n0001\r\n 0001 C0  10:04:55.6513 00\r" + KEY_START + KEY_START_SUM + b"\r\x00\xff\r"
    b" 0001 RT  00:00:59.76   00\n  ALGE-TIMING\r" + b"z" * 300 + b"\r" + KEY_START + b"\r"
)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20))
@STEADY
def test_records_do_not_depend_on_the_split(cuts: list[int]) -> None:
    parser = TimyParser("timy")
    edges = [0, *sorted(cuts), len(STREAM)]
    records = [record for a, b in itertools.pairwise(edges) for record in parser.feed(STREAM[a:b], 9)]
    assert records == parse(STREAM)


def test_one_byte_at_a_time() -> None:
    parser = TimyParser("timy")
    assert [r for byte in STREAM for r in parser.feed(bytes([byte]), 9)] == parse(STREAM)


@given(data=st.binary(max_size=400))
@STEADY
def test_garbage_raises_nothing(data: bytes) -> None:
    assert all(record.device == "timy" for record in parse(data))


@given(
    flips=st.lists(st.tuples(st.integers(0, len(STREAM) - 1), st.integers(0, 7)), min_size=1, max_size=4),
    drop=st.integers(0, len(STREAM)),
)
@STEADY
def test_every_impulse_of_a_damaged_stream_stands_in_it_with_a_right_sum_or_without_one(
    flips: list[tuple[int, int]], drop: int
) -> None:
    data = bytearray(STREAM)
    for position, bit in flips:
        data[position] ^= 1 << bit
    del data[drop : drop + 1]
    lines = bytes(data).replace(b"\n", b"\r").split(b"\r")
    allowed = Counter(line[10:18] for line in lines if len(line) in (23, 26, 30) or line[-2:] == checksum(line[:-2]))
    for record in parse(bytes(data)):
        if isinstance(record, Impulse):
            seconds = record.device_us // 1_000_000
            clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}".encode()
            assert allowed[clock] > 0
            allowed[clock] -= 1


# -- writing ---------------------------------------------------------------------------------------------------------


@given(
    line=st.builds(
        TimyLine,
        channel=st.sampled_from([f"C{n}" for n in range(9)]),
        time_us=st.integers(0, 863_999_999).map(lambda n: n * 100),
        info=st.sampled_from(" ?mcCdinspbt"),
        number=st.none() | st.integers(0, 9_999),
        course=st.sampled_from(" rb"),
        manual=st.booleans(),
        group=st.sampled_from(["00", "09", "  ", ""]),
    ),
    with_checksum=st.booleans(),
)
@STEADY
def test_what_is_written_is_read_back_and_written_the_same(line: TimyLine, with_checksum: bool) -> None:
    wire = encode_line(line, with_checksum=with_checksum)
    assert read_line(wire[:-1]) == line
    assert encode_line(read_line(wire[:-1]), with_checksum=with_checksum) == wire


def test_times_are_cut_and_not_rounded() -> None:
    wire = encode_line(TimyLine(channel="RT", time_us=59_769_999, number=1, decimals=2))
    assert wire == b" 0001 RT  00:00:59.76   00\r"


@pytest.mark.parametrize(
    "line",
    [
        TimyLine(channel="C10", time_us=0),
        TimyLine(channel="C0", time_us=0, number=10_000),
        TimyLine(channel="C0", time_us=-1),
        TimyLine(channel="C0", time_us=0, info="x"),
    ],
)
def test_what_does_not_fit_cannot_be_written(line: TimyLine) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        encode_line(line)


def test_commands_end_with_cr_and_hold_no_control_character() -> None:
    assert encode_text("DTS00.01") == b"DTS00.01\r"
    with pytest.raises(ValueError, match="control character"):
        encode_text("CLR\rRSM")
    with pytest.raises(LineError, match="no timing line"):
        read_line(b"")


def test_the_protocol_is_found_by_its_name() -> None:
    assert protocol("timy") is PROTOCOL


# -- a real run ------------------------------------------------------------------------------------------------------


@needs_capture
def test_every_line_of_a_real_run_is_explained_and_written_again_byte_for_byte() -> None:
    data = CAPTURE.read_bytes()
    kinds = Counter(
        record.channel if isinstance(record, Impulse) else getattr(record, "name", "malformed")
        for record in parse(data)
    )
    assert kinds == {"next_at_finish": 68, "C0": 64, "C1": 64, "run_time": 64}
    timing = [line for line in data.splitlines() if len(line) == 26]
    assert len(timing) == 192
    assert [encode_line(read_line(line)) for line in timing] == [line + b"\r" for line in timing]


@needs_capture
def test_the_box_cut_each_run_time_from_the_exact_difference_of_its_impulses() -> None:
    times: dict[tuple[str, int | None], int] = {}
    for line in CAPTURE.read_bytes().splitlines():
        if len(line) == 26:
            told = read_line(line)
            times[told.channel, told.number] = told.time_us
    runs = [number for channel, number in times if channel == "RT"]
    exact = [(times["C1", number] - times["C0", number], times["RT", number]) for number in runs]
    assert len(exact) == 64
    assert all(told == difference // 10_000 * 10_000 for difference, told in exact)
    assert any(told != (difference + 5_000) // 10_000 * 10_000 for difference, told in exact), "rounding differs"
