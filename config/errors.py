"""The one error of this room: a configuration that cannot be used, said in one line.

    ConfigError     a venue, rule book or meet is missing, unreadable, or says something that is not allowed

The line has the same shape everywhere: what file, what key, what it says, what is allowed and how to mend it.
"""

import json
from datetime import date, datetime, time
from typing import Final

MAX_VALUE_LENGTH: Final = 60
"""A value is shown to be recognised, not to be read in full: an error stays one line."""


class Absent:
    """The type of `ABSENT`: the error is about a file or a key that has no value to show."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


def as_toml(value: object) -> str:
    """Show a value as it stands in a TOML file, on one line, cut to `MAX_VALUE_LENGTH` characters."""
    if isinstance(value, date | datetime | time):
        text = value.isoformat()
    elif isinstance(value, dict):
        text = "{ " + ", ".join(f"{key} = {as_toml(item)}" for key, item in value.items()) + " }"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(as_toml(item) for item in value) + "]"
    elif isinstance(value, float):
        text = repr(value)
    else:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[: MAX_VALUE_LENGTH - 1]}…"


class ConfigError(Exception):
    """A file of configuration cannot be used. `str()` gives the one line for the user.

    `file` is the name or path of the file, `key` the dotted path in it (`devices[2].silent_after_s`, items
    counted from 0; `None` when the whole file is meant), `value` what stands there (`ABSENT` for nothing),
    `allowed` what is allowed there and how to mend it.
    """

    def __init__(self, file: str, key: str | None, value: object, allowed: str) -> None:
        super().__init__(file, key, value, allowed)
        self.file = file
        self.key = key
        self.value = value
        self.allowed = allowed

    def __str__(self) -> str:
        if self.key is None:
            return f"{self.file}: {self.allowed}"
        if self.value is ABSENT:
            return f"{self.file}: {self.key}: {self.allowed}"
        return f"{self.file}: {self.key} = {as_toml(self.value)}: {self.allowed}"
