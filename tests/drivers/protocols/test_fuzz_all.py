"""A sample of the fuzz run over every protocol, and proofs that it would notice."""

import re

import pytest

from drivers.protocols import lynx, p3_frame, p98, registry, thbc_parser, thbc_wire, thcom08_frames, timy_lines
from drivers.protocols.base import Parser, Reaction
from drivers.protocols.p3 import P3Parser, encode_passing
from drivers.records import DeviceStatus, Impulse, Passing, PhotoFinish, Record
from tests.bench import fuzz_oracles, fuzz_protocols
from tests.bench.fuzz_oracles import ORACLES
from tests.bench.fuzz_samples import SAMPLES

JUDGED = (Passing, Impulse, DeviceStatus, PhotoFinish)


def test_every_built_in_protocol_is_fuzzed() -> None:
    assert set(SAMPLES) == set(registry.BUILT_IN)


@pytest.mark.parametrize("name", SAMPLES)
def test_two_thousand_damaged_inputs_raise_nothing_and_pass_no_bad_checksum_on(name: str) -> None:
    seen = fuzz_protocols.fuzz(name, 2_000, seed=7)

    assert seen["Malformed"] > 400
    assert seen.total() - seen["Malformed"] > 400


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_are_whole(name: str) -> None:
    whole = fuzz_protocols.check(name, SAMPLES[name](), with_session=True)

    assert any(isinstance(record, JUDGED) for record in whole)


def test_the_same_seed_makes_the_same_inputs() -> None:
    first, again, other = (fuzz_protocols.Inputs("thbc", seed) for seed in (1, 1, 2))
    made = [first.next() for _ in range(200)]

    assert made == [again.next() for _ in range(200)]
    assert made != [other.next() for _ in range(200)]


# -- it would notice -----------------------------------------------------------------------------------------------


def _damaged(name: str) -> bytes:
    """The first sample of the protocol that is judged, with a bit changed that its form does not show."""
    flips = {
        "p3": (encode_passing(number=2, transponder=1, rtc_us=0), 13),
        "p98": (b"\x01@\t101\t1379\t8110984\t2434.835\t190\t40\t2\tx26C0\r\n", 9),
        "thbc": (b"<STA 006141 00:02'57\"541 38 07 0 1569>\r\n", 9),
        "thcom08": (b"TN 0016 0072 05 12:13:56.7800 12345\t06D9\r\n", 10),
        "timy": (b" 0035 C0M 21:46:36.3900 000<\r", 14),
    }
    data, place = flips[name]
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


@pytest.mark.parametrize("name", ["p3", "p98", "thbc", "thcom08", "timy"])
def test_a_parser_that_checks_no_sum_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _damaged(name)
    fuzz_protocols.check(name, [data], with_session=True)
    if name == "p3":
        monkeypatch.setattr(p3_frame, "checksum", lambda plain: plain[4] | plain[5] << 8)
    elif name == "p98":
        monkeypatch.setattr(p98, "checksum", lambda text: 0x26C0)
    elif name == "thbc":
        form = re.compile(rb"<.{32}([0-9]{4})>")
        monkeypatch.setattr(thbc_wire, "passing_sum", lambda line: int(found[1]) if (found := form.match(line)) else -1)
    elif name == "thcom08":
        monkeypatch.setattr(thcom08_frames, "checksum", lambda text: 0x06D9)
    else:
        monkeypatch.setattr(timy_lines, "_check", lambda line: None)

    with pytest.raises(fuzz_protocols.FuzzFailure, match="without a right checksum"):
        fuzz_protocols.check(name, [data], with_session=False)


def test_a_sheet_of_a_parser_that_checks_no_sums_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = next(sample for sample in SAMPLES["lynx"]() if sample.count(b"\x01") == 5)
    damaged = sheet.replace(b"\x1f762\x1f", b"\x1f763\x1f")
    assert damaged != sheet
    fuzz_protocols.check("lynx", [damaged], with_session=True)
    stated = iter(re.findall(rb"\x03([0-9]{3})([0-9]{3})\x04", damaged))
    monkeypatch.setattr(lynx, "check_sums", lambda head, fields: tuple(int(one) for one in next(stated)))

    with pytest.raises(fuzz_protocols.FuzzFailure, match="without a right checksum"):
        fuzz_protocols.check("lynx", [damaged], with_session=False)


def test_a_passing_that_is_not_in_the_stream_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def invent(self: P3Parser, data: bytes, received_us: int) -> list[Record]:
        return [Passing(device="line", received_us=0, device_us=0, transponder="1", sequence=1)]

    monkeypatch.setattr(P3Parser, "feed", invent)

    with pytest.raises(fuzz_protocols.FuzzFailure, match="without a right checksum"):
        fuzz_protocols.check("p3", [encode_passing(number=2, transponder=1, rtc_us=0)], with_session=False)


def test_an_exception_is_told_with_the_input_that_raised_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(self: Parser, data: bytes, received_us: int) -> list[Record]:
        raise IndexError("off by one")

    monkeypatch.setattr(thbc_parser.ThbcParser, "feed", break_down)

    with pytest.raises(fuzz_protocols.FuzzFailure, match=r"thbc: IndexError: off by one on 3c0a in pieces of \[1, 1\]"):
        fuzz_protocols.check("thbc", [b"<", b"\n"], with_session=False)


def test_a_failure_is_told_with_as_few_inputs_as_still_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    right = thbc_parser.ThbcParser.feed

    def break_down(self: thbc_parser.ThbcParser, data: bytes, received_us: int) -> list[Record]:
        records = right(self, data, received_us)
        if any(isinstance(record, DeviceStatus) for record in records):
            raise IndexError("off by one")
        return records

    monkeypatch.setattr(thbc_parser.ThbcParser, "feed", break_down)

    with pytest.raises(fuzz_protocols.FuzzFailure, match=r"in pieces of \[25\]$"):
        fuzz_protocols.fuzz("thbc", 2_000, seed=7)


def test_a_session_that_hears_less_than_its_parser_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p98.P98Session, "receive", lambda self, data, now_us: Reaction())

    with pytest.raises(fuzz_protocols.FuzzFailure, match="parser and session differ"):
        fuzz_protocols.check("p98", SAMPLES["p98"](), with_session=True)


# -- the oracles read by themselves --------------------------------------------------------------------------------


def test_the_numbers_of_good_p3_passings_are_read_through_escapes() -> None:
    wire = encode_passing(number=0x8D8E8F, transponder=1, rtc_us=0)

    assert fuzz_oracles.p3_frames(b"x" + wire + wire[:-2] + wire) == {("passing", 0x8D8E8F): 2}


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("p98", b"\x01@\t101\t1379\t8110984\t2434.835\t190\t40\t2\tx26C0\r\n"),
        ("thbc", b"<STA 006141 00:02'57\"541 38 07 0 1569>\r\n"),
        ("thcom08", b"TN 0016 0072 05 12:13:56.7800 12345\t06D9\r\n"),
        ("timy", b" 0035 C0M 21:46:36.3900 000<\r"),
    ],
)
def test_an_oracle_allows_a_known_line_and_not_its_damage(name: str, wire: bytes) -> None:
    assert ORACLES[name].allowed(wire).total() == 1
    assert ORACLES[name].allowed(_damaged(name)).total() == 0


# -- what the fuzzer found -----------------------------------------------------------------------------------------


def test_a_race_result_answer_led_by_a_mark_is_no_count() -> None:
    records = fuzz_protocols.check("raceresult", [b"#PASSINGS;13;7\r\n"], with_session=True)

    assert [getattr(record, "name", "") for record in records] == ["passings"]
