"""Sanctions over the heats of one event: a second warning or a third relegation means DSQ (UCI 3.2.013, 3.10.003).

They hold for the event only, so they are counted over all heats of one discipline and category, and over stopped
attempts too. It is proposed; the commissaires rule.
"""

from collections.abc import Iterable
from typing import NamedTuple

from timing.race.alerts import alert
from timing.race.finish import WARNING
from timing.race.heat import HeatLog
from timing.race.notices import RELEGATIONS_FOR_DSQ, WARNINGS_FOR_DSQ
from timing.race.sentences import Alert

RELEGATION = "REL"
DISQUALIFICATION = "DSQ"
OF_ONE_HEAT = ("propose_dsq_warnings", "propose_dsq_relegations")


class Count(NamedTuple):
    """A rider's sanctions in an event, with the heats in which they were given, in the order of the programme."""

    warnings: int
    relegations: int
    disqualified: bool
    heats: tuple[str, ...]


def event_counts(logs: Iterable[HeatLog]) -> dict[str, Count]:
    """Sanctions that stand, by bib, over the given heats (those of one event)."""
    given: dict[str, list[tuple[str, str]]] = {}
    for log in logs:
        for bib, code in log.rulings:
            given.setdefault(bib, []).append((code, log.heat.id))
    return {bib: _count(codes) for bib, codes in given.items()}


def _count(given: list[tuple[str, str]]) -> Count:
    codes = [code for code, _ in given]
    counted = [heat for code, heat in given if code in (WARNING, RELEGATION)]
    return Count(
        codes.count(WARNING),
        codes.count(RELEGATION),
        DISQUALIFICATION in codes,
        tuple(dict.fromkeys(counted)),
    )


def same_event(logs: Iterable[HeatLog], heat: HeatLog) -> list[HeatLog]:
    """The heats of the same discipline and category."""
    wanted = heat.heat.event, heat.heat.category
    return [log for log in logs if (log.heat.event, log.heat.category) == wanted]


def proposals(logs: Iterable[HeatLog], heat: HeatLog, told: Iterable[Alert] = ()) -> list[Alert]:
    """For riders of `heat` who reached the limit over the event and are not disqualified yet.

    `told` are the heat's own alerts: who is proposed there already is not named twice.
    """
    named = {one.params["bib"] for one in told if one.key in OF_ONE_HEAT}
    counts = event_counts(same_event(logs, heat))
    found = []
    for bib in heat.index_of_bib:
        count = counts.get(bib)
        if count is None or count.disqualified or bib in named:
            continue
        if count.warnings >= WARNINGS_FOR_DSQ or count.relegations >= RELEGATIONS_FOR_DSQ:
            found.append(
                alert(
                    "propose_dsq",
                    bib=bib,
                    warnings=count.warnings,
                    relegations=count.relegations,
                    heats=", ".join(count.heats),
                )
            )
    return found
