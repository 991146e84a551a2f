"""THbC, protocol Cv3 of TAG Heuer by Chronelec decoders (Protime, Elite), serial or UDP (hardware-protocols §2).

The lines are in `thbc_wire`, the commands in `thbc_commands`, lines to records in `thbc_parser`, the conversation in
`thbc_session`. What a venue needs to know stands in `docs/thbc.md`.
"""

from typing import Final

from drivers.protocols.base import ProtocolEntry
from drivers.protocols.thbc_parser import SYNC_CHANNEL, ThbcParser, sync_drift_us
from drivers.protocols.thbc_session import ThbcSession

PROTOCOL: Final = ProtocolEntry(
    name="thbc",
    summary="TAG Heuer / Chronelec Cv3 transponder decoders (Protime, Elite), serial 19200 or UDP port 2008",
    parser=ThbcParser,
    session=ThbcSession,
)

__all__ = ["PROTOCOL", "SYNC_CHANNEL", "ThbcParser", "ThbcSession", "sync_drift_us"]
