"""Records live boxes: each is served by its driver as in a race, and both directions of its line are written down.

The drivers ask what they always ask and acknowledge what is on the recording's disk, so a box that waits for
acknowledgements goes on sending. A passing that a box forgets once it is acknowledged is then in the recording
alone: record a rehearsal, and take the recording of a race from its journal.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from config.models import Device, Setup
from drivers.errors import TransportLost
from drivers.hostclock import HostClock
from drivers.protocols.base import Resume
from drivers.protocols.registry import protocol
from drivers.records import Delivery, DeviceHealth
from drivers.rig.recording import Direction, RecordedBytes, RecordingError, RecordingWriter, header_of
from drivers.supervisor import DeviceSupervisor
from drivers.transports import create_transport
from drivers.transports.base import Chunk, Transport


class RecordedTransport:
    """A line whose bytes are written down as they pass, with the times at which they were read or sent."""

    def __init__(self, inner: Transport, device: str, writer: RecordingWriter, clock: HostClock) -> None:
        self._inner = inner
        self._device = device
        self._writer = writer
        self._clock = clock
        self._is_open = False

    async def open(self) -> None:
        """As the line itself."""
        await self._inner.open()
        self._is_open = True
        self._note("open")

    async def receive(self) -> Chunk:
        """As the line itself; what it brings is written down first."""
        try:
            chunk = await self._inner.receive()
        except TransportLost:
            self._note_loss()
            raise
        self._writer.write(RecordedBytes(device=self._device, at_us=chunk.received_us, direction="in", data=chunk.data))
        return chunk

    async def send(self, data: bytes) -> None:
        """As the line itself; what it took is written down."""
        at_us = self._clock.now_us()
        try:
            await self._inner.send(data)
        except TransportLost:
            self._note_loss()
            raise
        self._writer.write(RecordedBytes(device=self._device, at_us=at_us, direction="out", data=data))

    async def close(self) -> None:
        """As the line itself. That we hung up is not written down: the box was there."""
        await self._inner.close()

    def _note_loss(self) -> None:
        # Reading and writing both notice it.
        if self._is_open:
            self._is_open = False
            self._note("close")

    def _note(self, what: Direction) -> None:
        self._writer.write(RecordedBytes(device=self._device, at_us=self._clock.now_us(), direction=what))


class Recorder:
    """All devices of a meet into one recording. `run` serves until cancelled."""

    def __init__(self, setup: Setup, path: Path, clock: HostClock, report: Callable[[DeviceHealth], None]) -> None:
        """Make the file. Raises RecordingError, UnknownProtocol, ProtocolUnusable or AddressError.

        `report` hears of each change in a device's state.
        """
        self._clock = clock
        self._report = report
        self._broker = setup.meet.broker
        self._pending: list[asyncio.Future[None]] = []
        self._wanted = asyncio.Event()
        self.heard: dict[str, int] = {device.id: 0 for device in setup.meet.devices}
        """Bytes from each device so far."""
        sessions = [(device, protocol(device.protocol).session(device, Resume())) for device in setup.meet.devices]
        for device in setup.meet.devices:
            self._line_of(device)
        self.writer = RecordingWriter(path, header_of(setup, "live", clock.now_us()))
        self._supervisors = [
            DeviceSupervisor(device, session, self._line_to(device), clock, self._deliver, report)
            for device, session in sessions
        ]

    async def run(self) -> None:
        """Record until cancelled. Raises DeliveryFailed or RecordingError when the disk does not take it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._flush_all())
                for supervisor in self._supervisors:
                    tasks.create_task(supervisor.run())
        finally:
            await asyncio.to_thread(self.writer.close)

    def _line_to(self, device: Device) -> Callable[[], Transport]:
        def make() -> Transport:
            return RecordedTransport(self._line_of(device), device.id, self.writer, self._clock)

        return make

    def _line_of(self, device: Device) -> Transport:
        defaults = protocol(device.protocol).serial_defaults
        return create_transport(device.address, self._clock, self._broker, serial_defaults=defaults)

    def _deliver(self, delivery: Delivery) -> asyncio.Future[None]:
        """The bytes are written already: the delivery is done when they are on the disk."""
        self.heard[delivery.device] += len(delivery.raw)
        on_disk: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append(on_disk)
        self._wanted.set()
        return on_disk

    async def _flush_all(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            group, self._pending = self._pending, []
            try:
                await asyncio.to_thread(self.writer.flush)
            except RecordingError as error:
                for on_disk in group:
                    if not on_disk.done():
                        on_disk.set_exception(error)
                continue
            for on_disk in group:
                if not on_disk.done():
                    on_disk.set_result(None)
