"""The catalogue of words: the same keys with the same placeholders in every language, and every key that is used."""

import json
import re
from pathlib import Path

import pytest

from timing.control.console.wording import LANGUAGES, STATIC
from timing.race.alerts import ALERTS

PLACEHOLDER = re.compile(r"\{(\w+)\}")
SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def catalogue(lang: str) -> dict[str, str]:
    """All texts of a language by `namespace.key`."""
    texts = json.loads((STATIC / "texts" / f"{lang}.json").read_text("utf-8"))
    return {f"{namespace}.{key}": text for namespace, keys in texts.items() for key, text in keys.items()}


ENGLISH = catalogue("en")
NAMESPACES = "|".join(sorted({key.partition(".")[0] for key in ENGLISH}))
WHOLE = re.compile(rf"[\"'`]((?:{NAMESPACES})\.[a-z0-9_]+)[\"'`]")
BEGINNING = re.compile(rf"`((?:{NAMESPACES})\.[a-z0-9_]*)\$\{{")


@pytest.mark.parametrize("lang", [lang for lang in LANGUAGES if lang != "en"])
def test_every_language_says_everything_with_the_same_placeholders(lang: str) -> None:
    other = catalogue(lang)
    assert sorted(other) == sorted(ENGLISH)
    for key, text in ENGLISH.items():
        assert sorted(set(PLACEHOLDER.findall(other[key]))) == sorted(set(PLACEHOLDER.findall(text))), key
        assert other[key].strip(), key


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_every_key_that_a_script_names_is_in_the_catalogue(script: Path) -> None:
    source = COMMENT.sub("", script.read_text("utf-8"))
    assert [key for key in WHOLE.findall(source) if key not in ENGLISH] == []
    beginnings = BEGINNING.findall(source)
    assert [one for one in beginnings if not any(key.startswith(one) for key in ENGLISH)] == []


def test_every_alert_of_the_core_has_words_of_its_own() -> None:
    assert {f"alerts.{key}" for key in ALERTS} <= set(ENGLISH)
    for key, (_, english) in ALERTS.items():
        placeholders = set(PLACEHOLDER.findall(ENGLISH[f"alerts.{key}"]))
        assert placeholders <= set(PLACEHOLDER.findall(english)), key
