"""Talks to a running service as any console does: reads what it retains, sends an order, waits for the answer."""

import asyncio
import uuid
from typing import TypeVar

import aiomqtt
import msgspec

from config.models import Broker
from timing.control.broker import NoAnswer, client_options
from timing.control.messages import CommandReply, CommandRequest
from timing.race.events import MeetAction

TIMEOUT_S = 3.0
TRIES = 3

T = TypeVar("T", bound=msgspec.Struct)


def order(broker: Broker, meet: str, action: MeetAction, actor: str, role: str) -> CommandReply:
    """Send an order and return the answer, which comes after it is on disk. Raises NoAnswer, BrokerError.

    The same id is sent again when no answer comes: it counts once.
    """
    return asyncio.run(_order(broker, meet, action, actor, role))


async def _order(broker: Broker, meet: str, action: MeetAction, actor: str, role: str) -> CommandReply:
    request = CommandRequest(id=f"cli-{uuid.uuid4()}", actor=actor, role=role, action=action)
    base = f"velodrome/{meet}"
    reply_topic = f"{base}/replies/{request.id}"
    try:
        async with aiomqtt.Client(**client_options(broker), timeout=TIMEOUT_S) as client:
            await client.subscribe(reply_topic, qos=1)
            for _ in range(TRIES):
                await client.publish(f"{base}/commands", msgspec.json.encode(request), qos=1)
                payload = await _first(client, reply_topic)
                if payload is not None:
                    return msgspec.json.decode(payload, type=CommandReply)
    except aiomqtt.MqttError as error:
        raise _unreachable(broker, error) from error
    raise NoAnswer(
        f"no answer from the timing service of meet {meet!r} over {broker.host}:{broker.port}: is `velodrome run` "
        "running? The order may be sent again; nothing was confirmed"
    )


def retained(broker: Broker, meet: str, topic: str, kind: type[T]) -> T:
    """The newest retained message of a topic below the meet. Raises NoAnswer, BrokerError."""
    payload = asyncio.run(_retained(broker, f"velodrome/{meet}/{topic}"))
    if payload is None:
        raise NoAnswer(
            f"nothing is published on velodrome/{meet}/{topic} at {broker.host}:{broker.port}: is `velodrome run` "
            "running with this meet file?"
        )
    return msgspec.json.decode(payload, type=kind)


async def _retained(broker: Broker, topic: str) -> bytes | None:
    try:
        async with aiomqtt.Client(**client_options(broker), timeout=TIMEOUT_S) as client:
            await client.subscribe(topic, qos=1)
            return await _first(client, topic)
    except aiomqtt.MqttError as error:
        raise _unreachable(broker, error) from error


async def _first(client: aiomqtt.Client, topic: str) -> bytes | None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async for message in client.messages:
                if str(message.topic) == topic and isinstance(message.payload, bytes):
                    return message.payload
    except TimeoutError:
        return None
    return None


def _unreachable(broker: Broker, error: aiomqtt.MqttError) -> NoAnswer:
    return NoAnswer(
        f"the MQTT broker {broker.host}:{broker.port} cannot be reached ({error}): start it, or mend [broker] in the "
        "meet file"
    )
