"""A simulated MyLaps P3 decoder on one loop (hardware-protocols §1, §14).

It speaks first (STATUS every 5 s), numbers its passings over the whole session, keeps all of them for RESEND
and answers GET_TIME at once: that answer is the host's only sight of this clock.
"""

import random
import zlib
from collections.abc import Callable
from typing import Final

from config.models import Device
from drivers.hostclock import HostClock
from drivers.protocols.p3_frame import FrameReader, FramingError
from drivers.protocols.p3_messages import (
    GetTime,
    Request,
    Resend,
    encode_error,
    encode_passing,
    encode_status,
    encode_time_reply,
    encode_version,
    read_request,
)
from drivers.protocols.p3_records import TypeOfRecord
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.ports import Greet, Port, Receive, Send
from drivers.rig.race import Edge, LoopRead

STATUS_EVERY_US: Final = 5_000_000
WRONG_CHECKSUM: Final = 1
UNKNOWN_TYPE_OF_RECORD: Final = 4
AMBRC: Final = 0x10
NOISE: Final = (18, 34)
HIGH_NOISE: Final = (80, 120)
SUPPLY: Final = (118, 121)
"""In tenths of a volt."""
LOW_SUPPLY: Final = (96, 101)


class P3Box:
    """One decoder. `opening` makes its port from the function that greets each new line."""

    def __init__(
        self,
        device: Device,
        opening: Callable[[Greet], Port],
        model: DeviceClockModel,
        clock: HostClock,
        seed: int,
    ) -> None:
        self.device = device
        self.model = model
        self._clock = clock
        self._lot = random.Random(f"{seed}/status/{device.id}")
        self._decoder = zlib.crc32(device.id.encode()) & 0xFF_FFFF
        self.passings: list[bytes] = []
        """Every passing as it was sent, number 1 first: the memory for RESEND."""
        self.low_battery = False
        self.noisy = False
        self._port = opening(self._greet)

    async def open(self) -> None:
        """Make the box reachable. Raises RigError."""
        await self._port.open()

    async def close(self) -> None:
        """Switch the box off."""
        await self._port.close()

    async def run(self) -> None:
        """Send a STATUS every 5 s of host time until cancelled."""
        while True:
            self._port.send(self._status())
            await self._clock.sleep_us(STATUS_EVERY_US)

    def read(self, read: LoopRead, gun_us: int) -> None:
        """A transponder over the loop: number it, remember it, send it. `gun_us` is the gun in host time."""
        self._pass(read.transponder, gun_us + read.at_us, read.strength, read.hits)

    def edge(self, edge: Edge, gun_us: int) -> None:
        """A gate or gun with a beacon: the channel is its transponder, a passing without strength and hits."""
        self._pass(edge.channel, gun_us + edge.at_us, None, None)

    def _pass(self, transponder: str, host_us: int, strength: int | None, hits: int | None) -> None:
        passing = encode_passing(
            number=len(self.passings) + 1,
            transponder=int(transponder),
            rtc_us=self.model.device_us(host_us),
            strength=strength,
            hits=hits,
            decoder=self._decoder,
        )
        self.passings.append(passing)
        self._port.send(passing)

    def restart(self) -> None:
        """Its memory is empty and its numbers begin again at 1."""
        self.passings.clear()

    def _status(self) -> bytes:
        return encode_status(
            noise=self._lot.randint(*(HIGH_NOISE if self.noisy else NOISE)),
            temperature=self._lot.randint(24, 26),
            supply_decivolts=self._lot.randint(*(LOW_SUPPLY if self.low_battery else SUPPLY)),
            gps=0,
            satellites=0,
            decoder=self._decoder,
        )

    def _greet(self, send: Send) -> Receive:
        reader = FrameReader()

        def receive(data: bytes) -> None:
            for found in reader.feed(data):
                if isinstance(found, FramingError):
                    send(encode_error(WRONG_CHECKSUM, decoder=self._decoder))
                else:
                    self._answer(read_request(found.frame), send)

        return receive

    def _answer(self, request: Request, send: Send) -> None:
        number = self._decoder
        if isinstance(request, GetTime):
            # Stamped here and not when the bytes came: the later, the shorter the way back.
            send(encode_time_reply(self.model.device_us(self._clock.now_us()), decoder=number))
        elif isinstance(request, Resend):
            for passing in self.passings[max(request.first, 1) - 1 : request.last]:
                send(passing)
        elif request.type_of_record == TypeOfRecord.VERSION:
            send(encode_version(decoder_type=AMBRC, description="AMBrc (rig)", version="1.0", decoder=number))
        else:
            send(encode_error(UNKNOWN_TYPE_OF_RECORD, decoder=number))
