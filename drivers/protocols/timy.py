"""ALGE Timy, TdC 8000/8001 and PC-Timer impulse boxes (hardware-protocols §3).

Lines, parser and encoders are in `timy_lines`, the conversation in `timy_session`. What a venue needs to know
stands in `docs/timy.md`.
"""

from typing import Final

from config.models import Device
from drivers.protocols.base import ProtocolEntry, Resume
from drivers.protocols.timy_lines import (
    TimyLine,
    TimyParser,
    checksum,
    encode_line,
    encode_number,
    encode_text,
    read_line,
)
from drivers.protocols.timy_session import DEAD_TIME_HUNDREDTHS, TimySession, programming


def _session(device: Device, resume: Resume) -> TimySession:
    """With the dead times and the checksum of the meet file. Raises ValueError for one that is none."""
    checksum_wanted = device.options.get("checksum", "auto")
    if checksum_wanted not in ("auto", "always"):
        raise ValueError(f"device {device.id}: option checksum is {checksum_wanted!r}; give 'auto' or 'always'")
    start, finish = (
        int(device.options.get(name, DEAD_TIME_HUNDREDTHS))
        for name in ("start_dead_hundredths", "finish_dead_hundredths")
    )
    return TimySession(
        device,
        resume,
        start_dead_hundredths=start,
        finish_dead_hundredths=finish,
        insists_on_checksum=checksum_wanted == "always",
    )


PROTOCOL: Final = ProtocolEntry(
    name="timy",
    summary="ALGE Timy, TdC 8000/8001, PC-Timer: photocells, tapes, gates and keys, 1/10000 s, serial line",
    parser=TimyParser,
    session=_session,
)

__all__ = [
    "PROTOCOL",
    "TimyLine",
    "TimyParser",
    "TimySession",
    "checksum",
    "encode_line",
    "encode_number",
    "encode_text",
    "programming",
    "read_line",
]
