import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import apsw
import pytest

from timing.journal import Entry, Journal

UUID_OF_TESTS = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def journal_path(tmp_path: Path) -> Path:
    return tmp_path / "meet.journal"


@pytest.fixture
def entries() -> Callable[[int], list[Entry]]:
    """Make some different entries."""
    return lambda count: [
        Entry("delivery", 1_000 * n, b'{"n":%d,"rider":"VIGI\xc3\x89"}' % n) for n in range(1, count + 1)
    ]


@pytest.fixture
def written(journal_path: Path, entries: Callable[[int], list[Entry]]) -> Callable[[int], Path]:
    """Make a journal with so many rows, cleanly closed."""

    def write(count: int) -> Path:
        with Journal.create(journal_path, 7, UUID_OF_TESTS) as journal:
            journal.append(entries(count))
        return journal_path

    return write


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Run a program text in a process of its own, with arguments; return what it printed."""

    def run(text: str, *arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def killed(journal_path: Path, run_python: Callable[..., str]) -> Callable[[int], Path]:
    """Make a journal with so many rows, each its own transaction, whose writer ended without closing."""

    def write(count: int) -> Path:
        run_python(
            """
            import os, sys
            from uuid import UUID
            from timing.journal import Entry, Journal
            journal = Journal.create(sys.argv[1], 7, UUID(sys.argv[3]))
            for n in range(1, int(sys.argv[2]) + 1):
                journal.append([Entry("delivery", 1_000 * n, b'{"n":%d}' % n)])
            os._exit(0)
            """,
            journal_path,
            count,
            UUID_OF_TESTS,
        )
        return journal_path

    return write


@pytest.fixture
def tamper() -> Callable[..., None]:
    """Change a journal behind its triggers' back, as an intruder with an SQLite tool would."""

    def change(path: Path, *statements: str) -> None:
        connection = apsw.Connection(str(path))
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(str(sql))
        connection.close()

    return change


@pytest.fixture
def folder_state() -> Callable[[Path], dict[str, tuple[bytes, int]]]:
    """Look into a folder: name to content and time of change; without the -shm, which holds no data."""

    def look(folder: Path, ignore: Sequence[str] = ("-shm",)) -> dict[str, tuple[bytes, int]]:
        return {
            file.name: (file.read_bytes(), file.stat().st_mtime_ns)
            for file in folder.iterdir()
            if not file.name.endswith(tuple(ignore))
        }

    return look
