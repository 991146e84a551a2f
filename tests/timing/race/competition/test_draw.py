"""The lot: an order that anyone can check with sha256sum."""

import subprocess

from hypothesis import given
from hypothesis import strategies as st

from timing.race.competition.draw import draw

bibs = st.lists(st.text("0123456789", min_size=1, max_size=3), unique=True, max_size=8)


def test_the_order_is_that_of_sha256sum() -> None:
    seed, riders = "amber river 42", ["1", "17", "203", "A4"]
    lines = []
    for bib in riders:
        told = subprocess.run(
            ["sha256sum"], input=f"{seed}/{bib}".encode(), capture_output=True, check=True, timeout=10
        )
        lines.append((told.stdout.split()[0], bib))
    assert list(draw(seed, riders)) == [bib for _, bib in sorted(lines)]


def test_a_seed_in_another_script_is_utf8() -> None:
    assert draw("伊豆 2021", ["1", "2", "3"]) == draw("伊豆 2021", ["3", "2", "1"])


@given(seed=st.text(max_size=12), riders=bibs)
def test_everybody_is_drawn_once_however_the_list_was_written(seed: str, riders: list[str]) -> None:
    order = draw(seed, riders)
    assert sorted(order) == sorted(riders)
    assert draw(seed, reversed(riders)) == order


@given(seed=st.text(max_size=12), riders=bibs)
def test_who_is_missing_changes_nothing_among_the_others(seed: str, riders: list[str]) -> None:
    assert draw(seed, riders[1:]) == tuple(bib for bib in draw(seed, riders) if bib != riders[0])


def test_seeds_differ() -> None:
    riders = [str(bib) for bib in range(1, 8)]
    assert len({draw(f"seed {number}", riders) for number in range(50)}) > 40
