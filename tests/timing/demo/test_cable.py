"""The cable between the simulated boxes and the broker: nothing gets through before it is plugged in."""

import asyncio

import pytest

from config.models import Broker
from timing.demo.cable import Cable
from timing.demo.errors import DemoError
from timing.demo.plan import free_port

TIMEOUT_S = 5.0


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


async def test_a_box_reaches_the_broker_only_through_the_plugged_cable() -> None:
    far = await asyncio.start_server(_echo, "127.0.0.1", free_port())
    cable = Cable(free_port(), Broker(host="127.0.0.1", port=far.sockets[0].getsockname()[1]))
    port = cable._port
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await cable.plug_in()
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"gun")
        assert await reader.readexactly(3) == b"gun"
        await cable.unplug()
        assert await reader.read() == b""
    writer.close()
    far.close()


async def test_a_box_sees_its_connection_end_when_the_broker_is_not_there() -> None:
    cable = Cable(free_port(), Broker(host="127.0.0.1", port=free_port()))
    await cable.plug_in()
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", cable._port)
        assert await reader.read() == b""
    writer.close()
    await cable.unplug()


async def test_a_port_that_was_taken_meanwhile_is_told() -> None:
    port = free_port()
    other = await asyncio.start_server(_echo, "127.0.0.1", port)
    with pytest.raises(DemoError, match=f"port {port} .*is taken"):
        await Cable(port, Broker(host="127.0.0.1", port=1)).plug_in()
    other.close()
