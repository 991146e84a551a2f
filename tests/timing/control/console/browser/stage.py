"""A screen on a stage: the real page, script and core, with the stream of events played by the test.

So every moment of a race can be held still and looked at. What the console's server does with the stream is tested
elsewhere; here it is replaced by the messages that the core would publish.
"""

import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Route

from tests.timing.control.conftest import Office
from tests.timing.control.console.browser.ridden import STATIC, chromium
from timing.control import board
from timing.control.console.visible import public_fields
from timing.race.events import Event
from timing.race.seen import PassingNews

ORIGIN = "http://stage.test"
TYPES = {"js": "text/javascript", "css": "text/css", "json": "application/json"}
FIRST_STYLES = ("base", "themes", "frame")
Topics = dict[str, dict[str, Any]]

PLAYED_STREAM = """
window.EventSource = class {
  constructor() { this.takers = {}; this.readyState = 1; window.stream = this;
                  setInterval(() => window.beat && this.play("beat", window.beat()), 200); }
  addEventListener(kind, taker) { this.takers[kind] = taker; }
  play(kind, data) { this.takers[kind]?.({ data: JSON.stringify(data) }); }
  close() {}
};
const asked = window.fetch;
window.unanswered = 0;
window.fetch = (...what) => {
  window.unanswered += 1;
  return asked(...what).finally(() => { window.unanswered -= 1; });
};
"""
BEGIN = """([topics, passings, atUs]) => {
  window.atUs = atUs;
  window.beat = () => ({ host_us: 0, core: { at_us: window.atUs, speed: 0 }, links: { mqtt: "up", core: "up" } });
  window.stream.play("snapshot", { n: 1, topics, passings, ...window.beat() });
}"""
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"

ANSWERED = """async () => {
  const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
  let waited;
  do { waited = window.unanswered > 0; await drawn(); } while (waited || window.unanswered > 0);
}"""


class WatchedOffice(Office):
    """An office that also keeps the stream of passings."""

    news: list[PassingNews]

    def take(self, event: Event) -> None:
        """One more row."""
        if not hasattr(self, "news"):
            self.news = []
        self._row += 1
        self.news += self.state.apply(self._row, event)


def topics_of(office: Office) -> Topics:
    """What the core publishes of the office as it is now, by topic below the meet."""
    state = office.state
    current = board.current_body(state, None if state.current is None else office.picture)
    bodies = [board.meet_body(state), current, board.board_body(current), board.health_body(state)]
    bodies += [board.competition_body(state), *board.device_bodies(state)]
    for heat, log in state.heats.items():
        if log.opened_us is not None:
            bodies += board.heat_bodies(log, state.picture(heat), state.earlier_paces(heat))
    return {one.topic: json.loads(msgspec.json.encode(one.fields)) for one in bodies}


def public_topics(office: Office) -> Topics:
    """Of these what everybody may see."""
    found = {topic: public_fields(topic.rpartition("/")[2], fields) for topic, fields in topics_of(office).items()}
    return {topic: fields for topic, fields in found.items() if fields is not None}


class Stage:
    """A browser whose pages come from the repository."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.faults: list[str] = []

    async def page(
        self,
        screen: str = "",
        *,
        size: tuple[int, int] = (1440, 900),
        theme: str = "hall",
        lang: str = "en",
        role: str = "operator",
        actions: str | None = None,
    ) -> Page:
        """The shell of a screen, waiting for its first events; without a screen an empty page for scripts.

        `actions` are the orders that the role may give; None is all.
        """
        page = await self.browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda told: self.faults.append(told.text) if told.type == "error" else None)
        await page.add_init_script(PLAYED_STREAM)
        shell = _shell(screen, theme, lang, role, actions) if screen else "<!doctype html><title>scripts</title>"

        async def answer(route: Route) -> None:
            path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
            if path.startswith("/static/"):
                kind = TYPES[path.rpartition(".")[2]]
                await route.fulfill(path=STATIC / path.removeprefix("/static/"), content_type=kind)
            else:
                await route.fulfill(body=shell, content_type="text/html; charset=utf-8")

        await page.route(f"{ORIGIN}/**", answer)
        await page.goto(f"{ORIGIN}/{screen}")
        return page

    async def show(self, screen: str, office: Office, *, public: bool = False, **looks: Any) -> Page:
        """A screen with the picture of an office; the core's clock stands at the office's time."""
        page = await self.page(screen, role="public" if public else "operator", **looks)
        await page.wait_for_function("() => Object.keys(window.stream?.takers ?? {}).length >= 5")
        await tell(page, office, public=public)
        return page


async def tell(page: Page, office: Office, *, public: bool = False, later_us: int = 0) -> None:
    """Give a page the picture of the office, `later_us` after its newest event."""
    topics = public_topics(office) if public else topics_of(office)
    news = json.loads(msgspec.json.encode(getattr(office, "news", [])[-300:]))
    await page.evaluate(BEGIN, [topics, news, office.now_us + later_us])
    await page.evaluate(DRAWN)


async def press(page: Page, *keys: str) -> None:
    """Keys one after the other, each after the screen has drawn what the one before did and what was answered to it."""
    for key in keys:
        await page.keyboard.press(key)
        await page.evaluate(ANSWERED)


async def axe(page: Page) -> list[str]:
    """What axe finds wrong with the page."""
    results = await Axe().run(page)
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in results.response["violations"]]


@contextlib.asynccontextmanager
async def stage(browser: Browser | None = None) -> AsyncIterator[Stage]:
    """A stage in a browser, or in a Chromium of its own; at its end no script may have failed."""
    async with contextlib.AsyncExitStack() as stack:
        one = Stage(browser or await stack.enter_async_context(chromium()))
        yield one
        assert one.faults == []


def _shell(screen: str, theme: str, lang: str, role: str, actions: str | None) -> str:
    names = sorted(path.stem for path in (STATIC / "css").glob("*.css"))
    ordered = [*FIRST_STYLES, *(name for name in names if name not in FIRST_STYLES)]
    styles = "".join(f'<link rel="stylesheet" href="/static/css/{name}.css">' for name in ordered)
    body = {"screen": screen, "role": role, "actor": "", "csrf": "", "meet": "m", "screens": f"{screen} board"}
    body |= {} if actions is None else {"actions": actions}
    data = "".join(f' data-{name}="{value}"' for name, value in body.items())
    page = f"""<!doctype html><html lang="{lang}" data-theme="{theme}"><head><meta charset="utf-8"><title>stage</title>
    <meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
    {styles}<script type="module" src="/static/js/main.js"></script></head>
    <body{data}><div id="app"></div></body></html>"""
    return re.sub(r"\n\s+", "\n", page)
