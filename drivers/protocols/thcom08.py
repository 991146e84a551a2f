"""TAG Heuer CP 540, CP 545 and HL units, protocol THCOM08 (hardware-protocols §7).

Frames, parser and encoders are in `thcom08_frames`, the conversation in `thcom08_session`. What a venue needs to
know stands in `docs/thcom08.md`.
"""

from typing import Final

from drivers.protocols.base import ProtocolEntry
from drivers.protocols.thcom08_frames import (
    Thcom08Parser,
    TimeFrame,
    checksum,
    encode_frame,
    encode_recall,
    encode_time,
    read_frame,
    read_time,
)
from drivers.protocols.thcom08_session import Thcom08Session

PROTOCOL: Final = ProtocolEntry(
    name="thcom08",
    summary="TAG Heuer CP 540, CP 545 and HL units: impulses with numbers and recall, serial line or TCP",
    parser=Thcom08Parser,
    session=Thcom08Session,
)

__all__ = [
    "PROTOCOL",
    "Thcom08Parser",
    "Thcom08Session",
    "TimeFrame",
    "checksum",
    "encode_frame",
    "encode_recall",
    "encode_time",
    "read_frame",
    "read_time",
]
