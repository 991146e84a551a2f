"""The conversation with a Timy: programming, and its memory after a broken connection. Sans-I/O.

The box acknowledges nothing, numbers nothing and cannot be asked for its clock. After a reconnection the
command RSM makes it print its memory, oldest line first, up to `ALGE-TIMING`, `TIMY V …` and a date. Then:

- a line that this session has received (channel, time, start number) is counted and not reported again;
- one whose edge is known under another start number becomes Unhandled `renumbered`;
- lines before the first known one are older than the session (an earlier race, yesterday): counted as `older`.
  They wait for that known line; if none comes, the memory was cleared during the loss and all of them are new;
- what is left is new: an Impulse with `backlog`. An edge of this connection that was printed between the
  memory's lines is one too: its delay says nothing;
- a memory of which nothing came within 10 s is asked for again, three times in all: the command may be lost;
- at the end Unhandled `memory_dump` tells the counts; `complete` is 0 when the end marker did not come.

The end is the date line, or a pause: 2 s between lines, 10 s before the first (the box may not know RSM).
A first connection asks for it too where edges of this box are on disk, which tell its lines from new ones, or where a
heat is on the track. Else its memory is of another day.

Checksums: the box is told to send them (CHK1). From the first right one of a connection on, a line without one lost it
on its way and is Malformed; with the option `checksum = "always"` from the first line on. A box that was switched off
and on behind a serial line has forgotten the command: it is sent again, and the memory brings what was refused.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from config.models import Device
from drivers.protocols.base import Reaction, Resume
from drivers.protocols.impulse_memory import ImpulseMemory, repeated
from drivers.protocols.timy_lines import TimyParser, encode_text
from drivers.records import Impulse, Record, Unhandled

DAY_US: Final = 86_400_000_000
TICK_US: Final = 500_000
DUMP_STARTS_WITHIN_US: Final = 10_000_000
DUMP_PAUSE_US: Final = 2_000_000
CLOCKS_AGREE_US: Final = 1_000_000
"""Host and box between two lines: delays on the line, far above any drift."""

DEAD_TIME_HUNDREDTHS: Final = 1
"""10 ms, the shortest but none: a bunch stays visible, a bouncing contact does not count twice."""
MAX_DEAD_TIME_HUNDREDTHS: Final = 9_999
DUMP_TRIES: Final = 3
CHECKSUMS: Final = "CHK1"
MEMORY_DUMP: Final = "RSM"
END_OF_MEMORY: Final = "date"


def programming(start_hundredths: int, finish_hundredths: int) -> tuple[str, ...]:
    """The commands for a box on a track; dead times of start and other channels in 1/100 s (0 to 9999).

    Raises ValueError for a dead time that cannot be sent.
    """
    for value in (start_hundredths, finish_hundredths):
        if not 0 <= value <= MAX_DEAD_TIME_HUNDREDTHS:
            raise ValueError(f"dead time {value} (in 1/100 s) cannot be sent: give 0 to {MAX_DEAD_TIME_HUNDREDTHS}")
    return (
        "TIMYINIT",
        "NSF?",
        "PROG?",
        "KL0",  # keys unlocked: the operator can still use the box
        CHECKSUMS,
        "PRE4",  # 1/10000 s
        "RR0",  # truncate
        "BE1",  # beep at each impulse
        f"DTS{start_hundredths // 100:02d}.{start_hundredths % 100:02d}",
        f"DTF{finish_hundredths // 100:02d}.{finish_hundredths % 100:02d}",
        "EMU0",  # no running time on the line
        "PRINTER0",
        "PRIIGN1",
    )


class _Dump:
    """One print of the memory, from the command to its end."""

    def __init__(self, now_us: int, box_us: int | None) -> None:
        """`box_us` is the box's time of day at `now_us`, null when nothing was heard of it."""
        self.began_us = now_us
        self.box_us = box_us
        self.quiet_since_us = now_us
        self.is_anchored = box_us is None
        self.held: list[Impulse] = []
        self.counts: dict[str, int | str] = {"lines": 0, "new": 0, "known": 0, "older": 0}

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] = int(self.counts[what]) + number

    def is_over(self, now_us: int) -> bool:
        started = self.counts["lines"] != 0
        return now_us - self.quiet_since_us >= (DUMP_PAUSE_US if started else DUMP_STARTS_WITHIN_US)

    def is_of_this_connection(self, impulse: Impulse, now_us: int) -> bool:
        if self.box_us is None:
            return False
        since_us = (impulse.device_us - self.box_us + DAY_US // 2) % DAY_US - DAY_US // 2
        return -CLOCKS_AGREE_US <= since_us <= now_us - self.began_us + CLOCKS_AGREE_US

    def anchor(self) -> None:
        """A known line: all that waited is older."""
        self.is_anchored = True
        self.count("older", len(self.held))
        self.held.clear()


class TimySession:
    """The conversation with one Timy over its connections, as `drivers.protocols.base.Session`."""

    tick_us = TICK_US

    def __init__(
        self,
        device: Device,
        resume: Resume,
        *,
        start_dead_hundredths: int = DEAD_TIME_HUNDREDTHS,
        finish_dead_hundredths: int = DEAD_TIME_HUNDREDTHS,
        insists_on_checksum: bool = False,
    ) -> None:
        """Dead times in 1/100 s: how long a channel is blind after an edge. Raises ValueError above 99.99 s.

        `insists_on_checksum` refuses a timing line without one from the first on.
        """
        self._device = device.id
        self._insists = insists_on_checksum
        self._parser = TimyParser(device.id, insists=self._insists)
        self._programming = programming(start_dead_hundredths, finish_dead_hundredths)
        self._memory = ImpulseMemory(resume.impulses)
        # What is on disk, or a heat on the track, means that the box may have spoken while nobody listened.
        self._was_connected = bool(resume.impulses) or resume.in_heat
        self._dump: _Dump | None = None
        self._tries = 0
        self._ended: list[Record] = []
        live = next((one for one in reversed(resume.impulses) if not one.backlog), None)
        self._clock_pair = None if live is None else (live.device_us, live.received_us)

    def connected(self, now_us: int) -> Sequence[bytes]:
        """Program the box; ask for its memory unless nothing was ever heard of it."""
        self._parser = TimyParser(self._device, insists=self._insists)
        commands = [encode_text(command) for command in self._programming]
        if self._was_connected:
            self._tries = 0
            commands.append(self._ask_for_memory(now_us))
        self._was_connected = True
        return commands

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Lines to records; those of the memory as the module's text says."""
        self._end_if_quiet(now_us)
        records, self._ended = self._ended, []
        for record in self._parser.feed(data, now_us):
            if isinstance(record, Impulse):
                records += self._take(record, now_us)
                continue
            records.append(record)
            ends = isinstance(record, Unhandled) and record.name == END_OF_MEMORY
            # The programming may make the box print its banner too: that one comes before any line.
            if ends and self._dump is not None and self._dump.counts["lines"] != 0:
                records += self._end(now_us, complete=True)
        return Reaction(tuple(records), self._repair(now_us))

    def _repair(self, now_us: int) -> tuple[bytes, ...]:
        """Lines came without their checksum: the command for them again, and the memory for what was refused."""
        if self._parser.refused == 0 or self._dump is not None:
            return ()
        self._parser.refused = self._tries = 0
        return (encode_text(CHECKSUMS), self._ask_for_memory(now_us))

    def disconnected(self, now_us: int) -> Sequence[Record]:
        """Report an unfinished line and an unfinished memory; the next connection asks for it again."""
        records, self._ended = [*self._parser.close(now_us), *self._ended], []
        if self._dump is not None:
            self._dump.held.clear()
            records += self._end(now_us, complete=False)
        return records

    def tick(self, now_us: int) -> Sequence[bytes]:
        """Notice the pause that ends the memory; ask again for one that never began. Its clock cannot be asked."""
        never_began = self._dump is not None and self._dump.counts["lines"] == 0
        self._end_if_quiet(now_us)
        if never_began and self._dump is None and self._tries < DUMP_TRIES:
            return (self._ask_for_memory(now_us),)
        return ()

    def _ask_for_memory(self, now_us: int) -> bytes:
        self._tries += 1
        self._dump = _Dump(now_us, self._box_us(now_us))
        return encode_text(MEMORY_DUMP)

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        """The box waits for no acknowledgement."""
        return ()

    def _take(self, impulse: Impulse, now_us: int) -> list[Record]:
        dump = self._dump
        if dump is not None:
            dump.quiet_since_us = now_us
            dump.count("lines")
        if self._memory.knows(impulse):
            if dump is None:
                return [repeated(impulse)]
            dump.count("known")
            dump.anchor()
            return []
        if dump is None:
            self._memory.add(impulse)
            if not impulse.backlog:
                self._clock_pair = (impulse.device_us, now_us)
            return [impulse]
        if self._memory.knows_edge(impulse):
            dump.count("known")
            dump.anchor()
            self._memory.add(impulse)
            return [repeated(impulse, "renumbered")]
        if dump.is_anchored or dump.is_of_this_connection(impulse, now_us):
            return [self._new(impulse, dump)]
        dump.held.append(impulse)
        return []

    def _new(self, impulse: Impulse, dump: _Dump) -> Impulse:
        dump.count("new")
        self._memory.add(impulse)
        return msgspec.structs.replace(impulse, backlog=True)

    def _box_us(self, now_us: int) -> int | None:
        if self._clock_pair is None:
            return None
        device_us, received_us = self._clock_pair
        return (device_us + now_us - received_us) % DAY_US

    def _end_if_quiet(self, now_us: int) -> None:
        """A tick cannot report: what it ends is told with the next bytes."""
        if self._dump is not None and self._dump.is_over(now_us):
            self._ended += self._end(now_us, complete=False)

    def _end(self, now_us: int, *, complete: bool) -> list[Record]:
        dump, self._dump = self._dump, None
        if dump is None:
            return []
        records: list[Record] = []
        for impulse in dump.held:
            if not self._memory.knows(impulse):
                records.append(self._new(impulse, dump))
        detail = {**dump.counts, "complete": int(complete)}
        records.append(Unhandled(device=self._device, received_us=now_us, name="memory_dump", detail=detail))
        return records
