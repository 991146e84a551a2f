"""Boxes that speak in datagrams: THbC over UDP 2008, scoreboard senders.

Datagrams may be lost, doubled or come in another order, and nobody says when the box is gone: the protocol's
acknowledgements and numbers have to bring back what is missing, and `silent_after_s` tells of a box that
vanished. Only datagrams from the box's own host are taken; those of others are dropped and told in the log
once for each sender. That nothing listens at the box's port is not taken for a loss: a box that only sends is
heard all the same.
"""

import asyncio
import errno
import socket
from typing import Any, ClassVar

import structlog

from drivers.errors import OpenFailed
from drivers.hostclock import HostClock
from drivers.transports.address import UdpAddress
from drivers.transports.base import Chunk
from drivers.transports.descriptor import PAUSE_AT_BYTES, DescriptorTransport

DATAGRAM_BYTES = 65_536
"""More than the largest datagram (65,507 bytes): none is ever cut."""

DATAGRAMS_AT_ONCE = 64
"""Taken in one wake-up before the other boxes have their turn."""

KERNEL_BUFFER_BYTES = 4 * 1_048_576
"""What may arrive while the event loop is busy; the system cuts it to what it allows."""

RESOLVE_TIMEOUT_S = 0.8
"""As long as a TCP connection may take: we must be back within 1 s of the box."""

STRANGERS_TOLD = 16
"""Foreign senders named in the log; a noisy network shall not fill it."""

_log = structlog.get_logger()


class UdpTransport(DescriptorTransport):
    """A socket on our port, for one box. Each datagram is one chunk; empty ones say nothing and are dropped."""

    lost_advice: ClassVar[str] = "check the network cable and this machine's network settings; trying again by itself"

    def __init__(self, address: UdpAddress, clock: HostClock) -> None:
        super().__init__(address.text, clock)
        self._address = address
        self._socket: socket.socket | None = None
        self._target: Any = None
        self._hosts: frozenset[str] = frozenset()
        self._strangers: set[str] = set()
        self.dropped = 0
        """Datagrams of other hosts that came to our port."""

    async def open(self) -> None:
        """Take our port. Raises `OpenFailed`: unknown host, port in use or forbidden, no way to the host."""
        family, self._target, self._hosts = await self._resolve()
        connection = socket.socket(family, socket.SOCK_DGRAM)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER_BYTES)
            if self._address.source == "port":
                # Connected sockets on one port are told apart by their peers: boxes may share our port.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            connection.bind(("", self._address.local_port))
            if self._address.source == "port":
                connection.connect(self._target)
        except OSError as error:
            connection.close()
            raise self._cannot_open(error) from error
        self._socket = connection
        self._attach(connection.fileno())

    async def send(self, data: bytes) -> None:
        """Send `data` as one datagram. Raises `TransportLost` when it cannot leave this machine."""
        async with self._sending:
            while True:
                if self._socket is None or self._descriptor is None:
                    raise self._lost("the line is not open")
                try:
                    if self._address.source == "port":
                        self._socket.send(data)
                    else:
                        self._socket.sendto(data, self._target)
                except BlockingIOError:
                    await self._wait_until_writable(self._descriptor)
                except ConnectionRefusedError:
                    # The answer to an earlier datagram (nothing listens there); this one was not sent yet.
                    continue
                except OSError as error:
                    raise self._lost(f"sending failed ({error.strerror})") from error
                else:
                    return

    async def close(self) -> None:
        """Stop reading and give our port back."""
        self._detach()
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def _read(self, descriptor: int) -> None:
        for _ in range(DATAGRAMS_AT_ONCE):
            if self._socket is None:
                return
            try:
                data, sender = self._socket.recvfrom(DATAGRAM_BYTES)
                received_us = self._clock.now_us()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionRefusedError:
                continue
            except OSError as error:
                self._end(descriptor, f"the line broke ({error.strerror})")
                return
            if sender[0] not in self._hosts:
                self._note_stranger(sender[0])
            elif data:
                self._inbox.put(Chunk(data, received_us))
            if self._inbox.waiting_bytes >= PAUSE_AT_BYTES:
                self._paused = True
                asyncio.get_running_loop().remove_reader(descriptor)
                return

    def _note_stranger(self, host: str) -> None:
        self.dropped += 1
        if host not in self._strangers and len(self._strangers) < STRANGERS_TOLD:
            self._strangers.add(host)
            _log.warning("datagram_of_another_host", address=self.where, sender=host, expected=sorted(self._hosts))

    async def _resolve(self) -> tuple[socket.AddressFamily, Any, frozenset[str]]:
        """Family and socket address of the box, and every address of its host in that family."""
        loop = asyncio.get_running_loop()
        host, port = self._address.host, self._address.port
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except TimeoutError as error:
            reason = f"the name server does not say within {RESOLVE_TIMEOUT_S:g} s who {host!r} is"
            raise OpenFailed(self.where, reason, "write the IP address instead of the name") from error
        except socket.gaierror as error:
            reason = f"the host name {host!r} is not known ({error.strerror})"
            raise OpenFailed(self.where, reason, "check the spelling, or write the IP address") from error
        family, _, _, _, target = found[0]
        return family, target, frozenset(str(entry[4][0]) for entry in found if entry[0] is family)

    def _cannot_open(self, error: OSError) -> OpenFailed:
        port = self._address.local_port
        if isinstance(error, PermissionError):
            reason = f"no permission to receive on UDP port {port}"
            return OpenFailed(self.where, reason, "choose a local port above 1023, with ?local=… and in the box")
        if error.errno == errno.EADDRINUSE:
            reason = f"UDP port {port} of this machine is in use"
            advice = (
                "end the other program, or give this box another port with ?local=… and in the box's settings; "
                "boxes that send from a fixed port can share ours with ?source=port on each of them"
            )
            return OpenFailed(self.where, reason, advice)
        reason = f"UDP port {port} cannot be used for {self._address.host} ({error.strerror})"
        return OpenFailed(self.where, reason, "check the network settings of this machine")
