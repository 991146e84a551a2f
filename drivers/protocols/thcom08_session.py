"""The conversation with a CP 540/545 or HL unit: missing numbers of each channel are recalled. Sans-I/O.

- A number that is skipped is a SequenceGap and is recalled at once, three times 3 s apart; then a SequenceGap
  with `asked` false comes with the box's next bytes.
- After a reconnection each known channel is asked for the number after its newest; every answer asks for the
  next one, until the box has none. So the loss is closed without waiting for the next edge.
- After a restart of the program the newest numbers are those on disk. A channel of the meet file of which nothing is
  on disk, with a heat on the track, is recalled from number 1 on.
- A recalled time is an Impulse with `backlog`. A number that was received is Unhandled `repeated`.
- A live time with a number that was received, or one far ahead: the run was opened anew. Unhandled
  `numbering_restarted`, and counting goes on from there.
"""

from collections.abc import Sequence
from typing import Final

from config.models import Device
from drivers.protocols.base import Reaction, Resume
from drivers.protocols.impulse_memory import ImpulseMemory, repeated
from drivers.protocols.thcom08_frames import Thcom08Parser, encode_recall
from drivers.records import Impulse, Record, SequenceGap, Unhandled

TICK_US: Final = 1_000_000
ASK_AGAIN_AFTER_US: Final = 3_000_000
QUESTIONS: Final = 3
LARGEST_GAP: Final = 100
"""More than the edges of a minute: a larger step is another run and not a loss."""


class _Numbers:
    """The numbers of one channel: the newest, and which below it are missing (with question time and count)."""

    def __init__(self, newest: int) -> None:
        self.newest = newest
        self.missing: dict[int, tuple[int, int]] = {}

    def lost(self, number: int, now_us: int) -> range:
        """Take the newest number; return those between it and the one before, now missing."""
        gap = range(self.newest + 1, number)
        self.missing.update((one, (now_us, 1)) for one in gap)
        self.newest = number
        return gap


class Thcom08Session:
    """The conversation with one box over its connections, as `drivers.protocols.base.Session`."""

    tick_us = TICK_US

    def __init__(self, device: Device, resume: Resume) -> None:
        self._device = device.id
        self._parser = Thcom08Parser(device.id)
        self._memory = ImpulseMemory(resume.impulses)
        self._channels: dict[str, _Numbers] = {}
        if resume.in_heat:
            self._channels = {wired.channel: _Numbers(0) for wired in device.channels if wired.channel.isdecimal()}
        for impulse in resume.impulses:
            if impulse.sequence is not None:
                self._resume(impulse.channel, impulse.sequence)
        self._given_up: list[Record] = []

    def _resume(self, channel: str, number: int) -> None:
        numbers = self._channels.setdefault(channel, _Numbers(number))
        if number in numbers.missing:
            del numbers.missing[number]
        elif numbers.newest and 0 < number - numbers.newest <= LARGEST_GAP + 1:
            numbers.lost(number, 0)
        else:
            self._channels[channel] = _Numbers(number)

    def connected(self, now_us: int) -> Sequence[bytes]:
        """Recall what is missing and what came after the newest number of each known channel."""
        self._parser = Thcom08Parser(self._device)
        questions: list[bytes] = []
        for channel, numbers in self._channels.items():
            numbers.missing = dict.fromkeys(numbers.missing, (now_us, 1))
            wanted = [*numbers.missing, numbers.newest + 1]
            questions += [encode_recall(number, int(channel)) for number in wanted]
        return questions

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Frames to records; skipped numbers are recalled at once."""
        records, self._given_up = self._given_up, []
        send: list[bytes] = []
        for record in self._parser.feed(data, now_us):
            if isinstance(record, Impulse) and record.sequence is not None:
                self._take(record, record.sequence, now_us, records, send)
            else:
                records.append(record)
        return Reaction(tuple(records), tuple(send))

    def disconnected(self, now_us: int) -> Sequence[Record]:
        """Report an unfinished frame."""
        records, self._given_up = [*self._parser.close(now_us), *self._given_up], []
        return records

    def tick(self, now_us: int) -> Sequence[bytes]:
        """Recall again what was not answered; after three questions it is given up."""
        questions: list[bytes] = []
        for channel, numbers in self._channels.items():
            for number, (asked_us, count) in tuple(numbers.missing.items()):
                if now_us - asked_us < ASK_AGAIN_AFTER_US:
                    continue
                if count < QUESTIONS:
                    numbers.missing[number] = (now_us, count + 1)
                    questions.append(encode_recall(number, int(channel)))
                else:
                    del numbers.missing[number]
                    self._given_up.append(self._gap(number, number, now_us, asked=False))
        return questions

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        """The box waits for no acknowledgement."""
        return ()

    def _take(self, impulse: Impulse, number: int, now_us: int, records: list[Record], send: list[bytes]) -> None:
        channel = int(impulse.channel)
        numbers = self._channels.get(impulse.channel)
        step = 1 if numbers is None else number - numbers.newest
        if numbers is None:
            numbers = self._channels[impulse.channel] = _Numbers(number)
        elif number in numbers.missing:
            del numbers.missing[number]
        elif 1 <= step <= LARGEST_GAP + 1:
            gap = numbers.lost(number, now_us)
            if gap:
                records.append(self._gap(gap[0], gap[-1], now_us, asked=True))
                send += [encode_recall(one, channel) for one in gap]
            if impulse.backlog:
                # It answers the question of `connected`: there may be more after it.
                send.append(encode_recall(number + 1, channel))
        elif impulse.backlog or self._memory.knows_edge(impulse):
            records.append(repeated(impulse))
            return
        else:
            records.append(self._restarted(impulse, numbers.newest, number))
            self._channels[impulse.channel] = _Numbers(number)
        self._memory.add(impulse)
        records.append(impulse)

    def _gap(self, first: int, last: int, now_us: int, *, asked: bool) -> SequenceGap:
        return SequenceGap(device=self._device, received_us=now_us, first=first, last=last, asked=asked)

    def _restarted(self, impulse: Impulse, newest: int, number: int) -> Unhandled:
        detail: dict[str, int | str] = {"channel": impulse.channel, "newest": newest, "number": number}
        return Unhandled(
            device=self._device, received_us=impulse.received_us, name="numbering_restarted", detail=detail
        )
