"""What a meet may say beyond the types of its keys: alone, and together with its venue and rule book."""

from collections.abc import Iterator
from datetime import date
from importlib.metadata import entry_points

from config.addresses import MAX_PORT, address_problem
from config.checks import Checker, check_paced_laps
from config.competition_checks import check_competitions
from config.console_checks import check_console
from config.databridge import check_databridge
from config.device_options import option_problem
from config.distances import keirin_distance
from config.errors import ConfigError
from config.local_times import is_local_time
from config.models import Device, Heat, Meet, Onward, Pacer, Rider, Setup
from config.shape import closest, join_key

PROTOCOLS = (
    "p3",
    "p98",
    "lynx",
    "lif",
    "json",
    "thbc",
    "timy",
    "raceresult",
    "raceresult-usb",
    "cp520",
    "thcom08",
    "rei2",
    "osv",
    "jchip",
    "velotrain",
)
"""The protocol names of the command line and of meet files (DESIGN §9)."""

PROTOCOL_PLUG_INS = "velodrome.protocols"
"""Entry points of installed packages that bring a protocol of their own."""

MAX_TRANSPONDER_OFFSET_M = 2.5
"""No transponder on a bicycle sits further than this from the front of its wheel (track-rules §4.3)."""


def check_meet(meet: Meet, file: str) -> None:
    """Check a meet by itself: ids, devices, people and heats."""
    check = Checker(file)
    check.identifier("id", meet.id)
    check.text("name", meet.name)
    if meet.date:
        check.require(_is_date(meet.date), "date", meet.date, 'must be a day like "2021-08-07"')
    check.between("transponder_to_front_m", meet.transponder_to_front_m, 0, MAX_TRANSPONDER_OFFSET_M, "m")
    check.text("broker.host", meet.broker.host)
    check.between("broker.port", meet.broker.port, 1, MAX_PORT, "(a TCP port)")
    check_console(meet.console, check)
    _check_devices(meet, check)
    _check_people(meet, check)
    _check_heats(meet, check)
    check_competitions(meet, check)
    check_databridge(meet, check)


def check_setup(setup: Setup, file: str) -> None:
    """Check a meet against its venue (loops) and its rule book (laps, field size); `file` is the meet's."""
    check = Checker(file)
    loops = [loop.id for loop in setup.venue.loops]
    for key, loop in _loops_of(setup.meet):
        check.require(
            loop in loops,
            key,
            loop,
            f"must be a loop of venue {setup.venue.id}: {', '.join(loops) or 'none'}",
        )
    for index, heat in enumerate(setup.meet.heats):
        key = f"heats[{index}]"
        check.require(
            len(heat.start_list) <= setup.rules.keirin.max_riders,
            f"{key}.start_list",
            f"{len(heat.start_list)} riders",
            f"must not exceed the {setup.rules.keirin.max_riders} riders of rule book {setup.rules.id}",
        )
        if heat.paced_laps is not None:
            check_paced_laps(setup.rules.keirin, heat.paced_laps, f"{key}.paced_laps", check)
            continue
        try:
            keirin_distance(setup.rules, setup.venue.track_length_m)
        except ConfigError as error:
            raise ConfigError(
                file, f"{key}.paced_laps", error.value, f"rule book {setup.rules.id} has {error.allowed}"
            ) from error


# -- devices -------------------------------------------------------------------------------------------------


def _check_devices(meet: Meet, check: Checker) -> None:
    for index, device in enumerate(meet.devices):
        _check_device(device, f"devices[{index}]", check)
    check.unique((f"devices[{index}].id", device.id) for index, device in enumerate(meet.devices))
    check.unique(
        (f"devices[{index}].address", device.address.partition("?")[0])
        for index, device in enumerate(meet.devices)
        # A serial port is opened by one process, once; the other kinds may be shared.
        if device.address.startswith("serial:")
    )


def _check_device(device: Device, key: str, check: Checker) -> None:
    check.identifier(f"{key}.id", device.id)
    if device.protocol not in PROTOCOLS:
        known = (*PROTOCOLS, *sorted({point.name for point in entry_points(group=PROTOCOL_PLUG_INS)}))
        check.require(
            device.protocol in known,
            f"{key}.protocol",
            device.protocol,
            f"is no known protocol{closest(device.protocol, known)} Known: {', '.join(known)}",
        )
    problem = address_problem(device.address)
    check.require(problem is None, f"{key}.address", device.address, problem or "")
    check.require(
        device.protocol == "jchip" or device.protocol not in PROTOCOLS or not device.address.startswith("tcp-listen:"),
        f"{key}.address",
        device.address,
        f"is for boxes that connect to us (jchip); a {device.protocol} box is reached with tcp:host:port",
    )
    check.require(
        device.loop is None or all(channel.role is not None for channel in device.channels),
        f"{key}.loop",
        device.loop,
        "cannot stand beside channels without a role: give loop for a box with one loop, channels for one with several",
    )
    check.unique((f"{key}.channels[{index}].channel", channel.channel) for index, channel in enumerate(device.channels))
    for index, channel in enumerate(device.channels):
        at = f"{key}.channels[{index}]"
        check.word(f"{at}.channel", channel.channel)
        check.require(
            channel.loop is not None or channel.role in ("gun", "bell"),
            at,
            {"channel": channel.channel, **({"role": channel.role} if channel.role else {})},
            'must say what it is wired to: a loop, or the role "gun" or "bell" (a photocell needs its loop)',
        )
    for name, value in device.options.items() if device.protocol in PROTOCOLS else ():
        wrong = option_problem(device.protocol, name, value)
        check.require(wrong is None, join_key(f"{key}.options", name), value, wrong or "")
    check.at_least(f"{key}.silent_after_s", device.silent_after_s, 0, "seconds (0 for never)")
    check.at_least(f"{key}.transport_delay_us", device.transport_delay_us, 0, "microseconds")
    check.at_least(f"{key}.resolution_us", device.resolution_us, 1, "microseconds")


def _loops_of(meet: Meet) -> Iterator[tuple[str, str]]:
    """Every mention of a loop with its key."""
    for index, device in enumerate(meet.devices):
        if device.loop is not None:
            yield f"devices[{index}].loop", device.loop
        for number, channel in enumerate(device.channels):
            if channel.loop is not None:
                yield f"devices[{index}].channels[{number}].loop", channel.loop


# -- people --------------------------------------------------------------------------------------------------


def _check_people(meet: Meet, check: Checker) -> None:
    for index, rider in enumerate(meet.riders):
        _check_rider(rider, f"riders[{index}]", check)
    for index, pacer in enumerate(meet.pacers):
        _check_pacer(pacer, f"pacers[{index}]", check)
    check.unique((f"riders[{index}].bib", rider.bib) for index, rider in enumerate(meet.riders))
    check.unique((f"pacers[{index}].id", pacer.id) for index, pacer in enumerate(meet.pacers))
    transponders = list(_transponders_of(meet))
    beacons = dict(_beacons_of(meet))
    for key, transponder in transponders:
        check.word(key, transponder)
        check.require(
            transponder not in beacons,
            key,
            transponder,
            f"is the beacon of {beacons.get(transponder, '')}: a transponder of this number is an impulse there",
        )
    check.unique(transponders)


def _check_rider(rider: Rider, key: str, check: Checker) -> None:
    check.word(f"{key}.bib", rider.bib)
    check.text(f"{key}.name", rider.name)
    check.nation(f"{key}.nation", rider.nation)
    if rider.transponder_to_front_m is not None:
        check.between(f"{key}.transponder_to_front_m", rider.transponder_to_front_m, 0, MAX_TRANSPONDER_OFFSET_M, "m")


def _check_pacer(pacer: Pacer, key: str, check: Checker) -> None:
    check.identifier(f"{key}.id", pacer.id)
    check.text(f"{key}.name", pacer.name)
    check.between(f"{key}.front_wheel_front_m", pacer.front_wheel_front_m, -5, 5, "m (ahead of the transponder is +)")
    check.between(f"{key}.rear_wheel_rear_m", pacer.rear_wheel_rear_m, -5, 5, "m (behind the transponder is -)")
    check.require(
        pacer.rear_wheel_rear_m < pacer.front_wheel_front_m,
        f"{key}.rear_wheel_rear_m",
        pacer.rear_wheel_rear_m,
        f"must be below front_wheel_front_m = {pacer.front_wheel_front_m:g}: the rear is behind the front",
    )


def _beacons_of(meet: Meet) -> Iterator[tuple[str, str]]:
    """Channels with a role at boxes that read transponders: a passing of that number is the impulse. With its key."""
    for index, device in enumerate(meet.devices):
        if device.loop is None and all(channel.role is not None for channel in device.channels):
            continue
        for number, channel in enumerate(device.channels):
            if channel.role is not None:
                yield channel.channel, f"devices[{index}].channels[{number}]"


def _transponders_of(meet: Meet) -> Iterator[tuple[str, str]]:
    """Every transponder of riders and pacers with its key: one number, one person."""
    for index, rider in enumerate(meet.riders):
        yield from ((f"riders[{index}].transponders[{n}]", text) for n, text in enumerate(rider.transponders))
    for index, pacer in enumerate(meet.pacers):
        yield from ((f"pacers[{index}].transponders[{n}]", text) for n, text in enumerate(pacer.transponders))


# -- heats ---------------------------------------------------------------------------------------------------


def _check_heats(meet: Meet, check: Checker) -> None:
    bibs = {rider.bib for rider in meet.riders}
    pacers = [pacer.id for pacer in meet.pacers]
    check.unique((f"heats[{index}].id", heat.id) for index, heat in enumerate(meet.heats))
    for index, heat in enumerate(meet.heats):
        key = f"heats[{index}]"
        _check_heat(heat, key, check)
        _check_start_list(heat, key, bibs, check)
        _check_onward(heat.onward, f"{key}.onward", check)
        check.require(
            heat.pacer in pacers,
            f"{key}.pacer",
            heat.pacer,
            f"must be the id of a pacer of this meet: {', '.join(pacers) or 'none is entered'}",
        )
    check.unique(
        (f"heats[{index}]", f"{heat.event} {heat.category}, {heat.round}, heat {heat.heat}")
        for index, heat in enumerate(meet.heats)
    )


def _check_heat(heat: Heat, key: str, check: Checker) -> None:
    check.identifier(f"{key}.id", heat.id)
    check.text(f"{key}.category", heat.category)
    check.text(f"{key}.round", heat.round)
    check.at_least(f"{key}.heat", heat.heat, 1, "")
    check.at_least(f"{key}.first_place", heat.first_place, 1, "")
    for name, laps, other in (
        ("paced_laps", heat.paced_laps, "sprint_laps"),
        ("sprint_laps", heat.sprint_laps, "paced_laps"),
    ):
        if laps is not None:
            check.laps(f"{key}.{name}", laps)
            check.require(
                getattr(heat, other) is not None,
                f"{key}.{name}",
                laps,
                f"must come with {other}; leave both out to take the laps of the rule book",
            )
    if heat.scheduled:
        check.require(
            is_local_time(heat.scheduled),
            f"{key}.scheduled",
            heat.scheduled,
            'must be a local time without offset like "2021-08-08T11:51"',
        )


def _check_start_list(heat: Heat, key: str, bibs: set[str], check: Checker) -> None:
    field_size = len(heat.start_list)
    places = [(f"{key}.start_list[{index}]", place) for index, place in enumerate(heat.start_list)]
    for at, place in places:
        check.require(place.bib in bibs, f"{at}.bib", place.bib, "must be the bib of a rider of this meet")
        check.require(
            1 <= place.draw <= field_size,
            f"{at}.draw",
            place.draw,
            f"must be a number from 1 to {field_size}, one for each rider of the heat",
        )
        if place.seed is not None:
            check.at_least(f"{at}.seed", place.seed, 1, "")
    check.unique((f"{at}.bib", place.bib) for at, place in places)
    check.unique((f"{at}.draw", place.draw) for at, place in places)


def _check_onward(onward: tuple[Onward, ...], key: str, check: Checker) -> None:
    """Each place belongs to one entry at most, and the rest comes last."""
    taken_to = 0
    for index, one in enumerate(onward):
        at = f"{key}[{index}]"
        check.text(f"{at}.mark", one.mark)
        if one.rest:
            check.require(
                one.first is None and one.last is None,
                f"{at}.rest",
                True,
                "cannot stand beside first and last: rest means everybody else who may go on",
            )
            check.require(index == len(onward) - 1, f"{at}.rest", True, "must be the last entry")
            continue
        check.require(
            one.first is not None and one.last is not None,
            at,
            {"mark": one.mark},
            "must say whom it means: first and last (places), or rest = true",
        )
        first, last = one.first or 0, one.last or 0
        check.require(
            first > taken_to, f"{at}.first", first, f"must be above {taken_to}: places count from 1 and go to one entry"
        )
        check.require(last >= first, f"{at}.last", last, f"must not be below first = {first}")
        taken_to = last


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
