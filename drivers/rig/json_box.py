"""A simulated gateway that publishes impulses (and passings, where its channels are loops) as JSON over MQTT.

Nothing is lost while the broker is away: messages wait in the gateway, leave in order when it is back, and
say with `backlog` that they are late. One whose acknowledgement was lost is sent twice with one number.
"""

import asyncio
from collections import deque
from typing import Final

import aiomqtt
import msgspec

from config.models import Broker, Device
from drivers.hostclock import HostClock
from drivers.protocols.json_mqtt import encode
from drivers.records import ClockReading, Impulse, Passing
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.mqtt_link import raise_if_cancelled, stay_connected
from drivers.rig.race import Edge, LoopRead
from drivers.transports.address import MqttAddress

CLOCK_EVERY_US: Final = 5_000_000
AT_LEAST_ONCE: Final = 1


class JsonBox:
    """One gateway on one topic."""

    def __init__(
        self, device: Device, address: MqttAddress, broker: Broker, model: DeviceClockModel, clock: HostClock
    ) -> None:
        self.device = device
        self.model = model
        self._topic = address.topic
        self._broker = broker
        self._clock = clock
        self._outbox: deque[Passing | Impulse] = deque()
        self._sequence = 0
        self._connected = False
        self._news = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Messages that the broker has not acknowledged."""
        return len(self._outbox)

    async def open(self) -> None:
        """The gateway connects when it runs; a broker that is not there yet is no error."""

    async def close(self) -> None:
        """The connection ends with `run`."""

    async def run(self) -> None:
        """Publish until cancelled, over as many connections as it takes."""
        await stay_connected(self._broker, self._publish)

    def restart(self) -> None:
        """Its numbers begin again; what waits for the broker is kept (it is on its flash)."""
        self._sequence = 0

    def edge(self, edge: Edge, gun_us: int) -> None:
        """An edge on one of the channels; `gun_us` is the gun in host time."""
        self._put(
            Impulse(
                device=self.device.id,
                received_us=0,
                device_us=self.model.device_us(gun_us + edge.at_us),
                channel=edge.channel,
                sequence=self._next(),
                backlog=not self._connected,
            )
        )

    def read(self, read: LoopRead, gun_us: int) -> None:
        """A transponder over one of the gateway's loops."""
        self._put(
            Passing(
                device=self.device.id,
                received_us=0,
                device_us=self.model.device_us(gun_us + read.at_us),
                transponder=read.transponder,
                channel=read.channel,
                sequence=self._next(),
                strength=read.strength,
                hits=read.hits,
                backlog=not self._connected,
            )
        )

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _put(self, record: Passing | Impulse) -> None:
        self._outbox.append(record)
        self._news.set()

    async def _publish(self, client: aiomqtt.Client) -> None:
        """Empty the outbox and tell the time on one connection, until it is lost."""
        self._connected = True
        clock_due_us = self._clock.now_us()
        try:
            while True:
                self._news.clear()
                while self._outbox:
                    await client.publish(self._topic, encode(self._outbox[0]), qos=AT_LEAST_ONCE)
                    self._outbox.popleft()
                    raise_if_cancelled()
                if self._clock.now_us() >= clock_due_us:
                    await self._tell_time(client)
                    clock_due_us = self._clock.now_us() + CLOCK_EVERY_US
                await self._wait_for_news(clock_due_us)
        finally:
            self._connected = False
            self._outbox = deque(msgspec.structs.replace(record, backlog=True) for record in self._outbox)

    async def _tell_time(self, client: aiomqtt.Client) -> None:
        """The gateway's clock, unasked, and never late: an old reading would spoil the host's clock fit."""
        device_us = self.model.device_us(self._clock.now_us())
        reading = ClockReading(device=self.device.id, received_us=0, device_us=device_us)
        await client.publish(self._topic, encode(reading), qos=0)
        raise_if_cancelled()

    async def _wait_for_news(self, until_us: int) -> None:
        """Return when something is in the outbox, at the latest at `until_us`."""
        waiting = asyncio.create_task(self._news.wait())
        timer = asyncio.create_task(self._clock.sleep_until(until_us))
        try:
            await asyncio.wait((waiting, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            timer.cancel()
