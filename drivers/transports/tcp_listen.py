"""Boxes that connect to us over TCP: JChip readers and the UHF bridges of that family.

We listen, several boxes may connect, and each has its own stream: what comes and goes is framed as
`drivers.peers` says. The line is lost only when we can no longer listen; a box that goes closes its own stream.
"""

import asyncio
import errno
import socket
from typing import ClassVar, Final

from drivers.errors import OpenFailed, TransportLost
from drivers.hostclock import HostClock
from drivers.peers import CLOSED, MAX_PEER, OPENED, PLAIN, PeerReader, encode_data, encode_frame
from drivers.transports.address import TcpListenAddress
from drivers.transports.base import Chunk, Inbox
from drivers.transports.descriptor import PAUSE_AT_BYTES, RESUME_AT_BYTES
from drivers.transports.tcp import KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES, UNACKNOWLEDGED_MS

MAX_PEERS: Final = 32
"""More readers than any venue has; a program that connects again and again must not eat all memory."""
UNREAD_AT_MOST_BYTES: Final = 65_536
"""A box that leaves so much of what we said unread hangs: our questions have some ten bytes."""


class TcpListenTransport:
    """A listening socket and the boxes that connected to it."""

    lost_advice: ClassVar[str] = "check this machine's network settings; listening again by itself"

    def __init__(self, address: TcpListenAddress, clock: HostClock) -> None:
        self.where = address.text
        self._address = address
        self._clock = clock
        self._inbox = Inbox()
        self._server: asyncio.Server | None = None
        self._peers: dict[int, _Peer] = {}
        self._last_peer = PLAIN
        self._commands = PeerReader()
        self._paused = False

    @property
    def port(self) -> int:
        """The port that we listen on. Raises `TransportLost` when the line is not open."""
        if self._server is None:
            raise self._lost("the line is not open")
        return int(self._server.sockets[0].getsockname()[1])

    async def open(self) -> None:
        """Listen. Raises `OpenFailed`: port in use or forbidden, host is none of this machine."""
        loop = asyncio.get_running_loop()
        host, port = self._address.host, self._address.port
        try:
            self._server = await loop.create_server(lambda: _Peer(self), host, port)
        except OSError as error:
            raise self._cannot_listen(error) from error

    async def receive(self) -> Chunk:
        """What a box did or said next, as frames, stamped when it was read. Raises `TransportLost`."""
        chunk = await self._inbox.get()
        if self._paused and self._inbox.waiting_bytes < RESUME_AT_BYTES:
            self._paused = False
            for peer in self._peers.values():
                peer.resume()
        return chunk

    async def send(self, data: bytes) -> None:
        """Hand the frames in `data` to their boxes; what is for a box that is gone is dropped.

        Raises `TransportLost` when the line is not open.
        """
        if self._server is None:
            raise self._lost("the line is not open")
        for event in self._commands.feed(data):
            peer = self._peers.get(event.peer)
            if peer is None:
                continue
            if event.kind == CLOSED:
                peer.end(event.payload.decode("utf-8", "replace"))
            else:
                peer.write(event.payload)

    async def close(self) -> None:
        """Stop listening and close every connection."""
        self._inbox.fail(self._lost("the line was closed"))
        server, self._server = self._server, None
        for peer in tuple(self._peers.values()):
            peer.abort()
        self._peers.clear()
        if server is not None:
            server.close()
            await server.wait_closed()

    # -- called by the connections, in the event loop's callbacks ---------------------------------------------

    def joined(self, peer: "_Peer", sender: str) -> int | None:
        """Number a new connection; None when there are too many already, or we closed."""
        if self._server is None or len(self._peers) >= MAX_PEERS:
            return None
        while True:
            self._last_peer = self._last_peer % MAX_PEER + 1
            if self._last_peer not in self._peers:
                break
        self._peers[self._last_peer] = peer
        self._put(encode_frame(OPENED, self._last_peer, sender.encode()))
        if self._paused:
            peer.pause()
        return self._last_peer

    def said(self, number: int, data: bytes) -> None:
        """A connection read bytes."""
        self._put(encode_data(number, data))
        if self._inbox.waiting_bytes >= PAUSE_AT_BYTES and not self._paused:
            self._paused = True
            for peer in self._peers.values():
                peer.pause()

    def left(self, number: int, reason: str) -> None:
        """A connection ended."""
        if self._peers.pop(number, None) is not None:
            self._put(encode_frame(CLOSED, number, reason.encode()))

    def _put(self, data: bytes) -> None:
        self._inbox.put(Chunk(data, self._clock.now_us()))

    def _lost(self, reason: str) -> TransportLost:
        return TransportLost(self.where, reason, self.lost_advice)

    def _cannot_listen(self, error: OSError) -> OpenFailed:
        target = f"{self._address.host}:{self._address.port}"
        if isinstance(error, PermissionError):
            reason, advice = f"no permission to listen on {target}", "choose a port above 1023"
        elif error.errno == errno.EADDRINUSE:
            reason = f"port {self._address.port} of this machine is in use"
            advice = "end the other program (CrossMgr?), or give this device and its readers another port"
        elif error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
            reason = f"{self._address.host} is no address of this machine"
            advice = f"write tcp-listen:0.0.0.0:{self._address.port} to listen on all its networks"
        else:
            reason, advice = f"cannot listen on {target} ({error.strerror})", "check the network settings"
        return OpenFailed(self.where, reason, advice)


class _Peer(asyncio.Protocol):
    """One box that connected."""

    def __init__(self, line: TcpListenTransport) -> None:
        self._line = line
        self._transport: asyncio.Transport | None = None
        self._number: int | None = None
        self._reason = "the other side closed the line"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        host, port = transport.get_extra_info("peername")[:2]
        self._number = self._line.joined(self, f"{host}:{port}")
        if self._number is None:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._number is not None:
            self._line.said(self._number, data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._number is not None:
            self._line.left(self._number, self._reason if exc is None else f"the line broke ({exc})")

    def write(self, data: bytes) -> None:
        """Send without waiting; a box that reads nothing is thrown out."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > UNREAD_AT_MOST_BYTES:
            self.end(f"the box left {UNREAD_AT_MOST_BYTES} bytes unread")

    def end(self, reason: str) -> None:
        """Close the connection from our side."""
        self._reason = reason or "we closed the line"
        self.abort()

    def abort(self) -> None:
        """Close at once, without waiting for what is unsent."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Read nothing for now."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
