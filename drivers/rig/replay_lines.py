"""Where the bytes of a recorded device go out again: one line for each kind of address."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import aiomqtt

from config.models import Broker, Device
from drivers.rig.mqtt_link import raise_if_cancelled, stay_connected
from drivers.rig.peers_line import PeersLine
from drivers.rig.ports import PtyPort, Receive, RigError, Send, TcpPort
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

AT_LEAST_ONCE: Final = 1
READ_WITHIN_S: Final = 0.1
"""Real time for a host to read the last bytes before its line goes: a pty that is closed forgets them."""


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


def make_line(device: Device, broker: Broker) -> ReplayLine:
    """The line at a device's address. Raises RigError where the rig cannot speak, AddressError."""
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


class BreakingLine:
    """A line that can be taken away and brought back, as in the recorded run. It takes over the line's methods."""

    def __init__(self, line: ReplayLine) -> None:
        self.line = line
        self._away = False
        self._waiting: deque[bytes] = deque()

    async def say(self, data: bytes) -> None:
        """As the line itself; what is said while it is away follows when it is back."""
        if self._away:
            self._waiting.append(data)
        else:
            await self.line.say(data)

    async def take_away(self) -> None:
        """The box is unplugged: the host's line breaks."""
        self._away = True
        await asyncio.sleep(READ_WITHIN_S)
        await self.line.close()

    async def bring_back(self) -> None:
        """The box is there again. Raises RigError when its address is taken."""
        await self.line.open()
        self._away = False
        while self._waiting:
            await self.line.say(self._waiting.popleft())
