"""The host's clock: the one place where time enters the program.

A rig may run a meet faster than real time. Then this clock runs faster too, for the drivers as for the
simulated boxes, so that the clock fits see the true rates of the devices.
"""

import asyncio
import time

import msgspec


class ClockAnchor(msgspec.Struct, frozen=True):
    """Ties UTC to the machine's monotonic clock. Two processes with the same anchor agree to the µs."""

    monotonic_ns: int
    utc_us: int
    speed: float = 1.0


class HostClock:
    """UTC in µs, driven by the monotonic clock so that a step of the system's clock cannot move a race."""

    def __init__(self, anchor: ClockAnchor | None = None) -> None:
        self.anchor = anchor or ClockAnchor(time.monotonic_ns(), time.time_ns() // 1_000)
        if self.anchor.speed <= 0:
            raise ValueError(f"clock speed {self.anchor.speed} is not allowed: give a number above 0")

    def now_us(self) -> int:
        """UTC µs now on this (possibly sped-up) clock."""
        elapsed_ns = time.monotonic_ns() - self.anchor.monotonic_ns
        if self.anchor.speed == 1.0:
            return self.anchor.utc_us + elapsed_ns // 1_000
        return self.anchor.utc_us + int(elapsed_ns * self.anchor.speed) // 1_000

    async def sleep_us(self, duration_us: int) -> None:
        """Sleep for a duration of this clock; returns at once when it is not positive."""
        if duration_us > 0:
            await asyncio.sleep(duration_us / 1_000_000 / self.anchor.speed)

    async def sleep_until(self, instant_us: int) -> None:
        """Sleep until an instant of this clock; returns at once when it lies in the past."""
        await self.sleep_us(instant_us - self.now_us())
