"""Faults of a script: what they may say, what they do to bytes, reads and clocks, and that a seed repeats them."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from config.errors import ConfigError
from config.models import Device, Setup
from drivers.hostclock import HostClock
from drivers.protocols.p3_records import P3Parser
from drivers.records import DeviceStatus, Malformed, Passing
from drivers.rig.clockmodel import DAY_US, seeded_clock
from drivers.rig.fault_plan import Happening, plan_heat
from drivers.rig.faults import DeviceFaults, FaultRates, Faults, LineFaults, Outage
from drivers.rig.faulty_port import faulty
from drivers.rig.p3_box import P3Box
from drivers.rig.ports import Greet, RigError
from drivers.rig.race import LoopRead, Sheet, build_timeline
from drivers.rig.rig import Rig
from drivers.rig.script import load_script

GOOD = """
name = "Test"
extends = "tokyo2020-men-keirin"
[faults]
seed = 7
missed_reads = 0.1
[faults.devices.p3-finish]
bit_flips = 0.01
low_battery = true
shows_at_start = "23:59:30"
[[faults.disconnects]]
device = "p3-home"
at_ms = 1_000
for_ms = 500
"""
READ = LoopRead(at_us=0, device="p3-finish", channel=None, transponder="9001", strength=90, hits=20)


def error_of(path: Path, text: str, setup: Setup) -> str:
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_script(path, setup)
    return str(caught.value)


def test_a_script_has_general_rates_and_those_of_a_device(tmp_path: Path, setup: Setup) -> None:
    (tmp_path / "mine.toml").write_text(GOOD, "utf-8")
    script = load_script(tmp_path / "mine.toml", setup)
    devices = {device.id: device for device in setup.meet.devices}
    finish, home = script.faults.of(devices["p3-finish"]), script.faults.of(devices["p3-home"])
    assert (finish.bit_flips, finish.missed_reads, home.bit_flips) == (0.01, 0.1, None)
    assert (finish.low_battery, home.low_battery) == (True, False)


def test_no_byte_is_lost_on_a_broker(setup: Setup) -> None:
    (gateway,) = (device for device in setup.meet.devices if device.id == "gateway")
    rates = Faults(byte_loss=0.5, missed_reads=0.5).of(gateway)
    assert (rates.byte_loss, rates.missed_reads) == (None, 0.5)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("missed_reads = 0.1", "missed_reads = 1.5", "faults.missed_reads = 1.5: must be from 0"),
        ("missed_reads = 0.1", "mised_reads = 0.1", 'faults.mised_reads: unknown key; did you mean "missed_reads"'),
        ("p3-finish]", "p3-finnish]", "faults.devices.p3-finnish"),
        ("p3-finish]", "gateway]", "messages come whole or not"),
        ('device = "p3-home"', 'device = "gateway"', "name a box on a serial, TCP or UDP line"),
        ("23:59:30", "24:61:00", 'must be a time of day as "23:59:30"'),
        ("for_ms = 500", "for_ms = 0", "faults.disconnects[0].for_ms = 0: must be above 0"),
        ("at_ms = 1_000", "at_ms = -1", "must be 0 or more: ms after the gun"),
        ("for_ms = 500", 'for_ms = 500\nheat = "final-z"', "must be a heat of the meet"),
    ],
)
def test_a_bad_fault_is_refused_with_what_is_allowed(
    tmp_path: Path, setup: Setup, old: str, new: str, said: str
) -> None:
    message = error_of(tmp_path / "mine.toml", GOOD.replace(old, new), setup)
    assert "mine.toml" in message
    assert said in message


def test_a_camera_without_a_battery_cannot_have_a_low_one(tmp_path: Path, setup: Setup) -> None:
    text = 'name = "x"\nextends = "tokyo2020-men-keirin"\n[faults.devices.camera]\nlow_battery = true\n'
    assert "only p3, thbc, raceresult tell of their supply" in error_of(tmp_path / "x.toml", text, setup)


def messages(rates: FaultRates, seed: int = 1, count: int = 2_000) -> list[bytes]:
    line = LineFaults(rates, seed, "box")
    sent = [piece for number in range(count) for piece in line.to_host(b"%06d\r\n" % number)]
    return [*sent, line.release()]


def test_the_same_seed_breaks_the_same_bytes_and_another_one_others() -> None:
    rates = FaultRates(byte_loss=0.01, bit_flips=0.01, split=0.2, join=0.2, noise=0.05, datagram_loss=0.01)
    assert messages(rates) == messages(rates)
    assert messages(rates) != messages(rates, seed=2)


def test_splitting_and_joining_lose_nothing() -> None:
    whole = b"".join(b"%06d\r\n" % number for number in range(2_000))
    pieces = messages(FaultRates(split=0.5, join=0.5))
    assert b"".join(pieces) == whole
    assert {len(piece) % 8 for piece in pieces} > {0}
    assert any(len(piece) > 8 for piece in pieces)


@pytest.mark.parametrize(("name", "least", "most"), [("byte_loss", 100, 220), ("datagram_loss", 100, 220)])
def test_rates_are_what_they_say(name: str, least: int, most: int) -> None:
    lost = 16_000 - len(b"".join(messages(FaultRates(**{name: 0.01}))))
    assert least <= lost <= most


def test_a_bent_bit_is_one_bit_and_counted() -> None:
    line = LineFaults(FaultRates(bit_flips=1.0), 1, "box")
    (bent,) = line.to_host(b"\x00" * 50)
    assert all(byte.bit_count() == 1 for byte in bent)
    assert line.damaged == 1


def test_a_stalled_line_lets_nothing_of_the_host_through() -> None:
    line = LineFaults(FaultRates(), 1, "box")
    assert line.harmless
    line.stalled = True
    assert (line.to_box(b"AC"), line.lost_commands) == (None, 1)
    line.stalled = False
    assert line.to_box(b"AC") == b"AC"


def test_every_read_is_told_missed_or_noted_and_keeps_its_own_time(setup: Setup) -> None:
    heat = next(heat for heat in setup.meet.heats if heat.id == "final-a")
    timeline = build_timeline(setup, heat, load_script("tokyo2020-men-keirin").heats["final-a"], 1)
    faults = Faults(seed=3, missed_reads=0.1, double_reads=0.1, late_reads=0.2, late_ms=1_500, half_written=1.0)
    plan = plan_heat(timeline, faults, setup.meet.devices)
    assert plan == plan_heat(timeline, faults, setup.meet.devices)
    reads = [event for event in timeline.events if isinstance(event, LoopRead)]
    told = [step for step in plan.steps if isinstance(step.what, LoopRead)]
    loops = {device.id for device in setup.meet.devices if device.protocol == "p3"}
    kinds = [one.kind for one in plan.injected if one.device in loops]
    assert len(told) == len(reads) - kinds.count("missed_read") + kinds.count("double_read")
    assert min(kinds.count(kind) for kind in ("missed_read", "double_read", "late_read")) > 5
    lateness = [step.at_us - step.what.at_us for step in told if isinstance(step.what, LoopRead)]
    assert 0 <= min(lateness) <= max(lateness) <= 1_500_000
    assert [step.at_us for step in plan.steps] == sorted(step.at_us for step in plan.steps)
    assert [step.what.half_written for step in plan.steps if isinstance(step.what, Sheet)] == [True]


def test_an_outage_of_one_heat_is_not_in_another(setup: Setup) -> None:
    script = load_script("tokyo2020-men-keirin")
    faults = Faults(disconnects=(Outage(device="p3-home", at_ms=100, for_ms=50, heat="final-a"),))

    def kinds(name: str) -> list[tuple[int, str]]:
        heat = next(heat for heat in setup.meet.heats if heat.id == name)
        plan = plan_heat(build_timeline(setup, heat, script.heats[name], 1), faults, setup.meet.devices)
        return [(step.at_us, step.what.kind) for step in plan.steps if isinstance(step.what, Happening)]

    assert kinds("final-a") == [(100_000, "disconnect"), (150_000, "reconnect")]
    assert kinds("final-b") == []


def test_a_clock_of_day_can_show_what_the_script_wants_at_the_start() -> None:
    device = Device(id="x", protocol="thbc", address="tcp:127.0.0.1:1", clock="time_of_day")
    zero_us = 1_700_000_123_456_789
    model = seeded_clock(device, "Asia/Tokyo", 1, zero_us, DeviceFaults(shows_at_start="23:59:30", clock_drift_ppb=0))
    assert DAY_US - 30_000_000 - model.device_us(zero_us) in range(-1_000, 1_001)
    assert model.device_us(zero_us + 31_000_000) in range(999_000, 1_001_001)


class WirePort:
    """A port that keeps what is sent."""

    def __init__(self, greet: Greet) -> None:
        self.sent: list[bytes] = []
        self.news = asyncio.Event()
        self.receive = greet(self.send)

    async def open(self) -> None:
        """Nothing to open."""

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        self.news.set()

    async def close(self) -> None:
        """Nothing to close."""


def noisy_box(rates: FaultRates) -> tuple[P3Box, WirePort]:
    ports: list[WirePort] = []

    def opening(greet: Greet) -> WirePort:
        ports.append(WirePort(greet))
        return ports[-1]

    device = Device(id="p3-finish", protocol="p3", address="tcp:127.0.0.1:5403", loop="finish")
    clock = HostClock()
    model = seeded_clock(device, "Asia/Tokyo", 1, clock.now_us())
    box = P3Box(device, faulty(opening, LineFaults(rates, 1, device.id)), model, clock, 1)
    return box, ports[0]


async def test_a_bent_passing_of_a_decoder_is_an_error_and_never_another_passing() -> None:
    box, port = noisy_box(FaultRates(bit_flips=0.01))
    await box.open()
    for number in range(300):
        box.read(msgspec.structs.replace(READ, at_us=number * 1_000), HostClock().now_us())
    records = P3Parser("p3-finish").feed(b"".join(port.sent), 0)
    passings = [record for record in records if isinstance(record, Passing)]
    assert {record.transponder for record in passings} == {"9001"}
    assert 50 < len(passings) < 300
    assert any(isinstance(record, Malformed) for record in records)
    await box.close()


async def test_pieces_arrive_in_order_and_a_held_message_leaves_by_itself() -> None:
    box, port = noisy_box(FaultRates(split=0.5, join=0.5))
    await box.open()
    for number in range(40):
        box.read(msgspec.structs.replace(READ, at_us=number * 1_000), HostClock().now_us())
    whole = b"".join(box.passings)
    async with asyncio.timeout(5):
        while len(b"".join(port.sent)) < len(whole):
            port.news.clear()
            await port.news.wait()
    assert b"".join(port.sent) == whole
    await box.close()


async def test_what_is_said_on_a_closed_line_is_dropped_but_kept_for_the_backlog() -> None:
    box, port = noisy_box(FaultRates())
    await box.open()
    await box.close()
    box.read(READ, HostClock().now_us())
    assert (port.sent, len(box.passings)) == ([], 1)
    box.restart()
    assert box.passings == []


def test_a_rig_gives_its_boxes_what_the_script_says(tmp_path: Path, setup: Setup) -> None:
    text = GOOD.replace("low_battery = true", "low_battery = true\nnoisy = true")
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    try:
        rig = Rig(setup, load_script(tmp_path / "mine.toml", setup), HostClock())
    except RigError as error:
        pytest.fail(str(error))
    box = rig.boxes["p3-finish"]
    assert isinstance(box, P3Box)
    (status,) = (one for one in P3Parser("p3-finish").feed(box._status(), 0) if isinstance(one, DeviceStatus))
    assert status.supply_mv is not None
    assert status.noise is not None
    assert (status.supply_mv < 10_500, status.noise >= 80) == (True, True)
    assert rig.lines["p3-finish"].harmless is False
    assert rig.lines["p3-home"].harmless is True
