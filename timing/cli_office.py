"""The race office's part of the `velodrome` command: entries, draws, start lists, advancement, communiqués."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from timing.paths import prepare_kernels

Meet = Annotated[str, Parameter(help="Meet file (TOML) or the id of a shipped one.")]
Competition = Annotated[str | None, Parameter(help="Id of the competition; not needed where the meet has one.")]
Actor = Annotated[str, Parameter(help="Who orders it: the name stands in the journal.")]
Role = Annotated[str, Parameter(help="secretary, commissaire or president.")]
Flag = Parameter(negative=())


def add_commands(app: App) -> None:
    """Register the commands."""
    for command in (entries, draw, compose, advance, classify):
        app.command(command)
    documents = App(name="communique", help="Numbered documents: give out, print, check; the results book.")
    documents.command(issue)
    documents.command(print_, name="print")
    documents.command(book)
    app.command(documents)


def entries(
    meet: Meet,
    source: Path,
    /,
    *,
    competition: Competition = None,
    column: tuple[str, ...] = (),
    take: Annotated[bool, Flag] = False,
    actor: Actor = "",
    role: Role = "secretary",
) -> int:
    """Read an entry list (CSV or XLSX), say what was understood and what is wrong; with --take it counts.

    Parameters
    ----------
    source
        The file; any order of columns, headings in several languages.
    column
        FIELD=HEADING where the guess is wrong (bib, surname, given, name, nation, ranking, transponders, uci_id).
    take
        Make these riders the entries of the competition.
    """
    prepare_kernels()
    from timing.commands.office import entries as run

    return run(meet, source, competition, list(column), take, actor, role)


def draw(
    meet: Meet,
    /,
    *,
    round: str | None = None,
    competition: Competition = None,
    seed: str | None = None,
    actor: Actor = "",
    role: Role = "secretary",
) -> int:
    """Draw by lot from a seed that anyone can check: the unranked riders, or the places on the line of a round.

    Parameters
    ----------
    round
        The round whose places on the line are drawn; without it the unranked riders are.
    seed
        Words or digits that nobody here could choose; made by chance when not given. It is published.
    """
    prepare_kernels()
    from timing.commands.office import draw as run

    return run(meet, competition, round, seed, actor, role)


def compose(
    meet: Meet,
    round: str,
    /,
    *,
    competition: Competition = None,
    swap: tuple[str, str] | None = None,
    reason: str = "",
    confirm: Annotated[bool, Flag] = False,
    actor: Actor = "",
    role: Role = "commissaire",
) -> int:
    """Make the heats of a round as the format has it; exchange two riders; make the start lists final.

    Parameters
    ----------
    round
        Id of the round in the format: r1, rep, qf …
    swap
        Two bibs that change their heats, with --reason.
    reason
        Why the panel exchanges them.
    confirm
        The start lists are final: the heats may be opened.
    """
    prepare_kernels()
    from timing.commands.office import compose as run

    return run(meet, round, competition, swap, reason, confirm, actor, role)


def advance(
    meet: Meet,
    round: str,
    /,
    *,
    competition: Competition = None,
    confirm: Annotated[bool, Flag] = False,
    actor: Actor = "",
    role: Role = "commissaire",
) -> int:
    """Show who goes where from a round; with --confirm it is settled and never silently computed again.

    Parameters
    ----------
    round
        Id of the round in the format.
    confirm
        Settle it.
    """
    prepare_kernels()
    from timing.commands.office import advance as run

    return run(meet, round, competition, confirm, actor, role)


def classify(meet: Meet, /, *, competition: Competition = None) -> int:
    """Show the classification as it stands: ranks that can still change in brackets."""
    prepare_kernels()
    from timing.commands.office import classify as run

    return run(meet, competition)


def issue(
    meet: Meet,
    kind: str,
    subject: str = "",
    /,
    *,
    competition: Competition = None,
    corrects: int | None = None,
    reason: str = "",
    actor: Actor = "",
    role: Role = "secretary",
) -> int:
    """Give a communiqué the next number.

    Parameters
    ----------
    kind
        start_list, result, round, classification or decisions.
    subject
        The round or heat that it is about; nothing for the classification.
    corrects
        The number that it corrects; a number is never used again.
    reason
        Why it is corrected.
    """
    prepare_kernels()
    from timing.commands.communiques import issue as run

    return run(meet, kind, subject, competition, corrects, reason, actor, role)


def print_(
    journal: Path,
    numbers: Annotated[tuple[int, ...], Parameter(help="Numbers to print; all without any.")] = (),
    /,
    *,
    folder: Path = Path("communiques"),
    format: tuple[str, ...] = ("pdf",),
) -> int:
    """Print communiqués out of a journal; the same journal gives the same bytes.

    Parameters
    ----------
    journal
        The journal of the meet, also while it is being written.
    folder
        Where the files go.
    format
        pdf, html, csv, xlsx or json; more than one may be given.
    """
    prepare_kernels()
    from timing.commands.communiques import print_all

    return print_all(journal, numbers, folder, format)


def book(journal: Path, out: Path = Path("results-book.pdf"), /, *, competition: Competition = None) -> int:
    """Set the results book: the whole competition in one PDF, with contents and the seals of the journal.

    Parameters
    ----------
    journal
        The journal of the meet.
    out
        The PDF to write.
    """
    prepare_kernels()
    from timing.commands.communiques import book as run

    return run(journal, out, competition)
