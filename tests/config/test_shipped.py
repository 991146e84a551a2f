"""The venues, rule books and meets that come with the program: all load, and say what their sources say."""

import re
from collections.abc import Callable
from datetime import date
from importlib import resources

import pytest

from config.loader import ConfigError, load_meet, load_rules, load_setup, load_venue, shipped
from config.models import Venue
from config.strict import Strict


def test_the_shipped_files_are_named() -> None:
    assert shipped("venues") == ["example-200", "example-250", "example-333", "example-400", "izu"]
    assert shipped("rules") == ["club-half-laps", "fci-u17", "uci-2016", "uci-2023"]
    assert shipped("meets") == ["club-night", "tokyo2020-men-keirin", "tokyo2020-men-keirin-rounds"]


@pytest.mark.parametrize("name", shipped("venues"))
def test_every_shipped_venue_loads_under_its_own_id(name: str) -> None:
    assert load_venue(name).id == name


@pytest.mark.parametrize("name", shipped("rules"))
def test_every_shipped_rule_book_loads_under_its_own_id(name: str) -> None:
    assert load_rules(name).id == name


@pytest.mark.parametrize("name", shipped("meets"))
def test_every_shipped_meet_loads_under_its_own_id_and_fits_its_venue_and_rules(name: str) -> None:
    setup = load_setup(name)
    assert setup.meet == load_meet(name)
    assert setup.meet.id == name
    assert (setup.venue.id, setup.rules.id) == (setup.meet.venue, setup.meet.rules)


# -- venues --------------------------------------------------------------------------------------------------


def positions(venue: Venue) -> dict[str, float]:
    return {loop.id: loop.position_m for loop in venue.loops}


def test_izu_has_the_sample_geometry_of_a_250_m_track() -> None:
    izu = load_venue("izu")
    assert (izu.track_length_m, izu.timezone, izu.city, izu.nation) == (250.0, "Asia/Tokyo", "Izu", "JPN")
    assert positions(izu) == {"finish": 0.0, "l200": 50.0, "back": 112.5, "l100": 150.0, "home": 237.5}


@pytest.mark.parametrize("name", shipped("venues"))
def test_loops_named_after_a_line_lie_on_it(name: str) -> None:
    venue = load_venue(name)
    lines = {
        "finish": venue.lines.finish_m,
        "l200": venue.lines.l200_m,
        "l100": venue.lines.l100_m,
        "back": venue.lines.pursuit_back_m,
        "home": venue.lines.pursuit_home_m,
    }
    assert positions(venue).items() <= lines.items()
    assert {"finish", "back", "home"} <= positions(venue).keys()


@pytest.mark.parametrize(("name", "l200_m"), [("example-200", 0.0), ("example-333", 133.33), ("example-400", 200.0)])
def test_the_200_m_line_counts_back_from_the_finish(name: str, l200_m: float) -> None:
    assert load_venue(name).lines.l200_m == l200_m


# -- rule books ----------------------------------------------------------------------------------------------


def test_the_current_keirin_is_paced_from_30_to_50_to_the_home_line_with_the_front_wheel_rule() -> None:
    rules = load_rules("uci-2023")
    keirin = rules.keirin
    assert (keirin.passing_rule, keirin.start_line, keirin.exit_line) == (
        "front_wheel",
        "pursuit_home",
        "pursuit_home",
    )
    assert set(keirin.pace.values()) == {"30-50"}
    curve = rules.pace_curves["30-50"]
    assert (curve.start_kmh, curve.end_kmh, curve.shape) == (30.0, 50.0, "linear_distance")
    assert rules.valid_from == date(2017, 1, 1)
    assert rules.valid_until is None


def test_the_keirin_to_2016_leaves_the_pacer_at_the_back_line_with_the_rear_wheel_rule() -> None:
    rules = load_rules("uci-2016")
    assert (rules.keirin.passing_rule, rules.keirin.exit_line) == ("rear_wheel", "pursuit_back")
    assert rules.keirin.pace["men"] == "30-50"
    assert rules.keirin.pace["women"] == "25-45"
    assert rules.valid_until == date(2016, 12, 31)


def test_the_two_uci_books_leave_no_day_between_them() -> None:
    until = load_rules("uci-2016").valid_until
    assert until is not None
    assert (load_rules("uci-2023").valid_from - until).days == 1


def test_italian_youth_rides_behind_a_pacer_from_25_to_45() -> None:
    rules = load_rules("fci-u17")
    curve = rules.pace_curves[rules.keirin.pace["default"]]
    assert (curve.start_kmh, curve.end_kmh) == (25.0, 45.0)


@pytest.mark.parametrize("name", shipped("rules"))
def test_a_relegated_rider_keeps_a_place_and_the_others_with_a_code_do_not(name: str) -> None:
    codes = {code.code: (code.keeps_place, code.proceeds) for code in load_rules(name).codes}
    assert codes == {"REL": (True, True), "DNF": (False, True), "DNS": (False, False), "DSQ": (False, False)}


@pytest.mark.parametrize("name", shipped("rules"))
def test_codes_are_listed_rel_dnf_dns_dsq_below_the_classified(name: str) -> None:
    codes = sorted(load_rules(name).codes, key=lambda code: code.sort)
    assert [code.code for code in codes] == ["REL", "DNF", "DNS", "DSQ"]


@pytest.mark.parametrize("name", shipped("rules"))
def test_passing_the_pacer_too_early_is_proposed_as_disqualification(name: str) -> None:
    reasons = {reason.article: reason for reason in load_rules(name).reasons}
    assert reasons["3.2.140"].default_code == "DSQ"
    wheel = "front" if load_rules(name).keirin.passing_rule == "front_wheel" else "rear"
    assert f"{wheel} wheel" in reasons["3.2.140"].text
    assert {"3.2.008", "3.2.042", "3.2.043", "3.2.044", "3.2.045", "3.2.139", "3.2.142"} <= reasons.keys()


# -- the guide -----------------------------------------------------------------------------------------------


TABLES = [struct for struct in Strict.__subclasses__() if struct.__module__ == Venue.__module__]
"""Other rooms build on Strict too; their guides are their own."""


@pytest.mark.parametrize("struct", TABLES, ids=lambda struct: struct.__name__)
def test_the_guide_names_every_key(struct: type[Strict]) -> None:
    guide = (resources.files("config") / "README.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z0-9_]+", guide))
    assert set(struct.__struct_fields__) <= words


def test_the_guide_shows_errors_as_they_are(edit: Callable[..., str]) -> None:
    guide = (resources.files("config") / "README.md").read_text(encoding="utf-8")
    mistakes: list[tuple[str, str, Callable[[str], object], str, str]] = [
        ("venues", "izu", load_venue, "pursuit_home_m = 237.5", "pursuit_home_m = 260.0"),
        ("venues", "izu", load_venue, '"Izu Velodrome"', "Izu Velodrome"),
        ("meets", "club-night", load_meet, "silent_after_s =", "silent_after ="),
        ("meets", "club-night", load_meet, '["2100011"]', "[2100011]"),
        ("meets", "club-night", load_meet, "draw = 2 }", "draw = 1 }"),
    ]
    for kind, name, load, old, new in mistakes:
        with pytest.raises(ConfigError) as caught:
            load(edit(kind, name, (old, new)))
        assert str(caught.value) in guide.splitlines()
