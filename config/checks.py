"""What a venue and a rule book may say beyond the types of their keys.

Each check raises `ConfigError` with the key, its value and what is allowed. Sources: domain rules as printed
in UCI Part 3 (article numbers in the functions) and the geometry of the track, 3.6.067-088.
"""

import math
import re
from collections.abc import Hashable, Iterable
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from config.errors import ABSENT, ConfigError
from config.models import KeirinDistance, KeirinRules, RuleBook, Venue
from config.shape import closest, join_key

MIN_TRACK_LENGTH_M: Final = 133.0
MAX_TRACK_LENGTH_M: Final = 500.0
LINE_TOLERANCE_M: Final = 0.5
"""Lines are surveyed to centimetres: half a metre finds a slip of the pen and forgives a printed rounding."""
MIN_PACE_KMH: Final = 10.0
MAX_PACE_KMH: Final = 80.0
REQUIRED_CODES: Final = ("REL", "DNF", "DNS", "DSQ")
PURSUIT_LINES: Final = ("pursuit_home", "pursuit_back")

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_NATION = re.compile(r"[A-Z]{3}")


class Checker:
    """Checks about one file; every failed check raises ConfigError."""

    def __init__(self, file: str) -> None:
        self.file = file

    def require(self, holds: bool, key: str, value: object, allowed: str) -> None:
        """Raise unless `holds`."""
        if not holds:
            raise ConfigError(self.file, key, value, allowed)

    def identifier(self, key: str, value: str) -> None:
        """Ids become parts of MQTT topics, web addresses and file names."""
        self.require(
            _IDENTIFIER.fullmatch(value) is not None,
            key,
            value,
            "must be letters A-Z a-z, digits, - and _ only, beginning with a letter or digit",
        )

    def text(self, key: str, value: str) -> None:
        """A text that people must be able to read."""
        self.require(bool(value.strip()), key, value, "must not be empty")

    def word(self, key: str, value: str) -> None:
        """A number or code as it is printed on a device or a rider: text without spaces."""
        self.require(
            bool(value) and value.isprintable() and not any(character.isspace() for character in value),
            key,
            value,
            "must be text without spaces, not empty",
        )

    def between(self, key: str, value: float, low: float, high: float, what: str) -> None:
        """A number inside a closed range; `what` names the range's unit and meaning."""
        self.require(low <= value <= high, key, value, f"must lie between {low:g} and {high:g} {what}")

    def at_least(self, key: str, value: float, low: float, what: str) -> None:
        """A finite number not below `low`."""
        self.require(low <= value and math.isfinite(value), key, value, f"must be {low:g} or more {what}".rstrip())

    def nation(self, key: str, value: str | None) -> None:
        """An IOC code where given."""
        self.require(
            not value or _NATION.fullmatch(value) is not None,
            key,
            value,
            "must be three capital letters (IOC code, like NED); leave the key out when unknown",
        )

    def unique(self, keys_and_values: Iterable[tuple[str, Hashable]]) -> None:
        """No value twice; the error names the key where it stands first."""
        first: dict[Hashable, str] = {}
        for key, value in keys_and_values:
            self.require(value not in first, key, value, f"is used twice; {first.get(value)} has it already")
            first[value] = key

    def laps(self, key: str, value: float) -> None:
        """Laps above 0 in steps of half a lap (track-rules §1.1)."""
        self.require(
            0 < value < math.inf and (value * 2).is_integer(),
            key,
            value,
            "must be a number of laps above 0 in steps of 0.5",
        )


# -- venue ---------------------------------------------------------------------------------------------------


def check_venue(venue: Venue, file: str) -> None:
    """Check a track: its length, lines and loops (UCI 3.6.067-088)."""
    check = Checker(file)
    check.identifier("id", venue.id)
    check.text("name", venue.name)
    check.nation("nation", venue.nation)
    check.between(
        "track_length_m",
        venue.track_length_m,
        MIN_TRACK_LENGTH_M,
        MAX_TRACK_LENGTH_M,
        "m (UCI 3.6.067: one lap on the measurement line)",
    )
    _check_timezone(venue.timezone, check)
    _check_lines(venue, check)
    check.unique((f"loops[{index}].id", loop.id) for index, loop in enumerate(venue.loops))
    for index, loop in enumerate(venue.loops):
        check.identifier(f"loops[{index}].id", loop.id)
        _check_position(check, f"loops[{index}].position_m", loop.position_m, venue.track_length_m)


def _check_timezone(name: str, check: Checker) -> None:
    try:
        ZoneInfo(name)
    # Besides its own KeyError, zoneinfo lets through what the file system says of names like "Europe".
    except (KeyError, ValueError, OSError) as error:
        hint = closest(name, available_timezones())
        raise ConfigError(
            check.file, "timezone", name, f'is no known time zone{hint} Give a name like "Europe/Berlin"'
        ) from error


def _check_lines(venue: Venue, check: Checker) -> None:
    """Check the painted lines against one another and the length of the lap."""
    lines, length_m = venue.lines, venue.track_length_m
    check.require(
        lines.finish_m == 0,
        "lines.finish_m",
        lines.finish_m,
        "must be 0: all positions count from the finish",
    )
    for name in ("pursuit_home_m", "pursuit_back_m", "l200_m", "l100_m"):
        _check_position(check, f"lines.{name}", getattr(lines, name), length_m)
    check.require(
        _distance_round_track(lines.pursuit_home_m, 0.0, length_m) < length_m / 4,
        "lines.pursuit_home_m",
        lines.pursuit_home_m,
        f"must lie in the straight of the finish, less than a quarter lap ({length_m / 4:g} m) from it; "
        "are the home and the back line exchanged?",
    )
    opposite_m = (lines.pursuit_home_m + length_m / 2) % length_m
    _check_line(
        check,
        "lines.pursuit_back_m",
        lines.pursuit_back_m,
        opposite_m,
        length_m,
        "half a lap from the home pursuit line",
    )
    for name, before_finish_m in (("l200_m", 200.0), ("l100_m", 100.0)):
        _check_line(
            check,
            f"lines.{name}",
            getattr(lines, name),
            -before_finish_m % length_m,
            length_m,
            f"{before_finish_m:g} m before the finish",
        )


def _check_position(check: Checker, key: str, position_m: float, length_m: float) -> None:
    check.require(
        0 <= position_m < length_m,
        key,
        position_m,
        f"must lie between 0 and the track length {length_m:g} m "
        "(give metres after the finish line in riding direction)",
    )


def _check_line(check: Checker, key: str, position_m: float, expected_m: float, length_m: float, where: str) -> None:
    check.require(
        _distance_round_track(position_m, expected_m, length_m) <= LINE_TOLERANCE_M,
        key,
        position_m,
        f"must lie {where}, at {expected_m:.2f} m ± {LINE_TOLERANCE_M:g} m on this track",
    )


def _distance_round_track(one_m: float, other_m: float, length_m: float) -> float:
    """The shorter way between two positions, so that 249.9 m and 0 m are 0.1 m apart on 250 m."""
    way_m = (one_m - other_m) % length_m
    return min(way_m, length_m - way_m)


# -- rule book -----------------------------------------------------------------------------------------------


def check_rules(rules: RuleBook, file: str) -> None:
    """Check a rule book: dates, codes, reasons, pace curves and the keirin (UCI 3.2.134-143)."""
    check = Checker(file)
    check.identifier("id", rules.id)
    check.text("name", rules.name)
    check.require(
        rules.valid_until is None or rules.valid_until >= rules.valid_from,
        "valid_until",
        rules.valid_until,
        f"must not be before valid_from = {rules.valid_from.isoformat()}",
    )
    _check_codes(rules, check)
    for name, curve in rules.pace_curves.items():
        key = join_key("pace_curves", name)
        check.between(f"{key}.start_kmh", curve.start_kmh, MIN_PACE_KMH, MAX_PACE_KMH, "km/h")
        check.between(f"{key}.end_kmh", curve.end_kmh, MIN_PACE_KMH, MAX_PACE_KMH, "km/h")
        check.require(
            curve.end_kmh >= curve.start_kmh,
            f"{key}.end_kmh",
            curve.end_kmh,
            f"must not be below start_kmh = {curve.start_kmh:g}",
        )
    _check_keirin(rules, check)


def _check_codes(rules: RuleBook, check: Checker) -> None:
    check.unique((f"codes[{index}].code", code.code) for index, code in enumerate(rules.codes))
    for index, code in enumerate(rules.codes):
        check.word(f"codes[{index}].code", code.code)
    codes = [code.code for code in rules.codes]
    for required in REQUIRED_CODES:
        check.require(required in codes, "codes", codes, f"must define {required}")
    for index, reason in enumerate(rules.reasons):
        check.require(
            reason.default_code in codes,
            f"reasons[{index}].default_code",
            reason.default_code,
            f"must be one of the codes of this book: {', '.join(codes)}",
        )


def _check_keirin(rules: RuleBook, check: Checker) -> None:
    keirin = rules.keirin
    check.require(bool(keirin.distances), "keirin.distances", ABSENT, "must give at least one track length")
    for index, distance in enumerate(keirin.distances):
        _check_distance(keirin, distance, f"keirin.distances[{index}]", check)
    check.unique(
        (f"keirin.distances[{index}].track_length_m", distance.track_length_m)
        for index, distance in enumerate(keirin.distances)
    )
    check.require("default" in keirin.pace, "keirin.pace.default", ABSENT, "is missing; name a pace curve")
    for category, curve in keirin.pace.items():
        check.require(
            curve in rules.pace_curves,
            join_key("keirin.pace", category),
            curve,
            f"must name one of pace_curves: {', '.join(rules.pace_curves)}",
        )
    check.laps("keirin.mishap_restart_laps", keirin.mishap_restart_laps)
    check.laps("keirin.drawn_order_laps", keirin.drawn_order_laps)
    check.at_least("keirin.max_riders", keirin.max_riders, 2, "riders")
    tolerance = keirin.tolerance
    check.at_least("keirin.tolerance.amber_kmh", tolerance.amber_kmh, 0, "km/h")
    check.at_least("keirin.tolerance.red_kmh", tolerance.red_kmh, tolerance.amber_kmh, "km/h (amber_kmh)")
    check.at_least("keirin.tolerance.pull_off_m", tolerance.pull_off_m, 0, "m")


def _check_distance(keirin: KeirinRules, distance: KeirinDistance, key: str, check: Checker) -> None:
    check.between(f"{key}.track_length_m", distance.track_length_m, MIN_TRACK_LENGTH_M, MAX_TRACK_LENGTH_M, "m")
    check.laps(f"{key}.paced_laps", distance.paced_laps)
    check.laps(f"{key}.sprint_laps", distance.sprint_laps)
    check_paced_laps(keirin, distance.paced_laps, f"{key}.paced_laps", check)


def check_paced_laps(keirin: KeirinRules, paced_laps: float, key: str, check: Checker) -> None:
    """The paced laps must lead from the start line to the exit line, or the pull-off would be measured
    half a lap off. Only the pursuit lines have a distance (half a lap) that holds on every track.
    """
    if keirin.start_line in PURSUIT_LINES and keirin.exit_line in PURSUIT_LINES:
        half_laps = round(paced_laps * 2)
        leads_across = keirin.start_line != keirin.exit_line
        check.require(
            half_laps % 2 == int(leads_across),
            key,
            paced_laps,
            f"must be {'a whole number of laps and a half' if leads_across else 'whole laps'}: the pacer is "
            f"paced from {keirin.start_line} to {keirin.exit_line} (keirin.start_line, keirin.exit_line)",
        )
