"""A scripted heat as the boxes see it, above all: the published order and gaps of Tokyo 2020."""

from itertools import pairwise

import msgspec
import pytest

from config.models import Device, Heat, Setup
from drivers.rig.clockmodel import DeviceClockModel
from drivers.rig.field import Field, build_field
from drivers.rig.race import Edge, LoopRead, Sheet, Timeline, build_timeline
from drivers.rig.script import (
    DoubleRead,
    FalseTrigger,
    HeatScript,
    MissedRead,
    OvertakeScript,
    PacerScript,
    UnknownTransponder,
    load_script,
)

HEATS = sorted(load_script("tokyo2020-men-keirin").heats)
PACER_TRANSPONDER = "9900"
Published = dict[str, list[tuple[str, int | None, int | None]]]


def heat_of(setup: Setup, heat_id: str) -> Heat:
    return next(heat for heat in setup.meet.heats if heat.id == heat_id)


def script_of(heat_id: str, **changes: object) -> HeatScript:
    return msgspec.structs.replace(load_script("tokyo2020-men-keirin").heats[heat_id], **changes)


def timeline_of(setup: Setup, heat_id: str, seed: int = 7, **changes: object) -> Timeline:
    return build_timeline(setup, heat_of(setup, heat_id), script_of(heat_id, **changes), seed)


def field_of(setup: Setup, heat_id: str, **changes: object) -> Field:
    return build_field(setup, heat_of(setup, heat_id), script_of(heat_id, **changes), 7)


def sheet_of(timeline: Timeline) -> Sheet:
    (sheet,) = (event for event in timeline.events if isinstance(event, Sheet))
    return sheet


def reads_of(timeline: Timeline, transponder: str, loop: str) -> list[int]:
    return [
        event.at_us
        for event in timeline.events
        if isinstance(event, LoopRead) and (event.transponder, event.device) == (transponder, f"p3-{loop}")
    ]


@pytest.mark.parametrize("heat_id", HEATS)
@pytest.mark.parametrize("drift_ppb", [-20_000, 20_000])
def test_a_drifting_camera_still_reads_the_published_order_places_and_gaps(
    setup: Setup, published: Published, heat_id: str, drift_ppb: int
) -> None:
    camera = DeviceClockModel(zero_host_us=0, offset_us=1_234_567, drift_ppb=drift_ppb, resolution_us=100)
    gun_us = 1_628_319_000_123_456
    lines = sheet_of(timeline_of(setup, heat_id)).lines
    times = [None if line.finish_us is None else camera.elapsed_us(gun_us, gun_us + line.finish_us) for line in lines]
    winner_us = times[0]
    assert winner_us is not None
    gaps_ms = [None if index == 0 or time is None else (time - winner_us) // 1_000 for index, time in enumerate(times)]
    seen = [(line.bib, line.place, gap_ms) for line, gap_ms in zip(lines, gaps_ms, strict=True)]
    assert seen == published[heat_id]


def test_the_script_has_all_16_heats_and_all_70_published_gaps(published: Published) -> None:
    script = load_script("tokyo2020-men-keirin")
    assert {
        heat_id: [(finisher.bib, finisher.place, finisher.gap_ms) for finisher in heat.finish]
        for heat_id, heat in script.heats.items()
    } == published
    gaps = [finisher.gap_ms for heat in script.heats.values() for finisher in heat.finish]
    assert (len(script.heats), sum(gap is not None for gap in gaps)) == (16, 70)


@pytest.mark.parametrize("heat_id", HEATS)
def test_every_rider_is_read_at_rising_times_once_a_lap_on_every_loop(setup: Setup, heat_id: str) -> None:
    timeline = timeline_of(setup, heat_id)
    riders = {event.transponder for event in timeline.events if isinstance(event, LoopRead)}
    for transponder in riders:
        instants = [
            event.at_us for event in timeline.events if isinstance(event, LoopRead) and event.transponder == transponder
        ]
        assert all(later > earlier for earlier, later in pairwise(instants))
    for bib, arrives in field_of(setup, heat_id).arrives.items():
        finish_reads = reads_of(timeline, str(9000 + int(bib)), "finish")
        assert len(finish_reads) == (7 if arrives else 6)


@pytest.mark.parametrize("heat_id", HEATS)
def test_nobody_is_ahead_of_the_pacer_before_its_exit(setup: Setup, heat_id: str) -> None:
    field = field_of(setup, heat_id)
    exit_us = field.pacer.time_at(field.distances.exit_m)
    for time_us in range(0, exit_us, 250_000):
        # Behind its front wheel always (the rule since 2017), behind its rear wheel (the rule to 2016) as
        # soon as the pacer has come past the riders who wait on the line.
        edge_m = field.pacer.distance_at(time_us) + (0.33 if time_us < 500_000 else -1.6)
        assert all(rider.distance_at(time_us) < edge_m for rider in field.riders.values())


def test_riders_take_the_pacers_wheel_in_drawn_order_and_keep_it_for_the_first_lap(setup: Setup) -> None:
    field = field_of(setup, "final-a")
    draw = [p.bib for p in sorted(heat_of(setup, "final-a").start_list, key=lambda p: p.draw)]
    for distance_m in (112.5, 125.0, 250.0, 500.0):
        assert sorted(field.riders, key=lambda bib: field.riders[bib].time_at(distance_m)) == draw


def test_pacer_is_read_at_the_gun_on_the_start_line_and_last_on_its_exit_line_after_750_m(
    setup: Setup,
) -> None:
    timeline = timeline_of(setup, "final-a")
    home = reads_of(timeline, PACER_TRANSPONDER, "home")
    assert home[0] == 0
    assert home[-1] == pytest.approx(68_960_000, abs=5_000)
    assert len(home) == 4
    everywhere = [
        event.at_us
        for event in timeline.events
        if isinstance(event, LoopRead) and event.transponder == PACER_TRANSPONDER
    ]
    assert max(everywhere) == home[-1]
    assert min(everywhere) < 0, "the run-up passes a loop before the gun"


@pytest.mark.parametrize(
    ("script", "exit_kmh", "last_m"),
    [("derny-slow", 45.0, 750.0), ("derny-early", 50.0, 500.0), ("derny-late", 50.0, 875.0)],
)
def test_faulty_dernys_of_the_shipped_scripts(setup: Setup, script: str, exit_kmh: float, last_m: float) -> None:
    heat = load_script(script, setup).heats["final-a"]
    field = build_field(setup, heat_of(setup, "final-a"), heat, 7)
    assert field.pacer.speed_at(750.0) * 3.6 == pytest.approx(exit_kmh)
    assert field.pacer_on_track[-1][1] == last_m
    timeline = build_timeline(setup, heat_of(setup, "final-a"), heat, 7)
    last_read_us = max(
        event.at_us
        for event in timeline.events
        if isinstance(event, LoopRead) and event.transponder == PACER_TRANSPONDER
    )
    assert last_read_us == field.pacer.time_at(last_m)
    assert [line.bib for line in sheet_of(timeline).lines] == ["4", "13", "23", "30", "21", "2"]


def test_a_returning_derny_is_read_again_for_half_a_lap(setup: Setup) -> None:
    timeline = timeline_of(setup, "final-a", pacer=PacerScript(comes_back_m=1_000.0))
    field = field_of(setup, "final-a", pacer=PacerScript(comes_back_m=1_000.0))
    home = reads_of(timeline, PACER_TRANSPONDER, "home")
    assert home[-1] == field.pacer.time_at(1_000.0)
    assert reads_of(timeline, PACER_TRANSPONDER, "back")[-1] == field.pacer.time_at(1_125.0)


def test_a_rider_scripted_to_pass_the_pacer_is_ahead_of_its_front_wheel_by_the_margin(setup: Setup) -> None:
    overtakes = OvertakeScript(bib="13", at_m=700.0, margin_m=1.5)
    field = field_of(setup, "final-a", overtakes_pacer=overtakes)
    moment_us = field.riders["13"].time_at(700.0)
    front_m = field.pacer.distance_at(moment_us) + 0.33
    assert 700.0 - front_m == pytest.approx(1.5, abs=1e-3)
    assert moment_us < field.pacer.time_at(750.0)
    timeline = timeline_of(setup, "final-a", overtakes_pacer=overtakes)
    assert [line.bib for line in sheet_of(timeline).lines] == ["4", "13", "23", "30", "21", "2"]


def test_riders_without_a_published_gap_fall_in_the_last_lap_and_have_no_time(setup: Setup) -> None:
    field = field_of(setup, "r1-2")
    fallen = [bib for bib, arrives in field.arrives.items() if not arrives]
    assert fallen == ["9", "10", "11", "12"]
    assert all(1_262.5 < field.riders[bib].end_m < 1_512.5 for bib in fallen)
    lines = sheet_of(timeline_of(setup, "r1-2")).lines
    assert [(line.place, line.finish_us is None) for line in lines] == [
        (1, False),
        (2, False),
        (3, True),
        (None, True),
        (None, True),
        (None, True),
    ]


def test_loops_read_the_transponder_a_third_of_a_metre_after_the_front_wheel(setup: Setup) -> None:
    field = field_of(setup, "final-a")
    (*_, read_us) = reads_of(timeline_of(setup, "final-a"), "9004", "finish")
    assert read_us == field.riders["4"].time_at(1_512.5 + 0.334)
    assert read_us - field.riders["4"].time_at(1_512.5) == pytest.approx(17_500, abs=1_500)


def test_the_gateway_hears_the_gun_the_bell_and_two_wheels_of_every_finish_crossing(setup: Setup) -> None:
    timeline = timeline_of(setup, "final-a")
    edges = [event for event in timeline.events if isinstance(event, Edge)]
    assert [edge.at_us for edge in edges if edge.channel == "gun"] == [0]
    (bell,) = (edge for edge in edges if edge.channel == "bell")
    field = field_of(setup, "final-a")
    assert bell.at_us == min(rider.time_at(1_262.5) for rider in field.riders.values()) - 2_000_000
    wheels = [edge.at_us for edge in edges if edge.channel == "finish"]
    assert len(wheels) == 2 * (6 * 7 + 3)
    assert field.riders["4"].time_at(1_512.5) in wheels
    assert field.riders["4"].time_at(1_513.5) in wheels


def test_scripted_read_faults_appear_where_they_are_scripted_and_nowhere_else(setup: Setup) -> None:
    clean = timeline_of(setup, "final-a")
    faulty = timeline_of(
        setup,
        "final-a",
        missed_reads=(MissedRead(bib="4", loop="back", lap=3), MissedRead(bib="pacer", loop="home", lap=2)),
        double_reads=(DoubleRead(bib="13", loop="l200", lap=2, after_ms=150),),
        false_triggers=(FalseTrigger(channel="finish", at_ms=30_000),),
        unknown_transponders=(UnknownTransponder(transponder="777", loop="finish", at_ms=40_000),),
    )
    missing = reads_of(clean, "9004", "back")
    assert reads_of(faulty, "9004", "back") == missing[:2] + missing[3:]
    assert len(reads_of(faulty, PACER_TRANSPONDER, "home")) == 3
    twice = reads_of(faulty, "9013", "l200")
    assert twice[2] - twice[1] == 150_000
    assert reads_of(faulty, "777", "finish") == [40_000_000]
    assert any(isinstance(event, Edge) and event.at_us == 30_000_000 for event in faulty.events)
    assert len(faulty.events) == len(clean.events) - 2 + 1 + 1 + 1


def test_the_same_seed_gives_the_same_race_and_another_seed_another_one(setup: Setup) -> None:
    first = msgspec.json.encode(timeline_of(setup, "sf-1", seed=3))
    assert msgspec.json.encode(timeline_of(setup, "sf-1", seed=3)) == first
    assert msgspec.json.encode(timeline_of(setup, "sf-1", seed=4)) != first


def test_the_race_does_not_depend_on_which_boxes_the_meet_has(setup: Setup) -> None:
    two = tuple(device for device in setup.meet.devices if device.id in ("p3-finish", "camera"))
    fewer = msgspec.structs.replace(setup, meet=msgspec.structs.replace(setup.meet, devices=two))
    assert sheet_of(timeline_of(fewer, "qf-1")) == sheet_of(timeline_of(setup, "qf-1"))


def test_a_box_with_loops_on_channels_reads_each_on_its_channel(setup: Setup) -> None:
    device = msgspec.convert(
        {
            "id": "multi",
            "protocol": "json",
            "address": "mqtt:x",
            "channels": [{"channel": "1", "loop": "home"}, {"channel": "2", "loop": "back"}],
        },
        Device,
    )
    one = msgspec.structs.replace(setup, meet=msgspec.structs.replace(setup.meet, devices=(device,)))
    reads = [event for event in timeline_of(one, "qf-1").events if isinstance(event, LoopRead)]
    assert {read.channel for read in reads} == {"1", "2"}
