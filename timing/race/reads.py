"""The transponder reads of a heat as columns, and the race time of a whole column at once.

A heat is derived from scratch at every change (DESIGN §11: ≤ 1 ms), so what it walks over is arrays, not objects.
"""

from array import array
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from timing.clock import ClockFit
from timing.core.arrays import Int64Array

PARTS_PER_BILLION = 1_000_000_000
EXACT_BELOW = 2**62
"""A product up to here is exact in int64; a larger one (a clock that is nonsense) is left to Python's integers."""


class Read(msgspec.Struct, frozen=True):
    """A transponder over a loop while this heat was on the track. `device_us` is on the device's unwrapped scale."""

    ref: str
    transponder: str
    loop: int
    device: str
    device_us: int
    fallback_us: int
    """Race time by the host's clock alone, for a device without a fit."""


class ReadColumns(NamedTuple):
    """Shape [n] each; `transponder` and `device` are numbers in the order of first appearance."""

    transponder: Int64Array
    loop: Int64Array
    device: Int64Array
    device_us: Int64Array
    fallback_us: Int64Array


class ReadTable:
    """Reads in journal order, which is not the order of time: a backlog comes late."""

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self.transponders: dict[str, int] = {}
        self.devices: dict[str, int] = {}
        self._columns = tuple(array("q") for _ in ReadColumns._fields)

    def append(self, read: Read) -> None:
        """Add a read. Raises OverflowError for a time beyond int64; the meet turns such records away before."""
        transponder = self.transponders.setdefault(read.transponder, len(self.transponders))
        device = self.devices.setdefault(read.device, len(self.devices))
        row = (transponder, read.loop, device, read.device_us, read.fallback_us)
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self.reads.append(read)

    def columns(self) -> ReadColumns:
        """The table as arrays (copies: a column that is lent out could not grow)."""
        return ReadColumns(*(np.array(column, np.int64) for column in self._columns))


class RaceTime:
    """From device time to race time, by the clock fits of one moment."""

    def __init__(self, fits: Mapping[str, ClockFit]) -> None:
        self._fits = fits

    def at(self, device: str, device_us: int, fallback_us: int) -> int:
        """Race µs of one instant; `fallback_us` where nothing is known of the device's clock."""
        fit = self._fits.get(device)
        return fallback_us if fit is None or fit.quality == "none" else fit.race_us(device_us)

    def uncertainty_us(self, table: ReadTable) -> int:
        """The largest ± of the clocks of a table's boxes, µs; 0 where nothing is known of any."""
        return max((self._fits[one].uncertainty_us for one in table.devices if one in self._fits), default=0)

    def of(self, table: ReadTable, columns: ReadColumns) -> Int64Array:
        """Race µs of every read, to the µs what `at` says of each."""
        race_us = columns.fallback_us.copy()
        for device, number in table.devices.items():
            fit = self._fits.get(device)
            if fit is None or fit.quality == "none":
                continue
            rows = np.flatnonzero(columns.device == number)
            race_us[rows] = _race_us(fit, columns.device_us[rows])
        return race_us


def _race_us(fit: ClockFit, device_us: Int64Array) -> Int64Array:
    """`ClockFit.race_us` of a whole column: the same integers, rounded half up in the same place."""
    elapsed_us = device_us - fit.device_anchor_us
    farthest_us = int(np.abs(elapsed_us).max(initial=0))
    if farthest_us * abs(fit.rate_ppb) >= EXACT_BELOW:
        return np.array([fit.race_us(one) for one in device_us.tolist()], np.int64)
    gained_us = (elapsed_us * fit.rate_ppb + PARTS_PER_BILLION // 2) // PARTS_PER_BILLION
    shifted: Int64Array = elapsed_us + (gained_us + fit.race_anchor_us)
    return shifted
