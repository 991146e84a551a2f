"""`velodrome run`: the live service."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.live import Live

from timing.paths import prepare_kernels, state_folder

if TYPE_CHECKING:
    from config.models import Meet
    from timing.app import ClockAnchor, Service
    from timing.control.console.process import ConsoleProcess

VIEW_EVERY_S = 0.125


def run(
    meet: str, journal: Path | None, log: Path | None, headless: bool, clock_file: Path | None, console: bool
) -> int:
    """Serve until interrupted. Returns the exit code."""
    prepare_kernels()
    from config.loader import load_setup
    from timing.app import Service, make_clock
    from timing.commands.report import progress_bar
    from timing.control.broker import EmbeddedBroker
    from timing.logs import configure_logs
    from timing.ready import make_ready

    setup = load_setup(meet)
    errors = Console(stderr=True)
    path = journal if journal is not None else state_folder() / f"{setup.meet.id}.journal"
    view = None if headless or not sys.stdout.isatty() else Console()
    configure_logs(log if log is not None or view is None else path.with_suffix(".log"))
    with errors.status("preparing the core …"):
        make_ready()
    broker = setup.meet.broker
    embedded = EmbeddedBroker(broker.host, broker.port) if broker.embedded else None
    if embedded is not None:
        embedded.start()
    try:
        with progress_bar(errors, "replaying the journal") as progress:
            service = Service(setup, path, make_clock(read_anchor(clock_file)), progress)
        try:
            errors.print(f"timing {setup.meet.id}, journal {path}; Ctrl-C ends it", highlight=False, soft_wrap=True)
            consoles = _consoles(setup.meet, path, errors, view) if console else None
            asyncio.run(_serve(service, view, consoles))
        finally:
            service.close()
    finally:
        if embedded is not None:
            embedded.stop()
    return 0


def read_anchor(clock_file: Path | None) -> "ClockAnchor | None":
    """The clock of a sped-up rig. Raises ClockFileError."""
    from timing.app import ClockAnchor
    from timing.paths import ClockFileError

    if clock_file is None:
        return None
    try:
        return msgspec.json.decode(clock_file.read_bytes(), type=ClockAnchor)
    except OSError as error:
        advice = "start the rig with --clock-file first"
        raise ClockFileError(f"clock file {clock_file}: {error.strerror}; {advice}") from error
    except msgspec.DecodeError as error:
        raise ClockFileError(f"clock file {clock_file}: {error}; let the rig write it with --clock-file") from error


def _consoles(meet: "Meet", journal: Path, errors: Console, view: Console | None) -> "ConsoleProcess":
    """The consoles of this meet as a child: address on standard output, complaints on standard error."""
    from timing.control.console.job import Job
    from timing.control.console.process import ConsoleProcess

    def complained(reason: str) -> None:
        # The live view fills the screen, and says it itself.
        if view is None:
            errors.print(f"{reason}; timing goes on without consoles", highlight=False, soft_wrap=True)

    job = Job(
        meet=meet,
        console=meet.console,
        sessions_file=str(journal.with_suffix(".sessions")),
        log_file=str(journal.with_suffix(".console.log")),
    )
    return ConsoleProcess(job, lambda address: print(address, flush=True), complained)


async def _serve(service: "Service", view: Console | None, consoles: "ConsoleProcess | None") -> None:
    serving = asyncio.create_task(service.run())
    beside = []
    if view is not None:
        beside.append(asyncio.create_task(_show(service, view, consoles)))
    if consoles is not None:
        beside.append(asyncio.create_task(_start_when_ready(service, consoles)))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, serving.cancel)
    try:
        # A signal asks for the end by cancelling; the service has put everything away when it is over.
        with contextlib.suppress(asyncio.CancelledError):
            await serving
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        if consoles is not None:
            await asyncio.to_thread(consoles.stop)


async def _start_when_ready(service: "Service", consoles: "ConsoleProcess") -> None:
    """First the timing, then the consoles: they would only slow its start."""
    await service.ready.wait()
    consoles.start()


async def _show(service: "Service", console: Console, consoles: "ConsoleProcess | None") -> None:
    from timing.control.terminal import live_view

    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            words = "" if consoles is None else consoles.words
            live.update(live_view(service.state, service.shown, service.clock.now_us(), words), refresh=True)
            await asyncio.sleep(VIEW_EVERY_S)
