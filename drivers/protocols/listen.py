"""The session for boxes that only talk: a parser, and never a byte back (LSS streams, result files, MQTT)."""

from collections.abc import Callable, Sequence

from config.models import Device
from drivers.protocols.base import Parser, Reaction, Resume
from drivers.records import Record


class ListenSession:
    """A `base.Session` that parses what arrives and sends nothing, on any connection."""

    def __init__(self, device: str, parser: Callable[[str], Parser]) -> None:
        """`device` is the device id that the records carry; `parser` makes a fresh parser for it."""
        self.tick_us = 0
        self._device = device
        self._make_parser = parser
        self._parser = parser(device)

    def connected(self, now_us: int) -> Sequence[bytes]:
        """Start with an empty buffer: `disconnected` reported what the last connection left over."""
        self._parser = self._make_parser(self._device)
        return ()

    def receive(self, data: bytes, now_us: int) -> Reaction:
        """Parse; there is nothing to answer."""
        return Reaction(records=tuple(self._parser.feed(data, now_us)))

    def disconnected(self, now_us: int) -> Sequence[Record]:
        """Report an unfinished record."""
        return self._parser.close(now_us)

    def tick(self, now_us: int) -> Sequence[bytes]:
        """Never called (`tick_us` is 0), and nothing to ask."""
        return ()

    def committed(self, records: Sequence[Record], now_us: int) -> Sequence[bytes]:
        """The box waits for no acknowledgement."""
        return ()


def listen(parser: Callable[[str], Parser]) -> Callable[[Device, Resume], ListenSession]:
    """Make the session factory of a `base.ProtocolEntry` from its parser.

    What is on disk from earlier does not matter: a box that cannot be asked cannot repeat anything.
    """

    def session(device: Device, resume: Resume) -> ListenSession:
        return ListenSession(device.id, parser)

    return session
