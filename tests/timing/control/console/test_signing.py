"""Signing in and out: cookies, tokens, origins, wrong passwords, and how long a session lasts."""

import asyncio
from collections.abc import Callable
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from tests.timing.control.console.hall import HASH, PASSWORD, Hall, actor_of
from timing.control.console.job import PasswordError
from timing.control.console.passwords import Verifier, hash_any, hash_password
from timing.control.console.sessions import ABSOLUTE_S, IDLE_S, Sessions, csrf_token, is_csrf_token
from timing.control.console.throttle import (
    FORGOTTEN_AFTER_S,
    FREE_TRIES,
    LONGEST_NAME_WAIT_S,
    LONGEST_WAIT_S,
    Bucket,
    LoginThrottle,
)

MakeHall = Callable[[], Hall]
ANN = ("Ann", "judge")


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.s = 1_000_000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def time() -> Time:
    return Time()


# -- over HTTP -----------------------------------------------------------------------------------------------------


async def test_the_session_s_cookie_is_out_of_the_reach_of_scripts_and_other_sites(hall: Hall) -> None:
    async with hall.browser() as browser:
        answer = await browser.sign_in("judge")
        cookies = SimpleCookie("; ".join(answer.headers.get_list("set-cookie")))
        (name,) = [one for one in cookies if one == f"velodrome_{hall.console.port}"]
        cookie = cookies[name]
        assert cookie["httponly"]
        assert cookie["samesite"] == "strict"
        assert cookie["path"] == "/"
        assert not cookie["domain"]
        assert not cookie["secure"], "this console has no TLS"
        assert len(cookie.value) >= 43, "256 random bits"


async def test_each_sign_in_is_a_session_of_its_own_and_ends_the_one_before(hall: Hall) -> None:
    async with hall.browser() as browser:
        await browser.sign_in("judge")
        first = dict(browser.http.cookies)
        await browser.sign_in("operator")
        assert 'data-role="operator"' in (await browser.get("/board")).text
        async with hall.browser() as other:
            other.http.cookies.update(first)
            assert (await other.get("/finish")).status_code == 303


async def test_a_session_that_somebody_invented_is_none(hall: Hall) -> None:
    async with hall.browser() as browser:
        browser.http.cookies.set(f"velodrome_{hall.console.port}", "invented")
        page = await browser.get("/operator")
        assert page.headers["location"] == "/login?goal=operator"
        assert "Max-Age=0" in page.headers["set-cookie"]
        assert (await browser.get("/events")).status_code == 401


@pytest.mark.parametrize(
    ("actor", "role", "password"),
    [
        (actor_of("judge"), "judge", "wrong"),
        (actor_of("judge"), "president", PASSWORD),
        ("Nobody", "judge", PASSWORD),
        ("", "", ""),
        (actor_of("judge"), "judge", "x" * 3_000),
        ("é" * 500, "\x00", "\x00"),
    ],
)
async def test_a_wrong_name_role_or_password_is_told_without_saying_which(
    hall: Hall, actor: str, role: str, password: str
) -> None:
    async with hall.browser() as browser:
        answer = await browser.sign_in(role, password, actor=actor or " ")
        assert answer.status_code == 401
        assert "do not belong together" in answer.text
        assert (await browser.get("/finish")).status_code == 303


async def test_a_name_that_is_no_html_stays_text(hall: Hall) -> None:
    async with hall.browser() as browser:
        answer = await browser.sign_in("judge", "wrong", actor='"><script>alert(1)</script>')
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize(
    ("goal", "arrival"),
    [("pace", "/pace"), ("operator", "/finish"), ("https://elsewhere.example/", "/finish"), ("//elsewhere", "/finish")],
)
async def test_signing_in_leads_where_one_wanted_to_go_if_one_may(hall: Hall, goal: str, arrival: str) -> None:
    async with hall.browser() as browser:
        assert (await browser.sign_in("judge", goal=goal)).headers["location"] == arrival


async def test_wrong_passwords_have_to_wait_longer_and_longer(hall: Hall) -> None:
    async with hall.browser() as browser:
        codes = [(await browser.sign_in("judge", "wrong")).status_code for _ in range(FREE_TRIES)]
        assert codes == [401] * FREE_TRIES
        answer = await browser.sign_in("judge", PASSWORD)
        assert answer.status_code == 429, "even the right one is not looked at now"
        assert 1 <= int(answer.headers["retry-after"]) <= 2
        assert "Too many tries" in answer.text


async def test_many_tries_at_once_are_no_way_around_the_waiting(hall: Hall) -> None:
    async def attempt() -> int:
        async with hall.browser() as browser:
            return (await browser.sign_in("judge", "wrong")).status_code

    codes = await asyncio.gather(*(attempt() for _ in range(20)))
    assert codes.count(401) == FREE_TRIES
    assert codes.count(429) == 20 - FREE_TRIES


@pytest.mark.parametrize("origin", ["", "null", "http://elsewhere.example", "https://127.0.0.1", "http://127.0.0.1:1"])
async def test_a_form_or_an_order_from_another_site_is_refused(hall: Hall, origin: str) -> None:
    async with hall.signed_in("operator") as browser:
        answer = await browser.post_form("/logout", {"csrf": browser.csrf}, origin)
        assert answer.status_code == 403
        headers = {"Origin": origin or None}
        answer = await browser.order({"type": "open_heat", "heat": "final-a"}, headers=headers)
        assert (answer.status_code, answer.json()["key"]) == (403, "form_expired_text")
        answer = await browser.post_form(
            "/login", {"csrf": "x", "actor": "x", "role": "judge", "password": "x"}, origin
        )
        assert answer.status_code == 403
        assert (await browser.get("/operator")).status_code == 200, "still signed in"


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "é"])
async def test_a_form_or_an_order_without_the_session_s_token_is_refused(hall: Hall, token: str) -> None:
    async with hall.signed_in("operator") as browser:
        assert (await browser.post_form("/logout", {"csrf": token})).status_code == 403
        headers = {"X-CSRF-Token": token.encode() or None}
        answer = await browser.order({"type": "open_heat", "heat": "final-a"}, headers=headers)
        assert answer.status_code == 403
        assert hall.service is not None
        assert hall.service.state.outcomes == {}


async def test_the_token_of_another_session_does_not_help(hall: Hall) -> None:
    async with hall.signed_in("operator") as one, hall.signed_in("operator") as other:
        assert one.csrf != other.csrf
        one.csrf = other.csrf
        assert (await one.order({"type": "open_heat", "heat": "final-a"})).status_code == 403


async def test_a_login_form_that_was_not_fetched_by_this_browser_is_refused(hall: Hall) -> None:
    async with hall.browser() as browser:
        fields = {"csrf": "0" * 64, "actor": actor_of("judge"), "role": "judge", "password": PASSWORD}
        assert (await browser.post_form("/login", fields)).status_code == 403


async def test_signing_out_ends_the_session_and_its_streams(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser, browser.events() as stream:
        await stream.topic("meet")
        cookies = dict(browser.http.cookies)
        answer = await browser.post_form("/logout", {"csrf": browser.csrf})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        with pytest.raises(StopAsyncIteration):
            await stream.until(lambda _: False)
        async with hall.browser() as other:
            other.http.cookies.update(cookies)
            assert (await other.get("/events")).status_code == 401


async def test_who_has_signed_in_still_is_after_a_restart_of_the_console(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser:
        await hall.stop_console()
        await hall.start_console()
        await hall.connected()
        assert (await browser.order({"type": "open_heat", "heat": "final-a"})).status_code == 200
        text = (hall.folder / "console.sessions").read_text()
        assert browser.http.cookies[f"velodrome_{hall.console.port}"] not in text
        assert ((hall.folder / "console.sessions").stat().st_mode & 0o777) == 0o600


async def test_who_is_taken_out_of_the_accounts_is_out_at_the_next_start(hall: Hall) -> None:
    async with hall.signed_in("operator") as browser:
        await hall.stop_console()
        hall.configure(accounts=tuple(one for one in hall.console.accounts if one.role != "operator"))
        await hall.start_console()
        assert (await browser.get("/operator")).status_code == 303


# -- the parts -----------------------------------------------------------------------------------------------------


def sessions(time: Time, file: Path | None = None) -> Sessions:
    return Sessions(file, time, frozenset({ANN}))


def test_a_session_ends_some_time_after_the_last_sign_of_life(time: Time) -> None:
    office = sessions(time)
    name = office.begin(*ANN)
    time.s += IDLE_S - 1
    assert office.find(name) is not None
    time.s += IDLE_S - 1
    assert office.find(name) is not None
    time.s += IDLE_S
    assert office.find(name) is None


def test_a_session_ends_after_a_race_day_however_busy(time: Time) -> None:
    office = sessions(time)
    name = office.begin(*ANN)
    began_s = time.s
    while time.s + 600 < began_s + ABSOLUTE_S:
        time.s += 600
        assert office.find(name) is not None
    time.s = began_s + ABSOLUTE_S
    assert office.find(name) is None


def test_a_damaged_file_of_sessions_signs_everybody_out_and_is_replaced(time: Time, tmp_path: Path) -> None:
    file = tmp_path / "sessions"
    file.write_bytes(b"\xff no sessions")
    name = sessions(time, file).begin(*ANN)
    assert sessions(time, file).find(name) is not None


def test_a_folder_that_cannot_be_written_keeps_the_sessions_in_memory(time: Time, tmp_path: Path) -> None:
    office = sessions(time, tmp_path / "no" / "such" / "folder")
    assert office.find(office.begin(*ANN)) is not None


def test_tokens_belong_to_one_session() -> None:
    assert is_csrf_token("a", csrf_token("a"))
    assert not is_csrf_token("a", csrf_token("b"))
    assert not is_csrf_token("", "")


def test_waiting_doubles_with_each_wrong_password_up_to_a_minute(time: Time) -> None:
    throttle = LoginThrottle(time)
    waits = []
    for name in range(FREE_TRIES + 9):
        wait_s = throttle.begin("10.0.0.1", f"name {name}")
        if wait_s:
            waits.append(wait_s - 1)
            time.s += wait_s
            assert throttle.begin("10.0.0.1", f"name {name}") == 0
    assert waits[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert set(waits[7:]) == {LONGEST_WAIT_S}


def test_a_quarter_of_an_hour_without_a_try_forgets(time: Time) -> None:
    throttle = LoginThrottle(time)
    for _ in range(FREE_TRIES):
        throttle.begin("10.0.0.1", "Ann")
    time.s += FORGOTTEN_AFTER_S + 1
    assert [throttle.begin("10.0.0.1", "Ann") for _ in range(FREE_TRIES)] == [0] * FREE_TRIES


def test_somebody_who_hammers_a_name_keeps_its_owner_out_for_seconds_only(time: Time) -> None:
    throttle = LoginThrottle(time)
    for number in range(200):
        throttle.begin(f"10.0.0.{number}", "President")
        time.s += LONGEST_NAME_WAIT_S
    assert throttle.begin("192.168.1.5", "President") <= LONGEST_NAME_WAIT_S + 1
    time.s += LONGEST_NAME_WAIT_S + 1
    assert throttle.begin("192.168.1.5", "President") == 0


def test_the_right_password_forgets_the_wrong_ones(time: Time) -> None:
    throttle = LoginThrottle(time)
    for _ in range(FREE_TRIES - 1):
        assert throttle.begin("10.0.0.1", "Ann") == 0
    throttle.succeed("10.0.0.1", "Ann")
    assert [throttle.begin("10.0.0.1", "Ann") for _ in range(FREE_TRIES)] == [0] * FREE_TRIES
    assert throttle.begin("10.0.0.1", "Ann") > 0


def test_a_bucket_lets_a_burst_through_and_then_its_rate(time: Time) -> None:
    bucket = Bucket(2.0, 3.0, time)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    time.s += 1
    assert [bucket.take() for _ in range(3)] == [True, True, False]


async def test_a_hash_fits_its_password_and_no_other() -> None:
    verifier = Verifier()
    assert await verifier.is_right(HASH, PASSWORD)
    assert not await verifier.is_right(HASH, PASSWORD.upper())
    assert not await verifier.is_right(None, PASSWORD)
    assert not await verifier.is_right("$argon2id$damaged", PASSWORD)
    assert hash_any("a") != hash_any("a"), "each with its own salt"


@pytest.mark.parametrize("password", ["", "seven77", "x" * 201])
def test_a_password_that_is_too_short_or_too_long_is_refused(password: str) -> None:
    with pytest.raises(PasswordError, match="give 8 to 200 characters"):
        hash_password(password)
