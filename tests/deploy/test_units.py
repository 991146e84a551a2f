"""The unit file and the udev rules that we ship: what a venue relies on is really in them."""

import re
from pathlib import Path

import pytest

from config.meet_checks import PROTOCOLS
from drivers.transports.address import SerialAddress, parse_address
from timing.cli import app

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd" / "velodrome.service"
CONSOLE_UNIT = DEPLOY / "systemd" / "velodrome-console.service"
BROKER_DROP_IN = DEPLOY / "systemd" / "mosquitto.service.d" / "velodrome.conf"
ENVIRONMENT = DEPLOY / "systemd" / "service.env"
RULES = DEPLOY / "udev" / "99-velodrome.rules"
GUIDE = DEPLOY / "README.md"

UDEV_KEY = re.compile(
    r'(ACTION|SUBSYSTEM|KERNEL|DRIVER|ATTRS?\{\w+\}|ENV\{\w+\}|SYMLINK|GROUP|MODE)(==|!=|\+=|=)"([^"]*)"'
)
UDEV_MATCHES = ("ACTION", "SUBSYSTEM", "KERNEL", "DRIVER")


def unit(file: Path = UNIT) -> dict[str, dict[str, str]]:
    """Sections of the unit file; a key that stands twice is an error."""
    sections: dict[str, dict[str, str]] = {}
    section = ""
    for line in file.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            sections[section] = {}
            continue
        key, sign, value = line.partition("=")
        assert sign, f"no key=value: {line}"
        assert key not in sections[section], f"{key} stands twice"
        sections[section][key] = value
    return sections


def rules() -> list[list[tuple[str, str, str]]]:
    """The udev rules as (key, operator, value); a line that is none is an error."""
    found = []
    for line in RULES.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        rule = []
        for part in line.split(", "):
            match = UDEV_KEY.fullmatch(part)
            assert match is not None, f"no udev rule: {line}"
            rule.append((match[1], match[2], match[3]))
        found.append(rule)
    return found


def test_the_service_comes_back_at_once_and_for_ever() -> None:
    service = unit()["Service"]
    assert service["Type"] == "exec"
    assert service["Restart"] == "always"
    assert service["RestartSec"] == "200ms"
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit()["Install"]["WantedBy"] == "multi-user.target"


def test_the_service_keeps_its_journal_where_systemd_says() -> None:
    service = unit()["Service"]
    assert service["StateDirectory"] == "velodrome"
    assert service["ProtectSystem"] == "strict"
    assert service["User"] == "velodrome"
    assert service["SupplementaryGroups"] == "dialout"


def test_the_service_is_stopped_as_by_ctrl_c() -> None:
    service = unit()["Service"]
    assert service["KillSignal"] == "SIGINT"
    assert service["SuccessExitStatus"] == "130"


@pytest.mark.parametrize("key", ["MemoryDenyWriteExecute", "DevicePolicy", "PrivateDevices", "PrivateNetwork"])
def test_hardening_leaves_alone_what_the_service_needs(key: str) -> None:
    assert key not in unit()["Service"]


def test_the_command_that_the_service_starts_exists() -> None:
    program, *arguments = unit()["Service"]["ExecStart"].split()
    assert Path(program).name == "velodrome"
    meet = re.fullmatch(r"\$\{(\w+)\}", arguments[1])
    assert meet is not None
    assert f"{meet.group(1)}=" in ENVIRONMENT.read_text("utf-8")
    command, bound, _ = app.parse_args([arguments[0], "meet.toml", *arguments[2:]], print_error=False)
    assert command.__name__ == "run"
    assert bound.arguments == {"meet": "meet.toml", "headless": True, "console": False}


def test_the_consoles_are_a_service_of_their_own_behind_the_timing() -> None:
    service = unit(CONSOLE_UNIT)["Service"]
    program, *arguments = service["ExecStart"].split()
    assert Path(program).name == "velodrome"
    command, bound, _ = app.parse_args([arguments[0], "meet.toml", *arguments[2:]], print_error=False)
    assert command.__name__ == "console"
    assert bound.arguments == {"meet": "meet.toml"}
    assert arguments[1] == unit()["Service"]["ExecStart"].split()[2], "the same meet"
    assert int(service["Nice"]) > 0 > int(unit()["Service"]["Nice"])
    assert service["Restart"] == "always"
    assert "SupplementaryGroups" not in service, "no serial port"
    assert service["User"] != unit()["Service"]["User"]


def test_the_broker_comes_back_as_quickly_as_the_service_and_goes_as_early() -> None:
    broker, service = unit(BROKER_DROP_IN)["Service"], unit()["Service"]
    for key in ("Restart", "RestartSec", "Nice", "CPUWeight"):
        assert broker[key] == service[key]


def test_udev_gives_each_box_a_stable_name_by_its_serial_number() -> None:
    named = [rule for rule in rules() if any(key == "ATTRS{serial}" for key, _, _ in rule)]
    assert named
    names = []
    for rule in named:
        keys = {key: (sign, value) for key, sign, value in rule}
        assert keys["SUBSYSTEM"] == ("==", "tty")
        assert keys["ATTRS{serial}"][0] == "=="
        assert keys["GROUP"] == ("=", "dialout")
        assert keys["MODE"] == ("=", "0660")
        sign, name = keys["SYMLINK"]
        assert sign == "+="
        address = parse_address(f"serial:/dev/{name}")
        assert isinstance(address, SerialAddress)
        assert address.path.startswith("/dev/velodrome/")
        names.append(name)
    assert len(set(names)) == len(names)


def test_udev_names_every_usb_adapter_without_any_editing() -> None:
    general = [
        {(key, sign): value for key, sign, value in rule}
        for rule in rules()
        if ("ENV{ID_BUS}", "==", "usb") in rule and any(key == "SYMLINK" for key, _, _ in rule)
    ]
    names = {rule[("SYMLINK", "+=")] for rule in general}
    assert names == {
        "velodrome/usb-$env{ID_SERIAL_SHORT}",
        "velodrome/usb-$env{ID_SERIAL_SHORT}-$env{ID_USB_INTERFACE_NUM}",
        "velodrome/socket-$env{ID_PATH}",
    }
    for rule in general:
        assert rule[("SUBSYSTEM", "==")] == "tty"
        # Two ports of one adapter, or an adapter without a number, never share a name.
        by_number = rule[("ENV{ID_SERIAL_SHORT}", "==")] == "?*"
        assert by_number == ("ID_SERIAL_SHORT" in rule[("SYMLINK", "+=")])
        first = ("ENV{ID_USB_INTERFACE_NUM}", "==") in rule
        assert not by_number or first != ("ID_USB_INTERFACE_NUM" in rule[("SYMLINK", "+=")])


def test_udev_gives_every_serial_port_to_the_group_of_the_service() -> None:
    granted = [{key: value for key, _, value in rule} for rule in rules() if ("GROUP", "=", "dialout") in rule]
    group = unit()["Service"]["SupplementaryGroups"]
    assert any(rule.get("ENV{ID_BUS}") == "usb" and "SYMLINK" not in rule for rule in granted)
    assert any(rule.get("KERNEL") == "ttyS[0-9]*" for rule in granted)
    assert {rule["GROUP"] for rule in granted} == {group}
    assert {rule["MODE"] for rule in granted} == {"0660"}


def test_udev_has_an_example_for_each_box_that_is_read_over_a_serial_port() -> None:
    names = {value.removeprefix("velodrome/") for rule in rules() for key, _, value in rule if key == "SYMLINK"}
    boxes = {name for name in names if not name.startswith(("usb-$", "socket-$"))}
    for protocol in ("p3", "lynx", "thbc", "timy", "cp520", "rei2", "osv", "raceresult-usb"):
        assert protocol in PROTOCOLS
        assert any(name == protocol or name.startswith(f"{protocol}-") for name in boxes), protocol


def test_udev_compares_with_two_signs_and_sets_with_one() -> None:
    for rule in rules():
        for key, sign, _ in rule:
            matches = key in UDEV_MATCHES or key.startswith("ATTRS")
            assert sign in ("==", "!=") or not matches, f"{key}{sign} would set what should be compared"


def test_udev_takes_ftdi_s_latency_down_to_a_millisecond() -> None:
    assert [one for rule in rules() for one in rule if one[0] == "ATTR{latency_timer}"] == [
        ("ATTR{latency_timer}", "=", "1")
    ]


def test_the_guide_names_every_file_that_is_shipped() -> None:
    text = GUIDE.read_text("utf-8")
    shipped = [path for path in DEPLOY.rglob("*") if path.is_file() and path != GUIDE]
    missing = [str(path.relative_to(DEPLOY)) for path in shipped if str(path.relative_to(DEPLOY)) not in text]
    assert missing == []
