"""Bursts: 36 riders inside 100 ms on 9 loops, and 10,000 passings a second: nothing lost, nothing late.

Nine decoders on ptys, the service in its own process, Mosquitto, a subscriber. A passing is late by the time from
its bytes on the wire to its message at the subscriber. What arrived is counted at the subscriber and in the journal.
"""

import asyncio
import itertools
import random
import time
from pathlib import Path

import msgspec

from config.loader import load_setup
from config.models import Device, Loop, Rider, Setup, StartPosition
from drivers.records import Delivery, Passing
from tests.bench.bench_live import percentiles
from tests.bench.stand import Decoder, ServiceStand, scratch
from tests.bench.table import Row
from timing.journal import Journal
from timing.race.actions import Arm, Gun, OpenHeat
from timing.race.events import decode_event

MEET = "tokyo2020-men-keirin"
RIDERS = 36
LOOPS = 9
BURSTS = 10
BURST_S = 0.1
BETWEEN_BURSTS_S = 0.5
BURST_SPEED = 30.0
"""Of the host's clock in the bursts, so that half a second between two is a lap and no duplicate read."""
RATE = 10_000
SUSTAINED_S = 5.0
LATE_US = 20_000
ARRIVAL_TIMEOUT_S = 20.0


def run(bursts: int = BURSTS, sustained_s: float = SUSTAINED_S, seed: int = 1) -> list[Row]:
    """Measure both; about 25 s."""
    chance = random.Random(seed)
    with scratch() as folder:
        burst = _row(
            f"burst: {RIDERS} riders inside 100 ms on {LOOPS} loops, {bursts} times",
            asyncio.run(_measure_bursts(folder, bursts, chance)),
        )
    with scratch() as folder:
        sustained = _row(
            f"{RATE:,} passings/s for {sustained_s:g} s on {LOOPS} loops",
            asyncio.run(_measure_sustained(folder, sustained_s, chance)),
        )
    return [burst, sustained]


def burst_setup() -> Setup:
    """A heat of 36 riders on nine loops, each with a decoder. No rule book allows it, so it is made in code."""
    setup = load_setup(MEET)
    length_m = setup.venue.track_length_m
    known = setup.venue.loops
    more = tuple(
        Loop(id=f"extra{number}", position_m=round((0.5 + number) * length_m / LOOPS, 1))
        for number in range(LOOPS - len(known))
    )
    loops = known + more
    devices = tuple(Device(id=f"p3-{loop.id}", protocol="p3", address="", loop=loop.id) for loop in loops)
    riders = tuple(
        Rider(bib=str(number), name=f"Rider {number}", transponders=(str(9_000_000 + number),))
        for number in range(1, RIDERS + 1)
    )
    start_list = tuple(StartPosition(bib=rider.bib, draw=draw) for draw, rider in enumerate(riders, 1))
    heat = msgspec.structs.replace(setup.meet.heats[0], start_list=start_list)
    meet = msgspec.structs.replace(setup.meet, devices=devices, riders=riders, heats=(heat,))
    return Setup(meet=meet, venue=msgspec.structs.replace(setup.venue, loops=loops), rules=setup.rules)


async def _start_race(stand: ServiceStand) -> list[str]:
    """Open, arm and start the heat; return the riders' transponders."""
    heat = stand.setup.meet.heats[0].id
    await stand.order("open", "operator", OpenHeat(heat=heat))
    await stand.order("arm", "operator", Arm())
    await stand.order("gun", "starter", Gun())
    return [rider.transponders[0] for rider in stand.setup.meet.riders]


async def _measure_bursts(folder: Path, bursts: int, chance: random.Random) -> ServiceStand:
    async with ServiceStand(folder, burst_setup(), BURST_SPEED) as stand:
        transponders = await _start_race(stand)
        for _ in range(bursts):
            await asyncio.sleep(BETWEEN_BURSTS_S)
            due = [
                (chance.uniform(0, BURST_S), decoder, transponder)
                for decoder, transponder in itertools.product(stand.decoders.values(), transponders)
            ]
            await _play(sorted(due, key=lambda one: one[0]))
        await stand.all_arrived(ARRIVAL_TIMEOUT_S)
    return stand


async def _play(due: list[tuple[float, Decoder, str]]) -> None:
    """Say each passing at its time after now."""
    began_s = time.perf_counter()
    for at_s, decoder, transponder in due:
        left_s = began_s + at_s - time.perf_counter()
        if left_s > 0:
            await asyncio.sleep(left_s)
        decoder.say(decoder.frame(transponder))


async def _measure_sustained(folder: Path, sustained_s: float, chance: random.Random) -> ServiceStand:
    async with ServiceStand(folder, burst_setup()) as stand:
        transponders = await _start_race(stand)
        count = round(sustained_s * RATE)
        decoders = itertools.cycle(stand.decoders.values())
        await _play([(number / RATE, next(decoders), chance.choice(transponders)) for number in range(count)])
        await stand.all_arrived(ARRIVAL_TIMEOUT_S)
    return stand


def _count_journaled(journal: Path) -> int:
    count = 0
    with Journal.open_read_only(journal) as reader:
        for row in reader.rows():
            if row.kind == "delivery":
                event = decode_event(row.kind, row.body)
                assert isinstance(event, Delivery)
                count += sum(isinstance(record, Passing) for record in event.records)
    return count


def _row(what: str, stand: ServiceStand) -> Row:
    sent = sum(len(decoder.sent_ns) for decoder in stand.decoders.values())
    delays = [delay for of_device in stand.delays_us().values() for delay in of_device]
    journaled = _count_journaled(stand.journal)
    p50, p99 = percentiles(delays)
    late = sum(delay > LATE_US for delay in delays)
    return Row(
        f"{what}: late p50 / p99 / max; lost in journal / stream",
        f"{p50 / 1_000:.1f} / {p99 / 1_000:.1f} / {max(delays) / 1_000:.1f} ms; "
        f"{sent - journaled} / {sent - len(delays)} of {sent:,}",
        f"{LATE_US // 1_000} ms",
        f"{late} late",
        "0 lost, 0 late",
        journaled == sent == len(delays) and late == 0,
    )
