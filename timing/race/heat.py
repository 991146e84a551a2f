"""The log of one heat: what was read, seen and ordered while it was on the track, in journal order.

The log only grows. What it means is derived from scratch by the event's rules (`timing.race.keirin`), so an
undo is nothing but a command that is left out.
"""

from collections.abc import Iterator

import msgspec

from config.models import Heat, Pacer, Rider, Setup
from drivers.records import Impulse, Passing, PhotoFinish
from timing.clock import ClockFit
from timing.core.crossings import DUPLICATE_WINDOW_US
from timing.race.actions import Confirm, Reopen, SwapTransponder, Undo
from timing.race.course import Course, build_course
from timing.race.events import Command
from timing.race.picture import Aside

ASIDE_KEPT = 200
"""Set-aside reads kept for the screens; all of them are in the journal."""


class Read(msgspec.Struct, frozen=True):
    """A transponder read of a competitor of this heat. `device_us` is on the device's unwrapped scale."""

    ref: str
    competitor: int
    loop: int
    device: str
    device_us: int
    fallback_us: int
    """Race time by the host's clock alone, for a device without a fit."""
    sequence: int | None


class Shot(msgspec.Struct, frozen=True):
    """An impulse with a role: gun, bell or photocell."""

    ref: str
    role: str
    loop: str | None
    device: str
    device_us: int
    fallback_us: int


class Sheet(msgspec.Struct, frozen=True):
    """A photo-finish result sheet and where it stands in the journal."""

    ref: str
    sheet: PhotoFinish


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
        for index, rider in enumerate(self.riders):
            for transponder in rider.transponders:
                self.competitor_of[transponder] = index
        for transponder in self.pacer.transponders:
            self.competitor_of[transponder] = self.pacer_index
        self.index_of_bib = {rider.bib: index for index, rider in enumerate(self.riders)}
        self.loop_index = {loop: number for number, loop in enumerate(self.course.loops)}
        self.opened_us: int | None = None
        self.reads: list[Read] = []
        self.shots: list[Shot] = []
        self.sheets: list[Sheet] = []
        self.commands: list[Command] = []
        self.undone: set[str] = set()
        self.aside: list[Aside] = []
        self.aside_count = 0
        self.latest_us = 0
        self.fits: dict[str, ClockFit] = {}
        self._numbers: set[tuple[str, int, int]] = set()
        self._last_read: dict[tuple[int, int], int] = {}

    @property
    def closed(self) -> bool:
        """Whether the result is official, so that nothing that arrives later may change it."""
        for command in reversed(self.commands):
            if command.id not in self.undone and isinstance(command.action, Confirm | Reopen):
                return isinstance(command.action, Confirm)
        return False

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

    def take_passing(self, ref: str, passing: Passing, loop: str | None, device_us: int, race_us: int) -> None:
        """Log a passing at a loop of the venue, or set it aside with the reason."""
        competitor = self.competitor_of.get(passing.transponder)
        if competitor is None:
            self.set_aside(ref, passing, loop, race_us, "unknown transponder: nobody of this heat carries it")
            return
        number = self.loop_index.get(loop) if loop is not None else None
        if number is None:
            self.set_aside(ref, passing, loop, race_us, "the device's channel is wired to no loop of the venue")
            return
        if passing.sequence is not None:
            key = (passing.device, passing.sequence, device_us)
            if key in self._numbers:
                self.set_aside(ref, passing, loop, race_us, "the device sent this passing before")
                return
            self._numbers.add(key)
        before_us = self._last_read.get((competitor, number))
        if before_us is not None and abs(race_us - before_us) < DUPLICATE_WINDOW_US:
            apart_ms = abs(race_us - before_us) // 1_000
            self.set_aside(
                ref, passing, loop, race_us, f"duplicate read: {apart_ms} ms from the read before at this loop"
            )
            return
        self._last_read[competitor, number] = race_us
        fallback_us = passing.received_us
        self.reads.append(Read(ref, competitor, number, passing.device, device_us, fallback_us, passing.sequence))

    def take_impulse(
        self, ref: str, impulse: Impulse, role: str | None, loop: str | None, device_us: int, race_us: int
    ) -> None:
        """Log an impulse of a known role, or set it aside."""
        if role is None:
            self.set_aside(ref, impulse, loop, race_us, "the device's channel has no role in the meet file")
            return
        self.shots.append(Shot(ref, role, loop, impulse.device, device_us, impulse.received_us))

    def take_sheet(self, ref: str, sheet: PhotoFinish) -> bool:
        """Log a photo-finish sheet; False when it repeats the last one (cameras send theirs again and again)."""
        if self.repeats_sheet(sheet):
            return False
        self.sheets.append(Sheet(ref, sheet))
        return True

    def repeats_sheet(self, sheet: PhotoFinish) -> bool:
        """Whether the camera only sent its last sheet once more."""
        return bool(self.sheets) and _same_sheet(self.sheets[-1].sheet, sheet)

    def take_command(self, command: Command) -> None:
        """Log a command that was accepted."""
        self.commands.append(command)
        # From the last to the first: an undo counts unless a later undo that counts took it back (redo).
        self.undone = set()
        for other in reversed(self.commands):
            if isinstance(other.action, Undo) and other.id not in self.undone:
                self.undone.add(other.action.command)
        if isinstance(command.action, SwapTransponder | Undo):
            self._wire_transponders()

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
    return one.lines == other.lines and one.official == other.official and one.heat == other.heat
