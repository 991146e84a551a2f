"""A journal opened for reading only."""

import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self, TypeVar
from uuid import UUID

import apsw

from timing.journal.entries import Row
from timing.journal.errors import DamagedJournal, JournalUnavailable
from timing.journal.rows import StoredRow, checked_rows, fetch_rows, last_row
from timing.journal.schema import Identity, read_identity
from timing.journal.view import View, reading, resolve

_ATTEMPTS = 5
"""Each attempt fails only if a writer started or stopped during a read of some milliseconds."""

_Answer = TypeVar("_Answer")


class JournalReader:
    """Reads a journal, finished, killed or growing under a live writer, and never changes it.

    Not safe for use by two threads at once. Raises `NotAJournal`, `DamagedJournal` or `JournalUnavailable`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = resolve(path)
        self._view: View | None = View(self.path)
        try:
            with reading(self.path):
                self._identity: Identity = self.ask(lambda connection: read_identity(connection, self.path))
        except BaseException:
            self.close()
            raise

    @property
    def uuid(self) -> UUID:
        """The journal's identity for life."""
        return self._identity.uuid

    @property
    def created_us(self) -> int:
        """Host UTC µs of its creation."""
        return self._identity.created_us

    @property
    def last_id(self) -> int:
        """Id of the last row now on disk, 0 when there is none."""
        return self._last()[0]

    @property
    def last_hash(self) -> bytes:
        """Hash of the last row now on disk: it stands for the whole journal up to there."""
        return self._last()[1]

    def rows(self, first_id: int = 1) -> Iterator[Row]:
        """Stream the rows from `first_id` on to the last one there is on arrival, each checked by its hash.

        Raises `DamagedJournal` in place of a bad row, ValueError for a `first_id` below 1.
        """
        return checked_rows(self.path, self._identity.genesis, self._fetch, first_id)

    def ask(self, question: Callable[[apsw.Connection], _Answer]) -> _Answer:
        """Return `question(connection)`, asked again where a writer may have changed the file meanwhile.

        The answer must be complete (fetched, no open cursor). Raises what the question raises.
        """
        for _ in range(_ATTEMPTS):
            if self._view is None:
                self._view = View(self.path)
            try:
                answer = question(self._view.connection)
            except (apsw.Error, DamagedJournal):
                if self._view.is_current:
                    raise
            else:
                if self._view.is_current:
                    return answer
            self.close()
        raise JournalUnavailable(
            self.path, "changed hands each time it was read", "let its writer start up, then try again"
        )

    def close(self) -> None:
        """Close the file. Closing twice is allowed; asking again opens it anew."""
        if self._view is not None:
            self._view.close()
            self._view = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fetch(self, first_id: int, limit: int) -> list[StoredRow]:
        return self.ask(lambda connection: fetch_rows(connection, first_id, limit))

    def _last(self) -> tuple[int, bytes]:
        with reading(self.path):
            return self.ask(lambda connection: last_row(connection, self._identity.genesis))
