"""Arrays for kernels: contiguous, writable, of the one type, and never silently changed in value."""

import numpy as np
import pytest

from timing.core.arrays import MISSING, as_float64, as_int64, as_rising_m, check_shape


def test_missing_is_the_smallest_int64_so_that_no_time_can_be_mistaken_for_it() -> None:
    assert np.iinfo(np.int64).min == MISSING


def test_an_array_that_is_ready_for_a_kernel_is_not_copied() -> None:
    times, speeds = np.arange(3, dtype=np.int64), np.arange(3, dtype=np.float64)
    assert as_int64(times, "times") is times
    assert as_float64(speeds, "speeds") is speeds


def test_strided_read_only_and_narrow_arrays_become_contiguous_writable_and_wide() -> None:
    read_only = np.arange(4, dtype=np.int64)
    read_only.flags.writeable = False
    for given in (read_only, np.arange(8, dtype=np.int64)[::2], np.arange(4, dtype=np.uint16), [0, 1, 2, 3]):
        made = as_int64(given, "times")
        assert made.flags.carray
        assert made.dtype == np.int64
        assert made.tolist() == np.asarray(given).tolist()


def test_times_in_float_seconds_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="time_us: expected whole numbers"):
        as_int64([10.25, 20.5], "time_us")


def test_a_whole_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit into int64"):
        as_int64(np.array([2**63], dtype=np.uint64), "time_us")


def test_texts_are_refused_as_speeds() -> None:
    with pytest.raises(ValueError, match="speed_ms: expected numbers"):
        as_float64(["fast"], "speed_ms")


def test_a_wrong_number_of_axes_or_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"time_us: expected 2 axes, got shape \(3,\)"):
        as_int64([1, 2, 3], "time_us", ndim=2)
    with pytest.raises(ValueError, match=r"loop: shape \(3,\) does not match; expected \(2,\)"):
        check_shape(np.zeros(3), (2,), "loop")


def test_an_empty_list_is_an_empty_array() -> None:
    assert as_int64([], "time_us").shape == (0,)


@pytest.mark.parametrize("marks", [[0.0, 50.0, 50.0], [0.0, 50.0, 40.0], [0.0, 50.0, float("nan")]])
def test_marks_that_do_not_rise_are_refused_with_their_place(marks: list[float]) -> None:
    with pytest.raises(ValueError, match=r"mark_m\[2\] .* does not lie after mark_m\[1\] = 50 m"):
        as_rising_m(marks, "mark_m")
