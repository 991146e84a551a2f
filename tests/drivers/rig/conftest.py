"""The Tokyo 2020 keirin as a Setup made in memory, and the published results that the rig must reach."""

import asyncio
import json
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from config.models import (
    Broker,
    Device,
    DeviceChannel,
    Heat,
    KeirinDistance,
    KeirinRules,
    Lines,
    Loop,
    Meet,
    PaceCurve,
    Pacer,
    Rider,
    RuleBook,
    Setup,
    StartPosition,
    Venue,
)
from drivers.rig.script import load_script

POSITIONS_M = {
    "finish": 0.0,
    "l200": 50.0,
    "back": 112.5,
    "l100": 150.0,
    "quarter": 175.0,
    "l50": 200.0,
    "home": 237.5,
}
CURVES = {
    "uci": PaceCurve(start_kmh=30.0, end_kmh=50.0, shape="linear_distance"),
    "even": PaceCurve(start_kmh=30.0, end_kmh=50.0, shape="constant_acceleration"),
    "pist6": PaceCurve(start_kmh=30.0, end_kmh=50.0, shape="hold_ramp_hold"),
}


@pytest.fixture(scope="session")
def curves() -> dict[str, PaceCurve]:
    """Pace curves from 30 to 50 km/h, one of each shape."""
    return CURVES


def p3_address(loop: str) -> str:
    return f"tcp:127.0.0.1:{5400 + list(POSITIONS_M).index(loop)}"


def tokyo_devices() -> tuple[Device, ...]:
    loops = tuple(
        Device(id=f"p3-{loop}", protocol="p3", address=p3_address(loop), loop=loop, clock="local_time")
        for loop in POSITIONS_M
    )
    camera = Device(id="camera", protocol="lynx", address="tcp:127.0.0.1:5999", loop="finish", resolution_us=100)
    gateway = Device(
        id="gateway",
        protocol="json",
        address="mqtt:tokyo/gateway",
        resolution_us=100,
        channels=(
            DeviceChannel(channel="gun", role="gun"),
            DeviceChannel(channel="bell", role="bell"),
            DeviceChannel(channel="finish", role="photocell", loop="finish"),
        ),
    )
    return (*loops, camera, gateway)


def tokyo_setup(devices: tuple[Device, ...] | None = None, broker: Broker | None = None) -> Setup:
    script = load_script("tokyo2020-men-keirin")
    bibs = [str(number) for number in range(1, 31)]
    heats = []
    for heat_id, heat in script.heats.items():
        entered = [finisher.bib for finisher in heat.finish]
        random.Random(heat_id).shuffle(entered)
        heats.append(
            Heat(
                id=heat_id,
                event="keirin",
                category="men",
                round=heat_id.split("-")[0],
                heat=1,
                pacer="derny",
                start_list=tuple(StartPosition(bib=bib, draw=number) for number, bib in enumerate(entered, 1)),
            )
        )
    meet = Meet(
        id="tokyo",
        name="Tokyo 2020",
        venue="izu",
        rules="uci",
        devices=tokyo_devices() if devices is None else devices,
        riders=tuple(Rider(bib=bib, name=f"Rider {bib}", transponders=(str(9000 + int(bib)),)) for bib in bibs),
        pacers=(Pacer(id="derny", name="Derny", transponders=("9900",)),),
        heats=tuple(heats),
        broker=broker or Broker(),
    )
    venue = Venue(
        id="izu",
        name="Izu",
        track_length_m=250.0,
        timezone="Asia/Tokyo",
        lines=Lines(pursuit_home_m=237.5, pursuit_back_m=112.5, l200_m=50.0, l100_m=150.0),
        loops=tuple(Loop(id=loop, position_m=position_m) for loop, position_m in POSITIONS_M.items()),
    )
    rules = RuleBook(
        id="uci",
        name="UCI",
        valid_from=date(2021, 1, 1),
        keirin=KeirinRules(
            distances=(KeirinDistance(track_length_m=250.0, paced_laps=3, sprint_laps=3),),
            pace={"default": "uci"},
            passing_rule="front_wheel",
        ),
        pace_curves=CURVES,
        codes=(),
    )
    return Setup(meet=meet, venue=venue, rules=rules)


@pytest.fixture(scope="session")
def setup() -> Setup:
    """The meet with seven P3 loops, the camera and the JSON gateway."""
    return tokyo_setup()


@pytest.fixture(scope="session")
def make_setup() -> Callable[..., Setup]:
    """Make the same meet with other devices or another broker."""
    return tokyo_setup


class Mosquitto:
    """A real broker as a process, which a test may kill and start again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
            # A subscriber's session outlives kill -9 (DESIGN §7); as root it would give up its rights to write.
            f"persistence true\npersistence_location {folder}/\nautosave_interval 1\nautosave_on_changes true\n"
            "max_queued_messages 0\nuser root\n",
            "utf-8",
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def broker(self) -> Broker:
        return Broker(host="127.0.0.1", port=self.port)

    def start(self) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        assert program is not None, "mosquitto is not installed: apt-get install mosquitto"
        self._process = subprocess.Popen(
            [program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 5.0
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                probe.settimeout(0.2)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, "mosquitto ended at once"
        raise AssertionError("mosquitto does not listen")

    def has_saved(self, text: str) -> bool:
        """Whether a text (a session's client id) has reached the broker's disk."""
        saved = self._config.with_name("mosquitto.db")
        return saved.is_file() and text.encode() in saved.read_bytes()

    def kill(self) -> None:
        """As kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running Mosquitto on a port of its own."""
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Wait until a condition holds, at most 10 s."""

    async def wait(condition: Callable[[], bool]) -> None:
        for _ in range(2_000):
            if condition():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it did not happen within 10 s")

    return wait


@pytest.fixture(scope="session")
def published() -> dict[str, list[tuple[str, int | None, int | None]]]:
    """By heat id: (bib, place, gap in ms) in the published order, straight from the shared data file."""
    data_file = Path(__file__).parents[4] / "shared" / "data" / "keirin_tokyo2020_men.json"
    if not data_file.is_file():
        pytest.skip("../shared/data/keirin_tokyo2020_men.json is not beside this repository")
    prefixes = {"First round": "r1", "Repechages": "rep", "Quarterfinals": "qf", "Semifinals": "sf"}
    bibs: dict[str, str] = {}
    heats: dict[str, list[tuple[str, int | None, int | None]]] = {}
    data: dict[str, Any] = json.loads(data_file.read_text("utf-8"))
    for round_ in data["rounds"]:
        for heat in round_["heats"]:
            name = round_["name"]
            heat_id = f"{prefixes[name]}-{heat['heat']}" if name in prefixes else name.lower().replace(" ", "-")
            heats[heat_id] = [
                (bibs.setdefault(row["rider"], str(len(bibs) + 1)), row["rank"], row["gap_ms"])
                for row in heat["results"]
            ]
    return heats
