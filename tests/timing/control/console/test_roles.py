"""Every role on what it may do and on what it may not: pages, orders over HTTP, orders over MQTT, the stream."""

import asyncio
import json
from typing import Any, get_args

import aiomqtt
import msgspec
import pytest

from config.models import ConsoleRole
from tests.timing.control.console.hall import Hall, actor_of
from timing.control.console import roles
from timing.control.console.job import DEMO_ROLES
from timing.control.messages import CommandReply
from timing.race import actions
from timing.race.permits import PERMITTED, ROLES

WAIT_S = 40.0
ORDERS: dict[str, dict[str, Any]] = {
    "open_heat": {"heat": "final-a"},
    "arm": {},
    "gun": {},
    "bell": {},
    "lap_counter": {"laps_to_go": 3},
    "stop": {"reason": "drawn order not kept"},
    "restart": {},
    "mishap": {"bib": "4", "what": "puncture"},
    "close": {},
    "place": {"order": [["4"], ["13"]]},
    "decide": {"bib": "4", "code": "W", "reason": "rode below the line"},
    "confirm": {},
    "reopen": {"reason": "the photo-finish was read again"},
    "set_aside": {"read": "1:0", "reason": "a mechanic at the loop"},
    "accept_inferred": {"bib": "4", "mark": 3},
    "reject_inferred": {"bib": "4", "mark": 3},
    "manual_passing": {"bib": "4", "loop": "finish", "at_us": 1},
    "swap_transponder": {"bib": "4", "transponder": "7"},
    "undo": {"command": "nothing"},
}
SCREENS = {
    "operator": ("operator", "pace", "finish", "announcer", "board"),
    "starter": ("operator", "pace", "announcer", "board"),
    "judge": ("pace", "finish", "announcer", "board"),
    "commissaire": ("pace", "finish", "commissaire", "announcer", "board", "office"),
    "president": ("pace", "finish", "commissaire", "announcer", "board", "office"),
    "announcer": ("announcer", "board"),
    "secretary": ("finish", "commissaire", "announcer", "board", "office"),
    "public": ("announcer", "board"),
}
FIRST = {
    "operator": "operator",
    "starter": "operator",
    "judge": "finish",
    "commissaire": "commissaire",
    "president": "commissaire",
    "announcer": "announcer",
    "secretary": "office",
}


def permitted(kind: str) -> frozenset[str]:
    """The roles that may order this, as the core has it."""
    return next(allowed for action, allowed in PERMITTED.items() if action.__struct_config__.tag == kind)


def test_the_roles_of_the_configuration_of_the_core_and_of_the_demo_are_the_same() -> None:
    assert set(get_args(ConsoleRole)) == ROLES - {"system"} == set(DEMO_ROLES) == set(roles.login_roles())
    assert set(SCREENS) == set(DEMO_ROLES) | {"public"}


def test_every_action_is_tried_here() -> None:
    assert set(ORDERS) == {one.__struct_config__.tag for one in get_args(actions.AnyAction)}


@pytest.mark.parametrize("role", SCREENS)
def test_a_role_has_its_screens_in_the_order_of_their_keys(role: str) -> None:
    assert roles.screens_of(role) == SCREENS[role]


@pytest.mark.parametrize("role", DEMO_ROLES)
async def test_a_role_opens_its_screens_and_no_other(hall: Hall, role: str) -> None:
    async with hall.signed_in(role) as browser:
        assert (await browser.get("/")).headers["location"] == f"/{FIRST[role]}"
        for screen in roles.SCREENS:
            page = await browser.get(f"/{screen}", headers={"Accept-Language": "en"})
            if screen in SCREENS[role]:
                assert page.status_code == 200, screen
                assert f'data-screen="{screen}" data-role="{role}" data-actor="{actor_of(role)}"' in page.text
                assert f'data-screens="{" ".join(SCREENS[role])}"' in page.text
            else:
                assert page.status_code == 403, screen
                assert "is not for the role" in page.text
                assert "main.js" not in page.text


async def test_nobody_signed_in_sees_the_boards_and_is_asked_to_sign_in_elsewhere(hall: Hall) -> None:
    async with hall.browser() as browser:
        assert (await browser.get("/")).headers["location"] == "/board"
        for screen in roles.SCREENS:
            page = await browser.get(f"/{screen}")
            if screen in SCREENS["public"]:
                assert 'data-role="public" data-actor="" data-csrf=""' in page.text
            else:
                assert (page.status_code, page.headers["location"]) == (303, f"/login?goal={screen}")


async def test_without_a_public_view_everything_asks_to_sign_in(make_hall: Any) -> None:
    hall: Hall = make_hall()
    hall.configure(public=False)
    await hall.start()
    async with hall.browser() as browser:
        assert (await browser.get("/")).headers["location"] == "/login"
        for screen in roles.SCREENS:
            assert (await browser.get(f"/{screen}")).headers["location"] == f"/login?goal={screen}"
        events = await browser.get("/events")
        assert (events.status_code, events.json()["key"]) == (401, "signed_out")
        assert (await browser.get("/static/js/main.js")).status_code == 200
    async with hall.signed_in("announcer") as browser, browser.events() as stream:
        await stream.topic("meet")


@pytest.mark.parametrize("role", DEMO_ROLES)
async def test_an_order_that_the_role_may_not_give_is_refused_by_the_console(hall: Hall, role: str) -> None:
    assert hall.service is not None
    async with hall.signed_in(role) as browser:
        for kind, fields in ORDERS.items():
            answer = await browser.order({"type": kind, **fields}, kind)
            allowed = permitted(kind)
            if role in allowed:
                # Taken, or refused by the core for what the heat is; never for who asks.
                assert answer.status_code in (200, 409), (kind, answer.text)
                assert answer.json()["journal_id"] is not None
            else:
                assert answer.status_code == 403, kind
                assert answer.json()["reason"] == (
                    f"role {role!r} may not order {kind!r}: it is for {', '.join(sorted(allowed))}"
                )
    assert set(hall.service.state.outcomes) == {kind for kind in ORDERS if role in permitted(kind)}


async def test_orders_of_nobody_are_refused(hall: Hall) -> None:
    async with hall.browser() as browser:
        for kind, fields in ORDERS.items():
            answer = await browser.order({"type": kind, **fields}, headers={"X-CSRF-Token": "x"})
            assert (answer.status_code, answer.json()["key"]) == (401, "signed_out")


@pytest.mark.parametrize("role", [*DEMO_ROLES, "public", "nonsense"])
async def test_an_order_over_mqtt_that_the_role_may_not_give_is_refused_by_the_core(hall: Hall, role: str) -> None:
    async with aiomqtt.Client("127.0.0.1", hall.mosquitto.port) as client:
        await client.subscribe(f"{hall.base}/replies/#", qos=1)
        forbidden = [kind for kind in ORDERS if role not in permitted(kind)]
        assert forbidden
        for kind in forbidden:
            request = {"id": f"{role}-{kind}", "actor": "x", "role": role, "action": {"type": kind, **ORDERS[kind]}}
            await client.publish(f"{hall.base}/commands", json.dumps(request), qos=1)
        answers = aiter(client.messages)
        for kind in forbidden:
            message = await asyncio.wait_for(anext(answers), WAIT_S)
            assert isinstance(message.payload, bytes)
            reply = msgspec.json.decode(message.payload, type=CommandReply)
            assert (reply.id, reply.accepted) == (f"{role}-{kind}", False)
            assert reply.reason.startswith(f"role {role!r} ")


@pytest.mark.parametrize("role", ["announcer", "public"])
async def test_who_orders_nothing_sees_what_may_be_announced(hall: Hall, role: str) -> None:
    async with hall.signed_in("operator") as operator, operator.events() as officials:
        await operator.order({"type": "open_heat", "heat": "final-a"})
        await operator.order({"type": "arm"})
        await operator.order({"type": "stop", "reason": "rider 4 pulled out of line"})
        await officials.topic("heats/final-a/start", lambda start: start["attempts"][-1]["reason"] != "")
        assert "heats/final-a/history" in officials.topics
        assert officials.topics["heats/final-a/start"]["starters"][0]["transponders"]
        browser = hall.browser()
        if role != "public":
            await browser.sign_in(role)
        async with browser, browser.events() as stream:
            start = await stream.topic("heats/final-a/start", lambda start: start["attempts"][-1]["stopped_us"])
            assert (start["attempts"][-1]["reason"], start["starters"][0]["transponders"]) == ("", [])
            current = await stream.topic("current", lambda current: current["state"] == "stopped")
            assert (current["notices"], current["alerts"]) == ([], [])
            hidden = [topic for topic in stream.topics if "history" in topic or topic.startswith(("devices", "health"))]
            assert hidden == []


@pytest.mark.parametrize("role", ["secretary", "judge", "starter"])
async def test_officials_see_everything(hall: Hall, role: str) -> None:
    async with hall.signed_in(role) as browser, browser.events() as stream:
        await stream.topic("health")
        await stream.topic("competition")
