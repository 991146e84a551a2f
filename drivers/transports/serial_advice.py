"""Why a serial port did not open, in the operator's words.

For a worker thread: it looks around in /dev and /proc.
"""

import errno
import getpass
import grp
import os
from pathlib import Path

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

_BUSY = {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK}
_ABSENT = {errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO}
_FORBIDDEN = {errno.EACCES, errno.EPERM}


def explain_open_failure(path: str, error: Exception) -> tuple[str, str]:
    """Reason and advice for an error that pyserial raised while it opened `path`."""
    number = error.errno if isinstance(error, OSError) else None
    if number in _ABSENT or not Path(path).exists():
        return f"there is no port {path}", f"check the cable and the adapter; {ports_present()}"
    if number in _FORBIDDEN:
        return f"no permission to open {path}", _how_to_get_permission(path)
    if number in _BUSY:
        return f"{path} is in use{_by_whom(path)}", "end the other program, or give this device another port"
    if number == errno.EISDIR:
        return f"{path} is a folder, not a port", f"write the path of a port; {ports_present()}"
    return (
        f"{path} cannot be used as a serial port ({error})",
        "check the port and its settings in the meet file",
    )


def ports_present() -> str:
    """The serial ports that this machine has now, with the serial numbers of their USB adapters."""
    ports = [_describe(port) for port in sorted(list_ports.comports())]
    if not ports:
        return "this machine has no serial port at the moment"
    return f"ports present: {', '.join(ports)}"


def _describe(port: ListPortInfo) -> str:
    number = getattr(port, "serial_number", None)
    facts = [port.description if port.description != "n/a" else None, number and f"USB serial number {number}"]
    told = ", ".join(fact for fact in facts if fact)
    return f"{port.device} ({told})" if told else str(port.device)


def _how_to_get_permission(path: str) -> str:
    group_id = Path(path).stat().st_gid
    try:
        group = grp.getgrgid(group_id).gr_name
    except KeyError:
        return f"ask the administrator for access to {path} (its group is number {group_id})"
    return f"run `sudo usermod -aG {group} {_user_name()}`, then log out and in again"


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "$USER"


def _by_whom(path: str) -> str:
    """` by name (process 123)` where /proc lets us see who holds the port, else nothing."""
    real_path = str(Path(path).resolve())
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()) and _holds(process, real_path, at_least=2):
            return " by another device of this same program"
        if process.name != str(os.getpid()) and _holds(process, real_path, at_least=1):
            return f" by {_process_name(process)} (process {process.name})"
    return ""


def _holds(process: Path, real_path: str, at_least: int) -> bool:
    try:
        descriptors = os.listdir(process / "fd")
    except OSError:
        # The process has ended meanwhile or belongs to someone else: then we cannot know.
        return False
    return sum(_target(process / "fd" / number) == real_path for number in descriptors) >= at_least


def _target(link: Path) -> str | None:
    try:
        return os.readlink(link)
    except OSError:
        # Closed since it was listed.
        return None


def _process_name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a program"
