"""Which loops live, and what can be official without those that do not."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from drivers.records import DeviceHealth, Passing
from timing.control.board import health_body
from timing.race.degraded import LoopHealth, loop_health, without_loop
from timing.race.meet import MeetState

TOKYO = "tokyo2020-men-keirin"


def health(office: Any) -> dict[str, LoopHealth]:
    current = office.state.current
    picture = None if current is None else office.picture
    return {one.loop: one for one in loop_health(office.state, picture)}


def ridden(office: Any, rig: Callable[..., Any], drop: Callable[[Passing, int], bool]) -> Any:
    office.open("final-a")
    office.arm()
    kept: list[tuple[int, Sequence[Any]]] = []
    for number, (at_us, (record,)) in enumerate(rig(TOKYO, "final-a")):
        if not (isinstance(record, Passing) and drop(record, number)):
            kept.append((at_us, (record,)))
    office.play(kept)
    return office


def test_before_anything_was_read_nothing_is_claimed(office: Any) -> None:
    found = health(office)
    assert list(found) == ["finish", "l200", "back", "l100", "home"]
    assert {one.condition for one in found.values()} == {"unknown"}
    assert all(one.without_it == () and one.last_read_us is None for one in found.values())


def test_a_whole_heat_shows_every_loop_alive(office: Any, rig: Callable[..., Any]) -> None:
    found = health(ridden(office, rig, lambda record, number: False))
    assert {one.condition for one in found.values()} == {"live"}
    assert {one.loop: one.expected for one in found.values()} == {
        "finish": 42,
        "l200": 36,
        "back": 36,
        "l100": 36,
        "home": 36,
    }
    assert all(one.missed == 0 for one in found.values())
    assert found["finish"].last_read_us is not None


def test_a_loop_that_stops_reading_is_dead_and_says_what_goes_on(office: Any, rig: Callable[..., Any]) -> None:
    found = health(ridden(office, rig, lambda record, number: record.device == "p3-back" and number > 150))
    back = found["back"]
    assert back.condition == "dead"
    assert back.missed > 4
    assert back.missed_percent == 100 * back.missed // back.expected
    assert "p3-back" in back.reason
    assert any("half laps: inferred" in one for one in back.without_it)
    assert found["home"].condition == "live"


def test_a_loop_that_misses_a_third_is_weak(office: Any, rig: Callable[..., Any]) -> None:
    def drop(record: Passing, number: int) -> bool:
        # Two riders' chips, and only before the last lap, so that the newest crossings were read.
        return record.device == "p3-l100" and record.transponder in ("5000004", "5000013") and number < 300

    weak = health(ridden(office, rig, drop))["l100"]
    assert weak.condition == "weak"
    assert 20 <= weak.missed_percent <= 40
    assert weak.without_it


def test_a_lost_box_kills_its_loop_at_once(office: Any) -> None:
    office.put(DeviceHealth(device="p3-finish", at_us=office.at(0), state="lost", reason="unplugged"))
    finish = health(office)["finish"]
    assert (finish.condition, finish.reason) == ("dead", "p3-finish: lost")
    assert "places and gaps: official from the photo-finish" in finish.without_it
    assert any("laps and half laps at the finish line: inferred" in one for one in finish.without_it)
    assert any("photocell goes on" in one for one in finish.without_it)


def test_a_cell_alone_does_not_keep_a_loop_alive(office: Any, rig: Callable[..., Any]) -> None:
    found = health(ridden(office, rig, lambda record, number: record.device == "p3-finish" and number > 150))
    assert found["finish"].condition == "dead"


@pytest.mark.parametrize(
    ("loop", "words"),
    [
        ("home", "pull-off of the pacer and its exit speed: not measurable"),
        ("home", "the start itself is the gun's"),
        ("l200", "no last-200 m time"),
        ("l100", "its sectors and half laps: inferred"),
        ("finish", "the heat does not finish by itself"),
    ],
)
def test_what_each_loop_takes_with_it(tokyo: Any, loop: str, words: str) -> None:
    assert words in " ".join(without_loop(tokyo, loop))


def test_without_a_camera_the_judge_alone_places(tokyo: Any) -> None:
    boxes = tuple(device for device in tokyo.meet.devices if device.protocol != "lynx")
    setup = msgspec.structs.replace(tokyo, meet=msgspec.structs.replace(tokyo.meet, devices=boxes))
    assert "places: only by the judge (no photo-finish in the meet file); gaps: not measured" in without_loop(
        setup, "finish"
    )


def test_half_laps_of_333_m_find_their_lines(setup_for: Callable[..., Any]) -> None:
    setup = setup_for("example-333", "uci-2023")
    lines = setup.venue.lines
    at_l200 = [one.id for one in setup.venue.loops if abs(one.position_m - lines.l200_m) < 0.02]
    assert at_l200
    assert all("last-200 m" in " ".join(without_loop(setup, loop)) for loop in at_l200)


def test_it_is_published_with_the_health(office: Any) -> None:
    office.put(DeviceHealth(device="p3-home", at_us=office.at(0), state="backing_off"))
    loops = health_body(office.state).fields["loops"]
    assert isinstance(loops, tuple)
    assert [one.loop for one in loops if one.condition == "dead"] == ["home"]


def test_before_a_setup_there_are_no_loops() -> None:
    assert loop_health(MeetState(), None) == ()
