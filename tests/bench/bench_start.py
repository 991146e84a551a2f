"""How soon it is there: `velodrome --help`, `velodrome run` to ready, and again after kill -9 in mid-race.

Ready is what race control sees: the retained topic `current` arrives at a subscriber of Mosquitto.
"""

import asyncio
import itertools
import re
import signal
import statistics
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from config.loader import load_setup
from drivers.hostclock import HostClock
from drivers.records import Delivery, Passing
from tests.bench.bench_live import ride
from tests.bench.bench_race import BEGIN_US, events
from tests.bench.stand import (
    REPOSITORY,
    START_TIMEOUT_S,
    STOP_TIMEOUT_S,
    Decoder,
    Mosquitto,
    StandError,
    Subscriber,
    scratch,
)
from tests.bench.table import Row
from timing.journal import Entry, Journal
from timing.race.actions import Arm, Gun, OpenHeat
from timing.race.events import encode_event, event_time_us

MEET = "tokyo2020-men-keirin"
JOURNAL_ROWS = 100_000
REPEATS = 5
COMMAND = (sys.executable, "-c", "from timing.cli import main; main()")
HELP_TARGET_S = 0.3
READY_TARGET_S = 3.0
RIDDEN = 100
"""Passings of the heat before the kill: about its middle."""
AS_IT_WAS = ("heat", "attempt", "state", "start_us", "laps_to_go", "head_m")


def run(rows: int = JOURNAL_ROWS, repeats: int = REPEATS) -> list[Row]:
    """Measure; about 40 s. Every `velodrome` is started as a user would, in a process of its own."""
    found = [_help_row(repeats)]
    with scratch() as folder:
        found += asyncio.run(_start_rows(folder, rows, repeats))
    with scratch() as folder:
        found.append(asyncio.run(_kill_row(folder, repeats)))
    return found


def _help_row(repeats: int) -> Row:
    ours = statistics.median(_process_s(*COMMAND, "--help") for _ in range(repeats))
    floor = statistics.median(_process_s(sys.executable, "-c", "pass") for _ in range(repeats))
    return _row("`velodrome --help`", ours, f"{floor:.2f} s (python -c pass)", ours / floor, HELP_TARGET_S)


def _process_s(*command: str) -> float:
    began_s = time.perf_counter()
    subprocess.run(command, check=True, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began_s


def _row(what: str, seconds: float, floor: str, ratio: float | None, target_s: float) -> Row:
    told = "-" if ratio is None else f"{ratio:.1f}"
    return Row(what, f"{seconds:.2f} s", floor, told, f"≤ {target_s:g} s", seconds <= target_s)


class Run:
    """`velodrome run` as a process."""

    def __init__(self, folder: Path, meet: Path, journal: Path) -> None:
        arguments = ("run", str(meet), "--journal", str(journal), "--headless", "--log", str(folder / "run.log"))
        self._errors = folder / "run.stderr"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                (*COMMAND, *arguments), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=errors
            )

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait for the end. Raises StandError when it had ended by itself or does not end."""
        if self._process.poll() is not None:
            raise StandError(f"velodrome run ended by itself: {self._errors.read_text(encoding='utf-8').strip()}")
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            self.clear_away()
            raise StandError(f"velodrome run did not end in {STOP_TIMEOUT_S:g} s after {how.name}") from error

    def clear_away(self) -> None:
        """Leave no process behind, whatever went wrong."""
        self._process.kill()
        self._process.wait()


async def _start_rows(folder: Path, rows: int, repeats: int) -> list[Row]:
    mosquitto = Mosquitto(folder)
    subscriber = Subscriber(mosquitto.port, f"velodrome/{MEET}/current")
    meet = write_meet(folder, mosquitto.port, {})
    long_journal = folder / "long.journal"
    size_mb = fill_journal(long_journal, rows) / 1e6
    try:
        # The first start compiles what is not in the cache yet.
        _ready_s(folder, meet, folder / "cold.journal", subscriber)
        empty = statistics.median(
            _ready_s(folder, meet, folder / f"new-{number}.journal", subscriber) for number in range(repeats)
        )
        full = statistics.median(_ready_s(folder, meet, long_journal, subscriber) for _ in range(min(repeats, 3)))
    finally:
        subscriber.close()
        mosquitto.stop()
    return [
        _row("`velodrome run`, new journal: start to the first message at a subscriber", empty, "-", None, 3.0),
        _row(f"the same with a journal of {rows:,} rows ({size_mb:.0f} MB)", full, "-", None, READY_TARGET_S),
    ]


def _ready_s(folder: Path, meet: Path, journal: Path, subscriber: Subscriber) -> float:
    before = len(subscriber.arrivals)
    began_s = time.perf_counter()
    service = Run(folder, meet, journal)
    try:
        arrived = subscriber.wait_for(lambda: len(subscriber.arrivals) > before, START_TIMEOUT_S)
        taken_s = time.perf_counter() - began_s
        if not arrived:
            raise StandError(f"velodrome run was not ready after {START_TIMEOUT_S:g} s")
        service.end()
    finally:
        service.clear_away()
    return taken_s


def write_meet(folder: Path, broker_port: int, ptys: dict[str, Path]) -> Path:
    """The Tokyo meet as a file of its own, with this broker and these devices' serial ports."""
    text = (resources.files("config") / "meets" / f"{MEET}.toml").read_text(encoding="utf-8")
    for device, pty in ptys.items():
        text, count = re.subn(
            rf'(id = "{device}"\n(?:[^\[]*\n)*?address = )"[^"]*"', rf'\g<1>"serial:{pty}"', text, count=1
        )
        if count != 1:
            raise StandError(f"the shipped meet has no device {device!r} with an address")
    text += f'\n[broker]\nhost = "127.0.0.1"\nport = {broker_port}\n'
    path = folder / f"{MEET}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def fill_journal(path: Path, rows: int) -> int:
    """A journal of all heats of the meet, ridden, and of riders warming up; returns its size in bytes."""
    setup = load_setup(MEET)
    heats = list(itertools.islice(events(setup, confirm_last=True), rows))
    last_us = event_time_us(heats[-1])
    box = next(device.id for device in setup.meet.devices if device.protocol == "p3")
    warming_up = (
        Delivery(
            device=box,
            received_us=last_us + number * 50_000,
            raw=b"\x8e" * 60,
            records=(
                Passing(
                    device=box,
                    received_us=last_us + number * 50_000,
                    device_us=last_us + number * 50_000 - 800,
                    transponder=str(8_000_000 + number % 60),
                    sequence=BEGIN_US % 1_000_000 + number,
                ),
            ),
        )
        for number in range(1, rows - len(heats) + 1)
    )
    with Journal.create(path, BEGIN_US, UUID(int=1)) as journal:
        entries = (
            Entry(kind, event_time_us(event), body)
            for event in itertools.chain(heats, warming_up)
            for kind, body in [encode_event(event)]
        )
        while group := list(itertools.islice(entries, 2_000)):
            journal.append(group)
    return path.stat().st_size


# -- kill -9 -------------------------------------------------------------------------------------------------


async def _kill_row(folder: Path, repeats: int) -> Row:
    """A heat is ridden to its middle on ptys, the service killed and started again; until `current` says the same."""
    mosquitto = Mosquitto(folder)
    setup = load_setup(MEET)
    boxes = [device for device in setup.meet.devices if device.protocol == "p3"]
    decoders = {box.loop or box.id: Decoder(folder, box.id, HostClock()) for box in boxes}
    meet = write_meet(folder, mosquitto.port, {one.name: one.path for one in decoders.values()})
    base = f"velodrome/{MEET}"
    subscriber = await asyncio.to_thread(
        Subscriber, mosquitto.port, f"{base}/current", f"{base}/passing", f"{base}/replies/#"
    )
    journal = folder / "meet.journal"
    service = Run(folder, meet, journal)
    try:
        if not await asyncio.to_thread(subscriber.wait_for, lambda: bool(subscriber.arrivals), START_TIMEOUT_S):
            raise StandError(f"velodrome run was not ready after {START_TIMEOUT_S:g} s")
        heat = setup.meet.heats[0].id
        for name, role, action in (("open", "operator", OpenHeat(heat=heat)), ("arm", "operator", Arm())):
            await asyncio.to_thread(subscriber.order, MEET, name, role, action)
        await asyncio.to_thread(subscriber.order, MEET, "gun", "starter", Gun())
        for loop, transponder in itertools.islice(ride(setup, heat), RIDDEN):
            decoders[loop].say(decoders[loop].frame(transponder))
            await asyncio.sleep(0.01)
        taken = []
        for _ in range(repeats):
            service, seconds = await asyncio.to_thread(_kill_and_restart, folder, meet, journal, service, subscriber)
            taken.append(seconds)
        service.end()
    finally:
        service.clear_away()
        subscriber.close()
        for decoder in decoders.values():
            decoder.close()
        mosquitto.stop()
    what = f"kill -9 in mid-race to running again with the heat as it was, worst of {repeats}"
    return _row(what, max(taken), "-", None, READY_TARGET_S)


def _kill_and_restart(
    folder: Path, meet: Path, journal: Path, service: Run, subscriber: Subscriber
) -> tuple[Run, float]:
    time.sleep(0.5)
    before = _current(subscriber, 0)
    service.end(signal.SIGKILL)
    seen = len(subscriber.arrivals)
    began_s = time.perf_counter()
    started = Run(folder, meet, journal)
    same = subscriber.wait_for(lambda: _current(subscriber, seen) == before, START_TIMEOUT_S)
    taken_s = time.perf_counter() - began_s
    if not same:
        started.clear_away()
        raise StandError(f"after kill -9 the heat is {_current(subscriber, seen)}, not {before}")
    return started, taken_s


def _current(subscriber: Subscriber, since: int) -> dict[str, Any] | None:
    """The newest `current` message that arrived since, as far as it says where the race stands."""
    for _, topic, payload in reversed(subscriber.arrivals[since:]):
        if topic.endswith("/current"):
            message = msgspec.json.decode(payload)
            return {key: message[key] for key in AS_IT_WAS}
    return None
