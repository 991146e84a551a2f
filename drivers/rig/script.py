"""Race scripts: what happens in each heat, as TOML. Results to reach, the pacer's behaviour, seeded faults.

    name = "Men's keirin, Tokyo 2020"
    extends = "tokyo2020-men-keirin"    # optional: another script, of which only what differs is written here

    [heats.final-a]
    finish = [                          # in published order; a rider without gap_ms falls in the last lap
        { bib = "1", place = 1 },       # the winner: a place and no gap
        { bib = "2", place = 2, gap_ms = 763 },
        { bib = "3" },
    ]
    winner_sprint_ms = 42_000           # from the pacer's exit line to the finish line
    [heats.final-a.pacer]
    exit_kmh = 45.0
    [[heats.final-a.missed_reads]]
    bib = "2"                           # or "pacer"
    loop = "finish"
    lap = 3

A bad script raises `config.errors.ConfigError`: one line with file, key, value and what is allowed.
"""

import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from config.errors import ABSENT, ConfigError
from config.models import Heat, Setup
from config.shape import closest, to_struct
from config.strict import Strict
from drivers.rig.expect import Expect, check_expect
from drivers.rig.faults import Faults, check_faults

SCRIPT_FOLDER: Final = Path(__file__).parent / "scripts"
PACER: Final = "pacer"
"""Stands for the pacer where a script names a bib."""


class Finisher(Strict, frozen=True, kw_only=True):
    """A rider who starts. Without `gap_ms`, and not the winner, he falls in the last lap."""

    bib: str
    place: int | None = None
    gap_ms: int | None = None
    """Behind the winner, truncated to ms as published."""


class PacerScript(Strict, frozen=True, kw_only=True):
    """What the pacer does; without any of it, exactly what the rule book says."""

    exit_kmh: float | None = None
    """Speed at the exit line, in place of the rule book's."""
    leave_m: float | None = None
    """Leaves the track after this distance, in place of its exit line."""
    comes_back_m: float | None = None
    """After it left, it is on the track again from this distance for half a lap."""


class OvertakeScript(Strict, frozen=True, kw_only=True):
    """A rider who passes the pacer before its exit line: `margin_m` ahead of its front wheel at `at_m`."""

    bib: str
    at_m: float
    margin_m: float = 1.0


class MissedRead(Strict, frozen=True, kw_only=True):
    """The loop does not read this rider in this lap (counted from the start line, from 1)."""

    bib: str
    loop: str
    lap: int


class DoubleRead(Strict, frozen=True, kw_only=True):
    """The loop reads this rider a second time, `after_ms` later."""

    bib: str
    loop: str
    lap: int
    after_ms: int = 150


class FalseTrigger(Strict, frozen=True, kw_only=True):
    """An edge on a channel of an impulse box that nobody caused, `at_ms` after the gun."""

    channel: str
    at_ms: int


class UnknownTransponder(Strict, frozen=True, kw_only=True):
    """A transponder that belongs to nobody in the meet, over a loop `at_ms` after the gun."""

    transponder: str
    loop: str
    at_ms: int


class HeatScript(Strict, frozen=True, kw_only=True):
    """One heat. A rider of the start list who is not in `finish` does not start."""

    finish: tuple[Finisher, ...]
    winner_sprint_ms: int = 42_000
    pacer: PacerScript = PacerScript()
    overtakes_pacer: OvertakeScript | None = None
    missed_reads: tuple[MissedRead, ...] = ()
    double_reads: tuple[DoubleRead, ...] = ()
    false_triggers: tuple[FalseTrigger, ...] = ()
    unknown_transponders: tuple[UnknownTransponder, ...] = ()
    sheet_half_written: bool = False
    """A result file appears half written first and is completed one second later (folder devices only)."""
    expect: Expect | None = None
    """What must be true after the heat, checked by `velodrome rig --check`."""


class Script(Strict, frozen=True, kw_only=True):
    """The heats of a script by heat id."""

    name: str
    heats: dict[str, HeatScript]
    extends: str | None = None
    faults: Faults = Faults()
    """What goes wrong with the boxes and their lines (drivers.rig.faults)."""
    ports: dict[str, str] = msgspec.field(default_factory=dict)
    """Device to the address of the rig's own end, where it is not the host's: a real serial port of a cable."""
    expect: Expect | None = None
    """For every heat, where the heat's own `expect` says nothing."""

    def expected(self, heat: str) -> Expect | None:
        """What is expected of a heat: its own expectations over those of the script. Raises KeyError."""
        own = self.heats[heat].expect
        if own is None or self.expect is None:
            return own or self.expect
        return own.over(self.expect)


def shipped_scripts() -> list[str]:
    """Names of the scripts that come with the program."""
    return sorted(path.stem for path in SCRIPT_FOLDER.glob("*.toml"))


def load_script(name_or_path: str | Path, setup: Setup | None = None) -> Script:
    """Read a shipped script by its name, or a script file by its path; check it against a meet if given.

    Raises ConfigError when it cannot be read, is not well formed, or names what the meet does not have.
    """
    path = _find(name_or_path)
    script = to_struct(_read(path, ()), Script, path.name)
    for heat_id, heat in script.heats.items():
        _check_finish(heat, f"heats.{heat_id}", path.name)
    if setup is not None:
        check_against(script, setup, path.name)
    return script


def _find(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if text.endswith(".toml") or "/" in text:
        return Path(text)
    path = SCRIPT_FOLDER / f"{text}.toml"
    if not path.is_file():
        names = shipped_scripts()
        hint = f"no such script;{closest(text, names)} Shipped are {', '.join(names)}; or give a path to a .toml"
        raise ConfigError(text, None, ABSENT, hint)
    return path


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The raw tables of a script laid over those of the script that it extends."""
    if path in seen:
        raise ConfigError(path.name, "extends", ABSENT, "leads back to this script; take it out of one of them")
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(str(path), None, ABSENT, f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), None, ABSENT, f"is not TOML: {error}") from error
    base = raw.get("extends")
    if not isinstance(base, str):
        return raw
    beside = path.parent / base
    base_path = beside if base.endswith(".toml") and beside.is_file() else _find(base)
    return _merged(_read(base_path, (*seen, path)), raw)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`, table by table; lists and values are replaced whole."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _check_finish(heat: HeatScript, key: str, file: str) -> None:
    bibs = [finisher.bib for finisher in heat.finish]
    for index, finisher in enumerate(heat.finish):
        here = f"{key}.finish[{index}]"
        if finisher.bib in bibs[:index]:
            raise ConfigError(file, f"{here}.bib", finisher.bib, "is in the list twice; take one out")
        if finisher.gap_ms is not None and finisher.gap_ms < 0:
            raise ConfigError(file, f"{here}.gap_ms", finisher.gap_ms, "must be 0 or more")
    if not heat.finish or heat.finish[0].place is None or heat.finish[0].gap_ms is not None:
        raise ConfigError(file, f"{key}.finish", ABSENT, "must begin with the winner: a place and no gap_ms")
    if heat.winner_sprint_ms <= 0:
        raise ConfigError(file, f"{key}.winner_sprint_ms", heat.winner_sprint_ms, "must be above 0")


def check_against(script: Script, setup: Setup, file: str) -> None:
    """Raise ConfigError when the script names a heat, rider, loop or channel that the meet does not have."""
    heats = {heat.id: heat for heat in setup.meet.heats}
    for heat_id, heat in script.heats.items():
        if heat_id not in heats:
            hint = f"the meet has no such heat;{closest(heat_id, heats)} It has {', '.join(heats)}"
            raise ConfigError(file, f"heats.{heat_id}", ABSENT, hint)
        _check_heat(heat, heats[heat_id], setup, file)
    known = [device.id for device in setup.meet.devices]
    for device, address in script.ports.items():
        if device not in known:
            raise ConfigError(file, f"ports.{device}", address, f"must be a device of the meet: {', '.join(known)}")
        if not address.startswith("serial:"):
            raise ConfigError(file, f"ports.{device}", address, "must be a serial port: serial:/dev/ttyUSB1?baud=9600")
    check_faults(script.faults, setup, file)
    if script.expect is not None:
        check_expect(script.expect, setup, None, "expect", file)
    for heat_id, heat in script.heats.items():
        if heat.expect is not None:
            check_expect(heat.expect, setup, heats[heat_id], f"heats.{heat_id}.expect", file)


def _check_heat(heat: HeatScript, entered: Heat, setup: Setup, file: str) -> None:
    bibs = [position.bib for position in entered.start_list]
    loops = [loop.id for loop in setup.venue.loops]
    channels = [channel.channel for device in setup.meet.devices for channel in device.channels if channel.role]
    key = f"heats.{entered.id}"

    def require(value: str, known: list[str], what: str, where: str) -> None:
        if value not in known:
            raise ConfigError(file, f"{key}.{where}", value, f"must be {what}: {', '.join(known)}")

    for index, finisher in enumerate(heat.finish):
        require(finisher.bib, bibs, "on the start list", f"finish[{index}].bib")
    if heat.overtakes_pacer is not None:
        require(heat.overtakes_pacer.bib, bibs, "on the start list", "overtakes_pacer.bib")
    reads: tuple[tuple[str, tuple[MissedRead | DoubleRead, ...]], ...] = (
        ("missed_reads", heat.missed_reads),
        ("double_reads", heat.double_reads),
    )
    for name, faults in reads:
        for index, fault in enumerate(faults):
            require(fault.bib, [*bibs, PACER], "on the start list, or pacer", f"{name}[{index}].bib")
            require(fault.loop, loops, "a loop of the venue", f"{name}[{index}].loop")
    for index, stray in enumerate(heat.unknown_transponders):
        require(stray.loop, loops, "a loop of the venue", f"unknown_transponders[{index}].loop")
    for index, trigger in enumerate(heat.false_triggers):
        require(trigger.channel, channels, "a channel of an impulse box", f"false_triggers[{index}].channel")
