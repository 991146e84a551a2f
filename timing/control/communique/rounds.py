"""A round in one table (who goes where), and the classification of the competition."""

from collections.abc import Mapping, Sequence

from config.models import Setup
from timing.control.communique.content import Block, Column, Communique, Table, without_empty
from timing.control.communique.heading import Issue, communique
from timing.control.communique.start_lists import composition_notes
from timing.control.communique.wording import (
    event_name,
    full_name,
    gap,
    heat_name,
    heat_title,
    local_time,
    place,
    riders_by_bib,
)
from timing.race.competition.views import CompetitionView, HeatView, RoundView
from timing.race.picture import HeatPicture


def round_summary(
    setup: Setup,
    competition: CompetitionView,
    round_id: str,
    pictures: Mapping[str, HeatPicture],
    issue: Issue,
) -> Communique:
    """Every heat of a round with the qualification marks, and the panel's swaps. KeyError for an unknown round."""
    shown = _round(competition, round_id)
    blocks: list[Block] = [_heat_table(setup, shown, heat, pictures.get(heat.heat)) for heat in shown.heats]
    blocks += composition_notes(setup, shown)
    official = all(heat.status == "official" for heat in shown.heats)
    return communique(
        setup,
        issue,
        "round",
        subject=round_id,
        event=event_name("keirin", competition.category),
        title="Round summary",
        subtitle=shown.name,
        status="Official" if shown.state == "closed" and official else "Provisional",
        blocks=tuple(blocks),
    )


def _round(competition: CompetitionView, round_id: str) -> RoundView:
    for one in competition.rounds:
        if one.round == round_id:
            return one
    raise KeyError(round_id)


def _heat_table(setup: Setup, shown: RoundView, heat: HeatView, picture: HeatPicture | None) -> Table:
    riders = riders_by_bib(setup)
    going = {one.bib: one for one in shown.going if one.heat == heat.heat}
    lines = {line.bib: line for line in picture.results} if picture is not None else {}
    open_ = heat.status != "official"
    bibs = [line.bib for line in picture.results] if lines and picture is not None else [one.bib for one in heat.riders]
    slots = {one.bib: one.slot for one in heat.riders}
    rows = []
    for bib in bibs:
        line, way = lines.get(bib), going.get(bib)
        rider = riders.get(bib)
        rows.append(
            (
                place(line.place, open_) if line is not None else "",
                bib,
                full_name(rider) if rider is not None else "",
                (rider.nation or "") if rider is not None else "",
                slots.get(bib, ""),
                gap(line) if line is not None else "",
                (line.status or "") if line is not None else "",
                way.mark if way is not None else "",
            )
        )
    columns = (
        Column("Place", "right"),
        Column("No.", "right"),
        Column("Name", "left", 3),
        Column("Nation"),
        Column("From"),
        Column("Gap", "right"),
        Column("Note"),
        Column("Qualified"),
    )
    alone = sum(one.round_name == heat.round_name for one in shown.heats) == 1
    title = heat_title(heat.round_name, 0 if alone else heat.number)
    if heat.walkover:
        title = f"{title} (walkover)"
    table = Table(title=title, columns=columns, rows=tuple(rows), small=True)
    return without_empty(table, frozenset({"Place", "Gap", "Qualified"}))


def classification(setup: Setup, competition: CompetitionView, issue: Issue) -> Communique:
    """The classification as it stands: shared ranks where the format has them, DSQ last and without a rank."""
    riders = riders_by_bib(setup)
    names = {one.round: one.name for one in competition.rounds}
    entries = {one.entry.bib: one.entry for one in competition.entries}
    rows = []
    for line in competition.classification:
        rider = riders.get(line.bib)
        entry = entries.get(line.bib)
        name = full_name(rider) if rider is not None else full_name(entry) if entry is not None else ""
        nation = (rider.nation if rider is not None else entry.nation if entry is not None else None) or ""
        rank = "" if line.rank is None else f"{line.rank}." if line.settled else f"({line.rank}.)"
        rows.append((rank, line.bib, name, nation, names.get(line.round, ""), line.status or ""))
    columns = (
        Column("Rank", "right"),
        Column("No.", "right"),
        Column("Name", "left", 3),
        Column("Nation"),
        Column("Last round"),
        Column("Note"),
    )
    strong = tuple(index for index, line in enumerate(competition.classification) if line.rank in (1, 2, 3))
    table = without_empty(
        Table(columns=columns, rows=tuple(rows), strong=strong if competition.final else (), small=len(rows) > 24),
        frozenset({"Rank"}),
    )
    return communique(
        setup,
        issue,
        "classification",
        subject=competition.competition,
        event=event_name("keirin", competition.category),
        title="Final classification" if competition.final else "Classification so far",
        status="Official" if competition.final else "Virtual",
        blocks=(table,),
    )


def entry_list(setup: Setup, competition: CompetitionView) -> Table:
    """The entries by seed, for the results book."""
    rows = tuple(
        (
            "" if one.seed is None else str(one.seed),
            one.entry.bib,
            full_name(one.entry),
            one.entry.nation or "",
            "unranked" if one.entry.ranking is None else str(one.entry.ranking),
            one.withdrawn or "",
        )
        for one in sorted(competition.entries, key=lambda one: (one.seed is None, one.seed or 0, one.entry.bib))
    )
    columns = (
        Column("Seed", "right"),
        Column("No.", "right"),
        Column("Name", "left", 3),
        Column("Nation"),
        Column("Ranking", "right"),
        Column("Withdrawn"),
    )
    return without_empty(Table(columns=columns, rows=rows, small=True))


def seals(setup: Setup, official: Sequence[tuple[HeatPicture, int, int, str]]) -> Table:
    """What seals each official result: (picture, row of the confirmation, its instant, the picture's SHA-256)."""
    rows = tuple(
        (
            heat_name(setup, picture),
            local_time(at_us, setup.venue.timezone),
            str(row),
            digest[:32],
        )
        for picture, row, at_us, digest in official
    )
    columns = (Column("Heat", "left", 2), Column("Official"), Column("Row", "right"), Column("SHA-256 of the result"))
    return Table(columns=columns, rows=rows, small=True)
