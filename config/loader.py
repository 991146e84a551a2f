"""Reads venues, rule books, meets and formats: by the id of a shipped one or by the path of a file.

Everything that leaves this module has been checked; everything that cannot be used raises `ConfigError`,
whose text is one line for the user.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from config.checks import Checker, check_rules, check_venue
from config.competition_checks import check_formats
from config.distances import heat_distance, keirin_distance
from config.errors import ABSENT, ConfigError
from config.format_checks import check_format, check_table, resolve_table, single
from config.formats import Format, FormatSet, FormatTable
from config.meet_checks import check_meet, check_setup
from config.models import Meet, RuleBook, Setup, Venue
from config.shape import closest, to_struct

__all__ = [
    "ConfigError",
    "Kind",
    "heat_distance",
    "keirin_distance",
    "load_format",
    "load_meet",
    "load_rules",
    "load_setup",
    "load_venue",
    "shipped",
]

Kind = Literal["venues", "rules", "meets", "formats"]
T = TypeVar("T", bound=msgspec.Struct)

_SINGULAR: Final[dict[Kind, str]] = {"venues": "venue", "rules": "rule book", "meets": "meet", "formats": "format"}
_FOLDER: Final[dict[Kind, str]] = {"venues": "venues", "rules": "rules", "meets": "meets", "formats": "rules/formats"}
_SYNTAX_ERROR = re.compile(r"(?P<reason>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|(?P<end>.*))\)")


def shipped(kind: Kind) -> list[str]:
    """Ids of the shipped venues, rule books, meets or formats, sorted."""
    names = (entry.name for entry in resources.files("config").joinpath(_FOLDER[kind]).iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_venue(id_or_path: str | Path, relative_to: Path | None = None) -> Venue:
    """Read and check a venue; a relative path counts from the folder `relative_to` (default: the current)."""
    return _load(_find("venues", id_or_path, relative_to), Venue, check_venue)


def load_rules(id_or_path: str | Path, relative_to: Path | None = None) -> RuleBook:
    """Read and check a rule book; a relative path counts from the folder `relative_to`."""
    return _load(_find("rules", id_or_path, relative_to), RuleBook, check_rules)


def load_format(id_or_path: str | Path, relative_to: Path | None = None) -> FormatSet:
    """Read and check a format, or a table that chooses one by the number of riders, with all that it can choose.

    A relative path counts from the folder `relative_to`, one inside a table from the table's folder.
    """
    return _load_format(_find("formats", id_or_path, relative_to))


def _load_cited_format(reference: str, source: "_Source", key: str) -> FormatSet:
    return _load_format(_find("formats", reference, source.folder, cited_by=(source.name, key)))


def _load_format(source: "_Source") -> FormatSet:
    if "choose" not in _parse(source):
        return single(_load(source, Format, check_format))
    table = _load(source, FormatTable, check_table)
    cited = [
        _find("formats", choice.format, source.folder, cited_by=(source.name, f"choose[{index}].format"))
        for index, choice in enumerate(table.choose)
    ]
    return resolve_table(table, [_load(one, Format, check_format) for one in cited], source.name)


def load_meet(id_or_path: str | Path) -> Meet:
    """Read a meet and check it by itself; `load_setup` also checks it against its venue and rule book."""
    return _load(_find("meets", id_or_path, None), Meet, check_meet)


def load_setup(id_or_path: str | Path) -> Setup:
    """Read a meet with its venue and rule book, each checked alone and all together.

    The venue and the rule book are named in the meet: by the id of a shipped one, or by a path relative to
    the meet's file. Raises ConfigError naming the file in which the mistake is to be mended.
    """
    source = _find("meets", id_or_path, None)
    meet = _load(source, Meet, check_meet)
    venue = _find("venues", meet.venue, source.folder, cited_by=(source.name, "venue"))
    rules = _find("rules", meet.rules, source.folder, cited_by=(source.name, "rules"))
    formats = {
        one.id: _load_cited_format(one.format, source, f"competitions[{index}].format")
        for index, one in enumerate(meet.competitions)
    }
    setup = Setup(
        meet=meet,
        venue=_load(venue, Venue, check_venue),
        rules=_load(rules, RuleBook, check_rules),
        formats=formats,
    )
    check_formats(meet, formats, setup.rules, Checker(source.name))
    check_setup(setup, source.name)
    return setup


# -- finding -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """A file to read: `name` for errors, `folder` for the paths in it (None for a shipped one)."""

    name: str
    file: Traversable
    folder: Path | None


def _find(
    kind: Kind,
    reference: str | Path,
    relative_to: Path | None,
    cited_by: tuple[str, str] | None = None,
) -> _Source:
    """Resolve an id or a path; `cited_by` (file, key) is where the reference stands, if in a file."""
    if not _is_path(reference):
        return _find_shipped(kind, str(reference), cited_by)
    path = (relative_to or Path()) / reference
    problem = _path_problem(path)
    if problem is None:
        return _Source(str(path), path, path.parent)
    ids = ", ".join(shipped(kind))
    if cited_by is None:
        raise ConfigError(str(path), None, ABSENT, f"{problem}; give a {_SINGULAR[kind]} file or one of: {ids}")
    file, key = cited_by
    raise ConfigError(
        file, key, str(reference), f"{path} {problem}; give a path relative to this file or one of: {ids}"
    )


def _path_problem(path: Path) -> str | None:
    try:
        if path.is_file():
            return None
        return "is a folder, not a file" if path.is_dir() else "does not exist"
    except OSError as error:
        return f"cannot be reached ({error.strerror})"


def _find_shipped(kind: Kind, name: str, cited_by: tuple[str, str] | None) -> _Source:
    ids = shipped(kind)
    if name in ids:
        return _Source(f"{name}.toml", resources.files("config").joinpath(_FOLDER[kind], f"{name}.toml"), None)
    allowed = (
        f"no {_SINGULAR[kind]} of this name is shipped{closest(name, ids)} "
        f"Shipped: {', '.join(ids)}; the path of an own file ends in .toml"
    )
    if cited_by is None:
        raise ConfigError(name or '""', None, ABSENT, allowed)
    raise ConfigError(*cited_by, name, allowed)


def _is_path(reference: str | Path) -> bool:
    return isinstance(reference, Path) or reference.endswith(".toml") or "/" in reference or "\\" in reference


# -- reading -------------------------------------------------------------------------------------------------


def _load(source: _Source, struct: type[T], check: Callable[[T, str], None]) -> T:
    thing = to_struct(_parse(source), struct, source.name)
    check(thing, source.name)
    return thing


def _parse(source: _Source) -> dict[str, Any]:
    try:
        text = source.file.read_bytes().decode("utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(source.name, None, ABSENT, f"cannot be read: {reason}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            source.name, None, ABSENT, f"byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(source.name, text, str(error)) from error
    except RecursionError as error:
        raise ConfigError(source.name, None, ABSENT, "lists or tables are nested too deeply") from error


def _syntax_error(file: str, text: str, message: str) -> ConfigError:
    """Make `where, what, how to mend` of the parser's message, which ends in the place."""
    match = _SYNTAX_ERROR.fullmatch(message)
    if match is None:
        return ConfigError(file, None, ABSENT, f"is no valid TOML: {message}")
    lines = text.split("\n")
    line = match["line"] or str(len(lines))
    column = match["column"] or str(len(lines[-1]) + 1)
    return ConfigError(
        file,
        f"line {line}, column {column}",
        ABSENT,
        f"{match['reason']}; mend the TOML there (text needs double quotes, a key stands once)",
    )
