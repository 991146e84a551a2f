"""The console's own words in the browser's language, out of the one catalogue that the screens use too."""

import json
import re
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).with_name("static")
LANGUAGES: Final = ("en", "fr", "ja")
_NAMESPACE: Final = "pages"
_ASKED: Final = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q=([0-9.]{1,6}))?\s*")


class Wording:
    """The texts of the namespaces `pages` and `common` in every language; read once."""

    def __init__(self) -> None:
        self._texts = {lang: self._read(lang) for lang in LANGUAGES}

    def say(self, lang: str, key: str, **values: object) -> str:
        """The text of a key of `pages`, or `common.…` in full, with its placeholders filled."""
        namespace, _, name = key.rpartition(".")
        return self._texts[lang][namespace or _NAMESPACE][name].format(**values)

    @staticmethod
    def _read(lang: str) -> dict[str, dict[str, str]]:
        catalogue: dict[str, dict[str, str]] = json.loads((STATIC / "texts" / f"{lang}.json").read_text("utf-8"))
        return catalogue


def choose_language(chosen: str | None, accept_language: str) -> str:
    """The language that a person chose here before, else the best that the browser asks for (RFC 9110 §12.5.4)."""
    if chosen in LANGUAGES:
        return chosen
    best, best_weight = LANGUAGES[0], 0.0
    for part in accept_language[:500].split(","):
        asked = _ASKED.fullmatch(part)
        if asked is None or asked[1].lower() not in LANGUAGES:
            continue
        weight = _weight(asked[2])
        if weight > best_weight:
            best, best_weight = asked[1].lower(), weight
    return best


def _weight(text: str | None) -> float:
    try:
        return 1.0 if text is None else float(text)
    except ValueError:
        return 0.0
