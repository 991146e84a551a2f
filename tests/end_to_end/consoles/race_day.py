"""A race day on this machine as a venue has it: broker with the shipped ACL, rig, timing and console, each a process.

The meet is Tokyo 2020 with its boxes at addresses of this machine; nobody has wired the bell, so it is rung by hand.
"""

import asyncio
import contextlib
import json
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiomqtt
from paho.mqtt import publish

from config.loader import load_setup
from config.models import Broker
from tests.deploy.test_mosquitto import VenueBroker
from tests.end_to_end.consoles.programs import Program
from tests.end_to_end.demo_support import command, environment
from tests.end_to_end.mosquitto import free_port
from tests.timing.control.console.hall import ACCOUNTS, HASH, Hall
from timing.control.broker import client_options

MEET_FILE = Path(__file__).parents[3] / "config" / "meets" / "tokyo2020-men-keirin.toml"
MEMORY = Path("/dev/shm")
"""The broker writes to its disk for each message: how fast that is here tells nothing about ours."""
CORE = "velodrome-core"
CONSOLE = "velodrome-console"
SECOND_OPERATOR = "Operator Two"
WAIT_S = 30.0
REPLY_S = 5.0
MOST_TRIES = 3


class RaceDay:
    """Everything runs while the context lasts. `hall` is where people sign in at the console."""

    def __init__(self, folder: Path, state: Path, script: str, speed: float) -> None:
        self._memory = tempfile.TemporaryDirectory(prefix="velodrome-", dir=MEMORY if MEMORY.is_dir() else None)
        self.broker = VenueBroker(Path(self._memory.name))
        port = free_port()
        meet = str(_write_meet(folder, self.broker, port))
        clock = ("--clock-file", str(folder / "clock.json"))
        self.rig = Program(command("rig", meet, script, "--speed", str(speed), *clock), environment(state))
        journal = ("--journal", str(folder / "meet.journal"), "--headless", "--no-console")
        self.core = Program(command("run", meet, *journal, *clock), environment(state))
        sessions = folder / "console-state"
        self.console = Program(command("console", meet), environment(sessions))
        self.hall = Hall(load_setup(meet), self.broker, folder)
        self.hall.address = f"http://127.0.0.1:{port}/"

    @property
    def base(self) -> str:
        """The meet's root on MQTT."""
        return self.hall.base

    async def __aenter__(self) -> Self:
        await self.broker.start()
        try:
            await self.rig.start("ready:")
            await asyncio.gather(self.start_core(), self.start_console())
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        await asyncio.gather(self.console.stop(), self.core.stop(), self.rig.stop())
        self.broker.kill()
        self._memory.cleanup()

    async def start_core(self) -> None:
        """Timing, the first time or again; returns with its first sign of life on MQTT."""
        async with self.listening("alive") as messages:
            await self.core.start()
            async with asyncio.timeout(3 * WAIT_S):
                await anext(messages)

    async def start_console(self) -> None:
        """The console, the first time or again; returns when it answers."""
        await self.console.start(self.hall.address)

    def connected(self, user: str) -> aiomqtt.Client:
        """A connection to the broker as one of its users."""
        return aiomqtt.Client(**client_options(self.broker.as_role(user)))

    @contextlib.asynccontextmanager
    async def listening(self, topic: str) -> AsyncIterator[AsyncIterator[aiomqtt.Message]]:
        """Messages on a topic below the meet, from now on."""
        async with self.connected(CORE) as client:
            await client.subscribe(f"{self.base}/{topic}", qos=1)
            yield aiter(client.messages)

    async def order_as(self, user: str, order: dict[str, Any]) -> dict[str, Any]:
        """The core's answer to an order that a user of the broker publishes; sent again under its id if need be."""
        payload = json.dumps(order | {"reply_to": f"{self.base}/replies/{order['id']}"})
        async with self.listening(f"replies/{order['id']}") as replies, self.connected(user) as client:
            answer = asyncio.ensure_future(anext(replies))
            for _ in range(MOST_TRIES):
                await client.publish(f"{self.base}/commands", payload, qos=1)
                await asyncio.wait({answer}, timeout=REPLY_S)
                if answer.done():
                    break
            assert answer.done(), "the core did not answer"
            found: dict[str, Any] = json.loads(answer.result().payload)
            return found

    def forge_as(self, user: str, topic: str, payload: str) -> None:
        """Publish something on a topic below the meet as a user of the broker, who may be hung up on for it."""
        options = client_options(self.broker.as_role(user))
        publish.single(
            f"{self.base}/{topic}",
            payload,
            retain=True,
            hostname=options["hostname"],
            port=options["port"],
            auth={"username": options["username"], "password": options["password"]},
        )

    async def published(self, topic: str) -> dict[str, Any]:
        """What the broker retains on a topic below the meet."""
        async with self.listening(topic) as messages, asyncio.timeout(WAIT_S):
            found: dict[str, Any] = json.loads((await anext(messages)).payload)
            return found

    async def retained(self, topics: set[str]) -> dict[str, Any]:
        """What the broker retains on all of these topics below the meet."""
        found: dict[str, Any] = {}
        async with self.listening("#") as messages, asyncio.timeout(WAIT_S):
            while set(found) != topics:
                message = await anext(messages)
                topic = str(message.topic).removeprefix(f"{self.base}/")
                if topic in topics:
                    found[topic] = json.loads(message.payload)
        return found


def _write_meet(folder: Path, broker: VenueBroker, port: int) -> Path:
    text = MEET_FILE.read_text("utf-8")
    text = text.replace("serial:/dev/velodrome/", f"serial:{folder}/")
    text = re.sub(r"tcp:127\.0\.0\.1:\d+", lambda _: f"tcp:127.0.0.1:{free_port()}", text)
    bell = '    { channel = "bell", role = "bell" },\n'
    assert bell in text
    tables = [_table("broker", broker.as_role(CORE)), f"[console]\nport = {port}"]
    tables.append(_table("console.broker", broker.as_role(CONSOLE)))
    accounts = [*((one.name, one.role) for one in ACCOUNTS), (SECOND_OPERATOR, "operator")]
    for name, role in accounts:
        tables.append(f'[[console.accounts]]\nname = "{name}"\nrole = "{role}"\npassword_hash = "{HASH}"')
    path = folder / "meet.toml"
    path.write_text("\n\n".join([text.replace(bell, ""), *tables]), "utf-8")
    return path


def _table(name: str, broker: Broker) -> str:
    return (
        f'[{name}]\nhost = "{broker.host}"\nport = {broker.port}\n'
        f'username = "{broker.username}"\npassword_file = "{broker.password_file}"'
    )
