"""The HTTP server: uvicorn's, with bounds on connections that uvicorn leaves to a proxy.

A connection that says nothing, stops in its handshake or in the middle of its headers or does not take its
answer is given up after a while; when there are too many, whoever idles longest gives way. No address is
looked at.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from asyncio.sslproto import SSLProtocol
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.edge.metrics import EdgeMetrics
from services.kernel.log import Event, emit

# Headers in milliseconds, an answer over a poor mobile line.
IDLE_S = 30.0
KEEP_ALIVE_S = 15
HANDSHAKE_S = 10
MAX_HEADER_BYTES = 16_384
SWEEP_S = 1.0
PLAIN = (b"content-type", b"text/plain; charset=utf-8")


class Idler(Protocol):
    """A connection, as far as the crowd knows it."""

    def abort(self) -> None:
        """Ends it at once, whatever is still to be written."""


class Crowd:
    """All connections, and which of them idle: nothing is under way for them, or they do not take it.

    Args:
        places: How many there may be.
        idle_s: How long one may idle.
        metrics: Where they are counted.
    """

    def __init__(self, places: int, metrics: EdgeMetrics, idle_s: float = IDLE_S) -> None:
        self._places, self._idle_s, self._metrics = places, idle_s, metrics
        self._all: set[Idler] = set()
        self._idle: OrderedDict[Idler, float] = OrderedDict()

    def come(self, one: Idler) -> None:
        """A connection comes; when there are too many, whoever idles longest goes, at worst itself."""
        self._all.add(one)
        self.idles(one)
        if len(self._all) > self._places:
            oldest, _ = self._idle.popitem(last=False)
            oldest.abort()
        self._metrics.connections.set(len(self._all))

    def go(self, one: Idler) -> None:
        """A connection is gone."""
        self._all.discard(one)
        self._idle.pop(one, None)
        self._metrics.connections.set(len(self._all))

    def idles(self, one: Idler) -> None:
        """Nothing is under way for it from now on."""
        self._idle[one] = asyncio.get_running_loop().time()

    def works(self, one: Idler) -> None:
        """A request of it is under way."""
        self._idle.pop(one, None)

    async def sweep(self) -> None:
        """Gives up whoever idles too long, until it is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            too_long = asyncio.get_running_loop().time() - self._idle_s
            for one in [one for one, since in self._idle.items() if since < too_long]:
                one.abort()


class Connection(H11Protocol):
    """uvicorn's connection, which tells the crowd whether it idles and ends the work when its client is gone.

    The application finds it in the scope's state under `connection`.
    """

    def __init__(self, crowd: Crowd, **given: Any) -> None:
        super().__init__(**{**given, "app_state": {"connection": self}})
        self._crowd = crowd
        self._beneath: asyncio.WriteTransport | None = None
        self.work: asyncio.Task[object] | None = None

    def come(self, beneath: asyncio.WriteTransport) -> None:
        """Takes its place among all connections, before a handshake if there is one."""
        self._beneath = beneath
        self._crowd.come(self)

    def go(self) -> None:
        """Leaves its place, also when it never came to its first request."""
        self._crowd.go(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """May ask from now on."""
        super().connection_made(transport)
        if self._beneath is None:
            self.come(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Goes, and with it what was under way for it."""
        self.go()
        super().connection_lost(exc)
        if self.work:
            self.work.cancel()

    def handle_events(self) -> None:
        """Notices that a request has begun."""
        super().handle_events()
        self._may_work()

    def pause_writing(self) -> None:
        """Notices that its client does not take what is written: until it does, it idles."""
        super().pause_writing()
        self._crowd.idles(self)

    def resume_writing(self) -> None:
        """Notices that its client takes it again."""
        super().resume_writing()
        self._may_work()

    def _may_work(self) -> None:
        if self._has_begun() and not self.cycle.response_complete and not self.flow.write_paused:
            self._crowd.works(self)

    def _has_begun(self) -> bool:
        # uvicorn's type leaves out that there is none before the first request.
        return cast("object", self.cycle) is not None

    def on_response_complete(self) -> None:
        """Notices that an answer is written, or another request begun."""
        self._crowd.idles(self)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Tells that this is not HTTP, with the headers of every answer; in the midst of one it ends."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.abort()
            return
        length = (b"content-length", b"%d" % len(msg))
        headers = [*self.server_state.default_headers, PLAIN, length, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=msg.encode()),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def abort(self) -> None:
        """Ends it at once, whatever is still to be written."""
        if self._beneath:
            self._beneath.abort()


class Handshake(SSLProtocol):
    """TLS beneath a connection, which has its place from the first packet on and not from its first request.

    Args:
        connection: What comes once both sides have keys.
        context: The edge's certificate.
    """

    # Two records of TLS; each connection holds as much while it lasts, and the default is eight times more.
    max_size = 32_768

    def __init__(self, connection: Connection, context: ssl.SSLContext) -> None:
        super().__init__(
            asyncio.get_running_loop(),
            connection,
            context,
            None,  # type: ignore[arg-type]  # nobody waits for it, which its type leaves out
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_S,
        )
        self._connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Comes in."""
        self._connection.come(cast("asyncio.WriteTransport", transport))
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Goes, with its keys or without."""
        self._connection.go()
        super().connection_lost(exc)


class Server(uvicorn.Server):
    """uvicorn's server on connections of ours; SIGTERM and SIGINT end it in good order.

    Args:
        config: uvicorn's.
        crowd: Where connections are counted.
    """

    def __init__(self, config: uvicorn.Config, crowd: Crowd) -> None:
        super().__init__(config)
        self._crowd = crowd
        # uvicorn sets them once a second, from a moment after the first connection may have come.
        self.server_state.default_headers = config.encoded_headers

    async def startup(self, sockets: object = None) -> None:  # noqa: ARG002 uvicorn gives it by name
        """Listens; a handshake has no more time than a client needs for it."""
        config = self.config
        server = await asyncio.get_running_loop().create_server(
            self._protocol, config.host, config.port, backlog=config.backlog
        )
        self.servers = [server]
        self.started = True
        address, port = server.sockets[0].getsockname()[:2]
        emit(Event.PROCESS_STARTED, address=f"{address}:{port}", count=1)

    def _protocol(self) -> asyncio.BaseProtocol:
        connection = Connection(
            self._crowd, config=self.config, server_state=self.server_state, app_state={}, _loop=None
        )
        return Handshake(connection, self.config.ssl) if self.config.ssl else connection

    async def shutdown(self, sockets: Any = None) -> None:
        """Takes no more, lets what is under way end, and says so."""
        await super().shutdown(sockets)
        emit(Event.PROCESS_STOPPED)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends in good order at a signal; uvicorn would raise it again at the end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
