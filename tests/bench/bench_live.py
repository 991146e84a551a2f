"""The live path: wire byte → durable journal → MQTT message at a subscriber, against its floor in the same run.

Keirin heats are ridden past five decoders on ptys, 50 to 100 passings a second with random gaps, on a host clock
that runs 30 times too fast so that the laps are those of a race. The floor's passings come in blocks in between.
"""

import asyncio
import random
import statistics
from collections.abc import Iterator
from pathlib import Path

from config.loader import load_setup
from config.models import Setup
from tests.bench.stand import Decoder, Program, ServiceStand, StandError, scratch
from tests.bench.table import Row
from timing.race.actions import Arm, Gun, OpenHeat
from timing.race.heat import HeatLog

MEET = "tokyo2020-men-keirin"
SPEED = 30.0
GAP_S = (0.010, 0.020)
HEATS = 6
"""About 200 passings each; after each a block of as many of the floor."""
PAYLOAD_BYTES = 330
"""Of the `passing` message with one passing."""
ARRIVAL_TIMEOUT_S = 5.0
SETTLE_S = 0.2
"""Pause between a heat and its block of the floor: what the one still does must not disturb the other."""


def run(heats: int = HEATS, seed: int = 1) -> list[Row]:
    """Measure; about 7 s a heat. Raises StandError when a passing is lost."""
    with scratch() as folder:
        measured, floor = asyncio.run(_measure(folder, heats, random.Random(seed)))
    return [_row(measured, floor)]


async def _measure(folder: Path, heats: int, chance: random.Random) -> tuple[list[float], list[float]]:
    stand = ServiceStand(folder, load_setup(MEET), SPEED)
    floor_box = Decoder(folder, "floor", stand.clock)
    async with stand:
        floor = await asyncio.to_thread(
            Program,
            folder,
            "floor",
            "tests.bench.floor",
            str(floor_box.path),
            str(folder / "floor.db"),
            str(stand.mosquitto.port),
            str(PAYLOAD_BYTES),
        )
        try:
            for heat in stand.setup.meet.heats[:heats]:
                await _ride(stand, heat.id, floor_box, chance)
        finally:
            await asyncio.to_thread(floor.stop)
            floor_box.close()
        if not await stand.all_arrived(ARRIVAL_TIMEOUT_S):
            raise StandError("a passing did not reach the subscriber")
        arrived = [at_ns for at_ns, topic, _ in stand.subscriber.arrivals if topic == "bench/floor"]
        if len(arrived) != len(floor_box.sent_ns):
            raise StandError(f"the floor published {len(arrived)} of {len(floor_box.sent_ns)} messages")
        floor_us = [(at - sent) / 1_000 for sent, at in zip(floor_box.sent_ns, arrived, strict=True)]
        return [delay for delays in stand.delays_us().values() for delay in delays], floor_us


async def _ride(stand: ServiceStand, heat: str, floor_box: Decoder, chance: random.Random) -> None:
    await stand.order(f"open-{heat}", "operator", OpenHeat(heat=heat))
    await stand.order(f"arm-{heat}", "operator", Arm())
    await stand.order(f"gun-{heat}", "starter", Gun())
    passings = list(ride(stand.setup, heat))
    for loop, transponder in passings:
        await asyncio.sleep(chance.uniform(*GAP_S))
        decoder = stand.decoders[loop]
        decoder.say(decoder.frame(transponder))
    await asyncio.sleep(SETTLE_S)
    for _ in passings:
        await asyncio.sleep(chance.uniform(*GAP_S))
        floor_box.say(floor_box.frame("1"))


def ride(setup: Setup, heat: str) -> Iterator[tuple[str, str]]:
    """(loop, transponder) of a keirin in the order of the track: the pacer in front until its exit line."""
    log = HeatLog(setup, next(one for one in setup.meet.heats if one.id == heat))
    for mark in log.course.marks:
        if mark.distance_m <= log.course.exit_m:
            yield mark.loop, log.pacer.transponders[0]
        if mark.distance_m > 0.0:
            for rider in log.riders:
                yield mark.loop, rider.transponders[0]


def percentiles(values: list[float]) -> tuple[float, float]:
    """p50 and p99."""
    hundredths = statistics.quantiles(values, n=100, method="inclusive")
    return hundredths[49], hundredths[98]


def _row(measured: list[float], floor: list[float]) -> Row:
    (m50, m99), (f50, f99) = percentiles(measured), percentiles(floor)
    return Row(
        f"wire byte → durable journal → MQTT message at a subscriber (Mosquitto), p50 / p99 of {len(measured)}",
        f"{m50 / 1_000:.2f} / {m99 / 1_000:.2f} ms",
        f"{f50 / 1_000:.2f} / {f99 / 1_000:.2f} ms (pty read, one fsynced row, one QoS 1 publish)",
        f"{m50 / f50:.2f} / {m99 / f99:.2f}",
        "≤ 1.5 / ≤ 2",
        m50 <= 1.5 * f50 and m99 <= 2 * f99,
    )
