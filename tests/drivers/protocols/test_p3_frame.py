"""P3 framing: escapes, LENGTH, checksum, and the way back into the stream after damage."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.protocols.p3 import (
    Frame,
    FrameError,
    FrameReader,
    FramingError,
    ReceivedFrame,
    checksum,
    decode_frame,
    encode_frame,
)

STATUS = bytes.fromhex("8e021f00f3890000020001022800070216000c01760601008104131804008f")
GOOD_PASSING = bytes.fromhex(
    "8e0233009ec700000100010448bc010003041d582c000408e805bfc4a41b050005026a0006023200080200008104930f02008f"
)
THREE_ESCAPES = bytes.fromhex(
    "8e023300e42d0000010001048daf8dae8dad00030492100000040840222018240a06000502640006021400080200008104010000008f"
)
FRAMES = st.builds(
    Frame,
    type_of_record=st.integers(0, 0xFFFF),
    fields=st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=12).map(tuple),
    version=st.integers(0, 255),
    flags=st.integers(0, 0xFFFF),
)


def read(data: bytes) -> list[ReceivedFrame | FramingError]:
    reader = FrameReader()
    return reader.feed(data) + reader.close()


def reasons(data: bytes) -> list[str]:
    return [item.reason for item in read(data) if isinstance(item, FramingError)]


def test_the_worked_checksum_of_a_real_status_frame() -> None:
    assert checksum(STATUS) == 0x89F3
    assert decode_frame(STATUS).fields == (
        (0x01, b"\x28\x00"),
        (0x07, b"\x16\x00"),
        (0x0C, b"\x76"),
        (0x06, b"\x00"),
        (0x81, b"\x13\x18\x04\x00"),
    )


def test_the_three_escaped_bytes_are_decoded_and_encoded_again() -> None:
    frame = decode_frame(THREE_ESCAPES)

    assert frame.fields[0] == (0x01, b"\x8f\x8e\x8d\x00")
    assert encode_frame(frame) == THREE_ESCAPES


def test_8a_to_8c_travel_unescaped() -> None:
    wire = encode_frame(Frame(type_of_record=0x0002, fields=((0x99, b"\x8a\x8b\x8c"),)))

    assert b"\x8a\x8b\x8c" in wire
    assert decode_frame(wire).fields == ((0x99, b"\x8a\x8b\x8c"),)


def test_a_box_that_escapes_8a_to_8c_too_is_understood() -> None:
    wire = encode_frame(Frame(type_of_record=0x0002, fields=((0x99, b"\x8a"),)))

    assert decode_frame(wire.replace(b"\x8a", b"\x8d\xaa")).fields == ((0x99, b"\x8a"),)


def test_checksum_and_length_are_escaped_too() -> None:
    frames = [
        Frame(type_of_record=0x0028, fields=((1, bytes([n & 255, n >> 8])), (2, bytes(118)))) for n in range(3_000)
    ]
    wires = [encode_frame(frame) for frame in frames]

    assert all(wire[2:4] == b"\x87\x00" for wire in wires)
    assert any(b"\x8d" in wire[4:8] for wire in wires)
    assert [decode_frame(wire) for wire in wires] == frames
    escaped_length = encode_frame(Frame(type_of_record=0x0028, fields=((2, bytes(0x8E - 13)),)))
    assert escaped_length[2:5] == b"\x8d\xae\x00"


def test_length_zero_as_in_requests_in_the_wild_is_tolerated() -> None:
    frame = decode_frame(bytes.fromhex("8e0000005beb000024000100040005008f"))

    assert frame == Frame(type_of_record=0x0024, fields=((1, b""), (4, b""), (5, b"")), version=0)


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ("8e8f", "frame of 2 bytes: its header alone needs 11"),
        (
            "8e022000f3890000020001022800070216000c01760601008104131804008f",
            "LENGTH says 32 bytes, the frame has 31",
        ),
        (
            "8e021f00f4890000020001022800070216000c01760601008104131804008f",
            "checksum 89f4 does not match its bytes (89f3)",
        ),
        ("8e02118d4e4e000024000100040005008f", "escape 8d is not followed by an escaped byte (aa to af)"),
        ("8e02118d8daf4e4e00008d8f", "escape 8d is not followed by an escaped byte (aa to af)"),
    ],
)
def test_a_damaged_frame_says_what_is_wrong(wire: str, reason: str) -> None:
    assert reasons(bytes.fromhex(wire)) == [reason]


def with_checksum(plain: bytes) -> bytes:
    return plain[:4] + checksum(plain).to_bytes(2, "little") + plain[6:]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("01", "field 01 at byte 10 is cut off after its tag"),
        ("010455", "field 01 at byte 10 says 4 bytes, 1 are left"),
    ],
)
def test_fields_must_end_where_the_frame_ends(fields: str, reason: str) -> None:
    body = bytes.fromhex(fields)
    plain = bytes((0x8E, 2, 11 + len(body), 0, 0, 0, 0, 0, 1, 0)) + body + b"\x8f"

    assert reasons(with_checksum(plain)) == [reason]


def test_the_real_frame_that_lost_one_byte_is_an_error_and_the_next_frame_is_read() -> None:
    # The beginning is the bad frame of a real decoder: one 00 of the flags is lost, LENGTH still says 51.
    bad = bytes.fromhex("8e023300780d0001000104c9dc0a00") + bytes(34) + b"\x8f"

    error, frame = read(bad + STATUS)

    assert error == FramingError(0, bad, "LENGTH says 51 bytes, the frame has 50")
    assert frame == ReceivedFrame(50, STATUS, decode_frame(STATUS))


def test_junk_before_the_start_of_record_is_reported_with_its_place() -> None:
    junk, frame = read(b"ZX1ZPTFVQ" + GOOD_PASSING)

    assert junk == FramingError(0, b"ZX1ZPTFVQ", "9 bytes outside any frame (no start of record 8e before them)")
    assert isinstance(frame, ReceivedFrame)
    assert frame.offset == 9


def test_any_raw_8e_begins_a_new_frame() -> None:
    cut, frame = read(GOOD_PASSING[:20] + STATUS)

    assert cut == FramingError(0, GOOD_PASSING[:20], "frame cut short after 20 bytes: the next one begins")
    assert isinstance(frame, ReceivedFrame)
    assert frame.raw == STATUS


def test_a_frame_that_the_stream_did_not_finish_is_reported_at_its_end() -> None:
    assert read(STATUS + STATUS[:5])[1:] == [FramingError(31, STATUS[:5], "stream ended 5 bytes into a frame")]


@pytest.mark.parametrize("noise", [b"\x00", b"\x8e\x00", b"\x8e", b"\x8f", b"\x8d"])
def test_endless_noise_is_reported_in_pieces_and_leaves_no_large_buffer(noise: bytes) -> None:
    data = noise + (noise[-1:] if len(noise) == 1 else b"\x00") * 50_000
    reader = FrameReader()

    found = [item for start in range(0, len(data), 100) for item in reader.feed(data[start : start + 100])]
    left = reader.close()

    assert all(isinstance(item, FramingError) for item in found)
    assert b"".join(item.raw for item in found + left) == data
    assert sum(len(item.raw) for item in left) <= 4_096
    assert reader.feed(STATUS) == [ReceivedFrame(len(data), STATUS, decode_frame(STATUS))]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (Frame(type_of_record=0x1_0000), "type of record 65536 does not fit: it must be 0 to 65535"),
        (Frame(type_of_record=1, version=-1), "version -1 does not fit: it must be 0 to 255"),
        (Frame(type_of_record=1, flags=1 << 16), "flags 65536 does not fit: it must be 0 to 65535"),
        (
            Frame(type_of_record=1, fields=((256, b""),)),
            "field 256 with 0 bytes: tag and length must be 0 to 255",
        ),
        (Frame(type_of_record=1, fields=((1, bytes(256)),)), "field 1 with 256 bytes"),
        (Frame(type_of_record=1, fields=((1, bytes(255)),) * 20), "4096 is the most; send fewer fields"),
        (Frame(type_of_record=1, fields=((1, bytes(255)),) * 300), "length 77111 does not fit"),
    ],
)
def test_a_frame_that_does_not_fit_the_wire_is_refused(frame: Frame, message: str) -> None:
    with pytest.raises(FrameError) as refusal:
        encode_frame(frame)

    assert message in str(refusal.value)


@settings(derandomize=True)
@given(FRAMES)
def test_every_frame_survives_the_wire(frame: Frame) -> None:
    wire = encode_frame(frame)

    assert decode_frame(wire) == frame
    assert encode_frame(decode_frame(wire)) == wire
    assert wire.count(b"\x8e") == wire.count(b"\x8f") == 1


@settings(derandomize=True)
@given(st.lists(st.one_of(FRAMES.map(encode_frame), st.binary(max_size=30)), max_size=8), st.randoms())
def test_the_split_of_the_stream_does_not_show(pieces: list[bytes], chance: random.Random) -> None:
    data = b"".join(pieces)
    reader = FrameReader()
    found: list[ReceivedFrame | FramingError] = []
    position = 0
    while position < len(data):
        size = chance.randint(1, 40)
        found += reader.feed(data[position : position + size])
        position += size

    assert found + reader.close() == read(data)
    assert b"".join(item.raw for item in read(data)) == data


@settings(derandomize=True)
@given(FRAMES.map(encode_frame), st.data())
def test_a_flipped_bit_never_gives_a_frame(wire: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(wire) - 1))
    damaged = bytearray(wire)
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))

    assert [item for item in read(bytes(damaged)) if isinstance(item, ReceivedFrame)] == []
