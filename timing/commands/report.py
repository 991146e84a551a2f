"""What the commands print for people: results as tables, progress while it takes long."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from timing.control.terminal import STATE_WORDS, gap_text, rider_name, seconds_text
from timing.race.meet import MeetState
from timing.race.picture import RACING_STATES, HeatPicture

LONG_ROWS = 10_000
"""A journal with fewer rows is replayed before a progress bar could be read."""


@contextmanager
def progress_bar(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A callback (done, total) that draws a bar once the work turns out to be long; else nothing is written."""
    with ExitStack() as drawn:
        bar: Progress | None = None
        task = TaskID(0)

        def show(done: int, total: int) -> None:
            nonlocal bar, task
            if bar is None and total >= LONG_ROWS and done < total:
                bar = drawn.enter_context(Progress(console=console, transient=True))
                task = bar.add_task(what, total=total)
            if bar is not None:
                bar.update(task, completed=done)
                if done >= total:
                    # What follows may draw on the same terminal.
                    drawn.close()
                    bar = None

        yield show


def tell_state(console: Console, picture: HeatPicture) -> None:
    """One line when a heat comes into another state; `tell_heat` has that of the official result."""
    if picture.state == "official":
        return
    again = f", attempt {picture.attempt}" if picture.attempt > 1 else ""
    laps = f", laps to go {picture.laps_to_go:g}" if picture.state in RACING_STATES else ""
    line = f"{picture.round}, {picture.heat}{again}: {STATE_WORDS[picture.state]}{laps}"
    console.print(line, highlight=False, soft_wrap=True)


def tell_heat(console: Console, picture: HeatPicture) -> None:
    """One line when a heat is official."""
    winner = picture.results[0].name if picture.results else "nobody"
    again = f", attempt {picture.attempt}" if picture.attempt > 1 else ""
    console.print(
        f"{picture.round}, {picture.heat}{again}: {winner} wins; derny {picture.pace.summary}",
        highlight=False,
        soft_wrap=True,
    )


def heat_table(picture: HeatPicture) -> Table:
    """The result of a heat as a table; places in brackets until it is official."""
    title = f"{picture.round} · {picture.name} · {picture.status}"
    caption = f"derny {picture.pace.summary}"
    if picture.finish.last_200_ms is not None:
        caption = f"winner's last 200 m {seconds_text(picture.finish.last_200_ms)}   {caption}"
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    table.add_column("place", justify="right")
    table.add_column("bib", justify="right")
    table.add_column("rider")
    table.add_column("nat")
    table.add_column("gap", justify="right")
    table.add_column("")
    starters = {starter.bib: starter for starter in picture.starters}
    for line in picture.results:
        place = "" if line.place is None else str(line.place)
        table.add_row(
            place if picture.status == "official" or not place else f"({place})",
            line.bib,
            rider_name(starters[line.bib]),
            line.nation or "",
            gap_text(line.gap_ms),
            " ".join(part for part in (line.status or "", line.reason) if part),
        )
    return table


def print_results(console: Console, state: MeetState, heat: str | None = None) -> None:
    """Tables of all opened heats, or of one."""
    for name, log in state.heats.items():
        if name == heat or (heat is None and log.opened_us is not None):
            console.print(heat_table(state.picture(name)))
