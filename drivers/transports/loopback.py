"""Two transports joined back to back inside the process: the null modem for tests and demonstrations."""

from drivers.errors import OpenFailed, TransportLost
from drivers.hostclock import HostClock
from drivers.transports.base import Chunk, Inbox

_WHERE = "loopback"


class LoopbackTransport:
    """One end of a null modem: what it sends the other end receives; its closing is the other's loss."""

    def __init__(self, clock: HostClock, fail_open: OpenFailed | None = None) -> None:
        """`fail_open` makes `open` raise it: a box that is not there."""
        self._clock = clock
        self._fail_open = fail_open
        self._inbox = Inbox()
        self._peer: LoopbackTransport | None = None
        self.closed = False

    @classmethod
    def pair(cls, clock: HostClock) -> "tuple[LoopbackTransport, LoopbackTransport]":
        """Two joined ends."""
        ours, theirs = cls(clock), cls(clock)
        ours._peer, theirs._peer = theirs, ours
        return ours, theirs

    async def open(self) -> None:
        """Nothing to open, unless `fail_open` was given."""
        if self._fail_open is not None:
            raise self._fail_open

    async def receive(self) -> Chunk:
        """The next bytes that the other end sent, stamped when they were sent."""
        return await self._inbox.get()

    async def send(self, data: bytes) -> None:
        """Hand `data` to the other end. Raises `TransportLost` after either end was closed."""
        if self.closed or self._peer is None or self._peer.closed:
            raise TransportLost(_WHERE, "the other end is closed", "open a new pair")
        self._peer._inbox.put(Chunk(data, self._clock.now_us()))

    async def close(self) -> None:
        """Close this end; the other end sees a loss."""
        self.closed = True
        self._inbox.fail(TransportLost(_WHERE, "this end is closed", "open a new pair"))
        if self._peer is not None:
            self._peer._inbox.fail(TransportLost(_WHERE, "the other end was closed", "open a new pair"))
