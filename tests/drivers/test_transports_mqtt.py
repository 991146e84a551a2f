"""A topic on a real Mosquitto as a line to a box: messages, loss of the broker, refusals."""

import asyncio
import base64
import hashlib
import socket
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from config.models import Broker
from drivers.errors import OpenFailed, TransportLost
from drivers.hostclock import HostClock
from drivers.transports import Transport, create_transport, mqtt

WAIT_S = 5


async def opened(broker: Broker, clock: HostClock) -> Transport:
    transport = create_transport("mqtt:loops/finish", clock, broker)
    await transport.open()
    return transport


async def failure_to_open(broker: Broker, clock: HostClock) -> OpenFailed:
    transport = create_transport("mqtt:loops/finish", clock, broker)
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(OpenFailed) as caught:
            await transport.open()
    await transport.close()
    return caught.value


async def test_each_message_is_one_chunk_with_a_line_feed_stamped_on_arrival(mosquitto: Any, clock: HostClock) -> None:
    transport = await opened(mosquitto.broker, clock)
    before_us = clock.now_us()
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as box:
        for payload in (b'{"sequence":1}', b'{"sequence":2}', b""):
            await box.publish("loops/finish", payload, qos=1)
    async with asyncio.timeout(WAIT_S):
        chunks = [await transport.receive() for _ in range(3)]
    assert [chunk.data for chunk in chunks] == [b'{"sequence":1}\n', b'{"sequence":2}\n', b"\n"]
    stamps = [chunk.received_us for chunk in chunks]
    assert before_us <= stamps[0] <= stamps[1] <= stamps[2] <= clock.now_us()
    await transport.close()


async def test_bytes_to_the_box_are_published_beside_its_topic(mosquitto: Any, clock: HostClock) -> None:
    transport = await opened(mosquitto.broker, clock)
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as box, asyncio.timeout(WAIT_S):
        await box.subscribe("loops/finish/in", qos=1)
        await transport.send(b'{"resend":7}')
        message = await anext(box.messages)
    assert message.payload == b'{"resend":7}'
    assert message.qos == 1
    await transport.close()


async def test_a_killed_broker_is_a_loss_and_the_next_line_works_when_it_is_back(
    mosquitto: Any, clock: HostClock
) -> None:
    transport = await opened(mosquitto.broker, clock)
    mosquitto.kill()
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(TransportLost) as caught:
            await transport.receive()
    assert f"127.0.0.1:{mosquitto.port}" in caught.value.advice
    with pytest.raises(TransportLost):
        await transport.send(b"?")
    await transport.close()
    refused = await failure_to_open(mosquitto.broker, clock)
    assert "connection refused" in refused.reason
    assert "MQTT broker" in refused.where

    await mosquitto.start()
    again = await opened(mosquitto.broker, clock)
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as box:
        await box.publish("loops/finish", b"back", qos=1)
    async with asyncio.timeout(WAIT_S):
        assert (await again.receive()).data == b"back\n"
    await again.close()


async def test_a_broker_that_wants_a_password_says_so_until_it_gets_the_right_one(
    stopped_mosquitto: Any, clock: HostClock, tmp_path: Path
) -> None:
    write_password(stopped_mosquitto.passwords, "timing", "on-time")
    stopped_mosquitto.extra_settings = f"password_file {stopped_mosquitto.passwords}"
    await stopped_mosquitto.start()
    refused = await failure_to_open(stopped_mosquitto.broker, clock)
    assert "does not let us in" in refused.reason
    assert "user name" in refused.advice

    secret = tmp_path / "secret"
    with_login = msgspec.structs.replace(stopped_mosquitto.broker, username="timing", password_file=str(secret))
    missing = await failure_to_open(with_login, clock)
    assert f"password file {secret} cannot be read" in missing.reason
    secret.write_text("on-time\n")
    transport = await opened(with_login, clock)
    await transport.close()


async def test_a_topic_that_the_broker_refuses_is_told(clock: HostClock) -> None:
    # Mosquitto's access list drops the messages and grants every subscription; other brokers refuse it.
    async def refuse_subscriptions(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while header := await reader.read(2):
            body = await reader.readexactly(header[1])
            if header[0] == 0x10:
                writer.write(b"\x20\x02\x00\x00")
            elif header[0] == 0x82:
                writer.write(b"\x90\x03" + body[:2] + b"\x80")
        writer.close()

    server = await asyncio.start_server(refuse_subscriptions, "127.0.0.1", 0)
    async with server:
        broker = Broker(port=server.sockets[0].getsockname()[1])
        refused = await failure_to_open(broker, clock)
    assert refused.reason == "the broker refuses the topic loops/finish"
    assert "access list" in refused.advice


async def test_a_broker_that_takes_the_connection_and_says_nothing_is_given_up_without_a_trace(
    clock: HostClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "BROKER_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        tasks_before = asyncio.all_tasks()
        failure = await failure_to_open(Broker(port=mute.getsockname()[1]), clock)
        assert "timed out" in failure.reason
        await asyncio.wait_for(asyncio.gather(*(asyncio.all_tasks() - tasks_before), return_exceptions=True), WAIT_S)
        assert asyncio.all_tasks() == tasks_before


async def test_a_cancelled_open_leaves_no_connection_behind(mosquitto: Any, clock: HostClock) -> None:
    tasks_before = asyncio.all_tasks()
    opening = asyncio.create_task(opened(mosquitto.broker, clock))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    # The farewell of aiomqtt's own housekeeping task is on its way: let it end.
    await asyncio.wait_for(asyncio.gather(*(asyncio.all_tasks() - tasks_before), return_exceptions=True), WAIT_S)
    assert asyncio.all_tasks() == tasks_before


def write_password(file: Path, user: str, password: str) -> None:
    """Write a Mosquitto password file (`$7$` PBKDF2-SHA512), which needs no tool of Mosquitto's."""
    salt = b"12-byte salt"
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    encoded = f"$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
    file.write_text(f"{user}:{encoded}\n")
