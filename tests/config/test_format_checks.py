"""A format that does not add up does not load, and the error says what: slot, round, number of riders."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.format_checks import check_format
from config.formats import Format, HeatPlan, RoundPlan
from config.loader import ConfigError, load_format, shipped

Edit = Callable[..., str]

MISTAKES = {
    "a slot twice": (
        "olympic-30",
        '"A3", "B6"',
        '"B6", "B6"',
        'rounds[1].heats[0].slots[1] = "B6": is used twice; rounds[1].heats[0].slots[0] has it already',
    ),
    "a rider lost": (
        "olympic-30",
        ', "E6"]',
        "]",
        "rounds[1].heats: lose a rider: with 26 riders E6 goes to rep and no heat there takes it",
    ),
    "a rider lost with a smaller field": (
        "olympic-30",
        ', "E5"]',
        "]",
        "rounds[1].heats: lose a rider: with 25 riders E5 goes to rep and no heat there takes it",
    ),
    "a place that nobody has": (
        "olympic-30",
        '"B6"',
        '"B7"',
        'rounds[1].heats[0].slots[1] = "B7": does not exist: that heat of r1 has 6 riders at most (with 30 riders)',
    ),
    "a heat that there is not": (
        "olympic-30",
        '"B6"',
        '"H3"',
        'rounds[1].heats[0].slots[1] = "H3": does not exist: r1 has 5 heats, A to E',
    ),
    "a place that goes elsewhere": (
        "olympic-30",
        '"B6"',
        '"B2"',
        'rounds[1].heats[0].slots[1] = "B2": does not come to rep: place 2 of r1 goes to qf',
    ),
    "a place that is out": (
        "uci-keirin-10-14",
        '"A6"',
        '"A7"',
        'rounds[1].heats[1].slots[2] = "A7": does not come to final: place 7 of r1 is out',
    ),
    "no slot at all": (
        "olympic-30",
        '"B6"',
        '"xB6"',
        'rounds[1].heats[0].slots[1] = "xB6": is no slot of a round before rep: r1 (A1 …)',
    ),
    "a field too large for the heats": (
        "uci-keirin-22-28",
        "max_riders = 28",
        "max_riders = 29",
        "rounds[0].max_riders = 7: does not hold: with 29 riders heat r1-4 has 8",
    ),
    "a field too small": (
        "champions-league-18",
        "min_riders = 15",
        "min_riders = 5",
        "rounds[0].min_riders = 2: does not hold: with 5 riders heat r1-1 has 1",
    ),
    "places of the finals with a hole": (
        "olympic-30",
        "first_place = 7",
        "first_place = 8",
        "rounds[4].heats[1].first_place = 8: must be 7 with 25 riders: "
        "the places of the final heats follow each other from 1",
    ),
    "on to a round that is over": (
        "olympic-30",
        '{ places = "1-4", to = "sf"',
        '{ places = "1-4", to = "rep"',
        'rounds[2].onward[0].to = "rep": must be a later round: sf, final',
    ),
    "nobody on": (
        "olympic-30",
        '    { places = "1-4", to = "sf", mark = "Q1/2" },\n',
        "",
        "rounds[2].onward: is missing; nobody would reach the next round",
    ),
    "places that are none": (
        "olympic-30",
        'places = "1-4"',
        'places = "4-1"',
        'rounds[2].onward[0].places = "4-1": must be places like "1-2" or "4", or "rest"',
    ),
    "a place twice on": (
        "uci-keirin-10-14",
        'places = "4-6"',
        'places = "3-6"',
        'rounds[0].onward[1].places = "3-6": must come behind place 3, which goes on already',
    ),
    "more behind the rest": (
        "uci-keirin-10-14",
        'places = "1-3"',
        'places = "rest"',
        'rounds[0].onward[0].places = "rest": must be the last way on of the round',
    ),
    "a rule and a table": (
        "olympic-30",
        'name = "Repechages"',
        'name = "Repechages"\nrule = "snake"\nheat_count = 4',
        'rounds[1].heats = "4 heats": stands beside rule "snake"',
    ),
    "no heats": (
        "olympic-30",
        'rule = "snake"\nheat_count = 5',
        'rule = "snake"',
        'rounds[0].heat_count = 0: must be 1 or more heats (rule "snake")',
    ),
    "seeds dealt by places": (
        "olympic-30",
        'rule = "snake"',
        'rule = "rotating"',
        'rounds[0].rule = "rotating": deals by places, and nobody has one yet; use "snake", "deal" or a table of seeds',
    ),
    "slots that two rounds share": (
        "olympic-30",
        'prefix = "S"',
        'prefix = "r"',
        'rounds[2].prefix = "r": is used twice; rounds[1].prefix has it already',
    ),
    "a heat id twice": (
        "olympic-30",
        'id = "final-b"',
        'id = "sf-2"',
        'rounds[4].heats[1].id = "sf-2": is used twice; rounds[3].heats[1].id has it already',
    ),
    "a mistyped key": (
        "olympic-30",
        "heat_count = 5",
        "heats_count = 5",
        'rounds[0].heats_count: unknown key; did you mean "heat_count"?',
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_error_says_what_does_not_add_up(mistake: str, edit: Edit) -> None:
    name, old, new, told = MISTAKES[mistake]
    with pytest.raises(ConfigError) as caught:
        load_format(edit("rules/formats", name, (old, new)))
    assert str(caught.value).startswith(f"{name}.toml: {told}")


def test_a_format_of_ones_own_may_give_the_seeds_of_its_heats(edit: Edit) -> None:
    seeds = 'heats = [{ slots = ["1", "3", "5", "7", "9", "11"] }, { slots = ["2", "4", "6", "8", "10", "12"] }]'
    name = edit("rules/formats", "example-club", ('rule = "snake"   ', f"{seeds} #"), ("heat_count = 2", ""))
    assert load_format(name).choices[0].format.rounds[0].heats[1].slots[1] == "4"
    for slot, told in (
        ("12", "is used twice"),
        ("13", "must be a seed from 1 to 12 (max_riders)"),
        ("A1", "must be a seed from 1 to 12 (max_riders)"),
    ):
        wrong = edit(
            "rules/formats",
            "example-club",
            ('rule = "snake"   ', seeds.replace('"11"', f'"{slot}"') + " #"),
            ("heat_count = 2", ""),
        )
        with pytest.raises(ConfigError) as caught:
            load_format(wrong)
        assert told in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("min_riders = 15, max", "min_riders = 16, max", "choose[1].min_riders = 16: must be 15: the line before ends"),
        (
            '"uci-keirin-10-14"',
            '"olympic-30"',
            'choose[0].format = "olympic-30": is for 25 to 30 riders, and is chosen here for 10 to 14',
        ),
        (
            '"uci-keirin-10-14"',
            '"uci-keirin-10-15"',
            'choose[0].format = "uci-keirin-10-15": no format of this name is shipped',
        ),
    ],
)
def test_a_table_without_a_format_for_a_field_does_not_load(old: str, new: str, told: str, edit: Edit) -> None:
    with pytest.raises(ConfigError) as caught:
        load_format(edit("rules/formats", "uci-keirin", (old, new)))
    assert str(caught.value).startswith(f"uci-keirin.toml: {told}")


# -- whatever is changed -----------------------------------------------------------------------------------------

FORMATS = [fmt for name in shipped("formats") for fmt in (c.format for c in load_format(name).choices)]


def with_round(fmt: Format, index: int, plan: RoundPlan) -> Format:
    return msgspec.structs.replace(fmt, rounds=(*fmt.rounds[:index], plan, *fmt.rounds[index + 1 :]))


def with_slots(fmt: Format, index: int, heat: int, slots: tuple[str, ...]) -> Format:
    plan = fmt.rounds[index]
    changed: HeatPlan = msgspec.structs.replace(plan.heats[heat], slots=slots)
    heats = (*plan.heats[:heat], changed, *plan.heats[heat + 1 :])
    return with_round(fmt, index, msgspec.structs.replace(plan, heats=heats))


@st.composite
def damaged(draw: st.DrawFn) -> Format:
    """A shipped format that loses a rider, fills a slot twice or has a round too few."""
    fmt = draw(st.sampled_from(FORMATS))
    index = draw(st.integers(0, len(fmt.rounds) - 1))
    plan = fmt.rounds[index]
    ways = ["round"] if index else ["onward"]
    ways += ["onward"] if plan.onward else []
    ways += ["lost", "twice", "other", "heat"] if plan.rule == "table" else ["more heats"]
    way = draw(st.sampled_from(ways))
    if way == "round":
        return msgspec.structs.replace(fmt, rounds=(*fmt.rounds[:index], *fmt.rounds[index + 1 :]))
    if way == "onward":
        return with_round(fmt, index, msgspec.structs.replace(plan, onward=plan.onward[:-1]))
    if way == "more heats":
        return with_round(fmt, index, msgspec.structs.replace(plan, heat_count=plan.heat_count + 1))
    heat = draw(st.integers(0, len(plan.heats) - 1))
    if way == "heat":
        heats = (*plan.heats[:heat], *plan.heats[heat + 1 :])
        return with_round(fmt, index, msgspec.structs.replace(plan, heats=heats))
    slots = plan.heats[heat].slots
    at = draw(st.integers(0, len(slots) - 1))
    others = [slot for one in plan.heats for slot in one.slots if slot != slots[at]]
    instead = {
        "lost": (),
        "twice": (slots[at], draw(st.sampled_from(others))),
        "other": (slots[at][:-1] + "9",),
    }[way]
    return with_slots(fmt, index, heat, (*slots[:at], *instead, *slots[at + 1 :]))


@settings(max_examples=120, deadline=None, derandomize=True)
@given(fmt=damaged())
def test_no_format_that_loses_a_rider_or_fills_a_slot_twice_loads(fmt: Format) -> None:
    with pytest.raises(ConfigError) as caught:
        check_format(fmt, "damaged.toml")
    assert "\n" not in str(caught.value)
    assert caught.value.key is not None
