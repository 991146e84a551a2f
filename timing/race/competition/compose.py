"""Who rides in which heat: the format's table filled with riders, the panel's exchanges, compatriots.

The first round takes seeds (UCI 3.2.021bis), the others slots; a slot that nobody holds is left out, so a field
that lost riders gives shorter heats and never a lost rider.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations, product
from typing import NamedTuple, TypeAlias

from config.format_tables import parse_slot, seed_table
from config.formats import Format
from timing.race.competition.views import Compatriots, SwapProposal


class Seat(NamedTuple):
    """A rider and the slot by which the rider is here."""

    bib: str
    slot: str


Seats: TypeAlias = tuple[tuple[Seat, ...], ...]
"""The riders of each heat of a round."""
Pair: TypeAlias = frozenset[str]


def seat_seeds(fmt: Format, seeded: Sequence[str]) -> Seats:
    """The first round: `seeded` are bibs from seed 1 down."""
    table = seed_table(fmt.rounds[0], len(seeded))
    return tuple(tuple(Seat(seeded[int(slot) - 1], slot) for slot in heat) for heat in table)


def seat_slots(table: Iterable[Iterable[str]], holders: Mapping[str, str]) -> Seats:
    """A later round: `holders` says which bib holds a slot. Raises ValueError for a holder without a heat."""
    seats = tuple(tuple(Seat(holders[slot], slot) for slot in heat if slot in holders) for heat in table)
    seated = {seat.slot for heat in seats for seat in heat}
    lost = [f"{bib} ({slot})" for slot, bib in holders.items() if slot not in seated]
    if lost:
        raise ValueError(f"no heat of the format takes {', '.join(lost)}")
    return seats


def exchange(seats: Seats, first: str, second: str) -> Seats:
    """The two riders in each other's heat; each keeps the slot by which it came."""
    seat_of = {seat.bib: seat for heat in seats for seat in heat}
    put = {first: seat_of[second], second: seat_of[first]}
    return tuple(tuple(put.get(seat.bib, seat) for seat in heat) for heat in seats)


def heat_of(seats: Seats, bib: str) -> int | None:
    """The heat (from 0) in which a rider is; None for nowhere."""
    return next((number for number, heat in enumerate(seats) if any(seat.bib == bib for seat in heat)), None)


def strengths(fmt: Format, seats: Seats) -> dict[str, int]:
    """Each rider's place in the order in which riders are dealt out, from 0."""
    keyed: list[tuple[tuple[int, ...], str]] = []
    for heat in seats:
        for seat in heat:
            slot = parse_slot(fmt, seat.slot)
            key = (int(seat.slot),) if slot is None else (slot.round_index, slot.place, slot.heat)
            keyed.append((key, seat.bib))
    return {bib: number for number, (_, bib) in enumerate(sorted(keyed))}


# -- compatriots ---------------------------------------------------------------------------------------------


def compatriots(seats: Seats, heat_ids: Sequence[str], nations: Mapping[str, str | None]) -> tuple[Compatriots, ...]:
    """Every heat with two or more riders of one nation; riders of unknown nation are nobody's compatriots."""
    found = []
    for heat, riders in zip(heat_ids, seats, strict=True):
        by_nation: dict[str, list[str]] = {}
        for seat in riders:
            nation = nations.get(seat.bib)
            if nation:
                by_nation.setdefault(nation, []).append(seat.bib)
        found += [Compatriots(heat, nation, tuple(bibs)) for nation, bibs in by_nation.items() if len(bibs) > 1]
    return tuple(found)


def propose_swaps(
    round_id: str,
    seats: Seats,
    heat_ids: Sequence[str],
    nations: Mapping[str, str | None],
    strength: Mapping[str, int],
    met: frozenset[Pair],
) -> tuple[SwapProposal, ...]:
    """Exchanges, one after the other, that part compatriots; none where nothing gets better.

    Each leaves the fewest compatriots together; among equals the one that brings the fewest riders together who
    met before (`met`), then the one between the riders nearest in strength, then the lowest in it.
    """
    found: list[SwapProposal] = []
    while True:
        heats = [[seat.bib for seat in heat] for heat in seats]
        parting = _parting(heats, nations)
        if not parting:
            return tuple(found)
        pair = min(
            parting,
            key=lambda two: (
                _meetings(heats, two, met),
                abs(strength[two[0]] - strength[two[1]]),
                -strength[two[0]] - strength[two[1]],
            ),
        )
        found.append(SwapProposal(round_id, *pair, _reason(seats, heat_ids, nations, *pair)))
        seats = exchange(seats, *pair)


def _parting(heats: Sequence[Sequence[str]], nations: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """The exchanges that part the most pairs of compatriots; none where none parts any."""
    counts = [Counter(nations.get(bib) for bib in heat) for heat in heats]
    best = 0
    found: list[tuple[str, str]] = []
    for here, there in permutations(range(len(heats)), 2):
        for first, second in product(heats[here], heats[there]):
            nation, other = nations.get(first), nations.get(second)
            if not nation or counts[here][nation] < 2 or nation == other:
                continue
            # Pairs that end and pairs that begin, in both heats; nobody is a compatriot of riders of unknown nation.
            change = counts[there][nation] - (counts[here][nation] - 1)
            if other:
                change += counts[here][other] - (counts[there][other] - 1)
            if change < best:
                best, found = change, []
            if change == best < 0:
                found.append((first, second))
    return found


def _meetings(heats: Sequence[Sequence[str]], pair: tuple[str, str], met: frozenset[Pair]) -> int:
    """How many more pairs of the two heats would meet again after the exchange."""
    first, second = pair
    change = 0
    for heat in heats:
        for out, into in (pair, (second, first)):
            if out in heat:
                change += sum(
                    (frozenset((into, bib)) in met) - (frozenset((out, bib)) in met) for bib in heat if bib != out
                )
    return change


def _reason(seats: Seats, heat_ids: Sequence[str], nations: Mapping[str, str | None], first: str, second: str) -> str:
    here, there = heat_of(seats, first), heat_of(seats, second)
    assert here is not None
    assert there is not None
    parted = []
    for bib, heat in ((first, here), (second, there)):
        nation = nations.get(bib)
        others = [seat.bib for seat in seats[heat] if seat.bib != bib and nation and nations.get(seat.bib) == nation]
        if others:
            parted.append(f"{bib} from {', '.join(others)} ({nation})")
    return f"{first} from {heat_ids[here]} against {second} from {heat_ids[there]}: parts {' and '.join(parted)}"
