"""The results book: the whole competition in one document, as it stands at the end of the journal."""

import msgspec

from timing.control.communique.build import marks, onward_words, pictures_of
from timing.control.communique.content import Chapter, Communique, Proof, ResultsBook
from timing.control.communique.decisions import decisions
from timing.control.communique.heading import Issue, communique
from timing.control.communique.results import heat_result
from timing.control.communique.rounds import classification, entry_list, round_summary, seals
from timing.control.communique.start_lists import round_start_lists
from timing.control.communique.wording import event_name, local_time
from timing.race.meet import MeetState


def results_book(state: MeetState, competition: str, row: int, chain: str) -> ResultsBook:
    """Entries, then every round with its start lists, results and summary, then the classification.

    `row` and `chain` are those of the journal's last row. Raises KeyError for an unknown competition.
    """
    setup = state.setup
    assert setup is not None
    view = state.office.view(competition, state.outcome)
    # A page of the book is no communiqué: it has no number and is signed as a whole.
    issue = Issue(number=0, at_us=state.latest_us, actor="", row=row, chain=chain)
    event = event_name("keirin", view.category)
    entries = communique(
        setup, issue, "start_list", subject=competition, event=event, title="Entries", blocks=(entry_list(setup, view),)
    )
    chapters = [Chapter(title="Entries", documents=(entries,))]
    sealed = []
    decided = []
    for shown in view.rounds:
        pictures = pictures_of(state, shown)
        if not pictures:
            continue
        documents: list[Communique] = [
            round_start_lists(setup, pictures, issue, shown, onward_words(state, view, shown))
        ]
        ridden = [picture for picture in pictures if state.heats[picture.heat].opened_us is not None]
        documents += [heat_result(setup, picture, issue, marks(shown)) for picture in ridden]
        documents.append(round_summary(setup, view, shown.round, {one.heat: one for one in ridden}, issue))
        chapters.append(Chapter(title=shown.name, documents=tuple(documents)))
        decided += [picture for picture in ridden if picture.decisions]
        sealed += [
            (picture, seal.row, seal.at_us, seal.sha256)
            for picture in ridden
            if (seal := state.seals.get(picture.heat)) is not None and picture.status == "official"
        ]
    last = [classification(setup, view, issue)]
    if decided:
        last.append(decisions(setup, decided, issue, competition))
    chapters.append(Chapter(title="Classification", documents=tuple(last)))
    unsigned = [
        msgspec.structs.replace(
            chapter, documents=tuple(msgspec.structs.replace(one, signatures=()) for one in chapter.documents)
        )
        for chapter in chapters
    ]
    head = last[0]
    return ResultsBook(
        meet=head.meet,
        venue=head.venue,
        event=event,
        dates=_dates(state),
        issued=local_time(state.latest_us, setup.venue.timezone),
        issued_us=state.latest_us,
        facts=_facts(state, competition),
        chapters=tuple(unsigned),
        seals=seals(setup, sealed),
        proof=Proof(row=row, chain=chain),
    )


def _dates(state: MeetState) -> str:
    """The days of the programme, or the day of the meet file."""
    assert state.setup is not None
    planned = sorted({heat.scheduled[:10] for heat in state.setup.meet.heats if heat.scheduled})
    days = planned or [state.setup.meet.date]
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _facts(state: MeetState, competition: str) -> tuple[tuple[str, str], ...]:
    setup = state.setup
    assert setup is not None
    view = state.office.view(competition, state.outcome)
    known = state.office.competitions[competition]
    fmt = known.format
    riders = sum(one.withdrawn is None for one in view.entries)
    facts = [
        ("Riders", str(riders)),
        ("Format", fmt.name if fmt is not None else known.plan.formats.name),
        ("Rule book", setup.rules.name),
        ("Track", f"{setup.venue.name}, {setup.venue.track_length_m:g} m"),
    ]
    facts += [(f"Draw: {one.purpose.replace('start_positions:', 'start positions ')}", one.seed) for one in view.draws]
    issued = [one for one in state.office.register.issued if one.competition == competition]
    if issued:
        facts.append(("Communiqués", f"{issued[0].number} to {issued[-1].number}, {len(issued)} in all"))
    return tuple(facts)
