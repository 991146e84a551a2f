"""Device addresses as the meet file writes them.

serial:/dev/ttyUSB0?baud=19200&dtr=off      a serial port (or pty); the settings are below
tcp:192.168.1.51:5403                       a box that listens on TCP; IPv6 hosts in brackets
mqtt:venue/loops/finish                     a topic on the meet's broker; bytes to the box go to `<topic>/in`
folder:/srv/lynx?pattern=*.lif              a folder in which a program drops files
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias, TypeVar
from urllib.parse import parse_qsl

import msgspec

from drivers.errors import AddressError

Parity = Literal["none", "even", "odd", "mark", "space"]
LineState = Literal["on", "off"]
FlowControl = Literal["none", "hardware", "software"]


class SerialAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A serial port with its settings; without settings 9600 8N1, no flow control, DTR and RTS on."""

    text: str
    path: str
    baud: int = 9600
    bits: int = 8
    parity: Parity = "none"
    stop: float = 1
    flow: FlowControl = "none"
    dtr: LineState = "on"
    """`off` for boxes that DTR resets (race result USB box, hardware-protocols §5.2)."""
    rts: LineState = "on"


class TcpAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A box that listens on TCP."""

    text: str
    host: str
    port: int


class MqttAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A topic on the meet's broker."""

    text: str
    topic: str


class FolderAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A folder in which files appear and are rewritten; `pattern` is a shell pattern in any case."""

    text: str
    path: str
    pattern: str = "*"


Address: TypeAlias = SerialAddress | TcpAddress | MqttAddress | FolderAddress

_FORMS = "write serial:/dev/ttyUSB0?baud=19200, tcp:host:port, mqtt:topic or folder:/path?pattern=*.lif"
_SERIAL_BITS = (5, 6, 7, 8)
_SERIAL_STOP_BITS = (1.0, 1.5, 2.0)
_HIGHEST_BAUD = 4_000_000
_HIGHEST_PORT = 65_535

_Settings = TypeVar("_Settings", SerialAddress, FolderAddress)


def parse_address(text: str) -> Address:
    """Read a device address. Raises `AddressError` naming the part that is wrong and what may stand there."""
    scheme, colon, rest = text.strip().partition(":")
    if not colon or not rest:
        raise AddressError(repr(text), "this is no device address", _FORMS)
    if scheme == "serial":
        return _parse_serial(text, rest)
    if scheme == "tcp":
        return _parse_tcp(text, rest)
    if scheme == "mqtt":
        return _parse_mqtt(text, rest)
    if scheme == "folder":
        path, settings = _split_settings(text, rest)
        return _with_settings(FolderAddress, text, {"path": path}, settings)
    raise AddressError(repr(text), f"there is no transport named {scheme!r}", _FORMS)


def _parse_serial(text: str, rest: str) -> SerialAddress:
    path, settings = _split_settings(text, rest)
    address = _with_settings(SerialAddress, text, {"path": path}, settings)
    if not 0 < address.baud <= _HIGHEST_BAUD:
        raise AddressError(repr(text), f"baud={address.baud} is no line speed", "write for example baud=19200")
    if address.bits not in _SERIAL_BITS:
        raise AddressError(repr(text), f"bits={address.bits} is no character size", "write 5, 6, 7 or 8")
    if address.stop not in _SERIAL_STOP_BITS:
        raise AddressError(repr(text), f"stop={address.stop:g} is no number of stop bits", "write 1, 1.5 or 2")
    return address


def _parse_tcp(text: str, rest: str) -> TcpAddress:
    host, colon, port_text = rest.rpartition(":")
    if not colon or not host:
        raise AddressError(repr(text), "the port is missing", "write tcp:host:port, for example tcp:10.0.0.7:5403")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise AddressError(repr(text), "an IPv6 host needs brackets", f"write tcp:[{host}]:{port_text}")
    if not (port_text.isascii() and port_text.isdigit() and 0 < int(port_text) <= _HIGHEST_PORT):
        raise AddressError(repr(text), f"{port_text!r} is no port", "write a port from 1 to 65535")
    return TcpAddress(text=text, host=host, port=int(port_text))


def _parse_mqtt(text: str, topic: str) -> MqttAddress:
    if "+" in topic or "#" in topic:
        raise AddressError(repr(text), "a box has one topic, not a wildcard", "write the topic without + and #")
    if topic.startswith("/") or topic.endswith("/"):
        raise AddressError(repr(text), "the topic begins or ends with a slash", "write the topic without that slash")
    return MqttAddress(text=text, topic=topic)


def _split_settings(text: str, rest: str) -> tuple[str, dict[str, str]]:
    path, _, query = rest.partition("?")
    if not path:
        raise AddressError(repr(text), "the path is missing", _FORMS)
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        advice = "write them as name=value, joined by &"
        raise AddressError(repr(text), f"the settings {query!r} cannot be read", advice) from None
    settings = dict(pairs)
    if len(settings) != len(pairs):
        raise AddressError(repr(text), "a setting is given twice", "keep one of them")
    return path, settings


def _with_settings(
    kind: type[_Settings], text: str, fixed: Mapping[str, str], settings: Mapping[str, str]
) -> _Settings:
    known = [field for field in kind.__struct_fields__ if field != "text" and field not in fixed]
    for name in settings:
        if name not in known:
            raise AddressError(repr(text), f"there is no setting {name!r}", f"known settings: {', '.join(known)}")
    try:
        return msgspec.convert({"text": text, **fixed, **settings}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise AddressError(repr(text), f"a setting is wrong ({error})", "correct it in the meet file") from None
