"""From the race office to the messages of its topics. Pure, as `timing.control.board`."""

from collections.abc import Iterator

import msgspec

from timing.control.board import Body
from timing.control.office_messages import SessionInfo
from timing.race.competition.schedule import local_to_us
from timing.race.meet import MeetState
from timing.race.programme import programme


def office_bodies(state: MeetState) -> Iterator[Body]:
    """Topics `schedule`, `communiques` and `competitions/<id>`."""
    if state.setup is None:
        return
    shown = programme(state)
    sessions = tuple(
        SessionInfo(id=one.id, name=one.name, starts_us=local_to_us(one.starts, shown.timezone))
        for one in state.setup.meet.sessions
    )
    yield Body("schedule", "schedule/1", {"sessions": sessions, **msgspec.structs.asdict(shown)})
    if state.office.competitions:
        yield Body("communiques", "communiques/1", {"issued": tuple(state.office.register.issued)})
    for view in state.office.views(state.outcome):
        yield Body(f"competitions/{view.competition}", "competitions/1", {"view": view})
