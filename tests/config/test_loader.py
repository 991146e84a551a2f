"""Finding and reading files: by id or path; what cannot be read is said in one line."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

import config
from config.loader import ConfigError, load_meet, load_rules, load_setup, load_venue

Edit = Callable[..., str]

VENUES = "example-200, example-250, example-333, example-400, izu"


def refusal(load: Callable[[str], object], reference: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(reference)
    return str(caught.value)


# -- finding -------------------------------------------------------------------------------------------------


def test_a_mistyped_id_is_answered_with_the_nearest_and_all_shipped() -> None:
    assert refusal(load_venue, "izuu") == (
        f'izuu: no venue of this name is shipped; did you mean "izu"? Shipped: {VENUES}; '
        "the path of an own file ends in .toml"
    )


def test_an_id_like_no_other_is_answered_with_all_shipped() -> None:
    assert refusal(load_rules, "xyz") == (
        "xyz: no rule book of this name is shipped. Shipped: club-half-laps, fci-u17, uci-2016, uci-2023; "
        "the path of an own file ends in .toml"
    )


def test_a_file_that_does_not_exist_is_named_with_the_shipped_ones() -> None:
    assert refusal(load_setup, "meets/none.toml") == (
        "meets/none.toml: does not exist; give a meet file or one of: club-night, tokyo2020-men-keirin, "
        "tokyo2020-men-keirin-rounds"
    )


def test_a_folder_is_no_meet(edit: Edit, tmp_path: Path) -> None:
    (tmp_path / "night.toml").mkdir()
    edit("meets", "club-night")
    assert refusal(load_setup, "night.toml") == (
        "night.toml: is a folder, not a file; give a meet file or one of: club-night, tokyo2020-men-keirin, "
        "tokyo2020-men-keirin-rounds"
    )


def test_a_path_may_be_given_as_a_path_without_the_ending(edit: Edit, tmp_path: Path) -> None:
    file = tmp_path / edit("venues", "izu")
    assert load_venue(file.rename(tmp_path / "track")).id == "izu"


def test_a_venue_and_a_rule_book_are_found_relative_to_the_meet(
    edit: Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit("venues", "example-333", ('name = "Example track, 333.33 m"', 'name = "Our track"'))
    edit("rules", "club-half-laps", ("max_riders = 7", "max_riders = 5"))
    meet = edit(
        "meets",
        "club-night",
        ('"example-333"', '"./example-333.toml"'),
        ('"club-half-laps"', '"club-half-laps.toml"'),
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    setup = load_setup(f"../{meet}")
    assert setup.venue.name == "Our track"
    assert setup.rules.keirin.max_riders == 5
    assert load_venue("example-333.toml", relative_to=tmp_path).name == "Our track"
    assert load_rules("club-half-laps.toml", relative_to=tmp_path) == setup.rules


def test_a_venue_that_is_not_there_is_an_error_of_the_meet_that_names_it(edit: Edit) -> None:
    meet = edit("meets", "club-night", ('"example-333"', '"exmaple-333"'))
    assert refusal(load_setup, meet) == (
        'club-night.toml: venue = "exmaple-333": no venue of this name is shipped; did you mean '
        '"example-333"? '
        f"Shipped: {VENUES}; the path of an own file ends in .toml"
    )
    meet = edit("meets", "club-night", ('"club-half-laps"', '"own/rules.toml"'))
    assert refusal(load_setup, meet) == (
        'club-night.toml: rules = "own/rules.toml": own/rules.toml does not exist; give a path '
        "relative to this "
        "file or one of: club-half-laps, fci-u17, uci-2016, uci-2023"
    )


def test_an_error_in_the_venue_of_a_meet_names_the_venue_file(edit: Edit) -> None:
    edit("venues", "example-333", ("track_length_m = 333.33", "track_length_m = 33.33"))
    meet = edit("meets", "club-night", ('"example-333"', '"example-333.toml"'))
    assert refusal(load_setup, meet).startswith("example-333.toml: track_length_m = 33.33: must lie between")


def test_shipped_files_are_found_inside_a_zipped_installation(tmp_path: Path) -> None:
    package = Path(str(resources.files(config)))
    archive = tmp_path / "velodrome.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        for file in package.rglob("*"):
            if file.suffix in (".py", ".toml"):
                bundle.write(file, Path("config") / file.relative_to(package))
    script = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "from config.loader import load_setup, shipped\n"
        "import config; assert 'velodrome.zip' in config.__file__\n"
        "print(len(load_setup('tokyo2020-men-keirin').meet.heats), len(shipped('venues')))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (run.stdout, run.stderr) == ("16 5\n", "")


# -- reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('id = "izu"\nname = Izu\n', "line 2, column 8: Invalid value"),
        ('id = "izu"\nid = "izu"\n', "line 2, column 11: Cannot overwrite a value"),
        ('id = "izu', "line 1, column 10: Unterminated string"),
        ('id = "izu"\nloops = [\n', "line 3, column 1: Invalid value"),
        ("[lines\nfinish_m = 0", "line 1, column 7: Expected ']' at the end of a table declaration"),
    ],
    ids=["text without quotes", "a key twice", "no closing quote", "no closing bracket", "no closing table"],
)
def test_a_syntax_error_names_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "izu.toml"
    file.write_text(text, encoding="utf-8")
    mend = "mend the TOML there (text needs double quotes, a key stands once)"
    assert refusal(load_venue, str(file)) == f"{file}: {message}; {mend}"


def test_a_file_in_another_encoding_is_told_to_be_saved_as_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "izu.toml"
    file.write_bytes('name = "Büchli"'.encode("latin-1"))
    assert refusal(load_venue, str(file)) == f"{file}: byte 9 is not UTF-8; save the file as UTF-8"


def test_endless_nesting_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "izu.toml"
    file.write_text("loops = " + "[" * 100_000, encoding="utf-8")
    assert refusal(load_venue, str(file)) == f"{file}: lists or tables are nested too deeply"


# -- keys and types ------------------------------------------------------------------------------------------

LOOP_KEYS = "Allowed here: id, position_m, name"

SHAPE_MISTAKES = {
    "a mistyped key": (
        'position_m = 0.0\nname = "Finish line"',
        'position_m = 0.0\nnmae = "Finish line"',
        f'loops[0].nmae: unknown key; did you mean "name"? {LOOP_KEYS}',
    ),
    "a key like no other": (
        'id = "finish"',
        'id = "finish"\ncolour = "red"',
        f"loops[0].colour: unknown key. {LOOP_KEYS}",
    ),
    "a key that needs quotes": (
        'id = "finish"',
        'id = "finish"\n"a b\\n" = 1',
        f'loops[0]."a b\\n": unknown key. {LOOP_KEYS}',
    ),
    "a missing text": ('timezone = "Asia/Tokyo"\n', "", "timezone: is missing; give text in double quotes"),
    "a missing number": ("track_length_m = 250.0\n", "", "track_length_m: is missing; give a number"),
    "a missing number in a table": ("l100_m = 150.0", "", "lines.l100_m: is missing; give a number"),
    "a number where text belongs": (
        'name = "Izu Velodrome"',
        "name = 250",
        "name = 250: must be text in double quotes",
    ),
    "a text where a number belongs": (
        "track_length_m = 250.0",
        'track_length_m = "250"',
        'track_length_m = "250": must be a number',
    ),
    "yes where a number belongs": (
        "track_length_m = 250.0",
        "track_length_m = true",
        "track_length_m = true: must be a number",
    ),
    "a number that no computer word holds": (
        "track_length_m = 250.0",
        f"track_length_m = {2**63}",
        "track_length_m = 9223372036854775808: must be a number",
    ),
    "a table where a number belongs": (
        "track_length_m = 250.0",
        "track_length_m = { metres = 250 }",
        "track_length_m = { metres = 250 }: must be a number",
    ),
    "a day where text belongs": (
        'name = "Izu Velodrome"',
        "name = 2021-08-07",
        "name = 2021-08-07: must be text in double quotes",
    ),
    "a long text is cut": (
        "track_length_m = 250.0",
        f'track_length_m = "{"x" * 100}"',
        f'track_length_m = "{"x" * 58}…: must be a number',
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), SHAPE_MISTAKES.values(), ids=SHAPE_MISTAKES.keys())
def test_a_venue_of_wrong_shape_is_refused_with_the_path_of_the_key(
    edit: Edit, old: str, new: str, message: str
) -> None:
    assert refusal(load_venue, edit("venues", "izu", (old, new))) == f"izu.toml: {message}"


MEET_SHAPE_MISTAKES = {
    "a mistyped key of a device": (
        "silent_after_s = 0.0",
        "silent_after = 0.0",
        'devices[3].silent_after: unknown key; did you mean "silent_after_s"? Allowed here: id, '
        "protocol, address, "
        "loop, channels, name, silent_after_s, clock, transport_delay_us, resolution_us, options",
    ),
    "a text where a duration belongs": (
        "silent_after_s = 0.0",
        'silent_after_s = "never"',
        'devices[3].silent_after_s = "never": must be a number',
    ),
    "a decimal where whole microseconds belong": (
        "silent_after_s = 0.0",
        "resolution_us = 0.5",
        "devices[3].resolution_us = 0.5: must be a whole number",
    ),
    "yes where a whole number belongs": (
        "heat = 1\n",
        "heat = true\n",
        "heats[0].heat = true: must be a whole number",
    ),
    "text where yes or no belongs": (
        "embedded = true",
        'embedded = "yes"',
        'broker.embedded = "yes": must be true or false',
    ),
    "an unknown choice": (
        "silent_after_s = 0.0",
        'clock = "UTC"',
        'devices[3].clock = "UTC": must be one of "local_time", "time_of_day", "utc"',
    ),
    "one transponder outside a list": (
        'transponders = ["2100011"]',
        'transponders = "2100011"',
        'riders[0].transponders = "2100011": must be a list of texts in double quotes',
    ),
    "a transponder without quotes": (
        'transponders = ["2100011"]',
        "transponders = [2100011]",
        "riders[0].transponders[0] = 2100011: must be text in double quotes",
    ),
    "a bib without quotes": (
        '{ bib = "13"',
        "{ bib = 13",
        "heats[0].start_list[0].bib = 13: must be text in double quotes",
    ),
    "one pacer where a list belongs": (
        "[[pacers]]",
        "[pacers]",
        'pacers = { id = "moped", name = "Club moped", vehicle = "electric mo…: must be a list of tables',
    ),
    "bibs where a start list belongs": (
        '{ bib = "13", draw = 1 }',
        '"13"',
        'heats[0].start_list[0] = "13": must be a table ([…] or { … })',
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), MEET_SHAPE_MISTAKES.values(), ids=MEET_SHAPE_MISTAKES.keys())
def test_a_meet_of_wrong_shape_is_refused_with_the_path_of_the_key(
    edit: Edit, old: str, new: str, message: str
) -> None:
    assert refusal(load_meet, edit("meets", "club-night", (old, new))) == f"club-night.toml: {message}"


def test_a_missing_list_and_a_missing_table_are_named(tmp_path: Path) -> None:
    file = tmp_path / "meet.toml"
    file.write_text('id = "m"\nname = "M"\nvenue = "izu"\nrules = "uci-2023"\n', encoding="utf-8")
    assert refusal(load_meet, str(file)) == f"{file}: devices: is missing; give a list of tables"
    file.write_text('id = "t"\nname = "T"\ntrack_length_m = 250\ntimezone = "UTC"\n', encoding="utf-8")
    assert refusal(load_venue, str(file)) == f"{file}: lines: is missing; give a table"
