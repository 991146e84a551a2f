"""Who has signed in: sessions under random ids that only the browser's cookie knows, over restarts of the console.

On disk stands the SHA-256 of an id, never the id: who reads the file cannot sign in with it. The CSRF token is made
of the id, so that it belongs to the session and is written nowhere.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

ABSOLUTE_S: Final = 16 * 3600
"""A race day; after it one signs in again."""
IDLE_S: Final = 2 * 3600
"""Since the last sign of life. An open screen is one: it ends so long after the last screen was closed."""
SAVED_EVERY_S: Final = 60.0
"""Signs of life are written this often; signing in and out at once."""
ID_BYTES: Final = 32
MOST_SESSIONS: Final = 2_000

log = structlog.get_logger("console")


class Session(msgspec.Struct):
    """A person in a role. Times are host UTC in whole seconds."""

    actor: str
    role: str
    began_s: int
    seen_s: int


class Sessions:
    """All sessions. `file` None keeps them in memory alone."""

    def __init__(self, file: Path | None, now_s: Callable[[], float], accounts: frozenset[tuple[str, str]]) -> None:
        self._file = file
        self._now_s = now_s
        self._saved_s = now_s()
        loaded = self._load()
        # Who was taken out of the meet's accounts is out, whatever the file remembers.
        self._sessions = {key: one for key, one in loaded.items() if (one.actor, one.role) in accounts}

    def begin(self, actor: str, role: str) -> str:
        """Sign in: the id for the cookie."""
        now = int(self._now_s())
        session_id = secrets.token_urlsafe(ID_BYTES)
        self._drop_expired()
        if len(self._sessions) >= MOST_SESSIONS:
            oldest = min(self._sessions, key=lambda key: self._sessions[key].seen_s)
            del self._sessions[oldest]
        self._sessions[_key(session_id)] = Session(actor, role, now, now)
        self._save()
        return session_id

    def find(self, session_id: str) -> Session | None:
        """The session of a cookie if it has not expired; this is a sign of life."""
        key = _key(session_id)
        session = self._sessions.get(key)
        if session is None:
            return None
        now_s = self._now_s()
        if self._is_over(session, now_s):
            del self._sessions[key]
            self._save()
            return None
        session.seen_s = int(now_s)
        if now_s - self._saved_s > SAVED_EVERY_S:
            self._save()
        return session

    def end(self, session_id: str) -> None:
        """Sign out."""
        if self._sessions.pop(_key(session_id), None) is not None:
            self._save()

    def _is_over(self, session: Session, now_s: float) -> bool:
        return now_s - session.began_s >= ABSOLUTE_S or now_s - session.seen_s >= IDLE_S

    def _drop_expired(self) -> None:
        now_s = self._now_s()
        self._sessions = {key: one for key, one in self._sessions.items() if not self._is_over(one, now_s)}

    def _load(self) -> dict[str, Session]:
        if self._file is None:
            return {}
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, Session])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("sessions_unreadable", file=str(self._file), reason=str(error), advice="sign in again")
            return {}

    def _save(self) -> None:
        self._saved_s = self._now_s()
        if self._file is None:
            return
        part = self._file.with_name(f"{self._file.name}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(msgspec.json.encode(self._sessions))
            part.replace(self._file)
        except OSError as error:
            log.warning("sessions_not_saved", file=str(self._file), reason=error.strerror)


def csrf_token(session_id: str) -> str:
    """The token that a page of this session sends with every order."""
    return hmac.new(session_id.encode(), b"velodrome csrf", hashlib.sha256).hexdigest()


def is_csrf_token(session_id: str, token: str) -> bool:
    """Whether the token belongs to this session; in constant time."""
    return hmac.compare_digest(csrf_token(session_id).encode(), token.encode())


def _key(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "replace")).hexdigest()
