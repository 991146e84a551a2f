"""The console as a process: one socket, uvicorn, the line to the broker, and an end within a second."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator

import structlog
import uvicorn

from config.models import Console
from timing.control.console.app import create_app
from timing.control.console.desk import Desk
from timing.control.console.job import ConsoleError, Job
from timing.control.console.sockets import address_of, open_socket

LONGEST_SHUTDOWN_S = 1

log = structlog.get_logger("console")


Told = Callable[[str], None]
"""Called with the console's address as soon as it answers."""


class _Server(uvicorn.Server):
    """uvicorn, with the end of the streams before its own, and signals left to the program around it."""

    def __init__(self, config: uvicorn.Config, desk: Desk, told: Callable[[], None]) -> None:
        super().__init__(config)
        self._desk = desk
        self._told = told

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._told()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._desk.hub.close()
        await super().shutdown(sockets)


async def serve(job: Job, told: Told) -> None:
    """Serve until cancelled. Raises ConsoleError, BrokerError."""
    listening = open_socket(job.console, job.any_port)
    try:
        port = int(listening.getsockname()[1])
        desk = Desk(job, port)
        config = _configure(job.console, desk)
        server = _Server(config, desk, lambda: told(address_of(job.console, port)))
        await _serve_until_cancelled(server, desk, listening)
    finally:
        listening.close()


async def _serve_until_cancelled(server: _Server, desk: Desk, listening: socket.socket) -> None:
    tasks = [asyncio.create_task(one) for one in (server.serve([listening]), desk.line.run(), desk.hub.run())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        server.should_exit = True
        for task in tasks[1:]:
            task.cancel()
        # The server ends by itself: cancelled, it would leave its connections open.
        await asyncio.gather(*tasks, return_exceptions=True)


def _configure(console: Console, desk: Desk) -> uvicorn.Config:
    config = uvicorn.Config(
        create_app(desk),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=LONGEST_SHUTDOWN_S,
        ssl_certfile=console.tls_cert_file or None,
        ssl_keyfile=console.tls_key_file or None,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConsoleError(
            f"console.tls_cert_file {console.tls_cert_file}, tls_key_file {console.tls_key_file}: {error}; "
            "give a PEM certificate and its key without a passphrase, both readable by this user"
        ) from error
    return config
