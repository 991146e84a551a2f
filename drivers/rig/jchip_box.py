"""Simulated JChip readers (CrossMgr's UHF bridges, hardware-protocols §9): they connect to us and wait for GT, S0000.

A device with channels is one reader for each channel, named like it; a device with one loop is one reader with the
device's name. A reader keeps what it could not send and sends it after the next connection.
"""

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import Final

from config.models import Device
from drivers.hostclock import HostClock
from drivers.protocols.jchip import DAY_US, encode_name, encode_passing, encode_time
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.race import LoopRead
from drivers.transports.address import TcpListenAddress

RETRY_S: Final = 0.2
EVERYWHERE: Final = ("0.0.0.0", "::")


class JChipBox:
    """All readers of one device."""

    def __init__(self, device: Device, address: TcpListenAddress, model: DeviceClockModel, clock: HostClock) -> None:
        self.device = device
        self.model = model
        host = "127.0.0.1" if address.host in EVERYWHERE else address.host
        names = [wire.channel for wire in device.channels if wire.role is None] or [device.id]
        self.readers = {name: JChipReader(name, host, address.port, model, clock) for name in names}

    async def open(self) -> None:
        """The readers connect when they run; a host that does not listen yet is no error."""

    async def close(self) -> None:
        """The connections end with `run`."""

    async def run(self) -> None:
        """All readers, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for reader in self.readers.values():
                tasks.create_task(reader.run())

    def read(self, read: LoopRead, gun_us: int) -> None:
        """A tag over one of the antennas; `gun_us` is the gun in host time."""
        reader = self.readers[read.channel if read.channel in self.readers else next(iter(self.readers))]
        reader.read(read.transponder, gun_us + read.at_us)


class JChipReader:
    """One reader: connect, tell the name, answer GT, send after S0000."""

    def __init__(self, name: str, host: str, port: int, model: DeviceClockModel, clock: HostClock) -> None:
        self.name = name
        self.error_us = 0
        """How far this reader's clock is ahead of the device's model, in µs."""
        self._host = host
        self._port = port
        self._model = model
        self._clock = clock
        self._count = 0
        self._outbox: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None

    @property
    def waiting(self) -> int:
        """Passings not sent yet."""
        return len(self._outbox)

    def read(self, transponder: str, at_us: int) -> None:
        """A tag at host time `at_us`."""
        self._outbox.append(encode_passing(transponder, self._device_us(at_us), self._count, _day(at_us)))
        self._count += 1
        self._news.set()

    def vanish(self) -> None:
        """Break the connection at once, as pulling the plug and putting it back does."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def run(self) -> None:
        """Connect again and again until cancelled."""
        while True:
            try:
                stream, self._writer = await asyncio.open_connection(self._host, self._port)
                try:
                    await self._talk(stream, self._writer)
                finally:
                    self._writer.transport.abort()
                    self._writer = None
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                # Nobody listens, or the host is gone: a bridge tries again for ever, and so do we.
                await asyncio.sleep(RETRY_S)

    async def _talk(self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode_name(self.name))
        if await stream.readuntil(b"\r") != b"GT\r":
            raise ConnectionAbortedError("expected GT")
        now_us = self._clock.now_us()
        writer.write(encode_time(self._device_us(now_us), _day(now_us)))
        if not (await stream.readuntil(b"\r")).startswith(b"S"):
            raise ConnectionAbortedError("expected S0000")
        ended = asyncio.create_task(stream.read(1))
        try:
            while not ended.done():
                self._news.clear()
                while self._outbox:
                    writer.write(self._outbox[0])
                    await writer.drain()
                    self._outbox.popleft()
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait((news, ended), return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            ended.cancel()
            await asyncio.wait([ended])
        if not ended.cancelled():
            # The connection's own error, if that ended it; a clean end is one as well.
            ended.result()
        raise ConnectionResetError("the host is gone")

    def _device_us(self, at_us: int) -> int:
        return (self._model.device_us(at_us) + self.error_us) % DAY_US


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y%m%d")
