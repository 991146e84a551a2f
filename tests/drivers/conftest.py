"""Real lines for the driver tests: ptys behind a symlink, TCP servers, a Mosquitto process."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tty
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from config.models import Broker
from drivers.hostclock import HostClock

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class PluggableBox:
    """A box on a pty behind a symlink, like a USB adapter with a udev name: to be unplugged and replugged."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._master: int | None = None

    @property
    def master(self) -> int:
        """The box's end."""
        assert self._master is not None, "the box is not plugged in"
        return self._master

    def plug_in(self) -> None:
        """Make a new pty and point the symlink to it."""
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        temporary = self.link.with_suffix(".new")
        temporary.symlink_to(os.ttyname(slave))
        # The box's own hold of the other end goes only with unplug(): what it sends before we open must stay.
        self._slave = slave
        temporary.replace(self.link)

    def unplug(self) -> None:
        """Take the port away, as pulling the plug does."""
        if self._master is not None:
            self.link.unlink()
            os.close(self._slave)
            os.close(self._master)
            self._master = None

    def say(self, data: bytes) -> None:
        """The box sends bytes."""
        assert os.write(self.master, data) == len(data)

    async def hear(self, count: int) -> bytes:
        """Wait for `count` bytes from the program."""
        loop = asyncio.get_running_loop()
        heard = bytearray()
        complete: asyncio.Future[None] = loop.create_future()

        def read() -> None:
            heard.extend(os.read(self.master, count - len(heard)))
            if len(heard) == count and not complete.done():
                complete.set_result(None)

        loop.add_reader(self.master, read)
        try:
            async with asyncio.timeout(2):
                await complete
        finally:
            loop.remove_reader(self.master)
        return bytes(heard)


class TcpBox:
    """A box that listens on a TCP port of this machine and keeps its connections."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self.connections: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def switch_on(self) -> None:
        """Listen; the second time on the same port as the first."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def switch_off(self) -> None:
        """Stop listening and cut every connection with a reset, as a power cut looks after the reboot."""
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def accepted(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Wait for the next connection."""
        async with asyncio.timeout(3):
            return await self.connections.get()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connections.put_nowait((reader, writer))


class MosquittoProcess:
    """Debian's broker on a port of its own; it can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.broker = Broker(host="127.0.0.1", port=self.port)
        self.passwords = folder / "passwords"
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.extra_settings = "allow_anonymous true"

    async def start(self) -> None:
        """Start the broker and wait until it accepts connections."""
        if MOSQUITTO is None:
            pytest.fail("these tests need the Mosquitto broker: install it (Debian: apt-get install mosquitto)")
        # As root Mosquitto would change to a user who cannot read pytest's folder.
        owner = "user root\n" if os.geteuid() == 0 else ""
        self._config.write_text(f"listener {self.port} 127.0.0.1\n{owner}{self.extra_settings}\n")
        self._process = await asyncio.to_thread(self._launch, MOSQUITTO)
        async with asyncio.timeout(5):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except ConnectionRefusedError:
                    assert self._process.poll() is None, f"Mosquitto ended: {self._log.read_text()}"
                    await asyncio.to_thread(self._process_still_starting)
                else:
                    writer.close()
                    return

    def _launch(self, program: str) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen([program, "-c", str(self._config)], stdout=log, stderr=log)

    def _process_still_starting(self) -> None:
        assert self._process is not None
        try:
            self._process.wait(0.02)
        except subprocess.TimeoutExpired:
            return

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def clock() -> HostClock:
    return HostClock()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[PluggableBox]:
    box = PluggableBox(tmp_path / "decoder")
    box.plug_in()
    yield box
    box.unplug()


@pytest.fixture
async def tcp_box() -> AsyncIterator[TcpBox]:
    box = TcpBox()
    await box.switch_on()
    yield box
    await box.switch_off()


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[MosquittoProcess]:
    """A running broker that lets everyone in."""
    process = MosquittoProcess(tmp_path)
    await process.start()
    yield process
    process.kill()


@pytest.fixture
def stopped_mosquitto(tmp_path: Path) -> Iterator[MosquittoProcess]:
    """A broker to be configured and started by the test."""
    process = MosquittoProcess(tmp_path)
    yield process
    process.kill()
