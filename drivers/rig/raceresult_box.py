"""A simulated race result decoder (hardware-protocols §5.1, §14): a TCP server with a memory.

The host speaks first. The box numbers its passings over its one file, keeps all of them for `n:count` and
pushes them to the hosts that asked for it. Stamps are cut to 1 ms. A box whose clock is a time of day plays a
decoder without GPS (date 0000-00-00).
"""

import zlib
from collections.abc import Callable
from typing import Final

from config.models import Device
from drivers.hostclock import HostClock
from drivers.protocols.raceresult_lines import LineReader
from drivers.protocols.raceresult_records import (
    MARKER,
    TRIGGER_CHANNEL,
    PassingLine,
    encode_line,
    encode_passing,
    format_stamp,
)
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.ports import Greet, Port, Receive, RigError, Send
from drivers.rig.race import Edge, LoopRead

IDLE_US: Final = 60_000_000
FIRST_FILE: Final = 1
PROTOCOLS: Final = ("2.0", "1.0", "3.2")
LEAST_HITS: Final = 1
MAX_RSSI: Final = 127
LOOP_IDS: Final = tuple("12345678")
SETTINGS: Final = ("SETPROTOCOL", "SETPUSHPREWARNS", "SETPUSHPASSINGS")


def check_channels(device: Device) -> None:
    """Raise RigError for a channel that a race result box does not have: loops are 1 to 8, all else the trigger."""
    for wire in device.channels:
        if wire.role is None and wire.channel not in LOOP_IDS:
            reason = f"channel {wire.channel!r} is no loop id of a race result box"
            raise RigError(f"device {device.id}", reason, "name its loop channels 1 to 8, as its loop ids are set")
        if wire.role is not None and wire.channel != TRIGGER_CHANNEL:
            reason = f"channel {wire.channel!r} ({wire.role}) is no input of a race result box"
            raise RigError(f"device {device.id}", reason, f"name it {TRIGGER_CHANNEL}: the box has one input")


class RaceResultBox:
    """One decoder. `opening` makes its port from the function that greets each new line.

    Raises RigError when a channel of the device is neither a loop id nor its trigger input.
    """

    def __init__(
        self, device: Device, opening: Callable[[Greet], Port], model: DeviceClockModel, clock: HostClock
    ) -> None:
        check_channels(device)
        self.device = device
        self.model = model
        self._clock = clock
        self._file = FIRST_FILE
        self._box = f"D-{zlib.crc32(device.id.encode()) % 90_000 + 10_000}"
        self.passings: list[PassingLine] = []
        """Every passing, number 1 first: the file."""
        self.low_battery = False
        """Do its transponders say that theirs is low?"""
        self._pushing: list[Send] = []
        self._port = opening(self._greet)

    async def open(self) -> None:
        """Make the box reachable. Raises RigError."""
        await self._port.open()

    async def close(self) -> None:
        """Switch the box off."""
        self._pushing.clear()
        await self._port.close()

    async def run(self) -> None:
        """Wait to be asked, until cancelled: a decoder says nothing by itself but passings."""
        while True:
            await self._clock.sleep_us(IDLE_US)

    def read(self, read: LoopRead, gun_us: int) -> None:
        """A transponder over the loop: number it, keep it, push it. `gun_us` is the gun in host time."""
        rssi = str(min(read.strength, MAX_RSSI))
        self._store(read.transponder, gun_us + read.at_us, str(max(read.hits, LEAST_HITS)), rssi, read.channel or "1")

    def edge(self, edge: Edge, gun_us: int) -> None:
        """An edge at the trigger input: a passing of the marker."""
        self._store(MARKER, gun_us + edge.at_us, "1", "", "")

    def restart(self) -> None:
        """A new file: its passings begin again at 1."""
        self.passings.clear()
        self._pushing.clear()
        self._file += 1

    def _store(self, code: str, host_us: int, hits: str, rssi: str, loop_id: str) -> None:
        date, time = self._stamp(host_us)
        passing = PassingLine(
            number=str(len(self.passings) + 1),
            code=code,
            date=date,
            time=time,
            hits=hits,
            max_rssi=rssi,
            is_active="1" if loop_id else "0",
            channel="1",
            loop_id=loop_id,
            loop_only="0",
            wakeup_counter="10001",
            battery="2.2" if self.low_battery else "3.0",
            temperature="21",
            internal_active_data="0",
            box_name=self.device.id,
            file_number=str(self._file),
            box_id=self._box,
        )
        self.passings.append(passing)
        for send in self._pushing:
            send(encode_passing(passing, pushed=True))

    def _stamp(self, host_us: int) -> tuple[str, str]:
        return format_stamp(self.model.device_us(host_us), gps=not self.model.wraps_daily)

    def _greet(self, send: Send) -> Receive:
        reader = LineReader()

        def receive(data: bytes) -> None:
            for line in reader.feed(data):
                if line.text and not line.problem:
                    self._answer(line.text, send)

        return receive

    def _answer(self, text: str, send: Send) -> None:
        name, *values = text.split(";")
        if text[0].isdigit():
            self._fetch(text, send)
        elif name == "GETPROTOCOL":
            send(encode_line(name, *PROTOCOLS))
        elif name in SETTINGS:
            send(encode_line(text))
            if name == "SETPUSHPASSINGS" and values[:1] == ["1"] and send not in self._pushing:
                self._pushing.append(send)
        elif name == "GETTIME":
            send(encode_line(name, *self._stamp(self._clock.now_us())))
        elif name == "GETSTATUS":
            send(self._status())
        elif name == "PASSINGS":
            send(encode_line(name, len(self.passings), self._file))
        else:
            send(encode_line("ERROR", f"unknown command {name}"))

    def _fetch(self, text: str, send: Send) -> None:
        first, _, count = text.partition(":")
        if not (first.isdecimal() and (count or "1").isdecimal()):
            send(encode_line("ERROR", "no passing number"))
            return
        begin = int(first)
        for passing in self.passings[max(begin, 1) - 1 : begin - 1 + int(count or "1")]:
            send(encode_passing(passing, pushed=False))
        send(encode_line())

    def _status(self) -> bytes:
        date, time = self._stamp(self._clock.now_us())
        gps = "0" if self.model.wraps_daily else "1"
        power, antennas, timing = "1", "10000000", "1"
        device = (power, antennas, timing, str(self._file), gps, "0.0,0.0", "1", "100", "24", "31", "0")
        loop = ("1", "1", "1", "80", "1", "0")
        return encode_line("GETSTATUS", date, time, *device, *loop, "1", gps, "0", "0", "0")
