"""A simulated FinishLynx camera: our LSS stream on a line, or LIF files in a folder (hardware-protocols §4).

It has a stopwatch of its own, started by the gun, and states times to 0.1 ms. Nothing acknowledges a sheet,
so it is sent again every 5 s until the camera is armed for the next heat.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from config.models import Device, Heat
from drivers.hostclock import HostClock
from drivers.protocols.lif import encode_lif
from drivers.protocols.lynx import LineCounter, encode_clock, encode_script_start, encode_sheet
from drivers.records import PhotoFinish
from drivers.rig.clockmodel import DAY_US, DeviceClockModel
from drivers.rig.ports import Greet, Port, Receive, RigError, Send
from drivers.rig.race import Sheet
from drivers.rig.stopwatch import Stopwatch
from drivers.transports.address import FolderAddress

CLOCK_EVERY_US: Final = 1_000_000
SHEET_EVERY_US: Final = 5_000_000
HALF_WRITTEN_US: Final = 1_000_000
"""How long a result file that a script wants half written stays so."""
DECIMALS: Final = 4


class LynxBox(Stopwatch):
    """The camera on a serial or network line, running our script velodrome.lss."""

    def __init__(
        self, device: Device, opening: Callable[[Greet], Port], model: DeviceClockModel, clock: HostClock
    ) -> None:
        super().__init__(device, model)
        self._clock = clock
        self._counter = LineCounter()
        self._sheet: PhotoFinish | None = None
        self._sheet_due_us = 0
        self._port = opening(self._greet)

    async def open(self) -> None:
        """Make the camera reachable and start its script. Raises RigError."""
        await self._port.open()
        self._port.send(encode_script_start(self._counter))

    async def close(self) -> None:
        """Switch the camera off."""
        await self._port.close()

    async def run(self) -> None:
        """Send the running clock every second and the last sheet every 5 s, until cancelled."""
        while True:
            now_us = self._clock.now_us()
            if self.gun_us is not None and now_us >= self.gun_us:
                time_us = self.model.elapsed_us(self.gun_us, now_us)
                self._port.send(encode_clock("running", time_us, self._counter))
            if self._sheet is not None and now_us >= self._sheet_due_us:
                self._send_sheet(self._sheet)
            await self._clock.sleep_us(CLOCK_EVERY_US)

    def arm(self, heat: Heat) -> None:
        """The next heat: forget the last sheet."""
        self.heat = heat
        self.gun_us = None
        self._sheet = None
        self._port.send(encode_clock("armed", None, self._counter))

    def start(self, gun_us: int) -> None:
        """The gun, at `gun_us` of host time."""
        self.gun_us = gun_us
        gun = self.model.device_us(gun_us) % DAY_US
        self._port.send(encode_clock("gun", gun, self._counter, DECIMALS))

    def stop(self) -> None:
        """The race was stopped: the clock stands."""
        self.gun_us = None
        self._port.send(encode_clock("stopped", None, self._counter))

    def show(self, sheet: Sheet, gun_us: int) -> None:
        """The operator has read the picture."""
        self.stop()
        self._sheet = self.photo_finish(sheet, gun_us)
        self._send_sheet(self._sheet)

    def _send_sheet(self, sheet: PhotoFinish) -> None:
        self._sheet_due_us = self._clock.now_us() + SHEET_EVERY_US
        self._port.send(encode_sheet(sheet, self._counter, decimals=DECIMALS))

    def _greet(self, send: Send) -> Receive:
        return lambda data: None  # a camera listens to nobody


class LineDatagrams:
    """A port that sends each line by itself, as FinishLynx does over UDP: a lost datagram is one lost line."""

    def __init__(self, port: Port) -> None:
        self._port = port

    async def open(self) -> None:
        """Make the line reachable for the host. Raises RigError."""
        await self._port.open()

    def send(self, data: bytes) -> None:
        """Send every line of `data` as one datagram."""
        for line in data.splitlines(keepends=True):
            self._port.send(line)

    async def close(self) -> None:
        """Take the line away."""
        await self._port.close()


class LifBox(Stopwatch):
    """The camera's computer, which writes one result file a heat into a shared folder."""

    def __init__(self, device: Device, address: FolderAddress, model: DeviceClockModel, clock: HostClock) -> None:
        super().__init__(device, model)
        self._clock = clock
        self._where = address.text
        self._folder = Path(address.path)
        self._half_written: tuple[Path, bytes, int] | None = None

    async def open(self) -> None:
        """Make the folder. Raises RigError when it cannot be written."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = f"the rig cannot make the folder ({error.strerror})"
            raise RigError(self._where, reason, "choose a folder that you may write") from error

    async def close(self) -> None:
        """Nothing stays open between files."""

    async def run(self) -> None:
        """Complete a half-written file when its time has come, until cancelled."""
        while True:
            if self._half_written is not None and self._clock.now_us() >= self._half_written[2]:
                path, content, _ = self._half_written
                self._half_written = None
                path.write_bytes(content)
            await self._clock.sleep_us(HALF_WRITTEN_US // 4)

    def arm(self, heat: Heat) -> None:
        """The next heat."""
        self.heat = heat

    def start(self, gun_us: int) -> None:
        """The gun, at `gun_us` of host time."""
        self.gun_us = gun_us

    def stop(self) -> None:
        """The race was stopped."""
        self.gun_us = None

    def show(self, sheet: Sheet, gun_us: int) -> None:
        """Write the heat's file: whole, under another name first; or, if scripted, half of it."""
        content = encode_lif(self.photo_finish(sheet, gun_us), decimals=DECIMALS)
        path = self._folder / f"{sheet.heat}.lif"
        if sheet.half_written:
            path.write_bytes(content[: len(content) // 2])
            self._half_written = (path, content, self._clock.now_us() + HALF_WRITTEN_US)
            return
        unfinished = path.with_name(f".{path.name}.part")
        unfinished.write_bytes(content)
        os.replace(unfinished, path)
