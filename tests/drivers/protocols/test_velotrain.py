"""velotrain's messages in the forms that its README gives, the pulses, and a simulated one over a real broker."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.models import Broker, Device, DeviceChannel
from drivers.hostclock import HostClock
from drivers.protocols.base import Resume
from drivers.protocols.registry import protocol
from drivers.protocols.velotrain import (
    VelotrainParser,
    VelotrainSession,
    encode_passing,
    encode_rawpass,
    encode_timer,
    format_time,
    parse_time,
    pulse_error_us,
)
from drivers.records import DeviceStatus, Impulse, Malformed, Passing, Record, Unhandled
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.race import LoopRead
from drivers.rig.velotrain_box import VelotrainBox
from drivers.transports.address import MqttAddress
from drivers.transports.mqtt import MqttTransport

STEADY = settings(derandomize=True, deadline=None)
DEVICE = Device(id="track", protocol="velotrain", address="mqtt:velotrain/rawpass", clock="time_of_day")
AT_16_18_US = ((16 * 60 + 18) * 60 + 32) * 1_000_000

RAWPASS = (
    b'{"date": "2022-07-06", "env": [16.3, 55.0, 1015.0], "refid": "125328", "mpid": 5, '
    b'"name": "100m Split", "time": "16:18:32.303", "rcv": "16:18:32.459"}\n'
)
PASSING = (
    b'{"index": 108, "date": "2022-07-06", "time": "16:18:32.30", "mpid": 5, "refid": "moto", '
    b'"env": [16.3, 55.0, 1015.0], "moto": "0.00", "elap": "2:10.51", "lap": "22.95", "half": null, "qtr": null, '
    b'"200": "18.32", "100": "9.07", "50": "4.52", "text": "100m Split"}\n'
)
STATUS = (
    b'{"date": "2022-07-07", "time": "23:04:00.15", "offset": "0.211", "env": [13.1, 62.0, 1013.0], "count": 123, '
    b'"gate": null, "units": [{"mpid": 1, "name": "Finish", "noise": 20, "offset": "0.000"}, '
    b'{"mpid": 5, "name": "100m Split", "noise": 14, "offset": "-0.008"}]}\n'
)
TIMER = b";C4;;123456;14:00:10.2345\n"


def parse(data: bytes, size: int = 10_000) -> list[Record]:
    parser = VelotrainParser("track")
    records = [r for start in range(0, len(data), size) for r in parser.feed(data[start : start + size], 9)]
    return records + parser.close(9)


@pytest.mark.parametrize("size", [1, 13, 10_000])
def test_the_messages_of_the_readme(size: int) -> None:
    assert parse(RAWPASS + PASSING + TIMER, size) == [
        Passing(device="track", received_us=9, device_us=AT_16_18_US + 303_000, transponder="125328", channel="C5"),
        Passing(
            device="track",
            received_us=9,
            device_us=AT_16_18_US + 300_000,
            transponder="moto",
            channel="C5",
            sequence=108,
        ),
        Passing(device="track", received_us=9, device_us=50_410_234_500, transponder="123456", channel="C4"),
    ]


def test_a_status_is_one_record_a_unit_without_a_clock() -> None:
    assert parse(STATUS) == [
        DeviceStatus(device="track", received_us=9, noise=20, decoder="C1", text="Finish offset 0.000 s"),
        DeviceStatus(device="track", received_us=9, noise=14, decoder="C5", text="100m Split offset -0.008 s"),
    ]


def test_the_will_that_the_broker_publishes_when_velotrain_dies() -> None:
    will = json.dumps(dict.fromkeys(("date", "time", "offset", "env", "count", "battery", "units")) | {"info": "error"})
    assert parse(will.encode() + b"\n") == [DeviceStatus(device="track", received_us=9, text="velotrain is error")]


def test_gate_and_marker_are_no_transponders() -> None:
    gate = PASSING.replace(b'"moto", "env"', b'"gate", "env"').replace(b'"mpid": 5', b'"mpid": 0')
    marker = gate.replace(b'"gate", "env"', b'"marker", "env"')
    assert parse(gate + marker) == [
        Impulse(device="track", received_us=9, device_us=AT_16_18_US + 300_000, channel="gate", sequence=108),
        Unhandled(
            device="track",
            received_us=9,
            name="marker",
            detail={"text": "100m Split", "device_us": AT_16_18_US + 300_000},
        ),
    ]


def test_a_replay_is_backlog() -> None:
    records = parse(b"[" + PASSING.strip() + b"," + PASSING.strip().replace(b"108", b"109") + b"]\n")
    assert [(r.sequence, r.backlog) for r in records if isinstance(r, Passing)] == [(108, True), (109, True)]
    assert len(records) == 2


def test_timer_records_with_index_date_channel_only_and_without_a_transponder() -> None:
    passing, by_channel, impulse, sync = parse(
        b"7;C3;x;42;1:23.456;2025-06-01\n8;;C2;43;5\n9;C1;;;0:05.1\n;C1;;255;0\n"
    )
    assert passing == Passing(
        device="track", received_us=9, device_us=83_456_000, transponder="42", channel="C3", sequence=7
    )
    assert isinstance(by_channel, Passing)
    assert by_channel.channel == "C2"
    assert impulse == Impulse(device="track", received_us=9, device_us=5_100_000, channel="C1", sequence=9)
    assert sync == Unhandled(device="track", received_us=9, name="sync_pulse", detail={"channel": "C1", "device_us": 0})


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b";C3;;123456;now", "time 'now' says nothing"),
        (b"hello", "1 fields instead of INDEX;SOURCE"),
        (b";;;1;5", "SOURCE '' is no word"),
        (b";C1;;1;24:00:00", "time '24:00:00' is no time of day"),
        (b"{", "not JSON"),
        (b"[" * 3000, "n"),
        (b'{"a": 1}', "neither rawpass"),
        (b"[1]", "1 is no passing object"),
        (RAWPASS.strip().replace(b'"mpid": 5', b'"mpid": 10'), "mpid 10 is no measurement point"),
        (RAWPASS.strip().replace(b'"mpid": 5', b'"mpid": true'), "mpid True is no measurement point"),
        (RAWPASS.strip().replace(b"16:18:32.303", b"16:78:32.303"), "time '16:78:32.303' has more than 59"),
        (RAWPASS.strip().replace(b'"16:18:32.303"', b"null"), "time None is not of the form"),
        (RAWPASS.strip().replace(b'"125328"', b"125328"), "refid 125328 is no word"),
        (PASSING.strip().replace(b"108", b"-1"), "index -1 is not a whole number"),
        (STATUS.strip().replace(b'"mpid": 1', b'"mpid": "x"'), "status: Expected `int`"),
        (b"\xff\xfe", "message is not UTF-8"),
    ],
)
def test_a_bad_message_is_named_at_its_offset_and_the_next_is_read(message: bytes, reason: str) -> None:
    records = parse(TIMER + message + b"\n" + TIMER)
    assert [type(record) for record in records] == [Passing, Malformed, Passing]
    bad = records[1]
    assert isinstance(bad, Malformed)
    assert bad.reason.startswith(reason)
    assert (bad.offset, bytes.fromhex(bad.raw)) == (len(TIMER), message[:128])


def test_an_unfinished_message_is_told() -> None:
    assert [type(record) for record in parse(RAWPASS[:-1])] == [Malformed]


@STEADY
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)), st.integers(1, 40))
def test_garbage_never_raises_and_its_split_does_not_matter(garbage: bytes, size: int) -> None:
    assert parse(garbage, size) == parse(garbage)


@STEADY
@given(st.sampled_from([RAWPASS, PASSING, STATUS, TIMER]), st.data())
def test_a_flipped_bit_never_raises(message: bytes, data: st.DataObject) -> None:
    damaged = bytearray(message)
    bit = data.draw(st.integers(0, len(message) * 8 - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    records = parse(bytes(damaged) + b"\n")
    assert records
    assert all(0 <= record.device_us < 86_400_000_000 for record in records if isinstance(record, Passing))


@STEADY
@given(st.integers(0, 86_399_999), st.integers(0, 9))
def test_what_is_written_is_read(time_ms: int, mpid: int) -> None:
    passing = Passing(
        device="track", received_us=9, device_us=time_ms * 1000, transponder="125328", channel=f"C{mpid}", sequence=3
    )
    assert parse_time(format_time(passing.device_us)) == passing.device_us
    raw = msgspec.structs.replace(passing, sequence=None)
    assert parse(encode_rawpass(passing, "2025-06-01", 0) + b"\n") == [raw]
    assert parse(encode_timer(passing) + b"\n") == [passing]
    cut = msgspec.structs.replace(passing, device_us=passing.device_us // 10_000 * 10_000)
    assert parse(encode_passing(passing, "2025-06-01") + b"\n") == [cut]


def test_the_fields_of_the_written_messages_are_those_of_the_readme() -> None:
    (raw,) = [r for r in parse(RAWPASS) if isinstance(r, Passing)]
    assert set(json.loads(encode_rawpass(raw, "2022-07-06", 0))) == set(json.loads(RAWPASS))
    (passing,) = [r for r in parse(PASSING) if isinstance(r, Passing)]
    assert list(json.loads(encode_passing(passing, "2022-07-06"))) == list(json.loads(PASSING))
    with pytest.raises(ValueError, match="no measurement point"):
        encode_rawpass(msgspec.structs.replace(raw, channel="finish"), "2022-07-06", 0)


# -- pulses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamp_us", "error_us"), [(60_025_000, -25_000), (59_980_000, 20_000), (0, 0), (86_399_999_000, 1_000)]
)
def test_a_pulse_says_how_wrong_its_unit_is(stamp_us: int, error_us: int) -> None:
    assert pulse_error_us(stamp_us) == error_us


def test_raw_times_are_brought_to_the_scale_of_the_pulses_unit_by_unit() -> None:
    session = VelotrainSession(DEVICE, Resume())
    assert session.connected(0) == ()

    def say(text: str) -> Record:
        (record,) = session.receive(text.encode() + b"\n", 9).records
        return record

    def seen(channel: str, time: str) -> int:
        record = say(f";{channel};;42;{time}")
        assert isinstance(record, Passing)
        return record.device_us

    assert seen("C1", "0:10.000") == 10_000_000, "before the first pulse as the unit said it"
    pulse = say(";C1;;255;1:00.025")
    assert isinstance(pulse, Unhandled)
    assert pulse.detail["correction_us"] == -25_000
    say(";C2;;255;23:59:59.990")
    assert seen("C1", "1:10.000") == 69_975_000
    assert seen("C2", "1:10.000") == 70_010_000
    assert seen("C3", "1:10.000") == 70_000_000
    assert seen("C1", "0:00.005") == 86_400_000_000 - 20_000, "over midnight"
    assert list(session.disconnected(10)) == []
    session.connected(11)
    assert seen("C2", "1:10.000") == 70_010_000, "remembered over a reconnect"


def test_the_registry_knows_it() -> None:
    entry = protocol("velotrain")
    assert (entry.name, entry.session(DEVICE, Resume()).tick_us) == ("velotrain", 0)
    assert entry.parser("track").feed(RAWPASS, 9) == parse(RAWPASS)


# -- over a real broker ----------------------------------------------------------------------------------------


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert program is not None, "these tests need the Mosquitto broker (Debian: apt-get install mosquitto)"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n" + ("user root\n" * (os.geteuid() == 0)))
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                assert process.returncode is None, "Mosquitto ended at once"
                await asyncio.sleep(0.02)
            else:
                writer.close()
                break
    yield Broker(host="127.0.0.1", port=port)
    process.kill()
    await process.wait()


@pytest.mark.parametrize("topic", ["velotrain/rawpass", "velotrain/timer"])
async def test_a_simulated_velotrain_with_unequal_units_is_read_over_mqtt(broker: Broker, topic: str) -> None:
    channels = tuple(DeviceChannel(channel=f"C{number}", loop=f"loop{number}") for number in (1, 2))
    device = Device(id="track", protocol="velotrain", address=f"mqtt:{topic}", clock="time_of_day", channels=channels)
    clock = HostClock()
    address = MqttAddress(text=device.address, topic=topic)
    line = MqttTransport(address, broker, clock)
    await line.open()
    model = DeviceClockModel(zero_host_us=0, resolution_us=1_000, wraps_daily=True)
    box = VelotrainBox(device, address, broker, model, clock)
    box.unit_error_us = {"C2": 40_000}
    running = asyncio.create_task(box.run())
    minute_us = 10 * 60_000_000
    box.pulse(minute_us)
    for channel in ("C1", "C2"):
        read = LoopRead(at_us=5_000_000, device="track", channel=channel, transponder="42", strength=1, hits=1)
        box.read(read, minute_us)
    session = VelotrainSession(device, Resume())
    session.connected(clock.now_us())
    passings: list[Passing] = []
    async with asyncio.timeout(10):
        while len(passings) < 2:
            chunk = await line.receive()
            records = session.receive(chunk.data, chunk.received_us).records
            assert not any(isinstance(record, Malformed) for record in records)
            passings += [record for record in records if isinstance(record, Passing)]
    running.cancel()
    await asyncio.wait([running])
    await line.close()
    assert [(passing.channel, passing.device_us) for passing in passings] == [
        ("C1", minute_us + 5_000_000),
        ("C2", minute_us + 5_000_000),
    ], "the error of the second unit's clock is taken out by its pulse"
