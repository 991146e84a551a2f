"""The test stand: a real Mosquitto, ptys with simulated decoders, a subscriber, the service in its own process.

Wire instants and arrivals are both `time.perf_counter_ns` of this process, so that their difference needs no
second clock.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from config.models import Broker, Device, Setup
from drivers.hostclock import HostClock
from drivers.protocols.p3 import GetTime, encode_passing, encode_time_reply, read_request
from drivers.protocols.p3_frame import FrameReader, ReceivedFrame
from timing.control.messages import CommandReply, CommandRequest
from timing.race.actions import AnyAction

REPOSITORY = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
REPLY_TIMEOUT_S = 5.0


class StandError(RuntimeError):
    """The stand cannot be set up, or what is measured did not answer; the text says what and why."""


def free_port() -> int:
    """A TCP port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def niced(command: list[str], nice: int) -> list[str]:
    """The command with a priority as systemd's Nice= gives it; who may not go below 0 stays where he is."""
    return ["nice", "-n", str(nice), *command] if nice else command


class Mosquitto:
    """Debian's broker on a port of its own, without Nagle's delay as deploy/ sets it up."""

    def __init__(self, folder: Path, nice: int = 0) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise StandError("the benchmarks need the Mosquitto broker: install it (Debian: apt-get install mosquitto)")
        self.port = free_port()
        self.broker = Broker(host="127.0.0.1", port=self.port)
        config = folder / "mosquitto.conf"
        # As root Mosquitto would change to a user who cannot read the folder.
        owner = "user root\n" if os.geteuid() == 0 else ""
        config.write_text(
            f"listener {self.port} 127.0.0.1\n{owner}allow_anonymous true\nset_tcp_nodelay true\n"
            "max_queued_messages 0\nmax_inflight_messages 0\n"
        )
        self._log = folder / "mosquitto.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(niced([program, "-c", str(config)], nice), stdout=log, stderr=log)
        self._wait_until_open()

    def _wait_until_open(self) -> None:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise StandError(f"Mosquitto did not start: {self._log.read_text(encoding='utf-8', errors='replace')}")

    def stop(self) -> None:
        """End it and wait for its end."""
        self._process.terminate()
        self._process.wait(STOP_TIMEOUT_S)


class Subscriber:
    """A console reduced to its socket: stamps what arrives in a thread of its own, and sends commands."""

    def __init__(self, port: int, *topics: str) -> None:
        self.arrivals: list[tuple[int, str, bytes]] = []
        """(perf_counter_ns, topic, payload) in order of arrival."""
        self._changed = threading.Condition()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        subscribed = threading.Event()
        self._client.on_message = self._take
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port, keepalive=30)
        self._client.loop_start()
        self._client.subscribe([(topic, 1) for topic in topics])
        if not subscribed.wait(START_TIMEOUT_S):
            raise StandError("the broker did not take the subscription")

    def _take(self, _client: object, _user: object, message: paho.MQTTMessage) -> None:
        at_ns = time.perf_counter_ns()
        self.arrivals.append((at_ns, message.topic, bytes(message.payload)))
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Block until `done()` is true, asked at every arrival; False when it is not after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(done, timeout_s)

    def wait_for_more_than(self, count: int, timeout_s: float) -> bool:
        """Block until more than so many messages have arrived."""
        return self.wait_for(lambda: len(self.arrivals) > count, timeout_s)

    def order(self, meet: str, name: str, role: str, action: AnyAction, heat: str | None = None) -> CommandReply:
        """Send a command and wait for its answer. Raises StandError when it is refused or not answered."""
        request = CommandRequest(id=f"bench-{name}", actor="bench", role=role, action=action, heat=heat)
        topic = f"velodrome/{meet}/replies/{request.id}"

        def answers() -> list[bytes]:
            return [payload for _, arrived, payload in list(self.arrivals) if arrived == topic]

        self._client.publish(f"velodrome/{meet}/commands", msgspec.json.encode(request), qos=1)
        if not self.wait_for(lambda: bool(answers()), REPLY_TIMEOUT_S):
            raise StandError(f"no answer to {name} in {REPLY_TIMEOUT_S:g} s")
        reply = msgspec.json.decode(answers()[0], type=CommandReply)
        if not reply.accepted:
            raise StandError(f"{name} was refused: {reply.reason}")
        return reply

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


class Decoder:
    """A P3 decoder behind a pty: tells its clock when asked, says the passings that it is told to."""

    def __init__(self, folder: Path, name: str, clock: HostClock) -> None:
        self.name = name
        self._clock = clock
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = folder / f"tty-{name}"
        self.path.symlink_to(os.ttyname(self._slave))
        self._number = 0
        self._pending = bytearray()
        self.sent_ns: list[int] = []
        """perf_counter_ns right before the bytes of each passing went onto the wire, in order."""
        self._questions = FrameReader()
        self.asked = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._master, self._answer)

    def frame(self, transponder: str) -> bytes:
        """The next passing, stamped now, as bytes."""
        self._number += 1
        return encode_passing(
            number=self._number,
            transponder=int(transponder),
            rtc_us=self._clock.now_us(),
            strength=106,
            hits=50,
            decoder=7,
        )

    def say(self, *frames: bytes) -> None:
        """Put passings onto the wire in one write; what the line does not take yet follows when it does."""
        self.sent_ns.extend([time.perf_counter_ns()] * len(frames))
        self._pending += b"".join(frames)
        self._write()

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._pending:
                del self._pending[: os.write(self._master, self._pending)]
        loop = asyncio.get_running_loop()
        if self._pending:
            loop.add_writer(self._master, self._write)
        else:
            loop.remove_writer(self._master)

    def _answer(self) -> None:
        for found in self._questions.feed(os.read(self._master, 4_096)):
            if isinstance(found, ReceivedFrame) and isinstance(read_request(found.frame), GetTime):
                self._pending += encode_time_reply(self._clock.now_us(), decoder=7)
                self._write()
                self.asked.set()

    def close(self) -> None:
        """Unplug."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        os.close(self._master)
        os.close(self._slave)


class Program:
    """A process of the stand (`python -m MODULE ARGUMENTS`) that prints `ready` when it is."""

    def __init__(self, folder: Path, name: str, module: str, *arguments: str, nice: int = 0) -> None:
        self.name = name
        self._errors = folder / f"{name}.stderr"
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                niced([sys.executable, "-m", module, *arguments], nice),
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=REPOSITORY,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if line != "ready":
            raise StandError(f"{name} did not start: {self.last_words()}")

    def last_words(self) -> str:
        """The last line that it wrote to standard error."""
        lines = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        told = [line for line in lines if not line.lstrip().startswith(("|", "+", "File"))] or lines
        return (told or ["it said nothing"])[-1]

    def stop(self) -> None:
        """End it as systemd would. Raises StandError when it had ended by itself or does not end."""
        if self.process.poll() is not None:
            raise StandError(f"{self.name} ended by itself ({self.process.returncode}): {self.last_words()}")
        self.process.terminate()
        self.process.wait(STOP_TIMEOUT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk of the working directory, where the state folder would be too."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder:
        yield Path(folder)


class ServiceStand:
    """Broker, decoders, subscriber and a running service for one setup. An async context manager."""

    def __init__(
        self,
        folder: Path,
        setup: Setup,
        speed: float = 1.0,
        topics: tuple[str, ...] = ("passing",),
        nice: int = 0,
    ) -> None:
        """`setup`: its P3 devices get ptys, all others are dropped. `speed`: of the host's clock.

        `nice`: the priority of service and broker.
        """
        self.folder = folder
        self.journal = folder / "meet.journal"
        clock = HostClock()
        self.clock = HostClock(msgspec.structs.replace(clock.anchor, speed=speed))
        self.mosquitto = Mosquitto(folder, nice)
        boxes = [device for device in setup.meet.devices if device.protocol == "p3"]
        self.decoders = {box.loop or box.id: Decoder(folder, box.id, self.clock) for box in boxes}
        devices = tuple(self._on_pty(box) for box in boxes)
        meet = msgspec.structs.replace(setup.meet, devices=devices, broker=self.mosquitto.broker)
        self.setup = msgspec.structs.replace(setup, meet=meet)
        self._topics = topics
        self._nice = nice
        self._understood = 0
        self._passings: dict[str, list[int]] = {device.id: [] for device in devices}
        self._rows: dict[str, list[str]] = {device.id: [] for device in devices}
        self.subscriber: Subscriber
        self.service: Program

    def _on_pty(self, box: Device) -> Device:
        address = f"serial:{self.decoders[box.loop or box.id].path}"
        return msgspec.structs.replace(box, address=address)

    async def __aenter__(self) -> Self:
        setup_file, anchor_file = self.folder / "setup.json", self.folder / "clock.json"
        setup_file.write_bytes(msgspec.json.encode(self.setup))
        anchor_file.write_bytes(msgspec.json.encode(self.clock.anchor))
        base = f"velodrome/{self.setup.meet.id}"
        topics = (*self._topics, "replies/#")
        self.subscriber = await asyncio.to_thread(
            Subscriber, self.mosquitto.port, "bench/floor", *(f"{base}/{topic}" for topic in topics)
        )
        self.service = await asyncio.to_thread(
            Program,
            self.folder,
            "service",
            "tests.bench.serve",
            str(setup_file),
            str(self.journal),
            str(anchor_file),
            nice=self._nice,
        )
        for decoder in self.decoders.values():
            async with asyncio.timeout(START_TIMEOUT_S):
                await decoder.asked.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await asyncio.to_thread(self.service.stop)
        finally:
            self.subscriber.close()
            for decoder in self.decoders.values():
                decoder.close()
            self.mosquitto.stop()

    async def order(self, name: str, role: str, action: AnyAction) -> None:
        """Send a command to the service and wait until it is done."""
        await asyncio.to_thread(self.subscriber.order, self.setup.meet.id, name, role, action)

    def passing_arrivals(self) -> dict[str, list[int]]:
        """perf_counter_ns of the arrival of every passing at the subscriber, by device, in order."""
        topic = f"velodrome/{self.setup.meet.id}/passing"
        arrivals = self.subscriber.arrivals
        for at_ns, arrived, payload in arrivals[self._understood : len(arrivals)]:
            self._understood += 1
            if arrived == topic:
                for passing in msgspec.json.decode(payload)["passings"]:
                    self._passings[passing["device"]].append(at_ns)
                    self._rows[passing["device"]].append(f"{passing['read']}{passing['loop']}")
        return self._passings

    def passing_rows(self) -> dict[str, list[str]]:
        """Of every passing that arrived the name of its row on the operator's screen, by device, in order."""
        self.passing_arrivals()
        return self._rows

    async def all_arrived(self, timeout_s: float) -> bool:
        """Wait until every passing that was said has arrived at the subscriber."""
        expected = {decoder.name: len(decoder.sent_ns) for decoder in self.decoders.values()}
        deadline_s = time.monotonic() + timeout_s
        while True:
            if {name: len(found) for name, found in self.passing_arrivals().items()} == expected:
                return True
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            count = len(self.subscriber.arrivals)
            await asyncio.to_thread(self.subscriber.wait_for_more_than, count, left_s)

    def delays_us(self) -> dict[str, list[float]]:
        """Wire to subscriber, µs, of every passing that arrived, by device, in order of sending."""
        arrived = self.passing_arrivals()
        return {
            box.name: [(at - sent) / 1_000 for sent, at in zip(box.sent_ns, arrived[box.name], strict=False)]
            for box in self.decoders.values()
        }
