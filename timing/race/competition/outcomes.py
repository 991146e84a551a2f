"""How a heat ended, as the competition needs to know it: places and codes, no times."""

import msgspec

from timing.race.picture import HeatPicture, ResultStatus


class OutcomeLine(msgspec.Struct, frozen=True):
    """A rider of a heat. `place` as the heat prints it (7 is the first of final B); null has none."""

    bib: str
    place: int | None
    status: str | None
    """REL, DNF, DNS, DSQ or another code of the rule book; null for none."""
    order: int
    """Where the rider stands on the result sheet, from 1: decides the slots among riders without a place."""


class HeatOutcome(msgspec.Struct, frozen=True):
    """The result of a heat as it is now. Only an official one decides anything."""

    heat: str
    status: ResultStatus
    lines: tuple[OutcomeLine, ...] = ()


def outcome_of(picture: HeatPicture) -> HeatOutcome:
    """The outcome that a heat's picture shows."""
    lines = tuple(OutcomeLine(line.bib, line.place, line.status, line.order) for line in picture.results)
    return HeatOutcome(picture.heat, picture.status, lines)
