"""Kernels are cached where the service may write, warmed, frozen, and not compiled while a race runs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from timing.core import margins, order, pace, runtime, splits

ROOT = Path(__file__).parents[3]


def in_a_new_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def use_every_door() -> None:
    for dtype in (np.int32, np.int64):
        rider = np.zeros(3, dtype=dtype)
        splits.lap_splits(rider, rider, [1, 2, 3], 1, 1)
        splits.lap_times(rider, rider, [1, 2, 3], 1, 1)
    splits.field_splits([[1, 2]], [0.0, 250.0], 250.0)
    order.order_at_marks([[1, 2]])
    order.finish_gaps([1, 2])
    for shape in pace.SHAPES.values():
        pace.target_speed([10.0], 8.0, 14.0, 750.0, shape)
        pace.target_elapsed_us([10.0], 8.0, 14.0, 750.0, shape)
        pace.pace_sections([0.0, 50.0, 112.5], [1, 6_000_000, 12_000_000], 8.0, 14.0, 750.0, shape)
    pace.pull_off([0.0, 50.0], [1, 2], 750.0)
    margins.pacer_margins([[1]], [1], [[10.0]], [10.0], [0.3], 0.3)


def test_after_warming_and_freezing_nothing_is_compiled() -> None:
    assert runtime.warm() >= len(runtime.KERNELS)
    runtime.freeze()
    with runtime.compile_recorder() as compiled:
        use_every_door()
    assert compiled == []


def test_the_recorder_sees_a_compile() -> None:
    from numba import njit

    def double(x: int) -> int:
        return 2 * x

    compiled_double: Any = njit(double)
    with runtime.compile_recorder() as compiled:
        assert compiled_double(21) == 42
    assert len(compiled) == 1
    assert "double" in compiled[0]


def test_a_frozen_kernel_refuses_an_unforeseen_type() -> None:
    runtime.freeze()
    kernel = runtime.KERNELS["timing.core.order._order_at_marks"]
    with pytest.raises(TypeError):
        kernel(np.zeros((2, 2), np.int8), np.zeros(2, np.int64), np.zeros((2, 2)), np.zeros((2, 2)))


def test_the_trial_call_of_every_kernel_stays_inside_its_arrays() -> None:
    """Compiled kernels check no bounds, so the same functions are run as plain Python, which does."""
    runtime.warm()
    tried = 0
    for dispatcher in runtime.KERNELS.values():
        for argument_types in dispatcher.signatures:
            with np.errstate(all="ignore"):
                dispatcher.py_func(*runtime.tiny_arguments(argument_types))
            tried += 1
    assert tried >= len(runtime.KERNELS) > 0


def test_importing_the_package_and_its_runtime_does_not_load_numba() -> None:
    done = in_a_new_process(
        "import sys, timing.core, timing.core.runtime, timing.core.arrays; print('numba' in sys.modules)"
    )
    assert done.stdout.strip() == "False", done.stderr


def test_the_cache_is_kept_in_the_folder_of_the_service(tmp_path: Path) -> None:
    done = in_a_new_process(
        "import os, pathlib; from timing.core.runtime import prepare_cache;"
        "prepare_cache(pathlib.Path(os.environ['STATE']) / 'numba'); import timing.core.order",
        STATE=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "numba").rglob("order._order_at_marks*.nbi"))


def test_an_unwritable_cache_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "KERNELS", {})
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(runtime.KernelCacheError, match=r"cannot be written \(.*\): give a folder that belongs"):
        runtime.prepare_cache(blocked / "numba")


def test_an_unwritable_cache_is_the_same_error_where_numba_finds_it(tmp_path: Path) -> None:
    """Without the locator setting numba would fall back to this repository's folder, which is writable."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    done = in_a_new_process(
        "import timing.core.order",
        NUMBA_CACHE_DIR=str(blocked / "numba"),
        NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator",
    )
    assert "KernelCacheError: kernel cache" in done.stderr
    assert "cannot be written: give a folder" in done.stderr


def test_a_cache_torn_by_a_power_cut_is_one_clear_error(tmp_path: Path) -> None:
    assert in_a_new_process("import timing.core.order", NUMBA_CACHE_DIR=str(tmp_path)).returncode == 0
    for index in tmp_path.rglob("*.nbi"):
        index.write_bytes(b"")
    done = in_a_new_process("import timing.core.order", NUMBA_CACHE_DIR=str(tmp_path))
    assert "is damaged" in done.stderr
    assert "delete that folder and start again" in done.stderr


def test_moving_the_cache_after_kernels_are_loaded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(runtime.KernelCacheError, match="already loaded from another folder"):
        runtime.prepare_cache(tmp_path)
