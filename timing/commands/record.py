"""`velodrome record`, and `velodrome rig MEET RECORDING`: bytes of a live run, kept and played again."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from config.loader import load_setup
from drivers.hostclock import ClockAnchor, HostClock
from drivers.records import DeviceHealth
from drivers.rig.player import LEAD_S, Player
from drivers.rig.recorder import Recorder
from drivers.rig.recording import (
    SUFFIX,
    Header,
    RecordedBytes,
    RecordedDevice,
    Recording,
    RecordingError,
    RecordingWriter,
    header_of,
)
from drivers.supervisor import LINE_IS_OPEN
from timing.journal import JournalReader
from timing.logs import configure_logs
from timing.paths import ClockFileError
from timing.race.events import Event, ServiceStarted, SetupTaken, decode_event

SQLITE = b"SQLite format 3\0"
"""What a journal's file begins with."""
FLUSH_LINES = 10_000


def record(source: str, out: Path, seconds: int) -> int:
    """Make a recording out of a journal, or of the live devices of a meet. Returns the exit code.

    `out` is the file to make, or a folder in which it gets a name. Raises RecordingError, ConfigError, JournalError
    or DriverError.
    """
    if seconds < 0:
        raise RecordingError("--seconds", f"{seconds} is not possible", "give 0 (until Ctrl-C) or more")
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if _is_journal(Path(source)):
        path = _file_for(out, Path(source).stem)
        lines = from_journal(Path(source), path)
        console.print(f"{path}: {lines} reads, from the journal {source}")
        return 0
    configure_logs(None)
    setup = load_setup(source)
    path = _file_for(out, f"{setup.meet.id}-{time.strftime('%Y%m%d-%H%M%S')}")

    def report(health: DeviceHealth) -> None:
        told = "; ".join(part for part in (health.reason, health.advice) if part)
        console.print(f"{health.device}: {health.state}{': ' + told if told else ''}")

    recorder = Recorder(setup, path, HostClock(), report)
    console.print(f"recording {len(setup.meet.devices)} devices to {path}; Ctrl-C ends it")
    asyncio.run(_until_signal(recorder.run(), seconds))
    console.print(f"{path}: {recorder.writer.lines} reads and writes")
    return 0


def play(meet: str, recording: Path, speed: float, clock_file: Path | None) -> int:
    """Replay a recording at the addresses of a meet until interrupted. Returns the exit code."""
    configure_logs(None)
    if not 0 < speed <= 1000:
        raise ClockFileError(f"speed {speed:g} is not possible: give a number above 0, at most 1000")
    setup = load_setup(meet)
    found = Recording(recording)
    anchor = ClockAnchor(time.monotonic_ns(), time.time_ns() // 1_000, speed)
    if clock_file is not None:
        # The run lives at the recorded date, or the boxes' clocks would be off by the age of the recording.
        begin_us = (found.first_us or anchor.utc_us) - round(LEAD_S * 1_000_000 * speed)
        anchor = ClockAnchor(anchor.monotonic_ns, begin_us, speed)
        try:
            clock_file.write_bytes(msgspec.json.encode(anchor))
        except OSError as error:
            raise ClockFileError(f"clock file {clock_file}: {error.strerror}; give a path you may write") from error
    player = Player(setup, found, HostClock(anchor))
    asyncio.run(_until_signal(_tell(player, found), 0))
    return 0


def from_journal(journal: Path, out: Path) -> int:
    """Write the raw bytes of a journal's deliveries as a recording; returns the number of its lines.

    The devices are those of every setup that the journal held. Raises JournalError or RecordingError.
    """
    with JournalReader(journal) as reader:
        header = _header_from(reader, journal)
        lines = _Lines()
        with RecordingWriter(out, header) as writer:
            for row in reader.rows():
                if row.kind == "delivery":
                    raw = msgspec.json.decode(row.body, type=_Raw)
                    if raw.raw:
                        at_us = raw.received_us
                        writer.write(RecordedBytes(device=raw.device, at_us=at_us, direction="in", data=raw.raw))
                else:
                    for line in lines.follow(decode_event(row.kind, row.body)):
                        writer.write(line)
                if row.id % FLUSH_LINES == 0:
                    writer.flush()
            return writer.lines


class _Lines:
    """From the health of the devices: when their lines were connected, and when they broke."""

    def __init__(self) -> None:
        self._open: set[str] = set()

    def follow(self, event: Event) -> list[RecordedBytes]:
        """What an event says of the lines."""
        if isinstance(event, ServiceStarted):
            gone = sorted(self._open)
            self._open.clear()
            return [RecordedBytes(device=device, at_us=event.at_us, direction="close") for device in gone]
        if not isinstance(event, DeviceHealth):
            return []
        is_open = event.state in LINE_IS_OPEN
        if is_open == (event.device in self._open):
            return []
        self._open ^= {event.device}
        return [RecordedBytes(device=event.device, at_us=event.at_us, direction="open" if is_open else "close")]


class _Raw(msgspec.Struct, frozen=True):
    """What a recording keeps of a `Delivery`."""

    device: str
    received_us: int
    raw: bytes


def _header_from(reader: JournalReader, journal: Path) -> Header:
    header: Header | None = None
    devices: dict[str, RecordedDevice] = {}
    for row in reader.rows():
        if row.kind == "setup":
            event = decode_event(row.kind, row.body)
            if isinstance(event, SetupTaken):
                header = header_of(event.setup, "journal", reader.created_us)
                devices |= {device.id: device for device in header.devices}
    if header is None:
        raise RecordingError(str(journal), "no meet is in this journal yet", "record it after `velodrome run` started")
    return msgspec.structs.replace(header, devices=tuple(devices.values()))


def _is_journal(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE)) == SQLITE
    except OSError:
        # No such file: then it is the name of a meet, and the loader says what is wrong with that.
        return False


def _file_for(out: Path, name: str) -> Path:
    return out / f"{name}{SUFFIX}" if out.is_dir() else out


async def _tell(player: Player, recording: Recording) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    serving = asyncio.create_task(player.run())
    steps = (
        (player.ready, f"ready: {', '.join(player.lines)}; it plays when every TCP box has its host"),
        (player.played, "played; Ctrl-C ends the rig"),
    )
    console.print(f"{recording.path}: {recording.count} lines of meet {recording.header.meet}")
    if recording.unfinished:
        console.print("its last line is unfinished (the recorder was killed) and is left out")
    try:
        for event, text in steps:
            reached = asyncio.create_task(event.wait())
            await asyncio.wait({serving, reached}, return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            if event.is_set():
                console.print(text)
        await serving
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def _until_signal(work: Coroutine[Any, Any, None], seconds: int) -> None:
    """Run `work` until it ends, a signal comes, or so many seconds have passed (0 for never)."""
    working = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, working.cancel)
    if seconds:
        loop.call_later(seconds, working.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await working
