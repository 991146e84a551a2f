"""What a meet shows beside its heats: passings as they come, boxes, what fits nobody, what became of orders."""

import msgspec

from drivers.records import DeviceStatus, Impulse, Passing


class PassingNews(msgspec.Struct, frozen=True):
    """A passing as race control sees it at once: who, where, when, before anything is concluded from it."""

    read: str
    device: str
    loop: str | None
    transponder: str
    bib: str | None
    pacer: bool
    heat: str | None
    race_us: int
    backlog: bool


class InboxItem(msgspec.Struct, frozen=True):
    """A record that fits no heat, and why; nothing is discarded."""

    read: str
    device: str
    what: str
    at_us: int
    reason: str


class Outcome(msgspec.Struct, frozen=True):
    """What became of a command."""

    id: str
    accepted: bool
    reason: str
    heat: str | None
    journal_id: int


class DeviceView(msgspec.Struct):
    """What is known of one box."""

    device: str
    protocol: str
    loop: str | None
    state: str = "unknown"
    reason: str = ""
    advice: str = ""
    last_received_us: int = 0
    last_passing_us: int = 0
    passings: int = 0
    errors: int = 0
    last_error: str = ""
    gaps_open: int = 0
    last_sequence: int | None = None
    decoder: str | None = None
    noise: int | None = None
    temperature: int | None = None
    supply_mv: int | None = None
    gps_locked: bool | None = None


def newest(last: int | None, record: Passing | Impulse) -> int | None:
    """The last number of a box after this record; one from its backlog may be older than others on disk."""
    if record.sequence is None:
        return last
    return max(last or 0, record.sequence) if record.backlog else record.sequence


def without(ranges: list[tuple[int, int]], number: int) -> list[tuple[int, int]]:
    """Ranges of numbers (both ends included) without one number."""
    rest = []
    for first, last in ranges:
        if first <= number <= last:
            rest += [part for part in ((first, number - 1), (number + 1, last)) if part[0] <= part[1]]
        else:
            rest.append((first, last))
    return rest


def take_status(view: DeviceView, status: DeviceStatus) -> None:
    view.noise = status.noise if status.noise is not None else view.noise
    view.temperature = status.temperature if status.temperature is not None else view.temperature
    view.supply_mv = status.supply_mv if status.supply_mv is not None else view.supply_mv
    view.gps_locked = status.gps_locked if status.gps_locked is not None else view.gps_locked
    view.decoder = status.decoder or view.decoder
