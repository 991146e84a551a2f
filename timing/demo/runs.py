"""Where demo runs live on disk: one folder a run, the newest to be continued after a crash, old ones cleared away."""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from config.models import Setup
from timing.app import ClockAnchor
from timing.demo.errors import DemoError
from timing.demo.hardware import is_running
from timing.demo.plan import (
    COMPETITION_MEET,
    MEET,
    PLAN_FILE,
    Plan,
    free_port,
    hardware_setup,
    local_setup,
    read_plan,
    write_plan,
)
from timing.race.competition.schedule import local_to_us

LATEST = "latest"
LOCK_FILE = "demo.lock"
KEPT_RUNS = 10
"""Run folders kept. An older one goes only when its run was finished: an unfinished one is somebody's race."""


def demo_folder(state_folder: Path) -> Path:
    """Where demo runs are kept."""
    return state_folder / "demo"


@contextlib.contextmanager
def only_demo(base: Path) -> Iterator[None]:
    """Hold the right to run a demo in this folder; it dies with the process. Raises DemoError when it is taken."""
    try:
        base.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(base / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(base, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            raise DemoError(
                f"a demo is running already in {base} (process {holder}): end it first, or give another --folder"
            ) from error
        with contextlib.suppress(OSError):
            # Only for the message above: a full disk is told where it matters, at the journal.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def new_run(base: Path, heats: tuple[str, ...], script: str, speed: float, competition: bool = False) -> Path:
    """Make the folder of a new run and write its plan. Raises DemoError when it cannot be written."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = base / f"{stamp}-{os.getpid()}"
    try:
        (folder / "dev").mkdir(parents=True)
        setup = local_setup(folder, COMPETITION_MEET if competition else MEET)
        # The competition has a programme: its clock begins when the first session did.
        began_us = _first_session_us(setup) if competition else time.time_ns() // 1_000
        anchor = ClockAnchor(time.monotonic_ns(), began_us, speed)
        plan = Plan(
            heats=heats,
            script=script,
            speed=speed,
            anchor=anchor,
            setup=setup,
            cable_port=free_port(),
            hardware=hardware_setup(setup) if competition else None,
            competition=competition,
        )
        write_plan(folder, plan)
        # Replaced in one step: a crash in between must not hide the run before.
        link = base / f"{LATEST}.part"
        link.unlink(missing_ok=True)
        link.symlink_to(folder.name)
        link.replace(base / LATEST)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def _first_session_us(setup: Setup) -> int:
    return local_to_us(setup.meet.sessions[0].starts, setup.venue.timezone)


def unfinished_run(
    base: Path, heats: tuple[str, ...], script: str, speed: float, competition: bool = False
) -> Path | None:
    """The folder of the last run when it was cut off and was asked for the same thing; None otherwise."""
    folder = base / LATEST
    try:
        plan = read_plan(folder)
    except (OSError, msgspec.DecodeError):
        return None
    same = (plan.heats, plan.script, plan.speed, plan.competition) == (heats, script, speed, competition)
    # After a restart of the machine its monotonic clock begins anew: the run's clock cannot go on.
    if plan.finished or not same or plan.anchor.monotonic_ns > time.monotonic_ns():
        return None
    return folder.resolve()


def finish_run(folder: Path) -> None:
    """The run is over, by its end or by somebody's wish: the next demo begins afresh. Raises DemoError."""
    try:
        write_plan(folder, msgspec.structs.replace(read_plan(folder), finished=True))
    except OSError as error:
        raise _unwritable(folder, error) from error


def clear_old_runs(base: Path) -> list[Path]:
    """Delete finished runs beyond the last KEPT_RUNS; returns the folders deleted."""
    runs = sorted(plan.parent for plan in base.glob(f"*/{PLAN_FILE}") if not plan.parent.is_symlink())
    gone = []
    for folder in runs[:-KEPT_RUNS]:
        if not _is_finished(folder) or is_running(folder):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        gone.append(folder)
    return gone


def _is_finished(folder: Path) -> bool:
    try:
        return read_plan(folder).finished
    except (OSError, msgspec.DecodeError):
        return False


def _unwritable(where: Path, error: OSError) -> DemoError:
    return DemoError(
        f"demo folder {where}: {error.strerror}; set VELODROME_STATE to a folder you may write, on a disk with room"
    )
