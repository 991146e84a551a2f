"""Kills a journal's writer with SIGKILL at random moments, again and again on the same file.

`kill_rounds` starts this file as a program. For each round the program forks a worker that opens the
journal and appends bursts, writing every acknowledged row to a pipe, and kills it: after a random number of
acknowledgements plus a random pause, or (every fourth round) after a random pause from the fork, so that
kills fall into opening, recovery, commits and checkpoints.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from timing.journal import Entry, Journal, JournalWriter, store

JOURNAL_UUID = UUID("6a4f3c52-3c7e-4b7e-9d0c-4f1f6a3b2c10")


def kill_rounds(journal: Path, kills: int, seed: int) -> Iterator[dict[int, str]]:
    """Yield, after each kill, the rows acknowledged in that round: id to body. The file is free meanwhile."""
    repository = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, __file__, str(journal), str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository)},
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for _ in range(kills):
            program.stdin.write("kill\n")
            program.stdin.flush()
            line = program.stdout.readline()
            assert line, "the killing program ended by itself"
            yield dict(json.loads(line))
        program.stdin.close()


def _serve(journal: Path, chance: random.Random) -> None:
    for round_number, _ in enumerate(sys.stdin):
        acknowledgements, worker_end = os.pipe()
        worker = os.fork()
        if worker == 0:
            os.close(acknowledgements)
            asyncio.run(_append_until_killed(journal, random.Random(chance.random()), worker_end))
        os.close(worker_end)
        with open(acknowledgements, encoding="utf-8") as pipe:
            head: list[str] = []
            if round_number % 4:
                wanted = chance.randint(1, 60)
                while len(head) < wanted and (line := pipe.readline()):
                    head.append(line)
                time.sleep(chance.uniform(0, 0.002))
            else:
                time.sleep(chance.uniform(0, 0.025))
            os.kill(worker, signal.SIGKILL)
            _, status = os.waitpid(worker, 0)
            # A worker that ended otherwise has failed: show that as the end of the program.
            assert os.WIFSIGNALED(status), f"the worker ended by itself, status {status}"
            lines = head + pipe.readlines()
        print(json.dumps([json.loads(line) for line in lines if line.endswith("\n")]), flush=True)


async def _append_until_killed(path: Path, chance: random.Random, pipe: int) -> None:
    store.CHECKPOINT_PAGES = 20
    writer = JournalWriter(Journal.open_or_create(path, 0, JOURNAL_UUID))
    while True:
        bodies = [_body(chance) for _ in range(chance.randint(1, 5))]
        futures = [writer.submit(Entry("burst", 0, body.encode())) for body in bodies]
        for body, future in zip(bodies, futures, strict=True):
            os.write(pipe, (json.dumps([await future, body]) + "\n").encode())


def _body(chance: random.Random) -> str:
    return json.dumps({"lot": chance.getrandbits(64), "filling": "x" * chance.choice((10, 300, 3_000))})


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), random.Random(int(sys.argv[2])))
