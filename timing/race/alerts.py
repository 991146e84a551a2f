"""Alerts by key: how urgent each is and its English. Who raises them says when (`notices`, `sanctions`, `onward`)."""

from timing.race.sentences import Alert, Severity

ALERTS: dict[str, tuple[Severity, str]] = {
    "double_shot": ("red", "double shot of the gun: the starter's stop signal, stop the race (UCI 3.2.019)"),
    "gun_again": ("red", "the gun was fired again: stop the race if the starter stopped it (UCI 3.2.019)"),
    "mishap_restart": ("red", "mishap of {bib} ({what}) in the first half lap: new start of all (UCI 3.2.143)"),
    "mishap_late": (
        "amber",
        "mishap of {bib} ({what}) logged {seconds} s after the first half lap: "
        "new start of all if it happened within it, else the race goes on (UCI 3.2.143)",
    ),
    "mishap_goes_on": ("info", "mishap of {bib} ({what}) after the first half lap: the race goes on (UCI 3.2.143)"),
    "rider_ahead": (
        "red",
        "rider {bib} ahead of the pacer at {distance} m by {margin_m} m ({margin_ms} ms): "
        "commissaire to rule (UCI 3.2.140)",
    ),
    "propose_dsq_warnings": ("amber", "rider {bib} has {count} warnings: DSQ is proposed (UCI 3.2.013, 3.10.003)"),
    "propose_dsq_relegations": ("amber", "rider {bib} was relegated {count} times: DSQ is proposed (UCI 3.2.013)"),
    "propose_dsq": (
        "amber",
        "rider {bib} has {warnings} warnings and {relegations} relegations in this event ({heats}): "
        "DSQ is proposed (UCI 3.2.013, 3.10.003)",
    ),
    "ring_bell": ("amber", "ring the bell as the head of the race begins the last lap, then log it"),
    "no_bell": ("info", "no bell was logged"),
    "photo_finish_differs": (
        "amber",
        "photo-finish has {ahead} before {behind}, transponders the other way by {gap_ms} ms: the photo-finish stands",
    ),
    "photo_finish_no_bib": ("amber", "the photo-finish has no bib at place {place}: judge to read the picture"),
    "photo_finish_unknown_bib": (
        "amber",
        "the photo-finish has bib {bib}, who is not in this heat at place {place}: judge to read the picture",
    ),
    "judge_differs": ("info", "the judge's order differs from the photo-finish: the judge's order stands"),
    "awaiting_order": ("info", "awaiting the photo-finish or the judge's order"),
    "too_close": (
        "amber",
        "too close for transponders to tell who is who in the photocell: {pairs}; read the picture",
    ),
    "sheet_without_start": (
        "amber",
        "a photo-finish sheet came for a race that was not started: log the gun with its time",
    ),
    "start_in_doubt": (
        "amber",
        "the gun's time is uncertain by ±{doubt} ({source}): its clock was set, or the impulse came late",
    ),
    "clock_in_doubt": (
        "amber",
        "{device}: times of {crossings} crossings are uncertain by up to ±{doubt}: "
        "its clock was set, or they came late",
    ),
    "pace_off": ("amber", "pace: {summary}"),
    "pacer_unread": ("amber", "pace: pacer {finding}"),
    "dead_heat_onward": (
        "amber",
        "dead heat of {bibs} at place {place}, and only {last} go on to {mark}: judge or commissaire to resolve it",
    ),
}
"""Key → (severity, English). Notices are part of what live and replay must agree on: their words are not changed."""


def alert(key: str, english: dict[str, str] | None = None, /, **params: str | int) -> Alert:
    """An alert by its key. `english` replaces parameters whose English is more than their value.

    Raises KeyError for an unknown key or a placeholder without parameter.
    """
    severity, template = ALERTS[key]
    return Alert(key, params, severity, template.format(**(params | (english or {}))))
