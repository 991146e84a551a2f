"""Protocols by their contract name (the `protocol` of a device in a meet file, the argument of `decode`).

A protocol of your own: export a `ProtocolEntry` from an installed package and name it in its metadata,

    [project.entry-points."velodrome.protocols"]
    mybox = "my_package.mybox:PROTOCOL"

A built-in name cannot be taken over.
"""

import importlib
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from drivers.errors import ProtocolUnusable, UnknownProtocol
from drivers.protocols.base import ProtocolEntry

ENTRY_POINT_GROUP = "velodrome.protocols"

BUILT_IN: Mapping[str, str] = {
    "p3": "drivers.protocols.p3",
    "lynx": "drivers.protocols.lynx",
    "lif": "drivers.protocols.lif",
    "json": "drivers.protocols.json_mqtt",
    "timy": "drivers.protocols.timy",
    "cp520": "drivers.protocols.cp520",
    "thcom08": "drivers.protocols.thcom08",
    "rei2": "drivers.protocols.rei2",
    "raceresult": "drivers.protocols.raceresult",
    "raceresult-usb": "drivers.protocols.raceresult_usb",
    "osv": "drivers.protocols.osv",
    "thbc": "drivers.protocols.thbc",
    "p98": "drivers.protocols.p98",
    "velotrain": "drivers.protocols.velotrain",
    "jchip": "drivers.protocols.jchip",
}
"""Name to the module that exports `PROTOCOL`; imported only when asked for."""


def protocol_names() -> tuple[str, ...]:
    """All names that `protocol` knows, sorted."""
    return tuple(sorted({*BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))}))


def protocol(name: str) -> ProtocolEntry:
    """The protocol of this name. Raises `UnknownProtocol` (listing the names) or `ProtocolUnusable`."""
    if name in BUILT_IN:
        return _checked(name, importlib.import_module(BUILT_IN[name]).PROTOCOL)
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        return _checked(name, _load(point))
    known = ", ".join(protocol_names())
    raise UnknownProtocol(repr(name), "there is no protocol of this name", f"known protocols: {known}")


def _load(point: EntryPoint) -> object:
    try:
        loaded: object = point.load()
    except (ImportError, AttributeError) as error:
        advice = "repair or remove the package that brings it"
        reason = f"its entry point {point.value} cannot be loaded ({error})"
        raise ProtocolUnusable(f"protocol {point.name!r}", reason, advice) from error
    return loaded


def _checked(name: str, entry: object) -> ProtocolEntry:
    if not isinstance(entry, ProtocolEntry):
        reason = f"its entry point gives a {type(entry).__name__}"
        raise ProtocolUnusable(f"protocol {name!r}", reason, "let it name a drivers.protocols.base.ProtocolEntry")
    return entry
