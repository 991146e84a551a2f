"""A simulated velotrain: it publishes the raw passings of up to nine loops, or writes as a foreign timer.

The topic says which: `…/timer` gets `;` records, `…/passing` filtered passings, any other raw passings. At the top of
each minute of a unit's clock its synchronisation pulse is published. What the broker does not take waits.
"""

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import Final

import aiomqtt

from config.models import Broker, Device
from drivers.hostclock import HostClock
from drivers.protocols.velotrain import (
    DAY_US,
    MINUTE_US,
    TRIGGER,
    encode_passing,
    encode_rawpass,
    encode_timer,
    pulse_error_us,
)
from drivers.records import Passing
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.mqtt_link import raise_if_cancelled, stay_connected
from drivers.rig.race import LoopRead
from drivers.transports.address import MqttAddress

AT_LEAST_ONCE: Final = 1
ONLY_LOOP: Final = "C1"
"""The channel where the device has one loop and names none."""


class VelotrainBox:
    """One topic of velotrain. All units share the device's clock, each wrong by its part of `unit_error_us`."""

    def __init__(
        self, device: Device, address: MqttAddress, broker: Broker, model: DeviceClockModel, clock: HostClock
    ) -> None:
        self.device = device
        self.model = model
        self.unit_error_us: dict[str, int] = {}
        """Channel to µs that this unit's clock is ahead of the others."""
        self._topic = address.topic
        self._broker = broker
        self._clock = clock
        self._outbox: deque[bytes] = deque()
        self._sequence = 0
        self._news = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Messages that the broker has not acknowledged."""
        return len(self._outbox)

    async def open(self) -> None:
        """velotrain connects when it runs; a broker that is not there yet is no error."""

    async def close(self) -> None:
        """The connection ends with `run`."""

    async def run(self) -> None:
        """Publish, and pulse every minute, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stay_connected(self._broker, self._publish))
            tasks.create_task(self._pulse_every_minute())

    def read(self, read: LoopRead, gun_us: int) -> None:
        """A transponder over one of the loops; `gun_us` is the gun in host time."""
        self._say(read.channel or ONLY_LOOP, read.transponder, gun_us + read.at_us)

    def pulse(self, at_us: int) -> None:
        """All units see the synchronisation pulse at host time `at_us`."""
        if not self._topic.endswith("/passing"):
            for channel in [wire.channel for wire in self.device.channels] or [ONLY_LOOP]:
                self._say(channel, TRIGGER, at_us)

    def _say(self, channel: str, refid: str, at_us: int) -> None:
        self._sequence += 1
        device_us = self.model.device_us(at_us)
        passing = Passing(
            device=self.device.id,
            received_us=0,
            device_us=(device_us + self.unit_error_us.get(channel, 0)) % DAY_US,
            transponder=refid,
            channel=channel,
            sequence=self._sequence,
        )
        date = datetime.fromtimestamp(at_us // 1_000_000, UTC).date().isoformat()
        if self._topic.endswith("/timer"):
            payload = encode_timer(passing)
        elif self._topic.endswith("/passing"):
            payload = encode_passing(passing, date)
        else:
            payload = encode_rawpass(passing, date, device_us % DAY_US)
        self._outbox.append(payload)
        self._news.set()

    async def _pulse_every_minute(self) -> None:
        while True:
            now_us = self._clock.now_us()
            # The pulse comes when the master's clock, which is the model, shows a whole minute.
            wait_us = MINUTE_US - self.model.device_us(now_us) % MINUTE_US
            await self._clock.sleep_us(wait_us)
            at_us = now_us + wait_us
            self.pulse(at_us + pulse_error_us(self.model.device_us(at_us)))

    async def _publish(self, client: aiomqtt.Client) -> None:
        while True:
            self._news.clear()
            while self._outbox:
                await client.publish(self._topic, self._outbox[0], qos=AT_LEAST_ONCE)
                self._outbox.popleft()
                raise_if_cancelled()
            await self._news.wait()
