"""The shipped Tokyo 2020 meet holds the published facts and nothing invented in their place."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from config.loader import load_setup
from config.models import Heat, Setup

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def tokyo() -> Setup:
    return load_setup("tokyo2020-men-keirin")


def published(file: str) -> dict[str, Any]:
    path = SHARED / file
    if not path.is_file():
        pytest.skip(f"the published results are not beside this repository (../shared/data/{file})")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def names(tokyo: Setup, heat: Heat) -> set[str]:
    rider = {rider.bib: rider.name for rider in tokyo.meet.riders}
    return {rider[place.bib] for place in heat.start_list}


def test_thirty_riders_start_91_times_in_16_heats(tokyo: Setup) -> None:
    heats = tokyo.meet.heats
    assert len(tokyo.meet.riders) == 30
    assert sum(len(heat.start_list) for heat in heats) == 91
    assert [heat.id for heat in heats] == [
        *("r1-1", "r1-2", "r1-3", "r1-4", "r1-5"),
        *("rep-1", "rep-2", "rep-3", "rep-4"),
        *("qf-1", "qf-2", "qf-3"),
        *("sf-1", "sf-2"),
        *("final-a", "final-b"),
    ]


def test_the_rounds_have_their_published_names_and_sizes(tokyo: Setup) -> None:
    assert Counter((heat.round, len(heat.start_list)) for heat in tokyo.meet.heats) == {
        ("First round", 6): 5,
        ("Repechages", 5): 4,
        ("Quarterfinals", 6): 3,
        ("Semifinals", 6): 2,
        ("Final A", 6): 1,
        ("Final B", 5): 1,
    }


def test_bibs_count_from_1_and_transponders_follow_them(tokyo: Setup) -> None:
    assert [rider.bib for rider in tokyo.meet.riders] == [str(bib) for bib in range(1, 31)]
    assert all(rider.transponders == (str(5_000_000 + int(rider.bib)),) for rider in tokyo.meet.riders)
    assert [(pacer.id, pacer.transponders) for pacer in tokyo.meet.pacers] == [("derny", ("9000001",))]


def test_only_the_three_medallists_have_a_nation_because_the_source_gives_no_other(tokyo: Setup) -> None:
    assert {rider.name: rider.nation for rider in tokyo.meet.riders if rider.nation} == {
        "Jason Kenny": "GBR",
        "Azizulhasni Awang": "MAS",
        "Harrie Lavreysen": "NED",
    }


@pytest.mark.parametrize(
    ("name", "surname", "given"),
    [
        ("Jair Tjon En Fa", "Tjon En Fa", "Jair"),
        ("Xu Chao", "Xu", "Chao"),
        ("Shah Firdaus Sahrom", "Sahrom", "Shah Firdaus"),
        ("Azizulhasni Awang", "Awang", "Azizulhasni"),
        ("Matthijs Büchli", "Büchli", "Matthijs"),
    ],
)
def test_surnames_are_told_from_given_names(tokyo: Setup, name: str, surname: str, given: str) -> None:
    (rider,) = (rider for rider in tokyo.meet.riders if rider.name == name)
    assert (rider.surname, rider.given) == (surname, given)


def test_every_name_is_made_of_its_surname_and_given_name(tokyo: Setup) -> None:
    for rider in tokyo.meet.riders:
        assert sorted(f"{rider.given} {rider.surname}".split()) == sorted(rider.name.split())


def test_final_b_is_for_the_places_from_7_without_the_rider_who_did_not_start(tokyo: Setup) -> None:
    final_b = tokyo.meet.heats[-1]
    assert final_b.first_place == 7
    assert names(tokyo, final_b) == {
        "Yuta Wakimoto",
        "Jack Carlin",
        "Kwesi Browne",
        "Rayan Helal",
        "Kevin Quintero",
    }
    assert {heat.first_place for heat in tokyo.meet.heats[:-1]} == {1}


def test_heats_of_a_round_are_six_minutes_apart(tokyo: Setup) -> None:
    assert [heat.scheduled for heat in tokyo.meet.heats if heat.round == "First round"] == [
        "2021-08-07T15:48",
        "2021-08-07T15:54",
        "2021-08-07T16:00",
        "2021-08-07T16:06",
        "2021-08-07T16:12",
    ]
    for earlier, later in pairwise(tokyo.meet.heats):
        assert earlier.scheduled <= later.scheduled


def test_the_made_up_draw_does_not_follow_the_bibs_or_the_result(tokyo: Setup) -> None:
    for heat in tokyo.meet.heats:
        assert [place.draw for place in heat.start_list] == list(range(1, len(heat.start_list) + 1))
    drawn_first = {heat.start_list[0].origin for heat in tokyo.meet.heats if heat.round != "First round"}
    assert len(drawn_first) > 5


def test_the_devices_cover_all_loops_the_camera_and_the_gateway(tokyo: Setup) -> None:
    devices = {device.id: device for device in tokyo.meet.devices}
    assert {device.loop for device in devices.values() if device.protocol == "p3"} == {
        loop.id for loop in tokyo.venue.loops
    }
    assert {(device.clock, device.resolution_us) for device in devices.values() if device.loop} == {("utc", 1_000)}
    camera = devices["camera"]
    assert (camera.protocol, camera.silent_after_s, camera.resolution_us) == ("lynx", 0.0, 100)
    gateway = devices["gateway"]
    assert gateway.address == "mqtt:velodrome/tokyo2020-men-keirin/hardware/gateway"
    assert [(channel.channel, channel.role, channel.loop) for channel in gateway.channels] == [
        ("gun", "gun", None),
        ("bell", "bell", None),
        ("finish", "photocell", "finish"),
    ]


# -- against the published files -----------------------------------------------------------------------------


def test_riders_appear_in_the_order_of_the_source_with_their_names_unchanged(tokyo: Setup) -> None:
    rounds = published("keirin_tokyo2020_men.json")["rounds"]
    rows = [row["rider"] for stage in rounds for heat in stage["heats"] for row in heat["results"]]
    assert [rider.name for rider in tokyo.meet.riders] == list(dict.fromkeys(rows))


def test_every_heat_has_the_published_riders_round_and_day(tokyo: Setup) -> None:
    rounds = published("keirin_tokyo2020_men.json")["rounds"]
    heats = [
        (stage["name"], stage["date"], {row["rider"] for row in heat["results"]})
        for stage in rounds
        for heat in stage["heats"]
    ]
    assert [(heat.round, heat.scheduled[:10], names(tokyo, heat)) for heat in tokyo.meet.heats] == heats


def test_every_round_begins_at_its_published_time(tokyo: Setup) -> None:
    for stage in published("keirin_tokyo2020_men.json")["rounds"]:
        first = next(heat for heat in tokyo.meet.heats if heat.round == stage["name"])
        assert first.scheduled == f"{stage['date']}T{stage['scheduled_start']}"
        assert first.heat == 1


def test_every_slot_of_origin_is_the_published_one(tokyo: Setup) -> None:
    rows = published("keirin_composition_tokyo2020.json")["tournaments"]["tokyo2020_men"]
    rider = {rider.name: rider.bib for rider in tokyo.meet.riders}
    prefix = {"First round": "", "Repechages": "r", "Quarterfinals": "S", "Semifinals": "F"}
    slots = {
        (row["round"], 1 if row["heat"].startswith("Final") else int(row["heat"].removeprefix("Heat "))): {
            rider[place["rider"]]: f"{prefix[place['from_round']]}"
            f"{'ABCDE'[place['from_heat'] - 1]}{place['from_place']}"
            for place in row["riders"]
        }
        for row in rows
    }
    later = [heat for heat in tokyo.meet.heats if heat.round != "First round"]
    assert len(later) == len(slots) == 11
    for heat in later:
        assert {place.bib: place.origin for place in heat.start_list} == slots[heat.round, heat.heat]
