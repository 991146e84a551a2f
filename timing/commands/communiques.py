"""`velodrome communique`: give out a number, print what was given out, make the results book, check a document."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console

from config.loader import load_meet
from timing.commands.errors import OfficeError
from timing.commands.office import competition_in, send
from timing.control.communique.files import FORMATS, FileFormat, file_name, render, write_whole
from timing.race.competition.actions import IssueCommunique

if TYPE_CHECKING:
    from timing.control.communique.content import Communique
    from timing.race.meet import MeetState


def issue(
    meet: str, kind: str, subject: str, competition: str | None, corrects: int | None, reason: str, actor: str,
    role: str,
) -> int:  # fmt: skip
    """Give a communiqué its number, in the running service."""
    plan = load_meet(meet)
    action = IssueCommunique(
        competition=competition_in(plan, competition), kind=kind, subject=subject, corrects=corrects, reason=reason
    )
    return send(plan, action, actor, role, "issued")


def print_all(journal: Path, numbers: tuple[int, ...], folder: Path, formats: tuple[str, ...]) -> int:
    """Write the documents of a journal into a folder: all, or those of these numbers."""
    chosen = tuple(one for one in get_args(FileFormat) if one in (formats or ("pdf",)))
    unknown = [one for one in formats if one not in FORMATS]
    if unknown:
        raise OfficeError(f"--format {unknown[0]}: use {', '.join(FORMATS)}")
    found = {one.number: one for one in documents(journal)}
    missing = [number for number in numbers if number not in found]
    if missing:
        raise OfficeError(f"communiqué {missing[0]} was not issued: {journal} has {_numbers(found)}")
    warnings = set()
    for number, document in found.items():
        if numbers and number not in numbers:
            continue
        for file_format in chosen:
            data, warning = render(document, file_format)
            path = folder / file_name(document, file_format)
            write_whole(path, data)
            print(path)
            warnings |= {warning} - {""}
    for warning in sorted(warnings):
        print(f"velodrome: {warning}", file=sys.stderr)
    if not found:
        print(f"{journal}: no communiqué was issued", file=sys.stderr)
    return 0


def book(journal: Path, out: Path, competition: str | None) -> int:
    """Write the results book of a competition as PDF."""
    from timing.control.communique.book import results_book
    from timing.control.communique.pdf import render_pdf

    state, row, chain = _folded(journal, lambda _state, _row, _chain: None)
    known = list(state.office.competitions)
    name = competition or (known[0] if len(known) == 1 else None)
    if name not in known:
        raise OfficeError(f"give --competition: {journal} has {', '.join(known) or 'none'}")
    with Console(stderr=True).status("setting the results book …"):
        printed = render_pdf(results_book(state, name, row, chain))
    write_whole(out, printed.data)
    print(out)
    if printed.warning:
        print(f"velodrome: {printed.warning}", file=sys.stderr)
    return 0


def check(journal: Path, document: Path) -> int:
    """Whether a printed file is what the journal says, to the byte. Exit code 1 when it is not."""
    try:
        data = document.read_bytes()
    except OSError as error:
        raise OfficeError(f"{document}: cannot be read: {error.strerror}") from error
    file_format = document.suffix.removeprefix(".")
    if file_format not in FORMATS:
        raise OfficeError(f"{document}: no communiqué has the ending {document.suffix!r}: {', '.join(FORMATS)}")
    found = list(documents(journal))
    for one in found:
        if document.name.startswith(f"{one.number:03d}-"):
            for kind in FORMATS:
                if kind == file_format and render(one, kind)[0] == data:
                    print(f"{document}: communiqué {one.number} as the journal has it (row {one.proof.row})")
                    return 0
            print(f"{document}: NOT what the journal says of communiqué {one.number}: print it again and compare")
            return 1
    numbers = _numbers({one.number: one for one in found})
    print(f"{document}: no such communiqué is in the journal, which has {numbers} (the file's name begins with it)")
    return 1


def documents(journal: Path) -> Iterator["Communique"]:
    """Every communiqué of a journal, each made from the state at its row."""
    from timing.control.communique.build import build

    made: list[Communique] = []

    def at(state: "MeetState", row: int, chain: str) -> None:
        issued = state.office.register.issued
        if len(issued) > len(made) and issued[-1].row == row:
            made.append(build(state, issued[-1], chain))

    _folded(journal, at)
    yield from made


def _folded(journal: Path, at: Callable[["MeetState", int, str], None]) -> tuple["MeetState", int, str]:
    """Fold a journal; `at` sees the state after each row. Returns the state, the last row and its hash."""
    from timing.commands.report import progress_bar
    from timing.journal import Journal
    from timing.race.events import decode_event
    from timing.race.meet import MeetState

    state = MeetState()
    last, chain = 0, ""
    with Journal.open_read_only(journal) as reader, progress_bar(Console(stderr=True), "replaying") as progress:
        total = reader.last_id
        for row in reader.rows():
            state.apply(row.id, decode_event(row.kind, row.body))
            last, chain = row.id, row.hash.hex()
            at(state, last, chain)
            if row.id % 2_000 == 0 or row.id == total:
                progress(row.id, total)
    return state, last, chain


def _numbers(found: dict[int, "Communique"]) -> str:
    numbers = list(found)
    return f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
