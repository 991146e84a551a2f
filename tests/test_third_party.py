"""A protocol that another package brings: installed with pip, decoded, allowed in a meet, talked to by the driver."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.models import Device
from drivers.protocols.base import Resume
from drivers.records import ClockReading, Impulse, Malformed

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "tests" / "example_package"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed the package, as a venue would into its environment."""
    source = tmp_path_factory.mktemp("source") / "example_package"
    shutil.copytree(PACKAGE, source)
    target = tmp_path_factory.mktemp("installed")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    done = subprocess.run(
        [*install, "--no-deps", "--no-build-isolation", "--no-cache-dir", "--target", str(target), str(source)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="session")
def examplebox(installed: Path) -> ModuleType:
    """The installed module."""
    sys.path.insert(0, str(installed))
    try:
        import velodrome_examplebox  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(installed))
    assert Path(velodrome_examplebox.__file__).parent == installed
    return velodrome_examplebox


def velodrome(
    installed: Path | None, state: Path, *arguments: str, stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    paths = [str(REPOSITORY)] if installed is None else [str(REPOSITORY), str(installed)]
    return subprocess.run(
        [sys.executable, "-c", "from timing.cli import main; main()", *arguments],
        input=stdin,
        capture_output=True,
        cwd=state,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "VELODROME_STATE": str(state)},
        timeout=60,
        check=False,
    )


def test_decode_knows_the_protocol_once_the_package_is_installed(
    installed: Path, examplebox: ModuleType, tmp_path: Path
) -> None:
    stream = (
        examplebox.encode_impulse(1, "START", 36_672_345_600)
        + b"I0002;C1;10:11:13.0000;00\r\n"
        + examplebox.encode_time(36_680_000_000)
    )
    done = velodrome(installed, tmp_path, "decode", "examplebox", "-", stdin=stream)
    assert done.returncode == 0, done.stderr
    impulse, error, clock = [json.loads(line) for line in done.stdout.splitlines()]
    assert (impulse["kind"], impulse["channel"], impulse["sequence"]) == ("impulse", "START", 1)
    assert impulse["device_us"] == 36_672_345_600
    assert (error["kind"], error["reason"], error["offset"]) == ("error", "wrong sum", 30)
    assert (clock["kind"], clock["device_us"]) == ("clock", 36_680_000_000)


def test_without_the_package_the_name_is_unknown_and_the_known_ones_are_listed(tmp_path: Path) -> None:
    done = velodrome(None, tmp_path, "decode", "examplebox", "-")
    assert done.returncode == 1
    assert b"velodrome: 'examplebox': there is no protocol of this name; known protocols:" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("is_installed", [True, False])
def test_a_meet_may_name_the_protocol_once_the_package_is_installed(
    installed: Path, tmp_path: Path, is_installed: bool
) -> None:
    text = (REPOSITORY / "config" / "meets" / "club-night.toml").read_text("utf-8")
    meet = tmp_path / "meet.toml"
    meet.write_text(text.replace('protocol = "json"', 'protocol = "examplebox"'), "utf-8")
    load = "import sys; from config.loader import load_setup; print(load_setup(sys.argv[1]).meet.devices[3].protocol)"
    paths = [str(REPOSITORY), *([str(installed)] if is_installed else [])]
    done = subprocess.run(
        [sys.executable, "-c", load, str(meet)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        timeout=60,
        check=False,
    )
    if is_installed:
        assert done.stdout.strip() == "examplebox", done.stderr
    else:
        assert done.returncode != 0
        assert 'devices[3].protocol = "examplebox": is no known protocol' in done.stderr


def test_the_session_asks_for_the_time_and_reports_what_is_cut_off(examplebox: ModuleType) -> None:
    device = Device(id="box", protocol="examplebox", address="serial:/dev/a")
    session = examplebox.PROTOCOL.session(device, Resume())
    assert session.connected(0) == (b"?\r\n",)
    line = examplebox.encode_impulse(9_999, "C1", 0)
    records: list[Any] = []
    for byte in line:
        records += session.receive(bytes([byte]), 5).records
    assert records == [Impulse(device="box", received_us=5, device_us=0, channel="C1", sequence=9_999)]
    session.receive(line[:10], 6)
    (cut,) = session.disconnected(7)
    assert isinstance(cut, Malformed)
    assert (cut.reason, cut.offset) == ("unfinished line", len(line))


@given(number=st.integers(0, 9_999), tenths=st.integers(0, 863_999_999), garbage=st.binary(max_size=200))
def test_what_is_encoded_is_parsed_and_garbage_raises_nothing(
    examplebox: ModuleType, number: int, tenths: int, garbage: bytes
) -> None:
    parser = examplebox.ExampleBoxParser("box")
    line = examplebox.encode_impulse(number, "L200", tenths * 100)
    time = examplebox.encode_time(tenths * 100)
    impulse, clock = parser.feed(line + time, 0)
    assert (impulse.sequence, impulse.device_us, impulse.channel) == (number, tenths * 100, "L200")
    assert isinstance(clock, ClockReading)
    for record in [*parser.feed(garbage, 0), *parser.close(0)]:
        assert isinstance(record, Malformed)
