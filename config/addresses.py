"""The grammar of a device address: `serial:…`, `tcp:…`, `tcp-listen:…`, `udp:…`, `mqtt:…`, `folder:…`.

Here only the writing is checked; which options a transport knows and what stands behind the address is the
business of the drivers.
"""

from collections.abc import Callable
from typing import Final

MAX_PORT: Final = 65_535


def address_problem(address: str) -> str | None:
    """Say what is wrong with an address and how it is written, or None when it is well formed."""
    scheme, colon, rest = address.partition(":")
    if not colon or scheme not in _CHECKS:
        return f"must begin with one of {', '.join(f'{name}:' for name in _CHECKS)}, like {_EXAMPLES['serial']}"
    problem = _CHECKS[scheme](rest)
    return None if problem is None else f"{problem}, like {_EXAMPLES[scheme]}"


def is_port(text: str) -> bool:
    """Whether a text is a TCP port number, 1 to 65535."""
    return text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= MAX_PORT


def _path_problem(rest: str) -> str | None:
    path, question, query = rest.partition("?")
    if not path.strip():
        return "must name a path after the colon"
    return _options_problem(query) if question else None


def _options_problem(query: str) -> str | None:
    for option in query.split("&"):
        name, equals, value = option.partition("=")
        if not (name and equals and value):
            return f'option "{option}" must be written name=value, several joined with &'
        if name == "baud" and not (value.isascii() and value.isdecimal() and int(value[:9]) > 0):
            return "baud must be a whole number of bits per second"
        if name == "local" and not is_port(value):
            return f"local must be a whole number from 1 to {MAX_PORT}"
    return None


def _tcp_problem(rest: str) -> str | None:
    host, _, port = rest.rpartition(":")
    if not host or any(character.isspace() for character in host):
        return "must give a host and a port"
    return None if is_port(port) else f"port must be a whole number from 1 to {MAX_PORT}"


def _udp_problem(rest: str) -> str | None:
    target, question, query = rest.partition("?")
    return _tcp_problem(target) or (_options_problem(query) if question else None)


def _mqtt_problem(rest: str) -> str | None:
    if not rest or any(character in "+#\0" or character.isspace() for character in rest):
        return "must give one topic without wildcards (+, #) or spaces"
    return None


_CHECKS: Final[dict[str, Callable[[str], str | None]]] = {
    "serial": _path_problem,
    "tcp": _tcp_problem,
    "tcp-listen": _tcp_problem,
    "udp": _udp_problem,
    "mqtt": _mqtt_problem,
    "folder": _path_problem,
}

_EXAMPLES: Final = {
    "serial": "serial:/dev/ttyUSB0?baud=19200",
    "tcp": "tcp:192.168.1.20:5403",
    "tcp-listen": "tcp-listen:0.0.0.0:53135",
    "udp": "udp:192.168.1.20:2008?local=2008",
    "mqtt": "mqtt:velodrome/my-meet/hardware/gateway",
    "folder": "folder:/srv/lynx?pattern=*.lif",
}
