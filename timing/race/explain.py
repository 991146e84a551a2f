"""Why is this rider here? Sentence by sentence, with the evidence: photo-finish, judge, gap, decision, code, mark.

Nothing is concluded here; it is read off the picture and the log what made the result line what it is.
"""

from dataclasses import dataclass, field

from drivers.records import PhotoFinishLine
from timing.race.actions import Confirm, Decide, Place, Reopen, Restart, Undo
from timing.race.events import Command
from timing.race.finish import WARNING
from timing.race.heat import HeatLog, Sheet
from timing.race.history import NOTHING
from timing.race.onward import onward_of, open_ties
from timing.race.picture import Decision, HeatPicture, ResultLine
from timing.race.sentences import Sentence, local_time, say

ENGLISH = {
    "photo_finish": "place {place} on the photo-finish (journal row {row})",
    "photo_finish_unplaced": "on the photo-finish without a place (journal row {row})",
    "judge": "place {place} by the judge's order of {actor} ({role}) at {time} (journal row {row})",
    "judge_unplaced": "not in the judge's order of {actor} ({role}) at {time} (journal row {row})",
    "photo_finish_agrees": "the photo-finish has the same place (journal row {row})",
    "photo_finish_overruled": "the photo-finish has place {place} (journal row {row}); the judge's order stands",
    "transponder": "place {place} by transponder at the finish line (read {read}): provisional, not judged",
    "cell": "place {place} by photocell, named by transponder (read {read}): provisional, not judged",
    "not_home": "no place: not read at the finish, and nobody placed the rider",
    "winner": "first of the heat: the gaps count from here",
    "gap": "{gap} s behind the winner, {bib}: the difference of both times, truncated to 1/1000 s (UCI 3.2.015)",
    "no_gap": "no gap: one of both times was not measured",
    "dead_heat": "dead heat: shares the place with {bibs}",
    "decision": "{code} by {actor} ({role}) at {time} (journal row {row}): {reason}",
    "superseded": "{code} by {actor} ({role}) at {time} (journal row {row}) does not count: a later ruling stands",
    "taken_back": "{code} by {actor} ({role}) at {time} was taken back by {by} ({by_role}) at {by_time} (row {row})",
    "camera_code": "{code} was entered at the photo-finish camera (journal row {row}); no commissaire has ruled",
    "keeps_place": "{code} keeps a place: the last of the heat, without a gap",
    "loses_place": "{code} has no place in the heat",
    "warnings": "warnings in this heat: {count}; a warning changes no place",
    "moved_up": "moved up from place {before} to {place}: {bibs} ahead lost the place",
    "onward": "goes on to {mark}: places {first} to {last}",
    "onward_rest": "goes on to {mark}: all others who may go on",
    "onward_tie": "open whether to {mark}: the dead heat has more riders than go on; a person resolves it",
    "not_onward": "does not go on: place {place} is not among those of this heat",
    "not_onward_code": "does not go on: {code}",
    "virtual": "virtual: by transponders alone, not judged yet",
    "provisional": "provisional: not confirmed by the president yet",
    "official": "official by {actor} ({role}) since {time} (journal row {row})",
}


@dataclass
class _Evidence:
    """What the result of a heat rests on."""

    log: HeatLog
    picture: HeatPicture
    rows: dict[str, int]
    sheet: Sheet | None
    sheet_lines: dict[str, PhotoFinishLine]
    judged: Command | None
    confirmed: Command | None
    groups: list[list[str]] = field(default_factory=list)
    """Bibs from first to last as they stood before any ruling."""
    winner: str | None = None

    @property
    def sheet_row(self) -> str:
        return NOTHING if self.sheet is None else self.sheet.ref.partition(":")[0]

    def signed(self, command: Command | Decision) -> dict[str, str | int]:
        """Who, in which role, when, in which row."""
        command_id = command.id if isinstance(command, Command) else command.command
        return {
            "actor": command.actor,
            "role": command.role,
            "time": local_time(self.log.setup, command.at_us),
            "row": self.rows.get(command_id, 0),
        }


def why(log: HeatLog, picture: HeatPicture) -> dict[str, tuple[Sentence, ...]]:
    """By bib, why each rider stands where the result has him. `picture` must be that of the log."""
    evidence = _gather(log, picture)
    return {line.bib: tuple(_of_rider(evidence, line)) for line in picture.results}


def _gather(log: HeatLog, picture: HeatPicture) -> _Evidence:
    judged = confirmed = None
    for command in log.standing():
        match command.action:
            case Place():
                judged = command
            case Restart():
                judged = None
            case Confirm():
                confirmed = command
            case Reopen():
                confirmed = None
            case _:
                pass
    ref = picture.finish.photo_finish_read
    sheet = next((one for one in log.sheets if one.ref == ref), None) if ref is not None else None
    lines = sheet.sheet.lines if sheet is not None else ()
    evidence = _Evidence(
        log=log,
        picture=picture,
        rows={one.command.id: one.row for one in log.orders},
        sheet=sheet,
        sheet_lines={line.bib: line for line in reversed(lines) if line.bib is not None},
        judged=judged,
        confirmed=confirmed,
    )
    evidence.groups = _groups(evidence, lines)
    first = picture.results[0] if picture.results else None
    evidence.winner = first.bib if first is not None and first.place is not None else None
    return evidence


def _groups(evidence: _Evidence, lines: tuple[PhotoFinishLine, ...]) -> list[list[str]]:
    """The order before any ruling, a line without a known bib included: it holds its place."""
    picture = evidence.picture
    if picture.finish.judged:
        return [list(group) for group in picture.finish.judged]
    if lines:
        by_place: dict[int, list[str]] = {}
        for line in lines:
            if line.place is not None:
                by_place.setdefault(line.place, []).append(line.bib or "")
        return [by_place[place] for place in sorted(by_place)]
    placed: dict[int, list[str]] = {}
    for entry in picture.finish.transponder:
        placed.setdefault(entry.place, []).append(entry.bib)
    return [placed[place] for place in sorted(placed)]


def _of_rider(evidence: _Evidence, line: ResultLine) -> list[Sentence]:
    return [
        *_basis(evidence, line),
        *_rulings(evidence, line),
        *_place(evidence, line),
        *_onward(evidence, line),
        *_status(evidence),
    ]


def _base_place(evidence: _Evidence, bib: str) -> int | None:
    """The printed place before any ruling."""
    place = evidence.log.heat.first_place
    for group in evidence.groups:
        if bib in group:
            return place
        place += len(group)
    return None


def _basis(evidence: _Evidence, line: ResultLine) -> list[Sentence]:
    """By what the rider was placed."""
    place = _base_place(evidence, line.bib)
    on_sheet = evidence.sheet_lines.get(line.bib)
    if line.source == "judge" and evidence.judged is not None:
        signed = evidence.signed(evidence.judged)
        if place is None:
            return [say(ENGLISH, "judge_unplaced", **signed)]
        found = [say(ENGLISH, "judge", place=place, **signed)]
        if on_sheet is not None and on_sheet.place is not None:
            printed = on_sheet.place + evidence.log.heat.first_place - 1
            if printed == place:
                found.append(say(ENGLISH, "photo_finish_agrees", row=evidence.sheet_row))
            else:
                found.append(say(ENGLISH, "photo_finish_overruled", place=printed, row=evidence.sheet_row))
        return found
    if on_sheet is not None:
        if place is None:
            return [say(ENGLISH, "photo_finish_unplaced", row=evidence.sheet_row)]
        return [say(ENGLISH, "photo_finish", place=place, row=evidence.sheet_row)]
    if line.source in ("transponder", "cell") and line.place is not None:
        shown = line.place if place is None or line.source == "cell" else place
        return [say(ENGLISH, line.source, place=shown, read=_finish_read(evidence, line.bib))]
    return [say(ENGLISH, "not_home")]


def _finish_read(evidence: _Evidence, bib: str) -> str:
    mark = evidence.log.course.finish_mark
    crossings = next((one.crossings for one in evidence.picture.splits if one.bib == bib), ())
    return next((one.read or NOTHING for one in crossings if one.mark == mark), NOTHING)


def _rulings(evidence: _Evidence, line: ResultLine) -> list[Sentence]:
    """Decisions on the rider, what became of those taken back, and what the code in force does."""
    of_rider = [one for one in evidence.picture.decisions if one.bib == line.bib]
    ruling = next((one for one in reversed(of_rider) if one.code != WARNING), None)
    found = []
    for one in of_rider:
        signed = evidence.signed(one)
        if one.code != WARNING and one is not ruling:
            found.append(say(ENGLISH, "superseded", code=one.code, **signed))
        else:
            reason = " ".join(part for part in (one.article, one.reason) if part) or NOTHING
            found.append(say(ENGLISH, "decision", code=one.code, reason=reason, **signed))
    found += _taken_back(evidence, line.bib)
    if ruling is None and line.status is not None:
        found.append(say(ENGLISH, "camera_code", code=line.status, row=evidence.sheet_row))
    if line.warnings:
        found.append(say(ENGLISH, "warnings", count=line.warnings))
    if line.status is not None:
        key = "loses_place" if line.place is None else "keeps_place"
        found.append(say(ENGLISH, key, code=line.status))
    return found


def _taken_back(evidence: _Evidence, bib: str) -> list[Sentence]:
    """Decisions on the rider that an undo took back: who asks why should hear of them too."""
    log = evidence.log
    undone_by = {one.action.command: one for one in log.standing() if isinstance(one.action, Undo)}
    found = []
    for command in log.commands:
        if command.id not in undone_by:
            continue
        by = undone_by[command.id]
        for code in _codes(command, bib):
            found.append(
                say(
                    ENGLISH,
                    "taken_back",
                    code=code,
                    actor=command.actor,
                    role=command.role,
                    time=local_time(log.setup, command.at_us),
                    by=by.actor,
                    by_role=by.role,
                    by_time=local_time(log.setup, by.at_us),
                    row=evidence.rows.get(by.id, 0),
                )
            )
    return found


def _codes(command: Command, bib: str) -> list[str]:
    """The codes that a command gave to a rider."""
    match command.action:
        case Decide(bib=ruled, code=code) if ruled == bib:
            return [code]
        case Restart(excluded=excluded):
            return [out.code for out in excluded if out.bib == bib]
        case _:
            return []


def _place(evidence: _Evidence, line: ResultLine) -> list[Sentence]:
    """Gap, dead heat, and who made room."""
    if line.place is None or line.status is not None:
        return []
    found = []
    before = _base_place(evidence, line.bib)
    if before is not None and before != line.place:
        ruled = {one.bib for one in evidence.picture.results if one.status is not None}
        ahead = [bib for bib in _ahead_of(evidence, line.bib) if bib in ruled]
        if ahead:
            found.append(say(ENGLISH, "moved_up", before=before, place=line.place, bibs=", ".join(ahead)))
    level = [one.bib for one in evidence.picture.results if one.place == line.place and one.bib != line.bib]
    if level:
        found.append(say(ENGLISH, "dead_heat", bibs=", ".join(level)))
    first = evidence.picture.results[0]
    if line.place == first.place:
        found.append(say(ENGLISH, "winner"))
    elif line.gap_ms is None:
        found.append(say(ENGLISH, "no_gap"))
    else:
        sign = "-" if line.gap_ms < 0 else "+"
        gap = f"{sign}{abs(line.gap_ms) // 1_000}.{abs(line.gap_ms) % 1_000:03d}"
        found.append(say(ENGLISH, "gap", gap=gap, bib=evidence.winner or NOTHING))
    return found


def _ahead_of(evidence: _Evidence, bib: str) -> list[str]:
    ahead: list[str] = []
    for group in evidence.groups:
        if bib in group:
            break
        ahead += group
    return ahead


def _onward(evidence: _Evidence, line: ResultLine) -> list[Sentence]:
    """Who goes on, by the heat's configuration; silent after a final and before there is a place or a code."""
    log = evidence.log
    if not log.heat.onward or (line.place is None and line.status is None):
        return []
    for tie in open_ties(log, evidence.picture.results):
        if line.bib in tie.bibs:
            return [say(ENGLISH, "onward_tie", mark=tie.onward.mark)]
    onward = onward_of(log, line)
    if onward is None:
        if line.place is None or line.status not in (None, "REL"):
            return [say(ENGLISH, "not_onward_code", code=line.status or NOTHING)]
        return [say(ENGLISH, "not_onward", place=line.place)]
    if onward.rest:
        return [say(ENGLISH, "onward_rest", mark=onward.mark)]
    return [say(ENGLISH, "onward", mark=onward.mark, first=onward.first or 0, last=onward.last or 0)]


def _status(evidence: _Evidence) -> list[Sentence]:
    status = evidence.picture.status
    if status == "official" and evidence.confirmed is not None:
        return [say(ENGLISH, "official", **evidence.signed(evidence.confirmed))]
    return [say(ENGLISH, status)] if status in ("virtual", "provisional") else []
