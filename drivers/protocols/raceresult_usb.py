"""race result USB timing box, serial 19200 8N1 (hardware-protocols §5.2).

The lines are in `raceresult_usb_records`, the conversation in `raceresult_usb_session`. What a venue needs to
know stands in `docs/raceresult-usb.md`. The decoder with a network port is another protocol: `raceresult`.
"""

from typing import Final

from drivers.protocols.base import ProtocolEntry
from drivers.protocols.raceresult_usb_records import (
    RaceResultUsbParser,
    Reference,
    UsbPassing,
    encode_command,
    encode_id,
    encode_reply,
    format_passing,
    parse_tick,
    read_passing,
)
from drivers.protocols.raceresult_usb_session import RaceResultUsbSession

PROTOCOL: Final = ProtocolEntry(
    name="raceresult-usb",
    summary="race result USB timing box, text lines over serial 19200 8N1, DTR low",
    parser=RaceResultUsbParser,
    session=RaceResultUsbSession,
    serial_defaults={"baud": "19200", "dtr": "off"},
)

__all__ = [
    "PROTOCOL",
    "RaceResultUsbParser",
    "RaceResultUsbSession",
    "Reference",
    "UsbPassing",
    "encode_command",
    "encode_id",
    "encode_reply",
    "format_passing",
    "parse_tick",
    "read_passing",
]
