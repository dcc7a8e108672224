"""Builds the edge and serves it, in a process that holds nothing else."""

from __future__ import annotations

import asyncio
import math
import resource
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import grpc
import uvicorn

from services.edge import pages, wire
from services.edge.config import EdgeSettings
from services.edge.connect import Api, Call, Limits, Receive, Send, begin, grouped, respond
from services.edge.headers import headers
from services.edge.methods import Method, reachable
from services.edge.metrics import EdgeMetrics
from services.edge.pages import Page
from services.edge.puzzle import Puzzle
from services.edge.server import IDLE_S, KEEP_ALIVE_S, MAX_HEADER_BYTES, Connection, Crowd, Server
from services.edge.upstream import Upstream
from services.kernel.clock import Clock, Ids
from services.kernel.config import ConfigurationError, read_bytes, read_hex
from services.kernel.patience import LONGEST_S, MAX_UNARY_S, Patience

KEY_BYTES = 32
# Files of the process besides its connections: lines to the services, the event loop's own.
OTHER_FILES = 256
# Written one after the other, so that who does not read holds no more than one of them.
CHUNK_BYTES = 65_536


class Edge:
    """The application: calls to the API, and the files of the app.

    Args:
        api: Passes calls on.
        methods: Those that can be reached, by path.
        files: The app's, by path.
        longest_s: How long any answer may take, to the last byte.
    """

    def __init__(
        self, api: Api, methods: Mapping[str, Method], files: Mapping[str, Page], longest_s: float
    ) -> None:
        self._api, self._methods, self._files, self._longest_s = api, methods, files, longest_s

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answers one request; the work ends with its connection, and the connection with its time."""
        connection: Connection = scope["state"]["connection"]
        connection.work = work = asyncio.current_task()
        try:
            async with asyncio.timeout(self._longest_s):
                await self._answer(scope, receive, send)
        except TimeoutError:
            connection.abort()
        finally:
            # The next request of the connection may have begun already.
            if connection.work is work:
                connection.work = None

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        headers = grouped(scope["headers"])
        if b"transfer-encoding" in headers:
            # Servers in a row may disagree on where such a request ends; no browser sends one.
            await respond(send, 411, pages.TEXT, b"how long?\n", (b"connection", b"close"))
        elif scope["method"] in ("GET", "HEAD"):
            await _show(send, pages.chosen(self._files, scope["path"]))
        elif scope["method"] == "POST" and (method := self._methods.get(scope["path"])):
            await self._api.serve(Call(method, headers, receive, send))
        else:
            await respond(send, 404, wire.JSON, wire.NO_SUCH_METHOD)


async def _show(send: Send, page: Page) -> None:
    await begin(send, page.status, page.content_type, len(page.body))
    for start in range(0, len(page.body) or 1, CHUNK_BYTES):
        chunk = page.body[start : start + CHUNK_BYTES]
        more = start + CHUNK_BYTES < len(page.body)
        await send({"type": "http.response.body", "body": chunk, "more_body": more})


class EdgeProcess:
    """The edge, built and ready to be served.

    Args:
        server: Speaks HTTP.
        crowd: Its connections.
        upstream: The services behind it.
    """

    def __init__(self, server: Server, crowd: Crowd, upstream: Upstream) -> None:
        self._server, self._crowd, self._upstream = server, crowd, upstream

    async def serve(self) -> None:
        """Serves until SIGTERM, SIGINT or `stop`; what is under way then gets the grace of the settings."""
        async with asyncio.TaskGroup() as group:
            sweep = group.create_task(self._crowd.sweep())
            await self._server.serve()
            sweep.cancel()
        await self._upstream.close()

    def stop(self) -> None:
        """Ends it in good order."""
        self._server.should_exit = True


def build(
    settings: EdgeSettings,
    clock: Clock,
    ids: Ids,
    *,
    patience: Patience | None = None,
    idle_s: float = IDLE_S,
    longest_s: float | None = None,
) -> EdgeProcess:
    """Builds the edge. Raises ConfigurationError, naming the setting, when it must not start like this.

    Args:
        settings: Its settings.
        clock: For puzzles.
        ids: For requests without an id, and for challenges.
        patience: With requests that are on their way.
        idle_s: How long a connection may idle.
        longest_s: How long any answer may take, to the last byte; above every deadline when absent.
    """
    _allow_files(settings.connections)
    methods = reachable()
    if missing := {method.peer for method in methods.values()} - settings.peers.keys():
        raise ConfigurationError(f"peers: the address of {', '.join(sorted(missing))} is missing")
    metrics, upstream = EdgeMetrics(), _upstream(settings)
    limits = Limits(
        frozenset(origin.encode() for origin in settings.origins),
        settings.max_message_bytes,
        settings.max_stream_s,
        patience or Patience(),
    )
    api = Api(upstream, _puzzle(settings, clock, ids), limits, metrics, ids)
    above_all = max(settings.max_stream_s, MAX_UNARY_S) + LONGEST_S
    given = pages.configuration(settings.installation, settings.leave_to)
    files = {**pages.read(settings.app_dir), pages.CONFIGURATION: given}
    edge = Edge(api, methods, files, longest_s or above_all)
    crowd = Crowd(settings.connections, metrics, idle_s)
    server = Server(_config(settings, edge), crowd)
    if settings.metrics_listen:
        host, _, port = settings.metrics_listen.rpartition(":")
        metrics.serve(host, int(port))
    return EdgeProcess(server, crowd, upstream)


def _config(settings: EdgeSettings, edge: Edge) -> uvicorn.Config:
    host, _, port = settings.listen.rpartition(":")
    config = uvicorn.Config(
        edge,
        host=host,
        port=int(port),
        http="h11",
        ws="none",
        lifespan="off",
        interface="asgi3",
        # Nothing of uvicorn's is printed: its lines hold addresses and paths.
        log_config=None,
        access_log=False,
        # Nobody's address is asked for, so nobody's header about it is believed.
        proxy_headers=False,
        server_header=False,
        date_header=False,
        headers=headers(settings.hsts_s),
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.stop_grace_s),
        ssl_certfile=settings.tls_cert_file,
        ssl_keyfile=settings.tls_key_file,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as cause:
        raise ConfigurationError("tls_cert_file: cannot be read, or is not of tls_key_file") from cause
    return config


def _upstream(settings: EdgeSettings) -> Upstream:
    authority = read_bytes(settings.peers_tls_ca_file)
    return Upstream(settings.peers, grpc.ssl_channel_credentials(authority) if authority else None)


def _puzzle(settings: EdgeSettings, clock: Clock, ids: Ids) -> Puzzle:
    file = settings.puzzle_key_file
    key = read_hex(file, KEY_BYTES, "puzzle_key_file") if file else ids.token_bytes(KEY_BYTES)
    return Puzzle(key, settings.calm_per_s, clock, ids.token_bytes)


def _allow_files(connections: int) -> None:
    """Raises the process's own limit of open files as far as it may, and refuses the start below."""
    wanted = connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < wanted:
            raise ConfigurationError(f"connections: the process may not open {wanted} files")
