"""The conversation with one race result USB timing box: one command at a time, passings by polling. Sans-I/O.

After opening, 3 s pass (the maker asks for it); then ASCII, INFOGET;01, EPOCHREFGET, TIMESTAMPGET and, if
nothing is on disk, PASSINGINFOGET. From then on PASSINGGET;next every 200 ms, TIMESTAMPGET as clock question,
INFOGET for temperature, supply and loop. The box answers one command before it reads another, so every
command waits for the empty line of the one before, or 3 s.

A reply counts only when it is whole: ids are implied by the order of its lines, so with one line missing the
others would get wrong numbers. A damaged reply is fetched again, three times; then its passings are handed on
without numbers and its ids are reported as a gap.

The reference second (EPOCHREFSET with a pulse on DTR) is read and never set: the clock questions tie the box's
ticks to host time whatever the reference is. See docs/raceresult-usb.md.
"""

import re
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from config.models import Device
from drivers.protocols.base import Reaction, Resume
from drivers.protocols.raceresult_lines import ClockQuestions, unhandled
from drivers.protocols.raceresult_usb_records import (
    ID_MISMATCH,
    NO_ERROR,
    Ended,
    RaceResultUsbParser,
    encode_command,
    encode_id,
)
from drivers.records import ClockReading, DeviceStatus, Impulse, Passing, Record, SequenceGap, Unhandled

TICK_US: Final = 50_000
AFTER_OPEN_US: Final = 3_000_000
REPLY_WITHIN_US: Final = 3_000_000
POLL_EVERY_US: Final = 200_000
HEALTH_EVERY_US: Final = 30_000_000
HEALTH: Final = ("09", "0a", "0b")
SET_UP: Final = (("ASCII",), ("INFOGET", "01"), ("EPOCHREFGET",), ("TIMESTAMPGET",))
MOST_TRIES: Final = 3
_HEX = re.compile(r"[0-9a-fA-F]{1,8}")
DTR_ADVICE: Final = "DTR is on, which resets this box: take dtr=on out of its address"


class RaceResultUsbSession:
    """The conversation with one box over its connections, as `drivers.protocols.base.Session`."""

    tick_us = TICK_US

    def __init__(self, device: Device, resume: Resume) -> None:
        self._device = device.id
        self._warn_of_dtr = device.address.startswith("serial:") and "dtr=on" in device.address
        self._box = resume.decoder
        self._next: int | None = resume.last_sequence
        """Id of the next passing: the number of those before it, as ids count from 0. None: not known yet."""
        self._committed: int | None = resume.last_sequence
        self._restart()

    def _restart(self) -> None:
        self._parser = RaceResultUsbParser(self._device)
        self._waiting: deque[tuple[str, ...]] = deque()
        self._running: tuple[str, ...] | None = None
        self._asked_us = 0
        self._begin_us: int | None = None
        self._is_set_up = False
        self._held: list[Passing | Impulse] = []
        self._tries = 0
        self._clock = ClockQuestions()
        self._connected_device_us: int | None = None
        self._polled_us = self._health_us = 0

    # -- base.Session ------------------------------------------------------------------------------------------

    def connected(self, now_us: int) -> Sequence[bytes]:
        """Say nothing for 3 s: the first questions leave from `tick`."""
        self._restart()
        self._next = self._committed
        self._begin_us = now_us + AFTER_OPEN_US
        return ()

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Bytes to records; a reply that ended leads to the next command."""
        records: list[Record] = []
        if self._warn_of_dtr:
            self._warn_of_dtr = False
            records.append(DeviceStatus(device=self._device, received_us=now_us, text=DTR_ADVICE))
        for record in self._parser.feed(data, now_us):
            if isinstance(record, Passing | Impulse) and record.sequence is not None:
                self._held.append(record)
            elif isinstance(record, ClockReading):
                sent_us = self._clock.answered(now_us)
                if self._connected_device_us is None:
                    self._connected_device_us = record.device_us
                records.append(msgspec.structs.replace(record, sent_us=sent_us))
            elif not (isinstance(record, Unhandled) and self._is_routine(record)):
                records.append(record)
        for ended in self._parser.take_ended():
            records += self._take_end(ended, now_us)
        return Reaction(tuple(records), tuple(self._send_next(now_us)))

    def disconnected(self, now_us: int) -> Sequence[Record]:
        """The connection is gone: report an unfinished line; passings of an unfinished reply come again."""
        left = self._parser.close(now_us)
        self._restart()
        return left

    def tick(self, now_us: int) -> Sequence[bytes]:
        """The first questions 3 s after opening; then polls, clock and health when due."""
        if self._begin_us is None or now_us < self._begin_us:
            return ()
        if not self._is_set_up:
            self._is_set_up = True
            self._polled_us = self._health_us = now_us
            self._waiting += SET_UP
        if self._running is not None and now_us - self._asked_us >= REPLY_WITHIN_US:
            self._running = None
            self._held.clear()
        if self._running is None and not self._waiting:
            self._want_what_is_due(now_us)
        return tuple(self._send_next(now_us))

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        """Passings are on disk: the next connection begins after the newest of them. No acknowledgement."""
        for record in records:
            if isinstance(record, Unhandled) and record.name == "numbering_restarted":
                self._committed = 0
            elif isinstance(record, Passing | Impulse) and record.sequence is not None:
                self._committed = max(self._committed or 0, record.sequence)
        return ()

    # -- commands ----------------------------------------------------------------------------------------------

    def _want_what_is_due(self, now_us: int) -> None:
        if self._next is None:
            self._waiting.append(("PASSINGINFOGET",))
        elif now_us - self._polled_us >= POLL_EVERY_US:
            self._polled_us = now_us
            self._waiting.append(("PASSINGGET", encode_id(self._next)))
        if self._clock.is_due(now_us):
            self._waiting.append(("TIMESTAMPGET",))
        if now_us - self._health_us >= HEALTH_EVERY_US:
            self._health_us = now_us
            self._waiting += [("INFOGET", number) for number in HEALTH]

    def _send_next(self, now_us: int) -> list[bytes]:
        if self._running is not None or not self._waiting:
            return []
        self._running = self._waiting.popleft()
        self._asked_us = now_us
        if self._running[0] == "TIMESTAMPGET":
            self._clock.asked(now_us)
        return [encode_command(*self._running)]

    # -- replies -----------------------------------------------------------------------------------------------

    def _is_routine(self, record: Unhandled) -> bool:
        """An id mismatch is told by `_ids_missing` in words."""
        return record.name == "passingget"

    def _take_end(self, ended: Ended, now_us: int) -> list[Record]:
        asked, self._running = self._running, None
        held, self._held = self._held, []
        if ended.command == "AUTOBOOT":
            self._waiting.clear()
            self._next, self._begin_us, self._is_set_up = 0, now_us + AFTER_OPEN_US, False
            self._connected_device_us = None
            return []
        if asked is None or asked[0] != ended.command:
            return []
        if ended.command == "INFOGET" and asked[1] == "01":
            return self._take_box(now_us)
        if ended.command == "PASSINGINFOGET" and self._next is None:
            # Whatever comes after it is wanted, also over a loss of the line.
            self._next = self._committed = _first_wanted(ended)
        if ended.command == "PASSINGGET":
            return self._take_passings(asked[1], ended, held, now_us)
        return []

    def _take_box(self, now_us: int) -> list[Record]:
        """Another box under the same name has numbers of its own."""
        known, self._box = self._box, self._parser.box or self._box
        if known is None or known == self._box or self._next is None:
            return []
        self._next = 0
        return [unhandled(self._device, now_us, "numbering_restarted", reason=f"box {self._box} instead of {known}")]

    def _take_passings(self, asked: str, ended: Ended, held: list[Passing | Impulse], now_us: int) -> list[Record]:
        first = int(asked, 16)
        if ended.error == ID_MISMATCH and len(ended.values) == 2 and ended.values[0].lower() == asked:
            return self._ids_missing(first, int(ended.values[1], 16), now_us)
        if ended.error != NO_ERROR or len(ended.values) != 2:
            return []
        count = int(ended.values[1], 16)
        if ended.values[0].lower() == asked and ended.passings == count:
            self._tries = 0
            self._next = first + count
            if count:
                self._polled_us -= POLL_EVERY_US
            return [self._dated(passing) for passing in held]
        self._tries += 1
        if self._tries < MOST_TRIES:
            return []
        self._tries = 0
        self._next = first + max(count, 1)
        gap = SequenceGap(device=self._device, received_us=now_us, first=first + 1, last=self._next)
        return [gap, *(msgspec.structs.replace(passing, sequence=None, backlog=True) for passing in held)]

    def _dated(self, passing: Passing | Impulse) -> Passing | Impulse:
        """Memory or live: what is older than this connection, on the box's own clock, is memory."""
        begun = self._connected_device_us
        if begun is not None and passing.device_us >= begun:
            return passing
        return msgspec.structs.replace(passing, backlog=True)

    def _ids_missing(self, asked: int, lowest: int, now_us: int) -> list[Record]:
        """The id is not in the memory. A higher lowest id: overwritten or erased. A lower one: began again."""
        self._next = lowest
        if lowest > asked:
            return [SequenceGap(device=self._device, received_us=now_us, first=asked + 1, last=lowest)]
        detail = {"newest": asked, "number": lowest + 1}
        return [unhandled(self._device, now_us, "numbering_restarted", **detail)]


def _first_wanted(ended: Ended) -> int:
    """Nothing is on disk: begin after what the box holds already (count;first;tick;last;tick)."""
    if len(ended.values) != 5 or any(_HEX.fullmatch(ended.values[index]) is None for index in (0, 3)):
        return 0
    return int(ended.values[3], 16) + 1 if int(ended.values[0], 16) else 0
