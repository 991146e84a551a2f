"""The shipped competition formats: they load, and their tables are those of the sources (track-rules §1.8, §1.9)."""

import re
from importlib import resources
from pathlib import Path

import pytest

from config.format_tables import sizes_with, tables
from config.formats import Format, FormatSet, FormatTable
from config.loader import ConfigError, load_format, shipped
from config.strict import Strict

SINGLE = [
    name
    for name in shipped("formats")
    if name not in ("uci-keirin", "uci-keirin-blueband", "uci-keirin-15-21-sprintmgr")
]


def only(name: str) -> Format:
    (choice,) = load_format(name).choices
    return choice.format


def table(name: str, round_id: str) -> list[str]:
    return [" ".join(heat) for heat in tables(only(name))[round_id]]


def test_the_shipped_formats_are_named() -> None:
    assert shipped("formats") == [
        "champions-league-18",
        "example-club",
        "olympic-30",
        "rio-2016-27",
        "uci-keirin",
        "uci-keirin-10-14",
        "uci-keirin-15-20-sprintmgr",
        "uci-keirin-15-21-blueband",
        "uci-keirin-15-21-sprintmgr",
        "uci-keirin-21",
        "uci-keirin-22-28",
        "uci-keirin-29-42",
        "uci-keirin-43-49",
        "uci-keirin-50-56",
        "uci-keirin-57-63",
        "uci-keirin-64-70",
        "uci-keirin-blueband",
    ]


@pytest.mark.parametrize("name", shipped("formats"))
def test_every_shipped_format_loads_under_its_own_id(name: str) -> None:
    assert load_format(name).id == name


@pytest.mark.parametrize("name", ["uci-keirin", "uci-keirin-blueband"])
def test_the_table_has_a_format_for_every_field_from_10_to_70(name: str) -> None:
    chosen = load_format(name)
    for riders in range(10, 71):
        fmt = chosen.for_field(riders)
        assert fmt is not None
        assert fmt.min_riders <= riders <= fmt.max_riders
    assert chosen.for_field(9) is None
    assert chosen.for_field(71) is None


def chosen(table_of: FormatSet, riders: int) -> str:
    fmt = table_of.for_field(riders)
    assert fmt is not None
    return fmt.id


def test_both_sources_for_15_to_21_riders_stand_under_their_own_names() -> None:
    sprintmgr, blueband = load_format("uci-keirin"), load_format("uci-keirin-blueband")
    assert [chosen(sprintmgr, riders) for riders in (15, 20, 21)] == [
        "uci-keirin-15-20-sprintmgr",
        "uci-keirin-15-20-sprintmgr",
        "uci-keirin-21",
    ]
    assert {chosen(blueband, riders) for riders in range(15, 22)} == {"uci-keirin-15-21-blueband"}
    ways = {
        name: [(len(tables(only(name))["rep"]), only(name).round_plan("rep").onward[0].places)]
        for name in ("uci-keirin-15-20-sprintmgr", "uci-keirin-15-21-blueband")
    }
    assert ways == {"uci-keirin-15-20-sprintmgr": [(2, "1-3")], "uci-keirin-15-21-blueband": [(3, "1-2")]}


# -- the tables of track-rules §1.9, by hand ---------------------------------------------------------------------

FIRST_ROUNDS = {
    "uci-keirin-10-14": ["1 4 5 8 9 12 13", "2 3 6 7 10 11 14"],
    "uci-keirin-21": ["1 6 7 12 13 18 19", "2 5 8 11 14 17 20", "3 4 9 10 15 16 21"],
    "uci-keirin-22-28": [
        "1 8 9 16 17 24 25",
        "2 7 10 15 18 23 26",
        "3 6 11 14 19 22 27",
        "4 5 12 13 20 21 28",
    ],
    "uci-keirin-29-42": [
        "1 12 13 24 25 36 37",
        "2 11 14 23 26 35 38",
        "3 10 15 22 27 34 39",
        "4 9 16 21 28 33 40",
        "5 8 17 20 29 32 41",
        "6 7 18 19 30 31 42",
    ],
    "uci-keirin-43-49": [
        "1 14 15 28 29 42 43",
        "2 13 16 27 30 41 44",
        "3 12 17 26 31 40 45",
        "4 11 18 25 32 39 46",
        "5 10 19 24 33 38 47",
        "6 9 20 23 34 37 48",
        "7 8 21 22 35 36 49",
    ],
}


@pytest.mark.parametrize("name", FIRST_ROUNDS)
def test_the_first_round_is_a_snake_over_the_seeds(name: str) -> None:
    assert table(name, "r1") == FIRST_ROUNDS[name]


REPECHAGES = {
    "uci-keirin-15-20-sprintmgr": {"A3 A4 B4 B5 C5 C6 A7", "B3 C3 C4 A5 A6 B6 B7"},
    "uci-keirin-21": {"A3 C4 A5 C6 A7", "B3 B4 B5 B6 B7", "C3 A4 C5 A6 C7"},
    "uci-keirin-22-28": {"A3 D4 C5 B6 A7", "B3 C4 B5 A6 D7", "C3 B4 A5 D6 C7", "D3 A4 D5 C6 B7"},
    "uci-keirin-29-42": {
        "A2 F3 E4 D5 C6 B7",
        "B2 E3 D4 C5 B6 A7",
        "C2 D3 C4 B5 A6 F7",
        "D2 C3 B4 A5 F6 E7",
        "E2 B3 A4 F5 E6 D7",
        "F2 A3 F4 E5 D6 C7",
    },
    "uci-keirin-43-49": {
        "A2 G2 F3 E4 D5 C6 B7",
        "B2 A3 G3 F4 E5 D6 C7",
        "C2 B3 A4 G4 F5 E6 D7",
        "D2 C3 B4 A5 G5 F6 E7",
        "E2 D3 C4 B5 A6 G6 F7",
        "F2 E3 D4 C5 B6 A7 G7",
    },
    "olympic-30": {"A3 B6 C6 D4 E4", "A4 B3 C4 D6 E5", "A5 B4 C3 D5 E6", "A6 B5 C5 D3 E3"},
}


@pytest.mark.parametrize("name", REPECHAGES)
def test_the_repechages_are_those_of_the_sources(name: str) -> None:
    assert {frozenset(heat.split()) for heat in table(name, "rep")} == {
        frozenset(heat.split()) for heat in REPECHAGES[name]
    }


SEMIFINALS = {
    "uci-keirin-15-20-sprintmgr": ["A1 C1 B2 rA1 rB2 rA3", "B1 A2 C2 rB1 rA2 rB3"],
    "uci-keirin-21": ["A1 C1 B2 rA1 rC1 rB2", "B1 A2 C2 rB1 rA2 rC2"],
    "uci-keirin-22-28": ["A1 D1 B2 C2 rA1 rD1", "B1 C1 A2 D2 rB1 rC1"],
    "uci-keirin-29-42": ["A1 D1 E1 rA1 rD1 rE1", "B1 C1 F1 rB1 rC1 rF1"],
    "uci-keirin-43-49": ["SA1 SC1 SB2 sA1 sB2 sA3", "SB1 SA2 SC2 sB1 sA2 sB3"],
    "olympic-30": ["SA1 SA2 SB2 SB3 SC3 SC4", "SB1 SC1 SC2 SA3 SA4 SB4"],
}


@pytest.mark.parametrize("name", SEMIFINALS)
def test_the_semifinals_are_those_of_the_sources(name: str) -> None:
    assert [set(heat.split()) for heat in table(name, "sf")] == [set(heat.split()) for heat in SEMIFINALS[name]]


def test_the_quarterfinals_of_43_to_49_riders_have_repechages_of_their_own() -> None:
    assert table("uci-keirin-43-49", "qf") == [
        "A1 F1 G1 rC1 rB2 rC2",
        "B1 E1 rA1 rD1 rA2 rD2",
        "C1 D1 rB1 rE1 rF1 rE2 rF2",
    ]
    assert table("uci-keirin-43-49", "qrep") == ["SA3 SA4 SB4 SB5 SC5 SC6 SC7", "SB3 SC3 SC4 SA5 SA6 SB6"]


@pytest.mark.parametrize("name", sorted(SEMIFINALS))
def test_the_finals_take_the_first_three_of_each_semifinal_for_1_to_6_and_the_rest_for_7_to_12(name: str) -> None:
    assert table(name, "final") == ["FA1 FA2 FA3 FB1 FB2 FB3", "FA4 FA5 FA6 FB4 FB5 FB6"]
    assert [heat.first_place for heat in only(name).round_plan("final").heats] == [1, 7]
    assert [heat.id for heat in only(name).round_plan("final").heats] == ["final-a", "final-b"]


# -- what all formats keep ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SINGLE)
def test_every_rider_of_every_field_size_rides_and_no_heat_is_larger_than_the_rules_allow(name: str) -> None:
    fmt = only(name)
    for riders in range(fmt.min_riders, fmt.max_riders + 1):
        sizes = sizes_with(fmt, riders, tables(fmt))
        assert sum(sizes[fmt.rounds[0].id]) == riders
        assert all(2 <= size <= 7 for heats in sizes.values() for size in heats)


@pytest.mark.parametrize("name", [name for name in SINGLE if name.startswith(("uci", "olympic", "rio"))])
def test_twelve_reach_the_semifinals(name: str) -> None:
    """Every row down to 64-70 gives exactly 12 semi-finalists (track-rules §1.8)."""
    fmt = only(name)
    if name != "uci-keirin-10-14":
        assert {sizes_with(fmt, riders, tables(fmt))["sf"] for riders in (fmt.min_riders, fmt.max_riders)} == {(6, 6)}


def test_only_the_last_heats_of_final_b_depend_on_the_field_of_10_to_14() -> None:
    fmt = only("uci-keirin-10-14")
    finals = {riders: sizes_with(fmt, riders, tables(fmt))["final"] for riders in (10, 12, 14)}
    assert finals == {10: (6, 4), 12: (6, 6), 14: (6, 6)}


def test_a_table_of_ones_own_may_name_formats_of_ones_own(tmp_path: Path) -> None:
    text = (resources.files("config") / "rules/formats/example-club.toml").read_text(encoding="utf-8")
    (tmp_path / "club.toml").write_text(text.replace('"example-club"', '"our-club"'), encoding="utf-8")
    own = (
        'id = "our-table"\nname = "Our table"\nevent = "keirin"\nchoose = [\n'
        '    { min_riders = 8, max_riders = 12, format = "club.toml" },\n'
        '    { min_riders = 13, max_riders = 14, format = "uci-keirin-10-14" },\n]\n'
    )
    (tmp_path / "table.toml").write_text(own, encoding="utf-8")
    loaded = load_format(tmp_path / "table.toml")
    assert [chosen(loaded, riders) for riders in (8, 12, 13)] == ["our-club", "our-club", "uci-keirin-10-14"]


def test_a_format_that_is_not_shipped_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match='no format of this name is shipped; did you mean "olympic-30"'):
        load_format("olympic-3")


# -- the guide ---------------------------------------------------------------------------------------------------

WRITTEN_BY_HAND = [
    struct
    for struct in Strict.__subclasses__()
    if struct.__module__ == FormatTable.__module__ and struct.__name__ not in ("FormatSet", "SizedFormat")
]


@pytest.mark.parametrize("struct", WRITTEN_BY_HAND, ids=lambda struct: struct.__name__)
def test_the_guide_names_every_key(struct: type[Strict]) -> None:
    guide = (resources.files("config") / "README.md").read_text(encoding="utf-8")
    assert set(struct.__struct_fields__) <= set(re.findall(r"[a-z0-9_]+", guide))
