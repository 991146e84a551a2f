"""Who goes on from a heat, and to what: by place, with the rest, never with DSQ (track-rules §1.7, §1.8, §3.14)."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from config.models import Onward, Setup
from timing.race.actions import Confirm, Decide, Place
from timing.race.onward import marks, open_ties, tie_alerts


def field_of(office: Any) -> list[str]:
    return [rider.bib for rider in office.log.riders]


def ridden(office: Any, heat: str, *codes: tuple[str, str], order: tuple[tuple[str, ...], ...] | None = None) -> Any:
    """A heat placed by the judge in the drawn order, then rulings of (bib, code)."""
    office.start(heat)
    placed = order or tuple((bib,) for bib in field_of(office))
    office.do(Place(order=placed), 20)
    for bib, code in codes:
        office.do(Decide(bib=bib, code=code, reason="x"), 21)
    return office


def onward(office: Any) -> dict[str, str]:
    return marks(office.log, office.picture.results)


@pytest.mark.parametrize(
    ("heat", "expected"),
    [
        ("r1-1", ["Q1/4", "Q1/4", "R", "R", "R", "R"]),
        ("rep-1", ["Q1/4", "Q1/4", None, None, None]),
        ("qf-1", ["Q1/2", "Q1/2", "Q1/2", "Q1/2", None, None]),
        ("sf-1", ["QG", "QG", "QG", "Q7-12", "Q7-12", "Q7-12"]),
        ("final-a", [None] * 6),
        ("final-b", [None] * 5),
    ],
)
def test_the_marks_of_tokyo_2020_round_by_round(office: Any, heat: str, expected: list[str | None]) -> None:
    ridden(office, heat)
    assert [onward(office).get(line.bib) for line in office.picture.results] == expected


def test_who_had_a_mark_in_tokyo_2020_rode_where_the_mark_says(office: Any, rig: Any) -> None:
    """The published fields of every round against the marks of the rounds before, all sixteen heats from the bytes."""
    went: dict[str, set[str]] = {}
    for heat in office.setup.meet.heats:
        office.open(heat.id)
        office.arm()
        office.play(rig("tokyo2020-men-keirin", heat.id))
        for line in office.picture.results:
            if line.place is None and line.status is None:
                office.do(Decide(bib=line.bib, code="DNF", reason="not placed in the published result"), 200)
        for bib, mark in onward(office).items():
            went.setdefault(mark, set()).add(bib)
        office.do(Confirm(), 201)
    fields: dict[str, set[str]] = {}
    for heat in office.setup.meet.heats:
        fields.setdefault(heat.round, set()).update(place.bib for place in heat.start_list)
    assert went["R"] == fields["Repechages"]
    assert went["Q1/4"] == fields["Quarterfinals"]
    assert went["Q1/2"] == fields["Semifinals"]
    assert went["QG"] == fields["Final A"]
    assert went["Q7-12"] - fields["Final B"] == {"14"}, "Nicholas Paul fell in his semifinal and did not start"


def test_nobody_has_a_mark_before_there_is_a_place(office: Any) -> None:
    office.start("r1-1")
    assert onward(office) == {}


def test_a_disqualified_rider_goes_nowhere_and_the_next_one_moves_into_the_place(office: Any) -> None:
    ridden(office, "r1-1")
    first, _, third = field_of(office)[:3]
    assert (onward(office)[first], onward(office)[third]) == ("Q1/4", "R")
    office.do(Decide(bib=first, code="DSQ", reason="passed the pacer"), 30)
    assert (onward(office).get(first), onward(office)[third]) == (None, "Q1/4")


def test_a_relegated_rider_goes_on_by_the_last_place(office: Any) -> None:
    ridden(office, "r1-1")
    first = field_of(office)[0]
    office.do(Decide(bib=first, code="REL", reason="left the line"), 30)
    assert onward(office)[first] == "R"
    assert list(onward(office).values()).count("Q1/4") == 2


def test_dnf_goes_to_the_repechage_and_dns_does_not(office: Any) -> None:
    field = ridden(office, "r1-1").log.riders
    office.do(Decide(bib=field[0].bib, code="DNF", reason="fall"), 30)
    office.do(Decide(bib=field[1].bib, code="DNS", reason="ill"), 31)
    assert onward(office).get(field[0].bib) == "R"
    assert field[1].bib not in onward(office)


def test_where_the_rule_book_takes_fallen_riders_out_dnf_goes_nowhere(
    tokyo: Setup, new_office: Callable[[Setup], Any]
) -> None:
    keirin = msgspec.structs.replace(tokyo.rules.keirin, dnf_proceeds_to_repechage=False)
    rules = msgspec.structs.replace(tokyo.rules, keirin=keirin)
    office = new_office(msgspec.structs.replace(tokyo, rules=rules))
    ridden(office, "r1-1")
    bib = field_of(office)[5]
    office.do(Decide(bib=bib, code="DNF", reason="fall"), 30)
    assert bib not in onward(office)


def test_dnf_in_a_repechage_is_the_end(office: Any) -> None:
    ridden(office, "rep-1")
    bib = field_of(office)[0]
    office.do(Decide(bib=bib, code="DNF", reason="fall"), 30)
    assert bib not in onward(office)


def test_a_dead_heat_for_the_last_place_that_goes_on_is_left_open_until_it_is_resolved(office: Any) -> None:
    office.start("r1-1")
    a, b, c, d, e, f = field_of(office)
    office.do(Place(order=((a,), (b, c), (d,), (e,), (f,))), 20)
    assert onward(office) == {a: "Q1/4", d: "R", e: "R", f: "R"}
    (tie,) = open_ties(office.log, office.picture.results)
    assert (tie.place, tie.bibs) == (2, (b, c))
    (found,) = tie_alerts(office.log, office.picture)
    assert found.text == (
        f"dead heat of {b}, {c} at place 2, and only 1 go on to Q1/4: judge or commissaire to resolve it"
    )
    office.do(Place(order=((a,), (c,), (b,), (d,), (e,), (f,))), 30)
    assert onward(office)[c] == "Q1/4"
    assert tie_alerts(office.log, office.picture) == []


def test_a_dead_heat_that_decides_nothing_is_no_matter(office: Any) -> None:
    office.start("r1-1")
    a, b, c, d, e, f = field_of(office)
    office.do(Place(order=((a, b), (c, d), (e,), (f,))), 20)
    assert [onward(office)[bib] for bib in (a, b, c, d)] == ["Q1/4", "Q1/4", "R", "R"]
    assert open_ties(office.log, office.picture.results) == ()


def test_places_count_as_they_are_printed(office: Any, tokyo: Setup, new_office: Callable[[Setup], Any]) -> None:
    heats = tuple(
        msgspec.structs.replace(heat, onward=(Onward(mark="X", first=7, last=8),)) if heat.id == "final-b" else heat
        for heat in tokyo.meet.heats
    )
    other = new_office(msgspec.structs.replace(tokyo, meet=msgspec.structs.replace(tokyo.meet, heats=heats)))
    ridden(other, "final-b")
    assert list(onward(other)) == field_of(other)[:2]


def test_marks_are_the_same_in_replay_and_stay_when_official(office: Any) -> None:
    ridden(office, "r1-1", (office.setup.meet.heats[0].start_list[2].bib, "REL"))
    before = onward(office)
    office.do(Confirm(), 40)
    assert onward(office) == before
    replayed = office.replayed()
    assert marks(replayed.heats["r1-1"], replayed.picture("r1-1").results) == before
