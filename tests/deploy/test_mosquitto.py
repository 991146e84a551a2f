"""The broker's configuration that we ship, in a real Mosquitto: it starts, and each role may do what it should."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from config.models import Broker
from tests.end_to_end.mosquitto import SHIPPED_CONF, Mosquitto, free_port
from timing.control.broker import client_options

ACL = SHIPPED_CONF.with_name("acl")
ROLES = ("velodrome-core", "velodrome-console", "velodrome-board", "velodrome-gateway")
BASE = "velodrome/sixdays"
WAIT_S = 10.0


def tool(name: str) -> str:
    """A program of Debian's packages mosquitto and openssl."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"these tests need {name}: apt-get install mosquitto openssl")
    return found


def make_certificate(folder: Path) -> None:
    """A certificate for this machine that is its own authority."""
    subprocess.run(
        [
            *(tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / "server.key"), "-out", str(folder / "server.crt")),
        ],
        check=True,
        capture_output=True,
    )
    shutil.copy(folder / "server.crt", folder / "ca.crt")


class VenueBroker(Mosquitto):
    """Mosquitto with the shipped configuration; only its ports and folders are the test's own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tls_port = free_port()
        changes = {
            "listener 1883 127.0.0.1": f"listener {self.port} 127.0.0.1",
            "listener 8883": f"listener {self.tls_port}",
            "/etc/mosquitto/velodrome/": f"{folder}/",
            "/var/lib/mosquitto/": f"{folder}/",
            "log_dest syslog": "log_dest stderr",
        }
        text = SHIPPED_CONF.read_text("utf-8")
        for ours, theirs in changes.items():
            assert ours in text
            text = text.replace(ours, theirs)
        self.settings = text
        for role in ROLES:
            create = [] if (folder / "passwords").exists() else ["-c"]
            command = [tool("mosquitto_passwd"), *create, "-b", str(folder / "passwords"), role, f"{role}-secret"]
            subprocess.run(command, check=True, capture_output=True)
            (folder / role).write_text(f"{role}-secret\n")
        shutil.copy(ACL, folder / "acl")
        make_certificate(folder)

    def as_role(self, role: str) -> Broker:
        """How a meet file names the broker for this role."""
        return Broker(host="127.0.0.1", port=self.port, username=role, password_file=str(self.folder / role))


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[VenueBroker]:
    broker = VenueBroker(tmp_path)
    await broker.start()
    yield broker
    broker.kill()


async def say(broker: Broker, topic: str, payload: bytes, retain: bool = False) -> None:
    async with aiomqtt.Client(**client_options(broker)) as client:
        await client.publish(topic, payload, qos=1, retain=retain)


async def heard_of(venue: VenueBroker, listener: str, speaker: str, topic: str) -> bool:
    """Whether `listener` hears what `speaker` says on a topic; what the core says afterwards ends the waiting."""
    async with asyncio.timeout(WAIT_S), aiomqtt.Client(**client_options(venue.as_role(listener))) as client:
        await client.subscribe("velodrome/#", qos=1)
        await say(venue.as_role(speaker), topic, b"spoken")
        await say(venue.as_role("velodrome-core"), f"{BASE}/meet", b"end")
        async for message in client.messages:
            if message.payload == b"end":
                return False
            if message.payload == b"spoken":
                assert str(message.topic) == topic
                return True
    raise AssertionError("the core itself was not heard")


@pytest.mark.parametrize(
    ("speaker", "topic", "taken"),
    [
        ("velodrome-core", "current2", True),
        ("velodrome-core", "heats/final-a/result", True),
        ("velodrome-core", "replies/c-1", True),
        ("velodrome-console", "commands", True),
        ("velodrome-console", "heats/final-a/result", False),
        ("velodrome-console", "current", False),
        ("velodrome-console", "hardware/gateway", False),
        ("velodrome-console", "replies/c-1", False),
        ("velodrome-board", "commands", False),
        ("velodrome-board", "heats/final-a/result", False),
        ("velodrome-board", "hardware/gateway", False),
        ("velodrome-gateway", "hardware/gateway", True),
        ("velodrome-gateway", "commands", False),
        ("velodrome-gateway", "passing", False),
    ],
)
async def test_who_may_write_what(venue: VenueBroker, speaker: str, topic: str, taken: bool) -> None:
    assert await heard_of(venue, "velodrome-core", speaker, f"{BASE}/{topic}") is taken


@pytest.mark.parametrize(
    ("listener", "topic", "told"),
    [
        ("velodrome-console", "heats/final-a/result", True),
        ("velodrome-console", "replies/c-1", True),
        ("velodrome-console", "heats/final-a/history", True),
        ("velodrome-console", "devices/p3-finish", True),
        ("velodrome-board", "heats/final-a/result", True),
        ("velodrome-board", "passing", True),
        ("velodrome-board", "board", True),
        ("velodrome-board", "current", False),
        ("velodrome-board", "heats/final-a/history", False),
        ("velodrome-board", "commands", False),
        ("velodrome-board", "replies/c-1", False),
        ("velodrome-board", "devices/p3-finish", False),
    ],
)
async def test_who_may_read_what(venue: VenueBroker, listener: str, topic: str, told: bool) -> None:
    assert await heard_of(venue, listener, "velodrome-core", f"{BASE}/{topic}") is told


async def test_a_gateway_hears_what_is_meant_for_it(venue: VenueBroker) -> None:
    topic = f"{BASE}/hardware/gateway/in"
    async with asyncio.timeout(WAIT_S):
        async with aiomqtt.Client(**client_options(venue.as_role("velodrome-gateway"))) as client:
            await client.subscribe(topic, qos=1)
            await say(venue.as_role("velodrome-core"), topic, b"send again from 7")
            message = await anext(aiter(client.messages))
    assert message.payload == b"send again from 7"


@pytest.mark.parametrize("user", ["", "velodrome-board", "stranger"])
async def test_nobody_comes_in_without_the_right_password(venue: VenueBroker, tmp_path: Path, user: str) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("guess")
    broker = Broker(host="127.0.0.1", port=venue.port, username=user, password_file=str(wrong) if user else "")
    with pytest.raises(aiomqtt.MqttError, match=r"(?i)not authorized"):
        await say(broker, f"{BASE}/current", b"me")


async def test_from_other_machines_the_broker_is_reached_with_tls(venue: VenueBroker) -> None:
    core = venue.as_role("velodrome-core")
    tls = Broker(
        host="127.0.0.1",
        port=venue.tls_port,
        username=core.username,
        password_file=core.password_file,
        tls_ca_file=str(venue.folder / "ca.crt"),
    )
    await say(tls, f"{BASE}/meet", b"over TLS", retain=True)
    async with asyncio.timeout(WAIT_S), aiomqtt.Client(**client_options(core)) as client:
        await client.subscribe(f"{BASE}/meet", qos=1)
        message = await anext(aiter(client.messages))
    assert message.payload == b"over TLS"
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client("127.0.0.1", venue.tls_port, timeout=1):
            pytest.fail("the TLS port let somebody in without TLS")


async def test_a_stranger_s_certificate_is_refused(venue: VenueBroker, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    make_certificate(other)
    context = ssl.create_default_context(cafile=str(other / "ca.crt"))
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", venue.tls_port, ssl=context)


async def test_the_broker_saves_at_once_and_has_it_after_a_kill(venue: VenueBroker) -> None:
    core = venue.as_role("velodrome-core")
    await say(core, f"{BASE}/heats/final-a/result", b"the result", retain=True)
    # Mosquitto confirms a moment before it saves: why the publisher repeats what it sent before a loss.
    database = venue.folder / "mosquitto.db"
    async with asyncio.timeout(2):
        while not (database.exists() and b"the result" in database.read_bytes()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    venue.kill()
    await venue.start()
    async with asyncio.timeout(WAIT_S), aiomqtt.Client(**client_options(venue.as_role("velodrome-board"))) as client:
        await client.subscribe(f"{BASE}/heats/#", qos=1)
        message = await anext(aiter(client.messages))
    assert (message.payload, message.retain) == (b"the result", True)
