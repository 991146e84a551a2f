"""The console as a child of `velodrome run` and `velodrome demo`: started, watched, started again.

All of it happens in threads of its own, and the child is a process of its own: timing does not wait for any of it. The
child reads its job from its standard input and ends when that is closed, so that it never outlives its parent.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from timing.control.console.job import Job

BACK_OFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_AFTER_S: Final = 30.0
"""A console that lived so long is started again at once when it dies."""
STOP_TIMEOUT_S: Final = 2.5

Told = Callable[[str], None]

log = structlog.get_logger("console")


class ConsoleProcess:
    """Keeps one console alive. `told` hears its address whenever that is new, `complained` what it says goes wrong.

    Both are called from other threads.
    """

    def __init__(self, job: Job, told: Told, complained: Told) -> None:
        self._job = job
        self._told = told
        self._complained = complained
        self._told_address = ""
        self._told_reason = ""
        self._wanted = threading.Event()
        self._child: subprocess.Popen[str] | None = None
        self._keeping = threading.Thread(target=self._keep, name="console-keeper", daemon=True)
        self.words = "starting"
        """The address while the console answers, else what is the matter: for a view."""

    @property
    def pid(self) -> int | None:
        """The process of the console, alive or not; None before there was one."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start it; returns at once."""
        self._keeping.start()

    def stop(self) -> None:
        """End it and wait for its end; safe to call twice, and without a start."""
        self._wanted.set()
        child = self._child
        if child is not None:
            _hang_up(child)
        if self._keeping.is_alive():
            self._keeping.join(2 * STOP_TIMEOUT_S)

    def _keep(self) -> None:
        attempt = 0
        while not self._wanted.is_set():
            began_s = time.monotonic()
            try:
                reason = self._serve_once()
            except OSError as error:
                reason = f"velodrome: the console cannot be started: {error.strerror}"
            if self._wanted.is_set():
                return
            attempt = 0 if time.monotonic() - began_s > STEADY_AFTER_S else attempt
            self.words = f"not running: {reason.removeprefix('velodrome: ')}"
            log.warning("console_ended", reason=reason)
            if reason != self._told_reason:
                self._told_reason = reason
                self._complained(reason)
            self._wanted.wait(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
            attempt += 1

    def _serve_once(self) -> str:
        """One child, from its start to its end. Returns why it ended."""
        child = subprocess.Popen(
            [sys.executable, "-m", "timing.control.console.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            # Ctrl-C at the terminal goes to the parent alone, which then ends the console.
            start_new_session=True,
        )
        self._child = child
        complaints: list[str] = []
        hearing = threading.Thread(target=self._hear, args=(child, complaints), name="console-ear", daemon=True)
        hearing.start()
        try:
            self._give_job(child)
            assert child.stdout is not None
            for line in child.stdout:
                self._answers(line.strip())
            code = child.wait()
        finally:
            _end(child)
        hearing.join(STOP_TIMEOUT_S)
        return complaints[-1] if complaints else f"velodrome: the console ended with code {code}"

    def _give_job(self, child: "subprocess.Popen[str]") -> None:
        assert child.stdin is not None
        try:
            child.stdin.write(msgspec.json.encode(self._job).decode() + "\n")
            child.stdin.flush()
        except BrokenPipeError:
            # It died before it could read; its last words and its end tell why.
            return
        if self._wanted.is_set():
            _hang_up(child)

    def _answers(self, address: str) -> None:
        self.words = address
        self._told_reason = ""
        if address != self._told_address:
            self._told_address = address
            self._told(address)
        port = int(address.rstrip("/").rpartition(":")[2])
        # A console that comes back is found where it was.
        self._job = msgspec.structs.replace(
            self._job, console=msgspec.structs.replace(self._job.console, port=port), any_port=False
        )

    def _hear(self, child: "subprocess.Popen[str]", complaints: list[str]) -> None:
        """Its standard error: one line that says why it cannot serve, or whatever Python says at its death."""
        assert child.stderr is not None
        for line in child.stderr:
            if line.strip():
                complaints.append(line.strip())
                del complaints[:-5]


def _hang_up(child: "subprocess.Popen[str]") -> None:
    """Close its standard input, which ends it."""
    assert child.stdin is not None
    try:
        child.stdin.close()
    except BrokenPipeError:
        # It is gone already, with words of ours still in the pipe.
        return


def _end(child: "subprocess.Popen[str]") -> None:
    """See it go, by force if it does not."""
    _hang_up(child)
    try:
        child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
