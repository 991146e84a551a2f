"""What a person at the trackside reads in the terminal, state by state, at the width of a laptop's window."""

import io
import re
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from tests.timing.control.conftest import HEAT, Office
from timing.control.terminal import clock_text, gap_text, live_view, seconds_text
from timing.race.actions import Confirm, Decide, OpenHeat, Restart, Stop
from timing.race.picture import HeatPicture

NARROW = 100


def screen(office: Office, width: int = 120) -> str:
    """The live view as text."""
    console = Console(record=True, width=width, height=60, file=io.StringIO())
    picture = office.picture if office.state.current is not None else None
    console.print(live_view(office.state, picture, office.now_us))
    return console.export_text()


def row(text: str, name: str) -> str:
    """The line of a rider."""
    found = [line for line in text.splitlines() if name in line]
    assert len(found) == 1, found
    return found[0]


def test_before_a_heat_is_opened_the_meet_and_its_boxes_are_shown(office: Office) -> None:
    text = screen(office)
    assert "Tokyo 2020: men's keirin" in text
    assert "no heat is open" in text
    assert "○ p3-finish unknown" in text


def test_riders_on_the_line_stand_in_drawn_order(office: Office) -> None:
    office.order("operator", OpenHeat(heat=HEAT))
    text = screen(office)
    assert "Final A · final-a   attempt 1" in text
    assert "riders on the line" in text
    assert "6 laps" in text
    assert "to go" not in text
    names = re.findall(r"(AWANG|LEVY|LAVREYSEN|KENNY|GLAETZER|TJON EN FA) [A-Z][a-z]+ .*draw (\d)", text)
    assert names == [
        ("AWANG", "1"),
        ("LEVY", "2"),
        ("LAVREYSEN", "3"),
        ("KENNY", "4"),
        ("GLAETZER", "5"),
        ("TJON EN FA", "6"),
    ]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("started", "STARTED"),
        ("first_lap", "first lap, drawn order"),
        ("paced", "paced"),
        ("pacer_exit", "pacer leaving"),
        ("sprint", "SPRINT"),
        ("bell", "LAST LAP"),
    ],
)
def test_a_race_shows_its_state_in_words_its_laps_and_its_clock(office: Office, state: str, words: str) -> None:
    office.to_the_gun()
    picture = office.until(state)
    head = screen(office).splitlines()[1]
    assert words in head
    assert f"{picture.laps_to_go:g} laps to go" in head
    assert re.search(r" \d:\d\d\.\d ", head)


def test_places_are_in_brackets_until_the_result_is_official(office: Office) -> None:
    office.to_the_gun()
    office.until("provisional")
    text = screen(office)
    assert "provisional" in text
    assert row(text, "KENNY Jason").split()[:2] == ["(1)", "4"]
    office.order("president", Confirm())
    text = screen(office)
    assert "OFFICIAL" in text
    assert row(text, "KENNY Jason").split()[:2] == ["1", "4"]
    assert "(1)" not in text


def test_gaps_are_to_the_millisecond_and_aligned_on_the_point(office: Office) -> None:
    office.to_the_gun()
    office.until("provisional")
    text = screen(office)
    lines = [row(text, name) for name in ("AWANG", "LAVREYSEN", "TJON EN FA", "GLAETZER", "LEVY")]
    assert [re.findall(r"\+\d\.\d{3}", line) for line in lines] == [
        ["+0.763"],
        ["+0.773"],
        ["+1.264"],
        ["+1.344"],
        ["+2.344"],
    ]
    assert len({line.index("+") for line in lines}) == 1
    assert "+" not in row(text, "KENNY"), "the winner has no gap"


def test_numbers_that_change_do_not_move(office: Office) -> None:
    office.to_the_gun()
    titles = set()
    for picture in office.ride():
        if picture.state in ("paced", "sprint", "provisional"):
            titles.add(next(line for line in screen(office).splitlines() if "half lap" in line))
    assert len(titles) == 1


def test_an_inferred_passing_is_marked_with_its_confidence(office: Office) -> None:
    office.to_the_gun()
    marked = [
        (entry.confidence, row(screen(office), "LAVREYSEN"))
        for picture in _without(office, transponder="5000023", loop="back")
        if picture.orders
        for entry in picture.orders[-1].entries
        if entry.inferred and entry.bib == "23"
    ]
    assert marked, "the missed read was never inferred"
    assert all(f"inferred {confidence}%" in line for confidence, line in marked)


def _without(office: Office, transponder: str, loop: str) -> Iterator[HeatPicture]:
    """The heat with one rider's reads at one loop missing."""
    office.missed = (transponder, f"p3-{loop}")
    yield from office.ride()


def test_the_derny_line_compares_with_the_target_while_it_paces(office: Office) -> None:
    office.to_the_gun()
    screens: dict[str, str] = {}
    for picture in office.ride("derny-slow"):
        screens.setdefault(picture.state, screen(office))
        if picture.state == "pacer_exit":
            break
    assert "derny  target 30→50 km/h over 750 m" in screens["paced"]
    assert re.search(r"35\.0 km/h at 250 m +1\.4 km/h too slow: in tolerance", screens["paced"])
    assert "expected at the exit 45.0 km/h" in screens["paced"]
    assert re.search(r"45\.0 km/h at 750 m +4\.7 km/h too slow: RED", screens["pacer_exit"])


def test_the_derny_line_gives_the_verdict_when_it_has_left(office: Office) -> None:
    office.to_the_gun()
    office.until("bell")
    assert "30→50 km/h, pull-off at 750 m: compliant" in screen(office)


def test_a_stopped_race_says_why_and_its_clock_is_gone(office: Office) -> None:
    office.to_the_gun()
    office.until("paced")
    office.order("starter", Stop(reason="drawn order not kept"))
    text = screen(office)
    assert "STOPPED" in text
    assert "stopped: drawn order not kept" in text
    assert not re.search(r"\d:\d\d\.\d", text)
    office.order("starter", Restart(reason="again"))
    assert "attempt 2" in screen(office)


def test_a_relegated_rider_keeps_a_place_and_one_who_fell_has_none(office: Office) -> None:
    office.to_the_gun()
    office.until("provisional")
    office.order("commissaire", Decide(bib="23", code="REL", reason="crowding", article="3.2.044"))
    office.order("commissaire", Decide(bib="2", code="DNF", reason="fell"))
    text = screen(office)
    assert "REL" in row(text, "LAVREYSEN")
    assert row(text, "LAVREYSEN").split()[0] == "(5)"
    assert "DNF" in row(text, "LEVY")
    assert row(text, "LEVY").split()[0] == "2", "no place: the line begins with the bib"


def test_what_needs_a_person_is_below_the_field(office: Office) -> None:
    office.to_the_gun()
    office.until("finished")
    assert "! awaiting the photo-finish or the judge's order" in screen(office)


def test_a_box_that_is_lost_says_what_is_wrong_and_what_to_do(office: Office) -> None:
    for device in office.setup.meet.devices:
        office.health(device.id, "live")
    office.health("p3-back", "lost", "no such device", "check the plug")
    office.health("camera", "backing_off", "nobody answers", "switch it on")
    text = screen(office)
    assert "✖ p3-back LOST: no such device; check the plug" in text
    assert "✖ camera BACKING OFF: nobody answers; switch it on" in text
    assert "● p3-finish live" in text


def test_a_silent_box_is_not_taken_for_a_live_one(office: Office) -> None:
    office.health("p3-home", "silent", "nothing for 15 s")
    assert "◐ p3-home SILENT: nothing for 15 s" in screen(office)


def test_nothing_is_clipped_on_a_hundred_columns(make_office: Callable[[], Office]) -> None:
    office = make_office()
    office.health("p3-back", "lost", "the cable was pulled", "check the plug of the adapter at the rack and the cable")
    office.to_the_gun()
    seen = set()
    for picture in office.ride("derny-slow"):
        if picture.state in seen:
            continue
        seen.add(picture.state)
        text = screen(office, NARROW)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= NARROW
        for starter in picture.starters:
            assert f"{starter.surname.upper()} {starter.given}" in text
    assert {"started", "paced", "sprint", "bell", "finished", "provisional"} <= seen


@pytest.mark.parametrize(
    ("us", "text"),
    [(0, "0:00.0"), (99_999, "0:00.0"), (68_900_000, "1:08.9"), (600_000_000, "10:00.0"), (-1, "0:00.0")],
)
def test_the_race_clock_is_truncated_not_rounded(us: int, text: str) -> None:
    assert clock_text(us) == text


def test_times_and_gaps_have_three_digits_or_nothing() -> None:
    assert (gap_text(3), gap_text(3173), gap_text(None)) == ("+0.003", "+3.173", "")
    assert (seconds_text(10304), seconds_text(None)) == ("10.304", "")


def test_the_address_of_the_consoles_stands_at_the_foot_with_and_without_a_heat(office: Office) -> None:
    def foot(picture: HeatPicture | None) -> str:
        console = Console(record=True, width=NARROW, height=60, file=io.StringIO())
        console.print(live_view(office.state, picture, office.now_us, "http://127.0.0.1:8080/"))
        return console.export_text().rstrip().splitlines()[-1]

    assert foot(None).split() == ["consoles", "http://127.0.0.1:8080/"]
    office.to_the_gun()
    assert foot(office.picture).split() == ["consoles", "http://127.0.0.1:8080/"]
    assert "consoles" not in screen(office)
