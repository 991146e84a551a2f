"""What a demo run is: its folder, its addresses, its clock. On disk, so that a killed run can be taken up again."""

import socket
from pathlib import Path

import msgspec

from config.loader import load_setup
from config.models import Broker, Device, Setup
from drivers.rig.script import load_script
from timing.app import ClockAnchor
from timing.demo.errors import DemoError

MEET = "tokyo2020-men-keirin"
COMPETITION_MEET = "tokyo2020-men-keirin-rounds"
DEFAULT_HEAT = "final-a"
PLAN_FILE = "plan.json"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the demo. The setup has the run's own addresses in it: ptys in the folder, free local ports."""

    heats: tuple[str, ...]
    script: str
    speed: float
    anchor: ClockAnchor
    setup: Setup
    cable_port: int
    """Where the simulated boxes find the broker: the end of `timing.demo.cable`."""
    finished: bool = False
    hardware: Setup | None = None
    """The meet as the simulated hardware knows it, where its heats are not in the service's meet file."""
    competition: bool = False
    """Whether the race office works too: from the entries to the classification."""


def choose_heats(heat: str | None, everything: bool) -> tuple[str, ...]:
    """The heats to ride, in the order of the programme. Raises DemoError for a heat that does not exist."""
    known = tuple(one.id for one in load_setup(MEET).meet.heats)
    if everything:
        return known
    chosen = heat or DEFAULT_HEAT
    if chosen not in known:
        raise DemoError(f"heat {chosen!r} is not in the demo meet: choose one of {', '.join(known)}")
    return (chosen,)


def choose_script(script: str, heats: tuple[str, ...]) -> str:
    """The script's name, or its path as the hardware's process finds it from any folder.

    Raises ConfigError when there is no such script or it does not fit the meet, DemoError when it lacks a heat.
    """
    path = Path(script)
    named = str(path.resolve()) if path.is_file() else script
    has = load_script(named, load_setup(MEET)).heats
    lacks = [heat for heat in heats if heat not in has]
    if lacks:
        raise DemoError(f"script {script} has no heat {', '.join(lacks)}: it has {', '.join(has)}")
    return named


def read_plan(folder: Path) -> Plan:
    """The plan of a run. Raises OSError or msgspec.DecodeError."""
    return msgspec.json.decode((folder / PLAN_FILE).read_bytes(), type=Plan)


def write_plan(folder: Path, plan: Plan) -> None:
    """Write the plan so that a crash leaves the old one or the new one, never half of one."""
    part = folder / f"{PLAN_FILE}.part"
    part.write_bytes(msgspec.json.encode(plan))
    part.replace(folder / PLAN_FILE)


def free_port() -> int:
    """A TCP port of this machine that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def local_setup(folder: Path, meet_id: str = MEET) -> Setup:
    """The demo meet with every device at an address of this machine: ptys in the folder, free local ports."""
    setup = load_setup(meet_id)
    devices = tuple(_local_device(device, folder) for device in setup.meet.devices)
    broker = Broker(host="127.0.0.1", port=free_port(), embedded=True)
    meet = msgspec.structs.replace(setup.meet, devices=devices, broker=broker)
    return msgspec.structs.replace(setup, meet=meet)


def hardware_setup(service: Setup) -> Setup:
    """What the riders know: the published heats, at the addresses of the service's meet."""
    ridden = load_setup(MEET)
    meet = msgspec.structs.replace(
        ridden.meet, id=service.meet.id, devices=service.meet.devices, broker=service.meet.broker
    )
    return msgspec.structs.replace(ridden, meet=meet)


def _local_device(device: Device, folder: Path) -> Device:
    if device.address.startswith("serial:"):
        return msgspec.structs.replace(device, address=f"serial:{folder / 'dev' / device.id}")
    if device.address.startswith("tcp:"):
        return msgspec.structs.replace(device, address=f"tcp:127.0.0.1:{free_port()}")
    return device
