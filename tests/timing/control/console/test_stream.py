"""What a screen is told: a snapshot, then every change under its number, and who is there to tell it."""

import asyncio
import json
from typing import Any

import aiomqtt
import pytest

from tests.timing.control.console.hall import Hall, Stream
from timing.control.console.hub import Hub

OPEN = {"type": "open_heat", "heat": "final-a"}
ARM = {"type": "arm"}


async def say(hall: Hall, topic: str, payload: bytes, retain: bool = False) -> None:
    """Somebody publishes below the meet."""
    async with aiomqtt.Client("127.0.0.1", hall.mosquitto.port) as client:
        await client.publish(f"{hall.base}/{topic}", payload, qos=1, retain=retain)


async def test_a_stream_begins_with_everything_that_is_known_and_then_beats(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["cache-control"] == "no-store"
        kind, first = await stream.next()
        assert kind == "snapshot"
        assert {"n", "topics", "links", "host_us", "core"} <= first.keys()
        await stream.topic("meet")
        await stream.topic("current", lambda current: current["state"] == "none")
        await stream.linked(mqtt="up", core="up")
        began_s = asyncio.get_running_loop().time()
        for _ in range(3):
            beat = await stream.first("beat")
        assert asyncio.get_running_loop().time() - began_s < 1.8, "three beats in a second and a half"
        assert beat["core"]["speed"] == 1.0
        assert abs(beat["core"]["at_us"] - beat["host_us"]) < 500_000


async def test_every_change_comes_under_the_next_number(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        await stream.topic("current")
        before = stream.number
        assert (await browser.order(OPEN)).status_code == 200
        await stream.topic("current", lambda current: current["heat"] == "final-a")
        await stream.topic("heats/final-a/start", lambda start: len(start["starters"]) == 6)
        await browser.order(ARM)
        await stream.topic("current", lambda current: current["state"] == "pacer_run")
        # Each number was checked against the one before it by the stream itself.
        assert stream.number >= before + 4


async def test_a_browser_that_was_cut_off_goes_on_where_it_was(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser:
        async with browser.events() as stream:
            await stream.topic("current")
        left = stream
        await browser.order(OPEN)
        async with browser.events() as other:
            await other.topic("heats/final-a/result")
        async with browser.events(left.last_id) as resumed:
            resumed.number, resumed.topics = left.number, left.topics
            kind, _ = await resumed.next()
            assert kind == "delta", "no new snapshot"
            await resumed.topic("heats/final-a/result")
            assert resumed.topics["current"]["heat"] == "final-a"


@pytest.mark.parametrize(
    "last", ["", "other-run.officials.3", "nonsense", "{run}.public.0", "{run}.officials.99999999"]
)
async def test_a_browser_that_cannot_go_on_gets_a_snapshot(hall: Hall, last: str) -> None:
    async with hall.signed_in("operator") as browser:
        async with browser.events() as stream:
            await stream.topic("current")
        run = stream.last_id.partition(".")[0]
        async with browser.events(last.format(run=run)) as again:
            assert (await again.next())[0] == "snapshot"


async def test_who_comes_later_sees_what_the_others_see(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        await browser.order(OPEN)
        await stream.topic("heats/final-a/history", lambda history: history["last_row"] > 0)
        async with hall.signed_in("president") as later, later.events() as second:
            await second.first("snapshot")
            while second.number < stream.number:
                await second.next()
            while stream.number < second.number:
                await stream.next()
            assert second.topics == stream.topics


async def test_the_end_of_the_core_is_told_within_two_seconds_and_its_return_at_once(hall: Hall) -> None:
    loop = asyncio.get_running_loop()
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        await stream.linked(mqtt="up", core="up")
        await browser.order(OPEN)
        await stream.topic("current", lambda current: current["heat"] == "final-a")
        stopped_s = loop.time()
        await hall.stop_service()
        links = await stream.linked(core="down")
        assert loop.time() - stopped_s < 2.0
        assert links["mqtt"] == "up"
        beat = await stream.first("beat")
        assert beat["core"] is None, "no clock is shown as running"
        await hall.start_service()
        back_s = loop.time()
        await stream.linked(core="up")
        assert loop.time() - back_s < 2.0
        await browser.order(ARM)
        await stream.topic("current", lambda current: current["state"] == "pacer_run")


async def test_the_end_of_the_broker_is_told_within_two_seconds_and_nothing_is_missed(hall: Hall) -> None:
    loop = asyncio.get_running_loop()
    assert hall.service is not None
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        await stream.linked(mqtt="up", core="up")
        killed_s = loop.time()
        hall.mosquitto.kill()
        links = await stream.linked(mqtt="down")
        assert loop.time() - killed_s < 2.0
        assert links["core"] == "up", "of the core nothing is known, so nothing is said"
        refused = await browser.order(OPEN)
        assert (refused.status_code, refused.json()["key"]) == (503, "not_sent")
        await hall.mosquitto.start()
        back_s = loop.time()
        await stream.linked(mqtt="up", core="up")
        assert loop.time() - back_s < 2.0
        assert (await browser.order(OPEN)).status_code == 200
        await stream.topic("heats/final-a/start")


async def test_the_console_waits_for_a_broker_that_comes_later(make_hall: Any) -> None:
    hall: Hall = make_hall()
    hall.mosquitto.kill()
    await hall.start_console()
    async with hall.browser() as browser, browser.events() as stream:
        first = await stream.first("snapshot")
        assert (first["links"]["mqtt"], first["links"]["core"], first["core"]) == ("down", "down", None)
        await hall.mosquitto.start()
        await stream.linked(mqtt="up", core="down")
        await hall.start_service()
        await stream.linked(core="up")
        await stream.topic("meet")


JUNK = [
    b"",
    b"no JSON",
    b"\xff\xfe",
    b"[]",
    b"{}",
    b'"text"',
    b"null",
    b'{"schema": 7, "seq": 1, "generated_us": 1}',
    b'{"schema": "velodrome/other/1", "seq": 1, "generated_us": 1}',
    b"[" * 100_000,
    json.dumps({"schema": "velodrome/current/1", "seq": "1", "generated_us": 1}).encode(),
    json.dumps({"schema": "velodrome/current/1", "seq": True, "generated_us": 1}).encode(),
]


async def test_nothing_that_somebody_publishes_ends_the_console(hall: Hall) -> None:
    topics = [
        "meet",
        "current",
        "passing",
        "alive",
        "health",
        "devices/box",
        "heats/final-a/splits",
        "replies/x",
        "nix",
    ]
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        await stream.linked(mqtt="up", core="up")
        await stream.topic("current")
        known = dict(stream.topics)
        for topic in topics:
            for junk in JUNK:
                # An empty payload takes a topic away: only that may be noticed.
                if junk:
                    await say(hall, topic, junk)
        await browser.order(OPEN)
        await stream.topic("current", lambda current: current["heat"] == "final-a")
        assert stream.topics["meet"] == known["meet"]
        assert "nix" not in stream.topics


async def test_a_message_from_before_what_is_known_changes_nothing(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        await browser.order(OPEN)
        current = await stream.topic("current", lambda current: current["heat"] == "final-a")
        old = {**current, "seq": current["seq"] - 1, "heat": "r1-1"}
        await say(hall, "current", json.dumps(old).encode())
        await say(hall, "current", json.dumps({**current, "seq": current["seq"] + 500, "heat": "r1-2"}).encode())
        seen = await stream.topic("current", lambda payload: payload["heat"] != "final-a")
        assert seen["heat"] == "r1-2"


async def test_a_payload_of_several_lines_stays_one_event(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        health = await stream.topic("health")
        pretty = json.dumps({**health, "seq": health["seq"] + 500, "version": "a\nb\rc"}, indent=2).encode()
        await say(hall, "health", pretty.replace(b"\n", b"\r\n"))
        seen = await stream.topic("health", lambda payload: payload["seq"] == health["seq"] + 500)
        assert seen["version"] == "a\nb\rc"


async def test_a_topic_that_is_taken_away_is_gone(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        await browser.order(OPEN)
        await stream.topic("heats/final-a/pace")
        await say(hall, "heats/final-a/pace", b"", retain=True)
        _, event = await stream.until(lambda one: one[0] == "delta" and one[1]["topic"] == "heats/final-a/pace")
        assert event["payload"] is None


async def passings_told(stream: Stream) -> list[str]:
    _, event = await stream.until(lambda one: one[0] == "passing")
    return [one["read"] for one in event["payload"]["passings"]]


def passing(seq: int, *reads: str) -> bytes:
    news = [{"read": read, "device": "p3-finish", "transponder": "1", "race_us": seq} for read in reads]
    head = {"schema": "velodrome/passing/1", "seq": seq, "journal_id": 1, "generated_us": seq}
    return json.dumps({**head, "passings": news}).encode()


async def test_passings_come_once_even_if_the_core_repeats_them(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        await stream.topic("current")
        seq = 900_000_000
        for number, payload in ((0, ("1:0", "1:1")), (1, ("2:0",)), (0, ("1:0", "1:1")), (1, ("2:0",)), (2, ("3:0",))):
            await say(hall, "passing", passing(seq + number, *payload))
        assert await passings_told(stream) == ["1:0", "1:1"]
        assert await passings_told(stream) == ["2:0"]
        assert await passings_told(stream) == ["3:0"]
        async with hall.browser() as later, later.events() as second:
            first = await second.first("snapshot")
            assert [one["read"] for one in first["passings"]] == ["1:0", "1:1", "2:0", "3:0"]


async def test_the_parts_of_one_picture_leave_together_and_a_passing_takes_them_along_at_once() -> None:
    hub = Hub()
    officials = hub.audiences["officials"]
    browser = officials.join("", lambda: True)
    await browser.take()

    def say(name: str, seq: int, topic: str = "", **fields: Any) -> None:
        body = {"schema": f"velodrome/{name}/1", "seq": seq, "generated_us": seq, **fields}
        hub.feed.take(topic or name, json.dumps(body).encode(), False)

    say("order", 1, "heats/r1-1/order")
    say("splits", 2, "heats/r1-1/splits")
    assert (await browser.take()).count(b"event: delta") == 2
    say("order", 3, "heats/r1-1/order")
    say("passing", 4, passings=[])
    taking = asyncio.create_task(browser.take())
    await asyncio.sleep(0)
    assert taking.done(), "no time passes"
    assert [part.split(b"\n")[0] for part in taking.result().split(b"event: ")[1:]] == [b"delta", b"passing"]
