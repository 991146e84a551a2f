"""The result of a heat: order and gaps, splits, and the pace report as an appendix."""

from config.models import Setup
from timing.control.communique.content import Block, Column, Communique, Facts, PageBreak, Table, Text, without_empty
from timing.control.communique.decisions import decision_rows, decisions_table
from timing.control.communique.heading import Issue, heat_communique
from timing.control.communique.pace_chart import pace_chart
from timing.control.communique.wording import full_name, gap, listed, number, place, riders_by_bib, seconds
from timing.race.picture import Crossing, HeatPicture, RiderSplits

INFERRED = frozenset({"interpolated", "accepted"})


def heat_result(
    setup: Setup, picture: HeatPicture, issue: Issue, marks: dict[str, str] | None = None, appendix: bool = True
) -> Communique:
    """Order, gaps and notes; the winner's last 200 m; splits; the pace report on a page of its own.

    `marks` are the qualification marks by bib. Place is as judged; equal gaps may have different places.
    """
    marks = marks or {}
    blocks: list[Block] = [_order(setup, picture, marks)]
    facts = _facts(picture)
    if facts:
        blocks.append(Facts(pairs=facts))
    if picture.decisions:
        blocks.append(decisions_table(decision_rows(setup, picture)))
    splits = _splits(setup, picture)
    if splits is not None:
        blocks += splits
    if appendix and picture.pace.sections:
        blocks += [PageBreak(), *pace_report(picture)]
    title = "Result" if picture.status == "official" else "Provisional result"
    return heat_communique(setup, picture, issue, "result", title, tuple(blocks))


def _order(setup: Setup, picture: HeatPicture, marks: dict[str, str]) -> Table:
    riders = riders_by_bib(setup)
    open_ = picture.status != "official"
    rows = []
    for line in picture.results:
        note = "  ".join(filter(None, (line.status, "W" * line.warnings)))
        rows.append(
            (
                place(line.place, open_),
                line.bib,
                full_name(riders[line.bib]),
                line.nation or "",
                gap(line),
                note,
                marks.get(line.bib, ""),
            )
        )
    table = Table(
        columns=(
            Column("Place", "right"),
            Column("No.", "right"),
            Column("Name", "left", 3),
            Column("Nation"),
            Column("Gap", "right"),
            Column("Note"),
            Column("Qualified"),
        ),
        rows=tuple(rows),
        strong=(0,) if picture.results and picture.results[0].place is not None else (),
    )
    return without_empty(table, frozenset({"Place", "Gap"}))


def _facts(picture: HeatPicture) -> tuple[tuple[str, str], ...]:
    found = []
    finish = picture.finish
    if finish.last_200_ms is not None:
        speed = "" if finish.last_200_kmh is None else f" ({finish.last_200_kmh:.3f} km/h)"
        found.append(("Winner's last 200 m", f"{seconds(finish.last_200_ms)}{speed}"))
    if picture.results and picture.results[0].source != "none":
        basis = {
            "judge": "judge's order",
            "photo_finish": "photo-finish",
            "cell": "photocell",
            "transponder": "transponders",
        }
        found.append(("Order by", basis[picture.results[0].source]))
    if picture.attempt > 1:
        stopped = [f"attempt {one.number}: {one.reason or 'stopped'}" for one in picture.attempts[:-1]]
        found.append(("Restarted", "; ".join(stopped)))
    return tuple(found)


def _splits(setup: Setup, picture: HeatPicture) -> list[Block] | None:
    """Lap times at the finish line, with the place there; what was inferred is marked."""
    riders = riders_by_bib(setup)
    order = {line.bib: line.order for line in picture.results}
    splits = [one for one in picture.splits if one.bib in order]
    laps = sorted({crossing.lap for one in splits for crossing in one.crossings if _is_lap(crossing)})
    if not laps:
        return None
    places = {(mark.mark, entry.bib): entry.place for mark in picture.orders for entry in mark.entries}
    rows = []
    inferred: list[str] = []
    for one in sorted(splits, key=lambda split: order[split.bib]):
        cells = _lap_cells(one, laps, places)
        if any("~" in cell for cell in cells):
            inferred.append(one.bib)
        rows.append((one.bib, full_name(riders[one.bib]), *cells))
    columns = (
        Column("No.", "right"),
        Column("Name", "left", 3),
        *(Column(f"Lap {count}", "right") for count in range(1, len(laps) + 1)),
    )
    blocks: list[Block] = [Table(title="Lap times (place at the line)", columns=columns, rows=tuple(rows), small=True)]
    if inferred:
        blocks.append(Text(lines=(f"~ worked out from the neighbouring loops, not read: {listed(inferred)}.",)))
    return blocks


def _is_lap(crossing: Crossing) -> bool:
    # A predicted crossing has not happened: it is for the screens.
    return crossing.loop == "finish" and crossing.lap_ms is not None and crossing.source != "predicted"


def _lap_cells(splits: RiderSplits, laps: list[int], places: dict[tuple[int, str], int]) -> list[str]:
    found = {crossing.lap: crossing for crossing in splits.crossings if _is_lap(crossing)}
    cells = []
    for lap in laps:
        crossing = found.get(lap)
        if crossing is None or crossing.lap_ms is None:
            cells.append("")
            continue
        sign = "~" if crossing.source in INFERRED else ""
        at = places.get((crossing.mark, splits.bib))
        cells.append(f"{sign}{seconds(crossing.lap_ms)}" + (f" ({at})" if at is not None else ""))
    return cells


def pace_report(picture: HeatPicture) -> list[Block]:
    """Derny pace compliance (UCI 3.2.137): shown and logged, it decides nothing."""
    pace = picture.pace
    facts = [
        ("Target", f"{pace.target_entry_kmh:g} to {pace.target_exit_kmh:g} km/h over {pace.paced_m:g} m"),
        ("Measured", f"{number(pace.entry_kmh, 1) or '-'} to {number(pace.exit_kmh, 1) or '-'} km/h"),
        ("Left the track", _pull_off(picture)),
        ("Summary", pace.summary),
    ]
    rows = tuple(
        (
            f"{section.from_m:.1f}",
            f"{section.to_m:.1f}",
            seconds(section.duration_ms),
            f"{section.speed_kmh:.2f}",
            f"{section.target_kmh:.2f}",
            f"{section.deviation_kmh:+.2f}".replace("-", "\N{MINUS SIGN}"),
            {"in": "", "amber": "!", "red": "!!"}[section.band],
        )
        for section in pace.sections
    )
    columns = (
        Column("From m", "right"),
        Column("To m", "right"),
        Column("Time", "right"),
        Column("km/h", "right"),
        Column("Target", "right"),
        Column("Difference", "right"),
        Column("", "left"),
    )
    blocks: list[Block] = [
        Text(lines=("Shown for information: no sanction depends on it.",), title="Appendix: pace report"),
        Facts(pairs=tuple(facts)),
        pace_chart(pace),
        Table(columns=columns, rows=rows, small=True),
    ]
    if pace.findings:
        blocks.append(Text(lines=tuple(f"Pacer {finding.text}." for finding in pace.findings), title="Findings"))
    return blocks


def _pull_off(picture: HeatPicture) -> str:
    pace = picture.pace
    if pace.pull_off_m is None:
        return "not seen"
    words = {"on_time": "as it should", "early": "early", "late": "late", "seen_again": "and was seen again"}
    verdict = words.get(pace.pull_off, "")
    return f"after {pace.pull_off_m:g} m {verdict}".strip()
