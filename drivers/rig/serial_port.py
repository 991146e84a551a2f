"""The box's end of a real serial port: a null modem or a loop-back cable joins it with the host's port.

A script names it in `[ports]`, because the meet file names the host's end: `p3-finish = "serial:/dev/ttyUSB1"`.
"""

import asyncio
from typing import Final

from drivers.errors import TransportError
from drivers.hostclock import HostClock
from drivers.rig.ports import Greet, Receive, RigError
from drivers.transports.address import SerialAddress
from drivers.transports.serial import SerialTransport

UNSENT_AT_MOST: Final = 10_000
"""Messages that wait for a slow line: more than a heat; beyond that new ones are dropped, as a box's buffer does."""


class SerialPort:
    """A serial port of this machine as the end of a simulated box."""

    def __init__(self, address: SerialAddress, greet: Greet) -> None:
        self._address = address
        self._greet = greet
        self._receive: Receive | None = None
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue(UNSENT_AT_MOST)
        self._transport: SerialTransport | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.dropped = 0
        """Messages for which there was no room, or no line any more."""

    async def open(self) -> None:
        """Open and lock the port. Raises RigError with the reason and advice."""
        self._transport = SerialTransport(self._address, HostClock())
        try:
            await self._transport.open()
        except TransportError as error:
            raise RigError(self._address.text, error.reason, error.advice) from error
        self._receive = self._greet(self.send)
        self._tasks = [asyncio.create_task(job) for job in (self._read(self._transport), self._write(self._transport))]

    def send(self, data: bytes) -> None:
        """Queue for the line."""
        if self._tasks and not self._unsent.full():
            self._unsent.put_nowait(data)
        else:
            self.dropped += 1

    async def close(self) -> None:
        """Release the port; what was not sent is lost."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        transport, self._transport = self._transport, None
        while not self._unsent.empty():
            self._unsent.get_nowait()
            self.dropped += 1
        if transport is not None:
            await transport.close()
        for error in ended:
            # A cable that was pulled ends the line, and closing it is the way to begin again.
            if isinstance(error, Exception) and not isinstance(error, TransportError):
                raise error

    async def _read(self, transport: SerialTransport) -> None:
        while True:
            chunk = await transport.receive()
            if self._receive is not None:
                self._receive(chunk.data)

    async def _write(self, transport: SerialTransport) -> None:
        while True:
            await transport.send(await self._unsent.get())
