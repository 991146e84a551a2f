"""What an entry list says: the riders of one competition before anybody has drawn a lot.

An entry is what the riders' federations hand in. It becomes a rider of the meet when the office takes the list
(`timing.race.competition`), so nothing here knows of heats.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

import msgspec

from config.nations import is_nation

TRANSPONDER = re.compile(r"[0-9A-Za-z-]{1,24}")
BIB = re.compile(r"[0-9A-Za-z]{1,6}")
UCI_ID = re.compile(r"[0-9]{11}")
MOST_ENTRIES = 500
"""No event of a track meet has so many; a file with more is another file."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entered rider. `ranking` is the place in the ranking that seeds (1 best); null is unranked."""

    bib: str
    surname: str
    given: str = ""
    nation: str | None = None
    ranking: int | None = None
    transponders: tuple[str, ...] = ()
    uci_id: str | None = None
    called: str = ""
    """The whole name as people say it, where that is not the given name and then the surname (Xu Chao)."""

    @property
    def name(self) -> str:
        """The whole name as the rider says it."""
        return self.called or f"{self.given} {self.surname}".strip()


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong in a file of entries, and where. `row` counts as the spreadsheet does, from 1."""

    row: int | None
    column: str
    text: str

    def __str__(self) -> str:
        where = f"row {self.row}" if self.row is not None else "the file"
        return f"{where}, {self.column}: {self.text}" if self.column else f"{where}: {self.text}"


def check_entry(entry: Entry, row: int | None = None) -> Iterator[Problem]:
    """What is wrong with one entry by itself."""
    if not entry.bib:
        yield Problem(row=row, column="bib", text="is missing: every rider needs a number")
    elif BIB.fullmatch(entry.bib) is None:
        yield Problem(row=row, column="bib", text=f"{entry.bib!r} is no number: give 1 to 6 letters or digits")
    if not entry.surname:
        yield Problem(row=row, column="surname", text="is missing: give the rider's surname")
    if entry.nation is not None and not is_nation(entry.nation):
        yield Problem(
            row=row, column="nation", text=f"{entry.nation!r} is no nation: give the three-letter code (GBR, JPN …)"
        )
    if entry.ranking is not None and entry.ranking < 1:
        yield Problem(row=row, column="ranking", text=f"{entry.ranking} is no place: the first is 1")
    if entry.uci_id is not None and UCI_ID.fullmatch(entry.uci_id) is None:
        yield Problem(row=row, column="uci_id", text=f"{entry.uci_id!r} is no UCI ID: it has 11 digits")
    for transponder in entry.transponders:
        if TRANSPONDER.fullmatch(transponder) is None:
            yield Problem(
                row=row,
                column="transponders",
                text=f"{transponder!r} is no transponder: give 1 to 24 letters, digits or hyphens",
            )


def check_together(entries: Iterable[tuple[int | None, Entry]]) -> Iterator[Problem]:
    """What is wrong among the entries of one competition: a bib, a UCI ID or a transponder that stands twice."""
    seen: dict[tuple[str, str], int | None] = {}
    for row, entry in entries:
        keys = [("bib", entry.bib), ("uci_id", entry.uci_id or "")]
        keys += [("transponders", transponder) for transponder in dict.fromkeys(entry.transponders)]
        for column, value in keys:
            if not value:
                continue
            if (column, value) in seen:
                first = seen[column, value]
                other = f"row {first}" if first is not None else "another entry"
                yield Problem(row=row, column=column, text=f"{value!r} stands in {other} already")
            else:
                seen[column, value] = row


def warn_together(entries: Iterable[tuple[int | None, Entry]]) -> Iterator[Problem]:
    """What may be meant and should be looked at: equal names, equal rankings, riders without a transponder."""
    names: dict[str, int | None] = {}
    rankings: dict[int, int | None] = {}
    for row, entry in entries:
        name = unicodedata.normalize("NFKC", entry.name).casefold()
        if name in names:
            yield Problem(row=row, column="name", text=f"{entry.name} stands in row {names[name]} too: the same rider?")
        names.setdefault(name, row)
        if entry.ranking is not None:
            if entry.ranking in rankings:
                yield Problem(
                    row=row,
                    column="ranking",
                    text=f"{entry.ranking} is that of row {rankings[entry.ranking]} too: the lot decides between them",
                )
            rankings.setdefault(entry.ranking, row)
        if not entry.transponders:
            yield Problem(row=row, column="transponders", text="is missing: no loop will know this rider")
