"""What race control subscribes to: the messages of every topic (DESIGN §7).

Retained snapshots, each with `schema`, `seq` (strictly rising per meet), `journal_id` (the row up to which the
journal is in it) and `generated_us`. Their JSON Schemas are generated from these structs by `json_schemas`.
"""

import re
from typing import Annotated, Literal

import msgspec

from config.models import PaceCurve, PaceTolerance, PenaltyReason, StatusCode
from timing.race.degraded import LoopHealth
from timing.race.earlier import AttemptPace
from timing.race.events import MeetAction
from timing.race.history import HistoryEntry
from timing.race.picture import (
    AttemptSummary,
    Bell,
    Decision,
    Disagreement,
    Finish,
    MarkOrder,
    PaceReport,
    ResultLine,
    ResultStatus,
    RiderSplits,
    Starter,
    Unmatched,
)
from timing.race.preview import Preview
from timing.race.seen import DeviceView, InboxItem, PassingNews
from timing.race.sentences import Alert, Sentence
from timing.race.trends import DeviceTrends, TransponderTrend

ID_PATTERN = r"^[A-Za-z0-9._:@=-]+$(?!\n)"
"""An id becomes a level of a topic: no wildcard, no separator, nothing for which a broker would cut us off."""
REPLY_TOPIC_PATTERN = r"^velodrome/[A-Za-z0-9_-]+/replies/[A-Za-z0-9._:@=/-]+$(?!\n)"
"""Answers go nowhere else, so that nobody makes the core publish on a topic that the ACL keeps from them."""
ID_LENGTH = 100

CommandId = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LENGTH, pattern=ID_PATTERN)]
ReplyTopic = Annotated[str, msgspec.Meta(max_length=200, pattern=REPLY_TOPIC_PATTERN)]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Head of every message. `generated_us` is the host UTC of the newest event in it, not of the sending.

    `seq` rises strictly over all topics of a meet and over restarts. Numbers may be left out (a restart skips what
    it had reserved); after a loss of the broker messages are repeated under the numbers that they had.
    """

    schema: str
    seq: int
    journal_id: int
    generated_us: int


class ScheduledHeat(msgspec.Struct, frozen=True):
    """A heat in the programme of the meet."""

    heat: str
    event: str
    category: str
    round: str
    number: int
    name: str
    scheduled: str


class MeetMessage(Message, frozen=True, kw_only=True):
    """Topic `meet`: what is being held, where, under which rules, and the programme."""

    schema: Literal["velodrome/meet/1"]
    meet: str
    name: str
    venue: str
    venue_name: str
    track_length_m: float
    timezone: str
    rules: str
    loops: dict[str, float]
    heats: tuple[ScheduledHeat, ...]
    lines: dict[str, float] = {}
    """The painted lines by their names in the venue file (`finish_m` …), metres after the finish line."""
    pace_curves: dict[str, PaceCurve] = {}
    """The rule book's target curves for the pacer, by name."""
    pace_tolerance: PaceTolerance = PaceTolerance()
    """Where a deviation of the pacer turns amber and red."""
    codes: tuple[StatusCode, ...] = ()
    """The codes of the rule book: what each means for the place and for the next round."""
    reasons: tuple[PenaltyReason, ...] = ()
    """Reasons that a commissaire can choose, with their articles."""


class DeviceMessage(Message, frozen=True, kw_only=True):
    """Topic `devices/<id>`: a box, the state of its line and of its clock."""

    schema: Literal["velodrome/device/1"]
    device: DeviceView
    clock_quality: str
    clock_uncertainty_us: int
    clock_rate_ppb: int
    clock_warning: str
    clock_offset_us: int = 0
    """UTC less the device's unwrapped clock at the newest reading of it."""
    trends: DeviceTrends = DeviceTrends()


class PassingMessage(Message, frozen=True, kw_only=True):
    """Topic `passing` (not retained): passings as they come, one message for those that reached the disk together."""

    schema: Literal["velodrome/passing/1"]
    passings: tuple[PassingNews, ...]


class CurrentMessage(Message, frozen=True, kw_only=True):
    """Topic `current`: the heat on the track and what needs a person now."""

    schema: Literal["velodrome/current/1"]
    heat: str | None
    attempt: int
    state: str
    status: ResultStatus
    start_us: int | None
    laps_to_go: float
    laps_to_go_measured: float
    bell: Bell | None
    head_m: float
    course_m: float
    notices: tuple[str, ...]
    alerts: tuple[Alert, ...] = ()
    """The notices with key and parameters, in the same order; then what concerns the whole event."""


class BoardMessage(Message, frozen=True, kw_only=True):
    """Topic `board`: the heat on the track for scoreboards and television, with nothing confidential in it."""

    schema: Literal["velodrome/board/1"]
    heat: str | None
    attempt: int
    state: str
    status: ResultStatus
    start_us: int | None
    laps_to_go: float
    laps_to_go_measured: float
    bell_rung_us: int | None
    head_m: float
    course_m: float


class AliveMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Topic `alive` (not retained, QoS 0, each half second of real time): the core lives.

    `at_us` is the core's clock, which a rig may speed up by `speed`; `seq` is that of the last message sent.
    """

    schema: Literal["velodrome/alive/1"] = "velodrome/alive/1"
    at_us: int
    speed: float
    journal_id: int
    seq: int


class HeatMessage(Message, frozen=True, kw_only=True):
    """Head of the messages of one heat."""

    heat: str
    round: str
    number: int
    attempt: int
    state: str


class StartMessage(HeatMessage, frozen=True, kw_only=True):
    """Topic `heats/<heat>/start`: the start list and the attempts so far."""

    schema: Literal["velodrome/start/1"]
    starters: tuple[Starter, ...]
    attempts: tuple[AttemptSummary, ...]
    start_us: int | None


class OrderMessage(HeatMessage, frozen=True, kw_only=True):
    """Topic `heats/<heat>/order`: the order at every loop crossed so far."""

    schema: Literal["velodrome/order/1"]
    orders: tuple[MarkOrder, ...]
    laps_to_go: float


class SplitsMessage(HeatMessage, frozen=True, kw_only=True):
    """Topic `heats/<heat>/splits`: every rider's crossings."""

    schema: Literal["velodrome/splits/1"]
    splits: tuple[RiderSplits, ...]
    unmatched: tuple[Unmatched, ...] = ()
    """Impulses, reads and photo-finish lines at lines with a photocell that match nobody: the newest."""
    unmatched_count: int = 0


class PaceMessage(HeatMessage, frozen=True, kw_only=True):
    """Topic `heats/<heat>/pace`: derny pace compliance."""

    schema: Literal["velodrome/pace/1"]
    pace: PaceReport
    earlier: tuple[AttemptPace, ...] = ()
    """The pacing of the attempts before this one."""


class FinishMessage(HeatMessage, frozen=True, kw_only=True):
    """Topic `heats/<heat>/finish`: photo-finish and transponder order side by side."""

    schema: Literal["velodrome/finish/1"]
    finish: Finish
    disagreements: tuple[Disagreement, ...]


class ResultMessage(HeatMessage, frozen=True, kw_only=True):
    """Topic `heats/<heat>/result`: the result and its status."""

    schema: Literal["velodrome/result/1"]
    status: ResultStatus
    results: tuple[ResultLine, ...]
    decisions: tuple[Decision, ...]
    last_200_ms: int | None
    marks: dict[str, str] = {}
    """By bib, where the rider goes on to (`Q1/4`, `R`, `QG` …); who is not named goes nowhere, or it is not known."""


class HistoryMessage(HeatMessage, frozen=True, kw_only=True):
    """Topic `heats/<heat>/history`: every order of the heat, and why each rider stands where he stands.

    Refused orders are kept to the newest fifty. `last_row` is the highest row in it, or that of a newer
    photo-finish sheet: what a console sends as `seen`.
    """

    schema: Literal["velodrome/history/1"]
    entries: tuple[HistoryEntry, ...]
    last_row: int
    why: dict[str, tuple[Sentence, ...]]
    """By bib, sentence by sentence."""


class HealthMessage(Message, frozen=True, kw_only=True):
    """Topic `health`: the service itself, and what fits no heat."""

    schema: Literal["velodrome/health/1"]
    version: str
    devices: dict[str, str]
    inbox: tuple[InboxItem, ...]
    inbox_count: int
    commands: int
    loops: tuple[LoopHealth, ...] = ()
    """Every loop in the present heat, with what can be official without those that fail."""
    transponders: tuple[TransponderTrend, ...] = ()
    """Those entered for the meet that were read; one whose strength fell has a warning."""


class CompetitionMessage(Message, frozen=True, kw_only=True):
    """Topic `competition`: where every heat stands."""

    schema: Literal["velodrome/competition/1"]
    heats: dict[str, ResultStatus]


class CommandRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Topic `commands`: an order of a console. The same `id` twice is applied once and answered twice.

    The answer goes to `reply_to`, a whole topic below `velodrome/<meet>/replies/` (default `replies/<id>`), after
    the command is on disk.
    """

    id: CommandId
    actor: str
    role: str
    action: MeetAction
    heat: str | None = None
    reply_to: ReplyTopic | None = None
    seen: int | None = None
    """The highest row of the heat's history on the person's screen: what others changed since refuses the order."""
    preview: bool = False
    """Only tell what it would change: nothing is journaled."""


class CommandReply(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command; `journal_id` is null when it was not well-formed and so never journaled.

    `id` is `unknown` where the id of a malformed command could not be read.
    """

    id: str
    accepted: bool
    reason: str
    heat: str | None
    journal_id: int | None
    preview: Preview | None = None
    """What the order would change, where that was asked and the order would be taken."""


def read_command(payload: bytes) -> CommandRequest | CommandReply:
    """The command in an MQTT payload, or the answer to what is none: it says what is wrong, and where."""
    try:
        return msgspec.json.decode(payload, type=CommandRequest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return CommandReply(
            id=_id_in(payload), accepted=False, reason=f"no command: {error}", heat=None, journal_id=None
        )


def _id_in(payload: bytes) -> str:
    """The id of a malformed command where it can be read, for the reply topic; `unknown` otherwise."""
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "unknown"
    found = value.get("id") if isinstance(value, dict) else None
    legal = isinstance(found, str) and len(found) <= ID_LENGTH and re.search(ID_PATTERN, found) is not None
    return str(found) if legal else "unknown"


TOPIC_MESSAGES: dict[str, type[msgspec.Struct]] = {
    "meet": MeetMessage,
    "devices/<id>": DeviceMessage,
    "passing": PassingMessage,
    "current": CurrentMessage,
    "board": BoardMessage,
    "heats/<heat>/start": StartMessage,
    "heats/<heat>/order": OrderMessage,
    "heats/<heat>/splits": SplitsMessage,
    "heats/<heat>/pace": PaceMessage,
    "heats/<heat>/finish": FinishMessage,
    "heats/<heat>/result": ResultMessage,
    "heats/<heat>/history": HistoryMessage,
    "competition": CompetitionMessage,
    "health": HealthMessage,
    "alive": AliveMessage,
    "commands": CommandRequest,
    "replies/<id>": CommandReply,
}
