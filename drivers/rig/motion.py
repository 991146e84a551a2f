"""Motion along the measurement line in closed form: where a wheel is at a time, and when it is at a place.

Distances are metres of race from the start line in riding direction, negative during the pacer's run-up.
Times are integers of µs from the gun. Speeds are m/s in here and km/h at the edges. Nothing in this file
knows riders, boxes or rules; `drivers.rig.rides` plans the motions from these pieces.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

US = 1_000_000
KMH_PER_MPS = 3.6


class MotionError(ValueError):
    """A motion that cannot be ridden was asked for; the message says which figure is impossible."""


@dataclass(frozen=True)
class SteadyChange:
    """Constant acceleration (0 for constant speed): the speed changes evenly with time."""

    start_us: int
    start_m: float
    end_m: float
    speed: float
    acceleration: float = 0.0

    def speed_at(self, distance_m: float) -> float:
        squared = self.speed**2 + 2 * self.acceleration * (distance_m - self.start_m)
        return math.sqrt(max(squared, 0.0))

    def time_at(self, distance_m: float) -> int:
        travelled = distance_m - self.start_m
        if travelled == 0.0:
            return self.start_us
        # The form 2x / (v0 + v1) needs no division by the acceleration, so it holds for 0 as well.
        return self.start_us + round(2 * travelled / (self.speed + self.speed_at(distance_m)) * US)

    def distance_at(self, time_us: int) -> float:
        elapsed = (time_us - self.start_us) / US
        return self.start_m + self.speed * elapsed + self.acceleration * elapsed**2 / 2


@dataclass(frozen=True)
class RiseWithDistance:
    """The speed rises evenly with distance, by `gain` m/s per metre: exponential in time. `gain` is not 0."""

    start_us: int
    start_m: float
    end_m: float
    speed: float
    gain: float

    def speed_at(self, distance_m: float) -> float:
        return self.speed + self.gain * (distance_m - self.start_m)

    def time_at(self, distance_m: float) -> int:
        travelled = distance_m - self.start_m
        return self.start_us + round(math.log1p(self.gain * travelled / self.speed) / self.gain * US)

    def distance_at(self, time_us: int) -> float:
        elapsed = (time_us - self.start_us) / US
        return self.start_m + self.speed * math.expm1(self.gain * elapsed) / self.gain


AnySegment: TypeAlias = SteadyChange | RiseWithDistance
"""A piece of motion that follows one law from `start_m` (reached at `start_us`) to `end_m`."""


def _cut(segment: AnySegment, from_m: float, to_m: float) -> AnySegment:
    """The part of a segment between two distances; the law is the same, only its beginning moves."""
    if from_m <= segment.start_m:
        return replace(segment, end_m=min(to_m, segment.end_m))
    return replace(
        segment,
        start_us=segment.time_at(from_m),
        start_m=from_m,
        end_m=min(to_m, segment.end_m),
        speed=segment.speed_at(from_m),
    )


class Motion:
    """Segments end to end, strictly forward. Before its beginning and after its end the wheel stands."""

    def __init__(self, segments: Sequence[AnySegment]) -> None:
        """Raise MotionError when a segment is empty, goes back or does not begin where the last ended."""
        for before, after in pairwise(segments):
            if abs(before.end_m - after.start_m) > 1e-6:
                raise MotionError(f"a segment ends at {before.end_m} m and the next begins at {after.start_m} m")
        for segment in segments:
            if not segment.end_m > segment.start_m or segment.time_at(segment.end_m) <= segment.start_us:
                raise MotionError(f"the motion does not go forward between {segment.start_m} and {segment.end_m} m")
        self.segments: tuple[AnySegment, ...] = tuple(segments)
        self._starts_m = [segment.start_m for segment in segments]
        self._starts_us = [segment.start_us for segment in segments]
        self.start_m = segments[0].start_m
        self.end_m = segments[-1].end_m
        self.start_us = segments[0].start_us
        self.end_us = segments[-1].time_at(self.end_m)

    def time_at(self, distance_m: float) -> int:
        """When the wheel reaches `distance_m`, in µs from the gun.

        Raises MotionError when it never does.
        """
        return self._segment_at(distance_m).time_at(distance_m)

    def speed_at(self, distance_m: float) -> float:
        """Speed in m/s at `distance_m`. Raises MotionError outside the motion."""
        return self._segment_at(distance_m).speed_at(distance_m)

    def distance_at(self, time_us: int) -> float:
        """Where the wheel is at `time_us`, in m: at the beginning before the motion, at the end after it."""
        if time_us <= self.start_us:
            return self.start_m
        if time_us >= self.end_us:
            return self.end_m
        segment = self.segments[bisect_right(self._starts_us, time_us) - 1]
        return min(segment.distance_at(time_us), segment.end_m)

    def covers(self, distance_m: float) -> bool:
        """Does the wheel ever pass `distance_m`?"""
        return self.start_m <= distance_m <= self.end_m

    def part(self, from_m: float, to_m: float, *, moved_m: float = 0.0) -> tuple[AnySegment, ...]:
        """The segments between two distances, moved along the line: how one wheel follows another.

        `from_m` and `to_m` are distances of the result; `moved_m` is -3.0 for who rides 3 m behind.
        """
        moved = (
            replace(segment, start_m=segment.start_m + moved_m, end_m=segment.end_m + moved_m)
            for segment in self.segments
        )
        return tuple(
            _cut(segment, from_m, to_m) for segment in moved if segment.end_m > from_m and segment.start_m < to_m
        )

    def until(self, end_m: float) -> "Motion":
        """The same motion, ended at `end_m`."""
        return Motion(self.part(self.start_m, end_m))

    def _segment_at(self, distance_m: float) -> AnySegment:
        if not self.covers(distance_m):
            raise MotionError(f"{distance_m} m is outside the motion, from {self.start_m} to {self.end_m} m")
        return self.segments[bisect_right(self._starts_m, distance_m) - 1]
