"""What the documents say: the office's print style (track-rules §6) and the published facts of Tokyo 2020."""

from collections.abc import Callable

import msgspec
import pytest

from config.models import Setup
from timing.control.communique.content import Communique, Facts, Picture, Table, Text, is_sealed
from timing.control.communique.decisions import decisions
from timing.control.communique.heading import Issue
from timing.control.communique.results import heat_result
from timing.control.communique.start_lists import start_list
from timing.control.communique.wording import heat_title, local_time, seconds
from timing.race.picture import HeatPicture

Pictures = Callable[[str], HeatPicture]
Issues = Callable[..., Issue]


def table(document: Communique, number: int = 0) -> Table:
    return [block for block in document.blocks if isinstance(block, Table)][number]


def column(shown: Table, title: str) -> list[str]:
    index = [one.title for one in shown.columns].index(title)
    return [row[index] for row in shown.rows]


def facts(document: Communique) -> dict[str, str]:
    return dict(pair for block in document.blocks if isinstance(block, Facts) for pair in block.pairs)


def test_the_result_of_the_olympic_final(document: Communique) -> None:
    order = table(document)

    assert column(order, "Place") == ["1", "2", "3", "4", "5", "6"]
    assert column(order, "Name")[:3] == ["KENNY Jason", "AWANG Azizulhasni", "LAVREYSEN Harrie"]
    assert column(order, "Gap")[:3] == ["", "+0.763", "+0.773"]
    assert (document.event, document.title, document.subtitle) == ("Men's Keirin", "Result", "Final A")
    assert document.status == "Official"
    assert document.issued == "2021-08-08 11:56 JST"


def test_the_winner_has_the_time_and_speed_of_the_last_200_m(document: Communique) -> None:
    assert facts(document)["Winner's last 200 m"].endswith("km/h)")
    assert facts(document)["Order by"] == "photo-finish"


def test_lap_times_show_the_place_at_the_line(document: Communique) -> None:
    laps = table(document, 1)

    assert [one.title for one in laps.columns][-6:] == [f"Lap {lap}" for lap in range(1, 7)]
    assert column(laps, "Lap 6")[0].endswith("(1)")


def test_the_pace_report_is_an_appendix_with_a_picture_and_decides_nothing(document: Communique) -> None:
    (picture,) = (block for block in document.blocks if isinstance(block, Picture))
    text = " ".join(line for block in document.blocks if isinstance(block, Text) for line in block.lines)

    assert "Shown for information: no sanction depends on it." in text
    assert "30→50 km/h, pull-off at 750 m: compliant" in picture.words
    assert facts(document)["Left the track"] == "after 750 m as it should"


def test_provisional_places_stand_in_brackets_and_a_dead_heat_shares_its_place(
    tokyo: Setup, ruled: HeatPicture, issue: Issues
) -> None:
    shown = heat_result(tokyo, ruled, issue(3))

    assert (shown.title, shown.status) == ("Provisional result", "Provisional")
    assert column(table(shown), "Place") == ["(1)", "(1)", "(3)", "(4)", "(5)", "(6)"]
    assert column(table(shown), "Note") == ["", "", "", "", "", "REL"]


def test_a_relegated_rider_stays_on_the_list_with_the_decision_and_who_signed_it(
    tokyo: Setup, ruled: HeatPicture, issue: Issues
) -> None:
    shown = heat_result(tokyo, ruled, issue(3))

    (row,) = table(shown, 1).rows
    assert row[:4] == ("4", "KENNY Jason", "Relegated", "Left the line in the final sprint (UCI 3.2.042)")
    (listed,) = table(decisions(tokyo, [ruled], issue(4), "finals")).rows
    assert listed[:3] == ("Final A", "4", "KENNY Jason")


def test_no_decision_is_said_too(tokyo: Setup, picture_of: Pictures, issue: Issues) -> None:
    shown = decisions(tokyo, [picture_of("final-a")], issue(4), "finals")

    assert shown.blocks == (Text(lines=("No decision was taken.",)),)


def test_riders_without_place_are_listed_without_one(tokyo: Setup, picture_of: Pictures, issue: Issues) -> None:
    shown = table(heat_result(tokyo, picture_of("r1-2"), issue(2)))

    assert column(shown, "Place") == ["1", "2", "3", "", "", ""]
    assert column(shown, "Name")[2] == "BÜCHLI Matthijs"
    assert column(shown, "Gap") == ["", "+0.070", "", "", "", ""]


def test_the_start_list_is_in_the_order_of_the_line(tokyo: Setup, picture_of: Pictures, issue: Issues) -> None:
    shown = start_list(tokyo, picture_of("final-a"), issue(9), "1-6 ranked")

    assert column(table(shown), "Position") == ["1", "2", "3", "4", "5", "6"]
    assert column(table(shown), "No.") == ["13", "2", "23", "4", "21", "30"]
    assert facts(shown)["Laps"] == "6 of 250 m"
    assert facts(shown)["Pacing"] == "750 m, 30 to 50 km/h"


def test_a_correction_names_the_number_that_it_corrects(tokyo: Setup, picture_of: Pictures, issue: Issues) -> None:
    shown = heat_result(tokyo, picture_of("final-a"), issue(18, corrects=17, reason="wrong bib"))

    assert (shown.number, shown.corrects, shown.correction) == (18, 17, "wrong bib")


def test_whoever_changes_a_word_breaks_the_seal(document: Communique) -> None:
    assert is_sealed(document)
    assert not is_sealed(msgspec.structs.replace(document, title="Result, mended"))


@pytest.mark.parametrize(
    ("ms", "text"), [(10, "0.010"), (12_345, "12.345"), (62_003, "1:02.003"), (600_000, "10:00.000"), (-10, "-0.010")]
)
def test_times_have_three_decimals(ms: int, text: str) -> None:
    assert seconds(ms) == text


def test_the_time_is_that_of_the_venue() -> None:
    assert local_time(1_628_391_060_000_000, "Europe/Amsterdam") == "2021-08-08 04:51 CEST"


@pytest.mark.parametrize(
    ("round_name", "number", "name", "title"),
    [
        ("First round", 2, "", "First round · Heat 2"),
        ("Final A", 0, "", "Final A"),
        ("Quarterfinals", 3, "Quarterfinals 3", "Quarterfinals 3"),
    ],
)
def test_a_heat_has_the_name_by_which_people_know_it(round_name: str, number: int, name: str, title: str) -> None:
    assert heat_title(round_name, number, name) == title
