"""The recording's format: what is written is read back, what is damaged is named."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.models import Setup
from drivers.rig.recording import (
    FORMAT,
    RecordedBytes,
    Recording,
    RecordingError,
    RecordingWriter,
    header_of,
    is_recording,
)

LINES = st.lists(
    st.builds(
        RecordedBytes,
        device=st.sampled_from(["p3-finish", "camera"]),
        at_us=st.integers(0, 2**53),
        direction=st.sampled_from(["in", "out"]),
        data=st.binary(max_size=300),
    ),
    max_size=20,
)


def written(path: Path, setup: Setup, lines: list[RecordedBytes]) -> Path:
    with RecordingWriter(path, header_of(setup, "live", 7)) as writer:
        for line in lines:
            writer.write(line)
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(lines=LINES)
def test_what_is_written_is_read_back(setup: Setup, tmp_path: Path, lines: list[RecordedBytes]) -> None:
    path = tmp_path / "a.recording"
    path.unlink(missing_ok=True)
    recording = Recording(written(path, setup, lines))
    assert list(recording.lines()) == lines
    assert recording.count == len(lines)
    times = [line.at_us for line in lines if line.direction == "in"]
    assert (recording.first_us, recording.last_us) == ((min(times), max(times)) if times else (None, None))
    assert not recording.unfinished


def test_the_file_is_json_lines_as_documented(setup: Setup, tmp_path: Path) -> None:
    line = RecordedBytes(device="camera", at_us=1_628_000_000_000_001, direction="in", data=b"\x8e\x02\xff")
    path = written(tmp_path / "a.recording", setup, [line])
    header, body = [json.loads(text) for text in path.read_text("utf-8").splitlines()]
    assert header["format"] == FORMAT == "velodrome-recording/2"
    assert (header["meet"], header["source"], header["created_us"]) == ("tokyo", "live", 7)
    devices = {device["id"]: device for device in header["devices"]}
    camera = next(device for device in setup.meet.devices if device.id == "camera")
    assert devices["camera"] == {"id": "camera", "protocol": camera.protocol, "address": camera.address}
    assert body == {"device": "camera", "at_us": 1_628_000_000_000_001, "direction": "in", "data": "jgL/"}
    assert is_recording(path)


def test_a_line_that_broke_is_one_without_data(setup: Setup, tmp_path: Path) -> None:
    said = RecordedBytes(device="camera", at_us=1, direction="in", data=b"x")
    changes = [
        RecordedBytes(device="camera", at_us=at, direction=what)
        for at, what in ((0, "open"), (2, "close"), (5, "open"), (7, "close"))
    ]
    path = written(tmp_path / "a.recording", setup, [changes[0], said, *changes[1:]])
    assert json.loads(path.read_text("utf-8").splitlines()[3]) == {"device": "camera", "at_us": 2, "direction": "close"}
    recording = Recording(path)
    assert list(recording.lines())[2:] == changes[1:]
    assert recording.returns["camera"] == [5, None]
    assert (recording.first_us, recording.last_us) == (1, 1)


def test_a_recording_of_format_1_is_read(setup: Setup, tmp_path: Path) -> None:
    line = RecordedBytes(device="camera", at_us=1, direction="in", data=b"x")
    path = written(tmp_path / "a.recording", setup, [line])
    path.write_bytes(path.read_bytes().replace(b"recording/2", b"recording/1", 1))
    assert list(Recording(path).lines()) == [line]


def test_what_is_no_recording_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "script.toml").write_text('name = "a script"')
    assert not is_recording(tmp_path / "script.toml")
    assert not is_recording(tmp_path / "absent")
    assert not is_recording(tmp_path)


def test_a_recording_is_never_overwritten(setup: Setup, tmp_path: Path) -> None:
    path = written(tmp_path / "a.recording", setup, [])
    with pytest.raises(RecordingError, match=r"a\.recording: is there already; choose another name"):
        RecordingWriter(path, header_of(setup, "live", 7))
    with pytest.raises(RecordingError, match="cannot be written"):
        RecordingWriter(tmp_path / "absent" / "a.recording", header_of(setup, "live", 7))


def test_a_line_that_a_killed_recorder_left_unfinished_is_left_out(setup: Setup, tmp_path: Path) -> None:
    lines = [RecordedBytes(device="camera", at_us=at, direction="in", data=b"x") for at in (1, 2, 3)]
    path = written(tmp_path / "a.recording", setup, lines)
    path.write_bytes(path.read_bytes()[:-9])
    recording = Recording(path)
    assert list(recording.lines()) == lines[:2]
    assert recording.unfinished


@pytest.mark.parametrize(
    ("line", "old", "new", "reason"),
    [
        (0, b'"meet"', b'"meat"', "line 1 is no header"),
        (0, b"recording/2", b"recording/9", "its format is 'velodrome-recording/9'"),
        (1, b'"in"', b'"up"', "line 2 is damaged"),
        (2, b'"at_us":2', b'"at_us":"2"', "line 3 is damaged"),
        (2, b'"data":"eA=="', b'"data":"eA="', "line 3 is damaged"),
        (2, b'"camera"', b'"tuba"', "line 3 is of device 'tuba'"),
        (1, b"{", b"\xff", "line 2 is damaged"),
    ],
)
def test_damage_is_told_with_its_line(
    setup: Setup, tmp_path: Path, line: int, old: bytes, new: bytes, reason: str
) -> None:
    lines = [RecordedBytes(device="camera", at_us=at, direction="in", data=b"x") for at in (1, 2)]
    path = written(tmp_path / "a.recording", setup, lines)
    texts = path.read_bytes().splitlines(keepends=True)
    assert old in texts[line]
    texts[line] = texts[line].replace(old, new, 1)
    path.write_bytes(b"".join(texts))
    with pytest.raises(RecordingError, match=reason) as caught:
        Recording(path)
    assert caught.value.advice


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        Recording(tmp_path / "absent.recording")
