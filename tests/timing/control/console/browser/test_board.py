"""The board and the announcer's screen: what everybody may know, in time with the race, to be read from far away."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from config.loader import load_setup
from tests.timing.control.console.browser.ridden import SIZES, module_page
from tests.timing.control.console.browser.stage import WatchedOffice, axe, press, stage, tell
from timing.race.actions import Confirm, Decide, OpenHeat, Place, Stop
from timing.race.picture import HeatPicture

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOARD = (1920, 1080)
REASON = "moved down on a rival"
LETTERS_PX = "(all) => all.map((one) => parseFloat(getComputedStyle(one).fontSize))"
CUT_PX = "(all) => all.map((one) => one.scrollWidth - one.clientWidth)"


def open_office(heat: str = "final-a") -> WatchedOffice:
    """A heat with its riders on the line."""
    office = WatchedOffice(load_setup("tokyo2020-men-keirin"))
    office.to_the_gun(heat)
    return office


def ride_on(riding: Iterator[HeatPicture], state: str) -> None:
    """Ride on until the heat is in a state for the first time."""
    assert any(picture.state == state for picture in riding), f"the heat was never {state}"


async def texts(page: Page, selector: str) -> list[str]:
    """The texts of all elements, as a person sees them."""
    found = await page.locator(selector).all_inner_texts()
    return [" ".join(one.split()) for one in found]


async def test_the_board_goes_with_the_heat_from_the_start_list_to_the_official_result(
    browser: Browser,
) -> None:
    office = open_office()
    riding = office.ride()
    starters = sorted(office.picture.starters, key=lambda rider: rider.draw)
    async with stage(browser) as one:
        page = await one.show("board", office, public=True, size=BOARD)
        assert await texts(page, ".board-status") == ["Start list"]
        assert await texts(page, ".board-place") == [str(rider.draw) for rider in starters]
        assert await texts(page, ".board-bib") == [rider.bib for rider in starters]
        assert "AWANG Azizulhasni" in await texts(page, ".board th")

        ride_on(riding, "paced")
        await tell(page, office, public=True)
        assert await texts(page, ".board-status") == ["Race"]
        assert await texts(page, ".board-laps") == ["LAPS TO GO 6"]
        newest = office.picture.pace.sections[-1].speed_at_end_kmh
        assert await texts(page, ".board-pace") == [f"DERNY {newest:.1f} km/h"]

        ride_on(riding, "bell")
        await tell(page, office, public=True)
        assert await texts(page, ".board-bell") == ["LAST LAP"]
        await expect(page.locator(".board-pace")).to_have_count(0)
        assert (await texts(page, ".board-bib"))[0] == office.picture.orders[-1].entries[0].bib

        ride_on(riding, "provisional")
        await tell(page, office, public=True)
        assert await texts(page, ".board-status") == ["◐ Provisional"]
        assert await texts(page, ".board-place") == [f"({place})" for place in range(1, 7)]
        assert (await texts(page, ".board-gap"))[:2] == ["", "+0.763"]

        office.order("president", Confirm())
        await tell(page, office, public=True)
        assert await texts(page, ".board-status") == ["✔ Official"]
        assert await texts(page, ".board-place") == [str(place) for place in range(1, 7)]
        assert (await texts(page, ".board-last"))[0].startswith("Last 200 m of the winner: 10.")


async def test_a_stopped_race_is_told_in_one_word_and_an_empty_track_shows_what_comes(browser: Browser) -> None:
    office = WatchedOffice(load_setup("tokyo2020-men-keirin"))
    async with stage(browser) as one:
        page = await one.show("board", office, public=True, size=BOARD)
        assert (await texts(page, ".board tr"))[:2] == ["15:48 First round, heat 1", "15:54 First round, heat 2"]
        office.to_the_gun("r1-1")
        ride_on(office.ride(heat="r1-1"), "paced")
        office.order("starter", Stop(reason="bib 7 passed the pacer"))
        await tell(page, office, public=True)
        assert await texts(page, ".board-word") == ["Race stopped"]
        assert "bib 7" not in await page.content()


async def test_decisions_are_shown_with_the_official_result_and_their_reasons_never(browser: Browser) -> None:
    office = open_office()
    ride_on(office.ride(), "provisional")
    last = office.picture.results[-1].bib
    office.order("judge", Place(order=tuple((line.bib,) for line in office.picture.results)))
    office.order("commissaire", Decide(bib=last, code="DSQ", reason=REASON, article="3.2.045"))
    async with stage(browser) as one:
        for screen in ("board", "announcer"):
            page = await one.show(screen, office, public=True, size=BOARD)
            await expect(page.locator(f'tr[data-bib="{last}"]')).to_have_count(1)
            assert "DSQ" not in await page.locator("main").inner_text()
            await page.close()
        office.order("president", Confirm())
        for screen in ("board", "announcer"):
            page = await one.show(screen, office, public=True, size=BOARD)
            assert await texts(page, f'tr[data-bib="{last}"] td:first-child') == ["DSQ"]
            assert REASON not in await page.content()
            await page.close()


async def test_who_goes_through_is_said_in_words_once_it_is_official_on_the_board(browser: Browser) -> None:
    office = open_office("r1-1")
    ride_on(office.ride(heat="r1-1"), "provisional")
    async with stage(browser) as one:
        board = await one.show("board", office, public=True, size=BOARD)
        assert set(await texts(board, ".board-goes")) == {""}
        announcer = await one.show("announcer", office, public=True)
        assert (await texts(announcer, ".goes"))[:3] == ["→ Quarterfinals", "→ Quarterfinals", "→ Repechages"]
        await expect(announcer.locator('[data-status="provisional"]')).to_contain_text("◐ provisional")
        office.order("president", Confirm())
        await tell(board, office, public=True)
        assert (await texts(board, ".board-goes"))[:3] == ["→ Quarterfinals", "→ Quarterfinals", "→ Repechages"]


async def test_the_announcer_looks_back_at_another_heat_and_sees_what_comes_next(browser: Browser) -> None:
    office = open_office("r1-1")
    ride_on(office.ride(heat="r1-1"), "provisional")
    office.order("president", Confirm())
    office.order("operator", OpenHeat(heat="r1-2"))
    async with stage(browser) as one:
        page = await one.show("announcer", office, public=True)
        await expect(page.locator(".announcer")).to_have_attribute("data-phase", "start")
        assert (await texts(page, ".announcer-next"))[0] == "16:00 First round, heat 3"
        await press(page, "PageUp")
        await expect(page.locator(".announcer")).to_have_attribute("data-heat", "r1-1")
        await expect(page.locator(".announcer-heading")).to_contain_text("⚠ not the race on the track")
        await expect(page.locator(".announcer")).to_have_attribute("data-phase", "result")
        await press(page, "l")
        await expect(page.locator(".announcer")).to_have_attribute("data-heat", "r1-2")


async def test_who_has_not_come_to_the_newest_loop_stands_behind_those_who_have(browser: Browser) -> None:
    def entry(bib: str, place: int, gap_ms: int) -> dict[str, Any]:
        return {"bib": bib, "place": place, "gap_ms": gap_ms, "inferred": False}

    orders = [
        {"mark": 4, "loop": "l100", "entries": [entry("7", 1, 0), entry("4", 2, 60), entry("2", 3, 90)]},
        {"mark": 5, "loop": "home", "entries": [entry("4", 1, 0)]},
    ]
    starters = [{"bib": bib, "draw": draw, "status": None} for draw, bib in enumerate(("2", "4", "7", "9"), 1)]
    page = await module_page(browser)
    script = """async ([orders, starters]) => {
        const { liveOrder } = await import("/js/screens/announcer/standing.js");
        return liveOrder(orders, starters).map((one) => [one.place, one.bib, one.gap_ms, one.newest]); }"""
    rows = await page.evaluate(script, [orders, starters])
    assert rows == [[1, "4", 0, True], [2, "7", 0, False], [3, "2", 90, False], [None, "9", None, False]]


async def test_the_board_is_large_uncut_and_passes_axe(browser: Browser) -> None:
    office = open_office()
    riding = office.ride()
    looks = {"pacer_run": ("hall", "en"), "sprint": ("night", "fr"), "provisional": ("night", "ja")}
    async with stage(browser) as one:
        for state, (theme, lang) in looks.items():
            if state != office.picture.state:
                ride_on(riding, state)
            page = await one.show("board", office, public=True, size=BOARD, theme=theme, lang=lang)
            assert await axe(page) == [], state
            assert await page.evaluate("() => [document.body.scrollHeight, document.body.scrollWidth]") == [1080, 1920]
            # At 30 m a letter of a tenth of a metre is read: 60 of the 1080 lines of a board that is 2 m high.
            assert min(await page.locator("tbody th, .board-bib, .board-gap").evaluate_all(LETTERS_PX)) >= 60
            assert max(await page.locator("tbody th").evaluate_all(CUT_PX)) <= 1, state
            await page.close()


async def test_the_announcers_screen_passes_axe_in_every_size(browser: Browser) -> None:
    office = open_office()
    ride_on(office.ride(), "sprint")
    async with stage(browser) as one:
        for size, theme in zip(SIZES, ("hall", "night", "hall"), strict=True):
            page = await one.show("announcer", office, size=size, theme=theme)
            assert await axe(page) == []
            hidden = "(one) => [one.scrollHeight - one.clientHeight, one.scrollWidth - one.clientWidth]"
            assert max(await page.locator(".view").evaluate(hidden)) <= 0, size
            await page.close()
