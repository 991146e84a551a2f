"""From parsed TOML to the structs of `config.models`, with an error that names the key path.

msgspec stops at the first mismatch and calls a key of a dictionary `[...]`; an operator needs the exact key,
the closest key that exists and all that are allowed. So the tree is walked here along msgspec's own
description of the types, and converted only when it fits.
"""

import difflib
import json
import re
from collections.abc import Iterable
from datetime import date
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from config.errors import ABSENT, ConfigError

T = TypeVar("T", bound=msgspec.Struct)

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LARGEST_INTEGER = 2**63 - 1
"""TOML's own limit; Python's parser reads longer ones."""


def join_key(path: str, key: str) -> str:
    """Add a key to a dotted path, quoted where TOML needs quotes."""
    shown = key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)
    return f"{path}.{shown}" if path else shown


def closest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "…"?` for a mistyped word, or a full stop when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else "."


def to_struct(raw: dict[str, Any], struct: type[T], file: str) -> T:
    """Convert a parsed TOML document; raise ConfigError for an unknown, missing or wrongly typed key."""
    _walk(raw, inspect.type_info(struct), "", file)
    return msgspec.convert(raw, struct)


def _walk(value: object, kind: inspect.Type, path: str, file: str) -> None:
    if isinstance(kind, inspect.UnionType):
        kind = _without_null(kind)
    if isinstance(kind, inspect.StructType):
        _walk_struct(_table(value, path, file), kind, path, file)
    elif isinstance(kind, inspect.DictType):
        for key, item in _table(value, path, file).items():
            _walk(item, kind.value_type, join_key(path, key), file)
    elif isinstance(kind, inspect.VarTupleType):
        if not isinstance(value, list):
            raise ConfigError(file, path, value, f"must be a list of {_plural(kind.item_type)}")
        for index, item in enumerate(value):
            _walk(item, kind.item_type, f"{path}[{index}]", file)
    elif not _is_scalar(value, kind):
        raise ConfigError(file, path, value, f"must be {_wanted(kind)}")


def _walk_struct(table: dict[str, Any], kind: inspect.StructType, path: str, file: str) -> None:
    fields = {field.encode_name: field for field in kind.fields}
    for key in table:
        if key not in fields:
            allowed = ", ".join(fields)
            hint = f"unknown key{closest(key, fields)} Allowed here: {allowed}"
            raise ConfigError(file, join_key(path, key), ABSENT, hint)
    for name, field in fields.items():
        if name in table:
            _walk(table[name], field.type, join_key(path, name), file)
        elif field.required:
            raise ConfigError(file, join_key(path, name), ABSENT, f"is missing; give {_wanted(field.type)}")


def _table(value: object, path: str, file: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(file, path, value, "must be a table ([…] or { … })")
    return value


def _without_null(kind: inspect.UnionType) -> inspect.Type:
    """TOML has no null: an optional key is left out. Our models have no other unions."""
    (only,) = (member for member in kind.types if not isinstance(member, inspect.NoneType))
    return only


def _is_scalar(value: object, kind: inspect.Type) -> bool:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_INTEGER:
        return False
    match kind:
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case inspect.DateType():
            return type(value) is date
        case inspect.LiteralType():
            return isinstance(value, str) and value in kind.values
    raise TypeError(f"config.models uses {kind!r}, which config.shape does not know")


def _wanted(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType():
            return _wanted(_without_null(kind))
        case inspect.StrType():
            return "text in double quotes"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number"
        case inspect.FloatType():
            return "a number"
        case inspect.DateType():
            return "a date without quotes, like 2021-08-07"
        case inspect.LiteralType():
            return "one of " + ", ".join(f'"{choice}"' for choice in kind.values)
        case inspect.VarTupleType():
            return f"a list of {_plural(kind.item_type)}"
    return "a table"


def _plural(kind: inspect.Type) -> str:
    return "texts in double quotes" if isinstance(kind, inspect.StrType) else "tables"
