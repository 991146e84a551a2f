"""The pace screen: the derny against its curve in figures and words, the riders behind it, live and afterwards."""

import functools
import json
from typing import get_args

import numpy as np
import pytest
from playwright.async_api import Browser, Page, expect

from config.loader import load_setup
from tests.timing.control.console.browser.ridden import SIZES, STATIC, module_page
from tests.timing.control.console.browser.stage import WatchedOffice, axe, press, stage, tell, topics_of
from timing.core.pace import SHAPES, target_speed
from timing.race.actions import Arm, OpenHeat, Restart, Stop
from timing.race.course import build_course
from timing.race.picture import PullOffVerdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

KMH = 3.6
LETTERS_PX = "(one) => parseFloat(getComputedStyle(one).fontSize)"
HIDDEN_PX = "(one) => [one.scrollHeight - one.clientHeight, one.scrollWidth - one.clientWidth]"
PACED_M = 750.0


@functools.cache
def ridden(script: str = "tokyo2020-men-keirin", until: str = "") -> WatchedOffice:
    """Final A by a script, to its end or to the first picture of a state: to be looked at, not to be changed."""
    return ride(script, until)


def ride(script: str, until: str) -> WatchedOffice:
    """The same, for a test that goes on from there."""
    office = WatchedOffice(load_setup("tokyo2020-men-keirin"))
    office.to_the_gun()
    for picture in office.ride(script):
        if picture.state == until:
            break
    return office


async def figure(page: Page, label: str) -> str:
    """The large figure under a label, with the words below it."""
    box = page.locator(".pace-figure").filter(has_text=label)
    return " ".join((await box.inner_text()).split()).removeprefix(label).strip()


@pytest.mark.parametrize("shape", sorted(SHAPES))
async def test_the_curve_on_the_screen_is_the_one_that_the_core_measures_against(shape: str, browser: Browser) -> None:
    metres = np.linspace(-10.0, 800.0, 163)
    core = target_speed(metres, 30.0 / KMH, 50.0 / KMH, PACED_M, SHAPES[shape]) * KMH
    page = await module_page(browser)
    script = """async ([metres, curve]) => {
        const { targetAt } = await import("/js/screens/pace/curve.js");
        return metres.map((one) => targetAt(curve, one, 750)); }"""
    curve = {"start_kmh": 30.0, "end_kmh": 50.0, "shape": shape}
    shown = await page.evaluate(script, [metres.tolist(), curve])
    assert shown == pytest.approx(core.tolist(), abs=1e-9)


async def test_every_loop_up_to_the_exit_has_its_column_on_any_track(browser: Browser) -> None:
    setup = load_setup("tokyo2020-men-keirin")
    course = build_course(setup, setup.meet.heats[0])
    loops = {loop.id: loop.position_m for loop in setup.venue.loops}
    core = [[one.index, one.loop, one.distance_m] for one in course.marks if 0 < one.distance_m <= course.exit_m]
    page = await module_page(browser)
    script = """async ([loops, read]) => {
        const { pacedMarks, startOf } = await import("/js/screens/pace/curve.js");
        const meet = { track_length_m: 250, loops };
        return pacedMarks(meet, startOf(meet, read), 750).map((one) => [one.mark, one.loop, one.metres]); }"""
    shown = await page.evaluate(script, [loops, {"loop": "back", "distance_m": 125.0}])
    assert shown == core


async def test_a_derny_that_follows_its_curve_is_told_so_in_figures_and_words(browser: Browser) -> None:
    office = ride("tokyo2020-men-keirin", "sprint")
    office.wait(30_000_000)
    async with stage(browser) as one:
        page = await one.show("pace", office)
        assert await figure(page, "Derny at its exit") == "50.0 km/h"
        assert await figure(page, "Off the target") == "±0.0 ● in tolerance"
        assert await figure(page, "To its exit line") == "0 m"
        await expect(page.locator('[data-verdict="on_time"]')).to_contain_text("✔ pulled off at its line")
        await expect(page.locator('[data-verdict="on_time"]')).to_contain_text("Last read at 750 m")
        await expect(page.locator("[data-finding]")).to_have_count(0)


async def test_a_slow_derny_is_seen_coming_before_its_exit_and_found_at_it(browser: Browser) -> None:
    before, after = ridden("derny-slow", until="paced"), ridden("derny-slow")
    pace = before.picture.pace
    assert pace.predicted_exit_kmh is not None
    async with stage(browser) as one:
        page = await one.show("pace", before)
        predicted = await figure(page, "Predicted at the exit")
        assert predicted.startswith(f"{pace.predicted_exit_kmh:.1f}")
        assert predicted.endswith("target 50 km/h")
        await tell(page, after)
        assert await figure(page, "Off the target") == "−5.0 ▼ too slow"
        await expect(page.locator('[data-finding="exit_speed"]')).to_have_text(
            "⚠ Exit speed 45.0 km/h, −5.0 against 50."
        )
        # Beside the bars the deviations stand as signs and figures, not as colours alone.
        assert "▼−4" in (await page.locator(".pace-section.red text").last.text_content() or "")


async def test_where_the_derny_left_is_judged_by_its_line_and_said(browser: Browser) -> None:
    cases = {
        "derny-early": ("early", "Left the track after 500 m, 250 m before its line at 750 m."),
        "derny-late": ("late", "Stayed on the track to 875 m, 125 m past its line at 750 m."),
        "derny-returns": ("seen_again", "Seen again at 1000 m after it had left."),
    }
    async with stage(browser) as one:
        page = await one.show("pace", ridden())
        for script, (verdict, said) in cases.items():
            await tell(page, ridden(script))
            await expect(page.locator(f'[data-verdict="{verdict}"] strong')).to_contain_text("✕")
            await expect(page.locator("[data-finding]").filter(has_text=said)).to_have_count(1)


async def test_riders_stand_behind_the_derny_and_one_ahead_is_named_with_the_article(
    browser: Browser,
) -> None:
    office = ridden(until="sprint")
    margins = office.picture.pace.margins
    async with stage(browser) as one:
        page = await one.show("pace", office)
        first = margins[0]
        cell = page.locator(f'.pace-margins tr[data-bib="{first.bib}"] td[data-mark="{first.mark}"]')
        await expect(cell).to_have_text(f"{first.margin_m:.1f}")
        await expect(page.locator(".pace-margins thead th")).to_have_count(5 + 15)
        await press(page, "m")
        await expect(cell).to_have_text(f"{first.margin_ms / 1000:.3f}")
        await expect(page.locator("[data-ahead]")).to_have_count(0)

        # The same picture with one rider's wheel in front of the derny's: margins are the core's, shown as they come.
        script = """([pace, bib, mark]) => {
            const is = (one) => one.bib === bib && one.mark === mark;
            const ahead = { ...pace.margins.find(is), margin_m: -0.42, margin_ms: -31 };
            const margins = pace.margins.map((one) => (is(one) ? ahead : one));
            const payload = { attempt: 1, earlier: [], pace: { ...pace, margins, riders_ahead: [ahead] } };
            window.stream.play("delta", { n: 2, topic: "heats/final-a/pace", payload });
        }"""
        pace = topics_of(office)["heats/final-a/pace"]["pace"]
        await page.evaluate(script, [pace, first.bib, first.mark])
        await expect(cell).to_have_text("✕ −0.031")
        await expect(page.locator(f'[data-ahead="{first.bib}"]')).to_have_text(
            f"✕ Rider {first.bib} ahead of the derny at {first.loop}, {first.distance_m:g} m: by 0.42 m (31 ms). "
            "Commissaire to rule, UCI 3.2.140."
        )


async def test_any_attempt_is_looked_at_with_keys_and_never_taken_for_the_race_on_the_track(
    browser: Browser,
) -> None:
    office = ride("derny-slow", "sprint")
    office.order("starter", Stop(reason="rider down"))
    office.order("operator", Restart())
    office.order("operator", Arm())
    office.wait(1_000_000)
    async with stage(browser) as one:
        page = await one.show("pace", office)
        await expect(page.locator(".pace-heading")).to_contain_text("attempt 2 of 2")
        await press(page, "ArrowUp")
        for words in ("attempt 1 of 2", "⚠ not the race on the track", "stopped: rider down"):
            await expect(page.locator(".pace-heading")).to_contain_text(words)
        assert await figure(page, "Off the target") == "−5.0 ▼ too slow"
        await press(page, "l")
        await expect(page.locator(".pace-heading")).to_contain_text("attempt 2 of 2")
        await expect(page.locator(".pace-heading .chip")).to_have_count(0)

        office.order("starter", Stop(reason="no pacer"))
        office.order("operator", OpenHeat(heat="final-b"))
        await tell(page, office)
        await expect(page.locator(".pace")).to_have_attribute("data-heat", "final-b")
        await press(page, "PageUp")
        await expect(page.locator(".pace")).to_have_attribute("data-heat", "final-a")
        await expect(page.locator(".pace-heading")).to_contain_text("not the race on the track")
        await press(page, "PageDown")
        await expect(page.locator(".pace")).to_have_attribute("data-heat", "final-b")


async def test_every_verdict_and_finding_of_the_core_has_words_in_every_language() -> None:
    verdicts = get_args(PullOffVerdict)
    scripts = ("derny-slow", "derny-early", "derny-late", "derny-returns")
    findings = {one.what for script in scripts for one in ridden(script).picture.pace.findings}
    assert findings >= {"exit_speed", "pull_off_early", "pull_off_late", "seen_again"}
    keys = {f"pull_off_{one}" for one in verdicts} | {f"finding_{one}" for one in findings - {"rider_ahead"}}
    for lang in ("en", "fr", "ja"):
        words = json.loads((STATIC / "texts" / f"{lang}.json").read_text("utf-8"))["pace"]
        assert keys <= set(words), lang


async def test_the_figures_are_large_nothing_is_cut_off_and_axe_finds_nothing(browser: Browser) -> None:
    office = ridden("derny-slow", until="sprint")
    async with stage(browser) as one:
        for size, theme, lang in zip(SIZES, ("night", "hall", "night"), ("fr", "en", "ja"), strict=True):
            page = await one.show("pace", office, size=size, theme=theme, lang=lang)
            assert await axe(page) == []
            assert await page.locator(".pace-figure.main .pace-value").evaluate(LETTERS_PX) >= 48
            for part in (".view", ".pace-margins"):
                assert max(await page.locator(part).evaluate(HIDDEN_PX)) <= 1, (size, part)
            await page.close()
