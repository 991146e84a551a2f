"""Patches: what a screen makes of them is what the core said, to the last null; and they are short."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.timing.control.console.browser.ridden import modules
from tests.timing.control.console.hall import patched
from timing.control.console.patches import difference, patch_bytes

CASES: list[tuple[Any, Any]] = [
    ({"a": 1, "b": None}, {"a": None, "c": []}),
    ({"a": [1, 2, 3]}, {"a": [1, 5]}),
    ({"a": []}, {"a": [[]]}),
    ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3, "c": None}, {"b": 4}]}),
    ({"a": {"b": {}}}, {"a": {"b": [1]}}),
    ({"a": [[1], [2]]}, {"a": [[1, 2], []]}),
    ({"a": "x"}, {"a": {"x": [None]}}),
]
VALUES = st.recursive(
    st.none() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abc", max_size=1), VALUES), st.dictionaries(st.text("abc", max_size=1), VALUES))
def test_a_patch_makes_the_one_out_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert patched(before, difference(before, after)) == after


async def test_the_screen_reads_a_patch_as_it_is_meant_and_keeps_what_stays() -> None:
    patches = [(before, difference(before, after)) for before, after in CASES]
    async with modules() as page:
        found = await page.evaluate(
            """async (cases) => {
              const { patched } = await import("/js/store.js");
              const kept = { far: { x: 1 }, near: [{ y: 1 }, { y: 2 }] };
              const next = patched(kept, { near: [2, { 1: { y: [3] } }, []] });
              return { after: cases.map(([before, patch]) => patched(before, patch)),
                same: [next.far === kept.far, next.near[0] === kept.near[0], next.near[1] === kept.near[1]] };
            }""",
            patches,
        )
    assert found["after"] == [after for _, after in CASES]
    assert found["same"] == [True, True, False]


def test_a_lap_of_a_long_race_is_a_short_patch_and_small_or_new_things_are_sent_whole() -> None:
    crossing = {"mark": 1, "loop": "home", "race_ms": 12_345, "lap_ms": None, "speed_kmh": 61.2}
    race = {"seq": 7, "splits": [{"bib": str(bib), "crossings": [crossing] * 40} for bib in range(36)]}
    riders = [{**race["splits"][0], "crossings": [crossing] * 41}, *race["splits"][1:]]  # type: ignore[index]
    later = {"seq": 8, "splits": riders}
    whole = json.dumps(later).encode()
    patch = patch_bytes(race, later, whole)
    assert patch is not None
    assert len(patch) < len(whole) / 500
    assert patched(race, json.loads(patch)) == later
    assert patch_bytes(None, later, whole) is None, "nothing to patch"
    assert patch_bytes(race, {"seq": 9}, b'{"seq":9}') is None, "short enough"
    assert patch_bytes({"a": list(range(900))}, {"a": list(range(1, 901))}, whole[:4000]) is None, "all of it moved"


def test_what_cannot_be_told_in_a_patch_is_told_whole() -> None:
    assert patch_bytes({"a": 1}, {"a": "\ud800"}, b" " * 5_000) is None
