"""`velodrome doctor` on loops without a working box: what the race will lack, and what goes on."""

import msgspec
import pytest

from config.loader import load_setup
from config.models import Device, Setup
from timing.commands.doctor import Finding, check_loops, check_settings

TOKYO = "tokyo2020-men-keirin"


def test_every_loop_served_is_no_finding() -> None:
    setup = load_setup(TOKYO)
    good = [Finding(f"device {device.id} ({device.protocol})", True, "open") for device in setup.meet.devices]
    assert check_loops(setup, good) == []


def test_a_loop_without_its_box_says_what_is_still_official() -> None:
    setup = load_setup(TOKYO)
    (found,) = check_loops(setup, [Finding("device p3-finish (p3)", False, "no such port")])
    assert (found.what, found.good) == ("loop finish", False)
    assert "no working box reads it, at 0 m." in found.text
    assert "official from the photo-finish" in found.text


def test_the_photocell_alone_does_not_serve_a_loop() -> None:
    """The gateway has the finish's photocell, which cannot say who."""
    setup = load_setup(TOKYO)
    broken = [Finding(f"device p3-{loop} (p3)", False, "lost") for loop in ("finish", "home")]
    assert [one.what for one in check_loops(setup, broken)] == ["loop finish", "loop home"]


@pytest.mark.parametrize(
    ("address", "mended"),
    [
        ("serial:/dev/usbbox?dtr=on", "serial:/dev/usbbox"),
        ("serial:usb:A50285BI?dtr=on&baud=19200", "serial:usb:A50285BI?baud=19200"),
    ],
)
def test_a_race_result_usb_box_wants_dtr_low(address: str, mended: str) -> None:
    (found,) = check_settings(_with_box("raceresult-usb", address))
    assert (found.what, found.good) == ("setting box (raceresult-usb)", False)
    assert found.text == f'DTR high for long resets this box; write address = "{mended}" in the meet file'
    assert check_settings(_with_box("raceresult-usb", mended)) == []


def test_other_boxes_may_have_dtr_as_they_like() -> None:
    assert check_settings(_with_box("thbc", "serial:/dev/unit?dtr=on")) == []
    assert check_settings(_with_box("thbc", "serial:/dev/unit?baud=19200")) == []
    assert check_settings(_with_box("raceresult-usb", "tcp:192.0.2.7:4000")) == []
    assert check_settings(load_setup(TOKYO)) == []


def _with_box(protocol: str, address: str) -> Setup:
    setup = load_setup(TOKYO)
    box = Device(id="box", protocol=protocol, address=address, loop="finish")
    return msgspec.structs.replace(setup, meet=msgspec.structs.replace(setup.meet, devices=(box,)))
