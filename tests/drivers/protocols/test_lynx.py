"""The live stream of velodrome.lss: whole sheets or none, exact times, every loss visible."""

import random
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.protocols.lynx import (
    LINE_KINDS,
    MAX_LINE_BYTES,
    PROTOCOL,
    LineCounter,
    LynxParser,
    encode_clock,
    encode_line,
    encode_script_start,
    encode_sheet,
)
from drivers.records import (
    Impulse,
    Malformed,
    PhotoFinish,
    PhotoFinishLine,
    Record,
    SequenceGap,
    Unhandled,
)

STEADY = settings(derandomize=True, deadline=None)

SHEET = PhotoFinish(
    device="camera",
    received_us=9,
    event="32400031",
    round="Semi",
    heat="2",
    name="20:10 | Keirin men",
    start_device_us=72_714_404_900,
    official=True,
    sequence=1,
    lines=(
        PhotoFinishLine(place=1, bib="762", lane=4, name="Ostrowski Łukasz", time_us=45_611_234),
        PhotoFinishLine(place=2, bib="768", lane=1, time_us=45_611_235),
        PhotoFinishLine(bib="770", status="DNF"),
        PhotoFinishLine(bib="771"),
    ),
)
# By hand: bytes SOH "00007TR" STX add up to 416, "1.23" US to 227, ETX to 3. So the running sums are 416, 643
# and 646: sum = 646 mod 256 = 134, total = (416 + 643 + 646) mod 256 = 169.
RUNNING = b"\x0100007TR\x021.23\x1f\x03134169\x04"


def parse(data: bytes) -> list[Record]:
    parser = LynxParser("camera")
    return parser.feed(data, 9) + parser.close(9)


def sheet_bytes(sheet: PhotoFinish = SHEET, counter: LineCounter | None = None) -> bytes:
    return encode_sheet(sheet, counter or LineCounter(), decimals=6)


def lines_of(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def reasons(records: list[Record]) -> list[str]:
    return [record.reason for record in records if isinstance(record, Malformed)]


# -- lines ---------------------------------------------------------------------------------------------------


def test_a_line_written_by_hand_is_read() -> None:
    running = Unhandled(device="camera", received_us=9, name="running", detail={"time": "1.23"})
    assert parse(RUNNING) == [running]
    assert encode_clock("running", 1_239_999, LineCounter(6)) == RUNNING + b"\n"


def test_line_ends_after_a_line_are_no_content() -> None:
    assert len(parse(b"\r\n" + RUNNING + b"\r\n" + RUNNING.replace(b"\x04", b"\x04\n"))) == 3


@pytest.mark.parametrize(
    ("state", "code"),
    [("armed", "TA"), ("stopped", "TS"), ("paused", "TP"), ("break", "TB"), ("update", "TU")],
)
def test_clock_lines_carry_their_name_and_time(state: str, code: str) -> None:
    data = encode_clock(state, 61_230_000, LineCounter())
    assert code.encode() in data
    assert parse(data) == [Unhandled(device="camera", received_us=9, name=state, detail={"time": "1:01.23"})]


def test_a_gun_with_a_time_of_day_is_an_impulse() -> None:
    assert parse(encode_clock("gun", 72_714_404_900, LineCounter(), decimals=4)) == [
        Impulse(device="camera", received_us=9, device_us=72_714_404_900, channel="gun", sequence=1)
    ]


@pytest.mark.parametrize("text", ["", "0.00"])
def test_a_gun_without_a_time_of_day_is_no_impulse(text: str) -> None:
    (record,) = parse(encode_line("TG", (text,), LineCounter()))
    assert record == Unhandled(device="camera", received_us=9, name="gun", detail={"time": text})


def test_time_of_day_lines_are_for_the_eye_only_because_they_are_cut_to_display_precision() -> None:
    (record,) = parse(encode_clock("time_of_day", 43_200_000_000, LineCounter(), decimals=0))
    assert record == Unhandled(device="camera", received_us=9, name="time_of_day", detail={"time": "12:00:00"})


@pytest.mark.parametrize("code", sorted(set(LINE_KINDS) - {"IN", "RH", "RR", "RT"}))
def test_every_other_line_is_explained_by_name(code: str) -> None:
    kind = LINE_KINDS[code]
    (record,) = parse(encode_line(code, kind.fields, LineCounter()))
    assert isinstance(record, Unhandled)
    assert (record.name, record.detail) == (kind.name, {name: name for name in kind.fields})


def test_another_version_of_the_script_is_refused_with_advice() -> None:
    assert parse(encode_script_start(LineCounter(7)))[0] == Unhandled(
        device="camera",
        received_us=9,
        name="script_started",
        detail={"script": "velodrome", "version": "1"},
    )
    (reason,) = reasons(parse(encode_line("IN", ("velodrome", "2"), LineCounter())))
    assert "install the velodrome.lss of this program" in reason


def test_names_come_in_utf8_or_cp1252() -> None:
    lines = (PhotoFinishLine(place=1, name="Jörn Müßig"),)
    sheet = msgspec.structs.replace(SHEET, lines=lines, name="Café")
    for encoding in ("utf-8", "cp1252"):
        assert parse(encode_sheet(sheet, LineCounter(), encoding=encoding)) == [sheet]


# -- sheets --------------------------------------------------------------------------------------------------


def test_a_complete_sheet_is_one_photo_finish() -> None:
    assert parse(sheet_bytes()) == [SHEET]


def test_clock_lines_between_the_rows_do_not_disturb_a_sheet() -> None:
    counter = LineCounter()
    sheet = lines_of(sheet_bytes(SHEET, LineCounter()))
    mixed = b"".join(line + encode_clock("running", 5, counter) for line in sheet)
    assert [record for record in parse(mixed) if isinstance(record, PhotoFinish)] == [SHEET]


def test_a_bad_clock_line_between_the_rows_does_not_cost_the_sheet() -> None:
    lines = lines_of(sheet_bytes())
    lines.insert(2, encode_line("TG", ("25:00:00.0",), LineCounter(2)))
    records = parse(b"".join(lines))
    assert [record for record in records if isinstance(record, PhotoFinish)] == [SHEET]
    assert [reason[:32] for reason in reasons(records)] == ["TG line: time of day '25:00:00.0"]


@pytest.mark.parametrize("lost", range(6))
def test_a_sheet_with_any_line_lost_gives_one_report_and_no_photo_finish(lost: int) -> None:
    lines = lines_of(sheet_bytes())
    records = parse(b"".join(lines[:lost] + lines[lost + 1 :]))
    assert not [record for record in records if isinstance(record, PhotoFinish)]
    assert len(reasons(records)) == 1


def test_the_lines_of_two_sheets_never_make_one() -> None:
    counter = LineCounter()
    first = lines_of(sheet_bytes(SHEET, counter))
    second = lines_of(sheet_bytes(msgspec.structs.replace(SHEET, heat="3"), counter))
    records = parse(b"".join([*first[:3], *second[3:]]))
    assert not [record for record in records if isinstance(record, PhotoFinish)]
    assert "header and trailer name different heats" in reasons(records)[0]


def test_a_sheet_without_its_end_is_reported_when_the_next_begins_and_the_next_is_kept() -> None:
    counter = LineCounter()
    lines = lines_of(sheet_bytes(SHEET, counter))[:-1]
    following = sheet_bytes(SHEET, counter)
    records = parse(b"".join(lines) + following)
    assert "has no end" in reasons(records)[0]
    assert records[-1] == msgspec.structs.replace(SHEET, sequence=7)


def test_a_page_of_a_longer_sheet_is_refused_with_the_setting_to_change() -> None:
    counter = LineCounter()
    key = ("1", "2", "3", "12")
    header = ("OFFICIAL", "Keirin", "1", "2", "3", "AUTO", "12", "")
    row = ("000", "1", "", "7", "", "", "10.5", "")
    data = b"".join(encode_line(code, fields, counter) for code, fields in (("RH", header), ("RR", row), ("RT", key)))
    (reason,) = reasons(parse(data))
    assert "1 of 12 riders" in reason
    assert "turn paging off" in reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("000", "1", "", "7", "", "", "10,5", ""), "RR line: time '10,5' is not of the form m:ss.hh"),
        (("000", "1", "x", "7", "", "", "", ""), "RR line: lane 'x' is not a whole number"),
        (("000", "0", "", "7", "", "", "", ""), "RR line: place 0 does not exist"),
        (("x", "1", "", "7", "", "", "", ""), "RR line: row 'x' is not a whole number"),
    ],
)
def test_one_unreadable_row_spoils_the_sheet(row: tuple[str, ...], reason: str) -> None:
    counter = LineCounter()
    header = ("OFFICIAL", "Keirin", "1", "2", "3", "AUTO", "1", "")
    data = encode_line("RH", header, counter) + encode_line("RR", row, counter)
    records = parse(data + encode_line("RT", ("1", "2", "3", "1"), counter))
    assert [found[: len(reason)] for found in reasons(records)] == [reason]
    assert len(records) == 1


def test_a_rider_listed_twice_spoils_the_sheet() -> None:
    lines = (PhotoFinishLine(place=1, bib="7"), PhotoFinishLine(place=2, bib="7"))
    (reason,) = reasons(parse(sheet_bytes(msgspec.structs.replace(SHEET, lines=lines))))
    assert "twice" in reason


def test_a_cleared_board_is_no_result() -> None:
    (record,) = parse(sheet_bytes(msgspec.structs.replace(SHEET, lines=())))
    assert isinstance(record, Unhandled)
    assert record.name == "empty_sheet"


def test_a_broken_sheet_does_not_cost_the_next_one() -> None:
    counter = LineCounter()
    broken = lines_of(sheet_bytes(SHEET, counter))
    del broken[2]
    assert parse(b"".join(broken) + sheet_bytes(SHEET, counter))[-1] == msgspec.structs.replace(SHEET, sequence=7)


@pytest.mark.parametrize("word", ["UNOFFICIAL", "", "offiziell"])
def test_only_the_word_official_makes_a_sheet_official(word: str) -> None:
    counter = LineCounter()
    data = encode_line("RH", (word, "", "1", "2", "3", "", "1", ""), counter)
    data += encode_line("RR", ("000", "1", "", "7", "", "", "", ""), counter)
    (sheet,) = parse(data + encode_line("RT", ("1", "2", "3", "1"), counter))
    assert isinstance(sheet, PhotoFinish)
    assert sheet.official is False


# -- sequence ------------------------------------------------------------------------------------------------


def gaps(numbers: list[int]) -> list[tuple[int, int]]:
    data = b"".join(encode_clock("running", 0, LineCounter(number - 1)) for number in numbers)
    return [(gap.first, gap.last) for gap in parse(data) if isinstance(gap, SequenceGap)]


def test_lost_lines_are_named_by_their_numbers() -> None:
    assert gaps([5, 6, 9]) == [(7, 8)]


def test_joining_a_running_stream_is_no_gap() -> None:
    assert gaps([4_711, 4_712]) == []


def test_the_count_goes_on_from_one_after_its_last_number() -> None:
    assert gaps([99_998, 99_999, 1, 2]) == []
    assert gaps([99_997, 3]) == [(99_998, 99_999), (1, 2)]


def test_a_restart_of_the_script_begins_a_new_count() -> None:
    data = encode_clock("running", 0, LineCounter(40)) + encode_script_start(LineCounter())
    assert not [record for record in parse(data) if isinstance(record, SequenceGap)]


def test_a_count_that_goes_back_is_told_but_is_no_gap() -> None:
    data = b"".join(encode_clock("running", 0, LineCounter(last)) for last in (40, 2))
    assert [getattr(record, "name", None) for record in parse(data)] == [
        "running",
        "count_went_back",
        "running",
    ]


def test_a_box_that_does_not_count_sends_zeros_and_has_no_gaps() -> None:
    line = b"\x0100000TR\x021.23\x1f\x03127148\x04"
    assert [type(record) for record in parse(line + line)] == [Unhandled, Unhandled]


# -- damage --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (RUNNING.replace(b"1.23", b"1.24"), "check sums do not match"),
        (RUNNING.replace(b"TR", b"RT"), "RT line has 1 fields instead of 4"),
        (RUNNING[:-1], "stream ended inside a line"),
        (RUNNING[1:], "stream ended inside a line"),
        (RUNNING[:9] + RUNNING, "line is not of the form"),
        (b"noise" + RUNNING, "line is not of the form"),
        (b"x" * MAX_LINE_BYTES, "line is not of the form"),
        (b"\x01" + b"x" * (MAX_LINE_BYTES - 1), "line is not of the form"),
    ],
)
def test_damage_is_named(damaged: bytes, reason: str) -> None:
    assert [found[: len(reason)] for found in reasons(parse(damaged))] == [reason]


def test_what_stands_behind_damage_is_still_read_and_offsets_count_from_the_streams_beginning() -> None:
    following = encode_clock("running", 0, LineCounter(7))
    records = parse(RUNNING + RUNNING[:9] + following)
    assert [type(record) for record in records] == [Unhandled, Malformed, Unhandled]
    malformed = records[1]
    assert isinstance(malformed, Malformed)
    assert (malformed.offset, malformed.raw) == (len(RUNNING), RUNNING[:9].hex())


def test_every_changed_byte_of_a_sheet_is_found() -> None:
    whole = sheet_bytes()
    chance = random.Random(20210808)
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= chance.randrange(1, 256)
        records = parse(bytes(damaged))
        # The line ends behind EOT are the only bytes that carry nothing.
        if whole[position] == 0x0A:
            assert [record for record in records if isinstance(record, PhotoFinish)] == [SHEET]
        else:
            assert not [record for record in records if isinstance(record, PhotoFinish)]
            assert reasons(records)


def test_swapped_fields_are_found_though_their_sum_is_the_same() -> None:
    whole = encode_line("ST", ("1", "2", "3", "4"), LineCounter())
    assert reasons(parse(whole.replace(b"1\x1f2\x1f", b"2\x1f1\x1f"))) != []


@STEADY
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_garbage_around_a_sheet_never_raises_and_never_makes_a_result(before: bytes, after: bytes) -> None:
    assert not [record for record in parse(before) if isinstance(record, PhotoFinish)]
    sheets = [record for record in parse(before + sheet_bytes() + after) if isinstance(record, PhotoFinish)]
    assert sheets == [SHEET]


@STEADY
@given(st.binary(max_size=60), st.lists(st.integers(0, 700), max_size=12))
def test_any_split_gives_the_same_records(noise: bytes, cuts: list[int]) -> None:
    stream = sheet_bytes() + noise + RUNNING + b"\r\n" + sheet_bytes()[:-30]
    parser = LynxParser("camera")
    edges = [0, *sorted(cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    records = [record for piece in pieces for record in parser.feed(piece, 9)]
    assert records + parser.close(9) == parse(stream)


def test_one_byte_at_a_time_gives_the_same_records() -> None:
    stream = b"junk\n" + sheet_bytes() + b"\x01x" * 10 + b"y" * (2 * MAX_LINE_BYTES + 5) + sheet_bytes()
    parser = LynxParser("camera")
    records = [record for byte in stream for record in parser.feed(bytes([byte]), 9)]
    assert records + parser.close(9) == parse(stream)


# -- writing -------------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=9)
RIDERS = st.builds(
    PhotoFinishLine,
    place=st.none() | st.integers(1, 40),
    lane=st.none() | st.integers(0, 99),
    name=st.none() | WORDS,
    time_us=st.none() | st.integers(0, 7_200_000_000),
)


@STEADY
@given(st.lists(RIDERS, min_size=1, max_size=7), WORDS, st.booleans())
def test_what_the_simulated_camera_writes_is_read_back(lines: list[PhotoFinishLine], name: str, official: bool) -> None:
    sheet = msgspec.structs.replace(SHEET, lines=tuple(lines), name=name, official=official)
    assert parse(sheet_bytes(sheet)) == [sheet]


def test_the_camera_cannot_be_asked_for_what_the_script_cannot_send() -> None:
    for code, fields in (("XX", ()), ("TR", ("1", "2")), ("TR", ("1\x1f2",))):
        with pytest.raises(ValueError, match=f"{code} line"):
            encode_line(code, fields, LineCounter())
    with pytest.raises(ValueError, match="does not exist"):
        encode_clock("sprinting", 0, LineCounter())


def test_the_protocol_has_its_contract_name() -> None:
    assert PROTOCOL.name == "lynx"
    assert PROTOCOL.parser("camera").feed(RUNNING, 9) == parse(RUNNING)
