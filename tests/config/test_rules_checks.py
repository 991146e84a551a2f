"""A rule book with a mistake gives one line: file, key, value, what is allowed."""

from collections.abc import Callable

import pytest

from config.loader import ConfigError, keirin_distance, load_rules

Edit = Callable[..., str]

LAP_STEPS = "must be a number of laps above 0 in steps of 0.5"
CODES = "must be one of the codes of this book: REL, DNF, DNS, DSQ"

MISTAKES = {
    "a book that ends before it begins": (
        "valid_from = 2017-01-01",
        "valid_from = 2017-01-01\nvalid_until = 2016-12-31",
        "valid_until = 2016-12-31: must not be before valid_from = 2017-01-01",
    ),
    "a category with a curve that does not exist": (
        'women = "30-50"',
        'women = "25-45"',
        'keirin.pace.women = "25-45": must name one of pace_curves: 30-50',
    ),
    "no curve for the other categories": (
        'default = "30-50"\n',
        "",
        "keirin.pace.default: is missing; name a pace curve",
    ),
    "a pacer slower than a walk": (
        "start_kmh = 30.0",
        "start_kmh = 9",
        "pace_curves.30-50.start_kmh = 9.0: must lie between 10 and 80 km/h",
    ),
    "a pacer faster than any derny": (
        "end_kmh = 50.0",
        "end_kmh = 81.0",
        "pace_curves.30-50.end_kmh = 81.0: must lie between 10 and 80 km/h",
    ),
    "a pacer that slows down": (
        "end_kmh = 50.0",
        "end_kmh = 29.0",
        "pace_curves.30-50.end_kmh = 29.0: must not be below start_kmh = 30",
    ),
    "a curve of unknown shape": (
        'shape = "linear_distance"',
        'shape = "linear"',
        'pace_curves.30-50.shape = "linear": must be one of "constant_acceleration", "hold_ramp_hold", '
        '"linear_distance"',
    ),
    "laps in quarters": (
        "paced_laps = 3.0",
        "paced_laps = 3.25",
        f"keirin.distances[3].paced_laps = 3.25: {LAP_STEPS}",
    ),
    "no laps to sprint": (
        "sprint_laps = 3.0",
        "sprint_laps = 0",
        f"keirin.distances[3].sprint_laps = 0.0: {LAP_STEPS}",
    ),
    "endless laps": (
        "mishap_restart_laps = 0.5",
        "mishap_restart_laps = inf",
        f"keirin.mishap_restart_laps = inf: {LAP_STEPS}",
    ),
    "paced laps that end in the other straight than the exit line": (
        "paced_laps = 3.0",
        "paced_laps = 3.5",
        "keirin.distances[3].paced_laps = 3.5: must be whole laps: the pacer is paced from pursuit_home to "
        "pursuit_home (keirin.start_line, keirin.exit_line)",
    ),
    "a track length given twice": (
        "track_length_m = 400.0",
        "track_length_m = 250.0",
        "keirin.distances[6].track_length_m = 250.0: is used twice; keirin.distances[3].track_length_m has it already",
    ),
    "a code defined twice": (
        'code = "DNF"',
        'code = "REL"',
        'codes[1].code = "REL": is used twice; codes[0].code has it already',
    ),
    "a code that every race needs left out": (
        'code = "DNS"',
        'code = "ABS"',
        'codes = ["REL", "DNF", "ABS", "DSQ"]: must define DNS',
    ),
    "a reason with an unknown code": (
        'default_code = "DSQ"',
        'default_code = "DQ"',
        f'reasons[0].default_code = "DQ": {CODES}',
    ),
    "red before amber": (
        "red_kmh = 4.0",
        "red_kmh = 1.0",
        "keirin.tolerance.red_kmh = 1.0: must be 2 or more km/h (amber_kmh)",
    ),
    "a field of one rider": (
        "max_riders = 7",
        "max_riders = 1",
        "keirin.max_riders = 1: must be 2 or more riders",
    ),
    "a date in quotes": (
        "valid_from = 2017-01-01",
        'valid_from = "2017-01-01"',
        'valid_from = "2017-01-01": must be a date without quotes, like 2021-08-07',
    ),
    "an instant where a day is meant": (
        "valid_from = 2017-01-01",
        "valid_from = 2017-01-01T00:00:00",
        "valid_from = 2017-01-01T00:00:00: must be a date without quotes, like 2021-08-07",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_is_refused_in_one_line(edit: Edit, old: str, new: str, message: str) -> None:
    name = edit("rules", "uci-2023", (old, new))
    with pytest.raises(ConfigError) as caught:
        load_rules(name)
    assert str(caught.value) == f"uci-2023.toml: {message}"


def test_paced_laps_from_straight_to_straight_must_end_in_a_half(edit: Edit) -> None:
    name = edit("rules", "uci-2016", ("paced_laps = 5.5", "paced_laps = 5.0"))
    with pytest.raises(ConfigError) as caught:
        load_rules(name)
    assert str(caught.value) == (
        "uci-2016.toml: keirin.distances[0].paced_laps = 5.0: must be a whole number of laps and a half: the "
        "pacer is paced from pursuit_home to pursuit_back (keirin.start_line, keirin.exit_line)"
    )


def test_lines_without_a_fixed_distance_leave_the_laps_free(edit: Edit) -> None:
    name = edit(
        "rules",
        "uci-2023",
        ('start_line = "pursuit_home"', 'start_line = "finish"'),
        ("paced_laps = 3.0", "paced_laps = 3.5"),
    )
    assert keirin_distance(load_rules(name), 250.0).paced_laps == 3.5


# -- laps for a track length ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("book", "track_length_m", "paced_laps", "sprint_laps"),
    [
        ("uci-2023", 133.33, 6.0, 6.0),
        ("uci-2023", 153.85, 5.0, 5.0),
        ("uci-2023", 200.0, 4.0, 4.0),
        ("uci-2023", 250.0, 3.0, 3.0),
        ("uci-2023", 285.71, 3.0, 3.0),
        ("uci-2023", 333.33, 2.0, 2.0),
        ("uci-2023", 400.0, 2.0, 2.0),
        ("uci-2016", 250.0, 5.5, 2.5),
        ("fci-u17", 250.0, 3.0, 3.0),
        ("club-half-laps", 333.33, 2.5, 2.5),
        ("club-half-laps", 500.0, 1.5, 1.5),
    ],
)
def test_the_laps_follow_the_track_length(
    book: str, track_length_m: float, paced_laps: float, sprint_laps: float
) -> None:
    distance = keirin_distance(load_rules(book), track_length_m)
    assert (distance.paced_laps, distance.sprint_laps) == (paced_laps, sprint_laps)


@pytest.mark.parametrize("track_length_m", [249.5, 250.5])
def test_a_track_is_recognised_within_half_a_metre(track_length_m: float) -> None:
    assert keirin_distance(load_rules("uci-2023"), track_length_m).track_length_m == 250.0


@pytest.mark.parametrize("track_length_m", [166.67, 500.0, 250.51])
def test_a_track_where_the_operator_must_choose_is_refused_with_the_lengths_known(
    track_length_m: float,
) -> None:
    with pytest.raises(ConfigError) as caught:
        keirin_distance(load_rules("uci-2023"), track_length_m)
    assert str(caught.value) == (
        f"rule book uci-2023: keirin.distances: no distance for a track of {track_length_m:g} m "
        "(known: 133.33, 153.85, 200, 250, 285.71, 333.33, 400); give paced_laps and sprint_laps in the heat"
    )
