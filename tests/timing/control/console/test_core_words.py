"""What the core says by key has a sentence in every language, with the same parameters as its English."""

import json
import re
from pathlib import Path

import pytest

from timing.race import alerts, explain, history, preview

TEXTS = Path(__file__).parents[4] / "timing" / "control" / "console" / "static" / "texts"
SAID = {
    "alerts": {key: english for key, (_, english) in alerts.ALERTS.items()},
    "change": preview.ENGLISH,
    "history": history.ENGLISH,
    "why": explain.ENGLISH,
}
NEEDLESS = {"alerts.pace_off": {"summary"}}
"""Parameters that are English themselves: another language may use the figures beside them."""


def parameters(text: str) -> set[str]:
    """The placeholders of a text."""
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", ["en", "fr", "ja"])
@pytest.mark.parametrize("namespace", sorted(SAID))
def test_every_sentence_of_the_core_has_its_words(namespace: str, language: str) -> None:
    catalogue = json.loads((TEXTS / f"{language}.json").read_text("utf-8"))[namespace]
    assert set(SAID[namespace]) <= set(catalogue)
    for key, english in SAID[namespace].items():
        left_out = parameters(english) - parameters(catalogue[key])
        assert left_out <= NEEDLESS.get(f"{namespace}.{key}", set()), f"{key} leaves out {left_out}"


@pytest.mark.parametrize("language", ["en", "fr", "ja"])
@pytest.mark.parametrize("namespace", ["change", "history", "why"])
def test_no_sentence_asks_for_a_parameter_that_the_core_does_not_send(namespace: str, language: str) -> None:
    catalogue = json.loads((TEXTS / f"{language}.json").read_text("utf-8"))[namespace]
    for key, english in SAID[namespace].items():
        assert parameters(catalogue[key]) <= parameters(english), key
