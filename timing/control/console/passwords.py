"""Password hashes: argon2id (RFC 9106), one at a time so that logins never take the machine from timing."""

import asyncio
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from timing.control.console.job import PasswordError

LEAST_LENGTH: Final = 8
MOST_LENGTH: Final = 200
"""Longer than anything a person types: more would only be work for the machine."""


def hash_password(password: str) -> str:
    """The hash as it stands in the meet file, with a salt of its own. About 0.1 s. Raises PasswordError."""
    if not LEAST_LENGTH <= len(password) <= MOST_LENGTH:
        raise PasswordError(f"password: give {LEAST_LENGTH} to {MOST_LENGTH} characters, this has {len(password)}")
    return hash_any(password)


def hash_any(password: str) -> str:
    """The hash of a password however short, for the demo."""
    return PasswordHasher().hash(password)


class Verifier:
    """Checks passwords in a thread, one after the other."""

    def __init__(self) -> None:
        self._one = asyncio.Semaphore(1)

    async def is_right(self, encoded: str | None, password: str) -> bool:
        """Whether the password has this hash. Without a hash it takes as long and is false."""
        if len(password) > MOST_LENGTH:
            return False
        async with self._one:
            matches = await asyncio.to_thread(_verify, encoded or _nobody(), password)
        return matches and encoded is not None


@cache
def _nobody() -> str:
    return PasswordHasher().hash("nobody has this password")


def _verify(encoded: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(encoded, password)
    except (Argon2Error, InvalidHashError):
        return False
