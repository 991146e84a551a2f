"""What `velodrome doctor` found at one place."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One check: what was looked at, whether it is good, and what was found or is to be done.

    A warning is good enough to race, and worth a thought before.
    """

    what: str
    good: bool
    text: str
    warning: bool = False
