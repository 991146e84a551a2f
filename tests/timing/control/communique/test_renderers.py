"""The same content on paper, in a browser, in a spreadsheet: nothing missing, the same bytes every time."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from timing.control.communique import fonts
from timing.control.communique.content import Column, Communique, Table
from timing.control.communique.files import FORMATS, FileFormat, file_name, render, write
from timing.control.communique.fonts import choose_fonts
from timing.control.communique.pdf import DocumentError, render_pages, render_pdf

PRINT_AGAIN = """
import hashlib, sys
import msgspec
from timing.control.communique.content import Communique
from timing.control.communique.files import FORMATS, render
document = msgspec.json.decode(sys.stdin.buffer.read(), type=Communique)
print(*(hashlib.sha256(render(document, one)[0]).hexdigest() for one in FORMATS))
"""


def words(data: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)


def renamed(document: Communique, name: str) -> Communique:
    names = Table(columns=(Column("Name", "left", 1),), rows=((name,),))
    return msgspec.structs.replace(document, blocks=(names,))


def test_the_pdf_holds_the_result_its_number_and_who_signs(document: Communique) -> None:
    reader = PdfReader(io.BytesIO(render_pdf(document).data))
    text = words(render_pdf(document).data)

    for piece in ("KENNY Jason", "+0.763", "17", "OFFICIAL", "President of the commissaires", "Page 1 of 2"):
        assert piece in text
    assert "Appendix: pace report" not in reader.pages[0].extract_text()
    width, height = (float(reader.pages[0].mediabox.width), float(reader.pages[0].mediabox.height))
    assert (round(width), round(height)) == (595, 842)


def test_the_same_content_gives_the_same_bytes_in_another_process(document: Communique) -> None:
    here = [hashlib.sha256(render(document, one)[0]).hexdigest() for one in FORMATS]
    ran = subprocess.run(
        [sys.executable, "-c", PRINT_AGAIN],
        input=msgspec.json.encode(document),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TZ": "America/Lima", "LANG": "tr_TR.UTF-8"},
    )

    assert ran.stdout.decode().split() == here


@pytest.mark.parametrize("name", ["BÖTTICHER Stefan", "BÜCHLI Matthijs", "ŠIŠKOVIĆ Ana", "BÁBEK Tomáš", "ĽUPTÁK Ğökçe"])
def test_every_latin_name_is_printed_in_the_font_that_is_always_the_same(document: Communique, name: str) -> None:
    printed = render_pdf(renamed(document, name))

    assert name in words(printed.data)
    assert printed.warning == ""
    assert choose_fonts(name).files == ()


def test_japanese_names_are_printed_where_a_font_for_them_is_installed(document: Communique) -> None:
    printed = render_pdf(renamed(document, "脇本 雄太"))

    assert "脇本" in words(printed.data)
    assert printed.warning == ""


def test_without_such_a_font_the_office_is_told_what_to_install(
    document: Communique, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_system_cjk", lambda: None)

    printed = render_pdf(renamed(document, "脇本 雄太"))

    assert "fonts-noto-cjk" in printed.warning
    assert printed.data.startswith(b"%PDF")


def test_long_lists_run_on_over_pages_with_their_headings(document: Communique) -> None:
    rows = tuple((str(bib), f"A RATHER LONG SURNAME-{bib} With Three Given Names", "REASON " * 40) for bib in range(36))
    long = Table(
        columns=(Column("No.", "right"), Column("Name", "left", 1), Column("Reason", "left", 2)), rows=rows, small=True
    )

    pages = PdfReader(io.BytesIO(render_pdf(msgspec.structs.replace(document, blocks=(long,))).data)).pages

    assert len(pages) > 1
    assert all("Reason" in page.extract_text() for page in pages[:-1])


def test_pages_can_be_looked_at(document: Communique) -> None:
    pages = render_pages(document, 40)

    assert len(pages) == 2
    assert all(page.startswith(b"\x89PNG") for page in pages)


def test_the_web_page_needs_nothing_from_elsewhere_and_escapes_what_it_shows(document: Communique) -> None:
    html = render(renamed(document, "<script>alert(1)</script>"), "html")[0].decode()

    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")


def test_the_csv_reads_back_and_a_name_never_becomes_a_formula(document: Communique) -> None:
    data = render(document, "csv")[0]
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))

    assert ["2", "13", "AWANG Azizulhasni", "MAS", "+0.763"] in [row[:5] for row in rows]
    harmful = render(renamed(document, "=HYPERLINK(1)"), "csv")[0].decode("utf-8-sig")
    assert "'=HYPERLINK(1)" in harmful


def test_the_workbook_holds_every_table_as_text(document: Communique) -> None:
    book = load_workbook(io.BytesIO(render(document, "xlsx")[0]))

    sheet = book.worksheets[1]
    assert [cell.value for cell in sheet[1]][:3] == ["Place", "No.", "Name"]
    assert [cell.value for cell in sheet[3]][:3] == ["2", "13", "AWANG Azizulhasni"]
    assert sheet["E3"].value == "+0.763"
    assert len(book.worksheets) == 1 + sum(isinstance(block, Table) for block in document.blocks)


def test_a_formula_in_a_name_stays_text_in_the_workbook(document: Communique) -> None:
    book = load_workbook(io.BytesIO(render(renamed(document, "=1+1"), "xlsx")[0]))

    assert (book.worksheets[1]["A2"].value, book.worksheets[1]["A2"].data_type) == ("=1+1", "s")


def test_the_json_is_the_content_itself(document: Communique) -> None:
    data = render(document, "json")[0]

    assert msgspec.json.decode(data, type=Communique) == document
    assert json.loads(data)["schema"] == "velodrome/communique/1"


@pytest.mark.parametrize("file_format", FORMATS)
def test_files_sort_by_number_and_appear_whole(document: Communique, tmp_path: Path, file_format: FileFormat) -> None:
    written = write(document, tmp_path / "out", file_format)

    assert written.path.name == f"017-result-final-a.{file_format}"
    assert [one.name for one in written.path.parent.iterdir()] == [written.path.name]
    assert file_name(document, file_format) == written.path.name


def test_a_folder_that_cannot_be_written_gets_one_clear_error(document: Communique, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DocumentError, match="give a folder that can be written to"):
        write(document, tmp_path / "file", "csv")
