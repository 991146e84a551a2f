"""A race office at its screens: the console's process, a crowd that reads its stream, and one real Chromium.

The browser notes when a passing is in its DOM. Its clock and ours are both the machine's monotonic one with another
zero, so one handshake ties them together.
"""

import asyncio
import os
import re
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx
import msgspec
from playwright.async_api import Browser, Error, Page, Playwright, async_playwright

from config.models import Console
from tests.bench.stand import START_TIMEOUT_S, Program, ServiceStand, StandError
from timing.control.console.job import DEMO_PASSWORD, Job
from timing.control.console.process import ConsoleProcess

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
ROLE = "operator"
SIZE = (1440, 900)
HANDSHAKES = 50
CROWD_NICE = 10
"""Nobody times on the machines that these stand for."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

WATCH = """() => {
  window.seen = {};
  window.busyMs = 0;
  window.longestMs = 0;
  const note = (node, at) => { if (!(node.dataset.row in window.seen)) window.seen[node.dataset.row] = at; };
  new MutationObserver((changes) => {
    const at = performance.now();
    for (const change of changes) for (const node of change.addedNodes) {
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      if (node.matches('[data-list="passings"] > li')) note(node, at);
      else for (const row of node.querySelectorAll('[data-list="passings"] > li')) note(row, at);
    }
  }).observe(document.body, { childList: true, subtree: true });
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) {
      window.busyMs += task.duration;
      window.longestMs = Math.max(window.longestMs, task.duration);
    }
  }).observe({ type: "longtask" });
}"""
"""Tells of each row of the list of passings, by the passing's reference, when it came into the document."""


class Handshake(NamedTuple):
    """What to add to the page's clock to get ours, and how far that may be wrong; ms."""

    offset_ms: float
    uncertainty_ms: float


class Seen(NamedTuple):
    """What the browser noted: each passing's reference → our perf_counter ms; and its tasks longer than 50 ms."""

    at_ms: dict[str, float]
    uncertainty_ms: float
    long_tasks_ms: float
    longest_task_ms: float


class ConsoleStand:
    """The console of a service with so many open screens, one of them real. An async context manager."""

    def __init__(self, stand: ServiceStand, screens: int) -> None:
        self._stand = stand
        self._screens = screens
        self._folder = stand.folder
        self._report = stand.folder / "crowd.json"
        self._process: ConsoleProcess
        self._playwright: Playwright
        self._browser: Browser | None = None
        self._crowd: Program | None = None
        self._before: Handshake
        self._page: Page

    async def __aenter__(self) -> Self:
        address = await asyncio.to_thread(self._start_console)
        try:
            await self._open_screens(address)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def _start_console(self) -> str:
        job = Job(
            meet=self._stand.setup.meet,
            console=Console(port=0),
            log_file=str(self._folder / "console.log"),
            any_port=True,
            demo=True,
        )
        answered = threading.Event()
        addresses: list[str] = []
        complaints: list[str] = []
        self._process = ConsoleProcess(job, lambda one: (addresses.append(one), answered.set()), complaints.append)
        self._process.start()
        if not answered.wait(START_TIMEOUT_S):
            self._process.stop()
            raise StandError(f"the console did not start: {(complaints or ['it said nothing'])[-1]}")
        return addresses[0]

    async def _open_screens(self, address: str) -> None:
        cookies = await asyncio.to_thread(_sign_in, address)
        host, _, port = address.removeprefix("http://").rstrip("/").partition(":")
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        arguments = (host, port, cookie, str(self._screens - 1), str(self._report))
        self._crowd = await asyncio.to_thread(
            Program, self._folder, "crowd", "tests.bench.crowd", *arguments, nice=CROWD_NICE
        )
        self._playwright = await async_playwright().start()
        try:
            self._browser = await self._playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        except Error as error:
            raise StandError(
                f"the benchmark needs Chromium at {CHROMIUM} (Debian: apt-get install chromium)"
            ) from error
        context = await self._browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]})
        await context.add_cookies([{"name": name, "value": value, "url": address} for name, value in cookies.items()])
        self._page = await context.new_page()
        await self._page.goto(f"{address}{ROLE}")
        await self._page.wait_for_selector('[data-live="yes"]')
        await self._page.evaluate(WATCH)
        self._before = await self._shake_hands()

    async def _shake_hands(self) -> Handshake:
        """The quickest of many questions: the page's clock was read somewhere between question and answer."""
        best = Handshake(0.0, float("inf"))
        for _ in range(HANDSHAKES):
            asked_ms = time.perf_counter_ns() / 1e6
            told_ms = await self._page.evaluate("() => performance.now()")
            half_ms = (time.perf_counter_ns() / 1e6 - asked_ms) / 2
            if half_ms < best.uncertainty_ms:
                best = Handshake(asked_ms + half_ms - told_ms, half_ms)
        return best

    async def seen(self) -> Seen:
        """What the browser noted so far. Raises StandError when its clock cannot be tied to ours any more."""
        after = await self._shake_hands()
        best = min(self._before, after, key=lambda one: one.uncertainty_ms)
        drift_ms = abs(after.offset_ms - self._before.offset_ms)
        if drift_ms > after.uncertainty_ms + self._before.uncertainty_ms:
            raise StandError(f"the browser's clock went {drift_ms:.1f} ms off ours")
        noted: dict[str, Any] = await self._page.evaluate("() => ({ seen, busyMs, longestMs })")
        at_ms = {row: at + best.offset_ms for row, at in noted["seen"].items()}
        return Seen(at_ms, best.uncertainty_ms, noted["busyMs"], noted["longestMs"])

    def cpu_s(self) -> float:
        """Processor seconds that the console's process has used since its start."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    async def crowd(self) -> "Crowd":
        """End the crowd; what it read. Raises StandError when a stream ended or left something out."""
        crowd, self._crowd = self._crowd, None
        assert crowd is not None
        await asyncio.to_thread(crowd.stop)
        report = msgspec.json.decode(self._report.read_bytes(), type=Crowd)
        if report.ended or report.missed or len(set(report.events)) != 1:
            raise StandError(
                f"of {len(report.events)} streams {report.ended} ended, and {report.missed} events were left out"
            )
        return report

    async def _close(self) -> None:
        if self._browser is not None:
            await self._browser.close()
            await self._playwright.stop()
        if self._crowd is not None:
            await asyncio.to_thread(self._crowd.stop)
        await asyncio.to_thread(self._process.stop)


class Crowd(msgspec.Struct):
    """What the crowd read, as `tests.bench.crowd` writes it."""

    samples: list[tuple[int, int]]
    events: list[int]
    missed: int
    ended: int

    def bytes_per_s(self, from_ns: int, to_ns: int) -> float:
        """Of one stream, in that time."""
        inside = [one for one in self.samples if from_ns <= one[0] <= to_ns]
        (began_ns, first), (ended_ns, last) = inside[0], inside[-1]
        return (last - first) / len(self.events) / ((ended_ns - began_ns) / 1e9)


def _sign_in(address: str) -> dict[str, str]:
    """The cookies of an official who has signed in."""
    with httpx.Client(base_url=address) as browser:
        token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/login").text)
        assert token is not None
        fields = {"csrf": token[1], "goal": "", "actor": ROLE, "role": ROLE, "password": DEMO_PASSWORD}
        answer = browser.post("/login", data=fields, headers={"Origin": address.rstrip("/")})
        if answer.status_code != 303:
            raise StandError(f"the console does not let the {ROLE} in: {answer.status_code}")
        return {cookie.name: cookie.value or "" for cookie in browser.cookies.jar}
