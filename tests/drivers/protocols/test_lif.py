"""FinishLynx result files: exact times, both encodings, and damage that is named instead of guessed."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.protocols.lif import (
    PROTOCOL,
    LifParser,
    encode_lif,
    format_race_time,
    format_time_of_day,
    parse_lif,
    parse_race_time,
    parse_time_of_day,
)
from drivers.records import Malformed, PhotoFinish, PhotoFinishLine

STEADY = settings(derandomize=True, deadline=None)

CAPTURES = Path(__file__).parents[3] / ".." / "shared" / "captures" / "finishlynx" / "lif"

HEADER = '32400031,1,11,"20:10 | 800m M, MJU20, MJU18",,,,,,800,20:11:54.4049\n'
WINNER = '1,762,11,Ostrowski,Filip,RKS Łódź,1:45.611,,1:45.611,,,20:11:54.405,,,,1:45.611,1:45.611,"7,58",\n'
SECOND = "2,768,3,Novák,Jan,Brno,1:45.9,,0.289,,,20:11:54.405,,,,0.289,0.289\n"
RETIRED = "DNF,770,5,Lang,Udo,Köln,,,,,,20:11:54.405,,,,,\n"
UNREAD = ",771,6,Kern,Ulf,Köln,,,,,,20:11:54.405,,,,,\n"


def read(text: str, encoding: str = "utf-8") -> list[PhotoFinish | Malformed]:
    return parse_lif(text.encode(encoding), "camera", 9)


def sheet_of(records: list[PhotoFinish | Malformed]) -> PhotoFinish:
    (sheet,) = [record for record in records if isinstance(record, PhotoFinish)]
    return sheet


def damages_of(records: list[PhotoFinish | Malformed]) -> list[tuple[int, str]]:
    return [(record.offset, record.reason) for record in records if isinstance(record, Malformed)]


def capture(name: str) -> bytes:
    path = CAPTURES / name
    if not path.exists():
        pytest.skip(f"capture {name} is not beside this repository")
    return path.read_bytes()


# -- whole files ---------------------------------------------------------------------------------------------


def test_a_file_becomes_one_photo_finish_in_the_judged_order() -> None:
    assert read(HEADER + WINNER + SECOND + RETIRED + UNREAD) == [
        PhotoFinish(
            device="camera",
            received_us=9,
            event="32400031",
            round="1",
            heat="11",
            name="20:10 | 800m M, MJU20, MJU18",
            start_device_us=72_714_404_900,
            lines=(
                PhotoFinishLine(place=1, bib="762", lane=11, name="Ostrowski Filip", time_us=105_611_000),
                PhotoFinishLine(place=2, bib="768", lane=3, name="Novák Jan", time_us=105_900_000),
                PhotoFinishLine(bib="770", lane=5, name="Lang Udo", status="DNF"),
                PhotoFinishLine(bib="771", lane=6, name="Kern Ulf"),
            ),
        )
    ]


def test_the_gap_columns_never_become_a_gap_because_they_count_from_the_previous_rider() -> None:
    assert [line.gap_us for line in sheet_of(read(HEADER + WINNER + SECOND)).lines] == [None, None]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_names_are_read_in_every_encoding_that_occurs_within_one_meet(encoding: str) -> None:
    assert sheet_of(read(HEADER + RETIRED.replace("Udo", "Jörn"), encoding)).lines[0].name == "Lang Jörn"


def test_windows_line_ends_read_the_same() -> None:
    text = HEADER + WINNER + SECOND
    assert read(text.replace("\n", "\r\n")) == read(text)


@pytest.mark.parametrize("code", ["DNF", "DNS", "DQ", "aufg."])
def test_a_place_that_is_no_number_is_a_status(code: str) -> None:
    (line,) = sheet_of(read(HEADER + RETIRED.replace("DNF", code))).lines
    assert (line.place, line.status) == (None, code)


def test_newer_headers_with_more_columns_and_empty_starts_are_read() -> None:
    sheet = sheet_of(read("1,2,3,Keirin,,,,,,,,auto,\n" + WINNER))
    assert (sheet.event, sheet.start_device_us, sheet.official) == ("1", None, False)


# -- damage --------------------------------------------------------------------------------------------------


def test_a_short_row_is_named_and_the_others_are_kept() -> None:
    records = read(HEADER + WINNER + "2,768,3,Novák\n" + RETIRED)
    offset = len((HEADER + WINNER).encode())
    assert damages_of(records) == [(offset, "line 3: row has 4 columns instead of 17 or 19")]
    assert [line.bib for line in sheet_of(records).lines] == ["762", "770"]


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (SECOND.replace("1:45.9", "1:4x.9"), "line 2: time '1:4x.9' is not of the form m:ss.hh"),
        (SECOND.replace("1:45.9", "1:75.9"), "line 2: time '1:75.9' has more than 59 minutes or seconds"),
        (SECOND.replace(",3,", ",A,"), "line 2: lane 'A' is not a whole number"),
        ("0" + SECOND[1:], "line 2: place 0 does not exist"),
        (SECOND.replace("Jan", '"Jan'), "line 2: not a CSV line"),
    ],
)
def test_a_row_that_cannot_be_read_says_why(damaged: str, reason: str) -> None:
    records = read(HEADER + damaged + WINNER)
    assert [text.startswith(reason) for _, text in damages_of(records)] == [True]
    assert [line.bib for line in sheet_of(records).lines] == ["762"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEADER + WINNER.rstrip("\n"), "unfinished file"),
        ("", "unfinished file"),
        ("\n", "line 1: header has 0 columns"),
        (HEADER, "no readable result row"),
        ("1,2,3,short header\n" + WINNER, "line 1: header has 4 columns"),
        (
            HEADER.replace("20:11:54", "25:11:54") + WINNER,
            "line 1: time of day '25:11:54.4049' does not exist",
        ),
        (HEADER + WINNER + "<<<<<<< HEAD\n" + SECOND, "line 3: merge conflict mark"),
        (HEADER + WINNER + "=======\n" + SECOND, "line 3: merge conflict mark"),
        (HEADER + WINNER + ">>>>>>> 9ec1577\n", "line 3: merge conflict mark"),
        (HEADER + WINNER + WINNER.replace("1,", "2,", 1), "bib 762 is listed twice"),
    ],
)
def test_an_unfinished_or_contradictory_file_gives_no_result(text: str, reason: str) -> None:
    records = read(text)
    assert all(isinstance(record, Malformed) for record in records)
    assert [found[: len(reason)] for _, found in damages_of(records)] == [reason]


def test_text_in_no_known_encoding_is_named() -> None:
    (record,) = parse_lif((HEADER + WINNER).encode("utf-16"), "camera", 9)
    assert isinstance(record, Malformed)
    assert "UTF-16" in record.reason
    records = parse_lif(HEADER.encode() + b"\x81" + WINNER.encode("cp1250"), "camera", 9)
    assert damages_of(records) == [
        (len(HEADER), "line 2: text is neither UTF-8 nor CP1252 (byte 0x81)"),
        (0, "no readable result row: evaluate the heat in FinishLynx and save it again"),
    ]


def test_each_line_is_read_in_its_own_encoding_and_an_unreadable_one_costs_no_other() -> None:
    utf8 = WINNER.encode("utf-8")  # Łódź: two of its bytes mean nothing in CP1252
    cp1252 = RETIRED.replace("Lang", "Löng–").encode("cp1252")
    latin1 = UNREAD.encode("latin-1")
    broken = SECOND.encode("utf-8").replace("á".encode(), b"\x81\x8d")
    records = parse_lif(HEADER.encode() + utf8 + cp1252 + latin1 + broken, "camera", 9)
    assert [line.name for line in sheet_of(records).lines] == ["Ostrowski Filip", "Löng– Udo", "Kern Ulf"]
    offset = len(HEADER) + len(utf8) + len(cp1252) + len(latin1)
    assert damages_of(records) == [(offset, "line 5: text is neither UTF-8 nor CP1252 (byte 0x81)")]


def test_a_result_issued_again_is_a_new_version_and_one_saved_unchanged_is_not() -> None:
    parser = LifParser("camera")

    def versions(*texts: str) -> list[int | None]:
        found = [record for text in texts for record in parser.feed(text.encode(), 9)]
        return [record.sequence for record in found if isinstance(record, PhotoFinish)]

    first, second = HEADER + WINNER, HEADER + WINNER + SECOND
    other = HEADER.replace("1,11,", "1,12,") + WINNER
    assert versions(first, first, second, other, second, first) == [1, 1, 2, 1, 2, 3]
    assert versions(HEADER + "<<<<<<< HEAD\n" + WINNER, second) == [4], "a damaged file is no version"


@STEADY
@given(st.binary(max_size=300))
def test_garbage_is_reported_and_never_raises(garbage: bytes) -> None:
    assert all(isinstance(record, Malformed) for record in parse_lif(garbage + b"\n", "camera", 9))


@STEADY
@given(st.data())
def test_every_truncation_inside_a_line_gives_no_result(data: st.DataObject) -> None:
    whole = (HEADER + WINNER + SECOND).encode()
    cut = data.draw(st.integers(0, len(whole) - 1).filter(lambda end: whole[end - 1 : end] != b"\n"))
    assert [type(record) for record in parse_lif(whole[:cut], "camera", 9)] == [Malformed]


# -- times ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "duration_us"),
    [
        ("9.58", 9_580_000),
        ("10.1234", 10_123_400),
        ("1:43.42", 103_420_000),
        ("1:05.3", 65_300_000),
        ("12:00.000001", 720_000_001),
        ("1:02:03.5", 3_723_500_000),
        ("59", 59_000_000),
        ("", None),
    ],
)
def test_race_times_are_exact_whatever_their_decimals(text: str, duration_us: int | None) -> None:
    assert parse_race_time(text) == duration_us


@pytest.mark.parametrize("text", ["1:43,42", "-1.2", "1:60.0", "1:2:3:4", "1.1234567", "٣.٤", "DNF", "1e3"])
def test_texts_that_are_no_race_time_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        parse_race_time(text)


def test_the_hour_of_the_start_may_lack_its_zero() -> None:
    assert parse_time_of_day("9:05:00.0001") == 32_700_000_100
    assert format_time_of_day(32_700_000_100) == "9:05:00.0001"


@STEADY
@given(st.integers(0, 999 * 3_600_000_000))
def test_every_microsecond_survives_writing_and_reading(duration_us: int) -> None:
    assert parse_race_time(format_race_time(duration_us, 6)) == duration_us


@STEADY
@given(st.integers(0, 86_400_000_000 - 1))
def test_every_time_of_day_survives_writing_and_reading(device_us: int) -> None:
    assert parse_time_of_day(format_time_of_day(device_us, 6)) == device_us


def test_fewer_decimals_truncate_and_never_round() -> None:
    assert [format_race_time(59_999_999, decimals) for decimals in (0, 2, 3)] == ["59", "59.99", "59.999"]
    with pytest.raises(ValueError, match="negative"):
        format_race_time(-1, 3)
    with pytest.raises(ValueError, match="no time of day"):
        format_time_of_day(86_400_000_000)


# -- round trips and captures --------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="cp1252", exclude_categories=("Cc", "Zs")), min_size=1, max_size=9).filter(
    lambda word: word.strip() == word and not word.isdigit()
)
LINES = st.builds(
    PhotoFinishLine,
    place=st.none() | st.integers(1, 40),
    lane=st.none() | st.integers(0, 99),
    name=st.none() | WORDS,
    time_us=st.none() | st.integers(0, 7_200_000_000),
)


@STEADY
@given(st.lists(LINES, min_size=1, max_size=7), st.sampled_from([17, 19]), st.sampled_from(["\n", "\r\n"]))
def test_what_the_simulated_camera_writes_is_read_back(
    lines: list[PhotoFinishLine], columns: int, line_end: str
) -> None:
    sheet = PhotoFinish(
        device="camera",
        received_us=9,
        event="7",
        round="Semi",
        heat="2",
        name='Keirin | "men", elite',
        start_device_us=40_419_474_900,
        lines=tuple(lines),
    )
    file = encode_lif(sheet, decimals=6, columns=columns, line_end=line_end)
    assert parse_lif(file, "camera", 9) == [sheet]


def test_the_simulated_camera_writes_the_gap_to_the_previous_finisher() -> None:
    lines = tuple(PhotoFinishLine(place=n + 1, time_us=10_000_000 + n * 250_000) for n in range(3))
    rows = encode_lif(PhotoFinish(device="", received_us=0, lines=lines)).decode().splitlines()[1:]
    assert [row.split(",")[8] for row in rows] == ["10.000", "0.250", "0.250"]


def test_one_feed_is_one_file() -> None:
    parser = LifParser("camera")
    assert len(parser.feed((HEADER + WINNER).encode(), 9)) == 1
    assert len(parser.feed((HEADER + SECOND).encode(), 9)) == 1
    assert parser.feed(b"", 9) == []
    assert parser.close(9) == []
    assert PROTOCOL.name == "lif"


def test_an_ascii_capture_is_read() -> None:
    sheet = sheet_of(parse_lif(capture("WakaNats2017_019-Heat_1-05.lif"), "camera", 9))
    assert (sheet.event, sheet.round, sheet.heat) == ("019", "Heat 1", "5")
    assert sheet.start_device_us == 49_967_205_900
    assert [line.time_us for line in sheet.lines][:2] == [103_420_000, 108_010_000]
    assert (len(sheet.lines), sheet.lines[-1].place) == (7, None)


def test_a_utf8_capture_is_read() -> None:
    sheet = sheet_of(parse_lif(capture("WakaNats2018_161-Heat-01.lif"), "camera", 9))
    assert (len(sheet.lines), sheet.lines[0].name) == (12, "SCHERZER Jörn")


def test_the_capture_with_merge_conflict_marks_gives_no_result() -> None:
    data = capture("WakaNats2018_006-Heat-02.lif")
    records = parse_lif(data, "camera", 9)
    assert [type(record) for record in records] == [Malformed]
    assert damages_of(records)[0][0] == data.index(b"<<<<<<<")
