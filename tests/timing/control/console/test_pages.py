"""Pages and what comes with them: headers, languages, themes, refusals in words."""

import json
import re
from pathlib import Path

import pytest

from tests.timing.control.console.hall import Hall
from timing.control.console import roles
from timing.control.console.commands import MOST_BODY_BYTES
from timing.control.console.pages import Login, Looks, Pages, Visitor
from timing.control.console.wording import LANGUAGES, STATIC, Wording, choose_language

PATHS = ("/", "/login", "/board", "/operator", "/events", "/static/js/main.js", "/nowhere", "/photos/final-a/newest")


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_carries_the_security_headers(hall: Hall, path: str) -> None:
    async with hall.browser() as browser, browser.http.stream("GET", path) as answer:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")
        assert "server" not in answer.headers


async def test_no_page_has_a_script_or_a_style_in_it(hall: Hall) -> None:
    async with hall.signed_in("president") as browser:
        for path in ("/login", "/commissaire", "/operator", "/nowhere"):
            page = (await browser.get(path)).text
            assert re.findall(r"<script(?![^>]* src=)", page) == []
            assert "<style" not in page
            assert not re.search(r"\son\w+=|\sstyle=", page)
            assert "http" not in re.sub(r'<meta http-equiv="[^"]*"', "", page), "nothing from anywhere else"


async def test_a_page_of_another_kind_is_told_in_words(hall: Hall) -> None:
    async with hall.browser() as browser:
        page = await browser.get("/nowhere", headers={"Accept-Language": "fr-CH, en;q=0.5"})
        assert page.status_code == 404
        assert '<html lang="fr"' in page.text
        assert "Cette page n&#x27;existe pas" in page.text
        assert (await browser.http.post("/board")).status_code == 405
        assert (await browser.get("/commands")).json()["accepted"] is False
        for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/js", "/static/", "/static//etc/passwd"):
            assert (await browser.get(path)).status_code == 404, path


@pytest.mark.parametrize("path", ["/login", "/commands", "/logout"])
async def test_a_body_larger_than_anything_that_we_send_is_refused(hall: Hall, path: str) -> None:
    async with hall.signed_in("operator") as browser:
        answer = await browser.http.post(path, content=b"x" * (MOST_BODY_BYTES + 1), headers={"Origin": browser.origin})
        assert answer.status_code == 413


@pytest.mark.parametrize(
    ("chosen", "asked", "lang"),
    [
        (None, "", "en"),
        (None, "ja", "ja"),
        (None, "de, fr;q=0.4, ja;q=0.8", "ja"),
        (None, "JA-jp;q=0.5,en;q=0.4", "ja"),
        (None, "de,nl", "en"),
        (None, "fr;q=x,;;,ja;q=1.0.0", "en"),
        ("fr", "ja", "fr"),
        ("tlh", "ja", "ja"),
    ],
)
def test_the_language_is_the_chosen_one_else_what_the_browser_wants(chosen: str | None, asked: str, lang: str) -> None:
    assert choose_language(chosen, asked) == lang


async def test_language_and_theme_of_before_are_kept(hall: Hall) -> None:
    async with hall.browser() as browser:
        browser.http.cookies.set("lang", "ja")
        browser.http.cookies.set("theme", "night")
        assert '<html lang="ja" data-theme="night">' in (await browser.get("/board")).text
        browser.http.cookies.set("theme", '"><script>')
        assert 'data-theme="hall"' in (await browser.get("/board")).text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_text_of_the_pages_exists_and_its_values_fit(lang: str) -> None:
    wording = Wording()
    pages = Pages("meet", "The meet", wording)
    looks = Looks(lang, "hall")
    values = {"role": "R", "screen": "S", "seconds": 7, "what": "W"}
    catalogue = json.loads((STATIC / "texts" / f"{lang}.json").read_text("utf-8"))["pages"]
    for key in catalogue:
        assert wording.say(lang, key, **values)
    for key in (
        "forbidden",
        "not_found",
        "not_possible",
        "too_slow",
        "too_large",
        "fault",
        "throttled",
        "form_expired",
    ):
        assert "<h1>" in pages.notice(key, looks, **values)
    for screen in roles.SCREENS:
        assert f'data-screen="{screen}"' in pages.shell(screen, Visitor("public", "", "", ()), looks)
    for role in roles.login_roles():
        assert f'value="{role}"' in pages.login(Login("token"), looks)
        assert f'value="{role}" selected' in pages.login(Login("token", role=role), looks)


@pytest.mark.parametrize(
    ("goal", "role"),
    [
        ("operator", "operator"),
        ("finish", "judge"),
        ("commissaire", "commissaire"),
        ("announcer", "announcer"),
        ("office", "secretary"),
        ("", ""),
        ("board", ""),
    ],
)
def test_the_login_proposes_who_sits_at_the_screen_and_nobody_where_that_is_open(goal: str, role: str) -> None:
    page = Pages("m", "Meet", Wording()).login(Login("token", goal), Looks("en", "hall"))
    assert [
        one.partition('"')[0] for one in page.split('<option value="')[1:] if '" selected' in one.split(">")[0]
    ] == [role]


def test_all_languages_have_the_same_pages() -> None:
    keys = []
    for lang in LANGUAGES:
        texts = json.loads((STATIC / "texts" / f"{lang}.json").read_text("utf-8"))["pages"]
        keys.append({key: set(re.findall(r"\{(\w+)\}", text)) for key, text in texts.items()})
    assert keys[0] == keys[1] == keys[2]


def test_every_key_that_the_server_says_exists() -> None:
    source = "".join(path.read_text("utf-8") for path in Path(STATIC).parent.glob("*.py"))
    said = set(re.findall(r'\b(?:refused|say|notice)\([^"()]*(?:\([^()]*\))?[^"()]*"([a-z_.]+)"', source))
    texts = json.loads((STATIC / "texts" / "en.json").read_text("utf-8"))
    known = set(texts["pages"]) | {f"common.{key}" for key in texts["common"]}
    assert len(said) > 12, "the search still finds what is said"
    assert {key for key in said if key not in known and f"{key}_title" not in known} == set()


def test_a_name_of_the_meet_is_text_and_no_html() -> None:
    pages = Pages("meet", "<b>Six Days & more</b>", Wording())
    assert "<b>" not in pages.login(Login("token"), Looks("en", "hall"))
