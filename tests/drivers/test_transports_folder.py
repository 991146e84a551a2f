"""A folder as a line: which files are delivered, when, how often."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import watchfiles

from config.models import Broker
from drivers.errors import OpenFailed, SendNotSupported, TransportLost
from drivers.hostclock import HostClock
from drivers.transports import Transport, create_transport, folder

WAIT_S = 3


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    path = tmp_path / "lynx"
    path.mkdir()
    return path


@pytest.fixture
async def transport(drop: Path, clock: HostClock) -> AsyncIterator[Transport]:
    line = create_transport(f"folder:{drop}?pattern=*.lif", clock, Broker())
    await line.open()
    yield line
    await line.close()


async def next_file(transport: Transport) -> bytes:
    async with asyncio.timeout(WAIT_S):
        return (await transport.receive()).data


async def test_files_that_are_there_already_come_first_and_oldest_first(drop: Path, clock: HostClock) -> None:
    for number, name in enumerate(["b.lif", "a.lif", "C.LIF"]):
        (drop / name).write_text(f"{name}\n")
        os.utime(drop / name, ns=(number, number))
    line = create_transport(f"folder:{drop}?pattern=*.lif", clock, Broker())
    await line.open()
    assert [await next_file(line) for _ in range(3)] == [b"b.lif\n", b"a.lif\n", b"C.LIF\n"]
    await line.close()


async def test_a_new_file_is_one_chunk_with_its_whole_contents(drop: Path, transport: Transport) -> None:
    contents = b"1,1,1,Keirin,,,,,,\r\n" * 10_000
    (drop / "001-1-01.lif").write_bytes(contents)
    assert await next_file(transport) == contents


async def test_only_files_of_the_pattern_are_delivered(drop: Path, transport: Transport) -> None:
    (drop / "start.ppl").write_text("not ours\n")
    (drop / "folder.lif").mkdir()
    (drop / "ours.lif").write_text("ours\n")
    assert await next_file(transport) == b"ours\n"


async def test_a_half_written_file_waits_for_its_last_line_feed(drop: Path, transport: Transport) -> None:
    (drop / "half.lif").write_bytes(b"1,1,1,Kei")
    # A second file that is complete shows that the half one had its turn and was passed over.
    (drop / "whole.lif").write_bytes(b"whole\n")
    assert await next_file(transport) == b"whole\n"
    with (drop / "half.lif").open("ab") as file:
        file.write(b"rin\n")
    assert await next_file(transport) == b"1,1,1,Keirin\n"


async def test_a_file_that_stays_unfinished_is_delivered_once_so_that_somebody_hears_of_it(
    drop: Path, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "UNFINISHED_TOLD_S", 0.2)
    (drop / "half.lif").write_bytes(b"1,1,1,Kei")
    assert await next_file(transport) == b"1,1,1,Kei"
    (drop / "other.lif").write_bytes(b"other\n")
    assert await next_file(transport) == b"other\n"
    with (drop / "half.lif").open("ab") as file:
        file.write(b"rin\n")
    assert await next_file(transport) == b"1,1,1,Keirin\n"


async def test_a_changed_file_is_delivered_again_and_one_saved_unchanged_is_not(
    drop: Path, transport: Transport
) -> None:
    (drop / "result.lif").write_text("unofficial\n")
    assert await next_file(transport) == b"unofficial\n"
    (drop / "result.lif").write_text("unofficial\n")
    (drop / "other.lif").write_text("other\n")
    assert await next_file(transport) == b"other\n"
    (drop / "result.lif").write_text("official\n")
    assert await next_file(transport) == b"official\n"


async def test_a_share_without_notifications_is_polled(
    drop: Path, clock: HostClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_notifications(*_: object, **__: object) -> None:
        raise OSError("inotify limit reached")

    monkeypatch.setattr(watchfiles, "awatch", no_notifications)
    line = create_transport(f"folder:{drop}", clock, Broker())
    await line.open()
    (drop / "result.lif").write_text("seen all the same\n")
    assert await next_file(line) == b"seen all the same\n"
    await line.close()


async def test_a_folder_that_vanishes_is_a_loss(drop: Path, transport: Transport) -> None:
    shutil.rmtree(drop)
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(TransportLost) as caught:
            await transport.receive()
    assert "is gone" in caught.value.reason
    assert "share" in caught.value.advice


@pytest.mark.parametrize(
    ("path", "reason", "advice"),
    [
        ("absent", "there is no folder", "create it"),
        ("absent/deeper", "there is no folder", "does not exist either"),
        ("file.lif", "is a file", "write the folder"),
    ],
)
async def test_a_wrong_folder_is_told(tmp_path: Path, clock: HostClock, path: str, reason: str, advice: str) -> None:
    (tmp_path / "file.lif").write_text("a file\n")
    line = create_transport(f"folder:{tmp_path / path}", clock, Broker())
    with pytest.raises(OpenFailed) as caught:
        await line.open()
    assert reason in caught.value.reason
    assert advice in caught.value.advice
    await line.close()


async def test_nobody_behind_a_folder_answers(transport: Transport) -> None:
    with pytest.raises(SendNotSupported):
        await transport.send(b"?")


async def test_closing_ends_every_task(drop: Path, clock: HostClock) -> None:
    tasks_before = asyncio.all_tasks()
    line = create_transport(f"folder:{drop}", clock, Broker())
    await line.open()
    await line.close()
    assert asyncio.all_tasks() == tasks_before
    with pytest.raises(TransportLost):
        await line.receive()
