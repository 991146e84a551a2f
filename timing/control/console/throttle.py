"""Wrong passwords cost time: each further one from an address, or for a name, has to wait longer."""

from collections.abc import Callable
from typing import Final, NamedTuple

FREE_TRIES: Final = 4
"""A person may mistype so often before having to wait."""
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
"""For an address. It ends: an official who was hammered by somebody else gets in on race day."""
LONGEST_NAME_WAIT_S: Final = 10.0
"""For a name, which a stranger can hammer from anywhere: short, and still 10,000 guesses a day at most."""
FORGOTTEN_AFTER_S: Final = 900.0
MOST_KEPT: Final = 10_000


class _Tries(NamedTuple):
    failures: int
    at_s: float
    wait_s: float


class LoginThrottle:
    """Counts tries that were not right, by address and by name. A try counts as wrong until it proves right."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._tries: dict[tuple[str, str], _Tries] = {}

    def begin(self, address: str, name: str) -> int:
        """Begin a try: 0, or the whole seconds that have to pass before the next is looked at at all."""
        now_s = self._now_s()
        keys = {("address", address): LONGEST_WAIT_S, ("name", name): LONGEST_NAME_WAIT_S}
        waits = [self._wait_s(key, now_s) for key in keys]
        if max(waits) > 0:
            return int(max(waits)) + 1
        for key, longest_s in keys.items():
            self._count(key, now_s, longest_s)
        return 0

    def succeed(self, address: str, name: str) -> None:
        """The try was right: what was counted for both is forgotten."""
        self._tries.pop(("address", address), None)
        self._tries.pop(("name", name), None)

    def _wait_s(self, key: tuple[str, str], now_s: float) -> float:
        tries = self._tries.get(key)
        return 0.0 if tries is None else max(0.0, tries.at_s + tries.wait_s - now_s)

    def _count(self, key: tuple[str, str], now_s: float, longest_s: float) -> None:
        before = self._tries.pop(key, None)
        if before is None or now_s - before.at_s > FORGOTTEN_AFTER_S:
            before = _Tries(0, now_s, 0.0)
        failures = before.failures + 1
        over = failures - FREE_TRIES
        wait_s = 0.0 if over < 0 else min(longest_s, FIRST_WAIT_S * 2.0 ** min(over, 30))
        if len(self._tries) >= MOST_KEPT:
            # Dictionaries keep the order of insertion: the first is the one that was counted longest ago.
            del self._tries[next(iter(self._tries))]
        self._tries[key] = _Tries(failures, now_s, wait_s)


class Bucket:
    """At most `rate_per_s` orders in the long run and `burst` at once: a stuck key is not a flood for the core."""

    def __init__(self, rate_per_s: float, burst: float, now_s: Callable[[], float]) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._now_s = now_s
        self._left = burst
        self._at_s = now_s()

    def take(self) -> bool:
        """Whether one more is allowed now."""
        now_s = self._now_s()
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._rate_per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
