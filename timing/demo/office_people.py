"""The race office of the demo: from the entry list to the classification, as its secretary and panel ordered it.

What is to be done next is what the competition itself says (`CompetitionView.next`); only the panel's exchanges of
riders, which no rule gives, are written down here.
"""

import asyncio
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from config.entry_files import read_entries
from config.models import Broker
from timing.app import Service
from timing.demo.errors import DemoError
from timing.demo.people import People
from timing.race.actions import Decide
from timing.race.competition.actions import (
    START_POSITIONS,
    UNRANKED,
    CompetitionAction,
    Compose,
    ConfirmComposition,
    ConfirmRound,
    Draw,
    IssueCommunique,
    ResolveTie,
    SwapRiders,
    TakeEntries,
)
from timing.race.competition.views import CompetitionView, RoundView
from timing.race.picture import HeatPicture

COMPETITION = "men-keirin"
ENTRIES_FILE = "tokyo2020-men-keirin.csv"


class PanelSwap(NamedTuple):
    """An exchange that the panel of Tokyo made, as the published start lists show it."""

    round: str
    first: str
    second: str
    reason: str


SWAPS = (
    PanelSwap("qf", "2", "25", "two riders of Germany parted"),
    PanelSwap("qf", "3", "26", "two riders of Trinidad and Tobago parted"),
    PanelSwap("qf", "12", "21", "two riders of Malaysia parted"),
)
ABSENT = {"final-b": ("14",)}
"""Who did not start, although qualified: the published Final B has no twelfth rider."""


class OfficePeople(People):
    """The whole competition: entries, draws, start lists, heats, advancement, communiqués."""

    def __init__(self, service: Service, broker: Broker, told: Callable[[HeatPicture], None]) -> None:
        super().__init__(service, broker, told)
        self._issued: set[tuple[str, str]] = set()

    async def _ride_all(self, heats: tuple[str, ...]) -> None:
        """Do the next thing until there is none; `heats` follow from the competition and are not looked at."""
        while True:
            view = self._view()
            step = view.next
            if step.action == "issue_communique":
                for kind, subject in (("classification", ""), ("decisions", "final")):
                    await self._issue(kind, subject)
                return
            await self._do(view)

    def _view(self) -> CompetitionView:
        state = self._service.state
        return state.office.view(COMPETITION, state.outcome)

    async def _do(self, view: CompetitionView) -> None:
        step = view.next
        shown = next((one for one in view.rounds if one.round == step.round), None)
        match step.action:
            case "take_entries":
                await self._act(_entries(), "secretary")
            case "draw":
                purpose = UNRANKED if shown is None else START_POSITIONS + step.round
                await self._act(Draw(competition=COMPETITION, purpose=purpose, seed=f"Izu {purpose}"), "secretary")
            case "compose":
                await self._act(Compose(competition=COMPETITION, round=step.round), "secretary")
            case "confirm_composition" if shown is not None:
                await self._confirm_start_lists(shown)
            case "open_heat" if shown is not None:
                await self._ride_round(shown)
            case "resolve_tie" if shown is not None:
                block = shown.blocks[0]
                reason = "in the order of the judge's sheet; no place was published"
                order = ResolveTie(competition=COMPETITION, heat=block.heat, order=block.bibs, reason=reason)
                await self._act(order, "commissaire")
            case "confirm_round":
                await self._act(ConfirmRound(competition=COMPETITION, round=step.round), "president")
                await self._issue("round", step.round)
            case _:
                raise DemoError(f"the demo's race office does not know what to do: {step.text}")

    async def _confirm_start_lists(self, shown: RoundView) -> None:
        done = {frozenset((one.first, one.second)) for one in shown.swaps}
        for swap in SWAPS:
            if swap.round == shown.round and frozenset((swap.first, swap.second)) not in done:
                order = SwapRiders(
                    competition=COMPETITION, round=swap.round, first=swap.first, second=swap.second, reason=swap.reason
                )
                await self._act(order, "commissaire")
        await self._act(ConfirmComposition(competition=COMPETITION, round=shown.round), "president")
        await self._issue("start_list", shown.round)

    async def _ride_round(self, shown: RoundView) -> None:
        for heat in shown.heats:
            if heat.heat not in self._service.state.heats:
                continue
            picture = await self._ride_heat(heat.heat)
            await self._issue("result", heat.heat)
            if heat.heat not in self._ridden:
                self._ridden.add(heat.heat)
                self._told(picture)

    async def _ready_to_confirm(self, heat: str, picture: HeatPicture) -> bool:
        """Those who did not start are ruled on before the president signs."""
        ruled = {one.bib for one in picture.decisions}
        for bib in ABSENT.get(heat, ()):
            if bib not in ruled:
                key = f"{heat}-{bib}-{self._service.state.journal_id}"
                action = Decide(bib=bib, code="DNS", reason="Did not come to the start")
                await self._order(f"absent-{key}", "commissaire", action)
                return False
        return True

    async def _issue(self, kind: str, subject: str) -> None:
        issued = self._service.state.office.register.issued
        if all((one.kind, one.subject) != (kind, subject) for one in issued):
            action = IssueCommunique(competition=COMPETITION, kind=kind, subject=subject)
            await self._act(action, "secretary")

    async def _act(self, action: CompetitionAction, role: str) -> None:
        """Order it; a refusal ends the demo, because nobody here would do anything else."""
        name = str(type(action).__struct_config__.tag)
        reply = await self._order(f"{name}-{self._service.state.journal_id}", role, action)
        if not reply.accepted:
            raise DemoError(f"the demo's race office was refused {name}: {reply.reason}")
        # The answer comes from the same process: the state has it already.
        await asyncio.sleep(0)


def _entries() -> TakeEntries:
    with resources.as_file(resources.files("config") / "meets" / ENTRIES_FILE) as path:
        read = read_entries(Path(path))
    if read.problems:
        raise DemoError(f"{ENTRIES_FILE}: {read.problems[0]}")
    return TakeEntries(competition=COMPETITION, entries=read.entries, source=ENTRIES_FILE)
