"""Serial ports (ptys) and TCP connections: what arrives, when it is stamped, what a loss looks like."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import pytest
import serial
from serial.tools import list_ports

from config.models import Broker
from drivers.errors import OpenFailed, TransportLost
from drivers.hostclock import HostClock
from drivers.protocols.registry import protocol
from drivers.transports import LoopbackTransport, Transport, create_transport, descriptor, serial_advice, tcp

WAIT_S = 3


def line_to(address: str, clock: HostClock) -> Transport:
    return create_transport(address, clock, Broker())


async def receive_bytes(transport: Transport, count: int) -> bytes:
    data = b""
    async with asyncio.timeout(WAIT_S):
        while len(data) < count:
            data += (await transport.receive()).data
    return data


async def loss_of(transport: Transport) -> TransportLost:
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(TransportLost) as caught:
            await transport.receive()
    return caught.value


async def until(happened: Callable[[], bool]) -> None:
    """Let the event loop turn until its callbacks have done something that sets no event."""
    async with asyncio.timeout(WAIT_S):
        while not happened():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def failure_to_open(transport: Transport) -> OpenFailed:
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(OpenFailed) as caught:
            await transport.open()
    await transport.close()
    return caught.value


# -- serial --------------------------------------------------------------------------------------------------


async def test_a_serial_port_behind_a_symlink_carries_every_byte_both_ways(box: Any, clock: HostClock) -> None:
    everything = bytes(range(256))
    transport = line_to(f"serial:{box.link}?baud=19200&dtr=off", clock)
    await transport.open()
    box.say(everything)
    assert await receive_bytes(transport, 256) == everything
    await transport.send(everything)
    assert await box.hear(256) == everything
    await transport.close()


@pytest.mark.parametrize(
    ("written", "lines", "baud"), [("", (False, True), 19_200), ("?dtr=on&rts=off&baud=9600", (True, False), 9_600)]
)
async def test_a_protocol_s_box_gets_the_line_that_it_needs_unless_the_address_says_otherwise(
    box: Any, clock: HostClock, monkeypatch: pytest.MonkeyPatch, written: str, lines: tuple[bool, bool], baud: int
) -> None:
    """The race result USB box wants 19200 and DTR low. A pty has no DTR: what pyserial asks the driver for counts."""
    asked: list[tuple[bool, bool, int]] = []

    def note(port: serial.Serial) -> None:
        asked.append((port.dtr, port.rts, port.baudrate))

    monkeypatch.setattr(serial.Serial, "_update_dtr_state", note)
    transport = create_transport(
        f"serial:{box.link}{written}", clock, Broker(), serial_defaults=protocol("raceresult-usb").serial_defaults
    )
    await transport.open()
    await transport.close()
    assert asked == [(*lines, baud)]


async def test_what_the_box_sent_before_the_port_was_opened_is_kept(box: Any, clock: HostClock) -> None:
    box.say(b"an early passing\n")
    transport = line_to(f"serial:{box.link}", clock)
    await transport.open()
    assert await receive_bytes(transport, 17) == b"an early passing\n"
    await transport.close()


async def test_bytes_are_stamped_when_they_are_read_not_when_they_are_received(box: Any, clock: HostClock) -> None:
    transport = line_to(f"serial:{box.link}", clock)
    await transport.open()
    before_us = clock.now_us()
    box.say(b"passing")
    await until(lambda: transport._inbox.waiting_bytes == 7)  # type: ignore[attr-defined]
    read_by_us = clock.now_us()
    while clock.now_us() == read_by_us:
        pass
    chunk = await transport.receive()
    assert before_us <= chunk.received_us <= read_by_us
    await transport.close()


async def test_an_unplugged_serial_port_is_a_loss_after_all_that_arrived_before(box: Any, clock: HostClock) -> None:
    transport = line_to(f"serial:{box.link}", clock)
    await transport.open()
    box.say(b"last words")
    assert await receive_bytes(transport, 10) == b"last words"
    box.unplug()
    lost = await loss_of(transport)
    assert str(box.link) in lost.where
    assert "cable" in lost.advice
    with pytest.raises(TransportLost):
        await transport.send(b"?")
    await transport.close()


async def test_a_missing_port_is_told_with_the_ports_that_are_there(
    tmp_path: Path, clock: HostClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Present:
        device = "/dev/ttyUSB7"
        description = "FT232R USB UART"

        def __lt__(self, other: object) -> bool:
            return False

    monkeypatch.setattr(list_ports, "comports", lambda: [Present()])
    failure = await failure_to_open(line_to(f"serial:{tmp_path}/absent", clock))
    assert failure.reason == f"there is no port {tmp_path}/absent"
    assert "ports present: /dev/ttyUSB7 (FT232R USB UART)" in failure.advice


async def test_a_port_in_use_is_told_with_its_user(box: Any, clock: HostClock) -> None:
    first = line_to(f"serial:{box.link}", clock)
    await first.open()
    failure = await failure_to_open(line_to(f"serial:{box.link}", clock))
    assert failure.reason == f"{box.link} is in use by another device of this same program"
    await first.close()
    second = line_to(f"serial:{box.link}", clock)
    await second.open()
    await second.close()


async def test_a_port_in_use_by_another_program_is_told_with_its_name_and_number(box: Any, clock: HostClock) -> None:
    hold = "import fcntl, sys; port = open(sys.argv[1]); fcntl.flock(port, fcntl.LOCK_EX); print(flush=True); input()"
    with subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", hold, str(box.link)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        await asyncio.to_thread(other.stdout.readline)
        failure = await failure_to_open(line_to(f"serial:{box.link}", clock))
        other.kill()
    name = PurePath(sys.executable).name
    assert failure.reason == f"{box.link} is in use by {name} (process {other.pid})"
    assert "end the other program" in failure.advice


async def test_a_forbidden_port_is_told_with_the_group_to_join(box: Any) -> None:
    reason, advice = serial_advice.explain_open_failure(str(box.link), PermissionError(13, "Permission denied"))
    assert reason == f"no permission to open {box.link}"
    assert "sudo usermod -aG" in advice
    assert "log out and in again" in advice


async def test_a_file_that_is_no_port_is_refused_in_words(tmp_path: Path, clock: HostClock) -> None:
    (tmp_path / "notes.txt").write_text("no port")
    failure = await failure_to_open(line_to(f"serial:{tmp_path}/notes.txt", clock))
    assert "cannot be used as a serial port" in failure.reason


# -- tcp -----------------------------------------------------------------------------------------------------


async def test_a_tcp_connection_carries_bytes_both_ways_without_delay(tcp_box: Any, clock: HostClock) -> None:
    transport = line_to(f"tcp:127.0.0.1:{tcp_box.port}", clock)
    await transport.open()
    reader, writer = await tcp_box.accepted()
    writer.write(b"\x8e\x02passing\x8f")
    assert await receive_bytes(transport, 10) == b"\x8e\x02passing\x8f"
    await transport.send(b"GET_TIME")
    assert await reader.readexactly(8) == b"GET_TIME"
    connection = transport._socket  # type: ignore[attr-defined]
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    await transport.close()


async def test_a_refused_connection_is_told_as_refused(tcp_box: Any, clock: HostClock) -> None:
    await tcp_box.switch_off()
    failure = await failure_to_open(line_to(f"tcp:127.0.0.1:{tcp_box.port}", clock))
    assert failure.reason == f"connection refused: nothing listens at 127.0.0.1:{tcp_box.port}"
    assert failure.advice


async def test_an_unknown_host_is_told_as_unknown(clock: HostClock) -> None:
    failure = await failure_to_open(line_to("tcp:decoder.invalid:5403", clock))
    assert "decoder.invalid" in failure.reason


async def test_a_box_that_does_not_answer_is_given_up_within_a_second(clock: HostClock) -> None:
    # A listener whose queue of connections is full answers no further request, like a box without power.
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        with contextlib.ExitStack() as queue:
            for _ in range(2):
                waiting = queue.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(deaf.getsockname())
            failure = await failure_to_open(line_to(f"tcp:127.0.0.1:{deaf.getsockname()[1]}", clock))
    assert tcp.CONNECT_TIMEOUT_S < 1
    assert "no answer" in failure.reason


async def test_a_connection_that_met_its_own_port_counts_as_refused() -> None:
    with socket.socket() as itself:
        itself.bind(("127.0.0.1", 0))
        itself.connect(itself.getsockname())
        with pytest.raises(ConnectionRefusedError):
            tcp.refuse_connection_to_itself(itself)


@pytest.mark.parametrize("farewell", ["orderly", "reset"])
async def test_a_peer_that_vanishes_is_a_loss(tcp_box: Any, clock: HostClock, farewell: str) -> None:
    transport = line_to(f"tcp:127.0.0.1:{tcp_box.port}", clock)
    await transport.open()
    _, writer = await tcp_box.accepted()
    writer.write(b"last words")
    await writer.drain()
    assert await receive_bytes(transport, 10) == b"last words"
    if farewell == "orderly":
        writer.close()
    else:
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
        )
        writer.transport.abort()
    lost = await loss_of(transport)
    assert str(tcp_box.port) in lost.where
    await transport.close()


async def test_a_slow_consumer_makes_the_box_wait_and_loses_nothing(
    tcp_box: Any, clock: HostClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptor, "PAUSE_AT_BYTES", 100_000)
    monkeypatch.setattr(descriptor, "RESUME_AT_BYTES", 50_000)
    transport = line_to(f"tcp:127.0.0.1:{tcp_box.port}", clock)
    await transport.open()
    _, writer = await tcp_box.accepted()
    everything = os.urandom(1_000_000) * 12
    writer.write(everything)
    await until(lambda: transport._paused)  # type: ignore[attr-defined]
    assert transport._inbox.waiting_bytes < 100_000 + descriptor.READ_BYTES  # type: ignore[attr-defined]
    assert await receive_bytes(transport, len(everything)) == everything
    await transport.close()


async def test_a_box_that_takes_no_bytes_is_a_loss(
    tcp_box: Any, clock: HostClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptor, "SEND_STALL_S", 0.05)
    transport = line_to(f"tcp:127.0.0.1:{tcp_box.port}", clock)
    await transport.open()
    _, writer = await tcp_box.accepted()
    writer.transport.pause_reading()
    with pytest.raises(TransportLost, match="took no byte"):
        await transport.send(bytes(32_000_000))
    await transport.close()


# -- both ----------------------------------------------------------------------------------------------------


async def test_closing_twice_or_before_opening_is_harmless(box: Any, clock: HostClock) -> None:
    transport = line_to(f"serial:{box.link}", clock)
    await transport.close()
    await transport.open()
    await transport.close()
    await transport.close()
    with pytest.raises(TransportLost):
        await transport.receive()


async def test_a_cancelled_open_leaves_the_port_free(box: Any, clock: HostClock) -> None:
    opening = asyncio.create_task(line_to(f"serial:{box.link}", clock).open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with asyncio.timeout(WAIT_S):
        while True:
            transport = line_to(f"serial:{box.link}", clock)
            try:
                await transport.open()
            except OpenFailed:
                await transport.close()
            else:
                break
    box.say(b"free")
    assert await receive_bytes(transport, 4) == b"free"
    await transport.close()


async def test_the_loopback_joins_two_ends_and_closing_one_is_the_others_loss(clock: HostClock) -> None:
    ours, theirs = LoopbackTransport.pair(clock)
    await ours.open()
    await theirs.send(b"passing")
    await ours.send(b"ack")
    assert (await ours.receive()).data == b"passing"
    assert (await theirs.receive()).data == b"ack"
    await theirs.close()
    await loss_of(ours)
    with pytest.raises(TransportLost):
        await ours.send(b"?")
