"""Laps, splits, speeds and the order at each loop, against hand computation (45 km/h is 80 ms a metre)."""

from typing import Any

import pytest

from timing.race.actions import SwapTransponder

FIELD = ["13", "2", "23", "4", "21", "30"]


@pytest.fixture
def one_lap_and_a_half(office: Any) -> Any:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 400, spacing=0.2)
    return office


def test_splits_of_a_rider_at_each_loop(one_lap_and_a_half: Any) -> None:
    # 13 rides 0.2 s behind the pacer: at d metres it is 80 d + 200 ms after the gun.
    crossings = one_lap_and_a_half.crossings("13")
    assert {distance: crossing.race_ms for distance, crossing in crossings.items()} == {
        0.0: 0, 12.5: 1200, 62.5: 5200, 125.0: 10200, 162.5: 13200, 250.0: 20200, 262.5: 21200, 312.5: 25200,
        375.0: 30200,
    }  # fmt: skip
    assert crossings[375.0].sector_ms == 5000
    assert crossings[375.0].half_lap_ms == 10_000
    assert crossings[375.0].lap_ms == 20_000
    assert crossings[375.0].speed_kmh == 45.0
    assert (crossings[375.0].loop, crossings[375.0].lap) == ("back", 2)


def test_the_gun_is_the_crossing_of_the_start_line(one_lap_and_a_half: Any) -> None:
    first = one_lap_and_a_half.crossings("21")[0.0]
    assert (first.source, first.race_ms, first.sector_ms, first.speed_kmh, first.read) == ("start", 0, None, None, None)


def test_a_half_lap_is_known_only_where_a_loop_lies_half_a_lap_before(one_lap_and_a_half: Any) -> None:
    crossings = one_lap_and_a_half.crossings("13")
    assert crossings[312.5].half_lap_ms is None
    assert crossings[250.0].half_lap_ms == 10_000


def test_the_order_at_each_loop_with_gaps_to_the_first_there(one_lap_and_a_half: Any) -> None:
    orders = {order.distance_m: order for order in one_lap_and_a_half.picture.orders}
    assert 0.0 not in orders
    entries = orders[375.0].entries
    assert [(one.bib, one.place, one.gap_ms) for one in entries] == [
        ("13", 1, 0), ("2", 2, 200), ("23", 3, 400), ("4", 4, 600), ("21", 5, 800), ("30", 6, 1000),
    ]  # fmt: skip
    assert (orders[375.0].lap, orders[375.0].laps_to_go) == (2, 4.55)


def test_equal_times_at_a_loop_share_the_place_and_the_next_is_skipped(office: Any) -> None:
    office.start("final-a")
    for bib, at in [("13", 1.2), ("2", 1.2), ("23", 1.3)]:
        office.cross(bib, 12.5, at)
    entries = office.picture.orders[-1].entries
    assert [(one.bib, one.place) for one in entries] == [("13", 1), ("2", 1), ("23", 3)]


def test_the_last_200_m_of_the_winner(office: Any) -> None:
    office.start("final-a")
    office.ride(["pacer", *FIELD], 750)
    office.ride(FIELD, 1512.5, from_m=751)
    assert office.picture.finish.last_200_ms == 16_000
    assert office.picture.finish.last_200_kmh == 45.0


def test_a_rider_on_a_spare_bike_gets_also_the_reads_before_the_swap_was_ordered(office: Any) -> None:
    office.start("final-a")
    office.ride(FIELD[1:], 70)
    office.cross("777", 12.5, 1.0)
    assert office.aside() == ["unknown transponder: nobody of this heat carries it"]
    command = office.do(SwapTransponder(bib="13", transponder="777"), 3)
    assert office.crossings("13")[12.5].source == "read"
    assert office.aside() == []
    office.undo(command, 4, role="operator")
    assert 12.5 not in office.crossings("13")


def test_a_passing_is_told_at_once_with_who_and_where(office: Any) -> None:
    office.start("final-a")
    office.cross("23", 12.5, 1.6)
    (news,) = office.state.apply(10**6, office.events[-1][1])
    assert (news.bib, news.loop, news.heat, news.pacer) == ("23", "finish", "final-a", False)
    office.cross("pacer", 62.5, 5.0)
    (news,) = office.state.apply(10**6 + 1, office.events[-1][1])
    assert (news.bib, news.pacer) == (None, True)
