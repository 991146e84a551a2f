"""`velodrome record`, `velodrome rig MEET RECORDING` and `velodrome doctor --loopback` as a person meets them."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from config.loader import load_setup
from config.models import Setup
from drivers.hostclock import ClockAnchor
from drivers.records import Delivery, DeviceHealth
from drivers.rig.recording import RecordedBytes, Recording, RecordingError, RecordingWriter, header_of
from timing.commands.record import from_journal
from timing.journal import Entry, Journal
from timing.race.events import Event, ServiceStarted, SetupTaken, Tick, encode_event, event_time_us

REPOSITORY = Path(__file__).parents[3]
STATUS = bytes.fromhex("8e021f00f3890000020001022800070216000c01760601008104131804008f")
BEGAN_US = 1_748_968_200_000_000
COMMAND = [sys.executable, "-c", "from timing.cli import main; main()"]


def environment(state: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "VELODROME_STATE": str(state)}


def velodrome(state: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=environment(state),
        timeout=60,
        check=False,
    )


@contextmanager
def running(state: Path, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """The command in the background, ended by Ctrl-C."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=REPOSITORY,
        env=environment(state),
    ) as process:
        watch = threading.Timer(60, process.kill)
        watch.start()
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
            watch.cancel()


def wait_for(process: "subprocess.Popen[str]", words: str) -> str:
    """Read the command's messages until one has these words."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"the command ended without saying {words!r}")


def meet_file(folder: Path, port: int) -> Path:
    """The shipped club night with its first decoder on this machine and nothing else."""
    text = (REPOSITORY / "config" / "meets" / "club-night.toml").read_text("utf-8")
    head, _, rest = text.partition("[[devices]]")
    pacers = rest.index("[[pacers]]")
    device = (
        '[[devices]]\nid = "decoder-finish"\nname = "Decoder"\nprotocol = "p3"\nloop = "finish"\n'
        f'address = "tcp:127.0.0.1:{port}"\n\n'
    )
    path = folder / "meet.toml"
    path.write_text(head + device + rest[pacers:], "utf-8")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_journal(path: Path, events: list[Event]) -> Path:
    with Journal.create(path, BEGAN_US, UUID(int=7)) as journal:
        journal.append([Entry(encode_event(one)[0], event_time_us(one), encode_event(one)[1]) for one in events])
    return path


def delivery(device: str, at_us: int, raw: bytes) -> Delivery:
    return Delivery(device=device, received_us=at_us, raw=raw, records=())


@pytest.fixture
def setup() -> Setup:
    return load_setup("club-night")


# -- out of a journal ----------------------------------------------------------------------------------------


def test_a_journal_s_raw_bytes_become_a_recording(setup: Setup, tmp_path: Path) -> None:
    events: list[Event] = [
        SetupTaken(at_us=BEGAN_US, setup=setup),
        delivery("decoder-finish", BEGAN_US + 1, STATUS),
        DeviceHealth(device="decoder-home", at_us=BEGAN_US + 2, state="live"),
        delivery("decoder-home", BEGAN_US + 3, bytes(range(256))),
        delivery("decoder-home", BEGAN_US + 4, b""),
        Tick(at_us=BEGAN_US + 5),
        delivery("decoder-finish", BEGAN_US + 6, b"\x8e"),
    ]
    journal = write_journal(tmp_path / "a.journal", events)
    assert from_journal(journal, tmp_path / "a.recording") == 4
    recording = Recording(tmp_path / "a.recording")
    assert (recording.header.meet, recording.header.source) == ("club-night", "journal")
    assert [device.id for device in recording.header.devices] == [device.id for device in setup.meet.devices]
    assert list(recording.lines()) == [
        RecordedBytes(device="decoder-finish", at_us=BEGAN_US + 1, direction="in", data=STATUS),
        RecordedBytes(device="decoder-home", at_us=BEGAN_US + 2, direction="open"),
        RecordedBytes(device="decoder-home", at_us=BEGAN_US + 3, direction="in", data=bytes(range(256))),
        RecordedBytes(device="decoder-finish", at_us=BEGAN_US + 6, direction="in", data=b"\x8e"),
    ]


def test_lines_that_broke_and_came_back_are_taken_from_the_health_in_the_journal(setup: Setup, tmp_path: Path) -> None:
    def health(at: int, state: str) -> DeviceHealth:
        return DeviceHealth(device="decoder-home", at_us=BEGAN_US + at, state=state)

    events: list[Event] = [
        SetupTaken(at_us=BEGAN_US, setup=setup),
        *(health(at, state) for at, state in enumerate(("connecting", "live", "silent", "live", "lost"))),
        *(health(at, state) for at, state in ((5, "backing_off"), (6, "connecting"), (7, "live"))),
        ServiceStarted(at_us=BEGAN_US + 9, version="1"),
        health(10, "live"),
    ]
    from_journal(write_journal(tmp_path / "a.journal", events), tmp_path / "a.recording")
    recording = Recording(tmp_path / "a.recording")
    assert [(line.at_us - BEGAN_US, line.direction) for line in recording.lines()] == [
        (1, "open"),
        (4, "close"),
        (7, "open"),
        (9, "close"),
        (10, "open"),
    ]
    assert recording.returns["decoder-home"] == [BEGAN_US + 7, BEGAN_US + 10]


def test_a_device_that_was_taken_out_of_the_meet_is_still_in_the_recording(setup: Setup, tmp_path: Path) -> None:
    fewer = msgspec.structs.replace(setup, meet=msgspec.structs.replace(setup.meet, devices=setup.meet.devices[1:]))
    events: list[Event] = [
        SetupTaken(at_us=BEGAN_US, setup=setup),
        delivery(setup.meet.devices[0].id, BEGAN_US + 1, STATUS),
        SetupTaken(at_us=BEGAN_US + 2, setup=fewer),
    ]
    from_journal(write_journal(tmp_path / "a.journal", events), tmp_path / "a.recording")
    recording = Recording(tmp_path / "a.recording")
    assert {device.id for device in recording.header.devices} == {device.id for device in setup.meet.devices}
    assert recording.count == 1


def test_a_journal_without_a_meet_is_told(tmp_path: Path) -> None:
    journal = write_journal(tmp_path / "a.journal", [Tick(at_us=BEGAN_US)])
    with pytest.raises(RecordingError, match="no meet is in this journal yet"):
        from_journal(journal, tmp_path / "a.recording")
    assert not (tmp_path / "a.recording").exists()


def test_the_command_puts_a_journal_s_recording_into_a_folder(setup: Setup, tmp_path: Path) -> None:
    events: list[Event] = [SetupTaken(at_us=BEGAN_US, setup=setup), delivery("decoder-finish", BEGAN_US + 1, STATUS)]
    journal = write_journal(tmp_path / "club.journal", events)
    (tmp_path / "kept").mkdir()
    done = velodrome(tmp_path, "record", journal, tmp_path / "kept")
    assert done.returncode == 0, done.stderr
    assert "club.recording: 1 reads" in done.stderr
    assert Recording(tmp_path / "kept" / "club.recording").count == 1
    again = velodrome(tmp_path, "record", journal, tmp_path / "kept")
    assert again.returncode == 1
    assert "is there already; choose another name" in again.stderr
    assert "Traceback" not in again.stderr


# -- from live boxes, and back -------------------------------------------------------------------------------


@pytest.fixture
def decoder() -> Iterator[Callable[[], int]]:
    """A decoder that says one STATUS to each host and keeps the line open; its port."""
    server = socket.create_server(("127.0.0.1", 0))
    lines: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            lines.append(line)
            line.sendall(STATUS)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield lambda: int(server.getsockname()[1])
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)
    for line in lines:
        line.close()


def test_live_boxes_are_recorded_until_ctrl_c_and_the_recording_is_played_again(
    decoder: Callable[[], int], tmp_path: Path
) -> None:
    out = tmp_path / "live.recording"
    with running(tmp_path, "record", meet_file(tmp_path, decoder()), out) as process:
        wait_for(process, "decoder-finish: live")
        wait_until_written(out)
    assert process.returncode == 0
    recording = Recording(out)
    assert b"".join(line.data for line in recording.lines() if line.direction == "in") == STATUS
    assert any(line.direction == "out" for line in recording.lines())

    port = free_port()
    clock_file = tmp_path / "clock.json"
    with running(
        tmp_path, "rig", meet_file(tmp_path, port), out, "--speed", "10", "--clock-file", clock_file
    ) as process:
        wait_for(process, "ready: decoder-finish")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as host:
            heard = b""
            while len(heard) < len(STATUS):
                heard += host.recv(4_096)
        wait_for(process, "played; Ctrl-C ends the rig")
    assert heard == STATUS
    assert process.returncode == 0
    anchor = msgspec.json.decode(clock_file.read_bytes(), type=ClockAnchor)
    assert anchor.speed == 10
    assert recording.first_us is not None
    assert 0 < recording.first_us - anchor.utc_us <= 60_000_000, "the run lives at the recorded date"


def wait_until_written(path: Path) -> None:
    """Until both the decoder's bytes and a question to it are in the file."""
    pause = threading.Event()
    for _ in range(1_000):
        if all(word in path.read_bytes() for word in (b'"in"', b'"out"')):
            return
        pause.wait(0.02)
    raise AssertionError("the recorder wrote nothing down within 20 s")


def test_a_live_recording_ends_by_itself_after_so_many_seconds(tmp_path: Path) -> None:
    done = velodrome(tmp_path, "record", meet_file(tmp_path, free_port()), tmp_path / "a.recording", "--seconds", "1")
    assert done.returncode == 0, done.stderr
    assert "connection refused" in done.stderr
    assert Recording(tmp_path / "a.recording").count == 0


# -- errors --------------------------------------------------------------------------------------------------


def written(path: Path, setup: Setup, device: str = "decoder-finish") -> Path:
    with RecordingWriter(path, header_of(setup, "live", BEGAN_US)) as writer:
        writer.write(RecordedBytes(device=device, at_us=BEGAN_US, direction="in", data=STATUS))
    return path


def test_errors_are_one_line(setup: Setup, tmp_path: Path) -> None:
    recording = written(tmp_path / "a.recording", setup)
    damaged = tmp_path / "damaged.recording"
    damaged.write_bytes(recording.read_bytes() + b"{}\n")
    for arguments, words in (
        (("record", "no-such-meet", tmp_path / "b.recording"), "no-such-meet"),
        (("record", "club-night", tmp_path / "absent" / "b.recording"), "cannot be written"),
        (("record", "club-night", tmp_path / "b.recording", "--seconds", "-1"), "--seconds: -1 is not possible"),
        (("rig", "club-night", damaged), "line 3 is damaged"),
        (("rig", "tokyo2020-men-keirin", recording), "devices that meet tokyo2020-men-keirin does not have"),
        (("rig", "club-night", recording, "--speed", "0"), "speed 0"),
        (("doctor", "--loopback", "/dev/velodrome/absent-a", "/dev/velodrome/absent-b"), "there is no port"),
        (("doctor",), "doctor needs a MEET"),
    ):
        done = velodrome(tmp_path, *arguments)
        assert done.returncode != 0, arguments
        (line,) = [text for text in done.stderr.strip().splitlines() if not text.startswith("recording ")]
        assert line.startswith("velodrome: "), line
        assert words in line


def test_help_says_what_the_commands_take(tmp_path: Path) -> None:
    done = velodrome(tmp_path, "record", "--help")
    assert done.returncode == 0
    assert "journal" in done.stdout
    assert "--loopback" in velodrome(tmp_path, "doctor", "--help").stdout


def test_a_recording_is_text_that_people_can_read(setup: Setup, tmp_path: Path) -> None:
    texts = written(tmp_path / "a.recording", setup).read_text("ascii").splitlines()
    assert json.loads(texts[0])["format"] == "velodrome-recording/2"
    assert set(json.loads(texts[1])) == {"device", "at_us", "direction", "data"}
