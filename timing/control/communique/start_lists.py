"""Start lists: who stands where on the line."""

from collections.abc import Sequence

import msgspec

from config.models import Setup
from timing.control.communique.content import Block, Column, Communique, Facts, Table, Text, without_empty
from timing.control.communique.heading import Issue, communique, heat_communique
from timing.control.communique.wording import event_name, full_name, heat_name, riders_by_bib
from timing.race.competition.views import RoundView
from timing.race.course import build_course
from timing.race.picture import HeatPicture

COLUMNS = (
    Column("Position", "right"),
    Column("No.", "right"),
    Column("Name", "left", 3),
    Column("Nation", "left"),
    Column("From", "left"),
)


def start_list(setup: Setup, picture: HeatPicture, issue: Issue, onward: str = "") -> Communique:
    """The start list of one heat. `onward` says who goes through."""
    facts = race_facts(setup, picture)
    if onward:
        facts = (*facts, ("To the next round", onward))
    blocks: tuple[Block, ...] = (_table(picture), Facts(pairs=facts))
    return heat_communique(setup, picture, issue, "start_list", "Start list", blocks)


def round_start_lists(
    setup: Setup, pictures: Sequence[HeatPicture], issue: Issue, round_view: RoundView, onward: str
) -> Communique:
    """The start lists of all heats of a round, with the panel's swaps and the seed of the draw."""
    blocks: list[Block] = []
    for picture in pictures:
        blocks.append(msgspec.structs.replace(_table(picture), title=_title(setup, picture), small=True))
    if pictures:
        facts = tuple(fact for fact in race_facts(setup, pictures[0]) if fact[0] != "Planned start")
        blocks.append(Facts(pairs=(*facts, ("To the next round", onward)) if onward else facts))
    blocks += composition_notes(setup, round_view)
    walkovers = [heat for heat in round_view.heats if heat.walkover]
    if walkovers:
        lines = tuple(
            f"{heat.heat}: no. {heat.riders[0].bib} has no opponent and takes the place." for heat in walkovers
        )
        blocks.append(Text(title="Walkovers", lines=lines))
    first = pictures[0] if pictures else None
    return communique(
        setup,
        issue,
        "start_list",
        subject=round_view.round,
        event=event_name(first.event, first.category) if first is not None else "",
        title="Start lists",
        subtitle=round_view.name,
        blocks=tuple(blocks),
    )


def _title(setup: Setup, picture: HeatPicture) -> str:
    heat = next(one for one in setup.meet.heats if one.id == picture.heat)
    planned = f" · {heat.scheduled[11:]}" if heat.scheduled else ""
    return f"{heat_name(setup, picture)}{planned}"


def _table(picture: HeatPicture) -> Table:
    """By place on the line, 1 lowest (UCI 3.2.138)."""
    starters = sorted(picture.starters, key=lambda one: one.draw)
    rows = tuple((str(one.draw), one.bib, full_name(one), one.nation or "", one.origin) for one in starters)
    return without_empty(Table(columns=COLUMNS, rows=rows))


def composition_notes(setup: Setup, shown: RoundView) -> list[Block]:
    """The panel's swaps with their reasons, and the seed from which the places on the line were drawn."""
    riders = riders_by_bib(setup)

    def who(bib: str) -> str:
        return f"{bib} {full_name(riders[bib])}" if bib in riders else bib

    lines = [
        f"{who(swap.first)} ({swap.first_heat}) and {who(swap.second)} ({swap.second_heat}) were exchanged by the "
        f"panel: {swap.reason}."
        for swap in shown.swaps
    ]
    if shown.draw_seed is not None:
        lines.append(f"Places on the line: drawn from the published seed \u201c{shown.draw_seed}\u201d.")
    return [Text(title="Composition", lines=tuple(lines))] if lines else []


def race_facts(setup: Setup, picture: HeatPicture) -> tuple[tuple[str, str], ...]:
    """Laps, distance and pacing of the heat."""
    heat = next(one for one in setup.meet.heats if one.id == picture.heat)
    course = build_course(setup, heat)
    pace = picture.pace
    facts = [
        ("Laps", f"{course.total_laps:g} of {course.track_length_m:g} m"),
        ("Pacing", f"{pace.paced_m:g} m, {pace.target_entry_kmh:g} to {pace.target_exit_kmh:g} km/h"),
    ]
    if heat.scheduled:
        facts.append(("Planned start", heat.scheduled.replace("T", " ")))
    return tuple(facts)
