"""Keirin on tracks of 200 to 400 m and under older books: laps, exit and finish distances (track-rules §1.1, §1.11)."""

from typing import Any

import pytest

FIELD = ["13", "2", "23", "4", "21", "30"]


@pytest.mark.parametrize(
    ("venue", "rules", "laps", "exit_m", "finish_m"),
    [
        ("izu", "uci-2023", 6, 750.0, 1512.5),
        ("example-250", "uci-2023", 6, 750.0, 1512.5),
        ("example-200", "uci-2023", 8, 800.0, 1610.0),
        ("example-333", "uci-2023", 4, 666.66, 1348.33),
        ("example-400", "uci-2023", 4, 800.0, None),
        ("izu", "uci-2016", 8, 1375.0, 2012.5),
        ("example-200", "club-half-laps", 7, 700.0, 1410.0),
        ("example-333", "club-half-laps", 5, 833.325, None),
        ("izu", "fci-u17", 6, 750.0, 1512.5),
    ],
)
def test_the_course_and_a_whole_race_on_it(
    new_office: Any, setup_for: Any, venue: Any, rules: Any, laps: Any, exit_m: Any, finish_m: Any
) -> None:
    setup = setup_for(venue, rules)
    office = new_office(setup)
    office.start("final-a")
    course = office.log.course
    assert course.total_laps == laps
    assert course.exit_m == pytest.approx(exit_m, abs=0.01)
    to_finish = (0.0 - setup.venue.lines.pursuit_home_m) % setup.venue.track_length_m
    assert course.finish_m == pytest.approx(laps * setup.venue.track_length_m + to_finish, abs=0.01)
    if finish_m is not None:
        assert course.finish_m == pytest.approx(finish_m, abs=0.02)
    assert course.finish_mark == len(course.marks) - 1
    assert course.exit_mark >= 0
    assert office.picture.laps_to_go == laps
    office.ride(["pacer", *FIELD], course.exit_m)
    assert office.picture.state == "pacer_exit"
    office.ride(FIELD, course.finish_m, from_m=course.exit_m + 0.1)
    assert office.picture.state == "finished"
    assert office.picture.pace.pull_off == "on_time"
    assert office.picture.laps_to_go_measured == 0
    assert [bib for _, bib, _ in office.places] == FIELD


def test_to_2016_the_pacer_left_at_the_back_pursuit_line_with_two_and_a_half_laps_to_go(
    new_office: Any, setup_for: Any
) -> None:
    office = new_office(setup_for("izu", "uci-2016"))
    office.start("final-a")
    course = office.log.course
    assert course.marks[course.exit_mark].loop == "back"
    assert (course.paced_laps, course.sprint_laps) == (5.5, 2.5)
    # 2.5 laps and the 12.5 m from the home pursuit line to the finish.
    assert course.finish_m - course.exit_m == 637.5


@pytest.mark.parametrize(
    ("rules", "category", "entry", "exit_"),
    [("uci-2023", "women", 30, 50), ("uci-2016", "women", 25, 45), ("fci-u17", "men", 25, 45)],
)
def test_the_rule_book_sets_the_pace_of_the_category(
    new_office: Any, setup_for: Any, rules: Any, category: Any, entry: Any, exit_: Any
) -> None:
    office = new_office(setup_for("izu", rules, category=category))
    office.start("final-a")
    pace = office.picture.pace
    assert (pace.target_entry_kmh, pace.target_exit_kmh) == (entry, exit_)
    assert f"target {entry}→{exit_} km/h" in pace.summary


def test_a_heat_may_have_its_own_laps(new_office: Any, setup_for: Any) -> None:
    """Champions League: 5 laps, 2 behind the pacer and 3 of sprint."""
    office = new_office(setup_for("izu", "uci-2023", paced_laps=2.0, sprint_laps=3.0))
    office.start("final-a")
    assert (office.picture.exit_m, office.picture.course_m, office.picture.laps_to_go) == (500.0, 1262.5, 5)
