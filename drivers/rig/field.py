"""The field of one scripted heat: where its lines are in metres of race, and everybody's motion."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from config.distances import heat_distance
from config.models import Heat, PaceCurve, Pacer, Setup
from drivers.rig.motion import Motion, MotionError
from drivers.rig.rides import Overtake, Sprint, pacer_motion, rider_motion, slot_behind_pacer_m
from drivers.rig.script import HeatScript

US_PER_MS = 1_000
MIDDLE_OF_MS_US = 500
RUN_OUT_M = 30.0
"""Riders go on this far behind the finish line: far enough for the transponder and the rear wheel."""


@dataclass(frozen=True)
class Distances:
    """Metres from the start line: where the pacer's exit line and the end of the race are, and a lap."""

    lap_m: float
    start_position_m: float
    exit_m: float
    finish_m: float

    def crossings(self, position_m: float, from_m: float, to_m: float) -> Iterator[tuple[int, float]]:
        """Lap (1 from the start line, 0 and less before it) and distance of each crossing of a place."""
        first = (position_m - self.start_position_m) % self.lap_m
        lap = int((from_m - first) // self.lap_m)
        while (distance_m := first + lap * self.lap_m) <= to_m:
            if distance_m >= from_m:
                yield lap + 1, distance_m
            lap += 1


@dataclass(frozen=True)
class Field:
    """Everybody's motion in one heat. The pacer's is its transponder's, a rider's his front wheel's."""

    distances: Distances
    pacer: Motion
    pacer_on_track: tuple[tuple[float, float], ...]
    """From where to where the pacer is on the track, in m."""
    riders: dict[str, Motion]
    """By bib, in the published order."""
    arrives: dict[str, bool]


def race_distances(setup: Setup, heat: Heat) -> Distances:
    """Lay the heat on the track: exit after the paced laps, finish at the next finish line after all laps.

    UCI 3.2.134, 3.2.137; track-rules §4.1: on Izu 750 m and 1,512.5 m.
    """
    laps = heat_distance(setup, heat)
    length = setup.venue.track_length_m
    start = float(getattr(setup.venue.lines, f"{setup.rules.keirin.start_line}_m"))
    # The pacer leaves at the painted line: half laps of 333.33 m end 5 mm before it.
    exit_line = (float(getattr(setup.venue.lines, f"{setup.rules.keirin.exit_line}_m")) - start) % length
    exit_m = exit_line + length * round((laps.paced_laps * length - exit_line) / length)
    to_finish = (setup.venue.lines.finish_m - start) % length
    return Distances(
        lap_m=length,
        start_position_m=start,
        exit_m=exit_m,
        finish_m=(laps.paced_laps + laps.sprint_laps) * length + to_finish,
    )


def build_field(setup: Setup, heat: Heat, script: HeatScript, seed: int) -> Field:
    """Plan the motion of the pacer and of every rider who starts.

    Raises MotionError, with the rider's bib, when the script asks for what cannot be ridden.
    """
    distances = race_distances(setup, heat)
    pacer = pacer_motion(_pace_curve(setup, heat, script), distances.exit_m, distances.finish_m + distances.lap_m)
    leave_m = distances.exit_m if script.pacer.leave_m is None else script.pacer.leave_m
    on_track = [(pacer.start_m, leave_m)]
    if script.pacer.comes_back_m is not None:
        on_track.append((script.pacer.comes_back_m, script.pacer.comes_back_m + distances.lap_m / 2))
    arrives = {finisher.bib: index == 0 or finisher.gap_ms is not None for index, finisher in enumerate(script.finish)}
    riders = _riders(setup, heat, script, distances, pacer, max(distances.exit_m, leave_m), arrives, seed)
    return Field(distances, pacer, tuple(on_track), riders, arrives)


def _riders(
    setup: Setup,
    heat: Heat,
    script: HeatScript,
    distances: Distances,
    pacer: Motion,
    sprint_from_m: float,
    arrives: dict[str, bool],
    seed: int,
) -> dict[str, Motion]:
    """Everybody's front wheel, by bib. The sprint begins where the pacer leaves, not before its exit line."""
    lot = random.Random(f"{seed}/field/{heat.id}")
    entry = pacer_of(setup, heat)
    share = (distances.finish_m - sprint_from_m) / (distances.finish_m - distances.exit_m)
    winner_us = pacer.time_at(sprint_from_m) + round(script.winner_sprint_ms * US_PER_MS * share)
    draw = [position.bib for position in sorted(heat.start_list, key=lambda position: position.draw)]
    line = [bib for bib in draw if bib in arrives]
    riders: dict[str, Motion] = {}
    for index, finisher in enumerate(script.finish):
        sprint = Sprint(
            from_m=sprint_from_m,
            finish_m=distances.finish_m,
            finish_us=winner_us + (_gap_us(finisher.gap_ms) if index else 0),
            accelerate_us=lot.randrange(10_000_000, 16_000_000),
            end_m=distances.finish_m + RUN_OUT_M,
        )
        fall_m = distances.finish_m - lot.uniform(0.1, 0.7) * distances.lap_m
        slot_m = slot_behind_pacer_m(line.index(finisher.bib), entry.rear_wheel_rear_m)
        try:
            motion = rider_motion(pacer, slot_m, sprint, _overtake(script, finisher.bib, entry))
        except MotionError as error:
            raise MotionError(f"heat {heat.id}, bib {finisher.bib}: {error}") from error
        riders[finisher.bib] = motion if arrives[finisher.bib] else motion.until(fall_m)
    return riders


def _pace_curve(setup: Setup, heat: Heat, script: HeatScript) -> PaceCurve:
    pace = setup.rules.keirin.pace
    curve = setup.rules.pace_curves[pace.get(heat.category, pace["default"])]
    if script.pacer.exit_kmh is None:
        return curve
    return msgspec.structs.replace(curve, end_kmh=script.pacer.exit_kmh)


def _gap_us(gap_ms: int | None) -> int:
    """The true gap behind a published one; a rider who will fall rides as if he came a second later.

    Published gaps were truncated to the ms (track-rules §1.7). The rider is put in the middle of his
    millisecond, so that neither a camera's 0.1 ms steps nor a 20 ppm clock moves him out of it.
    """
    return 1_000_000 if gap_ms is None else gap_ms * US_PER_MS + MIDDLE_OF_MS_US


def _overtake(script: HeatScript, bib: str, pacer: Pacer) -> Overtake | None:
    wanted = script.overtakes_pacer
    if wanted is None or wanted.bib != bib:
        return None
    return Overtake(wanted.at_m, wanted.margin_m, pacer.front_wheel_front_m)


def pacer_of(setup: Setup, heat: Heat) -> Pacer:
    """The pacer of the heat."""
    return next(pacer for pacer in setup.meet.pacers if pacer.id == heat.pacer)
