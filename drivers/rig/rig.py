"""The rig: all simulated boxes of a meet at their addresses, playing a script as race control asks for it.

It follows `velodrome/<meet>/current`: when a heat waits for its gun (`pacer_run`) the rig plays that heat,
with the gun a fixed lead later; when the heat is `stopped` the field stops. Each (heat, attempt) is played
once.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final, Protocol, runtime_checkable

import aiomqtt
import msgspec
import structlog

from config.models import Device, Setup
from drivers.hostclock import HostClock
from drivers.rig.boxes import Box, BoxMaker, Camera, make_box, with_health
from drivers.rig.clockmodel import seeded_clock
from drivers.rig.fault_plan import Happening, HeatPlan, plan_heat
from drivers.rig.faults import Faults, LineFaults
from drivers.rig.faulty_port import Opening, faulty
from drivers.rig.impulse_box import ImpulseBox
from drivers.rig.jchip_box import JChipBox
from drivers.rig.json_box import JsonBox
from drivers.rig.mqtt_link import raise_if_cancelled, read_password, stay_connected
from drivers.rig.p3_box import P3Box
from drivers.rig.p98_box import P98Box
from drivers.rig.ports import RigError
from drivers.rig.race import CameraStart, Edge, LoopRead, Sheet, TimedEvent, Timeline, build_timeline
from drivers.rig.raceresult_box import RaceResultBox
from drivers.rig.raceresult_usb_box import RaceResultUsbBox
from drivers.rig.script import Script, check_against
from drivers.rig.serial_port import SerialPort
from drivers.rig.thbc_box import ThbcBox
from drivers.rig.velotrain_box import VelotrainBox
from drivers.transports.address import SerialAddress, parse_address

LEAD_US: Final = 8_000_000
"""From `pacer_run` to the gun: the pacer's run-up takes 7.2 s."""
WAITS_FOR_GUN: Final = "pacer_run"
STOPPED: Final = "stopped"
AWAITS_SHEET: Final = "finished"

_log = structlog.get_logger("velodrome.rig")


class Current(msgspec.Struct, frozen=True):
    """What the rig reads of race control's `current` message."""

    heat: str | None
    attempt: int
    state: str
    start_us: int | None = None


@runtime_checkable
class Restartable(Protocol):
    """A box that forgets something when it is switched off."""

    def restart(self) -> None:
        """Begin as after switching on: empty memory, numbers from their beginning."""
        ...


class _Running(Protocol):
    """A heat being played."""

    def cancel(self) -> object: ...

    def done(self) -> bool: ...


class Rig:
    """Simulated hardware for one meet and one script.

    Raises ConfigError when the script does not fit the meet, MotionError when a heat of it cannot be ridden,
    RigError when a device of the meet has no simulated box, AddressError when its address is wrong.
    """

    def __init__(
        self,
        setup: Setup,
        script: Script,
        clock: HostClock,
        seed: int = 0,
        *,
        lead_us: int = LEAD_US,
        make: BoxMaker = make_box,
    ) -> None:
        """`make` puts boxes elsewhere than at the addresses of the meet (a run without sockets)."""
        check_against(script, setup, f"script {script.name}")
        self._setup = setup
        self._clock = clock
        self.lead_us = lead_us
        self._heats = {heat.id: heat for heat in setup.meet.heats}
        self.timelines: dict[str, Timeline] = {
            heat_id: build_timeline(setup, self._heats[heat_id], heat, seed) for heat_id, heat in script.heats.items()
        }
        self.plans: dict[str, HeatPlan] = {
            heat_id: plan_heat(timeline, script.faults, setup.meet.devices)
            for heat_id, timeline in self.timelines.items()
        }
        self._make = make
        self.lines: dict[str, LineFaults] = {}
        """Per device, what its line does to its bytes."""
        self.boxes: dict[str, Box] = {
            device.id: self._make_box(device, script.faults, script.ports, seed) for device in setup.meet.devices
        }
        self.ready = asyncio.Event()
        """Set when every box can be reached."""
        self._unplugged: set[str] = set()
        self._played: set[tuple[str, int]] = set()
        self._playing: tuple[tuple[str, int], _Running] | None = None

    def _make_box(self, device: Device, faults: Faults, ports: dict[str, str], seed: int) -> Box:
        rates = faults.of(device)
        line = self.lines[device.id] = LineFaults(rates, faults.seed, device.id)
        model = seeded_clock(device, self._setup.venue.timezone, seed, self._clock.now_us(), rates)
        box = self._make(
            device,
            self._setup,
            model,
            self._clock,
            seed,
            lambda opening: faulty(self._at_port(device, opening, ports), line),
        )
        return with_health(box, rates)

    def _at_port(self, device: Device, opening: Opening, ports: dict[str, str]) -> Opening:
        """The box's own end of a cable where the script names one, else the end at the meet's address."""
        if device.id not in ports:
            return opening
        address = parse_address(ports[device.id])
        if not isinstance(address, SerialAddress):
            raise RigError(f"device {device.id}", f"{ports[device.id]} is no serial port", "name one in [ports]")
        return lambda greet: SerialPort(address, greet)

    @property
    def playing(self) -> tuple[str, int] | None:
        """The heat and attempt that the field is riding now."""
        return None if self._playing is None or self._playing[1].done() else self._playing[0]

    async def run(self) -> None:
        """Open all boxes, then follow race control until cancelled. Raises RigError when one cannot open."""
        read_password(self._setup.meet.broker)
        async with AsyncExitStack() as opened:
            for box in self.boxes.values():
                opened.push_async_callback(box.close)
                await box.open()
            async with asyncio.TaskGroup() as tasks:
                for box in self.boxes.values():
                    tasks.create_task(box.run())
                self.ready.set()
                await self._follow(tasks)

    async def run_heat(self, heat_id: str, gun_us: int) -> None:
        """Play a heat's script with the gun at `gun_us` of host time; returns after the camera's sheet.

        Raises KeyError for a heat that the script does not have. The boxes must be open.
        """
        for camera in self._cameras():
            camera.arm(self._heats[heat_id])
        try:
            for step in self.plans[heat_id].steps:
                await self._clock.sleep_until(gun_us + step.at_us)
                if isinstance(step.what, Happening):
                    await self._happen(step.what)
                else:
                    self._emit(step.what, gun_us)
        finally:
            # The heat is over, or was stopped in the middle of an outage: the next one begins with whole lines.
            for device in tuple(self._unplugged):
                await self._happen(Happening(device=device, kind="reconnect"))
            for line in self.lines.values():
                line.stalled = False

    async def _happen(self, happening: Happening) -> None:
        """Break, or mend, something at a device of the script's [faults]."""
        device, box = happening.device, self.boxes[happening.device]
        _log.info("rig.fault", device=device, kind=happening.kind)
        match happening.kind:
            case "disconnect":
                self._unplugged.add(device)
                await box.close()
            case "reconnect":
                self._unplugged.discard(device)
                await box.open()
            case "restart":
                await box.close()
                if isinstance(box, Restartable):
                    box.restart()
                if device not in self._unplugged:
                    await box.open()
            case "stall" | "unstall":
                self.lines[device].stalled = happening.kind == "stall"
            case "clock_step":
                box.model = msgspec.structs.replace(box.model, offset_us=box.model.offset_us + happening.by_us)

    def _emit(self, event: TimedEvent, gun_us: int) -> None:
        """Give the event to its box. Stamps come from `gun_us` and the script, never from now."""
        match event, self.boxes[event.device]:
            case (
                LoopRead(),
                P3Box()
                | JsonBox()
                | ThbcBox()
                | RaceResultBox()
                | RaceResultUsbBox()
                | P98Box()
                | VelotrainBox()
                | JChipBox() as box,
            ):
                box.read(event, gun_us)
            case (
                Edge(),
                JsonBox() | ThbcBox() | ImpulseBox() | RaceResultBox() | RaceResultUsbBox() | P3Box() as box,
            ):
                box.edge(event, gun_us)
            case CameraStart(), Camera() as box:
                box.start(gun_us)
            case Sheet(), Camera() as box:
                box.show(event, gun_us)
            case _:
                raise TypeError(f"{type(event).__name__} cannot happen at {event.device}")

    def _cameras(self) -> list[Camera]:
        return [box for box in self.boxes.values() if isinstance(box, Camera)]

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        topic = f"velodrome/{self._setup.meet.id}/current"

        async def watch(client: aiomqtt.Client) -> None:
            await client.subscribe(topic, qos=1)
            raise_if_cancelled()
            async for message in client.messages:
                if not message.topic.matches(topic):
                    continue  # amqtt sometimes delivers what only another client subscribed to
                try:
                    current = msgspec.json.decode(message.payload, type=Current)
                except msgspec.DecodeError as error:
                    _log.warning("rig.current_unreadable", topic=topic, reason=str(error))
                    continue
                self.follow(current, tasks.create_task)

        await stay_connected(self._setup.meet.broker, watch)

    def follow(self, current: Current, start: Callable[..., _Running]) -> None:
        """React to race control's state; `start` runs a coroutine in the background."""
        if current.heat is None:
            return
        wanted = (current.heat, current.attempt)
        if current.state == WAITS_FOR_GUN and wanted not in self._played:
            self._played.add(wanted)
            self._stop()
            if current.heat not in self.timelines:
                _log.warning("rig.heat_not_in_script", heat=current.heat, script_has=sorted(self.timelines))
                return
            gun_us = self._clock.now_us() + self.lead_us
            _log.info("rig.heat_begins", heat=current.heat, attempt=current.attempt, gun_us=gun_us)
            self._playing = (wanted, start(self.run_heat(current.heat, gun_us)))
        elif current.state == AWAITS_SHEET and current.start_us is not None and wanted not in self._played:
            self._show_again(wanted, current.start_us)
        elif current.state == STOPPED and self._playing is not None and self._playing[0] == wanted:
            self._stop()

    def _show_again(self, wanted: tuple[str, int], gun_us: int) -> None:
        """The rig was switched off after the finish: the camera still has the picture on its disk."""
        self._played.add(wanted)
        heat_id = wanted[0]
        if heat_id not in self.timelines:
            return
        for camera in self._cameras():
            camera.arm(self._heats[heat_id])
        for event in self.timelines[heat_id].events:
            if isinstance(event, Sheet):
                self._emit(event, gun_us)
        _log.info("rig.sheet_shown_again", heat=heat_id, attempt=wanted[1])

    def _stop(self) -> None:
        """The field leaves the track: nothing more of the heat that is being played."""
        if self._playing is None or self._playing[1].done():
            return
        (heat, attempt), running = self._playing
        running.cancel()
        for camera in self._cameras():
            camera.stop()
        _log.info("rig.heat_stopped", heat=heat, attempt=attempt)
