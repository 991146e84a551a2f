"""Reads entry lists as federations send them: CSV or XLSX, any order of columns, headings in several languages.

Which column was taken for what is guessed and told (`EntryFile.columns`), so that a person can confirm it or say
otherwise. With any problem nothing is taken: half an entry list is worse than none.
"""

import csv
import io
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from config.entries import MOST_ENTRIES, Entry, Problem, check_entry, check_together, warn_together

FIELDS: Final = ("bib", "surname", "given", "name", "nation", "ranking", "transponders", "uci_id")

HEADINGS: Final[dict[str, tuple[str, ...]]] = {
    "bib": ("bib", "number", "no", "nr", "num", "race number", "rider no", "dossard", "startnummer", "dorsal", "numero",
            "ゼッケン", "番号", "車番"),
    "surname": ("surname", "last name", "lastname", "family name", "nom", "nom de famille", "nachname", "familienname",
                "cognome", "apellido", "apellidos", "姓", "氏"),
    "given": ("given", "given name", "given names", "first name", "firstname", "prenom", "vorname", "nome", "nombre",
              "名"),
    "name": ("name", "rider", "rider name", "full name", "athlete", "competitor", "nom complet", "coureur", "fahrer",
             "氏名", "選手", "選手名", "名前"),
    "nation": ("nation", "noc", "country", "nat", "nationality", "federation", "fed", "pays", "nationalite", "land",
               "paese", "pais", "国", "国籍", "国名"),
    "ranking": ("ranking", "rank", "uci ranking", "uci rank", "seed", "seeding", "classement", "rang", "rangliste",
                "順位", "ランキング"),
    "transponders": ("transponder", "transponders", "chip", "chips", "tag", "tags", "transpondeur", "transpondeurs",
                     "puce", "refid", "トランスポンダー", "計測チップ"),
    "uci_id": ("uci id", "uciid", "uci code", "uci", "licence", "license", "id uci", "code uci", "lizenz"),
}  # fmt: skip
"""Headings that are known, without accents, punctuation and capitals."""

NO_RANKING: Final = frozenset({"", "-", "–", "nr", "unranked", "nc", "0"})


class EntryFileError(Exception):
    """A file of entries cannot be read at all; the message says what, where and how to mend it."""


class EntryFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says. `entries` is empty when there are `problems`."""

    entries: tuple[Entry, ...]
    columns: dict[str, str]
    """Field → heading of the column that was taken for it."""
    unused: tuple[str, ...]
    """Headings of columns that mean nothing to us."""
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def read_entries(path: Path, columns: Mapping[str, str] | None = None) -> EntryFile:
    """Read a CSV or XLSX file of entries.

    `columns` (field → heading) overrides the guess, for the fields it names; an empty heading means that the file
    has no such column. Raises EntryFileError for a file that is no table at all or for a heading that is not there.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise EntryFileError(f"{path}: cannot be read: {error.strerror}; give a CSV or XLSX file") from error
    table = _workbook(path, raw) if raw[:4] == b"PK\x03\x04" else _text_table(path, raw)
    return entries_of(table, str(path), columns)


def entries_of(table: list[list[str]], source: str, columns: Mapping[str, str] | None = None) -> EntryFile:
    """Make entries of a table of cells. The first row that names a bib and a name column holds the headings."""
    start = next((number for number, row in enumerate(table) if _is_heading(row, columns)), None)
    if start is None:
        first = next((row for row in table if any(cell.strip() for cell in row)), [])
        seen = ", ".join(cell.strip() for cell in first if cell.strip()) or "nothing"
        raise EntryFileError(
            f"{source}: no row of headings found (the first row has {seen}); name the columns: "
            f"bib, surname, given, nation, ranking, transponders, uci_id"
        )
    headings = [cell.strip() for cell in table[start]]
    chosen = _choose(headings, source, columns)
    rows: list[tuple[int, Entry]] = []
    problems: list[Problem] = []
    for number, cells in enumerate(table[start + 1 :], start=start + 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(rows) == MOST_ENTRIES:
            problems.append(Problem(row=number, column="", text=f"more than {MOST_ENTRIES} riders: is this the file?"))
            break
        entry, wrong = _entry(number, {field: _cell(cells, index) for field, index in chosen.items()})
        problems += [*wrong, *check_entry(entry, number)]
        rows.append((number, entry))
    problems += check_together(rows)
    if not rows:
        problems.append(Problem(row=None, column="", text="no rider stands below the headings"))
    used = set(chosen.values())
    return EntryFile(
        entries=() if problems else tuple(entry for _, entry in rows),
        columns={field: headings[index] for field, index in chosen.items()},
        unused=tuple(heading for index, heading in enumerate(headings) if heading and index not in used),
        problems=tuple(sorted(problems, key=lambda problem: problem.row or 0)),
        warnings=tuple(warn_together(rows)),
    )


# -- tables ----------------------------------------------------------------------------------------------------


def _text_table(path: Path, raw: bytes) -> list[list[str]]:
    text = _text(path, raw)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise EntryFileError(f"{path}: the file is empty")
    counts = {mark: sum(line.count(mark) for line in lines[:20]) for mark in (";", "\t", ",")}
    mark = max(counts, key=lambda one: counts[one])
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    except csv.Error as error:
        raise EntryFileError(f"{path}: {error}; a text with quotation marks needs a closing one") from error


def _text(path: Path, raw: bytes) -> str:
    """UTF-8 (with or without mark), UTF-16 with its mark, else the Windows code page of western Europe."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return raw.decode("utf-16")
        except UnicodeDecodeError as error:
            raise EntryFileError(f"{path}: damaged UTF-16 at byte {error.start}; save it as CSV UTF-8") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError as error:
        raise EntryFileError(
            f"{path}: byte {error.start} is neither UTF-8 nor Windows-1252; save it as CSV UTF-8"
        ) from error


def _workbook(path: Path, raw: bytes) -> list[list[str]]:
    import zlib
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    # What zipfile, zlib and openpyxl raise for archives that are damaged, encrypted or of a newer kind.
    damaged = (
        *(BadZipFile, InvalidFileException, zlib.error, EOFError, NotImplementedError, RuntimeError),
        *(KeyError, ValueError, IndexError, SyntaxError, TypeError, AttributeError),
    )
    try:
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        sheet = book.active if book.active is not None else book.worksheets[0]
        return [["" if cell is None else _number(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    except damaged as error:
        raise EntryFileError(f"{path}: no XLSX workbook that can be read ({error}); save it as XLSX or CSV") from error


def _number(cell: object) -> str:
    """A spreadsheet has floats where a person typed a whole number."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


# -- headings --------------------------------------------------------------------------------------------------


def plain(heading: str) -> str:
    """A heading without accents, punctuation, capitals and doubled spaces."""
    spread = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", heading)).casefold()
    bare = "".join(one if one.isalnum() else " " for one in spread if not unicodedata.combining(one))
    # Dakuten are combining marks too: composed again, ゼッケン is itself.
    return " ".join(unicodedata.normalize("NFC", bare).split())


_KNOWN: Final[dict[str, str]] = {plain(one): field for field, names in HEADINGS.items() for one in names}


def _is_heading(row: list[str], columns: Mapping[str, str] | None) -> bool:
    fields = {_KNOWN.get(plain(cell)) for cell in row}
    fields |= {field for field, heading in (columns or {}).items() if heading in [cell.strip() for cell in row]}
    return "bib" in fields and bool(fields & {"surname", "name"})


def _choose(headings: list[str], source: str, columns: Mapping[str, str] | None) -> dict[str, int]:
    chosen: dict[str, int] = {}
    for index, heading in enumerate(headings):
        field = _KNOWN.get(plain(heading))
        if field is not None and field not in chosen:
            chosen[field] = index
    for field, heading in (columns or {}).items():
        if field not in FIELDS:
            raise EntryFileError(f"{source}: no field {field!r}: use {', '.join(FIELDS)}")
        if not heading:
            chosen.pop(field, None)
        elif heading in headings:
            chosen = {name: index for name, index in chosen.items() if index != headings.index(heading)}
            chosen[field] = headings.index(heading)
        else:
            raise EntryFileError(f"{source}: no column {heading!r}: it has {', '.join(filter(None, headings))}")
    return chosen


def _cell(cells: list[str], index: int) -> str:
    # A no-break space in a cell is what a copied web page leaves behind.
    return " ".join(unicodedata.normalize("NFC", cells[index]).split()) if index < len(cells) else ""


# -- rows ------------------------------------------------------------------------------------------------------


def _entry(row: int, cells: dict[str, str]) -> tuple[Entry, list[Problem]]:
    problems: list[Problem] = []
    surname, given, called = cells.get("surname", ""), cells.get("given", ""), cells.get("name", "")
    if not surname:
        surname, given = split_name(called, given)
        called = ""
    elif called == f"{given} {surname}".strip():
        called = ""
    ranking = None
    said = cells.get("ranking", "").rstrip(".")
    if said.casefold() not in NO_RANKING:
        try:
            ranking = int(said)
        except ValueError:
            problems.append(Problem(row=row, column="ranking", text=f"{said!r} is no place: give a whole number"))
    nation = cells.get("nation", "").upper() or None
    transponders = cells.get("transponders", "").replace(";", " ").replace("/", " ").replace("+", " ").split()
    return (
        Entry(
            bib=cells.get("bib", ""),
            surname=surname,
            given=given,
            nation=nation,
            ranking=ranking,
            transponders=tuple(dict.fromkeys(transponders)),
            uci_id=cells.get("uci_id", "").replace(" ", "") or None,
            called=called,
        ),
        problems,
    )


def split_name(name: str, given: str = "") -> tuple[str, str]:
    """Surname and given name of a name in one cell: `LAVREYSEN Harrie`, `Lavreysen, Harrie` or `Harrie Lavreysen`.

    Words in capitals are the surname wherever they stand; without any, the last word is.
    """
    if "," in name:
        surname, _, rest = name.partition(",")
        return surname.strip(), given or rest.strip()
    words = name.split()
    capitals = [word for word in words if word.isupper() and len(word) > 1]
    if capitals and len(capitals) < len(words):
        return _titled(" ".join(capitals)), given or " ".join(word for word in words if word not in capitals)
    if len(words) < 2:
        return name, given
    return words[-1], given or " ".join(words[:-1])


def _titled(surname: str) -> str:
    """`LAVREYSEN` as `Lavreysen`: screens and documents put it in capitals where they want them."""
    return " ".join("-".join(part.capitalize() for part in word.split("-")) for word in surname.split())
