"""Boxes behind a broker when the timing host dies: what was on its way comes again, known for what it is."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from drivers import late
from drivers.hostclock import HostClock
from drivers.protocols.base import Resume
from drivers.protocols.json_mqtt import JsonSession
from drivers.records import ClockReading, Delivery, DeviceStatus, Passing, Record, Unhandled
from drivers.transports import create_transport
from drivers.transports.base import Acknowledging, Chunk, Transport
from tests.drivers.mqtt_reader import BOX, SESSION, read_journal

WAIT_S = 10
REPOSITORY = Path(__file__).resolve().parents[2]
EVERYTHING = 1_000


class Host:
    """A reading process. `async with` kills it (SIGKILL) at the end."""

    def __init__(self, port: int, journal: Path, written: int = EVERYTHING, settled: int = EVERYTHING) -> None:
        self._arguments = [str(port), str(journal), str(written), str(settled)]
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> "Host":
        program = [sys.executable, "-m", "tests.drivers.mqtt_reader", *self._arguments]
        self._process = await asyncio.create_subprocess_exec(
            *program, stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY, env={"PYTHONPATH": str(REPOSITORY)}
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()

    async def has_received(self, count: int) -> None:
        """Wait until so many deliveries came."""
        assert self._process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            while (line := await self._process.stdout.readline()) != b"%d\n" % count:
                assert line, "the reading process ended by itself"


def passing(number: int | None, at_us: int) -> bytes:
    return msgspec.json.encode({"kind": "passing", "device_us": at_us, "transponder": "4711", "sequence": number})


async def publish(port: int, *payloads: bytes) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as box:
        for payload in payloads:
            await box.publish("loops/finish", payload, qos=1)


def passings(deliveries: list[Delivery]) -> list[Passing]:
    return [one for delivery in deliveries for one in delivery.records if isinstance(one, Passing)]


async def test_what_was_in_flight_or_sent_while_the_host_was_dead_is_read_after_its_return(
    mosquitto: Any, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    async with Host(mosquitto.port, journal) as host:
        await publish_until_read(mosquitto.port, host)
    first = [passing(number, number * 1_000_000) for number in range(2, 10)]
    # Of 2 to 9 the first three are on disk and acknowledged, two on disk alone, three nowhere but in this process.
    async with Host(mosquitto.port, journal, written=5, settled=3) as host:
        await publish(mosquitto.port, *first)
        await host.has_received(8)
    assert [one.sequence for one in passings(read_journal(journal))] == [1, 2, 3, 4, 5, 6]
    await publish(mosquitto.port, *(passing(number, number * 1_000_000) for number in (10, 11, 12)))

    async with Host(mosquitto.port, journal) as host:
        await host.has_received(8)
        read = read_journal(journal)[6:]
        assert [one.sequence for one in passings(read)] == [5, 6, 7, 8, 9, 10, 11, 12]
        assert all(one.backlog for one in passings(read)), "the broker kept them: their arrival says nothing"
        assert [type(one) for delivery in read for one in delivery.records] == [Passing] * 8, "nothing is missing"

    numbers = [one.sequence for one in passings(read_journal(journal))]
    assert sorted(set(numbers)) == list(range(1, 13)), "nothing is lost"
    again = [(one.sequence, one.device_us) for one in passings(read_journal(journal))]
    assert len(again) - len(set(again)) == 2, "only what was on disk without an acknowledgement came again"


async def publish_until_read(port: int, host: Host) -> None:
    """Send number 1 until the new host has subscribed and read it."""
    async with aiomqtt.Client("127.0.0.1", port) as box, asyncio.timeout(WAIT_S):
        reading = asyncio.create_task(host.has_received(1))
        while not reading.done():
            await box.publish("loops/finish", passing(1, 1_000_000), qos=1)
            await asyncio.wait([reading], timeout=0.05)
        await reading


@pytest.fixture
async def kept(mosquitto: Any, clock: HostClock) -> Any:
    """Makes lines that share a kept session; each must be closed before the next is opened."""
    lines: list[Transport] = []

    async def opened() -> Transport:
        line = create_transport("mqtt:loops/finish", clock, mosquitto.broker, session=SESSION)
        lines.append(line)
        await line.open()
        return line

    yield opened
    for line in lines:
        await line.close()


async def test_after_the_brokers_memory_has_been_read_messages_are_live_again(mosquitto: Any, kept: Any) -> None:
    await (await kept()).close()
    await publish(mosquitto.port, *(passing(number, number) for number in range(1, 151)))
    line = await kept()
    assert isinstance(line, Acknowledging)
    async with asyncio.timeout(WAIT_S):
        for count in range(1, 151):
            # More than Mosquitto sends without an acknowledgement (20): its queue moves on with ours.
            assert (await line.receive()).delay == "stored"
            line.acknowledge(count)
        count = 150
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as box:
            delay = "stored"
            while delay != "none":
                await box.publish("loops/finish", passing(count, count), qos=1)
                delay = (await line.receive()).delay
                count += 1
                line.acknowledge(count)
    assert count <= 160, "the end of the memory is found within a few messages"


async def test_what_is_not_acknowledged_comes_again_on_the_next_line(mosquitto: Any, kept: Any) -> None:
    line = await kept()
    await publish(mosquitto.port, b"a", b"b", b"c")
    async with asyncio.timeout(WAIT_S):
        assert [(await line.receive()).delay for _ in range(3)] == ["none"] * 3
        line.acknowledge(1)
        await line.close()
        again = await kept()
        found = [await again.receive() for _ in range(2)]
    assert [(chunk.data, chunk.delay) for chunk in found] == [(b"b\n", "repeated"), (b"c\n", "repeated")]


async def test_a_line_without_a_session_name_leaves_nothing_at_the_broker(mosquitto: Any, clock: HostClock) -> None:
    line = create_transport("mqtt:loops/finish", clock, mosquitto.broker)
    await line.open()
    await line.close()
    await publish(mosquitto.port, b"nobody is there")
    again = create_transport("mqtt:loops/finish", clock, mosquitto.broker)
    await again.open()
    await publish(mosquitto.port, b"live")
    async with asyncio.timeout(WAIT_S):
        chunk = await again.receive()
    assert (chunk.data, chunk.delay) == (b"live\n", "none")
    await again.close()


async def test_a_retained_message_is_old_news(mosquitto: Any, kept: Any) -> None:
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as box:
        await box.publish("loops/finish", b"retained", qos=1, retain=True)
    line = await kept()
    async with asyncio.timeout(WAIT_S):
        assert (await line.receive()).delay == "stored"


def taken(session: JsonSession, chunk: Chunk) -> tuple[Record, ...]:
    return late.take(session, chunk).records


def test_late_messages_teach_nothing_about_the_clock_of_the_box() -> None:
    session = JsonSession(BOX, Resume())
    lines = b'{"kind":"clock","device_us":5}\n{"kind":"status","device_us":6,"noise":3}\n' + passing(1, 7) + b"\n"
    reading, status, read = taken(session, Chunk(lines, 1_000, "stored"))
    assert reading == Unhandled(device="gate", received_us=1_000, name=late.LATE_CLOCK, detail={"device_us": 5})
    assert status == DeviceStatus(device="gate", received_us=1_000, noise=3)
    assert isinstance(read, Passing)
    assert read.backlog
    now = taken(session, Chunk(b'{"kind":"clock","device_us":8}\n', 2_000))
    assert now == (ClockReading(device="gate", received_us=2_000, device_us=8),)


def test_a_number_that_came_again_is_no_new_numbering_but_a_low_one_that_is_new_is() -> None:
    session = JsonSession(BOX, Resume(last_sequence=9))
    for number in (7, 8, 9):
        (record,) = taken(session, Chunk(passing(number, number) + b"\n", 1_000, "repeated"))
        assert isinstance(record, Passing)
    restarted, _ = taken(session, Chunk(passing(1, 20) + b"\n", 2_000, "stored"))
    assert isinstance(restarted, Unhandled)
    assert restarted.name == "numbering_restarted"
