"""Competitions and sessions in a meet file: every mistake is told with its key and how to mend it."""

from collections.abc import Callable

import pytest

from config.loader import ConfigError, load_setup

MEET = "tokyo2020-men-keirin-rounds"
PREFIX = f"{MEET}.toml: "


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('format = "olympic-30"', 'format = "olympic-31"', 'competitions[0].format = "olympic-31": no format of'),
        ('pacer = "derny"', 'pacer = "moto"', 'competitions[0].pacer = "moto": must be the id of a'),
        ('round = "qf", starts', 'round = "quarter", starts', "must be one of final, qf, r1, rep, sf"),
        ('round = "qf", starts', 'round = "sf", starts', 'competitions[0].times[3].round = "sf"'),
        ('"2021-08-08T10:24"', '"10:24"', "competitions[0].times[2].starts"),
        ('"2021-08-08T10:24"', '"2021-08-08T10:24+09:00"', "must be a local time without offset"),
        ('every_s = 360 },', 'every_s = -1 },', "competitions[0].times[0].every_s"),
        ('id = "2"\nname = "Sunday morning"', 'id = "1"\nname = "Sunday morning"', 'sessions[1].id = "1"'),
        ('starts = "2021-08-07T15:30"', 'starts = "soon"', 'sessions[0].starts = "soon"'),
        ('category = "men"\nformat', 'category = ""\nformat', "competitions[0].category"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_key(edit: Callable[..., str], before: str, after: str, words: str) -> None:
    path = edit("meets", MEET, (before, after))

    with pytest.raises(ConfigError) as caught:
        load_setup(path)

    assert words in str(caught.value)


def test_two_competitions_need_prefixes_of_their_own(edit: Callable[..., str]) -> None:
    second = '[[competitions]]\nid = "w"\nname = "Women"\ncategory = "women"\nformat = "olympic-30"\npacer = "derny"\n'
    sessions = '[[sessions]]\nid = "1"'
    path = edit("meets", MEET, (sessions, f"{second}\n{sessions}"))

    with pytest.raises(
        ConfigError, match=r"competitions\[1\].heat_prefix.*final-a, which competitions\[0\] has already"
    ):
        load_setup(path)


def test_a_format_with_larger_heats_than_the_rule_book_allows_is_refused(edit: Callable[..., str]) -> None:
    rules = edit("rules", "uci-2023", ("max_riders = 7", "max_riders = 5"))
    path = edit("meets", MEET, ('rules = "uci-2023"', f'rules = "{rules}"'))

    with pytest.raises(ConfigError, match=r"has heats of \d riders; rule book .* allows 5"):
        load_setup(path)


def test_a_table_of_formats_is_chosen_by_the_number_of_riders(edit: Callable[..., str]) -> None:
    path = edit("meets", MEET, ('format = "olympic-30"', 'format = "uci-keirin"'))

    known = load_setup(path).formats["men-keirin"]

    assert (known.min_riders, known.max_riders) == (10, 70)
