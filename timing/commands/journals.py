"""`velodrome replay`, `results` and `verify`: what a journal says, without changing it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from timing.paths import prepare_kernels

if TYPE_CHECKING:
    from timing.race.meet import MeetState


def _replayed(journal: Path) -> "MeetState":
    prepare_kernels()
    from timing.app import replay as fold
    from timing.commands.report import progress_bar
    from timing.journal import Journal

    with Journal.open_read_only(journal) as reader, progress_bar(Console(stderr=True), "replaying") as progress:
        return fold(reader, progress)


def replay(journal: Path, json: bool) -> int:
    """Show the state that a journal means."""
    state = _replayed(journal)
    from timing.commands.report import print_results
    from timing.control.board import state_json

    if json:
        print(state_json(state).decode())
        return 0
    console = Console()
    meet = state.setup.meet.name if state.setup is not None else "no meet"
    console.print(f"{meet}: {state.journal_id} rows, {len(state.outcomes)} commands, on the track: {state.current}")
    print_results(console, state)
    return 0


def results(journal: Path, heat: str | None, json: bool) -> int:
    """Print the results of all heats or of one."""
    state = _replayed(journal)
    from timing.commands.report import print_results
    from timing.results import UnknownHeat, results_json

    try:
        document = results_json(state, heat)
    except UnknownHeat as error:
        print(f"velodrome: {error}", file=sys.stderr)
        return 1
    if json:
        print(document)
    else:
        print_results(Console(), state, heat)
    return 0


def verify(journal: Path) -> int:
    """Check the chain of the rows, then fold them twice and compare with the digests taken live."""
    prepare_kernels()
    from timing.commands.report import progress_bar
    from timing.journal import verify as verify_chain
    from timing.replaying import check_digests

    console = Console(stderr=True)
    with progress_bar(console, "checking the chain") as progress:
        report = verify_chain(journal, progress)
    if not report.ok:
        reason = report.problem.reason if report.problem is not None else "unknown damage"
        row = report.problem.row_id if report.problem is not None else None
        where = f"row {row}" if row is not None else "the file"
        print(f"{journal}: DAMAGED at {where}: {reason}; {report.rows} rows before it are good")
        return 1
    with progress_bar(console, "replaying") as progress:
        check = check_digests(journal, progress)
    for fault in check.faults:
        print(f"{journal}: {fault}")
    if check.faults:
        return 1
    print(
        f"{journal}: good: {report.rows} rows, chain {report.last_hash[:16]}, replay identical to the live state "
        f"at {check.compared} official results"
    )
    return 0
