"""What serial ports and TCP sockets share: a non-blocking file descriptor watched by the event loop.

The read happens in the loop's reader callback and is stamped there, so that a busy consumer cannot make a
passing late. Measured against native-async packages this is as fast, and an unplug surfaces at once.
"""

import asyncio
import os
from typing import ClassVar

from drivers.errors import TransportLost
from drivers.hostclock import HostClock
from drivers.transports.base import Chunk, Inbox

READ_BYTES = 65_536
"""More than any box sends in one burst (36 passings of 100 bytes), so one wake-up takes all of it."""

PAUSE_AT_BYTES = 1_048_576
"""Unreceived bytes at which reading pauses: about 10,000 passings, one second of the worst load."""

RESUME_AT_BYTES = PAUSE_AT_BYTES // 2

SEND_STALL_S = 2.0
"""A box that takes no byte for this long hangs: our longest question needs 0.1 s at 9600 baud."""


class DescriptorTransport:
    """Reading and writing of an open descriptor; subclasses open and close it."""

    lost_advice: ClassVar[str]
    """What the operator should do when this kind of line is lost."""

    def __init__(self, where: str, clock: HostClock) -> None:
        self.where = where
        self._clock = clock
        self._inbox = Inbox()
        self._descriptor: int | None = None
        self._paused = False
        self._sending = asyncio.Lock()
        self._writable: asyncio.Future[None] | None = None

    async def receive(self) -> Chunk:
        """The next bytes, stamped in the callback that read them. Raises `TransportLost`."""
        chunk = await self._inbox.get()
        if self._paused and self._descriptor is not None and self._inbox.waiting_bytes < RESUME_AT_BYTES:
            self._start_reading(self._descriptor)
        return chunk

    async def send(self, data: bytes) -> None:
        """Write all of `data`. Raises `TransportLost` when the line is gone or takes nothing for 2 s."""
        async with self._sending:
            rest = memoryview(data)
            while rest:
                if self._descriptor is None:
                    raise self._lost("the line is not open")
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except BlockingIOError:
                    await self._wait_until_writable(self._descriptor)
                except OSError as error:
                    raise self._lost(f"writing failed ({error.strerror})") from error

    def _attach(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._start_reading(descriptor)

    def _detach(self) -> None:
        """Stop watching the descriptor; the caller closes it."""
        if self._descriptor is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._descriptor)
        loop.remove_writer(self._descriptor)
        self._descriptor = None
        closed = self._lost("the line was closed")
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(closed)
        self._inbox.fail(closed)

    def _is_end(self, descriptor: int) -> bool:
        """Whether a read that brought nothing means that the line is gone."""
        return True

    def _lost(self, reason: str) -> TransportLost:
        return TransportLost(self.where, reason, self.lost_advice)

    def _start_reading(self, descriptor: int) -> None:
        self._paused = False
        asyncio.get_running_loop().add_reader(descriptor, self._read, descriptor)

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, READ_BYTES)
            received_us = self._clock.now_us()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(descriptor, f"the line broke ({error.strerror})")
            return
        if data:
            self._inbox.put(Chunk(data, received_us))
            if self._inbox.waiting_bytes >= PAUSE_AT_BYTES:
                self._paused = True
                asyncio.get_running_loop().remove_reader(descriptor)
        elif self._is_end(descriptor):
            self._end(descriptor, "the other side closed the line")

    def _end(self, descriptor: int, reason: str) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        self._inbox.fail(self._lost(reason))

    async def _wait_until_writable(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        writable: asyncio.Future[None] = loop.create_future()
        self._writable = writable
        loop.add_writer(descriptor, _complete, writable)
        try:
            async with asyncio.timeout(SEND_STALL_S):
                await writable
        except TimeoutError:
            raise self._lost(f"the box took no byte for {SEND_STALL_S:g} s") from None
        finally:
            self._writable = None
            # After _detach the number may already belong to another file: it removed the writer itself.
            if self._descriptor == descriptor:
                loop.remove_writer(descriptor)


def _complete(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
