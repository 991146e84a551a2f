"""The commissaires' screen, driven by keys alone: decisions with their effect first, why, history, official."""

from pathlib import Path
from typing import Any

import msgspec
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
from tests.timing.control.console.hall import Hall
from timing.race.actions import Decide
from timing.race.events import Command

LANGUAGES = ("fr", "ja", "en")
THEMES = ("night", "hall", "night")

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def call(page: Page, module: str, function: str, *arguments: Any) -> Any:
    """What a function of a script gives."""
    script = "async ([module, name, given]) => (await import(module))[name](...given)"
    return await page.evaluate(script, [f"/js/screens/{module}.js", function, list(arguments)])


def entry(row: int, name: str, action: dict[str, Any], undone_by: str | None = None) -> dict[str, Any]:
    """An order in a history."""
    return {"row": row, "id": name, "action": action, "accepted": True, "undone_by": undone_by, "can_undo": True}


async def test_undo_takes_the_newest_ruling_and_redo_brings_back_what_was_taken_last(browser: Browser) -> None:
    placed, ruled = {"type": "place"}, {"type": "decide"}
    bell = entry(5, "bell", {"type": "bell"})
    page = await module_page(browser)

    async def targets(*entries: dict[str, Any]) -> tuple[str | None, str | None]:
        undo = await call(page, "ruling/undoing", "undoTarget", list(entries))
        redo = await call(page, "ruling/undoing", "redoTarget", list(entries))
        return undo and undo["id"], redo and redo["id"]

    assert await targets() == (None, None)
    assert await targets(entry(1, "a", placed), entry(2, "b", ruled), bell) == ("b", None)

    back_b = entry(6, "back-b", {"type": "undo", "command": "b"})
    assert await targets(entry(1, "a", placed), entry(2, "b", ruled, "back-b"), bell, back_b) == ("a", "back-b")

    # Redone: the undo is itself undone, so b stands and nothing waits to be brought back.
    again = entry(7, "again", {"type": "undo", "command": "back-b"})
    undone = {**back_b, "undone_by": "again"}
    assert await targets(entry(1, "a", placed), entry(2, "b", ruled), undone, again) == ("b", None)


async def test_reasons_of_the_code_come_first_and_the_order_among_relegated_goes_round(browser: Browser) -> None:
    reasons = [
        {"article": "3.2.140", "text": "passed the pacer", "default_code": "DSQ"},
        {"article": "3.2.042", "text": "left the line", "default_code": "REL"},
    ]
    page = await module_page(browser)
    offered = await call(page, "commissaire/decide", "reasonsFor", reasons, "REL")
    assert [one["article"] for one in offered] == ["3.2.042", "3.2.140"]
    codes = [{"code": "REL"}, {"code": "DSQ"}]
    keys = await call(page, "commissaire/decide", "offeredDecisions", codes)
    assert [one["code"] for one in keys] == ["W", "REL", "DSQ"], "a club without DNF in its book is not offered it"
    turns = [await call(page, "commissaire/decide", "nextOrder", one, 2, 1) for one in (None, 1, 2)]
    assert turns == [1, 2, None]


async def test_a_relegation_shows_its_effect_before_it_is_sent(browser: Browser, tmp_path: Path) -> None:
    async with ridden_hall(tmp_path, ride()) as hall:
        panel = await Person.sit_down(browser, hall, "commissaire", "commissaire")
        await panel.press("2")
        await panel.sees("tr.selected", "LEVY Maximilian")
        await panel.press("r")
        await panel.sees(".reasons h2", "2 LEVY Maximilian: relegated")
        await panel.sees(".reasons .selected", "3.2.142")
        await panel.press("ArrowDown", "Enter")

        await panel.sees(".pending h2", "2 LEVY Maximilian: relegated, 3.2.042 Left the line in the final sprint")
        await panel.sees(".effect-words", "2 has REL", "2: Q1/4 → R", "3: R → Q1/4", "2: place 2 → 6")
        rows = await panel.rows(".effect-table")
        assert rows[1] == ["3", "▲2", "3", "BROWNE Kwesi", "R → Q1/4"]
        assert rows[5] == ["2", "▼6 REL", "2", "LEVY Maximilian", "Q1/4 → R"]
        assert not picture(hall).decisions, "nothing is journaled before Enter"

        await panel.press("Enter")
        await panel.sees("[data-decision=REL-2]", "Commissaire One (Commissaire)")
        await panel.sees(".history li", "ruled REL for 2: 3.2.042 Left the line")
        assert order(hall)[5] == (6, "2", "REL")
        assert panel.faults == []


async def test_why_a_rider_is_here_follows_the_cursor(browser: Browser, tmp_path: Path) -> None:
    async with ridden_hall(tmp_path, ride()) as hall:
        panel = await Person.sit_down(browser, hall, "commissaire", "commissaire")
        await panel.press("w")
        await panel.sees(".why h2", "Why is 1 HELAL Rayan here?")
        await panel.sees(".why", "place 1 on the photo-finish", "first of the heat")
        await panel.press("ArrowDown", "j")
        await panel.sees(".why h2", "Why is 3 BROWNE Kwesi here?")
        await panel.sees(".why", "+0.248 s behind the winner, 1", "goes on to R", "not confirmed by the president yet")
        await panel.press("w")
        await panel.misses(".why")


async def test_a_decision_is_undone_and_redone_and_stays_in_the_history(browser: Browser, tmp_path: Path) -> None:
    async with ridden_hall(tmp_path, ride()) as hall:
        panel = await Person.sit_down(browser, hall, "commissaire", "commissaire")
        # Not finished is a fact: it needs no article and goes straight to its effect.
        await panel.press("6", "f")
        await panel.sees(".effect-words", "6 has DNF", "6 loses place 6")
        await panel.press("Enter")
        await panel.sees("[data-decision=DNF-6]", "did not finish")

        await panel.press("u")
        await panel.sees(".danger-line", "Takes back: ruled DNF for 6")
        await panel.press("Enter")
        await panel.sees(".history li.undone", "undone by Commissaire One at")
        await expect(panel.page.locator(".history li.undone s")).to_contain_text("ruled DNF for 6")
        assert order(hall)[5] == (6, "6", None)

        # Chosen in the history: the undone one can only be brought back.
        await panel.press("h", "ArrowDown")
        await panel.sees(".history li.selected", "ruled DNF for 6")
        await panel.press("Shift+U")
        await panel.sees(".danger-line", "Brings back: ruled DNF for 6")
        await panel.press("Enter")
        await panel.sees("[data-decision=DNF-6]", "did not finish")
        assert order(hall)[5] == (None, "6", "DNF")
        assert panel.faults == []


async def test_a_second_warning_proposes_the_disqualification(browser: Browser, tmp_path: Path) -> None:
    async with ridden_hall(tmp_path, ride()) as hall:
        panel = await Person.sit_down(browser, hall, "commissaire", "commissaire")
        await panel.press("4", "y", "1")
        await panel.sees(".effect-words", "4: warnings in this heat 0 → 1")
        await panel.press("Enter")
        await panel.sees("[data-decision=W-4]", "warning")
        await panel.press("y", "t")
        await panel.type("moved down on a rival")
        await panel.press("Enter")
        await panel.sees(".effect-words", "asked of a person then: Rider 4 has 2 warnings")
        await panel.press("Enter")
        await panel.sees(".side", "Rider 4 has 2 warnings: disqualification is proposed")

        await panel.press("q")
        await panel.sees(".pending h2", "4 KENNY Jason: disqualified, 3.2.013 Second warning or third relegation")
        await panel.sees(".effect-words", "4 has DSQ", "4 goes on to R no more")
        await panel.press("Enter")
        await panel.sees("[data-decision=DSQ-4]", "disqualified")
        assert order(hall)[5] == (None, "4", "DSQ")
        await panel.misses("[data-alert^=propose_dsq]")


async def test_the_panel_orders_two_relegated_riders(browser: Browser, tmp_path: Path) -> None:
    async with ridden_hall(tmp_path, ride()) as hall:
        panel = await Person.sit_down(browser, hall, "commissaire", "commissaire")
        await panel.press("1", "r", "1")
        await panel.sees(".effect-table", "HELAL Rayan")
        await panel.press("Enter")
        await panel.sees("[data-decision=REL-1]", "relegated")
        await panel.press("2", "r", "1")
        await panel.sees(".effect-words", "2: place 1 → 6", "1: place 6 → 5")
        await panel.press("ArrowRight")
        await panel.sees(".pending h2", "number 1 of the relegated")
        await panel.sees(".effect-words", "2: place 1 → 5")
        await panel.press("Enter")
        await panel.sees("[data-decision=REL-2]", "relegated")
        assert order(hall)[4:] == [(5, "2", "REL"), (6, "1", "REL")]


async def test_what_somebody_else_changes_meanwhile_renews_the_effect(browser: Browser, tmp_path: Path) -> None:
    """Nobody confirms an effect that is no longer true; and the order goes through, since the person saw the change."""
    async with ridden_hall(tmp_path, ride()) as hall:
        panel = await Person.sit_down(browser, hall, "commissaire", "commissaire")
        await panel.press("3", "r", "1")
        await panel.sees(".effect-words", "3: place 3 → 6")
        async with hall.signed_in("president") as president:
            answer = await president.order(msgspec.to_builtins(Decide(bib="1", code="DSQ", reason="x")), heat="r1-1")
            assert answer.status_code == 200, answer.text
        await panel.sees(".pending-renewed", "Somebody changed the heat meanwhile")
        await panel.sees(".effect-words", "3: place 2 → 5")
        await panel.press("Enter")
        await panel.sees("[data-decision=REL-3]", "relegated")
        assert order(hall)[4:] == [(5, "3", "REL"), (None, "1", "DSQ")]


async def test_a_change_between_the_two_keys_of_a_confirmation_refuses_it(browser: Browser, tmp_path: Path) -> None:
    async with ridden_hall(tmp_path, ride()) as hall:
        president = await Person.sit_down(browser, hall, "president", "commissaire")
        await president.press("c")
        async with hall.signed_in("commissaire") as panel:
            decision = msgspec.to_builtins(Decide(bib="1", code="DSQ", article="3.2.140", reason="passed the pacer"))
            answer = await panel.order(decision, heat="r1-1")
            assert answer.status_code == 200, answer.text
        await president.sees("[data-decision=DSQ-1]", "disqualified")
        await president.press("Enter")
        await president.sees(".said.bad", "changed since your screen: Commissaire One (commissaire) ruled DSQ for 1")
        assert picture(hall).status == "provisional"


async def test_the_president_alone_confirms_and_reopens_with_a_reason(browser: Browser, tmp_path: Path) -> None:
    async with ridden_hall(tmp_path, ride()) as hall:
        panel = await Person.sit_down(browser, hall, "commissaire", "commissaire")
        await panel.misses("[data-id=confirm]")
        president = await Person.sit_down(browser, hall, "president", "commissaire")
        await president.press("c", "Escape")
        assert picture(hall).status == "provisional"
        await president.press("c", "Enter")
        await panel.sees(".ruling-status", "made official by President One at")
        await expect(panel.page.locator("[data-id=decide-REL]")).to_be_disabled()

        await president.press("o", "Enter")
        await president.sees(".line-hint.bad", "Give a reason")
        await president.type("wrong rider read on the picture")
        await president.press("Enter")
        await president.sees(".danger-line", "Takes the official result back: wrong rider read on the picture")
        assert picture(hall).status == "official", "a dangerous key does nothing alone"
        await president.press("Enter")
        await panel.sees(".history li", "reopened the official result: wrong rider read on the picture")
        assert picture(hall).status == "provisional"


async def test_a_heat_that_is_not_the_current_one_can_be_ruled_on(browser: Browser, tmp_path: Path) -> None:
    office = ride()
    office.to_the_gun("r1-2")
    async with ridden_hall(tmp_path, office) as hall:
        panel = await Person.sit_down(browser, hall, "commissaire", "commissaire")
        await panel.sees(".ruling-status", "heat 2")
        await panel.press("PageUp")
        await panel.sees(".ruling-status", "heat 1", "Another heat is current")
        await panel.press("6", "n")
        await panel.sees(".effect-words", "6 has DNS")
        await panel.press("Enter")
        await panel.sees("[data-decision=DNS-6]", "did not start")
        assert isinstance(hall_command(hall).action, Decide)
        assert order(hall)[5] == (None, "6", "DNS")


def hall_command(hall: Hall) -> Command:
    """The newest order of heat r1-1."""
    assert hall.service is not None
    return hall.service.state.heats["r1-1"].commands[-1]


async def test_axe_finds_nothing_and_every_language_has_its_words(browser: Browser, tmp_path: Path) -> None:
    office = ride()
    for reason in ("moved down on a rival", "rode on the blue band"):
        office.order("commissaire", Decide(bib="2", code="W", reason=reason))
    steps = ((("w",), ".why"), (("r",), ".reasons"), (("r", "1"), ".effect-table"))
    async with ridden_hall(tmp_path, office) as hall:
        for size, lang, theme, (keys, seen) in zip(SIZES, LANGUAGES, THEMES, steps, strict=True):
            panel = await Person.sit_down(browser, hall, "president", "commissaire", size=size, lang=lang, theme=theme)
            await panel.press(*keys)
            await panel.sees(seen, "")
            assert await panel.axe() == []
            assert panel.faults == []
