"""A sample of the P3 fuzz run, and a proof that it would notice."""

import pytest

from drivers.protocols.p3 import P3Parser, encode_passing
from drivers.records import Passing, Record
from tests.bench import fuzz_p3


def test_twenty_thousand_damaged_streams_give_no_exception_and_no_passing_with_a_bad_checksum() -> None:
    seen = fuzz_p3.fuzz(20_000, seed=7)

    assert seen["Passing"] > 5_000
    assert seen["Malformed"] > 5_000


def test_the_fuzz_run_notices_a_passing_that_is_not_in_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    def invent(self: P3Parser, data: bytes, received_us: int) -> list[Record]:
        return [Passing(device="line", received_us=0, device_us=0, transponder="1", sequence=1)]

    monkeypatch.setattr(P3Parser, "feed", invent)

    with pytest.raises(fuzz_p3.FuzzFailure, match="without a right checksum"):
        fuzz_p3.check(encode_passing(number=2, transponder=1, rtc_us=0), 0)


def test_the_fuzz_run_reads_the_numbers_of_good_passings_by_itself() -> None:
    wire = encode_passing(number=0x8D8E8F, transponder=1, rtc_us=0)

    assert fuzz_p3.numbers_of_good_passings(b"x" + wire + wire[:-2] + wire) == {0x8D8E8F: 2}
