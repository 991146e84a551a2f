"""Pictures of the consoles during a heat: `python -m tests.screenshots [--speed N] [--to FOLDER]`.

The whole chain as a venue has it: rig, timing, broker with its ACL, console, and Chromium with a person of each role
signed in. Not drawn from made-up data: what is wrong on a screen in a race is wrong on its picture.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, expect

from tests.end_to_end.consoles.race_day import RaceDay
from tests.timing.control.console.browser.ridden import Person, chromium
from timing.paths import state_folder

SPEED: Final = 1.0
FOLDER: Final = Path("build") / "screenshots"
DESK: Final = (1440, 900)
TABLET: Final = (1024, 768)
WALL: Final = (1920, 1080)
HEAT: Final = "r1-1"
SCRIPT: Final = """
name = "Tokyo 2020, first heat: two reads are missed"
extends = "tokyo2020-men-keirin"
[heats.r1-1]
missed_reads = [{ bib = "4", loop = "back", lap = 3 }, { bib = "5", loop = "home", lap = 4 }]
unknown_transponders = [{ transponder = "777", loop = "finish", at_ms = 40_000 }]
"""
PATIENCE_MS: Final = 120_000
ROLES: Final = {
    "operator": ("operator", ".box"),
    "pace": ("starter", ".view"),
    "finish": ("judge", ".finish"),
    "commissaire": ("commissaire", ".commissaire"),
    "announcer": ("announcer", ".announcer"),
}
"""Of each screen who sits at it here, and what shows that it is there."""


class Photographer:
    """Takes a screen at the sizes at which it is used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.taken: list[Path] = []

    async def take(self, person: Person, name: str, *sizes: tuple[int, int]) -> None:
        """One picture a size, `<name>-<width>x<height>.png`; the first size is left as it is."""
        for width, height in (*sizes, sizes[0]):
            await person.page.set_viewport_size({"width": width, "height": height})
            await person.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
            path = self._folder / f"{name}-{width}x{height}.png"
            if path not in self.taken:
                await person.page.screenshot(path=path)
                self.taken.append(path)


async def photograph(folder: Path, speed: float) -> list[Path]:
    """Ride a heat and take everything. Returns the pictures' paths; raises AssertionError for a screen that fails."""
    expect.set_options(timeout=PATIENCE_MS)
    camera = Photographer(folder)
    with tempfile.TemporaryDirectory(prefix="velodrome-screens-") as scratch:
        script = Path(scratch) / "script.toml"
        script.write_text(SCRIPT, "utf-8")
        async with RaceDay(Path(scratch), state_folder(), str(script), speed) as day, chromium() as browser:
            await _ride(day, browser, camera)
    return camera.taken


async def _ride(day: RaceDay, browser: Browser, camera: Photographer) -> None:
    operator = await Person.sit_down(browser, day.hall, "operator", "operator", shows=".box")
    await expect(operator.page.locator(".box").filter(has_text="live")).to_have_count(7)
    await operator.press("o")
    await operator.type(HEAT)
    await operator.press("Enter")
    await operator.sees(".top-state", "On the line")
    people = {"operator": operator}
    for screen, (role, shows) in ROLES.items():
        if screen not in people:
            people[screen] = await Person.sit_down(browser, day.hall, role, screen, shows=shows)
    board = await Person.sit_down(browser, day.hall, "announcer", "board", size=WALL, shows=".board")
    await camera.take(board, "board-start", WALL)
    await operator.press("a")
    await _reaches(operator, "Behind the pacer")
    await operator.page.locator(".field tbody tr .col-lap").filter(has_text="2").first.wait_for(timeout=PATIENCE_MS)
    for screen in ("pace", "announcer", "operator", "finish", "commissaire"):
        await camera.take(people[screen], f"{screen}-race", DESK, TABLET)
    await camera.take(board, "board-race", WALL)
    await operator.page.locator(".card[data-alert=ring_bell]").wait_for(timeout=PATIENCE_MS)
    await camera.take(operator, "operator-bell", DESK)
    await operator.press("b")
    await camera.take(board, "board-bell", WALL)
    await _after_the_finish(people, board, camera)


async def _after_the_finish(people: dict[str, Person], board: Person, camera: Photographer) -> None:
    judge, panel = people["finish"], people["commissaire"]
    await _reaches(judge, "Provisional")
    await camera.take(board, "board-provisional", WALL)
    await judge.press("p")
    await judge.type("2 1 3-4 5 6")
    await judge.press("Enter")
    await judge.page.locator(".effect-table").wait_for()
    await camera.take(judge, "finish-preview", DESK, TABLET)
    await judge.press("Escape")
    await panel.sees(".ruling-status", "Provisional")
    await panel.press("2", "r", "ArrowDown", "Enter")
    await panel.page.locator(".effect-table").wait_for()
    await camera.take(panel, "commissaire-preview", DESK, TABLET)
    for screen in ("pace", "announcer"):
        await camera.take(people[screen], f"{screen}-result", DESK)
    for person in (*people.values(), board):
        assert person.faults == [], person.faults


async def _reaches(person: Person, state: str) -> None:
    await person.page.locator(".top-state").filter(has_text=state).wait_for(timeout=PATIENCE_MS)


def main() -> int:
    """Take the pictures and say where they are. Returns the exit code."""
    options = argparse.ArgumentParser(prog="python -m tests.screenshots", description="Pictures of the consoles.")
    options.add_argument("--speed", type=float, default=SPEED, help="of the race (default: %(default)s)")
    options.add_argument("--to", type=Path, default=FOLDER, help="the folder for them (default: %(default)s)")
    arguments = options.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    for path in asyncio.run(photograph(arguments.to, arguments.speed)):
        print(f"{path}  {path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
