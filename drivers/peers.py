"""Several boxes on one line: how the bytes of each stay apart between a listening transport and its protocol.

    frame    DLE kind(1) peer(4 hex) length(4 hex) payload(length bytes)          DLE is byte 10 hex

    O        opened: a peer connected, payload is its address           to us
    D        data: payload is bytes from the peer, or for it            both ways
    C        closed: payload says why; to the transport: close it       both ways

The frames are what is journaled, so a replay sees the same peers. Bytes outside of frames belong to peer 0, a plain
stream: a recording of one box is read as it is. A DLE that begins no frame is such a byte too.
"""

import re
from typing import Final

import msgspec

DLE: Final = b"\x10"  # data link escape: a frame begins
OPENED: Final = b"O"
DATA: Final = b"D"
CLOSED: Final = b"C"
HEADER_BYTES: Final = 10
MAX_PAYLOAD_BYTES: Final = 0xFFFF
PLAIN: Final = 0
"""The peer of bytes outside of frames."""
MAX_PEER: Final = 0xFFFF

_HEADER = re.compile(rb"\x10([ODC])([0-9a-f]{4})([0-9a-f]{4})")
# What the beginnings of a header look like, shortest first.
_HEADER_SHAPE: Final = (b"\x10", b"ODC", *([b"0123456789abcdef"] * 8))


class PeerEvent(msgspec.Struct, frozen=True):
    """One frame, or plain bytes as data of peer 0. `offset` is the stream position of its first byte."""

    kind: bytes
    peer: int
    payload: bytes
    offset: int


def encode_frame(kind: bytes, peer: int, payload: bytes = b"") -> bytes:
    """One frame. Raises ValueError for a peer or a payload that does not fit; see `encode_data` for long data."""
    if kind not in (OPENED, DATA, CLOSED) or not 0 < peer <= MAX_PEER or len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"frame {kind!r} for peer {peer} with {len(payload)} bytes cannot be made")
    return DLE + kind + b"%04x%04x" % (peer, len(payload)) + payload


def encode_data(peer: int, data: bytes) -> bytes:
    """Bytes from or for a peer in as many frames as they need; plain for peer 0."""
    if peer == PLAIN:
        return data
    parts = [data[start : start + MAX_PAYLOAD_BYTES] for start in range(0, len(data), MAX_PAYLOAD_BYTES)]
    return b"".join(encode_frame(DATA, peer, part) for part in parts)


class PeerReader:
    """A stream of frames, in any split, to events. Never raises."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0

    def feed(self, data: bytes) -> list[PeerEvent]:
        """Take the next bytes; return what they complete. Plain bytes come out at once."""
        self._buffer += data
        events: list[PeerEvent] = []
        position = plain = 0
        while position < len(self._buffer):
            step = self._frame_at(position)
            if step == 0:
                break
            if step > 0:
                self._flush(events, plain, position)
                kind, peer, _ = self._header_at(position)
                payload = bytes(self._buffer[position + HEADER_BYTES : position + step])
                events.append(PeerEvent(kind, peer, payload, self._offset + position))
                position += step
                plain = position
            else:
                following = self._buffer.find(DLE, position + 1)
                position = len(self._buffer) if following < 0 else following
        self._flush(events, plain, position)
        del self._buffer[:position]
        self._offset += position
        return events

    def close(self) -> PeerEvent | None:
        """The stream ended: the unfinished frame as plain bytes, if there is one."""
        rest = bytes(self._buffer)
        event = PeerEvent(DATA, PLAIN, rest, self._offset) if rest else None
        self._offset += len(rest)
        self._buffer.clear()
        return event

    def _flush(self, events: list[PeerEvent], start: int, end: int) -> None:
        if end > start:
            events.append(PeerEvent(DATA, PLAIN, bytes(self._buffer[start:end]), self._offset + start))

    def _header_at(self, position: int) -> tuple[bytes, int, int]:
        match = _HEADER.match(self._buffer, position)
        assert match is not None, "_frame_at looked"
        return match[1], int(match[2], 16), int(match[3], 16)

    def _frame_at(self, position: int) -> int:
        """Length of the frame at `position`; 0 when it is not complete yet, -1 when there is none."""
        have = self._buffer[position : position + HEADER_BYTES]
        if any(byte not in allowed for byte, allowed in zip(have, _HEADER_SHAPE, strict=False)):
            return -1
        if len(have) < HEADER_BYTES:
            return 0
        _, peer, length = self._header_at(position)
        if peer == PLAIN:
            return -1
        whole = HEADER_BYTES + length
        return whole if len(self._buffer) - position >= whole else 0
