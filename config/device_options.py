"""What `options` of a device may say, for the protocols that have some. The session of the protocol reads them."""

import re
from typing import Final, NamedTuple


class Option(NamedTuple):
    """The whole text of a value as a regular expression, and the same for people."""

    form: str
    allowed: str


_WIDTH: Final = Option(r"[1-9]|[1-5][0-9]|6[0-4]", "a width from 1 to 64 characters")
_COLUMN: Final = r"(lap|rank|bib|lane|time|wind|unit)"
_COLUMNS: Final = Option(
    rf"{_COLUMN}(,{_COLUMN})*(,rest)?",
    "columns in their order joined with commas: lap, rank, bib, lane, time, wind, unit, and rest at the end",
)
_DEAD_TIME: Final = Option(r"0|[1-9][0-9]{0,3}", "a dead time from 0 to 9999 hundredths of a second")

OPTIONS: Final[dict[str, dict[str, Option]]] = {
    "timy": {"start_dead_hundredths": _DEAD_TIME, "finish_dead_hundredths": _DEAD_TIME},
    "osv": {
        **{f"{column}_width": _WIDTH for column in ("lap", "rank", "bib", "lane", "time", "wind", "unit")},
        **dict.fromkeys(("rcv", "rcc", "rcf", "rcs", "rtc", "rwm"), _COLUMNS),
        "hundredths_are_rounded_up": Option("true|false", 'the text "true" or "false"'),
    },
}
"""By protocol. A protocol that is not ours checks its own."""


def option_problem(protocol: str, name: str, value: str) -> str | None:
    """Say what is wrong with an option of one of our protocols, or None."""
    known = OPTIONS.get(protocol, {})
    if name not in known:
        return f"is no option of {protocol}; it has {', '.join(known) or 'none'}"
    option = known[name]
    return None if re.fullmatch(option.form, value) else f"must be {option.allowed}"
