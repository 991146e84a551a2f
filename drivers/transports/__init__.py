"""Lines to boxes: serial, TCP, UDP, MQTT and watched folders behind one small `Transport` protocol.

The implementations are imported when `create_transport` first needs them, so that importing this package
costs nothing.
"""

from drivers.transports.address import (
    Address,
    FolderAddress,
    MqttAddress,
    SerialAddress,
    TcpAddress,
    TcpListenAddress,
    UdpAddress,
    parse_address,
)
from drivers.transports.base import Chunk, Transport
from drivers.transports.factory import create_transport
from drivers.transports.loopback import LoopbackTransport

__all__ = [
    "Address",
    "Chunk",
    "FolderAddress",
    "LoopbackTransport",
    "MqttAddress",
    "SerialAddress",
    "TcpAddress",
    "TcpListenAddress",
    "Transport",
    "UdpAddress",
    "create_transport",
    "parse_address",
]
