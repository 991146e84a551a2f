"""Boxes that speak through the meet's MQTT broker.

Every message on the device's topic is one chunk, ended with a line feed so that a line protocol sees whole
lines. Bytes to the box are published on `<topic>/in`. QoS 1 both ways. The session with the broker is a clean
one: what the box published while we were away is asked for by its protocol (sequence numbers) and not kept by
the broker, since a message from a broker's memory would carry a false time of arrival.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from config.models import Broker
from drivers.errors import OpenFailed, TransportLost
from drivers.hostclock import HostClock
from drivers.transports.address import MqttAddress
from drivers.transports.base import Chunk
from drivers.transports.tcp import connect

AT_LEAST_ONCE = 1
"""QoS 1: delivered, perhaps twice; protocols number their messages."""

KEEPALIVE_S = 5
"""A broker that vanished without a reset is noticed within 1.5 of these (DESIGN §7)."""

BROKER_TIMEOUT_S = 2.0
"""A publication in flight when the broker dies waits this long, so it must be short (DESIGN §7)."""

REFUSED = 128
"""SUBACK return codes from here on mean that the broker refused the subscription (MQTT 3.1.1 §3.9.3)."""

_quiet = logging.getLogger(__name__)
_quiet.setLevel(logging.ERROR)
"""aiomqtt's warnings are about lost connections, which the supervisor reports with advice."""


class MqttTransport:
    """One topic on the broker as a line to a box."""

    def __init__(self, address: MqttAddress, broker: Broker, clock: HostClock) -> None:
        self.where = address.text
        self._topic = address.topic
        self._broker = broker
        self._clock = clock
        self._client: aiomqtt.Client | None = None
        self._arrivals: deque[int] = deque()

    async def open(self) -> None:
        """Connect and subscribe. Raises `OpenFailed`: broker unreachable, login or topic refused, no file."""
        client = self._make_client()
        # aiomqtt reports all failures to connect alike and after seconds; a bare connection tells which.
        (await connect(f"{self.where}, MQTT broker", self._broker.host, self._broker.port)).close()
        await self._enter(client)
        self._client = client
        try:
            granted = await client.subscribe(self._topic, qos=AT_LEAST_ONCE)
        except aiomqtt.MqttError as error:
            raise self._open_failed(f"the broker did not answer a subscription ({error})") from error
        if any(_code_number(code) >= REFUSED for code in granted):
            advice = "allow the topic in the broker's access list"
            raise OpenFailed(self.where, f"the broker refuses the topic {self._topic}", advice)

    async def receive(self) -> Chunk:
        """The next message and a line feed, stamped when it was read. Raises `TransportLost`."""
        client = self._client_in_use()
        try:
            message = await anext(client.messages)
        except aiomqtt.MqttError as error:
            raise self._lost(str(error.__cause__ or error)) from error
        payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
        return Chunk(payload + b"\n", self._arrivals.popleft())

    async def send(self, data: bytes) -> None:
        """Publish `data` on `<topic>/in`; returns when the broker has it. Raises `TransportLost`."""
        try:
            await self._client_in_use().publish(f"{self._topic}/in", data, qos=AT_LEAST_ONCE)
        except aiomqtt.MqttError as error:
            raise self._lost(f"the broker did not take a message ({error})") from error

    async def close(self) -> None:
        """Disconnect from the broker."""
        client, self._client = self._client, None
        if client is not None:
            await _leave(client)

    def _client_in_use(self) -> aiomqtt.Client:
        if self._client is None:
            raise self._lost("the line is not open")
        return self._client

    def _make_client(self) -> aiomqtt.Client:
        broker = self._broker
        self._arrivals.clear()
        return aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username or None,
            password=self._read_password(),
            keepalive=KEEPALIVE_S,
            timeout=BROKER_TIMEOUT_S,
            logger=_quiet,
            queue_type=_stamping_queue(self._clock.now_us, self._arrivals),
            tls_params=aiomqtt.TLSParameters(ca_certs=broker.tls_ca_file) if broker.tls_ca_file else None,
        )

    def _read_password(self) -> str | None:
        if not self._broker.password_file:
            return None
        try:
            return Path(self._broker.password_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            advice = "correct password_file in the meet's [broker], or the file's owner and mode"
            reason = f"the broker's password file {self._broker.password_file} cannot be read ({error})"
            raise OpenFailed(self.where, reason, advice) from error

    async def _enter(self, client: aiomqtt.Client) -> None:
        # The connection is made in a thread that a cancellation does not reach: wait for it, then undo it.
        entering = asyncio.ensure_future(client.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            await asyncio.wait([entering])
            if entering.exception() is None:
                await _leave(client)
            raise
        except (aiomqtt.MqttError, OSError) as error:
            # A broker that took the connection and never answered would otherwise keep it open.
            await _leave(client)
            raise self._open_failed(f"the MQTT broker does not let us in ({error})") from error

    def _open_failed(self, reason: str) -> OpenFailed:
        advice = "check the user name, the password file and the TLS file in the meet's [broker]"
        where = f"{self.where}, MQTT broker {self._broker.host}:{self._broker.port}"
        return OpenFailed(where, reason, advice)

    def _lost(self, reason: str) -> TransportLost:
        target = f"{self._broker.host}:{self._broker.port}"
        advice = f"check that the broker at {target} runs; reconnecting by itself"
        return TransportLost(self.where, f"the connection to the MQTT broker broke: {reason}", advice)


def _stamping_queue(now_us: Callable[[], int], arrivals: deque[int]) -> type[asyncio.Queue[aiomqtt.Message]]:
    """A queue class for aiomqtt that notes the time of each message inside the callback that read it."""

    class StampingQueue(asyncio.Queue[aiomqtt.Message]):
        def put_nowait(self, item: aiomqtt.Message) -> None:
            arrivals.append(now_us())
            super().put_nowait(item)

    return StampingQueue


def _code_number(code: int | ReasonCode) -> int:
    return code if isinstance(code, int) else code.value


async def _leave(client: aiomqtt.Client) -> None:
    try:
        await client.__aexit__(None, None, None)
    except aiomqtt.MqttError:
        # The broker is gone or does not answer the farewell: there is no connection left to end.
        return
