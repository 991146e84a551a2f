"""From the state of a meet to a communiqué: the state must be the one at the row of the communiqué's command.

The bytes of a communiqué are not kept: they follow from the journal up to that row, today and in ten years.
"""

from collections.abc import Callable

from timing.control.communique.content import Communique
from timing.control.communique.decisions import decisions
from timing.control.communique.heading import Issue
from timing.control.communique.pdf import DocumentError
from timing.control.communique.results import heat_result
from timing.control.communique.rounds import classification, round_summary
from timing.control.communique.start_lists import round_start_lists, start_list
from timing.race.competition.communiques import IssuedCommunique
from timing.race.competition.views import CompetitionView, HeatView, RoundView
from timing.race.meet import MeetState
from timing.race.picture import HeatPicture


def issue_of(issued: IssuedCommunique, chain: str) -> Issue:
    """The head of an issued communiqué. `chain` is the hash of its command's row, hexadecimal."""
    return Issue(
        number=issued.number,
        at_us=issued.at_us,
        actor=issued.actor,
        row=issued.row,
        chain=chain,
        corrects=issued.corrects,
        reason=issued.reason,
    )


def build(state: MeetState, issued: IssuedCommunique, chain: str) -> Communique:
    """The content of an issued communiqué. Raises DocumentError where the state is not that of its row."""
    setup = state.setup
    if setup is None or issued.competition not in state.office.competitions:
        raise DocumentError(f"communiqué {issued.number}: the journal has no competition {issued.competition!r}")
    view = state.office.view(issued.competition, state.outcome)
    issue = issue_of(issued, chain)
    if issued.kind == "classification":
        return classification(setup, view, issue)
    shown, heat = find(view, issued.subject)
    if shown is None:
        raise DocumentError(f"communiqué {issued.number}: {issued.subject!r} is not in {issued.competition!r}")
    heats = (heat,) if heat is not None else shown.heats
    pictures = [state.picture(one.heat) for one in heats if one.heat in state.heats]
    make: dict[str, Callable[[], Communique]] = {
        "start_list": lambda: (
            start_list(setup, pictures[0], issue, onward_words(state, view, shown))
            if heat is not None
            else round_start_lists(setup, pictures, issue, shown, onward_words(state, view, shown))
        ),
        "result": lambda: heat_result(setup, pictures[0], issue, marks(shown)),
        "round": lambda: round_summary(setup, view, shown.round, {one.heat: one for one in pictures}, issue),
        "decisions": lambda: decisions(setup, pictures, issue, issued.subject),
    }
    if issued.kind not in make or (heat is not None and not pictures):
        raise DocumentError(f"communiqué {issued.number}: nothing is there to make a {issued.kind!r} of")
    return make[issued.kind]()


def find(view: CompetitionView, subject: str) -> tuple[RoundView | None, HeatView | None]:
    """The round, and the heat where the subject is one."""
    for one in view.rounds:
        if one.round == subject:
            return one, None
        for heat in one.heats:
            if heat.heat == subject:
                return one, heat
    return None, None


def marks(shown: RoundView) -> dict[str, str]:
    """The qualification marks of a round by bib."""
    return {one.bib: one.mark for one in shown.going if one.mark}


def onward_words(state: MeetState, view: CompetitionView, shown: RoundView) -> str:
    """`places 1-2 to Quarterfinals, the rest to Repechages`."""
    plan = state.office.competitions[view.competition].round(shown.round)
    if plan is None:
        return ""
    names = {one.round: one.name for one in view.rounds}
    parts = []
    for one in plan.plan.onward:
        who = (
            "the rest"
            if one.places == "rest"
            else f"places {one.places}"
            if "-" in one.places
            else f"place {one.places}"
        )
        parts.append(f"{who} to {names.get(one.to, one.to)}" + (f" ({one.mark})" if one.mark else ""))
    return ", ".join(parts)


def pictures_of(state: MeetState, shown: RoundView) -> list[HeatPicture]:
    """The pictures of a round's heats that exist."""
    return [state.picture(one.heat) for one in shown.heats if one.heat in state.heats]
