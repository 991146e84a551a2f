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
    from timing.app import ClockAnchor, Service

VIEW_EVERY_S = 0.125


def run(meet: str, journal: Path | None, log: Path | None, headless: bool, clock_file: Path | None) -> int:
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
            asyncio.run(_serve(service, view))
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


async def _serve(service: "Service", view: Console | None) -> None:
    serving = asyncio.create_task(service.run())
    showing = asyncio.create_task(_show(service, view)) if view is not None else None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, serving.cancel)
    try:
        # A signal asks for the end by cancelling; the service has put everything away when it is over.
        with contextlib.suppress(asyncio.CancelledError):
            await serving
    finally:
        if showing is not None:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)


async def _show(service: "Service", console: Console) -> None:
    from timing.control.terminal import live_view

    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(live_view(service.state, service.shown, service.clock.now_us()), refresh=True)
            await asyncio.sleep(VIEW_EVERY_S)
