"""Replays a recording: what each box said goes out again at the addresses of a meet, in the recorded rhythm.

A line of the recording belongs to the device of the meet with the same id; protocol and address may differ
from the recorded ones (a box recorded over serial may be replayed over TCP). The questions of the host are not
answered anew: the recorded answers come when they came. All instants are shifted by the same amount, so the
distances between them, and with them the fit of each box's clock, stay as they were. Where the recorded line broke it
breaks again, and is there in time for the host to have it back when the recorded host had. All lines are there from
the beginning, whenever the recorded host first had them.
"""

import asyncio
from collections import deque
from contextlib import AsyncExitStack
from typing import Final

import structlog

from config.models import Setup
from drivers.hostclock import HostClock
from drivers.rig.recording import Recording, RecordingError
from drivers.rig.replay_lines import BreakingLine, make_line

LEAD_S: Final = 2.0
"""Real time between the last TCP connection of the host and the first byte: its other lines open meanwhile."""
RETURNS_EARLY_S: Final = 1.0
"""Real time within which a host finds a line that is back (`drivers.supervisor.BACK_OFF_S`)."""

_log = structlog.get_logger("velodrome.rig")


class Player:
    """Plays one recording. `run` serves until cancelled; `played` is set when the last byte went out."""

    def __init__(self, setup: Setup, recording: Recording, clock: HostClock, *, lead_s: float = LEAD_S) -> None:
        """Raises RigError for an address that cannot be simulated, RecordingError when meet and recording differ."""
        if recording.first_us is None:
            raise RecordingError(str(recording.path), "no box says anything in it", "record a run with live boxes")
        entered = {device.id for device in setup.meet.devices}
        strangers = [device.id for device in recording.header.devices if device.id not in entered]
        if strangers:
            reason = f"it has devices that meet {setup.meet.id} does not have: {', '.join(strangers)}"
            raise RecordingError(str(recording.path), reason, "give it the meet that it was recorded at")
        self._recording = recording
        self._first_us = recording.first_us
        self._clock = clock
        self._lead_s = lead_s
        recorded = {device.id for device in recording.header.devices}
        self.lines: dict[str, BreakingLine] = {
            device.id: BreakingLine(make_line(device, setup.meet.broker))
            for device in setup.meet.devices
            if device.id in recorded
        }
        self.ready = asyncio.Event()
        """Set when every box can be reached."""
        self.played = asyncio.Event()
        self.shift_us: int | None = None
        """Host time of the replay minus host time of the recording, once it has begun."""

    async def run(self) -> None:
        """Open the lines, wait for the hosts of the TCP boxes, play, then keep the lines open until cancelled."""
        async with AsyncExitStack() as opened:
            lines = [breaking.line for breaking in self.lines.values()]
            for line in lines:
                opened.push_async_callback(line.close)
                await line.open()
            async with asyncio.TaskGroup() as tasks:
                for line in lines:
                    tasks.create_task(line.run())
                self.ready.set()
                for line in lines:
                    await line.connected.wait()
                await asyncio.sleep(self._lead_s)
                await self.play(tasks)
                # A host may still be reading; the lines go when we are cancelled.
                await asyncio.Event().wait()

    async def play(self, tasks: asyncio.TaskGroup) -> None:
        """Send everything in its rhythm, beginning now. The lines must be open; `tasks` break and mend them."""
        self.shift_us = self._clock.now_us() - self._first_us
        _log.info("rig.replay_begins", recording=str(self._recording.path), shift_us=self.shift_us)
        returns = {device: deque(when) for device, when in self._recording.returns.items()}
        for line in self._recording.lines():
            if line.direction not in ("in", "close"):
                continue
            await self._clock.sleep_until(line.at_us + self.shift_us)
            if line.direction == "in":
                await self.lines[line.device].say(line.data)
            else:
                back_us = returns[line.device].popleft()
                tasks.create_task(self._interrupt(self.lines[line.device], back_us))
        self.played.set()
        _log.info("rig.replay_ended", recording=str(self._recording.path))

    async def _interrupt(self, line: BreakingLine, back_us: int | None) -> None:
        """Break a line; `back_us` is when the recorded host had it again, null for never."""
        await line.take_away()
        if back_us is None or self.shift_us is None:
            return
        early_us = round(RETURNS_EARLY_S * 1_000_000 * self._clock.anchor.speed)
        await self._clock.sleep_until(back_us + self.shift_us - early_us)
        await line.bring_back()
