"""Passing numbers of one P3 decoder: what is missing, what was re-sent, when the numbering began again.

A decoder numbers its passings and sends each number of its memory again when it is asked with a RESEND.
Nothing in an answer says that it is one, so the number itself has to tell (hardware-protocols §1).
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

ASK_AGAIN_AFTER_US: Final = 3_000_000
"""A gap without a re-sent passing for this long was not answered."""
MOST_REPEATS: Final = 3
LOOK_BACK: Final = 200
"""What a loop reads in a short outage. A decoder's memory may be that of a whole season."""
_REMEMBERED_PASSINGS: Final = 4_096
_REMEMBERED_GAPS: Final = 256


class Arrival(Enum):
    """How a passing's number stands to the numbers before it."""

    FIRST = auto()
    """The first of this decoder."""
    NEXT = auto()
    """One more than the newest."""
    AHEAD = auto()
    """Above the next number: those between are missing."""
    FILLS_GAP = auto()
    """It was missing."""
    REPEATED = auto()
    """It was received before."""
    RESTARTED = auto()
    """Below the newest, neither missing nor received: the decoder was reset or cleared."""


@dataclass
class Gap:
    """Numbers `first` to `last` (inclusive) are missing; `quiet_since_us` is the last ask or answer."""

    first: int
    last: int
    quiet_since_us: int
    asks: int = 1
    given_up: bool = False


class PassingNumbers:
    """The numbers of one decoder in order of arrival: the newest, the gaps, and what came lately.

    What came lately (number, transponder, time) tells a passing sent twice from one of a new numbering.
    """

    def __init__(self, newest: int | None = None) -> None:
        self.newest = newest
        self.gaps: list[Gap] = []
        self._abandoned: list[Gap] = []
        self._received: dict[int, tuple[str, int]] = {}

    def take(self, number: int, transponder: str, device_us: int, now_us: int) -> Arrival:
        """A passing arrived: keep it, and say how its number stands to the others."""
        arrival = self._classify(number, (transponder, device_us))
        if arrival is Arrival.FILLS_GAP:
            self._fill(number, now_us)
        elif arrival is Arrival.AHEAD and self.newest is not None:
            self._keep([*self.gaps, Gap(self.newest + 1, number - 1, now_us)])
        elif arrival is Arrival.RESTARTED:
            self._abandoned += self.open_gaps()
            self.gaps = []
            self._received.clear()
        if arrival not in (Arrival.FILLS_GAP, Arrival.REPEATED):
            self.newest = number
        self._received[number] = (transponder, device_us)
        if len(self._received) > _REMEMBERED_PASSINGS:
            del self._received[next(iter(self._received))]
        return arrival

    def miss_before(self, number: int, now_us: int) -> Gap | None:
        """Count the numbers before the first one as missing, LOOK_BACK at most; None before number 1 there is none."""
        if number <= 1:
            return None
        gap = Gap(max(1, number - LOOK_BACK), number - 1, now_us)
        self._keep([gap, *self.gaps])
        return gap

    def open_gaps(self) -> list[Gap]:
        """Gaps that an answer is still expected for."""
        return [gap for gap in self.gaps if not gap.given_up]

    def pop_abandoned(self) -> list[Gap]:
        """Gaps given up since the last call: they stay open."""
        abandoned, self._abandoned = self._abandoned, []
        return abandoned

    def gaps_to_ask_again(self, now_us: int) -> list[Gap]:
        """Gaps that were not answered, counted as asked now; one asked too often is given up instead."""
        asked = []
        for gap in self.open_gaps():
            if now_us - gap.quiet_since_us < ASK_AGAIN_AFTER_US:
                continue
            if gap.asks > MOST_REPEATS:
                gap.given_up = True
                self._abandoned.append(gap)
                continue
            gap.asks += 1
            gap.quiet_since_us = now_us
            asked.append(gap)
        return asked

    def _classify(self, number: int, content: tuple[str, int]) -> Arrival:
        if self.newest is None:
            return Arrival.FIRST
        if number > self.newest:
            return Arrival.NEXT if number == self.newest + 1 else Arrival.AHEAD
        if any(gap.first <= number <= gap.last for gap in self.gaps):
            return Arrival.FILLS_GAP
        known = self._received.get(number)
        if known == content or (known is None and number == self.newest):
            return Arrival.REPEATED
        return Arrival.RESTARTED

    def _fill(self, number: int, now_us: int) -> None:
        rest = []
        for gap in self.gaps:
            if not gap.first <= number <= gap.last:
                rest.append(gap)
                continue
            for first, last in ((gap.first, number - 1), (number + 1, gap.last)):
                if first <= last:
                    rest.append(Gap(first, last, now_us, gap.asks, gap.given_up))
        self._keep(rest)

    def _keep(self, gaps: list[Gap]) -> None:
        """Keep the newest gaps; older ones are given up, so that a wild decoder cannot fill the memory."""
        self.gaps = gaps[-_REMEMBERED_GAPS:]
        self._abandoned += [gap for gap in gaps[:-_REMEMBERED_GAPS] if not gap.given_up]
