"""Which impulses of a box were received: so that what it sends again does not become a second edge."""

from collections.abc import Callable, Sequence
from typing import Final

from config.models import Device
from drivers.protocols.base import Parser, Reaction, Resume
from drivers.protocols.listen import ListenSession
from drivers.records import Impulse, Record, Unhandled

REMEMBERED: Final = 65_536
"""Edges; twice what the largest box of this kind keeps itself. The oldest go first."""


class ImpulseMemory:
    """Edges by channel and time on the box's clock, each with the start numbers that it was reported for."""

    def __init__(self, known: Sequence[Impulse] = ()) -> None:
        """`known` are edges that are on disk from earlier."""
        self._bibs: dict[tuple[str, int], set[str | None]] = {}
        for impulse in known:
            self.add(impulse)

    def __len__(self) -> int:
        """How many edges are known."""
        return len(self._bibs)

    def knows_edge(self, impulse: Impulse) -> bool:
        """Whether an impulse with this channel and time was received, for whatever start number."""
        return (impulse.channel, impulse.device_us) in self._bibs

    def knows(self, impulse: Impulse) -> bool:
        """Whether an impulse with this channel, time and start number was received."""
        return impulse.bib in self._bibs.get((impulse.channel, impulse.device_us), ())

    def add(self, impulse: Impulse) -> None:
        """Remember an impulse."""
        self._bibs.setdefault((impulse.channel, impulse.device_us), set()).add(impulse.bib)
        if len(self._bibs) > REMEMBERED:
            del self._bibs[next(iter(self._bibs))]


def repeated(impulse: Impulse, name: str = "repeated") -> Unhandled:
    """The record of an impulse that is known: explained, and no second edge."""
    detail: dict[str, int | str] = {"channel": impulse.channel, "time_us": impulse.device_us, "bib": impulse.bib or ""}
    return Unhandled(device=impulse.device, received_us=impulse.received_us, name=name, detail=detail)


class ListenOnceSession(ListenSession):
    """A `ListenSession` whose box may print the same edge again: one edge, one Impulse."""

    def __init__(self, device: str, parser: Callable[[str], Parser], known: Sequence[Impulse] = ()) -> None:
        super().__init__(device, parser)
        self._memory = ImpulseMemory(known)

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Parse; an edge with a known channel and time becomes Unhandled `repeated`."""
        return Reaction(records=tuple(self._once(record) for record in super().receive(data, now_us).records))

    def _once(self, record: Record) -> Record:
        if not isinstance(record, Impulse):
            return record
        if self._memory.knows_edge(record):
            return repeated(record)
        self._memory.add(record)
        return record


def listen_once(parser: Callable[[str], Parser]) -> Callable[[Device, Resume], ListenOnceSession]:
    """Make the session factory of a `base.ProtocolEntry` from its parser, as `listen.listen` does."""

    def session(device: Device, resume: Resume) -> ListenOnceSession:
        return ListenOnceSession(device.id, parser, resume.impulses)

    return session
