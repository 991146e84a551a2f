"""The picture of one heat: everything that race control shows, derived from the log and from nothing else.

Instants are `_us` (UTC µs); durations are published in whole ms, truncated once. Speeds are km/h, distances m.
"""

from typing import Literal

import msgspec

from timing.race.sentences import Alert

HeatState = Literal[
    "drawn",
    "on_line",
    "pacer_run",
    "started",
    "first_lap",
    "paced",
    "pacer_exit",
    "sprint",
    "bell",
    "finished",
    "stopped",
    "provisional",
    "official",
]
RACING_STATES: frozenset[str] = frozenset({"started", "first_lap", "paced", "pacer_exit", "sprint", "bell"})
"""The states between the gun and the last rider: time passing means something in them."""

ResultStatus = Literal["none", "virtual", "provisional", "official"]
CrossingSource = Literal["start", "read", "manual", "interpolated", "predicted", "accepted", "cell"]
PullOffVerdict = Literal["awaited", "on_time", "early", "late", "seen_again"]


class Starter(msgspec.Struct, frozen=True):
    """A rider on the start list."""

    bib: str
    name: str
    surname: str
    given: str
    nation: str | None
    draw: int
    origin: str
    transponders: tuple[str, ...]
    status: str | None


class Crossing(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rider over a loop. `confidence` is 100 for a read; an inferred one is marked and has ± too.

    With the source `cell` the time is that of the front wheel in a photocell and so are a lap, half lap or sector
    between two such times; all other times are the transponder's over the loop. Who it was still comes from the
    transponder (or, at the finish, from the photo-finish): where that was inferred, `read` is null.
    """

    mark: int
    loop: str
    lap: int
    distance_m: float
    race_ms: int
    """Since the gun."""
    sector_ms: int | None
    half_lap_ms: int | None
    lap_ms: int | None
    speed_kmh: float | None
    source: CrossingSource
    confidence: int
    uncertainty_ms: int
    read: str | None
    """Reference of the read in the journal (`row:index`); null for an inferred crossing."""
    cell: str | None = None
    """Reference of the impulse that gave the time."""


class RiderSplits(msgspec.Struct, frozen=True):
    """All crossings of one rider, in order along the course."""

    bib: str
    name: str
    crossings: tuple[Crossing, ...]


class OrderEntry(msgspec.Struct, frozen=True):
    """A rider in the order at a loop. Inferred entries are never official by themselves."""

    bib: str
    place: int
    gap_ms: int
    inferred: bool
    confidence: int


class MarkOrder(msgspec.Struct, frozen=True):
    """The order at one mark of the course."""

    mark: int
    loop: str
    lap: int
    distance_m: float
    laps_to_go: float
    entries: tuple[OrderEntry, ...]


class PaceSection(msgspec.Struct, frozen=True):
    """The pacer between two loops: mean speed against the mean of the target curve over the same metres."""

    from_m: float
    to_m: float
    duration_ms: int
    speed_kmh: float
    target_kmh: float
    deviation_kmh: float
    band: Literal["in", "amber", "red"]
    speed_at_end_kmh: float | None
    predicted_exit_kmh: float | None


class RiderMargin(msgspec.Struct, frozen=True):
    """A rider's front wheel against the pacer's edge at a loop: positive is behind (lawful), negative ahead."""

    bib: str
    mark: int
    loop: str
    distance_m: float
    margin_ms: int
    margin_m: float


class PaceFinding(msgspec.Struct, frozen=True):
    """Something that race control should know of the pacing. It decides nothing (track-rules §5)."""

    what: str
    text: str
    value: float
    limit: float


class PaceReport(msgspec.Struct, frozen=True):
    """Derny pace compliance, UCI 3.2.137, shown and logged; a commissaire rules."""

    curve: str
    target_entry_kmh: float
    target_exit_kmh: float
    paced_m: float
    entry_kmh: float | None
    exit_kmh: float | None
    predicted_exit_kmh: float | None
    pull_off: PullOffVerdict
    pull_off_m: float | None
    """Race distance of the last loop at which the pacer was read in one run; it left before the next loop."""
    pull_off_before_m: float | None
    seen_again_m: float | None
    compliant: bool | None
    """Null until the pacer has left the track."""
    summary: str
    findings: tuple[PaceFinding, ...]
    sections: tuple[PaceSection, ...]
    margins: tuple[RiderMargin, ...]
    """Each rider against the pacer at every loop up to the exit line."""
    riders_ahead: tuple[RiderMargin, ...]


class ResultLine(msgspec.Struct, frozen=True):
    """A line of the result. `place` is judged, never computed from the gap; `gap_ms` is truncated."""

    order: int
    place: int | None
    bib: str
    name: str
    nation: str | None
    gap_ms: int | None
    gap_us: int | None
    status: str | None
    reason: str
    source: Literal["judge", "photo_finish", "cell", "transponder", "none"]
    warnings: int


class Disagreement(msgspec.Struct, frozen=True):
    """Photo-finish and transponder put two riders in another order."""

    ahead: str
    behind: str
    transponder_gap_ms: int


class Finish(msgspec.Struct, frozen=True):
    """Both orders at the finish side by side, and where they differ."""

    transponder: tuple[OrderEntry, ...]
    photo_finish: tuple[str, ...]
    photo_finish_read: str | None
    judged: tuple[tuple[str, ...], ...]
    disagreements: tuple[Disagreement, ...]
    last_200_ms: int | None
    last_200_kmh: float | None


class Bell(msgspec.Struct, frozen=True):
    """Prompted when the head comes to the last half lap before it, due at the line, logged when really rung."""

    prompt: bool
    due_us: int | None
    rung_us: int | None


class Aside(msgspec.Struct, frozen=True):
    """A read that does not count, kept with the reason."""

    read: str
    device: str
    loop: str | None
    transponder: str | None
    at_us: int
    reason: str


class Unmatched(msgspec.Struct, frozen=True):
    """Something at a line with a photocell that matches nothing of the other boxes: it waits for a person."""

    what: Literal["impulse", "read", "photo_finish"]
    read: str
    """Its reference in the journal."""
    device: str
    loop: str
    at_us: int
    bib: str | None
    reason: str


class AttemptSummary(msgspec.Struct, frozen=True):
    """One try of the heat; a stopped one stays in the record."""

    number: int
    armed_us: int | None
    start_us: int | None
    stopped_us: int | None
    reason: str


class Decision(msgspec.Struct, frozen=True):
    """A commissaire's decision that is in force."""

    command: str
    actor: str
    role: str
    at_us: int
    bib: str
    code: str
    article: str
    reason: str


class HeatPicture(msgspec.Struct, frozen=True, omit_defaults=True):
    """The heat as it is now. Fields with a default came later: left out where empty, old digests hold."""

    heat: str
    event: str
    category: str
    round: str
    number: int
    name: str
    attempt: int
    state: HeatState
    status: ResultStatus
    start_us: int | None
    start_source: str | None
    laps_to_go: float
    """What the lap counter shows: an event, not a computation."""
    laps_to_go_measured: float
    """Where the head of the race is by the reads."""
    course_m: float
    exit_m: float
    starters: tuple[Starter, ...]
    attempts: tuple[AttemptSummary, ...]
    bell: Bell
    orders: tuple[MarkOrder, ...]
    splits: tuple[RiderSplits, ...]
    pace: PaceReport
    finish: Finish
    results: tuple[ResultLine, ...]
    decisions: tuple[Decision, ...]
    notices: tuple[str, ...]
    """What needs a person now, most urgent first."""
    set_aside: tuple[Aside, ...]
    set_aside_count: int
    clock_uncertainty_us: int
    """The largest ± of the clocks of the boxes used."""
    unmatched: tuple[Unmatched, ...] = ()
    """The newest of what matches nobody at lines with a photocell."""
    unmatched_count: int = 0
    alerts: tuple[Alert, ...] = ()
    """The notices with their keys and parameters, in the same order."""
