"""Boxes that speak through the meet's MQTT broker.

Every message on the device's topic is one chunk, ended with a line feed so that a line protocol sees whole
lines. Bytes to the box are published on `<topic>/in`. QoS 1 both ways.

With a `session` name the broker keeps the session (MQTT 3.1.1 §3.1.2.4), and a message is acknowledged when
`acknowledge` says that it is on disk: what was published while nobody listened, and what was in flight when the host
died, is delivered after the next connection. Such a message has a false time of arrival, so its chunk says so. Where
the broker's memory ends cannot be seen in a message; it is found with a fence: a broker answers in order, so when
(next to) nothing came between our last acknowledgement and the answer to a request that changes nothing, the memory
is empty.
Without a name (`decode`, `doctor`, `record`) the session ends with the connection.
"""

import asyncio
import logging
from collections import deque
from pathlib import Path

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from config.models import Broker
from drivers.errors import OpenFailed, TransportLost
from drivers.hostclock import HostClock
from drivers.transports.address import MqttAddress
from drivers.transports.base import Chunk, Delay
from drivers.transports.mqtt_client import AT_LEAST_ONCE, Arrival, WatchedClient
from drivers.transports.tcp import connect

KEEPALIVE_S = 5
"""A broker that vanished without a reset is noticed within 1.5 of these (DESIGN §7)."""

BROKER_TIMEOUT_S = 2.0
"""A publication in flight when the broker dies waits this long, so it must be short (DESIGN §7)."""

REFUSED = 128
"""SUBACK return codes from here on mean that the broker refused the subscription (MQTT 3.1.1 §3.9.3)."""

FENCE_TOPIC = "velodrome/fence"
"""Never subscribed: to leave it changes nothing at the broker, which answers all the same (§3.10.4)."""

_quiet = logging.getLogger(__name__)
_quiet.setLevel(logging.ERROR)
"""aiomqtt's warnings are about lost connections, which the supervisor reports with advice."""


class MqttTransport:
    """One topic on the broker as a line to a box."""

    def __init__(self, address: MqttAddress, broker: Broker, clock: HostClock, session: str = "") -> None:
        """`session`: name under which the broker keeps what is not acknowledged; one reader a name at a time."""
        self.where = address.text
        self._topic = address.topic
        self._broker = broker
        self._clock = clock
        self._session = session
        self._client: WatchedClient | None = None
        self._unacknowledged: deque[int] = deque()
        self._acknowledged = self._most_open = 0
        self._all_safe = asyncio.Event()
        self._catching_up = False
        self._fence: asyncio.Task[None] | None = None

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
        if client.session_present:
            self._catching_up = True
            self._fence = asyncio.create_task(self._find_end_of_memory(client))

    async def receive(self) -> Chunk:
        """The next message and a line feed, stamped when it was read. Raises `TransportLost`."""
        client = self._client_in_use()
        try:
            message = await anext(client.messages)
        except aiomqtt.MqttError as error:
            raise self._lost(str(error.__cause__ or error)) from error
        payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
        arrival = client.arrivals.popleft()
        self._unacknowledged.append(arrival.message_id)
        self._most_open = max(self._most_open, client.arrived - self._acknowledged)
        return Chunk(payload + b"\n", arrival.received_us, self._delay_of(arrival))

    def acknowledge(self, count: int) -> None:
        """The first `count` messages received are on disk: the broker may forget them."""
        while self._acknowledged < count and self._unacknowledged:
            self._acknowledged += 1
            message_id = self._unacknowledged.popleft()
            if message_id and self._session and self._client is not None:
                self._client.acknowledge(message_id)
        self._all_safe.set()

    async def send(self, data: bytes) -> None:
        """Publish `data` on `<topic>/in`; returns when the broker has it. Raises `TransportLost`."""
        try:
            await self._client_in_use().publish(f"{self._topic}/in", data, qos=AT_LEAST_ONCE)
        except aiomqtt.MqttError as error:
            raise self._lost(f"the broker did not take a message ({error})") from error

    async def close(self) -> None:
        """Disconnect from the broker."""
        fence, self._fence = self._fence, None
        if fence is not None:
            fence.cancel()
            await asyncio.wait([fence])
        client, self._client = self._client, None
        if client is not None:
            await _leave(client)

    def _delay_of(self, arrival: Arrival) -> Delay:
        if arrival.repeated:
            return "repeated"
        return "stored" if arrival.retained or self._catching_up else "none"

    async def _find_end_of_memory(self, client: WatchedClient) -> None:
        while True:
            while client.arrived != self._acknowledged:
                self._all_safe.clear()
                await self._all_safe.wait()
            before = client.arrived
            try:
                await client.unsubscribe(FENCE_TOPIC)
            except aiomqtt.MqttError:
                # Either the broker is slow, or the connection broke: `receive` tells the latter, `close` ends us.
                await asyncio.sleep(BROKER_TIMEOUT_S)
                continue
            # A broker that still has more sends as many as it may without an acknowledgement: fewer, and it has none.
            if client.arrived - before < max(1, self._most_open):
                self._catching_up = False
                return

    def _client_in_use(self) -> WatchedClient:
        if self._client is None:
            raise self._lost("the line is not open")
        return self._client

    def _make_client(self) -> WatchedClient:
        broker = self._broker
        return WatchedClient(
            broker.host,
            broker.port,
            username=broker.username or None,
            password=self._read_password(),
            keepalive=KEEPALIVE_S,
            timeout=BROKER_TIMEOUT_S,
            logger=_quiet,
            identifier=self._session or None,
            clean_session=not self._session,
            now_us=self._clock.now_us,
            acknowledge_later=bool(self._session),
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


def _code_number(code: int | ReasonCode) -> int:
    return code if isinstance(code, int) else code.value


async def _leave(client: aiomqtt.Client) -> None:
    try:
        await client.__aexit__(None, None, None)
    except aiomqtt.MqttError:
        # The broker is gone or does not answer the farewell: there is no connection left to end.
        return
