"""The objects of the meet itself: sessions, index of events, what is on the track, categories and their riders.

Source: databridge.md of metarace's trackmeet, edition 2025-10-14. What we do not know (organiser, president of the
panel, weather, records) is null.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from config.models import Rider, Session, Setup
from timing.control.databridge.fragments import Fields, Objects
from timing.control.databridge.tree import Branch, Contest, Phase, branches_of
from timing.control.databridge.words import SPACE, duration, instant, metres, status_of, whole_laps
from timing.race.competition.schedule import DEFAULT_SLOT_US, Schedule, ScheduleLine, local_to_us
from timing.race.picture import HeatPicture

MINUTE_US = 60_000_000
ONLY_SESSION = "1"
"""A meet without sessions has this one."""

CURRENT_KEYS = (
    *("path", "status", "title", "subtitle", "info", "event", "session", "category", "competition", "phase", "contest"),
    *("heat", "competitorType", "competitionType", "startTime", "endTime"),
    *("competitorA", "membersA", "labelA", "timeA", "downA", "rankA", "infoA", "nameA"),
    *("competitorB", "membersB", "labelB", "timeB", "downB", "rankB", "infoB", "nameB"),
    *("eliminated", "remain", "toGo", "laps", "distance", "record", "weather"),
)


class Place(msgspec.Struct, frozen=True):
    """Where a heat is in the tree, and in which session."""

    branch: Branch
    phase: Phase
    contest: Contest
    session: str | None


def places(setup: Setup, branches: tuple[Branch, ...], shown: Schedule) -> dict[str, Place]:
    """By heat, in the order of the programme; those that it does not know are last."""
    found = {contest.heat: (branch, phase, contest) for branch, phase, contest in branches_of(branches)}
    sessions = {line.heat: line.session for line in shown.lines}
    ordered = [heat for heat in sessions if heat in found] + [heat for heat in found if heat not in sessions]
    only = None if setup.meet.sessions else ONLY_SESSION
    return {heat: Place(*found[heat], sessions.get(heat) or only) for heat in ordered}


def location(setup: Setup) -> str:
    """`Izu Velodrome, Izu`."""
    venue = setup.venue
    return ", ".join(filter(None, (venue.name, venue.city if venue.city not in venue.name else "")))


def days(first: date | None, last: date | None) -> str | None:
    """`7-8 August 2021`, as people read it."""
    if first is None or last is None:
        return None
    end = f"{last.day} {last:%B %Y}"
    if first == last:
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}-{end}"
    return f"{first.day} {first:%B}{f' {first.year}' if first.year != last.year else ''} - {end}"


def meet_objects(setup: Setup, branches: Sequence[Branch], planned: Sequence[str]) -> Objects:
    """The meet (below the topic of the meet itself: ""). `planned` are the local starts of its heats, where known."""
    dates = {date.fromisoformat(text[:10]) for text in (*planned, setup.meet.date) if text}
    first, last = (min(dates), max(dates)) if dates else (None, None)
    yield (
        "",
        {
            "title": setup.meet.name,
            "subtitle": None,
            "organiser": None,
            "location": location(setup),
            "locationCode": setup.venue.id,
            "pcp": None,
            "date": days(first, last),
            "timezone": setup.venue.timezone,
            "startDate": first.isoformat() if first else None,
            "endDate": last.isoformat() if last else None,
            "schedule": {one.id: one.name for one in sessions(setup)},
            "categories": {branch.category: branch.category_label for branch in branches},
        },
    )


def sessions(setup: Setup) -> tuple[Session, ...]:
    """The meet's sessions, or the one of a meet that has none; it starts with the first heat."""
    if setup.meet.sessions:
        return setup.meet.sessions
    return (Session(id=ONLY_SESSION, name=f"Session {ONLY_SESSION}", starts=""),)


def events_object(found: Mapping[str, Place]) -> Objects:
    """`events`: every heat is an event, called by its id."""
    yield (
        "events",
        {
            heat: {
                "title": place.branch.title,
                "subtitle": place.contest.subtitle,
                "info": place.phase.info,
                "extra": None,
                "distance": metres(place.contest.distance_m),
                "laps": whole_laps(place.contest.laps),
                "session": place.session,
                "category": place.branch.category,
                "competition": place.branch.id,
                "phase": place.phase.id,
                "fragments": [place.contest.path],
            }
            for heat, place in found.items()
        },
    )


def session_objects(setup: Setup, found: Mapping[str, Place], shown: Schedule, zone: ZoneInfo) -> Objects:
    """`<session>`: its heats in the order of the programme, and when it is expected to end, to the minute."""
    for one in sessions(setup):
        heats = {heat: place for heat, place in found.items() if place.session == one.id}
        lines = [line for line in shown.lines if line.heat in heats]
        planned = [line.planned_us for line in lines if line.planned_us is not None]
        starts_us = local_to_us(one.starts, shown.timezone) if one.starts else min(planned, default=None)
        yield (
            one.id,
            {
                "title": setup.meet.name,
                "subtitle": None,
                "location": location(setup),
                "label": one.name,
                "startTime": instant(starts_us, zone),
                "endTime": instant(_end_us(lines), zone),
                "events": {heat: f"{place.branch.title} {place.contest.subtitle}" for heat, place in heats.items()},
                "finals": {
                    place.branch.path: place.branch.title
                    for place in heats.values()
                    if place.phase.id == place.branch.phases[-1].id
                },
            },
        )


def _end_us(lines: Iterable[ScheduleLine]) -> int | None:
    starts = (line.expected_us if line.started_us is None else line.started_us for line in lines)
    last_us = max((at_us for at_us in starts if at_us is not None), default=None)
    return None if last_us is None else -(-(last_us + DEFAULT_SLOT_US) // MINUTE_US) * MINUTE_US


def current_object(meet: str, place: Place | None, picture: HeatPicture | None, zone: ZoneInfo) -> Objects:
    """`current`: the heat that is on the track. Its path is with the meet, as that of no other object."""
    fields: Fields = dict.fromkeys(CURRENT_KEYS)
    if place is not None and picture is not None:
        branch, contest = place.branch, place.contest
        last_200_ms = picture.finish.last_200_ms
        fields |= {
            "path": f"{meet}/{contest.path}",
            "status": status_of(picture),
            "title": branch.title,
            "subtitle": contest.subtitle,
            "info": place.phase.info,
            "event": contest.heat,
            "session": place.session,
            "category": branch.category,
            "competition": branch.id,
            "phase": place.phase.id,
            "contest": contest.id,
            "competitorType": "rider",
            "competitionType": branch.event,
            "startTime": instant(picture.start_us, zone),
            "endTime": instant(_finish_us(picture), zone),
            "labelA": None if last_200_ms is None else f"200{SPACE}m",
            "timeA": duration(last_200_ms),
            "toGo": int(picture.laps_to_go),
            "laps": whole_laps(contest.laps),
            "distance": metres(contest.distance_m),
        }
    yield "current", fields


def _finish_us(picture: HeatPicture) -> int | None:
    """When the first rider was at the finish by the transponders, to the ms that is published."""
    times_ms = [
        one.race_ms for rider in picture.splits for one in rider.crossings if one.distance_m == picture.course_m
    ]
    if picture.start_us is None or not times_ms:
        return None
    return picture.start_us + min(times_ms) * 1_000


def category_objects(branches: Sequence[Branch], riders: Mapping[str, Rider], uci_ids: Mapping[str, str]) -> Objects:
    """`<category>` and `<category>/competitors`."""
    for category in dict.fromkeys(branch.category for branch in branches):
        own = [branch for branch in branches if branch.category == category]
        yield (
            category,
            {"label": own[0].category_label, "competitions": {branch.id: branch.label for branch in own}},
        )
        bibs = dict.fromkeys(bib for branch in own for bib, _ in branch.entries)
        known = [riders[bib] for bib in bibs if bib in riders]
        yield (
            f"{category}/competitors",
            {
                "riders": {one.bib: _rider(one, category, uci_ids.get(one.bib)) for one in known},
                "teams": None,
                "pairs": None,
                "pilots": None,
            },
        )


def _rider(rider: Rider, category: str, uci_id: str | None) -> Fields:
    return {
        "number": rider.bib,
        "class": category,
        "first": rider.given or None,
        "last": rider.surname or rider.name,
        "nation": rider.nation,
        "uciid": uci_id,
        "dob": None,
        "state": None,
        "org": None,
    }
