"""The command line as a person meets it: JSON lines out, one clear line for an error, never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
CAPTURES = REPOSITORY.parent / "shared" / "captures"
STATUS = "8e021f00f3890000020001022800070216000c01760601008104131804008f"
PASSING = "8e0233009ec700000100010448bc010003041d582c000408e805bfc4a41b050005026a0006023200080200008104930f02008f"


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


def velodrome(state_folder: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", "from timing.cli import main; main()", *arguments],
        input=stdin,
        capture_output=True,
        cwd=REPOSITORY,
        env={**os.environ, "VELODROME_STATE": str(state_folder)},
        timeout=120,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def assert_one_clear_error(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("velodrome: ")
    for word in words:
        assert word in lines[0]


def test_decode_gives_one_json_line_a_record_with_the_contract_s_names(state_folder: Path) -> None:
    done = velodrome(state_folder, "decode", "p3", "-", stdin=bytes.fromhex(STATUS + PASSING))
    assert done.returncode == 0
    status, passing = [json.loads(line) for line in done.stdout.splitlines()]
    assert (status["kind"], status["noise"], status["supply_mv"]) == ("status", 40, 11_800)
    assert passing["kind"] == "passing"
    assert passing["transponder"] == "2906141"
    assert passing["device_us"] == 1_437_769_372_993_000
    assert (passing["sequence"], passing["strength"], passing["hits"]) == (113_736, 106, 50)


def test_decode_reads_a_hex_dump_of_p3_by_itself(state_folder: Path, tmp_path: Path) -> None:
    dump = tmp_path / "dump.txt"
    dump.write_text(f"{STATUS}\n{PASSING}\n")
    done = velodrome(state_folder, "decode", "p3", str(dump))
    assert [json.loads(line)["kind"] for line in done.stdout.splitlines()] == ["status", "passing"]


def test_a_bad_record_is_an_error_line_with_its_offset_and_decoding_goes_on(state_folder: Path) -> None:
    damaged = bytearray(bytes.fromhex(STATUS))
    damaged[12] ^= 0x01
    done = velodrome(state_folder, "decode", "p3", stdin=bytes(damaged) + bytes.fromhex(PASSING))
    assert done.returncode == 0
    error, passing = [json.loads(line) for line in done.stdout.splitlines()]
    assert error["kind"] == "error"
    assert error["offset"] == 0
    assert "checksum" in error["reason"]
    assert passing["kind"] == "passing"


def test_the_real_p3_capture_decodes_to_371_records(state_folder: Path) -> None:
    capture = CAPTURES / "p3" / "amb-short.out"
    if not capture.exists():
        pytest.skip(f"the real capture is not here: {capture}")
    done = velodrome(state_folder, "decode", "p3", str(capture))
    kinds = [json.loads(line)["kind"] for line in done.stdout.splitlines()]
    assert (len(kinds), kinds.count("status"), kinds.count("passing")) == (371, 288, 83)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("decode", "p4"), ("p4", "p3", "lynx")),
        (("decode", "p3", "no/such/file"), ("no/such/file", "No such file")),
        (("decode", "p3", "tcp:127.0.0.1:1"), ("127.0.0.1:1", "refused")),
        (("decode", "p3", "tcp:nonsense"), ("tcp:nonsense",)),
        (("doctor", "no-such-meet"), ("no-such-meet", "tokyo2020-men-keirin")),
        (("run", "missing.toml"), ("missing.toml",)),
        (("rig", "tokyo2020-men-keirin", "no-script"), ("no-script", "tokyo2020-men-keirin")),
        (("rig", "tokyo2020-men-keirin", "derny-slow", "--speed", "0"), ("speed 0",)),
        (("results", "missing.journal"), ("missing.journal",)),
        (("verify", "missing.journal"), ("missing.journal",)),
        (("replay", "README.md"), ("README.md", "not")),
        (("demo", "--heat", "sf-9"), ("sf-9", "final-a")),
        (("demo", "--sped", "3"), ("--speed",)),
        (("dance",), ("dance",)),
    ],
)
def test_an_error_is_one_line_that_names_what_is_wrong(
    state_folder: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_one_clear_error(velodrome(state_folder, *arguments), *words)


def test_a_meet_file_with_a_wrong_key_is_named_with_the_key_that_was_meant(state_folder: Path, tmp_path: Path) -> None:
    meet = tmp_path / "meet.toml"
    shipped = (REPOSITORY / "config" / "meets" / "club-night.toml").read_text()
    meet.write_text(shipped.replace("venue =", "venu ="))
    assert_one_clear_error(velodrome(state_folder, "run", str(meet)), "meet.toml", "venu", "venue")


def test_doctor_says_what_is_missing_and_what_the_race_will_lack(state_folder: Path) -> None:
    done = velodrome(state_folder, "doctor", "tokyo2020-men-keirin")
    text = " ".join(done.stdout.replace("│", " ").split())
    assert done.returncode == 1
    assert "there is no port" in text
    assert "start Mosquitto" in text
    assert "loop finish" in text
    assert "inferred and marked" in text


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    assert_one_clear_error(velodrome(blocker / "state", "demo", "--headless"), str(blocker), "VELODROME_STATE")


def test_help_lists_the_commands_of_the_contract(state_folder: Path) -> None:
    done = velodrome(state_folder, "--help")
    assert done.returncode == 0
    for command in (
        *("demo", "run", "console", "password", "rig"),
        *("decode", "replay", "results", "verify", "doctor"),
    ):
        assert command in done.stdout


def test_schemas_are_printed_as_json(state_folder: Path) -> None:
    done = velodrome(state_folder, "schemas")
    assert {"commands", "current", "heats/<heat>/result"} <= set(json.loads(done.stdout)["topics"])
