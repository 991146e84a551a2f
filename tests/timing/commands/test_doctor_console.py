"""What `velodrome doctor` says about the consoles before race day."""

import socket
from pathlib import Path

import pytest

from config.models import Account, Console
from tests.deploy.test_mosquitto import make_certificate
from tests.end_to_end.mosquitto import free_port
from timing.commands.doctor_console import NEEDED_ROLES, check_console
from timing.commands.finding import Finding

ACCOUNTS = tuple(Account(name=role, role=role, password_hash="x") for role in ("operator", "commissaire", "president"))


def console(**more: object) -> Console:
    """A console with which nothing is wrong, but for what a test says."""
    return Console(**{"port": free_port(), "accounts": ACCOUNTS, **more})  # type: ignore[arg-type]


def only(findings: list[Finding], what: str) -> Finding:
    (found,) = [one for one in findings if one.what == what]
    return found


def test_a_sound_console_is_one_good_line() -> None:
    (found,) = check_console(console())
    assert (found.what, found.good, found.warning) == ("console", True, False)
    assert found.text.endswith("is free, 3 accounts")


def test_passwords_in_the_clear_on_a_network_are_a_warning_that_does_not_stop_the_race() -> None:
    found = only(check_console(console(host="0.0.0.0")), "console TLS")
    assert (found.good, found.warning) == (True, True)
    assert "passwords and orders can be read there" in found.text


def test_a_port_in_use_may_be_the_running_console() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        found = only(check_console(console(port=other.getsockname()[1])), "console")
    assert (found.good, found.warning) == (True, True)
    assert "If this meet is running now, all is well" in found.text


@pytest.mark.parametrize("role", NEEDED_ROLES)
def test_a_role_without_which_nothing_becomes_official_is_missed(role: str) -> None:
    accounts = tuple(one for one in ACCOUNTS if one.role != role)
    found = only(check_console(console(accounts=accounts)), "console accounts")
    assert found.warning
    assert found.text.startswith(f"nobody can sign in as {role}: ")


def test_certificate_and_key_must_be_readable_and_fit_together(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    certificate, key = str(tmp_path / "server.crt"), str(tmp_path / "server.key")
    assert only(check_console(console(tls_cert_file=certificate, tls_key_file=key)), "console TLS").good
    for other in (certificate, str(tmp_path / "missing.key")):
        found = only(check_console(console(tls_cert_file=certificate, tls_key_file=other)), "console TLS")
        assert not found.good
        assert "give a PEM certificate and its key" in found.text


def test_a_folder_of_documents_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    assert len(check_console(console(documents_folder=str(tmp_path)))) == 1
    found = only(check_console(console(documents_folder=str(tmp_path / "no"))), "printed documents")
    assert not found.good
    assert "mend console.documents_folder" in found.text


def test_a_folder_of_images_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    assert len(check_console(console(photo_finish_folder=str(tmp_path)))) == 1
    found = only(check_console(console(photo_finish_folder=str(tmp_path / "no"))), "photo-finish images")
    assert not found.good
