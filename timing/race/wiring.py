"""What a box's channels are wired to, as the meet file says."""

from config.models import Device, DeviceChannel
from drivers.records import Impulse, Passing


def wired_to(device: Device, channel: str | None) -> DeviceChannel | None:
    """What a channel of a device is wired to; None where the meet file does not say."""
    return next((wired for wired in device.channels if wired.channel == channel), None)


def loop_of(device: Device, channel: str | None) -> str | None:
    """The loop of the venue at which a passing of this channel was read."""
    wired = wired_to(device, channel)
    return device.loop if wired is None else wired.loop


def beacon_impulse(device: Device, passing: Passing) -> Impulse | None:
    """The impulse that a passing of a beacon stands for; None for an ordinary passing.

    A start gate or a gun may be wired as a transponder of its own (P3 gate beacons 9991 to 9995, hardware-protocols
    §1): its number is the `channel` of a DeviceChannel with a role.
    """
    wired = wired_to(device, passing.transponder)
    if wired is None or wired.role is None:
        return None
    return Impulse(
        device=passing.device,
        received_us=passing.received_us,
        device_us=passing.device_us,
        channel=passing.transponder,
        sequence=passing.sequence,
        backlog=passing.backlog,
    )
