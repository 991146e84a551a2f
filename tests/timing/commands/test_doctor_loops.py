"""`velodrome doctor` on loops without a working box: what the race will lack, and what goes on."""

from config.loader import load_setup
from timing.commands.doctor import Finding, check_loops

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
