"""A simulated race result USB timing box on a pty (hardware-protocols §5.2, §14).

It answers one command after the other, keeps all passings for PASSINGGET and stamps with ticks of 1/256 s.
A pty has no modem lines, so the pulse on DTR that latches the reference of EPOCHREFSET cannot be seen: this
box latches when the command comes.
"""

import zlib
from collections.abc import Callable
from typing import Final

import msgspec

from config.models import Device
from drivers.hostclock import HostClock
from drivers.protocols.raceresult_lines import LineReader
from drivers.protocols.raceresult_usb_records import (
    ID_MISMATCH,
    MARKER,
    UsbPassing,
    encode_id,
    encode_reply,
    format_passing,
)
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.ports import Greet, Port, Receive, Send
from drivers.rig.race import Edge, LoopRead
from drivers.rig.raceresult_box import check_channels

IDLE_US: Final = 60_000_000
MOST_IN_A_REPLY: Final = 32
FIRST_TICK: Final = 256 * 60
"""The box has been on for a minute."""
COARSE_TICK_US: Final = (15_625, 4)
"""A tick of 1/256 s as a fraction of µs."""
UNKNOWN_COMMAND: Final = "01"


class RaceResultUsbBox:
    """One box. `opening` makes its port from the function that greets each new line.

    Raises RigError when a channel of the device is neither a loop id nor its trigger input.
    """

    def __init__(
        self, device: Device, opening: Callable[[Greet], Port], model: DeviceClockModel, clock: HostClock
    ) -> None:
        check_channels(device)
        self.device = device
        # The ticks run through midnight, and are coarser than any resolution of the model.
        self.model = msgspec.structs.replace(model, wraps_daily=False, resolution_us=1)
        self._clock = clock
        self._epoch_s = self.model.device_us(model.zero_host_us) // 1_000_000
        self._base_us = self._epoch_s * 1_000_000
        self._reference = (self._epoch_s, FIRST_TICK)
        self._number = zlib.crc32(device.id.encode()) & 0xFFFF
        self.passings: list[str] = []
        """Every passing as its line, id 0 first: the memory."""
        self._port = opening(self._greet)

    async def open(self) -> None:
        """Make the box reachable. Raises RigError."""
        await self._port.open()

    async def close(self) -> None:
        """Switch the box off."""
        await self._port.close()

    async def run(self) -> None:
        """Wait to be asked, until cancelled: the box says nothing by itself."""
        while True:
            await self._clock.sleep_us(IDLE_US)

    def read(self, read: LoopRead, gun_us: int) -> None:
        """A transponder over the loop: keep it until the host asks. `gun_us` is the gun in host time."""
        loop_id = int(read.channel or "1") - 1
        self._store(read.transponder, gun_us + read.at_us, min(read.hits, 0xFF), min(read.strength, 0xFF), loop_id)

    def edge(self, edge: Edge, gun_us: int) -> None:
        """An edge at the trigger input: a passing of the marker."""
        self._store(MARKER, gun_us + edge.at_us, 1, 0, 0)

    def tick(self, host_us: int) -> int:
        """The box's tick of 1/256 s at a host time."""
        numerator, denominator = COARSE_TICK_US
        return FIRST_TICK + (self.model.device_us(host_us) - self._base_us) * denominator // numerator

    def _store(self, code: str, host_us: int, hits: int, rssi: int, loop_id: int) -> None:
        passing = UsbPassing(
            code=code,
            wakeup_counter="2711",
            time=encode_id(self.tick(host_us)),
            hits=f"{hits:02x}",
            rssi=f"{rssi:02x}",
            battery="1e",
            temperature="15",
            loop_only="0",
            loop_id=f"{loop_id:x}",
            channel="0",
            internal_active_data="00",
            internal_data="0",
        )
        self.passings.append(format_passing(passing))

    def _greet(self, send: Send) -> Receive:
        reader = LineReader()

        def receive(data: bytes) -> None:
            for line in reader.feed(data):
                if line.text and not line.problem:
                    send(self._answer(*line.text.split(";")))

        return receive

    def _answer(self, command: str, *values: str) -> bytes:
        now = encode_id(self.tick(self._clock.now_us()))
        if command == "EPOCHREFSET" and len(values) == 1 and _is_hex(values[0]):
            self._reference = (int(values[0], 16), int(now, 16))
        if command in ("EPOCHREFSET", "EPOCHREFGET"):
            return encode_reply(command, f"{encode_id(self._reference[0])};{encode_id(self._reference[1])}")
        if command == "TIMESTAMPGET":
            return encode_reply(command, now)
        if command == "PASSINGGET" and len(values) == 1 and _is_hex(values[0]):
            return self._passings(int(values[0], 16))
        if command == "PASSINGINFOGET":
            count = len(self.passings)
            last = encode_id(max(count - 1, 0))
            ends = [line.split(";")[2] for line in (self.passings[0], self.passings[-1])] if count else [now, now]
            return encode_reply(command, f"{encode_id(count)};{encode_id(0)};{ends[0]};{last};{ends[1]}")
        if command == "INFOGET" and len(values) == 1:
            known = {"01": f"{self._number:04x}", "09": "18", "0a": "32", "0b": "00"}
            return encode_reply(command, f"{values[0]};{known.get(values[0], '00')}")
        if command == "ASCII":
            return encode_reply(command)
        return encode_reply(command, error=UNKNOWN_COMMAND)

    def _passings(self, first: int) -> bytes:
        if first > len(self.passings):
            return encode_reply("PASSINGGET", f"{encode_id(first)};{encode_id(0)}", error=ID_MISMATCH)
        found = self.passings[first : first + MOST_IN_A_REPLY]
        return encode_reply("PASSINGGET", f"{encode_id(first)};{len(found):02x}", *found)


def _is_hex(text: str) -> bool:
    return len(text) == 8 and all(character in "0123456789abcdefABCDEF" for character in text)
