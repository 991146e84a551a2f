"""Damaged and random streams for every protocol: nothing raises, and no bad checksum becomes a record.

    python -m tests.bench.fuzz_protocols [NAME …] --count 1000000 --seed 1

One input is one message that is whole, flipped, cut, grown, spliced or pure noise. Some dozens of inputs are one
stream, fed in random pieces to one parser; every fourth stream also to a session, with all it does in a connection.
Of each stream:

    everything returned is a Record that the journal's JSON writes and reads back unchanged
    in p3, p98 and lynx the session says the same passings, impulses and sheets as the parser
    in p3, p98, lynx, thbc, thcom08 and timy each passing, impulse and sheet is one that `fuzz_oracles` allows,
    which computes the checksum from the bytes once more

One line a protocol: inputs, seconds, what came out. A failure prints as few inputs as still fail, as hex, and
ends with 1.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import get_args

import msgspec

from config.models import Device
from drivers.protocols.base import ProtocolEntry, Resume
from drivers.protocols.registry import BUILT_IN, protocol
from drivers.records import Malformed, Record
from tests.bench.fuzz_oracles import ORACLES, Key
from tests.bench.fuzz_samples import SAMPLES

STREAM_INPUTS = 48
SESSION_EVERY = 4
WHOLE_FILES = frozenset({"lif"})
"""Protocols whose every feed is one whole file: their inputs are not joined."""
SESSION_ADDS_NOTHING = frozenset({"p3", "p98", "lynx"})
"""Protocols whose session drops no line that was heard twice and sets none aside."""
RECORD_TYPES = frozenset(get_args(Record))
NOW_US = 1_700_000_000_000_000
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[Record])


class FuzzFailure(AssertionError):
    """The program broke its promise on an input; the text holds the input as hex."""


def _flip(data: bytearray, place: int, noise: int) -> None:
    data[place] ^= 1 << (noise & 7)


def _replace(data: bytearray, place: int, noise: int) -> None:
    data[place] = noise & 255


def _lose(data: bytearray, place: int, noise: int) -> None:
    del data[place : place + 1 + (noise & 3)]


def _insert(data: bytearray, place: int, noise: int) -> None:
    data[place:place] = (noise & 0xFFFFFF).to_bytes(3, "little")[: 1 + (noise >> 24) % 3]


def _truncate(data: bytearray, place: int, noise: int) -> None:
    del data[place:]


def _behead(data: bytearray, place: int, noise: int) -> None:
    del data[:place]


def _double(data: bytearray, place: int, noise: int) -> None:
    data[place:place] = data[place : place + (noise & 31)]


def _swap(data: bytearray, place: int, noise: int) -> None:
    other = (place + 1 + (noise & 3)) % len(data)
    data[place], data[other] = data[other], data[place]


MUTATIONS = (_flip, _replace, _lose, _insert, _truncate, _behead, _double, _swap)
WHOLE, JOINED, NOISE, ALPHABET = range(4), 4, 5, 6
"""The kinds of inputs that are made otherwise; 7 to 15 are one to three mutations of a message."""


class Inputs:
    """Damaged messages of one protocol, the same for the same seed."""

    def __init__(self, name: str, seed: int) -> None:
        self._chance = random.Random(f"{seed} {name}")
        self._samples = SAMPLES[name]()
        self._alphabet = bytes(sorted(set(b"".join(self._samples))))

    def next(self) -> bytes:
        """One input."""
        chance = self._chance
        bits = chance.getrandbits(64)
        sample = self._samples[(bits & 0xFFFF) % len(self._samples)]
        kind = bits >> 16 & 15
        if kind in WHOLE:
            return sample
        if kind == JOINED:
            other = self._samples[(bits >> 20 & 0xFFFF) % len(self._samples)]
            return sample[: (bits >> 36 & 0xFFF) % len(sample)] + other[(bits >> 48) % len(other) :]
        if kind == NOISE:
            return chance.randbytes(bits >> 36 & 63)
        if kind == ALPHABET:
            return bytes(chance.choices(self._alphabet, k=bits >> 36 & 31))
        data = bytearray(sample)
        for _ in range(1 + (kind >= 12) + (kind == 15)):
            if data:
                MUTATIONS[bits >> 20 & 7](data, (bits >> 23 & 0xFFFFF) % len(data), bits >> 36)
                bits = chance.getrandbits(64)
        return bytes(data)

    def split(self, data: bytes) -> list[bytes]:
        """The stream as reads bring it: some single bytes, some pieces, all at once at times."""
        if not data:
            return []
        chance = self._chance
        cuts = sorted(chance.randrange(len(data)) for _ in range(chance.choice((0, 3, 24))))
        ends = [*cuts, len(data)]
        return [data[start:end] for start, end in zip([0, *cuts], ends, strict=True)]


def _hear(entry: ProtocolEntry, pieces: Sequence[bytes]) -> list[Record]:
    """A session's whole connection with these reads."""
    device = Device(id="box", protocol=entry.name, address="tcp:127.0.0.1:1")
    session = entry.session(device, Resume(last_sequence=157_827, decoder="7"))
    session.connected(NOW_US)
    heard: list[Record] = []
    now_us = NOW_US
    for piece in pieces:
        now_us += 200_000
        reaction = session.receive(piece, now_us)
        session.committed(reaction.records, now_us)
        if session.tick_us:
            session.tick(now_us)
        heard += reaction.records
    return [*heard, *session.disconnected(now_us)]


def _claims(name: str, records: list[Record]) -> Counter[Key]:
    oracle = ORACLES.get(name)
    keys = () if oracle is None else (oracle.key(record) for record in records)
    return Counter(key for key in keys if key is not None)


def _judge(name: str, data: bytes, records: list[Record]) -> None:
    strange = {type(record) for record in records} - RECORD_TYPES
    if strange:
        raise FuzzFailure(f"{strange} are no records")
    if _decoder.decode(_encoder.encode(records)) != records:
        raise FuzzFailure("records change on their way through JSON")
    claims = _claims(name, records)
    unfounded = claims - ORACLES[name].allowed(data) if claims else None
    if unfounded:
        raise FuzzFailure(f"without a right checksum: {dict(unfounded)}")


def check(name: str, pieces: Sequence[bytes], *, with_session: bool) -> list[Record]:
    """Feed one stream to a new parser, and to a session if asked for; return what the parser said.

    Raises:
        FuzzFailure: an exception, something that is no record, or a record without a right checksum.
    """
    entry = protocol(name)
    data = b"".join(pieces)
    try:
        parser = entry.parser("box")
        records = [record for piece in pieces for record in parser.feed(piece, NOW_US)] + parser.close(NOW_US)
        _judge(name, data, records)
        if with_session:
            heard = _hear(entry, pieces)
            _judge(name, data, heard)
            if name in SESSION_ADDS_NOTHING and _claims(name, heard) != _claims(name, records):
                raise FuzzFailure("parser and session differ")
    except Exception as error:
        cuts = [len(piece) for piece in pieces]
        raise FuzzFailure(f"{name}: {type(error).__name__}: {error} on {data.hex()} in pieces of {cuts}") from error
    return records


def _shrink(name: str, made: list[bytes]) -> None:
    """Leave inputs out as long as the rest fails. Raises FuzzFailure for that rest, if it fails unsplit at all."""
    failure: FuzzFailure | None = None
    before = None
    while before != len(made):
        before = len(made)
        for place in reversed(range(-1, before)):
            fewer = made if place < 0 else made[:place] + made[place + 1 :]
            try:
                check(name, fewer, with_session=True)
            except FuzzFailure as error:
                failure, made = error, fewer
    if failure is not None:
        raise failure


def fuzz(name: str, count: int, seed: int) -> Counter[str]:
    """Check `count` inputs of a protocol made from `seed`; return how many records of each type they gave.

    Raises:
        FuzzFailure: as `check`, for as few inputs as still fail.
    """
    inputs = Inputs(name, seed)
    seen: Counter[str] = Counter()
    for stream, first in enumerate(range(0, count, STREAM_INPUTS)):
        made = [inputs.next() for _ in range(min(STREAM_INPUTS, count - first))]
        pieces = made if name in WHOLE_FILES else inputs.split(b"".join(made))
        try:
            records = check(name, pieces, with_session=stream % SESSION_EVERY == 0)
        except FuzzFailure:
            _shrink(name, made)
            raise
        seen.update(type(record).__name__ for record in records)
    return seen


def main() -> int:
    options = argparse.ArgumentParser(description="Fuzz the parser and the session of every protocol.")
    options.add_argument("names", nargs="*", metavar="NAME", help="protocols; all when none is given")
    options.add_argument("--count", type=int, default=1_000_000, help="how many inputs for each")
    options.add_argument("--seed", type=int, default=1, help="the same seed makes the same inputs")
    arguments = options.parse_args()
    unknown = [name for name in arguments.names if name not in SAMPLES]
    if unknown:
        options.error(f"no samples of {', '.join(unknown)}: give any of {', '.join(BUILT_IN)}")
    failures = 0
    sys.stdout.write(f"{'protocol':<15}{'inputs':>9}{'seconds':>9}{'records':>9}{'malformed':>11}  judged: what else\n")
    for name in arguments.names or BUILT_IN:
        began_ns = time.perf_counter_ns()
        try:
            seen = fuzz(name, arguments.count, arguments.seed)
        except FuzzFailure as failure:
            sys.stderr.write(f"seed {arguments.seed}: {failure}\n")
            failures += 1
            continue
        tenths = (time.perf_counter_ns() - began_ns) // 100_000_000
        bad = seen.pop(Malformed.__name__, 0)
        rest = ", ".join(f"{kind} {number}" for kind, number in seen.most_common())
        judged = "checksum" if name in ORACLES else "form"
        seconds = f"{tenths // 10}.{tenths % 10}"
        line = f"{name:<15}{arguments.count:>9}{seconds:>9}{seen.total() + bad:>9}{bad:>11}  {judged}: {rest}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
