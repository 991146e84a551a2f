"""From the state of the meet to the messages of its topics: what is published, and only what changed.

Pure: the same state gives the same bodies. Sequence numbers are put on when a body really goes out.
"""

from collections.abc import Iterator

import msgspec

from config.models import Pacer, Rider
from timing import __version__
from timing.control import messages as m
from timing.race.degraded import loop_health
from timing.race.earlier import AttemptPace
from timing.race.explain import why
from timing.race.heat import HeatLog
from timing.race.history import history, last_row
from timing.race.meet import MeetState
from timing.race.onward import marks, tie_alerts
from timing.race.picture import Bell, HeatPicture
from timing.race.sanctions import proposals
from timing.race.sentences import Alert

SchemaName = str
CONFIDENTIAL = frozenset({"notices", "alerts"})
"""Of the heat on the track: for those who work on it, not for scoreboards."""


class Body(msgspec.Struct, frozen=True):
    """A message without its head, as encoded fields, and the topic below the meet where it belongs."""

    topic: str
    schema: SchemaName
    fields: dict[str, object]


def meet_body(state: MeetState) -> Body:
    """Topic `meet`. Raises ValueError before a setup is journaled."""
    if state.setup is None:
        raise ValueError("no setup is journaled yet")
    meet, venue = state.setup.meet, state.setup.venue
    heats = tuple(
        m.ScheduledHeat(one.id, one.event, one.category, one.round, one.heat, one.name or one.id, one.scheduled)
        for one in meet.heats
    )
    return Body(
        "meet",
        "meet/1",
        {
            "meet": meet.id,
            "name": meet.name,
            "venue": venue.id,
            "venue_name": venue.name,
            "track_length_m": venue.track_length_m,
            "timezone": venue.timezone,
            "rules": state.setup.rules.id,
            "loops": {loop.id: loop.position_m for loop in venue.loops},
            "lines": venue.lines,
            "pace_curves": state.setup.rules.pace_curves,
            "pace_tolerance": state.setup.rules.keirin.tolerance,
            "heats": heats,
            "codes": state.setup.rules.codes,
            "reasons": state.setup.rules.reasons,
        },
    )


def device_bodies(state: MeetState) -> Iterator[Body]:
    """Topics `devices/<id>`."""
    for name, view in state.devices.items():
        fit = state.clocks[name].fit()
        yield Body(
            f"devices/{name}",
            "device/1",
            {
                "device": view,
                "clock_quality": fit.quality,
                "clock_uncertainty_us": fit.uncertainty_us,
                "clock_rate_ppb": fit.rate_ppb,
                "clock_warning": fit.warning,
                "clock_offset_us": fit.race_anchor_us - fit.device_anchor_us,
                "trends": state.trends.device(name),
            },
        )


def current_body(state: MeetState, picture: HeatPicture | None) -> Body:
    """Topic `current`."""
    if picture is None:
        fields: dict[str, object] = {
            "heat": None,
            "attempt": 0,
            "state": "none",
            "status": "none",
            "start_us": None,
            "laps_to_go": 0.0,
            "laps_to_go_measured": 0.0,
            "bell": None,
            "head_m": 0.0,
            "course_m": 0.0,
            "notices": (),
            "alerts": (),
        }
        return Body("current", "current/1", fields)
    return Body(
        "current",
        "current/1",
        {
            "heat": picture.heat,
            "attempt": picture.attempt,
            "state": picture.state,
            "status": picture.status,
            "start_us": picture.start_us,
            "laps_to_go": picture.laps_to_go,
            "laps_to_go_measured": picture.laps_to_go_measured,
            "bell": picture.bell,
            "head_m": picture.orders[-1].distance_m if picture.orders else 0.0,
            "course_m": picture.course_m,
            "notices": picture.notices,
            "alerts": (*picture.alerts, *_event_alerts(state, picture)),
        },
    )


def _event_alerts(state: MeetState, picture: HeatPicture) -> list[Alert]:
    """What rests on more than the heat's own log; once official, nothing is open."""
    if picture.state == "official":
        return []
    log = state.heats[picture.heat]
    return [*proposals(state.heats.values(), log, picture.alerts), *tie_alerts(log, picture)]


def board_body(current: Body) -> Body:
    """Topic `board`: of the topic `current` what everybody may see."""
    fields = {name: value for name, value in current.fields.items() if name not in CONFIDENTIAL}
    bell = fields.pop("bell")
    fields["bell_rung_us"] = bell.rung_us if isinstance(bell, Bell) else None
    return Body("board", "board/1", fields)


def _head(picture: HeatPicture) -> dict[str, object]:
    """The head of a message of one heat."""
    return {
        "heat": picture.heat,
        "round": picture.round,
        "number": picture.number,
        "attempt": picture.attempt,
        "state": picture.state,
    }


def heat_bodies(log: HeatLog, picture: HeatPicture, earlier: tuple[AttemptPace, ...] = ()) -> Iterator[Body]:
    """The six topics of a heat that are made anew with each picture; `history_body` makes the seventh."""
    head = _head(picture)
    parts: dict[str, dict[str, object]] = {
        "start": {
            "starters": picture.starters,
            "attempts": picture.attempts,
            "start_us": picture.start_us,
        },
        "order": {"orders": picture.orders, "laps_to_go": picture.laps_to_go},
        "splits": {
            "splits": picture.splits,
            "unmatched": picture.unmatched,
            "unmatched_count": picture.unmatched_count,
        },
        "pace": {"pace": picture.pace, "earlier": earlier},
        "finish": {"finish": picture.finish, "disagreements": picture.finish.disagreements},
        "result": {
            "status": picture.status,
            "results": picture.results,
            "decisions": picture.decisions,
            "last_200_ms": picture.finish.last_200_ms,
            "marks": marks(log, picture.results),
        },
    }
    for name, fields in parts.items():
        yield Body(f"heats/{picture.heat}/{name}", f"{name}/1", {**head, **fields})


def history_body(log: HeatLog, picture: HeatPicture) -> Body:
    """Topic `heats/<heat>/history`. It takes longer than a picture: `Histories` says when it is needed anew."""
    fields: dict[str, object] = {"entries": history(log), "last_row": last_row(log), "why": why(log, picture)}
    return Body(f"heats/{picture.heat}/history", "history/1", _head(picture) | fields)


class Histories:
    """Makes a heat's history anew only when an order came or the result is another one."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[object, ...]] = {}

    def changed(self, log: HeatLog, picture: HeatPicture) -> Iterator[Body]:
        """The history of a heat if it may differ from the one given last."""
        rests_on = (log.orders[-1:], picture.attempt, picture.state, picture.results, picture.finish)
        if self._made.get(picture.heat) != rests_on:
            self._made[picture.heat] = rests_on
            yield history_body(log, picture)


def competition_body(state: MeetState) -> Body:
    """Topic `competition`: heats never opened are `none`."""
    heats = {
        name: state.picture(name).status if log.opened_us is not None else "none" for name, log in state.heats.items()
    }
    return Body("competition", "competition/1", {"heats": heats})


def health_body(state: MeetState) -> Body:
    """Topic `health`."""
    return Body(
        "health",
        "health/1",
        {
            "version": __version__,
            "devices": {name: view.state for name, view in state.devices.items()},
            "inbox": tuple(state.inbox[-20:]),
            "inbox_count": state.inbox_count,
            "commands": len(state.outcomes),
            "loops": loop_health(state, None if state.current is None else state.picture(state.current)),
            "transponders": state.trends.transponders(_entered(state)),
        },
    )


def _entered(state: MeetState) -> Iterator[str]:
    """The transponders of the meet's riders and pacers."""
    if state.setup is not None:
        people: tuple[Rider | Pacer, ...] = (*state.setup.meet.riders, *state.setup.meet.pacers)
        for one in people:
            yield from one.transponders


def state_json(state: MeetState) -> bytes:
    """The whole state as canonical JSON: what live and replay must agree on to the byte."""
    pictures = {name: state.picture(name) for name, log in state.heats.items() if log.opened_us is not None}
    return msgspec.json.encode(
        {
            "journal_id": state.journal_id,
            "current": state.current,
            "heats": pictures,
            "devices": state.devices,
            "trends": {name: state.trends.device(name) for name in state.devices},
            "last_read_us": state.last_read_us,
            "clocks": {name: clock.fit() for name, clock in state.clocks.items()},
            "inbox": state.inbox,
            "inbox_count": state.inbox_count,
            "outcomes": state.outcomes,
        },
        order="deterministic",
    )
