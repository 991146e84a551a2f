"""The conversation with one P3 decoder: its clock, missing passings and the backlog. Sans-I/O.

How a passing is told to come from the decoder's memory (`backlog`), as nothing in it says so:

- its number was missing (it fills a gap that was asked for) or was received before; or
- it answers the backlog request that opened the connection: until the first live passing, a passing is
  backlog when its time lies before the connection began *on the decoder's own clock*, which the first
  answered GET_TIME tells. If the decoder does not answer GET_TIME, backlog ends with the first pause of
  2 s, because memory is sent without pauses. In doubt a passing counts as backlog: that only keeps it
  out of measurements of delay.

Decoders are told apart by DECODER_ID. A RESEND carries none, so the backlog request asks for the decoder
that spoke last; what others lack shows as a gap at their next passing.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from config.models import Device
from drivers.protocols.base import Reaction, Resume
from drivers.protocols.p3_messages import encode_get_time, encode_resend
from drivers.protocols.p3_numbers import ASK_AGAIN_AFTER_US, Arrival, Gap, PassingNumbers
from drivers.protocols.p3_records import RESEND_TO_NEWEST, P3Parser
from drivers.records import ClockReading, Passing, Record, SequenceGap, Unhandled

TICK_US: Final = 250_000
FAST_QUESTIONS: Final = 8
"""So many clock questions come quickly, so that the clock fit has something to hold on to soon."""
FAST_INTERVAL_US: Final = 1_000_000
INTERVAL_US: Final = 5_000_000
ANSWER_WITHIN_US: Final = 2_000_000
AFTER_SILENCE_US: Final = 5_000_000
"""After an unanswered question the next one waits this long: a late answer must not be taken for its own."""
BACKLOG_PAUSE_US: Final = 2_000_000


class _ClockQuestions:
    """Which GET_TIME waits for its answer. One at a time, so that an answer belongs to one question."""

    def __init__(self) -> None:
        self._asked_us: int | None = None
        self._answered = True
        self._count = 0

    def ask(self, now_us: int) -> bytes:
        self._asked_us = now_us
        self._answered = False
        self._count += 1
        return encode_get_time()

    def is_due(self, now_us: int) -> bool:
        if self._asked_us is None:
            return False
        interval = FAST_INTERVAL_US if self._count < FAST_QUESTIONS else INTERVAL_US
        return now_us - self._asked_us >= (interval if self._answered else AFTER_SILENCE_US)

    def answered(self, received_us: int) -> int | None:
        """When the question that this answer belongs to was asked; None for a late or unasked answer."""
        if self._answered or self._asked_us is None or received_us - self._asked_us > ANSWER_WITHIN_US:
            return None
        self._answered = True
        return self._asked_us


class _Backlog:
    """The backlog request that opened a connection, until the first live passing."""

    def __init__(self, now_us: int, *, asked: bool) -> None:
        self.running = asked
        self._quiet_since_us = now_us
        self._began_device_us: int | None = None

    def note_clock(self, device_us: int) -> None:
        """The decoder's clock now. The earliest counts: a clock set back must not hide live passings."""
        if self._began_device_us is None or device_us < self._began_device_us:
            self._began_device_us = device_us

    def covers(self, device_us: int, now_us: int) -> bool:
        """Whether a passing with a new number answers the request; the first that does not ends it."""
        if self._began_device_us is not None:
            self.running = self.running and device_us < self._began_device_us
        else:
            self.running = self.running and now_us - self._quiet_since_us < BACKLOG_PAUSE_US
        if self.running:
            self._quiet_since_us = now_us
        return self.running

    def is_answering(self, now_us: int) -> bool:
        """Whether numbers that are missing now may still be on their way."""
        return self.running and now_us - self._quiet_since_us < ASK_AGAIN_AFTER_US


class P3Session:
    """The conversation with one decoder over its connections, as `drivers.protocols.base.Session`."""

    tick_us = TICK_US

    def __init__(self, device: Device, resume: Resume) -> None:
        self._device = device.id
        self._parser = P3Parser(device.id)
        self._is_connected = False
        self._connections = 0
        self._clock = _ClockQuestions()
        self._backlog = _Backlog(0, asked=False)
        self._decoder = resume.decoder
        self._numbers: dict[str | None, PassingNumbers] = {}
        self._committed: dict[str | None, int] = {}
        if resume.last_sequence is not None:
            self._numbers[resume.decoder] = PassingNumbers(resume.last_sequence)
            self._committed[resume.decoder] = resume.last_sequence

    def connected(self, now_us: int) -> Sequence[bytes]:
        """Ask for the clock, for all passings after the last one on disk, and for open gaps below it."""
        self._parser = P3Parser(self._device)
        self._is_connected = True
        self._connections += 1
        self._clock = _ClockQuestions()
        questions = [self._clock.ask(now_us)]
        last = self._committed.get(self._decoder)
        self._backlog = _Backlog(now_us, asked=last is not None)
        if last is not None and last < RESEND_TO_NEWEST:
            questions.append(encode_resend(last + 1, RESEND_TO_NEWEST))
        for gap in self._numbers_of(self._decoder).open_gaps():
            gap.quiet_since_us = now_us
            if last is None or gap.first <= last:
                questions.append(encode_resend(gap.first, gap.last))
        return questions

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Bytes to records; a clock answer finds its question, missing numbers are asked for at once."""
        records: list[Record] = []
        send: list[bytes] = []
        for record in self._parser.feed(data, now_us):
            if isinstance(record, Passing) and record.sequence is not None:
                self._take_passing(record, record.sequence, now_us, records, send)
            elif isinstance(record, ClockReading):
                self._backlog.note_clock(record.device_us)
                sent_us = self._clock.answered(now_us)
                records.append(msgspec.structs.replace(record, sent_us=sent_us))
            else:
                records.append(record)
        records += self._abandoned_gaps(now_us)
        return Reaction(tuple(records), tuple(send))

    def disconnected(self, now_us: int) -> Sequence[Record]:
        """The connection is gone: report an unfinished frame; the waiting question is forgotten."""
        self._is_connected = False
        self._clock = _ClockQuestions()
        return [*self._parser.close(now_us), *self._abandoned_gaps(now_us)]

    def tick(self, now_us: int) -> Sequence[bytes]:
        """The clock question when it is due, and gaps without an answer; after three repeats: given up.

        A gap given up is reported (`SequenceGap(asked=False)`) with the next bytes from the decoder, which
        sends a STATUS every 4 to 5 s.
        """
        if not self._is_connected:
            return ()
        questions = [self._clock.ask(now_us)] if self._clock.is_due(now_us) else []
        for numbers in self._numbers.values():
            questions += [encode_resend(gap.first, gap.last) for gap in numbers.gaps_to_ask_again(now_us)]
        return questions

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        """Passings are on disk: the next connection's backlog request begins after the newest of them."""
        for record in records:
            if not isinstance(record, Passing) or record.sequence is None:
                continue
            mark = record.sequence
            # Only a live passing may lower the mark: then the numbering began again.
            if record.backlog:
                mark = max(mark, self._committed.get(record.decoder, mark))
            self._committed[record.decoder] = mark
        return ()

    def _take_passing(
        self, passing: Passing, number: int, now_us: int, records: list[Record], send: list[bytes]
    ) -> None:
        self._decoder = passing.decoder
        numbers = self._numbers_of(passing.decoder)
        newest = numbers.newest
        arrival = numbers.take(number, passing.transponder, passing.device_us, now_us)
        gap = None
        if arrival is Arrival.AHEAD:
            gap = numbers.gaps[-1]
        elif arrival is Arrival.FIRST and self._connections > 1:
            # The line was lost before anything was known: what was read meanwhile came before this one.
            gap = numbers.miss_before(number, now_us)
        if gap is not None:
            records.append(self._gap(gap, now_us, asked=True))
            if not self._backlog.is_answering(now_us):
                send.append(encode_resend(gap.first, gap.last))
        if arrival is Arrival.RESTARTED:
            records.append(self._restarted(passing, number, newest))
            self._backlog.running = False
        is_old = arrival in (Arrival.FILLS_GAP, Arrival.REPEATED)
        if is_old or self._backlog.covers(passing.device_us, now_us):
            passing = msgspec.structs.replace(passing, backlog=True)
        records.append(passing)

    def _numbers_of(self, decoder: str | None) -> PassingNumbers:
        """The numbers of a decoder. What was known without its id belongs to the first that gives one."""
        if decoder not in self._numbers:
            self._numbers[decoder] = self._numbers.pop(None, PassingNumbers())
            if None in self._committed:
                self._committed.setdefault(decoder, self._committed.pop(None))
        return self._numbers[decoder]

    def _restarted(self, passing: Passing, number: int, newest: int | None) -> Unhandled:
        detail: dict[str, int | str] = {"newest": newest or 0, "number": number}
        if passing.decoder is not None:
            detail["decoder"] = passing.decoder
        return Unhandled(
            device=self._device,
            received_us=passing.received_us,
            name="numbering_restarted",
            detail=detail,
        )

    def _abandoned_gaps(self, now_us: int) -> list[Record]:
        return [
            self._gap(gap, now_us, asked=False) for numbers in self._numbers.values() for gap in numbers.pop_abandoned()
        ]

    def _gap(self, gap: Gap, now_us: int, *, asked: bool) -> SequenceGap:
        return SequenceGap(device=self._device, received_us=now_us, first=gap.first, last=gap.last, asked=asked)
