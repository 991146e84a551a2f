"""race result decoder over TCP 3601 (hardware-protocols §5.1).

The lines are in `raceresult_records`, the conversation in `raceresult_session`. What a venue needs to know
stands in `docs/raceresult.md`. The USB timing box is another protocol: `raceresult_usb`.
"""

from typing import Final

from drivers.protocols.base import ProtocolEntry
from drivers.protocols.raceresult_records import (
    ActiveData,
    ErrorFlags,
    PassingLine,
    RaceResultParser,
    encode_fetch,
    encode_line,
    encode_passing,
    format_stamp,
    read_passing,
)
from drivers.protocols.raceresult_session import RaceResultSession

PROTOCOL: Final = ProtocolEntry(
    name="raceresult",
    summary="race result decoders (4000/5000 series), text lines over TCP port 3601",
    parser=RaceResultParser,
    session=RaceResultSession,
)

__all__ = [
    "PROTOCOL",
    "ActiveData",
    "ErrorFlags",
    "PassingLine",
    "RaceResultParser",
    "RaceResultSession",
    "encode_fetch",
    "encode_line",
    "encode_passing",
    "format_stamp",
    "read_passing",
]
