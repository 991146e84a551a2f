"""A championship's heats run from the consoles: real boxes' bytes, core, broker and browsers, and keyboards alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.end_to_end.consoles.race_day import CONSOLE, SECOND_OPERATOR, RaceDay
from tests.timing.control.console.browser.ridden import Person
from timing.control.console.roles import screens_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPEED = 10.0
SCRIPT = """
name = "Tokyo 2020: reads missed in a first round too"
extends = "faulty-reads"
[heats.r1-1]
missed_reads = [{ bib = "4", loop = "back", lap = 3 }, { bib = "5", loop = "home", lap = 4 }]
"""
PUBLISHED = [
    ("1", "4", "KENNY Jason", ""),
    ("2", "13", "AWANG Azizulhasni", "+0.763"),
    ("3", "23", "LAVREYSEN Harrie", "+0.773"),
    ("4", "30", "TJON EN FA Jair", "+1.264"),
    ("5", "21", "GLAETZER Matthew", "+1.344"),
    ("6", "2", "LEVY Maximilian", "+2.344"),
]
"""Tokyo 2020, final for places 1-6: place, bib, rider, gap."""
RACE_MS = 60_000
ROWS = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(state: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RaceDay]:
    """A race day, ten times as fast, whose final A has missed, double and false reads."""
    folder = tmp_path_factory.mktemp("day")
    (folder / "script.toml").write_text(SCRIPT, "utf-8")
    async with RaceDay(folder, state, str(folder / "script.toml"), SPEED) as running:
        yield running


async def watch_board(browser: Browser, day: RaceDay) -> Page:
    """The board, which nobody has to sign in for."""
    context = await browser.new_context(viewport={"width": 1920, "height": 1080}, locale="en-GB")
    page = await context.new_page()
    await page.goto(f"{day.hall.address}board")
    return page


async def board_rows(page: Page) -> list[list[str]]:
    """The texts of the board's table."""
    found: list[list[str]] = await page.locator(".board tbody tr").evaluate_all(ROWS)
    return found


async def open_heat(operator: Person, heat: str) -> None:
    """The operator opens a heat as soon as every box is live."""
    await expect(operator.page.locator(".box").filter(has_text="live")).to_have_count(7)
    await operator.press("o")
    await operator.type(heat)
    await operator.press("Enter")
    await operator.sees(".top-state", "On the line")


async def arm(operator: Person) -> None:
    """The field may come: the rig rides, and its gun falls less than a second later."""
    await operator.press("a")
    await operator.sees(".said", "Taken: arm")


async def reaches(person: Person, state: str) -> None:
    """The heat comes to a state on this person's screen."""
    await person.page.locator(".top-state").filter(has_text=state).wait_for(timeout=RACE_MS)


async def test_the_final_is_run_by_keyboard_alone_from_opening_it_to_its_official_result(
    day: RaceDay, browser: Browser
) -> None:
    operator = await Person.sit_down(browser, day.hall, "operator", "operator", shows=".box")
    judge = await Person.sit_down(browser, day.hall, "judge", "finish", shows=".finish")
    president = await Person.sit_down(browser, day.hall, "president", "commissaire", shows=".commissaire")
    board = await watch_board(browser, day)

    await open_heat(operator, "final-a")
    await arm(operator)
    await expect(board.locator(".board[data-phase=start] tbody tr")).to_have_count(6)
    await reaches(operator, "Behind the pacer")
    await expect(board.locator(".board-laps")).to_contain_text("LAPS TO GO")

    await operator.page.locator(".card[data-alert=ring_bell]").wait_for(timeout=RACE_MS)
    await operator.press("b")
    await operator.sees(".said", "Taken: bell")
    for person in (operator, judge, president):
        await reaches(person, "Provisional")
    await expect(board.locator("[data-status=provisional]")).to_contain_text("Provisional")

    await judge.press("p")
    await judge.sees(".line-hint", "1. KENNY (4) · 2. AWANG (13)")
    await judge.press("Enter")
    await judge.sees(".pending-title", "Order of the judge: 1. KENNY (4)")
    await judge.sees(".effect-table", "KENNY Jason")
    await judge.press("Enter")
    await judge.sees(".finish-table caption", "Order of the judge.")

    await president.sees(".ruling-status", "Provisional")
    await president.press("c")
    await president.sees(".danger-line", "Makes the result official: 1. KENNY Jason · 2. AWANG Azizulhasni")
    await president.sees(".top-state", "Provisional")
    await president.press("Enter")
    for person in (operator, judge, president):
        await reaches(person, "Official")
    await expect(board.locator("[data-status=official]")).to_contain_text("Official")
    await president.sees(".ruling-status", "made official by President One")

    assert [(row[0], row[1], row[2], row[4]) for row in await board_rows(board)] == PUBLISHED
    assert [(row[0], row[1], row[2], row[4]) for row in await judge.rows(".finish-table")] == PUBLISHED
    assert [(row[1], row[2], row[3], row[4]) for row in await president.rows(".riders")] == PUBLISHED
    timing = [(row[0], row[1], row[7]) for row in await operator.rows(".field")]
    assert timing == [(place, bib, gap) for place, bib, _, gap in PUBLISHED]
    assert [*operator.faults, *judge.faults, *president.faults] == []


async def test_a_false_start_is_stopped_and_ridden_again_without_who_caused_it(day: RaceDay, browser: Browser) -> None:
    operator = await Person.sit_down(browser, day.hall, "operator", "operator", shows=".box")
    president = await Person.sit_down(browser, day.hall, "president", "commissaire", shows=".commissaire")
    board = await watch_board(browser, day)
    await open_heat(operator, "sf-1")
    await arm(operator)
    await reaches(operator, "Behind the pacer")

    await operator.press("s")
    await operator.sees(".danger-line", "STOP the race: double shot by the starter. The attempt is over.")
    await operator.sees(".top-state", "Behind the pacer")
    await operator.press("Enter")
    await operator.sees(".top-state", "Stopped")
    await expect(board.locator(".board-word")).to_have_text("Race stopped")
    await undo_and_redo(operator, "stop", before="Behind the pacer", after="Stopped")

    await operator.press("r")
    await operator.type("7 DSQ 3.2.140 passed the pacer")
    await operator.press("Enter")
    await operator.sees(".danger-line", "Restart without 7 CARLIN Jack DSQ")
    await operator.press("Enter")
    await operator.sees(".top-state", "Attempt 2")
    await undo_and_redo(operator, "restart", before="Stopped", after="Attempt 2")
    await operator.sees(".field tr.out", "CARLIN Jack")

    await arm(operator)
    await reaches(operator, "Behind the pacer")
    await operator.sees(".top-state", "Attempt 2")
    await reaches(president, "Provisional")
    await president.sees(".ruling-status", "Provisional")
    await president.press("c")
    await president.sees(".danger-line", "5. QUINTERO Kevin · CARLIN Jack DSQ")
    await president.press("Enter")
    await reaches(president, "Official")
    await expect(board.locator("[data-status=official]")).to_contain_text("Official")
    assert [tuple(row[:2]) for row in await board_rows(board)] == [
        *(("1", "4"), ("2", "21"), ("3", "30"), ("4", "3"), ("5", "27")),
        ("DSQ", "7"),
    ]
    attempts = (await day.published("heats/sf-1/start"))["attempts"]
    assert attempts[0]["reason"] == "double shot by the starter"
    assert len(attempts) == 2, "the stopped attempt stays in the record"
    assert [*operator.faults, *president.faults] == []


async def undo_and_redo(operator: Person, what: str, before: str, after: str) -> None:
    """Take back the newest order of the race, see the state of before, bring it back."""
    await operator.sees(".key-bar", f"Undo: {what}")
    await operator.press("u")
    await operator.sees(".danger-line", f"Undo ‘{what}’: the state of the race changes.")
    await operator.press("Enter")
    await operator.sees(".top-state", before)
    await operator.sees(".key-bar", f"Redo: {what}")
    await operator.press("Shift+U", "Enter")
    await operator.sees(".top-state", after)


async def ridden(day: RaceDay, browser: Browser) -> Person:
    """The operator of the first heat of the first round, after its photo-finish."""
    operator = await Person.sit_down(browser, day.hall, "operator", "operator", shows=".box")
    if (await day.published("competition"))["heats"].get("r1-1", "none") == "none":
        await open_heat(operator, "r1-1")
        await arm(operator)
    await reaches(operator, "Provisional")
    return operator


async def source_of(day: RaceDay, bib: str, mark: int) -> str | None:
    """How the core knows of a crossing of the first heat; None when it has none."""
    splits: dict[str, Any] = await day.published("heats/r1-1/splits")
    crossings = next(one["crossings"] for one in splits["splits"] if one["bib"] == bib)
    return next((one["source"] for one in crossings if one["mark"] == mark), None)


async def test_a_missed_read_is_accepted_and_another_rejected_and_both_are_undone(
    day: RaceDay, browser: Browser
) -> None:
    operator = await ridden(day, browser)
    missed = operator.page.locator(".missed-row")
    await expect(missed).to_have_count(2)
    await operator.sees(".missed-row .sureness", "%")
    marks = {}
    for bib, where in (("5", "home · lap 4"), ("4", "back · lap 3")):
        row = missed.filter(has_text=where)
        name = await row.get_attribute("data-missed")
        assert name is not None
        assert name.startswith(f"{bib}@")
        marks[bib] = int(name.removeprefix(f"{bib}@"))
        assert await source_of(day, bib, marks[bib]) == "interpolated"

    await operator.press("1", "k")
    await expect(missed.filter(has_text="home · lap 4")).to_have_attribute("aria-current", "true")
    await operator.press("y")
    await operator.sees(".said", "Taken: missed read accepted")
    await expect(missed).to_have_count(1)
    assert await source_of(day, "5", marks["5"]) == "accepted"
    await operator.sees(".key-bar", "Undo: missed read accepted")
    await operator.press("u")
    await expect(missed).to_have_count(2)
    assert await source_of(day, "5", marks["5"]) == "interpolated"

    await operator.press("j")
    await expect(missed.filter(has_text="back · lap 3")).to_have_attribute("aria-current", "true")
    await operator.press("n")
    await operator.sees(".said", "Taken: missed read rejected")
    await expect(missed).to_have_count(1)
    assert await source_of(day, "4", marks["4"]) is None
    await operator.sees(".key-bar", "Undo: missed read rejected")
    await operator.press("u")
    await expect(missed).to_have_count(2)
    assert await source_of(day, "4", marks["4"]) == "interpolated"
    assert operator.faults == []


async def test_a_rider_is_relegated_after_the_judge_has_corrected_the_photo_finish(
    day: RaceDay, browser: Browser
) -> None:
    await ridden(day, browser)
    judge = await Person.sit_down(browser, day.hall, "judge", "finish")
    panel = await Person.sit_down(browser, day.hall, "commissaire", "commissaire")
    order = [row[2] for row in await panel.rows(".riders")]
    assert order == ["1", "2", "3", "4", "5", "6"]

    await judge.press("p")
    await expect(judge.page.locator("#line-input")).to_have_value("1 2 3 4 5 6")
    await judge.type("2 1 3 4 5 6")
    await judge.press("Enter")
    await judge.sees(".effect-words", "1: place 1 → 2", "2: place 2 → 1")
    assert [row[2] for row in await panel.rows(".riders")] == order, "nothing has changed before Enter"
    await judge.press("Enter")
    await panel.sees(".riders tr:first-child", "LEVY Maximilian")

    await panel.press("2", "r")
    await panel.sees(".reasons h2", "2 LEVY Maximilian: relegated")
    await panel.press("ArrowDown", "Enter")
    await panel.sees(".pending-title", "2 LEVY Maximilian: relegated, 3.2.042 Left the line in the final sprint")
    await panel.sees(".effect-words", "2: Q1/4 → R", "3: R → Q1/4", "2: place 1 → 6")
    effect = await panel.rows(".effect-table")
    assert [row[2] for row in effect] == ["1", "3", "4", "5", "6", "2"]
    assert [row[4] for row in effect] == ["Q1/4", "R → Q1/4", "R", "R", "R", "Q1/4 → R"]
    await expect(judge.page.locator(".finish-table tbody tr:first-child")).to_contain_text("LEVY Maximilian")
    assert (await day.published("heats/r1-1/result"))["decisions"] == []

    await panel.press("Enter")
    await panel.sees("[data-decision=REL-2]", "Commissaire One (Commissaire)")
    await expect(judge.page.locator(".finish-table tbody tr:last-child")).to_contain_text("LEVY Maximilian")

    await panel.press("u")
    await panel.sees(".danger-line", "Takes back: ruled REL for 2")
    await panel.press("Enter")
    await panel.misses("[data-decision=REL-2]")
    await panel.sees(".riders tr:first-child", "LEVY Maximilian")
    await judge.press("u")
    await judge.sees(".danger-line", "Takes back: placed 2, 1, 3, 4, 5, 6")
    await judge.press("Enter")
    await panel.sees(".riders tr:first-child", "HELAL Rayan")

    # Brought back in the order in which they were given: the result is that of both.
    await judge.press("Shift+U", "Enter")
    await panel.sees(".riders tr:first-child", "LEVY Maximilian")
    await panel.press("Shift+U", "Enter")
    await panel.sees("[data-decision=REL-2]", "relegated")
    final = await day.published("heats/r1-1/result")
    assert [line["bib"] for line in final["results"]] == ["1", "3", "4", "5", "6", "2"]
    assert final["marks"] == {"1": "Q1/4", "3": "Q1/4", "4": "R", "5": "R", "6": "R", "2": "R"}
    assert [*judge.faults, *panel.faults] == []


async def test_of_two_operators_the_second_is_told_what_the_first_has_changed(day: RaceDay, browser: Browser) -> None:
    first = await Person.sit_down(browser, day.hall, "operator", "operator", shows=".box")
    second = await Person.sit_down(browser, day.hall, "operator", "operator", actor=SECOND_OPERATOR, shows=".box")
    await open_heat(first, "qf-1")
    await reaches(second, "On the line")

    # Both correct the lap counter: the second rests on a counter that is not there any more.
    await second.press("l")
    await second.type("5")
    await first.press("l")
    await first.type("4")
    await first.press("Enter")
    await second.sees(".top-laps", "4")
    await second.press("Enter")
    changed = "changed since your screen: Operator One (operator) set the lap counter to 4, at "
    await second.sees(".line-hint.bad", changed)
    await second.sees(".said", "Refused: lap counter", changed)
    await expect(first.page.locator(".top-laps")).to_contain_text("4")

    # Told of it, the second may insist.
    await second.press("Enter")
    await second.misses(".question-line")
    await expect(first.page.locator(".top-laps")).to_contain_text("5")

    assert [*first.faults, *(one for one in second.faults if "409 (Conflict)" not in one)] == []


async def test_a_role_may_neither_open_nor_order_nor_publish_what_is_not_its_own(
    day: RaceDay, browser: Browser
) -> None:
    operator = await Person.sit_down(browser, day.hall, "operator", "operator", shows=".box")
    await open_heat(operator, "qf-2")
    judge = await Person.sit_down(browser, day.hall, "judge", "finish", lang="fr", shows=".finish")
    links = judge.page.locator(".nav a[href]")
    assert await links.evaluate_all("(all) => all.map((one) => one.getAttribute('href'))") == [
        f"/{screen}" for screen in screens_of("judge")
    ]
    # Neither the president's key nor that of a screen of others does anything.
    await judge.press("c", "Shift+1")
    await judge.misses(".danger-line")
    assert judge.page.url.endswith("/finish")
    answer = await judge.page.evaluate(
        """async () => {
          const headers = { "Content-Type": "application/json", "X-CSRF-Token": document.body.dataset.csrf };
          const order = { id: "not-mine", action: { type: "confirm" }, heat: "qf-2" };
          const answer = await fetch("/commands", { method: "POST", headers, body: JSON.stringify(order) });
          return [answer.status, (await answer.json()).reason];
        }"""
    )
    assert answer == [403, "role 'judge' may not order 'confirm': it is for president"]
    page = await judge.page.goto(f"{day.hall.address}operator")
    assert page is not None
    assert page.status == 403
    words = "L'écran « Chronométrage » n'est pas destiné à la fonction Juge à l’arrivée."
    await expect(judge.page.locator("body")).to_contain_text(words)

    # Whoever has the console's own user of the broker is no better off: the ACL lets it order, and the core decides.
    before = await day.published("heats/qf-2/start")
    forged = json.dumps(before | {"seq": 10**9, "starters": []})
    await asyncio.to_thread(day.forge_as, CONSOLE, "heats/qf-2/start", forged)
    order = {"id": "forged", "actor": "nobody", "role": "judge", "action": {"type": "confirm"}, "heat": "qf-2"}
    reply = await day.order_as(CONSOLE, order)
    assert (reply["id"], reply["accepted"]) == ("forged", False)
    assert reply["reason"].startswith("role 'judge' may not ")
    assert await day.published("heats/qf-2/start") == before
    await expect(operator.page.locator(".field tbody tr")).to_have_count(6)
    assert operator.faults == []
