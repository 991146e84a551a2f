"""The sync pulse of several units: their clocks agree to about a tick, whatever their lines do to the arrivals."""

import random
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest

from config.models import Device, DeviceChannel, Setup
from drivers.protocols.thbc_parser import SYNC_CHANNEL as BOX_SYNC_CHANNEL
from drivers.protocols.thbc_parser import sync_drift_us
from drivers.records import ClockReading, Delivery, Impulse, Passing, Record
from timing.clock import milliseconds
from timing.control.board import device_bodies, state_json
from timing.race.actions import OpenHeat
from timing.race.events import Command, Event, SetupTaken, decode_event, encode_event
from timing.race.meet import MeetState
from timing.race.sync import SYNC_CHANNEL, compose, is_pulse, minute_drift_us

START_US = 1_700_000_040_000_000
"""A full minute: the sync master's pulses stand on UTC's minutes here."""
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
DAY_US = 86_400 * SECOND_US
NAMES = ("unit-1", "unit-2", "unit-3")
PPM = {"unit-1": 30, "unit-2": -30, "unit-3": 12}
OFFSET_US = {"unit-1": 4_000, "unit-2": -23_000, "unit-3": 61_000}
DELAY_US = 20_000
WANTED_US = 2_000


class Unit:
    """A THbC unit: time of day in ms from a drifting clock, over a serial line that is 20 ms late and more."""

    def __init__(self, name: str, seed: int = 1) -> None:
        self.name, self.ppm, self.offset_us = name, PPM[name], OFFSET_US[name]
        self.lot = random.Random(f"{seed}/{name}")

    def stamp(self, true_us: int) -> int:
        shown_us = true_us + self.offset_us + (true_us - START_US) * self.ppm // 1_000_000
        return shown_us % DAY_US // 1_000 * 1_000

    def arrival(self, true_us: int) -> int:
        """It sends one passing at a time, so that others often go before."""
        return true_us + DELAY_US + self.lot.randint(0, 1) * self.lot.randint(0, 20_000) + self.lot.randint(0, 8_000)

    def pulse(self, true_us: int, channel: str = SYNC_CHANNEL) -> Impulse:
        received_us = self.arrival(true_us)
        return Impulse(device=self.name, received_us=received_us, device_us=self.stamp(true_us), channel=channel)

    def passing(self, true_us: int, transponder: str = "99") -> Passing:
        received_us = self.arrival(true_us)
        return Passing(
            device=self.name, received_us=received_us, device_us=self.stamp(true_us), transponder=transponder
        )


class Meet:
    """A meet of three units, its journal, and what is true."""

    def __init__(self, setup: Setup) -> None:
        self.state = MeetState()
        self.events: list[Event] = []
        self.units = {name: Unit(name) for name in NAMES}
        self.put(SetupTaken(at_us=START_US, setup=setup))

    def put(self, event: Event) -> None:
        self.events.append(event)
        self.state.apply(len(self.events), event)

    def deliver(self, records: Iterable[Record]) -> None:
        for record in sorted(records, key=lambda one: one.received_us):
            self.put(Delivery(device=record.device, received_us=record.received_us, raw=b"", records=(record,)))

    def run(self, minutes: range, pulse: Callable[[str, int], bool] = lambda name, minute: True) -> None:
        """Each minute a pulse (where `pulse` says so for the unit) and two passings of each unit."""
        for minute in minutes:
            at_us = START_US + minute * MINUTE_US
            records: list[Record] = []
            for name, unit in self.units.items():
                if pulse(name, minute):
                    records.append(unit.pulse(at_us))
                records += [unit.passing(at_us + unit.lot.randint(1, 59) * SECOND_US) for _ in range(2)]
            self.deliver(records)

    def error_us(self, name: str, true_us: int) -> int:
        stamp_us = self.units[name].stamp(true_us)
        return self.state.race_us(name, stamp_us, true_us + MINUTE_US) - true_us

    def between_us(self, true_us: int) -> int:
        """How far apart the units' times of one instant are: the error of a split between them at worst."""
        errors = [self.error_us(name, true_us) for name in self.units]
        return max(errors) - min(errors)

    def worst_us(self, minutes: range) -> int:
        return max(self.between_us(START_US + minute * MINUTE_US + 29_400_000) for minute in minutes)


@pytest.fixture
def three_units(tokyo: Any) -> Setup:
    loops = [loop.id for loop in tokyo.venue.loops]
    devices = tuple(
        Device(
            id=name,
            protocol="thbc",
            address=f"serial:/dev/thbc-{number}?baud=19200",
            loop=loops[number],
            clock="time_of_day",
            transport_delay_us=DELAY_US,
        )
        for number, name in enumerate(NAMES)
    )
    setup: Setup = msgspec.structs.replace(tokyo, meet=msgspec.structs.replace(tokyo.meet, devices=devices))
    return setup


@pytest.fixture
def meet(three_units: Setup) -> Meet:
    return Meet(three_units)


def test_the_channel_is_the_drivers() -> None:
    assert SYNC_CHANNEL == BOX_SYNC_CHANNEL
    for device_us in (0, 29_999_999, 59_900_000, 60_123_000, 86_399_999_000):
        assert minute_drift_us(device_us) == sync_drift_us(device_us)


def test_units_that_share_the_pulse_agree_all_along_half_an_hour(meet: Meet) -> None:
    meet.run(range(4))
    for minute in range(4, 30):
        meet.run(range(minute, minute + 1))
        assert meet.worst_us(range(max(2, minute - 10), minute + 1)) <= WANTED_US
    # Beyond the last pulse the rate carries on.
    assert meet.between_us(START_US + 31 * MINUTE_US) <= WANTED_US


def test_without_pulses_they_do_not_agree(meet: Meet) -> None:
    meet.run(range(4), lambda name, minute: False)
    worst = []
    for minute in range(4, 30):
        meet.run(range(minute, minute + 1), lambda name, minute: False)
        worst.append(meet.worst_us(range(max(2, minute - 10), minute + 1)))
    assert max(worst) > 2 * WANTED_US


def test_the_tied_fit_says_what_it_holds(meet: Meet) -> None:
    meet.run(range(20))
    first, *others = (meet.state.clocks[name].fit() for name in NAMES)
    for name, fit in zip(NAMES[1:], others, strict=True):
        assert first.uncertainty_us < fit.uncertainty_us < first.uncertainty_us + WANTED_US
        assert fit.quality == "one_way"
        assert f"{name}: times hold only ±{milliseconds(fit.uncertainty_us)}" in fit.warning
        assert "because the sync pulse ties them to unit-1 (±1." in fit.warning
        true_us = START_US + 15 * MINUTE_US
        assert abs(meet.error_us(name, true_us)) <= fit.uncertainty_at(
            meet.state.clocks[name].unwrap(meet.units[name].stamp(true_us), true_us)
        )


def test_an_exact_reference_makes_exact_units(meet: Meet) -> None:
    """The first unit answers for its clock: then the others hold UTC, not only each other."""
    unit = meet.units["unit-1"]
    for minute in range(12):
        at_us = START_US + minute * MINUTE_US
        meet.run(range(minute, minute + 1))
        asked_us = at_us + 59_500_000
        answer_us = asked_us + 200
        meet.deliver(
            [
                ClockReading(
                    device="unit-1", received_us=asked_us + 400, sent_us=asked_us, device_us=unit.stamp(answer_us)
                )
            ]
        )
    for name in NAMES:
        assert meet.state.clocks[name].fit().quality == "round_trip"
        assert abs(meet.error_us(name, START_US + 10 * MINUTE_US + 17_000_000)) <= WANTED_US


def test_lost_pulses_are_harmless(meet: Meet) -> None:
    lost = {("unit-1", 7), ("unit-2", 8), ("unit-3", 8), ("unit-2", 9), ("unit-1", 12), ("unit-3", 13)}
    meet.run(range(20), lambda name, minute: (name, minute) not in lost)
    assert meet.worst_us(range(6, 20)) <= WANTED_US


def test_spurious_pulses_are_harmless(meet: Meet) -> None:
    meet.deliver(meet.units[name].pulse(START_US - 23_456_000) for name in NAMES)
    meet.run(range(8))
    # Of one unit alone, of all at once, and one unit's just beside the true one.
    meet.deliver([meet.units["unit-2"].pulse(START_US + 7 * MINUTE_US + 31_000_000)])
    meet.deliver(meet.units[name].pulse(START_US + 7 * MINUTE_US + 44_000_000) for name in NAMES)
    meet.deliver([meet.units["unit-3"].pulse(START_US + 8 * MINUTE_US - 7_000)])
    meet.run(range(8, 20))
    assert meet.worst_us(range(4, 20)) <= WANTED_US
    assert abs(drift_us(meet, "unit-2") + OFFSET_US["unit-2"]) <= 40_000


@pytest.mark.parametrize("name", ["unit-1", "unit-2"])
def test_a_unit_that_restarts_is_tied_again(meet: Meet, name: str) -> None:
    meet.run(range(10))
    meet.units[name].offset_us += 7_613_000
    others = [unit for unit in NAMES if unit != name]
    for minute in range(10, 24):
        meet.run(range(minute, minute + 1))
        errors = [meet.error_us(unit, START_US + minute * MINUTE_US + 10_000_000) for unit in others]
        assert abs(errors[0]) <= 30_000
        assert max(errors) - min(errors) <= 20_000
    assert meet.state.clocks[name].segment > 1
    assert meet.worst_us(range(22, 24)) <= WANTED_US


def test_a_unit_that_is_gone_leaves_the_others_tied_to_each_other(meet: Meet) -> None:
    meet.run(range(8))
    gone = meet.units.pop("unit-1")
    meet.run(range(8, 24))
    assert meet.worst_us(range(16, 24)) <= WANTED_US
    assert "ties them to unit-2" in meet.state.clocks["unit-3"].fit().warning
    assert "sync pulse" not in meet.state.clocks["unit-2"].fit().warning
    meet.units[gone.name] = gone
    meet.run(range(24, 30))
    assert meet.worst_us(range(27, 30)) <= WANTED_US


def test_pulses_go_into_no_heat_and_into_no_inbox(meet: Meet) -> None:
    meet.run(range(2))
    assert [item for item in meet.state.inbox if item.what == "impulse"] == []
    meet.put(
        Command(
            id="c1",
            actor="Somebody",
            role="operator",
            at_us=START_US + 2 * MINUTE_US,
            action=OpenHeat(heat="final-a"),
        )
    )
    aside_before = meet.state.picture("final-a").set_aside_count
    meet.deliver(unit.pulse(START_US + 3 * MINUTE_US) for unit in meet.units.values())
    meet.deliver([meet.units["unit-1"].pulse(START_US + 3 * MINUTE_US + 5_000, "sync-B01")])
    log = meet.state.heats["final-a"]
    assert (log.shots, log.cells.reads, log.aside) == ([], [], [])
    assert meet.state.picture("final-a").set_aside_count == aside_before == 0
    assert [item for item in meet.state.inbox if item.what == "impulse"] == []


def test_a_wired_channel_is_no_pulse(meet: Meet) -> None:
    device = Device(id="u", protocol="thbc", address="udp:192.0.2.1:2008")
    gun = msgspec.structs.replace(device, channels=(DeviceChannel(channel="sync", role="gun"),))
    impulse = Impulse(device="u", received_us=1, device_us=0, channel="sync")
    assert is_pulse(device, impulse)
    assert not is_pulse(gun, impulse)
    assert is_pulse(gun, msgspec.structs.replace(impulse, channel="sync-B03"))
    assert not is_pulse(device, msgspec.structs.replace(impulse, channel="synchro"))


def test_a_remote_boxs_pulse_counts_only_without_the_units_own(meet: Meet) -> None:
    for minute in range(10):
        at_us = START_US + minute * MINUTE_US
        meet.deliver([meet.units["unit-1"].pulse(at_us), meet.units["unit-3"].pulse(at_us, "sync-B02")])
        meet.deliver([meet.units["unit-2"].pulse(at_us), meet.units["unit-2"].pulse(at_us + 90_000, "sync-B01")])
    assert meet.worst_us(range(4, 10)) <= WANTED_US


def drift_us(meet: Meet, name: str) -> int:
    drift_us = meet.state.trends.device(name).sync_drift_us
    assert drift_us is not None
    return drift_us


def test_drift_over_a_tenth_of_a_second_is_told(meet: Meet) -> None:
    assert meet.state.trends.device("unit-1").sync_drift_us is None
    meet.run(range(3))
    assert meet.state.trends.device("unit-3").warnings == ()
    assert -62_000 <= drift_us(meet, "unit-3") <= -60_000
    meet.units["unit-3"].offset_us = 142_000
    meet.run(range(3, 6))
    (warning,) = meet.state.trends.device("unit-3").warnings
    assert warning == (
        "unit-3: its clock is 145 ms ahead of the sync pulse: times are corrected by it; before the next session stop "
        "all units and start them by the pulse"
    )
    body = next(one for one in device_bodies(meet.state) if one.topic == "devices/unit-3")
    assert warning in str(body.fields["trends"])


def test_midnight_changes_nothing(meet: Meet) -> None:
    """Time of day wraps in the venue's zone or in UTC: the unwrapped scale does not."""
    for unit in meet.units.values():
        unit.offset_us += DAY_US - START_US % DAY_US - 10 * MINUTE_US
    meet.run(range(20))
    assert meet.worst_us(range(4, 20)) <= WANTED_US


def test_replay_gives_the_same_state(meet: Meet) -> None:
    lost = {("unit-2", 3), ("unit-1", 6)}
    meet.run(range(9), lambda name, minute: (name, minute) not in lost)
    meet.units["unit-2"].offset_us += 3_000_000
    meet.run(range(9, 16))
    replayed = MeetState()
    for row, event in enumerate(meet.events, 1):
        kind, body = encode_event(event)
        replayed.apply(row, decode_event(kind, body))
    assert state_json(replayed) == state_json(meet.state)
    assert "sync pulse" in replayed.clocks["unit-3"].fit().warning


def test_the_same_setup_again_keeps_the_tie_and_another_tick_loses_it(meet: Meet, three_units: Setup) -> None:
    meet.run(range(6))
    tied = meet.state.clocks["unit-2"].fit()
    meet.put(SetupTaken(at_us=START_US + 6 * MINUTE_US, setup=three_units))
    assert meet.state.clocks["unit-2"].fit() == tied
    first, *others = three_units.meet.devices
    changed = (msgspec.structs.replace(first, resolution_us=2_000), *others)
    other = msgspec.structs.replace(three_units, meet=msgspec.structs.replace(three_units.meet, devices=changed))
    meet.put(SetupTaken(at_us=START_US + 6 * MINUTE_US, setup=other))
    assert "sync pulse" not in meet.state.clocks["unit-2"].fit().warning
    meet.run(range(7, 14))
    assert meet.worst_us(range(10, 14)) <= WANTED_US + 1_000


def test_composing_is_exact_to_the_microsecond(meet: Meet) -> None:
    meet.run(range(8))
    reference = meet.state.clocks["unit-1"].fit()
    relative = msgspec.structs.replace(reference, race_anchor_us=reference.device_anchor_us, rate_ppb=-60_000)
    composed = compose("b", relative, "a", reference)
    for elapsed_us in (0, 1, -MINUTE_US, 10 * MINUTE_US):
        device_us = relative.device_anchor_us + elapsed_us
        assert abs(composed.race_us(device_us) - reference.race_us(relative.race_us(device_us))) <= 1
