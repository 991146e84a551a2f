"""The HIL bench: `velodrome rig MEET SCRIPT --check REPORT.xml` against a running race control, over real lines."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from config.errors import ConfigError
from config.models import Broker, Setup
from drivers.rig.expect import Expect
from drivers.rig.rig import Rig
from drivers.rig.script import load_script
from tests.end_to_end.conftest import Venue
from tests.end_to_end.mosquitto import Mosquitto
from timing.commands.bench_rig import BenchError, Check, Seen, check_heat, check_script, write_junit

SHIPPED = Path(__file__).parents[2] / "drivers" / "rig" / "scripts" / "bench-final-a.toml"
SCRIPT = """
name = "bench"
extends = "tokyo2020-men-keirin"
[expect]
state = "provisional"
no_notices = ["double shot"]
[heats.final-a.expect]
order = ["4", "13", "23", "30", "21", "2"]
gaps_ms = { "13" = 763, "23" = 773 }
pull_off = "on_time"
devices = { p3-finish = "live" }
passings = { p3-finish = 37 }
[faults]
seed = 4
[faults.devices.p3-finish]
split = 0.3
[[faults.disconnects]]
device = "p3-finish"
at_ms = 30_000
for_ms = 20_000
"""


def only_final_a(text: str, path: Path, setup: Setup) -> Path:
    """A script of one heat: those of the base are kept out by replacing its name."""
    base = (Path(__file__).parents[2] / "drivers/rig/scripts/tokyo2020-men-keirin.toml").read_text("utf-8")
    heat = base[base.index("[heats.final-a]") :].split("\n[heats.", 1)[0]
    path.write_text(
        text.replace('extends = "tokyo2020-men-keirin"\n', "").replace("[expect]", heat + "\n[expect]", 1), "utf-8"
    )
    assert list(load_script(path, setup).heats) == ["final-a"]
    return path


async def bench(venue: Venue, script_path: Path, report: Path) -> list[Check]:
    script = load_script(script_path, venue.setup)
    rig = Rig(venue.setup, script, venue.clock)
    return await check_script(venue.setup, script, rig, venue.clock, report, 0)


async def test_a_heat_with_an_outage_is_ridden_and_checked_and_what_is_wrong_is_in_the_report(
    mosquitto: Mosquitto, make_venue: Callable[..., Venue], tmp_path: Path
) -> None:
    venue = make_venue(mosquitto.broker)
    wrong = SCRIPT.replace('"13" = 763', '"13" = 764').replace("p3-finish = 37", "p3-finish = 38")
    path = only_final_a(wrong, tmp_path / "bench.toml", venue.setup)
    report = tmp_path / "report.xml"
    async with venue.service() as service, asyncio.timeout(60):
        checks = await bench(venue, path, report)
        official = service.state.picture("final-a").state
    failed = {check.name: check.problem for check in checks if check.problem}
    assert failed == {
        "gap of 13 in ms": "expected 764, got 763",
        "passings of p3-finish": failed.get("passings of p3-finish", ""),
    }
    assert failed["passings of p3-finish"].startswith("expected 38, got ")
    assert official == "official"
    suite = ElementTree.parse(report).getroot()
    assert (suite.get("failures"), suite.get("tests")) == ("2", str(len(checks)))
    assert {one.get("name"): one.get("value") for one in suite.iter("property")}["fault disconnect"] == "1"


async def test_the_shipped_bench_holds(mosquitto: Mosquitto, make_venue: Callable[..., Venue], tmp_path: Path) -> None:
    venue = make_venue(mosquitto.broker)
    async with venue.service(), asyncio.timeout(60):
        checks = await bench(venue, SHIPPED, tmp_path / "r.xml")
    assert [check for check in checks if check.problem] == []
    assert {check.name for check in checks if check.heat == "final-a"} > {"order", "gap of 2 in ms", "confirmed"}


async def test_a_bench_without_race_control_says_what_to_start(
    mosquitto: Mosquitto, make_venue: Callable[..., Venue], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timing.commands.bench_rig.BOXES_TIMEOUT_S", 0.3)
    venue = make_venue(mosquitto.broker)
    checks = await bench(venue, only_final_a(SCRIPT, tmp_path / "b.toml", venue.setup), tmp_path / "r.xml")
    assert {check.problem for check in checks} == {
        "is unknown to race control: is `velodrome run` running for this meet?"
    }


async def test_a_script_that_expects_nothing_is_refused(
    mosquitto: Mosquitto, make_venue: Callable[..., Venue], tmp_path: Path
) -> None:
    venue = make_venue(mosquitto.broker)
    script = load_script("tokyo2020-men-keirin", venue.setup)
    rig = Rig(venue.setup, script, venue.clock)
    with pytest.raises(BenchError, match=r"it expects nothing.*write \[expect\]"):
        await check_script(venue.setup, script, rig, venue.clock, tmp_path / "r.xml", 0)


def seen() -> Seen:
    """What race control published of a heat, in short."""
    found = Seen()
    found.take("current", {"notices": ["no bell was logged"]})
    lines = [{"bib": "1", "gap_ms": 0, "status": None}, {"bib": "2", "gap_ms": 40, "status": "REL"}]
    found.take("heats/h/result", {"state": "provisional", "results": lines})
    found.take("heats/h/pace", {"pace": {"pull_off": "early", "compliant": False}})
    found.take("heats/h/splits", {"splits": [{"crossings": [{"source": "read"}, {"source": "interpolated"}]}]})
    found.take("devices/d", {"device": {"state": "live"}})
    for _ in range(2):
        found.take("passing", {"passings": [{"read": "1:0", "heat": "h", "device": "d"}]})
    return found


@pytest.mark.parametrize(
    ("expect", "problems"),
    [
        (Expect(state="provisional", order=("1", "2"), gaps_ms={"2": 41}, gap_tolerance_ms=1), []),
        (Expect(statuses={"2": "REL"}, pull_off="early", pace_compliant=False, passings={"d": 1}), []),
        (Expect(notices=("no bell",), no_notices=("double shot",), most_inferred=1, devices={"d": "live"}), []),
        (Expect(state="official"), ["expected official, got provisional"]),
        (Expect(order=("2", "1")), ["expected ['2', '1'], got ['1', '2']"]),
        (Expect(gaps_ms={"2": 42}), ["expected 42, got 40"]),
        (Expect(passings={"d": 2}), ["expected 2, got 1"]),
        (Expect(pull_off="on_time", pace_compliant=True), ["expected on_time, got early", "expected True, got False"]),
        (Expect(notices=("too close",)), ["not among: no bell was logged"]),
        (Expect(no_notices=("bell",)), ["it is shown: no bell was logged"]),
        (Expect(most_inferred=0), ["1 are, at most 0 may be"]),
        (Expect(devices={"d": "lost"}), ["expected lost, got live"]),
    ],
)
def test_each_expectation_is_compared_with_what_was_published(expect: Expect, problems: list[str]) -> None:
    assert [check.problem for check in check_heat("h", expect, seen()) if check.problem] == problems


def test_a_heat_says_more_than_the_script_in_general(tmp_path: Path) -> None:
    general = Expect(state="provisional", most_inferred=0)
    assert Expect(most_inferred=2).over(general) == Expect(state="provisional", most_inferred=2)


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot be written"):
        write_junit(tmp_path / "no" / "r.xml", "x", [], {})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"4", "13"', '"99", "13"', "must be on the start list"),
        ("p3-finish = 37", "p3-finnish = 37", "must be a device of the meet"),
        ('state = "provisional"', 'state = "done"', "must be one of finished"),
        ('no_notices = ["double shot"]', 'order = ["4"]', "write them in [heats.<id>.expect]"),
        ('pull_off = "on_time"', 'pull_off = "soon"', "pull_off"),
    ],
)
def test_an_expectation_that_cannot_be_is_refused(
    make_setup: Callable[..., Setup], tmp_path: Path, old: str, new: str, said: str
) -> None:
    (tmp_path / "x.toml").write_text(SCRIPT.replace(old, new), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_script(tmp_path / "x.toml", make_setup(Broker()))
    assert said in str(caught.value)
