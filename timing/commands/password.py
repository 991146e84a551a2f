"""`velodrome password`: the hash of a password, to be pasted into a meet file."""

import getpass
import sys

from timing.control.console.job import PasswordError
from timing.control.console.passwords import hash_password


def run(stdin: bool) -> int:
    """Ask, print the hash on standard output. Raises PasswordError."""
    print(hash_password(_from_stdin() if stdin else _from_terminal()))
    return 0


def _from_stdin() -> str:
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError as error:
        raise PasswordError("password: standard input is not UTF-8 text; send it as UTF-8") from error
    return line.rstrip("\r\n")


def _from_terminal() -> str:
    """Asked twice on the terminal itself, so that the hash on standard output can be redirected."""
    try:
        first = getpass.getpass("Password: ")
        again = getpass.getpass("The same again: ")
    except EOFError as error:
        raise PasswordError("password: nothing was typed; use --stdin where there is no terminal") from error
    if first != again:
        raise PasswordError("password: the two are not the same; run it again")
    return first
