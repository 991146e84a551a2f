"""A venue with a mistake gives one line: file, key, value, what is allowed."""

from collections.abc import Callable

import pytest

from config.loader import ConfigError, load_venue

Edit = Callable[..., str]

FROM_THE_FINISH = "(give metres after the finish line in riding direction)"

MISTAKES = {
    "a track shorter than the rules allow": (
        "track_length_m = 250.0",
        "track_length_m = 130",
        "track_length_m = 130.0: must lie between 133 and 500 m (UCI 3.6.067: one lap on the measurement line)",
    ),
    "a track longer than the rules allow": (
        "track_length_m = 250.0",
        "track_length_m = 501.0",
        "track_length_m = 501.0: must lie between 133 and 500 m (UCI 3.6.067: one lap on the measurement line)",
    ),
    "a length that is not a number": (
        "track_length_m = 250.0",
        "track_length_m = nan",
        "track_length_m = nan: must lie between 133 and 500 m (UCI 3.6.067: one lap on the measurement line)",
    ),
    "a line beyond the end of the lap": (
        "pursuit_home_m = 237.5",
        "pursuit_home_m = 260.0",
        "lines.pursuit_home_m = 260.0: must lie between 0 and the track length 250 m " + FROM_THE_FINISH,
    ),
    "a line given backwards from the finish": (
        "pursuit_home_m = 237.5",
        "pursuit_home_m = -12.5",
        "lines.pursuit_home_m = -12.5: must lie between 0 and the track length 250 m " + FROM_THE_FINISH,
    ),
    "a finish that is not the zero point": (
        "finish_m = 0.0",
        "finish_m = 1.0",
        "lines.finish_m = 1.0: must be 0: all positions count from the finish",
    ),
    "a home pursuit line in the back straight": (
        "pursuit_home_m = 237.5",
        "pursuit_home_m = 112.5",
        "lines.pursuit_home_m = 112.5: must lie in the straight of the finish, less than a quarter "
        "lap (62.5 m) "
        "from it; are the home and the back line exchanged?",
    ),
    "pursuit lines that are not half a lap apart": (
        "pursuit_back_m = 112.5",
        "pursuit_back_m = 113.1",
        "lines.pursuit_back_m = 113.1: must lie half a lap from the home pursuit line, at 112.50 m ± 0.5 m "
        "on this track",
    ),
    "a 200 m line that is not 200 m before the finish": (
        "l200_m = 50.0",
        "l200_m = 200.0",
        "lines.l200_m = 200.0: must lie 200 m before the finish, at 50.00 m ± 0.5 m on this track",
    ),
    "a 100 m line that is not 100 m before the finish": (
        "l100_m = 150.0",
        "l100_m = 149.4",
        "lines.l100_m = 149.4: must lie 100 m before the finish, at 150.00 m ± 0.5 m on this track",
    ),
    "two loops of one id": (
        'id = "l200"',
        'id = "finish"',
        'loops[1].id = "finish": is used twice; loops[0].id has it already',
    ),
    "a loop id that cannot be part of a topic": (
        'id = "l200"',
        'id = "200 m"',
        'loops[1].id = "200 m": must be letters A-Z a-z, digits, - and _ only, beginning with a letter or digit',
    ),
    "a loop at the track length, which is the finish again": (
        'id = "home"\nposition_m = 237.5',
        'id = "home"\nposition_m = 250.0',
        "loops[4].position_m = 250.0: must lie between 0 and the track length 250 m " + FROM_THE_FINISH,
    ),
    "a mistyped time zone": (
        '"Asia/Tokyo"',
        '"Asia/Tokio"',
        'timezone = "Asia/Tokio": is no known time zone; did you mean "Asia/Tokyo"? Give a name like "Europe/Berlin"',
    ),
    "a nation written out": (
        '"JPN"',
        '"Japan"',
        'nation = "Japan": must be three capital letters (IOC code, like NED); leave the key out when unknown',
    ),
    "an empty name": ('name = "Izu Velodrome"', 'name = " "', 'name = " ": must not be empty'),
}


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_is_refused_in_one_line(edit: Edit, old: str, new: str, message: str) -> None:
    name = edit("venues", "izu", (old, new))
    with pytest.raises(ConfigError) as caught:
        load_venue(name)
    assert str(caught.value) == f"izu.toml: {message}"


@pytest.mark.parametrize("name", ["Asia", "../etc", "", "/etc/hosts"])
def test_a_time_zone_that_is_a_folder_or_a_path_is_refused(edit: Edit, name: str) -> None:
    file = edit("venues", "izu", ('"Asia/Tokyo"', f'"{name}"'))
    with pytest.raises(ConfigError, match=r"^izu\.toml: timezone = .*: is no known time zone"):
        load_venue(file)


def test_an_error_carries_its_parts(edit: Edit) -> None:
    name = edit("venues", "izu", ("pursuit_home_m = 237.5", "pursuit_home_m = 260.0"))
    with pytest.raises(ConfigError) as caught:
        load_venue(name)
    error = caught.value
    assert (error.file, error.key, error.value) == ("izu.toml", "lines.pursuit_home_m", 260.0)
    assert error.allowed.startswith("must lie between 0 and the track length 250 m")


def test_lines_may_be_half_a_metre_off_but_not_more(edit: Edit) -> None:
    name = edit("venues", "izu", ("pursuit_back_m = 112.5", "pursuit_back_m = 113.0"))
    assert load_venue(name).lines.pursuit_back_m == 113.0


def test_a_line_just_before_the_finish_is_near_one_just_after_it(edit: Edit) -> None:
    name = edit("venues", "example-200", ("l200_m = 0.0", "l200_m = 199.8"))
    assert load_venue(name).lines.l200_m == 199.8


def test_a_home_pursuit_line_may_lie_a_little_after_the_finish(edit: Edit) -> None:
    name = edit(
        "venues",
        "izu",
        ("pursuit_home_m = 237.5", "pursuit_home_m = 3.0"),
        ("pursuit_back_m = 112.5", "pursuit_back_m = 128.0"),
    )
    assert load_venue(name).lines.pursuit_home_m == 3.0


def test_a_whole_number_of_metres_needs_no_decimal_point(edit: Edit) -> None:
    name = edit("venues", "izu", ("track_length_m = 250.0", "track_length_m = 250"))
    assert load_venue(name).track_length_m == 250.0
