"""`velodrome demo`."""

import asyncio
import sys
from pathlib import Path

from rich.console import Console

from timing.paths import prepare_kernels, state_folder


def run(
    heat: str | None,
    everything: bool,
    speed: float,
    headless: bool,
    json: bool,
    script: str,
    folder: Path | None,
) -> int:
    """Ride the heats, print the results. Returns the exit code."""
    prepare_kernels()
    from timing.commands.report import print_results, progress_bar, tell_heat
    from timing.core.runtime import freeze, warm
    from timing.demo.errors import DemoError
    from timing.demo.plan import choose_heats, demo_folder, new_run, unfinished_run
    from timing.demo.run import run_demo
    from timing.logs import configure_logs
    from timing.results import results_json

    if not 0 < speed <= 1000:
        raise DemoError(f"speed {speed:g} is not possible: give a number above 0, at most 1000")
    errors = Console(stderr=True)
    base = folder.resolve() if folder is not None else demo_folder(state_folder())
    heats = choose_heats(heat, everything)
    run_folder = unfinished_run(base, heats, script, speed)
    if run_folder is not None:
        errors.print(f"continuing the demo run that was cut off: {run_folder}", highlight=False)
    else:
        run_folder = new_run(base, heats, script, speed)
    configure_logs(run_folder / "velodrome.log")
    with errors.status("preparing the core …"):
        warm()
        freeze()
    view = None if headless or not sys.stdout.isatty() else Console()
    with progress_bar(errors, "replaying the journal") as progress:
        state = asyncio.run(run_demo(run_folder, view, lambda picture: tell_heat(errors, picture), progress))
    if json:
        print(results_json(state))
    else:
        print_results(Console(), state)
    errors.print(f"journal: {run_folder / 'meet.journal'}", highlight=False, soft_wrap=True)
    return 0
