"""What must be true after a heat: `[expect]` of a script for all heats, `[heats.<id>.expect]` for one.

    [heats.final-a.expect]
    state = "provisional"               # state of the heat before the president confirms; "" for any
    order = ["4", "13", "23"]           # bibs of the result from the first on; the rest may follow
    gaps_ms = { "13" = 763 }            # behind the winner
    gap_tolerance_ms = 0
    statuses = { "30" = "DNF" }
    pull_off = "on_time"                # awaited, on_time, early, late, seen_again
    pace_compliant = true
    passings = { p3-finish = 37 }       # told by each device in this heat
    notices = ["too close"]             # words of a notice that must be shown
    no_notices = ["photo-finish has"]   # words that must not
    most_inferred = 0                   # inferred crossings of all riders
    devices = { p3-finish = "live" }    # state of the device after the heat

A key that is not written is not checked.
"""

from typing import Final, Literal

import msgspec

from config.errors import ConfigError
from config.models import Heat, Setup
from config.strict import Strict

STATES: Final = ("finished", "provisional", "official", "stopped", "bell", "sprint", "paced", "pacer_run", "")


class Expect(Strict, frozen=True, kw_only=True):
    """The expectations of a heat; null is not checked."""

    state: str | None = None
    order: tuple[str, ...] | None = None
    gaps_ms: dict[str, int] | None = None
    gap_tolerance_ms: int | None = None
    statuses: dict[str, str] | None = None
    pull_off: Literal["awaited", "on_time", "early", "late", "seen_again"] | None = None
    pace_compliant: bool | None = None
    passings: dict[str, int] | None = None
    notices: tuple[str, ...] | None = None
    no_notices: tuple[str, ...] | None = None
    most_inferred: int | None = None
    devices: dict[str, str] | None = None

    def over(self, general: "Expect") -> "Expect":
        """These expectations, with the general ones where these say nothing."""
        own = {name: getattr(self, name) for name in self.__struct_fields__}
        said = {name: value for name, value in own.items() if value is not None}
        return msgspec.structs.replace(general, **said)


def check_expect(expect: Expect, setup: Setup, heat: Heat | None, key: str, file: str) -> None:
    """Raise ConfigError for an expectation of somebody or something that the meet does not have."""
    devices = [device.id for device in setup.meet.devices]
    if expect.state is not None and expect.state not in STATES:
        raise ConfigError(file, f"{key}.state", expect.state, f"must be one of {', '.join(filter(None, STATES))}")
    for name, wanted in (("passings", expect.passings), ("devices", expect.devices)):
        for device in wanted or ():
            if device not in devices:
                raise ConfigError(file, f"{key}.{name}", device, f"must be a device of the meet: {', '.join(devices)}")
    if heat is None:
        if expect.order is not None or expect.gaps_ms is not None or expect.statuses is not None:
            hint = "order, gaps_ms and statuses are of one heat: write them in [heats.<id>.expect]"
            raise ConfigError(file, key, "order", hint)
        return
    bibs = [position.bib for position in heat.start_list]
    named = {"order": expect.order or (), "gaps_ms": expect.gaps_ms or (), "statuses": expect.statuses or ()}
    for name, some in named.items():
        for bib in some:
            if bib not in bibs:
                raise ConfigError(file, f"{key}.{name}", bib, f"must be on the start list: {', '.join(bibs)}")
