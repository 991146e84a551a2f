"""Race offices with consoles: `hall` is up and running, `make_hall` is for those that a test brings up itself."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from config.models import Setup
from tests.end_to_end.mosquitto import Mosquitto
from tests.timing.control.console.hall import Hall

MakeHall = Callable[[], Hall]


@pytest.fixture
async def make_hall(
    mosquitto: Mosquitto, service_setup: Callable[[Mosquitto], Setup], tmp_path: Path
) -> AsyncIterator[MakeHall]:
    """Offices of the Tokyo meet without boxes, on one broker; all of them are closed with the test."""
    made: list[Hall] = []

    def make() -> Hall:
        folder = tmp_path / f"hall-{len(made)}"
        folder.mkdir()
        made.append(Hall(service_setup(mosquitto), mosquitto, folder))
        return made[-1]

    yield make
    for hall in made:
        await hall.close()


@pytest.fixture
async def hall(make_hall: MakeHall) -> Hall:
    """The office with service and console running."""
    return await make_hall().start()
