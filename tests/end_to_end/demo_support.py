"""The demo as its users run it: a process of its own. And what was published of Tokyo 2020, to compare with."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from config.loader import load_setup
from drivers.rig.script import load_script
from timing.journal import JournalReader

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLISHED_FILE = REPOSITORY.parent / "shared" / "data" / "keirin_tokyo2020_men.json"
MEET = "tokyo2020-men-keirin"
ROUND_IDS = {
    "First round": "r1",
    "Repechages": "rep",
    "Quarterfinals": "qf",
    "Semifinals": "sf",
    "Final A": "final-a",
    "Final B": "final-b",
}
Heats = dict[str, list[tuple[int | None, str, int | None]]]
"""Heat id to (place, rider, gap in ms), in the order of the result."""


class StoredRow(NamedTuple):
    """A row of a journal as far as a test compares it."""

    kind: str
    body: bytes
    hash: bytes


def environment(state: Path) -> dict[str, str]:
    """The environment of a user whose state folder is `state`."""
    return {**os.environ, "VELODROME_STATE": str(state), "PYTHONPATH": str(REPOSITORY)}


def command(*arguments: str) -> list[str]:
    """`velodrome …` with this interpreter, installed or not."""
    return [sys.executable, "-c", "from timing.cli import main; main()", *arguments]


def velodrome(state: Path, *arguments: str, timeout_s: float = 120.0) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments), env=environment(state), capture_output=True, text=True, timeout=timeout_s, check=False
    )


def journal_of(base: Path) -> Path:
    """The journal of the newest run in a demo folder."""
    return base / "latest" / "meet.journal"


def rows_of(journal: Path) -> list[StoredRow]:
    """All rows that are on disk now, each checked by its hash."""
    if not journal.exists():
        return []
    with JournalReader(journal) as reader:
        return [StoredRow(row.kind, row.body, row.hash) for row in reader.rows()]


def heats_in(document: dict[str, Any]) -> Heats:
    """The results in what `demo --json` or `results --json` printed."""
    return {
        heat["id"]: [(row["place"], row["name"], row["gap_ms"]) for row in heat["results"]]
        for heat in document["heats"]
    }


def published_heats() -> Heats:
    """The facts as published. Raises FileNotFoundError where they are not beside the repository."""
    found: Heats = {}
    for one in json.loads(PUBLISHED_FILE.read_text(encoding="utf-8"))["rounds"]:
        name = ROUND_IDS[one["name"]]
        for heat in one["heats"]:
            # Final B's places count on from those of Final A in the meet, as in the source.
            heat_id = name if name.startswith("final") else f"{name}-{heat['heat']}"
            rows = sorted(heat["results"], key=lambda row: int(row["order"]))
            found[heat_id] = [(row["rank"], row["rider"], row["gap_ms"]) for row in rows]
    return found


def scripted_heats() -> Heats:
    """The same figures as the shipped script carries them, with the meet's names."""
    names = {rider.bib: rider.name for rider in load_setup(MEET).meet.riders}
    return {
        heat: [(line.place, names[line.bib], line.gap_ms) for line in ridden.finish]
        for heat, ridden in load_script(MEET).heats.items()
    }
