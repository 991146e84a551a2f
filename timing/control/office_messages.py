"""The messages of the race office: competitions, the programme, the communiqués (DESIGN §7)."""

from typing import Literal

import msgspec

from timing.control.messages import Message
from timing.race.competition.communiques import IssuedCommunique
from timing.race.competition.schedule import ScheduleLine
from timing.race.competition.views import CompetitionView


class CompetitionViewMessage(Message, frozen=True, kw_only=True):
    """Topic `competitions/<id>`: entries, rounds, who goes where, the classification, and what to do next."""

    schema: Literal["velodrome/competitions/1"]
    view: CompetitionView


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A block of the programme."""

    id: str
    name: str
    starts_us: int


class ScheduleMessage(Message, frozen=True, kw_only=True):
    """Topic `schedule`: planned and actual starts, the running delay, the next heats. Instants are UTC \u00b5s."""

    schema: Literal["velodrome/schedule/1"]
    timezone: str
    sessions: tuple[SessionInfo, ...]
    lines: tuple[ScheduleLine, ...]
    delay_ms: int | None
    next: tuple[str, ...]


class CommuniquesMessage(Message, frozen=True, kw_only=True):
    """Topic `communiques`: all numbers that were given out."""

    schema: Literal["velodrome/communiques/1"]
    issued: tuple[IssuedCommunique, ...]


OFFICE_MESSAGES: dict[str, type[msgspec.Struct]] = {
    "competitions/<id>": CompetitionViewMessage,
    "schedule": ScheduleMessage,
    "communiques": CommuniquesMessage,
}
