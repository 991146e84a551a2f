"""Boxes that listen on TCP: decoders, serial servers, the photo-finish computer."""

import asyncio
import socket
from typing import ClassVar

from drivers.errors import OpenFailed
from drivers.hostclock import HostClock
from drivers.transports.address import TcpAddress
from drivers.transports.descriptor import DescriptorTransport

CONNECT_TIMEOUT_S = 0.8
"""A box on the venue's network answers in milliseconds. A longer wait would sit out the kernel's growing
pauses between connection requests and miss the goal of being back within 1 s of the box."""

KEEPALIVE_IDLE_S = 1
KEEPALIVE_INTERVAL_S = 1
KEEPALIVE_PROBES = 3
"""A box whose power or cable went is noticed after 1 + 3 × 1 s without any traffic of its own."""

UNACKNOWLEDGED_MS = 4_000
"""The same limit for bytes that we sent and the box never acknowledged; keepalive does not cover these."""


class TcpTransport(DescriptorTransport):
    """A TCP connection to a box that listens."""

    lost_advice: ClassVar[str] = "check the network cable and the box's power; reconnecting by itself"

    def __init__(self, address: TcpAddress, clock: HostClock) -> None:
        super().__init__(address.text, clock)
        self._address = address
        self._socket: socket.socket | None = None

    async def open(self) -> None:
        """Connect. Raises `OpenFailed`: refused, no answer, unknown host, unreachable."""
        connection = await connect(self.where, self._address.host, self._address.port)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        self._socket = connection
        self._attach(connection.fileno())

    async def close(self) -> None:
        """Stop reading and close the connection."""
        self._detach()
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()


async def connect(where: str, host: str, port: int) -> socket.socket:
    """A connected non-blocking socket. Raises `OpenFailed` naming what is wrong with the way there."""
    target = f"{host}:{port}"
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await _connect_to_any(host, port)
    except TimeoutError as error:
        reason = f"no answer from {target} within {CONNECT_TIMEOUT_S:g} s"
        advice = "check the cable, the power of the box and that it is in this machine's network"
        raise OpenFailed(where, reason, advice) from error
    except socket.gaierror as error:
        reason = f"the host name {host!r} is not known ({error.strerror})"
        raise OpenFailed(where, reason, "check the spelling, or write the IP address") from error
    except ConnectionRefusedError as error:
        reason = f"connection refused: nothing listens at {target}"
        advice = "check that the box or its program is running and its port; it may also serve too many already"
        raise OpenFailed(where, reason, advice) from error
    except OSError as error:
        reason = f"{target} cannot be reached ({error.strerror})"
        raise OpenFailed(where, reason, "check the cable and the network settings of this machine") from error


async def _connect_to_any(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        connection.setblocking(False)
        try:
            await loop.sock_connect(connection, address)
            refuse_connection_to_itself(connection)
        except OSError as error:
            connection.close()
            failure = error
        except asyncio.CancelledError:
            connection.close()
            raise
        else:
            return connection
    raise failure or OSError(0, "no address")


def refuse_connection_to_itself(connection: socket.socket) -> None:
    """Raises `ConnectionRefusedError` when both ends of the connection are the same."""
    # Trying a local port again and again while nobody listens may meet the very port that the kernel gave our
    # own end: TCP then connects the socket to itself, and the box could never listen there again.
    if connection.getsockname() == connection.getpeername():
        raise ConnectionRefusedError
