"""Trends of boxes, loops and transponders: bounded windows, medians, and a sentence when they fall."""

import io
from typing import Any

from rich.console import Console

from drivers.records import Delivery, DeviceStatus, Passing
from timing.control.board import device_bodies, health_body, state_json
from timing.control.terminal import live_view
from timing.race.trends import LOOP_WINDOW, TRANSPONDER_WINDOW, DeviceTrends, Trends

BOX = "p3-back"


def passing(
    transponder: str = "1", strength: int | None = 100, hits: int | None = 30, battery: int | None = None
) -> Passing:
    return Passing(
        device=BOX,
        received_us=1,
        device_us=0,
        transponder=transponder,
        strength=strength,
        hits=hits,
        battery=battery,
    )


def fed(count: int, **fields: Any) -> Trends:
    trends = Trends()
    for _ in range(count):
        trends.take_passing(passing(**fields), "back")
    return trends


def test_a_loop_that_reads_as_ever_has_no_warning() -> None:
    trends = fed(3 * LOOP_WINDOW)
    (loop,) = trends.device(BOX).loops
    assert (loop.loop, loop.reads, loop.hits, loop.hits_at_first) == ("back", 3 * LOOP_WINDOW, 30, 30)
    assert trends.device(BOX).warnings == ()


def test_a_loop_whose_hits_fall_says_what_to_do() -> None:
    trends = fed(LOOP_WINDOW)
    for _ in range(LOOP_WINDOW // 2 - 1):
        trends.take_passing(passing(hits=12), "back")
    assert trends.device(BOX).warnings == (), "half a window may be a fast heat"
    for _ in range(2):
        trends.take_passing(passing(hits=12), "back")
    (warning,) = trends.device(BOX).warnings
    assert warning == "p3-back, loop back: hits fell from 30 to 12 (medians): check loop, lead and plug"


def test_single_weak_reads_move_no_median() -> None:
    trends = fed(LOOP_WINDOW)
    for number in range(LOOP_WINDOW):
        trends.take_passing(passing(hits=1 if number % 3 == 0 else 30), "back")
    assert trends.device(BOX).warnings == ()


def test_a_transponder_that_fades_is_told_from_a_loop_that_fades() -> None:
    trends = Trends()
    for number in range(4 * TRANSPONDER_WINDOW):
        fading = 100 if number < 2 * TRANSPONDER_WINDOW else 50
        for who in ("1", "2", "3"):
            trends.take_passing(passing(who), "back")
        trends.take_passing(passing("9", strength=fading), "back")
    (weak,) = (one for one in trends.transponders(["1", "2", "3", "9", "unheard"]) if one.warning)
    assert (weak.transponder, weak.strength_percent_at_first, weak.strength_percent) == ("9", 100, 50)
    assert "charge or change it" in weak.warning
    assert trends.device(BOX).warnings == ()


def test_a_loop_that_fades_blames_no_transponder() -> None:
    trends = Trends()
    for number in range(400):
        for who in ("1", "2", "3"):
            trends.take_passing(passing(who, strength=100 if number < 100 else 40), "back")
    assert {one.warning for one in trends.transponders("123")} == {""}
    assert "strength fell from 100 to 40" in trends.device(BOX).warnings[0]


def test_boxes_that_state_nothing_have_no_trend() -> None:
    trends = fed(5, strength=None, hits=None)
    (loop,) = trends.device(BOX).loops
    assert (loop.reads, loop.hits, loop.strength) == (5, None, None)
    known = trends.transponder("1")
    assert known is not None
    assert (known.reads, known.strength_percent, known.warning) == (5, None, "")
    assert trends.transponder("unheard") is None


def test_strengths_below_zero_are_no_share_of_anything() -> None:
    """dBm: a share of a negative level means nothing, so nothing is said."""
    trends = fed(2 * LOOP_WINDOW, strength=-60)
    for _ in range(LOOP_WINDOW):
        trends.take_passing(passing(strength=-90), "back")
    assert trends.device(BOX).warnings == ()
    known = trends.transponder("1")
    assert known is not None
    assert (known.strength_percent, known.warning) == (None, "")


def test_the_windows_are_bounded() -> None:
    trends = Trends()
    for number in range(5_000):
        trends.take_passing(passing(str(number)), "back")
    assert trends.transponder("999") is not None
    assert trends.transponder("1000") is None
    (loop,) = trends.device(BOX).loops
    assert loop.reads == 5_000


def test_noise_supply_and_battery() -> None:
    trends = Trends()
    for noise in (20, 22, 90, 21, 20):
        trends.take_status(DeviceStatus(device=BOX, received_us=1, noise=noise, supply_mv=11_800))
    assert trends.device(BOX) == DeviceTrends(0, 21, 11_800)
    for _ in range(12):
        trends.take_status(DeviceStatus(device=BOX, received_us=1, noise=55, supply_mv=9_870))
    noise, supply = trends.device(BOX).warnings
    assert "noise 55, normal is below 40" in noise
    assert "supply 9.8 V is low" in supply
    trends.take_passing(passing(battery=3), "back")
    found = trends.transponder("1")
    assert found is not None
    assert found.battery == 3


def test_bytes_without_any_record_are_seen(office: Any) -> None:
    office.put(Delivery(device=BOX, received_us=office.at(20), raw=b"\x00", records=()))
    assert office.state.trends.device(BOX).last_byte_us == office.at(20)


def test_they_are_published_and_replayed(office: Any) -> None:
    office.start("final-a")
    for number in range(30):
        office.read("13", "back", 20 + number * 5)
    body = next(one for one in device_bodies(office.state) if one.topic == f"devices/{BOX}")
    trends = body.fields["trends"]
    assert isinstance(trends, DeviceTrends)
    assert trends.loops[0].reads == 30
    # The office's boxes read their clock 200 µs of 400 behind ours and stand on UTC.
    assert abs(int(str(body.fields["clock_offset_us"]))) <= 400
    published = health_body(office.state).fields["transponders"]
    assert isinstance(published, tuple)
    assert [(one.transponder, one.reads) for one in published] == [("5000013", 30)]
    assert state_json(office.replayed()) == office.json()


def test_the_terminal_has_a_short_sign_for_a_box_that_reads_weakly(office: Any) -> None:
    def shown() -> str:
        console = Console(width=160, record=True, file=io.StringIO())
        console.print(live_view(office.state, None, 0))
        return console.export_text()

    assert "▼ weak" not in shown()
    for _ in range(12):
        office.put(
            Delivery(
                device=BOX,
                received_us=office.at(30),
                raw=b"",
                records=(DeviceStatus(device=BOX, received_us=office.at(30), noise=70),),
            )
        )
    (line,) = (one for one in shown().splitlines() if BOX in one)
    assert line.count("▼ weak") == 1
