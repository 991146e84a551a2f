"""`velodrome decode`: what is this box sending?"""

import asyncio
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from config.models import Broker
from drivers.errors import DriverError, TransportLost
from drivers.hostclock import HostClock
from drivers.protocols.base import Parser, ProtocolEntry
from drivers.protocols.registry import protocol
from drivers.records import Record
from drivers.transports import create_transport

READ_BYTES = 65_536
SCHEMES = ("serial:", "tcp:", "udp:", "folder:")
BINARY = frozenset({"p3"})
PEEK_BYTES = 64
WHOLE_FILES = frozenset({"lif"})
"""Protocols whose parser takes one whole file at a time."""


class SourceError(DriverError):
    """The source of bytes cannot be read."""


def run(name: str, source: str, hexadecimal: bool) -> int:
    """Print one JSON line a record. A bad record inside the stream is an `error` line and decoding goes on."""
    entry = protocol(name)
    parser = entry.parser(name)
    whole = name in WHOLE_FILES
    if source.startswith(SCHEMES):
        asyncio.run(_decode_live(entry, source))
        return 0
    if source == "-":
        stdin = io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))
        _decode_stream(parser, stdin, hexadecimal or _is_hex_dump(name, stdin), whole=whole, source=source)
        return 0
    try:
        with Path(source).open("rb") as file:
            _decode_stream(parser, file, hexadecimal or _is_hex_dump(name, file), whole=whole, source=source)
    except OSError as error:
        advice = "give a file, - or the address of a live box"
        raise SourceError(source, error.strerror or str(error), advice) from error
    return 0


def _is_hex_dump(name: str, stream: "io.BufferedReader[Any]") -> bool:
    """A binary protocol's stream that begins with nothing but hex digits is a dump of one as text."""
    if name not in BINARY:
        return False
    head = stream.peek(PEEK_BYTES)[:PEEK_BYTES]
    return len(head) > 1 and not set(head) - set(b"0123456789abcdefABCDEF \r\n")


def _decode_stream(parser: Parser, stream: BinaryIO, hexadecimal: bool, *, whole: bool, source: str) -> None:
    """Records of a file have no time of arrival: `received_us` is 0 in them."""
    chunks = _hex_chunks(stream, source) if hexadecimal else iter(lambda: stream.read(READ_BYTES), b"")
    if whole:
        chunks = iter([b"".join(chunks)])
    for chunk in chunks:
        _print(parser.feed(chunk, 0))
    _print(parser.close(0))


def _hex_chunks(stream: BinaryIO, source: str) -> Iterator[bytes]:
    for number, line in enumerate(stream, start=1):
        try:
            yield bytes.fromhex(line.decode("ascii").strip())
        except ValueError as error:
            reason = f"line {number} is not hex digits"
            raise SourceError(source, reason, "leave --hex away for raw bytes") from error


async def _decode_live(entry: ProtocolEntry, address: str) -> None:
    parser = entry.parser(entry.name)
    clock = HostClock()
    transport = create_transport(address, clock, Broker(), serial_defaults=entry.serial_defaults)
    await transport.open()
    try:
        while True:
            chunk = await transport.receive()
            _print(parser.feed(chunk.data, chunk.received_us))
    except TransportLost:
        _print(parser.close(clock.now_us()))
        raise
    finally:
        await transport.close()


def _print(records: list[Record]) -> None:
    encoder = msgspec.json.Encoder()
    for record in records:
        sys.stdout.write(encoder.encode(record).decode() + "\n")
    if records:
        sys.stdout.flush()
