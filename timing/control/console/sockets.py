"""Where the console listens, and how a browser on this machine gets there."""

import errno
import socket
from typing import Final

import msgspec

from config.models import Console
from timing.control.console.job import ConsoleError

BACKLOG: Final = 256


def address_of(console: Console, port: int) -> str:
    """The address for a browser on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(console.host, console.host)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if console.tls_cert_file else 'http'}://{host}:{port}/"


def open_socket(console: Console, any_port: bool = False) -> socket.socket:
    """The listening socket; with `any_port` on a free one if the wanted is taken. Raises ConsoleError."""
    where = f"{console.host}:{console.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            console.host, console.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConsoleError(f"console.host {console.host}: {error.strerror}; give an address of this machine") from error
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE and any_port:
            return open_socket(msgspec.structs.replace(console, port=0))
        if error.errno == errno.EADDRINUSE:
            advice = "another console or program uses it; end that, or choose another with --port or console.port"
        elif error.errno == errno.EACCES:
            advice = "this user may not use it; choose a port above 1023"
        else:
            advice = "give console.host an address of this machine"
        raise ConsoleError(f"the console cannot listen on {where}: {error.strerror}; {advice}") from error
    return opened
