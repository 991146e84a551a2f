"""The live service: drivers, journal, race and publisher put together. The only room that knows them all.

    Delivery ─▶ journal (on disk) ─▶ MeetState.apply ─▶ messages ─▶ broker
    command  ─▶ journal (on disk) ─▶ MeetState.apply ─▶ reply

Nothing has an effect before it is on disk. Whatever is shown is derived from the state, never kept beside it.
"""

import asyncio
import hashlib
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import structlog

from config.journaled import without_secrets
from config.models import Device, Setup
from drivers.hostclock import ClockAnchor, HostClock
from drivers.protocols.registry import protocol
from drivers.records import Delivery, DeviceHealth, Passing
from drivers.supervisor import DeviceSupervisor
from drivers.transports import create_transport
from timing import __version__
from timing.control.messages import AliveMessage, CommandReply, read_command
from timing.control.publisher import Publisher
from timing.journal import Entry, Journal, JournalReader, JournalWriter
from timing.quiet import QuietTime
from timing.race.actions import Confirm, SetLapCounter
from timing.race.events import (
    Command,
    Digest,
    Event,
    SequenceReserved,
    ServiceStarted,
    SetupTaken,
    Tick,
    decode_event,
    encode_event,
    event_time_us,
)
from timing.race.meet import MeetState
from timing.race.picture import RACING_STATES, HeatPicture
from timing.race.preview import Preview, preview
from timing.race.seen import PassingNews
from timing.ready import set_garbage_aside
from timing.showing import Showing

SEQUENCE_BLOCK = 100_000
"""Sequence numbers reserved at a time; what a crash leaves unused is skipped, so that none is used twice."""
TICK_US = 500_000
SHORTEST_TICK_S = 0.05
STREAMED_AT_ONCE = 100
"""Passings in one message, about: the loop is let go in between."""
FLUSH_TIMEOUT_S = 2.0

log = structlog.get_logger("service")

Progress = Callable[[int, int], None]
"""Called with (rows done, rows in all) while the journal is replayed."""


__all__ = ["ClockAnchor", "HostClock", "Service", "make_clock", "picture_digest", "replay"]


def make_clock(anchor: ClockAnchor | None = None) -> HostClock:
    """The host's clock: real UTC, or that of a sped-up rig by its anchor."""
    return HostClock(anchor)


def replay(journal: Journal | JournalReader, progress: Progress | None = None) -> MeetState:
    """Fold a whole journal into the state that it means."""
    state = MeetState()
    total = journal.last_id
    for row in journal.rows():
        state.apply(row.id, decode_event(row.kind, row.body))
        if progress is not None and (row.id % 2_000 == 0 or row.id == total):
            progress(row.id, total)
    return state


def picture_digest(picture: HeatPicture) -> str:
    """SHA-256 of the canonical JSON of a heat's picture."""
    return hashlib.sha256(msgspec.json.encode(picture, order="deterministic")).hexdigest()


class Service:
    """Timing for one meet on one journal. `run` serves until cancelled; `state` may be looked at, never changed."""

    def __init__(self, setup: Setup, journal_path: Path, clock: HostClock, progress: Progress | None = None) -> None:
        self.setup = setup
        self.clock = clock
        self._journal = Journal.open_or_create(journal_path, clock.now_us(), uuid.uuid4())
        try:
            self.state = replay(self._journal, progress)
        except BaseException:
            self._journal.close()
            raise
        self.ready = asyncio.Event()
        self._writer: JournalWriter
        self._publisher: Publisher
        self._on_disk: asyncio.Queue[tuple[asyncio.Future[int], Event]] = asyncio.Queue()
        self._quiet = QuietTime(lambda: not self._on_disk.empty())
        meet = setup.meet
        self._showing = Showing(self.state, meet.id, meet.databridge, self._quiet, self._turn_lap_counter)
        self._replying: dict[str, list[str]] = {}
        self._turning: set[str] = set()

    @property
    def shown(self) -> HeatPicture | None:
        """The newest picture of the current heat."""
        return self._showing.shown

    @property
    def changed(self) -> asyncio.Event:
        """Set whenever `shown` is new; for a view in the same process."""
        return self._showing.changed

    async def run(self) -> None:
        """Serve until cancelled. A journal that can no longer be written ends it with JournalWriteError."""
        meet = self.setup.meet
        async with JournalWriter(self._journal) as writer:
            self._writer = writer
            self._publisher = Publisher(
                meet.broker, meet.id, self.state.sequence_until + 1, self._reserve, self._take_message, self._alive
            )
            applying = asyncio.create_task(self._apply_all())
            try:
                await self._commit(
                    ServiceStarted(at_us=self.clock.now_us(), version=__version__, clock_speed=self.clock.anchor.speed)
                )
                journaled = without_secrets(self.setup)
                if self.state.configured != journaled:
                    await self._commit(SetupTaken(at_us=self.clock.now_us(), setup=journaled))
                await self._on_disk.join()
                await self._serve(applying)
            finally:
                await self._stop(applying)

    async def _serve(self, applying: asyncio.Task[None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            publishing = tasks.create_task(self._publisher.run())
            showing = tasks.create_task(self._showing.run(self._publisher))
            ticking = tasks.create_task(self._tick())
            supervising = [tasks.create_task(self._supervisor(device).run()) for device in self.setup.meet.devices]
            log.info("service_started", meet=self.setup.meet.id, journal_id=self.state.journal_id)
            self._showing.dirty.set()
            set_garbage_aside()
            self.ready.set()
            # Shielded: a cancelled service still applies what is on disk, so that its state is the journal's.
            await asyncio.shield(applying)
            # Only a broken journal ends the applying task; everything else ends with it.
            for task in (publishing, showing, ticking, *supervising):
                task.cancel()

    async def _stop(self, applying: asyncio.Task[None]) -> None:
        """Let what was read reach the disk and what is known reach the broker, then close."""
        try:
            await self._writer.drain()
            if not applying.done():
                await self._on_disk.join()
        finally:
            applying.cancel()
            await asyncio.gather(applying, return_exceptions=True)
        log.info("service_stopped", journal_id=self.state.journal_id)

    def close(self) -> None:
        """Close the journal. The writer of `run` must have ended."""
        self._journal.close()

    # -- in ----------------------------------------------------------------------------------------------------

    def _supervisor(self, device: Device) -> DeviceSupervisor:
        entry = protocol(device.protocol)
        meet = self.setup.meet
        make_transport = partial(
            create_transport,
            device.address,
            self.clock,
            meet.broker,
            session=f"velodrome-{meet.id}-{device.id}",
            serial_defaults=entry.serial_defaults,
        )
        return DeviceSupervisor(
            device,
            entry.session(device, self.state.resume(device.id)),
            make_transport,
            self.clock,
            self._deliver,
            self._report,
        )

    def _deliver(self, delivery: Delivery) -> "asyncio.Future[None]":
        if any(isinstance(record, Passing) for record in delivery.records):
            self._quiet.passings_came()
        return cast("asyncio.Future[None]", self._commit(delivery))

    def _report(self, health: DeviceHealth) -> None:
        log.info("device", device=health.device, state=health.state, reason=health.reason, advice=health.advice)
        self._commit(health)

    def _commit(self, event: Event) -> "asyncio.Future[int]":
        """Hand an event to the journal; it is applied when it is on disk, in the order of the rows."""
        kind, body = encode_event(event)
        future = self._writer.submit(Entry(kind, event_time_us(event), body))
        self._on_disk.put_nowait((future, event))
        return future

    async def _apply_all(self) -> None:
        """Apply what is on disk, in the order of its rows; passings that got there together go out together."""
        waiting = await self._on_disk.get()
        while True:
            if not waiting[0].done():
                # Not awaited itself: cancelling us would cancel the future that the device's supervisor waits for.
                await asyncio.wait([waiting[0]])
            news: list[PassingNews] = []
            row = time_us = 0
            while waiting[0].done() and len(news) < STREAMED_AT_ONCE:
                future, event = waiting
                try:
                    row = future.result()
                    found = self._apply(row, event)
                finally:
                    self._on_disk.task_done()
                if found:
                    news += found
                    time_us = max(time_us, event_time_us(event))
                if self._on_disk.empty():
                    break
                waiting = self._on_disk.get_nowait()
            else:
                self._stream_passings(row, time_us, news)
                continue
            self._stream_passings(row, time_us, news)
            waiting = await self._on_disk.get()

    def _apply(self, row: int, event: Event) -> list[PassingNews]:
        news = self.state.apply(row, event)
        if isinstance(event, Command):
            self._answer(event)
        self._showing.dirty.set()
        return news

    async def _tick(self) -> None:
        """While a race runs, journal that time passes: an overdue read is seen without waiting for the next."""
        raced = False
        while True:
            await asyncio.sleep(max(SHORTEST_TICK_S, TICK_US / 1e6 / self.clock.anchor.speed))
            racing = self.shown is not None and self.shown.state in RACING_STATES
            if racing:
                self._commit(Tick(at_us=self.clock.now_us()))
            elif raced:
                set_garbage_aside()
            raced = racing

    # -- commands ----------------------------------------------------------------------------------------------

    async def _take_message(self, topic: str, payload: bytes) -> None:
        """A command as it came over MQTT. What is no command is answered with what is wrong with it."""
        base = topic.rpartition("/")[0]
        request = read_command(payload)
        if isinstance(request, CommandReply):
            log.warning("command_malformed", reason=request.reason)
            self._publisher.reply(f"{base}/replies/{request.id}", msgspec.json.encode(request))
            return
        reply_to = request.reply_to or f"{base}/replies/{request.id}"
        command = Command(
            id=request.id,
            actor=request.actor,
            role=request.role,
            at_us=self.clock.now_us(),
            action=request.action,
            heat=request.heat,
            seen=request.seen,
        )
        if request.preview:
            self._publisher.reply(reply_to, msgspec.json.encode(self._preview(command)))
            return
        self._replying.setdefault(request.id, []).append(reply_to)
        if request.id in self.state.outcomes:
            self._answer(command)
        else:
            self._commit(command)

    def _preview(self, command: Command) -> CommandReply:
        """What a command would change: answered at once, because nothing of it has to be on disk."""
        found = preview(self.state, command)
        heat = self.state.heat_meant(command)
        if isinstance(found, Preview):
            return CommandReply(id=command.id, accepted=True, reason="", heat=heat, journal_id=None, preview=found)
        return CommandReply(id=command.id, accepted=False, reason=found, heat=heat, journal_id=None)

    def _answer(self, command: Command) -> None:
        outcome = self.state.outcomes[command.id]
        reply = CommandReply(
            id=outcome.id,
            accepted=outcome.accepted,
            reason=outcome.reason,
            heat=outcome.heat,
            journal_id=outcome.journal_id,
        )
        for topic in self._replying.pop(command.id, []):
            self._publisher.reply(topic, msgspec.json.encode(reply))
        log.info(
            "command",
            id=command.id,
            actor=command.actor,
            role=command.role,
            accepted=outcome.accepted,
            reason=outcome.reason,
        )
        if outcome.accepted and isinstance(command.action, Confirm) and outcome.heat is not None:
            digest = picture_digest(self.state.picture(outcome.heat))
            self._commit(Digest(at_us=self.clock.now_us(), row=self.state.journal_id, heat=outcome.heat, sha256=digest))

    def _turn_lap_counter(self, picture: HeatPicture) -> None:
        """The head crossed the line: the counter goes down by one, as an event that stands even if it is wrong.

        UCI 3.2.017ter. The id makes each step happen once, also over a restart of the service.
        """
        if picture.state not in RACING_STATES:
            return
        shown = picture.laps_to_go
        laps = self.state.heats[picture.heat].course.total_laps - 1
        while laps >= max(0, picture.laps_to_go_measured):
            command_id = f"lap-counter:{picture.heat}:{picture.attempt}:{laps:g}"
            laps -= 1
            if command_id in self.state.outcomes:
                continue
            shown -= 1
            if command_id in self._turning:
                continue
            self._turning.add(command_id)
            self._commit(
                Command(
                    id=command_id,
                    actor="lap counter",
                    role="system",
                    at_us=self.clock.now_us(),
                    action=SetLapCounter(laps_to_go=max(0, int(shown))),
                    heat=picture.heat,
                )
            )

    # -- out ---------------------------------------------------------------------------------------------------

    async def _reserve(self) -> int:
        until = self._publisher.next_sequence + SEQUENCE_BLOCK
        await self._commit(SequenceReserved(at_us=self.clock.now_us(), until=until))
        return until

    def _stream_passings(self, row: int, time_us: int, news: list[PassingNews]) -> None:
        if news:
            self._publisher.stream("passing", "passing/1", {"passings": news}, row, time_us)

    def _alive(self, seq: int) -> bytes:
        """The sign of life, whatever else happens."""
        return msgspec.json.encode(
            AliveMessage(
                at_us=self.clock.now_us(), speed=self.clock.anchor.speed, journal_id=self.state.journal_id, seq=seq
            )
        )

    async def connected(self) -> None:
        """Wait until the broker is reached. Call it after `ready`."""
        await self._publisher.connected.wait()

    async def flush(self) -> None:
        """Wait (not for ever) until everything known has gone to the broker."""
        async with asyncio.timeout(FLUSH_TIMEOUT_S):
            # Two rooms have to be empty at once: looked at now and then, only when the service ends.
            while not (self._showing.idle and self._publisher.idle):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
