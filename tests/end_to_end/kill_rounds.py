"""Kills the running demo with SIGKILL at random moments, starts it again and holds it to its journal.

    python -m tests.end_to_end.kill_rounds --kills 50 --seed 1

Each round kills either the demo alone, so that the simulated boxes ride on without it, or the boxes as well, as
in a power cut. An independent MQTT subscriber notes what was acknowledged and what was shown.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec

from tests.end_to_end.demo_support import (
    Heats,
    command,
    environment,
    heats_in,
    journal_of,
    rows_of,
    scripted_heats,
    velodrome,
)

START_TIMEOUT_S = 90.0
"""Compiling the kernels on a busy machine."""
RUN_TIMEOUT_S = 120.0
SHOWN_AT_MOST = 12
"""Messages of the continued run that are compared with the fold, each at its own row."""
SAME_GUN_US = 20_000
"""The gun's race time moves with the clock fit, by far less than this."""


class LostEvent(AssertionError):
    """Something that was acknowledged, or shown, is not in the journal."""


@dataclass
class Heard:
    """What the independent subscriber has heard since it was last cleared."""

    replies: dict[str, int] = field(default_factory=dict)
    """Command id to the row it was acknowledged with."""
    shown: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Summary:
    """What the rounds amounted to."""

    kills: int = 0
    with_hardware: int = 0
    while_starting: int = 0
    rows_checked: int = 0
    replies_checked: int = 0
    pictures_checked: int = 0
    runs_completed: int = 0
    restarted_heats: int = 0
    states: Counter[str] = field(default_factory=Counter)
    resumed_s: list[float] = field(default_factory=list)
    """From the start of the process to the first picture at a subscriber."""

    def text(self) -> str:
        """The summary in a few lines."""
        took = sorted(self.resumed_s) or [0.0]
        return "\n".join(
            (
                f"kills {self.kills} (boxes too {self.with_hardware}, while starting {self.while_starting})",
                f"acknowledged events lost 0: {self.rows_checked} rows and {self.replies_checked} replies compared",
                f"pictures equal to the fold at their row {self.pictures_checked}",
                f"runs completed with the published result {self.runs_completed}, heats restarted "
                f"{self.restarted_heats}",
                f"start to first picture, s: median {took[len(took) // 2]:.2f}, worst {took[-1]:.2f}",
                "killed in state: " + ", ".join(f"{name} {count}" for name, count in self.states.most_common()),
            )
        )


class KillRounds:
    """One demo folder, one command, many lives."""

    def __init__(self, state: Path, base: Path, seed: int, arguments: tuple[str, ...], expected: Heats) -> None:
        self._state = state
        self._base = base
        self._chance = random.Random(seed)
        self._arguments = ("demo", *arguments, "--headless", "--json", "--folder", str(base))
        self._expected = expected
        self._heard = Heard()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._continues = False
        self._deaf = asyncio.Event()
        self._deaf.set()
        self.summary = Summary()

    async def kill(self, kills: int) -> Summary:
        """Kill so many times, then let the last run come to its end."""
        listening = asyncio.create_task(self._listen())
        try:
            while self.summary.kills < kills:
                await self._one_life()
            self._start()
            await self._wait_for_end()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            if self._process is not None and self._process.poll() is None:
                self._process.kill()
                self._process.wait()
        return self.summary

    # -- a life ----------------------------------------------------------------------------------------------

    async def _one_life(self) -> None:
        before = rows_of(journal_of(self._base)) if self._is_unfinished() else []
        self._start()
        if self._chance.random() < 0.15:
            self.summary.while_starting += 1
            await asyncio.sleep(self._chance.uniform(0.05, 2.5))
        else:
            await self._wait_for_picture()
            if before:
                await self._check_continued(before)
            await asyncio.sleep(self._chance.uniform(0.0, 4.0))
        assert self._process is not None
        if self._process.poll() is not None:
            await self._wait_for_end()
            return
        self._strike(hardware=self._chance.random() < 0.3)
        await self._subscriber_gone()

    async def _subscriber_gone(self) -> None:
        """Wait until all that the dead process still sent is read: it must not be taken for its successor's."""
        async with asyncio.timeout(START_TIMEOUT_S):
            await self._deaf.wait()

    def _strike(self, *, hardware: bool) -> None:
        """Look at the journal, kill, look again: all that was there is there, byte for byte."""
        from timing.demo.hardware import hardware_pid, is_running

        assert self._process is not None
        replies = dict(self._heard.replies)
        seen = rows_of(journal_of(self._base))
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        latest = self._base / "latest"
        pid = hardware_pid(latest) if hardware and latest.exists() and is_running(latest) else None
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self.summary.with_hardware += 1
        self.summary.kills += 1
        left = rows_of(journal_of(self._base))
        if left[: len(seen)] != seen:
            raise LostEvent(f"{len(seen)} rows were on disk before the kill, after it they differ")
        for command_id, row in replies.items():
            if row > len(left) or left[row - 1].kind != "command" or command_id.encode() not in left[row - 1].body:
                raise LostEvent(f"command {command_id} was accepted as row {row}, which does not hold it")
        self.summary.rows_checked += len(seen)
        self.summary.replies_checked += len(replies)
        self.summary.states[_state_of(journal_of(self._base))] += 1

    async def _check_continued(self, before: list[Any]) -> None:
        """The first pictures of the continued run are the fold of its journal, with the heat as it was."""
        now = rows_of(journal_of(self._base))
        if now[: len(before)] != before:
            raise LostEvent("the continued run's journal does not begin with the rows of the killed one")
        self.summary.rows_checked += len(before)
        shown = [one for one in self._heard.shown if one[1]["journal_id"] <= len(now)][:SHOWN_AT_MOST]
        self.summary.pictures_checked += await asyncio.to_thread(_compare, journal_of(self._base), len(before), shown)

    def _start(self) -> None:
        self._heard.replies.clear()
        self._heard.shown.clear()
        self._heard.news.clear()
        self._continues = self._is_unfinished()
        self._started_s = time.monotonic()
        with (self._base / "out").open("wb") as out, (self._base / "err").open("wb") as err:
            self._process = subprocess.Popen(
                command(*self._arguments),
                env=environment(self._state),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def _is_unfinished(self) -> bool:
        from timing.demo.plan import read_plan

        try:
            return not read_plan(self._base / "latest").finished
        except OSError:
            return False

    async def _wait_for_picture(self) -> None:
        assert self._process is not None
        async with asyncio.timeout(START_TIMEOUT_S):
            while not any(topic == "current" for topic, _ in self._heard.shown):
                if self._process.poll() is not None:
                    return
                self._heard.news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._heard.news.wait(), 0.2)
        self.summary.resumed_s.append(time.monotonic() - self._started_s)
        told = (self._base / "err").read_text(encoding="utf-8")
        if self._continues and "continuing the demo run that was cut off" not in told:
            raise LostEvent(f"the demo did not say that it continues: {told}")

    async def _wait_for_end(self) -> None:
        """The run ends by itself with the published result, in a journal that is proven."""
        assert self._process is not None
        try:
            code = await asyncio.to_thread(self._process.wait, RUN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            code = None
        told = (self._base / "err").read_text(encoding="utf-8")
        if code is None:
            raise AssertionError(f"stuck in state {_state_of(journal_of(self._base))}: {told[-2_000:]}")
        if code != 0:
            raise AssertionError(f"the demo ended with {code}: {told[-2_000:]}")
        document = json.loads((self._base / "out").read_text(encoding="utf-8"))
        if heats_in(document) != self._expected:
            raise LostEvent(f"not the published result: {heats_in(document)}")
        self.summary.restarted_heats += sum(heat["attempt"] > 1 for heat in document["heats"])
        verdict = await asyncio.to_thread(velodrome, self._state, "verify", str(journal_of(self._base)))
        if verdict.returncode != 0:
            raise LostEvent(verdict.stdout + verdict.stderr)
        self.summary.runs_completed += 1

    # -- what race control hears -----------------------------------------------------------------------------

    async def _listen(self) -> None:
        from timing.demo.plan import read_plan

        while True:
            try:
                port = read_plan(self._base / "latest").setup.meet.broker.port
                async with aiomqtt.Client("127.0.0.1", port, timeout=2.0) as client:
                    self._deaf.clear()
                    await client.subscribe("velodrome/#", qos=1)
                    async for message in client.messages:
                        assert isinstance(message.payload, bytes)
                        self._hear(str(message.topic), message.payload)
            except (OSError, aiomqtt.MqttError):
                # No demo yet, or it was just killed.
                self._deaf.set()
                await asyncio.sleep(0.05)

    def _hear(self, topic: str, payload: bytes) -> None:
        name = topic.split("/", 2)[2]
        if name.startswith("replies/"):
            reply = msgspec.json.decode(payload)
            if reply["accepted"]:
                self._heard.replies[reply["id"]] = reply["journal_id"]
        elif name == "current" or name.startswith("heats/"):
            self._heard.shown.append((name, msgspec.json.decode(payload)))
        self._heard.news.set()


def _state_of(journal: Path) -> str:
    """The state of the heat on the track by the journal alone."""
    from timing.app import replay
    from timing.journal import Journal

    if not journal.exists():
        return "no journal"
    with Journal.open_read_only(journal) as reader:
        state = replay(reader)
    return "no heat" if state.current is None else state.picture(state.current).state


def _compare(journal: Path, killed_at: int, shown: list[tuple[str, dict[str, Any]]]) -> int:
    """Hold each message against the fold up to its row; returns how many were compared."""
    from timing.control import board
    from timing.journal import Journal
    from timing.race.events import decode_event
    from timing.race.meet import MeetState

    state = MeetState()
    waiting = sorted(shown, key=lambda one: int(one[1]["journal_id"]))
    compared = 0
    before: dict[str, Any] = {}
    with Journal.open_read_only(journal) as reader:
        for row in reader.rows():
            state.apply(row.id, decode_event(row.kind, row.body))
            if row.id == killed_at and state.current is not None:
                picture = state.picture(state.current)
                before = {"heat": picture.heat, "attempt": picture.attempt, "start_us": picture.start_us}
            while waiting and waiting[0][1]["journal_id"] <= row.id:
                topic, message = waiting.pop(0)
                heat = state.current if topic == "current" else topic.split("/")[1]
                picture_now = None if heat is None else state.picture(heat)
                bodies = [board.current_body(state, picture_now)] if topic == "current" else []
                if picture_now is not None:
                    log = state.heats[picture_now.heat]
                    bodies += board.heat_bodies(log, picture_now, state.earlier_paces(picture_now.heat))
                    bodies.append(board.history_body(log, picture_now))
                _equal(topic, message, next(body for body in bodies if body.topic == topic))
                compared += 1
                if topic == "current" and message["journal_id"] > killed_at:
                    _as_it_was(before, message)
                    before = {}
            if not waiting:
                break
    return compared


def _equal(topic: str, message: dict[str, Any], body: Any) -> None:
    folded = msgspec.json.decode(msgspec.json.encode(body.fields))
    for name, value in folded.items():
        if message[name] != value:
            raise LostEvent(f"{topic} at row {message['journal_id']}: {name} is not what the journal means")


def _as_it_was(before: dict[str, Any], current: dict[str, Any]) -> None:
    """The heat goes on: same heat, same attempt, same gun."""
    if not before:
        return
    if (current["heat"], current["attempt"]) != (before["heat"], before["attempt"]):
        raise LostEvent(f"before the kill {before}, after it {current['heat']} attempt {current['attempt']}")
    if before["start_us"] is not None and abs(current["start_us"] - before["start_us"]) > SAME_GUN_US:
        raise LostEvent(f"the gun was at {before['start_us']}, after the kill at {current['start_us']}")


def main() -> None:
    """Entry of the script."""
    parser = argparse.ArgumentParser(description="kill -9 the running demo at random moments")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=100.0)
    parser.add_argument("--folder", type=Path, help="where the runs are kept, to look at them afterwards")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="velodrome-kills-") as folder:
        os.environ.setdefault("VELODROME_STATE", folder)
        from timing.paths import prepare_kernels, state_folder

        prepare_kernels()
        base = chosen.folder or Path(folder)
        base.mkdir(parents=True, exist_ok=True)
        rounds = KillRounds(
            state_folder(), base, chosen.seed, ("--all", "--speed", f"{chosen.speed:g}"), scripted_heats()
        )
        try:
            summary = asyncio.run(rounds.kill(chosen.kills))
        except AssertionError as fault:
            print(rounds.summary.text())
            sys.exit(f"after {rounds.summary.kills} kills (seed {chosen.seed}): {fault}")
    print(summary.text())


if __name__ == "__main__":
    main()
