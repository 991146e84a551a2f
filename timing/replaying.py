"""Replay held against what was live: the same events must give the same picture, to the byte (DESIGN §4)."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from timing.app import picture_digest
from timing.journal import Journal
from timing.race.events import Digest, decode_event
from timing.race.meet import MeetState


class DigestCheck(NamedTuple):
    """How many digests were compared, and a sentence for each that differs."""

    compared: int
    faults: list[str]


def check_digests(journal: Path, progress: Callable[[int, int], None] | None = None) -> DigestCheck:
    """Replay a journal and compare each heat's picture with the digest that the live process journaled.

    A digest names the row after which it was taken; it is compared there. Raises JournalError as the reader does.
    """
    with Journal.open_read_only(journal) as reader:
        digests: dict[int, Digest] = {}
        for row in reader.rows():
            if row.kind == "digest":
                event = decode_event(row.kind, row.body)
                if isinstance(event, Digest):
                    digests[event.row] = event
        state = MeetState()
        faults: list[str] = []
        total = reader.last_id
        for row in reader.rows():
            state.apply(row.id, decode_event(row.kind, row.body))
            wanted = digests.get(row.id)
            if wanted is not None and picture_digest(state.picture(wanted.heat)) != wanted.sha256:
                faults.append(f"replay differs from what was shown live: heat {wanted.heat} after row {row.id}")
            if progress is not None and (row.id % 1_000 == 0 or row.id == total):
                progress(row.id, total)
    return DigestCheck(len(digests), faults)
