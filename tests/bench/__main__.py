"""All benchmarks as one Markdown table (DESIGN §11): `python -m tests.bench [--quick] [--only NAME …]`.

The table goes to standard output, progress to standard error. Exit code 1 when a benchmark could not be run; a
target that is missed shows in the table and is no failure, because it depends on the machine and what else it does.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.table import Row
from timing.paths import prepare_kernels

Benchmark = Callable[[bool], list[Row]]


def _live(quick: bool) -> list[Row]:
    from tests.bench import bench_live

    return bench_live.run(heats=1) if quick else bench_live.run()


def _dom(quick: bool) -> list[Row]:
    from tests.bench import bench_dom

    return bench_dom.run(race_s=6.0, field_s=2.0, screens=5) if quick else bench_dom.run()


def _core(quick: bool) -> list[Row]:
    from tests.bench import bench_core

    return bench_core.run(passings=100_000) if quick else bench_core.run()


def _race(quick: bool) -> list[Row]:
    from tests.bench import bench_race

    return bench_race.run(heats=3, repeats=5) if quick else bench_race.run()


def _burst(quick: bool) -> list[Row]:
    from tests.bench import bench_burst

    return bench_burst.run(bursts=1, sustained_s=0.2) if quick else bench_burst.run()


def _start(quick: bool) -> list[Row]:
    from tests.bench import bench_start

    return bench_start.run(rows=1_000, repeats=1) if quick else bench_start.run()


def _journal(quick: bool) -> list[Row]:
    from tests.bench import bench_journal

    return bench_journal.run(appends=50, rows=2_000) if quick else bench_journal.run()


def _kill(quick: bool) -> list[Row]:
    from tests.bench import bench_journal

    return [bench_journal.count_lost_rows(3 if quick else 100)]


BENCHMARKS: dict[str, Benchmark] = {
    "live": _live,
    "dom": _dom,
    "core": _core,
    "race": _race,
    "burst": _burst,
    "start": _start,
    "kill": _kill,
    "journal": _journal,
}


def table(rows: list[Row], head: str) -> str:
    """The rows as Markdown under a head line, ready for the README."""
    lines = [
        head,
        "",
        "| what | measured | floor | ratio | target | met |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.what} | {row.measured} | {row.floor} | {row.ratio} | {row.target} | {'yes' if row.met else '**no**'} |"
        for row in rows
    ]
    return "\n".join(lines)


def head_line() -> str:
    """Date, processor, cores, system, Python and the load that was there before us, in one line."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    where = f"{processor}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {where}, load before the run {os.getloadavg()[0]:.1f}"


def main() -> int:
    """Run what was asked for; print the table. Returns the exit code."""
    options = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure velodrome.")
    options.add_argument("--quick", action="store_true", help="a smoke run: everything once, tiny, figures worthless")
    options.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), help="only these")
    arguments = options.parse_args()
    prepare_kernels()
    from tests.bench.stand import StandError

    rows: list[Row] = []
    head = head_line()
    began_s = time.monotonic()
    for name in arguments.only:
        sys.stderr.write(f"{time.monotonic() - began_s:4.0f} s  {name} …\n")
        try:
            rows += BENCHMARKS[name](arguments.quick)
        except StandError as error:
            sys.stderr.write(f"benchmark {name}: {error}\n")
            return 1
    sys.stderr.write(f"{time.monotonic() - began_s:4.0f} s  done\n")
    print(table(rows, head))
    return 0


if __name__ == "__main__":
    sys.exit(main())
