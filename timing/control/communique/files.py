"""Writes documents where the office prints them: whole or not at all, under names that sort by number."""

import os
import re
import unicodedata
from pathlib import Path
from typing import Final, Literal

import msgspec

from timing.control.communique.content import Communique
from timing.control.communique.html import render_html
from timing.control.communique.pdf import DocumentError, render_pdf
from timing.control.communique.sheets import render_csv, render_xlsx

FileFormat = Literal["pdf", "html", "csv", "xlsx", "json"]
FORMATS: Final[tuple[FileFormat, ...]] = ("pdf", "html", "csv", "xlsx", "json")


class Written(msgspec.Struct, frozen=True):
    """A file that was written, and what a person should know about it."""

    path: Path
    warning: str


def file_name(document: Communique, file_format: FileFormat) -> str:
    """`017-result-r1-2.pdf`."""
    subject = f"-{plain(document.subject)}" if document.subject else ""
    return f"{document.number:03d}-{document.kind.replace('_', '-')}{subject}.{file_format}"


def plain(text: str) -> str:
    """Letters, digits and hyphens: a name that every file system takes."""
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", bare).strip("-")


def render(document: Communique, file_format: FileFormat) -> tuple[bytes, str]:
    """The document's bytes in a format and a warning, empty where there is none. Raises DocumentError."""
    if file_format == "pdf":
        printed = render_pdf(document)
        return printed.data, printed.warning
    if file_format == "html":
        return render_html(document).encode(), ""
    if file_format == "csv":
        # The mark tells spreadsheets that the text is UTF-8.
        return b"\xef\xbb\xbf" + render_csv(document).encode(), ""
    if file_format == "xlsx":
        return render_xlsx(document), ""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n", ""


def write(document: Communique, folder: Path, file_format: FileFormat) -> Written:
    """Write a document into a folder. Raises DocumentError where it cannot be written."""
    data, warning = render(document, file_format)
    path = folder / file_name(document, file_format)
    write_whole(path, data)
    return Written(path, warning)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it. Raises DocumentError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DocumentError(f"{path.parent}: {error.strerror}; give a folder that can be written to") from error
    try:
        with beside.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise DocumentError(f"{path}: {error.strerror}; give a folder that can be written to") from error
