"""`velodrome startlists`."""

from pathlib import Path

from config.loader import load_setup
from drivers.protocols.lynx_start_lists import write_start_lists


def run(meet: str, folder: Path) -> int:
    """Write the files that changed and name them. Raises ConfigError and StartListError."""
    changed = write_start_lists(load_setup(meet), folder)
    for path in changed:
        print(f"written: {path}")
    if not changed:
        print(f"{folder}: the start lists are up to date")
    return 0
