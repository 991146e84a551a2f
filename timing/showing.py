"""The outward half of the service: derives the picture whenever something changed and offers what differs.

Pictures wait for a pause between passings (`timing.quiet`): the passing itself always goes out first.
"""

import asyncio
from collections.abc import Callable

from config.models import Databridge
from timing.control import board
from timing.control.databridge.bridge import DataBridge
from timing.control.office_board import office_bodies
from timing.control.publisher import Publisher
from timing.quiet import QuietTime
from timing.race.heat import HeatLog
from timing.race.history import last_row
from timing.race.meet import MeetState
from timing.race.picture import HeatPicture

SHOW_PAUSE_S = 0.004
"""At most this often is the picture derived: a burst of reads is one picture, not a hundred."""
SHOW_REST = 9
"""After a picture, rest this many times as long as it took: deriving never takes more than a tenth of the loop."""
DEVICES_EVERY_S = 1.0


class Showing:
    """What race control sees of a state, kept up to date. `shown` and `changed` serve a view in the same process."""

    def __init__(
        self,
        state: MeetState,
        meet: str,
        databridge: Databridge,
        quiet: QuietTime,
        before_heat: Callable[[HeatPicture], None],
    ) -> None:
        """`before_heat` sees each new picture of the heat on the track before its messages are offered."""
        self.state = state
        self.shown: HeatPicture | None = None
        self.changed = asyncio.Event()
        self.dirty = asyncio.Event()
        """Set it when the state changed."""
        self._quiet = quiet
        self._before_heat = before_heat
        self._databridge = DataBridge(databridge.prefix, meet) if databridge.enabled else None
        self._publisher: Publisher
        self._busy = False
        self._devices_at_s = 0.0
        self._heat: str | None = None
        self._histories = board.Histories()
        self._offered: dict[str, tuple[int, int]] = {}
        """Of each heat, its version and the newest order when it was offered last."""

    @property
    def idle(self) -> bool:
        """Whether everything that is known was offered."""
        return not (self._busy or self.dirty.is_set())

    async def run(self, publisher: Publisher) -> None:
        """Offer pictures until cancelled."""
        loop = asyncio.get_running_loop()
        self._publisher = publisher
        pause_s = SHOW_PAUSE_S
        self._offer(board.meet_body(self.state))
        while True:
            await self.dirty.wait()
            await self._quiet.wait(pause_s)
            self.dirty.clear()
            self._busy = True
            began_s = loop.time()
            await self._show(began_s)
            self._busy = False
            pause_s = max(SHOW_PAUSE_S, SHOW_REST * (loop.time() - began_s))

    async def _show(self, began_s: float) -> None:
        pictures = []
        if self._heat is not None and self._heat != self.state.current:
            pictures.append(self.state.picture(self._heat))
        self._heat = self.state.current
        picture = None if self._heat is None else self.state.picture(self._heat)
        current = board.current_body(self.state, picture)
        self._offer(current)
        self._offer(board.board_body(current))
        self._bridge(picture, whole=False)
        if picture is not None:
            self._before_heat(picture)
            pictures.append(picture)
        pictures += self._changed_heats({one.heat for one in pictures})
        self.shown = picture
        self.changed.set()
        as_of = self.state.journal_id, self.state.latest_us
        bodies = [body for one in pictures for body in self._heat_bodies(one)]
        if began_s - self._devices_at_s >= DEVICES_EVERY_S:
            self._devices_at_s = began_s
            self._offer_surroundings(picture)
        else:
            # The last word on a box must not wait for the next event, which may never come.
            asyncio.get_running_loop().call_at(self._devices_at_s + DEVICES_EVERY_S, self.dirty.set)
        for body in bodies:
            # A picture never changes, so passings may go out between its parts: these take a millisecond each.
            await asyncio.sleep(0)
            self._publisher.offer(body, *as_of)

    def _changed_heats(self, known: set[str]) -> list[HeatPicture]:
        """Heats that are not on the track change too: by a late ruling, a late sheet, a box's backlog."""
        return [
            self.state.picture(name)
            for name, log in self.state.heats.items()
            if log.opened_us is not None and name not in known and self._offered.get(name) != _newest(log)
        ]

    def _heat_bodies(self, picture: HeatPicture) -> list[board.Body]:
        log = self.state.heats[picture.heat]
        self._offered[picture.heat] = _newest(log)
        parts = board.heat_bodies(log, picture, self.state.earlier_paces(picture.heat))
        return [*parts, *self._histories.changed(log, picture)]

    def _offer_surroundings(self, picture: HeatPicture | None) -> None:
        """What changes slowly: boxes, health, the race office, the whole of the data bridge."""
        for body in board.device_bodies(self.state):
            self._offer(body)
        self._offer(board.health_body(self.state))
        self._offer(board.competition_body(self.state))
        self._offer(board.meet_body(self.state))
        for body in office_bodies(self.state):
            self._offer(body)
        self._bridge(picture, whole=True)

    def _offer(self, body: board.Body) -> None:
        self._publisher.offer(body, self.state.journal_id, self.state.latest_us)

    def _bridge(self, picture: HeatPicture | None, whole: bool) -> None:
        """What differs on the data bridge: what is on the track at every picture, the whole of it now and then."""
        if self._databridge is not None:
            bridge = self._databridge
            for topic, payload in bridge.changes(self.state) if whole else bridge.current(self.state, picture):
                self._publisher.offer_raw(topic, payload)


def _newest(log: HeatLog) -> tuple[int, int]:
    """What a heat's messages rest on, as far as the heat itself goes."""
    return log.version, last_row(log)
