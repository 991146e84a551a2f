"""How the data bridge writes times, names and states: its schema's data types and display conventions.

Source: databridge.md of metarace's trackmeet, edition 2025-10-14.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from config.models import Rider
from timing.race.picture import HeatPicture

Status = Literal["virtual", "provisional", "final"] | None
"""Of a result or start list; None: not begun. `hold` (under review) is not known to us and never said."""

SPACE = "\N{SIX-PER-EM SPACE}"
"""Between a number and its unit."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATUS: dict[str, Status] = {"virtual": "virtual", "provisional": "provisional", "official": "final"}


def duration(ms: int | None) -> str | None:
    """A duration as 8601I: `PT10.291S`, `PT1M2.345S`. Exactly the milliseconds given, none rounded or added."""
    if ms is None:
        return None
    seconds, thousandths = divmod(abs(ms), 1_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}H{minutes}M" if hours else f"{minutes}M" if minutes else ""
    return f"{'-' if ms < 0 else ''}PT{head}{seconds}.{thousandths:03d}S"


def instant(at_us: int | None, zone: ZoneInfo) -> str | None:
    """UTC µs as 8601DT with the venue's offset: `2021-08-08T11:51:03.250000+09:00`."""
    return None if at_us is None else (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone).isoformat()


def rider_name(rider: Rider) -> str:
    """`Jason KENNY (GBR)`: given name, surname in capitals, nation."""
    name = f"{rider.given} {rider.surname.upper()}".strip() if rider.surname else rider.name
    return f"{name} ({rider.nation})" if rider.nation else name


def metres(distance_m: float | None) -> str | None:
    """A distance with its unit."""
    return None if distance_m is None else f"{distance_m:.7g}{SPACE}m"


def whole_laps(laps: float | None) -> int | None:
    """A number of laps; None for one with half a lap, which the schema has no room for."""
    return int(laps) if laps is not None and laps == int(laps) else None


def class_of(place: int | None, status: str | None, confirmed: bool) -> str | None:
    """The classification as it is displayed: `1.`, `(1.)` where it is a standing only, `dnf`; None for nothing yet."""
    if place is None:
        return status.lower() if status else None
    return f"{place}." if confirmed else f"({place}.)"


def status_of(picture: HeatPicture) -> Status:
    """Where a heat stands: from the gun on it has begun."""
    return _STATUS.get(picture.status, None if picture.start_us is None else "virtual")


def overall(statuses: Iterable[Status]) -> Status:
    """Where several heats stand together: final when all are."""
    found = set(statuses)
    if found <= {None}:
        return None
    if found == {"final"}:
        return "final"
    return "provisional" if found == {"final", "provisional"} or found == {"provisional"} else "virtual"
