"""Nothing is compiled while a race runs (DESIGN §6): proved with numba's own compile events, over a whole heat."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
RIDE = """
from timing.core.runtime import compile_recorder, freeze, warm
warm()
freeze()
from tests.pictures import HEAT, state_at
with compile_recorder() as compiled:
    state = state_at(120_000_000)
picture = state.picture(HEAT)
print(len(compiled), picture.status, [line.gap_ms for line in picture.results], picture.pace.compliant)
"""


def test_the_final_is_ridden_from_the_first_clock_answer_to_official_without_a_compile() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RIDE], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "0 official [None, 763, 773, 1264, 1344, 2344] True"
