"""The programme against the clock: planned and actual starts, the running delay, what comes next and when.

Pure: the instant is that of the newest event. Planned times are local times of the venue; instants are UTC µs.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

DEFAULT_SLOT_US = 390_000_000
"""Between two heats where the plan says nothing closer: 4.5 min for the heat and 2 min to change over
(track-rules §1.12)."""
NEXT_SHOWN = 4


class PlannedHeat(msgspec.Struct, frozen=True, kw_only=True):
    """A heat of the programme, in its order. `planned` is local, ISO 8601 without offset; empty: not planned."""

    heat: str
    name: str
    session: str = ""
    planned: str = ""
    started_us: int | None = None
    """The gun of the attempt that counts."""
    over: bool = False
    """Whether its result is official."""


class ScheduleLine(msgspec.Struct, frozen=True, kw_only=True):
    """Where a heat stands against the plan. `delay_ms` is late (+) or early (-); null without a planned time."""

    heat: str
    name: str
    session: str
    planned_us: int | None
    started_us: int | None
    expected_us: int | None
    """For a heat that was not started: no earlier than planned, than now, and than the one before lets it."""
    delay_ms: int | None
    over: bool


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """The programme as it runs. `delay_ms` is that of the next heat, or of the last one when all are started."""

    timezone: str
    lines: tuple[ScheduleLine, ...]
    delay_ms: int | None
    next: tuple[str, ...]


def local_to_us(local: str, timezone: str) -> int:
    """UTC µs of a local time such as `2021-08-08T11:51`. Raises ValueError for what is none."""
    moment = datetime.fromisoformat(local)
    if moment.tzinfo is not None:
        raise ValueError(f"{local!r} has an offset: give the venue's local time without one")
    seconds = moment.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (seconds.days * 86_400 + seconds.seconds) * 1_000_000 + seconds.microseconds


def schedule(heats: Sequence[PlannedHeat], timezone: str, now_us: int, slot_us: int = DEFAULT_SLOT_US) -> Schedule:
    """Hold the programme against the events so far. A pause in the plan takes up a delay; nothing starts early."""
    lines: list[ScheduleLine] = []
    before: tuple[int, int | None] | None = None
    for heat in heats:
        planned_us = local_to_us(heat.planned, timezone) if heat.planned else None
        expected_us = None
        if heat.started_us is None:
            expected_us = _expected_us(planned_us, before, now_us, slot_us)
        at_us = heat.started_us if heat.started_us is not None else expected_us
        delay_ms = None if planned_us is None or at_us is None else (at_us - planned_us) // 1_000
        lines.append(
            ScheduleLine(
                heat=heat.heat,
                name=heat.name,
                session=heat.session,
                planned_us=planned_us,
                started_us=heat.started_us,
                expected_us=expected_us,
                delay_ms=delay_ms,
                over=heat.over,
            )
        )
        if at_us is not None:
            before = (at_us, planned_us)
    waiting = [line for line in lines if line.started_us is None and not line.over]
    told = [line for line in (waiting or lines[-1:]) if line.delay_ms is not None]
    return Schedule(
        timezone=timezone,
        lines=tuple(lines),
        delay_ms=told[0].delay_ms if told else None,
        next=tuple(line.heat for line in waiting[:NEXT_SHOWN]),
    )


def _expected_us(
    planned_us: int | None, before: tuple[int, int | None] | None, now_us: int, slot_us: int
) -> int | None:
    """When a heat can start: the plan may be closer than the usual slot, and then the plan is believed."""
    if before is None:
        return None if planned_us is None else max(planned_us, now_us)
    before_us, before_planned_us = before
    if planned_us is not None and before_planned_us is not None:
        slot_us = min(slot_us, max(0, planned_us - before_planned_us))
    earliest_us = max(before_us + slot_us, now_us)
    return earliest_us if planned_us is None else max(planned_us, earliest_us)
