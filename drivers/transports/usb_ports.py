"""The port of a USB adapter by its serial number: the number stays when the socket or /dev/ttyUSB… changes.

For a worker thread: it looks around in /sys.
"""

import re
from collections.abc import Sequence

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from drivers.errors import OpenFailed
from drivers.transports.address import SerialAddress
from drivers.transports.serial_advice import ports_present

_INTERFACE = re.compile(r":\d+\.(\d+)$")
"""The end of a port's place in the USB tree, `1-1.4:1.2` (bus, ports, configuration, interface)."""


def find_usb_port(address: SerialAddress) -> str:
    """The path that the adapter of `address.usb_serial` has now.

    Raises `OpenFailed` when it is not plugged in, or has several ports and the address does not say which.
    """
    wanted = address.usb_serial
    found = [port for port in list_ports.comports() if getattr(port, "serial_number", None) == wanted]
    if not found:
        reason = f"no USB adapter with the serial number {wanted} is plugged in"
        raise OpenFailed(address.text, reason, f"plug it in, into any socket; {ports_present()}")
    if address.usb_interface is not None:
        chosen = [port for port in found if _interface(port) == address.usb_interface]
        if not chosen:
            reason = f"the USB adapter {wanted} has no port with the interface {address.usb_interface}"
            raise OpenFailed(address.text, reason, f"it has {_listed(found)}")
        found = chosen
    if len(found) > 1:
        reason = f"{len(found)} ports have the USB serial number {wanted}"
        advice = f"say which with usb_interface=…, or unplug the wrong adapter: {_listed(found)}"
        raise OpenFailed(address.text, reason, advice)
    return str(found[0].device)


def _interface(port: ListPortInfo) -> int | None:
    match = _INTERFACE.search(getattr(port, "location", None) or "")
    return None if match is None else int(match[1])


def _listed(ports: Sequence[ListPortInfo]) -> str:
    return ", ".join(
        f"{port.device} (interface {'not told' if _interface(port) is None else _interface(port)})"
        for port in sorted(ports)
    )
