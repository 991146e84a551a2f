"""The picture is derived between two bursts of passings, not in the middle of one."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from timing import quiet, ready
from timing.quiet import QuietTime

SLOW_MACHINE_S = 5.0
LONG_PAUSE_S = 0.3
"""Longer than a busy machine keeps a test from running."""
EVERY_S = 0.002


@asynccontextmanager
async def passings_every(seconds: float, times: QuietTime) -> AsyncIterator[list[float]]:
    """Passings come while the block runs; the list is when."""
    came: list[float] = []
    loop = asyncio.get_running_loop()

    async def come() -> None:
        while True:
            times.passings_came()
            came.append(loop.time())
            await asyncio.sleep(seconds)

    coming = asyncio.create_task(come())
    await asyncio.sleep(0)
    try:
        yield came
    finally:
        coming.cancel()
        await asyncio.wait([coming])


async def test_without_passings_nothing_but_the_rest_is_waited_for() -> None:
    async with asyncio.timeout(SLOW_MACHINE_S):
        began_s = asyncio.get_running_loop().time()
        await QuietTime(lambda: False).wait(0.01)
    assert asyncio.get_running_loop().time() - began_s >= 0.01


async def test_it_waits_until_a_burst_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "QUIET_S", LONG_PAUSE_S)
    times = QuietTime(lambda: False)
    async with passings_every(EVERY_S, times) as came:
        waiting = asyncio.create_task(times.wait(0.0))
        await asyncio.wait([waiting], timeout=0.06)
        assert not waiting.done(), "the burst goes on"
    async with asyncio.timeout(SLOW_MACHINE_S):
        await waiting
    assert asyncio.get_running_loop().time() - came[-1] >= LONG_PAUSE_S


async def test_passings_without_end_are_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "QUIET_S", LONG_PAUSE_S)
    monkeypatch.setattr(quiet, "PATIENCE_S", 0.05)
    times = QuietTime(lambda: False)
    async with passings_every(EVERY_S, times), asyncio.timeout(SLOW_MACHINE_S):
        began_s = asyncio.get_running_loop().time()
        await times.wait(0.0)
    assert asyncio.get_running_loop().time() - began_s >= 0.05


async def test_what_is_on_its_way_to_the_disk_goes_first() -> None:
    on_disk = asyncio.Event()
    times = QuietTime(lambda: not on_disk.is_set())
    waiting = asyncio.create_task(times.wait(0.0))
    await asyncio.wait([waiting], timeout=0.02)
    assert not waiting.done()
    on_disk.set()
    async with asyncio.timeout(SLOW_MACHINE_S):
        await waiting


def test_between_races_what_is_left_is_set_aside_but_only_in_a_process_made_ready() -> None:
    assert gc.get_freeze_count() == 0
    ready.set_garbage_aside()
    assert gc.get_freeze_count() == 0
    try:
        gc.freeze()
        kept, later = gc.get_freeze_count(), [[number] for number in range(1_000)]
        ready.set_garbage_aside()
        assert gc.get_freeze_count() >= kept + len(later)
    finally:
        gc.unfreeze()
