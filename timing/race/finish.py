"""Who finished where: the judge's order over the photo-finish, the photo-finish over the transponders.

Place is never derived from the gap (DESIGN §5): both are kept as they were judged and measured.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from config.models import StatusCode
from drivers.records import PhotoFinishLine
from timing.core.arrays import MISSING
from timing.core.order import finish_gaps
from timing.race.attempts import Attempt, HeatEvents
from timing.race.cells import CLOSE_US, Cells
from timing.race.field import Field
from timing.race.heat import HeatLog
from timing.race.picture import Disagreement, Finish, OrderEntry, ResultLine
from timing.units import truncate_to_ms

WARNING = "W"
Source = Literal["judge", "photo_finish", "cell", "transponder", "none"]


NOBODY = ""
"""Stands in a group for a line of the photo-finish without a rider of this heat: the place is taken all the same."""


class _Placing(NamedTuple):
    groups: list[list[str]]
    """Placed bibs (or NOBODY) from first to last; a group of several is a dead heat."""
    rest: list[str]
    """Riders without a place, in the order in which they are listed."""
    source: Source


@dataclass(frozen=True)
class _Verdict:
    code: str
    reason: str
    serial: int
    order: int | None = None
    """Among several relegated, as the commissaire ordered it."""


def transponder_finish_us(log: HeatLog, field: Field) -> dict[str, int]:
    """Race µs at which each rider's front wheel reached the finish line, by its transponder. Reads only."""
    mark = log.course.finish_mark
    if mark < 0:
        return {}
    times: dict[str, int] = {}
    for index, rider in enumerate(log.riders):
        at_us = int(field.read_us[index, mark])
        if at_us == MISSING:
            continue
        front_m = rider.transponder_to_front_m
        if front_m is None:
            front_m = log.setup.meet.transponder_to_front_m
        speed = float(field.splits.sector_ms[index, mark])
        times[rider.bib] = at_us - (round(front_m / speed * 1e6) if speed > 0 else 0)
    return times


def _measured(log: HeatLog, cells: Cells | None, by_transponder: dict[str, int]) -> dict[str, int]:
    """The same riders' front wheels: by the photocell where it saw them, else by transponder."""
    if cells is None or not by_transponder:
        return by_transponder
    seen = cells.front_us[: log.pacer_index, log.course.finish_mark].tolist()
    by_cell = {bib: seen[log.index_of_bib[bib]] for bib in by_transponder}
    return {bib: at_us if by_cell[bib] == MISSING else by_cell[bib] for bib, at_us in by_transponder.items()}


def finish_and_results(
    log: HeatLog, events: HeatEvents, attempt: Attempt, field: Field, cells: Cells | None = None
) -> tuple[Finish, tuple[ResultLine, ...]]:
    """Both orders with their disagreements, and the result with the decisions applied."""
    by_transponder = transponder_finish_us(log, field)
    measured = _measured(log, cells, by_transponder)
    lines = attempt.sheet.sheet.lines if attempt.sheet is not None else ()
    placing = _placing(log, attempt, lines, measured)
    if placing.source == "transponder" and _all_by_cell(log, cells, measured):
        placing = placing._replace(source="cell")
    results = _results(log, events, placing, lines, measured)
    winner = results[0].bib if results and results[0].place is not None else None
    last_200_us = _last_200_us(log, field, cells, winner)
    return _finish(log, attempt, lines, by_transponder, last_200_us), results


def _all_by_cell(log: HeatLog, cells: Cells | None, times: dict[str, int]) -> bool:
    if cells is None:
        return False
    return all(cells.front_us[log.index_of_bib[bib], log.course.finish_mark] != MISSING for bib in times)


def too_close(results: tuple[ResultLine, ...]) -> list[tuple[str, str]]:
    """Neighbours timed by a photocell whom their transponders cannot tell apart: closer than CLOSE_US."""
    placed = [line for line in results if line.source == "cell" and line.place is not None]
    return [
        (ahead.bib, behind.bib)
        for ahead, behind in pairwise(placed)
        if behind.gap_us is not None and behind.gap_us - (ahead.gap_us or 0) < CLOSE_US
    ]


def _placing(
    log: HeatLog, attempt: Attempt, lines: tuple[PhotoFinishLine, ...], by_transponder: dict[str, int]
) -> _Placing:
    everybody = [rider.bib for rider in log.riders]
    groups: list[list[str]] = []
    source: Source = "none"
    if attempt.judged:
        groups = [[bib for bib in group if bib in log.index_of_bib] for group in attempt.judged]
        source = "judge"
    elif lines:
        source = "photo_finish"
        by_place: dict[int, list[str]] = {}
        read: set[str] = set()
        for line in lines:
            if line.place is None or line.bib in read:
                continue
            known = line.bib is not None and line.bib in log.index_of_bib
            by_place.setdefault(line.place, []).append(str(line.bib) if known else NOBODY)
            read.update({line.bib} if line.bib is not None else ())
        groups = [by_place[place] for place in sorted(by_place)]
    elif by_transponder:
        source = "transponder"
        by_time: dict[int, list[str]] = {}
        for bib, at_us in by_transponder.items():
            by_time.setdefault(at_us, []).append(bib)
        groups = [by_time[at_us] for at_us in sorted(by_time)]
    placed = {bib for group in groups for bib in group}
    listed = [line.bib for line in lines if line.bib in log.index_of_bib and line.bib not in placed]
    rest = [bib for bib in dict.fromkeys(listed) if bib is not None]
    rest += [bib for bib in everybody if bib not in placed and bib not in rest]
    return _Placing([group for group in groups if group], rest, source)


def _verdicts(events: HeatEvents) -> tuple[dict[str, _Verdict], dict[str, int]]:
    """The code in force for each rider (the last one ordered) and the number of warnings."""
    verdicts: dict[str, _Verdict] = {}
    warnings: dict[str, int] = {}
    for serial, decision in enumerate(events.decisions):
        if decision.code == WARNING:
            warnings[decision.bib] = warnings.get(decision.bib, 0) + 1
            continue
        reason = f"{decision.article}: {decision.reason}" if decision.article else decision.reason
        verdicts[decision.bib] = _Verdict(decision.code, reason, serial, events.relegation_order.get(decision.command))
    return verdicts, warnings


def _results(
    log: HeatLog,
    events: HeatEvents,
    placing: _Placing,
    lines: tuple[PhotoFinishLine, ...],
    by_transponder: dict[str, int],
) -> tuple[ResultLine, ...]:
    codes = {code.code: code for code in log.setup.rules.codes}
    verdicts, warnings = _verdicts(events)
    sheet = {line.bib: line for line in lines}
    # A rider without a place makes room: those behind move up.
    groups = [[bib for bib in group if bib not in verdicts] for group in placing.groups]
    groups = [group for group in groups if group]
    kept = {bib: v for bib, v in verdicts.items() if bib in log.index_of_bib and _keeps_place(codes, v.code)}
    # REL is the last place of the heat; no article orders several: the commissaire does, else the first ruled on.
    groups += [[bib] for bib in sorted(kept, key=lambda bib: _relegation_key(kept[bib]))]
    times = _finish_times(placing, sheet, by_transponder)
    first = groups[0] if groups else []
    winner_us = next((times[bib] for bib in first if bib in times and bib not in kept), None)
    rows: list[ResultLine] = []
    place = log.heat.first_place
    for group in groups:
        for bib in group:
            if bib == NOBODY:
                continue
            gap_us = None
            if bib not in first and bib not in kept and winner_us is not None and bib in times:
                gap_us = times[bib] - winner_us
            verdict = verdicts.get(bib)
            rows.append(_line(log, len(rows) + 1, place, bib, gap_us, verdict, placing.source, warnings))
        place += len(group)
    rest = [bib for bib in placing.rest if bib not in kept]
    rest += [bib for group in placing.groups for bib in group if bib in verdicts and bib not in kept]
    without = [(bib, verdicts.get(bib) or _read_off(codes, sheet.get(bib))) for bib in rest]
    without.sort(key=lambda one: -1 if one[1] is None else codes[one[1].code].sort)
    for bib, verdict in without:
        rows.append(_line(log, len(rows) + 1, None, bib, None, verdict, placing.source, warnings))
    return tuple(rows)


def _read_off(codes: dict[str, StatusCode], line: PhotoFinishLine | None) -> _Verdict | None:
    """The code that the camera's operator entered for a rider without a place, until a commissaire rules."""
    if line is None or line.status is None or line.status not in codes:
        return None
    return _Verdict(line.status, "as read on the photo-finish", 0)


def _relegation_key(verdict: _Verdict) -> tuple[bool, int, int]:
    """Ordered ones first, by their order; then in the order in which they were ruled on."""
    return verdict.order is None, verdict.order or 0, verdict.serial


def _keeps_place(codes: dict[str, StatusCode], code: str) -> bool:
    return code in codes and codes[code].keeps_place


def _finish_times(
    placing: _Placing, sheet: dict[str | None, PhotoFinishLine], by_transponder: dict[str, int]
) -> dict[str, int]:
    """Times on one scale: all from the photo-finish where there is one, else all from the transponders.

    A camera that states gaps and no times gives a scale too: the winner's is its zero.
    """
    if not sheet:
        return by_transponder
    timed = {str(bib): line.time_us for bib, line in sheet.items() if bib and line.time_us is not None}
    if timed:
        return timed
    gaps = {str(bib): line.gap_us for bib, line in sheet.items() if bib and line.gap_us is not None}
    winners = (str(bib) for bib, line in sheet.items() if bib and line.place == 1)
    return gaps and dict.fromkeys(winners, 0) | gaps


def _line(
    log: HeatLog,
    order: int,
    place: int | None,
    bib: str,
    gap_us: int | None,
    verdict: _Verdict | None,
    source: Source,
    warnings: dict[str, int],
) -> ResultLine:
    rider = log.riders[log.index_of_bib[bib]]
    return ResultLine(
        order=order,
        place=place,
        bib=bib,
        name=rider.name,
        nation=rider.nation,
        gap_ms=None if gap_us is None else truncate_to_ms(gap_us),
        gap_us=gap_us,
        status=verdict.code if verdict is not None else None,
        reason=verdict.reason if verdict is not None else "",
        source=source,
        warnings=warnings.get(bib, 0),
    )


def _finish(
    log: HeatLog,
    attempt: Attempt,
    lines: tuple[PhotoFinishLine, ...],
    by_transponder: dict[str, int],
    last_200_us: int | None,
) -> Finish:
    bibs = list(by_transponder)
    entries: list[OrderEntry] = []
    if bibs:
        gaps = finish_gaps(np.array([by_transponder[bib] for bib in bibs], np.int64))
        for index, bib in enumerate(bibs):
            gap_ms = truncate_to_ms(int(gaps.gap_us[index]))
            entries.append(OrderEntry(bib, int(gaps.place[index]), gap_ms, False, 100))
        entries.sort(key=lambda entry: (entry.place, entry.bib))
    photo = [str(line.bib) for line in lines if line.place is not None and line.bib in log.index_of_bib]
    return Finish(
        transponder=tuple(entries),
        photo_finish=tuple(photo),
        photo_finish_read=attempt.sheet.ref if attempt.sheet is not None else None,
        judged=attempt.judged,
        disagreements=_disagreements(photo, by_transponder),
        last_200_ms=None if last_200_us is None else truncate_to_ms(last_200_us),
        last_200_kmh=None if not last_200_us else round(200.0 / last_200_us * 3.6e6, 2),
    )


def _disagreements(photo: list[str], by_transponder: dict[str, int]) -> tuple[Disagreement, ...]:
    """Pairs that follow each other in the photo-finish and came in the other order by transponder."""
    found = []
    for ahead, behind in pairwise(photo):
        if ahead in by_transponder and behind in by_transponder:
            gap_us = by_transponder[behind] - by_transponder[ahead]
            if gap_us < 0:
                found.append(Disagreement(ahead, behind, truncate_to_ms(gap_us)))
    return tuple(found)


def _last_200_us(log: HeatLog, field: Field, cells: Cells | None, winner: str | None) -> int | None:
    """The winner's time from the 200 m line to the finish: by photocells at both lines, else by its transponder."""
    course = log.course
    if winner is None or course.l200_mark < 0 or course.finish_mark < 0:
        return None
    row = log.index_of_bib[winner]
    if cells is not None:
        ends = cells.front_us[row, [course.l200_mark, course.finish_mark]].tolist()
        if MISSING not in ends:
            return int(ends[1] - ends[0])
    from_us, to_us = int(field.read_us[row, course.l200_mark]), int(field.read_us[row, course.finish_mark])
    return None if MISSING in (from_us, to_us) else to_us - from_us
