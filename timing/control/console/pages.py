"""The pages: the shell of a screen, the login, and refusals in words. No script stands in any of them."""

from html import escape
from typing import Final, NamedTuple

from timing.control.console.roles import actions_of, login_roles, role_at
from timing.control.console.wording import STATIC, Wording

THEMES: Final = ("hall", "night")
FIRST_STYLES: Final = ("base.css", "themes.css", "frame.css")


class Looks(NamedTuple):
    """How a browser wants its pages."""

    lang: str
    theme: str


class Visitor(NamedTuple):
    """Whom a shell is for. Nobody signed in: role `public`, no actor, no token."""

    role: str
    actor: str
    csrf: str
    screens: tuple[str, ...]


class Login(NamedTuple):
    """What the login form shows again, and what went wrong."""

    token: str
    goal: str = ""
    actor: str = ""
    role: str = ""
    error: str = ""


class Pages:
    """Makes the HTML of a meet's console."""

    def __init__(self, meet: str, meet_name: str, wording: Wording) -> None:
        self._meet = meet
        self._meet_name = meet_name
        self._wording = wording

    def shell(self, screen: str, visitor: Visitor, looks: Looks) -> str:
        """The page in which `main.js` draws a screen."""
        data = {
            "screen": screen,
            "role": visitor.role,
            "actor": visitor.actor,
            "csrf": visitor.csrf,
            "meet": self._meet,
            "lang": looks.lang,
            "screens": " ".join(visitor.screens),
            "actions": " ".join(actions_of(visitor.role)),
        }
        attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
        title = self._wording.say(looks.lang, f"common.screen_{screen}")
        needs = escape(self._wording.say(looks.lang, "needs_script"))
        content = f'<div id="app"></div>\n<noscript><p>{needs}</p></noscript>'
        script = '<script type="module" src="/static/js/main.js"></script>\n'
        return self._page(title, looks, f"<body{attributes}>\n{content}\n</body>", script)

    def login(self, login: Login, looks: Looks) -> str:
        """The form with which a person signs in."""
        say = self._wording.say
        guess = login.role or role_at(login.goal)
        roles = "" if guess else f'<option value="" selected>{escape(say(looks.lang, "choose_role"))}</option>'
        roles += "".join(
            f'<option value="{role}"{" selected" if role == guess else ""}>'
            f"{escape(say(looks.lang, f'common.role_{role}'))}</option>"
            for role in login_roles()
        )
        error = f'<p class="error" role="alert">{escape(login.error)}</p>' if login.error else ""
        name, role, password, sign_in = (
            escape(say(looks.lang, f"common.{key}")) for key in ("name", "role", "password", "sign_in")
        )
        card = f"""<h1>{escape(self._meet_name)}</h1>
<p>{escape(say(looks.lang, "login_intro"))}</p>
{error}
<form method="post" action="/login">
<input type="hidden" name="csrf" value="{escape(login.token)}">
<input type="hidden" name="goal" value="{escape(login.goal)}">
<label>{name}<input name="actor" value="{escape(login.actor)}" autocomplete="username" required autofocus></label>
<label>{role}<select name="role" required>{roles}</select></label>
<label>{password}<input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit">{sign_in}</button>
</form>"""
        return self._card(say(looks.lang, "common.sign_in"), card, looks)

    def notice(self, key: str, looks: Looks, **values: object) -> str:
        """A page that says why something is not shown and where to go: keys `<key>_title` and `<key>_text`."""
        say = self._wording.say
        title = say(looks.lang, f"{key}_title", **values)
        card = (
            f"<h1>{escape(title)}</h1>\n<p>{escape(say(looks.lang, f'{key}_text', **values))}</p>\n"
            f'<p><a href="/">{escape(say(looks.lang, "back"))}</a> · '
            f'<a href="/login">{escape(say(looks.lang, "common.sign_in"))}</a></p>'
        )
        return self._card(title, card, looks)

    def _card(self, title: str, card: str, looks: Looks) -> str:
        body = f'<body class="page">\n<main class="page-card">\n{card}\n</main>\n</body>'
        return self._page(title, looks, body, "")

    def _page(self, title: str, looks: Looks, body: str, script: str) -> str:
        styles = "".join(f'<link rel="stylesheet" href="/static/css/{name}">\n' for name in _styles())
        return (
            f'<!doctype html>\n<html lang="{looks.lang}" data-theme="{looks.theme}">\n<head>\n<meta charset="utf-8">\n'
            f"<title>{escape(title)} · {escape(self._meet_name)}</title>\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
            f"{styles}{script}</head>\n{body}\n</html>\n"
        )


def _styles() -> list[str]:
    """All style sheets, those that the others build upon first."""
    found = sorted(path.name for path in (STATIC / "css").glob("*.css"))
    return [name for name in FIRST_STYLES if name in found] + [name for name in found if name not in FIRST_STYLES]
