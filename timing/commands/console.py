"""`velodrome console`: race control's consoles as a process of their own."""

import asyncio
import signal
from pathlib import Path

import msgspec

from config.addresses import MAX_PORT
from config.loader import load_meet
from timing.control.console.job import ConsoleError, Job
from timing.control.console.worker import serve_job
from timing.logs import configure_logs
from timing.paths import state_folder


def run(meet: str, port: int | None, host: str | None, log: Path | None) -> int:
    """Serve until interrupted. Returns the exit code; raises ConfigError, ConsoleError, BrokerError."""
    loaded = load_meet(meet)
    console = loaded.console
    if port is not None:
        if not 0 <= port <= MAX_PORT:
            raise ConsoleError(f"--port {port} is no TCP port: give 1 to {MAX_PORT}, or 0 for any free one")
        console = msgspec.structs.replace(console, port=port)
    if host is not None:
        console = msgspec.structs.replace(console, host=host)
    configure_logs(log)
    job = Job(meet=loaded, console=console, sessions_file=str(state_folder() / f"{loaded.id}.sessions"))
    try:
        asyncio.run(serve_job(job))
    except asyncio.CancelledError:
        return 128 + signal.SIGINT
    return 0
