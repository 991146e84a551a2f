"""The consoles from the command line: `console`, `password`, `run` and `demo`, and their errors in one line."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher

from config.loader import load_meet
from tests.end_to_end.demo_support import command, environment, velodrome
from tests.end_to_end.mosquitto import free_port

WAIT_S = 60.0
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")

Start = Callable[..., "subprocess.Popen[str]"]
Edit = Callable[..., str]


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder that all tests of the command line share, for the compiled kernels."""
    folder = tmp_path_factory.getbasetemp() / "velodrome-state"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def start(state: Path) -> Iterator[Start]:
    """Start `velodrome …`; whatever still runs is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            command(*arguments),
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
        process.communicate(timeout=WAIT_S)


@pytest.fixture
def meet(tmp_path: Path) -> Path:
    """The club's meet on free ports of this machine, with its broker inside the program and no boxes."""
    text = (resources.files("config") / "meets" / "club-night.toml").read_text("utf-8")
    text = re.sub(r"\[\[devices\]\].*?(?=\[\[(?:riders|pacers)\]\])", "", text, flags=re.DOTALL)
    file = tmp_path / "meet.toml"
    broker = f"[broker]\nport = {free_port()}\nembedded = true\n\n[console]\nport = {free_port()}\n"
    file.write_text(re.sub(r"\[broker\][^\[]*", f"devices = []\n\n{broker}\n", text), "utf-8")
    return file


def port_of(meet: Path) -> int:
    return load_meet(meet).console.port


def lines_to(stream: "Iterator[str] | None", words: "re.Pattern[str]") -> list[str]:
    """The lines up to one that is like this."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line.strip())
        if words.fullmatch(lines[-1]):
            return lines
    raise AssertionError(f"no line like {words.pattern} in {lines}")


def line_with(stream: "Iterator[str] | None", words: "re.Pattern[str]") -> str:
    """The next line that is like this."""
    return lines_to(stream, words)[-1]


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


# -- password ------------------------------------------------------------------------------------------------------


def hash_of(state: Path, typed: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command("password", "--stdin"),
        env=environment(state),
        input=typed,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def test_the_hash_of_a_password_is_one_line_that_a_meet_file_takes(state: Path, meet: Path) -> None:
    done = hash_of(state, "turn left again\n")
    assert (done.returncode, done.stderr) == (0, "")
    (encoded,) = done.stdout.splitlines()
    assert PasswordHasher().verify(encoded, "turn left again")
    account = f'\n[[console.accounts]]\nname = "Ann"\nrole = "judge"\npassword_hash = "{encoded}"\n'
    meet.write_text(meet.read_text("utf-8") + account, "utf-8")
    assert load_meet(meet).console.accounts[0].password_hash == encoded


@pytest.mark.parametrize("typed", ["", "\n", "short\n"])
def test_a_password_that_is_none_is_refused_in_one_line(state: Path, typed: str) -> None:
    done = hash_of(state, typed)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("velodrome: password: give 8 to 200 characters")


# -- console -------------------------------------------------------------------------------------------------------


def test_the_console_needs_only_the_broker_and_waits_for_it(start: Start, meet: Path) -> None:
    port = free_port()
    process = start("console", str(meet), "--port", str(port), "--log", str(meet.with_suffix(".log")))
    assert line_with(process.stdout, ADDRESS) == f"http://127.0.0.1:{port}/"
    assert httpx.get(f"http://127.0.0.1:{port}/board").status_code == 200
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=WAIT_S)
    assert (process.returncode, told) == (130, "")


def test_a_port_that_is_taken_is_one_clear_error(state: Path, meet: Path) -> None:
    with socket.create_server(("127.0.0.1", port_of(meet))):
        done = velodrome(state, "console", str(meet))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"velodrome: the console cannot listen on 127.0.0.1:{port_of(meet)}: Address already in use")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense.toml",), "nonsense.toml: does not exist"),
        (("club-night", "--port", "70000"), "--port 70000 is no TCP port"),
        (("club-night", "--host", "no.such.host.invalid"), "console.host no.such.host.invalid"),
    ],
)
def test_what_cannot_be_served_is_one_clear_error(state: Path, arguments: tuple[str, ...], words: str) -> None:
    done = velodrome(state, "console", *arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert words in line


# -- run -----------------------------------------------------------------------------------------------------------


def test_run_serves_the_consoles_beside_the_timing_and_takes_them_along(start: Start, meet: Path) -> None:
    process = start("run", str(meet), "--headless", "--journal", str(meet.with_suffix(".journal")))
    address = line_with(process.stdout, ADDRESS)
    assert address == f"http://127.0.0.1:{port_of(meet)}/"
    with httpx.stream("GET", f"{address}events", timeout=WAIT_S) as events:
        text = ""
        for part in events.iter_text():
            text += part
            if '"core":"up"' in text and '"meet":"club-night"' in text:
                break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT_S)
    assert not answers(port_of(meet))


def test_a_timing_that_is_killed_leaves_no_console_behind(start: Start, meet: Path) -> None:
    process = start("run", str(meet), "--headless", "--journal", str(meet.with_suffix(".journal")))
    line_with(process.stdout, ADDRESS)
    process.kill()
    wait_until(lambda: not answers(port_of(meet)))


def test_timing_goes_on_without_a_console_where_its_port_is_taken(start: Start, meet: Path) -> None:
    with socket.create_server(("127.0.0.1", port_of(meet))):
        process = start("run", str(meet), "--headless", "--journal", str(meet.with_suffix(".journal")))
        told = line_with(process.stderr, re.compile(r"velodrome: the console cannot listen .*"))
        assert told.endswith("; timing goes on without consoles")
    assert line_with(process.stdout, ADDRESS) == f"http://127.0.0.1:{port_of(meet)}/"


def test_run_without_consoles_starts_none(start: Start, meet: Path) -> None:
    journal = meet.with_suffix(".journal")
    process = start("run", str(meet), "--headless", "--no-console", "--journal", str(journal))
    line_with(process.stderr, re.compile(r".*broker_connected.*"))
    assert not answers(port_of(meet))
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=WAIT_S)
    assert printed == ""


# -- demo ----------------------------------------------------------------------------------------------------------


def test_the_demo_s_console_lets_one_in_by_role_and_leaves_standard_output_to_the_json(
    start: Start, tmp_path: Path
) -> None:
    arguments = ("demo", "--headless", "--json", "--console", "--speed", "20", "--folder", str(tmp_path))
    process = start(*arguments)
    *before, address = lines_to(process.stderr, ADDRESS)
    assert any("sign in as operator, starter" in line and "password: demo" in line for line in before)
    with httpx.Client(base_url=address, headers={"Origin": address.rstrip("/")}) as browser:
        page = browser.get("/login").text
        token = re.search(r'name="csrf" value="(\w+)"', page)
        assert token is not None
        fields = {"csrf": token[1], "actor": "commissaire", "role": "commissaire", "password": "demo"}
        assert browser.post("/login", data=fields).headers["location"] == "/commissaire"
        assert 'data-role="commissaire"' in browser.get("/commissaire").text
    printed, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, told
    assert json.loads(printed)["heats"][0]["status"] == "official"
    assert not answers(int(address.rstrip("/").rpartition(":")[2]))


def test_the_demo_prints_the_address_on_a_line_of_its_own(start: Start, tmp_path: Path) -> None:
    process = start("demo", "--console", "--headless", "--folder", str(tmp_path))
    assert process.stdout is not None
    assert ADDRESS.fullmatch(process.stdout.readline().rstrip("\n"))
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=WAIT_S)
