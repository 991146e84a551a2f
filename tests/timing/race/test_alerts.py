"""Alerts: every notice has a key, parameters and an urgency; its English stays word for word what it was."""

import re
from typing import Any

import msgspec
import pytest

from timing.race.actions import Confirm, Decide, Mishap, Place
from timing.race.alerts import ALERTS, alert
from timing.race.picture import HeatPicture

FIELD = ["13", "2", "23", "4", "21", "30"]
FIELDS = [
    "heat", "event", "category", "round", "number", "name", "attempt", "state", "status", "start_us", "start_source",
    "laps_to_go", "laps_to_go_measured", "course_m", "exit_m", "starters", "attempts", "bell", "orders", "splits",
    "pace", "finish", "results", "decisions", "notices", "set_aside", "set_aside_count", "clock_uncertainty_us",
]  # fmt: skip
"""Of an official picture in its order, as they were journaled when digests began."""
RULED = Decide(bib="13", code="W", reason="x")


@pytest.fixture
def home(office: Any) -> Any:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.ride(FIELD, 1512.5, from_m=751)
    return office


def keys(office: Any) -> list[str]:
    return [one.key for one in office.picture.alerts]


def one(office: Any, key: str) -> Any:
    return next(one for one in office.picture.alerts if one.key == key)


def assert_same_words(picture: HeatPicture) -> None:
    assert tuple(one.text for one in picture.alerts) == picture.notices


def test_a_double_shot_is_red_and_a_later_one_asks(office: Any) -> None:
    office.start("final-a")
    office.gun(1.0)
    assert keys(office) == ["double_shot"]
    assert one(office, "double_shot").severity == "red"
    assert_same_words(office.picture)


def test_a_second_shot_late_in_the_race_asks_for_the_starter(office: Any) -> None:
    office.start("final-a")
    office.gun(20.0)
    assert keys(office) == ["gun_again"]
    assert_same_words(office.picture)
    assert office.picture.notices[0] == (
        "the gun was fired again: stop the race if the starter stopped it (UCI 3.2.019)"
    )


def test_a_mishap_by_when_it_was_logged(office: Any) -> None:
    office.start("final-a")
    office.do(Mishap(bib="13", what="fall"), 3)
    assert one(office, "mishap_restart").params == {"bib": "13", "what": "fall"}
    office.ride(FIELD, 400)
    office.do(Mishap(bib="2", what="puncture"), 14)
    assert one(office, "mishap_late").params["seconds"] == "4.0"
    office.do(Mishap(bib="4", what="puncture"), 32)
    assert one(office, "mishap_goes_on").severity == "info"
    assert office.picture.notices[:3] == (
        "mishap of 13 (fall) in the first half lap: new start of all (UCI 3.2.143)",
        "mishap of 2 (puncture) logged 4.0 s after the first half lap: "
        "new start of all if it happened within it, else the race goes on (UCI 3.2.143)",
        "mishap of 4 (puncture) after the first half lap: the race goes on (UCI 3.2.143)",
    )


def test_a_rider_ahead_of_the_pacer_with_the_figures_as_they_are_printed(office: Any) -> None:
    office.start("final-a")
    office.ride(["13", "pacer", "2"], 400)
    found = one(office, "rider_ahead")
    assert found.severity == "red"
    assert found.params["bib"] == "13"
    assert re.fullmatch(r"\d+\.\d\d", str(found.params["margin_m"]))
    assert found.text == (
        f"rider 13 ahead of the pacer at {found.params['distance']} m by {found.params['margin_m']} m "
        f"({found.params['margin_ms']} ms): commissaire to rule (UCI 3.2.140)"
    )
    assert_same_words(office.picture)


def test_the_bell_is_asked_for_and_missed(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.ride(FIELD, 1200, from_m=751)
    assert one(office, "ring_bell").text == "ring the bell as the head of the race begins the last lap, then log it"
    office.ride(FIELD, 1512.5, from_m=1201)
    assert {"no_bell", "awaiting_order"} <= set(keys(office))
    assert {"no bell was logged", "awaiting the photo-finish or the judge's order"} <= set(office.picture.notices)


def test_what_the_photo_finish_leaves_to_the_judge(home: Any) -> None:
    home.sheet([(1, "2", 60.0), (2, "13", 60.004), (3, None, 60.3), (4, "99", 60.4)], 125)
    assert [key for key in keys(home) if key.startswith("photo_finish")] == [
        "photo_finish_differs",
        "photo_finish_no_bib",
        "photo_finish_unknown_bib",
    ]
    assert one(home, "photo_finish_differs").params == {"ahead": "2", "behind": "13", "gap_ms": 200}
    assert (
        "the photo-finish has bib 99, who is not in this heat at place 4: judge to read the picture"
        in home.picture.notices
    )
    home.do(Place(order=(("13",), ("2",))), 130)
    assert one(home, "judge_differs").text == (
        "the judge's order differs from the photo-finish: the judge's order stands"
    )
    assert_same_words(home.picture)


def test_sanctions_within_the_heat(finished: Any) -> None:
    for at in (140, 141):
        finished.do(RULED, at)
    assert one(finished, "propose_dsq_warnings").params == {"bib": "13", "count": 2}
    for at in (142, 143, 144):
        finished.do(Decide(bib="4", code="REL", reason="x"), at)
    assert one(finished, "propose_dsq_relegations").params == {"bib": "4", "count": 3}
    assert_same_words(finished.picture)


def test_pace_with_its_figures_and_findings_beside_the_summary(office: Any, rig: Any) -> None:
    office.open("final-a")
    office.arm()
    office.play(rig("derny-slow", "final-a"))
    found = one(office, "pace_off")
    assert found.text == f"pace: {office.picture.pace.summary}"
    assert found.params["findings"] == ", ".join(dict.fromkeys(one.what for one in office.picture.pace.findings))
    assert found.params["exit_kmh"] == f"{office.picture.pace.exit_kmh:.0f}"


def test_a_pacer_that_was_not_read(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 1512.5)
    assert one(office, "pacer_unread").text.startswith("pace: pacer read 0 times only")
    assert_same_words(office.picture)


def test_a_sheet_before_the_start(office: Any) -> None:
    office.open("final-a")
    office.sheet([(1, "13", 60.0)], -5)
    assert keys(office) == ["sheet_without_start"]
    assert_same_words(office.picture)


def test_pairs_too_close_have_english_of_their_own() -> None:
    found = alert("too_close", {"pairs": "4 and 13"}, pairs="4 / 13")
    assert found.params == {"pairs": "4 / 13"}
    assert found.text == ("too close for transponders to tell who is who in the photocell: 4 and 13; read the picture")


@pytest.mark.parametrize("key", ALERTS)
def test_every_alert_says_how_urgent_it_is_and_needs_no_more_than_its_parameters(key: str) -> None:
    severity, english = ALERTS[key]
    assert severity in ("red", "amber", "info")
    names = re.findall(r"\{([^}]*)\}", english)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names), "a placeholder formats nothing: a screen could not"
    assert alert(key, **dict.fromkeys(names, "?")).text.count("?") >= len(names)


def test_an_official_picture_is_to_the_byte_what_it_was_before_alerts_existed(finished: Any) -> None:
    """Digests in old journals were taken of official pictures: nothing is open in them, so nothing is added."""
    finished.do(RULED, 140)
    finished.do(RULED, 141)
    assert b'"alerts":[{' in msgspec.json.encode(finished.picture)
    finished.do(Confirm(), 142)
    assert list(msgspec.json.decode(msgspec.json.encode(finished.picture, order="deterministic"))) == FIELDS
