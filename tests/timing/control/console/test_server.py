"""The console as a process: where it listens, its certificate, its child, its end."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiomqtt
import httpx
import msgspec
import pytest

from config.loader import load_meet
from config.models import Broker, Console
from tests.deploy.test_mosquitto import make_certificate
from tests.end_to_end.demo_support import command, environment
from tests.end_to_end.mosquitto import free_port
from tests.timing.control.console.hall import Browser, Hall
from timing.control.console.job import DEMO_PASSWORD, ConsoleError, Job
from timing.control.console.process import ConsoleProcess
from timing.control.console.sockets import address_of, open_socket
from timing.control.console.stream import PENDING_BYTES

MakeHall = Callable[[], Hall]
WAIT_S = 40.0


# -- the address ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("console", "address"),
    [
        (Console(), "http://127.0.0.1:7/"),
        (Console(host="0.0.0.0"), "http://127.0.0.1:7/"),
        (Console(host="::"), "http://[::1]:7/"),
        (Console(host="fe80::1"), "http://[fe80::1]:7/"),
        (Console(host="timing.local", tls_cert_file="a", tls_key_file="b"), "https://timing.local:7/"),
    ],
)
def test_the_address_is_one_that_a_browser_on_this_machine_can_open(console: Console, address: str) -> None:
    assert address_of(console, 7) == address


def test_a_port_in_use_is_one_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConsoleError) as refused:
            open_socket(Console(port=port))
        assert str(refused.value) == (
            f"the console cannot listen on 127.0.0.1:{port}: Address already in use; another console or program uses "
            "it; end that, or choose another with --port or console.port"
        )
        with open_socket(Console(port=port), any_port=True) as opened:
            assert opened.getsockname()[1] != port


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machine_is_one_clear_error(host: str) -> None:
    with pytest.raises(ConsoleError, match=r"give .*an address of this machine"):
        open_socket(Console(host=host, port=free_port()))


# -- TLS -----------------------------------------------------------------------------------------------------------


async def test_with_a_certificate_it_speaks_https_and_its_cookies_are_secure(
    make_hall: MakeHall, tmp_path: Path
) -> None:
    make_certificate(tmp_path)
    hall = make_hall()
    hall.configure(tls_cert_file=str(tmp_path / "server.crt"), tls_key_file=str(tmp_path / "server.key"))
    await hall.start()
    assert hall.address.startswith("https://")
    trusted = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    async with Browser(hall.address, verify=trusted) as browser:
        answer = await browser.sign_in("operator")
        session = next(one for one in answer.headers.get_list("set-cookie") if "velodrome_login" not in one)
        assert session.startswith(f"__Host-velodrome_{hall.console.port}=")
        assert "Secure" in session
        async with browser.events() as stream:
            await stream.linked(mqtt="up")
        assert (await browser.order({"type": "open_heat", "heat": "final-a"})).status_code == 200
        assert (await browser.post_form("/logout", {"csrf": browser.csrf}, f"http://{browser.origin[8:]}")).is_error


async def test_a_certificate_that_is_none_is_one_clear_error(make_hall: MakeHall, tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("no certificate")
    hall = make_hall()
    hall.configure(tls_cert_file=str(tmp_path / "a.pem"), tls_key_file=str(tmp_path / "missing.pem"))
    with pytest.raises(ConsoleError, match=r"a\.pem.*give a PEM certificate and its key"):
        await hall.start_console()


# -- slow browsers, and the end ------------------------------------------------------------------------------------


async def test_a_browser_that_reads_nothing_costs_no_more_than_its_buffer_and_is_up_to_date_afterwards(
    hall: Hall,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hall.console.port, limit=64)
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
        writer.write(f"GET /events HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n\r\n".encode())
        await stream.topic("health")
        letters = 1_000_000
        head = {"schema": "velodrome/health/1", "journal_id": 1, "generated_us": 1}
        async with aiomqtt.Client("127.0.0.1", hall.mosquitto.port) as client:
            for number in range(20):
                # New each time: of what stays nothing is sent again.
                padding = chr(ord("a") + number) * letters
                payload = msgspec.json.encode({**head, "seq": 900_000_000 + number, "padding": padding})
                await client.publish(f"{hall.base}/health", payload, qos=1)
                await stream.topic("health", lambda health, seq=900_000_000 + number: health["seq"] == seq)
        received = bytearray()
        while b'"seq":900000019' not in received:
            async with asyncio.timeout(WAIT_S):
                received += await reader.read(1 << 20)
        assert received.count(b"event: snapshot") == 2, "the first, and one in the place of what it missed"
        assert len(received) < 2 * PENDING_BYTES + 6 * letters
    writer.close()


async def test_it_ends_within_a_second_with_streams_open(hall: Hall) -> None:
    loop = asyncio.get_running_loop()
    async with hall.signed_in("operator") as browser, browser.events() as one, browser.events() as other:
        await one.topic("meet")
        await other.topic("meet")
        began_s = loop.time()
        await hall.stop_console()
        assert loop.time() - began_s < 1.0
        with pytest.raises((StopAsyncIteration, httpx.RemoteProtocolError)):
            await one.until(lambda _: False)


# -- the child process ---------------------------------------------------------------------------------------------


class Ear:
    """What the keeper of a console tells."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.complaints: list[str] = []
        self._changed = threading.Condition()

    def told(self, address: str) -> None:
        with self._changed:
            self.addresses.append(address)
            self._changed.notify_all()

    def complained(self, reason: str) -> None:
        with self._changed:
            self.complaints.append(reason)
            self._changed.notify_all()

    def wait(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, WAIT_S), (self.addresses, self.complaints)


def demo_job(folder: Path, port: int, **more: object) -> Job:
    """A console of the demo's accounts without a broker."""
    meet = msgspec.structs.replace(load_meet("tokyo2020-men-keirin"), broker=Broker(port=free_port()))
    return Job(
        meet=meet,
        console=Console(port=port),
        sessions_file=str(folder / "sessions"),
        log_file=str(folder / "console.log"),
        demo=True,
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[[Job], tuple[ConsoleProcess, Ear]]]:
    kept: list[ConsoleProcess] = []

    def start(job: Job) -> tuple[ConsoleProcess, Ear]:
        ear = Ear()
        kept.append(ConsoleProcess(job, ear.told, ear.complained))
        kept[-1].start()
        return kept[-1], ear

    yield start
    for one in kept:
        one.stop()


def answers(address: str) -> bool:
    """Whether somebody serves there."""
    try:
        return httpx.get(address, timeout=2).status_code == 303
    except httpx.TransportError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


Keep = Callable[[Job], tuple[ConsoleProcess, Ear]]


async def test_a_console_that_is_killed_comes_back_where_it_was_and_nobody_has_to_sign_in_again(
    keep: Keep, tmp_path: Path
) -> None:
    process, ear = keep(demo_job(tmp_path, free_port()))
    await asyncio.to_thread(ear.wait, lambda: len(ear.addresses) == 1)
    async with Browser(ear.addresses[0]) as browser:
        assert (await browser.sign_in("operator", DEMO_PASSWORD, "operator")).status_code == 303
        killed = process.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await asyncio.to_thread(wait_until, lambda: process.pid != killed and answers(ear.addresses[0]))
        assert (await browser.get("/operator")).status_code == 200
    assert ear.addresses == [process.words], "told once, because it is the same"


def test_a_port_in_use_is_told_once_and_tried_again_until_it_is_free(keep: Keep, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process, ear = keep(demo_job(tmp_path, port))
        ear.wait(lambda: bool(ear.complaints))
        assert f"cannot listen on 127.0.0.1:{port}" in ear.complaints[0]
        assert process.words.startswith("not running: the console cannot listen")
    ear.wait(lambda: ear.addresses == [f"http://127.0.0.1:{port}/"])
    assert len(ear.complaints) == 1


def test_the_demo_takes_another_port_when_its_own_is_taken(keep: Keep, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        _, ear = keep(demo_job(tmp_path, port, any_port=True))
        ear.wait(lambda: bool(ear.addresses))
        assert ear.addresses[0] != f"http://127.0.0.1:{port}/"
        assert answers(ear.addresses[0])


def test_a_console_ends_with_whoever_started_it_however_that_ended(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    port = free_port()
    arguments = [*command()[:1], "-m", "timing.control.console.worker"]
    with subprocess.Popen(
        arguments, stdin=read_end, stdout=subprocess.PIPE, text=True, env=environment(tmp_path)
    ) as child:
        os.close(read_end)
        os.write(write_end, msgspec.json.encode(demo_job(tmp_path, port)) + b"\n")
        assert child.stdout is not None
        assert child.stdout.readline() == f"http://127.0.0.1:{port}/\n"
        os.close(write_end)
        assert child.wait(WAIT_S) == 0
    assert not answers(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("line", ["", "\n", "no job\n", "{}\n"])
def test_a_console_without_a_job_ends(tmp_path: Path, line: str) -> None:
    arguments = [*command()[:1], "-m", "timing.control.console.worker"]
    done = subprocess.run(
        arguments, input=line, capture_output=True, text=True, env=environment(tmp_path), timeout=WAIT_S, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
