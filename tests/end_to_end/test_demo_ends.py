"""How a running demo is ended, and what it tells who cannot have it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.demo_support import command, environment, velodrome
from timing.demo.hardware import is_running
from timing.demo.plan import read_plan

STATE_WAIT_S = 90.0
END_WAIT_S = 30.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder that all tests of the demo share, for the compiled kernels."""
    folder = tmp_path_factory.getbasetemp() / "velodrome-state"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def start(state: Path, tmp_path: Path) -> Iterator[Start]:
    """Start a headless demo in `tmp_path`; whatever still runs is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            command("demo", "--headless", "--folder", str(tmp_path), *arguments),
            env=environment(state),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=END_WAIT_S)


def _read_until(process: "subprocess.Popen[str]", words: str) -> list[str]:
    """Lines on standard error up to the one with `words`."""
    assert process.stderr is not None
    lines = []
    deadline = time.monotonic() + STATE_WAIT_S
    for line in process.stderr:
        lines.append(line.rstrip())
        if words in line:
            return lines
        assert time.monotonic() < deadline, lines
    raise AssertionError(f"the demo ended before {words!r}: {lines}")


@pytest.mark.parametrize(("wish", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "kill"])
def test_a_wish_ends_the_demo_with_its_boxes_and_the_next_one_starts_afresh(
    start: Start, tmp_path: Path, wish: signal.Signals, code: int
) -> None:
    process = start("--speed", "20")
    _read_until(process, "paced")
    run = (tmp_path / "latest").resolve()
    assert is_running(run)
    process.send_signal(wish)
    _, told = process.communicate(timeout=END_WAIT_S)
    assert process.returncode == code
    assert "Traceback" not in told
    assert "the next demo starts afresh" in told
    assert not is_running(run)
    assert read_plan(run).finished


def test_each_state_of_the_heat_is_told_on_standard_error_while_it_runs(start: Start) -> None:
    process = start("--speed", "50")
    lines = _read_until(process, "wins")
    states = [line.partition(": ")[2].partition(", laps")[0] for line in lines if line.startswith("Final A, final-a: ")]
    expected = ["riders on the line", "armed, pacer on the track", "paced", "SPRINT", "LAST LAP", "provisional"]
    assert [one for one in states if one in expected] == expected
    table, _ = process.communicate(timeout=END_WAIT_S)
    assert process.returncode == 0
    assert "KENNY Jason" in table
    assert "+0.763" in table
    assert "http://" not in table, "headless: no consoles unless they are asked for"


def test_a_second_demo_at_the_same_time_is_refused_in_one_line(start: Start, state: Path, tmp_path: Path) -> None:
    process = start("--speed", "5")
    _read_until(process, "armed")
    second = velodrome(state, "demo", "--headless", "--folder", str(tmp_path))
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr.splitlines() == [
        f"velodrome: a demo is running already in {tmp_path} (process {process.pid}): "
        "end it first, or give another --folder"
    ]
    assert process.poll() is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--heat", "nonsense"), "heat 'nonsense' is not in the demo meet"),
        (("--speed", "0"), "speed 0 is not possible"),
        (("--speed", "-1"), "speed -1 is not possible"),
        (("--script", "nonsense"), "nonsense: no such script"),
        (("--heat", "final-a", "--all"), "exclude each other"),
    ],
)
def test_what_cannot_be_ridden_is_told_in_one_line(
    state: Path, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = velodrome(state, "demo", *arguments, "--folder", str(tmp_path / "runs"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert told in done.stderr
    assert not list(tmp_path.glob("runs/2*"))


def test_hardware_that_dies_is_switched_on_again_and_the_heat_is_restarted(start: Start, tmp_path: Path) -> None:
    from timing.demo.hardware import hardware_pid

    process = start("--speed", "50", "--json")
    assert process.stderr is not None
    run = tmp_path / "latest"
    deadline = time.monotonic() + STATE_WAIT_S
    while not _is_racing(run / "velodrome.log"):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    pid = hardware_pid(run)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    printed, told = process.communicate(timeout=STATE_WAIT_S)
    assert process.returncode == 0, told
    (heat,) = json.loads(printed)["heats"]
    assert heat["attempt"] == 2
    assert [row["gap_ms"] for row in heat["results"]] == [None, 763, 773, 1264, 1344, 2344]


def _is_racing(log: Path) -> bool:
    return log.exists() and "lap-counter:final-a:1:4" in log.read_text(encoding="utf-8")
