"""What a meet file says of the data bridge: off unless asked for, and no two things with one topic."""

import msgspec
import pytest

from config.databridge import topic_level
from config.errors import ConfigError
from config.loader import load_meet
from config.meet_checks import check_meet
from config.models import Databridge, Meet, Session

ON = Databridge(enabled=True)


@pytest.fixture
def plain() -> Meet:
    return load_meet("tokyo2020-men-keirin")


@pytest.fixture
def rounds() -> Meet:
    return load_meet("tokyo2020-men-keirin-rounds")


def refusal(meet: Meet, **changes: object) -> str:
    with pytest.raises(ConfigError) as caught:
        check_meet(msgspec.structs.replace(meet, **changes), "my.toml")
    return str(caught.value)


def test_it_is_off_unless_asked_for(plain: Meet) -> None:
    assert plain.databridge == Databridge(enabled=False, prefix="db")


@pytest.mark.parametrize("prefix", ["", "velodrome", "velodrome/db", "db/", "/db", "a b", "#", "db/+"])
def test_a_prefix_is_a_topic_of_its_own(plain: Meet, prefix: str) -> None:
    assert "databridge.prefix" in refusal(plain, databridge=Databridge(prefix=prefix))


def test_a_prefix_may_have_levels(plain: Meet) -> None:
    check_meet(msgspec.structs.replace(plain, databridge=Databridge(enabled=True, prefix="tv/db")), "my.toml")


def test_a_session_and_a_category_cannot_have_one_topic(rounds: Meet) -> None:
    session = Session(id="men", name="Men's day", starts="2021-08-07T15:30")
    words = refusal(rounds, sessions=(session,), databridge=ON)
    assert words.startswith('my.toml: competitions[0].category = "men": has the topic')
    assert "session 'men'" in words
    check_meet(msgspec.structs.replace(rounds, sessions=(session,)), "my.toml")


def test_a_session_is_not_called_as_the_bridge_s_own_topics(rounds: Meet) -> None:
    session = Session(id="current", name="Now", starts="2021-08-07T15:30")
    assert 'sessions[0].id = "current"' in refusal(rounds, sessions=(session,), databridge=ON)


def test_two_categories_cannot_have_one_topic(plain: Meet) -> None:
    heats = list(plain.heats)
    heats[0] = msgspec.structs.replace(heats[0], category="Under 17")
    heats[1] = msgspec.structs.replace(heats[1], category="Under/17")
    assert "category 'Under 17'" in refusal(plain, heats=tuple(heats), databridge=ON)


def test_a_competition_is_not_called_as_the_plain_heats_of_its_category(rounds: Meet, plain: Meet) -> None:
    competition = msgspec.structs.replace(rounds.competitions[0], id="keirin")
    words = refusal(plain, competitions=(competition,), databridge=ON)
    assert 'competitions[0].id = "keirin"' in words


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("First round", "First-round"),
        ("U17 / Frauen", "U17-Frauen"),
        ("result", "result-"),
        ("+#", "-"),
        ("1.4", "1.4"),
    ],
)
def test_a_name_becomes_one_level_of_a_topic(name: str, level: str) -> None:
    assert topic_level(name) == level
