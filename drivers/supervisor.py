"""Keeps one box connected and its bytes flowing to the journal.

    connecting ──▶ live ◀──▶ silent
        │  ▲         └────┬────┘
        ▼  │              ▼
    backing_off ◀─────── lost

The state machine is explicit: `TRANSITIONS` is the whole of it. All that a box says is handed over raw, with
the records that it completed, before it has any effect; its acknowledgement leaves when it is on disk.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from config.models import Device
from drivers import late
from drivers.errors import DeliveryFailed, TransportError
from drivers.hostclock import HostClock
from drivers.meaning import NONSENSE_AFTER_US, MeaningWatch
from drivers.protocols.base import Session
from drivers.records import Delivery, DeviceHealth, Record
from drivers.transports.base import Acknowledging, Transport


class DeviceState(StrEnum):
    """Where the supervisor stands with its box."""

    CONNECTING = "connecting"
    LIVE = "live"
    """Connected, and the box was heard within its `silent_after_s`; a reason says that what it sends means nothing."""
    SILENT = "silent"
    """Connected, but nothing was heard for `silent_after_s`."""
    LOST = "lost"
    BACKING_OFF = "backing_off"


TRANSITIONS: Mapping[DeviceState, frozenset[DeviceState]] = {
    DeviceState.CONNECTING: frozenset({DeviceState.LIVE, DeviceState.BACKING_OFF}),
    DeviceState.LIVE: frozenset({DeviceState.SILENT, DeviceState.LOST}),
    DeviceState.SILENT: frozenset({DeviceState.LIVE, DeviceState.LOST}),
    DeviceState.LOST: frozenset({DeviceState.BACKING_OFF}),
    DeviceState.BACKING_OFF: frozenset({DeviceState.CONNECTING}),
}
"""Which state may follow which."""

LINE_IS_OPEN = frozenset({DeviceState.LIVE, DeviceState.SILENT})
"""In which states can bytes be sent, and can a connection be lost?"""

BACK_OFF_S = (
    0.1,  # a plug that wobbled is back at once, and ten tries a second hurt nobody
    0.2,
    0.4,
    0.8,  # the last bound, for ever: with it a box is ours again within 1 s of its return
)
"""Real seconds from the start of one try to the start of the next."""

SHORTEST_PAUSE_S = BACK_OFF_S[0]
"""Between the end of a try and the next: a try that itself took long is not repeated without rest."""

STEADY_AFTER_S = 1.0
"""A connection that lasted this long counts as sound: back-off and reporting start afresh after it."""

FLAPS_TOLD = 3
"""So many unsound connections in a row are reported each; from then on only what changed (no flood)."""

HOLD_AT_MOST_BYTES = 4_096
"""Bytes that complete no record wait for those that do; no frame is longer than this."""

HOLD_AT_MOST_S = 1.0
"""The longest that such bytes are kept from the journal."""

SHORTEST_TICK_S = 0.002
"""A rig's clock may run a thousand times too fast; the event loop does not."""

CANCEL_AGAIN_S = 3.0
"""Longer than any farewell to a box or a broker takes."""

UNDELIVERED_AT_MOST = 1_000
"""Deliveries on their way to the disk. The journal groups them, so only a stuck disk brings this many."""


class _Commit(msgspec.Struct, frozen=True):
    """A delivery on its way to the disk, and the connection that it came over."""

    on_disk: asyncio.Future[None]
    records: tuple[Record, ...]
    connection: int
    chunks: int
    """How many chunks of that connection are on disk with it."""


class DeviceSupervisor:
    """One box: connect, watch, back off, reconnect; drive its session; report changes of its health."""

    def __init__(
        self,
        device: Device,
        session: Session,
        make_transport: Callable[[], Transport],
        clock: HostClock,
        deliver: Callable[[Delivery], asyncio.Future[None]],
        report: Callable[[DeviceHealth], None],
    ) -> None:
        """`make_transport` gives a new line for each try; `deliver`'s future is done when it is on disk."""
        self.state = DeviceState.CONNECTING
        self._device = device
        self._session = session
        self._make_transport = make_transport
        self._clock = clock
        self._deliver = deliver
        self._health = _HealthReporter(device.id, clock, report)
        self._attempt = 1
        self._connection = 0
        self._chunks = 0
        self._keeper: Acknowledging | None = None
        self._heard_us = 0
        self._heard = asyncio.Event()
        self._meaning = MeaningWatch(device)
        self._news_of_meaning = asyncio.Event()
        self._nonsense = False
        self._held = bytearray()
        self._holding = asyncio.Event()
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._commits: asyncio.Queue[_Commit] = asyncio.Queue()
        self._undelivered = 0
        self._room = asyncio.Event()
        self._room.set()

    async def run(self) -> None:
        """Serve the box until cancelled.

        Raises `DeliveryFailed` when the journal does not take a delivery; errors of the line never end it.
        """
        await _run_until_one_fails(self._stay_connected(), self._settle_commits())

    # -- the state machine -----------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        self._health.tell(self.state, attempt=self._attempt)
        while True:
            started_s = loop.time()
            transport = self._make_transport()
            try:
                await transport.open()
                await self._converse(transport)
            except TransportError as error:
                if self.state in LINE_IS_OPEN:
                    self._enter(DeviceState.LOST, error.reason, error.advice)
                self._enter(DeviceState.BACKING_OFF, error.reason, error.advice)
                failure = error
            finally:
                await transport.close()
            bound_s = BACK_OFF_S[min(self._attempt, len(BACK_OFF_S)) - 1]
            await asyncio.sleep(max(SHORTEST_PAUSE_S, started_s + bound_s - loop.time()))
            self._attempt += 1
            self._enter(DeviceState.CONNECTING, failure.reason, failure.advice)

    def _enter(self, state: DeviceState, reason: str = "", advice: str = "") -> None:
        if state not in TRANSITIONS[self.state]:
            raise AssertionError(f"device {self._device.id}: {self.state} cannot be followed by {state}")
        self.state = state
        self._health.tell(state, reason, advice, self._attempt)

    async def _converse(self, transport: Transport) -> None:
        now_us = self._clock.now_us()
        self._connection += 1
        self._chunks = 0
        self._keeper = transport if isinstance(transport, Acknowledging) else None
        self._outbox = asyncio.Queue()
        self._heard_us = now_us
        self._meaning.reset()
        self._nonsense = False
        self._health.connected()
        self._enter(DeviceState.LIVE)
        self._ask(self._session.connected(now_us))
        jobs = [self._read(transport), self._write(transport), self._release_held(), self._become_steady()]
        jobs.append(self._watch_meaning())
        if self._session.tick_us > 0:
            jobs.append(self._tick())
        if self._device.silent_after_s > 0:
            jobs.append(self._watch_silence(round(self._device.silent_after_s * 1_000_000)))
        try:
            await _run_until_one_fails(*jobs)
        finally:
            now_us = self._clock.now_us()
            self._hand_over(tuple(self._session.disconnected(now_us)), now_us)

    async def _become_steady(self) -> None:
        await asyncio.sleep(STEADY_AFTER_S)
        self._attempt = 1
        self._health.steady(self.state)

    async def _watch_silence(self, silent_after_us: int) -> None:
        while True:
            await self._clock.sleep_until(self._heard_us + silent_after_us)
            if self._clock.now_us() < self._heard_us + silent_after_us:
                continue
            self._heard.clear()
            reason = f"connected, but nothing heard for {self._device.silent_after_s:g} s"
            advice = "check that the box is timing, and its loop or sensor cable"
            self._enter(DeviceState.SILENT, reason, advice)
            await self._heard.wait()

    async def _watch_meaning(self) -> None:
        """While nothing in the bytes checks the line stays live, and the operator is told why it is of no use."""
        while True:
            await self._news_of_meaning.wait()
            self._news_of_meaning.clear()
            if self._meaning.doubtful and not self._nonsense:
                await self._clock.sleep_until(self._meaning.since_us + NONSENSE_AFTER_US)
            now_nonsense = self._meaning.is_nonsense(self._clock.now_us())
            if now_nonsense is not self._nonsense:
                self._nonsense = now_nonsense
                self._tell_live()
            elif self._meaning.doubtful and not now_nonsense:
                # A good record came meanwhile and doubt began anew: its time runs from there.
                self._news_of_meaning.set()

    def _tell_live(self) -> None:
        reason, advice = (self._meaning.reason, self._meaning.advice) if self._nonsense else ("", "")
        if self.state is DeviceState.SILENT:
            self._enter(DeviceState.LIVE, reason, advice)
        elif self.state is DeviceState.LIVE:
            self._health.tell(DeviceState.LIVE, reason, advice, self._attempt)

    # -- what the box says -----------------------------------------------------------------------------------

    async def _read(self, transport: Transport) -> None:
        while True:
            chunk = await transport.receive()
            self._heard_us = chunk.received_us
            self._heard.set()
            if self.state is DeviceState.SILENT:
                self._tell_live()
            self._chunks += 1
            reaction = late.take(self._session, chunk)
            self._meaning.heard(chunk.data, reaction.records, chunk.received_us)
            if self._nonsense or self._meaning.doubtful:
                self._news_of_meaning.set()
            self._held += chunk.data
            if reaction.records or len(self._held) >= HOLD_AT_MOST_BYTES:
                self._hand_over(reaction.records, chunk.received_us)
            else:
                self._holding.set()
            self._ask(reaction.send)
            await self._room.wait()

    async def _release_held(self) -> None:
        while True:
            await self._holding.wait()
            await asyncio.sleep(HOLD_AT_MOST_S)
            self._hand_over((), self._heard_us)

    def _hand_over(self, records: tuple[Record, ...], received_us: int) -> None:
        if not records and not self._held:
            return
        delivery = Delivery(device=self._device.id, received_us=received_us, raw=bytes(self._held), records=records)
        self._held.clear()
        self._holding.clear()
        self._commits.put_nowait(_Commit(self._deliver(delivery), records, self._connection, self._chunks))
        self._undelivered += 1
        if self._undelivered >= UNDELIVERED_AT_MOST:
            self._room.clear()

    async def _settle_commits(self) -> None:
        while True:
            commit = await self._commits.get()
            if not commit.on_disk.done():
                # Not awaited itself: cancelling us would cancel the journal's future.
                await asyncio.wait([commit.on_disk])
            self._raise_if_refused(commit.on_disk)
            self._undelivered -= 1
            if self._undelivered < UNDELIVERED_AT_MOST:
                self._room.set()
            if self._keeper is not None and commit.connection == self._connection:
                self._keeper.acknowledge(commit.chunks)
            if commit.records:
                questions = self._session.committed(commit.records, self._clock.now_us())
                # An acknowledgement belongs to the connection that brought the record: later the box
                # would take it for something else. It sends the record again, and that one is acknowledged.
                if commit.connection == self._connection and self.state in LINE_IS_OPEN:
                    self._ask(questions)

    def _raise_if_refused(self, on_disk: asyncio.Future[None]) -> None:
        error = None if on_disk.cancelled() else on_disk.exception()
        if error is None and not on_disk.cancelled():
            return
        reason = f"the journal did not take what the box said ({error or 'it was closed'})"
        advice = "check the disk of the journal (full, read-only, broken), then start again"
        self._health.tell(self.state, reason, advice)
        raise DeliveryFailed(f"device {self._device.id}", reason, advice) from error

    # -- what the box is told --------------------------------------------------------------------------------

    def _ask(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            self._outbox.put_nowait(message)

    async def _write(self, transport: Transport) -> None:
        while True:
            await transport.send(await self._outbox.get())

    async def _tick(self) -> None:
        while True:
            shortest_us = int(SHORTEST_TICK_S * 1_000_000 * self._clock.anchor.speed)
            await self._clock.sleep_us(max(self._session.tick_us, shortest_us))
            self._ask(self._session.tick(self._clock.now_us()))


class _HealthReporter:
    """Reports what changed, once. In a run of tries that fail alike only the first is news."""

    def __init__(self, device: str, clock: HostClock, report: Callable[[DeviceHealth], None]) -> None:
        self._device = device
        self._clock = clock
        self._report = report
        self._reasons: dict[DeviceState, str] = {}
        self._last: DeviceState | None = None
        self._unsound_connections = 0

    def tell(self, state: DeviceState, reason: str = "", advice: str = "", attempt: int = 0) -> None:
        """Report a state unless the same was reported in this run of failures."""
        if self._reasons.get(state) == reason:
            return
        if state is DeviceState.SILENT:
            # It comes from live and leads back to it: each of these is news.
            self._reasons.pop(DeviceState.LIVE, None)
        elif state is DeviceState.LIVE:
            self._reasons.clear()
        self._reasons[state] = reason
        self._last = state
        self._report(
            DeviceHealth(
                device=self._device,
                at_us=self._clock.now_us(),
                state=state.value,
                reason=reason,
                advice=advice,
                attempt=attempt,
            )
        )

    def connected(self) -> None:
        """A connection is made: news, unless the ones before it broke at once again and again."""
        self._unsound_connections += 1
        if self._unsound_connections <= FLAPS_TOLD:
            self._reasons.clear()

    def steady(self, state: DeviceState) -> None:
        """The connection has lasted: whatever was kept back is told, and a loss of it will be news again."""
        self._unsound_connections = 0
        if self._last is not state:
            self._reasons.pop(state, None)
            self.tell(state)


async def _run_until_one_fails(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run jobs that never end by themselves; when one fails or we are cancelled, end all; raise its error."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        failed = [task for task in tasks if task.done()]
    finally:
        ending = set(tasks)
        while ending:
            for task in ending:
                task.cancel()
            # Again if need be: Python 3.11's wait_for, which aiomqtt uses, loses a cancel that meets its result.
            _, ending = await asyncio.wait(ending, timeout=CANCEL_AGAIN_S)
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in failed:
        task.result()
