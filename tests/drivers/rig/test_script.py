"""Scripts: what they may say, and the one clear line for what they may not."""

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.models import Setup
from drivers.rig.script import load_script, shipped_scripts

GOOD = """
name = "Test"
[heats.final-a]
finish = [{ bib = "4", place = 1 }, { bib = "13", place = 2, gap_ms = 763 }]
"""


def error_of(path: Path, text: str, setup: Setup | None = None) -> str:
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_script(path, setup)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", shipped_scripts())
def test_every_shipped_script_fits_the_tokyo_meet(setup: Setup, name: str) -> None:
    assert load_script(name, setup).heats


def test_a_script_file_is_read_by_its_path(tmp_path: Path, setup: Setup) -> None:
    (tmp_path / "mine.toml").write_text(GOOD, "utf-8")
    assert [f.bib for f in load_script(tmp_path / "mine.toml", setup).heats["final-a"].finish] == ["4", "13"]


def test_extends_keeps_the_other_heats_and_changes_only_what_is_written(setup: Setup) -> None:
    base, slow = load_script("tokyo2020-men-keirin"), load_script("derny-slow", setup)
    assert slow.heats["r1-1"] == base.heats["r1-1"]
    assert slow.heats["final-a"].finish == base.heats["final-a"].finish
    assert slow.heats["final-a"].pacer.exit_kmh == 45.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            GOOD + "winner_sprnt_ms = 1\n",
            'winner_sprnt_ms: unknown key; did you mean "winner_sprint_ms"?',
        ),
        (
            GOOD + 'winner_sprint_ms = "fast"\n',
            'heats.final-a.winner_sprint_ms = "fast": must be a whole number',
        ),
        (GOOD + "winner_sprint_ms = 0\n", "heats.final-a.winner_sprint_ms = 0: must be above 0"),
        (GOOD.replace('"13"', '"4"'), 'heats.final-a.finish[1].bib = "4": is in the list twice'),
        (GOOD.replace("763", "-1"), "heats.final-a.finish[1].gap_ms = -1: must be 0 or more"),
        (GOOD.replace(", place = 1", ""), "heats.final-a.finish: must begin with the winner"),
        (GOOD.replace('"13"', '"99"'), 'heats.final-a.finish[1].bib = "99": must be on the start list'),
        (GOOD.replace("final-a", "final-c"), "heats.final-c: the meet has no such heat"),
        (
            GOOD + '[[heats.final-a.missed_reads]]\nbib = "4"\nloop = "pits"\nlap = 1\n',
            'heats.final-a.missed_reads[0].loop = "pits": must be a loop of the venue',
        ),
        (
            GOOD + '[[heats.final-a.false_triggers]]\nchannel = "door"\nat_ms = 1\n',
            'heats.final-a.false_triggers[0].channel = "door": must be a channel of an impulse box: gun, bell',
        ),
        ("name = ", "is not TOML"),
    ],
)
def test_a_bad_script_is_refused_with_file_key_value_and_what_is_allowed(
    tmp_path: Path, setup: Setup, text: str, said: str
) -> None:
    message = error_of(tmp_path / "mine.toml", text, setup)
    assert "mine.toml" in message
    assert said in message


def test_a_misspelt_script_name_is_answered_with_the_names_that_exist() -> None:
    with pytest.raises(ConfigError, match='did you mean "derny-slow"'):
        load_script("derny-slo")


def test_scripts_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n', "utf-8")
    assert "leads back to this script" in error_of(tmp_path / "a.toml", 'extends = "b.toml"\n')


def test_a_missing_script_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_script(tmp_path / "nowhere.toml")
