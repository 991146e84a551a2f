"""The numbers of a meet's communiqués: given in order, never reused, a correction is a new one (track-rules §2.7)."""

import msgspec

from timing.race.competition.actions import IssueCommunique


class IssuedCommunique(msgspec.Struct, frozen=True):
    """A communiqué that was issued. Its bytes follow from the journal up to the row of its command."""

    number: int
    competition: str
    kind: str
    subject: str
    corrects: int | None
    reason: str
    row: int
    at_us: int
    actor: str


class CommuniqueRegister:
    """All communiqués of a meet so far: one register for all its competitions."""

    def __init__(self) -> None:
        self.issued: list[IssuedCommunique] = []

    def refuse(self, action: IssueCommunique) -> str | None:
        """Why it cannot be issued, or None."""
        if not action.kind:
            return "'issue_communique' needs a kind (start_list, heat_result, classification …)"
        if action.corrects is None:
            return None
        if not 1 <= action.corrects <= len(self.issued):
            return f"communiqué {action.corrects} was not issued: the last number is {len(self.issued)}"
        if not action.reason.strip():
            return f"a correction of communiqué {action.corrects} needs a reason"
        return None

    def take(self, action: IssueCommunique, row: int, at_us: int, actor: str) -> IssuedCommunique:
        """Give it the next number; row, instant and name are those of its command."""
        one = IssuedCommunique(
            number=len(self.issued) + 1,
            competition=action.competition,
            kind=action.kind,
            subject=action.subject,
            corrects=action.corrects,
            reason=action.reason,
            row=row,
            at_us=at_us,
            actor=actor,
        )
        self.issued.append(one)
        return one
