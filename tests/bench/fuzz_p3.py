"""Random and damaged P3 streams: the parser and the session never raise and never pass a bad checksum on.

    python -m tests.bench.fuzz_p3 --count 1000000 --seed 1

The checksum is computed here once more, bit by bit from its definition, and frames are cut by a regular
expression, so that nothing of the code under test judges itself.
"""

import argparse
import random
import re
import sys
import time
from collections import Counter

from config.models import Device
from drivers.protocols.base import Resume
from drivers.protocols.p3 import (
    P3Parser,
    P3Session,
    encode_get_time,
    encode_passing,
    encode_resend,
    encode_status,
    encode_time_reply,
)
from drivers.records import Malformed, Passing, Record

DEVICE = Device(id="line", protocol="p3", address="tcp:127.0.0.1:5403")
_FRAME = re.compile(rb"\x8e([^\x8e\x8f]*)\x8f")
_PASSING = 1
_SEEDS = (
    encode_passing(number=157_828, transponder=5_691_251, rtc_us=1_437_769_372_993_000, strength=106, hits=50),
    encode_passing(number=157_830, transponder=4_242, rtc_us=1_437_769_372_993_001, strength=1, decoder=7),
    encode_passing(number=0x8D8E8F, transponder=0x8D8D8D8D, rtc_us=0x8E8E8E8E8E8E8E8E, decoder=0x8F8F8F8F),
    encode_status(noise=40, temperature=22, supply_decivolts=118, gps=0, decoder=7),
    encode_time_reply(1_437_769_372_993_000, utc_us=5, decoder=7),
    encode_get_time(),
    encode_resend(1, 0xFFFF_FFFF),
)


class FuzzFailure(AssertionError):
    """The program broke its promise on an input; the text holds the input as hex."""


def _crc_table() -> list[int]:
    table = []
    for high in range(256):
        register = high << 8
        for _ in range(8):
            register = (register << 1 ^ 0x1021 if register & 0x8000 else register << 1) & 0xFFFF
        table.append(register)
    return table


_TABLE = _crc_table()


def _crc(plain: bytes) -> int:
    """§1 word by word: T[crc>>8] ^ (crc<<8) ^ byte, from FFFF, over the frame with bytes 4-5 zeroed."""
    register = 0xFFFF
    for byte in plain[:4] + b"\0\0" + plain[6:]:
        register = _TABLE[register >> 8] ^ (register << 8 & 0xFFFF) ^ byte
    return register


def numbers_of_good_passings(data: bytes) -> Counter[int]:
    """The numbers of the passings in the data whose checksum is right, by this file's own reading."""
    numbers: Counter[int] = Counter()
    for found in _FRAME.finditer(data):
        plain = bytearray(b"\x8e")
        escaped = False
        for byte in found[1]:
            if byte == 0x8D and not escaped:
                escaped = True
                continue
            plain.append((byte - 0x20) & 0xFF if escaped else byte)
            escaped = False
        plain.append(0x8F)
        if len(plain) < 11 or _crc(bytes(plain)) != plain[4] | plain[5] << 8:
            continue
        position = 10
        while plain[8] | plain[9] << 8 == _PASSING and position + 2 < len(plain):
            if plain[position] == 1:
                numbers[int.from_bytes(plain[position + 2 : position + 2 + plain[position + 1]], "little")] += 1
            position += 2 + plain[position + 1]
    return numbers


def make_input(chance: random.Random) -> bytes:
    """One stream: noise, or a few frames that are cut, flipped, doubled, filled with junk, or left whole."""
    kind = chance.randrange(8)
    if kind == 0:
        return chance.randbytes(chance.randrange(120))
    if kind == 1:
        return bytes(chance.choices(b"\x8d\x8e\x8f\xad\xae\xaf\x00\x01\x02", k=chance.randrange(60)))
    data = bytearray(b"".join(chance.choices(_SEEDS, k=chance.randint(1, 3))))
    for _ in range(chance.randint(0, 3)):
        place = chance.randrange(len(data))
        change = chance.randrange(5)
        if change == 0:
            data[place] ^= 1 << chance.randrange(8)
        elif change == 1:
            data[place] = chance.randrange(256)
        elif change == 2:
            data[place:place] = chance.randbytes(chance.randrange(4))
        elif change == 3 and len(data) > 4:
            del data[place : place + chance.randint(1, 3)]
        else:
            data[place:place] = data[place : place + chance.randrange(30)]
        if not data:
            return b""
    return bytes(data)


def check(data: bytes, cut: int) -> list[Record]:
    """Feed one input in two pieces to a parser and a session; both must say the same of it.

    Raises:
        FuzzFailure: an exception, a passing that has no right checksum, or a parser and session that differ.
    """
    try:
        parser = P3Parser(DEVICE.id)
        records = parser.feed(data[:cut], 0) + parser.feed(data[cut:], 0) + parser.close(0)
        session = P3Session(DEVICE, Resume(last_sequence=157_827))
        session.connected(0)
        reaction = session.receive(data, 0)
        heard = [*reaction.records, *session.disconnected(0)]
        session.committed(heard, 0)
    except Exception as error:
        raise FuzzFailure(f"{type(error).__name__}: {error} on input {data.hex()} cut at {cut}") from error
    passings = Counter(record.sequence for record in records if isinstance(record, Passing))
    if passings and not passings <= Counter[int | None](numbers_of_good_passings(data)):
        raise FuzzFailure(f"a passing without a right checksum on input {data.hex()} cut at {cut}")
    if passings != Counter(record.sequence for record in heard if isinstance(record, Passing)):
        raise FuzzFailure(f"parser and session differ in passings on input {data.hex()} cut at {cut}")
    return records


def fuzz(count: int, seed: int) -> Counter[str]:
    """Check `count` inputs made from `seed`; return how many records of each type they gave."""
    chance = random.Random(seed)
    seen: Counter[str] = Counter()
    for _ in range(count):
        data = make_input(chance)
        seen.update(type(record).__name__ for record in check(data, chance.randint(0, len(data))))
    return seen


def main() -> int:
    options = argparse.ArgumentParser(description="Fuzz the P3 parser and session.")
    options.add_argument("--count", type=int, default=1_000_000, help="how many inputs")
    options.add_argument("--seed", type=int, default=1, help="the same seed makes the same inputs")
    arguments = options.parse_args()
    began_ns = time.perf_counter_ns()
    try:
        seen = fuzz(arguments.count, arguments.seed)
    except FuzzFailure as failure:
        sys.stderr.write(f"P3 fuzz, seed {arguments.seed}: {failure}\n")
        return 1
    took_ms = (time.perf_counter_ns() - began_ns) // 1_000_000
    passings, errors = seen[Passing.__name__], seen[Malformed.__name__]
    sys.stdout.write(
        f"{arguments.count} inputs, seed {arguments.seed}: no exception, no bad passing; "
        f"{passings} passings, {errors} errors, {seen.total()} records in {took_ms} ms\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
