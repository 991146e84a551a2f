"""How many laps a keirin has on a track: from the rule book, or from the heat where the operator chose."""

from typing import Final

from config.errors import ABSENT, ConfigError
from config.models import Heat, KeirinDistance, RuleBook, Setup

TRACK_LENGTH_TOLERANCE_M: Final = 0.5
"""Printed track lengths are rounded (333.33, 285.71); no two standard lengths are this near."""


def keirin_distance(rules: RuleBook, track_length_m: float) -> KeirinDistance:
    """Laps behind the pacer and of the sprint on a track of this length (UCI 3.2.134, track-rules §1.1).

    Raises ConfigError with the lengths that the book knows when it has none within 0.5 m. Tracks of 166.67 m
    and 500 m are absent from the UCI books on purpose: two lap counts are equally near to 750 m.
    """
    for distance in rules.keirin.distances:
        if abs(distance.track_length_m - track_length_m) <= TRACK_LENGTH_TOLERANCE_M:
            return distance
    known = ", ".join(f"{distance.track_length_m:g}" for distance in rules.keirin.distances)
    raise ConfigError(
        f"rule book {rules.id}",
        "keirin.distances",
        ABSENT,
        f"no distance for a track of {track_length_m:g} m (known: {known}); "
        "give paced_laps and sprint_laps in the heat",
    )


def heat_distance(setup: Setup, heat: Heat) -> KeirinDistance:
    """Laps of one heat: its own `paced_laps` and `sprint_laps` where given, else those of the rule book."""
    if heat.paced_laps is not None and heat.sprint_laps is not None:
        return KeirinDistance(
            track_length_m=setup.venue.track_length_m,
            paced_laps=heat.paced_laps,
            sprint_laps=heat.sprint_laps,
        )
    return keirin_distance(setup.rules, setup.venue.track_length_m)
