"""The timing operator's screen: a heat run by keys alone, and what the screen says when something is wrong."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from config.loader import load_setup
from tests.timing.control.conftest import Office
from tests.timing.control.console.browser.ridden import SIZES, Person, chromium, modules
from tests.timing.control.console.browser.stage import WatchedOffice, axe, press, stage, tell
from tests.timing.control.console.hall import Hall
from timing.race.actions import AcceptInferred
from timing.race.picture import Crossing

MakeHall = Callable[[], Hall]
HEAT = "final-a"


@pytest.fixture
def watched() -> WatchedOffice:
    """An office whose passings are kept for the screen."""
    return WatchedOffice(load_setup("tokyo2020-men-keirin"))


def missing_a_read(office: Office, state: str) -> Office:
    """A heat ridden until a state; rider 4's transponder is never read at the back straight."""
    rider = next(one for one in office.setup.meet.riders if one.bib == "4")
    office.missed = (rider.transponders[0], "p3-back")
    office.to_the_gun()
    office.until(state)
    return office


async def test_what_is_typed_is_read_while_it_is_typed() -> None:
    async with modules() as page:
        found: dict[str, Any] = await page.evaluate(
            """async () => {
              const lines = await import("/js/screens/operator/lines.js");
              const known = { starters: [{ bib: "4" }, { bib: "13" }], codes: ["W", "REL", "DSQ"],
                loops: { finish: 0, l200: 50, back: 112.5, l100: 150, home: 237.5 },
                now: 100_000_000, startUs: 40_000_000, dayUs: 50_400_000_000 };
              const manual = (text) => lines.readManual(text, known);
              const heats = ["sf-1", "sf-2", "final-a"].map((heat) => ({ heat, name: heat.toUpperCase() }));
              return {
                now: manual("4 finish"), ago: manual("4 b -2.5"), race: manual("13 3 1:02.345"),
                day: manual("4 home 13:59:50.5"), bib: manual("9 finish"), loop: manual("4 l"),
                time: manual("4 back soon"),
                out: lines.readExclusions("4 dsq 3.2.140 passed the pacer; 13 REL", known),
                all: lines.readExclusions("  ", known), twice: lines.readExclusions("4 W; 4 REL", known),
                code: lines.readExclusions("4 XYZ", known), swap: lines.readSwap("4 5000009", known),
                laps: lines.readLaps("3"), words: lines.readLaps("three"),
                mishap: lines.readMishap("4 puncture", known), heat: lines.readHeat("fin", heats),
                which: lines.readHeat("sf", heats), none: lines.readHeat("x", heats),
              };
            }"""
        )
    assert found["now"] == {"bib": "4", "loop": "finish", "at_us": 100_000_000}
    assert found["ago"] == {"bib": "4", "loop": "back", "at_us": 97_500_000}
    assert found["race"] == {"bib": "13", "loop": "back", "at_us": 102_345_000}, "the third loop round the track"
    assert found["day"] == {"bib": "4", "loop": "home", "at_us": 90_500_000}, "9.5 s before 14:00:00"
    assert [found[one]["wrong"] for one in ("bib", "loop", "time", "twice", "code", "words", "which", "none")] == [
        *("operator.wrong_bib", "operator.wrong_loop", "operator.wrong_time", "operator.wrong_twice"),
        *("operator.wrong_code", "operator.how_laps", "operator.which_heat", "operator.wrong_heat"),
    ]
    assert found["out"]["excluded"] == [
        {"bib": "4", "code": "DSQ", "article": "3.2.140", "reason": "passed the pacer"},
        {"bib": "13", "code": "REL", "article": "", "reason": ""},
    ]
    assert found["all"] == {"excluded": []}
    assert found["swap"] == {"bib": "4", "transponder": "5000009"}
    assert found["laps"] == {"laps_to_go": 3}
    assert found["mishap"] == {"bib": "4", "what": "puncture"}
    assert found["heat"]["heat"] == HEAT


async def test_a_heat_is_opened_started_stopped_and_restarted_by_keys_alone_and_each_order_undone(
    make_hall: MakeHall,
) -> None:
    hall = await make_hall().start()
    async with hall.signed_in("operator") as desk:
        await desk.order({"type": "open_heat", "heat": "sf-1"})
    async with chromium() as browser:
        operator = await Person.sit_down(browser, hall, "operator", "operator")

        await operator.press("o")
        await operator.type("final-a")
        await operator.sees(".line-hint", "opens Final A")
        await operator.press("Enter")
        await operator.sees(".top-state", "On the line")
        await operator.press("a")
        await operator.sees(".top-state", "Armed")
        await operator.press("g", "Enter")
        await operator.sees(".top-state", "Started")

        await operator.press("l")
        await operator.type("5")
        await operator.press("Enter")
        await operator.sees(".top-laps", "5")
        await operator.sees(".key-bar", "Undo: lap counter")
        await operator.press("u")
        await operator.sees(".said", "Taken: undo")
        await operator.press("3")
        await operator.sees(".shared", "undone")
        await operator.press("1", "Shift+U")
        await operator.sees(".key-bar", "Undo: lap counter")

        # A passing that a person saw leaves the loops before it without a read: each is shown with its confidence.
        for line in ("4 finish", "4 finish"):
            await operator.press("m")
            await operator.type(line)
            await operator.press("Enter")
            await operator.misses(".question-line")
        await operator.sees(".said", "passing")

        await operator.press("s")
        await operator.sees(".danger-line", "STOP the race: double shot by the starter")
        await operator.press("Enter")
        await operator.sees(".top-state", "Stopped")
        await operator.sees(".key-bar", "Undo: stop")
        await operator.press("u", "Enter")
        await operator.misses(".top-state [data-state=stopped]")
        await operator.press("s", "Enter")
        await operator.sees(".top-state", "Stopped")
        await operator.press("r")
        await operator.type("4 DSQ 3.2.140 passed the pacer")
        await operator.press("Enter")
        await operator.sees(".danger-line", "Restart without 4 KENNY Jason DSQ")
        await operator.press("Enter")
        await operator.sees(".top-state", "Attempt 2")
        await operator.sees(".field tr.out", "DSQ")
        assert operator.faults == []


async def test_a_line_that_was_sent_takes_no_keys_before_the_core_has_answered(watched: WatchedOffice) -> None:
    async with stage() as here:
        page = await here.show("operator", missing_a_read(watched, "sprint"))
        answered = asyncio.Event()
        sent: list[dict[str, Any]] = []

        async def take(route: Any) -> None:
            sent.append(route.request.post_data_json)
            await answered.wait()
            await route.fulfill(json={"accepted": False, "reason": "Somebody was quicker.", "journal_id": 12})

        await page.route("**/commands", take)
        line = page.locator(".question-line")
        await press(page, "l")
        await page.keyboard.type("5")
        await page.keyboard.press("Enter")
        await expect(line).to_have_attribute("aria-busy", "true")
        await expect(line).to_contain_text("Waiting for the core")
        for key in ("7", "Enter", "a"):
            await page.keyboard.press(key)
        await expect(page.locator("#line-input")).to_have_value("5")

        answered.set()
        await expect(line).to_contain_text("Somebody was quicker.")
        await press(page, "6")
        assert [one["action"]["type"] for one in sent] == ["lap_counter"]
        await expect(page.locator("#line-input")).not_to_have_value("5")


async def test_a_missed_read_is_accepted_and_another_rejected_with_one_key(watched: WatchedOffice) -> None:
    async with stage() as here:
        page = await here.show("operator", missing_a_read(watched, "sprint"))
        sent = await answer_orders(page)
        rows = page.locator(".missed-row")
        newest = inferred(watched)[0]
        await expect(rows.first).to_contain_text(f"{newest.loop} · lap {newest.lap}")
        await expect(rows.first.locator(".sureness")).to_have_text(f"{newest.confidence} %")
        waiting = await rows.count()
        assert waiting == len(inferred(watched)) >= 2
        first, second = [await rows.nth(n).get_attribute("data-missed") for n in (0, 1)]

        await press(page, "j", "n")
        await press(page, "k", "y")
        assert [(one["action"]["type"], f"{one['action']['bib']}@{one['action']['mark']}") for one in sent] == [
            ("reject_inferred", second),
            ("accept_inferred", first),
        ]

        # The row goes by itself: a key that was meant for it is not taken for the next one.
        await page.evaluate("() => { const at = performance.now(); performance.now = () => at; }")
        watched.order("operator", AcceptInferred(bib=sent[1]["action"]["bib"], mark=sent[1]["action"]["mark"]))
        await tell(page, watched)
        await expect(rows).to_have_count(waiting - 1)
        await page.keyboard.press("y")
        await expect(page.locator(".said")).to_contain_text("The list moved under your hand")
        assert len(sent) == 2


async def test_the_bell_is_prompted_and_then_confirmed(watched: WatchedOffice) -> None:
    async with stage() as here:
        watched.to_the_gun()
        for picture in watched.ride():
            if picture.bell.prompt:
                break
        page = await here.show("operator", watched)
        sent = await answer_orders(page)
        card = page.locator(".card.amber[data-alert=ring_bell]")
        await expect(card).to_contain_text("Ring the bell as the head of the race begins the last lap")
        await expect(card.locator("button")).to_contain_text("Bell")
        await press(page, "b")
        assert [one["action"] for one in sent] == [{"type": "bell", "at_us": None}]


async def test_a_dead_loop_says_what_is_affected_and_what_to_do(watched: WatchedOffice) -> None:
    async with stage() as here:
        watched.to_the_gun()
        watched.until("sprint")
        for device in ("p3-l200", "p3-finish"):
            watched.health(device, "live")
        watched.health("p3-finish", "lost", "the cable was pulled", "plug the cable in")
        watched.health("p3-l200", "silent", "nothing for 5 s", "")
        page = await here.show("operator", watched)
        finish = page.locator(".box[data-device=p3-finish]")
        await expect(finish).to_contain_text("✕ lost")
        await expect(page.locator(".box[data-device=p3-l200]")).to_contain_text("◐ silent")
        await expect(page.locator(".box[data-device=p3-home]")).not_to_contain_text("lost")
        loop = page.locator(".card.red[data-loop=finish]")
        await expect(loop).to_contain_text("Loop finish is dead")
        await expect(loop).to_contain_text("p3-finish is lost. the cable was pulled")
        await expect(loop).to_contain_text("→ plug the cable in")
        affected = loop.locator("li", has_text="places and gaps: official from the photo-finish")
        await expect(affected).to_be_visible()
        await loop.locator("summary").press("Enter")
        await expect(affected).to_be_hidden()


async def test_the_field_stands_in_its_order_with_laps_half_laps_speed_and_gaps(watched: WatchedOffice) -> None:
    async with stage() as here:
        watched.to_the_gun()
        picture = watched.until("bell")
        page = await here.show("operator", watched)
        script = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
        rows = await page.locator(".field tbody tr").evaluate_all(script)
        assert len(rows) == len(picture.starters)
        assert [row[0] for row in rows] == [str(place) for place in range(1, 7)]
        last = picture.orders[-1].entries[0].bib
        assert rows[0][1] == last
        assert rows[0][7] == ""
        assert all(row[7].startswith("+") for row in rows[1:])
        crossing = next(one for one in picture.splits if one.bib == last).crossings[-1]
        assert rows[0][3] == str(crossing.lap)
        passings = page.locator("[data-list=passings] .row")
        assert await passings.count() > 10
        await expect(page.locator("svg.track")).to_be_visible()


@pytest.mark.parametrize(("theme", "sizes"), [("hall", SIZES), ("night", SIZES[:1])])
async def test_axe_finds_nothing_wrong(watched: WatchedOffice, theme: str, sizes: tuple[tuple[int, int], ...]) -> None:
    async with stage() as here:
        missing_a_read(watched, "bell")
        watched.health("p3-l200", "lost", "the cable was pulled", "plug the cable in")
        page = await here.show("operator", watched, theme=theme)
        await press(page, "m", "Escape", "?")
        for width, height in sizes:
            await page.set_viewport_size({"width": width, "height": height})
            assert await axe(page) == [], f"{width}×{height}"
            await press(page, "Escape")


async def test_on_a_tablet_everything_that_is_touched_is_large_enough(watched: WatchedOffice) -> None:
    async with stage() as here:
        page = await here.show("operator", missing_a_read(watched, "sprint"), size=(1024, 768))
        small = await page.evaluate(
            """() => [...document.querySelectorAll("button, a, summary, .row")]
              .map((one) => [one.textContent.trim(), one.getBoundingClientRect()])
              .filter(([, box]) => box.width && (box.height < 44 || box.width < 44)).map(([text]) => text)"""
        )
        assert small == []
        wide = """() => [document.documentElement, document.querySelector(".view")]
          .some((one) => one.scrollWidth > one.clientWidth)"""
        assert await page.evaluate(wide) is False


def inferred(office: Office) -> list[Crossing]:
    """What the core inferred in the heat on the track, the newest first."""
    found = [one for rider in office.picture.splits for one in rider.crossings]
    missed = [one for one in found if one.source in ("interpolated", "predicted")]
    return sorted(missed, key=lambda one: -one.race_ms)


async def answer_orders(page: Page) -> list[dict[str, Any]]:
    """Orders are taken by the test; returns the list in which they are kept."""
    kept: list[dict[str, Any]] = []

    async def take(route: Any) -> None:
        kept.append(route.request.post_data_json)
        await route.fulfill(json={"accepted": True, "reason": "", "journal_id": 12})

    await page.route("**/commands", take)
    return kept
