"""Programs of a race day as processes: started until they say that they are ready, killed with -9, started again."""

import asyncio
import contextlib
import signal
from collections.abc import Mapping

START_TIMEOUT_S = 90.0
"""Compiling the kernels on a busy machine."""
STOP_TIMEOUT_S = 10.0
KEPT_LINES = 200


class Program:
    """A command; what it says is kept, to be shown when it ends where it should not."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._said: list[str] = []
        self._news = asyncio.Event()

    async def start(self, ready: str = "") -> str:
        """Start it, the first time or again; returns the line with the words that say that it is ready."""
        self._said.clear()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=dict(self._environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._hearing = asyncio.create_task(self._hear(self._process))
        return await self._until_said(ready) if ready else ""

    async def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End it as Ctrl-C does, by force if it does not; allowed when it is gone already."""
        await self._end(signal.SIGINT)

    async def _end(self, number: signal.Signals) -> None:
        process, hearing = self._process, self._hearing
        self._process = self._hearing = None
        if process is None or hearing is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        await hearing

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._said.append(line.decode(errors="replace").strip())
            del self._said[:-KEPT_LINES]
            self._news.set()
        self._news.set()

    async def _until_said(self, words: str) -> str:
        assert self._hearing is not None
        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                found = [line for line in self._said if words in line]
                if found:
                    return found[0]
                if self._hearing.done():
                    raise AssertionError(f"{' '.join(self._command)} ended without saying {words!r}: {self._said}")
                self._news.clear()
                await self._news.wait()
