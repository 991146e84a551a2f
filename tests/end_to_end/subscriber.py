"""A subscriber as race control's best one would be: persistent session, QoS 1, back at once after a loss."""

import asyncio
import json
import uuid
from typing import Any, NamedTuple

import aiomqtt

from config.models import Broker


class Heard(NamedTuple):
    """A message as it came."""

    topic: str
    payload: bytes
    retain: bool

    @property
    def body(self) -> dict[str, Any]:
        """The JSON in it."""
        body = json.loads(self.payload)
        assert isinstance(body, dict)
        return body


class Subscriber:
    """Keeps all that it hears. The session outlives the broker and our connection."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self.heard: list[Heard] = []
        self.connections = 0
        self._broker = broker
        self._topic = topic
        self._id = f"subscriber-{uuid.uuid4()}"
        self._news = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and subscribe; returns when the broker has the subscription."""
        self._listening = asyncio.create_task(self._listen())
        await self.until(lambda: self.connections > 0)

    async def stop(self) -> None:
        """Go away; the broker keeps the session."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None

    async def until(self, condition: Any, timeout_s: float = 20.0) -> None:
        """Wait until something that was heard makes `condition()` true."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def numbers(self) -> list[int]:
        """Every `seq` in the order of arrival, repeats included."""
        return [one.body["seq"] for one in self.heard if "seq" in one.body]

    async def _listen(self) -> None:
        while True:
            try:
                async with aiomqtt.Client(
                    self._broker.host,
                    self._broker.port,
                    identifier=self._id,
                    clean_session=False,
                    keepalive=5,
                    timeout=2.0,
                    max_queued_incoming_messages=0,
                ) as client:
                    await client.subscribe(self._topic, qos=1)
                    self.connections += 1
                    self._news.set()
                    async for message in client.messages:
                        assert isinstance(message.payload, bytes)
                        if str(message.topic).endswith("/alive"):
                            # A sign of life is no news.
                            continue
                        self.heard.append(Heard(str(message.topic), message.payload, message.retain))
                        self._news.set()
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)
