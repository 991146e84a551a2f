"""How the race office prints names, places and times (track-rules §6)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from config.models import Rider, Setup
from timing.race.picture import HeatPicture, ResultLine

EVENT_NAMES = {"keirin": "Keirin"}
STATUS_NAMES = {"official": "Official", "provisional": "Provisional", "virtual": "Virtual", "none": ""}


class Named(Protocol):
    """Whoever has a name: a rider, a starter, an entry."""

    @property
    def name(self) -> str: ...
    @property
    def surname(self) -> str: ...
    @property
    def given(self) -> str: ...


def full_name(one: Named) -> str:
    """`KENNY Jason`: the surname in capitals, first."""
    return f"{one.surname.upper()} {one.given}".strip() if one.surname else one.name


def riders_by_bib(setup: Setup) -> dict[str, Rider]:
    """The riders of the meet by bib."""
    return {rider.bib: rider for rider in setup.meet.riders}


def event_name(event: str, category: str) -> str:
    """`Men's Keirin`."""
    owner = {"men": "Men's", "women": "Women's"}.get(category, category.replace("-", " ").title())
    return f"{owner} {EVENT_NAMES.get(event, event.title())}".strip()


def heat_name(setup: Setup, picture: HeatPicture) -> str:
    """`First round · Heat 2`; only `Final A` where the round has one heat or the heat a name of its own."""
    alone = sum(heat.round == picture.round for heat in setup.meet.heats) == 1
    own = "" if picture.name == picture.heat else picture.name
    return heat_title(picture.round, 0 if alone else picture.number, own)


def heat_title(round_name: str, number: int, name: str = "") -> str:
    """The name of a heat in print; `number` is 0 where the round's name says it all, `name` its own, if any."""
    if name:
        return name if round_name.casefold() in name.casefold() else f"{round_name} · {name}"
    return f"{round_name} · Heat {number}" if number else round_name


def gap(line: ResultLine) -> str:
    """`+0.010`; nothing for the winner and where none was measured."""
    return "" if line.gap_ms is None else f"+{seconds(line.gap_ms)}"


def seconds(ms: int) -> str:
    """`12.345`, and `1:02.345` from a minute on."""
    minutes, rest = divmod(abs(ms), 60_000)
    text = f"{rest // 1000}.{rest % 1000:03d}"
    sign = "-" if ms < 0 else ""
    return f"{sign}{minutes}:{text.rjust(6, '0')}" if minutes else sign + text


def place(number: int | None, provisional: bool) -> str:
    """A place in a heat: in brackets as long as it is not official."""
    if number is None:
        return ""
    return f"({number})" if provisional else str(number)


def number(value: float | None, decimals: int) -> str:
    """A number with so many decimals, or nothing."""
    return "" if value is None else f"{value:.{decimals}f}"


def local_time(at_us: int, timezone: str) -> str:
    """`2021-08-08 11:58 JST`: the venue's own time."""
    moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(ZoneInfo(timezone))
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname()}"


def listed(words: Iterable[str]) -> str:
    """`4, 7 and 12`."""
    all_words = list(words)
    return " and ".join(filter(None, [", ".join(all_words[:-1]), *all_words[-1:]]))
