"""Documents of heats that were really folded: Tokyo 2020 by the rig's timelines."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from config.models import Setup
from tests.timing.race.conftest import TOKYO, Office, _deliveries, _setup
from timing.control.communique.content import Communique
from timing.control.communique.heading import Issue
from timing.control.communique.results import heat_result
from timing.race.actions import Confirm, Decide, Place
from timing.race.picture import HeatPicture


@cache
def official(heat: str) -> HeatPicture:
    """A heat's official picture, as published."""
    office = Office(_setup(TOKYO))
    office.open(heat)
    office.arm()
    office.play(_deliveries(TOKYO, heat))
    office.do(Confirm(), at=200.0, role="president")
    return office.picture


@pytest.fixture(scope="session")
def tokyo() -> Setup:
    return _setup(TOKYO)


@pytest.fixture(scope="session")
def picture_of() -> Callable[[str], HeatPicture]:
    return official


@pytest.fixture(scope="session")
def ruled() -> HeatPicture:
    """A final A in which the winner was relegated and a dead heat was judged; not official yet."""
    office = Office(_setup(TOKYO))
    office.open("final-a")
    office.arm()
    office.play(_deliveries(TOKYO, "final-a"))
    office.do(Place(order=(("4",), ("13", "23"), ("30",), ("21",), ("2",))), at=150.0, role="judge")
    office.do(
        Decide(bib="4", code="REL", reason="Left the line in the final sprint", article="3.2.042"),
        at=160.0,
        role="commissaire",
    )
    return office.picture


@pytest.fixture(scope="session")
def issue() -> Callable[..., Issue]:
    def make(number: int = 1, **more: Any) -> Issue:
        given = {"at_us": 1_628_391_360_000_000, "actor": "N. Sato", "row": 4711, "chain": "c0ffee" * 10}
        return Issue(**({"number": number} | given | more))

    return make


@pytest.fixture(scope="session")
def document(tokyo: Setup, picture_of: Callable[[str], HeatPicture], issue: Callable[..., Issue]) -> Communique:
    """The result of Tokyo's final A as communiqué 17."""
    return heat_result(tokyo, picture_of("final-a"), issue(17), {"4": "Q"})
