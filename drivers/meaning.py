"""Does what a box sends mean anything? A wrong baud or protocol brings bytes, and no frame in them checks.

Counted over a connection, from the first byte after the last good record on; one good record clears it.
"""

from collections.abc import Sequence

from config.models import Device
from drivers.records import Malformed, Record

NONSENSE_AFTER_US = 5_000_000
"""Longer than the pause between two status frames of the boxes that send them unasked (P3: 4 to 5 s)."""

NONSENSE_BYTES = 200
"""Two long frames: a piece of one, cut by our connecting in the middle of it, is no reason to worry."""

NONSENSE_FRAMES = 5
"""Bad frames in a row; noise on the line damages one or two."""

UNFRAMED_BYTES = 2_000
"""So many bytes without a single frame, good or bad: a parser that still waits for its first one."""


class MeaningWatch:
    """Counts bytes and bad records since the last good one."""

    def __init__(self, device: Device) -> None:
        self._protocol = device.protocol
        self._is_serial = device.address.startswith("serial:")
        self.reset()

    def reset(self) -> None:
        """A new connection, or a good record: nothing speaks against the box."""
        self.since_us = 0
        """Host µs of the first byte that is counted."""
        self._bytes = 0
        self._bad = 0

    def heard(self, data: bytes, records: Sequence[Record], received_us: int) -> None:
        """Count what one read brought."""
        if any(not isinstance(record, Malformed) for record in records):
            self.reset()
            return
        if self._bytes == 0:
            self.since_us = received_us
        self._bytes += len(data)
        self._bad += len(records)

    @property
    def doubtful(self) -> bool:
        """Enough bytes without a good record; only the time has to show whether one comes after all."""
        if self._bad == 0:
            return self._bytes >= UNFRAMED_BYTES
        return self._bytes >= NONSENSE_BYTES and self._bad >= NONSENSE_FRAMES

    def is_nonsense(self, now_us: int) -> bool:
        """Whether the operator has to know."""
        return self.doubtful and now_us - self.since_us >= NONSENSE_AFTER_US

    @property
    def reason(self) -> str:
        """For the operator: what is wrong."""
        return f"bytes arrive but nothing in them is {self._protocol}"

    @property
    def advice(self) -> str:
        """For the operator: what to do."""
        if self._is_serial:
            return (
                "compare baud, bits and parity of the address with the box's settings, then its protocol with the "
                "meet's, then the wiring (RX, TX, ground); `velodrome decode` shows what it sends"
            )
        return "compare the protocol and the address in the meet with the box; `velodrome decode` shows what it sends"
