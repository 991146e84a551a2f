"""The live view in the terminal: heat, state, laps to go, the field, the derny, the boxes, what needs a person.

Drawn from the picture and the state of the meet; it decides nothing and keeps nothing.
"""

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Group, JustifyMethod, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from timing.race.meet import MeetState
from timing.race.picture import RACING_STATES, Crossing, HeatPicture, PaceSection, RiderSplits, Starter

STATE_WORDS = {
    "drawn": "drawn",
    "on_line": "riders on the line",
    "pacer_run": "armed, pacer on the track",
    "started": "STARTED",
    "first_lap": "first lap, drawn order",
    "paced": "paced",
    "pacer_exit": "pacer leaving",
    "sprint": "SPRINT",
    "bell": "LAST LAP",
    "finished": "finished",
    "stopped": "STOPPED",
    "provisional": "provisional",
    "official": "OFFICIAL",
}
DEVICE_SIGNS = {"live": ("●", "green"), "silent": ("◐", "yellow"), "unknown": ("○", "dim")}
LOST_SIGN = ("✖", "red")
BAND_STYLES = {"in": "", "amber": "yellow", "red": "bold red"}
BAND_WORDS = {"in": "in tolerance", "amber": "AMBER", "red": "RED"}
STATE_STYLES = {"stopped": "bold white on red", "official": "bold black on green"}

COLUMNS: tuple[tuple[str, JustifyMethod, int], ...] = (
    ("place", "right", 5),
    ("bib", "right", 4),
    ("rider", "left", 0),
    ("nat", "left", 3),
    ("at m", "left", 13),
    ("half lap", "right", 8),
    ("lap", "right", 7),
    ("km/h", "right", 5),
    ("gap", "right", 7),
    ("note", "left", 12),
)
"""Title, side and width of the field's columns: fixed, so that numbers that change do not move; 0 takes the rest."""


def rider_name(starter: Starter) -> str:
    """SURNAME Given, as race offices print it (track-rules §6)."""
    return f"{starter.surname.upper()} {starter.given}".strip() if starter.surname else starter.name


def gap_text(gap_ms: int | None) -> str:
    """`+0.763`; empty where there is no gap."""
    return "" if gap_ms is None else f"+{gap_ms // 1000}.{gap_ms % 1000:03d}"


def seconds_text(duration_ms: int | None) -> str:
    """`13.305`; empty where unknown."""
    return "" if duration_ms is None else f"{duration_ms // 1000}.{duration_ms % 1000:03d}"


def live_view(state: MeetState, picture: HeatPicture | None, now_us: int, console: str = "") -> RenderableType:
    """The whole screen. `console` is the address of race control's consoles, or what is the matter with them."""
    foot = [_devices(state), *([Text.assemble(("consoles  ", "bold"), console)] if console else [])]
    if picture is None:
        name = state.setup.meet.name if state.setup is not None else ""
        return Group(Panel(Text(f"{name}\nno heat is open", justify="center")), *foot)
    return Group(_head(picture, now_us), _field(picture), _pace(picture), _notices(picture), *foot)


def clock_text(race_us: int) -> str:
    """`1:08.9` since the gun, truncated."""
    tenths = max(0, race_us) // 100_000
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _laps_text(picture: HeatPicture) -> str:
    laps = picture.laps_to_go
    unit = "lap" if laps == 1 else "laps"
    return f"{laps:g} {unit} to go" if picture.state in RACING_STATES else f"{laps:g} {unit}"


def _head(picture: HeatPicture, now_us: int) -> RenderableType:
    racing = picture.state in RACING_STATES and picture.start_us is not None
    title = picture.name if picture.name == picture.round else f"{picture.round} · {picture.name}"
    grid = Table.grid(expand=True, padding=(0, 2))
    grid.add_column(ratio=1)
    grid.add_column(width=27, no_wrap=True)
    grid.add_column(width=13, justify="right", no_wrap=True)
    grid.add_column(width=7, justify="right", no_wrap=True)
    state = Text(f" {STATE_WORDS.get(picture.state, picture.state)} ", STATE_STYLES.get(picture.state, "reverse"))
    laps = _laps_text(picture) if racing or picture.start_us is None else ""
    clock = clock_text(now_us - picture.start_us) if racing and picture.start_us is not None else ""
    grid.add_row(Text(f"{title}   attempt {picture.attempt}", "bold"), state, Text(laps, "bold"), clock)
    if picture.state == "stopped" and picture.attempts and picture.attempts[-1].reason:
        grid.add_row(Text(f"stopped: {picture.attempts[-1].reason}"))
    return Panel(grid)


def _last(splits: RiderSplits) -> Crossing | None:
    return splits.crossings[-1] if splits.crossings else None


def _field(picture: HeatPicture) -> RenderableType:
    table = Table(expand=True, box=SIMPLE_HEAD, padding=0)
    for title, side, width in COLUMNS:
        if width:
            table.add_column(title, justify=side, width=width)
        else:
            table.add_column(title, justify=side, ratio=1, no_wrap=True, overflow="ellipsis")
    starters = {starter.bib: starter for starter in picture.starters}
    splits = {one.bib: one for one in picture.splits}
    finished = any(line.place is not None for line in picture.results)
    for place, bib, gap, note in _ranking(picture, finished):
        last = _last(splits[bib]) if bib in splits else None
        provisional = picture.status != "official"
        shown = "" if place is None else f"({place})" if provisional else str(place)
        table.add_row(
            shown,
            bib,
            rider_name(starters[bib]),
            starters[bib].nation or "",
            "" if last is None else f"{last.loop} {last.distance_m:g}",
            seconds_text(_newest(splits.get(bib), "half_lap_ms")),
            seconds_text(_newest(splits.get(bib), "lap_ms")),
            "" if last is None or last.speed_kmh is None else f"{last.speed_kmh:.1f}",
            gap_text(gap),
            note,
        )
    return table


def _newest(splits: RiderSplits | None, name: str) -> int | None:
    for crossing in reversed(splits.crossings if splits is not None else ()):
        value: int | None = getattr(crossing, name)
        if value is not None:
            return value
    return None


def _ranking(picture: HeatPicture, finished: bool) -> Iterable[tuple[int | None, str, int | None, str]]:
    """(place, bib, gap, note): the result once there is one, before it the order at the last loop, then the draw."""
    if finished:
        for line in picture.results:
            status = line.status or ""
            yield line.place, line.bib, line.gap_ms, status or ("" if line.place else "no place")
        return
    ranked: set[str] = set()
    if picture.orders:
        for entry in picture.orders[-1].entries:
            ranked.add(entry.bib)
            note = f"inferred {entry.confidence}%" if entry.inferred else ""
            yield entry.place, entry.bib, entry.gap_ms or None, note
        before = picture.orders[-2].entries if len(picture.orders) > 1 else ()
        for entry in before:
            if entry.bib not in ranked:
                ranked.add(entry.bib)
                yield None, entry.bib, None, ""
    for starter in picture.starters:
        if starter.bib not in ranked:
            yield None, starter.bib, None, f"draw {starter.draw}" if not picture.orders else ""


def _pace(picture: HeatPicture) -> RenderableType:
    pace = picture.pace
    text = Text.assemble(("derny  ", "bold"), pace.summary)
    if pace.compliant is None and pace.sections:
        text.append("\n       ")
        _append_section(text, pace.sections[-1])
    elif pace.compliant is False:
        text.stylize("yellow")
    return Panel(text)


def _append_section(text: Text, last: PaceSection) -> None:
    if last.speed_at_end_kmh is not None:
        text.append(f"{last.speed_at_end_kmh:.1f} km/h at {last.to_m:g} m   ")
    tenths = round(last.deviation_kmh * 10)
    side = "as the target" if tenths == 0 else f"{abs(tenths) / 10:.1f} km/h too {'fast' if tenths > 0 else 'slow'}"
    text.append(f"{side}: {BAND_WORDS[last.band]}", BAND_STYLES[last.band])
    if last.predicted_exit_kmh is not None:
        text.append(f"   expected at the exit {last.predicted_exit_kmh:.1f} km/h")


def _notices(picture: HeatPicture) -> RenderableType:
    if not picture.notices:
        return Text("")
    return Panel(Text("\n".join(f"! {notice}" for notice in picture.notices), style="yellow"))


def _devices(state: MeetState) -> RenderableType:
    """Each box that is not well on a line of its own, with what is wrong and what to do; the others side by side."""
    well: list[RenderableType] = []
    unwell: list[RenderableType] = []
    for name, view in state.devices.items():
        sign, style = DEVICE_SIGNS.get(view.state, LOST_SIGN)
        warned = bool(state.trends.device(name).warnings)
        if view.state in ("live", "unknown"):
            fit = state.clocks[name].fit()
            clock = "" if fit.quality == "none" else f" ±{fit.uncertainty_us / 1000:.1f} ms"
            text = Text.assemble((sign, style), f" {name} {view.state}{clock}")
            well.append(text.append(" ▼ weak", "yellow") if warned else text)
            continue
        text = Text.assemble((sign, style), f" {name} {view.state.replace('_', ' ').upper()}")
        text.append(f": {view.reason}" if view.reason else "")
        text.append(f"; {view.advice}" if view.advice else "", "yellow")
        unwell.append(text)
    return Group(*unwell, Columns(well, padding=(0, 2), equal=True))
