"""How a pacer and a rider of a keirin move: from the rule book's pace curve and the scripted finish.

A rider's motion is that of the foremost point of the front wheel, the pacer's that of its transponder.
Start side by side at the gun, pacer's wheel in drawn order, stay behind it to its exit, then the sprint:
UCI 3.2.138-140 (track-rules §1.3), pace §5.
"""

from dataclasses import dataclass

from config.models import PaceCurve
from drivers.rig.motion import (
    KMH_PER_MPS,
    US,
    AnySegment,
    Motion,
    MotionError,
    RiseWithDistance,
    SteadyChange,
)

RUN_UP_M = 60.0
"""The pacer is on the track this far before the start line: 7.2 s at 30 km/h."""
BIKE_LENGTH_M = 1.7
WHEEL_GAP_M = 0.3
"""From a rear wheel to the next front wheel in the line behind the pacer."""

# Leaving the start line: 8 s of acceleration, 6 s at the top speed, 6 s down to the pacer's speed. It peaks
# near 40 km/h behind a 30 km/h pacer, as a standing rider who closes a 35 m gap in one lap does.
START_ACCELERATE_US = 8 * US
START_HOLD_US = 6 * US
START_EASE_US = 6 * US
START_US = START_ACCELERATE_US + START_HOLD_US + START_EASE_US

OVERTAKE_RUN_M = 150.0
"""Over this distance a rider who passes the pacer too early accelerates out of the line."""


@dataclass(frozen=True)
class Overtake:
    """Passing the pacer before its exit: `margin_m` ahead of its front wheel when the rider is at `at_m`."""

    at_m: float
    margin_m: float
    pacer_front_m: float


@dataclass(frozen=True)
class Sprint:
    """The end of a rider's race: from where he sprints, how long he accelerates, when he is at the finish.

    He rides on to `end_m`, so that the transponder and the rear wheel cross the line as well.
    """

    from_m: float
    finish_m: float
    finish_us: int
    accelerate_us: int
    end_m: float


def pacer_motion(curve: PaceCurve, exit_m: float, end_m: float) -> Motion:
    """The pacer's transponder from the run-up: on the start line at 0 µs at start speed, then by the curve.

    The curve ends at `exit_m`; from there to `end_m` it keeps the end speed (it may have left the track).
    """
    start = curve.start_kmh / KMH_PER_MPS
    end = curve.end_kmh / KMH_PER_MPS
    run_up = SteadyChange(-round(RUN_UP_M / start * US), -RUN_UP_M, 0.0, start)
    paced = [run_up, *_paced(curve, exit_m)]
    exit_us = paced[-1].time_at(exit_m)
    return Motion([*paced, SteadyChange(exit_us, exit_m, end_m, end)])


def _paced(curve: PaceCurve, exit_m: float) -> list[AnySegment]:
    start = curve.start_kmh / KMH_PER_MPS
    end = curve.end_kmh / KMH_PER_MPS
    if start == end:
        return [SteadyChange(0, 0.0, exit_m, start)]
    if curve.shape == "linear_distance":
        return [RiseWithDistance(0, 0.0, exit_m, start, (end - start) / exit_m)]
    if curve.shape == "constant_acceleration":
        return [SteadyChange(0, 0.0, exit_m, start, (end**2 - start**2) / (2 * exit_m))]
    third = exit_m / 3
    hold = SteadyChange(0, 0.0, third, start)
    # Even in time, so that it gives the 12.63 s and 9.87 s of track-rules §5.
    ramp = SteadyChange(hold.time_at(third), third, 2 * third, start, (end**2 - start**2) / (2 * third))
    last = SteadyChange(ramp.time_at(2 * third), 2 * third, exit_m, end)
    return [hold, ramp, last]


def slot_behind_pacer_m(index: int, pacer_rear_m: float) -> float:
    """Metres from the pacer's transponder back to the front wheel of the rider at `index` (0 first)."""
    return -pacer_rear_m + WHEEL_GAP_M + index * (BIKE_LENGTH_M + WHEEL_GAP_M)


def rider_motion(pacer: Motion, slot_m: float, sprint: Sprint, overtake: Overtake | None = None) -> Motion:
    """A rider's front wheel from standstill at the gun to exactly `finish_us` on the finish line.

    Raises MotionError when the sprint's figures cannot be ridden.
    """
    joined_m = pacer.distance_at(START_US) - slot_m
    segments = _start(joined_m, pacer.speed_at(joined_m + slot_m))
    if overtake is None:
        segments += pacer.part(joined_m, sprint.from_m, moved_m=-slot_m)
        sprint_from_m = sprint.from_m
    else:
        leave_m = max(overtake.at_m - OVERTAKE_RUN_M, joined_m + 1.0)
        segments += pacer.part(joined_m, leave_m, moved_m=-slot_m)
        segments.append(_passing(pacer, segments[-1], overtake))
        sprint_from_m = overtake.at_m
    segments += _sprint(segments[-1], sprint_from_m, sprint)
    return Motion(segments)


def _start(joined_m: float, joined_speed: float) -> list[AnySegment]:
    """From standstill to `joined_m` at `joined_speed` after START_US, in three steady pieces."""
    accelerate, hold, ease = (part / US for part in (START_ACCELERATE_US, START_HOLD_US, START_EASE_US))
    top = (joined_m - joined_speed * ease / 2) / (accelerate / 2 + hold + ease / 2)
    top_m = top * accelerate / 2
    ease_m = top_m + top * hold
    return [
        SteadyChange(0, 0.0, top_m, 0.0, top / accelerate),
        SteadyChange(START_ACCELERATE_US, top_m, ease_m, top),
        SteadyChange(START_ACCELERATE_US + START_HOLD_US, ease_m, joined_m, top, (joined_speed - top) / ease),
    ]


def _passing(pacer: Motion, before: AnySegment, overtake: Overtake) -> SteadyChange:
    """Constant acceleration from the line behind the pacer to `margin_m` ahead of its front wheel."""
    from_m = before.end_m
    from_us = before.time_at(from_m)
    ahead_us = pacer.time_at(overtake.at_m - overtake.margin_m - overtake.pacer_front_m)
    speed = before.speed_at(from_m)
    elapsed = (ahead_us - from_us) / US
    acceleration = 2 * (overtake.at_m - from_m - speed * elapsed) / elapsed**2
    return SteadyChange(from_us, from_m, overtake.at_m, speed, acceleration)


def _sprint(before: AnySegment, from_m: float, sprint: Sprint) -> list[AnySegment]:
    """Steady acceleration for `accelerate_us`, then the constant speed that meets `finish_us` exactly."""
    from_us = before.time_at(from_m)
    speed = before.speed_at(from_m)
    accelerate = sprint.accelerate_us / US
    steady_us = sprint.finish_us - from_us - sprint.accelerate_us
    if steady_us <= 0:
        raise MotionError(
            f"the sprint from {from_m} m to {sprint.finish_m} m lasts {sprint.finish_us - from_us} µs: "
            f"give it more than the {sprint.accelerate_us} µs of its acceleration"
        )
    top = (sprint.finish_m - from_m - speed * accelerate / 2) / (steady_us / US + accelerate / 2)
    if top <= 0:
        raise MotionError(f"the sprint to {sprint.finish_m} m at {sprint.finish_us} µs would go backwards")
    top_m = from_m + (speed + top) / 2 * accelerate
    # From what is left of distance and time, so that no rounding is left for the finish line.
    steady = (sprint.finish_m - top_m) / (steady_us / US)
    return [
        SteadyChange(from_us, from_m, top_m, speed, (top - speed) / accelerate),
        SteadyChange(from_us + sprint.accelerate_us, top_m, sprint.end_m, steady),
    ]
