"""`velodrome entries`, `draw`, `compose`, `swap`, `advance` and `classify`: the race office at a terminal.

They show what the running service publishes and send orders to it, as the consoles do. An order that is not asked
for (no --take, no --confirm) is only shown.
"""

import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from config.loader import load_meet
from config.models import Meet
from timing.commands.errors import OfficeError
from timing.control.asking import order, retained
from timing.control.office_messages import CompetitionViewMessage
from timing.race.competition.actions import (
    START_POSITIONS,
    CompetitionAction,
    Compose,
    ConfirmComposition,
    ConfirmRound,
    Draw,
    SwapRiders,
    TakeEntries,
)
from timing.race.competition.views import CompetitionView, RoundView

SEED_WORDS = 4


def entries(
    meet: str, source: Path, competition: str | None, columns: list[str], take: bool, actor: str, role: str
) -> int:
    """Show what an entry list says, and take it when asked. Exit code 1 when it has problems."""
    from config.entry_files import read_entries

    chosen = {}
    for one in columns:
        field, equals, heading = one.partition("=")
        if not equals:
            raise OfficeError(f"--column {one!r}: give FIELD=HEADING, such as bib=Dossard")
        chosen[field] = heading
    read = read_entries(source, chosen)
    console = Console()
    guess = ", ".join(f"{field} = {heading!r}" for field, heading in read.columns.items())
    console.print(f"columns: {guess}", highlight=False)
    if read.unused:
        console.print(f"not used: {', '.join(read.unused)}", highlight=False)
    for warning in read.warnings:
        console.print(f"look at {warning}", highlight=False)
    for problem in read.problems:
        print(f"{source}: {problem}", file=sys.stderr)
    if read.problems:
        return 1
    table = Table("bib", "surname", "given", "nation", "ranking", "transponders")
    for entry in read.entries:
        ranking = "unranked" if entry.ranking is None else str(entry.ranking)
        row = (entry.bib, entry.surname.upper(), entry.given, entry.nation or "", ranking, " ".join(entry.transponders))
        table.add_row(*row)
    console.print(table)
    if not take:
        console.print(f"{len(read.entries)} riders; --take --actor NAME makes them the entries", highlight=False)
        return 0
    plan = load_meet(meet)
    action = TakeEntries(competition=competition_in(plan, competition), entries=read.entries, source=source.name)
    return send(plan, action, actor, role, f"{len(read.entries)} entries taken")


def draw(meet: str, competition: str | None, round_id: str | None, seed: str | None, actor: str, role: str) -> int:
    """Draw the unranked riders, or the places on the line of a round. Without a seed one is made and shown."""
    plan = load_meet(meet)
    used = seed or secrets.token_hex(8)
    purpose = "unranked" if round_id is None else START_POSITIONS + round_id
    action = Draw(competition=competition_in(plan, competition), purpose=purpose, seed=used)
    check = f"printf '%s' '{used}/<item>' | sha256sum"
    return send(plan, action, actor, role, f"drawn {purpose} from the seed {used!r}; anyone can check it: {check}")


def compose(
    meet: str, round_id: str, competition: str | None, swap: tuple[str, str] | None, reason: str, confirm: bool,
    actor: str, role: str,
) -> int:  # fmt: skip
    """Make the heats of a round, exchange two riders, or make the start lists final; then show them."""
    plan = load_meet(meet)
    name = competition_in(plan, competition)
    action: CompetitionAction
    if swap is not None:
        action = SwapRiders(competition=name, round=round_id, first=swap[0], second=swap[1], reason=reason)
        done = f"{swap[0]} and {swap[1]} exchanged"
    elif confirm:
        action, done = ConfirmComposition(competition=name, round=round_id), "start lists are final"
    else:
        action, done = Compose(competition=name, round=round_id), "composed"
    code = send(plan, action, actor, role, done)
    return code or _show_round(plan, name, round_id, _until(action))


def advance(meet: str, round_id: str, competition: str | None, confirm: bool, actor: str, role: str) -> int:
    """Show who goes where from a round; with --confirm it is settled."""
    plan = load_meet(meet)
    name = competition_in(plan, competition)
    if not confirm:
        return _show_round(plan, name, round_id, lambda _: True)
    action = ConfirmRound(competition=name, round=round_id)
    code = send(plan, action, actor, role, "confirmed")
    return code or _show_round(plan, name, round_id, _until(action))


def classify(meet: str, competition: str | None) -> int:
    """Show the classification as it stands."""
    plan = load_meet(meet)
    name = competition_in(plan, competition)
    view = _view(plan, name)
    print_classification(Console(), view)
    return 0


def print_classification(console: Console, view: CompetitionView) -> None:
    """The classification as a table: ranks in brackets while they can change."""
    title = f"{view.name}: {'final classification' if view.final else 'classification so far'}"
    table = Table(title=title, title_justify="left")
    for heading in ("rank", "bib"):
        table.add_column(heading, justify="right")
    for heading in ("rider", "nation", "round", "note"):
        table.add_column(heading)
    names = {one.entry.bib: one.entry for one in view.entries}
    rounds = {one.round: one.name for one in view.rounds}
    for line in view.classification:
        entry = names[line.bib]
        rank = "" if line.rank is None else f"{line.rank}." if line.settled else f"({line.rank}.)"
        rider = f"{entry.surname.upper()} {entry.given}".strip()
        table.add_row(rank, line.bib, rider, entry.nation or "", rounds.get(line.round, ""), line.status or "")
    console.print(table)


# -- parts -----------------------------------------------------------------------------------------------------


def competition_in(meet: Meet, named: str | None) -> str:
    known = [one.id for one in meet.competitions]
    if named is None and len(known) == 1:
        return known[0]
    if named in known:
        return str(named)
    what = "it has no [[competitions]]" if not known else f"give --competition: it has {', '.join(known)}"
    raise OfficeError(f"meet {meet.id}: {what}")


def send(meet: Meet, action: CompetitionAction, actor: str, role: str, done: str) -> int:
    if not actor.strip():
        raise OfficeError("an order is signed: give --actor NAME")
    reply = order(meet.broker, meet.id, action, actor, role)
    if not reply.accepted:
        print(f"refused: {reply.reason}", file=sys.stderr)
        return 1
    print(f"{done} (journal row {reply.journal_id})")
    return 0


def _view(meet: Meet, competition: str) -> CompetitionView:
    return retained(meet.broker, meet.id, f"competitions/{competition}", CompetitionViewMessage).view


def _until(action: CompetitionAction) -> Callable[[RoundView], bool]:
    """Whether a round shows what was just ordered: the picture follows the answer within a second."""
    if isinstance(action, ConfirmComposition):
        return lambda shown: shown.state not in ("waiting", "open", "composed")
    if isinstance(action, ConfirmRound):
        return lambda shown: shown.state == "closed"
    if isinstance(action, SwapRiders):
        return lambda shown: any({one.first, one.second} == {action.first, action.second} for one in shown.swaps)
    return lambda shown: bool(shown.heats)


def _show_round(meet: Meet, competition: str, round_id: str, shown_enough: Callable[[RoundView], bool]) -> int:
    for _ in range(5):
        view = _view(meet, competition)
        shown = next((one for one in view.rounds if one.round == round_id), None)
        if shown is not None and shown_enough(shown):
            break
    if shown is None:
        rounds = ", ".join(one.round for one in view.rounds) or "none yet"
        raise OfficeError(f"round {round_id!r} is not in {competition!r}: it has {rounds}")
    console = Console()
    names = {one.entry.bib: one.entry for one in view.entries}
    going = {one.bib: one for one in shown.going}
    for heat in shown.heats:
        table = Table(title=f"{heat.heat}  {heat.status}", title_justify="left")
        for heading in ("line", "bib", "rider", "nation", "from", "place", "goes to"):
            table.add_column(heading)
        for rider in heat.riders:
            entry, way = names[rider.bib], going.get(rider.bib)
            place = "" if way is None else str(way.place or way.status or "")
            onward = "" if way is None else " ".join(filter(None, (way.mark, way.to, way.note)))
            line = "" if rider.draw is None else str(rider.draw)
            name = f"{entry.surname.upper()} {entry.given}".strip()
            table.add_row(line, rider.bib, name, entry.nation or "", rider.slot, place, onward)
        console.print(table)
    for block in shown.blocks:
        console.print(f"to decide: {block.text}", highlight=False)
    for pair in shown.compatriots:
        console.print(f"compatriots in {pair.heat}: {pair.nation} {', '.join(pair.bibs)}", highlight=False)
    for proposal in shown.proposals:
        console.print(f"proposed: {proposal.text}", highlight=False)
    console.print(f"next: {view.next.text}", highlight=False)
    return 0
