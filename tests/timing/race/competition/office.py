"""A race office for the tests: orders that must be taken, orders that must be refused, heats that end."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from config.entries import Entry
from config.format_tables import seed_table
from config.formats import FormatSet
from config.loader import load_format, load_rules
from config.models import RuleBook
from timing.race.competition.actions import (
    CompetitionAction,
    Compose,
    ConfirmComposition,
    ConfirmRound,
    Draw,
    Reinstate,
    TakeEntries,
    Withdraw,
)
from timing.race.competition.outcomes import HeatOutcome, OutcomeLine
from timing.race.competition.rounds import first_place
from timing.race.competition.state import CompetitionPlan, CompetitionState
from timing.race.competition.views import HeatView, RoundView

KEIRIN = "keirin-men"
HERE = Path(__file__).parent


@cache
def formats(name: str) -> FormatSet:
    return load_format(name)


@cache
def rules(name: str = "uci-2023") -> RuleBook:
    return load_rules(name)


def entries(riders: int, nations: Mapping[str, str] | None = None) -> tuple[Entry, ...]:
    """Riders 1, 2, 3 … ranked in this order."""
    known = nations or {}
    return tuple(
        Entry(bib=str(n), surname=f"Rider {n}", ranking=n, nation=known.get(str(n))) for n in range(1, riders + 1)
    )


class Office:
    """A competition and the people who run it."""

    def __init__(self, format_name: str = "uci-keirin", rule_book: RuleBook | None = None, prefix: str = "") -> None:
        self.state = CompetitionState(
            CompetitionPlan(
                id=KEIRIN,
                name="Men's keirin",
                category="men",
                formats=formats(format_name),
                rules=rule_book or rules(),
                heat_prefix=prefix,
            )
        )

    # -- orders --------------------------------------------------------------------------------------------------

    def order(self, action: CompetitionAction, role: str = "president") -> None:
        refused = self.state.refuse(action, role)
        assert refused is None, f"{action} was refused: {refused}"
        self.state.apply(action)

    def refusal(self, action: CompetitionAction, role: str = "president") -> str:
        refused = self.state.refuse(action, role)
        assert refused is not None, f"{action} was taken"
        return refused

    def enter(self, riders: int | Iterable[Entry], nations: Mapping[str, str] | None = None) -> None:
        listed = entries(riders, nations) if isinstance(riders, int) else tuple(riders)
        self.order(TakeEntries(competition=KEIRIN, entries=listed, source="entries.csv"))

    def compose(self, round_id: str) -> None:
        self.order(Compose(competition=KEIRIN, round=round_id))

    def start_lists(self, round_id: str) -> None:
        """Draw the start positions and confirm."""
        if self.round(round_id).draw_seed is None:
            self.order(Draw(competition=KEIRIN, purpose=f"start_positions:{round_id}", seed=f"seed of {round_id}"))
        self.order(ConfirmComposition(competition=KEIRIN, round=round_id))

    def confirm(self, round_id: str) -> None:
        self.order(ConfirmRound(competition=KEIRIN, round=round_id))

    def withdraw(self, bib: str) -> None:
        self.order(Withdraw(competition=KEIRIN, bib=bib, reason="ill"))

    def reinstate(self, bib: str) -> None:
        self.order(Reinstate(competition=KEIRIN, bib=bib, reason="was another rider"))

    # -- heats ---------------------------------------------------------------------------------------------------

    def ends(
        self,
        heat: str,
        order: Sequence[str],
        codes: Mapping[str, str] | None = None,
        unplaced: Sequence[str] = (),
        ties: Sequence[Sequence[str]] = (),
        status: str = "official",
    ) -> None:
        """A result: `order` from first to last. A code (REL aside) and `unplaced` take the place away; `ties` are
        dead heats of riders who follow each other."""
        found = self.state.round_of_heat(heat)
        assert found is not None, f"{heat} is no heat of this competition"
        one, number = found
        first = first_place(one.plan, number)
        lines: list[OutcomeLine] = []
        codes = codes or {}
        place = first
        tied = {bib: group for group in ties for bib in group}
        for place_in_order, bib in enumerate(order, start=1):
            code = codes.get(bib)
            if bib in unplaced or code not in (None, "REL"):
                lines.append(OutcomeLine(bib, None, code, place_in_order))
                continue
            shared = [line.place for line in lines if line.bib in tied.get(bib, ())]
            lines.append(OutcomeLine(bib, shared[0] if shared else place, code, place_in_order))
            place += 1
        self.state.take_outcome(HeatOutcome(heat, status, tuple(lines)))  # type: ignore[arg-type]

    def ride(self, round_id: str) -> None:
        """Every heat ends in the order of its start list by slot."""
        for heat in self.round(round_id).heats:
            self.ends(heat.heat, [rider.bib for rider in heat.riders])

    def run(self, round_id: str) -> None:
        """A whole round without an incident."""
        known = {one.round: one.state for one in self.state.view().rounds}
        if known.get(round_id, "open") == "open":
            self.compose(round_id)
        self.start_lists(round_id)
        self.ride(round_id)
        self.confirm(round_id)

    # -- looking -------------------------------------------------------------------------------------------------

    def round(self, round_id: str) -> RoundView:
        return next(one for one in self.state.view().rounds if one.round == round_id)

    def heat(self, heat: str) -> HeatView:
        return next(each for one in self.state.view().rounds for each in one.heats if each.heat == heat)

    def bibs(self, heat: str) -> list[str]:
        return [rider.bib for rider in self.heat(heat).riders]

    def slots(self, round_id: str) -> list[list[str]]:
        return [[rider.slot for rider in heat.riders] for heat in self.round(round_id).heats]

    def ranks(self) -> dict[str, int | None]:
        return {line.bib: line.rank for line in self.state.view().classification}

    def where(self, round_id: str) -> dict[str, str]:
        """Where each rider of a round goes; an empty string for out."""
        return {going.bib: going.to for going in self.round(round_id).going}

    def marks(self, heat: str) -> dict[str, str]:
        return {going.bib: going.mark for one in self.state.view().rounds for going in one.going if going.heat == heat}


# -- published competitions ----------------------------------------------------------------------------------------


def published(name: str) -> dict[str, Any]:
    """The facts of a published competition: `results`, `unplaced`, `rode`, `nations`."""
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))


def enter_published(office: Office, facts: Mapping[str, Any], format_name: str) -> None:
    """Enter riders so that the snake gives the published first round: who was seeded where nobody has published."""
    plan = formats(format_name).choices[-1].format.rounds[0]
    seeds: dict[str, int] = {}
    for number, heat in enumerate(seed_table(plan, 30), start=1):
        for bib, seed in zip(facts["results"][f"r1-{number}"], heat, strict=True):
            seeds[bib] = int(seed)
    office.enter(
        Entry(bib=bib, surname=f"Rider {bib}", ranking=seeds[bib], nation=facts["nations"][bib])
        for bib in sorted(seeds, key=int)
    )
