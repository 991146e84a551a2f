"""A real broker, the live service and the simulated hardware, for tests of the whole chain."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from config.loader import load_setup
from config.models import Broker, Device, Setup
from drivers.hostclock import ClockAnchor, HostClock
from drivers.rig.rig import Rig
from drivers.rig.script import load_script
from tests.end_to_end.mosquitto import Mosquitto, free_port
from tests.end_to_end.subscriber import Subscriber
from timing.app import Service
from timing.demo.people import People
from timing.race.picture import HeatPicture

MEET = "tokyo2020-men-keirin"
SCRIPT = "tokyo2020-men-keirin"
SPEED = 40.0
WAIT_S = 30.0


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A running broker on a free port, with persistence: `kill()` it and `await start()` it again."""
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder)
    await broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def make_setup(tmp_path: Path) -> Callable[..., Setup]:
    """The Tokyo meet with every box at an address of this machine: ptys below `tmp_path`, free ports."""

    def make(broker: Broker, meet: str = MEET) -> Setup:
        setup = load_setup(meet)
        devices = tuple(_local(device, tmp_path) for device in setup.meet.devices)
        local = msgspec.structs.replace(setup.meet, devices=devices, broker=broker)
        return msgspec.structs.replace(setup, meet=local)

    return make


def _local(device: Device, folder: Path) -> Device:
    if device.address.startswith("serial:"):
        return msgspec.structs.replace(device, address=f"serial:{folder / device.id}")
    if device.address.startswith("tcp:"):
        return msgspec.structs.replace(device, address=f"tcp:127.0.0.1:{free_port()}")
    return device


@contextlib.asynccontextmanager
async def _running(serving: "asyncio.Task[None]", ready: asyncio.Event) -> AsyncIterator[None]:
    waiting = asyncio.create_task(ready.wait())
    try:
        async with asyncio.timeout(WAIT_S):
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        yield
        if serving.done():
            serving.result()
    finally:
        waiting.cancel()
        serving.cancel()
        await asyncio.gather(serving, waiting, return_exceptions=True)


class Venue:
    """A velodrome on this machine: its clock, its hardware and its timing service, each started when wanted."""

    def __init__(self, setup: Setup, journal: Path, speed: float = SPEED) -> None:
        self.setup = setup
        self.journal = journal
        plain = HostClock()
        self.clock = HostClock(ClockAnchor(plain.anchor.monotonic_ns, plain.anchor.utc_us, speed))

    @contextlib.asynccontextmanager
    async def rig(self, script: str = SCRIPT) -> AsyncIterator[Rig]:
        """All simulated boxes of the meet, in this process on real ptys, TCP and MQTT."""
        rig = Rig(self.setup, load_script(script), self.clock)
        async with _running(asyncio.create_task(rig.run()), rig.ready):
            yield rig

    @contextlib.asynccontextmanager
    async def service(self) -> AsyncIterator[Service]:
        """The live service on the venue's journal; stopped at the end as Ctrl-C stops it."""
        service = Service(self.setup, self.journal, self.clock)
        try:
            async with _running(asyncio.create_task(service.run()), service.ready):
                yield service
        finally:
            service.close()

    async def ride(self, service: Service, heat: str) -> HeatPicture:
        """Operator, starter and president ride a heat over MQTT until it is official, broker or no broker."""
        while True:
            # The people's consoles connect again when the broker is lost; what was ordered stands in the journal.
            with contextlib.suppress(aiomqtt.MqttError):
                await People(service, self.setup.meet.broker, lambda _: None).ride((heat,))
                return service.state.picture(heat)
            await asyncio.sleep(0.1)


@pytest.fixture
def make_venue(tmp_path: Path, make_setup: Callable[..., Setup]) -> Callable[..., Venue]:
    """A venue whose distributor is the given broker: `make_venue(mosquitto.broker, speed=…)`."""

    def make(broker: Broker, speed: float = SPEED) -> Venue:
        return Venue(make_setup(broker), tmp_path / "meet.journal", speed)

    return make


@pytest.fixture
async def make_subscriber() -> AsyncIterator[Callable[[Broker, str], Subscriber]]:
    """Subscribers with a persistent session, ended with the test."""
    made: list[Subscriber] = []

    def make(broker: Broker, meet: str = MEET) -> Subscriber:
        made.append(Subscriber(broker, f"velodrome/{meet}/#"))
        return made[-1]

    yield make
    for subscriber in made:
        await subscriber.stop()
