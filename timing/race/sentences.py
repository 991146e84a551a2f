"""What the program says to people: each sentence as a key with its parameters, and in English.

A screen that speaks another language has a sentence of its own for the key; the parameters are ready for print
(numbers with the digits that they shall have), so that no screen has to know how a gap or a margin is written.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from config.models import Setup
from timing.units import truncate_to_ms

LATEST_US = 2**53
"""The year 2255."""
Severity = Literal["red", "amber", "info"]
Params = dict[str, str | int]


class Sentence(msgspec.Struct, frozen=True):
    """`text` is the English of `key` with `params`."""

    key: str
    params: Params
    text: str


class Alert(msgspec.Struct, frozen=True):
    """A sentence that asks for a person. It proposes or reminds; it never decides (DESIGN §5)."""

    key: str
    params: Params
    severity: Severity
    text: str


def say(english: Mapping[str, str], key: str, /, **params: str | int) -> Sentence:
    """A sentence from a table of English templates. Raises KeyError for an unknown key or placeholder."""
    return Sentence(key, params, english[key].format(**params))


def local_time(setup: Setup, at_us: int, milliseconds: bool = False) -> str:
    """UTC µs as the clock in the hall shows it: `14:03:59`, with truncated ms where asked.

    What is no time of this age (an order that was refused for it) is shown as the number that it is.
    """
    if not 0 <= at_us < LATEST_US:
        return f"{at_us} µs"
    seconds, rest_us = divmod(at_us, 1_000_000)
    shown = datetime.fromtimestamp(seconds, ZoneInfo(setup.venue.timezone)).strftime("%H:%M:%S")
    return f"{shown}.{truncate_to_ms(rest_us):03d}" if milliseconds else shown
