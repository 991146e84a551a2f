"""The boxes of a `tcp-listen:` line in a replay: each recorded peer connects to the host again and says the same."""

import asyncio
from typing import Final

from drivers.peers import CLOSED, DATA, PeerEvent, PeerReader
from drivers.transports.address import TcpListenAddress

RETRY_S: Final = 0.1
"""Between two tries while the host does not listen."""
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to reach a host of this machine that listens on all its networks."""


class PeersLine:
    """Plays the frames of `drivers.peers`. What is said while the host does not listen waits until it does."""

    def __init__(self, address: TcpListenAddress) -> None:
        self.connected = asyncio.Event()
        self.connected.set()
        self._host = EVERYWHERE.get(address.host, address.host)
        self._port = address.port
        self._reader = PeerReader()
        self._events: asyncio.Queue[PeerEvent] = asyncio.Queue()
        self._writers: dict[int, asyncio.StreamWriter] = {}

    async def open(self) -> None:
        """The peers connect in `run`, when they did in the recording."""

    async def run(self) -> None:
        """Connect, send and close as recorded, until cancelled."""
        while True:
            event = await self._events.get()
            if event.kind == CLOSED:
                if (writer := self._writers.pop(event.peer, None)) is not None:
                    writer.close()
                continue
            writer = self._writers.get(event.peer) or await self._connect(event.peer)
            if event.kind == DATA:
                writer.write(event.payload)

    async def say(self, data: bytes) -> None:
        """Frames, and bytes outside of them as those of one more peer."""
        for event in self._reader.feed(data):
            self._events.put_nowait(event)

    async def close(self) -> None:
        """All peers hang up."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    async def _connect(self, peer: int) -> asyncio.StreamWriter:
        while True:
            try:
                _, writer = await asyncio.open_connection(self._host, self._port)
            except OSError:
                # Nobody listens yet; `velodrome run` may be starting.
                await asyncio.sleep(RETRY_S)
            else:
                self._writers[peer] = writer
                return writer
