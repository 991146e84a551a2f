"""MyLaps / AMB P3, the binary protocol of AMBrc, TranX and ProChip decoders (hardware-protocols §1).

The wire format is in `p3_frame`, the records and their fields in `p3_records`, the encoders for both sides
in `p3_messages`, the conversation in `p3_session`. What a venue needs to know stands in `docs/p3.md`.
"""

from typing import Final

from drivers.protocols.base import ProtocolEntry
from drivers.protocols.p3_frame import (
    Frame,
    FrameError,
    FrameReader,
    FramingError,
    ReceivedFrame,
    checksum,
    decode_frame,
    encode_frame,
)
from drivers.protocols.p3_messages import (
    GetTime,
    OtherRequest,
    Request,
    Resend,
    encode_error,
    encode_get_time,
    encode_passing,
    encode_resend,
    encode_status,
    encode_time_reply,
    encode_version,
    read_request,
)
from drivers.protocols.p3_records import RESEND_TO_NEWEST, P3Parser, TypeOfRecord
from drivers.protocols.p3_session import P3Session

PROTOCOL: Final = ProtocolEntry(
    name="p3",
    summary="MyLaps / AMB P3 transponder decoders (AMBrc, TranX, ProChip), binary over TCP port 5403",
    parser=P3Parser,
    session=P3Session,
)

__all__ = [
    "PROTOCOL",
    "RESEND_TO_NEWEST",
    "Frame",
    "FrameError",
    "FrameReader",
    "FramingError",
    "GetTime",
    "OtherRequest",
    "P3Parser",
    "P3Session",
    "ReceivedFrame",
    "Request",
    "Resend",
    "TypeOfRecord",
    "checksum",
    "decode_frame",
    "encode_error",
    "encode_frame",
    "encode_get_time",
    "encode_passing",
    "encode_resend",
    "encode_status",
    "encode_time_reply",
    "encode_version",
    "read_request",
]
