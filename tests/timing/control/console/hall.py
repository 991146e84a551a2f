"""A race office on this machine: Mosquitto, the timing service, the console server, and people with browsers.

Everything is real and on free ports; only the passwords' hashes are cheap. The console is served in this process
(`Hall.console`) or as the child process that `velodrome run` starts (`tests/…/test_process.py`).
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
from argon2 import PasswordHasher

from config.models import Account, Console, Setup
from drivers.hostclock import HostClock
from tests.end_to_end.mosquitto import Mosquitto, free_port
from timing.app import Service
from timing.control.console.job import DEMO_ROLES, Job
from timing.control.console.server import serve

WAIT_S = 40.0
PASSWORD = "turn left"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = CHEAP.hash(PASSWORD)

Event = tuple[str, dict[str, Any]]


def actor_of(role: str) -> str:
    """The name of the person who has this role in the tests."""
    return f"{role.capitalize()} One"


ACCOUNTS = tuple(Account(name=actor_of(role), role=role, password_hash=HASH) for role in DEMO_ROLES)


class Hall:
    """The office. `start()` brings up service and console; each can be stopped and started again by itself."""

    def __init__(self, setup: Setup, mosquitto: Mosquitto, folder: Path, clock: HostClock | None = None) -> None:
        self.mosquitto = mosquitto
        self.folder = folder
        self.clock = clock or HostClock()
        self.console = Console(port=free_port(), accounts=ACCOUNTS)
        meet = msgspec.structs.replace(setup.meet, broker=mosquitto.broker, console=self.console)
        self.setup = msgspec.structs.replace(setup, meet=meet)
        self.address = ""
        self.service: Service | None = None
        self._serving: asyncio.Task[None] | None = None
        self._consoling: asyncio.Task[None] | None = None

    @property
    def base(self) -> str:
        """The meet's root on MQTT."""
        return f"velodrome/{self.setup.meet.id}"

    def configure(self, **changes: Any) -> None:
        """Change `[console]` before it is started."""
        self.console = msgspec.structs.replace(self.console, **changes)

    async def start(self) -> Self:
        """Service, then console, and the two joined over the broker."""
        await self.start_service()
        await self.start_console()
        await self.connected()
        return self

    async def connected(self) -> None:
        """Wait until the console has reached the broker."""
        if self.console.accounts and not self.console.tls_cert_file:
            async with self.signed_in(self.console.accounts[0].role) as browser, browser.events() as stream:
                await stream.linked(mqtt="up")

    async def start_service(self) -> Service:
        """The timing service on the office's journal, connected to its broker."""
        service = Service(self.setup, self.folder / "meet.journal", self.clock)
        self.service = service
        self._serving = asyncio.create_task(service.run())
        async with asyncio.timeout(WAIT_S):
            await service.ready.wait()
            await service.connected()
        return service

    async def stop_service(self) -> None:
        """End the core: nothing is heard of it any more."""
        if self._serving is not None and self.service is not None:
            await _end(self._serving)
            self.service.close()
            self._serving = self.service = None

    async def start_console(self) -> str:
        """The console; returns its address."""
        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        meet = msgspec.structs.replace(self.setup.meet, console=self.console)
        job = Job(meet=meet, console=self.console, sessions_file=str(self.folder / "console.sessions"))
        self._consoling = asyncio.create_task(serve(job, answered.set_result))
        async with asyncio.timeout(WAIT_S):
            await asyncio.wait({answered, self._consoling}, return_when=asyncio.FIRST_COMPLETED)
        if self._consoling.done():
            self._consoling.result()
        self.address = answered.result()
        return self.address

    async def stop_console(self) -> None:
        """End the console as Ctrl-C does."""
        if self._consoling is not None:
            await _end(self._consoling)
            self._consoling = None

    async def close(self) -> None:
        """End everything."""
        await self.stop_console()
        await self.stop_service()

    def browser(self) -> "Browser":
        """Somebody's browser, not signed in."""
        return Browser(self.address)

    @contextlib.asynccontextmanager
    async def signed_in(self, role: str, actor: str | None = None) -> "AsyncIterator[Browser]":
        """A browser in which the person of this role has signed in, or another one of the same role."""
        async with self.browser() as browser:
            answer = await browser.sign_in(role, actor=actor)
            assert answer.status_code == 303, answer.text
            yield browser


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Browser:
    """Cookies and the two tokens, as a browser and the page's script keep them."""

    def __init__(self, address: str, **options: Any) -> None:
        self.origin = address.rstrip("/")
        self.http = httpx.AsyncClient(base_url=self.origin, timeout=WAIT_S, **options)
        self.csrf = ""
        self._sent = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """A page; its CSRF token is kept as the page's script would."""
        answer = await self.http.get(path, **options)
        found = re.search(r'data-csrf="([^"]+)"', answer.text)
        if found is not None:
            self.csrf = found[1]
        return answer

    async def post_form(self, path: str, fields: dict[str, str], origin: str | None = None) -> httpx.Response:
        """A form, with the Origin that a browser adds."""
        headers = {"Origin": self.origin if origin is None else origin}
        return await self.http.post(path, data=fields, headers=headers)

    async def sign_in(
        self, role: str, password: str = PASSWORD, actor: str | None = None, goal: str = ""
    ) -> httpx.Response:
        """Through the form, and to the first page."""
        page = await self.http.get("/login")
        token = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert token is not None, page.text
        fields = {"csrf": token[1], "goal": goal, "actor": actor or actor_of(role), "role": role, "password": password}
        answer = await self.post_form("/login", fields)
        if answer.status_code == 303:
            await self.get(answer.headers["location"])
        return answer

    async def order(self, action: dict[str, Any], name: str | None = None, **more: Any) -> httpx.Response:
        """An order as a screen sends it; `headers` replace or take away (None) its own."""
        self._sent += 1
        headers = {"Origin": self.origin, "X-CSRF-Token": self.csrf, "Content-Type": "application/json"}
        headers |= more.pop("headers", {})
        body = {"id": name or f"order-{id(self)}-{self._sent}", "action": action, **more}
        kept = {key: value for key, value in headers.items() if value is not None}
        return await self.http.post("/commands", content=json.dumps(body), headers=kept)

    @contextlib.asynccontextmanager
    async def events(self, last_event_id: str = "") -> "AsyncIterator[Stream]":
        """The stream of events."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        async with self.http.stream("GET", "/events", headers=headers) as answer:
            assert answer.status_code == 200, await answer.aread()
            yield Stream(answer)


class Stream:
    """Server-Sent Events, one after the other, and the picture that they make."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.last_id = ""
        self.number = -1
        self.topics: dict[str, Any] = {}
        self.links: dict[str, Any] = {}
        self.core: dict[str, Any] | None = None
        self._lines = answer.aiter_lines()

    async def next(self) -> Event:
        """The next event. Raises StopAsyncIteration at the end; fails when a number is left out."""
        kind, data = "", ""
        async with asyncio.timeout(WAIT_S):
            while True:
                line = await anext(self._lines)
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    self.last_id = value
                elif name == "data":
                    data = value
                elif line == "" and kind:
                    fields = json.loads(data)
                    self._take(kind, fields)
                    return kind, fields

    async def until(self, wanted: Callable[[Event], bool]) -> Event:
        """Read on until an event is as wanted."""
        while True:
            event = await self.next()
            if wanted(event):
                return event

    async def first(self, kind: str) -> dict[str, Any]:
        """The next event of this kind."""
        return (await self.until(lambda event: event[0] == kind))[1]

    async def linked(self, **wanted: str) -> dict[str, Any]:
        """Wait until the links are so; returns the newest of what was said about them."""
        while not all(self.links.get(name) == state for name, state in wanted.items()):
            await self.next()
        return self.links

    async def topic(self, topic: str, holds: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Wait until a topic is there and as wanted."""
        while not (topic in self.topics and holds(self.topics[topic])):
            await self.next()
        found: dict[str, Any] = self.topics[topic]
        return found

    def _take(self, kind: str, fields: dict[str, Any]) -> None:
        if kind == "snapshot":
            self.number = fields["n"]
            self.topics = dict(fields["topics"])
        elif kind in ("delta", "passing"):
            assert fields["n"] == self.number + 1, f"after {self.number} came {fields['n']}"
            self.number = fields["n"]
            if kind == "delta":
                self.topics[fields["topic"]] = after_delta(self.topics, fields)
        if kind == "links":
            self.links = fields
        elif kind in ("snapshot", "beat"):
            self.links, self.core = fields["links"], fields["core"]


def after_delta(topics: dict[str, Any], delta: dict[str, Any]) -> Any:
    """What a topic is after a delta of the stream."""
    return patched(topics[delta["topic"]], delta["patch"]) if "patch" in delta else delta["payload"]


def patched(before: Any, patch: Any) -> Any:
    """A JSON value after a patch, as `store.js` has it."""
    if isinstance(patch, dict):
        changed = {key: patched(before.get(key), one) for key, one in patch.items() if one != []}
        return {key: value for key, value in before.items() if key not in patch} | changed
    if len(patch) == 1:
        return patch[0]
    kept, elements, more = patch
    return [patched(one, elements[str(i)]) if str(i) in elements else one for i, one in enumerate(before[:kept])] + more
