"""Makes the README's pictures of the live view: `python -m tests.pictures`. Folded from the rig, without hardware."""

import io
import re
from pathlib import Path

from rich.console import Console

from config.loader import load_setup
from drivers.records import ClockReading, Delivery, Impulse, Passing, PhotoFinish, PhotoFinishLine, Record
from drivers.rig.race import Edge, LoopRead, Sheet, TimedEvent, build_timeline
from drivers.rig.script import load_script
from timing.control.terminal import live_view
from timing.race.actions import AnyAction, Arm, Confirm, OpenHeat, SetLapCounter
from timing.race.events import Command, Event, SetupTaken
from timing.race.meet import MeetState
from timing.race.picture import RACING_STATES

MEET = "tokyo2020-men-keirin"
HEAT = "final-a"
GUN_US = 1_628_304_660_000_000
ARRIVAL_US = 1_500
WARM_UP_US = 300_000_000
CLOCK_EVERY_US = 5_000_000
ROUND_TRIP_US = 300
FOLDER = Path(__file__).parent.parent / "timing" / "control" / "pictures"
MOMENTS = {"live-paced.svg": 63_500_000, "live-result.svg": 120_000_000}
"""Picture to the instant after the gun at which it is taken."""
FONT_FACE = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)


def record_of(event: TimedEvent, gun_us: int) -> Record | None:
    """What a box with a perfect clock says of a scripted event."""
    at_us = gun_us + event.at_us
    received_us = at_us + ARRIVAL_US
    match event:
        case LoopRead():
            return Passing(device=event.device, received_us=received_us, device_us=at_us, transponder=event.transponder)
        case Edge():
            return Impulse(device=event.device, received_us=received_us, device_us=at_us, channel=event.channel)
        case Sheet():
            lines = tuple(
                PhotoFinishLine(place=line.place, bib=line.bib, name=line.name, time_us=line.finish_us)
                for line in event.lines
            )
            return PhotoFinish(device=event.device, received_us=received_us, heat=event.heat, lines=lines)
        case _:
            return None


class _Office:
    """Applies events to a meet, as the service does from its journal."""

    def __init__(self) -> None:
        self.setup = load_setup(MEET)
        self.state = MeetState()
        self._row = 0

    def apply(self, event: Event) -> None:
        self._row += 1
        self.state.apply(self._row, event)

    def order(self, at_us: int, role: str, action: AnyAction) -> None:
        name = f"{type(action).__name__}-{self._row}"
        self.apply(Command(id=name, actor=f"the {role}", role=role, at_us=at_us, action=action))

    def hear(self, record: Record) -> None:
        received_us = record.received_us
        self.apply(Delivery(device=record.device, received_us=received_us, raw=b"", records=(record,)))

    def turn_lap_counter(self, at_us: int) -> None:
        picture = self.state.picture(HEAT)
        if picture.state in RACING_STATES and picture.laps_to_go_measured < picture.laps_to_go:
            self.order(at_us, "system", SetLapCounter(laps_to_go=int(picture.laps_to_go_measured)))


def state_at(after_gun_us: int) -> MeetState:
    """The meet with the final ridden up to an instant after the gun; official when the sheet has come."""
    office = _Office()
    heat = next(one for one in office.setup.meet.heats if one.id == HEAT)
    timeline = build_timeline(office.setup, heat, load_script(MEET).heats[HEAT], seed=0)
    office.apply(SetupTaken(at_us=GUN_US - WARM_UP_US, setup=office.setup))
    for device in office.state.devices.values():
        device.state = "live"
    for sent_us in range(GUN_US - WARM_UP_US, GUN_US, CLOCK_EVERY_US):
        for device in office.setup.meet.devices:
            if device.protocol == "p3":
                received_us = sent_us + ROUND_TRIP_US
                middle_us = sent_us + ROUND_TRIP_US // 2
                office.hear(
                    ClockReading(device=device.id, received_us=received_us, device_us=middle_us, sent_us=sent_us)
                )
    office.order(GUN_US - 20_000_000, "operator", OpenHeat(heat=HEAT))
    office.order(GUN_US - 8_000_000, "operator", Arm())
    for event in timeline.events:
        record = record_of(event, GUN_US)
        if record is not None and event.at_us <= after_gun_us:
            office.hear(record)
            office.turn_lap_counter(record.received_us)
    if office.state.picture(HEAT).state == "provisional":
        office.order(GUN_US + after_gun_us, "president", Confirm())
    return office.state


def main() -> None:
    """Write the pictures. Web fonts are taken out: a picture of ours fetches nothing."""
    for name, after_gun_us in MOMENTS.items():
        state = state_at(after_gun_us)
        console = Console(record=True, width=118, file=io.StringIO(), force_terminal=True)
        console.print(live_view(state, state.picture(HEAT), GUN_US + after_gun_us))
        svg = console.export_svg(title="velodrome · Tokyo 2020, men's keirin, final A")
        (FOLDER / name).write_text(FONT_FACE.sub("", svg), encoding="utf-8")


if __name__ == "__main__":
    main()
