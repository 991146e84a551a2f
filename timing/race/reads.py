"""The transponder reads of a heat as columns, and the race time of a whole column at once.

A heat is derived from scratch at every change (DESIGN §11: ≤ 1 ms), so what it walks over is arrays, not objects.
"""

from array import array
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from timing.clock_history import ClockHistory, Instants
from timing.core.arrays import Int64Array


class Read(msgspec.Struct, frozen=True):
    """A transponder over a loop while this heat was on the track. `device_us` is on the device's unwrapped scale."""

    ref: str
    transponder: str
    loop: int
    device: str
    device_us: int
    fallback_us: int
    """Race time by the host's clock alone, for a device without a fit."""
    backlog: bool = False
    """Whether the box sent it from memory: then its arrival says nothing of its time."""


class ReadColumns(NamedTuple):
    """Shape [n] each; `transponder` and `device` are numbers in the order of first appearance."""

    transponder: Int64Array
    loop: Int64Array
    device: Int64Array
    device_us: Int64Array
    fallback_us: Int64Array
    backlog: Int64Array
    """0 or 1."""


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
        row = (transponder, read.loop, device, read.device_us, read.fallback_us, int(read.backlog))
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        self.reads.append(read)

    def columns(self) -> ReadColumns:
        """The table as arrays (copies: a column that is lent out could not grow)."""
        return ReadColumns(*(np.array(column, np.int64) for column in self._columns))


class RaceTime:
    """From device time to race time, by what is known of the clocks at one moment."""

    def __init__(self, clocks: Mapping[str, ClockHistory]) -> None:
        self._clocks = clocks

    def at(self, device: str, device_us: int, fallback_us: int, *, backlog: bool = False) -> tuple[int, int]:
        """Race µs of one instant and its ± in doubt; `fallback_us` where nothing is known of the device's clock."""
        clock = self._clocks.get(device)
        return (fallback_us, 0) if clock is None else clock.at(device_us, fallback_us, backlog=backlog)

    def uncertainty_us(self, table: ReadTable) -> int:
        """The largest ± of the clocks of a table's boxes, µs; 0 where nothing is known of any."""
        return max((self._clocks[one].fit.uncertainty_us for one in table.devices if one in self._clocks), default=0)

    def of(self, table: ReadTable, columns: ReadColumns) -> Instants:
        """Race µs of every read and its ± in doubt, to the µs what `at` says of each."""
        found = Instants(columns.fallback_us.copy(), np.zeros(columns.fallback_us.size, np.int64))
        for device, number in table.devices.items():
            clock = self._clocks.get(device)
            if clock is None:
                continue
            rows = np.flatnonzero(columns.device == number)
            own = clock.of(columns.device_us[rows], columns.fallback_us[rows], columns.backlog[rows] != 0)
            found.race_us[rows], found.doubt_us[rows] = own
        return found
