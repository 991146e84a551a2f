"""Runs the demo: hardware, broker, service, people and, unless headless, the live view."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path

import structlog
from rich.console import Console
from rich.live import Live

from timing.app import Progress, Service, make_clock
from timing.control.broker import EmbeddedBroker
from timing.control.console.process import ConsoleProcess
from timing.control.terminal import live_view
from timing.demo.cable import Cable
from timing.demo.errors import DemoError
from timing.demo.hardware import is_running, renew_lease, start_hardware
from timing.demo.office_people import OfficePeople
from timing.demo.people import People
from timing.demo.plan import Plan, read_plan
from timing.race.meet import MeetState
from timing.race.picture import HeatPicture

JOURNAL_FILE = "meet.journal"
VIEW_EVERY_S = 0.125
WATCH_EVERY_S = 0.02
LEASE_EVERY_S = 1.0
CONNECT_TIMEOUT_S = 20.0

Told = Callable[[HeatPicture], None]
"""Called with a heat's picture."""

log = structlog.get_logger("demo")


async def run_demo(
    folder: Path,
    console: Console | None,
    told: Told,
    progress: Progress | None = None,
    state_told: Told | None = None,
    consoles: ConsoleProcess | None = None,
) -> MeetState:
    """Ride the run's heats (those not official yet) and return the state of the meet.

    `told` hears of each official heat, `state_told` of each change of a heat's state. `consoles` is started as soon as
    there is something to show. SIGTERM cancels, as Ctrl-C does. Raises DemoError, BrokerError, JournalError (in a group
    when it happens while serving).
    """
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    plan = read_plan(folder)
    broker = EmbeddedBroker(plan.setup.meet.broker.host, plan.setup.meet.broker.port)
    broker.start()
    try:
        await asyncio.to_thread(start_hardware, folder)
        service = Service(plan.setup, folder / JOURNAL_FILE, make_clock(plan.anchor), progress)
        try:
            await _serve(folder, plan, service, (console, consoles), (told, state_told))
        finally:
            service.close()
    finally:
        broker.stop()
    return service.state


async def _serve(
    folder: Path,
    plan: Plan,
    service: Service,
    views: tuple[Console | None, ConsoleProcess | None],
    hearers: tuple[Told, Told | None],
) -> None:
    told, state_told = hearers
    console, consoles = views
    cable = Cable(plan.cable_port, plan.setup.meet.broker)
    serving = asyncio.create_task(service.run())
    keeping = asyncio.create_task(_keep_hardware(folder))
    riding = asyncio.create_task(_ride_heats(plan, service, cable, told))
    beside = []
    if consoles is not None:
        consoles.start()
    if console is not None:
        beside.append(asyncio.create_task(_show(service, console, consoles)))
    if state_told is not None:
        beside.append(asyncio.create_task(_tell_states(service, state_told)))
    tasks = (serving, keeping, riding, *beside)
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if riding not in done:
            raise DemoError("the service ended before the heats were ridden")
        with contextlib.suppress(TimeoutError):
            await service.flush()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await cable.unplug()
        if consoles is not None:
            await asyncio.to_thread(consoles.stop)


async def _ride_heats(plan: Plan, service: Service, cable: Cable, told: Told) -> None:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await service.ready.wait()
            await service.connected()
            await _listening(service)
    except TimeoutError as error:
        raise DemoError(f"the service did not reach its broker in {CONNECT_TIMEOUT_S:g} s") from error
    await cable.plug_in()
    people = OfficePeople if plan.competition else People
    await people(service, plan.setup.meet.broker, told).ride(plan.heats)


async def _listening(service: Service) -> None:
    """Wait until the service has subscribed to every box that speaks over the broker."""
    boxes = [device.id for device in service.setup.meet.devices if device.address.startswith("mqtt:")]
    # The state is looked at, it tells nobody.
    while not all(service.state.devices[box].state == "live" for box in boxes):  # noqa: ASYNC110
        await asyncio.sleep(WATCH_EVERY_S)


async def _keep_hardware(folder: Path) -> None:
    """Renew the lease; switch the hardware on again when it died. Raises DemoError when that fails."""
    while True:
        renew_lease(folder)
        await asyncio.sleep(LEASE_EVERY_S)
        if not is_running(folder):
            log.warning("hardware_died", folder=str(folder))
            await asyncio.to_thread(start_hardware, folder)


async def _show(service: Service, console: Console, consoles: ConsoleProcess | None) -> None:
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            words = "" if consoles is None else consoles.words
            live.update(live_view(service.state, service.shown, service.clock.now_us(), words), refresh=True)
            await asyncio.sleep(VIEW_EVERY_S)


async def _tell_states(service: Service, state_told: Told) -> None:
    last: tuple[str, int, str] | None = None
    while True:
        picture = service.shown
        if picture is not None:
            now = (picture.heat, picture.attempt, picture.state)
            if now != last:
                last = now
                state_told(picture)
        await asyncio.sleep(WATCH_EVERY_S)
