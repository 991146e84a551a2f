"""What a console serves, as it is handed to the process that serves it; and what it can complain of."""

import msgspec

from config.models import Broker, Console, ConsoleRole, Meet

DEMO_PASSWORD = "demo"
DEMO_ROLES: tuple[ConsoleRole, ...] = (
    "operator",
    "starter",
    "judge",
    "commissaire",
    "president",
    "announcer",
    "secretary",
)
"""The accounts of the demo: one a role, named by it."""


class ConsoleError(Exception):
    """The console cannot serve as configured; the message says why and how to mend it."""


class PasswordError(Exception):
    """The password cannot be used; the message says why and what to do."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A meet, where its console listens, where it keeps who has signed in, and where it writes its log."""

    meet: Meet
    console: Console
    sessions_file: str | None = None
    """None keeps the sessions in memory: a restart signs everybody out."""
    log_file: str | None = None
    """None is standard error."""
    any_port: bool = False
    """Take a free port where the wanted one is taken."""
    demo: bool = False
    """The demo's accounts instead of configured ones. On this machine only."""

    @property
    def broker(self) -> Broker:
        """The broker as this console reaches it."""
        return self.console.broker or self.meet.broker
