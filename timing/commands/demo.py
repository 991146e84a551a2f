"""`velodrome demo`."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from timing.paths import prepare_kernels, state_folder

if TYPE_CHECKING:
    from timing.control.console.process import ConsoleProcess
    from timing.race.meet import MeetState
    from timing.race.picture import HeatPicture

FASTEST = 1000


def run(
    heat: str | None,
    everything: bool,
    speed: float,
    headless: bool,
    json: bool,
    script: str,
    folder: Path | None,
    console: bool | None,
    competition: bool = False,
) -> int:
    """Ride the heats, print the results. Returns the exit code; raises KeyboardInterrupt after Ctrl-C."""
    from timing.demo.errors import DemoError

    if not 0 < speed <= FASTEST:
        raise DemoError(f"speed {speed:g} is not possible: give a number above 0, at most {FASTEST}")
    if heat is not None and everything:
        raise DemoError("--heat and --all exclude each other: give one of them")
    prepare_kernels()
    from timing.demo.plan import choose_heats, choose_script
    from timing.demo.runs import clear_old_runs, demo_folder, only_demo

    base = folder.resolve() if folder is not None else demo_folder(state_folder())
    if competition and (heat is not None or everything):
        raise DemoError("--competition rides the whole competition: leave --heat and --all out")
    heats = choose_heats(heat, everything or competition)
    chosen = choose_script(script, heats)
    errors = Console(stderr=True)
    with only_demo(base):
        run_folder = _take_up_or_begin(errors, base, heats, chosen, speed, competition)
        clear_old_runs(base)
        with_console = not headless if console is None else console
        return _ride_and_report(run_folder, errors, (headless, with_console), json)


def _take_up_or_begin(
    errors: Console, base: Path, heats: tuple[str, ...], script: str, speed: float, competition: bool
) -> Path:
    from timing.demo.runs import new_run, unfinished_run

    run_folder = unfinished_run(base, heats, script, speed, competition)
    if run_folder is None:
        return new_run(base, heats, script, speed, competition)
    errors.print(f"continuing the demo run that was cut off: {run_folder}", highlight=False, soft_wrap=True)
    return run_folder


def _ride_and_report(run_folder: Path, errors: Console, views: tuple[bool, bool], json: bool) -> int:
    """A run ends by its results or by somebody's wish; after anything else the same command continues it."""
    from timing.control.broker import BrokerError
    from timing.demo.errors import DemoError
    from timing.demo.hardware import stop_hardware
    from timing.demo.runs import finish_run

    try:
        _report(_ride(run_folder, errors, views, json), json)
    except (KeyboardInterrupt, asyncio.CancelledError, DemoError, BrokerError) as ended:
        finish_run(run_folder)
        stop_hardware(run_folder)
        if isinstance(ended, KeyboardInterrupt | asyncio.CancelledError):
            errors.print("interrupted: the next demo starts afresh", highlight=False)
        if isinstance(ended, asyncio.CancelledError):
            return 128 + signal.SIGTERM
        raise
    errors.print(f"journal: {run_folder / 'meet.journal'}", highlight=False, soft_wrap=True)
    finish_run(run_folder)
    stop_hardware(run_folder)
    return 0


def _ride(run_folder: Path, errors: Console, views: tuple[bool, bool], json: bool) -> "MeetState":
    headless, with_console = views
    from timing.commands.report import progress_bar, tell_heat, tell_state
    from timing.demo.run import run_demo
    from timing.logs import configure_logs
    from timing.ready import make_ready

    configure_logs(run_folder / "velodrome.log")
    with errors.status("preparing the core …"):
        make_ready()
    view = None if headless or json or not sys.stdout.isatty() else Console()

    def told(picture: "HeatPicture") -> None:
        # The live view fills the screen: the result follows when it is gone.
        if view is None:
            tell_heat(errors, picture)

    def state_told(picture: "HeatPicture") -> None:
        tell_state(errors, picture)

    with progress_bar(errors, "replaying the journal") as progress:
        heard = state_told if view is None and not json else None
        consoles = _consoles(run_folder, errors, json) if with_console else None
        return asyncio.run(run_demo(run_folder, view, told, progress, heard, consoles))


def _consoles(run_folder: Path, errors: Console, json: bool) -> "ConsoleProcess":
    """The consoles of the demo. Their address goes to standard output, which with --json is for the document alone."""
    from timing.control.console.job import DEMO_PASSWORD, DEMO_ROLES, Job
    from timing.control.console.process import ConsoleProcess
    from timing.demo.plan import read_plan

    def told(address: str) -> None:
        roles = ", ".join(DEMO_ROLES)
        text = f"consoles, on this machine only: sign in as {roles}; the name is the role; password: {DEMO_PASSWORD}"
        errors.print(text, highlight=False, soft_wrap=True)
        print(address, file=sys.stderr if json else sys.stdout, flush=True)

    meet = read_plan(run_folder).setup.meet
    job = Job(
        meet=meet,
        console=meet.console,
        sessions_file=str(run_folder / "console.sessions"),
        log_file=str(run_folder / "console.log"),
        any_port=True,
        demo=True,
    )
    return ConsoleProcess(job, told, lambda reason: errors.print(reason, highlight=False, soft_wrap=True))


def _report(state: "MeetState", json: bool) -> None:
    from timing.commands.report import print_results
    from timing.results import results_json

    if json:
        print(results_json(state), flush=True)
    else:
        print_results(Console(), state)
