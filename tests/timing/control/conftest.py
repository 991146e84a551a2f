"""A keirin heat folded without any hardware, stopped wherever a test wants to look; a real Mosquitto."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from config.loader import load_setup
from config.models import Setup
from drivers.records import (
    Delivery,
    DeviceHealth,
    Impulse,
    Passing,
    PhotoFinish,
    PhotoFinishLine,
    Record,
)
from drivers.rig.race import CameraStart, Edge, LoopRead, Sheet, TimedEvent, build_timeline
from drivers.rig.script import load_script
from tests.end_to_end.mosquitto import Mosquitto
from timing.race.actions import AnyAction, Arm, OpenHeat
from timing.race.events import Command, Event, SetupTaken, Tick
from timing.race.meet import MeetState
from timing.race.picture import HeatPicture

OPENED_US = 1_628_416_000_000_000
GUN_US = OPENED_US + 60_000_000
HEAT = "final-a"


class Office:
    """A timing office at its desk: every box sends exact UTC, every event is one row of a journal in memory."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.state = MeetState()
        self.now_us = OPENED_US
        self.missed: tuple[str, str] | None = None
        """A transponder and the box that does not read it."""
        self._row = 0
        self._orders = 0
        self.take(SetupTaken(at_us=OPENED_US, setup=setup))

    @property
    def picture(self) -> HeatPicture:
        """The heat on the track."""
        assert self.state.current is not None
        return self.state.picture(self.state.current)

    def take(self, event: Event) -> None:
        """One more row."""
        self._row += 1
        self.state.apply(self._row, event)

    def order(self, role: str, action: AnyAction) -> None:
        """A command that must be taken."""
        self._orders += 1
        name = f"order-{self._orders}"
        self.take(Command(id=name, actor=f"the {role}", role=role, at_us=self.now_us, action=action))
        outcome = self.state.outcomes[name]
        assert outcome.accepted, outcome.reason

    def deliver(self, record: Record) -> None:
        """A box says something, now."""
        if isinstance(record, Passing) and self.missed == (record.transponder, record.device):
            return
        self.take(Delivery(device=record.device, received_us=self.now_us, raw=b"", records=(record,)))

    def health(self, device: str, state: str, reason: str = "", advice: str = "") -> None:
        """A box changes its state."""
        self.take(DeviceHealth(device=device, at_us=self.now_us, state=state, reason=reason, advice=advice))

    def to_the_gun(self, heat: str = HEAT) -> None:
        """Riders on the line, pacer on the track."""
        self.order("operator", OpenHeat(heat=heat))
        self.order("operator", Arm())

    def ride(self, script: str = "tokyo2020-men-keirin", heat: str = HEAT) -> Iterator[HeatPicture]:
        """Play a script from the gun on; yields the picture after each thing that a box says."""
        programme = {one.id: one for one in self.setup.meet.heats}
        timeline = build_timeline(self.setup, programme[heat], load_script(script).heats[heat], seed=1)
        for event in timeline.events:
            record = self._record(event)
            if record is None:
                continue
            self.now_us = GUN_US + event.at_us
            self.deliver(record)
            yield self.picture

    def _record(self, event: TimedEvent) -> Record | None:
        at_us = GUN_US + event.at_us
        match event:
            case LoopRead():
                return Passing(
                    device=event.device,
                    received_us=at_us,
                    device_us=at_us,
                    transponder=event.transponder,
                    channel=event.channel,
                )
            case Edge():
                return Impulse(device=event.device, received_us=at_us, device_us=at_us, channel=event.channel)
            case Sheet():
                lines = tuple(
                    PhotoFinishLine(place=line.place, bib=line.bib, name=line.name, time_us=line.finish_us)
                    for line in event.lines
                )
                return PhotoFinish(device=event.device, received_us=at_us, lines=lines, heat=event.heat)
            case CameraStart():
                return None

    def until(self, state: str, script: str = "tokyo2020-men-keirin") -> HeatPicture:
        """Ride until the heat is in a state for the first time."""
        for picture in self.ride(script):
            if picture.state == state:
                return picture
        pytest.fail(f"the heat was never {state}: it ended {self.picture.state}")

    def wait(self, duration_us: int) -> HeatPicture:
        """Time passes and nothing comes."""
        self.now_us += duration_us
        self.take(Tick(at_us=self.now_us))
        return self.picture


@pytest.fixture
def make_office() -> Callable[[], Office]:
    """Offices of the Tokyo meet."""
    return lambda: Office(load_setup("tokyo2020-men-keirin"))


@pytest.fixture
def office(make_office: Callable[[], Office]) -> Office:
    """The office of the Tokyo meet before the first command."""
    return make_office()


@pytest.fixture
def broker_folder(tmp_path: Path) -> Path:
    """Where the broker of the test keeps its files."""
    folder = tmp_path / "broker"
    folder.mkdir()
    return folder


@pytest.fixture
async def mosquitto(broker_folder: Path) -> AsyncIterator[Mosquitto]:
    """A running broker on a free port: `kill()` it and `await start()` it again."""
    broker = Mosquitto(broker_folder)
    await broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def stopped_mosquitto(broker_folder: Path) -> Iterator[Mosquitto]:
    """A broker that is not there yet; it listens on its port once the test starts it."""
    broker = Mosquitto(broker_folder)
    yield broker
    broker.kill()


@pytest.fixture
def service_setup(tmp_path: Path) -> Callable[[Mosquitto], Setup]:
    """The Tokyo meet without boxes on a broker: what commands need, and nothing else."""

    def make(broker: Mosquitto) -> Setup:
        setup = load_setup("tokyo2020-men-keirin")
        meet = msgspec.structs.replace(setup.meet, devices=(), broker=broker.broker)
        return msgspec.structs.replace(setup, meet=meet)

    return make
