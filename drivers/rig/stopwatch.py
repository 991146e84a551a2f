"""What all simulated cameras share: the heat they are armed for, its start, and times from a clock of their own."""

from config.models import Device, Heat
from drivers.records import PhotoFinish, PhotoFinishLine
from drivers.rig.clockmodel import DAY_US, DeviceClockModel
from drivers.rig.race import Sheet


class Stopwatch:
    """A camera's heat and start; `photo_finish` states a sheet in the camera's own times."""

    def __init__(self, device: Device, model: DeviceClockModel) -> None:
        self.device = device
        self.model = model
        self.heat: Heat | None = None
        self.gun_us: int | None = None

    def photo_finish(self, sheet: Sheet, gun_us: int) -> PhotoFinish:
        """The sheet as the camera says it: places from 1, times since its own start."""
        first_place = 1 if self.heat is None else self.heat.first_place
        return PhotoFinish(
            device=self.device.id,
            received_us=0,
            event="" if self.heat is None else self.heat.event,
            round="" if self.heat is None else self.heat.round,
            heat=sheet.heat,
            start_device_us=self.model.device_us(gun_us) % DAY_US,
            official=True,
            lines=tuple(
                PhotoFinishLine(
                    place=None if line.place is None else line.place - first_place + 1,
                    bib=line.bib,
                    name=line.name,
                    time_us=(
                        None if line.finish_us is None else self.model.elapsed_us(gun_us, gun_us + line.finish_us)
                    ),
                )
                for line in sheet.lines
            ),
        )
