"""Everything that the drivers raise, in one tree.

DriverError                 something between the program and a box; says where, why and what to do
├── AddressError            a device address in the meet file cannot be understood
├── UnknownProtocol         no protocol has this name
├── ProtocolUnusable        an installed protocol plug-in cannot be loaded
├── DeliveryFailed          the journal did not take a delivery: fatal for the service
└── TransportError          the line to a box; the supervisor answers each of these by reconnecting
    ├── OpenFailed          the line could not be opened
    ├── TransportLost       an open line broke: unplugged, reset, closed by the box, broker gone
    └── SendNotSupported    the protocol wants to talk over a line that only listens (a folder)
"""


class DriverError(Exception):
    """The root. `where` names the address or thing concerned; `reason` and `advice` are for the operator."""

    def __init__(self, where: str, reason: str, advice: str) -> None:
        super().__init__(where, reason, advice)
        self.where = where
        self.reason = reason
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}; {self.advice}"


class AddressError(DriverError):
    """Raised by `parse_address` when a device address is not understood."""


class UnknownProtocol(DriverError):
    """Raised by the protocol registry when no protocol has the name asked for."""


class ProtocolUnusable(DriverError):
    """Raised by the protocol registry when an entry point does not lead to a `ProtocolEntry`."""


class DeliveryFailed(DriverError):
    """Raised out of `DeviceSupervisor.run` when the journal refused a delivery; caused by its error.

    A race that cannot be journaled must not go on quietly, so this ends the service.
    """


class TransportError(DriverError):
    """What can go wrong on a line to a box."""


class OpenFailed(TransportError):
    """Raised by `Transport.open`."""


class TransportLost(TransportError):
    """Raised by `Transport.receive` and `Transport.send` when the line is gone and must be closed."""


class SendNotSupported(TransportError):
    """Raised by `Transport.send` of a transport that can only listen."""
