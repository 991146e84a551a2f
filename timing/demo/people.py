"""The people of the demo: an operator who opens and arms, a starter who stops, a president who confirms.

They look at the picture and send commands over MQTT like any console. The gun, the riders and the camera are the
rig's. They know what to do when the simulated hardware was cut off in mid-race: stop, restart, arm again.
"""

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import Callable
from typing import Any

import aiomqtt
import msgspec
import structlog

from config.models import Broker
from timing.app import Service
from timing.control.broker import client_options
from timing.control.messages import CommandReply, CommandRequest
from timing.demo.errors import DemoError
from timing.race.actions import Arm, Confirm, OpenHeat, Restart, Stop
from timing.race.events import MeetAction
from timing.race.picture import RACING_STATES, HeatPicture

REPLY_TIMEOUT_S = 2.0
MOST_TRIES = 2
"""So often is a command sent over one connection. A broker can forget a subscription while it still takes commands."""
PATIENCE_US = 60_000_000
"""Nothing new from the track for so long in a race: the hardware was cut off."""
PATIENCE_S = 5.0
"""And at least so long in real time: a sped-up minute is over while the machine takes a breath."""
RESULT_STUDIED_US = 3_000_000
"""The president looks at a provisional result for so long."""
STEADY_AFTER_S = 10.0
MOST_LOSSES = 5
"""So many connections in a row that did not last so long, and the broker counts as lost."""
WANTED_READINGS = 8
"""A decoder's clock is trusted for a race after so many answers."""

log = structlog.get_logger("demo")


class People:
    """Rides the heats one after the other until each is official. `told` is called after each."""

    def __init__(self, service: Service, broker: Broker, told: Callable[[HeatPicture], None]) -> None:
        self._service = service
        self._broker = broker
        self._told = told
        self._base = f"velodrome/{service.setup.meet.id}"
        self._answers: dict[str, asyncio.Future[CommandReply]] = {}
        self._ridden: set[str] = set()
        self._client: aiomqtt.Client
        self._listening: asyncio.Task[None]

    async def ride(self, heats: tuple[str, ...]) -> None:
        """Ride all heats, over losses of the broker. Raises DemoError when it is lost for good."""
        lost = 0
        while True:
            began_s = asyncio.get_running_loop().time()
            try:
                await self._ride_connected(heats)
            except aiomqtt.MqttError as error:
                steady = asyncio.get_running_loop().time() - began_s > STEADY_AFTER_S
                lost = 1 if steady else lost + 1
                if lost > MOST_LOSSES:
                    raise DemoError(f"the people of the demo lost their broker: {error}; start it again") from error
                log.warning("people_lost_broker", reason=str(error))
                await asyncio.sleep(0.1)
            else:
                return

    async def _ride_connected(self, heats: tuple[str, ...]) -> None:
        async with aiomqtt.Client(**client_options(self._broker), timeout=REPLY_TIMEOUT_S) as self._client:
            await self._client.subscribe(f"{self._base}/replies/#", qos=1)
            self._listening = listening = asyncio.create_task(self._listen())
            try:
                await self._ride_all(heats)
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _ride_all(self, heats: tuple[str, ...]) -> None:
        for heat in heats:
            picture = await self._ride_heat(heat)
            if heat not in self._ridden:
                self._ridden.add(heat)
                self._told(picture)

    async def _ready_to_confirm(self, heat: str, picture: HeatPicture) -> bool:
        """Whether nothing has to be ruled on before the president signs."""
        return True

    async def _listen(self) -> None:
        async for message in self._client.messages:
            if not message.topic.matches(f"{self._base}/replies/#"):
                # amqtt sometimes delivers what only another client subscribed to.
                log.warning("not_for_us", topic=str(message.topic))
                continue
            reply = msgspec.json.decode(message.payload, type=CommandReply)
            answer = self._answers.get(reply.id)
            if answer is not None and not answer.done():
                answer.set_result(reply)

    async def _ride_heat(self, heat: str) -> HeatPicture:
        service = self._service
        await self._wait_for_boxes()
        watch = _Watch(service)
        while True:
            opened = service.state.heats[heat].opened_us is not None
            picture = service.state.picture(heat) if opened else None
            if picture is not None and picture.status == "official":
                return picture
            if picture is None or service.state.current != heat:
                await self._order(f"open-{heat}-{service.state.journal_id}", "operator", OpenHeat(heat=heat))
                continue
            await self._next_step(heat, picture, watch)

    async def _next_step(self, heat: str, picture: HeatPicture, watch: "_Watch") -> None:
        """The one thing to do in this state, or a short wait."""
        # A refused id stays refused: the row makes each new decision a command of its own, also after a restart.
        key = f"{heat}-{picture.attempt}-{self._service.state.journal_id}"
        if picture.state == "on_line":
            await self._order(f"arm-{key}", "operator", Arm())
        elif picture.state == "stopped":
            await self._order(f"restart-{key}", "starter", Restart(reason="the hardware is back"))
        elif picture.state == "provisional" and watch.quiet_us() > RESULT_STUDIED_US:
            if await self._ready_to_confirm(heat, picture):
                await self._order(f"confirm-{key}", "president", Confirm())
        elif picture.state in RACING_STATES | {"pacer_run"} and watch.cut_off():
            reason = "no signal from the track: the simulated hardware was cut off"
            await self._order(f"stop-{key}", "starter", Stop(reason=reason))
            watch.rest()
        else:
            await watch.look(self._service.changed)

    async def _order(self, name: str, role: str, action: MeetAction) -> CommandReply:
        """Send a command until it is answered: the same id counts once. Returns the answer.

        Raises aiomqtt.MqttError when no answer comes: the connection hears nothing and has to be made anew.
        """
        request = CommandRequest(id=f"demo-{name}", actor=f"demo {role}", role=role, action=action)
        payload = msgspec.json.encode(request)
        answer: asyncio.Future[CommandReply] = asyncio.get_running_loop().create_future()
        self._answers[request.id] = answer
        try:
            for _ in range(MOST_TRIES):
                await self._client.publish(f"{self._base}/commands", payload, qos=1)
                awaited: set[asyncio.Future[Any]] = {answer, self._listening}
                await asyncio.wait(awaited, timeout=REPLY_TIMEOUT_S, return_when=FIRST_COMPLETED)
                if self._listening.done():
                    self._listening.result()
                if answer.done():
                    break
            else:
                raise aiomqtt.MqttError(f"no reply to {request.id} in {MOST_TRIES} tries")
        finally:
            del self._answers[request.id]
        reply = answer.result()
        if not reply.accepted:
            log.warning("refused", id=reply.id, reason=reply.reason)
            await asyncio.sleep(0.1)
        return reply

    async def _wait_for_boxes(self) -> None:
        """Do not start before the decoders are live and their clocks are known."""
        decoders = [one.id for one in self._service.setup.meet.devices if one.protocol == "p3"]
        while not all(  # noqa: ASYNC110 - the state is looked at, it tells nobody
            self._service.state.devices[name].state == "live"
            and self._service.state.clocks[name].fit().samples >= WANTED_READINGS
            for name in decoders
        ):
            await asyncio.sleep(0.05)


class _Watch:
    """How long the track has been quiet, by the race's clock and by the wall's."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._seen: object = None
        self.rest()

    def rest(self) -> None:
        """Begin to wait anew."""
        self._since_us = self._service.clock.now_us()
        self._since_s = asyncio.get_running_loop().time()

    def _update(self) -> None:
        shown = self._service.shown
        heat = None if shown is None else self._service.state.heats[shown.heat]
        seen = (
            None
            if heat is None
            else (
                len(heat.reads),
                len(heat.shots),
                len(heat.cells.reads),
                len(heat.sheets),
                len(heat.commands),
                heat.aside_count,
            )
        )
        if seen != self._seen:
            self._seen = seen
            self.rest()

    def quiet_us(self) -> int:
        """Since the last read, impulse, sheet or command of the heat."""
        self._update()
        return self._service.clock.now_us() - self._since_us

    def cut_off(self) -> bool:
        """Whether nobody can be out there any more."""
        quiet = self.quiet_us() > PATIENCE_US
        return quiet and asyncio.get_running_loop().time() - self._since_s > PATIENCE_S

    async def look(self, changed: asyncio.Event) -> None:
        """Wait for a change of the picture, but not for ever."""
        changed.clear()
        try:
            async with asyncio.timeout(0.1):
                await changed.wait()
        except TimeoutError:
            self._update()
