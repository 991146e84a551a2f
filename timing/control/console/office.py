"""The race office over HTTP: reading an entry list before it is taken, and the printed documents.

Nothing is taken here: a list that was read goes to the core as any order does (`POST /commands`, `take_entries`).
"""

import asyncio
import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from config.entry_files import EntryFile, EntryFileError, read_entries
from timing.control.console import roles
from timing.control.console.desk import Desk
from timing.control.console.documents import MEDIA_TYPES
from timing.control.console.guard import is_own_origin, read_body
from timing.control.console.sessions import is_csrf_token
from timing.control.console.visits import Visits, json_response

MOST_FILE_BYTES: Final = 2 * 1024 * 1024
MOST_UNPACKED_BYTES: Final = 16 * 1024 * 1024
"""Of a workbook: 500 riders are a hundredth of it, and a file made to swell would fill the console's memory."""
MOST_NAME: Final = 100
MOST_COLUMNS: Final = 20

log = structlog.get_logger("console")


class TooLargeInsideError(Exception):
    """A workbook that would be far larger unpacked than any entry list."""


class Office:
    """The routes of the race office."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._visits = Visits(desk)
        self._reading = asyncio.Lock()

    async def read_entries(self, request: Request) -> Response:
        """How an entry list is read: `{columns, unused, problems, warnings, entries}` of `config.entry_files`.

        The body is the file; `name` in the query is what it is called, `column` (`bib=Dossard`, any number of them)
        says otherwise than the guess.
        """
        refused = self._refuse(request)
        if refused is not None:
            return refused
        if not is_own_origin(request) or not is_csrf_token(
            self._visits.session_id(request), request.headers.get("x-csrf-token", "")
        ):
            return self._visits.refused(request, 403, "form_expired_text")
        if self._reading.locked():
            return self._visits.refused(request, 429, "entry_file_busy")
        async with self._reading:
            body = await read_body(request, MOST_FILE_BYTES)
            return await self._read(request, body)

    async def _read(self, request: Request, body: bytes) -> Response:
        name = Path(request.query_params.get("name", "")).name[-MOST_NAME:] or "entries"
        asked = [one.partition("=") for one in request.query_params.getlist("column")[:MOST_COLUMNS]]
        columns = {field.strip(): heading.strip() for field, _, heading in asked}
        try:
            read = await asyncio.to_thread(_entries, body, name, columns)
        except EntryFileError as error:
            return self._visits.refused(request, 422, "entry_file", what=str(error))
        except TooLargeInsideError:
            return self._visits.refused(request, 413, "too_large_text")
        return json_response(read, 200)

    async def documents(self, request: Request) -> Response:
        """Which documents are printed: `{folder, documents: [{number, format}]}`; `folder` false where none is set."""
        refused = self._refuse(request)
        if refused is not None:
            return refused
        folder = self._desk.documents
        if folder is None:
            return json_response({"folder": False, "documents": []}, 200)
        try:
            found = await asyncio.to_thread(folder.listed)
        except OSError as error:
            return self._unreadable(request, error)
        listed = [{"number": one.number, "format": one.format} for one in found]
        return json_response({"folder": True, "documents": listed}, 200)

    async def document(self, request: Request) -> Response:
        """A document by its number and format."""
        refused = self._refuse(request)
        if refused is not None:
            return refused
        folder, file_format = self._desk.documents, request.path_params["file_format"]
        if folder is None or file_format not in MEDIA_TYPES:
            return self._visits.refused(request, 404, "no_document")
        try:
            found = await asyncio.to_thread(folder.read, request.path_params["number"], file_format)
        except OSError as error:
            return self._unreadable(request, error)
        if found is None:
            return self._visits.refused(request, 404, "no_document")
        name, data = found
        # A browser shows a PDF and prints it; the rest is for other programs, and nothing in it runs as our page.
        shown = "inline" if file_format == "pdf" else "attachment"
        headers = {"Content-Disposition": f'{shown}; filename="{name}"'}
        return Response(data, 200, headers, MEDIA_TYPES[file_format])

    def _refuse(self, request: Request) -> Response | None:
        """Words for whoever is not of the race office."""
        session = self._visits.session(request)
        if session is None:
            return self._visits.refused(request, 401, "signed_out")
        if "office" not in roles.screens_of(session.role):
            return self._visits.refused(request, 403, "office_forbidden")
        return None

    def _unreadable(self, request: Request, error: OSError) -> Response:
        log.warning("documents_folder_unreadable", reason=str(error))
        return self._visits.refused(request, 503, "documents_unreadable")


def _entries(body: bytes, name: str, columns: dict[str, str]) -> EntryFile:
    """What the file says. Raises EntryFileError, in which the file has the name that the person knows."""
    _check_unpacked(body)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "entries"
        path.write_bytes(body)
        try:
            return read_entries(path, columns)
        except EntryFileError as error:
            raise EntryFileError(str(error).replace(str(path), name)) from error


def _check_unpacked(body: bytes) -> None:
    """Raises TooLargeInsideError for a workbook that would swell; what is no archive is judged by who reads it."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as opened:
            unpacked = sum(one.file_size for one in opened.infolist())
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError):
        return  # damaged, or of a kind that zipfile does not know
    if unpacked > MOST_UNPACKED_BYTES:
        raise TooLargeInsideError
