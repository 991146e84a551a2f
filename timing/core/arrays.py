"""What goes into a kernel: C-contiguous writable int64 and float64 arrays; the sentinel for "no time"."""

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Int64Array: TypeAlias = NDArray[np.int64]
Float64Array: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]

MISSING: Final = -(2**63)
"""The time of a passing that was not seen, and every duration that would need it. Unknown speeds are NaN."""


def as_int64(values: ArrayLike, name: str, ndim: int = 1) -> Int64Array:
    """Return `values` as a C-contiguous writable int64 array, without a copy where it is one already.

    Raises ValueError, naming the argument, when they are not whole numbers that fit, or not of `ndim` axes.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iu" and array.size:
        raise ValueError(f"{name}: expected whole numbers (int64), got {array.dtype}; convert them first")
    if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
        raise ValueError(f"{name}: a value above 2**63 - 1 does not fit into int64; check its unit (µs)")
    return _prepared(array, np.dtype(np.int64), name, ndim)


def as_float64(values: ArrayLike, name: str, ndim: int = 1) -> Float64Array:
    """Return `values` as a C-contiguous writable float64 array, without a copy where it is one already.

    Raises ValueError, naming the argument, when they are not numbers, or not of `ndim` axes.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name}: expected numbers (float64), got {array.dtype}; convert them first")
    return _prepared(array, np.dtype(np.float64), name, ndim)


def as_rising_m(values: ArrayLike, name: str) -> Float64Array:
    """Return race distances (m) as a 1-D float64 array; raises ValueError unless they strictly rise."""
    array = as_float64(values, name)
    falling = np.flatnonzero(~(np.diff(array) > 0))
    if falling.size:
        index = int(falling[0])
        raise ValueError(
            f"{name}[{index + 1}] = {array[index + 1]:g} m does not lie after {name}[{index}] = "
            f"{array[index]:g} m: give the marks in riding order, without repeats"
        )
    return array


def check_shape(array: NDArray[Any], shape: tuple[int, ...], name: str) -> None:
    """Raise ValueError when an array has not the shape that its partners ask for."""
    if array.shape != shape:
        raise ValueError(f"{name}: shape {array.shape} does not match; expected {shape}")


def _prepared(array: NDArray[Any], dtype: np.dtype[Any], name: str, ndim: int) -> NDArray[Any]:
    if array.ndim != ndim:
        raise ValueError(f"{name}: expected {ndim} axes, got shape {array.shape}")
    return np.require(array, dtype=dtype, requirements=("C_CONTIGUOUS", "WRITEABLE", "ALIGNED"))
