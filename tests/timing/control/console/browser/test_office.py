"""The race office's screen: a competition from the entry list to the classification, by keys alone."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from config.entries import Entry
from tests.timing.control.console.browser.office_stage import NOW_US, Desk
from tests.timing.control.console.browser.ridden import module_page
from tests.timing.control.console.browser.stage import axe, stage
from tests.timing.race.competition.office import Office
from timing.race.competition.schedule import PlannedHeat

MINUTE_US = 60_000_000
PANELS = ("1", "2", "3", "4", "5", "6")

pytestmark = pytest.mark.asyncio(loop_scope="module")


def composed(riders: int = 12, nations: dict[str, str] | None = None) -> Office:
    """A competition whose first round is composed and drawn, not confirmed."""
    office = Office()
    office.enter(riders, nations)
    office.compose("r1")
    return office


def ridden(riders: int = 12) -> Office:
    """A competition whose first round is ridden, not confirmed."""
    office = composed(riders)
    office.start_lists("r1")
    office.ride("r1")
    return office


def write_list(path: Path, bibs: Sequence[int]) -> Path:
    """An entry list with these riders."""
    lines = [f"{bib};SURNAME{bib};Given{bib};JPN;{bib};{5_000_000 + bib}" for bib in bibs]
    path.write_text("\n".join(["Dossard;Nom;Prénom;Nation;Classement;Transpondeur", *lines]), encoding="utf-8")
    return path


async def test_delays_are_signed_and_what_can_be_issued_follows_from_the_competition(browser: Browser) -> None:
    office = ridden()
    page = await module_page(browser)
    found = await page.evaluate(
        """async () => {
          const { delay } = await import("/js/screens/office/picture.js");
          return [0, 252000, -30400, 3912000, 167027040521, null].map(delay);
        }"""
    )
    assert found == ["±0:00", "+4:12", "−0:30", "+1:05:12", "+1933 d", "–"]
    desk = Desk(page, office, "president")
    ids = await page.evaluate(
        """async ([view, issued]) => (await import("/js/screens/office/communiques.js"))
          .issuable(view, issued).map((one) => [one.id, one.numbers])""",
        [
            desk.topics()["competitions/keirin-men"]["view"],
            [{"number": 3, "competition": "keirin-men", "kind": "result", "subject": "r1-2"}],
        ],
    )
    assert ids == [
        *(["start_list:r1", []], ["result:r1-1", []], ["result:r1-2", [3]], ["decisions:r1", []]),
        ["classification:", []],
    ]


async def test_a_competition_is_run_from_the_list_to_the_classification_with_the_next_key(
    browser: Browser, tmp_path: Path
) -> None:
    async with stage(browser) as here:
        desk = await Desk.open(here, Office())
        await desk.sees(".next-text", "Read the entry list")
        await desk.choose("n", write_list(tmp_path / "engages.csv", range(1, 13)))
        await desk.sees(".office-upload", "Not taken yet: engages.csv")
        await expect(desk.page.locator("[data-field=bib] dd")).to_have_text("Dossard")
        assert desk.sent == [], "reading is not taking"
        await desk.press("Enter")
        await desk.sees(".said", "Taken: entries")
        assert desk.sent[0]["heat"] is None
        assert desk.sent[0]["action"]["source"] == "engages.csv"

        await desk.sees(".next-text", "Compose")
        await desk.press("n")
        await desk.sees("[data-heat=r1-1]", "SURNAME1 Given1")
        await desk.sees(".next-text", "Draw the start positions")
        await desk.press("n")
        seed = await desk.page.locator("#line-input").input_value()
        assert len(bytes.fromhex(seed)) == 8, "made by chance, and shown before it is used"
        await desk.press("Enter")
        await expect(desk.page.locator("[data-seed=r1]")).to_have_text(seed)

        await desk.press("n")
        await desk.sees(".danger-line", "become final")
        await desk.press("Enter")
        desk.office.ride("r1")
        await desk.tell()
        await desk.press("n")
        await desk.sees(".panel-advance .chip", "not confirmed")
        await desk.sees(".danger-line", "is settled")
        await desk.press("Enter")
        await desk.sees(".panel-advance [data-state=closed]", "confirmed")

        await desk.press("5")
        assert (await desk.rows(".classification"))[0][0] == "(1)", "in brackets while it can change"
        await desk.press("n", "n", "Enter", "n", "Enter")
        desk.office.ride("final")
        await desk.tell()
        await desk.press("n")
        await desk.sees(".danger-line", "the classification is final")
        await desk.press("Enter", "5")
        ranks = [row[0] for row in await desk.rows(".classification")]
        assert ranks == [str(rank) for rank in range(1, 13)]
        await desk.sees(".office-line .chip", "Final")

        await desk.press("n")
        await desk.sees(".danger-line", "Classification: Men's keirin gets the next number")
        await desk.press("Enter")
        assert [one.kind for one in desk.register.issued] == ["classification"]
        await desk.sees("[data-list=issued] li", "Classification: Men's keirin")
    assert desk.kinds() == [
        *("take_entries", "compose", "draw", "confirm_composition", "confirm_round"),
        *("compose", "draw", "confirm_composition", "confirm_round", "issue_communique"),
    ]


async def test_a_list_with_problems_says_where_and_cannot_be_taken(browser: Browser, tmp_path: Path) -> None:
    async with stage(browser) as here:
        office = Office()
        office.enter(12)
        desk = await Desk.open(here, office)
        await desk.press("2")
        await desk.choose("u", write_list(tmp_path / "list.csv", [1, 2, 2]))
        await desk.sees("[data-problem='4']", "row 4", "stands in row 3 already")
        await desk.sees(".office-upload", "2 problems: nothing can be taken")
        await expect(desk.page.locator(".key-bar [data-id=take]")).to_be_disabled()
        assert await axe(desk.page) == []

        # Mended: it takes the place of the list that is there, which needs a second key.
        await desk.choose("u", write_list(tmp_path / "list.csv", [1, 2, 3]))
        await desk.sees(".key-bar", "Take these 3 entries")
        await desk.press("Enter")
        await desk.sees(".danger-line", "The 3 entries of the file take the place of the 12")
        await desk.press("Escape")
        assert desk.sent == []
        await desk.press("Escape")
        await desk.sees(".entries tbody tr", "RIDER 12")


async def test_compatriots_are_flagged_and_parted_with_a_reason(browser: Browser) -> None:
    async with stage(browser) as here:
        office = composed(12, {"1": "GBR", "4": "GBR", "5": "GBR"})
        desk = await Desk.open(here, office)
        await desk.press("3")
        pair = office.round("r1").compatriots[0]
        card = desk.page.locator(f"[data-heat='{pair.heat}']")
        await expect(card.locator(".compatriots")).to_contain_text(f"⚑ GBR: {', '.join(pair.bibs)} ride together")
        await expect(card.locator(".flag")).to_have_count(len(pair.bibs))

        proposal = office.round("r1").proposals[0]
        await desk.sees(".side [data-proposal]", proposal.text)
        await desk.press("p")
        await desk.type("two riders of Britain parted")
        made = office.round("r1").swaps[0]
        assert ({made.first, made.second}, made.reason) == (
            {proposal.first, proposal.second},
            "two riders of Britain parted",
        )
        await desk.sees(".swaps li", "two riders of Britain parted")
        await expect(desk.page.locator(".swapped")).to_have_count(2)


async def test_two_riders_are_exchanged_by_keys_and_never_without_a_reason(browser: Browser) -> None:
    async with stage(browser) as here:
        office = composed()
        first, second = office.bibs("r1-1")[1], office.bibs("r1-2")[1]
        desk = await Desk.open(here, office)
        await desk.press("3", "ArrowDown", "s")
        await desk.sees(".marked-line", f"{first} RIDER {first}")
        await desk.press("ArrowRight")
        await desk.sees(".key-bar", f"Exchange {first} with {second}")
        await desk.press("s", "Enter")
        await desk.sees(".line-hint", "A reason is needed.")
        assert desk.sent == []
        await desk.type("team tactics")
        assert first in office.bibs("r1-2")
        assert second in office.bibs("r1-1")

        # Composed anew they are gone: that needs a second key.
        await desk.press("o")
        await desk.sees(".danger-line", "exchanges lost: 1")
        async with desk.page.expect_response("**/commands"):
            await desk.press("Enter")
        assert office.round("r1").swaps == ()


async def test_what_changed_between_the_two_keys_is_not_confirmed(browser: Browser) -> None:
    async with stage(browser) as here:
        office = composed()
        first, second = office.bibs("r1-1")[0], office.bibs("r1-2")[0]
        desk = await Desk.open(here, office)
        await desk.press("3", "d", "Enter", "f")
        await desk.sees(".danger-line", "become final")
        exchange = {"type": "swap_riders", "competition": "keirin-men", "round": "r1", "reason": "panel"}
        other = await Desk.open(here, office)
        await other.page.evaluate(
            "(action) => fetch('/commands', { method: 'POST', body: JSON.stringify({ id: 'x', action }) })",
            {**exchange, "first": first, "second": second},
        )
        await desk.tell()
        await desk.press("Enter")
        await desk.sees(".said", "Not sent: the picture changed since the first key")
        assert desk.kinds() == ["draw"]
        await desk.press("f", "Enter")
        assert desk.kinds() == ["draw", "confirm_composition"]


async def test_a_rider_is_withdrawn_with_a_reason_and_the_unranked_are_drawn_by_a_typed_seed(browser: Browser) -> None:
    async with stage(browser) as here:
        office = Office()
        ranked = [Entry(bib=str(n), surname=f"Rider {n}", ranking=n if n < 10 else None) for n in range(1, 14)]
        office.enter(ranked)
        desk = await Desk.open(here, office, role="secretary")
        await desk.sees(".next-text", "Draw the lot")
        await desk.press("n")
        await desk.sees(".question-line label", "riders whom the ranking does not tell apart")
        await desk.type("Izu 7 August 15:00")
        await expect(desk.page.locator("[data-seed=unranked]")).to_have_text("Izu 7 August 15:00")
        seeds = {row[2]: row[1] for row in await desk.rows(".entries")}
        assert sorted(int(seeds[str(bib)]) for bib in range(10, 14)) == [10, 11, 12, 13]

        await desk.press("ArrowDown", "ArrowDown", "w")
        await desk.type("fell in training")
        await desk.sees(".danger-line", "3 RIDER 3 takes no further part: fell in training")
        await desk.press("Enter")
        assert office.state.withdrawn == {"3": "fell in training"}
        await desk.sees(".entries tr[data-row='3']", "✕ withdrawn: fell in training")

        # It was another rider.
        await desk.press("w")
        await desk.sees(".question-line label", "take part after all")
        await desk.type("wrong number")
        await desk.sees(".danger-line", "takes part after all: wrong number")
        await desk.press("Enter")
        assert office.state.withdrawn == {}


async def test_a_dead_heat_blocks_until_the_panel_has_given_an_order(browser: Browser) -> None:
    async with stage(browser) as here:
        office = ridden()
        riders = office.bibs("r1-1")
        cut = len([one for one in office.round("r1").going if one.heat == "r1-1" and one.to])
        tied = next(
            group
            for group in ([riders[n], riders[n + 1]] for n in range(cut + 1))
            if office.ends("r1-1", riders, ties=[group]) is None and office.round("r1").blocks
        )
        desk = await Desk.open(here, office)
        await desk.press("4")
        await desk.sees("[data-block=r1-1]", office.round("r1").blocks[0].text)
        await expect(desk.page.locator(".key-bar [data-id=confirm-round]")).to_be_disabled()
        await desk.press("t")
        await desk.type(tied[0])
        await desk.sees(".line-hint", f"Name each of {', '.join(tied)} once.")
        await desk.type(f"{tied[1]} {tied[0]}")
        await desk.type("the film at 5000 lines a second")
        assert office.round("r1").blocks == ()
        assert desk.sent[-1]["action"]["order"] == [tied[1], tied[0]]
        await expect(desk.page.locator(".key-bar [data-id=confirm-round]")).to_be_enabled()


@pytest.mark.parametrize(("key", "decision"), [("k", "keep"), ("m", "recompute")])
async def test_a_result_that_changed_later_is_a_conflict_that_the_panel_resolves(
    browser: Browser, key: str, decision: str
) -> None:
    async with stage(browser) as here:
        office = ridden()
        riders = office.bibs("r1-1")
        office.confirm("r1")
        office.ends("r1-1", [*riders[:2], *riders[3:], riders[2]], codes={riders[2]: "DSQ"})
        desk = await Desk.open(here, office)
        await desk.press("n")
        conflict = office.state.view().conflicts[0]
        await desk.sees("[data-conflict=r1]", conflict.text, *conflict.changes)
        await desk.press(key)
        await desk.type("the film was read again")
        await desk.press("Enter")
        assert desk.sent[-1]["action"]["decision"] == decision
        assert office.state.view().conflicts == ()
        assert office.where("r1")[riders[2]] == ("final" if decision == "keep" else "")


async def test_the_secretary_is_told_what_is_the_panels(browser: Browser) -> None:
    async with stage(browser) as here:
        office = composed()
        actions = "take_entries withdraw draw compose issue_communique"
        desk = await Desk.open(here, office, role="secretary", actions=actions)
        await desk.press("3", "d", "Enter")
        await desk.sees(".next-text", "Confirm the start lists")
        await desk.sees(".office-next", "This is for the commissaires or the president of the panel.")
        await desk.press("f", "Enter", "n", "Enter")
        assert desk.kinds() == ["draw"]
        for name in ("swap", "confirm-lists"):
            await expect(desk.page.locator(f".key-bar [data-id={name}]")).to_be_disabled()


async def test_the_programme_stands_at_the_venues_time_with_the_running_delay(browser: Browser) -> None:
    async with stage(browser) as here:
        office = composed()
        desk = await Desk.open(here, office)
        plan = {"r1-1": "2021-08-07T15:00", "r1-2": "2021-08-07T15:06", "final-b": "2021-08-07T15:30"}
        started = {"r1-1": NOW_US + 2 * MINUTE_US, "r1-2": NOW_US + 10 * MINUTE_US + 12_000_000}
        desk.planned = tuple(
            PlannedHeat(heat=heat, name=heat.upper(), planned=at, session="1", started_us=started.get(heat))
            for heat, at in plan.items()
        )
        desk.now_us = NOW_US + 35 * MINUTE_US
        await desk.tell()
        rows = await desk.rows(".programme")
        assert rows[0] == ["Saturday afternoon Sat 7 Aug, 15:00"]
        assert rows[1][1:6] == ["R1-1", "15:00", "15:02:00", "–", "+2:00"]
        assert rows[2][1:6] == ["R1-2", "15:06", "15:10:12", "–", "+4:12"]
        assert rows[3][1:] == ["FINAL-B", "15:30", "–", "15:35", "+5:00", "next"]
        await desk.sees(".office-delay", "Running late: +5:00", "Asia/Tokyo")


async def test_a_correction_is_a_new_number_and_printed_documents_are_links(browser: Browser) -> None:
    async with stage(browser) as here:
        office = ridden()
        desk = await Desk.open(here, office, role="secretary")
        desk.documents = {"folder": True, "documents": [{"number": 1, "format": "pdf"}, {"number": 1, "format": "csv"}]}
        await desk.press("6")
        assert await desk.page.locator("[data-list=open] li.chosen").inner_text() != ""
        first = await desk.page.locator("[data-list=open] li.chosen .what").inner_text()
        await desk.press("i")
        await desk.sees(".danger-line", f"{first} gets the next number, which is never used again")
        await desk.press("Enter")
        await desk.sees("[data-list=issued] li", first)
        await desk.press("ArrowRight", "x")
        await desk.type("wrong time of the winner")
        await desk.sees(".danger-line", "A new number corrects communiqué 1: wrong time of the winner")
        await desk.press("Enter")
        assert [(one.number, one.corrects) for one in desk.register.issued] == [(1, None), (2, 1)]
        await desk.sees("[data-list=issued] li", "corrects no. 1: wrong time of the winner")
        links = desk.page.locator("[data-list=issued] a")
        assert [await link.get_attribute("href") for link in await links.all()] == [
            *("/office/communiques/1.pdf", "/office/communiques/1.csv")
        ]
        await desk.page.context.route("**/office/communiques/1.pdf", lambda route: route.fulfill(body="%PDF"))
        await desk.press("ArrowDown")
        async with desk.page.expect_popup() as opening:
            await desk.press("p")
        assert (await opening.value).url.endswith("/office/communiques/1.pdf")


@pytest.mark.parametrize(("size", "theme", "lang"), [((1024, 768), "night", "ja"), ((1440, 900), "hall", "fr")])
async def test_every_panel_fits_its_window_and_passes_axe(
    browser: Browser, size: tuple[int, int], theme: str, lang: str
) -> None:
    async with stage(browser) as here:
        office = Office("olympic-30")
        office.enter(30, {"1": "GBR", "2": "GBR", "10": "GBR", "11": "GBR"})
        office.run("r1")
        office.compose("rep")
        desk = await Desk.open(here, office, size=size, theme=theme, lang=lang)
        desk.planned = tuple(
            PlannedHeat(heat=f"r1-{n}", name=f"First round {n}", planned=f"2021-08-07T15:{6 * n:02}")
            for n in range(1, 6)
        )
        await desk.tell()
        for key in PANELS:
            await desk.press(key)
            assert await axe(desk.page) == [], key
            wide = await desk.page.evaluate(
                "() => [...document.querySelectorAll('.view, .heat-card, .office-panel, .bottom, #app')]"
                ".filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.className)"
            )
            assert wide == [], key
