"""The fold is a function of what was journaled: arrival order, batching and replay change nothing (DESIGN §4)."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.records import Delivery, Impulse, Passing, PhotoFinish
from timing.control.board import state_json
from timing.race.actions import Confirm, Decide, Place, Restart, Stop
from timing.race.events import Tick

TOKYO = "tokyo2020-men-keirin"
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def without_references(picture: Any) -> Any:
    """The picture with everything that a journal's row numbers are in taken out."""
    plain = msgspec.to_builtins(picture)
    plain.pop("set_aside")
    plain["finish"].pop("photo_finish_read")
    for rider in plain["splits"]:
        for crossing in rider["crossings"]:
            crossing.pop("read")
            crossing.pop("cell", None)
    for unmatched in plain.get("unmatched", ()):
        unmatched.pop("read")
    return plain


def shifted(office: Any, record: Any, late_us: int = 0) -> Any:
    changes = {"received_us": record.received_us + office.gun_us + late_us}
    if isinstance(record, Passing | Impulse):
        changes |= {"device_us": record.device_us + office.gun_us, "backlog": late_us > 0}
    return msgspec.structs.replace(record, **changes)


@pytest.fixture(scope="module")
def in_order(new_office: Any, tokyo: Any, rig: Any) -> Any:
    """The heat as it came, with time gone on to 300 s."""
    office = new_office(tokyo)
    office.open("final-a")
    office.arm()
    office.play(rig("faulty-reads", "final-a"))
    office.tick(300)
    return without_references(office.picture)


@given(data=st.data())
@FEW
def test_any_interleaving_and_any_batching_of_the_same_reads_gives_the_same_picture(
    new_office: Any, tokyo: Any, rig: Any, in_order: Any, data: Any
) -> None:
    """Each box keeps its own order or not: a backlog of everything may come in any order before the sheet."""
    office = new_office(tokyo)
    office.open("final-a")
    office.arm()
    records = [record for _, (record,) in rig("faulty-reads", "final-a")]
    sheets = [record for record in records if isinstance(record, PhotoFinish)]
    others = [record for record in records if not isinstance(record, PhotoFinish)]
    mixed = data.draw(st.permutations(others))
    while mixed:
        size = data.draw(st.integers(1, 60))
        batch = [shifted(office, record, late_us=1) for record in mixed[:size]]
        del mixed[:size]
        for device in {record.device for record in batch}:
            own = tuple(record for record in batch if record.device == device)
            office.put(Delivery(device=device, received_us=own[0].received_us, raw=b"", records=own))
    for sheet in sheets:
        late = shifted(office, sheet)
        office.put(Delivery(device=sheet.device, received_us=late.received_us, raw=b"", records=(late,)))
    office.put(Tick(at_us=office.at(300)))
    assert without_references(office.picture) == in_order


@given(lost=st.sets(st.integers(0, 290), max_size=150))
@FEW
def test_whatever_reads_are_lost_the_judged_result_stands(new_office: Any, tokyo: Any, rig: Any, lost: Any) -> None:
    office = new_office(tokyo)
    office.open("final-a")
    office.arm()
    deliveries = rig(TOKYO, "final-a")
    passings = [index for index, (_, (record,)) in enumerate(deliveries) if isinstance(record, Passing)]
    dropped = {passings[index % len(passings)] for index in lost}
    office.play([one for index, one in enumerate(deliveries) if index not in dropped])
    results = [(line.place, line.bib, line.gap_ms) for line in office.picture.results]
    assert results == [(1, "4", None), (2, "13", 763), (3, "23", 773), (4, "30", 1264), (5, "21", 1344), (6, "2", 2344)]
    assert office.picture.state == "provisional"


@given(
    ghosts=st.lists(
        st.tuples(
            st.sampled_from(["4", "13", "21", "pacer", "999"]),
            st.sampled_from(["finish", "l200", "back", "l100", "home"]),
            st.integers(-20_000, 150_000),
        ),
        max_size=30,
    )
)
@FEW
def test_whatever_ghosts_are_read_the_judged_result_stands(new_office: Any, tokyo: Any, rig: Any, ghosts: Any) -> None:
    office = new_office(tokyo)
    office.open("final-a")
    office.arm()
    for who, loop, at_ms in ghosts:
        office.read(who, loop, at_ms / 1_000, late=200)
    office.play(rig(TOKYO, "final-a"))
    assert [line.bib for line in office.picture.results] == ["4", "13", "23", "30", "21", "2"]
    assert office.picture.set_aside_count <= len(ghosts) + 60


@pytest.fixture
def eventful(finished: Any) -> Any:
    """A meet with everything in it: a confirmed final, a stopped and restarted heat, refusals, an inbox."""
    finished.do(Decide(bib="13", code="REL", reason="x", article="3.2.042"), 139)
    finished.do(Confirm(), 140)
    finished.read("13", "finish", 141)
    finished.open("final-b")
    finished.refused(Place(order=(("3",),)), -15)
    finished.arm()
    finished.gun()
    finished.read("3", "finish", 1.2)
    finished.do(Stop(reason="fall"), 20)
    finished.do(Restart(), 30)
    finished.tick(31)
    return finished


def test_the_state_replayed_from_the_journal_is_byte_identical(eventful: Any) -> None:
    assert state_json(eventful.replayed()) == eventful.json()


def test_looking_at_the_picture_after_every_event_changes_nothing(eventful: Any) -> None:
    """Live, the picture is derived at every passing; in replay only at the end."""
    looked = type(eventful.state)()
    for row, event in eventful.events:
        looked.apply(row, event)
        for name, log in looked.heats.items():
            if log.opened_us is not None:
                looked.picture(name)
    assert state_json(looked) == eventful.json()


def test_the_same_heat_derived_twice_is_the_same_json(finished: Any) -> None:
    first = msgspec.json.encode(finished.picture)
    finished.state._live_pictures.clear()
    assert msgspec.json.encode(finished.picture) == first
