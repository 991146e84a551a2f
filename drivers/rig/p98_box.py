"""A simulated AMB decoder that speaks P98 (hardware-protocols §1, §14): it only talks, and counts from its start."""

import random
import zlib
from collections.abc import Callable
from typing import Final

from config.models import Device
from drivers.hostclock import HostClock
from drivers.protocols.p98 import encode_passing, encode_status
from drivers.records import DeviceStatus, Passing
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.ports import Greet, Port, Receive, Send
from drivers.rig.race import LoopRead

STATUS_EVERY_US: Final = 4_000_000


class P98Box:
    """One decoder. `opening` makes its port from the function that greets each new line."""

    def __init__(
        self, device: Device, opening: Callable[[Greet], Port], model: DeviceClockModel, clock: HostClock, seed: int
    ) -> None:
        self.device = device
        self.model = model
        self._clock = clock
        self._lot = random.Random(f"{seed}/status/{device.id}")
        self._decoder = str(zlib.crc32(device.id.encode()) % 1_000)
        self.started_us = model.device_us(clock.now_us())
        self._sequence = 0
        self._port = opening(self._greet)

    async def open(self) -> None:
        """Make the box reachable. Raises RigError."""
        await self._port.open()

    async def close(self) -> None:
        """Switch the box off."""
        await self._port.close()

    async def run(self) -> None:
        """Send a status every 4 s of host time until cancelled."""
        while True:
            noise = self._lot.randint(0, 30)
            status = DeviceStatus(
                device=self.device.id, received_us=0, noise=noise, sequence=self._next(), decoder=self._decoder
            )
            self._port.send(encode_status(status))
            await self._clock.sleep_us(STATUS_EVERY_US)

    def restart(self) -> None:
        """The decoder is switched off and on: its numbers and its time begin again."""
        self.started_us = self.model.device_us(self._clock.now_us())
        self._sequence = 0

    def read(self, read: LoopRead, gun_us: int) -> None:
        """A transponder over the loop; `gun_us` is the gun in host time."""
        passing = Passing(
            device=self.device.id,
            received_us=0,
            device_us=max(0, self.model.device_us(gun_us + read.at_us) - self.started_us),
            transponder=read.transponder,
            sequence=self._next(),
            strength=read.strength,
            hits=read.hits,
            flags=0,
            decoder=self._decoder,
        )
        self._port.send(encode_passing(passing))

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _greet(self, send: Send) -> Receive:
        return lambda data: None  # P98 has no requests
