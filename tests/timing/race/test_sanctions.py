"""A second warning or a third relegation over the heats of one event proposes DSQ (UCI 3.2.013, 3.10.003)."""

from typing import Any

import msgspec

from timing.control.board import current_body
from timing.race.actions import Confirm, Decide, Exclusion, Place, Restart, Stop
from timing.race.sanctions import Count, event_counts, proposals

WARNING = Decide(bib="13", code="W", reason="moved down", article="3.2.045")
RELEGATION = Decide(bib="13", code="REL", reason="left the line", article="3.2.042")


def heat_with(office: Any, heat: str, *actions: Any) -> None:
    """A heat of bib 13, placed by the judge, with rulings."""
    office.start(heat)
    office.do(Place(order=(("13",),)), 20)
    for action in actions:
        office.do(action, 21)


def alerts(office: Any) -> list[Any]:
    found: Any = current_body(office.state, office.picture).fields["alerts"]
    return [one for one in found if one.key == "propose_dsq"]


def test_a_warning_in_one_heat_and_another_in_a_later_one_make_two(office: Any) -> None:
    heat_with(office, "r1-3", WARNING)
    office.do(Confirm(), 30)
    assert alerts(office) == []
    heat_with(office, "qf-3", WARNING)
    (found,) = alerts(office)
    assert found.severity == "amber"
    assert found.params == {"bib": "13", "warnings": 2, "relegations": 0, "heats": "r1-3, qf-3"}
    assert found.text == (
        "rider 13 has 2 warnings and 0 relegations in this event (r1-3, qf-3): DSQ is proposed (UCI 3.2.013, 3.10.003)"
    )


def test_three_relegations_in_three_heats(office: Any) -> None:
    for heat in ("r1-3", "qf-3"):
        heat_with(office, heat, RELEGATION)
        office.do(Confirm(), 30)
    heat_with(office, "sf-2")
    assert alerts(office) == []
    office.do(RELEGATION, 40)
    assert [one.params["relegations"] for one in alerts(office)] == [3]


def test_a_disqualified_rider_is_not_proposed_again(office: Any) -> None:
    heat_with(office, "r1-3", WARNING)
    heat_with(office, "qf-3", WARNING)
    office.do(Decide(bib="13", code="DSQ", reason="second warning", article="3.2.013"), 40)
    assert alerts(office) == []


def test_a_warning_taken_back_counts_no_more(office: Any) -> None:
    heat_with(office, "r1-3", WARNING)
    heat_with(office, "qf-3")
    second = office.do(WARNING, 40)
    assert len(alerts(office)) == 1
    undo = office.undo(second, 41)
    assert alerts(office) == []
    office.undo(undo, 42)
    assert len(alerts(office)) == 1


def test_a_relegation_in_a_stopped_attempt_counts(office: Any) -> None:
    heat_with(office, "r1-3", RELEGATION)
    heat_with(office, "qf-3", RELEGATION)
    office.start("sf-2")
    office.do(Stop(reason="fault behind the pacer"), 20)
    office.do(Restart(excluded=(Exclusion(bib="13", code="REL", reason="x", article="3.2.142"),)), 30)
    assert [one.params["heats"] for one in alerts(office)] == ["r1-3, qf-3, sf-2"]


def test_once_official_nothing_is_open_and_the_next_start_of_the_rider_asks_again(office: Any) -> None:
    heat_with(office, "r1-3", WARNING)
    heat_with(office, "qf-3", WARNING)
    office.do(Confirm(), 40)
    assert alerts(office) == []
    office.open("sf-2")
    assert [one.params["bib"] for one in alerts(office)] == ["13"]
    office.open("sf-1")
    assert alerts(office) == [], "13 does not ride in it"


def test_what_the_heat_itself_proposes_is_not_said_twice(office: Any) -> None:
    heat_with(office, "r1-3", WARNING, WARNING)
    found: Any = current_body(office.state, office.picture).fields["alerts"]
    assert [one.key for one in found if "propose" in one.key] == ["propose_dsq_warnings"]


def test_another_category_is_another_event(office: Any, tokyo: Any, new_office: Any) -> None:
    heats = tuple(
        msgspec.structs.replace(heat, category="women") if heat.id == "r1-3" else heat for heat in tokyo.meet.heats
    )
    other = new_office(msgspec.structs.replace(tokyo, meet=msgspec.structs.replace(tokyo.meet, heats=heats)))
    heat_with(other, "r1-3", WARNING)
    heat_with(other, "qf-3", WARNING)
    assert alerts(other) == []


def test_counts_name_the_heats_in_the_order_of_the_programme(office: Any) -> None:
    heat_with(office, "qf-3", WARNING)
    heat_with(office, "r1-3", RELEGATION, WARNING)
    counts = event_counts(office.state.heats.values())
    assert counts == {"13": Count(2, 1, False, ("r1-3", "qf-3"))}
    assert proposals(office.state.heats.values(), office.state.heats["r1-1"]) == []
