"""What every screen stands on: drawing in place, keys with a second key for what is dangerous, the loss of a line."""

from collections.abc import Callable
from typing import Any

from playwright.async_api import Page, expect

from tests.timing.control.conftest import Office
from tests.timing.control.console.browser.ridden import Person, chromium, modules
from tests.timing.control.console.browser.stage import press, stage
from tests.timing.control.console.hall import Hall

MakeHall = Callable[[], Hall]
LOSS_MS = 2_000
"""Within this time a loss is on the screen, and gone from it after the return (the browser asks each half second)."""


async def test_a_changed_picture_moves_what_is_there_and_keeps_focus_and_what_was_typed() -> None:
    async with modules() as page:
        found: dict[str, Any] = await page.evaluate(
            """async () => {
              const { h, memo, patch, svg } = await import("/js/dom.js");
              const at = document.body.appendChild(document.createElement("div"));
              const row = (bib) => h("li", { key: bib }, bib, h("input", { "aria-label": bib, value: "" }));
              patch(at, h("ul", null, ["4", "2", "7"].map(row)));
              const [four, two, seven] = at.querySelectorAll("li");
              two.querySelector("input").focus();
              two.querySelector("input").value = "typed";
              patch(at, h("ul", null, ["7", "9", "2"].map(row)));
              const order = [...at.querySelectorAll("li")];
              const kept = { texts: order.map((one) => one.firstChild.data), seven: order[0] === seven,
                two: order[2] === two, four: four.isConnected, value: two.querySelector("input").value,
                focused: document.activeElement === two.querySelector("input") };
              patch(at, [h("p", { class: "a", hidden: true, style: "color: red" }, "gone soon", null, false, 0)]);
              const p = at.querySelector("p");
              patch(at, [h("p", { class: "b", onclick: () => { at.dataset.clicked = "yes"; } }, "now")]);
              p.click();
              let made = 0;
              const cache = {};
              const part = (inputs) => memo(cache, "part", inputs, () => { made += 1; return svg("g", null); });
              const again = part([1, "a"]) === part([1, "a"]);
              part([2, "a"]);
              return { ...kept, again, made, clicked: at.dataset.clicked,
                p: [at.firstChild === p, at.childNodes.length, p.className, p.hidden, p.style.color, p.textContent] };
            }"""
        )
    assert found["texts"] == ["7", "9", "2"]
    assert (found["seven"], found["two"], found["four"]) == (True, True, False), "nodes move with their keys"
    assert (found["value"], found["focused"]) == ("typed", True)
    assert found["p"] == [True, 1, "b", False, "", "now"], "what is not described any more is gone"
    assert found["clicked"] == "yes"
    assert (found["again"], found["made"]) == (True, 2)


async def test_numbers_are_cut_off_not_rounded_and_places_stand_in_brackets_until_official() -> None:
    async with modules() as page:
        found = await page.evaluate(
            """async () => {
              const f = await import("/js/format.js");
              return [f.gap(248), f.gap(-3), f.gap(0), f.gap(null), f.seconds(62003), f.seconds(15204), f.speed(62.49),
                f.place(2, true), f.place(2, false), f.place(null, true), f.raceClock(83_450_000), f.raceClock(null),
                f.name({ surname: "Glaetzer", given: "Matthew" }), f.clock(1628416000123456, "Asia/Tokyo", 3),
                f.laps(2.5), f.laps(3), f.ago(4_900_000)];
            }"""
        )
    assert found == [
        *("+0.248", "−0.003", "+0.000", "–", "1:02.003", "15.204", "62.4"),
        *("(2)", "2", "–", "1:23.4", "–:––.–", "GLAETZER Matthew", "18:46:40.123", "2.5", "3", "4 s"),
    ]


async def test_a_number_left_out_is_noticed_and_a_clock_that_is_lost_stands() -> None:
    async with modules() as page:
        found: dict[str, Any] = await page.evaluate(
            """async () => {
              const { createStore } = await import("/js/store.js");
              let ms = 0;
              const store = createStore(() => ms);
              let changes = 0;
              store.onChange(() => { changes += 1; });
              const links = { mqtt: "up", core: "up" };
              store.apply({ kind: "snapshot", n: 7, topics: { current: { heat: "final-a" }, a: { x: { y: 1, z: 2 } } },
                links, core: { at_us: 1_000_000, speed: 4 } });
              const start = { topic: "heats/final-a/start", payload: { starters: [] } };
              const next = store.apply({ kind: "delta", n: 8, ...start });
              store.apply({ kind: "delta", n: 9, topic: "a", patch: { x: { y: [3], z: [] } } });
              store.apply({ kind: "passing", n: 10, payload: { passings: [{ read: "1:0" }, { read: "1:1" }] } });
              ms = 500;
              const running = store.coreNow();
              store.apply({ kind: "beat", core: { at_us: 3_020_000, speed: 4 }, links });
              const slewed = store.coreNow();
              store.hold(true);
              ms = 9_000;
              const held = store.coreNow();
              const hole = store.apply({ kind: "delta", n: 12, topic: "a", payload: {} });
              return { next, hole, a: store.get("a"), start: store.heat("start"), running, slewed, held, changes,
                passings: store.passings().map((one) => one.read) };
            }"""
        )
    assert (found["next"], found["hole"]) == (True, False), "12 after 10 is a missed change"
    assert found["start"] == {"starters": []}, "a part of the heat on the track"
    assert found["passings"] == ["1:1", "1:0"]
    assert found["running"] == 3_000_000, "0.5 s at four times the speed"
    assert found["slewed"] == 3_002_000, "a beat that came late does not make the clock jump"
    assert found["held"] == found["slewed"]
    assert found["changes"] == 4, "a beat that says nothing new is not a change"


async def test_what_is_dangerous_needs_enter_and_any_other_key_leaves_it(office: Office) -> None:
    async with stage() as here:
        office.to_the_gun()
        page = await here.show("operator", office)
        posts = await keep_posts(page)

        await press(page, "g")
        await expect(page.locator(".danger-line")).to_contain_text("The race starts now, by hand")
        await press(page, "Escape")
        await expect(page.locator(".danger-line")).to_have_count(0)

        await press(page, "g", "ArrowDown")
        await expect(page.locator(".danger-line")).to_have_count(0)
        await press(page, "Enter")
        assert posts == [], "Enter belongs to the warning that is on the screen, and to nothing else"

        await press(page, "g", "Enter")
        await expect(page.locator(".said")).to_contain_text("Taken: gun (row 12)")
        assert [one["action"]["type"] for one in posts] == ["gun"]
        assert posts[0]["preview"] is False

        # Every button of the bar shows its key, and a hand does the same as the key.
        buttons = page.locator(".key-bar .key-button")
        assert await buttons.count() == await page.locator(".key-bar .key-button > kbd").count() > 10
        await page.locator(".key-bar [data-id=gun]").click()
        await page.locator(".danger-line button").first.click()
        await expect(page.locator(".danger-line")).to_have_count(0)
        assert len(posts) == 2
        assert posts[0]["id"] != posts[1]["id"]


async def test_an_answer_that_never_came_is_told_and_sent_again_under_the_same_id(office: Office) -> None:
    async with stage() as here:
        office.to_the_gun()
        page = await here.show("operator", office)
        posts = await keep_posts(page, status=503, answer={"accepted": False, "reason": "the broker is away"})
        await press(page, "g", "Enter")
        await expect(page.locator(".said")).to_contain_text("Not known whether it was taken: the broker is away")
        await press(page, "Shift+Enter")
        await expect(page.locator(".key-bar")).to_contain_text("Send again")
        assert len(posts) == 2
        assert posts[0] == posts[1]
        here.faults.clear()  # the browser itself reports the 503


async def test_help_theme_and_language_are_a_key_each_on_every_screen(office: Office) -> None:
    async with stage() as here:
        office.to_the_gun()
        page = await here.show("operator", office)
        await press(page, "?")
        await expect(page.locator(".help")).to_contain_text("Start by hand, where no gun impulse came then Enter")
        await expect(page.locator(".help")).to_contain_text("On every screen")
        await press(page, "Escape")
        await expect(page.locator(".help")).to_have_count(0)
        await press(page, "Shift+T")
        assert await page.evaluate("document.documentElement.dataset.theme") == "night"
        await press(page, "Shift+L")
        await expect(page.locator(".top")).to_contain_text("Armé, derny en piste")
        assert await page.evaluate("document.documentElement.lang") == "fr"
        await press(page, "Shift+L")
        await expect(page.locator(".top")).to_contain_text("ペーサー走行中")
        assert "lang=ja" in await page.evaluate("document.cookie")


async def test_server_broker_and_core_are_missed_in_words_over_the_whole_screen_and_come_back(
    make_hall: MakeHall,
) -> None:
    hall = await make_hall().start()
    async with hall.signed_in("operator") as desk:
        assert (await desk.order({"type": "open_heat", "heat": "final-a"})).json()["accepted"]
    async with chromium() as browser:
        page = (await Person.sit_down(browser, hall, "operator", "operator")).page
        await expect(page.locator(".loss")).to_have_count(0)

        await hall.stop_service()
        await missed(page, "core", "Timing core lost", "No passing is shown and no order is taken.")
        await page.keyboard.press("o")
        await expect(page.locator(".question-line")).to_have_count(0)
        await hall.start_service()
        await expect(page.locator(".loss")).to_have_count(0, timeout=LOSS_MS)

        hall.mosquitto.kill()
        await missed(page, "mqtt", "MQTT broker lost", "Timing goes on and keeps everything.")
        await hall.mosquitto.start()
        await expect(page.locator(".loss")).to_have_count(0, timeout=2 * LOSS_MS)

        await hall.stop_console()
        await missed(page, "server", "Console server lost", "This screen comes back by itself.")
        await hall.start_console()
        await expect(page.locator(".loss")).to_have_count(0, timeout=LOSS_MS)
        assert await page.locator(".app").get_attribute("data-live") == "yes"


async def missed(page: Page, what: str, words: str, advice: str) -> None:
    """The overlay covers the window and says which of the three is lost; the picture below is marked."""
    loss = page.locator(f".loss[data-lost={what}]")
    await expect(loss).to_be_visible(timeout=LOSS_MS)
    for text in ("NOT LIVE", words, "since ", advice):
        await expect(loss).to_contain_text(text)
    box = await loss.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (1440, 900)
    assert await page.locator(".app").get_attribute("data-live") == "no"


async def keep_posts(page: Page, status: int = 200, answer: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Orders are answered by the test; returns the list in which they are kept."""
    kept: list[dict[str, Any]] = []

    async def take(route: Any) -> None:
        kept.append(route.request.post_data_json)
        await route.fulfill(status=status, json=answer or {"accepted": True, "reason": "", "journal_id": 12})

    await page.route("**/commands", take)
    return kept
