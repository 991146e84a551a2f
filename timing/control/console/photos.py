"""The photo-finish image of a heat, out of the folder into which the camera's computer exports it; read only.

FinishLynx names a file by event, round and heat as its start lists do (`001-2-01.jpg`, `1-2-1 b.jpg`,
hardware-protocols §4); a file named by the heat's id (`final-a.jpg`) is taken too. The newest whole image counts.
Nothing that a browser sends becomes part of a path: a heat is looked up in the meet, and only files that lie in the
folder itself are compared with it.
"""

import re
import stat
from pathlib import Path
from typing import Final, NamedTuple

from config.lynx_keys import lynx_keys
from config.models import Meet

LARGEST_BYTES: Final = 32 * 1024 * 1024
"""An image above this is no export of a finish: it would fill the console's memory."""

_TAIL_BYTES: Final = 64
_JPEG: Final = "image/jpeg"
_PNG: Final = "image/png"
_MEDIA_TYPES: Final = {".jpg": _JPEG, ".jpeg": _JPEG, ".png": _PNG}
_HEADS: Final = {_JPEG: b"\xff\xd8\xff", _PNG: b"\x89PNG\r\n\x1a\n"}
_ENDS: Final = {_JPEG: b"\xff\xd9", _PNG: b"IEND\xaeB`\x82"}
"""End of image, end chunk: a file without them is still being written."""


class Photo(NamedTuple):
    """A whole image. `version` changes when the file is written anew, so that a browser may keep what it has."""

    name: str
    media_type: str
    version: str
    written_us: int
    """When the file was written, host UTC in µs."""
    data: bytes


class PhotoFolder:
    """The images of a meet's heats in one folder."""

    def __init__(self, folder: Path, meet: Meet) -> None:
        self._folder = folder
        self._patterns = {heat.id: [re.escape(heat.id)] for heat in meet.heats}
        for heat, key in lynx_keys(meet).items():
            self._patterns[heat].append(rf"0*{key.event}-0*{key.round}-0*{key.heat}")

    def newest(self, heat: str) -> Photo | None:
        """The newest whole image of a heat of the meet; None where there is none (or no such heat).

        Raises OSError when the folder cannot be read.
        """
        if heat not in self._patterns:
            return None
        found = []
        for path in self._folder.iterdir():
            if path.suffix.lower() in _MEDIA_TYPES and self._heat_of(path.stem) == heat:
                try:
                    state = path.lstat()
                except FileNotFoundError:
                    continue  # renamed by the camera's computer while we looked
                if stat.S_ISREG(state.st_mode) and state.st_size <= LARGEST_BYTES:
                    found.append((state.st_mtime_ns, path.name, path))
        for written_ns, name, path in sorted(found, reverse=True):
            photo = _read(path, name, written_ns)
            if photo is not None:
                return photo
        return None

    def _heat_of(self, stem: str) -> str | None:
        """The heat that a file is of: the longest name that it begins with, so that `semi-1-b` is not of `semi-1`."""
        best: tuple[int, str] | None = None
        for heat, patterns in self._patterns.items():
            for pattern in patterns:
                match = re.match(rf"{pattern}(?![A-Za-z0-9])", stem, re.IGNORECASE)
                if match is not None and (best is None or match.end() > best[0]):
                    best = (match.end(), heat)
        return None if best is None else best[1]


def _read(path: Path, name: str, written_ns: int) -> Photo | None:
    """The file if it is a whole image of the kind that its name says."""
    media_type = _MEDIA_TYPES[path.suffix.lower()]
    try:
        data = path.read_bytes()
    except (FileNotFoundError, PermissionError):
        return None  # gone, or still locked by the program that writes it: an older one is shown
    whole = data.startswith(_HEADS[media_type]) and _ENDS[media_type] in data[-_TAIL_BYTES:]
    if not whole:
        return None
    return Photo(
        name=name,
        media_type=media_type,
        version=f"{written_ns:x}-{len(data):x}",
        written_us=written_ns // 1_000,
        data=data,
    )
