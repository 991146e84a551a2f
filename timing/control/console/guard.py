"""What every request and every answer has to keep: origin, size, headers, cookies."""

import asyncio
import hashlib
import hmac
import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_TIMEOUT_S: Final = 10.0
YEAR_S: Final = 365 * 24 * 3600

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then send `Origin: null` with the forms that we check by it.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SecurityHeaders:
    """ASGI middleware: the headers above on every answer; nothing is kept by a browser unless the answer says so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyError(Exception):
    """The body of a request is too large, or does not come: `status` 413 or 408."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The body, whole. Raises BodyError."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise BodyError(413)
    except (TimeoutError, ClientDisconnect) as error:
        raise BodyError(408) from error
    return bytes(body)


def is_own_origin(request: Request) -> bool:
    """Whether a page of ours sent it. Browsers send `Origin` with every POST (Fetch standard §3.2)."""
    return is_same_origin(request.headers, request.url.scheme)


def is_same_origin(headers: Headers, scheme: str) -> bool:
    """Whether `Origin` is the scheme, host and port under which the request came."""
    origin = urlsplit(headers.get("origin", ""))
    return origin.scheme == scheme and bool(origin.netloc) and origin.netloc == headers.get("host", "")


class Cookies:
    """The names of our cookies. With TLS they are Secure and bound to this host.

    A browser keeps cookies by host and not by port: the port is in the names, so that two consoles on one machine
    do not sign each other out.
    """

    def __init__(self, port: int, tls: bool) -> None:
        self._tls = tls
        prefix = "__Host-" if tls else ""
        self.session = f"{prefix}velodrome_{port}"
        self.login = f"{prefix}velodrome_login_{port}"

    def set(self, response: Response, name: str, value: str) -> None:
        """Give the browser a cookie that no script and no other site can use; it ends with the browser."""
        response.set_cookie(name, value, path="/", secure=self._tls, httponly=True, samesite="strict")

    def drop(self, response: Response, name: str) -> None:
        """Take it back."""
        response.delete_cookie(name, path="/", secure=self._tls, httponly=True, samesite="strict")


class LoginTokens:
    """CSRF tokens of the login form, where no session is yet: bound to a cookie that the form's page sets."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def new_cookie(self) -> str:
        """A random value for the cookie."""
        return secrets.token_urlsafe(24)

    def token(self, cookie: str) -> str:
        """What the form of this cookie carries."""
        return hmac.new(self._key, cookie.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def fits(self, cookie: str, token: str) -> bool:
        """Whether form and cookie belong together."""
        return bool(cookie) and hmac.compare_digest(self.token(cookie).encode(), token.encode("utf-8", "replace"))
