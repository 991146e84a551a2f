"""`velodrome doctor --loopback PORT_A PORT_B`: a self-test of two serial ports and a cable."""

import asyncio

from rich.console import Console
from rich.table import Table

from drivers.hostclock import HostClock
from drivers.selftest import BAUDS, LoopbackResult, check_cable


def run(port_a: str, port_b: str) -> int:
    """Send frames both ways at each speed, print a table, return 1 when a byte is missing or wrong.

    Raises AddressError or OpenFailed when a port cannot be used at all.
    """
    with Console(stderr=True).status(f"sending at {', '.join(f'{baud}' for baud in BAUDS)} baud …"):
        results = asyncio.run(check_cable(port_a, port_b, HostClock()))
    console = Console()
    table = Table(title=f"velodrome doctor: {port_a} and {port_b}", title_justify="left")
    for heading in ("", "way", "baud", "found"):
        table.add_column(heading)
    for one in results:
        sign = "[green]✓ good[/]" if one.good else "[red]✖ WRONG[/]"
        table.add_row(sign, f"{_name(one.sender)} → {_name(one.receiver)}", str(one.baud), _text(one))
    console.print(table)
    return 0 if all(one.good for one in results) else 1


def _name(where: str) -> str:
    return where.removeprefix("serial:").partition("?")[0]


def _text(one: LoopbackResult) -> str:
    counts = f"{one.frames_good} of {one.frames_sent} frames, {one.received} of {one.sent} bytes"
    return f"{counts} in {one.took_us // 1_000} ms" if one.good else f"{one.reason}; {one.advice} ({counts})"
