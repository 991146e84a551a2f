"""The same content as CSV and as a workbook."""

import csv
import io
import zipfile
from datetime import UTC, datetime

from timing.control.communique.content import Communique, Facts, Table, Text

ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""The date of every file in the workbook: the same content gives the same bytes."""
SHEET_NAME = 31
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render_csv(document: Communique) -> str:
    """Tables one below the other, each behind its title; UTF-8 with a mark is written by `files`."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    for line in _heading(document):
        write(line)
    for block in document.blocks:
        if isinstance(block, Table):
            write([])
            if block.title:
                write([block.title])
            write([column.title for column in block.columns])
            for row in block.rows:
                write([_harmless(cell) for cell in row])
        elif isinstance(block, Facts):
            write([])
            for pair in block.pairs:
                write([_harmless(cell) for cell in pair])
        elif isinstance(block, Text):
            write([])
            for line_ in block.lines:
                write([_harmless(line_)])
    return out.getvalue()


def _harmless(cell: str) -> str:
    """A name that begins as a formula must not become one in a spreadsheet; a gap (`+0.010`) stays a number."""
    if cell.startswith(FORMULA) and not cell[1:].replace(".", "").replace(":", "").isdigit():
        return f"'{cell}"
    return cell


def render_xlsx(document: Communique) -> bytes:
    """A workbook with a sheet for the head and one for each table."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font

    book = Workbook()
    issued = datetime.fromtimestamp(document.issued_us // 1_000_000, UTC).replace(tzinfo=None)
    book.properties.created = book.properties.modified = issued
    book.properties.creator = document.meet
    first = book.active
    assert first is not None
    first.title = "Communiqué"
    for line in _heading(document):
        first.append(line)
    for block in document.blocks:
        if isinstance(block, Facts):
            for pair in block.pairs:
                first.append(list(pair))
        elif isinstance(block, Text):
            for sentence in block.lines:
                first.append([sentence])
    first.column_dimensions["A"].width = 28
    first.column_dimensions["B"].width = 60
    for count, table in enumerate((one for one in document.blocks if isinstance(one, Table)), start=1):
        sheet = book.create_sheet(_sheet_name(table.title or document.title, count))
        sheet.append([column.title for column in table.columns])
        for row in table.rows:
            sheet.append(list(row))
        for index, column in enumerate(table.columns, start=1):
            widest = max([len(column.title), *(len(row[index - 1]) for row in table.rows)])
            letter = sheet.cell(1, index).column_letter
            sheet.column_dimensions[letter].width = min(widest + 3, 60)
            for cell in sheet[letter]:
                cell.alignment = Alignment(horizontal={"centre": "center"}.get(column.align, column.align))
                # Written as text: a bib, a gap and a place in brackets stay what they are.
                cell.data_type = "s"
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        sheet.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return _undated(out.getvalue(), issued)


def _heading(document: Communique) -> list[list[str]]:
    lines = [
        ["Meet", document.meet],
        ["Venue", document.venue],
        ["Event", document.event],
        ["Document", " · ".join(filter(None, (document.title, document.subtitle)))],
        ["Communiqué", str(document.number)],
        ["Issued", f"{document.issued} by {document.issued_by}"],
    ]
    if document.status:
        lines.append(["Status", document.status])
    if document.corrects is not None:
        lines.append(["Corrects", f"communiqué {document.corrects}: {document.correction}"])
    lines.append(["Journal", f"row {document.proof.row}, content {document.proof.content}"])
    return [[name, _harmless(value)] for name, value in lines]


def _sheet_name(title: str, count: int) -> str:
    bare = "".join(one for one in title if one not in "[]:*?/\\'")
    return f"{count} {bare}"[:SHEET_NAME]


def _undated(workbook: bytes, issued: datetime) -> bytes:
    """The workbook with the dates that the clock put into it replaced."""
    out = io.BytesIO()
    stamp = issued.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    with zipfile.ZipFile(io.BytesIO(workbook)) as read, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as write:
        for name in sorted(read.namelist()):
            data = read.read(name)
            if name == "docProps/core.xml":
                data = _with_date(data, stamp)
            write.writestr(zipfile.ZipInfo(name, ZIP_DATE), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _with_date(core: bytes, stamp: bytes) -> bytes:
    begin = core.find(b"<dcterms:modified")
    start = core.find(b">", begin) + 1
    end = core.find(b"<", start)
    return core if begin < 0 else core[:start] + stamp + core[end:]
