"""What every line to a box offers, and the inbox that the implementations share."""

import asyncio
from collections import deque
from typing import Literal, Protocol, runtime_checkable

import msgspec

Delay = Literal["none", "stored", "repeated"]


class Chunk(msgspec.Struct, frozen=True):
    """Bytes of one read and the host UTC µs at which they were read."""

    data: bytes
    received_us: int
    delay: Delay = "none"
    """`stored`: something on the way (a broker) kept them, so `received_us` says nothing about when the box sent
    them. `repeated`: the same, and they came before without being acknowledged: they may be on disk already."""


class Transport(Protocol):
    """A line to a box: opened once, received from by one task, closed; then a new one is made."""

    async def open(self) -> None:
        """Open the line. Raises `OpenFailed` with the reason and advice for the operator."""
        ...

    async def receive(self) -> Chunk:
        """Wait for the next bytes. Raises `TransportLost` when the line is gone.

        Cancelling it loses nothing. Bytes read before a loss come out before the loss is raised.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Hand all of `data` to the line.

        Raises `TransportLost`, or `SendNotSupported` on a line that only listens.
        """
        ...

    async def close(self) -> None:
        """Release the line and all that belongs to it. May be called at any time, more than once."""
        ...


@runtime_checkable
class Acknowledging(Protocol):
    """A transport whose line keeps what it brought until it is told that it is safe, and brings it again if not."""

    def acknowledge(self, count: int) -> None:
        """The first `count` chunks that `receive` returned on this line are on disk. Never goes down."""
        ...


class Inbox:
    """Chunks between the callback that reads a line and the task that receives them."""

    def __init__(self) -> None:
        self._chunks: deque[Chunk] = deque()
        self._error: BaseException | None = None
        self._changed = asyncio.Event()
        self.waiting_bytes = 0
        """Bytes read from the line that nobody has received yet."""

    def put(self, chunk: Chunk) -> None:
        """Add a chunk; it will come out after all earlier ones."""
        self._chunks.append(chunk)
        self.waiting_bytes += len(chunk.data)
        self._changed.set()

    def fail(self, error: BaseException) -> None:
        """End the line: after all that arrived before, `get` raises `error`. The first error stays."""
        if self._error is None:
            self._error = error
        self._changed.set()

    async def get(self) -> Chunk:
        """The next chunk, or the error that ended the line."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        chunk = self._chunks.popleft()
        self.waiting_bytes -= len(chunk.data)
        return chunk
