"""The live view in the terminal: heat, state, laps to go, the field, the derny, the boxes, what needs a person.

Drawn from the picture and the state of the meet; it decides nothing and keeps nothing.
"""

from collections.abc import Iterable

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from timing.race.meet import MeetState
from timing.race.picture import Crossing, HeatPicture, RiderSplits, Starter

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
    "finished": "finished, awaiting the photo-finish",
    "stopped": "STOPPED",
    "provisional": "provisional",
    "official": "OFFICIAL",
}
DEVICE_SIGNS = {"live": ("●", "green"), "silent": ("◐", "yellow"), "unknown": ("○", "dim")}
LOST_SIGN = ("✖", "red")
BAND_STYLES = {"in": "", "amber": "yellow", "red": "bold red"}


def rider_name(starter: Starter) -> str:
    """SURNAME Given, as race offices print it (track-rules §6)."""
    return f"{starter.surname.upper()} {starter.given}".strip() if starter.surname else starter.name


def gap_text(gap_ms: int | None) -> str:
    """`+0.763`; empty where there is no gap."""
    return "" if gap_ms is None else f"+{gap_ms // 1000}.{gap_ms % 1000:03d}"


def seconds_text(duration_ms: int | None) -> str:
    """`13.305`; empty where unknown."""
    return "" if duration_ms is None else f"{duration_ms // 1000}.{duration_ms % 1000:03d}"


def live_view(state: MeetState, picture: HeatPicture | None, now_us: int) -> RenderableType:
    """The whole screen."""
    if picture is None:
        name = state.setup.meet.name if state.setup is not None else ""
        return Group(Panel(Text(f"{name}\nno heat is open", justify="center")), _devices(state))
    return Group(_head(picture, now_us), _field(picture), _pace(picture), _notices(picture), _devices(state))


def _head(picture: HeatPicture, now_us: int) -> RenderableType:
    race = ""
    if picture.start_us is not None and picture.status not in ("official", "provisional"):
        race = seconds_text(max(0, now_us - picture.start_us) // 100_000 * 100)[:-2]
    laps = f"{picture.laps_to_go:g} to go" if picture.start_us is not None else f"{picture.laps_to_go:g} laps"
    line = Text.assemble(
        (f"{picture.round} · {picture.name}", "bold"),
        f"   attempt {picture.attempt}   ",
        (STATE_WORDS.get(picture.state, picture.state), "reverse"),
        f"   {laps}   {race}",
    )
    return Panel(line)


def _last(splits: RiderSplits) -> Crossing | None:
    return splits.crossings[-1] if splits.crossings else None


def _field(picture: HeatPicture) -> RenderableType:
    table = Table(expand=True, pad_edge=False)
    for title, justify in (
        ("place", "right"),
        ("bib", "right"),
        ("rider", "left"),
        ("nat", "left"),
        ("at", "left"),
        ("half lap", "right"),
        ("lap", "right"),
        ("km/h", "right"),
        ("gap", "right"),
        ("", "left"),
    ):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
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
            "" if last is None else f"{last.loop} {last.distance_m:g} m",
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
            note = f"inferred {entry.confidence} %" if entry.inferred else ""
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
        last = pace.sections[-1]
        at_end = "?" if last.speed_at_end_kmh is None else f"{last.speed_at_end_kmh:.1f}"
        predicted = "?" if last.predicted_exit_kmh is None else f"{last.predicted_exit_kmh:.1f}"
        text.append(
            f"   at {last.to_m:g} m {at_end} km/h, section {last.deviation_kmh:+.1f} km/h ({last.band})",
            BAND_STYLES[last.band],
        )
        text.append(f"   predicted at exit {predicted} km/h")
    elif pace.compliant is False:
        text.stylize("yellow")
    return Panel(text)


def _notices(picture: HeatPicture) -> RenderableType:
    if not picture.notices:
        return Text("")
    return Panel(Text("\n".join(f"! {notice}" for notice in picture.notices), style="yellow"))


def _devices(state: MeetState) -> RenderableType:
    found = []
    for name, view in state.devices.items():
        sign, style = DEVICE_SIGNS.get(view.state, LOST_SIGN)
        fit = state.clocks[name].fit()
        clock = "" if fit.quality == "none" else f" ±{fit.uncertainty_us / 1000:.1f} ms"
        text = Text.assemble((sign, style), f" {name} {view.state}{clock}")
        if view.advice and view.state not in ("live", "unknown"):
            text.append(f" {view.advice}", "yellow")
        found.append(text)
    return Columns(found, padding=(0, 3))
