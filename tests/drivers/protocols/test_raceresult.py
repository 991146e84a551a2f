"""race result decoder: lines to records, by hand, damaged, and as the simulated box writes them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.protocols import registry
from drivers.protocols.raceresult import (
    PROTOCOL,
    PassingLine,
    RaceResultParser,
    encode_fetch,
    encode_line,
    encode_passing,
    format_stamp,
    read_passing,
)
from drivers.protocols.raceresult_records import error_names, parse_stamp
from drivers.records import ClockReading, DeviceStatus, Impulse, Malformed, Passing, Record, Unhandled

NOW_US = 1_700_000_000_000_000
ACTIVE = b"#P;12;GLBAS60;2021-08-08;11:52:03.417;0;72;118;;1;1;3;0;16731;2.9;24;0;Finish box;50;;D-50001\r\n"
PASSIVE = b"13;1042;0000-00-01;00:00:03.001;77;4;25;;0;;;;;;;;Finish box;50;2;D-50001\r\n"
STATUS = (
    b"GETSTATUS;2021-08-08;11:52:04.000;1;11000000;1;50;1;35.000000,138.000000;1;80;24;31;0;1;1;3;80;1;0;1;1;0;0;0\r\n"
)


def parse(data: bytes) -> list[Record]:
    parser = RaceResultParser("line")
    return parser.feed(data, NOW_US) + parser.close(NOW_US)


def passing(**changes: str) -> PassingLine:
    return replace(PassingLine(number="7", code="GLBAS60", date="0000-00-00", time="00:00:01.002"), **changes)


def test_a_pushed_passing_of_an_active_transponder_is_read_field_by_field() -> None:
    days = 18_847  # 2021-08-08
    assert parse(ACTIVE) == [
        Passing(
            device="line",
            received_us=NOW_US,
            device_us=(days * 86_400 + 11 * 3_600 + 52 * 60 + 3) * 1_000_000 + 417_000,
            transponder="GLBAS60",
            channel="3",
            sequence=12,
            strength=118,
            hits=72,
            decoder="D-50001/50",
            battery=2_900,
            flags=0,
        )
    ]


def test_a_fetched_passing_without_gps_counts_from_midnight_and_is_backlog() -> None:
    assert parse(PASSIVE) == [
        Passing(
            device="line",
            received_us=NOW_US,
            device_us=3_001_000,
            transponder="1042",
            sequence=13,
            strength=25,
            hits=4,
            decoder="D-50001/50",
            backlog=True,
        )
    ]


def test_bytes_one_by_one_give_the_same_records_as_whole() -> None:
    stream = ACTIVE + PASSIVE + STATUS + b"\r\n" + b"GETTIME;0000-00-00;00:02:12.942\r\n"
    parser = RaceResultParser("line")
    by_one = [record for byte in stream for record in parser.feed(bytes((byte,)), NOW_US)]

    assert by_one == parse(stream)
    assert [type(record) for record in by_one] == [Passing, Passing, DeviceStatus, ClockReading]


def test_a_clock_answer_is_a_reading() -> None:
    assert parse(b"GETTIME;0000-00-00;00:02:12.942\r\n") == [
        ClockReading(device="line", received_us=NOW_US, device_us=132_942_000)
    ]


def test_status_says_in_words_what_the_operator_has_to_know() -> None:
    (good,) = parse(STATUS)
    (bad,) = parse(
        STATUS.replace(b"1;11000000;1;50;1", b"0;11000000;0;50;0").replace(b";1;0;1;1;0;0;0\r", b";0;0;1;0;0;0;0x330\r")
    )

    assert isinstance(good, DeviceStatus)
    assert isinstance(bad, DeviceStatus)
    assert (good.temperature, good.gps_locked) == (24, True)
    assert good.text == "timing; file 50; mains power; battery 80 %; loop connected"
    assert bad.gps_locked is False
    assert bad.text == (
        "NOT timing: passings are not stored, start operation on the decoder; file 50; NO mains power; "
        "battery 80 %; loop NOT connected; errors: loop error, loop limit, gps time sync, gps communication"
    )


def test_every_error_flag_has_its_name_and_an_unknown_bit_its_number() -> None:
    assert error_names(1 + 16 + 32 + 64 + 256 + 512 + 1024) == (
        "uhf module, loop error, loop limit, active connection lost, gps time sync, gps communication, active time sync"
    )
    assert error_names(1 + 2048) == "uhf module, unknown 2048"


def test_the_short_status_of_old_firmware_is_read_as_far_as_its_order_is_known() -> None:
    (status,) = parse(b"GETSTATUS;0000-00-00;00:02:39.942;1;11111111;1;50;1;49.7,8.2;1;0;;;;;;;1;0\r\n")

    assert isinstance(status, DeviceStatus)
    assert status.device_us == 159_942_000
    assert status.text == "timing; file 50; mains power; battery 0 %"


@pytest.mark.parametrize(
    ("line", "name", "detail"),
    [
        (b"GETPROTOCOL;2.0;1.0;3.2", "getprotocol", {"value_1": "2.0", "value_2": "1.0", "value_3": "3.2"}),
        (b"PASSINGS;5;50", "passings", {"count": 5, "file": "50"}),
        (b"PASSINGS;5", "passings", {"count": 5}),
        (b"ONLY 3 PASSINGS", "only", {"text": "ONLY 3 PASSINGS"}),
        (b"SETPUSHPASSINGS;1;0", "setpushpassings", {"value_1": "1", "value_2": "0"}),
        (b"STARTOPERATION;OK;0000-00-00;00:00:00.000", "startoperation", None),
    ],
)
def test_other_replies_are_named(line: bytes, name: str, detail: dict[str, int | str] | None) -> None:
    (record,) = parse(line + b"\r\n")

    assert isinstance(record, Unhandled)
    assert record.name == name
    assert detail is None or record.detail == detail


def test_the_trigger_input_makes_an_impulse() -> None:
    assert parse(encode_passing(passing(code="99999"), pushed=True)) == [
        Impulse(device="line", received_us=NOW_US, device_us=1_002_000, channel="trigger", sequence=7)
    ]


def test_a_passing_that_the_transponder_had_stored_is_backlog_though_it_was_pushed() -> None:
    (stored,) = parse(encode_passing(passing(internal_active_data="65"), pushed=True))

    assert isinstance(stored, Passing)
    assert (stored.backlog, stored.flags) == (True, 65)


def test_a_field_that_only_describes_the_read_costs_no_passing() -> None:
    (odd,) = parse(encode_passing(passing(hits="1f", max_rssi="-75", battery="low"), pushed=True))

    assert isinstance(odd, Passing)
    assert (odd.hits, odd.strength, odd.battery, odd.device_us) == (None, None, None, 1_002_000)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"#P;1;A;0000-00-00;00:00:01.000;0", "passing has 5 fields instead of 20"),
        (encode_passing(passing(time="24:00:00.000"), pushed=True)[:-2], "time '24:00:00.000' is not of the form"),
        (encode_passing(passing(time="00:00:60.000"), pushed=True)[:-2], "time '00:00:60.000' is not of the form"),
        (encode_passing(passing(date="2021-02-30"), pushed=True)[:-2], "day"),
        (encode_passing(passing(number="0"), pushed=True)[:-2], "passing number '0' is no whole number from 1"),
        (encode_passing(passing(code=""), pushed=True)[:-2], "transponder code '' is no word"),
        (b"12 o'clock", "passing has 1 fields instead of 20"),
        (b"PASSINGS;many", "PASSINGS is not followed by a number"),
        (b"GETSTATUS;1", "status has 1 fields instead of 24"),
        (b"hello", "line is neither a passing nor a reply"),
        (b"GETTIME\x07", "control character inside a line"),
    ],
)
def test_a_bad_line_is_malformed_with_its_offset_and_reason_and_the_next_is_read(line: bytes, reason: str) -> None:
    first, error, last = parse(ACTIVE + line + b"\r\n" + PASSIVE)

    assert isinstance(first, Passing)
    assert isinstance(last, Passing)
    assert isinstance(error, Malformed)
    assert error.offset == len(ACTIVE)
    assert reason in error.reason
    assert error.raw == (line + b"\r\n")[:128].hex()


def test_a_stream_without_line_ends_is_reported_in_pieces_and_an_unfinished_line_at_the_end() -> None:
    errors = parse(b"\xff" * 1_500)

    assert [error.offset for error in errors if isinstance(error, Malformed)] == [0, 1_024]
    assert isinstance(errors[1], Malformed)
    assert errors[1].reason == "stream ended inside a line"


@pytest.mark.parametrize("line", [ACTIVE, PASSIVE])
def test_what_was_read_is_written_again_byte_for_byte(line: bytes) -> None:
    pushed = line.startswith(b"#P;")
    fields = line[:-2].decode().split(";")[pushed:]

    assert encode_passing(read_passing(fields), pushed=pushed) == line


def test_requests_as_the_maker_writes_them() -> None:
    assert encode_line("SETPROTOCOL", "2.0") == b"SETPROTOCOL;2.0\r\n"
    assert encode_fetch(13, 32) == b"13:32\r\n"
    assert encode_line() == b"\r\n"


@given(st.integers(0, 4_000_000_000_000))
def test_stamps_are_written_and_read_alike(milliseconds: int) -> None:
    device_us = milliseconds * 1_000

    assert parse_stamp(*format_stamp(device_us, gps=True)) == device_us
    assert parse_stamp(*format_stamp(device_us % 86_400_000_000, gps=False)) == device_us % 86_400_000_000


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), max_size=12))
@settings(max_examples=300, deadline=None)
def test_garbage_in_any_split_raises_nothing_and_reads_as_the_whole(noise: bytes, cuts: list[int]) -> None:
    stream = ACTIVE + noise + b"\r\n" + PASSIVE
    parser, split, position = RaceResultParser("line"), [], 0
    for cut in cuts:
        split += parser.feed(stream[position : position + cut], NOW_US)
        position += cut
    split += parser.feed(stream[position:], NOW_US) + parser.close(NOW_US)

    assert split == parse(stream)
    assert isinstance(split[0], Passing)
    assert isinstance(split[-1], Passing)


@given(st.integers(0, len(ACTIVE) * 8 - 1))
@settings(max_examples=300, deadline=None)
def test_a_flipped_bit_raises_nothing_and_leaves_the_next_line_whole(bit: int) -> None:
    damaged = bytearray(ACTIVE)
    damaged[bit // 8] ^= 1 << bit % 8
    records = parse(bytes(damaged) + b"\r\n" + PASSIVE)

    assert records[-1] == parse(PASSIVE)[0]
    assert all(isinstance(record, Passing | Impulse | Malformed | Unhandled) for record in records)


def test_the_protocol_is_registered() -> None:
    assert registry.protocol("raceresult") is PROTOCOL
