"""The service of `velodrome run` for a setup made in code: `python -m tests.bench.serve SETUP JOURNAL CLOCK`.

Prints `ready` when it times and its broker is reached; SIGTERM ends it. With VELODROME_BENCH_PROFILE set to a file
the event loop runs under cProfile, which is how the live path was tuned.
"""

import asyncio
import cProfile
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from timing.paths import prepare_kernels

if TYPE_CHECKING:
    from timing.app import Service


async def _serve(setup_json: bytes, journal: Path, anchor_json: bytes) -> None:
    from config.models import Setup
    from timing.app import ClockAnchor, Service, make_clock

    setup = msgspec.json.decode(setup_json, type=Setup)
    anchor = msgspec.json.decode(anchor_json, type=ClockAnchor)
    service = Service(setup, journal, make_clock(anchor))
    serving = asyncio.create_task(service.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    waiting = asyncio.create_task(_tell_ready(service))
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({serving})
    service.close()
    if not serving.cancelled():
        serving.result()


async def _tell_ready(service: "Service") -> None:
    await service.ready.wait()
    await service.connected()
    print("ready", flush=True)


def main() -> None:
    """Entry of the process."""
    prepare_kernels()
    from timing.logs import configure_logs
    from timing.ready import make_ready

    setup_file, journal, anchor_file = map(Path, sys.argv[1:])
    configure_logs(journal.with_suffix(".log"))
    make_ready()
    profile = os.environ.get("VELODROME_BENCH_PROFILE")
    if profile is None:
        asyncio.run(_serve(setup_file.read_bytes(), journal, anchor_file.read_bytes()))
        return
    profiler = cProfile.Profile()
    profiler.runcall(asyncio.run, _serve(setup_file.read_bytes(), journal, anchor_file.read_bytes()))
    profiler.dump_stats(profile)


if __name__ == "__main__":
    main()
