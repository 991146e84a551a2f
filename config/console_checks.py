"""What `[console]` of a meet may say: where the console server listens, its certificate, its accounts."""

import re
from typing import Final

from config.addresses import MAX_PORT
from config.checks import Checker
from config.errors import ABSENT
from config.models import Console

MAX_NAME_LENGTH: Final = 60
MAX_MEMORY_KIB: Final = 1024 * 1024
MAX_PASSES: Final = 20
"""A hash that asks for more than these (1 GiB, 20 passes) would let one login stop the console's machine."""
HIDDEN: Final = "…"
"""Errors are shown on screens and kept in logs: a hash is never repeated in one."""

_PASSWORD_HASH = re.compile(
    r"\$argon2id\$v=19\$m=(?P<memory>[0-9]{1,8}),t=(?P<passes>[0-9]{1,4}),p=(?P<lanes>[0-9]{1,3})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"
)
"""The encoded form of argon2id, RFC 9106 and the reference implementation's README."""


def check_console(console: Console, check: Checker) -> None:
    """Check the table `[console]`."""
    check.text("console.host", console.host)
    check.between("console.port", console.port, 1, MAX_PORT, "(a TCP port)")
    for name, other in (("tls_cert_file", "tls_key_file"), ("tls_key_file", "tls_cert_file")):
        check.require(
            not getattr(console, name) or bool(getattr(console, other)),
            f"console.{name}",
            getattr(console, name),
            f"must come with {other}: give the certificate and its key, or neither",
        )
    if console.broker is not None:
        check.text("console.broker.host", console.broker.host)
        check.between("console.broker.port", console.broker.port, 1, MAX_PORT, "(a TCP port)")
        check.require(
            not console.broker.embedded,
            "console.broker.embedded",
            True,
            "is not possible: the console uses a broker and never is one; leave it out",
        )
    _check_accounts(console, check)


def _check_accounts(console: Console, check: Checker) -> None:
    places = [(f"console.accounts[{index}]", account) for index, account in enumerate(console.accounts)]
    for key, account in places:
        check.text(f"{key}.name", account.name)
        check.require(
            account.name == account.name.strip()
            and account.name.isprintable()
            and len(account.name) <= MAX_NAME_LENGTH,
            f"{key}.name",
            account.name,
            f"must be printable text of at most {MAX_NAME_LENGTH} characters, without spaces at its ends",
        )
        _check_hash(f"{key}.password_hash", account.password_hash, check)
    check.unique((key, f"{account.name} as {account.role}") for key, account in places)


def _check_hash(key: str, encoded: str, check: Checker) -> None:
    shown = ABSENT if not encoded else HIDDEN
    found = _PASSWORD_HASH.fullmatch(encoded)
    check.require(
        found is not None,
        key,
        shown,
        "is no argon2id hash: run `velodrome password` and paste the line that it prints",
    )
    if found is not None:
        check.require(
            8 <= int(found["memory"]) <= MAX_MEMORY_KIB
            and 1 <= int(found["passes"]) <= MAX_PASSES
            and 1 <= int(found["lanes"]) <= 255,
            key,
            shown,
            f"asks for too much or too little work (m up to {MAX_MEMORY_KIB}, t up to {MAX_PASSES}): "
            "make it with `velodrome password`",
        )


def open_without_tls(console: Console) -> bool:
    """Whether passwords would cross a network in the clear."""
    local = console.host in ("localhost", "::1") or console.host.startswith("127.")
    return not local and not console.tls_cert_file
