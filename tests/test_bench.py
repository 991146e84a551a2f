"""`python -m tests.bench` runs: every benchmark once, tiny. Its figures are worthless here, so none is asserted."""

import os
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LEAST_ROWS = 20
SECONDS = 240


def test_the_quick_run_prints_one_whole_table(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "VELODROME_STATE": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    head, empty, names, ruler, *rows = done.stdout.rstrip().splitlines()
    assert re.match(r"\d{4}-\d{2}-\d{2}, .*cores", head)
    assert empty == ""
    assert names == "| what | measured | floor | ratio | target | met |"
    assert ruler == "|---|---|---|---|---|---|"
    assert len(rows) >= LEAST_ROWS
    for row in rows:
        assert re.fullmatch(r"(\| [^|]+ ){5}\| (yes|\*\*no\*\*) \|", row), row


def test_an_unknown_benchmark_is_one_clear_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--only", "weather"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "invalid choice: 'weather'" in done.stderr
    assert "Traceback" not in done.stderr
