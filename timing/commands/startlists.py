"""`velodrome startlists`."""

from pathlib import Path
from typing import TYPE_CHECKING

from config.loader import load_setup
from drivers.protocols.lynx_start_lists import write_start_lists

if TYPE_CHECKING:
    from config.models import Setup

SQLITE_MARK = b"SQLite format 3"


def run(source: str, folder: Path) -> int:
    """Write the files that changed and name them. Raises ConfigError, JournalError and StartListError."""
    changed = write_start_lists(_setup(source), folder)
    for path in changed:
        print(f"written: {path}")
    if not changed:
        print(f"{folder}: the start lists are up to date")
    return 0


def _setup(source: str) -> "Setup":
    """The meet of a meet file, or of a journal with the heats that its competitions made so far."""
    path = Path(source)
    if not path.is_file() or not path.read_bytes().startswith(SQLITE_MARK):
        return load_setup(source)
    from timing.paths import prepare_kernels

    prepare_kernels()
    from timing.app import replay
    from timing.journal import Journal

    with Journal.open_read_only(path) as reader:
        setup = replay(reader).setup
    if setup is None:
        from config.errors import ABSENT, ConfigError

        raise ConfigError(source, None, ABSENT, "the journal has no meet in it yet: start `velodrome run` once")
    return setup
