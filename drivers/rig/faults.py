"""Faults of a script: what goes wrong with the boxes and their lines, by rate and seed or at a given moment.

    [faults]
    seed = 7                        # same seed, same faults
    byte_loss = 0.0005              # of each byte on a line, serial, TCP or UDP; 0 to 1
    bit_flips = 0.0005
    noise = 0.01                    # of each message: bytes of nothing come before it
    split = 0.2                     # of each message: it comes in two pieces
    join = 0.1                      # of each message: it waits for the next one
    datagram_loss = 0.0             # of each message, whole
    command_loss = 0.0              # of what the host sends, acknowledgements too
    missed_reads = 0.01             # of each read and edge
    double_reads = 0.01
    late_reads = 0.02               # told up to late_ms later, behind others
    late_ms = 2_000
    half_written = 0.0              # of each result file
    [faults.devices.p3-finish]      # other rates for one device, and what only a device has
    bit_flips = 0.01
    clock_offset_ms = 40_000        # in place of the lot's offset and drift
    clock_drift_ppb = 50_000
    shows_at_start = "23:59:30"     # a box with a clock of day: midnight is 30 s after the rig's start
    low_battery = true
    noisy = true                    # its status says so
    [[faults.restarts]]             # power cycle at this time after the gun: numbers begin again
    device = "p3-finish"
    at_ms = 30_000
    [[faults.disconnects]]          # the line is gone, the box goes on timing
    device = "p3-home"
    at_ms = 20_000
    for_ms = 10_000
    [[faults.ack_stalls]]           # nothing that the host says arrives (device, at_ms, for_ms)
    [[faults.clock_steps]]          # the box's clock is set: by_ms = ±3_600_000 is a change of daylight saving
    device = "p3-back"
    at_ms = 40_000
    by_ms = 500

Which line breaks when is drawn from the seed and the device's id alone, so that a run can be repeated. A byte
is lost or bent on its way to the host only; what the host says arrives whole or not at all.
"""

import random
from typing import Final

import msgspec

from config.errors import ConfigError
from config.models import Device, Setup
from config.strict import Strict

LATE_MS: Final = 2_000
NOISE_BYTES: Final = 12
US_PER_MS: Final = 1_000
LINES: Final = ("serial:", "tcp:", "udp:")
"""Addresses whose bytes can be lost: a broker and a folder deliver whole messages or none."""
LINE_RATES: Final = ("byte_loss", "bit_flips", "noise", "split", "join", "datagram_loss", "command_loss")
READ_RATES: Final = ("missed_reads", "double_reads", "late_reads")
RATES: Final = (*LINE_RATES, *READ_RATES, "half_written")
BATTERY_TOLD: Final = ("p3", "thbc", "raceresult")
NOISE_TOLD: Final = ("p3", "thbc")


class FaultRates(Strict, frozen=True, kw_only=True):
    """Rates from 0 to 1; null where nothing is said, which is 0 or, for a device, the script's general rate."""

    byte_loss: float | None = None
    bit_flips: float | None = None
    noise: float | None = None
    split: float | None = None
    join: float | None = None
    datagram_loss: float | None = None
    command_loss: float | None = None
    missed_reads: float | None = None
    double_reads: float | None = None
    late_reads: float | None = None
    half_written: float | None = None
    late_ms: int | None = None

    def rate(self, name: str) -> float:
        """A rate by its name, 0 where nothing is said. Raises AttributeError for a name that is none."""
        value = getattr(self, name)
        return 0.0 if value is None else float(value)


class DeviceFaults(FaultRates, frozen=True, kw_only=True):
    """The faults of one device."""

    clock_offset_ms: int | None = None
    clock_drift_ppb: int | None = None
    shows_at_start: str | None = None
    low_battery: bool = False
    noisy: bool = False


class Restart(Strict, frozen=True, kw_only=True):
    """The box is switched off and on: its memory is empty, its numbers begin again."""

    device: str
    at_ms: int
    heat: str | None = None
    """Null: in every heat."""


class Outage(Strict, frozen=True, kw_only=True):
    """Between `at_ms` and `at_ms + for_ms` after the gun the line, or the way to the box, is gone."""

    device: str
    at_ms: int
    for_ms: int
    heat: str | None = None


class ClockStep(Strict, frozen=True, kw_only=True):
    """The box's clock is set forward by `by_ms` (back if negative)."""

    device: str
    at_ms: int
    by_ms: int
    heat: str | None = None


class Faults(FaultRates, frozen=True, kw_only=True):
    """The table `[faults]` of a script."""

    seed: int = 0
    devices: dict[str, DeviceFaults] = msgspec.field(default_factory=dict)
    restarts: tuple[Restart, ...] = ()
    disconnects: tuple[Outage, ...] = ()
    ack_stalls: tuple[Outage, ...] = ()
    clock_steps: tuple[ClockStep, ...] = ()

    def of(self, device: Device) -> DeviceFaults:
        """The faults of a device: its own rates over the general ones; on a broker or in a folder no byte is lost."""
        own = self.devices.get(device.id, DeviceFaults())
        merged: dict[str, float | int | None] = {}
        for name in (*RATES, "late_ms"):
            value = getattr(own, name)
            merged[name] = getattr(self, name) if value is None else value
            if name in LINE_RATES and not device.address.startswith(LINES):
                merged[name] = None
        return msgspec.structs.replace(own, **merged)


def check_faults(faults: Faults, setup: Setup, file: str) -> None:
    """Raise ConfigError for a rate that is none, a device that the meet lacks, or a fault that it cannot have."""
    devices = {device.id: device for device in setup.meet.devices}
    _check_rates(faults, "faults", file)
    for name, own in faults.devices.items():
        here = f"faults.devices.{name}"
        _check_device(name, devices, here, file)
        _check_rates(own, here, file)
        _check_can(own, devices[name], here, file)
    timed: dict[str, tuple[Restart | Outage | ClockStep, ...]] = {
        "restarts": faults.restarts,
        "disconnects": faults.disconnects,
        "ack_stalls": faults.ack_stalls,
        "clock_steps": faults.clock_steps,
    }
    heats = [heat.id for heat in setup.meet.heats]
    for kind, entries in timed.items():
        for index, one in enumerate(entries):
            here = f"faults.{kind}[{index}]"
            _check_device(one.device, devices, f"{here}.device", file)
            if isinstance(one, Outage) and not devices[one.device].address.startswith(LINES):
                hint = (
                    f"has no line of its own at {devices[one.device].address}: name a box on a serial, TCP or UDP line"
                )
                raise ConfigError(file, f"{here}.device", one.device, hint)
            if one.at_ms < 0:
                raise ConfigError(file, f"{here}.at_ms", one.at_ms, "must be 0 or more: ms after the gun")
            if isinstance(one, Outage) and one.for_ms <= 0:
                raise ConfigError(file, f"{here}.for_ms", one.for_ms, "must be above 0")
            if one.heat is not None and one.heat not in heats:
                raise ConfigError(file, f"{here}.heat", one.heat, f"must be a heat of the meet: {', '.join(heats)}")


def _check_device(name: str, devices: dict[str, Device], key: str, file: str) -> None:
    if name not in devices:
        raise ConfigError(file, key, name, f"must be a device of the meet: {', '.join(devices)}")


def _check_rates(rates: FaultRates, key: str, file: str) -> None:
    for name in RATES:
        value = rates.rate(name)
        if not 0.0 <= value <= 1.0:
            raise ConfigError(file, f"{key}.{name}", value, "must be from 0 (never) to 1 (always)")
    if rates.late_ms is not None and rates.late_ms <= 0:
        raise ConfigError(file, f"{key}.late_ms", rates.late_ms, "must be above 0")


def _check_can(own: DeviceFaults, device: Device, key: str, file: str) -> None:
    if not device.address.startswith(LINES):
        for name in LINE_RATES:
            if getattr(own, name) is not None:
                hint = f"is not possible at {device.address}: messages come whole or not; take it out"
                raise ConfigError(file, f"{key}.{name}", getattr(own, name), hint)
    if own.low_battery and device.protocol not in BATTERY_TOLD:
        hint = f"is not possible: of the rig's boxes only {', '.join(BATTERY_TOLD)} tell of their supply"
        raise ConfigError(file, f"{key}.low_battery", True, hint)
    if own.noisy and device.protocol not in NOISE_TOLD:
        hint = f"is not possible: of the rig's boxes only {', '.join(NOISE_TOLD)} tell of their noise"
        raise ConfigError(file, f"{key}.noisy", True, hint)
    if own.shows_at_start is not None:
        if device.clock == "utc":
            raise ConfigError(
                file, f"{key}.shows_at_start", own.shows_at_start, "is for a box with local_time or time_of_day"
            )
        try:
            time_of_day_us(own.shows_at_start)
        except ValueError:
            raise ConfigError(
                file, f"{key}.shows_at_start", own.shows_at_start, 'must be a time of day as "23:59:30"'
            ) from None


def time_of_day_us(text: str) -> int:
    """`hh:mm:ss` as µs from midnight. Raises ValueError."""
    hour, minute, second = (int(part) for part in text.split(":"))
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        raise ValueError(f"{text!r} is no time of day")
    return ((hour * 60 + minute) * 60 + second) * 1_000_000


class LineFaults:
    """What one line does to the messages on it; sans-I/O. One lot per device, so lines do not disturb each other."""

    def __init__(self, rates: FaultRates, seed: int, device: str) -> None:
        self._rates = rates
        self._lot = random.Random(f"{seed}/line/{device}")
        self._held = b""
        self.stalled = False
        """While true nothing that the host says arrives."""
        self.damaged = 0
        """Messages to the host that lost or changed a byte, or were lost whole."""
        self.lost_commands = 0

    @property
    def harmless(self) -> bool:
        """Whether nothing of this line ever breaks by lot."""
        return all(self._rates.rate(name) == 0.0 for name in LINE_RATES)

    @property
    def holds(self) -> bool:
        """Whether a message waits for the next one."""
        return bool(self._held)

    def to_host(self, data: bytes) -> list[bytes]:
        """A message of the box as the pieces in which it leaves now; what is held back comes with `release`."""
        if self._hit("datagram_loss"):
            self.damaged += 1
            return []
        bent = self._bent(data)
        self.damaged += bent != data
        if self._hit("noise"):
            bent = self._lot.randbytes(self._lot.randint(1, NOISE_BYTES)) + bent
        whole, self._held = self._held + bent, b""
        if self._hit("join"):
            self._held = whole
            return []
        if len(whole) > 1 and self._hit("split"):
            cut = self._lot.randrange(1, len(whole))
            return [whole[:cut], whole[cut:]]
        return [whole] if whole else []

    def release(self) -> bytes:
        """What was held back for a next message that did not come."""
        held, self._held = self._held, b""
        return held

    def to_box(self, data: bytes) -> bytes | None:
        """What the host says, or None when it is lost."""
        if self.stalled or self._hit("command_loss"):
            self.lost_commands += 1
            return None
        return data

    def _hit(self, name: str) -> bool:
        rate = self._rates.rate(name)
        return rate > 0.0 and self._lot.random() < rate

    def _bent(self, data: bytes) -> bytes:
        if not (self._rates.rate("byte_loss") or self._rates.rate("bit_flips")):
            return data
        bent = bytearray()
        for byte in data:
            if self._hit("byte_loss"):
                continue
            bent.append(byte ^ (1 << self._lot.randrange(8)) if self._hit("bit_flips") else byte)
        return bytes(bent)
