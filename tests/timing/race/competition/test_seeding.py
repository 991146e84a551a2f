"""Seeds: by ranking, unranked riders last by lot (UCI 3.2.021bis)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.entries import Entry
from timing.race.competition.seeding import needs_lot, seed_order


def riders(*rankings: int | None) -> list[Entry]:
    return [Entry(bib=str(bib), surname=f"Rider {bib}", ranking=one) for bib, one in enumerate(rankings, start=1)]


def test_the_ranking_seeds() -> None:
    assert seed_order(riders(30, 2, 11), ["1", "2", "3"]) == ("2", "3", "1")


def test_unranked_riders_come_last_in_the_order_of_the_lot() -> None:
    assert seed_order(riders(None, 5, None, None), ["4", "1", "2", "3"]) == ("2", "4", "1", "3")


def test_the_lot_decides_between_equal_rankings() -> None:
    assert seed_order(riders(5, 5), ["2", "1"]) == ("2", "1")


def test_a_rider_who_was_not_in_the_lot_is_named() -> None:
    with pytest.raises(ValueError, match="not in the lot: 2; draw again"):
        seed_order(riders(1, 2), ["1"])


@pytest.mark.parametrize(
    ("rankings", "needed"), [((1, 2, 3), False), ((1, None), False), ((1, None, None), True), ((4, 4), True)]
)
def test_a_lot_is_asked_for_only_where_the_ranking_leaves_something_open(
    rankings: tuple[int | None, ...], needed: bool
) -> None:
    assert needs_lot(riders(*rankings)) is needed


@given(st.lists(st.none() | st.integers(1, 9), max_size=12), st.randoms(use_true_random=False))
def test_everybody_is_seeded_once_and_nobody_overtakes_a_better_ranked_rider(rankings, random) -> None:  # noqa: ANN001
    entries = riders(*rankings)
    lot = [one.bib for one in entries]
    random.shuffle(lot)

    seeds = seed_order(entries, lot)

    assert sorted(seeds) == sorted(lot)
    order = [rankings[int(bib) - 1] or 99 for bib in seeds]
    assert order == sorted(order)
