"""kill -9 at the running demo: nothing acknowledged is lost, and the heat goes on as it was."""

import asyncio
from pathlib import Path

import pytest

from tests.end_to_end.demo_support import scripted_heats
from tests.end_to_end.kill_rounds import KillRounds

KILLS = 6
SEED = 20


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder that all tests of the demo share, for the compiled kernels."""
    folder = tmp_path_factory.getbasetemp() / "velodrome-state"
    folder.mkdir(exist_ok=True)
    return folder


def test_six_kills_lose_nothing_and_the_heat_ends_with_the_published_result(state: Path, tmp_path: Path) -> None:
    arguments = ("--heat", "final-a", "--speed", "40")
    expected = {"final-a": scripted_heats()["final-a"]}
    summary = asyncio.run(KillRounds(state, tmp_path, SEED, arguments, expected).kill(KILLS))
    assert summary.kills == KILLS
    assert summary.runs_completed >= 1
    assert summary.rows_checked > 0
    assert summary.pictures_checked > 0
