"""The results of a meet as one JSON document: what `velodrome results --json` and `demo --json` print.

Its names are a contract (DESIGN §9). Schema `velodrome/results/1`.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from timing.race.meet import MeetState
from timing.race.picture import HeatPicture, PaceReport, RiderSplits

SCHEMA = "velodrome/results/1"


class ResultRow(msgspec.Struct, frozen=True):
    """One rider of a heat. `gap_ms` is null for the winner and where no gap was measured."""

    order: int
    place: int | None
    bib: str
    name: str
    nation: str | None
    gap_ms: int | None
    status: str | None


class HeatResult(msgspec.Struct, frozen=True):
    """One heat with its splits and its pace report."""

    id: str
    round: str
    heat: int
    attempt: int
    status: str
    results: tuple[ResultRow, ...]
    last_200_ms: int | None
    splits: tuple[RiderSplits, ...]
    pace: PaceReport


class ClassifiedRow(msgspec.Struct, frozen=True):
    """A rider of a classification. `rank` is null where the rule leaves it open (DNS in a final) and for DSQ."""

    competition: str
    rank: int | None
    bib: str
    name: str
    nation: str | None
    status: str | None
    final: bool
    """Whether nothing that is still to be ridden can change it."""


class Results(msgspec.Struct, frozen=True):
    """The meet. `classification` is empty where the meet has no competition."""

    schema: str
    meet: str
    name: str
    journal_id: int
    heats: tuple[HeatResult, ...]
    classification: tuple[ClassifiedRow, ...] = ()


class UnknownHeat(Exception):
    """The heat asked for is not in the meet; the message names those that are."""


def heat_result(picture: HeatPicture) -> HeatResult:
    """A heat's picture as its published result."""
    rows = tuple(
        ResultRow(one.order, one.place, one.bib, one.name, one.nation, one.gap_ms, one.status)
        for one in picture.results
    )
    return HeatResult(
        id=picture.heat,
        round=picture.round,
        heat=picture.number,
        attempt=picture.attempt,
        status=picture.status,
        results=rows,
        last_200_ms=picture.finish.last_200_ms,
        splits=picture.splits,
        pace=picture.pace,
    )


def results(state: MeetState, heat: str | None = None) -> Results:
    """All heats that were opened, in the order of the programme, or one. Raises UnknownHeat."""
    if heat is not None and heat not in state.heats:
        raise UnknownHeat(f"heat {heat!r} is not in the meet: it has {', '.join(state.heats) or 'none'}")
    chosen = [name for name, log in state.heats.items() if log.opened_us is not None]
    if heat is not None:
        chosen = [heat]
    meet = state.setup.meet if state.setup is not None else None
    return Results(
        schema=SCHEMA,
        meet=meet.id if meet is not None else "",
        name=meet.name if meet is not None else "",
        journal_id=state.journal_id,
        heats=tuple(heat_result(state.picture(name)) for name in chosen),
        classification=() if heat is not None else tuple(classified(state)),
    )


def classified(state: MeetState) -> Iterator[ClassifiedRow]:
    """The classification of every competition of the meet, as it stands."""
    for view in state.office.views(state.outcome):
        names = {one.entry.bib: one.entry for one in view.entries}
        for line in view.classification:
            entry = names[line.bib]
            yield ClassifiedRow(
                view.competition, line.rank, line.bib, entry.name, entry.nation, line.status, line.settled
            )


def results_schema() -> dict[str, Any]:
    """JSON Schema of the results document (deploy/schemas/results.json)."""
    return msgspec.json.schema(Results)


def results_json(state: MeetState, heat: str | None = None) -> str:
    """`results` as JSON text on one line."""
    return msgspec.json.encode(results(state, heat)).decode()
