"""A thousand heats with faults: `python -m tests.soak --heats 1000 --seed 1`. Exit code 1 on a silent error.

Random fields, gaps and mixed boxes; the boxes' bytes with faults go through the real supervisors, sessions and
parsers into a journal in memory and the fold, in virtual time and without sockets; acknowledgements and requests go
back the same way. What the heat says is compared with the script. See `tests/soak_parts/truth.py` for what counts.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from tests.soak_parts.meets import random_meet
from tests.soak_parts.office import Office
from tests.soak_parts.truth import Findings, judge_heat, judge_passings
from tests.soak_parts.virtual import VirtualClock, VirtualLoop
from timing.control.board import state_json

HEATS_A_MEET = 4
BEGIN_US = 1_700_000_000_000_000
HOST_DIES = 0.1


async def _ride_meet(seed: int, heats: int, loop: VirtualLoop, findings: Findings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        meet = random_meet(seed, heats, Path(folder))
        lot = random.Random(f"{seed}/host")
        begin_us = BEGIN_US + lot.randrange(86_400_000_000)
        async with Office(meet, VirtualClock(loop, begin_us), Path(folder)) as office:
            for heat in meet.script.heats:
                dies_s = lot.uniform(6.0, 80.0) if lot.random() < HOST_DIES else None
                picture, gun_us = await office.ride(heat, dies_s)
                judge_heat(office, picture, gun_us, findings)
                judge_passings(office, heat, gun_us, findings)
                refused = await office.confirm(heat, [one.bib for one in meet.script.heats[heat].finish])
                if refused is not None:
                    findings.silent.append(f"seed {seed} heat {heat}: not confirmed: {refused}")
                findings.counts["heats"] += 1
                plan = office.rig.plans[heat]
                for one in plan.injected:
                    findings.counts[f"fault {one.kind}"] += 1
            for line in office.rig.lines.values():
                findings.counts["fault damaged message"] += line.damaged
                findings.counts["fault lost command"] += line.lost_commands
            findings.counts["fault host killed"] += office.kills
            for device in office.meet.kinds.values():
                findings.counts[f"box {device.protocol}"] += 1
            findings.counts["journal rows"] += len(office.events)
        if state_json(office.replayed()) != state_json(office.state):
            findings.silent.append(f"seed {seed}: replay differs from what was shown live")


def soak(heats: int, seed: int, *, told: Callable[[Findings], None] | None = None) -> Findings:
    """Ride so many heats. Deterministic from the seed. `told` hears of the findings after each meet."""
    findings = Findings()
    number = 0
    while findings.counts["heats"] < heats:
        loop = VirtualLoop()
        count = min(HEATS_A_MEET, heats - findings.counts["heats"])
        try:
            riding = _ride_meet(seed * 1_000_000 + number, count, loop, findings)
            loop.run_until_complete(riding)
        finally:
            loop.close()
        number += 1
        if told is not None:
            told(findings)
    return findings


def report(findings: Findings, took_s: float) -> str:
    """The numbers and every silent error, in lines."""
    heats = findings.counts["heats"]
    lines = [f"{count:>10}  {name}" for name, count in sorted(findings.counts.items())]
    lines.append(f"{len(findings.silent):>10}  SILENT ERRORS")
    lines += [f"    {one}" for one in findings.silent]
    lines.append(f"{heats} heats in {took_s:.1f} s")
    return "\n".join(lines)


def main() -> int:
    """Entry of `python -m tests.soak`."""
    asks = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    asks.add_argument("--heats", type=int, default=1000)
    asks.add_argument("--seed", type=int, default=1)
    wanted = asks.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    began_s = time.monotonic()

    shown = 0

    def told(findings: Findings) -> None:
        nonlocal shown
        for one in findings.silent[shown:]:
            print(one, file=sys.stderr)
        shown = len(findings.silent)
        done = findings.counts["heats"]
        if done % 100 == 0:
            print(f"{done} heats, {len(findings.silent)} silent errors", file=sys.stderr)

    findings = soak(wanted.heats, wanted.seed, told=told)
    print(report(findings, time.monotonic() - began_s))
    return 1 if findings.silent else 0


if __name__ == "__main__":
    sys.exit(main())
