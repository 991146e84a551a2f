"""What the core does for consoles: previews, orders on what was seen, the history, the sign of life, no secrets."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from config.journaled import without_secrets
from config.models import Account, Console, Setup
from drivers.hostclock import ClockAnchor
from tests.end_to_end.mosquitto import Mosquitto
from tests.end_to_end.subscriber import Subscriber
from tests.timing.control.conftest import Office
from tests.timing.control.serve_meet import MEET, bare_setup
from timing.app import Service, make_clock, picture_digest
from timing.control import board
from timing.control.messages import AliveMessage, CommandReply
from timing.control.publisher import ALIVE_EVERY_S
from timing.journal import JournalReader
from timing.race.actions import Decide, OpenHeat
from timing.replaying import check_digests

BASE = f"velodrome/{MEET}"
WAIT_S = 15.0
OPEN = {"type": "open_heat", "heat": "r1-1"}
SECRET = "$argon2id$v=19$m=65536,t=3,p=4$c2VjcmV0c2FsdA$c2VjcmV0aGFzaA"


@contextlib.asynccontextmanager
async def serving(setup: Setup, journal: Path, anchor: ClockAnchor | None = None) -> AsyncIterator[Service]:
    service = Service(setup, journal, make_clock(anchor))
    task = asyncio.create_task(service.run())
    try:
        await asyncio.wait_for(service.ready.wait(), WAIT_S)
        await asyncio.wait_for(service.connected(), WAIT_S)
        yield service
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        service.close()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "meet.journal"


@pytest.fixture
async def service(mosquitto: Mosquitto, journal: Path) -> AsyncIterator[Service]:
    async with serving(bare_setup(mosquitto.port), journal) as running:
        yield running


@pytest.fixture
async def heard(mosquitto: Mosquitto) -> AsyncIterator[Subscriber]:
    one = Subscriber(mosquitto.broker, f"{BASE}/#")
    await one.start()
    yield one
    await one.stop()


class Desk:
    """A console that orders and waits for the answer."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._replies = aiter(client.messages)
        self._number = 0

    async def order(self, role: str, action: dict[str, Any], actor: str = "Anna", **more: object) -> CommandReply:
        """Order it under a new id."""
        self._number += 1
        name = f"order-{self._number}"
        order = {"id": name, "actor": actor, "role": role, "action": action, **more}
        await self._client.publish(f"{BASE}/commands", json.dumps(order), qos=1)
        message = await asyncio.wait_for(anext(self._replies), WAIT_S)
        assert isinstance(message.payload, bytes)
        reply = msgspec.json.decode(message.payload, type=CommandReply)
        assert reply.id == name
        return reply


@pytest.fixture
async def desk(mosquitto: Mosquitto, service: Service) -> AsyncIterator[Desk]:
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
        await client.subscribe(f"{BASE}/replies/#", qos=1)
        yield Desk(client)


async def to_a_result(desk: Desk, heat: str = "r1-1") -> None:
    """A heat started by hand and placed by the judge in the drawn order 5 4 3 2 1 6 or whatever it is."""
    assert (await desk.order("operator", {"type": "open_heat", "heat": heat})).accepted
    assert (await desk.order("starter", {"type": "arm"})).accepted
    assert (await desk.order("starter", {"type": "gun"})).accepted


def rows(journal: Path) -> list[str]:
    with JournalReader(journal) as reader:
        return [row.kind for row in reader.rows()]


def newest(heard: Subscriber, topic: str) -> Any:
    found = [one.body for one in heard.heard if one.topic == f"{BASE}/{topic}"]
    return found[-1] if found else {}


async def test_a_preview_is_answered_and_nothing_of_it_is_journaled(
    desk: Desk, service: Service, journal: Path
) -> None:
    await to_a_result(desk)
    bibs = [rider.bib for rider in service.state.heats["r1-1"].riders]
    order = [[bib] for bib in bibs]
    await desk.order("judge", {"type": "place", "order": order})
    before, state = rows(journal).count("command"), board.state_json(service.state)
    ruling = {"type": "decide", "bib": bibs[0], "code": "REL", "reason": "left the line", "article": "3.2.042"}
    reply = await desk.order("commissaire", ruling, preview=True)
    assert (reply.accepted, reply.reason, reply.heat, reply.journal_id) == (True, "", "r1-1", None)
    assert reply.preview is not None
    assert [line.bib for line in reply.preview.results_after] == [*bibs[1:], bibs[0]]
    assert (reply.preview.marks_before[bibs[0]], reply.preview.marks_after[bibs[0]]) == ("Q1/4", "R")
    assert f"{bibs[0]}: Q1/4 → R" in [one.text for one in reply.preview.changes]
    assert rows(journal).count("command") == before
    done = msgspec.json.decode(board.state_json(service.state))
    asked = msgspec.json.decode(state)
    assert (done["heats"], done["outcomes"]) == (asked["heats"], asked["outcomes"])


async def test_a_preview_is_refused_with_the_sentence_of_the_order(desk: Desk) -> None:
    await desk.order("operator", OPEN)
    reply = await desk.order("operator", {"type": "confirm"}, preview=True)
    assert not reply.accepted
    assert reply.reason == "role 'operator' may not order 'confirm': it is for president"
    assert (reply.preview, reply.journal_id) == (None, None)


async def test_two_consoles_in_conflict_the_second_is_told_who_was_first(
    desk: Desk, service: Service, heard: Subscriber
) -> None:
    await to_a_result(desk)
    await heard.until(lambda: len(newest(heard, "heats/r1-1/history").get("entries", ())) == 3)
    seen = newest(heard, "heats/r1-1/history")["last_row"]
    stop = {"type": "stop", "reason": "false start"}
    first = await desk.order("starter", stop, "Anna", seen=seen)
    second = await desk.order("commissaire", stop, "Bernard", seen=seen)
    assert first.accepted
    assert not second.accepted
    assert second.reason.startswith("changed since your screen: Anna (starter) stopped the race: false start, at ")
    await heard.until(lambda: newest(heard, "heats/r1-1/history")["last_row"] == second.journal_id)
    entries = newest(heard, "heats/r1-1/history")["entries"]
    assert [(one["text"], one["actor"], one["accepted"]) for one in entries[-2:]] == [
        ("stopped the race: false start", "Anna", True),
        ("stopped the race: false start", "Bernard", False),
    ]
    assert entries[-2]["action"] == stop
    assert entries[-2]["undo_roles"] == ["commissaire", "operator", "president", "starter"]


async def test_a_ruling_on_a_heat_that_is_over_reaches_its_topics(
    desk: Desk, service: Service, heard: Subscriber
) -> None:
    await to_a_result(desk)
    bibs = [rider.bib for rider in service.state.heats["r1-1"].riders]
    await desk.order("judge", {"type": "place", "order": [[bib] for bib in bibs]})
    await desk.order("operator", {"type": "open_heat", "heat": "r1-2"})
    ruling = {"type": "decide", "bib": bibs[0], "code": "DSQ", "reason": "protest upheld", "article": "3.2.140"}
    assert (await desk.order("commissaire", ruling, heat="r1-1")).accepted
    await heard.until(lambda: bool(newest(heard, "heats/r1-1/result").get("decisions")))
    assert newest(heard, "current")["heat"] == "r1-2"
    result = newest(heard, "heats/r1-1/result")
    assert result["marks"] == {bibs[1]: "Q1/4", bibs[2]: "Q1/4"} | dict.fromkeys(bibs[3:], "R")
    await heard.until(lambda: len(newest(heard, "heats/r1-1/history").get("entries", ())) == 5)
    why = [one["text"] for one in newest(heard, "heats/r1-1/history")["why"][bibs[0]]]
    assert any("3.2.140 protest upheld" in text for text in why)


async def test_the_board_hears_of_the_heat_and_of_no_alert(desk: Desk, heard: Subscriber) -> None:
    await to_a_result(desk)
    await heard.until(lambda: newest(heard, "board").get("state") == "started")
    public = newest(heard, "board")
    assert (public["heat"], public["laps_to_go"]) == ("r1-1", 6.0)
    assert not {"notices", "alerts", "bell"} & set(public)


async def test_the_secretary_reads_and_orders_nothing(desk: Desk) -> None:
    reply = await desk.order("secretary", OPEN)
    assert reply.reason == "role 'secretary' may not order 'open_heat': it is for operator"


async def test_the_sign_of_life_comes_each_half_second_also_while_the_core_is_busy(
    mosquitto: Mosquitto, service: Service
) -> None:
    loop = asyncio.get_running_loop()
    at_s: list[float] = []
    told: list[AliveMessage] = []
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client, asyncio.timeout(WAIT_S):
        await client.subscribe(f"{BASE}/alive")
        enough = asyncio.Event()
        busy = asyncio.create_task(_keep_busy(mosquitto, enough))
        async for message in client.messages:
            assert not message.retain
            assert isinstance(message.payload, bytes)
            at_s.append(loop.time())
            told.append(msgspec.json.decode(message.payload, type=AliveMessage))
            if len(told) == 5:
                break
        # Told, not cancelled: aiomqtt may lose a cancellation that meets the confirmation of a publish.
        enough.set()
        await busy
    gaps = [later - earlier for earlier, later in itertools.pairwise(at_s)]
    assert max(gaps) < 3 * ALIVE_EVERY_S, "consoles would have taken the core for lost"
    assert told[-1].journal_id > told[0].journal_id
    assert told[-1].seq > told[0].seq
    assert told[-1].at_us > told[0].at_us
    assert told[0].speed == 1.0


async def _keep_busy(mosquitto: Mosquitto, enough: asyncio.Event) -> None:
    """Orders as fast as they go."""
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
        number = 0
        while not enough.is_set():
            number += 1
            order = {"id": f"busy-{number}", "actor": "A", "role": "operator", "action": OPEN}
            await client.publish(f"{BASE}/commands", json.dumps(order), qos=1)


async def test_the_sign_of_life_tells_a_sped_up_clock_in_real_time(mosquitto: Mosquitto, journal: Path) -> None:
    anchor = ClockAnchor(time.monotonic_ns(), 1_628_380_800_000_000, speed=20.0)
    async with (
        serving(bare_setup(mosquitto.port), journal, anchor),
        aiomqtt.Client("127.0.0.1", mosquitto.port) as client,
        asyncio.timeout(WAIT_S),
    ):
        await client.subscribe(f"{BASE}/alive")
        messages = aiter(client.messages)
        payloads = [(await anext(messages)).payload for _ in range(3)]
    told = [msgspec.json.decode(one, type=AliveMessage) for one in payloads if isinstance(one, bytes)]
    assert [one.speed for one in told] == [20.0] * 3
    passed_us = told[2].at_us - told[1].at_us
    assert 20 * 0.4e6 < passed_us < 20 * 1e6


async def test_no_password_hash_reaches_the_journal_and_a_new_password_is_no_new_setup(
    mosquitto: Mosquitto, journal: Path
) -> None:
    setup = bare_setup(mosquitto.port)
    for secret in (SECRET, SECRET.replace("c2Vj", "b3Ro")):
        accounts = (Account(name="Anna", role="president", password_hash=secret),)
        meet = msgspec.structs.replace(setup.meet, console=Console(port=9_999, accounts=accounts))
        private = msgspec.structs.replace(setup, meet=meet)
        async with serving(private, journal) as service:
            assert service.setup == private
            assert service.state.setup == without_secrets(private) == setup
    assert rows(journal).count("setup") == 1
    written = b"".join(path.read_bytes() for path in journal.parent.iterdir() if path.is_file())
    assert b"argon2" not in written


def test_histories_are_made_anew_only_for_an_order_or_another_result(office: Office) -> None:
    histories = board.Histories()
    log = office.state.heats["final-a"]
    office.to_the_gun()
    assert len(list(histories.changed(log, office.picture))) == 1
    made = 0
    states = set()
    for picture in office.ride():
        states.add(picture.state)
        made += len(list(histories.changed(log, picture)))
    assert list(histories.changed(log, office.picture)) == []
    riders, changes_of_state = 6, len(states)
    assert made <= changes_of_state + riders + 2, "a read on the track is no reason"
    office.order("commissaire", Decide(bib="23", code="REL", reason="x"))
    (body,) = histories.changed(log, office.picture)
    assert body.topic == "heats/final-a/history"


def test_alerts_follow_the_notices_word_for_word_in_the_topic(office: Office) -> None:
    office.to_the_gun()
    for picture in office.ride("derny-slow"):
        current = board.current_body(office.state, picture)
        notices = current.fields["notices"]
        alerts: Any = current.fields["alerts"]
        assert tuple(one.text for one in alerts)[: len(picture.notices)] == notices
    assert office.picture.alerts


def test_what_is_new_is_the_same_live_and_in_the_digest_of_the_journal(office: Office) -> None:
    office.order("operator", OpenHeat(heat="r1-1"))
    before = picture_digest(office.picture)
    office.order("commissaire", Decide(bib="1", code="W", reason="x"))
    assert picture_digest(office.picture) != before


async def test_orders_with_what_was_seen_verify_in_the_journal(desk: Desk, service: Service, journal: Path) -> None:
    await to_a_result(desk)
    bibs = [rider.bib for rider in service.state.heats["r1-1"].riders]
    await desk.order("judge", {"type": "place", "order": [[bib] for bib in bibs]}, seen=99)
    refused = await desk.order(
        "commissaire", {"type": "decide", "bib": bibs[0], "code": "W", "reason": "x"}, "B", seen=0
    )
    assert "changed since your screen" in refused.reason
    assert (await desk.order("president", {"type": "confirm"})).accepted
    await service.flush()
    check = check_digests(journal)
    assert (check.compared, check.faults) == (1, [])
