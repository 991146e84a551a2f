"""The network cable between the simulated boxes and the demo's broker.

A gateway with messages in its memory sends them as soon as it reaches a broker, and a broker without a
subscriber forgets them. In the demo the broker and the service start together, so the cable is plugged in only
when the service listens: what the boxes saw while the demo was dead then reaches it.
"""

import asyncio

from config.models import Broker
from timing.demo.errors import DemoError

CHUNK_BYTES = 65_536


class Cable:
    """Carries bytes between a local port and the broker, both ways, for any number of connections."""

    def __init__(self, port: int, broker: Broker) -> None:
        self._port = port
        self._broker = broker
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    async def plug_in(self) -> None:
        """Let the boxes reach the broker. Raises DemoError when another program took the port."""
        try:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        except OSError as error:
            raise DemoError(
                f"port {self._port} of the simulated boxes is taken ({error.strerror}); start the demo again"
            ) from error

    async def unplug(self) -> None:
        """End all connections."""
        if self._server is None:
            return
        self._server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)
        await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        far_writer: asyncio.StreamWriter | None = None
        try:
            far_reader, far_writer = await asyncio.open_connection(self._broker.host, self._broker.port)
            ways = [asyncio.create_task(_pump(reader, far_writer)), asyncio.create_task(_pump(far_reader, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            # The broker is not there: the box sees its connection end and tries again.
            return
        finally:
            self._carrying.discard(task)
            writer.close()
            if far_writer is not None:
                far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        # One end hung up: the other is told by the end of this connection.
        return
