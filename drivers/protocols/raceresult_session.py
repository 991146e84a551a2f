"""The conversation with one race result decoder: protocol, push, missing passings, clock. Sans-I/O.

On connect the protocol is negotiated (GETPROTOCOL, SETPROTOCOL), push is switched on and PASSINGS asks how
many passings the decoder's file has. What is not on disk of them is fetched, 32 at a time (`n:32`), each reply
ended by an empty line. Afterwards passings are pushed. A push may get lost in the decoder, so a jump in the
numbers is fetched at once, and after 1 s without a passing the next number is asked for (as metarace does).

Numbers count within one file of one decoder; a new file begins at 1 again (`numbering_restarted`).
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from config.models import Device
from drivers.protocols.base import Reaction, Resume
from drivers.protocols.p3_numbers import Arrival, Gap, PassingNumbers
from drivers.protocols.raceresult_lines import ClockQuestions, unhandled
from drivers.protocols.raceresult_records import RaceResultParser, encode_fetch, encode_line
from drivers.records import ClockReading, Impulse, Passing, Record, SequenceGap, Unhandled

TICK_US: Final = 250_000
FETCH_COUNT: Final = 32
SILENCE_US: Final = 1_000_000
REPLY_WITHIN_US: Final = 2_000_000
"""A fetch without its empty line for this long is given up; open gaps are asked for again."""
STATUS_EVERY_US: Final = 10_000_000
WANTED_PROTOCOL: Final = (2, 0)
LEAST_PROTOCOL: Final = (1, 6)
"""From 1.6 on a passing has 20 fields."""


class _Fetches:
    """Requests for passings: one at a time, as their replies carry nothing but the passings."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int]] = deque()
        self._running: tuple[int, int] | None = None
        self._heard_us = 0
        self.is_poll = False
        """Whether the running request only asks if there is something new."""

    def want(self, first: int, last: int) -> None:
        """Ask for these numbers, unless a request for the first of them is on its way."""
        asked = [*self._waiting, *([self._running] if self._running else [])]
        if not any(low <= first <= high for low, high in asked):
            self._waiting += [(low, min(low + FETCH_COUNT - 1, last)) for low in range(first, last + 1, FETCH_COUNT)]

    def heard(self, now_us: int) -> None:
        """A passing came: the reply is still running."""
        self._heard_us = now_us

    def ended(self) -> None:
        """The empty line came, or the decoder has nothing."""
        self._running = None
        self.is_poll = False

    def is_idle(self) -> bool:
        """Whether nothing is asked for and nothing waits."""
        return self._running is None and not self._waiting

    def next(self, now_us: int) -> list[bytes]:
        """The request to send now, if one waits and the one before was answered (or not, for 2 s)."""
        if self._running is not None and now_us - self._heard_us >= REPLY_WITHIN_US:
            self.ended()
        if self._running is not None or not self._waiting:
            return []
        self._running = self._waiting.popleft()
        self._heard_us = now_us
        return [encode_fetch(self._running[0], self._running[1] - self._running[0] + 1)]


class RaceResultSession:
    """The conversation with one decoder over its connections, as `drivers.protocols.base.Session`."""

    tick_us = TICK_US

    def __init__(self, device: Device, resume: Resume) -> None:
        self._device = device.id
        self._parser = RaceResultParser(device.id)
        self._decoder = resume.decoder
        self._numbers = PassingNumbers(resume.last_sequence)
        self._committed = resume.last_sequence
        self._restart()

    def _restart(self) -> None:
        self._parser = RaceResultParser(self._device)
        self._clock = ClockQuestions()
        self._fetches = _Fetches()
        self._is_connected = False
        self._is_counted = False
        self._greeted_us = self._asked_count_us = self._asked_status_us = self._passing_us = 0
        self._is_negotiated = False

    # -- base.Session ------------------------------------------------------------------------------------------

    def connected(self, now_us: int) -> Sequence[bytes]:
        """The host speaks first: ask which protocols the decoder speaks."""
        self._restart()
        self._is_connected = True
        self._greeted_us = self._passing_us = now_us
        return (encode_line("GETPROTOCOL"),)

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Bytes to records; replies lead to the next questions."""
        records: list[Record] = []
        send: list[bytes] = []
        for text, record in self._parser.feed_lines(data, now_us):
            if record is None:
                self._fetches.ended()
            elif isinstance(record, Passing | Impulse) and record.sequence is not None:
                records += self._take_passing(record, record.sequence, now_us)
            elif isinstance(record, ClockReading):
                records.append(msgspec.structs.replace(record, sent_us=self._clock.answered(now_us)))
            elif isinstance(record, Unhandled):
                records += self._take_reply(record, text, now_us, send)
            else:
                records.append(record)
        records += [self._gap(gap, now_us, asked=False) for gap in self._numbers.pop_abandoned()]
        return Reaction(tuple(records), (*send, *self._fetches.next(now_us)))

    def disconnected(self, now_us: int) -> Sequence[Record]:
        """The connection is gone: report an unfinished line; what was asked is forgotten, gaps are not."""
        left = self._parser.close(now_us)
        self._restart()
        return [*left, *(self._gap(gap, now_us, asked=False) for gap in self._numbers.pop_abandoned())]

    def tick(self, now_us: int) -> Sequence[bytes]:
        """Negotiation again if it was not answered; clock and status when due; gaps and news by silence."""
        if not self._is_connected:
            return ()
        if not self._is_negotiated:
            if now_us - self._greeted_us < REPLY_WITHIN_US:
                return ()
            self._greeted_us = now_us
            return (encode_line("GETPROTOCOL"),)
        send: list[bytes] = []
        if self._clock.is_due(now_us):
            self._clock.asked(now_us)
            send.append(encode_line("GETTIME"))
        if now_us - self._asked_status_us >= STATUS_EVERY_US:
            self._asked_status_us = now_us
            send.append(encode_line("GETSTATUS"))
        if not self._is_counted and now_us - self._asked_count_us >= REPLY_WITHIN_US:
            self._asked_count_us = now_us
            send.append(encode_line("PASSINGS"))
        if self._is_counted:
            for gap in self._numbers.gaps_to_ask_again(now_us):
                self._fetches.want(gap.first, gap.last)
            newest = self._numbers.newest
            if self._fetches.is_idle() and newest is not None and now_us - self._passing_us >= SILENCE_US:
                self._passing_us = now_us
                self._fetches.want(newest + 1, newest + FETCH_COUNT)
                self._fetches.is_poll = True
        return [*send, *self._fetches.next(now_us)]

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        """Passings are on disk: the next connection begins after the newest of them. No acknowledgement."""
        for record in records:
            if isinstance(record, Unhandled) and record.name == "numbering_restarted":
                self._committed = 0
            elif isinstance(record, Passing | Impulse) and record.sequence is not None:
                self._committed = max(self._committed or 0, record.sequence)
        return ()

    # -- replies -----------------------------------------------------------------------------------------------

    def _take_reply(self, reply: Unhandled, text: str, now_us: int, send: list[bytes]) -> list[Record]:
        if reply.name == "only":
            is_news = not self._fetches.is_poll
            self._fetches.ended()
            return [reply] if is_news else []
        if reply.name == "getprotocol":
            return [reply, *self._negotiate(reply, now_us, send)]
        if reply.name == "passings" and "count" in reply.detail:  # damage can lead it with #: then it has none
            return [reply, *self._take_count(int(reply.detail["count"]), reply.detail.get("file"), now_us)]
        if reply.name in ("startoperation", "clearfiles"):
            # A new file: its number comes with the count.
            self._is_counted = False
            self._asked_count_us = now_us
            send.append(encode_line("PASSINGS"))
        return [reply]

    def _negotiate(self, reply: Unhandled, now_us: int, send: list[bytes]) -> list[Record]:
        """GETPROTOCOL;current;lowest;highest. Choose 2.0, or the highest below it that has 20 fields."""
        versions = [_version(str(reply.detail.get(f"value_{index}", ""))) for index in (2, 3)]
        lowest, highest = versions
        if lowest is None or highest is None:
            return [unhandled(self._device, now_us, "protocol_unreadable", reply=str(dict(reply.detail)))]
        chosen = max(lowest, min(highest, WANTED_PROTOCOL))
        if chosen < LEAST_PROTOCOL:
            text = f"{highest[0]}.{highest[1]}"
            return [
                unhandled(
                    self._device,
                    now_us,
                    "protocol_too_old",
                    highest=text,
                    advice="update the decoder's firmware to 1.6",
                )
            ]
        self._is_negotiated = True
        self._asked_status_us = self._asked_count_us = now_us
        self._clock.asked(now_us)
        send += [
            encode_line("SETPROTOCOL", f"{chosen[0]}.{chosen[1]}"),
            encode_line("GETTIME"),
            encode_line("SETPUSHPREWARNS", 0),
            encode_line("SETPUSHPASSINGS", 1, 0),
            encode_line("GETSTATUS"),
            encode_line("PASSINGS"),
        ]
        return []

    def _take_count(self, count: int, file: int | str | None, now_us: int) -> list[Record]:
        """PASSINGS;count[;file]: fetch what is not on disk; notice a file that is not the one on disk."""
        first_count = not self._is_counted
        self._is_counted = True
        known = self._numbers.newest
        if known is None:
            self._numbers = PassingNumbers(count)
            # Whatever comes after it is wanted, also over a loss of the line.
            self._committed = count
            self._remember_file(file)
            return []
        records: list[Record] = []
        if self._is_other_file(file) or count < known:
            records = self._restart_numbers(None, count, now_us)
            self._remember_file(file)
        if first_count:
            # Nothing on disk: what the file held before we came is not asked for.
            begin = 0 if records else known if self._committed is None else min(self._committed, known)
            for gap in self._numbers.open_gaps():
                gap.quiet_since_us = now_us
                if gap.first <= begin:
                    self._fetches.want(gap.first, gap.last)
            if begin < count:
                self._fetches.want(begin + 1, count)
        return records

    def _is_other_file(self, file: int | str | None) -> bool:
        known = (self._decoder or "").rpartition("/")[2]
        return file is not None and bool(known) and known != str(file)

    def _remember_file(self, file: int | str | None) -> None:
        if file is not None:
            self._decoder = f"{(self._decoder or '').rpartition('/')[0]}/{file}"

    def _restart_numbers(self, decoder: str | None, number: int, now_us: int) -> list[Record]:
        newest = self._numbers.newest or 0
        abandoned = self._numbers.open_gaps()
        self._numbers = PassingNumbers(0)
        self._fetches = _Fetches()
        detail: dict[str, int | str] = {"newest": newest, "number": number}
        if decoder is not None:
            detail["decoder"] = decoder
        gone = [self._gap(gap, now_us, asked=False) for gap in abandoned]
        return [*gone, unhandled(self._device, now_us, "numbering_restarted", **detail)]

    # -- passings ----------------------------------------------------------------------------------------------

    def _take_passing(self, passing: Passing | Impulse, number: int, now_us: int) -> list[Record]:
        """Pass on what is new; a passing that came before says nothing again. Fetch what is missing."""
        records: list[Record] = []
        self._passing_us = now_us
        self._fetches.heard(now_us)
        if isinstance(passing, Passing) and passing.decoder is not None:
            if self._is_other_file(passing.decoder.rpartition("/")[2]):
                records += self._restart_numbers(passing.decoder, number, now_us)
            self._decoder = passing.decoder
        code = passing.transponder if isinstance(passing, Passing) else ""
        newest = self._numbers.newest
        arrival = self._numbers.take(number, code, passing.device_us, now_us)
        if arrival is Arrival.REPEATED:
            return records
        if arrival is Arrival.RESTARTED:
            detail = {"newest": newest or 0, "number": number}
            records += [self._gap(gap, now_us, asked=False) for gap in self._numbers.pop_abandoned()]
            records.append(unhandled(self._device, now_us, "numbering_restarted", **detail))
        if arrival is Arrival.AHEAD:
            gap = self._numbers.gaps[-1]
            records.append(self._gap(gap, now_us, asked=True))
            self._fetches.want(gap.first, gap.last)
        if arrival is Arrival.FILLS_GAP:
            passing = msgspec.structs.replace(passing, backlog=True)
        return [*records, passing]

    def _gap(self, gap: Gap, now_us: int, *, asked: bool) -> SequenceGap:
        return SequenceGap(device=self._device, received_us=now_us, first=gap.first, last=gap.last, asked=asked)


def _version(text: str) -> tuple[int, int] | None:
    major, dot, minor = text.partition(".")
    if not (major.isascii() and major.isdecimal() and len(major) <= 3):
        return None
    if dot and not (minor.isascii() and minor.isdecimal() and len(minor) <= 3):
        return None
    return int(major), int(minor or 0)
