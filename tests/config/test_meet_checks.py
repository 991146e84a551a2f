"""A meet with a mistake gives one line: file, key, value, what is allowed."""

from collections.abc import Callable

import pytest

from config.loader import ConfigError, heat_distance, load_meet, load_setup
from config.meet_checks import PROTOCOLS

Edit = Callable[..., str]

IDENTIFIER = "must be letters A-Z a-z, digits, - and _ only, beginning with a letter or digit"
WORD = "must be text without spaces, not empty"
LAP_STEPS = "must be a number of laps above 0 in steps of 0.5"
HEAT_DRAW = "must be a number from 1 to 4, one for each rider of the heat"
FIRST_HEAT = 'category = "open"'
GUN = '{ channel = "gun", role = "gun" }'
WIRED = 'must say what it is wired to: a loop, or the role "gun" or "bell" (a photocell needs its loop)'

MEET_MISTAKES = {
    "a meet id that cannot be part of a topic": (
        '"club-night"',
        '"club/night"',
        f'id = "club/night": {IDENTIFIER}',
    ),
    "a date that is not one": (
        '"2025-06-03"',
        '"2025-06-31"',
        'date = "2025-06-31": must be a day like "2021-08-07"',
    ),
    "a broker port out of range": (
        "embedded = true",
        "port = 70000",
        "broker.port = 70000: must lie between 1 and 65535 (a TCP port)",
    ),
    "a broker without host": ("embedded = true", 'host = ""', 'broker.host = "": must not be empty'),
    "a transponder half a bicycle too far back": (
        'date = "2025-06-03"',
        "transponder_to_front_m = 2.6",
        "transponder_to_front_m = 2.6: must lie between 0 and 2.5 m",
    ),
}

DEVICE_MISTAKES = {
    "two devices of one id": (
        'id = "decoder-back"',
        'id = "decoder-finish"',
        'devices[2].id = "decoder-finish": is used twice; devices[0].id has it already',
    ),
    "a mistyped protocol": (
        'protocol = "json"',
        'protocol = "jsn"',
        'devices[3].protocol = "jsn": is no known protocol; did you mean "json"? Known: ' + ", ".join(PROTOCOLS),
    ),
    "a loop beside channels": (
        "silent_after_s = 0.0\nchannels = [",
        'loop = "finish"\nchannels = [\n    { channel = "1", loop = "home" },',
        'devices[3].loop = "finish": cannot stand beside channels without a role: give loop for a box with one '
        "loop, channels "
        "for one with several",
    ),
    "a rider with the number of the gate": (
        'loop = "finish"\n',
        'loop = "finish"\nchannels = [{ channel = "2100012", role = "gun" }]\n',
        'riders[1].transponders[0] = "2100012": is the beacon of devices[0].channels[0]: '
        "a transponder of this number is an impulse there",
    ),
    "a channel used twice": (
        'channel = "bell"',
        'channel = "gun"',
        'devices[3].channels[1].channel = "gun": is used twice; devices[3].channels[0].channel has it already',
    ),
    "a channel wired to nothing": (
        GUN,
        '{ channel = "gun" }',
        f'devices[3].channels[0] = {{ channel = "gun" }}: {WIRED}',
    ),
    "a photocell without its loop": (
        GUN,
        '{ channel = "gun", role = "photocell" }',
        f'devices[3].channels[0] = {{ channel = "gun", role = "photocell" }}: {WIRED}',
    ),
    "a channel without a name": (
        'channel = "bell"',
        'channel = ""',
        f'devices[3].channels[1].channel = "": {WORD}',
    ),
    "an option that the protocol does not have": (
        'loop = "back"',
        'loop = "back"\noptions = { bib_width = "6" }',
        'devices[2].options.bib_width = "6": is no option of p3; it has none',
    ),
    "a dead time in seconds": (
        'protocol = "p3"',
        'protocol = "timy"\noptions = { finish_dead_hundredths = "0.10" }',
        'devices[0].options.finish_dead_hundredths = "0.10": must be a dead time from 0 to 9999 hundredths of a second',
    ),
    "a column that Omega does not have": (
        'protocol = "p3"',
        'protocol = "osv"\noptions = { rcs = "lane,number" }',
        'devices[0].options.rcs = "lane,number": must be columns in their order joined with commas: '
        "lap, rank, bib, lane, time, wind, unit, and rest at the end",
    ),
    "an option that is a number": (
        'protocol = "p3"',
        'protocol = "osv"\noptions = { bib_width = 6 }',
        "devices[0].options.bib_width = 6: must be text in double quotes",
    ),
    "a silence before now": (
        "silent_after_s = 0.0",
        "silent_after_s = -1",
        "devices[3].silent_after_s = -1.0: must be 0 or more seconds (0 for never)",
    ),
    "a box without resolution": (
        "silent_after_s = 0.0",
        "resolution_us = 0",
        "devices[3].resolution_us = 0: must be 1 or more microseconds",
    ),
    "a delay before the passing": (
        "silent_after_s = 0.0",
        "transport_delay_us = -300",
        "devices[3].transport_delay_us = -300: must be 0 or more microseconds",
    ),
    "a serial port used twice": (
        '"tcp:192.168.1.50:5403"',
        '"serial:/dev/ttyUSB0"',
        'devices[2].address = "serial:/dev/ttyUSB0": is used twice; devices[0].address has it already',
    ),
    "a loop that the venue does not have": (
        'loop = "back"',
        'loop = "bend"',
        'devices[2].loop = "bend": must be a loop of venue example-333: finish, l200, back, l100, home',
    ),
    "a photocell at a loop that the venue does not have": (
        'role = "photocell", loop = "finish"',
        'role = "photocell", loop = "C1"',
        'devices[3].channels[2].loop = "C1": must be a loop of venue example-333: finish, l200, back, l100, home',
    ),
}

PEOPLE_MISTAKES = {
    "two riders of one bib": (
        'bib = "12"',
        'bib = "11"',
        'riders[1].bib = "11": is used twice; riders[0].bib has it already',
    ),
    "a bib with a space": ('bib = "12"', 'bib = "1 2"', f'riders[1].bib = "1 2": {WORD}'),
    "a rider without a name": (
        'name = "Kim Specimen"',
        'name = ""',
        'riders[2].name = "": must not be empty',
    ),
    "a transponder on two riders": (
        '"2100012"',
        '"2100011"',
        'riders[1].transponders[0] = "2100011": is used twice; riders[0].transponders[0] has it already',
    ),
    "a rider with the pacer's transponder": (
        '"2100113"',
        '"2900001"',
        'pacers[0].transponders[0] = "2900001": is used twice; riders[2].transponders[1] has it already',
    ),
    "an empty transponder": ('"2100113"', '""', f'riders[2].transponders[1] = "": {WORD}'),
    "a nation in small letters": (
        'bib = "12"',
        'nation = "ned"\nbib = "12"',
        'riders[1].nation = "ned": must be three capital letters (IOC code, like NED); leave the key out when unknown',
    ),
    "a transponder on the next bicycle": (
        "transponder_to_front_m = 1.15",
        "transponder_to_front_m = 3.0",
        "riders[3].transponder_to_front_m = 3.0: must lie between 0 and 2.5 m",
    ),
    "a pacer with its wheels exchanged": (
        'vehicle = "electric moped"',
        "front_wheel_front_m = -1.6\nrear_wheel_rear_m = 0.33",
        "pacers[0].rear_wheel_rear_m = 0.33: must be below front_wheel_front_m = -1.6: the rear is behind the front",
    ),
}

HEAT_MISTAKES = {
    "a heat id that cannot be part of an address": (
        'id = "keirin-final"',
        'id = "final/a"',
        f'heats[0].id = "final/a": {IDENTIFIER}',
    ),
    "a pacer who is not entered": (
        'pacer = "moped"',
        'pacer = "derny"',
        'heats[0].pacer = "derny": must be the id of a pacer of this meet: moped',
    ),
    "an event that we do not know": (
        'event = "keirin"',
        'event = "sprint"',
        'heats[0].event = "sprint": must be one of "keirin"',
    ),
    "a rider who is not entered": (
        '{ bib = "13", draw = 1 }',
        '{ bib = "99", draw = 1 }',
        'heats[0].start_list[0].bib = "99": must be the bib of a rider of this meet',
    ),
    "a rider who starts twice": (
        '{ bib = "13", draw = 1 }',
        '{ bib = "11", draw = 1 }',
        'heats[0].start_list[1].bib = "11": is used twice; heats[0].start_list[0].bib has it already',
    ),
    "a draw used twice": (
        "draw = 2 }",
        "draw = 1 }",
        "heats[0].start_list[1].draw = 1: is used twice; heats[0].start_list[0].draw has it already",
    ),
    "a draw beyond the field": (
        "draw = 2 }",
        "draw = 5 }",
        f"heats[0].start_list[1].draw = 5: {HEAT_DRAW}",
    ),
    "a draw that begins with 0": (
        "draw = 1 }",
        "draw = 0 }",
        f"heats[0].start_list[0].draw = 0: {HEAT_DRAW}",
    ),
    "a seed below 1": (
        "draw = 1 }",
        "draw = 1, seed = 0 }",
        "heats[0].start_list[0].seed = 0: must be 1 or more",
    ),
    "a heat number below 1": ("heat = 1\n", "heat = 0\n", "heats[0].heat = 0: must be 1 or more"),
    "a first place below 1": (
        FIRST_HEAT,
        FIRST_HEAT + "\nfirst_place = 0",
        "heats[0].first_place = 0: must be 1 or more",
    ),
    "paced laps alone": (
        FIRST_HEAT,
        FIRST_HEAT + "\npaced_laps = 2.5",
        "heats[0].paced_laps = 2.5: must come with sprint_laps; leave both out to take the laps of the rule book",
    ),
    "sprint laps alone": (
        FIRST_HEAT,
        FIRST_HEAT + "\nsprint_laps = 2.5",
        "heats[0].sprint_laps = 2.5: must come with paced_laps; leave both out to take the laps of the rule book",
    ),
    "laps in thirds": (
        FIRST_HEAT,
        FIRST_HEAT + "\npaced_laps = 2.3\nsprint_laps = 2",
        f"heats[0].paced_laps = 2.3: {LAP_STEPS}",
    ),
    "paced laps that miss the exit line of the rule book": (
        FIRST_HEAT,
        FIRST_HEAT + "\npaced_laps = 2\nsprint_laps = 2",
        "heats[0].paced_laps = 2.0: must be a whole number of laps and a half: the pacer is paced from "
        "pursuit_home to pursuit_back (keirin.start_line, keirin.exit_line)",
    ),
    "a starting time with an offset": (
        '"2025-06-03T19:30"',
        '"2025-06-03T19:30+02:00"',
        'heats[0].scheduled = "2025-06-03T19:30+02:00": must be a local time without offset like "2021-08-08T11:51"',
    ),
    "a starting time without the day": (
        '"2025-06-03T19:30"',
        '"19:30"',
        'heats[0].scheduled = "19:30": must be a local time without offset like "2021-08-08T11:51"',
    ),
    "a way on without saying for whom": (
        FIRST_HEAT,
        FIRST_HEAT + '\nonward = [{ mark = "Q" }]',
        'heats[0].onward[0] = { mark = "Q" }: must say whom it means: first and last (places), or rest = true',
    ),
    "a way on without a name": (
        FIRST_HEAT,
        FIRST_HEAT + '\nonward = [{ mark = " ", rest = true }]',
        'heats[0].onward[0].mark = " ": must not be empty',
    ),
    "one place in two ways on": (
        FIRST_HEAT,
        FIRST_HEAT + '\nonward = [{ first = 1, last = 2, mark = "Q" }, { first = 2, last = 3, mark = "R" }]',
        "heats[0].onward[1].first = 2: must be above 2: places count from 1 and go to one entry",
    ),
    "places in the wrong order": (
        FIRST_HEAT,
        FIRST_HEAT + '\nonward = [{ first = 3, last = 1, mark = "Q" }]',
        "heats[0].onward[0].last = 1: must not be below first = 3",
    ),
    "a place nought": (
        FIRST_HEAT,
        FIRST_HEAT + '\nonward = [{ first = 0, last = 1, mark = "Q" }]',
        "heats[0].onward[0].first = 0: must be above 0: places count from 1 and go to one entry",
    ),
    "the rest with places": (
        FIRST_HEAT,
        FIRST_HEAT + '\nonward = [{ first = 1, mark = "Q", rest = true }]',
        "heats[0].onward[0].rest = true: cannot stand beside first and last: rest means everybody else who may go on",
    ),
    "the rest before others": (
        FIRST_HEAT,
        FIRST_HEAT + '\nonward = [{ mark = "R", rest = true }, { first = 1, last = 2, mark = "Q" }]',
        "heats[0].onward[0].rest = true: must be the last entry",
    ),
    "a rule book that does not know the track": (
        'rules = "club-half-laps"',
        'rules = "uci-2016"',
        "heats[0].paced_laps: rule book uci-2016 has no distance for a track of 333.33 m (known: 250, 400); "
        "give paced_laps and sprint_laps in the heat",
    ),
}

MISTAKES = MEET_MISTAKES | DEVICE_MISTAKES | PEOPLE_MISTAKES | HEAT_MISTAKES


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_is_refused_in_one_line(edit: Edit, old: str, new: str, message: str) -> None:
    name = edit("meets", "club-night", (old, new))
    with pytest.raises(ConfigError) as caught:
        load_setup(name)
    assert str(caught.value) == f"club-night.toml: {message}"


def test_a_decoder_has_its_loop_and_beacons_with_roles(edit: Edit) -> None:
    wired = 'loop = "home"\nchannels = [{ channel = "9992", role = "gun" }, { channel = "9995", role = "bell" }]\n'
    meet = load_setup(edit("meets", "club-night", ('loop = "home"\n', wired))).meet
    assert meet.devices[1].loop == "home"
    assert [(one.channel, one.role) for one in meet.devices[1].channels] == [("9992", "gun"), ("9995", "bell")]


def test_a_box_without_passings_may_have_a_channel_like_a_transponder(edit: Edit) -> None:
    name = edit("meets", "club-night", (GUN, '{ channel = "2100012", role = "gun" }'))
    assert load_setup(name).meet.devices[3].channels[0].channel == "2100012"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        (
            "/dev/ttyUSB0",
            "must begin with one of serial:, tcp:, tcp-listen:, udp:, mqtt:, folder:, "
            "like serial:/dev/ttyUSB0?baud=19200",
        ),
        (
            "http://box",
            "must begin with one of serial:, tcp:, tcp-listen:, udp:, mqtt:, folder:, "
            "like serial:/dev/ttyUSB0?baud=19200",
        ),
        ("serial:", "must name a path after the colon, like serial:/dev/ttyUSB0?baud=19200"),
        (
            "serial:/dev/ttyUSB0?baud=fast",
            "baud must be a whole number of bits per second, like serial:/dev/ttyUSB0?baud=19200",
        ),
        (
            "serial:/dev/ttyUSB0?baud",
            'option "baud" must be written name=value, several joined with &, like serial:/dev/ttyUSB0?baud=19200',
        ),
        ("tcp:5403", "must give a host and a port, like tcp:192.168.1.20:5403"),
        ("tcp:box", "must give a host and a port, like tcp:192.168.1.20:5403"),
        ("tcp:box:0", "port must be a whole number from 1 to 65535, like tcp:192.168.1.20:5403"),
        ("tcp:box:65536", "port must be a whole number from 1 to 65535, like tcp:192.168.1.20:5403"),
        ("tcp:box:p3", "port must be a whole number from 1 to 65535, like tcp:192.168.1.20:5403"),
        (
            "tcp-listen:0.0.0.0:53135",
            "is for boxes that connect to us (jchip); a p3 box is reached with tcp:host:port",
        ),
        ("tcp-listen:53135", "must give a host and a port, like tcp-listen:0.0.0.0:53135"),
        ("udp:box", "must give a host and a port, like udp:192.168.1.20:2008?local=2008"),
        (
            "udp:box:2008?local=any",
            "local must be a whole number from 1 to 65535, like udp:192.168.1.20:2008?local=2008",
        ),
        (
            "mqtt:velodrome/+/gun",
            "must give one topic without wildcards (+, #) or spaces, like mqtt:velodrome/my-meet/hardware/gateway",
        ),
        (
            "mqtt:",
            "must give one topic without wildcards (+, #) or spaces, like mqtt:velodrome/my-meet/hardware/gateway",
        ),
        ("folder:", "must name a path after the colon, like folder:/srv/lynx?pattern=*.lif"),
    ],
)
def test_a_badly_written_address_is_refused_with_an_example(edit: Edit, address: str, problem: str) -> None:
    name = edit("meets", "club-night", ("tcp:192.168.1.50:5403", address))
    with pytest.raises(ConfigError) as caught:
        load_meet(name)
    assert str(caught.value) == f'club-night.toml: devices[0].address = "{address}": {problem}'


@pytest.mark.parametrize(
    "address",
    [
        "serial:/dev/velodrome/p3-finish",
        "serial:/dev/ttyUSB1?baud=19200&dtr=off",
        "serial:COM3",
        "serial:usb:A50285BI?baud=19200",
        "udp:192.168.1.52:2008",
        "udp:[fe80::1]:2008?local=2009&source=port",
        "tcp:decoder.local:3601",
        "tcp:[fe80::1]:5403",
        "mqtt:timing/box",
        "folder:/srv/lynx results?pattern=*.lif",
    ],
)
def test_a_well_written_address_is_taken(edit: Edit, address: str) -> None:
    name = edit("meets", "club-night", ("tcp:192.168.1.50:5403", address))
    assert load_meet(name).devices[0].address == address


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_of_the_command_line_may_stand_in_a_meet(edit: Edit, protocol: str) -> None:
    name = edit("meets", "club-night", ('protocol = "json"', f'protocol = "{protocol}"'))
    assert load_meet(name).devices[3].protocol == protocol


def test_a_field_larger_than_the_rule_book_allows_is_refused(edit: Edit) -> None:
    rules = edit("rules", "club-half-laps", ("max_riders = 7", "max_riders = 3"))
    meet = edit("meets", "club-night", ('rules = "club-half-laps"', f'rules = "{rules}"'))
    with pytest.raises(ConfigError) as caught:
        load_setup(meet)
    assert str(caught.value) == (
        'club-night.toml: heats[0].start_list = "4 riders": must not exceed the 3 riders of rule book club-half-laps'
    )


def test_two_heats_of_one_id_or_one_number_are_refused(edit: Edit) -> None:
    twice = edit("meets", "tokyo2020-men-keirin", ('id = "r1-2"', 'id = "r1-1"'))
    with pytest.raises(ConfigError) as caught:
        load_meet(twice)
    assert str(caught.value) == (
        'tokyo2020-men-keirin.toml: heats[1].id = "r1-1": is used twice; heats[0].id has it already'
    )
    same_number = edit("meets", "tokyo2020-men-keirin", ("heat = 2", "heat = 1"))
    with pytest.raises(ConfigError) as caught:
        load_meet(same_number)
    assert str(caught.value) == (
        'tokyo2020-men-keirin.toml: heats[1] = "keirin men, First round, heat 1": is used twice; heats[0] '
        "has it already"
    )


def test_the_laps_of_a_heat_stand_over_those_of_the_rule_book(edit: Edit) -> None:
    laps = FIRST_HEAT + "\npaced_laps = 3.5\nsprint_laps = 1.5"
    setup = load_setup(edit("meets", "club-night", (FIRST_HEAT, laps)))
    distance = heat_distance(setup, setup.meet.heats[0])
    assert (distance.track_length_m, distance.paced_laps, distance.sprint_laps) == (333.33, 3.5, 1.5)


def test_a_heat_without_laps_takes_those_of_the_rule_book() -> None:
    setup = load_setup("club-night")
    distance = heat_distance(setup, setup.meet.heats[0])
    assert (distance.paced_laps, distance.sprint_laps) == (2.5, 2.5)


def test_a_heat_whose_riders_are_not_known_yet_may_be_empty(edit: Edit) -> None:
    name = edit(
        "meets",
        "club-night",
        *((f'    {{ bib = "{bib}", draw = {draw} }},\n', "") for draw, bib in enumerate((13, 11, 14, 12), 1)),
    )
    assert load_setup(name).meet.heats[0].start_list == ()
