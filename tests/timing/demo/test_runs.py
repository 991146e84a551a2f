"""Demo runs on disk: one at a time, continued after a crash, begun afresh after a wish, old ones cleared away."""

import shutil
import time
from pathlib import Path

import msgspec
import pytest

from config.errors import ConfigError
from timing.demo.errors import DemoError
from timing.demo.plan import PLAN_FILE, choose_heats, choose_script, read_plan, write_plan
from timing.demo.runs import KEPT_RUNS, clear_old_runs, finish_run, new_run, only_demo, unfinished_run

HEATS = ("final-a",)
SCRIPT = "tokyo2020-men-keirin"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return new_run(tmp_path, HEATS, SCRIPT, 50.0)


def test_a_run_that_was_cut_off_is_continued_by_the_same_command(run: Path, tmp_path: Path) -> None:
    assert unfinished_run(tmp_path, HEATS, SCRIPT, 50.0) == run


@pytest.mark.parametrize(
    ("heats", "script", "speed"),
    [(("final-b",), SCRIPT, 50.0), (HEATS, "derny-slow", 50.0), (HEATS, SCRIPT, 1.0)],
    ids=["another heat", "another script", "another speed"],
)
def test_another_command_begins_afresh(
    run: Path, tmp_path: Path, heats: tuple[str, ...], script: str, speed: float
) -> None:
    assert read_plan(run).heats == HEATS
    assert unfinished_run(tmp_path, heats, script, speed) is None


def test_a_finished_run_is_not_continued(run: Path, tmp_path: Path) -> None:
    finish_run(run)
    assert unfinished_run(tmp_path, HEATS, SCRIPT, 50.0) is None


def test_a_run_from_before_a_reboot_is_not_continued(run: Path, tmp_path: Path) -> None:
    plan = read_plan(run)
    ahead = msgspec.structs.replace(plan.anchor, monotonic_ns=time.monotonic_ns() + 10**15)
    write_plan(run, msgspec.structs.replace(plan, anchor=ahead))
    assert unfinished_run(tmp_path, HEATS, SCRIPT, 50.0) is None


def test_half_a_plan_is_no_run(run: Path, tmp_path: Path) -> None:
    whole = (run / PLAN_FILE).read_bytes()
    (run / PLAN_FILE).write_bytes(whole[: len(whole) // 2])
    assert unfinished_run(tmp_path, HEATS, SCRIPT, 50.0) is None


def test_a_second_demo_in_the_same_folder_is_refused_with_the_process_that_runs(tmp_path: Path) -> None:
    with (
        only_demo(tmp_path),
        pytest.raises(DemoError, match=r"a demo is running already .*process \d+.*end it first"),
        only_demo(tmp_path),
    ):
        pytest.fail("two demos at once")
    with only_demo(tmp_path):
        assert (tmp_path / "demo.lock").exists()


def test_only_finished_runs_beyond_the_last_ten_are_deleted(run: Path, tmp_path: Path) -> None:
    copies = [tmp_path / f"20200101-0000{number:02}-1" for number in range(KEPT_RUNS + 2)]
    for folder in copies:
        shutil.copytree(run, folder)
    for folder in copies[1:]:
        finish_run(folder)
    # 13 runs: the three oldest are beyond the last ten, and the very oldest of them was never finished.
    assert clear_old_runs(tmp_path) == copies[1:3]
    assert copies[0].exists()
    assert run.exists()
    assert not copies[1].exists()


def test_a_folder_that_cannot_be_written_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(DemoError, match="Not a directory; set VELODROME_STATE"),
        only_demo(tmp_path / "file" / "demo"),
    ):
        pytest.fail("a file is no folder")


def test_an_unknown_heat_is_told_with_those_that_there_are() -> None:
    with pytest.raises(DemoError, match=r"'nonsense' is not in the demo meet: choose one of r1-1, .*final-b"):
        choose_heats("nonsense", everything=False)


def test_all_means_the_16_heats_in_the_order_of_the_programme() -> None:
    heats = choose_heats(None, everything=True)
    assert (len(heats), heats[0], heats[-1]) == (16, "r1-1", "final-b")


def test_an_unknown_script_is_told_before_a_run_begins() -> None:
    with pytest.raises(ConfigError, match=r"no such script.*derny-slow"):
        choose_script("nonsense", HEATS)


def test_a_script_file_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'name = "mine"\nextends = "{SCRIPT}"\n'
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert choose_script("mine.toml", HEATS) == str(tmp_path / "mine.toml")


def test_a_script_without_the_heat_is_refused(tmp_path: Path) -> None:
    finish = 'finish = [{ bib = "4", place = 1 }]'
    (tmp_path / "short.toml").write_text(f'name = "short"\n[heats.final-a]\n{finish}\n', encoding="utf-8")
    with pytest.raises(DemoError, match=r"has no heat final-b: it has final-a"):
        choose_script(str(tmp_path / "short.toml"), ("final-b",))
