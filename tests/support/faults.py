"""What fault tests share: a client that remembers what it sent, a process killed, and what must hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar

import psycopg
from google.protobuf.message import Message

from demo.seed import settle
from demo.story import Told
from meldbrug.client import Connection, NotPermitted, Refused
from meldbrug.client.connection import Credentials
from meldbrug.client.errors import MeldbrugError
from services.bootstrap.policy import PROBE
from services.bootstrap.secrets import key_pair
from services.disclosure.policy_sync import wanted
from services.disclosure.store import policy
from services.kernel.authz import PolicyTuple
from services.kernel.db import Database
from services.kernel.failpoints import POINTS
from services.kernel.openfga.adapter import OpenFGA
from tests.support.sector import SWITCHES, Recording, World

if TYPE_CHECKING:
    from services.stack.stack import Stack

M = TypeVar("M", bound=Message)
T = TypeVar("T")

POINT_FILE = "MELDBRUG_TEST_FAILPOINT_FILE"
FAST = {**SWITCHES, "MELDBRUG_REFUSAL_FLOOR_MS": "0"}
"""Closed doors answer at once: these tests knock thousands of times."""
PATIENCE_S = 20.0
POLL_S = 0.03


@dataclass(frozen=True)
class Sent:
    """One call as it was made; sending it again repeats the same bytes, `request_id` included."""

    method: str
    request: Message
    answer: type[Message]
    credentials: Credentials | None


class Recorder(Connection):
    """A connection that remembers its calls and every release it was given."""

    def __init__(self, world_of: Stack, *, patience_s: float = 30.0) -> None:
        """Connects to a stack; gives up on a call after `patience_s`."""
        self.stack, self.patience_s = world_of, patience_s
        self.hasty: dict[str, float] = {}
        """How long to wait for a method, by its short name; once, and no repetition."""
        self.at_first: dict[str, Callable[[], None]] = {}
        """What to do before a method is called for the first time, by its short name."""
        self.sent: list[Sent] = []
        self.released: set[tuple[str, str]] = set()
        super().__init__(world_of.endpoints.services, world_of.endpoints.installation)

    async def call(
        self,
        method: str,
        request: Message,
        answer: type[M],
        credentials: Credentials | None = None,
        *,
        within_s: float = 30.0,
        repeat_when_exhausted: bool = False,
    ) -> M:
        """Calls, and remembers it."""
        short = method.rpartition("/")[2]
        if at_first := self.at_first.pop(short, None):
            at_first()
        self.sent.append(Sent(method, request, answer, credentials))
        found = await super().call(
            method,
            request,
            answer,
            credentials,
            within_s=min(within_s, self.hasty.get(short, self.patience_s)),
            repeat_when_exhausted=repeat_when_exhausted,
        )
        if method.endswith("/OpenSections") and credentials:
            self.released.add((credentials.keys.kid, request.request_id))  # type: ignore[attr-defined]
        return found

    def last(self, method: str) -> Sent:
        """The last call of a method, by its short name."""
        return next(sent for sent in reversed(self.sent) if sent.method.endswith("/" + method))

    async def again(self, sent: Sent) -> Message:
        """Sends the same bytes again, over a connection of its own."""
        async with Connection(self.stack.endpoints.services, self.installation, clock=self.clock) as fresh:
            return await fresh.call(sent.method, sent.request, sent.answer, sent.credentials)


@asynccontextmanager
async def settled_on(stack: Stack, connection: Connection) -> AsyncIterator[World]:
    """Yields the demo sector on `stack`, with nothing told yet."""
    root = key_pair(Path(stack.endpoints.secretariat_key_path))
    sector = await settle(connection, root, stack.backends.folder.path, lambda _line: None)
    yield World(stack, sector, connection, Told(), Recording())


async def until(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool] = bool) -> T:
    """Returns what `look` finds once it holds; the last finding is in the failure otherwise."""
    end = time.monotonic() + PATIENCE_S
    while not holds(found := await look()):
        assert time.monotonic() < end, f"still {found!r} after {PATIENCE_S} s"
        await asyncio.sleep(POLL_S)
    return found


async def succeeds(act: Callable[[], Awaitable[T]]) -> T:
    """Returns what `act` gives once it is let through: what follows by job needs a moment."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await act()
        except MeldbrugError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(POLL_S)


async def is_refused(act: Awaitable[object]) -> bool:
    """Whether the door is closed; anything but the one refusal is a failure of the test."""
    try:
        await act
    except NotPermitted:
        return True
    return False


async def outcome(act: Awaitable[object]) -> str:
    """`OK`, or the code with which it was refused."""
    try:
        await act
    except Refused as refused:
        return refused.code
    return "OK"


async def restart(stack: Stack, service: str, **env: str) -> None:
    """Ends a service in good order and starts it with other settings for this once."""
    await asyncio.to_thread(stack.stop, service)
    await asyncio.to_thread(stack.start, service, env)


@asynccontextmanager
async def armed(stack: Stack, point: str, action: str = "") -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Arms a failpoint until the end of the block; yields a look whether somebody came there.

    Whoever comes there is held; with `error` as action, fails.
    """
    if point not in POINTS:
        raise ValueError(f"no such failpoint: {point}")
    file, log = Path(stack.env[POINT_FILE]), stack.log(service_of(point))
    before = log.stat().st_size
    await asyncio.to_thread(_write, file, f"{point} {action}")
    try:
        yield lambda: _says(log, before, f"held {point}")
    finally:
        await asyncio.to_thread(file.unlink)


def service_of(point: str) -> str:
    """The service whose process comes to a failpoint."""
    return point.partition(".")[0]


def _write(file: Path, text: str) -> None:
    """In one step: a service that reads it meanwhile sees the whole name or none."""
    written = file.with_suffix(".new")
    written.write_text(text, "utf-8")
    written.replace(file)


async def killed_at(stack: Stack, point: str, act: Coroutine[Any, Any, object]) -> None:
    """Kills a service while it is held at one of its failpoints by `act`, then starts it again.

    The caller of `act` never gets an answer.
    """
    service = service_of(point)
    async with armed(stack, point) as is_held:
        calling = asyncio.create_task(act)
        try:
            await until(is_held)
            assert not calling.done(), "an answer came before the kill"
            await killed(stack, service)
        finally:
            calling.cancel()
            with suppress(asyncio.CancelledError, MeldbrugError):
                await calling
    await asyncio.to_thread(stack.start, service)


async def killed(stack: Stack, service: str) -> None:
    """Kills a service, as a crash would."""
    child = stack.process(service)
    await asyncio.to_thread(stack.kill, service)
    assert child.process.returncode == -9, "the process did not die of the kill"


async def _says(log: Path, offset: int, line: str) -> bool:
    with log.open("rb") as lines:
        lines.seek(offset)
        return line.encode() in lines.read()


def count(world: World, query: LiteralString, *values: object) -> int:
    """Counts in the database, as the operator could."""
    with world.sql() as sql:
        row = sql.execute(query, values).fetchone()
    assert row is not None
    return int(row[0])


def effects(world: World, incident: str) -> dict[str, int]:
    """How many rows of each kind an incident has; equal before and after a repeated call."""
    counted = {}
    with world.sql() as sql:
        for table in ("sections", "wraps", "seats", "notices", "consents", "acts", "acceptances", "releases"):
            row = sql.execute(_PER_INCIDENT[table], (incident,)).fetchone()
            counted[table] = row[0] if row else 0
    return counted


_PER_INCIDENT: dict[str, LiteralString] = {
    "sections": "SELECT count(*) FROM disclosure.sections WHERE incident = %s",
    "wraps": "SELECT count(*) FROM disclosure.wraps WHERE incident = %s",
    "seats": "SELECT count(*) FROM disclosure.seats WHERE incident = %s",
    "notices": "SELECT count(*) FROM disclosure.notices WHERE incident = %s",
    "consents": "SELECT count(*) FROM disclosure.consents WHERE incident = %s",
    "acts": "SELECT count(*) FROM disclosure.acts WHERE incident = %s",
    "acceptances": "SELECT count(*) FROM disclosure.acceptances WHERE notice LIKE %s || '/%%'",
    "releases": "SELECT count(*) FROM disclosure.releases WHERE incident = %s",
}


async def drift(world: World, incident: str) -> set[PolicyTuple]:
    """The tuples in which the policy engine and the database differ about an incident."""
    ends = world.endpoints
    token = await asyncio.to_thread(Path(ends.openfga_token_path).read_text)
    authz = OpenFGA(
        ends.openfga_grpc_address,
        ends.openfga_store_id,
        ends.openfga_model_id,
        probe=PROBE,
        token=token.strip(),
        timeout_s=5.0,
    )
    database = Database(ends.database_url, "disclosure", app_name="test", clock_offset_enabled=True)
    try:
        async with database.transaction() as conn:
            facts = await policy.facts(conn, incident)
        held: set[PolicyTuple] = set()
        for name in (facts.incident, *facts.notices):
            collection, _, own = name.rpartition("/")
            held |= set(await authz.read(f"{collection.rpartition('/')[2].removesuffix('s')}:{own}"))
        return held ^ set(wanted(facts))
    finally:
        await database.close()
        await authz.close()


async def converged(world: World, incident: str) -> None:
    """Waits until the policy engine holds exactly what the database wants (I6)."""
    await until(lambda: drift(world, incident), lambda found: not found)


def busy_backends(world: World) -> list[tuple[object, ...]]:
    """Connections of the services that are inside a transaction or hold a lock: none when all is quiet."""
    query = (
        "SELECT pid, application_name, state FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle' "
        "UNION ALL SELECT pid, locktype, mode FROM pg_locks WHERE locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with psycopg.connect(world.endpoints.database_url, autocommit=True) as sql:
        return list(sql.execute(query))
