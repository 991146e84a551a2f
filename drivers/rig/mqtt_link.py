"""The rig's own connection to the meet's broker, for the simulated gateway and for following race control."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import aiomqtt
import structlog

from config.models import Broker
from drivers.rig.ports import RigError

KEEPALIVE_S: Final = 5
TIMEOUT_S: Final = 2.0
"""A publish in flight at a broker crash waits this long (DESIGN §7)."""
FIRST_RETRY_S: Final = 0.1
LAST_RETRY_S: Final = 1.0
"""A simulated box is back within about a second of its broker, as one with a good driver would be."""

_log = structlog.get_logger("velodrome.rig")


async def stay_connected(broker: Broker, work: Callable[[aiomqtt.Client], Awaitable[None]]) -> None:
    """Run `work` with a connected client, again with a new one after every loss, until cancelled.

    Raises RigError when the password file of the meet cannot be read.
    """
    password = read_password(broker)
    retry_s = FIRST_RETRY_S
    while True:
        client = aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username or None,
            password=password,
            keepalive=KEEPALIVE_S,
            timeout=TIMEOUT_S,
            tls_params=aiomqtt.TLSParameters(ca_certs=broker.tls_ca_file) if broker.tls_ca_file else None,
        )
        try:
            async with client:
                retry_s = FIRST_RETRY_S
                raise_if_cancelled()
                await work(client)
        except (aiomqtt.MqttError, OSError, asyncio.CancelledError) as error:
            # The loss of a connection may cancel a publish that is on its way: that is not the end of the work.
            raise_if_cancelled()
            reason = str(error) or "a publish was cut off"
            _log.warning("rig.broker_lost", broker=f"{broker.host}:{broker.port}", reason=reason)
        await asyncio.sleep(retry_s)
        retry_s = min(2 * retry_s, LAST_RETRY_S)


def raise_if_cancelled() -> None:
    """Raise CancelledError when this task was asked to end: call it after every exchange with the broker.

    aiomqtt waits with `asyncio.wait_for`, which in Python 3.11 loses a cancellation that comes in the same
    moment as the broker's answer. A loop that only waits to be cancelled would then never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def read_password(broker: Broker) -> str | None:
    """The broker's password, or None where the meet names no file. Raises RigError."""
    if not broker.password_file:
        return None
    try:
        return Path(broker.password_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = f"the broker's password file cannot be read ({error})"
        advice = "correct password_file in the meet's [broker], or the file's owner and mode"
        raise RigError(broker.password_file, reason, advice) from error
