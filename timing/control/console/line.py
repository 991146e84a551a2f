"""The console's one connection to the broker: kept for ever, it feeds the hub and carries the orders."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable
from typing import Final

import aiomqtt
import structlog

from config.models import Broker
from timing.control.broker import client_options
from timing.control.console.feed import SUBSCRIPTIONS, Feed

TIMEOUT_S: Final = 2.0
KEEPALIVE_S: Final = 5
NO_DELAY: Final = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
"""An order does not wait until the broker has acknowledged the segment before (Nagle)."""
BACK_OFF_S: Final = (0.1, 0.2, 0.4, 0.5)
"""Bounded, so that the picture is back within a second of the broker's return."""
RESYNC_LOOK_S: Final = 0.5
ORDERS_AT_ONCE: Final = 200

OnReply = Callable[[bytes], None]

log = structlog.get_logger("console")


class LineDownError(Exception):
    """The broker cannot be reached now. `sent` says whether the message may have got there all the same."""

    def __init__(self, sent: bool) -> None:
        super().__init__("the broker may have taken the message" if sent else "the broker cannot be reached")
        self.sent = sent


class Line:
    """Connect, subscribe, read, notice the loss, connect again. Raises BrokerError for secrets it cannot read."""

    def __init__(self, broker: Broker, meet: str, feed: Feed, on_reply: OnReply) -> None:
        self._broker = broker
        self._base = f"velodrome/{meet}"
        self._feed = feed
        self._on_reply = on_reply
        # Read once: secrets that become unreadable later must not end a console in the middle of a race.
        self._options = client_options(broker)
        self._name = f"console-{secrets.token_hex(6)}"
        self._client: aiomqtt.Client | None = None

    @property
    def is_up(self) -> bool:
        """Whether the broker is there and has taken our subscriptions."""
        return self._client is not None

    def reply_topic(self, order: str) -> str:
        """Where the answer to an order of this console goes."""
        return f"{self._base}/replies/{self._name}/{order}"

    async def send_order(self, payload: bytes) -> None:
        """Publish an order. Raises LineDownError."""
        client = self._client
        if client is None:
            raise LineDownError(sent=False)
        try:
            await client.publish(f"{self._base}/commands", payload, qos=1)
        except (aiomqtt.MqttError, asyncio.CancelledError) as error:
            # The loss of a connection may cancel a publish that is on its way.
            _end_if_cancelled()
            raise LineDownError(sent=True) from error

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        attempt = 0
        while True:
            try:
                async with aiomqtt.Client(
                    **self._options,
                    identifier=f"velodrome-{self._name}",
                    timeout=TIMEOUT_S,
                    keepalive=KEEPALIVE_S,
                    socket_options=NO_DELAY,
                ) as client:
                    # Above it aiomqtt logs every publish.
                    client.pending_calls_threshold = ORDERS_AT_ONCE
                    await self._subscribe(client)
                    _end_if_cancelled()
                    attempt = 0
                    self._client = client
                    self._feed.broker_reached()
                    await self._read_until_resync(client)
            except aiomqtt.MqttError as error:
                if attempt == 0:
                    log.warning("broker_lost", reason=str(error), host=self._broker.host, port=self._broker.port)
            finally:
                self._client = None
            _end_if_cancelled()
            if self._feed.resync_wanted:
                self._feed.resync_wanted = False
                continue
            self._feed.broker_lost()
            await asyncio.sleep(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
            attempt += 1

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        below = [*SUBSCRIPTIONS, "replies/+", f"replies/{self._name}/+"]
        await client.subscribe([(f"{self._base}/{topic}", 1) for topic in below])

    async def _read_until_resync(self, client: aiomqtt.Client) -> None:
        """Read until the loss, or until the feed needs the retained topics anew (a new subscription brings them)."""
        reading = asyncio.create_task(self._read(client))
        try:
            while not self._feed.resync_wanted:
                done, _ = await asyncio.wait({reading}, timeout=RESYNC_LOOK_S)
                if done:
                    reading.result()
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await reading

    async def _read(self, client: aiomqtt.Client) -> None:
        replies = f"{self._base}/replies/"
        async for message in client.messages:
            payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
            topic = str(message.topic)
            if topic.startswith(replies):
                self._on_reply(payload)
            elif topic.startswith(f"{self._base}/"):
                self._feed.take(topic.removeprefix(f"{self._base}/"), payload, message.retain)


def _end_if_cancelled() -> None:
    """Raise the cancellation that got lost in Python 3.11's wait_for, which aiomqtt uses."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
