"""Random meets for the soak: riders, heats, gaps, boxes and faults, all from one seed.

A new protocol joins by one line of LOOP_BOXES, CAMERAS or GUNS.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from config.loader import load_setup
from config.models import Device, DeviceChannel, Heat, Setup, StartPosition
from drivers.rig.faults import ClockStep, DeviceFaults, Faults, Outage, Restart
from drivers.rig.script import Finisher, HeatScript, Script

BASE: Final = "tokyo2020-men-keirin"
CLOCK_IS_SET: Final = 0.05
"""Of a box in a meet: somebody sets its clock in mid-race, or daylight saving changes."""
DAYLIGHT_SAVING_MS: Final = (-3_600_000, 3_600_000)
BY_HAND_MS: Final = (100, 3_000)
"""Less than what a late arrival can be, nothing can tell from one where the box cannot be asked for its clock."""
LOOPS: Final = ("finish", "home", "back", "l200", "l100")


@dataclass(frozen=True)
class Kind:
    """How a box of this protocol is entered in a meet, and which faults its line can honestly have."""

    protocol: str
    clock: str = "utc"
    resolution_us: int = 1_000
    bytes_break: bool = False
    """Whether its line has no check below the protocol (serial) and the protocol one that sees what breaks."""
    channel: str | None = None
    """The channel of its loop, where it has channels."""
    keeps: bool = True
    """Whether it sends again what the host did not get."""
    forgets: bool = False
    """Whether switching it off empties its memory."""
    transport: str = "tcp"
    """`tcp` stands for any line that says when it is lost; over `udp` messages are lost whole, and nothing says so."""
    has_clock: bool = True
    """Whether it stamps by a clock that somebody may set: ticks and seconds since power-on are none."""


LOOP_BOXES: Final = (
    Kind("p3", bytes_break=True, forgets=True),
    Kind("thbc", clock="time_of_day", bytes_break=True),
    Kind("raceresult", forgets=True),
    Kind("json", resolution_us=100, channel="loop"),
    Kind("thbc", clock="time_of_day", transport="udp"),
    Kind("p98", bytes_break=True, forgets=True, has_clock=False),
    Kind("raceresult-usb", resolution_us=3_907, has_clock=False),
    Kind("velotrain", clock="time_of_day"),
)
CAMERAS: Final = (
    Kind("lynx", resolution_us=100, bytes_break=True, keeps=False, has_clock=False),
    Kind("lif", resolution_us=100, keeps=False, has_clock=False),
    None,
)
GUNS: Final = (
    (Kind("json", resolution_us=100), ("gun", "bell", "cell")),
    (Kind("timy", clock="time_of_day", resolution_us=100, bytes_break=True, forgets=True), ("C0", "C8", "C1")),
    (Kind("thcom08", clock="time_of_day", resolution_us=10, bytes_break=True), ("1", "2", "3")),
    (Kind("rei2", clock="time_of_day", resolution_us=100, keeps=False), ("000", "001", "255")),
)


@dataclass(frozen=True)
class RandomMeet:
    """A meet, its script with faults, and what kind each of its boxes is."""

    setup: Setup
    script: Script
    kinds: dict[str, Kind]
    seed: int


def random_meet(seed: int, heats: int, folder: Path) -> RandomMeet:
    """A meet of so many heats. `folder` is where its LIF files go."""
    lot = random.Random(f"{seed}/meet")
    base = load_setup(BASE)
    kinds: dict[str, Kind] = {}
    devices: list[Device] = []

    def enter(device: str, kind: Kind, **more: object) -> None:
        port = 5001 + len(devices)
        own = {"json": f"mqtt:soak/{device}", "velotrain": f"mqtt:soak/{device}", "lif": f"folder:{folder}"}
        udp = kind.transport == "udp"
        line = f"udp:127.0.0.1:{port}?local={port + 10_000}" if udp else f"tcp:127.0.0.1:{port}"
        address = own.get(kind.protocol, line)
        kinds[device] = kind
        devices.append(
            Device(
                id=device,
                protocol=kind.protocol,
                address=address,
                clock=kind.clock,  # type: ignore[arg-type]
                resolution_us=kind.resolution_us,
                silent_after_s=0.0,
                **more,  # type: ignore[arg-type]
            )
        )

    for loop in LOOPS:
        kind = lot.choice(LOOP_BOXES)
        if kind.channel is None:
            enter(f"box-{loop}", kind, loop=loop)
        else:
            enter(f"box-{loop}", kind, channels=(DeviceChannel(channel=kind.channel, loop=loop),))
    camera = lot.choice(CAMERAS)
    if camera is not None:
        enter("camera", camera)
    gun, (shot, bell, cell) = lot.choice(GUNS)
    channels = [DeviceChannel(channel=shot, role="gun"), DeviceChannel(channel=bell, role="bell")]
    if lot.random() < 0.6:
        channels.append(DeviceChannel(channel=cell, role="photocell", loop="finish"))
    enter("gun", gun, channels=tuple(channels))
    # Numbers that every make of box can send.
    riders = tuple(
        msgspec.structs.replace(rider, transponders=(str(100_000 + number),))
        for number, rider in enumerate(base.meet.riders)
    )
    pacers = tuple(msgspec.structs.replace(pacer, transponders=("900001",)) for pacer in base.meet.pacers)
    entered = [_random_heat(lot, base, number) for number in range(1, heats + 1)]
    meet = msgspec.structs.replace(
        base.meet, devices=tuple(devices), riders=riders, pacers=pacers, heats=tuple(heat for heat, _ in entered)
    )
    setup = msgspec.structs.replace(base, meet=meet)
    scripts = {heat.id: script for heat, script in entered}
    faults = _random_faults(lot, seed, setup, kinds)
    return RandomMeet(setup, Script(name=f"soak {seed}", heats=scripts, faults=faults), kinds, seed)


def _random_heat(lot: random.Random, base: Setup, number: int) -> tuple[Heat, HeatScript]:
    bibs = [rider.bib for rider in lot.sample(base.meet.riders, lot.randint(3, 7))]
    template = base.meet.heats[0]
    heat = msgspec.structs.replace(
        template,
        id=f"h{number}",
        heat=number,
        start_list=tuple(StartPosition(bib=bib, draw=draw) for draw, bib in enumerate(bibs, 1)),
    )
    order = lot.sample(bibs, len(bibs))
    falls = len(order) > 3 and lot.random() < 0.1
    finish = [Finisher(bib=order[0], place=1)]
    gap_ms = 0
    for place, bib in enumerate(order[1:], 2):
        gap_ms += lot.choice((lot.randint(2, 12), lot.randint(12, 150), lot.randint(150, 900)))
        last = place == len(order) and falls
        finish.append(Finisher(bib=bib) if last else Finisher(bib=bib, place=place, gap_ms=gap_ms))
    return heat, HeatScript(finish=tuple(finish), winner_sprint_ms=lot.randint(41_000, 45_000))


def _random_faults(lot: random.Random, seed: int, setup: Setup, kinds: dict[str, Kind]) -> Faults:
    """One device in three breaks; every read may be missed, doubled or told late."""
    heats = [heat.id for heat in setup.meet.heats]
    clocks = random.Random(f"{seed}/clocks")
    own: dict[str, DeviceFaults] = {}
    restarts: list[Restart] = []
    disconnects: list[Outage] = []
    stalls: list[Outage] = []
    steps: list[ClockStep] = []
    for device, kind in kinds.items():
        line = kind.protocol not in ("json", "velotrain", "lif")
        datagrams = kind.transport == "udp"
        bad = kind.bytes_break and lot.random() < 0.35
        own[device] = DeviceFaults(
            byte_loss=lot.choice((0.0002, 0.001)) if bad else None,
            bit_flips=lot.choice((0.0002, 0.001)) if bad else None,
            noise=0.02 if bad else None,
            split=0.3 if line and not datagrams else None,
            join=0.1 if line and not datagrams else None,
            datagram_loss=lot.choice((0.01, 0.05)) if datagrams else None,
            command_loss=0.05 if line and lot.random() < 0.3 else None,
            clock_drift_ppb=lot.choice((-50_000, 50_000)) if lot.random() < 0.1 else None,
            shows_at_start=f"23:5{lot.randint(5, 9)}:30" if kind.clock != "utc" and lot.random() < 0.3 else None,
        )
        heat = lot.choice(heats)
        moment = {"device": device, "at_ms": lot.randint(5_000, 70_000), "heat": heat}
        happening = lot.random()
        if line and happening < 0.1:
            restarts.append(Restart(**moment))  # type: ignore[arg-type]
        elif line and happening < 0.25:
            disconnects.append(Outage(for_ms=lot.randint(200, 15_000), **moment))  # type: ignore[arg-type]
        elif line and happening < 0.4:
            stalls.append(Outage(for_ms=lot.randint(500, 8_000), **moment))  # type: ignore[arg-type]
        if kind.has_clock and clocks.random() < CLOCK_IS_SET:
            by_ms = clocks.choice((*DAYLIGHT_SAVING_MS, *(sign * clocks.randint(*BY_HAND_MS) for sign in (-1, 1))))
            at_ms, heat = clocks.randint(0, 100_000), clocks.choice(heats)
            steps.append(ClockStep(device=device, at_ms=at_ms, by_ms=by_ms, heat=heat))
    return Faults(
        seed=seed,
        missed_reads=lot.choice((0.0, 0.01, 0.03)),
        double_reads=lot.choice((0.0, 0.01)),
        late_reads=lot.choice((0.0, 0.02)),
        late_ms=lot.choice((300, 2_000)),
        half_written=0.3,
        devices=own,
        restarts=tuple(restarts),
        disconnects=tuple(disconnects),
        ack_stalls=tuple(stalls),
        clock_steps=tuple(steps),
    )
