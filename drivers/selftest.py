"""Two serial ports and a null modem cable: do both ports carry every byte at each speed, both ways?

    port A  TX ──────▶ RX  port B
            RX ◀────── TX
            GND ────── GND

One direction after the other a run of frames goes out and is read back at the other end. A frame (our own, for
this test alone):

| bytes | what |
|---|---|
| 2 | `a5 5a`, the sync word |
| 1 | number of the frame, 0 … |
| 1 | length of the payload |
| n | payload: all 256 values of a byte come by, XON, XOFF, NUL and P3's SOF and EOF among them |
| 2 | CRC-16/CCITT-FALSE (polynomial 1021, initial ffff) over number, length and payload, high byte first |
"""

import asyncio
import binascii
import random
import struct
from collections.abc import Sequence
from typing import Final

import msgspec

from drivers.errors import TransportError, TransportLost
from drivers.hostclock import HostClock
from drivers.transports.address import SerialAddress, parse_address
from drivers.transports.serial import SerialTransport

BAUDS: Final = (9_600, 19_200, 38_400, 57_600, 115_200)
"""The speeds that boxes of this trade use (hardware-protocols)."""

SYNC: Final = b"\xa5\x5a"
PAYLOAD_BYTES: Final = 64
FRAMES: Final = 6
"""Four cover all 256 values of a byte, two more are random: 420 bytes, half a second at 9,600 baud."""

BITS_A_CHARACTER: Final = 10
SLACK_S: Final = 1.0
"""Beyond the time that the bytes take on the wire: USB adapters and the system."""

_HEAD = struct.Struct(">BB")
_CRC = struct.Struct(">H")


class LoopbackResult(msgspec.Struct, frozen=True, kw_only=True):
    """One direction at one speed. `advice` is empty when all is well."""

    sender: str
    receiver: str
    baud: int
    sent: int
    """Bytes."""
    received: int
    """Bytes."""
    frames_good: int
    frames_sent: int
    took_us: int
    """From the first byte handed over to the last one received."""
    reason: str = ""
    advice: str = ""

    @property
    def good(self) -> bool:
        """Whether every byte came, in its order and unchanged."""
        return not self.reason


def encode_frames(seed: int = 0) -> list[bytes]:
    """The frames of one run."""
    lot = random.Random(seed)
    every = bytes(range(256))
    payloads = [every[start : start + PAYLOAD_BYTES] for start in range(0, 256, PAYLOAD_BYTES)]
    payloads += [lot.randbytes(PAYLOAD_BYTES) for _ in range(FRAMES - len(payloads))]
    return [_encode_frame(number, payload) for number, payload in enumerate(payloads)]


def count_good_frames(data: bytes) -> int:
    """How many whole frames with a right checksum are in the bytes."""
    good = position = 0
    while (position := data.find(SYNC, position)) >= 0:
        start = position + len(SYNC)
        position += 1
        if start + _HEAD.size > len(data):
            break
        end = start + _HEAD.size + data[start + 1]
        if end + _CRC.size > len(data):
            continue
        if _CRC.unpack_from(data, end)[0] == binascii.crc_hqx(data[start:end], 0xFFFF):
            good += 1
            position = end + _CRC.size
    return good


async def check_cable(port_a: str, port_b: str, clock: HostClock, bauds: Sequence[int] = BAUDS) -> list[LoopbackResult]:
    """Both directions at each speed. `port_a`, `port_b`: paths, or serial: addresses (their baud is not used).

    Raises AddressError for a bad address, OpenFailed when a port does not open.
    """
    addresses = [_serial_address(port) for port in (port_a, port_b)]
    results = []
    for baud in bauds:
        ends = [SerialTransport(msgspec.structs.replace(address, baud=baud), clock) for address in addresses]
        try:
            for end in ends:
                await end.open()
            for sender, receiver in (ends, ends[::-1]):
                await _discard(sender)
                await _discard(receiver)
                results.append(await _check_way(sender, receiver, baud, clock))
        finally:
            for end in ends:
                await end.close()
    return results


async def _check_way(sender: SerialTransport, receiver: SerialTransport, baud: int, clock: HostClock) -> LoopbackResult:
    frames = encode_frames(baud)
    expected = b"".join(frames)
    began_us = clock.now_us()
    heard = bytearray()
    echo = bytearray()
    failure: TransportError | None = None
    timeout_s = len(expected) * BITS_A_CHARACTER / baud + SLACK_S
    listening = asyncio.create_task(_listen(sender, echo, len(expected)))
    try:
        async with asyncio.timeout(timeout_s):
            await sender.send(expected)
            await _listen(receiver, heard, len(expected))
    except TimeoutError:
        # Bytes are missing or changed: `_judge` says which from what was heard.
        failure = None
    except TransportError as error:
        failure = error
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    reason, advice = _judge(expected, bytes(heard), bytes(echo), baud, failure)
    return LoopbackResult(
        sender=sender.where,
        receiver=receiver.where,
        baud=baud,
        sent=len(expected),
        received=len(heard),
        frames_good=count_good_frames(bytes(heard)),
        frames_sent=len(frames),
        took_us=clock.now_us() - began_us,
        reason=reason,
        advice=advice,
    )


def _judge(expected: bytes, heard: bytes, echo: bytes, baud: int, failure: TransportError | None) -> tuple[str, str]:
    if heard == expected:
        return "", ""
    if failure is not None:
        return failure.reason, failure.advice
    if not heard and echo:
        return (
            f"the {len(echo)} bytes came back to the port that sent them",
            "the plug joins TX and RX of one port: join the two ports with a crossed (null modem) cable",
        )
    if not heard:
        return "nothing arrives", "check the cable: it must be crossed (null modem), and in the two ports named here"
    wrong = next((at for at, pair in enumerate(zip(expected, heard, strict=False)) if pair[0] != pair[1]), None)
    if wrong is None:
        return f"{len(expected) - len(heard)} bytes are missing", "check the plugs, then try another adapter"
    reason = f"byte {wrong} arrives as {heard[wrong]:02x} in place of {expected[wrong]:02x}"
    return reason, f"one of the adapters cannot do {baud} baud, or the cable is too long or broken: try another"


async def _listen(end: SerialTransport, into: bytearray, count: int) -> None:
    while len(into) < count:
        into += (await end.receive()).data


async def _discard(end: SerialTransport) -> None:
    """Take what is left from before: the driver's buffer and ours."""
    try:
        async with asyncio.timeout(0.05):
            while True:
                await end.receive()
    except TimeoutError:
        return
    except TransportLost:
        # The check itself will meet it and say so.
        return


def _serial_address(port: str) -> SerialAddress:
    address = parse_address(port if port.startswith("serial:") else f"serial:{port}")
    assert isinstance(address, SerialAddress)
    return address


def _encode_frame(number: int, payload: bytes) -> bytes:
    body = _HEAD.pack(number, len(payload)) + payload
    return SYNC + body + _CRC.pack(binascii.crc_hqx(body, 0xFFFF))
