"""Whatever is damaged in a file, the answer is a usable configuration or one ConfigError, nothing else."""

import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.loader import ConfigError, load_meet, load_rules, load_setup, load_venue

FILES: dict[str, tuple[str, Callable[[str], object]]] = {
    "izu": ("venues", load_venue),
    "uci-2023": ("rules", load_rules),
    "club-night": ("meets", load_setup),
    "tokyo2020-men-keirin": ("meets", load_meet),
}
TEXTS = {
    name: (resources.files("config") / kind / f"{name}.toml").read_text(encoding="utf-8")
    for name, (kind, _) in FILES.items()
}
KEY_AND_VALUE = re.compile(
    r'(?P<key>[A-Za-z0-9_-]+) = (?P<value>"[^"]*"|\[[^\]\n]*\]|\d{4}-\d\d-\d\d|[-0-9._]+|true|false)'
)
OTHER_VALUES = (
    '""',
    '" "',
    '"\\u0000"',
    '"x y"',
    '"../../x.toml"',
    '"uci-2023"',
    '"finish"',
    "true",
    "0",
    "-1",
    "3",
    "1.5",
    "nan",
    "-inf",
    "1e400",
    str(2**64),
    "2021-08-07",
    "2021-08-07T11:51:00Z",
    "11:51:00",
    "[]",
    "[[]]",
    '["a", 1]',
    "{}",
    '{ id = "a" }',
)


def refusal(load: Callable[[str], object], file: Path) -> ConfigError | None:
    """Load; return the refusal if there is one. Any other error fails the test that calls."""
    try:
        load(str(file))
    except ConfigError as error:
        return error
    return None


def is_clear(error: ConfigError) -> bool:
    """One line that begins with the file and says what is allowed."""
    line = str(error)
    return "\n" not in line and line.startswith(f"{error.file}: ") and len(error.allowed) > 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutations")


@st.composite
def damaged_keys(draw: st.DrawFn) -> tuple[str, str]:
    """A shipped file with one key removed, renamed or given another value; and the file's name."""
    name = draw(st.sampled_from(sorted(FILES)))
    text = TEXTS[name]
    found = list(KEY_AND_VALUE.finditer(text))
    match = found[draw(st.integers(0, len(found) - 1))]
    key, value = match["key"], match["value"]
    replacement = draw(
        st.one_of(
            st.just(""),
            st.sampled_from([f"{key}s = {value}", f"{key[:-1]} = {value}", f'"{key} \\n" = {value}']),
            st.sampled_from(OTHER_VALUES).map(lambda other: f"{key} = {other}"),
        )
    )
    return name, text[: match.start()] + replacement + text[match.end() :]


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(damage=damaged_keys())
def test_a_removed_renamed_or_retyped_key_never_gives_another_error(damage: tuple[str, str], folder: Path) -> None:
    name, text = damage
    file = folder / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    error = refusal(FILES[name][1], file)
    assert error is None or is_clear(error)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(["izu", "uci-2023", "club-night"]),
    position=st.integers(0, 4_000),
    length=st.integers(0, 40),
    inserted=st.binary(max_size=8) | st.sampled_from([b"\n", b'"', b"[", b"]]", b"=", b"{", b"\r", b"\xff"]),
)
def test_damaged_bytes_never_give_another_error(
    name: str, position: int, length: int, inserted: bytes, folder: Path
) -> None:
    data = TEXTS[name].encode()
    file = folder / f"{name}.toml"
    file.write_bytes(data[:position] + inserted + data[position + length :])
    error = refusal(FILES[name][1], file)
    assert error is None or is_clear(error)
