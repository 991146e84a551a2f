"""JSON messages: documented keys only, integers only, and one clear reason for each message that is wrong."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.models import Device
from drivers.protocols.base import Resume
from drivers.protocols.json_mqtt import KINDS, MAX_MESSAGE_BYTES, PROTOCOL, JsonParser, encode, schema
from drivers.records import (
    ClockReading,
    DeviceStatus,
    Impulse,
    Malformed,
    Passing,
    PhotoFinish,
    PhotoFinishLine,
    Record,
    SequenceGap,
    Unhandled,
)

STEADY = settings(derandomize=True, deadline=None)

RECORDS: list[Any] = [
    Passing(
        device="gateway",
        received_us=9,
        device_us=1_628_405_460_000_001,
        transponder="4711",
        channel="finish",
        sequence=12,
        strength=-60,
        hits=33,
        decoder="D1",
        battery=90,
        flags=1,
        backlog=True,
    ),
    Impulse(device="gateway", received_us=9, device_us=5, channel="gun", sequence=1, bib="7", manual=True),
    PhotoFinish(
        device="gateway",
        received_us=9,
        lines=(
            PhotoFinishLine(place=1, bib="7", lane=4, name="Jörn", time_us=10_123_456, gap_us=0),
            PhotoFinishLine(bib="8", status="DNF"),
        ),
        event="keirin",
        round="final",
        heat="1",
        name="Keirin men",
        start_device_us=40_000_000,
        official=True,
        sequence=3,
    ),
    DeviceStatus(
        device="gateway",
        received_us=9,
        device_us=6,
        noise=21,
        temperature=-3,
        supply_mv=12_100,
        satellites=7,
        gps_locked=True,
        loop_triggers=40,
        sequence=2,
        decoder="D1",
        text="ok",
    ),
    ClockReading(device="gateway", received_us=9, device_us=2**63 - 1),
]


def parse(data: bytes) -> list[Record]:
    parser = JsonParser("gateway")
    return parser.feed(data, 9) + parser.close(9)


def reason_of(message: str) -> str:
    (record,) = parse(message.encode() + b"\n")
    assert isinstance(record, Malformed)
    return record.reason


# -- messages ------------------------------------------------------------------------------------------------


def test_a_message_written_by_hand_is_read() -> None:
    assert parse(b'{"kind": "passing", "device_us": 1628405460000001, "transponder": "4711"}\n') == [
        Passing(device="gateway", received_us=9, device_us=1_628_405_460_000_001, transponder="4711")
    ]


@pytest.mark.parametrize("record", RECORDS, ids=list(KINDS))
def test_every_kind_with_every_key_is_read_back(record: Any) -> None:
    assert parse(encode(record) + b"\n") == [record]


def test_several_messages_in_one_read_and_empty_payloads_between_them() -> None:
    assert parse(b"\n".join([b"", *(encode(record) for record in RECORDS), b" \r", b""])) == RECORDS


@STEADY
@given(st.integers(0, 2**63 - 1))
def test_every_microsecond_is_exact(device_us: int) -> None:
    record = ClockReading(device="gateway", received_us=9, device_us=device_us)
    assert parse(encode(record) + b"\n") == [record]


def test_a_record_without_a_message_cannot_be_encoded() -> None:
    other: Any = Unhandled(device="gateway", received_us=9, name="settings")
    with pytest.raises(TypeError, match="Unhandled has no JSON message"):
        encode(other)
    with pytest.raises(msgspec.ValidationError, match="device_us"):
        encode(Passing(device="gateway", received_us=9, device_us=-1, transponder="1"))


# -- what is wrong with a message ----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["device", "received_us", "race_us", "chanel"])
def test_an_unknown_key_is_named_with_those_that_are_allowed(key: str) -> None:
    reason = reason_of(f'{{"kind":"impulse","device_us":1,"channel":"1","{key}":5}}')
    assert reason == (
        f"key '{key}' is unknown in impulse messages: allowed are device_us, channel, sequence, bib, manual, backlog"
    )


def test_an_unknown_key_in_a_photo_finish_line_is_named_too() -> None:
    reason = reason_of('{"kind":"photo_finish","lines":[{"place":1},{"tme_us":4}]}')
    assert reason == (
        "key 'tme_us' is unknown in photo_finish lines: allowed are place, bib, lane, name, time_us, gap_us, status"
    )


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('{"kind":"passing","device_us":1}', "passing message: Object missing required field `transponder`"),
        (
            '{"kind":"passing","transponder":"1"}',
            "passing message: Object missing required field `device_us`",
        ),
        ('{"kind":"clock","device_us":1.0}', "clock message: Expected `int`, got `float`"),
        ('{"kind":"clock","device_us":1e3}', "clock message: Expected `int`, got `float`"),
        ('{"kind":"clock","device_us":"1"}', "clock message: Expected `int`, got `str`"),
        ('{"kind":"clock","device_us":true}', "clock message: Expected `int`, got `bool`"),
        ('{"kind":"clock","device_us":-1}', "clock message: Expected `int` >= 0"),
        ('{"kind":"clock","device_us":9223372036854775808}', "clock message: Expected `int` <="),
        ('{"kind":"passing","device_us":1,"transponder":7}', "passing message: Expected `str`, got `int`"),
        ('{"kind":"photo_finish","lines":[{"place":0}]}', "photo_finish message: Expected `int` >= 1"),
        ('{"kind":"photo_finish","lines":7}', "photo_finish message: Expected `array`, got `int`"),
        ('{"kind":"gap","first":1,"last":2}', "kind 'gap' is unknown: give one of passing, impulse, photo"),
        ('{"device_us":1}', "kind None is unknown"),
        ('{"kind":["passing"]}', "kind ['passing'] is unknown"),
        ("[]", "a message is one JSON object with a key 'kind'"),
        ("7", "a message is one JSON object with a key 'kind'"),
        ('{"kind":"clock"', "not JSON"),
        ('{"kind":"clock","device_us":1} {}', "not JSON"),
        ('{"x":' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_a_wrong_message_gives_one_clear_reason(message: str, reason: str) -> None:
    assert reason_of(message).startswith(reason)


def test_text_that_is_not_utf8_is_refused() -> None:
    (record,) = parse(b'{"kind":"passing","device_us":1,"transponder":"\xff"}\n')
    assert isinstance(record, Malformed)
    assert record.reason.startswith("not JSON")


def test_reading_goes_on_behind_damage_and_offsets_count_from_the_streams_beginning() -> None:
    clock = encode(RECORDS[4])
    records = parse(clock + b"\noops\n" + clock + b"\n")
    assert [type(record) for record in records] == [ClockReading, Malformed, ClockReading]
    malformed = records[1]
    assert isinstance(malformed, Malformed)
    assert (malformed.offset, malformed.raw) == (len(clock) + 1, b"oops".hex())


def test_a_message_without_its_line_feed_is_reported_at_the_end() -> None:
    (record,) = parse(encode(RECORDS[0]))
    assert isinstance(record, Malformed)
    assert "line feed is missing" in record.reason


def test_a_message_without_end_is_dropped_and_the_next_is_read() -> None:
    clock = encode(RECORDS[4])
    parser = JsonParser("gateway")
    stream = b" " * MAX_MESSAGE_BYTES + b"xx\n" + clock + b"\n"
    split = [record for start in range(0, len(stream), 999) for record in parser.feed(stream[start:][:999], 9)]
    assert [type(record) for record in split] == [Malformed, ClockReading]
    assert split == parse(stream)


# -- streams -------------------------------------------------------------------------------------------------


@STEADY
@given(st.lists(st.integers(0, 900), max_size=12), st.binary(max_size=40))
def test_any_split_gives_the_same_records(cuts: list[int], noise: bytes) -> None:
    stream = b"\n".join(encode(record) for record in RECORDS) + b"\n" + noise + b"\n"
    edges = [0, *sorted(cuts), len(stream)]
    parser = JsonParser("gateway")
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    records = [record for piece in pieces for record in parser.feed(piece, 9)]
    assert records + parser.close(9) == parse(stream)
    assert records[: len(RECORDS)] == RECORDS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(list(KINDS)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "lines", "device_us", "channel", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@STEADY
@given(JSON)
def test_any_json_gives_one_record_and_never_raises(value: object) -> None:
    assert len(parse(json.dumps(value).encode() + b"\n")) == 1


@STEADY
@given(st.binary(max_size=200))
def test_garbage_is_reported_and_never_raises(garbage: bytes) -> None:
    assert all(isinstance(record, Malformed) for record in parse(garbage))


# -- schema --------------------------------------------------------------------------------------------------


def test_the_schema_is_plain_json_and_tells_the_kinds_apart() -> None:
    shape = json.loads(json.dumps(schema()))
    assert shape["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert list(shape["discriminator"]["mapping"]) == list(KINDS)


@pytest.mark.parametrize(
    ("definition", "required"),
    [
        ("PassingMessage", {"kind", "device_us", "transponder"}),
        ("ImpulseMessage", {"kind", "device_us", "channel"}),
        ("PhotoFinishMessage", {"kind", "lines"}),
        ("StatusMessage", {"kind"}),
        ("ClockMessage", {"kind", "device_us"}),
        ("LineMessage", set()),
    ],
)
def test_the_schema_requires_what_the_reader_requires_and_forbids_the_rest(definition: str, required: set[str]) -> None:
    shape = schema()["$defs"][definition]
    assert set(shape["required"]) == required
    assert shape["additionalProperties"] is False


def test_every_instant_and_duration_is_an_integer_in_the_schema() -> None:
    micros = {
        (name, key): shape
        for name, definition in schema()["$defs"].items()
        for key, shape in definition["properties"].items()
        if key.endswith("_us")
    }
    assert len(micros) == 7
    for shape in micros.values():
        types = {part["type"] for part in shape.get("anyOf", [shape])}
        assert types in ({"integer"}, {"integer", "null"})


@pytest.mark.parametrize(("kind", "pair"), KINDS.items())
def test_a_message_has_the_keys_of_its_record_and_no_others(kind: str, pair: tuple[Any, Any]) -> None:
    message, record = pair
    only_ours = {"device", "received_us"} | ({"sent_us"} if kind == "clock" else set())
    assert set(message.__struct_fields__) == set(record.__struct_fields__) - only_ours


def test_the_protocol_has_its_contract_name() -> None:
    assert PROTOCOL.name == "json"


# -- numbers ---------------------------------------------------------------------------------------------------

DEVICE = Device(id="gateway", protocol="json", address="mqtt:track/gateway")


def numbered(number: int | None, device_us: int | None = None) -> bytes:
    at_us = (number or 0) * 1_000 if device_us is None else device_us
    return encode(Impulse(device="gateway", received_us=0, device_us=at_us, channel="gun", sequence=number)) + b"\n"


def heard(*messages: bytes, last: int | None = None) -> list[object]:
    """What the session makes of them: numbers of impulses, (first, last) of gaps, names of the rest."""
    session = PROTOCOL.session(DEVICE, Resume(last_sequence=last))
    session.connected(0)
    said: list[object] = []
    for record in session.receive(b"".join(messages), 7).records:
        assert record.received_us == 7
        if isinstance(record, SequenceGap):
            assert not record.asked, "nobody can be asked"
            said.append((record.first, record.last))
        elif isinstance(record, Unhandled):
            said.append((record.name, record.detail))
        else:
            assert isinstance(record, Impulse | Passing)
            said.append(record.sequence)
    return said


def test_numbers_that_did_not_come_are_a_gap() -> None:
    assert heard(numbered(5), numbered(6), numbered(9), numbered(10)) == [5, 6, (7, 8), 9, 10]


def test_what_was_lost_while_the_host_was_dead_is_a_gap_from_the_newest_number_on_disk() -> None:
    assert heard(numbered(13), last=10) == [(11, 12), 13]
    assert heard(numbered(11), last=10) == [11]
    assert heard(numbered(13), last=None) == [13], "nothing is known of a device that was never heard"


def test_passings_and_impulses_share_one_numbering_and_other_kinds_have_none() -> None:
    passing = Passing(device="gateway", received_us=0, device_us=9, transponder="1", sequence=2)
    status = DeviceStatus(device="gateway", received_us=0, noise=1, sequence=900)
    session = PROTOCOL.session(DEVICE, Resume())
    wire = b"".join((numbered(1), encode(passing) + b"\n", encode(status) + b"\n", numbered(None), numbered(3)))
    kinds = [type(record) for record in session.receive(wire, 7).records]
    assert kinds == [Impulse, Passing, DeviceStatus, Impulse, Impulse]


def test_duplicates_and_late_ones_are_passed_through_and_say_nothing() -> None:
    assert heard(numbered(1), numbered(1), numbered(4), numbered(2), numbered(2), numbered(3), numbered(5)) == [
        *(1, 1, (2, 3), 4, 2, 2, 3, 5)
    ]
    assert heard(numbered(10), numbered(11), last=10) == [10, 11], "the newest on disk, sent again after a restart"


def test_numbers_that_begin_anew_are_said_and_followed() -> None:
    restarted = ("numbering_restarted", {"last": 4, "first": 1})
    assert heard(numbered(3), numbered(4), numbered(1, 99_000), numbered(2), numbered(4, 5)) == [
        *(3, 4, restarted, 1, 2, (3, 3), 4)
    ]
    assert heard(numbered(1), last=4) == [restarted, 1]


def test_the_numbers_are_followed_over_a_reconnect() -> None:
    session = PROTOCOL.session(DEVICE, Resume())
    session.connected(0)
    session.receive(numbered(1) + b'{"kind"', 5)
    (cut,) = session.disconnected(6)
    assert isinstance(cut, Malformed)
    session.connected(7)
    gap, record = session.receive(numbered(3), 8).records
    assert gap == SequenceGap(device="gateway", received_us=8, first=2, last=2)
    assert isinstance(record, Impulse)


def test_a_wild_number_costs_no_memory_and_no_time() -> None:
    assert heard(numbered(1), numbered(2**62, 5), numbered(2**62 + 1, 6)) == [1, (2, 2**62 - 1), 2**62, 2**62 + 1]
