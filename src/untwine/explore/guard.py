"""Guard before the explorer's server: its token, its own pages alone, bounded requests."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = ["MOST_BYTES", "Guard", "TooLarge"]

MOST_BYTES = 16 * 2**20
"""Of a request's body: of a picture that is brought, or of points that were chosen."""

_PATIENCE = 30.0  # seconds that a part of a body may take
_LONGEST = 4096  # bytes of a path with its query

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


class TooLarge(ValueError):
    """A body of more bytes than are taken."""


class Guard:
    """Lets through what the explorer's own page asks, and refuses everything else.

    - The ``Host`` is this server's on loopback, whatever a name resolves to.
    - An ``Origin``, where there is one, is this server's; a browser's ``Sec-Fetch-Site`` says so,
      too, save for the page itself, which a link may open.
    - The first part of the path is the token.
    - Methods are GET, HEAD and POST; paths and bodies are bounded, in bytes and in time.

    What is refused is told no more than a status.

    Args:
        app: What answers; it sees paths without the token.
        token: Of this server.
        port: Of this server.
        embed: Whether pages on loopback, such as a notebook, may show the explorer in a frame.
    """

    def __init__(self, app: App, *, token: str, port: int, embed: bool = False) -> None:
        self._app, self._token = app, token.encode("ascii")
        self._hosts = {f"{name}:{port}".encode("ascii") for name in ("127.0.0.1", "localhost")}
        self._origins = {b"http://" + host for host in self._hosts}
        frames = "http://127.0.0.1:* http://localhost:*" if embed else "'none'"
        policy = {**_HEADERS, "content-security-policy": _POLICY + frames}
        self._headers = [(k.encode("ascii"), v.encode("ascii")) for k, v in policy.items()]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers a request, or has it answered."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        status = self._refusal(scope)
        if status:
            await self._refuse(send, status)
            return
        _, _, rest = scope["path"].lstrip("/").partition("/")
        inner = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode(), "root_path": ""}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self._headers]}
            await send(message)

        await self._app(inner, _bounded(receive), answer)

    def _refusal(self, scope: MutableMapping[str, Any]) -> int | None:
        """The status with which a request is refused by its head; ``None`` if it is let through."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        only = {name: values[0] for name, values in headers.items() if len(values) == 1}
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405
        if only.get(b"host", b"").lower() not in self._hosts:
            return 421
        if b"origin" in headers and only.get(b"origin") not in self._origins:
            return 403
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"") > _LONGEST:
            return 414
        token, slash, rest = scope["path"].lstrip("/").partition("/")
        if not slash or not hmac.compare_digest(token.encode("utf-8", "replace"), self._token):
            return 404
        opens_page = scope["method"] == "GET" and not rest
        site = only.get(b"sec-fetch-site")
        if site not in (None, b"same-origin", b"none") and not opens_page:
            return 403
        length = only.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 15:
            return 400
        return 413 if int(length) > MOST_BYTES else None

    async def _refuse(self, send: Send, status: int) -> None:
        body = json.dumps({"error": _WORDS[status]}).encode()
        head: Iterable[tuple[bytes, bytes]] = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *self._headers,
        ]
        await send({"type": "http.response.start", "status": status, "headers": list(head)})
        await send({"type": "http.response.body", "body": body})


_WORDS = {
    400: "this is no request that the explorer understands",
    403: "only the explorer's own page may ask",
    404: "there is nothing here",
    405: "only GET, HEAD and POST are answered",
    413: f"a body has at most {MOST_BYTES:,} bytes",
    414: f"an address has at most {_LONGEST:,} bytes",
    421: "this is the explorer on loopback, and not the host that was asked for",
}


def _bounded(receive: Receive) -> Receive:
    """A body whose parts come in time and are not too many.

    Raises:
        TooLarge: when more has come than is taken.
        TimeoutError: when nothing comes.
    """
    count = 0
    ended = False

    async def bounded() -> Message:
        nonlocal count, ended
        if ended:  # what comes now is the end of the connection, whenever that is
            return await receive()
        message = await asyncio.wait_for(receive(), _PATIENCE)
        if message["type"] == "http.request":
            count += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if count > MOST_BYTES:
                raise TooLarge(f"{count:,} bytes; at most {MOST_BYTES:,} are taken")
        return message

    return bounded
