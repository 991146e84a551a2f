"""The derny: 30 to 50 km/h, off after 750 m (UCI 3.2.134, 3.2.137), riders behind it (3.2.140). It never decides."""

from typing import Any

import msgspec
import pytest

from timing.race.actions import CloseRace, Decide, Stop

FIELD = ["13", "2", "23", "4", "21", "30"]
TOKYO = "tokyo2020-men-keirin"


@pytest.fixture
def ridden(office: Any, rig: Any) -> Any:
    def ride(script: Any, until: float | None = None) -> Any:
        office.open("final-a")
        office.arm()
        office.play(rig(script, "final-a"), until)
        return office.picture

    return ride


def findings(picture: Any) -> Any:
    return {one.what: one for one in picture.pace.findings}


def test_a_derny_that_does_45_at_the_exit_is_reported_5_too_slow(ridden: Any) -> None:
    picture = ridden("derny-slow")
    finding = findings(picture)["exit_speed"]
    assert finding.text == "exit speed 45.0 km/h, -5.0 against 50"
    assert (picture.pace.compliant, picture.pace.pull_off, picture.pace.pull_off_m) == (False, "on_time", 750.0)
    assert picture.pace.sections[-1].band in {"amber", "red"}


def test_a_derny_that_leaves_a_lap_early_is_reported_250_m_early(ridden: Any) -> None:
    picture = ridden("derny-early")
    finding = findings(picture)["pull_off_early"]
    assert finding.text == "left the track after 500 m, 250 m before its exit line at 750 m"
    assert (picture.pace.pull_off, picture.pace.pull_off_m, picture.pace.pull_off_before_m) == ("early", 500.0, 512.5)


def test_a_derny_that_stays_half_a_lap_too_long_is_reported_125_m_late(ridden: Any) -> None:
    picture = ridden("derny-late")
    finding = findings(picture)["pull_off_late"]
    assert finding.text == "stayed on the track to 875 m, 125 m past its exit line at 750 m"
    assert picture.pace.pull_off == "late"


def test_a_derny_on_the_track_again_is_reported_with_the_place(ridden: Any) -> None:
    picture = ridden("derny-returns")
    assert picture.pace.pull_off == "seen_again"
    assert findings(picture)["seen_again"].text.startswith("seen again at 10")
    assert picture.pace.pull_off_m == 750.0


@pytest.mark.parametrize("script", ["derny-slow", "derny-early", "derny-late", "derny-returns"])
def test_a_wrong_pace_changes_neither_the_state_nor_the_result(ridden: Any, script: Any) -> None:
    picture = ridden(script)
    assert picture.state == "provisional"
    assert [(line.place, line.bib) for line in picture.results] == [
        (1, "4"), (2, "13"), (3, "23"), (4, "30"), (5, "21"), (6, "2"),
    ]  # fmt: skip
    assert any(notice.startswith("pace: ") for notice in picture.notices)


def test_the_exit_speed_is_predicted_long_before_the_exit(ridden: Any) -> None:
    pace = ridden("derny-slow", until=45.0).pace
    assert (pace.pull_off, pace.compliant, pace.exit_kmh) == ("awaited", None, None)
    assert pace.predicted_exit_kmh == pytest.approx(45.0, abs=0.3)
    assert pace.summary == "target 30→50 km/h over 750 m"


def test_the_verdict_waits_until_the_next_loop_is_overdue_without_the_pacer(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    assert office.picture.pace.pull_off == "awaited"
    office.tick(62.0)
    assert office.picture.pace.pull_off == "awaited"
    office.tick(75.0)
    assert office.picture.pace.pull_off == "on_time"


def test_sections_carry_their_target_and_deviation(ridden: Any) -> None:
    sections = ridden(TOKYO).pace.sections
    assert [section.band for section in sections] == ["in"] * len(sections)
    last = sections[-1]
    assert (last.from_m, last.to_m) == (662.5, 750.0)
    assert last.deviation_kmh == pytest.approx(0, abs=0.05)
    assert last.speed_kmh == pytest.approx(last.target_kmh, abs=0.05)


def test_one_missed_read_of_the_pacer_is_no_early_pull_off(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750, missed=[("pacer", 375.0)])
    office.ride(FIELD, 900, from_m=751)
    assert (office.picture.pace.pull_off, office.picture.pace.pull_off_m) == ("on_time", 750.0)


def test_a_missing_read_at_the_exit_line_alone_does_not_prove_an_early_pull_off(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750, missed=[("pacer", 750.0)])
    office.ride(FIELD, 1000, from_m=751)
    pace = office.picture.pace
    (finding,) = [one for one in pace.findings if one.what != "entry_speed"]
    assert finding.what == "exit_unread"
    assert "it left early, or that loop missed it; no later loop can tell" in finding.text
    assert pace.compliant is None
    assert pace.exit_kmh is None


def test_two_loops_without_the_pacer_before_the_exit_do_prove_it(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 625)
    office.ride(FIELD, 1000, from_m=626)
    assert findings(office.picture)["pull_off_early"].value == 625.0


def test_a_dead_loop_does_not_make_the_pacer_leave(office: Any) -> None:
    dead = [(who, distance) for who in ["pacer", *FIELD] for distance in (125.0, 375.0, 625.0, 875.0)]
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750, missed=dead)
    office.ride(FIELD, 900, from_m=751, missed=dead)
    assert office.picture.pace.pull_off == "on_time"


def test_a_stopped_race_is_no_early_pull_off(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 400)
    office.do(Stop(reason="fall"), 34)
    office.tick(90)
    pace = office.picture.pace
    assert (pace.pull_off, pace.compliant) == ("awaited", None)
    assert "pull_off_early" not in findings(office.picture)


def test_a_pacer_that_no_loop_has_read_is_reported_as_such(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD, 1512.5)
    (finding,) = office.picture.pace.findings
    assert finding.text == "read 0 times only, its pace is unknown: check its transponder"
    assert office.picture.state == "finished"


def test_a_rider_beyond_the_front_wheel_of_the_pacer_is_reported_with_margin_3_2_140(office: Any) -> None:
    # At 45 km/h and the same instant: the rider's wheel is 0.334 m, the pacer's edge 0.33 m before its transponder.
    office.start("final-a")
    office.ride(["pacer"], 312.5)
    office.cross("2", 262.5, 21.1)
    office.cross("2", 312.5, 24.84)
    (ahead,) = office.picture.pace.riders_ahead
    assert (ahead.bib, ahead.distance_m) == ("2", 312.5)
    # 160 ms before the pacer, at 50 m in 3.74 s; the wheels' offsets take 1 ms off.
    assert ahead.margin_ms == -158
    assert ahead.margin_m == pytest.approx(-2.12, abs=0.01)
    assert office.noticed("rider 2 ahead of the pacer at 312.5 m by")
    assert office.picture.state == "paced"


def test_an_overlap_is_a_fault_under_the_rear_wheel_rule_only(office: Any, new_office: Any, tokyo: Any) -> None:
    """To 2016 (and in clubs) the pacer's rear wheel was the line, since 2017 the front wheel."""
    keirin = msgspec.structs.replace(tokyo.rules.keirin, passing_rule="rear_wheel")
    rules = msgspec.structs.replace(tokyo.rules, keirin=keirin)
    old = new_office(msgspec.structs.replace(tokyo, rules=rules))
    for one in (office, old):
        one.start("final-a")
        one.ride(["pacer"], 312.5)
        one.cross("2", 262.5, 21.1)
        # 0.1 s, so 1.25 m behind the pacer's transponder: beside its rear wheel (1.60 m behind), not its front.
        one.cross("2", 312.5, 25.1)
    assert office.picture.pace.riders_ahead == ()
    (ahead,) = [one for one in old.picture.pace.riders_ahead if one.distance_m == 312.5]
    assert ahead.margin_m == pytest.approx(1.25 - 1.60 - 0.334, abs=0.01)


def test_the_notice_of_a_rider_ahead_goes_when_a_commissaire_has_ruled(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer"], 312.5)
    office.cross("2", 262.5, 21.1)
    office.cross("2", 312.5, 24.84)
    assert office.noticed("rider 2 ahead of the pacer at 312.5 m by 2.12 m (158 ms): commissaire to rule")
    office.do(Decide(bib="2", code="DSQ", reason="passed the pacer", article="3.2.140"), 30)
    assert not office.noticed("commissaire to rule")
    assert len(office.picture.pace.riders_ahead) == 1


def test_riders_beside_the_pacer_beyond_its_exit_line_are_free(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.cross("pacer", 762.5, 61.0)
    office.cross("13", 762.5, 60.5)
    assert office.picture.pace.riders_ahead == ()
    office.do(CloseRace(), 90, role="judge")
    assert office.picture.pace.pull_off == "on_time"
