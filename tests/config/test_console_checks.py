"""`[console]` of a meet: who may sign in, where, and what is wrong with it in one line."""

from collections.abc import Callable

import pytest

from config.console_checks import open_without_tls
from config.journaled import without_secrets
from config.loader import ConfigError, load_meet, load_setup
from config.models import Broker, Console

Edit = Callable[..., str]

HASH = "$argon2id$v=19$m=65536,t=3,p=4$MIIRqgvgQbgj220jfp0MPA$YfwJSVjtjSU0zzV/P3S9nnQ/USre2wvJMjfCIjrTQbg"
HEAD = "[broker]"


def account(name: str = "A. Sato", role: str = "commissaire", encoded: str = HASH) -> str:
    """A table of an account."""
    return f'[[console.accounts]]\nname = "{name}"\nrole = "{role}"\npassword_hash = "{encoded}"\n'


MISTAKES = {
    "a role that does not exist": (
        account(role="referee"),
        'console.accounts[0].role = "referee": must be one of "announcer", "commissaire", "judge", "operator", '
        '"president", "secretary", "starter"',
    ),
    "the program's own role": (
        account(role="system"),
        'console.accounts[0].role = "system": must be one of "announcer", "commissaire", "judge", "operator", '
        '"president", "secretary", "starter"',
    ),
    "a password in the clear, which is not shown again": (
        account(encoded="hunter2"),
        'console.accounts[0].password_hash = "…": is no argon2id hash: run `velodrome password` and paste the line '
        "that it prints",
    ),
    "no password at all": (
        account(encoded=""),
        "console.accounts[0].password_hash: is no argon2id hash: run `velodrome password` and paste the line that it "
        "prints",
    ),
    "a hash of another kind": (
        account(encoded=HASH.replace("argon2id", "argon2i")),
        'console.accounts[0].password_hash = "…": is no argon2id hash: run `velodrome password` and paste the line '
        "that it prints",
    ),
    "a hash that would take all the memory of the machine": (
        account(encoded=HASH.replace("m=65536", "m=99999999")),
        'console.accounts[0].password_hash = "…": asks for too much or too little work (m up to 1048576, t up to 20): '
        "make it with `velodrome password`",
    ),
    "one account twice": (
        account() + account(),
        'console.accounts[1] = "A. Sato as commissaire": is used twice; console.accounts[0] has it already',
    ),
    "a name of nothing": (account(name=" "), 'console.accounts[0].name = " ": must not be empty'),
    "a name with a line break": (
        account(name="A\\nB"),
        'console.accounts[0].name = "A\\nB": must be printable text of at most 60 characters, without spaces at its '
        "ends",
    ),
    "a certificate without its key": (
        '[console]\ntls_cert_file = "a.crt"\n',
        'console.tls_cert_file = "a.crt": must come with tls_key_file: give the certificate and its key, or neither',
    ),
    "a key without its certificate": (
        '[console]\ntls_key_file = "a.key"\n',
        'console.tls_key_file = "a.key": must come with tls_cert_file: give the certificate and its key, or neither',
    ),
    "a port out of range": (
        "[console]\nport = 0\n",
        "console.port = 0: must lie between 1 and 65535 (a TCP port)",
    ),
    "no host": ('[console]\nhost = ""\n', 'console.host = "": must not be empty'),
    "a console that would be a broker": (
        "[console.broker]\nembedded = true\n",
        "console.broker.embedded = true: is not possible: the console uses a broker and never is one; leave it out",
    ),
    "a mistyped key": (
        "[console]\npubic = false\n",
        'console.pubic: unknown key; did you mean "public"? Allowed here: host, port, public, tls_cert_file, '
        "tls_key_file, photo_finish_folder, documents_folder, broker, accounts",
    ),
}


@pytest.mark.parametrize(("table", "line"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line(edit: Edit, table: str, line: str) -> None:
    path = edit("meets", "club-night", (HEAD, f"{table}{HEAD}"))
    with pytest.raises(ConfigError) as refused:
        load_meet(path)
    assert str(refused.value).endswith(line)


def test_one_person_may_have_two_roles(edit: Edit) -> None:
    tables = account(role="judge") + account(role="president")
    meet = load_meet(edit("meets", "club-night", (HEAD, f"{tables}{HEAD}")))
    assert [(one.name, one.role) for one in meet.console.accounts] == [("A. Sato", "judge"), ("A. Sato", "president")]


def test_the_consoles_may_reach_the_broker_as_somebody_else(edit: Edit) -> None:
    table = '[console.broker]\nhost = "timing.local"\nport = 8883\nusername = "velodrome-console"\n'
    meet = load_meet(edit("meets", "club-night", (HEAD, f"{table}{HEAD}")))
    assert meet.console.broker == Broker(host="timing.local", port=8883, username="velodrome-console")


def test_without_a_table_the_boards_are_public_on_this_machine_and_nobody_signs_in(edit: Edit) -> None:
    assert load_meet(edit("meets", "club-night")).console == Console()
    assert (Console().host, Console().port, Console().public, Console().accounts) == ("127.0.0.1", 8080, True, ())


def test_neither_names_nor_hashes_are_for_the_journal(edit: Edit) -> None:
    setup = load_setup(edit("meets", "club-night", (HEAD, f"{account()}{HEAD}")))
    assert setup.meet.console.accounts
    assert without_secrets(setup).meet.console == Console()


@pytest.mark.parametrize(
    ("console", "exposed"),
    [
        (Console(), False),
        (Console(host="localhost"), False),
        (Console(host="::1"), False),
        (Console(host="127.0.0.7"), False),
        (Console(host="0.0.0.0"), True),
        (Console(host="192.168.1.10"), True),
        (Console(host="0.0.0.0", tls_cert_file="a", tls_key_file="b"), False),
    ],
)
def test_passwords_in_the_clear_on_a_network_are_noticed(console: Console, exposed: bool) -> None:
    assert open_without_tls(console) == exposed
