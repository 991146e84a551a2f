"""Runs the demo: hardware, broker, service, people and, unless headless, the live view."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.live import Live

from timing.app import Progress, Service, make_clock
from timing.control.broker import EmbeddedBroker
from timing.control.terminal import live_view
from timing.demo.hardware import end_lease, renew_lease, start_hardware
from timing.demo.people import People
from timing.demo.errors import DemoError
from timing.demo.plan import Plan, read_plan, write_plan
from timing.race.meet import MeetState
from timing.race.picture import HeatPicture

JOURNAL_FILE = "meet.journal"
VIEW_EVERY_S = 0.125
CONNECT_TIMEOUT_S = 20.0

Told = Callable[[HeatPicture], None]


async def run_demo(folder: Path, console: Console | None, told: Told, progress: Progress | None = None) -> MeetState:
    """Ride the run's heats (those not official yet) and return the state of the meet. Raises DemoError."""
    plan = read_plan(folder)
    broker = EmbeddedBroker(plan.setup.meet.broker.host, plan.setup.meet.broker.port)
    broker.start()
    try:
        await asyncio.to_thread(start_hardware, folder)
        service = Service(plan.setup, folder / JOURNAL_FILE, make_clock(plan.anchor), progress)
        try:
            await _ride(folder, plan, service, console, told)
        finally:
            service.close()
    finally:
        broker.stop()
    write_plan(folder, msgspec.structs.replace(plan, finished=True))
    end_lease(folder)
    return service.state


async def _ride(folder: Path, plan: Plan, service: Service, console: Console | None, told: Told) -> None:
    serving = asyncio.create_task(service.run())
    beside = [asyncio.create_task(_keep_lease(folder))]
    if console is not None:
        beside.append(asyncio.create_task(_show(service, console)))
    riding = asyncio.create_task(_ride_heats(plan, service, told))
    try:
        done, _ = await asyncio.wait({serving, riding}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if serving in done:
            raise DemoError("the service ended before the heats were ridden")
        with contextlib.suppress(TimeoutError):
            await service.flush()
    finally:
        for task in (riding, *beside, serving):
            task.cancel()
        await asyncio.gather(riding, *beside, serving, return_exceptions=True)


async def _ride_heats(plan: Plan, service: Service, told: Told) -> None:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await service.ready.wait()
            await service.connected()
    except TimeoutError as error:
        raise DemoError(f"the service did not reach its broker in {CONNECT_TIMEOUT_S:g} s") from error
    await People(service, plan.setup.meet.broker, told).ride(plan.heats)


async def _keep_lease(folder: Path) -> None:
    while True:
        renew_lease(folder)
        await asyncio.sleep(1.0)


async def _show(service: Service, console: Console) -> None:
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            live.update(live_view(service.state, service.shown, service.clock.now_us()), refresh=True)
            await asyncio.sleep(VIEW_EVERY_S)
