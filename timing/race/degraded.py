"""Loops that live and loops that do not: how each does in a heat, and what can still be official without it.

Nothing here decides. A photo-finish gives places and gaps on its own (DESIGN §5); loops give laps, splits, pace and
the last 200 m; what a missing loop takes away is inferred and marked, or not measured at all.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from config.models import Device, Setup
from timing.race.course import SURVEY_TOLERANCE_M, line_position_m
from timing.race.picture import Crossing, HeatPicture

if TYPE_CHECKING:
    from timing.race.meet import MeetState

LoopCondition = Literal["unknown", "live", "weak", "dead"]

CAMERAS = frozenset({"lynx", "lif", "osv"})
"""Protocols that bring photo-finish sheets."""
NOT_WORKING = frozenset({"lost", "backing_off"})
"""States of a device from which nothing can come (`drivers.records.DeviceHealth`)."""
WEAK_PERCENT = 20
"""So large a missed share of a heat is more than a covered chip now and then."""
FEW = 5
"""Of fewer crossings no share is told."""
DEAD_IN_A_ROW = 4
"""So many last crossings missed, by whomever, and the loop is taken for dead."""


class LoopHealth(msgspec.Struct, frozen=True):
    """A loop in the present heat. `expected` counts crossings that were read or inferred, pacer not included."""

    loop: str
    position_m: float
    condition: LoopCondition
    devices: tuple[str, ...]
    last_read_us: int | None
    expected: int
    missed: int
    missed_percent: int
    reason: str
    without_it: tuple[str, ...]
    """What can and cannot be official without it; empty while it works."""


def loop_health(state: "MeetState", picture: HeatPicture | None) -> tuple[LoopHealth, ...]:
    """Every loop of the venue, by the boxes' states and by what was missed in this heat (None: no heat is open)."""
    setup = state.setup
    if setup is None:
        return ()
    states = {name: view.state for name, view in state.devices.items()}
    return tuple(_one(setup, loop.id, states, state.last_read_us.get(loop.id), picture) for loop in setup.venue.loops)


def _one(
    setup: Setup, loop: str, states: Mapping[str, str], last_us: int | None, picture: HeatPicture | None
) -> LoopHealth:
    devices = readers(setup, loop)
    crossings = _crossings(picture, loop)
    missed = sum(_unread(one) for one in crossings)
    percent = 100 * missed // len(crossings) if crossings else 0
    condition, reason = _condition(devices, states, crossings, missed, percent)
    if condition == "unknown" and last_us is not None:
        condition, reason = "live", "not crossed yet in this heat; it has read before"
    return LoopHealth(
        loop,
        next(one.position_m for one in setup.venue.loops if one.id == loop),
        condition,
        devices,
        last_us,
        len(crossings),
        missed,
        percent,
        reason,
        without_loop(setup, loop) if condition in ("weak", "dead") else (),
    )


def _crossings(picture: HeatPicture | None, loop: str) -> list[Crossing]:
    """The riders' crossings of a loop in order of time, the start from standing left out."""
    if picture is None:
        return []
    found = [one for rider in picture.splits for one in rider.crossings if one.loop == loop and one.source != "start"]
    started = [one for one in found if one.distance_m > 0.0]
    return sorted(started, key=lambda one: one.race_ms)


def _unread(crossing: Crossing) -> bool:
    """Whether no transponder was read: inferred, or timed by a photocell alone."""
    return crossing.read is None and crossing.source != "manual"


def _condition(
    devices: tuple[str, ...], states: Mapping[str, str], crossings: list[Crossing], missed: int, percent: int
) -> tuple[LoopCondition, str]:
    if not devices:
        return "dead", "no device of the meet file reads it"
    down = [name for name in devices if states.get(name) in NOT_WORKING]
    if len(down) == len(devices):
        return "dead", f"{', '.join(down)}: {states[down[0]].replace('_', ' ')}"
    newest = crossings[-DEAD_IN_A_ROW:]
    if len(newest) == DEAD_IN_A_ROW and all(map(_unread, newest)):
        return "dead", f"the last {DEAD_IN_A_ROW} crossings were not read: check its cable and {', '.join(devices)}"
    if len(crossings) >= FEW and percent >= WEAK_PERCENT:
        return "weak", f"{missed} of {len(crossings)} crossings of this heat were not read"
    if len(crossings) > missed:
        return "live", ""
    return "unknown", "nothing was read here yet"


def readers(setup: Setup, loop: str) -> tuple[str, ...]:
    """Ids of the devices that read transponders at a loop."""
    return tuple(device.id for device in setup.meet.devices if _reads(device, loop))


def _reads(device: Device, loop: str) -> bool:
    return device.loop == loop or any(wire.loop == loop and wire.role is None for wire in device.channels)


def has_cell(setup: Setup, loop: str) -> bool:
    """Whether a photocell or tape looks along this loop."""
    wires = (wire for device in setup.meet.devices for wire in device.channels)
    return any(wire.loop == loop and wire.role == "photocell" for wire in wires)


def without_loop(setup: Setup, loop: str) -> tuple[str, ...]:
    """What can still be official without a loop, and what cannot: sentences for the operator.

    Raises StopIteration for a loop that the venue does not have.
    """
    position_m = next(one.position_m for one in setup.venue.loops if one.id == loop)
    length, lines, keirin = setup.venue.track_length_m, setup.venue.lines, setup.rules.keirin

    def is_at(line_m: float) -> bool:
        apart = abs(position_m - line_m) % length
        return min(apart, length - apart) <= SURVEY_TOLERANCE_M

    camera = any(device.protocol in CAMERAS for device in setup.meet.devices)
    found: list[str] = []
    if is_at(lines.finish_m):
        found.append(
            "places and gaps: official from the photo-finish"
            if camera
            else "places: only by the judge (no photo-finish in the meet file); gaps: not measured"
        )
        found.append(
            "no order at the finish from transponders, and the heat does not finish by itself: close it by hand"
        )
        found.append("laps and half laps at the finish line: inferred from the other loops and marked, not official")
        found.append("the bell and the lap counter are prompted by other loops, later or earlier by their distance")
    if is_at(line_position_m(lines, keirin.exit_line)):
        found.append(
            "pull-off of the pacer and its exit speed: not measurable, at best between the loops before and after; "
            "riders passing it there: by the commissaires' eyes and video only"
        )
    if is_at(line_position_m(lines, keirin.start_line)):
        found.append("laps from the start line: inferred and marked; the start itself is the gun's and stands")
    if is_at((lines.finish_m - 200.0) % length):
        found.append("no last-200 m time and no speed over it")
    if not found:
        found.append("its sectors and half laps: inferred from the loops around it and marked, not official")
        found.append("pace over the sections that meet here: as the mean over the longer one")
    if has_cell(setup, loop):
        found.append("its photocell goes on: times by front wheel where another loop tells who it was")
    return tuple(found)
