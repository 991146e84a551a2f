"""`velodrome rig`: simulated hardware."""

import asyncio
import contextlib
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

if TYPE_CHECKING:
    from drivers.rig.rig import Rig


def run(meet: str, script: str, speed: float, seed: int, clock_file: Path | None, report: Path | None = None) -> int:
    """Serve the boxes until interrupted, or ride and check the script's heats. Returns the exit code."""
    from config.loader import load_setup
    from drivers.hostclock import ClockAnchor, HostClock
    from drivers.rig.recording import is_recording
    from drivers.rig.rig import Rig
    from drivers.rig.script import load_script
    from timing.logs import configure_logs
    from timing.paths import ClockFileError

    if is_recording(Path(script)):
        from timing.commands.record import play

        return play(meet, Path(script), speed, clock_file)
    configure_logs(None)
    if not 0 < speed <= 1000:
        raise ClockFileError(f"speed {speed:g} is not possible: give a number above 0, at most 1000")
    setup = load_setup(meet)
    anchor = ClockAnchor(time.monotonic_ns(), time.time_ns() // 1_000, speed)
    if clock_file is not None:
        try:
            clock_file.write_bytes(msgspec.json.encode(anchor))
        except OSError as error:
            raise ClockFileError(f"clock file {clock_file}: {error.strerror}; give a path you may write") from error
    console = Console(stderr=True)
    clock, wanted = HostClock(anchor), load_script(script, setup)
    boxes = Rig(setup, wanted, clock, seed)
    if report is not None:
        from timing.commands.bench_rig import check_script

        checks = asyncio.run(check_script(setup, wanted, boxes, clock, report, seed))
        failed = [check for check in checks if check.problem]
        for check in failed:
            console.print(f"{check.heat}: {check.name}: {check.problem}", highlight=False, markup=False, soft_wrap=True)
        console.print(
            f"{len(checks)} checks, {len(failed)} failed; report in {report}", highlight=False, soft_wrap=True
        )
        return 1 if failed else 0
    asyncio.run(_serve(boxes, [f"{one.id}  {one.protocol}  {one.address}" for one in setup.meet.devices], console))
    return 0


async def _serve(boxes: "Rig", lines: list[str], console: Console) -> None:
    serving = asyncio.create_task(boxes.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, serving.cancel)
    opened = asyncio.create_task(boxes.ready.wait())
    await asyncio.wait({serving, opened}, return_when=asyncio.FIRST_COMPLETED)
    if opened.done():
        console.print("\n".join(lines), highlight=False, soft_wrap=True)
        console.print("ready: a heat is ridden when race control arms it; Ctrl-C ends the rig", highlight=False)
    opened.cancel()
    # A signal asks for the end by cancelling; the boxes are closed when it is over.
    with contextlib.suppress(asyncio.CancelledError):
        await serving
