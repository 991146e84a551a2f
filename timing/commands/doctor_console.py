"""What `velodrome doctor` says about the consoles: port, certificate, accounts, folders."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from config.console_checks import open_without_tls
from config.models import Console
from timing.commands.finding import Finding
from timing.control.console.job import ConsoleError
from timing.control.console.sockets import open_socket

NEEDED_ROLES = ("operator", "commissaire", "president")
"""Without one of each no heat becomes official."""


def check_console(console: Console) -> list[Finding]:
    """The table `[console]` against this machine."""
    return [*_check_port(console), *_check_tls(console), *_check_accounts(console), *_check_folders(console)]


def _check_port(console: Console) -> Iterator[Finding]:
    where = f"{console.host}:{console.port}"
    try:
        open_socket(console).close()
    except ConsoleError as error:
        # A meet that is being timed holds it rightly.
        yield Finding("console", True, f"{error}. If this meet is running now, all is well", warning=True)
    else:
        yield Finding("console", True, f"{where} is free, {len(console.accounts)} accounts")


def _check_tls(console: Console) -> Iterator[Finding]:
    if open_without_tls(console):
        text = (
            f"console.host {console.host} is open to the network without TLS: passwords and orders can be read there; "
            "give console.tls_cert_file and console.tls_key_file (deploy/README.md), or host 127.0.0.1"
        )
        yield Finding("console TLS", True, text, warning=True)
    if console.tls_cert_file:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                console.tls_cert_file, console.tls_key_file
            )
        except (OSError, ssl.SSLError) as error:
            text = f"{console.tls_cert_file}, {console.tls_key_file}: {error}; give a PEM certificate and its key"
            yield Finding("console TLS", False, text)
        else:
            yield Finding("console TLS", True, f"{console.tls_cert_file} and its key fit together")


def _check_accounts(console: Console) -> Iterator[Finding]:
    missing = [role for role in NEEDED_ROLES if all(one.role != role for one in console.accounts)]
    if missing:
        text = (
            f"nobody can sign in as {', '.join(missing)}: add [[console.accounts]] with the hash that "
            "`velodrome password` prints"
        )
        yield Finding("console accounts", True, text, warning=True)


def _check_folders(console: Console) -> Iterator[Finding]:
    folders = {
        "photo-finish images": ("photo_finish_folder", console.photo_finish_folder),
        "printed documents": ("documents_folder", console.documents_folder),
    }
    for what, (key, folder) in folders.items():
        if folder and not Path(folder).is_dir():
            yield Finding(what, False, f"{folder} is no folder here; make it, or mend console.{key}")
