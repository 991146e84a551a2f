"""A simulated Scan'O'Vision: the results that an Omega / Swiss Timing crew sends (hardware-protocols §6).

Its own clock starts with the gun; it knows a race by the id that the crew typed in, which here is the heat's. Its
crew sends the results when the picture is read, once more a little later, and to every host that connects after
that: nothing acknowledges them, and a ranking that lost a byte is none.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from config.models import Device, Heat
from drivers.hostclock import HostClock
from drivers.protocols import lif
from drivers.protocols.osv import encode_frame, encode_ranking
from drivers.protocols.osv_template import DEFAULT_TEMPLATE, template_with
from drivers.records import PhotoFinish
from drivers.rig.clockmodel import DAY_US, DeviceClockModel
from drivers.rig.ports import Greet, Port, Receive, Send
from drivers.rig.race import Sheet
from drivers.rig.stopwatch import Stopwatch

SEND_AGAIN_AFTER_US: Final = 5_000_000
LOOK_EVERY_US: Final = 1_000_000


class OsvBox(Stopwatch):
    """The camera's *Data handling* output on a serial or network line, with the columns that the meet file says."""

    def __init__(
        self, device: Device, opening: Callable[[Greet], Port], model: DeviceClockModel, clock: HostClock
    ) -> None:
        """Raises ValueError for `options` that are no template."""
        super().__init__(device, model)
        self._clock = clock
        self._template = template_with(DEFAULT_TEMPLATE, device.options)
        self._sheet: PhotoFinish | None = None
        self._again_us: int | None = None
        self._port = opening(self._greet)

    async def open(self) -> None:
        """Make the camera reachable. Raises RigError."""
        await self._port.open()

    async def close(self) -> None:
        """Switch its output off."""
        await self._port.close()

    async def run(self) -> None:
        """Send the last results once more when their time has come, until cancelled."""
        while True:
            if self._again_us is not None and self._clock.now_us() >= self._again_us:
                self._again_us = None
                self._send_results(self._port.send)
            await self._clock.sleep_us(LOOK_EVERY_US)

    def arm(self, heat: Heat) -> None:
        """The crew calls up the next race."""
        self.heat = heat
        self.stop()
        self._port.send(encode_frame("SNR", heat.id))

    def start(self, gun_us: int) -> None:
        """The gun, at `gun_us` of host time."""
        self.gun_us = gun_us
        self._port.send(encode_frame("ISV", lif.format_time_of_day(self.model.device_us(gun_us) % DAY_US)))

    def stop(self) -> None:
        """The race was stopped, or another is called up: there are no results to send."""
        self.gun_us = None
        self._sheet = self._again_us = None

    def show(self, sheet: Sheet, gun_us: int) -> None:
        """The crew has read the picture; its results are official at once."""
        self._sheet = msgspec.structs.replace(self.photo_finish(sheet, gun_us), event=sheet.heat)
        self._again_us = self._clock.now_us() + SEND_AGAIN_AFTER_US
        self._send_results(self._port.send)

    def _send_results(self, send: Send) -> None:
        if self._sheet is not None:
            send(encode_ranking(self._sheet, self._template))

    def _greet(self, send: Send) -> Receive:
        self._send_results(send)
        return lambda data: None  # it listens to nobody
