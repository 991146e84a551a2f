"""`velodrome doctor`: what a race day would find out too late."""

import asyncio
import shutil
from pathlib import Path

import aiomqtt
from rich.console import Console
from rich.table import Table

from config.loader import load_setup
from config.models import Broker, Device, Setup
from drivers.errors import DriverError, TransportError
from drivers.hostclock import HostClock
from drivers.protocols.base import Resume
from drivers.protocols.registry import protocol
from drivers.records import Malformed, Record
from drivers.transports import create_transport
from timing.commands.doctor_console import check_console
from timing.commands.finding import Finding
from timing.control.broker import client_options
from timing.paths import prepare_kernels, state_folder
from timing.race.degraded import readers, without_loop

LISTEN_S = 3.0
CONNECT_S = 3.0
LEAST_FREE_BYTES = 2 * 1024**3
"""A long day of every loop writes far less; a disk that is nearly full fails on finals night."""


def run(meet: str) -> int:
    """Check everything, print a table, return 1 when something is wrong. Raises ConfigError for a bad meet."""
    console = Console()
    setup = load_setup(meet)
    findings = [
        Finding("configuration", True, f"{setup.meet.name}: {len(setup.meet.heats)} heats, rules {setup.rules.id}"),
        _check_disk(state_folder()),
        _check_core(),
    ]
    with Console(stderr=True).status(f"listening to {len(setup.meet.devices)} devices for {LISTEN_S:g} s …"):
        findings += asyncio.run(_check_lines(setup))
    findings += check_settings(setup)
    findings += check_loops(setup, findings)
    findings += check_console(setup.meet.console)
    table = Table(title=f"velodrome doctor: {setup.meet.id}", title_justify="left")
    table.add_column("")
    table.add_column("what")
    table.add_column("found")
    for one in findings:
        sign = "[red]✖ WRONG[/]" if not one.good else "[yellow]! look[/]" if one.warning else "[green]✓ good[/]"
        table.add_row(sign, one.what, one.text)
    console.print(table)
    return 0 if all(one.good for one in findings) else 1


def _check_disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    good = free >= LEAST_FREE_BYTES
    text = f"{folder}: {free / 1024**3:.1f} GiB free"
    return Finding("disk", good, text if good else f"{text}; make room for the journal: at least 2 GiB")


def _check_core() -> Finding:
    prepare_kernels()
    from timing.core.runtime import warm

    return Finding("core", True, f"{warm()} kernels compiled and warm")


async def _check_lines(setup: Setup) -> list[Finding]:
    broker = await _check_broker(setup.meet.broker)
    devices = [_check_device(device, setup.meet.broker) for device in setup.meet.devices]
    return [broker, *await asyncio.gather(*devices)]


async def _check_broker(broker: Broker) -> Finding:
    where = f"{broker.host}:{broker.port}"
    if broker.embedded:
        return Finding("broker", True, f"{where}, inside the program; a venue runs Mosquitto (see deploy)")
    try:
        async with asyncio.timeout(CONNECT_S), aiomqtt.Client(**client_options(broker), timeout=CONNECT_S):
            return Finding("broker", True, f"{where} answers")
    except (aiomqtt.MqttError, TimeoutError) as error:
        advice = "start Mosquitto, or mend broker.host and broker.port in the meet file"
        return Finding("broker", False, f"{where}: {error or 'no answer'}; {advice}")


async def _check_device(device: Device, broker: Broker) -> Finding:
    """Open the line and listen for a while, asking what the driver would ask."""
    what = f"device {device.id} ({device.protocol})"
    if broker.embedded and device.address.startswith("mqtt:"):
        return Finding(what, True, f"{device.address}: reached through the broker inside the program")
    clock = HostClock()
    try:
        entry = protocol(device.protocol)
        session = entry.session(device, Resume())
        transport = create_transport(device.address, clock, broker, serial_defaults=entry.serial_defaults)
    except DriverError as error:
        return Finding(what, False, str(error))
    records: list[Record] = []
    heard = 0
    try:
        await transport.open()
        for question in session.connected(clock.now_us()):
            await transport.send(question)
        async with asyncio.timeout(LISTEN_S):
            while True:
                chunk = await transport.receive()
                heard += len(chunk.data)
                records += session.receive(chunk.data, chunk.received_us).records
    except TransportError as error:
        return Finding(what, False, str(error))
    except TimeoutError:
        return _what_was_heard(what, device, heard, records)
    finally:
        await transport.close()


def _what_was_heard(what: str, device: Device, heard: int, records: list[Record]) -> Finding:
    bad = sum(isinstance(one, Malformed) for one in records)
    good = len(records) - bad
    if heard and not good:
        text = f"{heard} bytes arrive but nothing in them is {device.protocol}: wrong protocol or wrong baud"
        return Finding(what, False, text)
    if not heard and device.silent_after_s > 0 and device.silent_after_s <= LISTEN_S * 5:
        text = f"open, nothing heard in {LISTEN_S:g} s; it should speak every {device.silent_after_s:g} s"
        return Finding(what, True, text)
    return Finding(what, True, f"open, {good} records, {bad} bad, {heard} bytes in {LISTEN_S:g} s")


def check_settings(setup: Setup) -> list[Finding]:
    """Settings of an address that harm a box although it answers."""
    found = []
    for device in setup.meet.devices:
        if device.protocol == "raceresult-usb" and device.address.startswith("serial:"):
            options = device.address.partition("?")[2].split("&")
            if "dtr=on" in options:
                others = [one for one in options if one != "dtr=on"]
                mended = "?".join(filter(None, (device.address.partition("?")[0], "&".join(others))))
                text = f'DTR high for long resets this box; write address = "{mended}" in the meet file'
                found.append(Finding(f"setting {device.id} ({device.protocol})", False, text))
    return found


def check_loops(setup: Setup, findings: list[Finding]) -> list[Finding]:
    """Loops without a working box: what the race will lack."""
    broken = {one.what.split()[1] for one in findings if one.what.startswith("device ") and not one.good}
    found = []
    for loop in setup.venue.loops:
        if not set(readers(setup, loop.id)) - broken:
            text = f"no working box reads it, at {loop.position_m:g} m. " + ". ".join(without_loop(setup, loop.id))
            found.append(Finding(f"loop {loop.id}", False, text))
    return found
