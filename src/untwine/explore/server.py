"""Server of the explorer: its page and its answers, on loopback alone."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Self

from .answers import Answers
from .guard import Guard, TooLarge
from .workbench import Workbench

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    Endpoint = Callable[[Request], Awaitable[Response]]

__all__ = ["Explorer", "application", "check_token"]

_LOG = logging.getLogger(__name__)
_SHORTEST = 16
_MOST_CONNECTIONS = 256
_IDLE = 30  # seconds until a connection that nothing is asked on is closed
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_MISSING = (
    "the explorer's server needs starlette and uvicorn: pip install 'untwine[explore]' (or pip "
    "install starlette uvicorn)"
)


class Explorer:
    """A running explorer.

    It answers on 127.0.0.1 alone, and only those who know the token in its address. In a notebook
    it shows itself. It ends with `close`, at the end of a ``with`` block, or with the process.

    Args:
        benches: What is explored.
        port: On which it answers; 0 for any that is free.
        token: The secret part of the address, 16 letters and digits or more; by default a new one.
            With one of your own, and a port, links go on working when the server is started anew.
        embed: Whether pages on loopback, such as a notebook, may show it in a frame.

    Attributes:
        benches: What is explored.
        url: The page.

    Raises:
        ImportError: if there is no starlette or no uvicorn.
        ValueError: for a token that is too short, or no word, and for no benches.
        OSError: if something else answers on the port.
    """

    def __init__(
        self,
        benches: Sequence[Workbench],
        *,
        port: int = 0,
        token: str | None = None,
        embed: bool = False,
    ) -> None:
        if not benches:
            raise ValueError("there is nothing to explore; expected a run or several")
        if not 0 <= port < 65536:
            raise ValueError(f"port is {port}; expected 1 to 65535, or 0 for any that is free")
        token = secrets.token_urlsafe(24) if token is None else check_token(token)
        try:
            import uvicorn
        except ImportError as error:
            raise ImportError(_MISSING) from error
        self.benches = list(benches)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(("127.0.0.1", port))
        except OSError as error:
            self._socket.close()
            raise OSError(
                f"port {port} of 127.0.0.1 cannot be had ({error.strerror}): leave it out for "
                "any that is free"
            ) from error
        port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/{token}/"
        app = Guard(application(self.benches), token=token, port=port, embed=embed)
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=_IDLE,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=1 << 14,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._socket]},
            name="untwine-explore",
            daemon=True,
        )
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)
        for bench in self.benches:
            bench.atlas.begin()

    def close(self) -> None:
        """Ends it."""
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()
        for bench in self.benches:
            bench.atlas.close()

    def wait(self) -> None:
        """Waits until it ends, or somebody interrupts."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Explorer({', '.join(bench.name for bench in self.benches)}; {self.url})"

    def _repr_html_(self) -> str:
        style = "width: 100%; height: 820px; border: 0"
        return f'<iframe src="{self.url}" style="{style}" title="Untwine explorer"></iframe>'


def check_token(token: str) -> str:
    """A token.

    Raises:
        ValueError: for one that is too short, or holds anything but letters, digits, - and _.

    Example:
        >>> check_token("a-token-of-my-own")
        'a-token-of-my-own'
    """
    if len(token) < _SHORTEST or not token.isascii() or not _is_word(token):
        raise ValueError(
            f"the token has {len(token)} characters; expected {_SHORTEST} or more letters, digits, "
            "- and _, such as those of python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    return token


def application(benches: Sequence[Workbench]) -> Any:
    """The ASGI application behind the guard: files of the page by name, and answers.

    Raises:
        ImportError: if there is no starlette.
    """
    try:
        from anyio import CapacityLimiter, to_thread
        from starlette.applications import Starlette
        from starlette.requests import ClientDisconnect
        from starlette.responses import JSONResponse, Response
        from starlette.routing import Route
    except ImportError as error:
        raise ImportError(_MISSING) from error

    answers = Answers(benches)
    instance = secrets.token_hex(8)
    page = {entry.name: entry.read_bytes() for entry in _page()}
    shared = files("untwine.report").joinpath("templates")
    page |= {name: shared.joinpath(name).read_bytes() for name in ("base.css", "decoder.js")}
    workers = CapacityLimiter(4)

    async def asset(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        content = page.get(name)
        if content is None:
            return JSONResponse({"error": "there is nothing here"}, 404)
        kind = _KINDS["." + name.rpartition(".")[2]]
        return Response(content, media_type=f"{kind}; charset=utf-8")

    async def alive(request: Request) -> Response:
        counts = [bench.atlas.count for bench in benches]
        return JSONResponse({"instance": instance, "points": counts})

    def endpoint(
        answer: Callable[[Request, Workbench, bytes], bytes], kind: str = "application/json"
    ) -> Endpoint:
        async def respond(request: Request) -> Response:
            number = request.path_params.get("run", 0)
            if number >= len(benches):
                return JSONResponse({"error": "there is no such run"}, 404)
            try:
                body = await request.body()
            except TooLarge as error:
                return JSONResponse({"error": str(error)}, 413, {"connection": "close"})
            except (TimeoutError, ClientDisconnect):
                return JSONResponse({"error": "the body took too long"}, 408)
            if body and request.headers.get("content-type", "").startswith(_FORMS):
                return JSONResponse({"error": "forms are not answered"}, 415)
            try:
                content = await to_thread.run_sync(
                    answer, request, benches[number], body, limiter=workers
                )
            except (ValueError, IndexError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
            except Exception:
                _LOG.exception("a question could not be answered")
                return JSONResponse({"error": "that failed; the server's log says why"}, 500)
            return Response(content, media_type=kind)

        return respond

    def query(request: Request, name: str, default: str = "") -> str:
        return request.query_params.get(name, default)

    raw, one = "application/octet-stream", "/api/{run:int}"
    routes: list[tuple[str, str, Endpoint]] = [
        ("/", "GET", asset),
        ("/{name}", "GET", asset),
        ("/api/alive", "GET", alive),
        ("/api/runs", "GET", endpoint(lambda q, bench, body: answers.runs())),
        (f"{one}/decoder", "GET", endpoint(lambda q, bench, _: answers.decoder(bench))),
        (f"{one}/start", "GET", endpoint(lambda q, b, _: answers.start(b, query(q, "row")))),
        (f"{one}/point", "GET", endpoint(lambda q, b, _: answers.point(b, query(q, "point")))),
        (f"{one}/draw", "GET", endpoint(lambda q, b, _: answers.draw(b, query(q, "seed")))),
        (
            f"{one}/points",
            "GET",
            endpoint(
                lambda q, b, _: answers.points(
                    b, query(q, "axes").split(",")[:3], query(q, "since", "0")
                ),
                raw,
            ),
        ),
        (
            f"{one}/encode",
            "POST",
            endpoint(lambda q, b, body: answers.encode(b, body, query(q, "row"))),
        ),
        (f"{one}/decode", "POST", endpoint(lambda q, b, body: answers.decode(b, body), raw)),
        (f"{one}/film", "POST", endpoint(lambda q, b, body: answers.film(b, body), "image/gif")),
        (f"{one}/direction", "POST", endpoint(lambda q, b, body: answers.direction(b, body))),
        (f"{one}/table", "POST", endpoint(lambda q, b, body: answers.table(b, body))),
        (f"{one}/csv", "POST", endpoint(lambda q, b, body: answers.csv(b, body), "text/csv")),
        (f"{one}/lines", "POST", endpoint(lambda q, b, body: answers.lines(b, body), "text/plain")),
    ]
    app = Starlette(routes=[Route(path, e, methods=[verb]) for path, verb, e in routes])
    app.router.redirect_slashes = False
    return app


_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def _page() -> list[Any]:
    """The files of the page; nothing else can be asked for by name."""
    folder = files(__package__).joinpath("page")
    return [entry for entry in folder.iterdir() if entry.name.endswith(tuple(_KINDS))]


def _is_word(token: str) -> bool:
    return token.replace("-", "").replace("_", "").isalnum()
