"""The printed documents of the race office, out of the folder that `velodrome communique print` fills; read only.

A document's name begins with its number (`017-result-r1-2.pdf`). Nothing that a browser sends becomes part of a path:
a number and a format are compared with what lies in the folder itself.
"""

import re
import stat
from pathlib import Path
from typing import Final, NamedTuple

LARGEST_BYTES: Final = 32 * 1024 * 1024
"""A document above this is none of ours: it would fill the console's memory."""

MEDIA_TYPES: Final = {
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}
_NAME: Final = re.compile(rf"([0-9]{{3,}})-[a-z0-9-]+\.({'|'.join(MEDIA_TYPES)})")


class Listed(NamedTuple):
    """A document that is there."""

    number: int
    format: str
    name: str


class DocumentFolder:
    """The documents of a meet in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def listed(self) -> list[Listed]:
        """Every document, by number and format. Raises OSError when the folder cannot be read."""
        return sorted(one for one, _ in self._found())

    def read(self, number: int, file_format: str) -> tuple[str, bytes] | None:
        """Name and bytes of a document, the newest where several have its number; None where there is none.

        Raises OSError when the folder cannot be read.
        """
        found = [(written_ns, one) for one, written_ns in self._found() if one[:2] == (number, file_format)]
        for _, one in sorted(found, reverse=True):
            try:
                return one.name, (self._folder / one.name).read_bytes()
            except (FileNotFoundError, PermissionError):
                continue  # printed anew under another name meanwhile
        return None

    def _found(self) -> list[tuple[Listed, int]]:
        found = []
        for path in self._folder.iterdir():
            match = _NAME.fullmatch(path.name)
            if match is None:
                continue
            try:
                state = path.lstat()
            except FileNotFoundError:
                continue  # printed anew while we looked
            if stat.S_ISREG(state.st_mode) and state.st_size <= LARGEST_BYTES:
                found.append((Listed(int(match[1]), match[2], path.name), state.st_mtime_ns))
        return found
