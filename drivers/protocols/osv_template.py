"""The columns of Omega Scan'O'Vision messages, as the template on the Omega side sets them.

Untested on hardware: the widths are those of one public client (hardware-protocols §6). If the operator of the
Omega system uses other widths or columns, the meet file says so in `options` of the device:

    options = { bib_width = "6", rcs = "lane,bib" }
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

REST: Final = 0
"""A width: all that is left."""


@dataclass(frozen=True)
class OsvTemplate:
    """Widths in characters, and the order of the columns in each message. The last column may be `REST`.

    `time_width` holds in RCV; everywhere else the time is the rest of the message.
    """

    lap_width: int = 4
    rank_width: int = 3
    bib_width: int = 5
    lane_width: int = 2
    time_width: int = 12
    wind_width: int = 6
    unit_width: int = 3
    rcv: tuple[str, ...] = ("bib", "lane", "time")
    rcc: tuple[str, ...] = ("rank", "bib", "lane", "rest")
    rcf: tuple[str, ...] = ("rank", "bib", "lane", "rest")
    rcs: tuple[str, ...] = ("bib", "lane")
    rtc: tuple[str, ...] = ("lap", "rank", "bib", "lane", "rest")
    rwm: tuple[str, ...] = ("wind", "unit")
    hundredths_are_rounded_up: bool = True
    """RCC times are rounded up to 1/100 s (300 of 300 rows seen in Omega's result files), not cut."""

    def __post_init__(self) -> None:
        """Raises ValueError when a column has no width."""
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name.endswith("_width") and not 1 <= value <= MOST_WIDTH:
                raise ValueError(f"{one.name} is {value}: give a width from 1 to {MOST_WIDTH}")
            if isinstance(value, tuple):
                for index, column in enumerate(value):
                    last = index == len(value) - 1
                    if column not in COLUMNS and not (column == "rest" and last):
                        raise ValueError(
                            f"{one.name} has the column {column!r}: known are {', '.join(COLUMNS)}, and rest at the end"
                        )

    def width(self, column: str) -> int:
        """The width of a column; `REST` for the rest."""
        return REST if column == "rest" else int(getattr(self, f"{column}_width"))

    def columns(self, code: str) -> tuple[str, ...]:
        """The columns of a message by its three letters; empty for a message without columns."""
        return tuple(getattr(self, code.lower(), ())) if code.lower() in MESSAGES else ()

    def split(self, code: str, payload: str) -> dict[str, str]:
        """The columns of a payload, stripped; the rest as `time`. Raises ValueError when it is too short."""
        values: dict[str, str] = {}
        position = 0
        for column in self.columns(code):
            width = self.width(column)
            if width == REST:
                values["time"] = payload[position:].strip()
                return values
            if len(payload) < position + width and column not in ("time", "unit"):
                raise ValueError(
                    f"{code} has {len(payload)} characters and ends inside {column}: "
                    "the column widths differ from our template (docs/osv.md)"
                )
            values[column] = payload[position : position + width].strip()
            position += width
        if payload[position:].strip():
            raise ValueError(
                f"{code} has {payload[position:].strip()!r} after its last column: "
                "the column widths differ from our template (docs/osv.md)"
            )
        return values

    def join(self, code: str, values: dict[str, str]) -> str:
        """The payload with these columns, aligned to the right. Raises ValueError when a value is too wide."""
        payload = ""
        for column in self.columns(code):
            width = self.width(column)
            text = values.get("time" if width == REST else column, "")
            if width != REST and len(text) > width:
                raise ValueError(f"{column} {text!r} has more than the {width} characters of its column")
            payload += text.rjust(width)
        return payload


MOST_WIDTH: Final = 64
COLUMNS: Final = ("lap", "rank", "bib", "lane", "time", "wind", "unit")
MESSAGES: Final = ("rcv", "rcc", "rcf", "rcs", "rtc", "rwm")
DEFAULT_TEMPLATE: Final = OsvTemplate()


def template_with(template: OsvTemplate, options: Mapping[str, str]) -> OsvTemplate:
    """The template with the fields that `options` name: numbers, columns joined with commas, true or false.

    Raises ValueError for a field that a template does not have, or a value that it cannot have.
    """
    changes: dict[str, object] = {}
    for name, text in options.items():
        if name in MESSAGES:
            changes[name] = tuple(text.split(","))
        elif name.removesuffix("_width") in COLUMNS:
            changes[name] = int(text)
        elif name == "hundredths_are_rounded_up" and text in ("true", "false"):
            changes[name] = text == "true"
        else:
            raise ValueError(f"option {name} = {text!r} is none of an OSV template: see docs/osv.md")
    return replace(template, **changes)  # type: ignore[arg-type]
