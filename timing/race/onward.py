"""Who goes on from a heat, and where to: the marks behind the names (`Q1/4`, `R`, `QG`, track-rules §1.7, §1.8).

A proposal from the places as they stand; who really rides the next round is composed and confirmed by people.
"""

from typing import NamedTuple

from config.models import Onward, RuleBook
from timing.race.alerts import alert
from timing.race.heat import HeatLog
from timing.race.picture import HeatPicture, ResultLine
from timing.race.sentences import Alert


class OpenTie(NamedTuple):
    """A dead heat for more riders than go on: nobody of it has a mark until a person resolves it."""

    onward: Onward
    place: int
    bibs: tuple[str, ...]


def marks(log: HeatLog, results: tuple[ResultLine, ...]) -> dict[str, str]:
    """By bib, where the rider goes on to. Who has neither a place nor a code yet, or stands in an open tie, has none.

    DSQ and DNS never go on, REL goes on by its place, DNF with the rest where the rule book lets it.
    """
    tied = {bib for tie in open_ties(log, results) for bib in tie.bibs}
    found: dict[str, str] = {}
    for line in results:
        onward = None if line.bib in tied else onward_of(log, line)
        if onward is not None:
            found[line.bib] = onward.mark
    return found


def onward_of(log: HeatLog, line: ResultLine) -> Onward | None:
    """The entry of the heat's configuration that takes a rider on, ties left aside."""
    if line.status is not None and not may_go_on(log.setup.rules, line.status):
        return None
    for one in log.heat.onward:
        if one.rest:
            return one if line.place is not None or line.status is not None else None
        if line.place is not None and (one.first or 0) <= line.place <= (one.last or 0):
            return one
    return None


def may_go_on(rules: RuleBook, code: str) -> bool:
    """Whether a rider with this code may ride the next round (UCI 3.2.004, track-rules §3.14)."""
    status = next((one for one in rules.codes if one.code == code), None)
    if status is None or not status.proceeds:
        return False
    return status.keeps_place or rules.keirin.dnf_proceeds_to_repechage


def open_ties(log: HeatLog, results: tuple[ResultLine, ...]) -> tuple[OpenTie, ...]:
    """Dead heats across the last place that goes on. No article resolves one in a keirin (track-rules §1.7)."""
    found = []
    for one in log.heat.onward:
        if one.last is None:
            continue
        by_place: dict[int, list[str]] = {}
        for line in results:
            if line.place is not None and (one.first or 0) <= line.place <= one.last:
                by_place.setdefault(line.place, []).append(line.bib)
        for place, bibs in by_place.items():
            if len(bibs) > 1 and place + len(bibs) - 1 > one.last:
                found.append(OpenTie(one, place, tuple(bibs)))
    return tuple(found)


def tie_alerts(log: HeatLog, picture: HeatPicture) -> list[Alert]:
    """A judged dead heat that leaves open who goes on. A virtual order is no dead heat: it only has no better data."""
    if picture.status not in ("provisional", "official"):
        return []
    return [
        alert(
            "dead_heat_onward",
            bibs=", ".join(tie.bibs),
            place=tie.place,
            last=(tie.onward.last or 0) - tie.place + 1,
            mark=tie.onward.mark,
        )
        for tie in open_ties(log, picture.results)
    ]
