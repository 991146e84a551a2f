"""The process that `velodrome run` and `velodrome demo` start: its job comes in, its address goes out.

Its job is a line of JSON on standard input, its address a line on standard output. It ends when its standard input
does: with its parent, however that ended.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

import msgspec

from config.models import Account
from timing.control.broker import BrokerError
from timing.control.console.job import DEMO_PASSWORD, DEMO_ROLES, ConsoleError, Job
from timing.logs import LogFileError, configure_logs

LEAST_NICE: Final = 2
"""Timing on the same machine goes first; a nice value below, inherited from its service, is not for us."""
DEMO_HOST: Final = "127.0.0.1"
LONGEST_END_S: Final = 3.0
"""A console that does not end by itself in this time is ended, so that the next finds its port free."""


def demo_accounts() -> tuple[Account, ...]:
    """One account a role; all have the demo's password."""
    from timing.control.console.passwords import hash_any

    encoded = hash_any(DEMO_PASSWORD)
    return tuple(Account(name=role, role=role, password_hash=encoded) for role in DEMO_ROLES)


async def serve_job(job: Job) -> None:
    """Serve until a signal; prints the address as soon as the console answers. Raises ConsoleError, BrokerError."""
    from timing.control.console.server import serve

    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    if job.demo:
        local = msgspec.structs.replace(job.console, host=DEMO_HOST, accounts=demo_accounts())
        job = msgspec.structs.replace(job, console=local)
    await serve(job, lambda address: print(address, flush=True))


def main() -> None:
    """Entry of the process."""
    line = sys.stdin.readline()
    if not line:
        return
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    os.setpriority(os.PRIO_PROCESS, 0, max(LEAST_NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    try:
        job = msgspec.json.decode(line, type=Job)
        configure_logs(None if job.log_file is None else Path(job.log_file))
        asyncio.run(serve_job(job))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return
    except msgspec.DecodeError as error:
        sys.exit(f"velodrome: the console's job cannot be read: {error}; start it with velodrome console")
    except (ConsoleError, BrokerError, LogFileError) as error:
        sys.exit(f"velodrome: {error}")


def _end_with_parent() -> None:
    # Not through sys.stdin: a thread that waits in its buffer would stop the interpreter from ending.
    while os.read(0, 1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LONGEST_END_S)
    os._exit(1)


if __name__ == "__main__":
    main()
