"""What the records of one device prove about its clock since it was last set: the tightest bounds of its offset."""

from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from timing.core.arrays import Int64Array
from timing.units import MICROSECONDS_PER_SECOND

WINDOW_US: Final = 600 * MICROSECONDS_PER_SECOND
"""Long enough to know the rate to a few ppm, short enough that temperature does not bend the line."""
BUCKET_US: Final = 2 * MICROSECONDS_PER_SECOND
"""Of this much device time only the tightest bound is kept: at most 301 in a window, however busy the box."""
KEPT_AT_LEAST: Final = 16
"""Bounds kept beyond the window's age: a box that speaks seldom still has a rate."""


class Sample(NamedTuple):
    """Bounds of the offset host - device at an unwrapped device time; no floor if the stamp came unasked."""

    device_us: int
    received_us: int
    ceiling_us: int
    floor_us: int | None


class Envelope:
    """The tightest bound of each bucket over the window: highest floors or lowest ceilings."""

    def __init__(self, tighter: Literal["higher", "lower"]) -> None:
        self._sign = 1 if tighter == "higher" else -1
        self._points: Int64Array = np.zeros((2, 1024), dtype=np.int64)
        self._first = self._end = 0

    def __len__(self) -> int:
        return self._end - self._first

    @property
    def device_us(self) -> Int64Array:
        return self._points[0, self._first : self._end]

    @property
    def offset_us(self) -> Int64Array:
        return self._points[1, self._first : self._end]

    def add(self, device_us: int, offset_us: int) -> bool:
        """Take a bound, unless older than the newest bucket; returns whether the envelope changed."""
        if len(self):
            newest_us = int(self._points[0, self._end - 1])
            if device_us // BUCKET_US < newest_us // BUCKET_US:
                return False
            if device_us // BUCKET_US == newest_us // BUCKET_US:
                if self._sign * offset_us <= self._sign * int(self._points[1, self._end - 1]):
                    return False
                self._end -= 1
        self._append(device_us, offset_us)
        return True

    def _append(self, device_us: int, offset_us: int) -> None:
        if self._end == self._points.shape[1]:
            kept = len(self)
            self._points[:, :kept] = self._points[:, self._first : self._end].copy()
            self._first, self._end = 0, kept
        self._points[:, self._end] = device_us, offset_us
        self._end += 1
        while len(self) > KEPT_AT_LEAST and device_us - int(self._points[0, self._first]) > WINDOW_US:
            self._first += 1


class Segment(msgspec.Struct):
    """What is known of a clock since it was last set."""

    number: int
    by_lateness: bool = False
    """Whether it began because records came late: of a step back nothing else can be seen."""
    first_us: int = 0
    last_us: int = 0
    """Host µs of the first and of the last record that fitted."""
    ceilings: Envelope = msgspec.field(default_factory=lambda: Envelope("lower"))
    floors: Envelope = msgspec.field(default_factory=lambda: Envelope("higher"))
