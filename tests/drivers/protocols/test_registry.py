"""Protocols are found by their contract names, built in or brought by another package."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from drivers.errors import ProtocolUnusable, UnknownProtocol
from drivers.protocols import registry
from drivers.protocols.base import ProtocolEntry


def entry_named(name: str) -> ProtocolEntry:
    def never(*_: object) -> None:
        raise AssertionError("not called here")

    return ProtocolEntry(name=name, summary="for tests", parser=never, session=never)  # type: ignore[arg-type]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package with one good and one bad entry point, and a stand-in for a built-in protocol."""
    module = ModuleType("velodrome_test_plugin")
    module.PROTOCOL = entry_named("mybox")  # type: ignore[attr-defined]
    module.NOT_ONE = 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    points = [
        EntryPoint("mybox", f"{module.__name__}:PROTOCOL", registry.ENTRY_POINT_GROUP),
        EntryPoint("number", f"{module.__name__}:NOT_ONE", registry.ENTRY_POINT_GROUP),
        EntryPoint("gone", "velodrome_no_such_package:PROTOCOL", registry.ENTRY_POINT_GROUP),
        EntryPoint("p3", f"{module.__name__}:NOT_ONE", registry.ENTRY_POINT_GROUP),
    ]

    def entry_points(*, group: str, name: str | None = None) -> list[EntryPoint]:
        return [point for point in points if point.group == group and name in (None, point.name)]

    monkeypatch.setattr(registry, "entry_points", entry_points)
    return module


def test_a_built_in_protocol_is_imported_from_its_module_and_cannot_be_taken_over(
    installed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", {"p3": installed.__name__})
    assert registry.protocol("p3") is installed.PROTOCOL


def test_a_protocol_of_another_package_is_found_by_its_entry_point(installed: ModuleType) -> None:
    assert registry.protocol("mybox") is installed.PROTOCOL


def test_an_unknown_name_is_answered_with_the_known_ones(installed: ModuleType) -> None:
    with pytest.raises(UnknownProtocol) as caught:
        registry.protocol("p4")
    known = ", ".join(sorted({*registry.BUILT_IN, "gone", "mybox", "number"}))
    assert str(caught.value) == f"'p4': there is no protocol of this name; known protocols: {known}"


@pytest.mark.parametrize(("name", "reason"), [("number", "gives a int"), ("gone", "cannot be loaded")])
def test_a_broken_plug_in_is_named(installed: ModuleType, name: str, reason: str) -> None:
    with pytest.raises(ProtocolUnusable) as caught:
        registry.protocol(name)
    assert repr(name) in caught.value.where
    assert reason in caught.value.reason


@pytest.mark.parametrize("name", ["p3", "lynx", "lif", "json"])
def test_the_contract_names_are_built_in(name: str) -> None:
    assert registry.protocol(name).name == name
