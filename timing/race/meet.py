"""The state of a meet: a fold over the journal, event by event, and the one way in which anything changes.

`MeetState.apply` is deterministic: the same events in the same order give the same state, live and in replay.
"""

from collections import deque
from collections.abc import Mapping

from config.lynx_keys import heat_of_key, lynx_keys
from config.models import Device, Setup
from drivers.protocols.base import Resume
from drivers.records import (
    Delivery,
    DeviceHealth,
    DeviceStatus,
    Impulse,
    Malformed,
    Passing,
    PhotoFinish,
    Record,
    SequenceGap,
    Unhandled,
)
from timing.clock import DeviceClock
from timing.clock_history import ClockHistory
from timing.race import keirin
from timing.race.actions import OpenHeat
from timing.race.competition.outcomes import HeatOutcome, outcome_of
from timing.race.earlier import AttemptPace, earlier_paces
from timing.race.events import (
    COMPETITION_ACTIONS,
    Command,
    Digest,
    Event,
    SequenceReserved,
    ServiceStarted,
    SetupTaken,
    event_time_us,
)
from timing.race.heat import HeatLog
from timing.race.office import RaceOffice
from timing.race.orders import refuse
from timing.race.picture import HeatPicture
from timing.race.reads import RaceTime
from timing.race.seen import DeviceView, InboxItem, Outcome, PassingNews, newest, take_status, without
from timing.race.sync import SyncPulses, is_pulse, minute_drift_us
from timing.race.trends import Trends
from timing.race.wiring import beacon_impulse, loop_of, wired_to

INBOX_KEPT = 200
"""Records that fit no heat kept for the screens; all of them are in the journal."""
IMPULSES_KEPT = 4_096
"""Edges of a box by which it is told after a restart what is known; older ones come first from its memory."""
FARTHEST_US = 2**53
"""No clock shows more µs than this (the year 2255 in UTC); what does is a damaged record, not a passing."""
ROUTING_SLACK_US = 2_000_000
"""A device's clock may be this far off before its passing is taken for one of the heat before."""


class MeetState:
    """Everything that follows from the journal so far."""

    def __init__(self) -> None:
        self.setup: Setup | None = None
        """The meet file, and the riders and heats that the race office added to it."""
        self.configured: Setup | None = None
        """The meet file alone."""
        self.office = RaceOffice()
        self.heats: dict[str, HeatLog] = {}
        self.clocks: dict[str, DeviceClock] = {}
        self.devices: dict[str, DeviceView] = {}
        self.current: str | None = None
        self.outcomes: dict[str, Outcome] = {}
        self.seals: dict[str, Digest] = {}
        """Of each heat that was made official: what sealed its newest official result."""
        self.inbox: list[InboxItem] = []
        self.inbox_count = 0
        self.sequence_until = 0
        self.trends = Trends()
        self.sync = SyncPulses((), {})
        self.last_read_us: dict[str, int] = {}
        """Per loop of the venue, race µs of its newest passing."""
        self.journal_id = 0
        self.latest_us = 0
        self._device_setup: dict[str, Device] = {}
        self._openings: list[tuple[int, str]] = []
        self._missing: dict[str, list[tuple[int, int]]] = {}
        """Per device, the ranges of numbers that it was asked for and that are not on disk."""
        self._impulses: dict[str, deque[Impulse]] = {}
        """Per device, its newest edges: what it repeats after a restart is known by them."""
        self._frozen_pictures: dict[str, tuple[int, HeatPicture]] = {}
        """Of heats whose clock fits are frozen: the version of the log and what it meant."""
        self._earlier_paces: dict[str, tuple[int, tuple[AttemptPace, ...]]] = {}
        """The number of orders at which they were derived: only an order begins an attempt or takes one back."""
        self._live_pictures: dict[str, HeatPicture] = {}
        """Of the others, until the next event."""

    def apply(self, row: int, event: Event) -> list[PassingNews]:
        """Take one journaled event. Returns the passings in it, for the stream that shows them at once."""
        self.journal_id = row
        self.latest_us = max(self.latest_us, event_time_us(event))
        news: list[PassingNews] = []
        if isinstance(event, Delivery):
            self.trends.take_bytes(event.device, event.received_us)
            for index, record in enumerate(event.records):
                self._take_record(f"{row}:{index}", record, news)
        elif isinstance(event, Command):
            self._take_command(row, event)
        elif isinstance(event, DeviceHealth):
            view = self.devices.get(event.device)
            if view is not None:
                view.state, view.reason, view.advice = event.state, event.reason, event.advice
        elif isinstance(event, ServiceStarted):
            for view in self.devices.values():
                # A process that begins has no line to any box yet.
                view.state, view.reason, view.advice = "unknown", "", ""
        elif isinstance(event, SetupTaken):
            self._take_setup(event.setup)
        elif isinstance(event, Digest):
            self.seals[event.heat] = event
        elif isinstance(event, SequenceReserved):
            self.sequence_until = max(self.sequence_until, event.until)
        self._live_pictures.clear()
        if self.current is not None:
            log = self.heats[self.current]
            if not log.closed:
                log.latest_us = self.latest_us
        return news

    def picture(self, heat: str) -> HeatPicture:
        """The picture of a heat, derived from its log from scratch. Raises KeyError for an unknown heat."""
        log = self.heats[heat]
        if not log.clocks:
            if heat not in self._live_pictures:
                self._live_pictures[heat] = _derive(log, self._histories())
            return self._live_pictures[heat]
        version, picture = self._frozen_pictures.get(heat, (-1, None))
        if picture is None or version != log.version:
            # A read from a box's backlog can still reach a heat that is over.
            picture = _derive(log, log.clocks)
            self._frozen_pictures[heat] = (log.version, picture)
        return picture

    def picture_of(self, log: HeatLog) -> HeatPicture:
        """What a log means with the clocks as they are now; for a copy that is no part of the state."""
        return _derive(log, log.clocks or self._histories())

    def earlier_paces(self, heat: str) -> tuple[AttemptPace, ...]:
        """The pacing of a heat's attempts before the present one. Raises KeyError for an unknown heat."""
        log = self.heats[heat]
        orders, paces = self._earlier_paces.get(heat, (-1, ()))
        if orders != len(log.commands):
            paces = earlier_paces(log, RaceTime(log.clocks or self._histories()))
            self._earlier_paces[heat] = (len(log.commands), paces)
        return paces

    def _histories(self) -> dict[str, ClockHistory]:
        return {device: clock.history() for device, clock in self.clocks.items()}

    def resume(self, device: str) -> Resume:
        """Where a device's backlog has to begin: before the oldest number that is missing on disk.

        A box that was heard but has no passing on disk yet is asked for all that it has, but only in the middle of
        a heat: its memory may be that of a whole season, and a slow line would be busy with it for an hour.
        """
        view = self.devices.get(device)
        if view is None or not view.last_received_us:
            return Resume()
        impulses = tuple(self._impulses.get(device, ()))
        in_heat = self.current is not None and not self.heats[self.current].closed
        if view.last_sequence is None and not in_heat:
            return Resume(None, view.decoder, impulses, in_heat)
        last = view.last_sequence if view.last_sequence is not None else 0
        last = min([last, *(first - 1 for first, _ in self._missing[device])])
        return Resume(last, view.decoder, impulses, in_heat)

    def race_us(self, device: str, device_us: int, received_us: int) -> int:
        """Race time of a device's instant by the fit as it is now; received_us where the device is unknown."""
        clock = self.clocks.get(device)
        return received_us if clock is None else clock.race_us(device_us, received_us)

    # -- records ---------------------------------------------------------------------------------------------

    def _take_record(self, ref: str, record: Record, news: list[PassingNews]) -> None:
        view = self.devices.get(record.device)
        clock = self.clocks.get(record.device)
        if view is None or clock is None or record.device not in self._device_setup:
            self._to_inbox(ref, record, record.received_us, "the device is not in the meet file any more")
            return
        view.last_received_us = record.received_us
        device_us = getattr(record, "device_us", None)
        if device_us is not None and abs(device_us) > FARTHEST_US:
            self._to_inbox(
                ref, record, record.received_us, f"its time {device_us} µs is no time: check the box's clock"
            )
            return
        clock.observe(record)
        if isinstance(record, Passing):
            self._take_passing(ref, record, view, clock, news)
        elif isinstance(record, Impulse):
            if view.protocol == "json":
                # A gateway numbers its impulses with its passings; other boxes number them by themselves, if at all.
                view.last_sequence = newest(view.last_sequence, record)
            self._impulses.setdefault(record.device, deque(maxlen=IMPULSES_KEPT)).append(record)
            self._take_impulse(ref, record, clock)
        elif isinstance(record, PhotoFinish):
            self._take_sheet(ref, record)
        elif isinstance(record, DeviceStatus):
            take_status(view, record)
            if view.protocol == "p98" and record.sequence is not None:
                # This decoder numbers its status lines with its passings.
                view.last_sequence = record.sequence
            self.trends.take_status(record)
        elif isinstance(record, Malformed):
            view.errors += 1
            view.last_error = record.reason
        elif isinstance(record, SequenceGap):
            view.gaps_open = 0 if record.asked else view.gaps_open + record.last - record.first + 1
            others = [one for one in self._missing[record.device] if one != (record.first, record.last)]
            # Not asked: asked in vain. What the box does not have is not asked for again.
            self._missing[record.device] = [*others, (record.first, record.last)] if record.asked else others
        elif isinstance(record, Unhandled) and record.name == "numbering_restarted":
            self._missing[record.device] = []
        elif isinstance(record, Unhandled) and record.name == "memory_dump" and not record.detail.get("complete"):
            view.errors += 1
            view.last_error = "its memory did not come to its end: impulses of a time without us may be missing"

    def _take_passing(
        self, ref: str, passing: Passing, view: DeviceView, clock: DeviceClock, news: list[PassingNews]
    ) -> None:
        unwrapped_us = clock.unwrap(passing.device_us, passing.received_us)
        race_us, doubt_us = clock.placed(passing.device_us, passing.received_us, backlog=passing.backlog)
        view.passings += 1
        view.last_passing_us = race_us
        view.decoder = passing.decoder or view.decoder
        view.last_sequence = newest(view.last_sequence, passing)
        if passing.sequence is not None and self._missing[passing.device]:
            self._missing[passing.device] = without(self._missing[passing.device], passing.sequence)
        beacon = beacon_impulse(self._device_setup[passing.device], passing)
        if beacon is not None:
            self._take_impulse(ref, beacon, clock, beacon=True)
            return
        loop = loop_of(self._device_setup[passing.device], passing.channel)
        self.trends.take_passing(passing, loop)
        if loop is not None:
            self.last_read_us[loop] = max(race_us, self.last_read_us.get(loop, race_us))
        log = self._log_at(_on_track_us(passing, race_us, doubt_us))
        competitor = None
        if log is None:
            self._to_inbox(ref, passing, race_us, "no heat is open")
        elif log.closed:
            self._to_inbox(ref, passing, race_us, f"arrived after the result of {log.heat.id} was made official")
        else:
            competitor = log.competitor_of.get(passing.transponder)
            fallback_us = passing.received_us - self._device_setup[passing.device].transport_delay_us
            log.take_passing(ref, passing, loop, unwrapped_us, race_us, fallback_us)
        bib = None
        if log is not None and competitor is not None and competitor < log.pacer_index:
            bib = log.riders[competitor].bib
        pacer = log is not None and competitor == log.pacer_index
        heat = log.heat.id if log is not None else None
        news.append(
            PassingNews(ref, passing.device, loop, passing.transponder, bib, pacer, heat, race_us, passing.backlog)
        )

    def _take_impulse(self, ref: str, impulse: Impulse, clock: DeviceClock, beacon: bool = False) -> None:
        device = self._device_setup[impulse.device]
        if is_pulse(device, impulse):
            if self.sync.take(impulse):
                self.trends.take_pulse(impulse.device, minute_drift_us(impulse.device_us))
            return
        unwrapped_us = clock.unwrap(impulse.device_us, impulse.received_us)
        race_us, doubt_us = clock.placed(impulse.device_us, impulse.received_us, backlog=impulse.backlog)
        wired = wired_to(device, impulse.channel)
        log = self._log_at(_on_track_us(impulse, race_us, doubt_us))
        if log is None or log.closed:
            reason = "no heat is open" if log is None else f"the result of {log.heat.id} is official"
            self._to_inbox(ref, impulse, race_us, reason)
            return
        role = wired.role if wired is not None else None
        loop = wired.loop if wired is not None else None
        take = log.take_beacon if beacon else log.take_impulse
        take(ref, impulse, role, loop, unwrapped_us, race_us)

    def _take_sheet(self, ref: str, sheet: PhotoFinish) -> None:
        # FinishLynx says the three numbers of our start lists; other cameras (and the rig) the heat's id.
        heat = heat_of_key(self._lynx_keys, sheet.event, sheet.round, sheet.heat)
        heat = heat or (sheet.heat if sheet.heat in self.heats else None)
        if heat is None and not sheet.heat:
            heat = self.current
        if heat is None:
            self._to_inbox(ref, sheet, sheet.received_us, f"no heat {sheet.heat!r} is in the meet file")
            return
        log = self.heats[heat]
        if log.opened_us is None:
            self._to_inbox(ref, sheet, sheet.received_us, f"heat {heat} was not opened yet")
        elif log.closed:
            if not log.repeats_sheet(sheet):
                self._to_inbox(
                    ref, sheet, sheet.received_us, f"the result of {heat} is official: reopen it to use this sheet"
                )
        else:
            log.take_sheet(ref, sheet)

    def _log_at(self, race_us: int) -> HeatLog | None:
        """The heat that was on the track at an instant."""
        for opened_us, heat in reversed(self._openings):
            if race_us >= opened_us - ROUTING_SLACK_US:
                return self.heats[heat]
        return None

    def _to_inbox(self, ref: str, record: Record, at_us: int, reason: str) -> None:
        what = type(record).__struct_config__.tag
        self.inbox.append(InboxItem(ref, record.device, str(what), at_us, reason))
        self.inbox_count += 1
        if len(self.inbox) > INBOX_KEPT:
            del self.inbox[0]

    # -- commands --------------------------------------------------------------------------------------------

    def _take_command(self, row: int, command: Command) -> None:
        if command.id in self.outcomes:
            return
        action = command.action
        if isinstance(action, COMPETITION_ACTIONS):
            self._take_office_command(row, command)
            return
        heat = self.heat_meant(command)
        reason = refuse(self, command, heat)
        self.outcomes[command.id] = Outcome(command.id, reason is None, reason or "", heat, row)
        if heat in self.heats:
            self.heats[heat].keep_order(row, command, reason)
        if reason is not None or heat is None:
            return
        log = self.heats[heat]
        if isinstance(action, OpenHeat):
            self._open(heat, command.at_us)
        log.take_command(command)
        if log.closed and not log.clocks:
            log.clocks = self._histories()

    def heat_meant(self, command: Command) -> str | None:
        """The heat for which a command is: the one to be opened, the one that it names, else the current one."""
        if isinstance(command.action, OpenHeat):
            return command.action.heat
        return command.heat or self.current

    def _open(self, heat: str, at_us: int) -> None:
        if self.current is not None and self.current != heat:
            # What is over keeps the clock fits that it had: later drift must not move its times.
            before = self.heats[self.current]
            if not before.clocks:
                before.clocks = self._histories()
        log = self.heats[heat]
        log.opened_us = at_us if log.opened_us is None else log.opened_us
        if self.current != heat:
            log.clocks = {}
            self.current = heat
            self._openings.append((at_us, heat))

    # -- race office -----------------------------------------------------------------------------------------

    def outcome(self, heat: str) -> HeatOutcome | None:
        """How a heat stands, for its competition; None for one that was never opened."""
        log = self.heats.get(heat)
        return None if log is None or log.opened_us is None else outcome_of(self.picture(heat))

    def _take_office_command(self, row: int, command: Command) -> None:
        reason = self.office.refuse(command, self.outcome, lambda heat: self.outcome(heat) is not None)
        self.outcomes[command.id] = Outcome(command.id, reason is None, reason or "", None, row)
        if reason is None and self.office.apply(row, command, self.outcome):
            self._take_people_and_heats()

    def _take_people_and_heats(self) -> None:
        """What the office added to the meet file; a heat that was opened stays as it was."""
        assert self.configured is not None
        self.setup = setup = self.office.extend(self.configured)
        opened = {name: log for name, log in self.heats.items() if log.opened_us is not None}
        self.heats = {heat.id: opened.get(heat.id) or HeatLog(setup, heat) for heat in setup.meet.heats} | opened
        self._lynx_keys = lynx_keys(setup.meet)

    # -- setup -----------------------------------------------------------------------------------------------

    def _take_setup(self, setup: Setup) -> None:
        """A new configuration keeps every log of a heat that is already opened."""
        self.configured = setup
        self.office.take_setup(setup)
        self._take_people_and_heats()
        meet = setup.meet
        before = self._device_setup
        self._device_setup = {device.id: device for device in meet.devices}
        for device in meet.devices:
            known = before.get(device.id)
            if device.id not in self.devices:
                self.devices[device.id] = DeviceView(device.id, device.protocol, device.loop)
                self._missing[device.id] = []
            view = self.devices[device.id]
            view.protocol, view.loop = device.protocol, device.loop
            if device.id not in self.clocks or (known is not None and _clock_of(known) != _clock_of(device)):
                self.clocks[device.id] = DeviceClock(device, setup.venue.timezone)
        if [_clock_of(one) for one in before.values()] != [_clock_of(one) for one in meet.devices]:
            self.sync = SyncPulses(meet.devices, self.clocks)


def _on_track_us(record: Passing | Impulse, race_us: int, doubt_us: int) -> int:
    """When something happened, to find its heat: a clock that was set by an hour says less than the arrival."""
    in_doubt = doubt_us > ROUTING_SLACK_US and not record.backlog
    return record.received_us if in_doubt else race_us


def _clock_of(device: Device) -> tuple[str, str, int, int]:
    """What a device's clock fit rests on: where this changes, nothing learned before holds."""
    return device.id, device.clock, device.transport_delay_us, device.resolution_us


def _derive(log: HeatLog, clocks: Mapping[str, ClockHistory]) -> HeatPicture:
    used = {**log.table.devices, **log.cells.devices}
    uncertainty_us = max((clocks[device].fit.uncertainty_us for device in used if device in clocks), default=0)
    return keirin.derive(log, RaceTime(clocks), uncertainty_us)
