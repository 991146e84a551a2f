"""The photo-finish image of a heat: found by the camera's own names, whole, newest, and nothing else of the disk."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from config.loader import load_setup
from tests.timing.control.console.hall import Hall
from timing.control.console.photos import LARGEST_BYTES, PhotoFolder

JPEG = b"\xff\xd8\xff" + bytes(100) + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100) + b"IEND\xaeB`\x82"
SECOND_NS = 1_000_000_000


@pytest.fixture
def photos(tmp_path: Path) -> PhotoFolder:
    """The folder of the Tokyo meet, empty."""
    return PhotoFolder(tmp_path, load_setup("tokyo2020-men-keirin").meet)


def write(path: Path, data: bytes = JPEG, at_s: int = 1_700_000_000) -> None:
    """An image, written at that second."""
    path.write_bytes(data)
    os.utime(path, ns=(at_s * SECOND_NS, at_s * SECOND_NS))


@pytest.mark.parametrize(
    ("name", "heat"),
    [
        ("001-1-01.jpg", "r1-1"),
        ("1-1-1.JPEG", "r1-1"),
        ("001-1-01 b.jpg", "r1-1"),
        ("001-1-01-2.jpg", "r1-1"),
        ("001-2-04.jpg", "rep-4"),
        ("final-a.jpg", "final-a"),
        ("Final-B (2).jpg", "final-b"),
    ],
)
def test_names_of_the_camera_and_of_the_meet_name_the_heat(
    photos: PhotoFolder, tmp_path: Path, name: str, heat: str
) -> None:
    write(tmp_path / name)
    found = photos.newest(heat)
    assert found is not None
    assert (found.name, found.data, found.media_type) == (name, JPEG, "image/jpeg")
    others = [one.id for one in load_setup("tokyo2020-men-keirin").meet.heats if one.id != heat]
    assert [one for one in others if photos.newest(one) is not None] == []


def test_the_newest_whole_image_counts_and_a_half_written_one_waits(photos: PhotoFolder, tmp_path: Path) -> None:
    write(tmp_path / "1-1-1.jpg", at_s=1_700_000_000)
    write(tmp_path / "1-1-1 b.png", PNG, at_s=1_700_000_010)
    write(tmp_path / "1-1-1 c.jpg", JPEG[:50], at_s=1_700_000_020)
    first = photos.newest("r1-1")
    assert first is not None
    assert (first.name, first.media_type, first.written_us) == ("1-1-1 b.png", "image/png", 1_700_000_010_000_000)

    write(tmp_path / "1-1-1 c.jpg", JPEG, at_s=1_700_000_021)
    second = photos.newest("r1-1")
    assert second is not None
    assert second.name == "1-1-1 c.jpg"
    assert second.version != first.version


def test_what_is_no_image_of_the_folder_is_never_served(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photos = PhotoFolder(folder, load_setup("tokyo2020-men-keirin").meet)
    secret = tmp_path / "secret.jpg"
    write(secret)
    (folder / "1-1-1.jpg").symlink_to(secret)
    (folder / "1-1-1 b.jpg").mkdir()
    write(folder / "1-1-1.txt")
    write(folder / "1-1-1 text.jpg", b"not an image")
    write(folder / "11-1-1.jpg")
    assert photos.newest("r1-1") is None
    for name in ("../secret", "..", "", "r1-1/../..", "secret"):
        assert photos.newest(name) is None, name


def test_an_image_too_large_for_a_finish_is_left_alone(photos: PhotoFolder, tmp_path: Path) -> None:
    with (tmp_path / "1-1-1.jpg").open("wb") as file:
        file.write(JPEG)
        file.truncate(LARGEST_BYTES + 1)
    assert photos.newest("r1-1") is None


def test_a_folder_that_is_not_there_is_an_error_and_not_an_empty_answer(tmp_path: Path) -> None:
    photos = PhotoFolder(tmp_path / "unmounted", load_setup("tokyo2020-men-keirin").meet)
    with pytest.raises(FileNotFoundError):
        photos.newest("r1-1")


async def test_the_image_is_served_to_officials_and_to_nobody_else(make_hall: Callable[[], Hall]) -> None:
    hall = make_hall()
    folder = hall.folder / "photos"
    folder.mkdir()
    hall.configure(photo_finish_folder=str(folder))
    await hall.start()
    async with hall.signed_in("judge") as judge:
        assert (await judge.get("/photos/r1-1/newest")).json() == {"name": None}
        assert (await judge.get("/photos/r1-1")).status_code == 404
        write(folder / "1-1-1.jpg")
        news = (await judge.get("/photos/r1-1/newest")).json()
        assert (news["name"], news["written_us"]) == ("1-1-1.jpg", 1_700_000_000_000_000)
        image = await judge.get(f"/photos/r1-1?version={news['version']}")
        assert (image.content, image.headers["content-type"]) == (JPEG, "image/jpeg")
        assert "immutable" in image.headers["cache-control"]
        assert (await judge.get("/photos/r1-1?version=other")).headers["cache-control"] == "no-store"
        for path in ("/photos/..%2f..%2fetc%2fpasswd", "/photos/../../etc/passwd", "/photos/r1-1/newest/more"):
            assert (await judge.get(path)).status_code == 404
    async with hall.signed_in("announcer") as announcer:
        assert (await announcer.get("/photos/r1-1")).status_code == 403
    async with hall.browser() as nobody:
        assert (await nobody.get("/photos/r1-1")).status_code == 401
    folder.rename(hall.folder / "elsewhere")
    async with hall.signed_in("judge") as judge:
        answer = await judge.get("/photos/r1-1/newest")
        assert (answer.status_code, answer.json()["key"]) == (503, "photo_folder_unreadable")
