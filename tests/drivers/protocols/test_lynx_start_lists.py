"""Start lists for FinishLynx: the three files byte by byte, what cannot be written, and whose files are left alone."""

import csv
import io
from pathlib import Path

import msgspec
import pytest

from config.loader import load_setup
from config.lynx_keys import LynxKey, heat_of_key, lynx_keys
from config.models import Heat, Rider, Setup, StartPosition
from drivers.protocols.lif import encode_lif, parse_lif
from drivers.protocols.lynx_start_lists import (
    StartListError,
    encode_evt,
    encode_ppl,
    encode_sch,
    write_start_lists,
)
from drivers.records import PhotoFinish, PhotoFinishLine

RIDERS = (
    Rider(bib="11", name="Example Alex", surname="Example", given="Alex", nation="AUS", transponders=("1",)),
    Rider(bib="12", name="Muster, Jr. Jörn", surname="Muster, Jr.", given="Jörn", transponders=("2",)),
    Rider(bib="13", name='Sam "Rocket" Sample', transponders=("3",)),
)


def heat(heat_id: str, round_: str, number: int, category: str = "men", name: str = "") -> Heat:
    return Heat(
        id=heat_id,
        event="keirin",
        category=category,
        round=round_,
        heat=number,
        name=name,
        pacer="moped",
        paced_laps=3,
        sprint_laps=3,
        start_list=(StartPosition(bib="12", draw=2), StartPosition(bib="11", draw=1)),
    )


HEATS = (
    heat("m-r1-1", "first round", 1, name="Keirin, men: first round"),
    heat("m-r1-2", "first round", 2),
    heat("w-r1-1", "first round", 1, category="women"),
    heat("m-final", "final", 1),
)


@pytest.fixture
def setup() -> Setup:
    base = load_setup("club-night")
    meet = msgspec.structs.replace(base.meet, riders=RIDERS, heats=HEATS)
    venue = msgspec.structs.replace(base.venue, track_length_m=250.0)
    return msgspec.structs.replace(base, meet=meet, venue=venue)


def rows(content: bytes) -> list[list[str]]:
    text = content.decode("cp1252")
    lines = [line for line in text.splitlines() if not line.startswith(";")]
    return list(csv.reader(io.StringIO("\n".join(lines))))


def with_rider(setup: Setup, **fields: str) -> Setup:
    rider = msgspec.structs.replace(RIDERS[0], **fields)
    meet = msgspec.structs.replace(setup.meet, riders=(rider, *RIDERS[1:]))
    return msgspec.structs.replace(setup, meet=meet)


def test_the_people_byte_by_byte(setup: Setup) -> None:
    head, rest = encode_ppl(setup).split(b"\r\n", 1)
    assert head.startswith(b"; written by velodrome from the meet club-night")
    assert rest == (b'11,Example,Alex,AUS,\r\n12,"Muster, Jr.",J\xf6rn,,\r\n13,"Sam ""Rocket"" Sample",,,\r\n')


def test_the_events_byte_by_byte(setup: Setup) -> None:
    lines = encode_evt(setup).split(b"\r\n")
    assert lines[1:4] == [
        b'1,1,1,"Keirin, men: first round",,,,,,1500',
        b",11,1,Example,Alex,AUS",
        b',12,2,"Muster, Jr.",J\xf6rn,',
    ]
    assert lines[4] == b'1,1,2,"men keirin, first round, heat 2",,,,,,1500'
    assert lines[7].startswith(b"2,1,1,")
    assert lines[10].startswith(b"1,2,1,")
    assert lines[-1] == b""


def test_the_schedule_is_in_the_order_of_the_meet(setup: Setup) -> None:
    assert rows(encode_sch(setup)) == [["1", "1", "1"], ["1", "1", "2"], ["2", "1", "1"], ["1", "2", "1"]]


def test_every_shipped_meet_has_start_lists_and_unambiguous_keys() -> None:
    for name in ("club-night", "tokyo2020-men-keirin"):
        shipped = load_setup(name)
        keys = lynx_keys(shipped.meet)
        assert len(set(keys.values())) == len(shipped.meet.heats)
        events = [row for row in rows(encode_evt(shipped)) if row[0]]
        assert [tuple(map(int, row[:3])) for row in events] == [keys[heat.id] for heat in shipped.meet.heats]
        assert len(rows(encode_ppl(shipped))) == len(shipped.meet.riders)


def test_the_key_comes_back_with_the_result(setup: Setup) -> None:
    keys = lynx_keys(setup.meet)
    assert keys["m-final"] == LynxKey(event=1, round=2, heat=1)
    sheet = PhotoFinish(
        device="camera", received_us=9, event="1", round="2", heat="1", lines=(PhotoFinishLine(place=1, bib="11"),)
    )
    (result,) = parse_lif(encode_lif(sheet), "camera", 9)
    assert isinstance(result, PhotoFinish)
    assert heat_of_key(keys, result.event, result.round, result.heat) == "m-final"
    assert heat_of_key(keys, "01", "02", "01") == "m-final", "leading zeros are the same number"


@pytest.mark.parametrize(
    "key", [("9", "9", "9"), (None, "1", "1"), ("1", "Heat", "1"), ("", "1", "1"), ("²", "1", "1")]
)
def test_a_key_of_another_meet_is_no_heat(setup: Setup, key: tuple[str | None, str | None, str | None]) -> None:
    assert heat_of_key(lynx_keys(setup.meet), *key) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"surname": "Канарёв"}, "'Канарёв' (К is not in CP1252)"),
        ({"given": "三郎"}, "'三郎' (三 is not in CP1252)"),
        ({"given": "A\nB"}, "control character"),
        ({"bib": ";1"}, "';1' (begins like a comment)"),
    ],
)
def test_what_finishlynx_cannot_read_is_named_with_advice(setup: Setup, fields: dict[str, str], reason: str) -> None:
    with pytest.raises(StartListError) as caught:
        encode_ppl(with_rider(setup, **fields))
    assert reason in caught.value.reason
    assert caught.value.where == "lynx.ppl of meet club-night"
    assert "Western European letters" in caught.value.advice


@pytest.mark.parametrize(
    ("name", "written"),
    [("Bötticher", "Bötticher"), ("Büchli", "Büchli"), ("Šišković", "Šiškovic"), ("Wróbel-Łoś", "Wróbel-Los")],
)
def test_a_letter_that_cp1252_lacks_is_written_as_its_plain_letter(setup: Setup, name: str, written: str) -> None:
    assert written.encode("cp1252") in encode_ppl(with_rider(setup, surname=name))


def test_all_names_that_cannot_be_written_are_told_at_once(setup: Setup) -> None:
    with pytest.raises(StartListError) as caught:
        encode_ppl(with_rider(setup, surname="Канарёв", given="三郎"))
    assert "Канарёв" in caught.value.reason
    assert "三郎" in caught.value.reason


# -- files -----------------------------------------------------------------------------------------------------


def test_the_files_are_written_and_only_written_again_when_they_change(setup: Setup, tmp_path: Path) -> None:
    written = write_start_lists(setup, tmp_path)
    assert [path.name for path in written] == ["lynx.ppl", "lynx.evt", "lynx.sch"]
    assert (tmp_path / "lynx.evt").read_bytes() == encode_evt(setup)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lynx.evt", "lynx.ppl", "lynx.sch"]
    assert write_start_lists(setup, tmp_path) == ()
    changed = write_start_lists(with_rider(setup, given="Alexis"), tmp_path)
    assert [path.name for path in changed] == ["lynx.ppl", "lynx.evt"]
    assert b"Alexis" in (tmp_path / "lynx.ppl").read_bytes()


def test_a_file_of_another_program_is_left_alone_and_nothing_is_written(setup: Setup, tmp_path: Path) -> None:
    (tmp_path / "lynx.sch").write_bytes(b"; another program\r\n1,1,1\r\n")
    with pytest.raises(StartListError, match=r"lynx\.sch: it was not written by velodrome.*move it away"):
        write_start_lists(setup, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lynx.sch"]
    assert (tmp_path / "lynx.sch").read_bytes() == b"; another program\r\n1,1,1\r\n"


def test_a_text_that_cannot_be_written_leaves_the_files_as_they_were(setup: Setup, tmp_path: Path) -> None:
    write_start_lists(setup, tmp_path)
    with pytest.raises(StartListError, match="CP1252"):
        write_start_lists(with_rider(setup, surname="三郎"), tmp_path)
    assert (tmp_path / "lynx.ppl").read_bytes() == encode_ppl(setup)


def test_a_missing_folder_and_a_file_that_cannot_be_replaced_are_named(setup: Setup, tmp_path: Path) -> None:
    with pytest.raises(StartListError, match="there is no such folder"):
        write_start_lists(setup, tmp_path / "gone")
    (tmp_path / "lynx.evt").mkdir()
    with pytest.raises(StartListError, match=r"lynx\.evt: it cannot be read"):
        write_start_lists(setup, tmp_path)
    assert not (tmp_path / "lynx.ppl").exists()
