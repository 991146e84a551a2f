"""A hall in which a heat has just been ridden: its journal is made from the rig's timeline, the core resumes it.

So a test begins where the judges' work begins, with the real core, broker, console and Chromium, and no waiting.
"""

import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import msgspec
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Route, async_playwright, expect

from config.loader import load_setup
from config.models import Setup
from drivers.records import Delivery, PhotoFinish, PhotoFinishLine
from drivers.rig.race import TimedEvent, build_timeline
from drivers.rig.script import load_script
from tests.end_to_end.mosquitto import Mosquitto
from tests.timing.control.conftest import GUN_US, Office
from tests.timing.control.console.hall import Hall
from timing.journal import Entry, Journal
from timing.race.events import Event, encode_event, event_time_us
from timing.race.picture import HeatPicture

HEAT = "r1-1"
SCRIPT = "tokyo2020-men-keirin"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STATIC = Path(__file__).parents[5] / "timing" / "control" / "console" / "static"
SOON_MS = 30_000
SIZES = ((1024, 768), (1440, 900), (1920, 1080))


class RecordingOffice(Office):
    """An office that keeps its events, to be written into a journal."""

    def __init__(self, setup: Setup) -> None:
        self.events: list[Event] = []
        super().__init__(setup)

    def take(self, event: Event) -> None:
        """One more row, kept."""
        self.events.append(event)
        super().take(event)

    def hear(self, event: TimedEvent) -> None:
        """What a box says of something on the track."""
        record = self._record(event)
        if record is not None:
            self.now_us = GUN_US + event.at_us
            self.deliver(record)

    def sheet(self, *bibs: str) -> None:
        """The camera's operator reads the picture anew: the same times, these riders in this order."""
        deliveries = [one for one in self.events if isinstance(one, Delivery)]
        last = next(one.records[0] for one in reversed(deliveries) if isinstance(one.records[0], PhotoFinish))
        assert isinstance(last, PhotoFinish)
        names = {line.bib: line.name for line in last.lines}
        lines = tuple(
            PhotoFinishLine(place=line.place, bib=bib, name=names[bib], time_us=line.time_us)
            for line, bib in zip(last.lines, bibs, strict=True)
        )
        self.deliver(msgspec.structs.replace(last, lines=lines, received_us=self.now_us))


def ride(heat: str = HEAT, until: str | None = None) -> RecordingOffice:
    """The heat of the Tokyo script, ridden to the photo-finish, or until it is in this state for the first time."""
    office = RecordingOffice(load_setup(SCRIPT))
    office.to_the_gun(heat)
    programme = {one.id: one for one in office.setup.meet.heats}
    timeline = build_timeline(office.setup, programme[heat], load_script(SCRIPT).heats[heat], seed=1)
    for event in timeline.events:
        office.hear(event)
        if until is not None and office.picture.state == until:
            break
    return office


def write_journal(path: Path, office: RecordingOffice) -> None:
    """What happened in the office, as the core would have journaled it."""
    journal = Journal.create(path, 1, uuid.uuid4())
    try:
        journal.append([_entry(event) for event in office.events])
    finally:
        journal.close()


def _entry(event: Event) -> Entry:
    kind, body = encode_event(event)
    return Entry(kind, event_time_us(event), body)


@contextlib.asynccontextmanager
async def ridden_hall(folder: Path, office: RecordingOffice, **console: Any) -> AsyncIterator[Hall]:
    """A hall that resumes what happened in the office; `console` are settings of its console."""
    broker_folder = folder / "broker"
    broker_folder.mkdir()
    mosquitto = Mosquitto(broker_folder)
    await mosquitto.start()
    meet = msgspec.structs.replace(office.setup.meet, devices=())
    hall = Hall(msgspec.structs.replace(office.setup, meet=meet), mosquitto, folder)
    hall.configure(**console)
    write_journal(folder / "meet.journal", office)
    try:
        yield await hall.start()
    finally:
        await hall.close()
        mosquitto.kill()


def picture(hall: Hall, heat: str = HEAT) -> HeatPicture:
    """What the core has on the heat now."""
    assert hall.service is not None
    return hall.service.state.picture(heat)


def order(hall: Hall, heat: str = HEAT) -> list[tuple[int | None, str, str | None]]:
    """Place, bib and code of each line of the core's result."""
    return [(line.place, line.bib, line.status) for line in picture(hall, heat).results]


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


class Person:
    """Somebody at a console who has only a keyboard."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda message: self.faults.append(message.text) if message.type == "error" else None)

    @classmethod
    async def sit_down(
        cls,
        browser: Browser,
        hall: Hall,
        role: str,
        screen: str,
        *,
        size: tuple[int, int] = (1440, 900),
        lang: str = "en",
        theme: str = "hall",
        actor: str | None = None,
        shows: str = ".view table",
        before: str = "",
    ) -> Self:
        """Open a screen in a browser in which the person of this role (or `actor`) has signed in.

        Returns when the screen shows this. A script `before` runs before those of the page.
        """
        context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="en-GB")
        async with hall.signed_in(role, actor) as signed_in:
            session = {cookie.name: cookie.value or "" for cookie in signed_in.http.cookies.jar}
        for name, value in (session | {"lang": lang, "theme": theme}).items():
            await context.add_cookies([{"name": name, "value": value, "url": hall.address}])
        if before:
            await context.add_init_script(before)
        page = await context.new_page()
        person = cls(page)
        await page.goto(f"{hall.address}{screen}")
        await page.locator(shows).first.wait_for(state="attached")
        # Keys are taken by a live screen only, and the core of a young console has yet to be heard.
        await page.locator(".app[data-live=yes]").wait_for()
        return person

    async def press(self, *keys: str) -> None:
        """Keys one after the other, each after the screen has drawn what the one before did.

        A line that was sent takes no keys before the core has answered: it is waited for.
        """
        for key in keys:
            await self.page.keyboard.press(key)
            await self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
            await self.page.locator(".question-line[aria-busy=true]").wait_for(state="detached", timeout=SOON_MS)

    async def type(self, text: str) -> None:
        """Text into the line that has the cursor, in place of what stands there."""
        await self.page.keyboard.press("Control+a")
        await self.page.keyboard.type(text)

    async def sees(self, selector: str, *texts: str) -> None:
        """Every text stands in that part of the screen, now or soon."""
        for text in texts:
            # Looked at with every frame; `expect` would look once a second in the end.
            await self.page.locator(selector).filter(has_text=text).first.wait_for(state="attached", timeout=SOON_MS)

    async def misses(self, selector: str) -> None:
        """Nothing like that is on the screen."""
        await expect(self.page.locator(selector)).to_have_count(0)

    async def rows(self, table: str) -> list[list[str]]:
        """The texts of a table's body."""
        script = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
        found: list[list[str]] = await self.page.locator(f"{table} tbody tr").evaluate_all(script)
        return found

    async def axe(self) -> list[str]:
        """What axe finds wrong with the page."""
        results = await Axe().run(self.page)
        return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in results.response["violations"]]


async def module_page(browser: Browser) -> Page:
    """A page that can import the console's scripts and is served nothing else: for what is pure in them."""
    page = await browser.new_page()

    async def answer(route: Route) -> None:
        path = route.request.url.removeprefix("http://console.test/")
        if path:
            await route.fulfill(path=STATIC / path, content_type="text/javascript")
        else:
            await route.fulfill(body="<!doctype html><title>modules</title>", content_type="text/html")

    await page.route("http://console.test/**", answer)
    await page.goto("http://console.test/")
    return page


@contextlib.asynccontextmanager
async def modules() -> AsyncIterator[Page]:
    """The same in a Chromium of its own."""
    async with chromium() as browser:
        yield await module_page(browser)
