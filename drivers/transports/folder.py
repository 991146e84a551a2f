"""A folder in which another program drops result files (FinishLynx LIF, hardware-protocols §4).

The listing of the folder is the truth; the system's change notifications only say when to look early. Network
shares send none, so the folder is looked at twice a second in any case. A file counts as written when two
looks 0.1 s apart see the same size and time and it ends in a line feed. One that stays without it is delivered
after 5 s all the same, so that the protocol can say that it is unfinished; when it grows it is delivered anew.
"""

import asyncio
import hashlib
import os
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import ClassVar

import msgspec
import structlog
import watchfiles

from drivers.errors import OpenFailed, SendNotSupported, TransportLost
from drivers.hostclock import HostClock
from drivers.transports.address import FolderAddress
from drivers.transports.base import Chunk, Inbox

LOOK_EVERY_S = 0.5
"""Half the second within which an operator expects to see a result that was saved on a network share."""

SETTLE_S = 0.1
"""A program writes a result sheet in one or two calls; ten times what a slow share takes between them."""

UNFINISHED_TOLD_S = 5.0
"""A program that has not written for so long will not: the operator must hear of its half file."""

_log = structlog.get_logger()


class _Version(msgspec.Struct, frozen=True):
    """What tells one state of a file from another without reading it."""

    size: int
    modified_ns: int
    inode: int


class FolderTransport:
    """Each file that is new or changed becomes one chunk: its whole contents."""

    lost_advice: ClassVar[str] = "check the folder, or the network share that it is on; looking again by itself"

    def __init__(self, address: FolderAddress, clock: HostClock) -> None:
        self.where = address.text
        self._folder = Path(address.path)
        self._pattern = address.pattern.lower()
        self._clock = clock
        self._inbox = Inbox()
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._last_seen: dict[str, _Version] = {}
        self._finished: dict[str, _Version] = {}
        self._digests: dict[str, bytes] = {}
        self._complained: dict[str, _Version] = {}
        # Version of a file without a last line end, and since when (system's monotonic clock).
        self._unfinished: dict[str, tuple[_Version, float]] = {}

    async def open(self) -> None:
        """Begin to look, at files already there too. Raises `OpenFailed`: no such folder, no access."""
        try:
            await asyncio.to_thread(os.listdir, self._folder)
        except FileNotFoundError as error:
            raise OpenFailed(self.where, f"there is no folder {self._folder}", self._how_to_mend()) from error
        except NotADirectoryError as error:
            raise OpenFailed(self.where, f"{self._folder} is a file", "write the folder that it is in") from error
        except OSError as error:
            reason = f"the folder {self._folder} cannot be read ({error.strerror})"
            raise OpenFailed(self.where, reason, "give this user the right to read it") from error
        for job in (self._look_again_and_again(), self._watch()):
            task = asyncio.create_task(job)
            task.add_done_callback(self._report_end)
            self._tasks.append(task)

    async def receive(self) -> Chunk:
        """The whole contents of the next finished file, oldest first. Raises `TransportLost`."""
        return await self._inbox.get()

    async def send(self, data: bytes) -> None:
        """Raises `SendNotSupported`: there is nobody behind a folder who answers."""
        advice = "reach this box over serial, TCP or MQTT, or give it a protocol that only listens"
        raise SendNotSupported(self.where, "a folder takes no questions", advice)

    async def close(self) -> None:
        """Stop looking."""
        self._inbox.fail(TransportLost(self.where, "the line was closed", "open it again"))
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_again_and_again(self) -> None:
        while True:
            self._changed.clear()
            try:
                contents, unsettled = await asyncio.to_thread(self._look)
            except OSError as error:
                reason = f"the folder {self._folder} is gone ({error.strerror})"
                raise TransportLost(self.where, reason, self.lost_advice) from error
            for data in contents:
                self._inbox.put(Chunk(data, self._clock.now_us()))
            if unsettled:
                await asyncio.sleep(SETTLE_S)
                continue
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _watch(self) -> None:
        try:
            # The shortest collecting times: _look decides for itself whether a file is finished.
            async for _ in watchfiles.awatch(
                self._folder, watch_filter=None, debounce=50, step=10, rust_timeout=1_000, recursive=False
            ):
                self._changed.set()
        except OSError as error:
            # No notifications here (a limit of the system, a share): the regular look goes on without.
            _log.info("folder_without_notifications", folder=str(self._folder), reason=str(error))

    def _look(self) -> tuple[list[bytes], bool]:
        """The files finished since the last look, oldest first, and whether others may be being written."""
        versions = self._list_versions()
        for name in self._finished.keys() - versions.keys():
            del self._finished[name]
        contents: list[bytes] = []
        unsettled = False
        for name, version in sorted(versions.items(), key=lambda item: (item[1].modified_ns, item[0])):
            if self._finished.get(name) == version:
                continue
            if self._last_seen.get(name) != version:
                unsettled = True
                continue
            data = self._read_finished(name, version)
            if data is not None:
                contents.append(data)
        self._last_seen = versions
        return contents, unsettled

    def _list_versions(self) -> dict[str, _Version]:
        versions: dict[str, _Version] = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if not fnmatch(entry.name.lower(), self._pattern):
                    continue
                try:
                    if entry.is_file():
                        facts = entry.stat()
                        versions[entry.name] = _Version(facts.st_size, facts.st_mtime_ns, facts.st_ino)
                except FileNotFoundError:
                    # Removed or renamed between the listing and this look: no file to report.
                    continue
        return versions

    def _read_finished(self, name: str, version: _Version) -> bytes | None:
        """The contents, or None when the file is unfinished, unreadable now, or says nothing new."""
        try:
            data = (self._folder / name).read_bytes()
        except OSError as error:
            # Windows programs lock a file while they save it; the next look tries again.
            self._complain_once(name, version, f"it cannot be read ({error.strerror})")
            return None
        if not data.endswith(b"\n"):
            self._complain_once(name, version, "its last line is not finished")
            if not data or not self._stays_unfinished(name, version):
                return None
        self._finished[name] = version
        digest = hashlib.sha256(data).digest()
        if self._digests.get(name) == digest:
            return None
        self._digests[name] = digest
        return data

    def _stays_unfinished(self, name: str, version: _Version) -> bool:
        now_s = time.monotonic()
        seen, since_s = self._unfinished.get(name, (version, now_s))
        if seen != version:
            since_s = now_s
        self._unfinished[name] = (version, since_s)
        return now_s - since_s >= UNFINISHED_TOLD_S

    def _complain_once(self, name: str, version: _Version, reason: str) -> None:
        if self._complained.get(name) != version:
            self._complained[name] = version
            _log.warning("file_not_taken", file=str(self._folder / name), reason=reason)

    def _how_to_mend(self) -> str:
        parent = self._folder.parent
        if parent.is_dir():
            return f"create it, or write the right one ({parent} exists)"
        return f"connect the share or write the right path ({parent} does not exist either)"

    def _report_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._inbox.fail(error)
