"""Everything that can be journaled. State is a fold over these and nothing else (DESIGN §4).

A journal row has a kind and a JSON body; `BODY_TYPES` says which struct a kind's body is.
"""

from typing import Final, TypeAlias, cast, get_args

import msgspec

from config.models import Setup
from drivers.records import Delivery, DeviceHealth
from timing.race.actions import AnyAction
from timing.race.competition.actions import CompetitionAction

COMPETITION_ACTIONS: Final = get_args(CompetitionAction)
"""The actions that are the race office's and not a heat's."""
MeetAction: TypeAlias = AnyAction | CompetitionAction
"""What can be ordered: for a heat, or for a competition."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody ordered. `id` makes it idempotent: the same id twice is applied once."""

    id: str
    actor: str
    role: str
    at_us: int
    action: MeetAction
    heat: str | None = None
    """The heat meant; null is the current one."""
    seen: int | None = None
    """The highest row of the heat's history on the person's screen; null where none was looked at."""


def heat_action(command: Command) -> AnyAction:
    """The action of a command that is on record in a heat. Raises TypeError for one of the race office."""
    if isinstance(command.action, COMPETITION_ACTIONS):
        raise TypeError(f"command {command.id} is the race office's, not a heat's")
    return cast(AnyAction, command.action)


class SetupTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration that holds from here on, whole: the journal needs no other file to be replayed."""

    at_us: int
    setup: Setup


class ServiceStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A process began to write this journal."""

    at_us: int
    version: str
    clock_speed: float = 1.0


class SequenceReserved(msgspec.Struct, frozen=True, kw_only=True):
    """Published sequence numbers up to `until` may be used by the running process and never by a later one."""

    at_us: int
    until: int


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """Time passed while a race was running: lets the fold see that an expected read is overdue."""

    at_us: int


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """SHA-256 of the heat's picture as the live process had it after row `row`; replay must find the same."""

    at_us: int
    row: int
    heat: str
    sha256: str


Event: TypeAlias = Delivery | DeviceHealth | Command | SetupTaken | ServiceStarted | SequenceReserved | Tick | Digest

BODY_TYPES: dict[str, type[Event]] = {
    "delivery": Delivery,
    "health": DeviceHealth,
    "command": Command,
    "setup": SetupTaken,
    "service": ServiceStarted,
    "sequence": SequenceReserved,
    "tick": Tick,
    "digest": Digest,
}
KINDS: dict[type[Event], str] = {body: kind for kind, body in BODY_TYPES.items()}

_encoder = msgspec.json.Encoder()
_decoders = {kind: msgspec.json.Decoder(body) for kind, body in BODY_TYPES.items()}


def encode_event(event: Event) -> tuple[str, bytes]:
    """The journal kind and the JSON body of an event."""
    return KINDS[type(event)], _encoder.encode(event)


def decode_event(kind: str, body: bytes) -> Event:
    """An event from a journal row. Raises KeyError for an unknown kind, msgspec errors for a wrong body."""
    return _decoders[kind].decode(body)


def event_time_us(event: Event) -> int:
    """Host UTC µs at which the event entered the program."""
    return event.received_us if isinstance(event, Delivery) else event.at_us
