"""The race office's screen on a stage: its orders go to a real competition, whose new picture is played back.

What the journal, the broker and the console's server do in between is tested elsewhere.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, cast

import msgspec
from playwright.async_api import FileChooser, Page, Route, expect

from config.entry_files import read_entries
from tests.timing.control.console.browser.stage import BEGIN, DRAWN, ORIGIN, Stage, press
from tests.timing.race.competition.office import Office
from timing.race.competition.actions import CompetitionAction, IssueCommunique
from timing.race.competition.communiques import CommuniqueRegister
from timing.race.competition.schedule import PlannedHeat, schedule

WAIT_S = 40.0
NOW_US = 1_628_316_000_000_000
"""15:00 of 7 August 2021 at Izu."""
SESSION = {"id": "1", "name": "Saturday afternoon", "starts_us": NOW_US}


class Desk:
    """A competition, the communiqués, the programme, and a person at the screen of the race office."""

    def __init__(self, page: Page, office: Office, role: str) -> None:
        self.page = page
        self.office = office
        self.role = role
        self.register = CommuniqueRegister()
        self.planned: tuple[PlannedHeat, ...] = ()
        self.now_us = NOW_US
        self.sent: list[dict[str, Any]] = []
        self.documents: dict[str, Any] = {"folder": False, "documents": []}
        self.list_file: Path | None = None
        self._choosers: asyncio.Queue[FileChooser] = asyncio.Queue()
        # Listened to from the start: a dialog that opens before the browser knows of a listener is lost.
        page.on("filechooser", self._choosers.put_nowait)

    @classmethod
    async def open(cls, stage: Stage, office: Office, *, role: str = "president", **looks: Any) -> Self:
        """The screen with the picture of the competition as it is now."""
        page = await stage.page("office", role=role, **looks)
        desk = cls(page, office, role)
        await page.route(f"{ORIGIN}/commands", desk._order)
        await page.route(f"{ORIGIN}/office/communiques", desk._list)
        await page.route(re.compile(f"^{ORIGIN}/office/entries"), desk._read)
        await page.wait_for_function("() => Object.keys(window.stream?.takers ?? {}).length >= 5")
        await desk.tell()
        return desk

    async def tell(self) -> None:
        """Play the picture as it is now."""
        await self.page.evaluate(BEGIN, [self.topics(), [], self.now_us])
        await self.page.evaluate(DRAWN)

    def topics(self) -> dict[str, Any]:
        """What the core would publish."""
        view = self.office.state.view()
        shown = schedule(self.planned, "Asia/Tokyo", self.now_us)
        topics = {
            "meet": {"name": "Izu", "timezone": "Asia/Tokyo", "heats": []},
            f"competitions/{view.competition}": {"view": view},
            "schedule": {"sessions": [SESSION], **msgspec.structs.asdict(shown)},
            "communiques": {"issued": self.register.issued},
        }
        return cast(dict[str, Any], json.loads(msgspec.json.encode(topics)))

    async def press(self, *keys: str) -> None:
        """Keys one after the other, and what became of their orders on the screen."""
        for key in keys:
            before = len(self.sent)
            await press(self.page, key)
            if len(self.sent) > before:
                await self.tell()

    async def type(self, text: str) -> None:
        """Text into the line, in place of what stands there, and Enter."""
        await self.page.keyboard.press("Control+a")
        await self.page.keyboard.type(text)
        await self.press("Enter")
        await self.tell()

    async def sees(self, selector: str, *texts: str) -> None:
        """Every text stands in that part of the screen, now or soon."""
        for text in texts:
            await expect(self.page.locator(selector).filter(has_text=text)).not_to_have_count(0)

    async def rows(self, table: str) -> list[list[str]]:
        """The texts of a table's body."""
        script = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
        found: list[list[str]] = await self.page.locator(f"{table} tbody tr").evaluate_all(script)
        return found

    async def choose(self, key: str, file: Path) -> None:
        """The key that opens the file dialog, and this file chosen in it."""
        self.list_file = file
        await self.press(key)
        async with asyncio.timeout(WAIT_S):
            chooser = await self._choosers.get()
        await chooser.set_files(file)

    def kinds(self) -> list[str]:
        """The types of the orders that were sent."""
        return [one["action"]["type"] for one in self.sent]

    # -- the other side ----------------------------------------------------------------------------------------

    async def _order(self, route: Route) -> None:
        sent: dict[str, Any] = json.loads(route.request.post_data or "")
        self.sent.append(sent)
        action = msgspec.convert(sent["action"], type=CompetitionAction)
        reason = self._take(action)
        row = None if reason else 100 + len(self.sent)
        body: Mapping[str, Any] = {"accepted": reason is None, "reason": reason or "", "journal_id": row}
        # A browser reports a 409 as an error; that the server sends one is tested with the server.
        await route.fulfill(status=200, json=body)

    def _take(self, action: CompetitionAction) -> str | None:
        if isinstance(action, IssueCommunique):
            reason = self.register.refuse(action)
            if reason is None:
                self.register.take(action, 100 + len(self.sent), self.now_us, "Ada")
            return reason
        reason = self.office.state.refuse(action, self.role)
        if reason is None:
            self.office.state.apply(action)
        return reason

    async def _list(self, route: Route) -> None:
        await route.fulfill(json=self.documents)

    async def _read(self, route: Route) -> None:
        assert self.list_file is not None
        await route.fulfill(json=json.loads(msgspec.json.encode(read_entries(self.list_file))))
