"""The simulated hardware as a process of its own: it outlives a killed demo, as real boxes do.

`python -m timing.demo.hardware FOLDER` serves the boxes of the run in FOLDER until the run's lease is not renewed
any more. One process a run: the lock says whether it is there.
"""

import asyncio
import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from timing.demo.errors import DemoError
from timing.demo.plan import Plan, read_plan

LEASE_FILE = "lease"
LOCK_FILE = "rig.lock"
READY_FILE = "rig.ready"
LEASE_LOOK_S = 0.2
LEASE_S = 20.0
"""The hardware waits so long for a demo that was killed to come back."""
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0


def renew_lease(folder: Path) -> None:
    """Tell the hardware that somebody needs it."""
    (folder / LEASE_FILE).touch()


def stop_hardware(folder: Path) -> None:
    """Tell the hardware that nobody needs it any more, and see it go. Raises DemoError when it stays."""
    (folder / LEASE_FILE).unlink(missing_ok=True)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while is_running(folder):
        if time.monotonic() > deadline:
            raise DemoError(f"the simulated hardware (process {hardware_pid(folder)}) does not end: kill it by hand")
        time.sleep(0.02)


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Hold the run's hardware lock; yields False when another process holds it."""
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def is_running(folder: Path) -> bool:
    """Whether the run's hardware is there."""
    with _lock(folder) as free:
        return not free


def hardware_pid(folder: Path) -> int | None:
    """The process of the run's hardware, alive or not; None before it was started."""
    try:
        text = (folder / LOCK_FILE).read_text(encoding="utf-8")
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def start_hardware(folder: Path) -> None:
    """Make sure that the run's hardware is there and all its boxes can be reached. Raises DemoError."""
    renew_lease(folder)
    if is_running(folder):
        return
    (folder / READY_FILE).unlink(missing_ok=True)
    errors = folder / "rig.errors"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "timing.demo.hardware", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (folder / READY_FILE).exists():
        renew_lease(folder)
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            if time.monotonic() < deadline:
                continue
        told = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise DemoError(f"the simulated hardware did not start: {told[-1] if told else 'it gave no reason'}")


async def _serve(folder: Path, plan: Plan) -> None:
    from drivers.hostclock import HostClock
    from drivers.rig.rig import Rig
    from drivers.rig.script import load_script

    known = plan.hardware or plan.setup
    broker = msgspec.structs.replace(known.meet.broker, port=plan.cable_port)
    meet = msgspec.structs.replace(known.meet, broker=broker)
    setup = msgspec.structs.replace(known, meet=meet)
    rig = Rig(setup, load_script(plan.script), HostClock(plan.anchor))
    serving = asyncio.create_task(rig.run())
    opened = asyncio.create_task(rig.ready.wait())
    await asyncio.wait({serving, opened}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    (folder / READY_FILE).touch()
    while not serving.done() and _is_leased(folder):
        await asyncio.wait({serving}, timeout=LEASE_LOOK_S)
    if serving.done():
        serving.result()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


def _is_leased(folder: Path) -> bool:
    try:
        renewed_s = (folder / LEASE_FILE).stat().st_mtime
    except FileNotFoundError:
        return False
    return time.time() - renewed_s < LEASE_S


def main() -> None:
    """Entry of the process; errors go to standard error in one line, which the demo shows."""
    from config.errors import ConfigError
    from drivers.errors import DriverError
    from drivers.rig.motion import MotionError
    from timing.logs import configure_logs

    folder = Path(sys.argv[1])
    configure_logs(folder / "rig.log")
    with _lock(folder) as free:
        if not free:
            return
        (folder / LOCK_FILE).write_text(str(os.getpid()), encoding="utf-8")
        try:
            asyncio.run(_serve(folder, read_plan(folder)))
        except (ConfigError, DriverError, MotionError) as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
