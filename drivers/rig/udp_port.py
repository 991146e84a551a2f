"""A simulated box's end of a UDP line: a socket at the box's address that sends to the host's port."""

import asyncio
import socket

from drivers.rig.ports import Greet, Receive, RigError
from drivers.transports.address import UdpAddress

DATAGRAM_BYTES = 65_536
LARGEST_DATAGRAM_BYTES = 65_507
"""What fits into one datagram over IPv4; more is sent in several."""


class UdpPort:
    """A box at `address.host`:`address.port` (an address of this machine) that sends to `address.local_port` there.

    As a box in the field it sends whether or not anybody listens; what the system's buffer does not take is lost.
    """

    def __init__(self, address: UdpAddress, greet: Greet) -> None:
        self._address = address
        self._greet = greet
        self._socket: socket.socket | None = None
        self._receive: Receive | None = None
        self.dropped = 0
        """Datagrams that could not be sent."""

    async def open(self) -> None:
        """Take the box's port. Raises RigError when the address is not ours or in use."""
        host = self._address.host
        connection = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        connection.setblocking(False)
        try:
            connection.bind((host, self._address.port))
        except OSError as error:
            connection.close()
            reason = f"the rig cannot take this UDP port ({error.strerror or error})"
            advice = "give the device a port of this machine that nothing uses, e.g. udp:127.0.0.1:2008?local=2009"
            raise RigError(self._address.text, reason, advice) from error
        self._socket = connection
        self._receive = self._greet(self.send)
        asyncio.get_running_loop().add_reader(connection, self._read)

    def send(self, data: bytes) -> None:
        """Send to the host's port, as one datagram where it fits."""
        target = (self._address.host, self._address.local_port)
        for start in range(0, len(data), LARGEST_DATAGRAM_BYTES):
            if self._socket is None:
                return
            try:
                self._socket.sendto(data[start : start + LARGEST_DATAGRAM_BYTES], target)
            except OSError:
                # Nobody listens, or the buffer is full: a datagram is lost, as in the field.
                self.dropped += 1

    def _read(self) -> None:
        if self._socket is None or self._receive is None:
            return
        try:
            data = self._socket.recv(DATAGRAM_BYTES)
        except OSError:
            # The answer to a datagram that nobody took (connection refused), or nothing there after all.
            return
        if data:
            self._receive(data)

    async def close(self) -> None:
        """Give the port back."""
        connection, self._socket = self._socket, None
        if connection is not None:
            asyncio.get_running_loop().remove_reader(connection)
            connection.close()
