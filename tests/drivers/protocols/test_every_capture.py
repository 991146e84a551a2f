"""Every file of ../shared/captures through `velodrome decode`: the counts of each kind, and no line unexplained.

Files that hold a box's bytes go in as they are. Logs of other programs are unwrapped first: every line of them is
either what the box sent (after the mark that the log puts before it) or has the form of that program's own lines.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.protocols.registry import BUILT_IN
from timing.commands import decode

CAPTURES = Path(__file__).parents[4] / "shared" / "captures"
needs_captures = pytest.mark.skipif(not CAPTURES.is_dir(), reason="../shared/captures is not beside this repository")

_LOGGED = rb"[0-9]{8} [0-9:]{8}\.[0-9]{3} +(?:info|warn|error):\(t:[0-9]+\)"
_CP520_MARK = b"Tag Heuer CP 520:"
_CP520_OTHER = re.compile(
    _LOGGED
    + rb"(?:Log TAGHeuer begins|Execution ends|New starting time for #[0-9]+|NO! [ -~]*|)"
    + rb"|(?:MANUAL TIME FROM TagHeuer |FINISH |RUN #)[ -~]*|"
)
_REI2_MARK = b"REI2 Extended Protocol Converter: input>>"
_REI2_OTHER = re.compile(
    _LOGGED + rb"(?:Log REI2_RAW begins|Execution ends|REI2 (?:ESTRT|ESTOP|UNKNOWN) [ -~]*| *[0-9]+)"
)


def _unwrap(data: bytes, mark: bytes, other: re.Pattern[bytes], line_end: bytes) -> bytes:
    lines = data.splitlines()
    unexplained = [line for line in lines if mark not in line and other.fullmatch(line) is None]
    assert unexplained == []
    return b"".join(line.split(mark)[1] + line_end for line in lines if mark in line)


def _as_it_is(data: bytes) -> bytes:
    return data


def _cp520(data: bytes) -> bytes:
    return _unwrap(data, _CP520_MARK, _CP520_OTHER, b"\r")


def _rei2(data: bytes) -> bytes:
    return _unwrap(data, _REI2_MARK, _REI2_OTHER, b"\r\n")


def _thcom08(data: bytes) -> bytes:
    """The file writes TAB as backslash and t, and leaves CR away; its first line says so."""
    note, *lines = data.splitlines()
    assert note.startswith(b"//")
    return b"".join(line.replace(rb"\t", b"\t") + b"\r\n" for line in lines)


def _raceresult_usb(data: bytes) -> bytes:
    """What the box said (`<`); the rest is what the host said and did, and comments."""
    lines = data.splitlines()
    assert [line[:1] for line in lines if line[:1] not in (b"<", b">", b"#", b" ")] == []
    return b"".join(line[2:] + b"\n" for line in lines if line.startswith(b"<"))


@dataclass(frozen=True)
class Capture:
    """A file, how its bytes came off the box, and what they say: records by kind, unhandled ones by name too."""

    path: str
    protocol: str
    kinds: dict[str, int]
    names: dict[str, int]
    errors: tuple[str, ...] = ()
    """The reasons of all errors, in order."""
    unwrap: Callable[[bytes], bytes] = _as_it_is


_AMBRC = {"status": 288, "passing": 83}
_RUN = {"next_at_finish": 68, "run_time": 64}
_CP520_TOLD = {"run_time": 28, "heading": 4, "withdrawn": 2, "cleared": 2}
_REI2_TOLD = {"run_time": 13, "total_time": 13, "marked_a": 1}
_CP540_TOLD = {"write_parameter": 2, "write_command": 4, "acknowledge": 1}
_NOTE = ("74 bytes that are no THbC line",)
_MERGED = ("line 8: merge conflict mark; the file holds two versions, save it again from FinishLynx",)
_LIF = "finishlynx/lif/WakaNats"
CAPTURED = (
    Capture("p3/amb-short.out", "p3", _AMBRC, {}),
    Capture("p98/lines.txt", "p98", {"passing": 11, "status": 9, "other": 1}, {"p98_other": 1}),
    # The file's first line is a comment: the one error.
    Capture("thbc/passings.txt", "thbc", {"passing": 4, "impulse": 4, "error": 1}, {}, _NOTE),
    Capture("thbc/status.bin", "thbc", {"status": 1}, {}),
    Capture("alge_timy/KSC4--U12_ALGE_Run1.txt", "timy", {"impulse": 128, "other": 132}, _RUN),
    Capture("tagheuer/cp520.log", "cp520", {"impulse": 58, "other": 36}, _CP520_TOLD, unwrap=_cp520),
    Capture("tagheuer/cp540_frames.txt", "thcom08", {"impulse": 2, "other": 7}, _CP540_TOLD, unwrap=_thcom08),
    Capture("microgate_rei2/REI2_RAW.log", "rei2", {"impulse": 40, "other": 27}, _REI2_TOLD, unwrap=_rei2),
    Capture(
        "raceresult/usb_timing_box_samples.txt",
        "raceresult-usb",
        {"passing": 3, "other": 1},
        {"epochrefset": 1},
        unwrap=_raceresult_usb,
    ),
    Capture(f"{_LIF}2017_019-Heat_1-05.lif", "lif", {"photo_finish": 1}, {}),
    Capture(f"{_LIF}2018_161-Heat-01.lif", "lif", {"photo_finish": 1}, {}),
    Capture(f"{_LIF}2018_006-Heat-02.lif", "lif", {"error": 1}, {}, _MERGED),
)
RIDERS = {f"{_LIF}2017_019-Heat_1-05.lif": 7, f"{_LIF}2018_161-Heat-01.lif": 12}
"""Rows of the sheets: every line of their files but the header."""
SEVERAL_LINES_A_RECORD = {"lif", "raceresult-usb"}
NO_STREAMS = {
    "README.md",
    "p3/LICENSE",
    "finishlynx/lss/crewtimer-fl-connect__crewtimer_assets_CrewTimer.lss",
    "finishlynx/lss/lynx-scoreboard__flocasts_flosportsResults-20220418.lss",
}
"""Texts about the captures, and scripts that FinishLynx runs: no bytes of a box."""


def decoded(capture: Capture, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """The JSON lines that `velodrome decode PROTOCOL FILE` prints."""
    wire = folder / Path(capture.path).name
    wire.write_bytes(capture.unwrap((CAPTURES / capture.path).read_bytes()))
    assert decode.run(capture.protocol, str(wire), hexadecimal=False) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@needs_captures
@pytest.mark.parametrize("capture", CAPTURED, ids=lambda capture: capture.path)
def test_every_line_of_a_capture_becomes_a_record_or_a_known_error(
    capture: Capture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = decoded(capture, tmp_path, capsys)

    assert Counter(str(record["kind"]) for record in records) == capture.kinds
    assert Counter(str(record["name"]) for record in records if record["kind"] == "other") == capture.names
    assert tuple(str(record["reason"]) for record in records if record["kind"] == "error") == capture.errors
    sheets = [record["lines"] for record in records if record["kind"] == "photo_finish"]
    assert [len(lines) for lines in sheets if isinstance(lines, list)] == (
        [RIDERS[capture.path]] if capture.path in RIDERS else []
    )
    if capture.protocol not in SEVERAL_LINES_A_RECORD:
        wire = capture.unwrap((CAPTURES / capture.path).read_bytes())
        assert len(records) == len([line for line in wire.splitlines() if line.strip()])


@needs_captures
def test_no_capture_is_left_out() -> None:
    files = {path.relative_to(CAPTURES).as_posix() for path in CAPTURES.rglob("*") if path.is_file()}

    assert files - NO_STREAMS == {capture.path for capture in CAPTURED}
    assert {capture.protocol for capture in CAPTURED} <= set(BUILT_IN)
