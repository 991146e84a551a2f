"""THbC lines: known bytes, any split, damage. No line with a wrong sum becomes a record."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.protocols.registry import protocol
from drivers.protocols.thbc import PROTOCOL, ThbcParser, sync_drift_us
from drivers.protocols.thbc_wire import (
    CHANNELS,
    DAY_US,
    ConfigReply,
    LineError,
    PassingLine,
    StatusLine,
    encode_config_reply,
    encode_passing,
    encode_status,
    parse_config_reply,
    parse_passing,
    parse_status,
    passing_sum,
)
from drivers.records import DeviceStatus, Impulse, Malformed, Passing, Record, Unhandled

CAPTURES = Path(__file__).parents[4] / "shared" / "captures" / "thbc"
NEEDS_CAPTURES = pytest.mark.skipif(
    not CAPTURES.is_dir(), reason="../shared/captures/thbc is not beside this repository"
)
AT = 1_700_000_000_000_000
STA_LINE = b"<STA 006141 00:02'57\"541 38 07 0 1569>"
B01_LINE = b"<B01 093367 03:45'08\"388 44 01 0 1522>"
LOW_LINE = b"<STA 119371 00:00'11\"648 99 01 3 1579>"
BUILT_LINE = b"<STA 125328 16:18'32\"303 55 01 0 1574>"
CELL_LINE = b"<STA 000255 00:00'31\"957 01 01 1 1555>"
BOX_CELL_LINE = b"<BOX 000255 00:01'32\"663 01 01 1 1552>"
B01_CELL_LINE = b"<B01 000255 03:47'07\"566 00 01 0 1497>"
MAN_LINE = b"<MAN 000000 00:18'16\"964 01 01 1 1541>"
STATUS = b"[00:00'12\" 23 00 10 10]"
GOOD_LINES = (STA_LINE, B01_LINE, LOW_LINE, BUILT_LINE, CELL_LINE, BOX_CELL_LINE, B01_CELL_LINE, MAN_LINE)
REPLY = ConfigReply(
    config=bytes.fromhex("01 00 02 00 00 00 00 01 00 01 30 01 14 31 00 0800 0900 1000 1100 1234 30 40"),
    network=bytes.fromhex("c000020bffffff00c0000201c00002fc"),
    ident=bytes((0, 1, 2, 3)),
    version=b"\x13\x01\x02\x03",
)
CONVERSATION = (
    b"\0\0" + STA_LINE + b"\r\n" + STATUS + b"\r\n" + encode_config_reply(REPLY) + b"\x07\r\n"
    b"DEPART_2026-05-12__14:30:05\r\n" + MAN_LINE + b"\r\nSTOP_14:31:00\r\n" + B01_CELL_LINE + b"\r\n"
)


def parse(*data: bytes) -> list[Record]:
    parser = ThbcParser("unit")
    records = [record for chunk in data for record in parser.feed(chunk, AT)]
    return records + parser.close(AT)


def malformed(records: list[Record]) -> list[tuple[int, str]]:
    assert all(isinstance(record, Malformed) for record in records), records
    return [(record.offset, record.reason) for record in records if isinstance(record, Malformed)]


# -- lines -------------------------------------------------------------------------------------------------


def test_the_worked_sum_of_the_protocol_text() -> None:
    assert sum(b"STA 006141 00:02'57\"541 38 07 0 ") == 1569 == passing_sum(STA_LINE)


@pytest.mark.parametrize("line", GOOD_LINES)
def test_each_known_line_is_read_and_written_again_byte_for_byte(line: bytes) -> None:
    assert encode_passing(parse_passing(line)) == line + b"\r\n"


def test_a_passing_with_all_its_fields() -> None:
    assert parse_passing(B01_LINE) == PassingLine(
        channel="B01", refid=93_367, time_us=13_508_388_000, power=44, count=1, battery=0
    )
    assert parse(B01_LINE) == [
        Passing(
            device="unit",
            received_us=AT,
            device_us=13_508_388_000,
            transponder="93367",
            channel="B01",
            strength=44,
            hits=1,
            flags=0,
        )
    ]


def test_a_low_battery_and_an_implausible_refid_are_ordinary_passings() -> None:
    (low, tiny) = parse(LOW_LINE, STA_LINE)
    assert isinstance(low, Passing)
    assert (low.transponder, low.flags, low.strength) == ("119371", 3, 99)
    assert isinstance(tiny, Passing)
    assert tiny.transponder == "6141"


def test_edges_of_the_cell_inputs_and_the_key_are_impulses() -> None:
    records = parse(CELL_LINE, BOX_CELL_LINE, B01_CELL_LINE, MAN_LINE)
    assert [(r.channel, r.manual, r.device_us) for r in records if isinstance(r, Impulse)] == [
        ("sync", False, 31_957_000),
        ("sync", False, 92_663_000),
        ("sync-B01", False, 13_627_566_000),
        ("MAN", True, 1_096_964_000),
    ]


def test_a_status_gives_the_larger_noise_and_no_device_time() -> None:
    assert encode_status(parse_status(STATUS)) == STATUS + b"\r\n"
    (status,) = parse(STATUS)
    assert status == DeviceStatus(
        device="unit",
        received_us=AT,
        noise=23,
        text="noise STA 23 BOX 0, level STA 10 BOX 10, time 00:00'12\"",
    )


def test_a_configuration_with_line_ends_inside_is_read_by_name_and_written_again() -> None:
    wire = encode_config_reply(REPLY)
    assert parse_config_reply(wire[:-2]) == REPLY
    plain = ConfigReply(config=b"\r\n<[+++>\r\n" + bytes(17), network=b">\r\n<" * 4, ident=b"\r\n>\r", version=b"\x13")
    (record,) = parse(encode_config_reply(plain))
    assert isinstance(record, Unhandled)
    assert record.detail["address"] == "62.13.10.60"
    assert record.detail["time_of_day"] == "0d", "no decimal digits: shown as hex"
    assert record.detail["version"] == "13"


def test_texts_and_the_nack() -> None:
    records = parse(b"DEPART_2026-05-12__14:30:05\r\n\x07STOP_\r\n")
    assert [(r.name, r.detail) for r in records if isinstance(r, Unhandled)] == [
        ("started", {"text": "2026-05-12__14:30:05"}),
        ("nack", {}),
        ("stopped", {"text": ""}),
    ]


@NEEDS_CAPTURES
def test_every_captured_line_is_read_and_written_again() -> None:
    header, *lines = CAPTURES.joinpath("passings.txt").read_bytes().splitlines()
    assert header.startswith(b"#")
    records = parse(b"".join(line + b"\r\n" for line in lines))
    assert len(lines) == 8
    assert [type(r).__name__ for r in records] == [
        *("Impulse", "Impulse", "Impulse", "Passing", "Passing", "Impulse", "Passing", "Passing")
    ]
    assert [encode_passing(parse_passing(line))[:-2] for line in lines] == lines
    status = CAPTURES.joinpath("status.bin").read_bytes()
    assert encode_status(parse_status(status.strip())) == status
    assert [type(r) for r in parse(status)] == [DeviceStatus]


@NEEDS_CAPTURES
def test_the_capture_file_as_it_is_gives_its_records_and_its_comment_as_one_error() -> None:
    records = parse(CAPTURES.joinpath("passings.txt").read_bytes())
    assert malformed(records[:1]) == [(0, "74 bytes that are no THbC line")]
    assert [isinstance(r, Passing | Impulse) for r in records[1:]] == [True] * 8


# -- any split ---------------------------------------------------------------------------------------------


def test_a_whole_conversation_one_byte_at_a_time() -> None:
    whole = parse(CONVERSATION)
    assert [type(r).__name__ for r in whole] == [
        *("Passing", "DeviceStatus", "Unhandled", "Unhandled", "Unhandled", "Impulse", "Unhandled", "Impulse")
    ]
    assert parse(*(CONVERSATION[i : i + 1] for i in range(len(CONVERSATION)))) == whole


wild_bytes = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [*GOOD_LINES, STATUS, b"\r\n", b"+++", b"+", b"<", b"[", b">", b"DEPART_", encode_config_reply(REPLY)]
        ),
        st.sampled_from(GOOD_LINES).flatmap(lambda line: st.integers(0, 38).map(lambda cut: line[:cut])),
    ),
    max_size=16,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(data=wild_bytes, cuts=st.lists(st.integers(0, 400), max_size=8))
def test_the_split_never_shows_nothing_is_raised_and_no_wrong_sum_is_a_record(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    chunks = [data[a:b] for a, b in pairwise(edges)]

    records = parse(data)

    assert parse(*chunks) == records
    right = sum(sum(m[1][1:33]) == int(m[1][33:37]) for m in re.finditer(rb"(?=(<[^\r\n<]{32}[0-9]{4}>))", data))
    assert sum(isinstance(r, Passing | Impulse) for r in records) <= right
    for record in records:
        if isinstance(record, Malformed):
            raw = bytes.fromhex(record.raw)
            assert data[record.offset : record.offset + len(raw)] == raw


@settings(max_examples=300, deadline=None)
@given(line=st.sampled_from(GOOD_LINES), bit=st.integers(0, 38 * 8 - 1))
def test_every_flipped_bit_is_noticed_and_the_next_line_is_read(line: bytes, bit: int) -> None:
    damaged = bytearray(line)
    damaged[bit // 8] ^= 1 << bit % 8

    records = parse(bytes(damaged) + b"\r\n" + B01_LINE + b"\r\n")

    assert all(isinstance(record, Malformed | Unhandled) for record in records[:-1])
    assert any(isinstance(record, Malformed) for record in records[:-1])
    assert isinstance(records[-1], Passing)


@pytest.mark.parametrize("lost", range(38))
def test_a_lost_byte_spoils_its_own_line_only(lost: int) -> None:
    damaged = STA_LINE[:lost] + STA_LINE[lost + 1 :]
    records = parse(damaged + b"\r\n" + B01_LINE + b"\r\n")
    assert isinstance(records[0], Malformed)
    assert [type(r) for r in records[1:]] == [Passing]


@given(
    line=st.builds(
        PassingLine,
        channel=st.sampled_from(CHANNELS),
        refid=st.integers(0, 999_999),
        time_us=st.integers(0, DAY_US // 1_000 - 1).map(lambda ms: ms * 1_000),
        power=st.integers(0, 99),
        count=st.integers(0, 99),
        battery=st.integers(0, 9),
    )
)
def test_what_is_written_is_read(line: PassingLine) -> None:
    wire = encode_passing(line)
    assert len(wire) == 40
    assert parse_passing(wire[:-2]) == line


# -- damage ------------------------------------------------------------------------------------------------


def test_malformed_says_where_and_why() -> None:
    bad_sum = BUILT_LINE.replace(b"1574", b"1575")
    records = parse(b"ab\r\n" + bad_sum + b"\r\n<STA 123\r\n" + STA_LINE[:20] + B01_LINE + b"\r\n[12]\r\n<STA")
    assert isinstance(records.pop(4), Passing)
    assert malformed(records) == [
        (0, "2 bytes that are no THbC line"),
        (4, "sum 1575 does not match its bytes (1574)"),
        (44, "passing line of 8 bytes: bytes were lost or came in between"),
        (54, "20 bytes of a line in which another one begins"),
        (114, "4 bytes that are no THbC line"),
        (120, "stream ended inside a line"),
    ]
    assert isinstance(records[1], Malformed)
    assert bytes.fromhex(records[1].raw) == bad_sum


def test_the_circulating_malformed_samples_are_refused() -> None:
    body = b"<STA 119371 80:27'53\"648 01 01 3 "
    impossible = body + b"%04d>" % sum(body[1:])
    assert malformed(parse(impossible + b"\r\n")) == [(0, "time 80:27'53\" does not exist")]
    records = parse(b"<STA 123 00:00'11\"648 99 01 3 1579>\r\n")
    assert malformed(records) == [(0, "passing line of 35 bytes: bytes were lost or came in between")]


def test_two_swapped_digits_keep_the_sum_so_the_form_is_checked_too() -> None:
    swapped = BUILT_LINE.replace(b"'32\"", b"\"32'")
    with pytest.raises(LineError, match="the sum is right, but the line is not"):
        parse_passing(swapped)


def test_a_configuration_with_lost_bytes_takes_no_passing_with_it() -> None:
    wire = encode_config_reply(REPLY)
    records = parse(wire[:10] + wire[20:], STA_LINE + b"\r\n", B01_LINE + b"\r\n")
    assert [r.transponder for r in records if isinstance(r, Passing)] == ["6141", "93367"]


def test_endless_junk_is_reported_in_pieces_and_never_kept() -> None:
    records = parse(b"x" * 1_000)
    assert len(records) == 8
    assert malformed(records)[1] == (128, "128 bytes that are no THbC line")


def test_encoders_refuse_what_does_not_fit() -> None:
    good = parse_passing(STA_LINE)
    for change, text in (
        ({"channel": "B08"}, "channel 'B08' does not exist"),
        ({"refid": 1_000_000}, "refid 1000000 does not fit"),
        ({"power": 100}, "power 100 does not fit"),
        ({"time_us": DAY_US}, "time 86400000000 µs does not fit"),
    ):
        fields = {name: getattr(good, name) for name in good.__struct_fields__} | change
        with pytest.raises(LineError, match=text):
            encode_passing(PassingLine(**fields))
    with pytest.raises(LineError, match="noise and levels"):
        encode_status(StatusLine(time_us=0, noise_sta=100, noise_box=0, level_sta=0, level_box=0))
    with pytest.raises(LineError, match="they must be"):
        encode_config_reply(ConfigReply(config=b"", network=b"", ident=b"", version=b"1"))
    with pytest.raises(LineError, match="version 3e0d cannot be told"):
        encode_config_reply(ConfigReply(config=bytes(27), network=bytes(16), ident=bytes(4), version=b">\r"))


# -- sync pulse --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device_us", "drift_us"),
    [
        (60_000_000, 0),
        (31_957_000, 28_043_000),
        (92_663_000, 27_337_000),
        (13_627_566_000, -7_566_000),
        (119_999_000, 1_000),
        (120_003_000, -3_000),
        (DAY_US - 4_000, 4_000),
        (30_000_000, 30_000_000),
        (29_999_999, -29_999_999),
    ],
)
def test_the_drift_is_the_nearest_minute_less_the_stamp(device_us: int, drift_us: int) -> None:
    assert sync_drift_us(device_us) == drift_us


def test_units_that_share_a_pulse_agree_after_the_correction() -> None:
    pulses = {"a": 3_600_012_000, "b": 3_599_975_000}
    rider = {"a": 3_605_112_000, "b": 3_605_075_000}
    assert len({rider[unit] + sync_drift_us(pulses[unit]) for unit in pulses}) == 1
    assert sync_drift_us(10_400_000, period_us=10_000_000) == -400_000
    with pytest.raises(ValueError, match="period 0 µs is not possible"):
        sync_drift_us(1, period_us=0)


def test_the_protocol_is_found_by_its_name() -> None:
    assert protocol("thbc") is PROTOCOL
