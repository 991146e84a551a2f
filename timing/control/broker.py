"""How to reach the meet's MQTT broker, and the broker inside the process that the demo starts by default."""

import asyncio
import contextlib
import ssl
import threading
from pathlib import Path
from typing import Any

from config.models import Broker

READY_TIMEOUT_S = 10.0


class BrokerError(Exception):
    """The broker cannot be used as configured; the message says why and how to mend it."""


class NoAnswer(BrokerError):
    """The timing service cannot be reached over its broker."""


def client_options(broker: Broker) -> dict[str, Any]:
    """Arguments for `aiomqtt.Client` that reach this broker. Raises BrokerError for unreadable secrets."""
    options: dict[str, Any] = {"hostname": broker.host, "port": broker.port}
    if broker.username:
        options["username"] = broker.username
    if broker.password_file:
        try:
            options["password"] = Path(broker.password_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BrokerError(
                f"broker.password_file {broker.password_file}: {error.strerror}; give a file the service may read"
            ) from error
        except UnicodeDecodeError as error:
            raise BrokerError(
                f"broker.password_file {broker.password_file}: not UTF-8 text; write the password on its only line"
            ) from error
    if broker.tls_ca_file:
        try:
            options["tls_context"] = ssl.create_default_context(cafile=broker.tls_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise BrokerError(
                f"broker.tls_ca_file {broker.tls_ca_file}: {error}; give the PEM certificate of the broker's authority"
            ) from error
    return options


class EmbeddedBroker:
    """amqtt in a thread of its own, so that distributing never delays timing. For the demo; venues run Mosquitto."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mqtt-broker", daemon=True)

    def start(self) -> None:
        """Start and wait until it accepts connections. Raises BrokerError when the port cannot be bound."""
        self._thread.start()
        if not self._ready.wait(READY_TIMEOUT_S):
            raise BrokerError(
                f"the embedded broker did not start on {self._host}:{self._port} in {READY_TIMEOUT_S:g} s"
            )
        if self._failure is not None:
            raise BrokerError(
                f"the embedded broker cannot listen on {self._host}:{self._port}: {self._failure}; "
                "another program may use that port"
            ) from self._failure

    def stop(self) -> None:
        """Stop it and wait for its thread; safe to call twice."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread.is_alive():
            self._thread.join(READY_TIMEOUT_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (OSError, RuntimeError, ExceptionGroup) as error:
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        from amqtt.broker import Broker as AmqttBroker
        from amqtt.errors import BrokerError as AmqttError

        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        settings = {
            "listeners": {"default": {"type": "tcp", "bind": f"{self._host}:{self._port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        broker = AmqttBroker(settings)
        try:
            await broker.start()
        except AmqttError as error:
            raise RuntimeError(str(error)) from error
        self._ready.set()
        await self._stop.wait()
        await broker.shutdown()
