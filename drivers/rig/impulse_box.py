"""A simulated impulse box: Timy, CP 520, CP 540 or REI2 on a line (hardware-protocols §3, §7, §8, §14).

All four print an edge as it comes, on a clock of their own that counts from midnight. What they differ in is
their `Dialect`: the bytes of an edge, and the answers to the host. Edges are stamped from the script, so a
fast host clock changes nothing in them.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

from config.models import Device
from drivers.hostclock import HostClock
from drivers.protocols import cp520, rei2, thcom08, timy
from drivers.protocols.timy_lines import CHARSET
from drivers.rig.clockmodel import DAY_US, DeviceClockModel
from drivers.rig.ports import Greet, Port, Receive, RigError, Send
from drivers.rig.race import Edge

HUNDREDTH_US: Final = 10_000
TIMY_STEP_US: Final = 100
THCOM08_DAY: Final = 12_345
IMPULSE_PROTOCOLS: Final = ("timy", "cp520", "thcom08", "rei2")


class Dialect(Protocol):
    """How one make of box prints an edge and answers its host."""

    channel_form: str
    """What its channels are called, as a regular expression."""

    def edge(self, channel: str, device_us: int) -> bytes:
        """An edge at a time of the box's day: what it prints, nothing for one in its dead time."""
        ...

    def hear(self, line: bytes, send: Send) -> None:
        """A line of the host, without its end."""
        ...


class TimyDialect:
    """A Timy: dead times, memory for RSM, checksums once it is told to send them."""

    channel_form = "C[0-8]"

    def __init__(self, date: str = "20-10-04  16-53-08") -> None:
        """`date` is the last line of a memory print."""
        self.memory: list[timy.TimyLine] = []
        self.hidden = 0
        """Edges in a dead time: the box does not know of them."""
        self._date = date
        self._with_checksum = False
        self._dead_us: dict[str, int] = {}
        self._last_us: dict[str, int] = {}

    def edge(self, channel: str, device_us: int) -> bytes:
        """See `Dialect`. The box has no start numbers: its operator types none."""
        last_us = self._last_us.get(channel)
        dead_us = self._dead_us.get("S" if channel == "C0" else "F", 0)
        if last_us is not None and (device_us - last_us) % DAY_US < dead_us:
            self.hidden += 1
            return b""
        self._last_us[channel] = device_us
        line = timy.TimyLine(
            channel=channel, time_us=device_us - device_us % TIMY_STEP_US, info="?", number=len(self.memory) % 10_000
        )
        self.memory.append(line)
        return timy.encode_line(line, with_checksum=self._with_checksum)

    def hear(self, line: bytes, send: Send) -> None:
        """See `Dialect`. Unknown commands stay unanswered."""
        command = line.decode(CHARSET)
        if command in ("CHK0", "CHK1"):
            self._with_checksum = command == "CHK1"
        elif dead := re.fullmatch(r"DT([SF])([0-9]{2})\.([0-9]{2})", command):
            self._dead_us[dead[1]] = (int(dead[2]) * 100 + int(dead[3])) * HUNDREDTH_US
        elif command == "NSF?":
            send(timy.encode_text("NSF V 1982"))
        elif command == "PROG?":
            send(timy.encode_text("PROG: BACKUP"))
        elif command == "CLR":
            self.memory.clear()
            send(timy.encode_text("CLR"))
        elif command == "RSM":
            for remembered in self.memory:
                send(timy.encode_line(remembered, with_checksum=self._with_checksum))
            for text in ("  ALGE-TIMING", "  TIMY V 1982", self._date):
                send(timy.encode_text(text))


class Cp520Dialect:
    """A CP 520: prints and listens to nobody."""

    channel_form = "[1-2]"

    def edge(self, channel: str, device_us: int) -> bytes:
        """See `Dialect`."""
        return cp520.encode_line(cp520.Cp520Line(ident="T ", time_us=device_us, channel=channel))

    def hear(self, line: bytes, send: Send) -> None:
        """Nothing is answered."""


class Thcom08Dialect:
    """A CP 540: numbers the times of each channel and recalls one of them."""

    channel_form = "[1-9]|[1-9][0-9]"

    def __init__(self) -> None:
        self.times: dict[int, list[thcom08.TimeFrame]] = {}
        """Channel to its times, number 1 first."""

    def edge(self, channel: str, device_us: int) -> bytes:
        """See `Dialect`."""
        times = self.times.setdefault(int(channel), [])
        cut_us = device_us - device_us % 10
        frame = thcom08.TimeFrame(number=len(times) + 1, channel=int(channel), device_us=cut_us, day=THCOM08_DAY)
        times.append(frame)
        return thcom08.encode_time(frame)

    def hear(self, line: bytes, send: Send) -> None:
        """Answer RT with the time or AK F, anything else with AK R. What has no right sum gets AK F too."""
        try:
            text, from_host = thcom08.read_frame(line)
        except ValueError:
            send(thcom08.encode_frame("AK F"))
            return
        if not from_host:
            return
        recall = re.fullmatch(r"RT ([0-9]{4}) ([0-9]{2})", text)
        if recall is None:
            send(thcom08.encode_frame("AK R"))
            return
        number, times = int(recall[1]), self.times.get(int(recall[2]), [])
        if not 1 <= number <= len(times):
            send(thcom08.encode_frame("AK F"))
            return
        told = times[number - 1]
        send(
            thcom08.encode_time(
                thcom08.TimeFrame(
                    number=number, channel=told.channel, device_us=told.device_us, day=told.day, recalled=True
                )
            )
        )


class Rei2Dialect:
    """A REI2: counts its records and dates them."""

    channel_form = "[0-9]{3}"

    def __init__(self, date: str) -> None:
        """`date` is the day as ddmmyyyy."""
        self._date = date
        self._counter = 0

    def edge(self, channel: str, device_us: int) -> bytes:
        """See `Dialect`."""
        line = rei2.Rei2Line(
            counter=self._counter, bib=0, time_us=device_us, date=self._date, logical=int(channel), physical=1
        )
        self._counter = (self._counter + 1) % rei2.COUNTERS
        return rei2.encode_line(line)

    def hear(self, line: bytes, send: Send) -> None:
        """Nothing is answered."""


class ImpulseBox:
    """One impulse box. `opening` makes its port from the function that greets each new line."""

    def __init__(
        self,
        device: Device,
        opening: Callable[[Greet], Port],
        model: DeviceClockModel,
        clock: HostClock,
        skew_us: Mapping[str, int] | None = None,
    ) -> None:
        """`skew_us` is how much later a channel stamps than the others (a Timy: up to 300).

        Raises RigError when the device has a loop, or a channel that such a box does not have.
        """
        self.device = device
        self.model = model
        self.dialect = _dialect(device, datetime.fromtimestamp(clock.now_us() // 1_000_000, UTC))
        self._skew_us = skew_us or {}
        self._check()
        self._port = opening(self._greet)

    async def open(self) -> None:
        """Make the box reachable. Raises RigError."""
        await self._port.open()

    async def close(self) -> None:
        """Switch the box off."""
        await self._port.close()

    async def run(self) -> None:
        """Wait until cancelled: the box says nothing by itself."""
        await asyncio.Event().wait()

    def edge(self, edge: Edge, gun_us: int) -> None:
        """An edge on one of the channels; `gun_us` is the gun in host time."""
        host_us = gun_us + edge.at_us + self._skew_us.get(edge.channel, 0)
        said = self.dialect.edge(edge.channel, self.model.device_us(host_us) % DAY_US)
        if said:
            self._port.send(said)

    def _check(self) -> None:
        where, form = f"device {self.device.id}", self.dialect.channel_form
        if self.device.loop is not None or any(channel.role is None for channel in self.device.channels):
            reason = f"a {self.device.protocol} box has no transponder loop"
            raise RigError(where, reason, "give it channels with a role (gun, bell, photocell)")
        for channel in self.device.channels:
            if re.fullmatch(form, channel.channel) is None:
                reason = f"a {self.device.protocol} box has no channel {channel.channel!r}"
                raise RigError(where, reason, f"its channels are of the form {form}")

    def _greet(self, send: Send) -> Receive:
        heard = bytearray()

        def receive(data: bytes) -> None:
            heard.extend(data)
            *lines, rest = re.split(rb"[\r\n]", bytes(heard))
            heard[:] = rest
            for line in lines:
                if line:
                    self.dialect.hear(line, send)

        return receive


def _dialect(device: Device, today: datetime) -> Dialect:
    if device.protocol == "timy":
        return TimyDialect(today.strftime("%y-%m-%d  %H-%M-%S"))
    if device.protocol == "cp520":
        return Cp520Dialect()
    if device.protocol == "thcom08":
        return Thcom08Dialect()
    if device.protocol == "rei2":
        return Rei2Dialect(today.strftime("%d%m%Y"))
    reason = f"{device.protocol!r} is no impulse box"
    raise RigError(f"device {device.id}", reason, f"impulse boxes are {', '.join(IMPULSE_PROTOCOLS)}")
