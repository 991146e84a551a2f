"""The course of a heat: every crossing of every loop from the start line to the finish, with its distance."""

import msgspec

from config.loader import keirin_distance
from config.models import Heat, LineName, Lines, Setup

DISTANCE_TOLERANCE_M = 0.001
SURVEY_TOLERANCE_M = 0.02
"""Lines and loops are surveyed to the centimetre: half a lap of 333.33 m is 166.665 m, painted at 166.67 m."""


class Mark(msgspec.Struct, frozen=True):
    """One crossing of one loop. `lap` counts from 1 and begins at the start line."""

    index: int
    loop: str
    loop_index: int
    distance_m: float
    lap: int


class Course(msgspec.Struct, frozen=True):
    """Distances in metres from the start line; `finish_m` is the whole race."""

    track_length_m: float
    marks: tuple[Mark, ...]
    loops: tuple[str, ...]
    exit_m: float
    finish_m: float
    paced_laps: float
    sprint_laps: float
    finish_mark: int
    """Index of the mark on the finish line at the end of the race; -1 where no loop is there."""
    exit_mark: int
    """Index of the mark on the pacer's exit line; -1 where no loop is there."""
    l200_mark: int
    """Index of the mark 200 m before the finish; -1 where no loop is there."""

    @property
    def total_laps(self) -> float:
        """Laps on the lap counter at the start."""
        return self.paced_laps + self.sprint_laps

    def mark_at(self, distance_m: float) -> int:
        """Index of the mark at this distance, or -1."""
        return _mark_at(self.marks, distance_m)


def line_position_m(lines: Lines, line: LineName) -> float:
    """Metres of a painted line after the finish line."""
    return float(getattr(lines, f"{line}_m"))


def _mark_at(marks: tuple[Mark, ...], distance_m: float) -> int:
    for mark in marks:
        if abs(mark.distance_m - distance_m) <= SURVEY_TOLERANCE_M:
            return mark.index
    return -1


def build_course(setup: Setup, heat: Heat) -> Course:
    """Lay out a keirin on the venue's loops (track-rules §1.1, §4.1).

    The paced laps end where the pacer leaves (UCI 3.2.134, 3.2.137); the sprint laps are counted from there
    to the first finish line after them, so an exit line before the finish makes the race longer by their
    distance, as on Izu: 1,500 m of laps and 12.5 m more.
    """
    lines = setup.venue.lines
    rules = setup.rules.keirin
    length = setup.venue.track_length_m
    paced, sprint = heat.paced_laps, heat.sprint_laps
    if paced is None or sprint is None:
        distance = keirin_distance(setup.rules, length)
        paced = distance.paced_laps if paced is None else paced
        sprint = distance.sprint_laps if sprint is None else sprint
    start = line_position_m(lines, rules.start_line)
    to_finish = (lines.finish_m - start) % length
    to_exit = (line_position_m(lines, rules.exit_line) - start) % length
    # The painted line, that time round which the paced laps come nearest to.
    exit_m = to_exit + length * round((paced * length - to_exit) / length)
    finish_m = (paced + sprint) * length + to_finish
    found: list[tuple[float, int]] = []
    for number, loop in enumerate(setup.venue.loops):
        distance_m = (loop.position_m - start) % length
        while distance_m <= finish_m + DISTANCE_TOLERANCE_M:
            found.append((distance_m, number))
            distance_m += length
    found.sort()
    marks = tuple(
        Mark(
            index=index,
            loop=setup.venue.loops[number].id,
            loop_index=number,
            distance_m=round(distance_m, 3),
            lap=int((distance_m + DISTANCE_TOLERANCE_M) // length) + 1,
        )
        for index, (distance_m, number) in enumerate(found)
    )
    return Course(
        track_length_m=length,
        marks=marks,
        loops=tuple(loop.id for loop in setup.venue.loops),
        exit_m=round(exit_m, 3),
        finish_m=round(finish_m, 3),
        paced_laps=paced,
        sprint_laps=sprint,
        finish_mark=_mark_at(marks, finish_m),
        exit_mark=_mark_at(marks, exit_m),
        l200_mark=_mark_at(marks, finish_m - 200.0),
    )
