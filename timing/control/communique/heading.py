"""The head of a communiqué: number, time of issue, meet, and where it stands in the journal."""

import msgspec

from config.models import Setup
from timing.control.communique.content import Block, Communique, Kind, Proof, sealed
from timing.control.communique.wording import STATUS_NAMES, event_name, heat_name, local_time
from timing.race.picture import HeatPicture


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """A communiqué as it was ordered: the journal knows number, instant, name and what it corrects."""

    number: int
    at_us: int
    actor: str
    row: int
    chain: str = ""
    corrects: int | None = None
    reason: str = ""


def heat_communique(
    setup: Setup, picture: HeatPicture, issue: Issue, kind: Kind, title: str, blocks: tuple[Block, ...]
) -> Communique:
    """A communiqué about one heat."""
    return communique(
        setup,
        issue,
        kind,
        subject=picture.heat,
        event=event_name(picture.event, picture.category),
        title=title,
        subtitle=heat_name(setup, picture),
        status="" if kind == "start_list" else STATUS_NAMES[picture.status],
        blocks=blocks,
    )


def communique(
    setup: Setup,
    issue: Issue,
    kind: Kind,
    *,
    subject: str,
    event: str,
    title: str,
    subtitle: str = "",
    status: str = "",
    blocks: tuple[Block, ...],
) -> Communique:
    """A sealed communiqué with the meet's head."""
    venue = setup.venue
    where = ", ".join(filter(None, (venue.name, venue.city if venue.city not in venue.name else "", venue.nation)))
    return sealed(
        Communique(
            number=issue.number,
            kind=kind,
            subject=subject,
            meet=setup.meet.name,
            venue=where,
            event=event,
            title=title,
            subtitle=subtitle,
            status=status,
            issued=local_time(issue.at_us, venue.timezone),
            issued_us=issue.at_us,
            issued_by=issue.actor,
            corrects=issue.corrects,
            correction=issue.reason,
            blocks=blocks,
            proof=Proof(row=issue.row, chain=issue.chain),
        )
    )
