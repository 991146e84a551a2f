"""Everything that the routes of one console share, put together from its job."""

import time
from pathlib import Path

from timing.control.console.commands import Clerk
from timing.control.console.documents import DocumentFolder
from timing.control.console.guard import Cookies, LoginTokens
from timing.control.console.hub import Hub
from timing.control.console.job import Job
from timing.control.console.line import Line
from timing.control.console.pages import Pages
from timing.control.console.passwords import Verifier
from timing.control.console.photos import PhotoFolder
from timing.control.console.sessions import Session, Sessions
from timing.control.console.throttle import Bucket, LoginThrottle
from timing.control.console.wording import Wording

ORDERS_PER_S = 10.0
ORDERS_AT_ONCE = 40.0


class Desk:
    """The console's state. Raises BrokerError for secrets of the broker that cannot be read."""

    def __init__(self, job: Job, port: int) -> None:
        self.job = job
        self.hub = Hub()
        self.clerk = Clerk()
        self.line = Line(job.broker, job.meet.id, self.hub.feed, self.clerk.take_reply)
        self.wording = Wording()
        self.pages = Pages(job.meet.id, job.meet.name, self.wording)
        self.cookies = Cookies(port, bool(job.console.tls_cert_file))
        self.accounts: dict[tuple[str, str], str] = {
            (one.name, one.role): one.password_hash for one in job.console.accounts
        }
        file = Path(job.sessions_file) if job.sessions_file else None
        # Written to disk: seconds that mean the same after a restart of the machine.
        self.sessions = Sessions(file, time.time, frozenset(self.accounts))
        self.throttle = LoginThrottle(time.monotonic)
        self.login_tokens = LoginTokens()
        self.verifier = Verifier()
        folder = job.console.photo_finish_folder
        self.photos = PhotoFolder(Path(folder), job.meet) if folder else None
        printed = job.console.documents_folder
        self.documents = DocumentFolder(Path(printed)) if printed else None
        self._buckets: dict[str, Bucket] = {}

    def may_order_now(self, session: Session) -> bool:
        """Whether this person has not sent too many orders just now."""
        bucket = self._buckets.setdefault(session.actor, Bucket(ORDERS_PER_S, ORDERS_AT_ONCE, time.monotonic))
        return bucket.take()
