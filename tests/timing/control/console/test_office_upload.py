"""The race office over HTTP: an entry list is read and then taken, documents are served, and all of it by role."""

import io
import os
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import openpyxl
import pytest

from config.loader import load_setup
from tests.end_to_end.mosquitto import Mosquitto
from tests.timing.control.console.hall import Browser, Hall
from timing.control.console.documents import DocumentFolder
from timing.control.console.job import DEMO_ROLES
from timing.control.console.office import MOST_FILE_BYTES, MOST_UNPACKED_BYTES
from timing.race.competition.permits import OFFICE, PERMITTED

MEET = "tokyo2020-men-keirin-rounds"
NAME = "men-keirin"
LIST = Path(__file__).parents[4] / "config" / "meets" / "tokyo2020-men-keirin.csv"
ORDERS: dict[str, dict[str, Any]] = {
    "take_entries": {"entries": []},
    "amend_entry": {"entry": {"bib": "4", "surname": "Kenny"}, "reason": "bib"},
    "withdraw": {"bib": "4", "reason": "ill"},
    "reinstate": {"bib": "4", "reason": "fit again"},
    "draw": {"purpose": "unranked", "seed": "a"},
    "compose": {"round": "r1"},
    "swap_riders": {"round": "r1", "first": "1", "second": "2", "reason": "parted"},
    "confirm_composition": {"round": "r1"},
    "confirm_round": {"round": "r1"},
    "resolve_conflict": {"round": "r1", "decision": "keep", "reason": "appeal"},
    "resolve_tie": {"heat": "r1-1", "order": ["1", "2"], "reason": "the film"},
    "issue_communique": {"kind": "classification"},
}


@pytest.fixture
async def office(mosquitto: Mosquitto, tmp_path: Path) -> AsyncIterator[Hall]:
    """The race office of a meet whose heats arise from its entries, with a folder of printed documents."""
    setup = load_setup(MEET)
    meet = msgspec.structs.replace(setup.meet, devices=())
    hall = Hall(msgspec.structs.replace(setup, meet=meet), mosquitto, tmp_path)
    printed = tmp_path / "printed"
    printed.mkdir()
    hall.configure(documents_folder=str(printed))
    yield await hall.start()
    await hall.close()


async def upload(
    browser: Browser, data: bytes, query: str = "preview=1&name=list.csv", **headers: str
) -> httpx.Response:
    """A file as the screen sends it."""
    known = {"Origin": browser.origin, "X-CSRF-Token": browser.csrf, "Content-Type": "application/octet-stream"}
    return await browser.http.post(f"/office/entries?{query}", content=data, headers=known | headers)


def workbook(rows: list[list[object]]) -> bytes:
    """An XLSX file."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def test_a_list_is_read_then_taken_and_the_next_step_is_published(office: Hall) -> None:
    async with office.signed_in("secretary") as browser, browser.events() as stream:
        topic = f"competitions/{NAME}"
        assert (await stream.topic(topic))["view"]["next"]["action"] == "take_entries"
        read = await upload(browser, LIST.read_bytes(), "preview=1&name=tokyo.csv")
        assert read.status_code == 200, read.text
        found = read.json()
        assert found["columns"]["bib"] == "Bib"
        assert (found["unused"], found["problems"], len(found["entries"])) == ([], [], 30)
        assert (await stream.topic(topic))["view"]["entries"] == [], "reading is not taking"

        taken = await browser.order(
            {"type": "take_entries", "competition": NAME, "entries": found["entries"], "source": "tokyo.csv"}
        )
        assert (taken.status_code, taken.json()["accepted"]) == (200, True), taken.text
        view = (await stream.topic(topic, lambda message: message["view"]["entries"] != []))["view"]
        assert len(view["entries"]) == 30
        assert view["next"]["action"] == "compose"
        composed = await browser.order({"type": "compose", "competition": NAME, "round": "r1"})
        assert composed.status_code == 200, composed.text
        await stream.topic(topic, lambda message: message["view"]["rounds"] != [])
        assert [line["heat"] for line in (await stream.topic("schedule"))["lines"]][:2] == ["r1-1", "r1-2"]
        assert (await stream.topic("communiques"))["issued"] == []


async def test_problems_are_told_by_row_and_another_column_can_be_named(office: Hall) -> None:
    rows: list[list[object]] = [["Chip", "Dossard", "Nom", "Pays"], ["70", 1, "Kenny", "GBR"], ["71", 1, "", "XXX"]]
    async with office.signed_in("president") as browser:
        found = (await upload(browser, workbook(rows), "preview=1&name=list.xlsx")).json()
        assert [(one["row"], one["column"]) for one in found["problems"]] == [
            *((3, "surname"), (3, "nation"), (3, "bib")),
        ]
        assert found["entries"] == []
        other = await upload(browser, workbook(rows[:2]), "preview=1&name=list.xlsx&column=bib=Chip")
        assert other.json()["columns"]["bib"] == "Chip"
        assert other.json()["entries"][0]["bib"] == "70"
        wrong = await upload(browser, workbook(rows), "preview=1&name=list.xlsx&column=bib=Numero")
        assert (wrong.status_code, wrong.json()["key"]) == (422, "entry_file")
        assert "list.xlsx: no column 'Numero': it has Chip, Dossard, Nom, Pays" in wrong.json()["reason"]


async def test_what_is_no_list_is_refused_in_words(office: Hall) -> None:
    swollen = io.BytesIO()
    with zipfile.ZipFile(swollen, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(MOST_UNPACKED_BYTES + 1))
    book = workbook([["Bib", "Name"], [1, "Kenny"]])
    sheet = book.index(b"xl/worksheets/sheet1.xml") + 30
    damaged = book[:sheet] + b"\xff" * 40 + book[sheet + 40 :]
    newer = book[:4] + b"\xff" + book[5:]
    directory = newer.index(b"PK\x01\x02") + 6
    newer = newer[:directory] + b"\xff" + newer[directory + 1 :]
    async with office.signed_in("secretary") as browser:
        for data, status in (
            (b"", 422),
            (b"hello", 422),
            (b'Bib,Name\n1,"Kenny', 422),
            (book[:500], 422),
            (damaged, 422),
            (newer, 422),
            (swollen.getvalue(), 413),
            (bytes(MOST_FILE_BYTES + 1), 413),
        ):
            answer = await upload(browser, data)
            assert answer.status_code == status, (data[:20], answer.text)
            assert answer.json()["reason"]
            assert str(office.folder) not in answer.text
            assert "/tmp" not in answer.text, "where the console keeps it is nobody's affair"


async def test_only_the_race_office_reads_lists_and_documents_and_only_from_its_own_page(office: Hall) -> None:
    for role in DEMO_ROLES:
        async with office.signed_in(role) as browser:
            wanted = 200 if role in OFFICE else 403
            assert (await upload(browser, LIST.read_bytes())).status_code == wanted, role
            assert (await browser.get("/office/communiques")).status_code == wanted, role
            assert (await browser.get("/office")).status_code == wanted, role
    async with office.browser() as nobody:
        assert (await upload(nobody, LIST.read_bytes())).status_code == 401
        assert (await nobody.get("/office/communiques/1.pdf")).status_code == 401
        assert (await nobody.get("/office")).headers["location"] == "/login?goal=office"
    async with office.signed_in("secretary") as browser:
        for headers in ({"Origin": "http://elsewhere.test"}, {"X-CSRF-Token": "x"}):
            answer = await upload(browser, LIST.read_bytes(), **headers)
            assert (answer.status_code, answer.json()["key"]) == (403, "form_expired_text")


@pytest.mark.parametrize("role", DEMO_ROLES)
async def test_an_order_of_the_office_is_refused_to_who_may_not_give_it(office: Hall, role: str) -> None:
    kinds = {str(kind.__struct_config__.tag): allowed for kind, allowed in PERMITTED.items()}
    assert set(kinds) == set(ORDERS), "every order of the office is tried"
    async with office.signed_in(role) as browser:
        for kind, fields in ORDERS.items():
            answer = await browser.order({"type": kind, "competition": NAME, **fields})
            if role in kinds[kind]:
                # Refused by the core for what the competition is; never for who asks.
                assert answer.status_code in (200, 409), (kind, answer.text)
                assert "may not order" not in answer.text
            else:
                assert answer.status_code == 403, kind
                assert f"role '{role}' may not order '{kind}'" in answer.json()["reason"]


@pytest.mark.parametrize("role", ["announcer", "public"])
async def test_the_boards_do_not_see_the_offices_work(office: Hall, role: str) -> None:
    async with office.signed_in("secretary") as browser, browser.events() as stream:
        await stream.topic(f"competitions/{NAME}")
        watcher = office.browser()
        async with watcher:
            if role != "public":
                await watcher.sign_in(role)
            async with watcher.events() as seen:
                await seen.topic("meet")
                hidden = ("competitions/", "communiques", "schedule")
                assert [topic for topic in seen.topics if topic.startswith(hidden)] == []


async def test_printed_documents_are_listed_and_served_and_nothing_beside_them(office: Hall) -> None:
    folder = office.folder / "printed"
    (folder / "001-start-list-r1.pdf").write_bytes(b"%PDF-1.7 start list")
    (folder / "001-start-list-r1.html").write_text("<script>alert(1)</script>", encoding="utf-8")
    (folder / "002-result-r1-1.json").write_text("{}", encoding="utf-8")
    secret = office.folder / "003-secret.pdf"
    secret.write_bytes(b"%PDF secret")
    (folder / "003-secret.pdf").symlink_to(secret)
    (folder / "004-folder.pdf").mkdir()
    (folder / "notes.txt").write_text("not ours", encoding="utf-8")
    async with office.signed_in("commissaire") as browser:
        listed = (await browser.get("/office/communiques")).json()
        assert listed == {
            "folder": True,
            "documents": [
                {"number": 1, "format": "html"},
                {"number": 1, "format": "pdf"},
                {"number": 2, "format": "json"},
            ],
        }
        printed = await browser.get("/office/communiques/1.pdf")
        assert (printed.content, printed.headers["content-type"]) == (b"%PDF-1.7 start list", "application/pdf")
        assert printed.headers["content-disposition"] == 'inline; filename="001-start-list-r1.pdf"'
        page = await browser.get("/office/communiques/1.html")
        assert page.headers["content-disposition"].startswith("attachment"), "nothing in it runs as our page"
        for path in ("3.pdf", "4.pdf", "9.pdf", "1.txt", "1.exe", "..%2f..%2fsecret.pdf", "x.pdf", "-1.pdf"):
            answer = await browser.get(f"/office/communiques/{path}")
            assert answer.status_code == 404, path
        for path in folder.iterdir():
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        folder.rmdir()
        answer = await browser.get("/office/communiques")
        assert (answer.status_code, answer.json()["key"]) == (503, "documents_unreadable")


async def test_without_a_folder_there_are_no_documents(make_hall: Callable[[], Hall]) -> None:
    hall = await make_hall().start()
    async with hall.signed_in("secretary") as browser:
        assert (await browser.get("/office/communiques")).json() == {"folder": False, "documents": []}
        assert (await browser.get("/office/communiques/1.pdf")).json()["key"] == "no_document"


def test_of_two_documents_with_a_number_the_newest_counts(tmp_path: Path) -> None:
    for name, at_s in (("017-result-r1-2.pdf", 20), ("017-result-r1-2-b.pdf", 10)):
        (tmp_path / name).write_bytes(name.encode())
        os.utime(tmp_path / name, (at_s, at_s))
    assert DocumentFolder(tmp_path).read(17, "pdf") == ("017-result-r1-2.pdf", b"017-result-r1-2.pdf")
    assert DocumentFolder(tmp_path).read(17, "csv") is None
