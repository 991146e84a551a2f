"""Helpers of the configuration tests: shipped files with one thing changed."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

Edit = Callable[..., str]


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Copy a shipped file into an empty current folder with `(old, new)` text replaced; return its name."""
    monkeypatch.chdir(tmp_path)

    def write(kind: str, name: str, *replacements: tuple[str, str]) -> str:
        text = (resources.files("config") / kind / f"{name}.toml").read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text, f"{name}.toml no longer holds {old!r}"
            text = text.replace(old, new, 1)
        file = tmp_path / f"{name}.toml"
        file.write_text(text, encoding="utf-8")
        return file.name

    return write
