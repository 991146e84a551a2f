"""The finish screen, driven by keys alone: both orders, the judge's line, the image, official."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.timing.control.console.browser.ridden import (
    SIZES,
    Person,
    module_page,
    order,
    picture,
    ridden_hall,
    ride,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


ORDER_OF_TOKYO = ["1", "2", "3", "4", "5", "6"]
LANGUAGES = ("fr", "ja", "en")
THEMES = ("night", "hall", "night")
SMALLEST_JPEG = b"\xff\xd8\xff\xd9"


async def read_line(page: Page, line: str, **options: Any) -> dict[str, Any]:
    """What the judge's line means to the screen."""
    script = """async ([line, bibs, options]) =>
        (await import("/js/screens/finish/place_line.js")).readPlaceLine(line, bibs, options)"""
    found: dict[str, Any] = await page.evaluate(script, [line, ["4", "2", "7", "3", "A-1"], options])
    return found


async def test_the_judges_line_reads_groups_dead_heats_and_says_in_words_what_is_wrong(browser: Browser) -> None:
    page = await module_page(browser)
    plain = await read_line(page, "4 2 7-3")
    assert plain["groups"] == [["4"], ["2"], ["7", "3"]]
    assert [one["place"] for one in plain["places"]] == [1, 2, 3]
    assert (plain["ready"], plain["missing"]) == (True, ["A-1"])

    # Whatever keyboards and input methods give for blanks, dashes and digits.
    for typed in ("4,2; 7 - 3", "4 2 7\u20133", "\uff14\u3000\uff12\u3000\uff17\u30fc\uff13", "  4  2 7=3 "):
        assert (await read_line(page, typed))["groups"] == [["4"], ["2"], ["7", "3"]], typed

    # A bib with a dash in it is a rider, in whatever case it is typed.
    assert (await read_line(page, "a-1 4"))["groups"] == [["A-1"], ["4"]]

    # After a dead heat the next place counts everybody before it; a final for 7 to 12 begins at 7.
    assert [one["place"] for one in (await read_line(page, "4-2 7 3", firstPlace=7))["places"]] == [7, 9, 10]

    wrong = await read_line(page, "4 9 4 7-")
    assert [one["key"] for one in wrong["faults"]] == [
        "finish.fault_unknown",
        "finish.fault_twice",
        "finish.fault_dash",
    ]
    assert wrong["faults"][0]["params"] == {"bib": "9"}
    assert wrong["ready"] is False

    # Who has a decision without a place is not missed; an empty line is not an order.
    assert (await read_line(page, "4 2 7", without=["3", "A-1"]))["missing"] == []
    assert (await read_line(page, "  "))["ready"] is False


async def test_both_orders_stand_side_by_side_with_what_differs(browser: Browser, tmp_path: Path) -> None:
    """Three before one on the picture, one before three by transponder: another rider would go through."""
    office = ride()
    office.sheet("2", "3", "1", "4", "5", "6")
    async with ridden_hall(tmp_path, office) as hall:
        judge = await Person.sit_down(browser, hall, "judge", "finish")
        rows = {row[1]: row for row in await judge.rows(".finish-table")}

        # Place in brackets while provisional, gap and step to the ms, way on; places of both; the sign and the word.
        assert rows["2"] == ["(1)", "2", "LEVY Maximilian", "", "", "", "Q1/4", "1", "2", "+0.010", "≠ differs"]
        assert rows["3"][4:] == ["+0.010", "+0.010", "Q1/4", "2", "3", "+0.248", "≠ differs"]
        assert rows["4"][4:] == ["+0.462", "+0.214", "R", "4", "4", "+0.462", ""]

        await judge.sees(".side", "Photo-finish: 3 before 1.", "Transponders: 1 before 3 by 0.248 s.")
        await judge.sees("[data-card=other-order]", "3 BROWNE Kwesi: place 2 → 3, Q1/4 → R", "Others would go through.")
        await judge.sees(".ruling-status", "Provisional")
        assert judge.faults == []


async def test_a_judge_places_by_keyboard_and_sees_the_effect_first(browser: Browser, tmp_path: Path) -> None:
    async with ridden_hall(tmp_path, ride()) as hall:
        judge = await Person.sit_down(browser, hall, "judge", "finish")
        await judge.press("p")
        await expect(judge.page.locator("#line-input")).to_have_value("1 2 3 4 5 6")

        await judge.type("2 1 9")
        await judge.sees(".line-hint.bad", "9 does not ride in this heat")
        await judge.press("Enter")
        await judge.sees(".line-hint.bad", "9 does not ride in this heat")
        await judge.type("2 1 3-4 5")
        await judge.sees(
            ".line-hint", "1. LEVY (2) · 2. HELAL (1) · 3= BROWNE (3), KENNY (4) dead heat · 5. WEBSTER (5)"
        )
        await judge.sees(".line-hint", "missing: 6 (no place)")
        await judge.type("2 1 3-4 5 6")

        await judge.press("Enter")
        await judge.sees(".effect-words", "1: place 1 → 2", "2: place 2 → 1")
        assert [row[:3] for row in await judge.rows(".effect-table")][:4] == [
            ["2", "▲1", "2"],
            ["1", "▼2", "1"],
            ["3", "3", "3"],
            ["4", "▲3", "4"],
        ]
        assert [bib for _, bib, _ in order(hall)] == ORDER_OF_TOKYO, "nothing is journaled before Enter"

        await judge.press("Enter")
        await judge.sees(".finish-table caption", "Order of the judge.")
        assert order(hall)[:5] == [(1, "2", None), (2, "1", None), (3, "3", None), (3, "4", None), (5, "5", None)]

        # Undo and redo, each with its second key and words that say what.
        await judge.press("u")
        await judge.sees(".danger-line", "Takes back: placed 2, 1, 3 = 4, 5, 6")
        await judge.press("Enter")
        await judge.sees(".finish-table caption", "Order of the photo-finish.")
        assert [bib for _, bib, _ in order(hall)] == ORDER_OF_TOKYO
        await judge.press("Shift+U", "Enter")
        await judge.sees(".finish-table caption", "Order of the judge.")
        assert order(hall)[0] == (1, "2", None)
        assert judge.faults == []


async def test_escape_leaves_an_order_that_was_not_sent(browser: Browser, tmp_path: Path) -> None:
    async with ridden_hall(tmp_path, ride()) as hall:
        judge = await Person.sit_down(browser, hall, "judge", "finish")
        await judge.press("p")
        await judge.type("6 5 4 3 2 1")
        await judge.press("Enter")
        await judge.sees(".pending", "Order of the judge")
        await judge.press("Escape")
        await judge.misses(".pending")
        assert [bib for _, bib, _ in order(hall)] == ORDER_OF_TOKYO
        assert not picture(hall).finish.judged


async def test_only_the_president_makes_the_result_official(browser: Browser, tmp_path: Path) -> None:
    async with ridden_hall(tmp_path, ride()) as hall:
        judge = await Person.sit_down(browser, hall, "judge", "finish")
        await judge.sees(".side", "the president of the panel makes it official")
        await judge.press("c", "Enter")
        assert picture(hall).status == "provisional"

        president = await Person.sit_down(browser, hall, "president", "finish")
        await president.press("c")
        await president.sees(".danger-line", "Makes the result official: 1. HELAL Rayan · 2. LEVY Maximilian")
        assert picture(hall).status == "provisional", "a dangerous key does nothing alone"
        await president.press("Enter")
        for person in (president, judge):
            await person.sees(".ruling-status", "Official", "made official by President One at")
            assert (await person.rows(".finish-table"))[0][0] == "1", "an official place has no brackets"
        assert picture(hall).status == "official"


async def test_a_judge_closes_the_finish_and_an_unjudged_order_is_called_so(browser: Browser, tmp_path: Path) -> None:
    office = ride(until="bell")
    async with ridden_hall(tmp_path, office) as hall:
        judge = await Person.sit_down(browser, hall, "judge", "finish")
        await judge.sees(".ruling-status", "No result yet")
        await judge.press("e")
        await judge.sees(".danger-line", "Nobody else is awaited at the finish")
        await judge.press("Enter")
        await judge.sees(".top-state", "Finished")
        assert picture(hall).state == "finished"

    (tmp_path / "later").mkdir()
    async with ridden_hall(tmp_path / "later", ride(until="finished")) as hall:
        president = await Person.sit_down(browser, hall, "president", "finish")
        await president.press("c")
        await president.sees(".danger-line", "NOT JUDGED, by transponder alone")
        await president.press("Escape")
        assert picture(hall).status == "virtual"


async def test_the_newest_image_of_the_heat_stands_beside_the_orders(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    async with ridden_hall(tmp_path, ride(), photo_finish_folder=str(folder)) as hall:
        judge = await Person.sit_down(browser, hall, "judge", "finish")
        await judge.sees(".finish", "No photo-finish image of this heat.")
        (folder / "001-1-01.jpg").write_bytes(SMALLEST_JPEG)
        await judge.sees(".photo figcaption", "001-1-01.jpg")
        assert await judge.page.locator(".photo img").get_attribute("src")


async def test_axe_finds_nothing_and_every_language_has_its_words(browser: Browser, tmp_path: Path) -> None:
    office = ride()
    office.sheet("2", "3", "1", "4", "5", "6")
    steps = (((), ".finish-table"), (("p",), ".question-line"), (("p", "Enter"), ".effect-table"))
    async with ridden_hall(tmp_path, office) as hall:
        for size, lang, theme, (keys, seen) in zip(SIZES, LANGUAGES, THEMES, steps, strict=True):
            judge = await Person.sit_down(browser, hall, "judge", "finish", size=size, lang=lang, theme=theme)
            await judge.press(*keys)
            await judge.sees(seen, "")
            assert await judge.axe() == []
            assert judge.faults == []
