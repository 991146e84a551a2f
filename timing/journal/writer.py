"""The journal's writer thread: what an event loop hands over is on disk when its future is done.

All entries that wait while one commit is on its way to the disk go into the next one together (group
commit). A group costs one fsync and one wake-up of the loop, however many entries it has.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

from timing.journal.entries import Entry
from timing.journal.errors import JournalError, JournalWriteError
from timing.journal.store import CHECKPOINT_PAGES, Journal

MAX_GROUP = 2_000
"""Entries in one transaction at most (a `submit_many` is never split): about 50 ms of work."""

OVERDUE_PAGES = 16 * CHECKPOINT_PAGES
"""Pages in the -wal from which on a checkpoint no longer waits for a quiet moment."""


@dataclass(frozen=True, slots=True)
class _Submission:
    entries: Sequence[Entry]
    future: "asyncio.Future[Any]"
    single: bool
    """Whether the future is of one id instead of a list."""


class JournalWriter:
    """Writes one journal for one event loop. It owns the journal from here on and closes it at the end.

    Every method is for the loop's thread. After a `JournalWriteError` it refuses all further entries; what
    was acknowledged before is on disk.
    """

    def __init__(self, journal: Journal, *, max_group: int = MAX_GROUP) -> None:
        """Start the thread. Must be called with the event loop running."""
        self._journal = journal
        self._max_group = max_group
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Submission | None] = SimpleQueue()
        self._failure: JournalWriteError | None = None
        self._closing = False
        self._finished: asyncio.Future[None] = self._loop.create_future()
        # A daemon, so that a program that forgot to close can end: for the journal that is like a kill.
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def submit(self, entry: Entry) -> "asyncio.Future[int]":
        """Hand over an entry; the future gives its id once it is on disk, or raises `JournalWriteError`.

        Ids are in the order of submission. Cancelling the future does not take the entry back. Raises
        `JournalWriteError` itself after a failure or a close.
        """
        return self._hand_over((entry,), single=True)

    def submit_many(self, entries: Sequence[Entry]) -> "asyncio.Future[list[int]]":
        """Hand over entries that must be stored together or not at all; like `submit` otherwise."""
        return self._hand_over(tuple(entries), single=False)

    async def drain(self) -> None:
        """Return when all that was submitted before is on disk. Raises `JournalWriteError` if it is not."""
        await self.submit_many(())

    async def close(self) -> None:
        """Store what waits, end the thread and close the journal. Closing twice is allowed."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        await asyncio.shield(self._finished)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _hand_over(self, entries: Sequence[Entry], *, single: bool) -> "asyncio.Future[Any]":
        if self._closing:
            raise JournalWriteError(self._journal.path, "its writer was closed", "open the journal again")
        if self._failure is not None:
            raise self._failure
        future: asyncio.Future[Any] = self._loop.create_future()
        self._queue.put(_Submission(entries, future, single))
        return future

    # -- on the writer's thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        group: list[_Submission] = []
        try:
            while group := self._next_group():
                self._store(group)
        finally:
            self._end(group)

    def _next_group(self) -> list[_Submission]:
        """Wait for a submission, take along what waits behind it; empty when the writer is to end."""
        first = self._queue.get()
        if first is None:
            return []
        group = [first]
        size = len(first.entries)
        while size < self._max_group:
            try:
                following = self._queue.get_nowait()
            except Empty:
                break
            if following is None:
                # Nothing can follow the end: put it back for the next round.
                self._queue.put(None)
                break
            group.append(following)
            size += len(following.entries)
        return group

    def _store(self, group: list[_Submission]) -> None:
        try:
            ids = self._journal.commit([entry for submission in group for entry in submission.entries])
            self._post(_settle, group, ids)
            self._journal.checkpoint_when_due(CHECKPOINT_PAGES if self._queue.empty() else OVERDUE_PAGES)
        except JournalWriteError as failure:
            self._failure = failure
            self._post(_reject, group, failure)

    def _end(self, unsettled: list[_Submission]) -> None:
        """Leave nobody waiting, whether the writer was closed or its thread died of a bug."""
        while not self._queue.empty():
            if (submission := self._queue.get()) is not None:
                unsettled.append(submission)
        self._failure = self._failure or JournalWriteError(
            self._journal.path, "its writer has ended", "open the journal again"
        )
        self._post(_reject, unsettled, self._failure)
        try:
            self._journal.close()
        finally:
            self._post(self._finish)

    def _post(self, callback: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            # The loop is closed, so nobody waits any more; what is queued is still stored.
            if not self._loop.is_closed():
                raise

    # -- back on the loop ------------------------------------------------------------------------------------

    def _finish(self) -> None:
        self._thread.join()
        self._finished.set_result(None)


def _settle(group: list[_Submission], ids: list[int]) -> None:
    taken = 0
    for submission in group:
        count = len(submission.entries)
        if not submission.future.done():
            submission.future.set_result(ids[taken] if submission.single else ids[taken : taken + count])
        taken += count


def _reject(group: list[_Submission], failure: JournalError) -> None:
    for submission in group:
        if not submission.future.done():
            submission.future.set_exception(failure)
