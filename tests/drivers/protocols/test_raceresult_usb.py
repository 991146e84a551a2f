"""race result USB timing box: the maker's sample to the µs, damage, and the conversation held by hand."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.models import Device
from drivers.protocols import registry
from drivers.protocols.base import Resume
from drivers.protocols.raceresult_usb import (
    PROTOCOL,
    RaceResultUsbParser,
    RaceResultUsbSession,
    Reference,
    encode_command,
    encode_id,
    encode_reply,
    format_passing,
    parse_tick,
    read_passing,
)
from drivers.protocols.raceresult_usb_session import AFTER_OPEN_US, DTR_ADVICE
from drivers.records import (
    ClockReading,
    DeviceStatus,
    Impulse,
    Malformed,
    Passing,
    Record,
    SequenceGap,
    Unhandled,
)

CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "raceresult" / "usb_timing_box_samples.txt"
NOW_US = 1_700_000_000_000_000
EPOCH_S = 0x4A3CAA45  # 2009-06-20T09:22:13Z
REFERENCE = b"EPOCHREFSET;00\n4a3caa45;0151bcf5\n\n"
ROWS = (
    "GLBAS60;0718;01521527;0c;08;9f;1a;0;1;2;00;0",
    "GLBAS70;04c1;01521536;14;09;9f;1a;0;1;2;00;0",
    "EMPAL70;047c;0152153b;0e;08;9f;1a;0;1;2;00;0",
)
SAMPLE = REFERENCE + encode_reply("PASSINGGET", "00000000;03", *ROWS)


def parse(data: bytes) -> list[Record]:
    parser = RaceResultUsbParser("line")
    return parser.feed(data, NOW_US) + parser.close(NOW_US)


def passings(records: list[Record]) -> list[Passing]:
    return [record for record in records if isinstance(record, Passing)]


# -- lines -----------------------------------------------------------------------------------------------------


def test_the_makers_sample_is_read_to_the_microsecond() -> None:
    records = parse(SAMPLE)

    assert [type(record) for record in records] == [Unhandled, Passing, Passing, Passing]
    assert records[1] == Passing(
        device="line",
        received_us=NOW_US,
        device_us=EPOCH_S * 1_000_000 + 88_195_312,  # 22,578 ticks are 88.1953125 s, cut
        transponder="GLBAS60",
        channel="2",
        sequence=1,
        strength=8,
        hits=12,
        battery=0x9F,
        flags=0,
    )
    after_epoch = [(one.sequence, one.device_us - EPOCH_S * 1_000_000) for one in passings(records)]
    assert after_epoch == [(1, 88_195_312), (2, 88_253_906), (3, 88_273_437)]


def test_every_line_of_the_captured_exchange_is_explained() -> None:
    if not CAPTURE.exists():
        pytest.skip(f"needs the capture {CAPTURE.name}, which is not beside this repository")
    said = [row[2:] for row in CAPTURE.read_text().splitlines() if row.startswith("<")]
    heard = b"".join(row.encode() + b"\n" for row in said)
    asked = [row[2:] for row in CAPTURE.read_text().splitlines() if row.startswith(">")]

    records = parse(heard)

    assert len(said) == 9
    assert [one.transponder for one in passings(records)] == ["GLBAS60", "GLBAS70", "EMPAL70"]
    assert not [record for record in records if isinstance(record, Malformed)]
    assert heard == SAMPLE
    assert [encode_command("EPOCHREFSET", encode_id(EPOCH_S)), encode_command("PASSINGGET", encode_id(0))] == [
        row.encode() + b"\n" for row in asked
    ]


def test_bytes_one_by_one_give_the_same_records_as_whole() -> None:
    parser = RaceResultUsbParser("line")

    assert [record for byte in SAMPLE for record in parser.feed(bytes((byte,)), NOW_US)] == parse(SAMPLE)


def test_ticks_of_firmware_2_6_are_eight_times_finer() -> None:
    assert parse_tick("0151bcf5") == 22_134_005 * 8
    assert parse_tick("000a8de7a9") == 0xA8DE7A9
    assert Reference(10, 0).device_us(2_048) == 11_000_000
    assert Reference(10, 0).device_us(1) == 10_000_488
    with pytest.raises(ValueError, match="8 or 10"):
        parse_tick("12345")


def test_a_pushed_passing_has_no_number_and_the_trigger_input_makes_an_impulse() -> None:
    pushed, trigger = parse(b"#P;" + ROWS[0].encode() + b"\n#P;_____127;0000;00000100;01;00;00;00;0;0;0;00;0\n")

    assert isinstance(pushed, Passing)
    assert pushed.sequence is None
    assert trigger == Impulse(device="line", received_us=NOW_US, device_us=1_000_000, channel="trigger")


def test_clock_supply_temperature_and_loop_are_read() -> None:
    clock, temperature, supply, loop = parse(
        b"\0\0"
        + encode_reply("TIMESTAMPGET", "00000180")
        + encode_reply("INFOGET", "09;18")
        + encode_reply("INFOGET", "0a;32")
        + encode_reply("INFOGET", "0b;01")
    )

    assert clock == ClockReading(device="line", received_us=NOW_US, device_us=1_500_000)
    assert [getattr(one, "temperature", None) for one in (temperature, supply)] == [24, None]
    assert isinstance(supply, DeviceStatus)
    assert isinstance(loop, DeviceStatus)
    assert (supply.supply_mv, loop.text) == (5_000, "loop FAULT")


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"GLBAS60;0718\n", "line belongs to no reply"),
        (encode_reply("PASSINGGET", "00000000;02", ROWS[0]), "ended with 1 passings too few"),
        (encode_reply("PASSINGGET", "00000000;01", *ROWS[:2]), "more passings than it said"),
        (encode_reply("PASSINGGET", "00000000;01", ROWS[0][:-2]), "passing has 11 fields instead of 12"),
        (encode_reply("PASSINGGET", "0000000g;00"), "passing id '0000000g' has not 8 hexadecimal digits"),
        (encode_reply("PASSINGGET", "00000000;01", ROWS[0].replace("01521527", "0152152")), "tick '0152152'"),
        (encode_reply("EPOCHREFGET", "4a3caa45"), "EPOCHREFGET is not followed by a second and a tick"),
        (encode_reply("TIMESTAMPGET", "00000000", "00000001"), "reply to TIMESTAMPGET has a line too many"),
    ],
)
def test_a_bad_line_is_malformed_and_the_next_reply_is_read(wire: bytes, reason: str) -> None:
    records = parse(wire + encode_reply("PASSINGGET", "00000009;01", ROWS[2]))
    errors = [record for record in records if isinstance(record, Malformed)]

    assert len(errors) == 1
    assert reason in errors[0].reason
    assert passings(records)[-1].sequence == 10


def test_a_refused_command_and_a_reset_are_named() -> None:
    refused, reset = parse(encode_reply("SITESURVEY", error="03") + b"AUTOBOOT\n")

    assert isinstance(refused, Unhandled)
    assert (refused.name, refused.detail) == ("refused", {"command": "SITESURVEY", "error": "03"})
    assert isinstance(reset, Unhandled)
    assert reset.name == "numbering_restarted"


@pytest.mark.parametrize("row", ROWS)
def test_what_was_read_is_written_again_byte_for_byte(row: str) -> None:
    assert format_passing(read_passing(row.split(";"))) == row


@given(st.binary(max_size=120), st.integers(1, 30))
@settings(max_examples=300, deadline=None)
def test_garbage_in_any_split_raises_nothing_and_reads_as_the_whole(noise: bytes, size: int) -> None:
    stream = SAMPLE + noise + b"\n" + SAMPLE
    parser, split = RaceResultUsbParser("line"), []
    for position in range(0, len(stream), size):
        split += parser.feed(stream[position : position + size], NOW_US)

    assert split == parse(stream)
    assert passings(split)[-1].transponder == "EMPAL70"


@given(st.integers(0, len(SAMPLE) * 8 - 1))
@settings(max_examples=300, deadline=None)
def test_a_flipped_bit_raises_nothing_and_leaves_the_next_reply_whole(bit: int) -> None:
    damaged = bytearray(SAMPLE)
    damaged[bit // 8] ^= 1 << bit % 8
    records = parse(bytes(damaged) + b"\n" + SAMPLE)

    assert passings(records)[-3:] == passings(parse(SAMPLE))


# -- conversation ----------------------------------------------------------------------------------------------

DEVICE = Device(id="line", protocol="raceresult-usb", address="serial:/dev/box?baud=19200&dtr=off")


class Venue:
    """A session and a box with its memory. The box answers each command; the test may damage its answer."""

    def __init__(self, resume: Resume | None = None, device: Device = DEVICE) -> None:
        self.session = RaceResultUsbSession(device, resume or Resume())
        self.now_us = NOW_US
        self.memory: list[str] = []
        self.damage: list[bytes] = []
        self.asked: list[str] = []
        self.records: list[Record] = []
        self.lowest = 0
        self.silent = False

    def store(self, count: int) -> None:
        for _ in range(count):
            self.memory.append(f"TAG{len(self.memory)};0001;{self.tick()};05;08;1e;15;0;0;0;00;0")

    def tick(self) -> str:
        return encode_id((self.now_us - NOW_US) * 4 // 15_625 + 1_000)

    def run(self, duration_us: int = AFTER_OPEN_US + 1_000_000) -> None:
        for _ in range(duration_us // self.session.tick_us):
            self.now_us += self.session.tick_us
            self.answer(self.session.tick(self.now_us))

    def answer(self, commands: object) -> None:
        waiting = list(commands)  # type: ignore[call-overload]
        while waiting:
            assert len(waiting) == 1, "one command at a time"
            text = waiting.pop().decode().removesuffix("\n")
            self.asked.append(text)
            if self.silent:
                return
            reply = self.damage.pop(0) if self.damage and text.startswith("PASSINGGET") else self.reply(text)
            reaction = self.session.receive(reply, self.now_us)
            self.records += reaction.records
            waiting += reaction.send

    def reply(self, text: str) -> bytes:
        command, *values = text.split(";")
        if command == "PASSINGGET":
            first = int(values[0], 16)
            if not self.lowest <= first <= len(self.memory):
                return encode_reply(command, f"{values[0]};{encode_id(self.lowest)}", error="10")
            rows = self.memory[first : first + 4]
            return encode_reply(command, f"{values[0]};{len(rows):02x}", *rows)
        if command == "PASSINGINFOGET":
            last = encode_id(max(len(self.memory) - 1, 0))
            return encode_reply(command, f"{encode_id(len(self.memory))};00000000;00000000;{last};00000000")
        known = {"TIMESTAMPGET": self.tick(), "EPOCHREFGET": "00000000;00000000", "INFOGET": "01;04d2"}
        return encode_reply(command, *([known[command]] if command in known else []))


def sequences(records: list[Record]) -> list[int | None]:
    return [one.sequence for one in passings(records)]


def test_nothing_is_said_for_three_seconds_and_then_one_command_at_a_time() -> None:
    venue = Venue()
    assert venue.session.connected(NOW_US) == ()
    venue.run(AFTER_OPEN_US - 100_000)
    assert venue.asked == []
    venue.run(1_000_000)

    assert venue.asked[:6] == [
        "ASCII",
        "INFOGET;01",
        "EPOCHREFGET",
        "TIMESTAMPGET",
        "PASSINGINFOGET",
        "PASSINGGET;00000000",
    ]
    assert venue.asked.count("PASSINGGET;00000000") == 4


def test_memory_from_before_is_not_asked_for_where_nothing_is_on_disk_and_live_passings_are_no_backlog() -> None:
    venue = Venue()
    venue.store(5)
    venue.session.connected(NOW_US)
    venue.run()
    venue.store(2)
    venue.run(1_000_000)

    assert sequences(venue.records) == [6, 7]
    assert [one.backlog for one in passings(venue.records)] == [False, False]
    assert {one.decoder for one in passings(venue.records)} == {"A-1234"}


def test_what_passed_while_the_line_was_gone_is_fetched_though_nothing_was_on_disk_yet() -> None:
    venue = Venue()
    venue.store(5)
    venue.session.connected(NOW_US)
    venue.run()
    venue.session.disconnected(venue.now_us)
    venue.store(2)
    venue.session.connected(venue.now_us)
    venue.run()

    assert sequences(venue.records) == [6, 7]


def test_the_backlog_begins_after_what_is_on_disk_and_comes_once() -> None:
    venue = Venue(Resume(3, "A-1234"))
    venue.store(9)
    venue.session.connected(NOW_US)
    venue.run()

    assert sequences(venue.records) == [4, 5, 6, 7, 8, 9]
    assert all(one.backlog for one in passings(venue.records))


def test_a_reconnect_asks_again_for_what_was_heard_but_is_not_on_disk() -> None:
    venue = Venue(Resume(0, "A-1234"))
    venue.store(2)
    venue.session.connected(NOW_US)
    venue.run()
    assert venue.session.committed(venue.records, venue.now_us) == ()
    venue.store(1)
    venue.run(500_000)
    venue.session.disconnected(venue.now_us)
    venue.session.connected(venue.now_us)
    venue.run()

    assert sequences(venue.records) == [1, 2, 3, 3]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_reply_with_a_lost_line_gives_no_wrong_number_and_is_fetched_again(lost: int) -> None:
    venue = Venue(Resume(0, "A-1234"))
    venue.store(2)
    rows = [row for index, row in enumerate(venue.memory) if index != lost]
    venue.damage = [encode_reply("PASSINGGET", "00000000;02", *rows)]
    venue.session.connected(NOW_US)
    venue.run()

    assert [(one.sequence, one.transponder) for one in passings(venue.records)] == [(1, "TAG0"), (2, "TAG1")]
    assert [type(record) for record in venue.records if isinstance(record, Malformed)] == [Malformed]


def test_a_reply_that_stays_damaged_ends_in_a_gap_and_passings_without_numbers() -> None:
    venue = Venue(Resume(0, "A-1234"))
    venue.store(3)
    venue.damage = [encode_reply("PASSINGGET", "00000000;02", venue.memory[0])] * 3
    venue.session.connected(NOW_US)
    venue.run()

    assert [(one.sequence, one.transponder) for one in passings(venue.records)] == [(None, "TAG0"), (3, "TAG2")]
    assert [(g.first, g.last, g.asked) for g in venue.records if isinstance(g, SequenceGap)] == [(1, 2, False)]


def test_ids_that_were_overwritten_are_a_gap_and_ids_that_went_back_a_restart() -> None:
    overwritten = Venue(Resume(2, "A-1234"))
    overwritten.store(9)
    overwritten.lowest = 6
    overwritten.session.connected(NOW_US)
    overwritten.run()
    restarted = Venue(Resume(20, "A-1234"))
    restarted.store(3)
    restarted.session.connected(NOW_US)
    restarted.run()

    assert [(g.first, g.last) for g in overwritten.records if isinstance(g, SequenceGap)] == [(3, 6)]
    assert sequences(overwritten.records) == [7, 8, 9]
    assert "numbering_restarted" in [r.name for r in restarted.records if isinstance(r, Unhandled)]
    assert sequences(restarted.records) == [1, 2, 3]


def test_another_box_at_the_same_port_is_asked_for_all_that_it_has() -> None:
    venue = Venue(Resume(2, "A-99"))
    venue.store(4)
    venue.session.connected(NOW_US)
    venue.run()

    assert sequences(venue.records) == [1, 2, 3, 4]
    assert "numbering_restarted" in [r.name for r in venue.records if isinstance(r, Unhandled)]


def test_a_reset_box_is_set_up_again_after_its_three_seconds() -> None:
    venue = Venue(Resume(2, "A-1234"))
    venue.store(2)
    venue.session.connected(NOW_US)
    venue.run()
    venue.memory.clear()
    venue.records += venue.session.receive(b"AUTOBOOT\n", venue.now_us).records
    venue.asked.clear()
    venue.run(AFTER_OPEN_US - 100_000)
    assert venue.asked == []
    venue.store(1)
    venue.run(1_000_000)

    assert venue.asked[0] == "ASCII"
    assert sequences(venue.records) == [1]


def test_a_box_that_does_not_answer_is_asked_the_next_after_three_seconds() -> None:
    venue = Venue(Resume(0))
    venue.silent = True
    venue.session.connected(NOW_US)
    venue.run(AFTER_OPEN_US + 3_000_000 + 200_000)

    assert venue.asked == ["ASCII", "INFOGET;01"]


def test_a_clock_answer_finds_its_question() -> None:
    venue = Venue()
    venue.session.connected(NOW_US)
    venue.run(AFTER_OPEN_US + 3_000_000)
    readings = [record for record in venue.records if isinstance(record, ClockReading)]

    assert [reading.sent_us == reading.received_us for reading in readings] == [True] * 4


def test_an_address_with_dtr_on_is_told_to_the_operator_once() -> None:
    venue = Venue(device=Device(id="line", protocol="raceresult-usb", address="serial:/dev/box?dtr=on"))
    venue.session.connected(NOW_US)
    venue.run()

    assert [r.text for r in venue.records if isinstance(r, DeviceStatus)] == [DTR_ADVICE]


def test_the_protocol_is_registered() -> None:
    assert registry.protocol("raceresult-usb") is PROTOCOL
