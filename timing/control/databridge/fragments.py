"""The objects of competitions, phases and contests, each with its start list and its result.

Source: databridge.md of metarace's trackmeet, edition 2025-10-14. Every key of it stands in every object.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

import msgspec

from timing.control.communique.wording import seconds
from timing.control.databridge.tree import Branch, Contest, Phase
from timing.control.databridge.words import SPACE, Status, class_of, duration, instant, metres, whole_laps
from timing.race.finish import WARNING
from timing.race.picture import HeatPicture, ResultLine

Fields = dict[str, object]
Objects = Iterator[tuple[str, Fields]]
"""Topic below the meet and the object."""
Pictures = Mapping[str, HeatPicture]

VERBS = {WARNING: "warned", "REL": "relegated", "DSQ": "disqualified", "DNF": "did not finish", "DNS": "did not start"}
MEDALS = {1: "gold", 2: "silver", 3: "bronze"}
CONFIRMED = ("provisional", "final")


class Shared(msgspec.Struct, frozen=True):
    """What all objects of a competition need: how its riders are called, who was warned in it, the venue's time."""

    names: dict[str, str]
    """By bib, as displayed."""
    warned: dict[str, tuple[str, ...]]
    """By bib, the reasons."""
    zone: ZoneInfo


def warnings(pictures: Iterable[HeatPicture]) -> dict[str, tuple[str, ...]]:
    """Who was warned in these heats, and why."""
    found: dict[str, tuple[str, ...]] = {}
    for picture in pictures:
        for one in picture.decisions:
            if one.code == WARNING:
                found[one.bib] = (*found.get(one.bib, ()), one.reason)
    return found


# -- heads ---------------------------------------------------------------------------------------------------


def competition_objects(branch: Branch, shared: Shared, pictures: Pictures) -> Objects:
    """`<category>/<competition>` with the whole start list and the classification."""
    yield (
        branch.path,
        {
            "label": branch.label,
            "competitorType": "rider",
            "category": branch.category,
            "title": branch.title,
            "status": branch.status,
            "phases": {phase.id: phase.label for phase in branch.phases},
            "events": {contest.heat: contest.subtitle for phase in branch.phases for contest in phase.contests},
            "warnings": shared.warned,
            "records": {},
        },
    )
    head: Fields = {"title": branch.title, "subtitle": None, "info": None, "distance": None, "laps": None}
    starters = [_starter(bib, None if seed is None else str(seed), shared) for bib, seed in branch.entries]
    yield f"{branch.path}/startlist", _startlist(head, branch.listed, None, starters)
    lines = _classification(branch, shared, pictures)
    yield f"{branch.path}/result", _result(head, branch.status, "classification", lines)


def phase_objects(branch: Branch, phase: Phase, shared: Shared, pictures: Pictures) -> Objects:
    """`<category>/<competition>/<phase>`: all its heats one after the other."""
    contests = phase.contests
    head: Fields = {
        "title": branch.title,
        "subtitle": phase.label,
        "info": phase.info,
        **_course(contests[0] if contests else None),
    }
    yield (
        phase.path,
        {
            **head,
            "status": phase.status,
            "contests": {one.id: one.label for one in contests if one.id is not None},
            "events": {one.heat: one.subtitle for one in contests},
        },
    )
    yield from _lists(phase.path, head, contests, phase.status, shared, pictures)


def contest_objects(
    branch: Branch, phase: Phase, contest: Contest, shared: Shared, picture: HeatPicture | None
) -> Objects:
    """`<category>/<competition>/<phase>/<contest>`; nothing for the only heat of a phase."""
    if contest.id is None:
        return
    head: Fields = {
        "title": branch.title,
        "subtitle": contest.subtitle,
        "info": phase.info,
        **_course(contest),
    }
    yield (
        contest.path,
        {
            **head,
            "label": contest.label,
            "status": contest.status,
            "heats": {},
            "events": {contest.heat: contest.subtitle},
        },
    )
    pictures = {} if picture is None else {contest.heat: picture}
    yield from _lists(contest.path, head, (contest,), contest.status, shared, pictures)


def _course(contest: Contest | None) -> Fields:
    if contest is None:
        return {"distance": None, "laps": None}
    return {"distance": metres(contest.distance_m), "laps": whole_laps(contest.laps)}


# -- start lists and results ---------------------------------------------------------------------------------


def _lists(
    path: str,
    head: Fields,
    contests: Sequence[Contest],
    status: Status,
    shared: Shared,
    pictures: Pictures,
) -> Objects:
    """Start list and result of one heat, or of several with the name of its heat beside each rider."""
    several = len(contests) > 1
    starters = [
        _starter(bib, one.label if several else draw, shared, pictures.get(one.heat))
        for one in contests
        for bib, draw in one.riders
    ]
    listed = {one.listed for one in contests}
    listing: Status = "final" if listed == {"final"} else "provisional" if listed > {None} else None
    if listed == {"provisional"}:
        listing = "provisional"
    yield f"{path}/startlist", _startlist(head, listing, "bunch", starters)
    lines = [
        line | ({"info": one.label} if several else {})
        for one in contests
        for line in _heat_lines(one, shared, pictures.get(one.heat))
    ]
    seen = [picture for one in contests if (picture := pictures.get(one.heat)) is not None]
    result = _result(head, status, "bunch", lines)
    result["decisions"] = [
        _decision(one.bib, one.code, one.reason, one.article, shared) for p in seen for one in p.decisions
    ]
    if not several and seen:
        result["detail"] = _detail(seen[0])
        result["startTime"] = instant(seen[0].start_us, shared.zone)
    yield f"{path}/result", result


def _startlist(head: Fields, status: Status, kind: str | None, starters: list[Fields]) -> Fields:
    return {**head, "status": status, "type": kind, "competitorType": "rider", "competitors": starters}


def _result(head: Fields, status: Status, kind: str, lines: list[Fields]) -> Fields:
    return {
        **head,
        "status": status,
        "type": kind,
        "competitorType": "rider",
        "lines": lines,
        "units": None,
        "decisions": [],
        "weather": None,
        "detail": {},
        "startTime": None,
    }


def _starter(bib: str, info: str | None, shared: Shared, picture: HeatPicture | None = None) -> Fields:
    codes = {one.bib: one.status for one in picture.starters} if picture is not None else {}
    return {
        "competitor": bib,
        "name": shared.names.get(bib),
        "members": [],
        "info": info,
        "badges": _badges(warning=bib in shared.warned, disqualified=codes.get(bib) == "DSQ"),
        "qualRank": None,
        "qualPlace": None,
        "qualTime": None,
    }


def _badges(**worn: bool) -> list[str]:
    return [badge for badge, has in worn.items() if has]


def _decision(bib: str, code: str, reason: str, article: str, shared: Shared) -> str:
    where = f" (UCI {article})" if article else ""
    return f"{bib} {shared.names.get(bib) or ''}: {VERBS.get(code, code)}, {reason}{where}"


# -- lines ---------------------------------------------------------------------------------------------------


def _line(rank: int, class_: str | None, bib: str, shared: Shared, badges: list[str]) -> Fields:
    return {
        "rank": rank,
        "class": class_,
        "competitor": bib,
        "name": shared.names.get(bib),
        "members": [],
        "info": None,
        "badges": badges,
        "result": None,
    }


def _heat_lines(contest: Contest, shared: Shared, picture: HeatPicture | None) -> list[Fields]:
    """Empty before the gun; then the standing of the riders so far; from the finish on the result."""
    if picture is None:
        return [
            _line(one.place or one.order, class_of(one.place, one.status, True), one.bib, shared, [])
            for one in contest.walkover
        ]
    if contest.status is None:
        return []
    if picture.status == "none":
        return [
            _line(rank, class_of(rank, None, False), bib, shared, _badges(warning=bib in shared.warned))
            for rank, bib in enumerate(_standing(picture), start=contest.first_place)
        ]
    return [_result_line(one, contest, shared) for one in picture.results]


def _standing(picture: HeatPicture) -> dict[str, None]:
    """Bibs in the order at the newest loop; who was not there yet follows in the order of the loop before."""
    return dict.fromkeys(entry.bib for order in reversed(picture.orders) for entry in order.entries)


def _result_line(line: ResultLine, contest: Contest, shared: Shared) -> Fields:
    confirmed = contest.status in CONFIRMED
    badges = _badges(
        warning=line.bib in shared.warned,
        disqualified=line.status == "DSQ",
        qualified=line.bib in contest.qualified,
        win=confirmed and line.place == contest.first_place,
        rel=line.status == "REL",
    )
    rank = line.place if line.place is not None else contest.first_place + line.order - 1
    fields = _line(rank, class_of(line.place, line.status, confirmed), line.bib, shared, badges)
    if line.gap_ms is not None and line.order > 1:
        fields["result"] = f"+{seconds(line.gap_ms)}"
    return fields


def _classification(branch: Branch, shared: Shared, pictures: Pictures) -> list[Fields]:
    """The ranks of the competition; of a competition of single heats only the places of its last round."""
    if branch.status is None:
        return []
    if branch.view is None:
        last = branch.phases[-1]
        return [line for one in last.contests for line in _heat_lines(one, shared, pictures.get(one.heat))]
    names = {one.round: one.name for one in branch.view.rounds}
    lines = []
    for one in branch.view.classification:
        medal = MEDALS.get(one.rank or 0) if branch.view.final else None
        badges = _badges(warning=one.bib in shared.warned, disqualified=one.status == "DSQ")
        class_ = class_of(one.rank, one.status, one.settled)
        fields = _line(one.rank or one.order, class_, one.bib, shared, [*badges, *([medal] if medal else [])])
        fields["info"] = names.get(one.round)
        if one.rank is not None and one.status is not None:
            fields["result"] = one.status.lower()
        lines.append(fields)
    return lines


# -- detail --------------------------------------------------------------------------------------------------


def _detail(picture: HeatPicture) -> dict[str, dict[str, Fields]]:
    """By bib: each passage of the finish line by the laps to go there, and the winner's last 200 m."""
    laps = {order.distance_m: int(order.laps_to_go) for order in picture.orders if order.laps_to_go.is_integer()}
    ranks = {
        (order.distance_m, entry.bib): entry.place
        for order in picture.orders
        if order.distance_m in laps
        for entry in order.entries
    }
    found: dict[str, dict[str, Fields]] = {}
    for rider in picture.splits:
        passages = [one for one in rider.crossings if one.distance_m in laps]
        splits = {
            str(laps[one.distance_m]): _split(
                f"{laps[one.distance_m]} to go" if laps[one.distance_m] else "Finish",
                ranks.get((one.distance_m, rider.bib)),
                one.race_ms,
                one.lap_ms if number else one.race_ms,
            )
            for number, one in enumerate(passages)
        }
        if splits:
            found[rider.bib] = splits
    winner = picture.results[0] if picture.results else None
    if winner is not None and winner.place is not None and picture.finish.last_200_ms is not None:
        last = _split(f"Last 200{SPACE}m", None, None, picture.finish.last_200_ms)
        found.setdefault(winner.bib, {})["last-200"] = last
    return found


def _split(label: str, rank: int | None, elapsed_ms: int | None, interval_ms: int | None) -> Fields:
    return {
        "label": label,
        "rank": rank,
        "elapsed": duration(elapsed_ms),
        "interval": duration(interval_ms),
        "points": None,
    }
