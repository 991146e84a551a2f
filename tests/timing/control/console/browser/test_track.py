"""The track map: to scale, riders where their last read and speed put them, and marked where that cannot be known."""

from typing import Any

import pytest
from playwright.async_api import Browser, Page

from config.loader import load_setup
from tests.timing.control.console.browser.ridden import module_page
from tests.timing.control.console.browser.stage import WatchedOffice, stage, tell
from timing.race.picture import HeatPicture

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE_SECOND_US = 1_000_000
COURSE = {"lengthM": 250.0, "courseM": 1512.5, "loops": [0.0, 50.0, 112.5, 150.0, 237.5], "clockSpeed": 1}


async def run(page: Page, body: str, *args: Any) -> Any:
    """What an expression over the track's modules gives; `args` are its arguments."""
    script = f"""async (args) => {{
        const {{ oval, mod }} = await import("/js/track/oval.js");
        const positions = await import("/js/track/positions.js");
        {body} }}"""
    return await page.evaluate(script, list(args))


def crossing(distance_m: float, race_ms: int, speed_kmh: float | None, source: str = "read") -> dict[str, Any]:
    """A rider's crossing as it is published."""
    return {"distance_m": distance_m, "race_ms": race_ms, "speed_kmh": speed_kmh, "source": source}


@pytest.mark.parametrize(("length_m", "home_m"), [(250.0, 237.5), (333.33, 318.33), (133.33, 120.0)])
async def test_the_oval_is_as_long_as_the_track_and_ridden_anticlockwise(
    length_m: float, home_m: float, browser: Browser
) -> None:
    page = await module_page(browser)
    points = await run(
        page,
        """const [length, home] = args; const shape = oval(length, home); const n = 4000;
        return Array.from({ length: n }, (_, i) => shape.at((length * i) / n));""",
        length_m,
        home_m,
    )
    around = sum(
        ((one["x"] - other["x"]) ** 2 + (one["y"] - other["y"]) ** 2) ** 0.5
        for one, other in zip(points, points[1:] + points[:1], strict=True)
    )
    assert around == pytest.approx(length_m, rel=1e-5)
    # The finish lies after the middle of the home straight: to its right, and y goes down on a screen.
    assert 0 < points[0]["x"] < length_m / 4
    assert points[0]["y"] > 0
    half = points[2000]
    assert (half["x"], half["y"]) == pytest.approx((-points[0]["x"], -points[0]["y"]), abs=1e-9)


async def test_a_rider_is_carried_by_the_last_speed_and_waits_at_the_next_loop(browser: Browser) -> None:
    page = await module_page(browser)
    now = "return positions.riderNow(args[0], args[1], 0, args[2]);"
    at_the_line = [crossing(250.0, 20_000, 36.0)]
    # 36 km/h are 10 m/s: half a second after the home line it is 5 m further, sure of it.
    soon = await run(page, now, at_the_line, 20 * ONE_SECOND_US + 500_000, COURSE)
    assert (soon["course"], soon["sure"]) == (pytest.approx(255.0), True)
    assert soon["metres"] == pytest.approx(242.5)

    # The finish loop, 12.5 m on, should have read it long ago: it waits there, hollow, for ever.
    for seconds in (4, 400):
        late = await run(page, now, at_the_line, (20 + seconds) * ONE_SECOND_US, COURSE)
        assert 262.5 < late["course"] <= 262.5 + 2.0
        assert late["sure"] is False

    # A dead loop is not waited for: the next one that lives, at 50 m after the finish, is.
    dead = {**COURSE, "loops": [50.0, 112.5, 150.0, 237.5]}
    on = await run(page, now, at_the_line, 24 * ONE_SECOND_US, dead)
    assert (on["course"], on["sure"]) == (pytest.approx(290.0), True)


async def test_what_was_inferred_is_never_shown_as_read_and_who_is_home_rides_away(
    browser: Browser,
) -> None:
    page = await module_page(browser)
    now = "return positions.riderNow(args[0], args[1], 0, args[2]);"
    inferred = await run(page, now, [crossing(250.0, 20_000, 36.0, "predicted")], 20_100_000, COURSE)
    assert inferred["sure"] is False
    home = [crossing(1512.5, 110_000, 64.0)]
    assert (await run(page, now, home, 111 * ONE_SECOND_US, COURSE))["sure"] is False
    assert await run(page, now, home, 120 * ONE_SECOND_US, COURSE) is None
    # From a standing start nobody is at full speed at once.
    standing = await run(page, now, [crossing(0.0, 0, None)], ONE_SECOND_US, COURSE)
    assert 0.5 < standing["course"] < 1.0


async def test_two_riders_side_by_side_do_not_change_places_with_every_frame(browser: Browser) -> None:
    page = await module_page(browser)
    steady = "return positions.steadyOrder(args[0], new Map(args[1]));"
    assert await run(page, steady, ["4", "7"], [["4", 100.0], ["7", 101.2]]) == ["4", "7"]
    assert await run(page, steady, ["4", "7"], [["4", 100.0], ["7", 102.0]]) == ["7", "4"]
    assert await run(page, steady, ["4", "9"], [["4", 10.0], ["1", 30.0]]) == ["1", "4"]


def office_at(state: str, head_m: float = 0.0) -> WatchedOffice:
    """Final A of the Tokyo script, held where the head of the race comes to a mark."""
    office = WatchedOffice(load_setup("tokyo2020-men-keirin"))
    office.to_the_gun()
    if state != "pacer_run":
        for picture in office.ride():
            if picture.state == state and _head_m(picture) >= head_m:
                break
    return office


def _head_m(picture: HeatPicture) -> float:
    return picture.orders[-1].distance_m if picture.orders else 0.0


async def draw_map(page: Page) -> None:
    """The operator's map alone, at twice its size, fed by the store of the page."""
    await page.evaluate(
        """async () => {
        const [{ createStore }, { patch }, { trackMap }, { t, loadTexts }] = await Promise.all(
            ["store", "dom", "track", "texts"].map((name) => import(`/static/js/${name}.js`)));
        await loadTexts("en");
        const store = createStore();
        document.body.innerHTML = '<div id="map"></div>';
        window.stream = { play: (kind, data) => { store.apply({ kind, ...data }); window.draw(); } };
        const ctx = { store, t, drawn: new Set() };
        window.draw = () => patch(document.getElementById("map"), trackMap(ctx, { width: 900, height: 520 }));
        }"""
    )


async def markers(page: Page) -> dict[str, dict[str, Any]]:
    """Every marker by its bib: where its dot is, and whether it is hollow. Read when they have come to rest."""
    script = """() => new Promise((done) => {
      const at = (one, name) => new DOMMatrix(one.querySelector(".dot").style.transform)[name];
      const read = () => Object.fromEntries([...document.querySelectorAll(".marker")].map((one) => [one.dataset.bib, {
        x: at(one, "e"), y: at(one, "f"), text: one.querySelector("text").textContent,
        hollow: one.classList.contains("hollow") }]));
      let before = "";
      const look = () => { const now = JSON.stringify(read());
        if (now === before && now !== "{}") done(read()); else { before = now; setTimeout(look, 60); } };
      look();
    })"""
    found: dict[str, dict[str, Any]] = await page.evaluate(script)
    return found


async def test_the_field_goes_round_behind_the_derny_and_each_bib_can_be_read(browser: Browser) -> None:
    office = office_at("paced", 375.0)
    bibs = {starter.bib for starter in office.picture.starters}
    async with stage(browser) as one:
        page = await one.page()
        await draw_map(page)
        await tell(page, office)
        found = await markers(page)
        assert set(found) == {*bibs, "D"}
        assert {bib: marker["text"] for bib, marker in found.items()} == {bib: bib for bib in found}
        # Just read in the back straight, at the top, which is ridden from right to left: the derny is further on.
        leader = office.picture.orders[-1].entries[0].bib
        assert found[leader]["y"] < 0
        assert not found[leader]["hollow"]
        assert found["D"]["x"] < found[leader]["x"]

        # Ten seconds in which nothing comes: all should have been read by now, none has run away from the rest.
        await tell(page, office, later_us=10 * ONE_SECOND_US)
        late = await markers(page)
        assert all(marker["hollow"] for marker in late.values())
        assert late[leader]["x"] < found[leader]["x"]
        tags = await page.evaluate(
            "() => [...document.querySelectorAll('.marker .tag')].map((one) => one.getBoundingClientRect().toJSON())"
        )
        apart = [max(abs(a["x"] - b["x"]), abs(a["y"] - b["y"])) for i, a in enumerate(tags) for b in tags[i + 1 :]]
        assert min(apart) > 12, "tags cover each other"


async def test_riders_stand_in_drawn_order_before_the_gun_and_nobody_paces_the_sprint(browser: Browser) -> None:
    waiting, sprint = office_at("pacer_run"), office_at("sprint", 1062.0)
    async with stage(browser) as one:
        page = await one.page()
        await draw_map(page)
        await tell(page, waiting)
        found = await markers(page)
        drawn = [starter.bib for starter in sorted(waiting.picture.starters, key=lambda rider: rider.draw)]
        # The first drawn stands nearest to the line; the home straight is ridden from left to right.
        assert sorted((bib for bib in found if bib != "D"), key=lambda bib: -found[bib]["x"]) == drawn
        await tell(page, sprint)
        assert "D" not in await markers(page)


async def test_a_dead_loop_is_told_by_sign_and_word_and_the_map_has_a_name(browser: Browser) -> None:
    office = office_at("paced", 375.0)
    office.health("p3-l100", "lost", "no answer")
    async with stage(browser) as one:
        page = await one.page()
        await draw_map(page)
        await tell(page, office)
        dead = page.locator('[data-loop="l100"]')
        assert await dead.get_attribute("data-condition") == "dead"
        assert await dead.text_content() == "✕ l100 DEAD"
        assert await page.locator('[data-loop="back"]').text_content() == "● back "
        label = await page.locator("svg.track").get_attribute("aria-label")
        assert label is not None
        assert "Izu Velodrome, 250 m" in label
