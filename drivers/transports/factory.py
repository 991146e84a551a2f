"""From a device address to the transport that serves it."""

from collections.abc import Mapping

from config.models import Broker
from drivers.hostclock import HostClock
from drivers.transports.address import (
    NO_DEFAULTS,
    MqttAddress,
    SerialAddress,
    TcpAddress,
    TcpListenAddress,
    UdpAddress,
    parse_address,
)
from drivers.transports.base import Transport


def create_transport(
    address: str,
    clock: HostClock,
    broker: Broker,
    *,
    session: str = "",
    serial_defaults: Mapping[str, str] = NO_DEFAULTS,
) -> Transport:
    """A transport for a device address, not yet open. Raises `AddressError`.

    `broker` is the meet's broker and `session` the name under which it keeps what we have not acknowledged; both
    are for `mqtt:` addresses alone. `serial_defaults` are settings of `serial:` addresses that count unless the
    address says otherwise: what the protocol's box needs (`ProtocolEntry.serial_defaults`). The imports stand here
    because the command line must start fast and most meets use one or two kinds of line.
    """
    parsed = parse_address(address, serial_defaults)
    if isinstance(parsed, SerialAddress):
        from drivers.transports.serial import SerialTransport

        return SerialTransport(parsed, clock)
    if isinstance(parsed, TcpAddress):
        from drivers.transports.tcp import TcpTransport

        return TcpTransport(parsed, clock)
    if isinstance(parsed, TcpListenAddress):
        from drivers.transports.tcp_listen import TcpListenTransport

        return TcpListenTransport(parsed, clock)
    if isinstance(parsed, UdpAddress):
        from drivers.transports.udp import UdpTransport

        return UdpTransport(parsed, clock)
    if isinstance(parsed, MqttAddress):
        from drivers.transports.mqtt import MqttTransport

        return MqttTransport(parsed, broker, clock, session)
    from drivers.transports.folder import FolderTransport

    return FolderTransport(parsed, clock)
