"""Order and gaps, as measured."""

from types import ModuleType

from hypothesis import given, settings
from hypothesis import strategies as st

from timing.core.arrays import MISSING
from timing.core.order import finish_gaps, order_at_marks

Field = list[list[int | None]]


@st.composite
def fields(draw: st.DrawFn) -> Field:
    """1 to 36 riders at up to 20 marks; few distinct times, so that equal ones are common."""
    marks = draw(st.integers(0, 20))
    time = st.one_of(st.none(), st.integers(0, 12), st.integers(-(2**61), 2**61))
    return draw(st.lists(st.lists(time, min_size=marks, max_size=marks), min_size=1, max_size=36))


def test_equal_times_share_a_place_and_the_next_place_is_skipped() -> None:
    place, gap_us = finish_gaps([10_000, 10_087, 10_087, 10_236, MISSING])
    assert place.tolist() == [1, 2, 2, 4, 0]
    assert gap_us.tolist() == [0, 87, 87, 236, MISSING]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(field=fields())
def test_order_at_every_mark_of_any_field(oracle: ModuleType, field: Field) -> None:
    crossings = [[MISSING if t is None else t for t in row] for row in field]
    place, gap_us = order_at_marks(crossings)
    for m in range(len(field[0])):
        expected = oracle.order([row[m] for row in field])
        assert place[:, m].tolist() == [p for p, _ in expected]
        assert gap_us[:, m].tolist() == [MISSING if gap is None else gap for _, gap in expected]


def test_nobody_read_and_nobody_there_are_no_error() -> None:
    assert finish_gaps([MISSING, MISSING]).place.tolist() == [0, 0]
    assert finish_gaps([]).gap_us.tolist() == []
