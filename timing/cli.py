"""The `velodrome` command. Its names are a contract (DESIGN §9); errors are one line on standard error.

Imports of the heavy rooms stand inside the commands: `velodrome --help` answers at once.
"""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from timing import __version__
from timing.cli_office import add_commands

app = App(name="velodrome", version=__version__, help="Live velodrome timing and race control.")
add_commands(app)

Json = Annotated[bool, Parameter(negative=(), help="Print one JSON document on standard output.")]
Headless = Annotated[bool, Parameter(negative=(), help="No live view in the terminal.")]


@app.command
def demo(
    *,
    heat: str | None = None,
    all: Annotated[bool, Parameter(negative=())] = False,
    speed: float = 1.0,
    headless: Headless = False,
    json: Json = False,
    script: str = "tokyo2020-men-keirin",
    folder: Path | None = None,
    console: bool | None = None,
    competition: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Ride the Tokyo 2020 men's keirin on simulated hardware: pty serial, TCP, MQTT, journal, the whole chain.

    Without --heat or --all it is the final for places 1-6, in real time. A run that was killed is taken up again.

    Parameters
    ----------
    heat
        Heat to ride: r1-1 … r1-5, rep-1 … rep-4, qf-1 … qf-3, sf-1, sf-2, final-a, final-b.
    all
        All 16 heats, one after the other.
    speed
        How many times faster than real time, for the simulated boxes and the host's clock alike.
    script
        Another script for the rig: a shipped one (derny-slow, derny-early, derny-late …) or a TOML file.
    folder
        Where runs are kept, instead of the state folder.
    console
        Start the consoles of race control as well, and print their address; by default unless --headless.
    competition
        The whole competition with its race office: entries, draws, start lists, advancement, communiqués.
    """
    from timing.commands.demo import run

    return run(heat, all, speed, headless, json, script, folder, console, competition)


@app.command
def run(
    meet: str,
    /,
    *,
    journal: Path | None = None,
    log: Path | None = None,
    headless: Headless = False,
    clock_file: Path | None = None,
    console: bool = True,
) -> int:
    """Time a meet: drivers, journal, core, publisher, consoles. Ctrl-C ends it; the same command continues it.

    Parameters
    ----------
    meet
        Meet file (TOML) or the id of a shipped one.
    journal
        Journal file; by default <meet id>.journal in the state folder.
    log
        File for the JSON log; by default beside the journal, or standard error when headless (for systemd).
    clock_file
        Clock of a sped-up rig, as `velodrome rig --clock-file` wrote it.
    console
        Serve race control's consoles as a process beside it ([console] in the meet file) and print their address.
    """
    from timing.commands.run import run as run_meet

    return run_meet(meet, journal, log, headless, clock_file, console)


@app.command
def console(
    meet: str,
    /,
    *,
    port: int | None = None,
    host: str | None = None,
    log: Path | None = None,
) -> int:
    """Serve race control's consoles for a meet, on this machine or another than the timing: it needs only the broker.

    Prints its address as soon as it answers. Accounts stand in the meet file ([console]); `velodrome password` makes
    their hashes.

    Parameters
    ----------
    meet
        Meet file (TOML) or the id of a shipped one.
    port
        Instead of console.port of the meet (8080).
    host
        Instead of console.host of the meet (127.0.0.1); 0.0.0.0 for every network of this machine.
    log
        File for the JSON log; by default standard error.
    """
    from timing.commands.console import run as run_console

    return run_console(meet, port, host, log)


@app.command
def password(*, stdin: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Ask for a password and print its argon2 hash, for password_hash in [[console.accounts]] of a meet file.

    Parameters
    ----------
    stdin
        Read the password from the first line of standard input instead of asking twice at the terminal.
    """
    from timing.commands.password import run as run_password

    return run_password(stdin)


@app.command
def rig(
    meet: str,
    script: str,
    /,
    *,
    speed: float = 1.0,
    seed: int = 0,
    clock_file: Path | None = None,
    check: Path | None = None,
) -> int:
    """Simulated hardware at the addresses of a meet's devices. It rides a heat when race control arms it.

    Given a recording instead of a script, it sends again what the boxes said in the recorded run.

    Parameters
    ----------
    meet
        Meet file (TOML) or the id of a shipped one.
    script
        Script file (TOML) or the name of a shipped one, or a recording (`velodrome record`).
    speed
        How many times faster than real time; `velodrome run` then needs the same --clock-file.
    seed
        Seed of the boxes' clocks and signal strengths.
    clock_file
        Where to write the clock for `velodrome run --clock-file`.
    check
        Ride the script's heats with the race control that runs beside it, check what the script expects and write
        this JUnit XML report. Exit code 1 when something is not as expected.
    """
    from timing.commands.rig import run as run_rig

    return run_rig(meet, script, speed, seed, clock_file, check)


@app.command
def record(source: str, out: Path, /, *, seconds: int = 0) -> int:
    """Keep every byte of a live run in one file: out of a journal, or from the devices of a meet (Ctrl-C ends it).

    Parameters
    ----------
    source
        A journal, or a meet file (TOML) or the id of a shipped meet.
    out
        The file to make, or a folder for it. `velodrome rig MEET FILE` plays it again.
    seconds
        End a live recording after so many seconds; 0 for never.
    """
    from timing.commands.record import record as run_record

    return run_record(source, out, seconds)


@app.command
def decode(
    protocol: str,
    source: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-",
    /,
    *,
    hex: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Raw bytes of a device to one JSON line a record: what is this box sending?

    Parameters
    ----------
    protocol
        p3, lynx, lif or json, or one that an installed package brings.
    source
        A file, - for standard input, or an address of a live box (serial:/dev/ttyUSB0?baud=19200, tcp:host:port).
    hex
        The source is text with hex digits instead of bytes (for p3 this is noticed by itself).
    """
    from timing.commands.decode import run as run_decode

    return run_decode(protocol, source, hex)


@app.command
def replay(journal: Path, /, *, json: Json = False) -> int:
    """Fold a journal from its beginning and show the state that it means."""
    from timing.commands.journals import replay as run_replay

    return run_replay(journal, json)


@app.command
def results(journal: Path, /, *, heat: str | None = None, json: Json = False) -> int:
    """Results in a journal: all heats, or one."""
    from timing.commands.journals import results as run_results

    return run_results(journal, heat, json)


@app.command
def verify(journal: Path, document: Path | None = None, /) -> int:
    """Prove that a journal is whole and that replay gives what was shown live. Exit code 1 when it is not.

    Parameters
    ----------
    journal
        The journal of the meet.
    document
        A printed communiqué: check instead that it is what the journal says, to the byte.
    """
    if document is not None:
        from timing.paths import prepare_kernels

        prepare_kernels()
        from timing.commands.communiques import check

        return check(journal, document)
    from timing.commands.journals import verify as run_verify

    return run_verify(journal)


@app.command
def doctor(meet: str | None = None, /, *, loopback: tuple[str, str] | None = None) -> int:
    """Check a meet's configuration, devices, broker and disk before the race. Exit code 1 when something is wrong.

    Parameters
    ----------
    meet
        Meet file (TOML) or the id of a shipped one.
    loopback
        Two serial ports joined by a null modem cable (RX and TX crossed): send and check frames at several bauds.
    """
    if loopback is not None:
        from timing.commands.loopback import run as run_loopback

        return run_loopback(*loopback)
    if meet is None:
        print("velodrome: doctor needs a MEET, or --loopback PORT_A PORT_B; see velodrome --help", file=sys.stderr)
        return 2
    from timing.commands.doctor import run as run_doctor

    return run_doctor(meet)


@app.command
def startlists(meet: str, folder: Path, /) -> int:
    """Write the meet's start lists for FinishLynx (lynx.ppl, lynx.evt, lynx.sch), so that its results find their heat.

    Parameters
    ----------
    meet
        Meet file (TOML) or the id of a shipped one; or a journal: then with the heats composed so far.
    folder
        The folder that FinishLynx reads (Options, Database); files of another program are left alone.
    """
    from timing.commands.startlists import run as run_startlists

    return run_startlists(meet, folder)


@app.command
def schemas(*, results: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Print the JSON Schemas of every MQTT message.

    Parameters
    ----------
    results
        The schema of `results --json` instead.
    """
    from timing.commands.schemas import run as run_schemas

    return run_schemas(results)


def _command_errors() -> tuple[type[Exception], ...]:
    """The roots of the exception trees that are meant for people; everything else is a fault of ours."""
    from config.entry_files import EntryFileError
    from config.errors import ConfigError
    from drivers.errors import DriverError
    from timing.commands.errors import OfficeError
    from timing.control.broker import BrokerError
    from timing.control.communique.pdf import DocumentError
    from timing.control.console.job import ConsoleError, PasswordError
    from timing.core.runtime import KernelCacheError
    from timing.demo.errors import DemoError
    from timing.journal.errors import JournalError
    from timing.logs import LogFileError
    from timing.paths import ClockFileError, StateFolderError

    return (
        ConfigError,
        EntryFileError,
        OfficeError,
        DocumentError,
        DriverError,
        BrokerError,
        ConsoleError,
        KernelCacheError,
        DemoError,
        JournalError,
        LogFileError,
        PasswordError,
        StateFolderError,
        ClockFileError,
    )


def _errors_in(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _errors_in(one)]
    return [error]


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 130 interrupted."""
    try:
        code = app(sys.argv[1:] if arguments is None else arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        text = " ".join(str(error).split())
        print(f"velodrome: {text}; see velodrome --help", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone (velodrome … | head): nobody is left to tell.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        leaves = _errors_in(error)
        if not all(isinstance(leaf, _command_errors()) for leaf in leaves):
            raise
        print(f"velodrome: {leaves[0]}", file=sys.stderr)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
