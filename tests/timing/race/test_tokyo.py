"""The men's keirin of Tokyo 2020: all 16 heats folded from the rig's timelines, against the published results."""

import json
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[3].parent / "shared" / "data" / "keirin_tokyo2020_men.json"
TOKYO = "tokyo2020-men-keirin"
HEATS = [
    *(f"r1-{n}" for n in range(1, 6)),
    *(f"rep-{n}" for n in range(1, 5)),
    *(f"qf-{n}" for n in range(1, 4)),
    "sf-1",
    "sf-2",
    "final-a",
    "final-b",
]


@pytest.fixture(scope="session")
def published() -> Any:
    """By heat id: the lines of the published result."""
    if not SOURCE.exists():
        pytest.skip(f"the published results ({SOURCE.name}) lie beside the repository, in ../shared/data")
    rounds = json.loads(SOURCE.read_text(encoding="utf-8"))["rounds"]
    return dict(zip(HEATS, (heat["results"] for one in rounds for heat in one["heats"]), strict=True))


@pytest.fixture
def ridden(office: Any, rig: Any) -> Any:
    def ride(heat: Any) -> Any:
        office.open(heat)
        office.arm()
        office.play(rig(TOKYO, heat))
        return office.picture

    return ride


@pytest.mark.parametrize("heat", HEATS)
def test_the_published_order_and_every_gap_to_the_millisecond(ridden: Any, published: Any, heat: Any) -> None:
    picture = ridden(heat)
    expected = [(line["rank"], line["rider"], line["gap_ms"], line["status"]) for line in published[heat]]
    assert [(line.place, line.name, line.gap_ms, line.status) for line in picture.results] == expected
    assert {line.source for line in picture.results} == {"photo_finish"}


@pytest.mark.parametrize("heat", HEATS)
def test_the_pace_of_every_heat_is_30_to_50_with_the_pull_off_at_750_m(ridden: Any, heat: Any) -> None:
    pace = ridden(heat).pace
    assert pace.summary == "30→50 km/h, pull-off at 750 m: compliant"
    assert (pace.compliant, pace.pull_off, pace.pull_off_m) == (True, "on_time", 750.0)
    assert pace.riders_ahead == ()


def test_there_are_70_gaps_and_none_is_invented(published: Any) -> None:
    lines = [line for heat in published.values() for line in heat]
    assert len([line for line in lines if line["gap_ms"] is not None]) == 70
    assert len(lines) == 91


def test_final_b_gives_places_7_to_11(ridden: Any) -> None:
    assert [line.place for line in ridden("final-b").results] == [7, 8, 9, 10, 11]


def test_a_placed_rider_without_a_published_gap_has_none_and_the_fallen_have_no_place(ridden: Any) -> None:
    results = ridden("r1-2").results
    assert [(line.bib, line.place, line.gap_ms) for line in results] == [
        ("7", 1, None),
        ("8", 2, 70),
        ("9", 3, None),
        ("10", None, None),
        ("11", None, None),
        ("12", None, None),
    ]
