"""A meet ridden in virtual time: boxes of the rig, supervisors, a journal in memory, the fold, and its people."""

import asyncio
import random
from collections import deque
from pathlib import Path

from config.models import Device, Setup
from drivers.errors import DeliveryFailed
from drivers.hostclock import HostClock
from drivers.protocols.registry import protocol
from drivers.records import Delivery, DeviceHealth
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.faulty_port import Opening
from drivers.rig.rig import Box, Rig, make_box
from drivers.supervisor import DeviceSupervisor
from tests.soak_parts.meets import RandomMeet
from tests.soak_parts.virtual import BrokerLine, FolderLine, VirtualClock, VirtualGateway, VirtualLine, VirtualVelotrain
from timing.race.actions import AnyAction, Arm, Confirm, Gun, OpenHeat, Place
from timing.race.events import Command, Event, SetupTaken, Tick, decode_event, encode_event
from timing.race.meet import MeetState
from timing.race.picture import HeatPicture

CLOCKS_KNOWN_S = 14.0
LEAD_US = 8_000_000
SETTLE_S = 25.0
TICK_S = 0.5
SLOW_DISK = 0.02
DEAD_S = 3.0
BY_HAND_AFTER_S = 5.0
ROLES = {OpenHeat: "operator", Arm: "starter", Gun: "starter", Place: "judge", Confirm: "president"}


class Office:
    """One meet. `events` is what is on disk; what waits for the disk dies with the host."""

    def __init__(self, meet: RandomMeet, clock: VirtualClock, folder: Path) -> None:
        self.meet = meet
        self.clock = clock
        self.events: list[Event] = []
        self.state = MeetState()
        self.lines: dict[str, VirtualLine] = {}
        self.kills = 0
        self._folder = folder
        self._lot = random.Random(f"{meet.seed}/office")
        self._waiting: deque[tuple[Event, asyncio.Future[None] | None]] = deque()
        self._news = asyncio.Event()
        self._commands = 0
        self._serving: list[asyncio.Task[None]] = []
        self.rig = Rig(meet.setup, meet.script, clock, meet.seed, make=self._make)

    def _make(
        self,
        device: Device,
        setup: Setup,
        model: DeviceClockModel,
        clock: HostClock,
        seed: int,
        wrap: "object",
    ) -> Box:
        lot = random.Random(f"{seed}/latency/{device.id}")
        if device.protocol in ("json", "velotrain"):
            broker = self.lines[device.id] = BrokerLine(device.id, self.clock, lot)
            gateway = VirtualGateway if device.protocol == "json" else VirtualVelotrain
            return gateway(device, model, self.clock, broker)
        if device.protocol == "lif":
            self.lines[device.id] = FolderLine(self._folder, self.clock, lot)
        else:
            datagrams = device.address.startswith("udp:")
            self.lines[device.id] = VirtualLine(device.id, self.clock, lot, datagrams=datagrams)
        line = self.lines[device.id]

        def in_place(opening: Opening) -> Opening:
            return wrap(line.opening)  # type: ignore[operator, no-any-return]

        return make_box(device, setup, model, clock, seed, in_place)

    # -- the host ----------------------------------------------------------------------------------------------

    def _commit(self, event: Event) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        self._news.set()
        return future

    def _deliver(self, delivery: Delivery) -> "asyncio.Future[None]":
        return self._commit(delivery)

    def _report(self, health: DeviceHealth) -> None:
        self._commit(health)

    async def _write(self) -> None:
        """The disk: in order, a few ms a group, now and then a second."""
        while True:
            await self._news.wait()
            self._news.clear()
            slow = self._lot.random() < SLOW_DISK
            await asyncio.sleep(self._lot.uniform(0.3, 1.5) if slow else self._lot.uniform(0.001, 0.005))
            while self._waiting:
                event, future = self._waiting.popleft()
                self.events.append(event)
                self.state.apply(len(self.events), event)
                if future is not None and not future.done():
                    future.set_result(None)

    def _start_host(self) -> None:
        self._serving = [asyncio.create_task(self._write()), asyncio.create_task(self._tick())]
        for device in self.meet.setup.meet.devices:
            line = self.lines[device.id]
            supervisor = DeviceSupervisor(
                device,
                protocol(device.protocol).session(device, self.state.resume(device.id)),
                line.connect,
                self.clock,
                self._deliver,
                self._report,
            )
            self._serving.append(asyncio.create_task(supervisor.run()))

    async def _stop_host(self) -> None:
        for task in self._serving:
            task.cancel()
        ended = await asyncio.gather(*self._serving, return_exceptions=True)
        for one in ended:
            if isinstance(one, Exception) and not isinstance(one, DeliveryFailed):
                raise one

    async def kill_host(self) -> None:
        """kill -9 and start again: only what is on disk is known, and it is read back from its bytes."""
        self.kills += 1
        self._waiting.clear()
        await self._stop_host()
        self._waiting.clear()
        self.state = self.replayed()
        await asyncio.sleep(DEAD_S)
        self._start_host()

    def replayed(self) -> MeetState:
        """The fold over what is on disk, through its bytes."""
        state = MeetState()
        for row, event in enumerate(self.events, 1):
            state.apply(row, decode_event(*encode_event(event)))
        return state

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if self.state.current is not None:
                self._commit(Tick(at_us=self.clock.now_us()))

    # -- the people --------------------------------------------------------------------------------------------

    async def order(self, action: AnyAction) -> str | None:
        """Send a command; None when it was taken, else the reason."""
        self._commands += 1
        name = f"soak-{self._commands}"
        role = ROLES[type(action)]
        await self._commit(
            Command(id=name, actor="soak", role=role, at_us=self.clock.now_us(), action=action)  # type: ignore[arg-type]
        )
        outcome = self.state.outcomes[name]
        return None if outcome.accepted else outcome.reason

    async def __aenter__(self) -> "Office":
        for box in self.rig.boxes.values():
            await box.open()
        self._boxes = [asyncio.create_task(box.run()) for box in self.rig.boxes.values()]
        self._boxes += [
            asyncio.create_task(line.watch()) for line in self.lines.values() if isinstance(line, FolderLine)
        ]
        self._start_host()
        await self._commit(SetupTaken(at_us=self.clock.now_us(), setup=self.meet.setup))
        await asyncio.sleep(CLOCKS_KNOWN_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_host()
        for task in self._boxes:
            task.cancel()
        for one in await asyncio.gather(*self._boxes, return_exceptions=True):
            if isinstance(one, Exception):
                raise one

    async def ride(self, heat: str, kill_after_s: float | None) -> tuple[HeatPicture, int]:
        """Ride a heat to the moment before it is confirmed. Returns its picture and the gun's host time in µs."""
        for action in (OpenHeat(heat=heat), Arm()):
            refused = await self.order(action)
            if refused is not None:
                raise AssertionError(f"{type(action).__name__} was refused: {refused}")
        gun_us = self.clock.now_us() + LEAD_US
        riding = asyncio.create_task(self.rig.run_heat(heat, gun_us))
        await self.clock.sleep_until(gun_us + round(BY_HAND_AFTER_S * 1e6))
        if self.state.picture(heat).start_us is None:
            await self.order(Gun(at_us=gun_us + self._lot.randint(-150_000, 150_000)))
        if kill_after_s is not None:
            await self.clock.sleep_until(gun_us + round(kill_after_s * 1e6))
            await self.kill_host()
        await riding
        await asyncio.sleep(SETTLE_S)
        return self.state.picture(heat), gun_us

    async def confirm(self, heat: str, order: list[str]) -> str | None:
        """Make the result official; the judge places first where no camera did."""
        if self.state.picture(heat).state != "provisional":
            await self.order(Place(order=tuple((bib,) for bib in order)))
        return await self.order(Confirm())
