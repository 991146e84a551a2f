"""Where the program keeps its state: journals, compiled kernels, demo runs, logs."""

import os
from pathlib import Path

VARIABLE = "VELODROME_STATE"


class StateFolderError(Exception):
    """The state folder cannot be used; the message says which, why and how to choose another."""


class ClockFileError(Exception):
    """The clock file of a sped-up rig cannot be used; the message says which, why and what to do."""


def state_folder() -> Path:
    """`VELODROME_STATE`, else systemd's `STATE_DIRECTORY`, else the user's XDG state folder; made if absent.

    Raises StateFolderError.
    """
    chosen = os.environ.get(VARIABLE) or os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if chosen:
        folder = Path(chosen)
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "velodrome"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateFolderError(
            f"state folder {folder}: {error.strerror}; set {VARIABLE} to one you may write"
        ) from error
    return folder


def prepare_kernels() -> None:
    """Point numba's cache into the state folder. Call it before anything that imports a kernel."""
    from timing.core.runtime import prepare_cache

    prepare_cache(state_folder() / "numba")
