"""Replays a recording: what each box said goes out again at the addresses of a meet, in the recorded rhythm.

A line of the recording belongs to the device of the meet with the same id; protocol and address may differ
from the recorded ones (a box recorded over serial may be replayed over TCP). The questions of the host are not
answered anew: the recorded answers come when they came. All instants are shifted by the same amount, so the
distances between them, and with them the fit of each box's clock, stay as they were.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Protocol

import aiomqtt
import structlog

from config.models import Broker, Device, Setup
from drivers.hostclock import HostClock
from drivers.rig.mqtt_link import raise_if_cancelled, stay_connected
from drivers.rig.peers_line import PeersLine
from drivers.rig.ports import PtyPort, Receive, RigError, Send, TcpPort
from drivers.rig.recording import Recording, RecordingError
from drivers.rig.udp_port import UdpPort
from drivers.transports.address import (
    FolderAddress,
    MqttAddress,
    SerialAddress,
    TcpAddress,
    TcpListenAddress,
    UdpAddress,
    parse_address,
)

LEAD_S: Final = 2.0
"""Real time between the last TCP connection of the host and the first byte: its other lines open meanwhile."""
AT_LEAST_ONCE: Final = 1

_log = structlog.get_logger("velodrome.rig")


class ReplayLine(Protocol):
    """Where the bytes of one device go out again."""

    connected: asyncio.Event
    """Set once a host is there, as far as this kind of line can tell."""

    async def open(self) -> None:
        """Make the line reachable. Raises RigError."""
        ...

    async def run(self) -> None:
        """Work in the background until cancelled."""
        ...

    async def say(self, data: bytes) -> None:
        """What one read of the recorded run brought. Nothing is lost while the host is away."""
        ...

    async def close(self) -> None:
        """Take the line away."""
        ...


class Player:
    """Plays one recording. `run` serves until cancelled; `played` is set when the last byte went out."""

    def __init__(self, setup: Setup, recording: Recording, clock: HostClock, *, lead_s: float = LEAD_S) -> None:
        """Raises RigError for an address that cannot be simulated, RecordingError when meet and recording differ."""
        if recording.first_us is None:
            raise RecordingError(str(recording.path), "no box says anything in it", "record a run with live boxes")
        entered = {device.id for device in setup.meet.devices}
        strangers = [device.id for device in recording.header.devices if device.id not in entered]
        if strangers:
            reason = f"it has devices that meet {setup.meet.id} does not have: {', '.join(strangers)}"
            raise RecordingError(str(recording.path), reason, "give it the meet that it was recorded at")
        self._recording = recording
        self._first_us = recording.first_us
        self._clock = clock
        self._lead_s = lead_s
        recorded = {device.id for device in recording.header.devices}
        self.lines: dict[str, ReplayLine] = {
            device.id: _make_line(device, setup.meet.broker) for device in setup.meet.devices if device.id in recorded
        }
        self.ready = asyncio.Event()
        """Set when every box can be reached."""
        self.played = asyncio.Event()
        self.shift_us: int | None = None
        """Host time of the replay minus host time of the recording, once it has begun."""

    async def run(self) -> None:
        """Open the lines, wait for the hosts of the TCP boxes, play, then keep the lines open until cancelled."""
        async with AsyncExitStack() as opened:
            for line in self.lines.values():
                opened.push_async_callback(line.close)
                await line.open()
            async with asyncio.TaskGroup() as tasks:
                for line in self.lines.values():
                    tasks.create_task(line.run())
                self.ready.set()
                for line in self.lines.values():
                    await line.connected.wait()
                await asyncio.sleep(self._lead_s)
                await self.play()
                # A host may still be reading; the lines go when we are cancelled.
                await asyncio.Event().wait()

    async def play(self) -> None:
        """Send everything in its rhythm, beginning now. The lines must be open."""
        self.shift_us = self._clock.now_us() - self._first_us
        _log.info("rig.replay_begins", recording=str(self._recording.path), shift_us=self.shift_us)
        for line in self._recording.lines():
            if line.direction == "in":
                await self._clock.sleep_until(line.at_us + self.shift_us)
                await self.lines[line.device].say(line.data)
        self.played.set()
        _log.info("rig.replay_ended", recording=str(self._recording.path))


class _StreamLine:
    """A pty or a UDP port: nothing tells whether a host is there."""

    def __init__(self, make: Callable[[Callable[[Send], Receive]], PtyPort | UdpPort]) -> None:
        self.connected = asyncio.Event()
        self.connected.set()
        self._port = make(_deaf)

    async def open(self) -> None:
        await self._port.open()

    async def run(self) -> None:
        """Nothing to do in the background."""

    async def say(self, data: bytes) -> None:
        self._port.send(data)

    async def close(self) -> None:
        await self._port.close()


class _TcpLine:
    """A TCP server. What is said while no host is connected goes to the next one first."""

    def __init__(self, address: TcpAddress) -> None:
        self.connected = asyncio.Event()
        self._waiting: deque[bytes] = deque()
        self._port = TcpPort(address, self._greet)

    async def open(self) -> None:
        await self._port.open()

    async def run(self) -> None:
        """Nothing to do in the background."""

    async def say(self, data: bytes) -> None:
        if self._port.hosts:
            self._port.send(data)
        else:
            self._waiting.append(data)

    async def close(self) -> None:
        await self._port.close()

    def _greet(self, send: Send) -> Receive:
        while self._waiting:
            send(self._waiting.popleft())
        self.connected.set()
        return _deaf(send)


class _MqttLine:
    """A topic: each line of the recorded bytes is one message again."""

    def __init__(self, address: MqttAddress, broker: Broker) -> None:
        self.connected = asyncio.Event()
        self._topic = address.topic
        self._broker = broker
        self._messages: asyncio.Queue[bytes] = asyncio.Queue()

    async def open(self) -> None:
        """The connection is made by `run`."""

    async def run(self) -> None:
        await stay_connected(self._broker, self._publish)

    async def say(self, data: bytes) -> None:
        for message in data.split(b"\n"):
            if message:
                self._messages.put_nowait(message)

    async def close(self) -> None:
        """Nothing is held outside of `run`."""

    async def _publish(self, client: aiomqtt.Client) -> None:
        self.connected.set()
        while True:
            message = await self._messages.get()
            try:
                await client.publish(self._topic, message, qos=AT_LEAST_ONCE)
            except aiomqtt.MqttError:
                # The next connection sends it, before those that came later.
                rest = [message]
                while not self._messages.empty():
                    rest.append(self._messages.get_nowait())
                for one in rest:
                    self._messages.put_nowait(one)
                raise
            raise_if_cancelled()


class _FolderLine:
    """A watched folder: each recorded file is written under a new name, whole."""

    def __init__(self, address: FolderAddress) -> None:
        self.connected = asyncio.Event()
        self.connected.set()
        self._where = address.text
        self._folder = Path(address.path)
        self._pattern = address.pattern
        self._written = 0

    async def open(self) -> None:
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        except OSError as error:
            reason = f"the rig cannot make the folder ({error.strerror})"
            raise RigError(self._where, reason, "choose a folder that you may write") from error

    async def run(self) -> None:
        """Nothing to do in the background."""

    async def say(self, data: bytes) -> None:
        self._written += 1
        name = self._pattern.replace("*", f"replay-{self._written:05d}", 1).replace("*", "").replace("?", "0")
        await asyncio.to_thread(self._write, name, data)

    def _write(self, name: str, data: bytes) -> None:
        unfinished = self._folder / f".{name}.part"
        unfinished.write_bytes(data)
        os.replace(unfinished, self._folder / name)

    async def close(self) -> None:
        """The files stay."""


def _deaf(send: Send) -> Receive:
    return lambda data: None


def _make_line(device: Device, broker: Broker) -> ReplayLine:
    address = parse_address(device.address)
    match address:
        case SerialAddress() if address.path:
            return _StreamLine(lambda greet: PtyPort(address, greet))
        case TcpAddress():
            return _TcpLine(address)
        case TcpListenAddress():
            return PeersLine(address)
        case UdpAddress():
            return _StreamLine(lambda greet: UdpPort(address, greet))
        case MqttAddress():
            return _MqttLine(address, broker)
        case FolderAddress():
            return _FolderLine(address)
        case _:
            advice = "for the replay give it a serial: (with a path), tcp:, tcp-listen:, udp:, mqtt: or folder: address"
            raise RigError(f"device {device.id} at {device.address}", "the rig cannot speak there", advice)
