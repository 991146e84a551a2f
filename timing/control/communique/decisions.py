"""Decisions of the commissaires' panel."""

from collections.abc import Sequence

from config.models import Setup
from timing.control.communique.content import Block, Column, Communique, Table, Text
from timing.control.communique.heading import Issue, communique
from timing.control.communique.wording import event_name, full_name, heat_name, local_time, riders_by_bib
from timing.race.picture import HeatPicture

CODES = {"W": "Warning", "REL": "Relegated", "DNF": "Did not finish", "DNS": "Did not start", "DSQ": "Disqualified"}


def decision_rows(setup: Setup, picture: HeatPicture, heat: bool = False) -> list[tuple[str, ...]]:
    """A row for each decision in force in a heat; with the heat's name for a list over several."""
    riders = riders_by_bib(setup)
    rows: list[tuple[str, ...]] = []
    for one in picture.decisions:
        rider = riders.get(one.bib)
        who = full_name(rider) if rider is not None else ""
        reason = f"{one.reason} (UCI {one.article})" if one.article else one.reason
        signed = f"{one.actor}, {local_time(one.at_us, setup.venue.timezone)[11:16]}"
        row = (one.bib, who, CODES.get(one.code, one.code), reason, signed)
        rows.append((heat_name(setup, picture), *row) if heat else row)
    return rows


def decisions_table(rows: Sequence[tuple[str, ...]], heat: bool = False) -> Table:
    """Who, what, why, and who signed it."""
    columns: tuple[Column, ...] = (
        Column("No.", "right"),
        Column("Name", "left", 2),
        Column("Decision"),
        Column("Reason", "left", 3),
        Column("Signed", "left", 2),
    )
    if heat:
        columns = (Column("Heat", "left", 1.5), *columns)
    return Table(title="Decisions of the commissaires' panel", columns=columns, rows=tuple(rows), small=True)


def decisions(setup: Setup, pictures: Sequence[HeatPicture], issue: Issue, subject: str) -> Communique:
    """All decisions in force in these heats."""
    rows = [row for picture in pictures for row in decision_rows(setup, picture, heat=True)]
    block: Block = decisions_table(rows, heat=True) if rows else Text(lines=("No decision was taken.",))
    event = event_name(pictures[0].event, pictures[0].category) if pictures else ""
    return communique(setup, issue, "decisions", subject=subject, event=event, title="Decisions", blocks=(block,))
