"""Omega Scan'O'Vision frames by hand: rankings to photo-finish sheets. No capture exists: untested on hardware."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.device_options import OPTIONS, option_problem
from config.models import Device
from drivers.protocols import registry
from drivers.protocols.base import Resume
from drivers.protocols.osv import PROTOCOL, OsvParser, encode_frame, encode_ranking, exact_time_us, osv_protocol
from drivers.protocols.osv_template import DEFAULT_TEMPLATE, OsvTemplate, template_with
from drivers.records import Malformed, PhotoFinish, PhotoFinishLine, Record, Unhandled

NOW_US = 1_700_000_000_000_000
NOON_US = 43_200_000_000
# SNR, ISV, RDC 3, two riders with hundredths and thousandths, one without a time, RFC, RFJ: typed by hand.
WIRE = (
    b"\x01\x13DVSNR\x02KEIRIN-1\x04"
    b"\x01\x13DVISV\x0212:00:00.0000\x04"
    b"\x01\x13DVRDC\x023\x04"
    b"\x01\x13DVRCC\x02  1   17 3    10.55\x04"
    b"\x01\x13DVRCF\x02  1   17 3   10.546\x04"
    b"\x01\x13DVRCC\x02  2    4 1    11.00\x04"
    b"\x01\x13DVRCF\x02  2    4 1   10.996\x04"
    b"\x01\x13DVRCC\x02       9 2      DNF\x04"
    b"\x01\x13DVRFC\x02\x04"
    b"\x01\x13DVRFJ\x02\x04"
)
SHEET = PhotoFinish(
    device="omega",
    received_us=NOW_US,
    event="KEIRIN-1",
    start_device_us=NOON_US,
    lines=(
        PhotoFinishLine(place=1, bib="17", lane=3, time_us=10_546_000),
        PhotoFinishLine(place=2, bib="4", lane=1, time_us=10_996_000),
        PhotoFinishLine(bib="9", lane=2, status="DNF"),
    ),
)


def parse(data: bytes, template: OsvTemplate = DEFAULT_TEMPLATE) -> list[Record]:
    parser = OsvParser("omega", template)
    return parser.feed(data, NOW_US) + parser.close(NOW_US)


def sheets(records: list[Record]) -> list[PhotoFinish]:
    return [record for record in records if isinstance(record, PhotoFinish)]


def reasons(records: list[Record]) -> list[str]:
    return [record.reason for record in records if isinstance(record, Malformed)]


def official(sheet: PhotoFinish) -> PhotoFinish:
    return PhotoFinish(
        device=sheet.device,
        received_us=sheet.received_us,
        lines=sheet.lines,
        event=sheet.event,
        start_device_us=sheet.start_device_us,
        official=True,
    )


def test_a_ranking_becomes_a_sheet_when_it_ends_and_again_when_it_is_official() -> None:
    records = parse(WIRE)

    assert [record.name for record in records if isinstance(record, Unhandled)] == ["race", "started"]
    assert sheets(records) == [SHEET, official(SHEET)]
    assert reasons(records) == []


def test_bytes_one_by_one_with_nul_bytes_and_line_ends_between_read_alike() -> None:
    filled = b"\r\n".join(piece + b"\x04" for piece in WIRE.split(b"\x04")[:-1]).replace(b"DV", b"D\0V")
    parser = OsvParser("omega")

    assert [record for byte in filled for record in parser.feed(bytes((byte,)), NOW_US)] == parse(WIRE)


@pytest.mark.parametrize(
    ("hundredths_us", "thousandths", "exact_us"),
    [
        (8_080_000, "8.076", 8_076_000),
        (8_080_000, ".076", 8_076_000),
        (8_080_000, ".080", 8_080_000),
        (8_000_000, ".996", 7_996_000),
        (8_000_000, "7,996", 7_996_000),
        (61_240_000, "1:01.2311", 61_231_100),
    ],
)
def test_thousandths_refine_hundredths_that_were_rounded_up(
    hundredths_us: int, thousandths: str, exact_us: int
) -> None:
    assert exact_time_us(hundredths_us, thousandths) == exact_us


@pytest.mark.parametrize("thousandths", ["8.069", ".081", "9.076", "8", "8.07", "x.076"])
def test_thousandths_that_contradict_the_hundredths_are_refused(thousandths: str) -> None:
    with pytest.raises(ValueError, match=r"thousandths|time"):
        exact_time_us(8_080_000, thousandths)


def test_cut_hundredths_are_an_option() -> None:
    assert exact_time_us(8_070_000, ".076", rounded_up=False) == 8_076_000
    with pytest.raises(ValueError, match="do not fit"):
        exact_time_us(8_080_000, ".076", rounded_up=False)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"RDC\x023", b"RDC\x024", "RFC: ranking has 3 of 4 riders: send the results again"),
        (b"RDC\x023", b"RDC\x02x", "RDC: number of competitors 'x' is not a whole number"),
        (b"   17 3    10.55", b"    4 3    10.55", "RCC: ranking lists bib '4' twice"),
        (b"   17 3   10.546", b"   18 3   10.546", "RCF: thousandths for bib '18', which has no line"),
        (b"   17 3   10.546", b"   17 3   10.446", "RFC: thousandths '10.446' do not fit"),
        (b"  1   17 3    10.55", b"      17 3    10.55", "RFC: bib 17 has neither a rank nor a code"),
        (b"10.55", b"1o.55", "RFC: time '1o.55' is not of the form"),
        (b"  1   17 3    10.55", b"  1  ", "RCC: RCC has 5 characters and ends inside bib"),
        (b"KEIRIN", b"KEI\x07RIN", 'frame is not of the form SOH DC3 "DV" code STX payload EOT'),
        (b"KEIRIN", b"KEI\x81RIN", "SNR: text is not CP1252"),
    ],
)
def test_a_ranking_that_is_not_whole_gives_no_sheet_but_its_reason(old: bytes, new: bytes, reason: str) -> None:
    assert old in WIRE
    records = parse(WIRE.replace(old, new, 1))

    assert any(one.startswith(reason) for one in reasons(records))
    expected = 2 if b"KEIRIN" in old else 0
    assert len(sheets(records)) == expected
    assert sheets(parse(WIRE.replace(old, new, 1) + WIRE))[-2:] == [SHEET, official(SHEET)]


def test_a_deleted_line_is_taken_out_of_the_ranking() -> None:
    (first, _) = sheets(parse(WIRE.replace(b"\x01\x13DVRFC", b"\x01\x13DVRCS\x02    4 1\x04\x01\x13DVRFC")))

    assert [line.bib for line in first.lines] == ["17", "9"]


def test_official_without_a_ranking_and_a_ranking_without_an_end_are_errors() -> None:
    (alone,) = reasons(parse(encode_frame("RFJ")))
    (cut,) = reasons(parse(encode_frame("RDC", "2")))
    (twice, *_) = reasons(parse(encode_frame("RDC", "2") + encode_frame("RDC", "2")))

    assert "there is no ranking before it" in alone
    assert cut == "stream ended inside a ranking: send the results again"
    assert "has no end" in twice


def test_other_messages_are_named_with_their_columns() -> None:
    records = parse(
        encode_frame("RCV", "   17 3       10.55")
        + encode_frame("RTC", "   1  2   17 3    21.30")
        + encode_frame("RTC", "   0       17 3      0.145 ")
        + encode_frame("RWM", "  +0.3m/s")
        + encode_frame("IFV", "10.546")
        + encode_frame("RCC", "  1   17 3    10.55")
        + encode_frame("XYZ", "?")
    )

    assert [record.name for record in records if isinstance(record, Unhandled)] == [
        "temporary_result",
        "intermediate",
        "reaction_time",
        "wind",
        "net_time",
        "outside_a_ranking",
        "unknown_code",
    ]
    assert isinstance(records[0], Unhandled)
    assert isinstance(records[1], Unhandled)
    assert records[0].detail == {"bib": "17", "lane": "3", "time": "10.55"}
    assert records[1].detail == {"lap": "1", "rank": "2", "bib": "17", "lane": "3", "time": "21.30"}


def test_a_template_of_ones_own_moves_the_columns() -> None:
    wide = replace(
        DEFAULT_TEMPLATE, bib_width=8, rcc=("bib", "rank", "lane", "rest"), rcf=("bib", "rank", "lane", "rest")
    )
    wire = encode_ranking(official(SHEET), wide)

    assert b"RCC\x02      17  1 3" in wire
    assert sheets(parse(wire, wide)) == [SHEET, official(SHEET)]
    assert sheets(parse(wire)) == []
    assert osv_protocol(wide, "osv-wide").parser("omega").feed(wire, NOW_US)[-1] == official(SHEET)


def test_the_meet_file_gives_the_columns() -> None:
    options = {"bib_width": "8", "rcc": "bib,rank,lane,rest", "rcf": "bib,rank,lane,rest"}
    assert all(option_problem("osv", name, value) is None for name, value in options.items())
    template = template_with(DEFAULT_TEMPLATE, options)
    wire = encode_ranking(official(SHEET), template)
    box = Device(id="omega", protocol="osv", address="tcp:192.0.2.9:4001", options=options)
    assert PROTOCOL.session(box, Resume()).receive(wire, NOW_US).records[-1] == official(SHEET)
    plain = PROTOCOL.session(msgspec.structs.replace(box, options={}), Resume()).receive(wire, NOW_US)
    assert sheets(list(plain.records)) == []


def test_every_option_that_the_configuration_knows_is_one_of_the_template() -> None:
    values = {"hundredths_are_rounded_up": "false"}
    options = {name: values.get(name, "9" if name.endswith("_width") else "bib,lane,rest") for name in OPTIONS["osv"]}
    assert all(option_problem("osv", name, value) is None for name, value in options.items())
    template = template_with(DEFAULT_TEMPLATE, options)
    assert template.columns("RTC") == ("bib", "lane", "rest")
    assert (template.time_width, template.hundredths_are_rounded_up) == (9, False)
    with pytest.raises(ValueError, match="option colour = 'red' is none of an OSV template"):
        template_with(DEFAULT_TEMPLATE, {"colour": "red"})


def test_a_template_with_a_mistake_says_which() -> None:
    with pytest.raises(ValueError, match="bib_width is 0"):
        OsvTemplate(bib_width=0)
    with pytest.raises(ValueError, match="rcc has the column 'team'"):
        OsvTemplate(rcc=("team",))


def test_what_was_read_is_written_again_byte_for_byte() -> None:
    canonical = encode_ranking(official(SHEET))

    assert encode_ranking(sheets(parse(canonical))[-1]) == canonical
    assert b"\x01\x13DVRCC\x02  2    4 111.00\x04\x01\x13DVRCF\x02  2    4 110.996\x04" in canonical
    with pytest.raises(ValueError, match="no frame"):
        encode_frame("SNR", "a\x04b")


@given(st.binary(max_size=150), st.integers(1, 40))
@settings(max_examples=300, deadline=None)
def test_garbage_in_any_split_raises_nothing_and_reads_as_the_whole(noise: bytes, size: int) -> None:
    stream = noise + b"\x04" + WIRE
    parser, split = OsvParser("omega"), []
    for position in range(0, len(stream), size):
        split += parser.feed(stream[position : position + size], NOW_US)
    split += parser.close(NOW_US)

    assert split == parse(stream)
    assert sheets(split)[-2:] == [SHEET, official(SHEET)]


@given(st.integers(0, len(WIRE) * 8 - 1))
@settings(max_examples=300, deadline=None)
def test_a_flipped_bit_raises_nothing_and_leaves_the_next_sheet_whole(bit: int) -> None:
    damaged = bytearray(WIRE)
    damaged[bit // 8] ^= 1 << bit % 8

    assert sheets(parse(bytes(damaged) + b"\x04" + WIRE))[-1] == official(SHEET)


def test_the_protocol_is_registered() -> None:
    assert registry.protocol("osv") is PROTOCOL
    assert "untested on hardware" in PROTOCOL.summary
