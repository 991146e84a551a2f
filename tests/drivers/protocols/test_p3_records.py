"""P3 records: what the fields of a decoder's frames mean, checked on real frames decoded by hand."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.protocols.p3 import (
    Frame,
    FrameError,
    FrameReader,
    GetTime,
    OtherRequest,
    P3Parser,
    ReceivedFrame,
    Resend,
    decode_frame,
    encode_error,
    encode_frame,
    encode_get_time,
    encode_passing,
    encode_resend,
    encode_status,
    encode_time_reply,
    encode_version,
    read_request,
)
from drivers.records import ClockReading, DeviceStatus, Malformed, Passing, Record, Unhandled

CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "p3" / "amb-short.out"
RECEIVED_US = 1_700_000_000_000_000


def parse(data: bytes) -> list[Record]:
    parser = P3Parser("line")
    return parser.feed(data, RECEIVED_US) + parser.close(RECEIVED_US)


def frame(type_of_record: int, *fields: tuple[int, str]) -> bytes:
    values = tuple((tag, bytes.fromhex(value)) for tag, value in fields)
    return encode_frame(Frame(type_of_record=type_of_record, fields=values))


AMBRC = Passing(
    device="line",
    received_us=RECEIVED_US,
    device_us=1_437_769_372_993_000,
    transponder="2906141",
    sequence=113_736,
    strength=106,
    hits=50,
    decoder="135059",
    flags=0,
)
PROCHIP = Passing(
    device="line",
    received_us=RECEIVED_US,
    device_us=1_761_855_381_964_341,
    transponder="102758186",
    sequence=8_841,
    strength=127,
    hits=33,
    decoder="786640",
    flags=0,
)
GATE_BEACON = Passing(
    device="line",
    received_us=RECEIVED_US,
    device_us=1_761_855_822_438_228,
    transponder="9992",
    sequence=8_855,
    decoder="786640",
    flags=0,
)
SYNTHETIC = Passing(
    device="line",
    received_us=RECEIVED_US,
    device_us=1_700_000_000_123_456,
    transponder="4242",
    sequence=0x8D8E8F,
    strength=100,
    hits=20,
    decoder="1",
    flags=0,
)


def passing_of_the_capture(number: int, transponder: int, device_us: int, strength: int, hits: int) -> Passing:
    return Passing(
        device="line",
        received_us=RECEIVED_US,
        device_us=device_us,
        transponder=str(transponder),
        sequence=number,
        strength=strength,
        hits=hits,
        decoder="268307",
        flags=0,
    )


PASSINGS = [
    pytest.param(
        "8e0233009ec700000100010448bc010003041d582c000408e805bfc4a41b050005026a0006023200080200008104930f02008f",
        AMBRC,
        id="AMBrc",
    ),
    pytest.param(
        "8e023d00700400000100010489220000" + "03042af71f06" + "0a08" + b"FL-94890".hex() + "05027f00"
        "060221000408350630ec65420600080200008104d0000c008f",
        PROCHIP,
        id="ProChip with transponder code and another order of fields",
    ),
    pytest.param(
        "8e022b0030f300000100010497220000030408270000" + "0408541f710666420600" + "080200008104d0000c008f",
        GATE_BEACON,
        id="gate beacon without strength and hits",
    ),
    pytest.param(
        "8e023300e42d0000010001048daf8dae8dad00030492100000040840222018240a06000502640006021400080200008104010000008f",
        SYNTHETIC,
        id="three escapes in the number",
    ),
    pytest.param(
        "8e0233008dae400000010001047c680200030473d756000408882878f31e8305000502b20006021f00080200008104131804008f",
        passing_of_the_capture(157_820, 5_691_251, 1_551_543_840_549_000, 178, 31),
        id="escape in the checksum",
    ),
    pytest.param(
        "8e023300ae580000010001048dae68020003042f7934000408502859811f8305000502990006021b00080200008104131804008f",
        passing_of_the_capture(157_838, 3_438_895, 1_551_546_220_882_000, 153, 27),
        id="escape inside a field",
    ),
]


@pytest.mark.parametrize(("wire", "passing"), PASSINGS)
def test_a_passing_is_read_by_its_tags(wire: str, passing: Passing) -> None:
    assert parse(bytes.fromhex(wire)) == [passing]


@pytest.mark.parametrize(("wire", "passing"), PASSINGS)
def test_a_passing_arrives_whole_when_it_comes_byte_by_byte(wire: str, passing: Passing) -> None:
    parser = P3Parser("line")

    received = [parser.feed(bytes((byte,)), RECEIVED_US + n) for n, byte in enumerate(bytes.fromhex(wire))]

    assert received[:-1] == [[]] * (len(received) - 1)
    assert [record.device_us for record in received[-1] if isinstance(record, Passing)] == [passing.device_us]


def test_status_of_a_prochip_decoder() -> None:
    wire = bytes.fromhex("8e021f006cb1000002000102350007021000060101" + "0a0100" + "8104d0000c008f")

    assert parse(wire) == [
        DeviceStatus(
            device="line",
            received_us=RECEIVED_US,
            noise=53,
            temperature=16,
            satellites=0,
            gps_locked=True,
            decoder="786640",
        )
    ]


def test_status_of_an_ambrc_decoder_has_its_supply() -> None:
    wire = bytes.fromhex("8e021f00f3890000020001022800070216000c01760601008104131804008f")

    assert parse(wire) == [
        DeviceStatus(
            device="line",
            received_us=RECEIVED_US,
            noise=40,
            temperature=22,
            supply_mv=11_800,
            gps_locked=False,
            decoder="268307",
        )
    ]


def test_an_answered_clock_question_is_a_reading_without_its_question() -> None:
    assert parse(encode_time_reply(1_700_000_000_123_456, utc_us=5, decoder=1)) == [
        ClockReading(device="line", received_us=RECEIVED_US, device_us=1_700_000_000_123_456)
    ]


NUMBER, TRANSPONDER, RTC = (1, "01000000"), (3, "02000000"), (4, "0300000000000000")


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (frame(1, NUMBER, TRANSPONDER), "PASSING: field 04 RTC_TIME is missing"),
        (frame(1, NUMBER, RTC), "PASSING: field 03 TRANSPONDER is missing"),
        (frame(1, TRANSPONDER, RTC), "PASSING: field 01 NUMBER is missing"),
        (
            frame(1, NUMBER, TRANSPONDER, (4, "03000000")),
            "PASSING: field 04 RTC_TIME has 4 bytes instead of 8",
        ),
        (frame(1, NUMBER, TRANSPONDER, RTC, (5, "")), "PASSING: field 05 STRENGTH has 0 bytes instead of 2"),
        (
            frame(1, NUMBER, TRANSPONDER, RTC, (0x30, "010203")),
            "PASSING: field 30 VOLTAGE has 3 bytes instead of 1 or 2",
        ),
        (frame(1, NUMBER, TRANSPONDER, RTC, TRANSPONDER), "PASSING: field 03 TRANSPONDER is there twice"),
        (frame(2, (1, "01")), "STATUS: field 01 NOISE has 1 bytes instead of 2"),
        (frame(0x24, (1, "01")), "GET_TIME: field 01 RTC_TIME has 1 bytes instead of 8"),
        (frame(0x24), "GET_TIME: field 01 RTC_TIME is missing"),
    ],
)
def test_a_missing_or_wrong_field_is_malformed_and_says_which(wire: bytes, reason: str) -> None:
    assert parse(b"~~" + wire)[1:] == [
        Malformed(device="line", received_us=RECEIVED_US, offset=2, reason=reason, raw=wire.hex())
    ]


def test_fields_that_the_program_does_not_read_cost_no_passing() -> None:
    wire = frame(1, (0x77, ""), RTC, (0x0E, "01"), TRANSPONDER, (0x77, "0102"), NUMBER, (0x30, "21"))

    assert parse(wire) == [
        Passing(device="line", received_us=RECEIVED_US, device_us=3, transponder="2", sequence=1, battery=0x21)
    ]


@pytest.mark.parametrize(
    ("wire", "name", "detail"),
    [
        (encode_get_time(), "get_time_question", {}),
        (encode_resend(100, 110), "resend", {"from": 100, "until": 110}),
        (encode_error(5, decoder=7), "error", {"code": 5, "decoder_id": 7, "meaning": "missing parameters"}),
        (encode_error(99), "error", {"code": 99, "meaning": "unknown code"}),
        (
            encode_version(decoder_type=0x10, description="AMBrc", version="4.5.1", decoder=7),
            "version",
            {"type": 16, "description": "AMBrc", "version": "4.5.1", "decoder_id": 7},
        ),
        (frame(0x2F, (1, "0aff"), (0x81, "07000000")), "loop_trigger", {"field_01": "0aff", "decoder_id": 7}),
        (frame(0x1C), "type_001c", {}),
        (frame(0x0003, (2, "00" * 9)), "version", {"description": "00" * 9}),
        (encode_resend(0x31323334, 0xFFFFFFFF), "resend", {"from": 0x31323334, "until": 0xFFFFFFFF}),
    ],
)
def test_other_valid_frames_are_named(wire: bytes, name: str, detail: dict[str, int | str]) -> None:
    assert parse(wire) == [Unhandled(device="line", received_us=RECEIVED_US, name=name, detail=detail)]


def test_damage_keeps_its_offset_and_at_most_128_bytes() -> None:
    first = encode_get_time()

    error = parse(first + b"z" * 500)[1]

    assert isinstance(error, Malformed)
    assert error.offset == len(first)
    assert error.raw == "7a" * 128


def test_the_encoders_build_the_bytes_that_real_boxes_send() -> None:
    assert encode_get_time().hex() == "8e0211004e4e000024000100040005008f"
    assert encode_resend(100, 110).hex() == "8e02170012980000040001046400000002046e0000008f"
    assert (
        encode_status(noise=40, temperature=22, supply_decivolts=0x76, gps=0, decoder=268_307).hex()
        == "8e021f00f3890000020001022800070216000c01760601008104131804008f"
    )
    assert (
        encode_status(noise=53, temperature=16, gps=1, satellites=0, decoder=786_640).hex()
        == "8e021f006cb10000020001023500070210000601010a01008104d0000c008f"
    )
    assert encode_passing(
        number=0x8D8E8F,
        transponder=4_242,
        rtc_us=1_700_000_000_123_456,
        strength=100,
        hits=20,
        decoder=1,
    ) == bytes.fromhex(PASSINGS[3].values[0])  # type: ignore[arg-type]


def test_every_optional_field_of_a_passing_and_a_status_comes_back() -> None:
    passing, status = parse(
        encode_passing(number=1, transponder=2, rtc_us=3, strength=4, hits=5, flags=6, decoder=7, utc_us=8, voltage=9)
        + encode_status(noise=1, temperature=2, supply_decivolts=3, gps=1, satellites=5, loop_triggers=6, decoder=7)
    )

    assert passing == Passing(
        device="line", received_us=RECEIVED_US, device_us=3, transponder="2", sequence=1,
        strength=4, hits=5, decoder="7", battery=9, flags=6,
    )  # fmt: skip
    assert status == DeviceStatus(
        device="line", received_us=RECEIVED_US, noise=1, temperature=2, supply_mv=300, satellites=5,
        gps_locked=True, loop_triggers=6, decoder="7",
    )  # fmt: skip


def test_a_number_that_does_not_fit_its_field_is_refused() -> None:
    with pytest.raises(FrameError, match="field 03: 4294967296 does not fit into 4 bytes"):
        encode_passing(number=1, transponder=1 << 32, rtc_us=0)


@pytest.mark.parametrize(
    ("wire", "request_"),
    [
        (encode_get_time(), GetTime()),
        (bytes.fromhex("8e0000005beb000024000100040005008f"), GetTime()),
        (bytes.fromhex("8e02170012980000040001046400000002046e0000008f"), Resend(100, 110)),
        (frame(4, (1, "64000000")), OtherRequest(4)),
        (frame(0x28, (1, "")), OtherRequest(0x28)),
    ],
)
def test_requests_as_the_decoder_reads_them(wire: bytes, request_: GetTime | Resend | OtherRequest) -> None:
    (item,) = FrameReader().feed(wire)

    assert isinstance(item, ReceivedFrame)
    assert read_request(item.frame) == request_


@settings(derandomize=True)
@given(st.binary(max_size=300))
def test_garbage_never_raises_and_never_gives_a_passing(garbage: bytes) -> None:
    assert not any(isinstance(record, Passing) for record in parse(garbage))


@settings(derandomize=True)
@given(
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, (1 << 64) - 1),
    st.integers(0, 0xFFFF),
)
def test_every_passing_survives_the_wire(number: int, transponder: int, rtc_us: int, strength: int) -> None:
    (record,) = parse(encode_passing(number=number, transponder=transponder, rtc_us=rtc_us, strength=strength))

    assert isinstance(record, Passing)
    assert (record.sequence, record.transponder, record.device_us, record.strength) == (
        number,
        str(transponder),
        rtc_us,
        strength,
    )


@pytest.mark.skipif(not CAPTURE.exists(), reason=f"needs the AMBrc capture {CAPTURE.name} in ../shared/captures/p3")
class TestCaptureOfARealDecoder:
    wires = [bytes.fromhex(line) for line in CAPTURE.read_text().split()] if CAPTURE.exists() else []

    def test_every_frame_is_a_status_or_a_passing(self) -> None:
        records = parse(b"".join(self.wires))

        assert len(self.wires) == 371
        assert sum(isinstance(record, DeviceStatus) for record in records) == 288
        assert sum(isinstance(record, Passing) for record in records) == 83
        assert len(records) == 371

    def test_every_frame_is_encoded_again_byte_for_byte(self) -> None:
        assert [encode_frame(decode_frame(wire)) for wire in self.wires] == self.wires

    def test_the_encoders_rebuild_every_passing(self) -> None:
        for wire in self.wires:
            (record,) = parse(wire)
            if isinstance(record, Passing):
                assert record.sequence is not None
                assert record.decoder is not None
                rebuilt = encode_passing(
                    number=record.sequence,
                    transponder=int(record.transponder),
                    rtc_us=record.device_us,
                    strength=record.strength,
                    hits=record.hits,
                    flags=record.flags,
                    decoder=int(record.decoder),
                )
                assert rebuilt == wire

    def test_the_stream_reads_the_same_byte_by_byte(self) -> None:
        data = b"".join(self.wires)
        parser = P3Parser("line")

        one_by_one = [record for byte in data for record in parser.feed(bytes((byte,)), RECEIVED_US)]

        assert one_by_one == parse(data)
