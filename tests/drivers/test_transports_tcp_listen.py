"""Boxes that connect to us: each its own stream, closing, questions, and what stops us from listening."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from config.models import Broker
from drivers.errors import AddressError, OpenFailed, TransportLost
from drivers.hostclock import HostClock
from drivers.peers import CLOSED, DATA, OPENED, PeerEvent, PeerReader, encode_data, encode_frame
from drivers.transports import TcpListenAddress, create_transport, parse_address
from drivers.transports.tcp_listen import MAX_PEERS, TcpListenTransport


class Listener:
    """The transport with its frames read."""

    def __init__(self, transport: TcpListenTransport) -> None:
        self.transport = transport
        self._reader = PeerReader()
        self._events: list[PeerEvent] = []
        self.last_received_us = 0

    async def next(self) -> PeerEvent:
        async with asyncio.timeout(5):
            while not self._events:
                chunk = await self.transport.receive()
                self.last_received_us = chunk.received_us
                self._events += self._reader.feed(chunk.data)
        return self._events.pop(0)

    async def connect(self) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.transport.port)
        event = await self.next()
        assert event.kind == OPENED
        host, port = writer.get_extra_info("sockname")[:2]
        assert event.payload == f"{host}:{port}".encode()
        return event.peer, reader, writer


@pytest.fixture
async def listener(clock: HostClock) -> AsyncIterator[Listener]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    transport = create_transport(f"tcp-listen:127.0.0.1:{port}", clock, Broker())
    assert isinstance(transport, TcpListenTransport)
    await transport.open()
    yield Listener(transport)
    await transport.close()


def test_the_address() -> None:
    assert parse_address("tcp-listen:0.0.0.0:53135") == TcpListenAddress(
        text="tcp-listen:0.0.0.0:53135", host="0.0.0.0", port=53135
    )
    assert parse_address("tcp-listen:[::]:53135") == TcpListenAddress(
        text="tcp-listen:[::]:53135", host="::", port=53135
    )
    with pytest.raises(AddressError, match="tcp-listen:host:port"):
        parse_address("tcp-listen:53135")


async def test_each_box_has_its_own_stream_and_its_own_answers(listener: Listener, clock: HostClock) -> None:
    before_us = clock.now_us()
    first, first_reader, first_writer = await listener.connect()
    second, second_reader, second_writer = await listener.connect()
    second_writer.write(b"two")
    assert (event := await listener.next()).payload == b"two"
    assert (event.kind, event.peer) == (DATA, second)
    first_writer.write(b"one")
    assert (event := await listener.next()).payload == b"one"
    assert (event.kind, event.peer) == (DATA, first)
    assert before_us <= listener.last_received_us <= clock.now_us()
    await listener.transport.send(encode_data(first, b"to one") + encode_data(second, b"to two"))
    assert await first_reader.readexactly(6) == b"to one"
    assert await second_reader.readexactly(6) == b"to two"
    first_writer.close()
    second_writer.close()


async def test_a_box_that_goes_closes_its_stream_alone(listener: Listener) -> None:
    first, _, first_writer = await listener.connect()
    second, _, second_writer = await listener.connect()
    first_writer.close()
    event = await listener.next()
    assert (event.kind, event.peer, event.payload) == (CLOSED, first, b"the other side closed the line")
    await listener.transport.send(encode_data(first, b"too late"))
    second_writer.write(b"still here")
    assert (await listener.next()).peer == second
    third, _, third_writer = await listener.connect()
    assert third not in (first, second), "no number is used again at once"
    second_writer.close()
    third_writer.close()


async def test_a_protocol_can_close_a_box_s_connection(listener: Listener) -> None:
    peer, reader, writer = await listener.connect()
    await listener.transport.send(encode_frame(CLOSED, peer, b"connected again"))
    event = await listener.next()
    assert (event.kind, event.peer, event.payload) == (CLOSED, peer, b"connected again")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await reader.readexactly(1)
    writer.close()


async def test_one_box_too_many_is_turned_away(listener: Listener) -> None:
    writers = [(await listener.connect())[2] for _ in range(MAX_PEERS)]
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.transport.port)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await reader.readexactly(1)
    for each in (*writers, writer):
        each.close()


async def test_much_from_a_fast_box_arrives_whole_and_in_order(listener: Listener) -> None:
    peer, _, writer = await listener.connect()
    sent = b"".join(b"%07d\n" % number for number in range(400_000))
    writing = asyncio.create_task(_write(writer, sent))
    heard = bytearray()
    while len(heard) < len(sent):
        event = await listener.next()
        assert event.peer == peer
        heard += event.payload
    await writing
    assert bytes(heard) == sent
    writer.close()


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def test_a_port_in_use_is_named_with_advice(listener: Listener, clock: HostClock) -> None:
    second = create_transport(f"tcp-listen:127.0.0.1:{listener.transport.port}", clock, Broker())
    with pytest.raises(OpenFailed, match=r"in use; end the other program"):
        await second.open()
    await second.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_an_address_that_is_not_ours_is_named_with_advice(host: str, clock: HostClock) -> None:
    line = create_transport(f"tcp-listen:{host}:53135", clock, Broker())
    with pytest.raises(OpenFailed, match=r"is no address of this machine; write tcp-listen:0\.0\.0\.0:53135"):
        await line.open()


async def test_a_closed_line_says_so_and_listens_no_more(listener: Listener) -> None:
    port = listener.transport.port
    _, _, writer = await listener.connect()
    await listener.transport.close()
    with pytest.raises(TransportLost, match="closed"):
        await listener.transport.receive()
    with pytest.raises(TransportLost, match="not open"):
        await listener.transport.send(b"")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    writer.close()
