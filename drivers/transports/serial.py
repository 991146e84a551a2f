"""Serial ports, USB adapters and ptys: pyserial opens and configures, the event loop reads the descriptor."""

import asyncio
import select
import termios
from typing import Any, ClassVar

import serial

from drivers.errors import OpenFailed
from drivers.hostclock import HostClock
from drivers.transports.address import SerialAddress
from drivers.transports.descriptor import DescriptorTransport
from drivers.transports.serial_advice import explain_open_failure
from drivers.transports.usb_ports import find_usb_port

_PARITY = {
    "none": serial.PARITY_NONE,
    "even": serial.PARITY_EVEN,
    "odd": serial.PARITY_ODD,
    "mark": serial.PARITY_MARK,
    "space": serial.PARITY_SPACE,
}
_HUNG_UP = select.POLLHUP | select.POLLERR | select.POLLNVAL


class UnflushedSerial(serial.Serial):
    """A serial port that keeps what the box sent before it was opened: it may be a passing."""

    def _reset_input_buffer(self) -> None:
        """pyserial discards the driver's input buffer when it opens a port; this one does not."""


class SerialTransport(DescriptorTransport):
    """A serial port, locked for us alone; a symlink to it (udev name, rig) works like the port itself."""

    lost_advice: ClassVar[str] = "check the cable, the adapter and the box's power; reconnecting by itself"

    def __init__(self, address: SerialAddress, clock: HostClock) -> None:
        super().__init__(address.text, clock)
        self._address = address
        self._port: serial.Serial | None = None

    async def open(self) -> None:
        """Open and lock the port. Raises `OpenFailed`: no such port, no permission, in use, bad setting."""
        # A USB adapter takes milliseconds to open, in which the bytes of others must be stamped.
        opening = asyncio.ensure_future(asyncio.to_thread(self._open_port))
        try:
            self._port = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)
            raise
        self._attach(self._port.fileno())

    async def close(self) -> None:
        """Stop reading and release the port and its lock."""
        self._detach()
        port, self._port = self._port, None
        if port is not None:
            # Closing waits until the line has sent what was written, acknowledgements included.
            await asyncio.to_thread(port.close)

    def _open_port(self) -> serial.Serial:
        address = self._address
        # Looked for each time: after a replug the adapter may have another name, in another socket.
        path = find_usb_port(address) if address.usb_serial else address.path
        settings: dict[str, Any] = {
            "baudrate": address.baud,
            "bytesize": address.bits,
            "parity": _PARITY[address.parity],
            "stopbits": address.stop,
            "rtscts": address.flow == "hardware",
            "xonxoff": address.flow == "software",
            "timeout": 0,
            "exclusive": True,
        }
        try:
            port = UnflushedSerial(**settings)
            # Set before the port opens: a box that resets on DTR must not see it raised and dropped.
            port.dtr = address.dtr == "on"
            port.rts = address.rts == "on"
            port.port = path
            port.open()
        except (OSError, ValueError, termios.error) as error:
            reason, advice = explain_open_failure(path, error)
            raise OpenFailed(self.where, reason, advice) from error
        _ask_for_low_latency(port)
        return port

    def _is_end(self, descriptor: int) -> bool:
        # With VMIN 0 a terminal also reads nothing when another reader was faster; only a hang-up is an end.
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return any(events & _HUNG_UP for _, events in poll.poll(0))


def _ask_for_low_latency(port: serial.Serial) -> None:
    # USB adapters collect bytes for 16 ms unless asked not to. Ptys and some drivers know no such mode, and
    # the port is as usable without: there is nothing to tell anyone.
    try:
        port.set_low_latency_mode(True)
    except (OSError, ValueError, NotImplementedError):
        return


def _close_unwanted(opening: "asyncio.Future[serial.Serial]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
