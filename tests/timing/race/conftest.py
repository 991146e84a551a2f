"""A race office without I/O: the fold of a meet, fed by hand or from the rig's timeline of a scripted race."""

import functools
from collections.abc import Callable, Iterable, Sequence

import msgspec
import pytest

from config.loader import load_rules, load_setup, load_venue
from config.models import Heat, Loop, Setup
from drivers.records import (
    ClockReading,
    Delivery,
    Impulse,
    Passing,
    PhotoFinish,
    PhotoFinishLine,
    Record,
)
from drivers.rig.race import Edge, LoopRead, Sheet, build_timeline
from drivers.rig.script import HeatScript, load_script
from timing.control.board import state_json
from timing.race.actions import AnyAction, Arm, OpenHeat, Undo
from timing.race.events import Command, Event, SetupTaken, Tick, decode_event, encode_event
from timing.race.heat import HeatLog
from timing.race.meet import MeetState
from timing.race.picture import Crossing, HeatPicture, ResultLine
from timing.race.seen import Outcome, PassingNews

TOKYO = "tokyo2020-men-keirin"
MORNING_US = 1_700_000_000_000_000
SECOND = 1_000_000
ARRIVES_AFTER_US = 1_500
"""From a box's stamp to our read of it."""
STEADY_MS = 12.5
"""45 km/h: the speed of everybody who rides by hand, so that a metre is 80 ms."""
DEFAULT_ROLE = {
    "open_heat": "operator",
    "arm": "starter",
    "gun": "starter",
    "stop": "starter",
    "restart": "starter",
    "place": "judge",
    "decide": "commissaire",
    "confirm": "president",
    "reopen": "president",
}


class Office:
    """Times are seconds from `gun_us` (ms resolution is enough by hand), which `open` sets."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.state = MeetState()
        self.events: list[tuple[int, Event]] = []
        self.gun_us = MORNING_US
        self._numbers: dict[str, int] = {}
        self._commands = 0
        self._loop_device = {device.loop: device.id for device in setup.meet.devices if device.loop}
        self.put(SetupTaken(at_us=MORNING_US, setup=setup))
        for device in setup.meet.devices:
            for second in range(12):
                at_us = MORNING_US + second * SECOND
                reading = ClockReading(device=device.id, received_us=at_us + 400, sent_us=at_us, device_us=at_us + 200)
                self._deliver(reading)

    # -- what happens ----------------------------------------------------------------------------------------

    def put(self, event: Event) -> list[PassingNews]:
        row = len(self.events) + 1
        self.events.append((row, event))
        return self.state.apply(row, event)

    def _deliver(self, *records: Record) -> list[PassingNews]:
        first = records[0]
        return self.put(Delivery(device=first.device, received_us=first.received_us, raw=b"", records=records))

    def at(self, seconds: float) -> int:
        return self.gun_us + round(seconds * 1_000) * 1_000

    def order(
        self,
        action: AnyAction,
        at: float = 0.0,
        role: str | None = None,
        id: str | None = None,
        heat: str | None = None,
    ) -> Outcome:
        """Order something; the role is the usual one for the action unless given."""
        self._commands += 1
        name = id or f"c{self._commands}"
        tag = str(type(action).__struct_config__.tag)
        self.put(
            Command(
                id=name,
                actor="Somebody",
                role=role or DEFAULT_ROLE.get(tag, "operator"),
                at_us=self.at(at),
                action=action,
                heat=heat,
            )
        )
        return self.state.outcomes[name]

    def do(self, action: AnyAction, at: float = 0.0, **more: str) -> str:
        """Order something that has to be taken; returns the command's id, for an undo."""
        outcome = self.order(action, at, **more)
        assert outcome.accepted, outcome.reason
        return outcome.id

    def refused(self, action: AnyAction, at: float = 0.0, **more: str) -> str:
        """Order something that must be refused; returns the sentence."""
        outcome = self.order(action, at, **more)
        assert not outcome.accepted
        return outcome.reason

    def open(self, heat: str, gun_us: int | None = None) -> None:
        """Riders on the line, 20 s before the gun."""
        last_us = max(self.state.latest_us, MORNING_US)
        self.gun_us = last_us + 60 * SECOND if gun_us is None else gun_us
        self.do(OpenHeat(heat=heat), -20)

    def arm(self) -> None:
        self.do(Arm(), -10)

    def gun(self, at: float = 0.0, device: str = "gateway") -> None:
        self.impulse("gun", at, device)

    def impulse(self, channel: str, at: float, device: str = "gateway", late: float = 0.0) -> None:
        at_us = self.at(at)
        received_us = at_us + ARRIVES_AFTER_US + self.at(late) - self.gun_us
        self._deliver(
            Impulse(device=device, received_us=received_us, device_us=at_us, channel=channel, backlog=late > 0)
        )

    def start(self, heat: str) -> None:
        """Open, arm, gun."""
        self.open(heat)
        self.arm()
        self.gun()

    def transponder(self, who: str) -> str:
        if who == "pacer":
            return self.setup.meet.pacers[0].transponders[0]
        known = {rider.bib: rider.transponders[0] for rider in self.setup.meet.riders}
        return known.get(who, who)

    def read(self, who: str, loop: str, at: float, late: float = 0.0, sequence: int | None = None) -> str:
        """A transponder read: a bib, "pacer", or any transponder; returns its reference."""
        device = self._loop_device[loop]
        number = self._numbers[device] = self._numbers.get(device, 0) + 1
        at_us = self.at(at)
        self._deliver(
            Passing(
                device=device,
                received_us=at_us + ARRIVES_AFTER_US + round(late * SECOND),
                device_us=at_us,
                transponder=self.transponder(who),
                sequence=number if sequence is None else sequence,
                backlog=late > 0,
            )
        )
        return f"{len(self.events)}:0"

    def cross(self, who: str, distance_m: float, at: float) -> str:
        """The same, by the race distance of a mark."""
        course = self.log.course
        mark = course.mark_at(distance_m)
        assert mark >= 0, f"no loop at {distance_m} m; there are {[one.distance_m for one in course.marks]}"
        return self.read(who, course.marks[mark].loop, at)

    def ride(
        self,
        bibs: Sequence[str],
        to_m: float,
        from_m: float = 0.1,
        missed: Iterable[tuple[str, float]] = (),
        spacing: float = 0.2,
    ) -> None:
        """Everybody in this order at 45 km/h (12.5 m a second), `spacing` seconds apart, over every loop."""
        skipped = set(missed)
        marks = [mark for mark in self.log.course.marks if from_m <= mark.distance_m <= to_m]
        reads = [
            (mark.distance_m / STEADY_MS + place * spacing, bib, mark)
            for mark in marks
            for place, bib in enumerate(bibs)
            if (bib, mark.distance_m) not in skipped
        ]
        for at, bib, mark in sorted(reads, key=lambda read: read[0]):
            self.read(bib, mark.loop, at)

    def sheet(
        self,
        places: Iterable[tuple[int | None, str | None, float | None]],
        at: float,
        heat: str | None = None,
        statuses: dict[str, str] | None = None,
    ) -> None:
        """A photo-finish sheet of (place, bib, time in s)."""
        lines = tuple(
            PhotoFinishLine(
                place=place,
                bib=bib,
                time_us=None if time_s is None else round(time_s * SECOND),
                status=(statuses or {}).get(bib or ""),
            )
            for place, bib, time_s in places
        )
        meant = heat if heat is not None else self.state.current
        self._deliver(PhotoFinish(device="camera", received_us=self.at(at), heat=meant, lines=lines))

    def tick(self, at: float) -> None:
        self.put(Tick(at_us=self.at(at)))

    def play(self, deliveries: Iterable[tuple[int, Sequence[Record]]], until: float | None = None) -> None:
        """Deliver what the rig made; `at_us` of each is from the gun."""
        for at_us, records in deliveries:
            if until is None or at_us <= round(until * SECOND):
                self._deliver(*(self._shifted(record) for record in records))

    def _shifted(self, record: Record) -> Record:
        changes = {"received_us": record.received_us + self.gun_us}
        if isinstance(record, Passing | Impulse):
            changes["device_us"] = record.device_us + self.gun_us
        return msgspec.structs.replace(record, **changes)

    def undo(self, command: str, at: float = 0.0, role: str = "president") -> str:
        return self.do(Undo(command=command), at, role=role)

    # -- what is seen ----------------------------------------------------------------------------------------

    @property
    def log(self) -> HeatLog:
        assert self.state.current is not None
        return self.state.heats[self.state.current]

    @property
    def picture(self) -> HeatPicture:
        assert self.state.current is not None
        return self.state.picture(self.state.current)

    @property
    def places(self) -> list[tuple[int | None, str, str | None]]:
        """(place, bib, code) in the order of the result."""
        return [(line.place, line.bib, line.status) for line in self.picture.results]

    @property
    def gaps(self) -> dict[str, int | None]:
        return {line.bib: line.gap_ms for line in self.picture.results}

    def line(self, bib: str) -> ResultLine:
        return next(line for line in self.picture.results if line.bib == bib)

    def crossings(self, bib: str) -> dict[float, Crossing]:
        """By race distance."""
        rider = next(one for one in self.picture.splits if one.bib == bib)
        return {crossing.distance_m: crossing for crossing in rider.crossings}

    def noticed(self, words: str) -> bool:
        return any(words in notice for notice in self.picture.notices)

    def aside(self) -> list[str]:
        return [one.reason for one in self.picture.set_aside]

    def replayed(self) -> MeetState:
        """A second state that was fed the same events as they stand in a journal."""
        state = MeetState()
        for row, event in self.events:
            state.apply(row, decode_event(*encode_event(event)))
        return state

    def json(self) -> bytes:
        return state_json(self.state)


@functools.cache
def _setup(name: str) -> Setup:
    return load_setup(name)


@functools.cache
def _deliveries(name: str, heat_id: str) -> tuple[tuple[int, tuple[Record, ...]], ...]:
    setup = _setup(TOKYO)
    return tuple(rig_deliveries(setup, heat_of(setup, heat_id), load_script(name).heats[heat_id]))


def heat_of(setup: Setup, heat_id: str) -> Heat:
    return next(heat for heat in setup.meet.heats if heat.id == heat_id)


def rig_deliveries(setup: Setup, heat: Heat, script: HeatScript) -> Iterable[tuple[int, tuple[Record, ...]]]:
    """What the boxes say of a scripted heat, as (µs from the gun, records)."""
    numbers: dict[str, int] = {}
    for event in build_timeline(setup, heat, script, 1).events:
        at_us, received_us = event.at_us, event.at_us + ARRIVES_AFTER_US
        record: Record
        if isinstance(event, LoopRead):
            numbers[event.device] = numbers.get(event.device, 0) + 1
            record = Passing(
                device=event.device,
                received_us=received_us,
                device_us=at_us,
                transponder=event.transponder,
                channel=event.channel,
                sequence=numbers[event.device] + 1_000 * (1 + [one.id for one in setup.meet.heats].index(heat.id)),
            )
        elif isinstance(event, Edge):
            record = Impulse(device=event.device, received_us=received_us, device_us=at_us, channel=event.channel)
        elif isinstance(event, Sheet):
            lines = tuple(
                PhotoFinishLine(place=line.place, bib=line.bib, name=line.name, time_us=line.finish_us)
                for line in event.lines
            )
            record = PhotoFinish(device=event.device, received_us=received_us, heat=event.heat, lines=lines)
        else:
            continue
        yield at_us, (record,)


@pytest.fixture(scope="session")
def tokyo() -> Setup:
    return _setup(TOKYO)


@pytest.fixture
def office(tokyo: Setup) -> Office:
    """The office of the Tokyo 2020 keirin; bibs of final-a by draw: 13 2 23 4 21 30."""
    return Office(tokyo)


@pytest.fixture(scope="session")
def new_office() -> Callable[[Setup], Office]:
    return Office


@pytest.fixture(scope="session")
def rig() -> Callable[..., tuple[tuple[int, tuple[Record, ...]], ...]]:
    """What the boxes say of a heat of a shipped script (`rig("derny-slow", "final-a")`)."""
    return _deliveries


@pytest.fixture
def finished(office: Office, rig: Callable[..., Sequence[tuple[int, Sequence[Record]]]]) -> Office:
    """The final A ridden to its photo-finish: 4, 13, 23, 30, 21, 2."""
    office.open("final-a")
    office.arm()
    office.play(rig(TOKYO, "final-a"))
    return office


@pytest.fixture(scope="session")
def setup_for() -> Callable[..., Setup]:
    """A meet of our own riders on any track and rule book: Tokyo's people on other ground."""

    def make(venue: str, rules: str, loops: tuple[Loop, ...] | None = None, **heat_changes: object) -> Setup:
        base = _setup(TOKYO)
        new_venue = load_venue(venue)
        if loops is not None:
            new_venue = msgspec.structs.replace(new_venue, loops=loops)
        ids = [loop.id for loop in new_venue.loops]
        template = base.meet.devices[0]
        boxes = tuple(
            msgspec.structs.replace(template, id=f"p3-{loop}", loop=loop, address=f"serial:/dev/{loop}") for loop in ids
        )
        others = tuple(device for device in base.meet.devices if device.protocol != "p3")
        heats = tuple(msgspec.structs.replace(heat, **heat_changes) for heat in base.meet.heats)
        meet = msgspec.structs.replace(base.meet, devices=boxes + others, heats=heats)
        return msgspec.structs.replace(base, venue=new_venue, rules=load_rules(rules), meet=meet)

    return make
