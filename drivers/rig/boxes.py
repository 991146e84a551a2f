"""Which simulated box stands for a device of the meet: by its protocol, at the address that the meet file gives."""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias, runtime_checkable

from config.models import Device, Heat, Setup
from drivers.hostclock import HostClock
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.faults import DeviceFaults
from drivers.rig.faulty_port import Opening
from drivers.rig.impulse_box import IMPULSE_PROTOCOLS, ImpulseBox
from drivers.rig.jchip_box import JChipBox
from drivers.rig.json_box import JsonBox
from drivers.rig.lynx_box import LifBox, LineDatagrams, LynxBox
from drivers.rig.osv_box import OsvBox
from drivers.rig.p3_box import P3Box
from drivers.rig.p98_box import P98Box
from drivers.rig.ports import Greet, Port, PtyPort, RigError, TcpPort
from drivers.rig.race import Sheet
from drivers.rig.raceresult_box import RaceResultBox
from drivers.rig.raceresult_usb_box import RaceResultUsbBox
from drivers.rig.thbc_box import ThbcBox, make_unit
from drivers.rig.udp_port import UdpPort
from drivers.rig.velotrain_box import VelotrainBox
from drivers.transports.address import (
    FolderAddress,
    MqttAddress,
    SerialAddress,
    TcpAddress,
    TcpListenAddress,
    UdpAddress,
    parse_address,
)

Box: TypeAlias = (
    P3Box
    | LynxBox
    | LifBox
    | OsvBox
    | JsonBox
    | ThbcBox
    | ImpulseBox
    | RaceResultBox
    | RaceResultUsbBox
    | P98Box
    | VelotrainBox
    | JChipBox
)


LINE_PROTOCOLS: Final = ("p3", "p98", "lynx", "osv", "raceresult", "raceresult-usb", *IMPULSE_PROTOCOLS)
"""Those whose box has a serial port or a TCP server."""


@runtime_checkable
class Camera(Protocol):
    """A box that takes the picture of the finish. Instants are host µs."""

    def arm(self, heat: Heat) -> None:
        """The next heat."""
        ...

    def start(self, gun_us: int) -> None:
        """The gun."""
        ...

    def stop(self) -> None:
        """The race was stopped."""
        ...

    def show(self, sheet: Sheet, gun_us: int) -> None:
        """The operator has read the picture."""
        ...


BoxMaker: TypeAlias = Callable[[Device, Setup, DeviceClockModel, HostClock, int, Callable[[Opening], Opening]], Box]
"""As `make_box`."""


def with_health(box: Box, rates: DeviceFaults) -> Box:
    """The box with the supply and the noise that the script gives it."""
    if rates.low_battery and isinstance(box, P3Box | ThbcBox | RaceResultBox):
        box.low_battery = True
    if rates.noisy and isinstance(box, P3Box | ThbcBox):
        box.noisy = True
    return box


def make_box(
    device: Device,
    setup: Setup,
    model: DeviceClockModel,
    clock: HostClock,
    seed: int,
    wrap: Callable[[Opening], Opening] = lambda opening: opening,
) -> Box:
    """The simulated box for a device of the meet; `wrap` may put something between the box and its port.

    Raises RigError where the rig has no such box at such an address, AddressError for an address that is none.
    """
    address = parse_address(device.address)
    if device.protocol == "json" and isinstance(address, MqttAddress):
        return JsonBox(device, address, setup.meet.broker, model, clock)
    if device.protocol == "lynx" and isinstance(address, UdpAddress):
        return LynxBox(device, lambda greet: LineDatagrams(wrap(lambda g: UdpPort(address, g))(greet)), model, clock)
    if device.protocol == "velotrain" and isinstance(address, MqttAddress):
        return VelotrainBox(device, address, setup.meet.broker, model, clock)
    if device.protocol == "jchip" and isinstance(address, TcpListenAddress):
        return JChipBox(device, address, model, clock)
    if device.protocol == "lif" and isinstance(address, FolderAddress):
        return LifBox(device, address, model, clock)
    if device.protocol == "thbc" and isinstance(address, SerialAddress | TcpAddress | UdpAddress):
        return make_unit(device, address, setup, model, clock, seed, wrap)
    if device.protocol in LINE_PROTOCOLS and isinstance(address, SerialAddress | TcpAddress):

        def plain(greet: Greet) -> Port:
            return PtyPort(address, greet) if isinstance(address, SerialAddress) else TcpPort(address, greet)

        opening = wrap(plain)

        if device.protocol == "lynx":
            return LynxBox(device, opening, model, clock)
        if device.protocol == "osv":
            return OsvBox(device, opening, model, clock)
        if device.protocol == "raceresult":
            return RaceResultBox(device, opening, model, clock)
        if device.protocol == "raceresult-usb":
            return RaceResultUsbBox(device, opening, model, clock)
        if device.protocol in IMPULSE_PROTOCOLS:
            return ImpulseBox(device, opening, model, clock)
        _check_decoder(device, setup)
        if device.protocol == "p98":
            return P98Box(device, opening, model, clock, seed)
        return P3Box(device, opening, model, clock, seed)
    reason = f"the rig has no {device.protocol!r} box at such an address"
    advice = (
        "it has p3, p98, lynx, osv and impulse boxes at serial: and tcp:, thbc at serial:, tcp: and udp:, "
        "lif at folder:, json and velotrain at mqtt:, jchip at tcp-listen: addresses"
    )
    raise RigError(f"device {device.id} at {device.address}", reason, advice)


def _check_decoder(device: Device, setup: Setup) -> None:
    """A P3 record has no channel and a 32-bit transponder number: refuse what could not be sent."""
    for wired in device.channels:
        if device.protocol != "p3" or wired.role is None or not _is_p3_number(wired.channel):
            reason = f"a {device.protocol} decoder has one loop and no channel {wired.channel!r}"
            advice = "give it loop = …; channels of a p3 decoder are beacons, numbers with a role"
            raise RigError(f"device {device.id}", reason, advice)
    carriers = [(f"rider {rider.bib}", rider.transponders) for rider in setup.meet.riders]
    carriers += [(f"pacer {pacer.id}", pacer.transponders) for pacer in setup.meet.pacers]
    for who, transponders in carriers:
        for number in transponders:
            if not _is_p3_number(number):
                reason = f"{who} has transponder {number!r}, which a P3 decoder cannot send"
                raise RigError(f"device {device.id}", reason, "P3 transponders are numbers below 4294967296")


def _is_p3_number(text: str) -> bool:
    """Whether a P3 record can hold a transponder of this number."""
    return text.isascii() and text.isdecimal() and int(text) < 1 << 32
