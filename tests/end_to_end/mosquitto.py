"""Debian's Mosquitto as a process: started on a free port, killed with -9, started again with what is on its disk."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from config.models import Broker

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
START_TIMEOUT_S = 10.0
SHIPPED_CONF = Path(__file__).parents[2] / "deploy" / "mosquitto" / "mosquitto.conf"
DURABLE = (
    "persistence",
    "autosave_interval",
    "autosave_on_changes",
    "max_queued_messages",
    "max_inflight_messages",
    "max_packet_size",
)
"""Settings taken from the configuration that we ship: what the tests prove holds for a venue."""


def free_port() -> int:
    """A TCP port of this machine that nothing uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def shipped_settings(names: tuple[str, ...] = DURABLE) -> str:
    """The lines of the shipped mosquitto.conf for these settings. Fails when one is not there."""
    lines = [line for line in SHIPPED_CONF.read_text("utf-8").splitlines() if line.split(" ")[0] in names]
    assert {line.split(" ")[0] for line in lines} == set(names)
    return "\n".join(lines)


class Mosquitto:
    """A broker that lets everyone in, with the persistence that we ship. `settings` may be replaced before `start`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.broker = Broker(host="127.0.0.1", port=self.port)
        self.folder = folder
        self.log = folder / "mosquitto.log"
        self.settings = (
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
            f"persistence_location {folder}/\n{shipped_settings()}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, the first time or again, and wait until it accepts connections."""
        if MOSQUITTO is None:
            pytest.fail("these tests need the Mosquitto broker: install it (Debian: apt-get install mosquitto)")
        # As root Mosquitto would change to a user who cannot read pytest's folder.
        owner = "user root\n" if os.geteuid() == 0 else ""
        config = self.folder / "mosquitto.conf"
        config.write_text(owner + self.settings, "utf-8")
        process = await asyncio.to_thread(self._launch, MOSQUITTO, config)
        self._process = process
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await self._accepts():
                try:
                    code = await asyncio.to_thread(process.wait, 0.02)
                except subprocess.TimeoutExpired:
                    continue
                pytest.fail(f"Mosquitto ended with {code}: {self.log.read_text('utf-8')}")

    def _launch(self, program: str, config: Path) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)

    async def _accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except ConnectionRefusedError:
            return False
        writer.close()
        return True

    def kill(self) -> None:
        """kill -9, and wait until it is gone. Killing twice is allowed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
