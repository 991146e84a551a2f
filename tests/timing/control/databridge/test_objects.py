"""What boards and graphics made for metarace are told: the shape of its document, and our races in it."""

import pytest

from tests.timing.control.databridge.conftest import KEIRIN, Board, judged
from tests.timing.control.databridge.shape import faults
from tests.timing.race.conftest import Office
from timing.control.databridge.words import duration, overall
from timing.race.actions import Confirm, Decide, Place, Reopen
from timing.race.competition.actions import Compose, ConfirmRound

FINAL = "men/keirin/final-a"


def test_every_object_has_every_key_of_the_document(finished: Office) -> None:
    board = Board(finished.state)
    board.hear()
    assert {"", "events", "current", "1", "men", "men/competitors", "men/keirin", "men/keirin/first-round/5"} <= set(
        board.told
    )
    assert [fault for topic, body in board.told.items() for fault in faults(topic, body, {"1"})] == []


def test_a_competition_has_every_key_too(rounds: Office) -> None:
    judged(rounds, "r1-1")
    board = Board(rounds.state)
    board.hear()
    assert [fault for topic, body in board.told.items() for fault in faults(topic, body, {"1", "2"})] == []


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (10_291, "PT10.291S"),
        (0, "PT0.000S"),
        (62_045, "PT1M2.045S"),
        (5_000_007, "PT1H23M20.007S"),
        (3_600_000, "PT1H0M0.000S"),
        (None, None),
    ],
)
def test_a_duration_is_exactly_its_milliseconds(ms: int | None, text: str | None) -> None:
    assert duration(ms) == text


def test_the_final_of_tokyo_as_a_board_shows_it(finished: Office) -> None:
    board = Board(finished.state)
    board.hear()
    head, result = board[FINAL], board[f"{FINAL}/result"]
    assert (head["title"], head["subtitle"], head["status"], head["laps"]) == (
        "Men's Keirin",
        "Final A",
        "provisional",
        6,
    )
    assert result["lines"][0]["name"] == "Jason KENNY (GBR)"
    assert [(rank, class_, bib) for rank, class_, bib, _ in board.lines(f"{FINAL}/result")] == [
        (1, "1.", "4"),
        (2, "2.", "13"),
        (3, "3.", "23"),
        (4, "4.", "30"),
        (5, "5.", "21"),
        (6, "6.", "2"),
    ]
    gaps = [line[3] for line in board.lines(f"{FINAL}/result")]
    assert gaps[0] is None
    assert gaps[1] == f"+{finished.gaps['13'] / 1000:.3f}"  # type: ignore[operator]
    assert board.badges(f"{FINAL}/result") == {"4": ["win"]}


def test_the_splits_are_the_passages_of_the_finish_line(finished: Office) -> None:
    board = Board(finished.state)
    board.hear()
    detail = board[f"{FINAL}/result"]["detail"]["4"]
    assert list(detail) == ["6", "5", "4", "3", "2", "1", "0", "last-200"]
    assert (detail["0"]["label"], detail["0"]["rank"]) == ("Finish", 1)
    crossing = finished.crossings("4")[finished.picture.course_m]
    assert detail["0"]["elapsed"] == duration(crossing.race_ms)
    assert detail["0"]["interval"] == duration(crossing.lap_ms)
    assert detail["last-200"]["interval"] == duration(finished.picture.finish.last_200_ms)


def test_a_heat_is_null_then_virtual_then_provisional_then_final(office: Office) -> None:
    board = Board(office.state)

    def status() -> tuple[str | None, str | None]:
        board.hear()
        assert board[f"{FINAL}/result"]["status"] == board[FINAL]["status"] == board["current"]["status"]
        return board[FINAL]["status"], board["men/keirin"]["status"]

    office.open("final-a")
    office.arm()
    assert status() == (None, None)
    assert board[f"{FINAL}/result"]["lines"] == []
    office.gun()
    assert status() == ("virtual", "virtual")
    bibs = [rider.bib for rider in office.log.riders]
    office.ride(bibs, 600.0)
    status()
    assert [line[:3] for line in board.lines(f"{FINAL}/result")][:2] == [(1, "(1.)", bibs[0]), (2, "(2.)", bibs[1])]
    office.do(Place(order=tuple((bib,) for bib in bibs)), 100)
    assert status() == ("provisional", "virtual")
    office.do(Confirm(), 120)
    assert status() == ("final", "virtual")
    office.do(Reopen(reason="wrong bib"), 130)
    assert status() == ("provisional", "virtual")


def test_several_heats_are_final_only_together() -> None:
    assert overall([]) is None
    assert overall([None, None]) is None
    assert overall([None, "final"]) == "virtual"
    assert overall(["provisional", "final"]) == "provisional"
    assert overall(["final", "final"]) == "final"


def test_decisions_are_badges_codes_and_sentences(finished: Office) -> None:
    finished.do(Decide(bib="4", code="REL", reason="left the line", article="3.2.042"), 150, role="commissaire")
    finished.do(Decide(bib="13", code="W", reason="moved down"), 151, role="commissaire")
    finished.do(Decide(bib="2", code="DSQ", reason="dangerous"), 152, role="commissaire")
    board = Board(finished.state)
    board.hear()
    assert board.badges(f"{FINAL}/result") == {"13": ["warning", "win"], "4": ["rel"], "2": ["disqualified"]}
    assert board.lines(f"{FINAL}/result")[-1] == (6, "dsq", "2", None)
    assert board[f"{FINAL}/result"]["decisions"][0] == "4 Jason KENNY (GBR): relegated, left the line (UCI 3.2.042)"
    assert board["men/keirin"]["warnings"] == {"13": ["moved down"]}
    assert board.badges(f"{FINAL}/startlist") == {"13": ["warning"], "2": ["disqualified"]}


def test_what_is_on_the_track(finished: Office) -> None:
    board = Board(finished.state)
    board.hear()
    current = board["current"]
    assert (current["path"], current["event"], current["contest"]) == (f"tokyo2020-men-keirin/{FINAL}", "final-a", None)
    assert (current["session"], current["phase"], current["competitionType"]) == ("1", "final-a", "keirin")
    assert current["startTime"].endswith("+09:00")
    assert current["timeA"] == duration(finished.picture.finish.last_200_ms)
    assert board["events"]["final-a"]["fragments"] == [FINAL]


def test_nothing_is_on_the_track(office: Office) -> None:
    board = Board(office.state)
    board.hear()
    assert {value for key, value in board["current"].items() if key not in ("serial", "updated")} == {None}


def test_a_start_list_is_provisional_until_it_is_confirmed(rounds: Office) -> None:
    board = Board(rounds.state)
    board.hear()
    contest = board["men/men-keirin/r1/2/startlist"]
    assert (contest["status"], contest["subtitle"], contest["type"]) == ("final", "First round - Heat 2", "bunch")
    assert [one["info"] for one in contest["competitors"]] == ["1", "2", "3", "4", "5", "6"]
    assert board["men/men-keirin/rep/1/startlist"]["competitors"] == []
    assert board["men/men-keirin/rep/1/startlist"]["status"] is None
    assert board["men/men-keirin/final/a"]["label"] == board["men/men-keirin/final/a"]["subtitle"] == "Final A"
    assert board["men/men-keirin/startlist"]["competitors"][0]["info"] == "1"


def test_who_goes_on_wears_the_badge_and_the_rest_of_a_round_does_not(rounds: Office) -> None:
    board = Board(rounds.state)
    bibs = judged(rounds, "r1-1")
    board.hear()
    heat = "men/men-keirin/r1/1"
    assert board.badges(f"{heat}/result") == {bibs[0]: ["qualified", "win"], bibs[1]: ["qualified"]}
    assert board["men/men-keirin/r1"]["info"] == "1-2 to Quarterfinals (Q1/4); rest to Repechages (R)"
    assert {one["info"] for one in board["men/men-keirin/r1/result"]["lines"]} == {"Heat 1"}
    classified = board["men/men-keirin/result"]
    assert (classified["type"], classified["status"]) == ("classification", "virtual")
    assert all(one["class"].startswith("(") for one in classified["lines"] if one["class"] is not None)


def test_the_next_round_appears_with_its_riders(rounds: Office) -> None:
    board = Board(rounds.state)
    for number in range(1, 6):
        judged(rounds, f"r1-{number}")
        rounds.do(Confirm(), 150)
    rounds.do(ConfirmRound(competition=KEIRIN, round="r1"), 160, role="president")
    rounds.do(Compose(competition=KEIRIN, round="rep"), 161, role="secretary")
    board.hear()
    assert board["men/men-keirin/r1"]["status"] == "final"
    listed = board["men/men-keirin/rep/1/startlist"]
    assert (listed["status"], len(listed["competitors"])) == ("provisional", 5)
    assert board["men/men-keirin"]["status"] == "virtual"


def test_the_meet_and_its_sessions(rounds: Office) -> None:
    board = Board(rounds.state)
    board.hear()
    meet = board[""]
    assert (meet["startDate"], meet["endDate"], meet["date"]) == ("2021-08-07", "2021-08-08", "7-8 August 2021")
    assert meet["schedule"] == {"1": "Saturday afternoon", "2": "Sunday morning"}
    assert meet["categories"] == {"men": "Men"}
    assert board["2"]["startTime"] == "2021-08-08T10:00:00+09:00"
    assert board["2"]["finals"] == {"men/men-keirin": "Men's keirin"}
    assert list(board["1"]["events"])[:2] == ["r1-1", "r1-2"]
    kenny = board["men/competitors"]["riders"]["4"]
    assert (kenny["first"], kenny["last"], kenny["nation"], kenny["class"]) == ("Jason", "Kenny", "GBR", "men")


def test_only_what_differs_goes_out_and_its_serial_rises(finished: Office) -> None:
    board = Board(finished.state)
    board.hear()
    assert board.hear() == set()
    finished.do(Confirm(), 200)
    told = board.hear()
    assert FINAL in told
    assert not any(
        topic.startswith("men/keirin/first-round") or topic in ("", "men", "men/competitors") for topic in told
    )
    assert all(serials == sorted(set(serials)) for serials in board.serials.values())
    assert len(board.serials[FINAL]) == 2


def test_after_a_restart_the_serial_goes_on_rising(finished: Office) -> None:
    before = Board(finished.state)
    before.hear()
    finished.do(Confirm(), 200)
    after = Board(finished.replayed())
    after.hear()
    assert all(after[topic]["serial"] > before[topic]["serial"] for topic in before.told)
