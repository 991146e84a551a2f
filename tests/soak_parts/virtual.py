"""Time and lines without sockets: an event loop whose clock jumps, and a line from a simulated box to a supervisor.

Everything else is the real thing: the boxes of the rig, the supervisor with its reconnects, sessions and parsers.
"""

import asyncio
import contextlib
import random
import selectors
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import aiomqtt

from config.models import Broker, Device
from drivers.errors import OpenFailed, TransportLost
from drivers.hostclock import ClockAnchor, HostClock
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.json_box import JsonBox
from drivers.rig.ports import Greet, Receive
from drivers.rig.velotrain_box import VelotrainBox
from drivers.transports.address import MqttAddress
from drivers.transports.base import Chunk, Delay, Inbox

LATENCY_S = (0.0002, 0.002)
LOOK_EVERY_S = 0.5


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for files it moves the loop's clock: there is nothing to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors`. Raises RuntimeError when nothing will ever happen again."""
        if timeout is None:
            raise RuntimeError("the virtual loop has nothing to wait for: a task waits for what nobody sends")
        self.now_s += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which an hour takes as long as what happens in it. No sockets, no threads."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds."""
        return self._jumping.now_s


class VirtualClock(HostClock):
    """The host's clock on a virtual loop."""

    def __init__(self, loop: VirtualLoop, begin_us: int) -> None:
        super().__init__(ClockAnchor(0, begin_us))
        self._loop = loop

    def now_us(self) -> int:
        """UTC µs."""
        return self.anchor.utc_us + round(self._loop.time() * 1_000_000)


class VirtualLine:
    """A box's port and the host's transports on it. Bytes take a moment and keep their order."""

    def __init__(self, where: str, clock: VirtualClock, lot: random.Random, *, datagrams: bool = False) -> None:
        """`datagrams`: nobody notices when the other side is away."""
        self.where = where
        self.datagrams = datagrams
        self.clock = clock
        self.lot = lot
        self.up = False
        self.hosts: list[VirtualTransport] = []
        self.greet: Greet | None = None

    def opening(self, greet: Greet) -> "VirtualLine":
        """The port of a box."""
        self.greet = greet
        return self

    async def open(self) -> None:
        """The box can be reached."""
        self.up = True

    def send(self, data: bytes) -> None:
        """To every host."""
        if self.datagrams and not self.up:
            return
        for host in tuple(self.hosts):
            host.arrive(data)

    async def close(self) -> None:
        """The box is gone: its hosts notice, but for those of datagrams."""
        self.up = False
        if self.datagrams:
            return
        for host in tuple(self.hosts):
            host.lose("the box closed the line")

    def connect(self) -> "VirtualTransport":
        """A host's line, not yet open."""
        return VirtualTransport(self)


class VirtualTransport:
    """The host's end, as `drivers.transports.base.Transport`."""

    def __init__(self, line: VirtualLine) -> None:
        self._line = line
        self._inbox = Inbox()
        self._receive: Receive | None = None
        self._busy_until_s = 0.0

    async def open(self) -> None:
        """Connect. Raises OpenFailed while the box is away."""
        if not (self._line.up or self._line.datagrams):
            raise OpenFailed(self._line.where, "nobody is there", "switch the box on")
        self._line.hosts.append(self)
        if self._line.greet is not None:
            self._receive = self._line.greet(self.arrive)

    def arrive(self, data: bytes, delay: Delay = "none") -> None:
        """Bytes of the box, a moment later."""
        loop = asyncio.get_running_loop()
        self._busy_until_s = max(self._busy_until_s, loop.time() + self._line.lot.uniform(*LATENCY_S))
        loop.call_at(self._busy_until_s, self._put, data, delay)

    def _put(self, data: bytes, delay: Delay) -> None:
        self._inbox.put(Chunk(data, self._line.clock.now_us(), delay))

    async def receive(self) -> Chunk:
        """See `Transport`."""
        return await self._inbox.get()

    async def send(self, data: bytes) -> None:
        """See `Transport`."""
        if self not in self._line.hosts:
            raise TransportLost(self._line.where, "the line is closed", "open it again")
        if self._receive is not None:
            receive = self._receive
            asyncio.get_running_loop().call_later(self._line.lot.uniform(*LATENCY_S), self._hear, receive, data)

    def _hear(self, receive: Receive, data: bytes) -> None:
        if self in self._line.hosts and self._line.up:
            receive(data)

    def lose(self, reason: str) -> None:
        """The line is gone."""
        if self in self._line.hosts:
            self._line.hosts.remove(self)
        self._inbox.fail(TransportLost(self._line.where, reason, "wait for the box"))

    async def close(self) -> None:
        """See `Transport`."""
        self.lose("the host closed the line")


class BrokerLine(VirtualLine):
    """A topic of a broker that keeps the host's session: what is not acknowledged comes again after a connection."""

    def __init__(self, where: str, clock: VirtualClock, lot: random.Random) -> None:
        super().__init__(where, clock, lot)
        self.kept: deque[tuple[int, bytes]] = deque()
        self.delivered: set[int] = set()
        self._number = 0

    def publish(self, data: bytes, *, keep: bool) -> None:
        """Take a message and pass it on; `keep` it until the host says that it is safe."""
        self._number += 1
        if keep:
            self.kept.append((self._number, data))
        for host in tuple(self.hosts):
            host.arrive_numbered(data, self._number, "none")  # type: ignore[attr-defined]

    def connect(self) -> "BrokerTransport":
        """A host's session, not yet resumed."""
        return BrokerTransport(self)


class BrokerTransport(VirtualTransport):
    """The host's end of a kept session, as `drivers.transports.base.Acknowledging` too."""

    def __init__(self, line: BrokerLine) -> None:
        super().__init__(line)
        self._broker = line
        self._numbers: list[int] = []

    async def open(self) -> None:
        """Connect; what the broker kept comes first."""
        await super().open()
        for number, data in tuple(self._broker.kept):
            self.arrive_numbered(data, number, "repeated" if number in self._broker.delivered else "stored")

    def arrive_numbered(self, data: bytes, number: int, delay: Delay) -> None:
        """A message of the broker, a moment later."""
        self._numbers.append(number)
        self._broker.delivered.add(number)
        self.arrive(data, delay)

    def acknowledge(self, count: int) -> None:
        """See `Acknowledging`. Nothing leaves over a line that is closed."""
        if self in self._broker.hosts:
            safe = set(self._numbers[:count])
            self._broker.kept = deque(one for one in self._broker.kept if one[0] not in safe)


class FolderLine(VirtualLine):
    """A real folder, looked at in virtual time: a file is delivered when it has stayed the same for one look.

    One without its last line feed too: `FolderTransport` does so after 5 s, the worst that can come.
    """

    def __init__(self, folder: Path, clock: VirtualClock, lot: random.Random) -> None:
        super().__init__(f"folder:{folder}", clock, lot)
        self._folder = folder
        self.up = True

    async def watch(self) -> None:
        """Look until cancelled."""
        seen: Mapping[str, bytes] = {}
        told: dict[str, bytes] = {}
        while True:
            now = {path.name: path.read_bytes() for path in sorted(self._folder.glob("*.lif"))}
            for name, content in now.items():
                if self.hosts and seen.get(name) == content and told.get(name) != content:
                    told[name] = content
                    self.send(content)
            seen = now
            await asyncio.sleep(LOOK_EVERY_S)


class VirtualGateway(JsonBox):
    """The JSON gateway with a line in the place of the broker; a message may be sent twice under one number."""

    def __init__(self, device: Device, model: DeviceClockModel, clock: VirtualClock, line: BrokerLine) -> None:
        super().__init__(device, MqttAddress(text=device.address, topic="topic"), Broker(), model, clock)
        self._line = line

    async def open(self) -> None:
        """The broker is there."""
        await self._line.open()

    async def close(self) -> None:
        """The broker is gone: what is not acknowledged waits."""
        await self._line.close()

    async def run(self) -> None:
        """Publish over as many connections as it takes."""
        while True:
            if self._line.up:
                # Without a broker the gateway tries again: what it has is in its outbox.
                with contextlib.suppress(aiomqtt.MqttError):
                    await self._publish(cast(aiomqtt.Client, _Publisher(self._line)))
            await asyncio.sleep(0.2)


class VirtualVelotrain(VelotrainBox):
    """velotrain with a line in the place of the broker."""

    def __init__(self, device: Device, model: DeviceClockModel, clock: VirtualClock, line: BrokerLine) -> None:
        super().__init__(device, MqttAddress(text=device.address, topic="topic"), Broker(), model, clock)
        self._line = line

    async def open(self) -> None:
        """The broker is there."""
        await self._line.open()

    async def close(self) -> None:
        """The broker is gone: what is not acknowledged waits."""
        await self._line.close()

    async def run(self) -> None:
        """Publish over as many connections as it takes, and pulse every minute."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pulse_every_minute())
            while True:
                if self._line.up:
                    # Without a broker velotrain tries again: what it has is in its outbox.
                    with contextlib.suppress(aiomqtt.MqttError):
                        await self._publish(cast(aiomqtt.Client, _Publisher(self._line)))
                await asyncio.sleep(0.2)


class _Publisher:
    def __init__(self, line: BrokerLine) -> None:
        self._line = line

    async def publish(self, topic: str, payload: bytes, qos: int = 0) -> None:
        """As aiomqtt. Raises MqttError without a broker, sometimes after the message has got through."""
        if not self._line.up:
            raise aiomqtt.MqttError("no broker")
        self._line.publish(payload.rstrip(b"\n") + b"\n", keep=qos > 0)
        await asyncio.sleep(0.001)
        if qos and self._line.lot.random() < 0.01:
            raise aiomqtt.MqttError("the acknowledgement was lost")
