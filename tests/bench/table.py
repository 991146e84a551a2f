"""One row of the benchmark table: always a ratio to a floor that was measured in the same run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`measured` and `floor` are texts with units; `ratio` is measured/floor or the speed-up, as `what` says."""

    what: str
    measured: str
    floor: str
    ratio: str
    target: str
    met: bool
