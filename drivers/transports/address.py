"""Device addresses as the meet file writes them.

serial:/dev/ttyUSB0?baud=19200&dtr=off      a serial port (or pty); the settings are below
serial:usb:A50285BI?baud=19200              the port of the USB adapter with this serial number, in any socket
serial:/dev/ttyUSB0?usb_serial=A50285BI     the same; the path is only a note for people
tcp:192.168.1.51:5403                       a box that listens on TCP; IPv6 hosts in brackets
udp:192.168.1.52:2008?local=2008            datagrams to that host and port; those from that host to our port
tcp-listen:0.0.0.0:53135                    we listen, and boxes (JChip readers) connect to this host and port of ours
mqtt:venue/loops/finish                     a topic on the meet's broker; bytes to the box go to `<topic>/in`
folder:/srv/lynx?pattern=*.lif              a folder in which a program drops files
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, TypeVar
from urllib.parse import parse_qsl

import msgspec

from drivers.errors import AddressError

Parity = Literal["none", "even", "odd", "mark", "space"]
LineState = Literal["on", "off"]
FlowControl = Literal["none", "hardware", "software"]
DatagramSource = Literal["any", "port"]


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
    usb_serial: str = ""
    """Serial number of the USB adapter: its port is looked for at each opening, whatever `path` says."""
    usb_interface: int | None = None
    """Which port of an adapter that has several, counted from 0 as the system counts its interfaces."""


class TcpAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A box that listens on TCP."""

    text: str
    host: str
    port: int


class UdpAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A box that sends datagrams to our port `local` and takes them at `host`:`port`."""

    text: str
    host: str
    port: int
    local: int = 0
    """Our port; 0 in the address means the same number as the box's."""
    source: DatagramSource = "any"
    """`any` port of the box's host may send to us; with `port` only its `port`, and boxes may share `local`."""

    @property
    def local_port(self) -> int:
        """The port that we receive on."""
        return self.local or self.port


class TcpListenAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Boxes that connect to us: the host (0.0.0.0 for all our networks) and port of ours on which we listen."""

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


Address: TypeAlias = SerialAddress | TcpAddress | TcpListenAddress | UdpAddress | MqttAddress | FolderAddress

_FORMS = (
    "write serial:/dev/ttyUSB0?baud=19200, serial:usb:SERIALNUMBER, tcp:host:port, udp:host:port?local=port, "
    "tcp-listen:host:port, mqtt:topic or folder:/path?pattern=*.lif"
)
_USB = "usb:"
_SERIAL_BITS = (5, 6, 7, 8)
_SERIAL_STOP_BITS = (1.0, 1.5, 2.0)
_HIGHEST_BAUD = 4_000_000
_HIGHEST_PORT = 65_535

NO_DEFAULTS: Final[Mapping[str, str]] = MappingProxyType({})

_Settings = TypeVar("_Settings", SerialAddress, UdpAddress, FolderAddress)


def parse_address(text: str, serial_defaults: Mapping[str, str] = NO_DEFAULTS) -> Address:
    """Read a device address. Raises `AddressError` naming the part that is wrong and what may stand there.

    `serial_defaults`: settings of a `serial:` address that count where it says nothing.
    """
    scheme, colon, rest = text.strip().partition(":")
    if not colon or not rest:
        raise AddressError(repr(text), "this is no device address", _FORMS)
    if scheme == "serial":
        return _parse_serial(text, rest, serial_defaults)
    if scheme == "tcp":
        return _parse_tcp(text, rest)
    if scheme == "tcp-listen":
        host, port = _parse_host_and_port(text, rest, "tcp-listen:host:port, for example tcp-listen:0.0.0.0:53135")
        return TcpListenAddress(text=text, host=host, port=port)
    if scheme == "udp":
        return _parse_udp(text, rest)
    if scheme == "mqtt":
        return _parse_mqtt(text, rest)
    if scheme == "folder":
        path, settings = _split_settings(text, rest)
        return _with_settings(FolderAddress, text, {"path": path}, settings)
    raise AddressError(repr(text), f"there is no transport named {scheme!r}", _FORMS)


def _parse_serial(text: str, rest: str, defaults: Mapping[str, str]) -> SerialAddress:
    path, written = _split_settings(text, rest)
    settings = {**defaults, **written}
    if path.startswith(_USB):
        if "usb_serial" in settings:
            advice = "write serial:usb:SERIALNUMBER, or serial:/dev/ttyUSB0?usb_serial=SERIALNUMBER"
            raise AddressError(repr(text), "the USB serial number is given twice", advice)
        path, settings["usb_serial"] = "", path.removeprefix(_USB)
    if not settings.get("usb_serial", "-").strip():
        advice = "`velodrome doctor` lists the ports with their serial numbers when it does not find one"
        raise AddressError(repr(text), "the USB serial number is missing", advice)
    address = _with_settings(SerialAddress, text, {"path": path}, settings)
    if address.usb_interface is not None and not address.usb_serial:
        advice = "give usb_serial as well"
        raise AddressError(repr(text), "usb_interface means nothing without a USB serial number", advice)
    if not 0 < address.baud <= _HIGHEST_BAUD:
        raise AddressError(repr(text), f"baud={address.baud} is no line speed", "write for example baud=19200")
    if address.bits not in _SERIAL_BITS:
        raise AddressError(repr(text), f"bits={address.bits} is no character size", "write 5, 6, 7 or 8")
    if address.stop not in _SERIAL_STOP_BITS:
        raise AddressError(repr(text), f"stop={address.stop:g} is no number of stop bits", "write 1, 1.5 or 2")
    return address


def _parse_tcp(text: str, rest: str) -> TcpAddress:
    host, port = _parse_host_and_port(text, rest, "tcp:host:port, for example tcp:10.0.0.7:5403")
    return TcpAddress(text=text, host=host, port=port)


def _parse_udp(text: str, rest: str) -> UdpAddress:
    target, settings = _split_settings(text, rest)
    host, port = _parse_host_and_port(text, target, "udp:host:port?local=port, for example udp:10.0.0.7:2008")
    address = _with_settings(UdpAddress, text, {"host": host, "port": port}, settings)
    if not 0 <= address.local <= _HIGHEST_PORT:
        raise AddressError(repr(text), f"local={address.local} is no port", "write a port from 1 to 65535")
    return address


def _parse_host_and_port(text: str, rest: str, form: str) -> tuple[str, int]:
    host, colon, port_text = rest.rpartition(":")
    if not colon or not host:
        raise AddressError(repr(text), "the port is missing", f"write {form}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        scheme = text.strip().partition(":")[0]
        raise AddressError(repr(text), "an IPv6 host needs brackets", f"write {scheme}:[{host}]:{port_text}")
    if not (port_text.isascii() and port_text.isdigit() and 0 < int(port_text) <= _HIGHEST_PORT):
        raise AddressError(repr(text), f"{port_text!r} is no port", "write a port from 1 to 65535")
    return host, int(port_text)


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
    kind: type[_Settings], text: str, fixed: Mapping[str, str | int], settings: Mapping[str, str]
) -> _Settings:
    known = [field for field in kind.__struct_fields__ if field != "text" and field not in fixed]
    for name in settings:
        if name not in known:
            raise AddressError(repr(text), f"there is no setting {name!r}", f"known settings: {', '.join(known)}")
    try:
        return msgspec.convert({"text": text, **fixed, **settings}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise AddressError(repr(text), f"a setting is wrong ({error})", "correct it in the meet file") from None
