"""The fonts of the documents: one that is always the same, and what a script needs beyond it.

The typst package brings Libertinus Serif, which holds every Latin letter with its marks; a document in it has the
same bytes on every machine. Only where a name is in Japanese, Chinese or Korean is a system font added.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

LATIN = "Libertinus Serif"
CJK_FAMILIES = ("Noto Serif CJK JP", "Noto Sans CJK JP", "IPAexMincho", "IPAMincho", "TakaoMincho", "VL Gothic")
CJK_TEXT = re.compile(r"[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]|[\U00020000-\U0003ffff]")
PACKAGE = "fonts-noto-cjk"


class FontChoice(NamedTuple):
    """Families in order of preference, files to add to the package's own fonts, and what a person should know."""

    families: tuple[str, ...]
    files: tuple[Path, ...]
    warning: str


def needs_cjk(text: str) -> bool:
    """Whether a text has letters that no Latin font holds."""
    return CJK_TEXT.search(text) is not None


def choose_fonts(text: str) -> FontChoice:
    """The fonts for a document of this text."""
    if not needs_cjk(text):
        return FontChoice((LATIN,), (), "")
    found = _system_cjk()
    if found is None:
        warning = (
            f"no font for Japanese, Chinese or Korean letters is installed: they print as boxes; install Debian's "
            f"{PACKAGE} and print again, or enter the names in Latin letters"
        )
        return FontChoice((LATIN,), (), warning)
    family, path = found
    return FontChoice((LATIN, family), (path,), "")


@cache
def _system_cjk() -> tuple[str, Path] | None:
    import typst

    by_family: dict[str, list[str]] = {}
    for one in typst.Fonts(include_system_fonts=True, include_embedded_fonts=False).fonts():
        if one.path:
            by_family.setdefault(one.family, []).append(one.path)
    for family in CJK_FAMILIES:
        if family in by_family:
            # Several weights lie in several files; the regular one sorts last and is always there.
            return family, Path(sorted(by_family[family])[-1])
    return None
