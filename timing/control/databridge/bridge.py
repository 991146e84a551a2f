"""What of the data bridge has to go out now: only objects that differ, each with a rising serial number.

What an object is made of is remembered, and only where that changed is it made anew: a race moves one heat of many.
The serial number is that of the journal's row, so it rises over restarts too, without being kept anywhere.
"""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import msgspec

from timing.control.databridge import fragments, meet
from timing.control.databridge.fragments import Objects, Shared
from timing.control.databridge.tree import Branch, pictures, tree
from timing.control.databridge.words import instant, rider_name
from timing.race.competition.schedule import Schedule
from timing.race.meet import MeetState
from timing.race.picture import HeatPicture
from timing.race.programme import programme

Payloads = Iterator[tuple[str, bytes]]
"""Whole topic and retained payload."""


class DataBridge:
    """The data bridge of one meet below `<prefix>/<meet>`."""

    def __init__(self, prefix: str, meet_id: str) -> None:
        self._base = f"{prefix}/{meet_id}"
        self._meet = meet_id
        self._encoder = msgspec.json.Encoder()
        self._sent: dict[str, tuple[bytes, int]] = {}
        """By topic below the meet: the object without its serial number, and that number."""
        self._made_of: dict[str, object] = {}
        self._places: dict[str, meet.Place] = {}

    def current(self, state: MeetState, picture: HeatPicture | None) -> Payloads:
        """`current`, where it differs: for every new picture of the heat on the track."""
        if state.setup is None:
            return
        if picture is not None and picture.heat not in self._places:
            self._find_places(state, tree(state))
        place = None if picture is None else self._places.get(picture.heat)
        yield from self._changed(state, meet.current_object(self._meet, place, picture, self._zone(state)))

    def changes(self, state: MeetState) -> Payloads:
        """Everything else that differs from what went out last."""
        setup = state.setup
        if setup is None:
            return
        branches = tree(state)
        shown = self._find_places(state, branches)
        zone = self._zone(state)
        found = self._places
        planned = [one.scheduled for one in setup.meet.heats]
        planned += [time.starts for one in setup.meet.competitions for time in one.times]
        for objects in (
            meet.meet_objects(setup, branches, planned),
            meet.events_object(found),
            meet.session_objects(setup, found, shown, zone),
        ):
            yield from self._changed(state, objects)
        entries = tuple((branch.category, branch.id, branch.label, branch.entries) for branch in branches)
        yield from self._anew(state, "riders", (setup.meet.riders, entries), _riders(state, branches))
        names = {rider.bib: rider_name(rider) for rider in setup.meet.riders}
        seen = pictures(state)
        for branch in branches:
            yield from self._branch(state, branch, names, seen)

    def _branch(
        self, state: MeetState, branch: Branch, names: dict[str, str], seen: dict[str, HeatPicture]
    ) -> Payloads:
        own = {one.heat: seen[one.heat] for phase in branch.phases for one in phase.contests if one.heat in seen}
        shared = Shared(names, fragments.warnings(own.values()), self._zone(state))
        made_of = (branch, shared, own if branch.view is None else None)
        yield from self._anew(state, branch.path, made_of, fragments.competition_objects(branch, shared, own))
        for phase in branch.phases:
            ridden = {one.heat: own[one.heat] for one in phase.contests if one.heat in own}
            made_of_phase = (branch.title, phase, shared, ridden)
            yield from self._anew(
                state, phase.path, made_of_phase, fragments.phase_objects(branch, phase, shared, ridden)
            )
            for one in phase.contests:
                picture = own.get(one.heat)
                yield from self._anew(
                    state,
                    f"{phase.path}/{one.id}",
                    (branch.title, phase.info, one, shared, picture),
                    fragments.contest_objects(branch, phase, one, shared, picture),
                )

    def _anew(self, state: MeetState, key: str, made_of: object, objects: Objects) -> Payloads:
        """The objects that differ. Where what they are made of does not, they are not made."""
        if self._made_of.get(key) != made_of:
            self._made_of[key] = made_of
            yield from self._changed(state, objects)

    def _changed(self, state: MeetState, objects: Objects) -> Payloads:
        for topic, fields in objects:
            encoded = self._encoder.encode(fields)
            before, serial = self._sent.get(topic, (b"", 0))
            if encoded == before:
                continue
            serial = max(state.journal_id, serial + 1)
            self._sent[topic] = encoded, serial
            stamped = {
                **fields,
                "serial": serial,
                "updated": instant(state.latest_us, self._zone(state)),
            }
            yield f"{self._base}/{topic}" if topic else self._base, self._encoder.encode(stamped)

    def _find_places(self, state: MeetState, branches: tuple[Branch, ...]) -> Schedule:
        assert state.setup is not None
        shown = programme(state)
        self._places = meet.places(state.setup, branches, shown)
        return shown

    def _zone(self, state: MeetState) -> ZoneInfo:
        assert state.setup is not None
        return ZoneInfo(state.setup.venue.timezone)


def _riders(state: MeetState, branches: tuple[Branch, ...]) -> Objects:
    assert state.setup is not None
    riders = {rider.bib: rider for rider in state.setup.meet.riders}
    entries = (entry for one in state.office.competitions.values() for entry in one.entries.values())
    uci_ids = {entry.bib: entry.uci_id for entry in entries if entry.uci_id is not None}
    yield from meet.category_objects(branches, riders, uci_ids)
