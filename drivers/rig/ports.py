"""The simulated boxes' ends of the lines: a pty behind the path of a serial port, and a TCP server.

A box hears of each new line through `greet`: it gets a function to send on that line alone and gives back
the function that takes the bytes of that line. Sending never waits: a box does not stop timing because nobody
reads.
"""

import asyncio
import os
import tty
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from drivers.errors import DriverError
from drivers.transports.address import SerialAddress, TcpAddress

Send: TypeAlias = Callable[[bytes], None]
Receive: TypeAlias = Callable[[bytes], None]
Greet: TypeAlias = Callable[[Send], Receive]

READ_BYTES: Final = 4_096
UNREAD_AFTER_S: Final = 1.0
"""When a full pty took no byte for this long, nobody reads it (a reader takes 4 KiB in microseconds)."""
PTY_BACKLOG_BYTES: Final = 4 * 1_048_576
"""A RESEND of 80,000 passings: more than a whole meet."""
TCP_BACKLOG_BYTES: Final = 8 * 1_048_576
"""A TCP client that leaves this much unread hangs and is thrown out."""
MAX_TCP_CLIENTS: Final = 4
"""As many as a P3 decoder serves (hardware-protocols §1)."""


class RigError(DriverError):
    """The rig cannot simulate a box of the meet: where, why, and how to mend it."""


class Port(Protocol):
    """The box's end of a line."""

    async def open(self) -> None:
        """Make the line reachable for the host. Raises RigError."""
        ...

    def send(self, data: bytes) -> None:
        """Send to every host on the line; what cannot be sent is dropped."""
        ...

    async def close(self) -> None:
        """Take the line away."""
        ...


class PtyPort:
    """A pseudo-terminal whose host side is found through a symlink at the serial port's path.

    The rig keeps the host side open as well, so the host may close and reopen it as it likes.
    """

    def __init__(self, address: SerialAddress, greet: Greet) -> None:
        self._path = Path(address.path)
        self._where = address.text
        self._greet = greet
        self._master = -1
        self._slave = -1
        self._target = ""
        self._receive: Receive | None = None
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._stuck_since: float | None = None
        self.dropped = 0
        """Sends that nobody read in time."""

    async def open(self) -> None:
        """Make the pty and the symlink. Raises RigError when the path cannot be used."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._target = os.ttyname(self._slave)
        try:
            self._link()
        except OSError as error:
            os.close(self._master)
            os.close(self._slave)
            reason = f"the rig cannot put its serial port there ({error.strerror})"
            advice = "choose an address in a folder that you may write and where no other file has this name"
            raise RigError(self._where, reason, advice) from error
        self._receive = self._greet(self.send)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _link(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.is_symlink():
            # Left by a rig that was killed, or a udev name: a link is all that may be replaced.
            self._path.unlink()
        self._path.symlink_to(self._target)

    def send(self, data: bytes) -> None:
        """Queue and write what fits. What waits behind a full buffer that nobody reads is dropped."""
        self._pending.append(data)
        self._pending_bytes += len(data)
        self._write()
        if self._stuck_since is None:
            return
        unread_s = asyncio.get_running_loop().time() - self._stuck_since
        if unread_s > UNREAD_AFTER_S or self._pending_bytes > PTY_BACKLOG_BYTES:
            # The first stays: a part of it may be in the buffer already, and the rest must follow it.
            first = self._pending.popleft()
            self.dropped += len(self._pending)
            self._pending = deque([first])
            self._pending_bytes = len(first)

    def _read(self) -> None:
        try:
            data = os.read(self._master, READ_BYTES)
        except BlockingIOError:
            return
        if data and self._receive is not None:
            self._receive(data)

    def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            first = self._pending[0]
            try:
                written = os.write(self._master, first)
            except BlockingIOError:
                written = 0
            if written:
                self._stuck_since = None
                self._pending_bytes -= written
            if written == len(first):
                self._pending.popleft()
                continue
            self._pending[0] = first[written:]
            if self._stuck_since is None:
                self._stuck_since = loop.time()
                loop.add_writer(self._master, self._write)
            return
        loop.remove_writer(self._master)

    async def close(self) -> None:
        """Close the pty; an open host side sees a hang-up. Remove the symlink if it is still ours."""
        if self._master < 0:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1
        if self._path.is_symlink() and os.readlink(self._path) == self._target:
            self._path.unlink()


class TcpPort:
    """A TCP server at the box's address, for up to four hosts at once."""

    def __init__(self, address: TcpAddress, greet: Greet) -> None:
        self._address = address
        self._greet = greet
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Transport] = set()

    async def open(self) -> None:
        """Listen. Raises RigError when the address is not ours or in use."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Client(self._clients, self._greet), self._address.host, self._address.port
            )
        except OSError as error:
            reason = f"the rig cannot listen there ({error.strerror})"
            advice = "give the device a port of this machine that nothing uses, e.g. tcp:127.0.0.1:5403"
            raise RigError(self._address.text, reason, advice) from error

    @property
    def hosts(self) -> int:
        """How many hosts are connected."""
        return len(self._clients)

    def send(self, data: bytes) -> None:
        """Send to every host."""
        for client in tuple(self._clients):
            _send_to(client, data)

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for client in tuple(self._clients):
            client.abort()
        await server.wait_closed()


class _Client(asyncio.Protocol):
    """One host on a TCP line."""

    def __init__(self, clients: set[asyncio.Transport], greet: Greet) -> None:
        self._clients = clients
        self._greet = greet
        self._transport: asyncio.Transport | None = None
        self._receive: Receive | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if len(self._clients) >= MAX_TCP_CLIENTS:
            transport.abort()
            return
        self._transport = transport
        self._clients.add(transport)
        self._receive = self._greet(lambda data: _send_to(transport, data))

    def data_received(self, data: bytes) -> None:
        if self._receive is not None:
            self._receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._clients.discard(self._transport)


def _send_to(client: asyncio.Transport, data: bytes) -> None:
    if client.is_closing():
        return
    client.write(data)
    if client.get_write_buffer_size() > TCP_BACKLOG_BYTES:
        client.abort()
