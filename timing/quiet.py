"""When the picture may be derived: not in the middle of a burst of passings, and not much later either.

Deriving and publishing the picture of a large field takes the event loop some milliseconds, in which no passing
goes on. Passings come in bursts (a bunch over a line) with pauses between them, and a picture in the pause says
more than one in the middle.
"""

import asyncio
from collections.abc import Callable

QUIET_S = 0.003
"""So long without a passing is a pause: the riders of a bunch are closer together."""
PATIENCE_S = 0.5
"""Passings without any pause are shown all the same, so often. No track brings them: a flood of them does."""


class QuietTime:
    """Knows when passings came last. Times are the event loop's."""

    def __init__(self, busy: Callable[[], bool]) -> None:
        """`busy`: whether something that came is still on its way to the disk."""
        self._busy = busy
        self._last_s = float("-inf")

    def passings_came(self) -> None:
        """Passings just arrived."""
        self._last_s = asyncio.get_running_loop().time()

    async def wait(self, rest_s: float) -> None:
        """Rest, then wait for a pause between passings, `PATIENCE_S` beyond the rest at most."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(rest_s)
        give_up_s = loop.time() + PATIENCE_S
        while (now_s := loop.time()) < give_up_s:
            if now_s - self._last_s >= QUIET_S and not self._busy():
                return
            pause_s = self._last_s + QUIET_S - now_s
            await asyncio.sleep(max(QUIET_S / 3, min(pause_s, give_up_s - now_s)))
