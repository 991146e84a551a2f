"""Datagrams as a line to a box, on real sockets: what is taken, from whom, and what is told when it does not open."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from config.models import Broker, Device
from drivers.errors import OpenFailed, TransportLost
from drivers.hostclock import HostClock
from drivers.protocols.base import Reaction
from drivers.protocols.listen import ListenSession
from drivers.protocols.p3 import PROTOCOL as P3
from drivers.records import Delivery, DeviceHealth
from drivers.rig.ports import RigError
from drivers.rig.udp_port import UdpPort
from drivers.supervisor import DeviceSupervisor
from drivers.transports import Transport, UdpAddress, create_transport, parse_address, udp

WAIT_S = 3


@contextmanager
def bound(host: str = "127.0.0.1", port: int = 0) -> Iterator[socket.socket]:
    """A UDP socket of a box."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as box:
        box.bind((host, port))
        box.setblocking(False)
        yield box


def free_port() -> int:
    with bound() as probe:
        return int(probe.getsockname()[1])


async def opened(text: str, clock: HostClock) -> Transport:
    transport = create_transport(text, clock, Broker())
    await transport.open()
    return transport


async def received(transport: Transport) -> bytes:
    async with asyncio.timeout(WAIT_S):
        return (await transport.receive()).data


async def failure_to_open(text: str, clock: HostClock) -> OpenFailed:
    transport = create_transport(text, clock, Broker())
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(OpenFailed) as caught:
            await transport.open()
    await transport.close()
    return caught.value


async def test_datagrams_go_both_ways_each_as_one_chunk(clock: HostClock) -> None:
    local = free_port()
    with bound() as box:
        port = box.getsockname()[1]
        transport = await opened(f"udp:127.0.0.1:{port}?local={local}", clock)
        before_us = clock.now_us()
        for datagram in (b"<STA 058001>\r\n", b"", bytes(range(256)) * 200):
            box.sendto(datagram, ("127.0.0.1", local))
        async with asyncio.timeout(WAIT_S):
            chunks = [await transport.receive() for _ in range(2)]
        assert [chunk.data for chunk in chunks] == [b"<STA 058001>\r\n", bytes(range(256)) * 200]
        assert before_us <= chunks[0].received_us <= chunks[1].received_us <= clock.now_us()
        await transport.send(b"\x1b\x11")
        async with asyncio.timeout(WAIT_S):
            data, sender = await asyncio.get_running_loop().sock_recvfrom(box, 100)
        assert (data, sender) == (b"\x1b\x11", ("127.0.0.1", local))
        await transport.close()


async def test_only_the_box_s_host_is_heard_from_any_of_its_ports(clock: HostClock) -> None:
    local = free_port()
    with bound("127.0.0.2") as box, bound("127.0.0.2") as sender, bound("127.0.0.3") as stranger:
        transport = await opened(f"udp:127.0.0.2:{box.getsockname()[1]}?local={local}", clock)
        stranger.sendto(b"a lie\r\n", ("127.0.0.1", local))
        stranger.sendto(b"another\r\n", ("127.0.0.1", local))
        sender.sendto(b"from a port of its own\r\n", ("127.0.0.1", local))
        assert await received(transport) == b"from a port of its own\r\n"
        assert transport.dropped == 2  # type: ignore[attr-defined]
        await transport.close()


async def test_boxes_that_send_from_a_fixed_port_share_ours(clock: HostClock) -> None:
    local = free_port()
    with bound("127.0.0.2") as one, bound("127.0.0.3") as two, bound("127.0.0.2") as stranger:
        texts = [f"udp:{box.getsockname()[0]}:{box.getsockname()[1]}?local={local}&source=port" for box in (one, two)]
        first, second = [await opened(text, clock) for text in texts]
        stranger.sendto(b"from another port", ("127.0.0.1", local))
        two.sendto(b"two", ("127.0.0.1", local))
        one.sendto(b"one", ("127.0.0.1", local))
        assert [await received(first), await received(second)] == [b"one", b"two"]
        await first.send(b"to one")
        async with asyncio.timeout(WAIT_S):
            assert await asyncio.get_running_loop().sock_recv(one, 100) == b"to one"
        await first.close()
        await second.close()


async def test_without_a_setting_our_port_has_the_box_s_number(clock: HostClock) -> None:
    port = free_port()
    address = parse_address(f"udp:127.0.0.1:{port}")
    assert isinstance(address, UdpAddress)
    assert address.local_port == port
    transport = await opened(address.text, clock)
    with bound() as box:
        box.sendto(b"here", ("127.0.0.1", port))
    assert await received(transport) == b"here"
    await transport.close()


async def test_a_port_in_use_is_told_with_what_to_do(clock: HostClock) -> None:
    with bound("0.0.0.0") as other:
        local = other.getsockname()[1]
        failure = await failure_to_open(f"udp:127.0.0.1:{free_port()}?local={local}", clock)
    assert failure.reason == f"UDP port {local} of this machine is in use"
    assert "?local=" in failure.advice


async def test_an_unknown_host_is_told_as_unknown(clock: HostClock) -> None:
    failure = await failure_to_open("udp:decoder.invalid:2008", clock)
    assert "decoder.invalid" in failure.reason


async def test_nobody_at_the_box_s_port_is_no_loss_and_the_box_is_heard_when_it_comes(clock: HostClock) -> None:
    port, local = free_port(), free_port()
    transport = await opened(f"udp:127.0.0.1:{port}?local={local}&source=port", clock)
    for _ in range(3):
        await transport.send(b"\x1b\x11")
    with bound(port=port) as box:
        box.sendto(b"awake", ("127.0.0.1", local))
        assert await received(transport) == b"awake"
        await transport.send(b"\x1b\x11")
        async with asyncio.timeout(WAIT_S):
            assert await asyncio.get_running_loop().sock_recv(box, 100) == b"\x1b\x11"
    await transport.close()


async def test_a_datagram_that_cannot_be_sent_is_a_loss(clock: HostClock) -> None:
    transport = await opened(f"udp:127.0.0.1:{free_port()}?local={free_port()}", clock)
    with pytest.raises(TransportLost, match="sending failed"):
        await transport.send(bytes(70_000))
    await transport.close()
    with pytest.raises(TransportLost):
        await transport.send(b"?")
    with pytest.raises(TransportLost):
        await transport.receive()


async def test_a_busy_consumer_gets_what_the_kernel_kept(clock: HostClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "PAUSE_AT_BYTES", 3_000)
    local = free_port()
    with bound() as box:
        transport = await opened(f"udp:127.0.0.1:{box.getsockname()[1]}?local={local}", clock)
        datagrams = [os.urandom(1_000) for _ in range(50)]
        for datagram in datagrams:
            box.sendto(datagram, ("127.0.0.1", local))
        async with asyncio.timeout(WAIT_S):
            while not transport._paused:  # type: ignore[attr-defined]  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert transport._inbox.waiting_bytes == 3_000  # type: ignore[attr-defined]
        assert [await received(transport) for _ in datagrams] == datagrams
        await transport.close()


class AckSession(ListenSession):
    """Answers each datagram."""

    def receive(self, data: bytes, now_us: int) -> Reaction:
        return Reaction(super().receive(data, now_us).records, (b"ack",))


async def test_the_rig_s_udp_box_and_the_supervisor_hear_each_other(clock: HostClock) -> None:
    text = f"udp:127.0.0.1:{free_port()}?local={free_port()}"
    address = parse_address(text)
    assert isinstance(address, UdpAddress)
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    live = asyncio.Event()
    box = UdpPort(address, lambda send: heard.put_nowait)
    await box.open()

    def deliver(delivery: Delivery) -> asyncio.Future[None]:
        deliveries.put_nowait(delivery)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def report(health: DeviceHealth) -> None:
        if health.state == "live":
            live.set()

    device = Device(id="hub", protocol="p3", address=text)
    supervisor = DeviceSupervisor(
        device,
        AckSession("hub", P3.parser),
        lambda: create_transport(text, clock, Broker()),
        clock,
        deliver,
        report,
    )
    running = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(WAIT_S):
        await live.wait()
        box.send(bytes.fromhex("8e021f00f3890000020001022800070216000c01760601008104131804008f"))
        delivery = await deliveries.get()
        assert [type(record).__name__ for record in delivery.records] == ["DeviceStatus"]
        assert await heard.get() == b"ack"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await box.close()


async def test_a_rig_s_udp_port_in_use_is_told() -> None:
    with bound() as other:
        address: Any = parse_address(f"udp:127.0.0.1:{other.getsockname()[1]}?local=9")
        with pytest.raises(RigError, match="cannot take this UDP port"):
            await UdpPort(address, lambda send: lambda data: None).open()
