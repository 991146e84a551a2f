"""A simulated THbC unit (TAG Heuer Protime/Elite): loops, remote boxes, sync pulse (hardware-protocols §2, §14).

It holds one passing until it is acknowledged, repeats it every 1.5 s and queues the others. Its clock is its own; at
each full minute of host time, which stands for the sync master, it stamps the pulse on its CELL input.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from datetime import date
from typing import Final

import msgspec

from config.models import Device, Setup
from drivers.hostclock import HostClock
from drivers.protocols.thbc_commands import Code, Command, CommandReader, read_setting, with_setting
from drivers.protocols.thbc_parser import MINUTE_US, SYNC_CHANNEL
from drivers.protocols.thbc_wire import (
    CELL_REFID,
    CHANNELS,
    DAY_US,
    LINE_END,
    MAN,
    MAN_REFID,
    NACK,
    STA,
    ConfigReply,
    PassingLine,
    StatusLine,
    encode_config_reply,
    encode_passing,
    encode_status,
    format_time,
)
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.ports import Greet, Port, PtyPort, Receive, RigError, Send, TcpPort
from drivers.rig.race import Edge, LoopRead
from drivers.rig.udp_port import UdpPort
from drivers.transports.address import SerialAddress, TcpAddress, UdpAddress

REPEAT_EVERY_US: Final = 1_500_000
SHORTEST_REPEAT_S: Final = 0.2
"""Of real time, however fast the rig's clock runs: a host's disk does not get faster."""
_BATTERY_GOOD: Final = 0
_BATTERY_LOW: Final = 2
_NOISE: Final = (12, 28)
_HIGH_NOISE: Final = (70, 95)
_IDENT: Final = b"\x00\x00\x00\x01"
_VERSION: Final = b"\x13"
_FACTORY_LEVEL: Final = 0x10


class ThbcBox:
    """One unit. `opening` makes its port from the function that greets each new line."""

    def __init__(
        self,
        device: Device,
        opening: Callable[[Greet], Port],
        model: DeviceClockModel,
        clock: HostClock,
        seed: int,
        *,
        sync_pulse: bool = True,
    ) -> None:
        """`sync_pulse` false leaves the CELL input without the pulse of a sync master."""
        self.device = device
        self.model = model
        self.running = True
        """Is it timing? A stopped unit reads nothing and shows 00:00'00."""
        self.damaged_sends = 0
        """So many of its next sends of a passing carry a sum that is one too high."""
        self.low_battery = False
        """Do its transponders say that theirs is low?"""
        self.noisy = False
        self.config = with_setting(bytes(25) + bytes((_FACTORY_LEVEL,)) * 2, "time_of_day", 1)
        self.network = bytes(16)
        self.day = date(2000, 1, 1)
        self._clock = clock
        self._lot = random.Random(f"{seed}/status/{device.id}")
        self._sync_pulse = sync_pulse
        self._held: bytes | None = None
        self._last: bytes | None = None
        self._queue: deque[bytes] = deque()
        self._sent_us = 0
        self._port = opening(self._greet)

    @property
    def unacknowledged(self) -> int:
        """How many passings the host has not acknowledged."""
        return len(self._queue) + (self._held is not None)

    async def open(self) -> None:
        """Make the box reachable. Raises RigError."""
        await self._port.open()

    async def close(self) -> None:
        """Switch the box off."""
        await self._port.close()

    async def run(self) -> None:
        """Repeat what is not acknowledged, and stamp the sync pulse, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat())
            if self._sync_pulse:
                tasks.create_task(self._pulse())

    def read(self, read: LoopRead, gun_us: int) -> None:
        """A transponder over a loop (channel null is STA). `gun_us` is the gun in host time."""
        line = PassingLine(
            channel=read.channel or STA,
            refid=int(read.transponder),
            time_us=self._time_us(gun_us + read.at_us),
            power=min(read.strength, 99),
            count=min(read.hits, 99),
            battery=_BATTERY_LOW if self.low_battery else _BATTERY_GOOD,
        )
        self._take(line)

    def edge(self, edge: Edge, gun_us: int) -> None:
        """An edge on `sync` (the CELL input), `sync-B01` to `sync-B07` (a remote box's), or the key `MAN`."""
        is_key = edge.channel == MAN
        remote = edge.channel.removeprefix(SYNC_CHANNEL).removeprefix("-")
        line = PassingLine(
            channel=MAN if is_key else remote or STA,
            refid=MAN_REFID if is_key else CELL_REFID,
            time_us=self._time_us(gun_us + edge.at_us),
            power=1,
            count=1,
            battery=1,
        )
        self._take(line)

    def _time_us(self, host_us: int) -> int:
        return self.model.device_us(host_us) % DAY_US

    def _take(self, line: PassingLine) -> None:
        if self.running:
            self._queue.append(encode_passing(line))
            self._offer()

    def _offer(self) -> None:
        """Send the next passing, if none is held."""
        if self._held is None and self._queue:
            self._held = self._queue.popleft()
            self._send_passing(self._held)

    def _send_passing(self, wire: bytes) -> None:
        self._sent_us = self._clock.now_us()
        if self.damaged_sends > 0:
            self.damaged_sends -= 1
            wrong = int(wire[33:37]) + 1
            wire = wire[:33] + b"%04d" % wrong + wire[37:]
        self._port.send(wire)

    async def _repeat(self) -> None:
        every_us = max(REPEAT_EVERY_US, int(SHORTEST_REPEAT_S * 1_000_000 * self._clock.anchor.speed))
        while True:
            since_us = self._clock.now_us() if self._held is None else self._sent_us
            await self._clock.sleep_until(since_us + every_us)
            if self._held is not None and self._clock.now_us() - self._sent_us >= every_us:
                self._send_passing(self._held)

    async def _pulse(self) -> None:
        while True:
            minute_us = (self._clock.now_us() // MINUTE_US + 1) * MINUTE_US
            await self._clock.sleep_until(minute_us)
            self.edge(Edge(at_us=0, device=self.device.id, channel=SYNC_CHANNEL), minute_us)

    def _greet(self, send: Send) -> Receive:
        reader = CommandReader()

        def receive(data: bytes) -> None:
            for command in reader.feed(data):
                if command is None:
                    send(NACK)
                else:
                    self._obey(command, send)

        return receive

    def _obey(self, command: Command, send: Send) -> None:
        match command.code:
            case Code.STATUS:
                send(self._status())
            case Code.GET_CONFIG:
                reply = ConfigReply(config=self.config, network=self.network, ident=_IDENT, version=_VERSION)
                send(encode_config_reply(reply))
            case Code.ACK:
                if self._held is not None:
                    self._last, self._held = self._held, None
                self._offer()
            case Code.REPEAT:
                wire = self._held or self._last
                if wire is not None:
                    self._send_passing(wire)
            case Code.START:
                if not self.running:
                    self.running = True
                    send(f"DEPART_{self.day}__".encode("ascii") + self._clock_text() + LINE_END)
            case Code.STOP:
                self.running = False
                send(b"STOP_" + self._clock_text() + LINE_END)
            case _:
                self._set(command, send)

    def _set(self, command: Command, send: Send) -> None:
        match command.code:
            case Code.LEVEL_STA | Code.LEVEL_BOX if command.body.isdigit():
                name = "level_sta" if command.code is Code.LEVEL_STA else "level_box"
                self.config = with_setting(self.config, name, int(command.body))
            case Code.SET_TIME:
                hour, minute, second = command.body
                wanted_us = ((hour * 60 + minute) * 60 + second) * 1_000_000
                step_us = wanted_us - self._time_us(self._clock.now_us())
                self.model = msgspec.structs.replace(self.model, offset_us=self.model.offset_us + step_us)
            case Code.SET_DATE:
                day, month, year = command.body
                try:
                    self.day = date(2000 + year, month, day)
                except ValueError:
                    send(NACK)
            case Code.SET_CONFIG:
                self.config = command.body
            case Code.SET_NETWORK:
                self.network = command.body
            case _:
                return

    def _status(self) -> bytes:
        status = StatusLine(
            time_us=self._time_us(self._clock.now_us()) if self.running else 0,
            noise_sta=self._lot.randint(*(_HIGH_NOISE if self.noisy else _NOISE)),
            noise_box=self._lot.randint(0, 12),
            level_sta=self._level("level_sta"),
            level_box=self._level("level_box"),
        )
        return encode_status(status)

    def _level(self, name: str) -> int:
        level = read_setting(self.config, name)
        return level if isinstance(level, int) else 0

    def _clock_text(self) -> bytes:
        time = format_time(self._time_us(self._clock.now_us()))
        return time.replace("'", ":").rstrip('"').encode("ascii")


def make_unit(
    device: Device,
    address: SerialAddress | TcpAddress | UdpAddress,
    setup: Setup,
    model: DeviceClockModel,
    clock: HostClock,
    seed: int,
    wrap: Callable[[Callable[[Greet], Port]], Callable[[Greet], Port]] = lambda opening: opening,
) -> ThbcBox:
    """The unit of a meet at its address; `wrap` puts a line's faults before its port.

    Raises RigError as `check_unit` does.
    """
    check_unit(device, setup)
    if isinstance(address, UdpAddress) and address.port == address.local_port:
        reason = f"on one machine box and host cannot both have port {address.port}"
        advice = f"give the host another one: udp:{address.host}:{address.port}?local={10_000 + address.port % 50_000}"
        raise RigError(address.text, reason, advice)

    def opening(greet: Greet) -> Port:
        if isinstance(address, SerialAddress):
            return PtyPort(address, greet)
        return TcpPort(address, greet) if isinstance(address, TcpAddress) else UdpPort(address, greet)

    return ThbcBox(device, wrap(opening), model, clock, seed)


def check_unit(device: Device, setup: Setup) -> None:
    """Refuse what a THbC unit could not send. Raises RigError naming the device and how to mend it."""
    where = f"device {device.id}"
    if device.clock != "time_of_day":
        raise RigError(where, "a THbC unit has no date", 'give it clock = "time_of_day"')
    for wire in device.channels:
        known = CHANNELS if wire.role is None else (MAN, SYNC_CHANNEL, *(f"{SYNC_CHANNEL}-{c}" for c in CHANNELS[3:]))
        if wire.channel not in known:
            reason = f"a THbC unit has no channel {wire.channel!r} for that"
            raise RigError(where, reason, f"it has {', '.join(known)}")
    carriers = [(f"rider {rider.bib}", rider.transponders) for rider in setup.meet.riders]
    carriers += [(f"pacer {pacer.id}", pacer.transponders) for pacer in setup.meet.pacers]
    for who, transponders in carriers:
        for number in transponders:
            plain = number.isascii() and number.isdecimal() and len(number) <= 6
            if not plain or int(number) in (MAN_REFID, CELL_REFID):
                reason = f"{who} has transponder {number!r}, which a THbC unit cannot send"
                raise RigError(where, reason, "THbC transponders are numbers from 1 to 999999 without 255")
