"""A port with the faults of its line between the box and the wire."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from drivers.rig.faults import LineFaults
from drivers.rig.ports import Greet, Port, Receive, Send

Opening: TypeAlias = Callable[[Greet], Port]

PIECE_PAUSE_S: Final = 0.004
"""Between the pieces of a split message: long enough that a host reads them apart."""
HELD_S: Final = 0.05
"""A message that was to be joined with the next leaves alone after this time."""


def faulty(opening: Opening, faults: LineFaults) -> Opening:
    """The same opening, with the faults of the line in front of the port."""
    return lambda greet: FaultyPort(opening, greet, faults)


class FaultyPort:
    """Passes all messages of a box through its `LineFaults`. While it is closed what the box says is dropped."""

    def __init__(self, opening: Opening, greet: Greet, faults: LineFaults) -> None:
        self._faults = faults
        self._greet = greet
        self._open = False
        self._pieces: deque[tuple[Send, bytes]] = deque()
        self._next_piece: asyncio.TimerHandle | None = None
        self._releasing: asyncio.TimerHandle | None = None
        self._last: Send
        self._port = opening(self._greet_line)
        self._last = self._port.send

    async def open(self) -> None:
        """Make the line reachable. Raises RigError."""
        self._open = True
        try:
            await self._port.open()
        except BaseException:
            self._open = False
            raise

    def send(self, data: bytes) -> None:
        """Send to every host, as the line lets it."""
        self._send(self._port.send, data)

    async def close(self) -> None:
        """Take the line away; what is still on its way is lost."""
        self._open = False
        self._pieces.clear()
        self._faults.release()
        for timer in (self._next_piece, self._releasing):
            if timer is not None:
                timer.cancel()
        self._next_piece = self._releasing = None
        await self._port.close()

    def _send(self, send: Send, data: bytes) -> None:
        if not self._open:
            return
        self._last = send
        # One queue for all hosts of a line: a message between two pieces of another would bend both.
        self._pieces.extend((send, piece) for piece in self._faults.to_host(data))
        if self._releasing is None and self._faults.holds:
            self._releasing = asyncio.get_running_loop().call_later(HELD_S, self._release)
        if self._next_piece is None:
            self._pump()

    def _pump(self) -> None:
        self._next_piece = None
        if self._pieces:
            send, piece = self._pieces.popleft()
            send(piece)
        if self._pieces:
            self._next_piece = asyncio.get_running_loop().call_later(PIECE_PAUSE_S, self._pump)

    def _release(self) -> None:
        self._releasing = None
        held = self._faults.release()
        if held:
            self._pieces.append((self._last, held))
            if self._next_piece is None:
                self._pump()

    def _greet_line(self, send: Send) -> Receive:
        receive = self._greet(lambda data: self._send(send, data))

        def hear(data: bytes) -> None:
            arrived = self._faults.to_box(data)
            if arrived is not None:
                receive(arrived)

        return hear
