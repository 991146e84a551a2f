"""What an order would change, worked out on a copy of the heat's log: the meet stays as it is."""

from typing import TYPE_CHECKING

import msgspec

from timing.race.events import COMPETITION_ACTIONS, Command
from timing.race.heat import HeatLog
from timing.race.onward import marks, tie_alerts
from timing.race.orders import refuse
from timing.race.picture import Crossing, HeatPicture, ResultLine
from timing.race.sanctions import proposals
from timing.race.sentences import Alert, Sentence, say

if TYPE_CHECKING:
    from timing.race.meet import MeetState

ENGLISH = {
    "state": "the heat: {before} → {after}",
    "attempt": "attempt {after} opens",
    "attempt_back": "attempt {after} holds again",
    "lap_counter": "lap counter: {before} → {after}",
    "bell": "the bell counts as rung",
    "bell_back": "no bell is logged any more",
    "out": "{bib} does not ride the restart",
    "code": "{bib} has {code}",
    "code_gone": "{bib} has {code} no more",
    "code_other": "{bib}: {before} → {after}",
    "place": "{bib}: place {before} → {after}",
    "placed": "{bib} has place {after}",
    "unplaced": "{bib} loses place {before}",
    "winner": "the gaps count from {after} instead of {before}",
    "gap": "{bib}: gap {before} → {after}",
    "warnings": "{bib}: warnings in this heat {before} → {after}",
    "mark": "{bib}: {before} → {after}",
    "mark_gained": "{bib} goes on to {after}",
    "mark_lost": "{bib} goes on to {before} no more",
    "crossing": "{bib} at {loop}, {distance} m: {source} {time} s",
    "crossing_gone": "{bib} at {loop}, {distance} m: no crossing any more",
    "crossing_moved": "{bib} at {loop}, {distance} m: {before} s ({source_before}) → {after} s ({source})",
    "more_crossings": "{count} more crossings change",
    "alert": "asked of a person then: {alert}",
    "nothing": "nothing changes in result, way on, attempt or crossings",
}
CROSSINGS_TOLD = 12
"""A rider with another transponder changes every crossing: the first ones tell it."""
NO_GAP = "-"


class Preview(msgspec.Struct, frozen=True):
    """A heat before and after an order that was not given. Marks are by bib, as in the result message."""

    results_before: tuple[ResultLine, ...]
    results_after: tuple[ResultLine, ...]
    changes: tuple[Sentence, ...]
    marks_before: dict[str, str]
    marks_after: dict[str, str]


def preview(state: "MeetState", command: Command) -> Preview | str:
    """What a command would change if it were given now, or the sentence with which it would be refused.

    The meet's state is neither changed nor does it remember that somebody asked.
    """
    if isinstance(command.action, COMPETITION_ACTIONS):
        return "an order of the race office has no preview: the competition shows what follows before it is settled"
    heat = state.heat_meant(command)
    refusal = refuse(state, command, heat)
    if refusal is not None or heat is None:
        return refusal or ""
    log = state.heats[heat]
    changed = log.with_command(command)
    before, after = state.picture(heat), state.picture_of(changed)
    marks_before, marks_after = marks(log, before.results), marks(changed, after.results)
    others = [one for one in state.heats.values() if one is not log]
    changes = [
        *_race(before, after),
        *_left_out(log, before, after),
        *_results(before, after),
        *_marks(before, marks_before, marks_after),
        *_crossings(before, after),
        *_asked([*others, log], log, before, [*others, changed], changed, after),
    ]
    return Preview(
        before.results, after.results, tuple(changes or [say(ENGLISH, "nothing")]), marks_before, marks_after
    )


def _race(before: HeatPicture, after: HeatPicture) -> list[Sentence]:
    found = []
    if before.state != after.state:
        found.append(say(ENGLISH, "state", before=before.state, after=after.state))
    if before.attempt != after.attempt:
        key = "attempt" if after.attempt > before.attempt else "attempt_back"
        found.append(say(ENGLISH, key, after=after.attempt))
    if before.laps_to_go != after.laps_to_go:
        laps = {"before": f"{before.laps_to_go:g}", "after": f"{after.laps_to_go:g}"}
        found.append(say(ENGLISH, "lap_counter", **laps))
    if (before.bell.rung_us is None) != (after.bell.rung_us is None):
        found.append(say(ENGLISH, "bell" if before.bell.rung_us is None else "bell_back"))
    return found


def _left_out(log: HeatLog, before: HeatPicture, after: HeatPicture) -> list[Sentence]:
    """Riders whom a restart leaves out, in the order of the draw."""
    if after.attempt <= before.attempt:
        return []
    known = {one.command for one in before.decisions}
    out = {one.bib for one in after.decisions if one.command not in known}
    return [say(ENGLISH, "out", bib=bib) for bib in log.index_of_bib if bib in out]


def _results(before: HeatPicture, after: HeatPicture) -> list[Sentence]:
    """Codes, places, warnings and gaps, in the order of the result that would be."""
    found: list[Sentence] = []
    was = {line.bib: line for line in before.results}
    for line in after.results:
        old = was.get(line.bib)
        if old is not None:
            found += _code(old, line) + _place(old, line)
    first_before, first_after = _winner(before), _winner(after)
    if first_before is not None and first_after is not None and first_before != first_after:
        found.append(say(ENGLISH, "winner", before=first_before, after=first_after))
    elif first_before == first_after:
        found += _gaps(was, after.results)
    return found


def _code(old: ResultLine, new: ResultLine) -> list[Sentence]:
    found = []
    if old.status != new.status:
        if old.status is None:
            found.append(say(ENGLISH, "code", bib=new.bib, code=new.status or ""))
        elif new.status is None:
            found.append(say(ENGLISH, "code_gone", bib=new.bib, code=old.status))
        else:
            found.append(say(ENGLISH, "code_other", bib=new.bib, before=old.status, after=new.status))
    if old.warnings != new.warnings:
        found.append(say(ENGLISH, "warnings", bib=new.bib, before=old.warnings, after=new.warnings))
    return found


def _place(old: ResultLine, new: ResultLine) -> list[Sentence]:
    if old.place == new.place:
        return []
    if old.place is None:
        return [say(ENGLISH, "placed", bib=new.bib, after=new.place or 0)]
    if new.place is None:
        return [say(ENGLISH, "unplaced", bib=new.bib, before=old.place)]
    return [say(ENGLISH, "place", bib=new.bib, before=old.place, after=new.place)]


def _winner(picture: HeatPicture) -> str | None:
    first = picture.results[0] if picture.results else None
    return None if first is None or first.place is None else first.bib


def _gaps(was: dict[str, ResultLine], results: tuple[ResultLine, ...]) -> list[Sentence]:
    """Gaps to the same winner: told where they change and not only because a place was lost."""
    return [
        say(ENGLISH, "gap", bib=line.bib, before=gap_text(was[line.bib].gap_ms), after=gap_text(line.gap_ms))
        for line in results
        if line.bib in was and was[line.bib].gap_ms != line.gap_ms and line.status is None
    ]


def gap_text(gap_ms: int | None) -> str:
    """A gap as it is printed: `+0.763`."""
    if gap_ms is None:
        return NO_GAP
    return f"{'-' if gap_ms < 0 else '+'}{abs(gap_ms) // 1_000}.{abs(gap_ms) % 1_000:03d}"


def _marks(before: HeatPicture, old: dict[str, str], new: dict[str, str]) -> list[Sentence]:
    found = []
    for bib in (line.bib for line in before.results):
        was, will = old.get(bib), new.get(bib)
        if was == will:
            continue
        if was is None:
            found.append(say(ENGLISH, "mark_gained", bib=bib, after=will or ""))
        elif will is None:
            found.append(say(ENGLISH, "mark_lost", bib=bib, before=was))
        else:
            found.append(say(ENGLISH, "mark", bib=bib, before=was, after=will))
    return found


def _crossings(before: HeatPicture, after: HeatPicture) -> list[Sentence]:
    """What happens to the riders' crossings; nothing where another attempt or start makes them all new."""
    if before.attempt != after.attempt or before.start_us != after.start_us:
        return []
    was = {rider.bib: {one.mark: one for one in rider.crossings} for rider in before.splits}
    found = []
    for rider in after.splits:
        old, new = was.get(rider.bib, {}), {one.mark: one for one in rider.crossings}
        for mark in sorted({*old, *new}):
            told = _crossing(rider.bib, old.get(mark), new.get(mark))
            if told is not None:
                found.append(told)
    if len(found) > CROSSINGS_TOLD:
        rest = len(found) - CROSSINGS_TOLD
        return [*found[:CROSSINGS_TOLD], say(ENGLISH, "more_crossings", count=rest)]
    return found


def _crossing(bib: str, old: Crossing | None, new: Crossing | None) -> Sentence | None:
    shown = new or old
    if shown is None:
        return None
    at = {"bib": bib, "loop": shown.loop, "distance": f"{shown.distance_m:g}"}
    if new is None:
        return say(ENGLISH, "crossing_gone", **at)
    if old is None:
        return say(ENGLISH, "crossing", time=_seconds(new), source=new.source, **at)
    if (old.race_ms, old.source) == (new.race_ms, new.source):
        return None
    return say(
        ENGLISH,
        "crossing_moved",
        before=_seconds(old),
        after=_seconds(new),
        source_before=old.source,
        source=new.source,
        **at,
    )


def _seconds(crossing: Crossing) -> str:
    return f"{crossing.race_ms // 1_000}.{crossing.race_ms % 1_000:03d}"


def _asked(
    logs: list[HeatLog],
    log: HeatLog,
    before: HeatPicture,
    changed_logs: list[HeatLog],
    changed: HeatLog,
    after: HeatPicture,
) -> list[Sentence]:
    """Alerts about riders that the order would raise: a DSQ to be proposed, a dead heat to be resolved."""
    known = {one.text for one in _personal(logs, log, before)}
    return [
        Sentence(
            "alert", one.params | {"alert": one.text, "alert_key": one.key}, ENGLISH["alert"].format(alert=one.text)
        )
        for one in _personal(changed_logs, changed, after)
        if one.text not in known
    ]


def _personal(logs: list[HeatLog], log: HeatLog, picture: HeatPicture) -> list[Alert]:
    own = [one for one in picture.alerts if "bib" in one.params]
    return [*own, *proposals(logs, log, own), *tie_alerts(log, picture)]
