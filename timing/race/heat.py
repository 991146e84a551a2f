"""The log of one heat: what was read, seen and ordered while it was on the track, in journal order.

The log only grows. What it means is derived from scratch by the event's rules (`timing.race.keirin`), so an
undo is nothing but a command that is left out.
"""

import copy
from collections.abc import Iterator
from typing import Self

import msgspec
import numpy as np

from config.models import Heat, Pacer, Rider, Setup
from drivers.records import Impulse, Passing, PhotoFinish
from timing.clock_fit import ClockFit
from timing.clock_history import ClockHistory
from timing.core.arrays import Float64Array, Int64Array
from timing.race.actions import Confirm, Decide, Reopen, Restart, SwapTransponder, Undo
from timing.race.course import Course, build_course
from timing.race.events import Command
from timing.race.picture import Aside
from timing.race.reads import Read, ReadTable

ASIDE_KEPT = 200
"""Set-aside reads kept for the screens; all of them are in the journal."""
REFUSED_KEPT = 50
"""Refused orders kept for the screens; all of them are in the journal."""


class Shot(msgspec.Struct, frozen=True):
    """An impulse of the gun or the bell."""

    ref: str
    role: str
    loop: str | None
    device: str
    device_us: int
    fallback_us: int
    backlog: bool = False


class Sheet(msgspec.Struct, frozen=True):
    """A photo-finish result sheet and where it stands in the journal."""

    ref: str
    sheet: PhotoFinish

    @property
    def row(self) -> int:
        """The row of the journal that brought it."""
        return int(self.ref.partition(":")[0])


class Ordered(msgspec.Struct, frozen=True):
    """A command for this heat as it stands in the journal; `refusal` is null where it was taken."""

    row: int
    command: Command
    refusal: str | None


class HeatLog:
    """Everything that belongs to one heat. Competitors are the start list by draw, then the pacer."""

    def __init__(self, setup: Setup, heat: Heat) -> None:
        self.heat = heat
        self.setup = setup
        self.course: Course = build_course(setup, heat)
        riders = {rider.bib: rider for rider in setup.meet.riders}
        self.start_list = tuple(sorted(heat.start_list, key=lambda position: position.draw))
        self.riders: tuple[Rider, ...] = tuple(riders[position.bib] for position in self.start_list)
        self.pacer: Pacer = next(pacer for pacer in setup.meet.pacers if pacer.id == heat.pacer)
        self.competitor_of: dict[str, int] = {}
        self.index_of_bib = {rider.bib: index for index, rider in enumerate(self.riders)}
        self.loop_index = {loop: number for number, loop in enumerate(self.course.loops)}
        self.opened_us: int | None = None
        self.mark_m: Float64Array = np.array([mark.distance_m for mark in self.course.marks], np.float64)
        self.mark_loop: Int64Array = np.array([mark.loop_index for mark in self.course.marks], np.int64)
        self.table = ReadTable()
        self.shots: list[Shot] = []
        self.cells = ReadTable()
        """Impulses of photocells and tapes; in the place of a transponder stands the box's channel."""
        self.sheets: list[Sheet] = []
        self.commands: list[Command] = []
        self.command_of: dict[str, Command] = {}
        """The same by id."""
        self.undone: set[str] = set()
        self.rulings: tuple[tuple[str, str], ...] = ()
        """(bib, code) of every decision that stands, in the order in which they were ruled."""
        self.orders: list[Ordered] = []
        """Every order in the order of the journal: all that were taken, the newest of those refused."""
        self.closed = False
        """Whether the result is official, so that nothing that arrives later may change it."""
        self.version = 0
        """Rises with everything logged: what was derived from an older version is out of date."""
        self.aside: list[Aside] = []
        self.aside_count = 0
        self.latest_us = 0
        self.clocks: dict[str, ClockHistory] = {}
        """What was known of the boxes' clocks when the heat was over; empty until then."""
        self._numbers: set[tuple[str, int | str, int]] = set()
        self._wire_transponders()

    @property
    def reads(self) -> list[Read]:
        """Every read at a loop of the venue, in journal order."""
        return self.table.reads

    @property
    def fits(self) -> dict[str, ClockFit]:
        """The clock fits that the times of a heat that is over rest on."""
        return {device: clock.fit for device, clock in self.clocks.items()}

    @property
    def pacer_index(self) -> int:
        """Index of the pacer among the competitors."""
        return len(self.riders)

    @property
    def competitors(self) -> int:
        """Riders and the pacer."""
        return len(self.riders) + 1

    def standing(self) -> Iterator[Command]:
        """The commands that count, in order."""
        return (command for command in self.commands if command.id not in self.undone)

    def take_passing(
        self, ref: str, passing: Passing, loop: str | None, device_us: int, race_us: int, fallback_us: int
    ) -> None:
        """Log a passing at a loop of the venue, or set it aside with the reason.

        Whose it is and which crossing it was is derived later: a swap of transponders or a read that arrives
        out of order may change both.
        """
        self.version += 1
        number = self.loop_index.get(loop) if loop is not None else None
        if number is None:
            self.set_aside(ref, passing, loop, race_us, "the device's channel is wired to no loop of the venue")
            return
        if self._was_sent_before(passing, device_us):
            self.set_aside(ref, passing, loop, race_us, "the device sent this passing before")
            return
        read = Read(ref, passing.transponder, number, passing.device, device_us, fallback_us, passing.backlog)
        self.table.append(read)

    def take_beacon(
        self, ref: str, impulse: Impulse, role: str | None, loop: str | None, device_us: int, race_us: int
    ) -> None:
        """Log an impulse that a decoder reported as a numbered passing: once, however often it is asked for it."""
        if self._was_sent_before(impulse, device_us):
            self.version += 1
            self.set_aside(ref, impulse, loop, race_us, "the device sent this passing before")
        else:
            self._log_impulse(ref, impulse, role, loop, device_us, race_us)

    def _was_sent_before(self, record: Passing | Impulse, device_us: int) -> bool:
        """Whether a record with this number and time was logged before; remembers it.

        Without a number only one that the line delivered late can be the same: who, where and when stand for it.
        """
        name = record.transponder if isinstance(record, Passing) else "impulse"
        number = record.sequence if record.sequence is not None else f"{name}\0{record.channel}"
        key = (record.device, number, device_us)
        known = key in self._numbers
        self._numbers.add(key)
        return known and (record.backlog or record.sequence is not None)

    def take_impulse(
        self, ref: str, impulse: Impulse, role: str | None, loop: str | None, device_us: int, race_us: int
    ) -> None:
        """Log an impulse of a known role, or set it aside."""
        self.version += 1
        if self._was_sent_before(impulse, device_us) and impulse.backlog:
            self.set_aside(ref, impulse, loop, race_us, "the device sent this impulse before")
        else:
            self._log_impulse(ref, impulse, role, loop, device_us, race_us)

    def _log_impulse(
        self, ref: str, impulse: Impulse, role: str | None, loop: str | None, device_us: int, race_us: int
    ) -> None:
        if role is None:
            self.set_aside(ref, impulse, loop, race_us, "the device's channel has no role in the meet file")
        elif role == "photocell":
            self._take_cell(ref, impulse, loop, device_us, race_us)
        else:
            shot = Shot(ref, role, loop, impulse.device, device_us, impulse.received_us, impulse.backlog)
            self.shots.append(shot)

    def _take_cell(self, ref: str, impulse: Impulse, loop: str | None, device_us: int, race_us: int) -> None:
        number = self.loop_index.get(loop) if loop is not None else None
        if number is None:
            self.set_aside(ref, impulse, loop, race_us, "the photocell is at no loop of the venue")
        else:
            cell = Read(ref, impulse.channel, number, impulse.device, device_us, impulse.received_us, impulse.backlog)
            self.cells.append(cell)

    def take_sheet(self, ref: str, sheet: PhotoFinish) -> bool:
        """Log a photo-finish sheet; False when it repeats the last one (cameras send theirs again and again)."""
        if self.repeats_sheet(sheet):
            return False
        self.version += 1
        self.sheets.append(Sheet(ref, sheet))
        return True

    def repeats_sheet(self, sheet: PhotoFinish) -> bool:
        """Whether the camera only sent its last sheet once more."""
        return bool(self.sheets) and _same_sheet(self.sheets[-1].sheet, sheet)

    def keep_order(self, row: int, command: Command, refusal: str | None) -> None:
        """Remember an order for the heat's history. It changes nothing of the race: `take_command` does."""
        self.orders.append(Ordered(row, command, refusal))
        if refusal is not None:
            refused = [index for index, one in enumerate(self.orders) if one.refusal is not None]
            if len(refused) > REFUSED_KEPT:
                del self.orders[refused[0]]

    def with_command(self, command: Command) -> Self:
        """A copy with one command more, to be derived and thrown away; reads and shots are shared, not copied."""
        other = copy.copy(self)
        other.commands = list(self.commands)
        other.command_of = dict(self.command_of)
        other.take_command(command)
        return other

    def take_command(self, command: Command) -> None:
        """Log a command that was accepted."""
        self.version += 1
        self.commands.append(command)
        self.command_of[command.id] = command
        # From the last to the first: an undo counts unless a later undo that counts took it back (redo).
        self.undone = set()
        for other in reversed(self.commands):
            if isinstance(other.action, Undo) and other.id not in self.undone:
                self.undone.add(other.action.command)
        if isinstance(command.action, SwapTransponder | Undo):
            self._wire_transponders()
        if isinstance(command.action, Decide | Restart | Undo):
            self.rulings = tuple(self._rulings())
        if isinstance(command.action, Confirm | Reopen):
            self.closed = isinstance(command.action, Confirm)

    def _rulings(self) -> Iterator[tuple[str, str]]:
        for command in self.standing():
            if isinstance(command.action, Decide):
                yield command.action.bib, command.action.code
            elif isinstance(command.action, Restart):
                yield from ((out.bib, out.code) for out in command.action.excluded)

    def owners(self) -> Int64Array:
        """`[transponders of the table]`: the competitor who carries each, -1 for nobody of this heat."""
        return np.array([self.competitor_of.get(one, -1) for one in self.table.transponders], np.int64)

    def _wire_transponders(self) -> None:
        """Give each rider the transponders entered, then those of the swaps that stand."""
        self.competitor_of = {
            transponder: index for index, rider in enumerate(self.riders) for transponder in rider.transponders
        }
        self.competitor_of.update(dict.fromkeys(self.pacer.transponders, self.pacer_index))
        for command in self.standing():
            action = command.action
            if isinstance(action, SwapTransponder) and action.bib in self.index_of_bib:
                self.competitor_of[action.transponder] = self.index_of_bib[action.bib]

    def set_aside(self, ref: str, record: Passing | Impulse, loop: str | None, race_us: int, reason: str) -> None:
        """Keep a record that does not count, with the reason."""
        transponder = record.transponder if isinstance(record, Passing) else None
        self.aside.append(Aside(ref, record.device, loop, transponder, race_us, reason))
        self.aside_count += 1
        if len(self.aside) > ASIDE_KEPT:
            del self.aside[0]


def _same_sheet(one: PhotoFinish, other: PhotoFinish) -> bool:
    # The camera's own start tells a sheet sent again from the equal one of another attempt.
    same_start = one.start_device_us == other.start_device_us
    return same_start and one.lines == other.lines and one.official == other.official and one.heat == other.heat
