"""The rig's end of a real serial port, with a pty in the place of the cable."""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from config.errors import ConfigError
from config.models import Setup
from drivers.hostclock import HostClock
from drivers.protocols.p3_messages import encode_get_time
from drivers.rig.ports import RigError
from drivers.rig.race import LoopRead
from drivers.rig.rig import Rig
from drivers.rig.script import load_script

READ = LoopRead(at_us=0, device="p3-finish", channel=None, transponder="9001", strength=90, hits=20)


@pytest.fixture
def cable() -> tuple[int, str]:
    """The host's end of a cable as a descriptor, and the name of the box's end."""
    host, box = os.openpty()
    tty.setraw(box)
    os.set_blocking(host, False)
    return host, os.ttyname(box)


async def read_at_least(descriptor: int, count: int) -> bytes:
    heard = b""
    readable = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, readable.set)
    try:
        async with asyncio.timeout(5):
            while len(heard) < count:
                await readable.wait()
                readable.clear()
                with contextlib.suppress(BlockingIOError):
                    heard += os.read(descriptor, 4_096)
    finally:
        loop.remove_reader(descriptor)
    return heard


def at_port(tmp_path: Path, setup: Setup, address: str) -> Rig:
    path = tmp_path / "x.toml"
    path.write_text(f'name = "x"\nextends = "tokyo2020-men-keirin"\n[ports]\np3-finish = "{address}"\n', "utf-8")
    return Rig(setup, load_script(path, setup), HostClock())


async def test_a_box_speaks_and_answers_on_the_port_that_the_script_names(
    tmp_path: Path, setup: Setup, cable: tuple[int, str]
) -> None:
    host, name = cable
    box = at_port(tmp_path, setup, f"serial:{name}?baud=9600").boxes["p3-finish"]
    await box.open()
    box.read(READ, HostClock().now_us())  # type: ignore[union-attr]
    passing = box.passings[0]  # type: ignore[union-attr]
    assert await read_at_least(host, len(passing)) == passing
    os.write(host, encode_get_time())
    assert (await read_at_least(host, 20)).startswith(b"\x8e")
    await box.close()
    box.read(msgspec.structs.replace(READ, at_us=5), HostClock().now_us())  # type: ignore[union-attr]
    await box.open()
    await box.close()


async def test_a_port_that_is_not_there_is_named_with_advice(tmp_path: Path, setup: Setup) -> None:
    rig = at_port(tmp_path, setup, f"serial:{tmp_path}/none")
    with pytest.raises(RigError, match="none"):
        await rig.boxes["p3-finish"].open()


@pytest.mark.parametrize(
    ("address", "said"), [("tcp:127.0.0.1:5", "must be a serial port"), ("serial:/dev/x", "must be a device")]
)
def test_a_bad_port_is_refused(
    tmp_path: Path, setup: Setup, make_setup: Callable[..., Setup], address: str, said: str
) -> None:
    meet = setup if "serial port" in said else make_setup(setup.meet.devices[1:])
    with pytest.raises(ConfigError, match=said):
        at_port(tmp_path, meet, address)
