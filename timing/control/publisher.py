"""Sends the picture to the broker and outlives it: what the broker forgot is told again (DESIGN §7).

The broker only distributes. Every retained topic is remembered here and restored after any loss, and everything
sent in the seconds before it goes out once more, because a broker that dies may have confirmed what it had not
yet passed on; a subscriber recognises repeats by `seq`.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiomqtt
import msgspec
import structlog

from config.models import Broker
from timing.control.board import Body
from timing.control.broker import client_options

PUBLISH_TIMEOUT_S = 2.0
"""A publish in flight when the broker dies waits this long: short, so that the loss is noticed."""
KEEPALIVE_S = 5
ALIVE_EVERY_S = 0.5
"""Real time, however fast a rig's clock runs; who hears nothing for three of these takes the core for lost."""
BACK_OFF_S = (0.1, 0.2, 0.4, 0.8)
"""Bounded, so that race control has its picture back within a second of the broker's return."""
IN_FLIGHT = 64
"""Publishes awaiting their confirmation: enough to hide a round trip, few enough to repeat at once."""
NO_DELAY = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
"""A passing does not wait until the broker has acknowledged the segment before (Nagle)."""
REPEAT_WINDOW_S = 10.0
"""Longer than a dead broker stays unnoticed (a publish's timeout, the keepalive). Each repeat costs a broker that saves
at every change one write to its disk, and race control waits for all of them."""
REPEAT_MESSAGES = 5_000
STREAM_KEPT = 50_000
"""Messages of the stream kept for a broker that is away (some 20 MB); all of them are in the journal as well."""
REPLIES_KEPT = 1_000
"""Commands come only while the broker is there, so this many answers never wait; whoever asked asks again."""

log = structlog.get_logger("publisher")

ReserveSequence = Callable[[], Awaitable[int]]
"""Journals the next block of sequence numbers; returns the first number above those that may be used."""
OnMessage = Callable[[str, bytes], Awaitable[None]]
Alive = Callable[[int], bytes]
"""The payload of a sign of life, given the number of the last message."""


@dataclass(frozen=True)
class _Sent:
    seq: int
    topic: str
    payload: bytes
    retain: bool
    at_s: float


@dataclass(frozen=True)
class _Waiting:
    body: bytes
    schema: str
    journal_id: int
    generated_us: int


class Publisher:
    """One connection to the broker, kept for ever. Bodies are offered; the newest of each topic is what goes out."""

    def __init__(
        self,
        broker: Broker,
        meet: str,
        first_sequence: int,
        reserve: ReserveSequence,
        on_command: OnMessage,
        alive: Alive | None = None,
    ) -> None:
        self._broker = broker
        self._base = f"velodrome/{meet}"
        self._reserve = reserve
        self._on_command = on_command
        self._alive = alive
        self._next_sequence = first_sequence
        self._reserved_until = first_sequence
        self._waiting: dict[str, _Waiting] = {}
        self._stream: deque[tuple[str, _Waiting]] = deque()
        self._dropped = 0
        self._replies: deque[tuple[str, bytes]] = deque(maxlen=REPLIES_KEPT)
        self._raw: dict[str, bytes] = {}
        self._raw_waiting: dict[str, None] = {}
        self._last: dict[str, bytes] = {}
        self._retained: dict[str, _Sent] = {}
        self._sent: deque[_Sent] = deque(maxlen=REPEAT_MESSAGES)
        self._in_flight: set[asyncio.Future[None]] = set()
        self._work = asyncio.Event()
        self._encoder = msgspec.json.Encoder()
        self.connected = asyncio.Event()

    def offer(self, body: Body, journal_id: int, generated_us: int) -> None:
        """Publish a retained snapshot if it differs from the last one of its topic."""
        encoded = self._encoder.encode(body.fields)
        if self._last.get(body.topic) == encoded:
            return
        self._last[body.topic] = encoded
        self._waiting[body.topic] = _Waiting(encoded, body.schema, journal_id, generated_us)
        self._work.set()

    def offer_raw(self, topic: str, payload: bytes) -> None:
        """Publish a retained payload as it is, under a whole topic outside `velodrome/<meet>`, without a `seq`."""
        self._raw[topic] = payload
        self._raw_waiting[topic] = None
        self._work.set()

    def stream(self, topic: str, schema: str, fields: object, journal_id: int, generated_us: int) -> None:
        """Publish a message of a stream: each one goes out, none is retained.

        Of more than `STREAM_KEPT` that wait the oldest are dropped; a number left out in `seq` tells so.
        """
        encoded = self._encoder.encode(fields)
        self._stream.append((topic, _Waiting(encoded, schema, journal_id, generated_us)))
        if len(self._stream) > STREAM_KEPT:
            self._stream.popleft()
            self._dropped += 1
        self._work.set()

    def reply(self, topic: str, payload: bytes) -> None:
        """Answer a command on its reply topic."""
        self._replies.append((topic, payload))
        self._work.set()

    @property
    def next_sequence(self) -> int:
        """The sequence number that the next message will carry."""
        return self._next_sequence

    @property
    def retained(self) -> dict[str, bytes]:
        """The newest payload of every retained topic: what a broker that forgot it is told again."""
        return {topic: sent.payload for topic, sent in self._retained.items()} | self._raw

    @property
    def idle(self) -> bool:
        """Everything has gone out and the broker confirmed it."""
        return self.connected.is_set() and not self._queued and not self._in_flight

    @property
    def _queued(self) -> bool:
        return bool(self._waiting or self._stream or self._replies or self._raw_waiting)

    async def run(self) -> None:
        """Connect, send, notice the loss, connect again; until cancelled."""
        # Read once: secrets that become unreadable later must not end a running race.
        options = client_options(self._broker)
        attempt = 0
        while True:
            try:
                async with aiomqtt.Client(
                    **options,
                    identifier=f"velodrome-core-{self._base.rpartition('/')[2]}",
                    timeout=PUBLISH_TIMEOUT_S,
                    keepalive=KEEPALIVE_S,
                    socket_options=NO_DELAY,
                ) as client:
                    # Above it aiomqtt logs every publish; so many are on their way on purpose.
                    client.pending_calls_threshold = IN_FLIGHT
                    await client.subscribe(f"{self._base}/commands", qos=1)
                    await self._restore(client)
                    _end_if_cancelled()
                    attempt = 0
                    self.connected.set()
                    log.info("broker_connected", restored=len(self._retained))
                    await self._serve(client)
            except (aiomqtt.MqttError, asyncio.CancelledError) as error:
                # The loss of a connection may cancel a publish that is on its way: that is not the end of us.
                _end_if_cancelled()
                if attempt == 0:
                    reason = str(error) or "a publish was cut off"
                    log.warning("broker_lost", reason=reason, host=self._broker.host, port=self._broker.port)
            _end_if_cancelled()
            if self.connected.is_set():
                self.connected.clear()
                self._keep_recent()
            await asyncio.sleep(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
            attempt += 1

    async def _serve(self, client: aiomqtt.Client) -> None:
        """Send, listen and beat until one of them meets the loss of the broker; leaves no task behind."""
        tasks = [asyncio.create_task(self._send(client)), asyncio.create_task(self._listen(client))]
        if self._alive is not None:
            tasks.append(asyncio.create_task(self._beat(client, self._alive)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _keep_recent(self) -> None:
        """Forget what was sent long before the loss. The age counts from the loss, however long the broker is away."""
        now_s = asyncio.get_running_loop().time()
        while self._sent and now_s - self._sent[0].at_s > REPEAT_WINDOW_S:
            self._sent.popleft()

    async def _restore(self, client: aiomqtt.Client) -> None:
        """Tell the broker again every retained topic and the seconds before the loss, in order of `seq`."""
        recent = {sent.seq: sent for sent in self._sent}
        recent |= {sent.seq: sent for sent in self._retained.values()}
        for seq in sorted(recent):
            sent = recent[seq]
            await client.publish(sent.topic, sent.payload, qos=1, retain=sent.retain)
        for topic in tuple(self._raw):
            self._raw_waiting.pop(topic, None)
            await client.publish(topic, self._raw[topic], qos=1, retain=True)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
            await self._on_command(str(message.topic), payload)

    async def _beat(self, client: aiomqtt.Client, alive: Alive) -> None:
        """A sign of life beside the queues: it waits neither for confirmations nor for what has yet to go out."""
        while True:
            await client.publish(f"{self._base}/alive", alive(self._next_sequence - 1), qos=0)
            _end_if_cancelled()
            await asyncio.sleep(ALIVE_EVERY_S)

    async def _send(self, client: aiomqtt.Client) -> None:
        # What the last connection left in the queue must not wait for the next event.
        self._work.set()
        in_flight = self._in_flight
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                while self._queued:
                    if len(in_flight) >= IN_FLIGHT:
                        await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
                    for task in [one for one in in_flight if one.done()]:
                        in_flight.discard(task)
                        task.result()
                    topic, payload, retain = await self._next()
                    publish = client.publish(topic, payload, qos=1, retain=retain)
                    in_flight.add(asyncio.ensure_future(publish))
                if in_flight:
                    work: asyncio.Future[Any] = asyncio.ensure_future(self._work.wait())
                    done, _ = await asyncio.wait({work, *in_flight}, return_when=asyncio.FIRST_COMPLETED)
                    work.cancel()
                    for task in done - {work}:
                        in_flight.discard(task)
                        task.result()
                    if in_flight or self._queued:
                        self._work.set()
        finally:
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)
            in_flight.clear()

    async def _next(self) -> tuple[str, bytes, bool]:
        """The next message with its sequence number; answers first, then the stream, snapshots, what has no number."""
        if self._replies:
            topic, payload = self._replies.popleft()
            return topic, payload, False
        if not self._stream and not self._waiting:
            topic = next(iter(self._raw_waiting))
            del self._raw_waiting[topic]
            return topic, self._raw[topic], True
        if self._next_sequence >= self._reserved_until:
            self._reserved_until = await self._reserve()
        if self._stream:
            if self._dropped:
                log.warning("stream_dropped", messages=self._dropped, advice="they are in the journal")
                self._dropped = 0
                self._next_sequence += 1
            name, waiting = self._stream.popleft()
            retain = False
        else:
            name = next(iter(self._waiting))
            waiting = self._waiting.pop(name)
            retain = True
        seq = self._next_sequence
        self._next_sequence += 1
        head = self._encoder.encode(
            {
                "schema": f"velodrome/{waiting.schema}",
                "seq": seq,
                "journal_id": waiting.journal_id,
                "generated_us": waiting.generated_us,
            }
        )
        payload = head[:-1] + b"," + waiting.body[1:]
        topic = f"{self._base}/{name}"
        sent = _Sent(seq, topic, payload, retain, asyncio.get_running_loop().time())
        self._sent.append(sent)
        if retain:
            self._retained[topic] = sent
        return topic, payload, retain


def _end_if_cancelled() -> None:
    """Raise the cancellation that got lost: Python 3.11's wait_for, which aiomqtt uses, drops one that meets its
    result, and a farewell to the broker that fails replaces it by an MqttError."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
