"""The database is lost and brought back: what was closed since the backup stays closed, the rest opens."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import ANY

import psycopg
import pytest

from meldbrug.client import Connection, Decided, MemberClient, Yes
from meldbrug.client.errors import MeldbrugError
from meldbrug.common.v1.common_pb2 import (
    GROUND_REPORTER_CONSENT,
    KIND_MEASURES,
    KIND_SUMMARY,
    PURPOSE_INFORM,
)
from meldbrug.crypto import SecretKeys
from tests.support.actors import Actors, Case, Hired
from tests.support.recovery import Place, opening, waits_for_lock
from tests.support.sector import World
from tests.support.stack import fresh_database

LOADER = "meldbrug backup"
FIRST_CONSENT = "SELECT name FROM disclosure.consents WHERE notice = %s ORDER BY create_time LIMIT 1"
Arguments = tuple[str | Path, ...]
WHOLE = {KIND_SUMMARY, KIND_MEASURES}
HELD = "SELECT pg_advisory_lock(hashtextextended('meldbrug/migrate', 0))"


@dataclass
class Scene:
    """A notice that opens to a reader, and to a second one who is left alone."""

    actors: Actors
    case: Case
    reader: Hired
    other: Hired

    @property
    def admin(self) -> MemberClient:
        """The admin of the readers' organisation."""
        return self.actors.admin("noorderlicht")


async def scene(actors: Actors, other: Hired, *, excluding: str = "") -> Scene:
    """Plays up to where both readers may open, a new one and one who was there before."""
    readers = [await actors.contact("noorderlicht"), other]
    organisations = [actors.world.sector.organisation(excluding)] if excluding else []
    case = await actors.report(excluded_organisations=organisations)
    await case.propose("noorderlicht", [reader.client for reader in readers])
    await case.accepted()
    return Scene(actors, case, *readers)


async def withdrawn(on: Scene) -> None:
    await on.case.consents.withdraw(on.case.notice)


async def report_withdrawn(on: Scene) -> None:
    await on.case.reporter.withdraw_report()


async def excluded(on: Scene) -> None:
    await on.case.reporter.exclude([(await on.reader.client.me()).member.subject])


async def superseded(on: Scene) -> None:
    await on.case.give(Yes(reader_kids=[on.other.kid]))


async def decision_revoked(on: Scene) -> None:
    stands_no_more = Decided(GROUND_REPORTER_CONSENT, "Het hoeft niet meer.", stands=False)
    await on.case.handler.handler.decide(on.case.notice, stands_no_more)


async def appointment_ended(on: Scene) -> None:
    await on.admin.admin.end_appointment(on.reader.appointment)


async def removed(on: Scene) -> None:
    await on.admin.admin.remove(on.reader.member)


async def rotated(on: Scene) -> None:
    await on.reader.client.rotation.rotate(SecretKeys.generate())


async def joined_the_excluded(on: Scene) -> None:
    await on.actors.hire("kade9", "Productieleider", known_as=on.reader.client)


async def participation_ended(on: Scene) -> None:
    await on.admin.admin.end_participation(on.case.on.participations["noorderlicht"])


# What is closed, and whether it is closed to the second reader too.
KINDS: dict[Callable[[Scene], Awaitable[None]], bool] = {
    withdrawn: True,
    report_withdrawn: True,
    excluded: False,
    # The yes that took its place is lost with the database; only what closed is remembered.
    superseded: True,
    decision_revoked: True,
    appointment_ended: False,
    removed: False,
    rotated: False,
    joined_the_excluded: False,
    participation_ended: True,
}


Scenes = dict[Callable[[Scene], Awaitable[None]], Scene]


async def prepared(world: World) -> tuple[Scenes, Scene]:
    """One scene for each kind, in which everything opens, and one that nobody closes."""
    actors, apart = await Actors.on_their_own(world), await Actors.on_their_own(world)
    other, apart_other = await actors.contact("noorderlicht"), await apart.contact("noorderlicht")
    made: Scenes = {}
    for kind in KINDS:
        excluding = "kade9" if kind is joined_the_excluded else ""
        if kind is participation_ended:
            made[kind] = await scene(apart, apart_other)
        else:
            made[kind] = await scene(actors, other, excluding=excluding)
    for on in made.values():
        assert await kinds_opened(on.reader.client, on.case.notice) == WHOLE
    return made, await scene(actors, other)


async def kinds_opened(client: MemberClient, notice: str) -> set[int]:
    """Which kinds a reader reads; none where the door is closed."""
    try:
        return {text.kind for text in (await client.reader.open(notice, PURPOSE_INFORM)).texts}
    except MeldbrugError:
        return set()


@pytest.fixture
def place(world: World, tmp_path: Path) -> Iterator[Place]:
    """An empty database beside the one that is lost."""
    backends = world.stack.backends
    with fresh_database(backends) as url:
        yield Place.beside(world.stack.settings(), url, world.keys_folder, tmp_path)


async def test_a_restore_opens_all_but_what_was_closed_since(
    world: World, place: Place, tmp_path: Path
) -> None:
    """I19, I27, I5: also when the restore is killed while it loads and while it closes."""
    lost = Place(world.endpoints.database_url, place.keys, world.stack.settings())
    scenes, kept = await prepared(world)
    backup, journals = tmp_path / "backup", world.stack.backends.folder.narrowings
    assert await asyncio.to_thread(lost.run, *lost.saving(backup)) == (0, ANY)
    for kind, on in scenes.items():
        await kind(on)
        assert await kinds_opened(on.reader.client, on.case.notice) == set(), kind.__name__
    restoring = place.restoring(backup, journals)

    await killed_while_loading(place, restoring)
    grants = await killed_while_closing(place, restoring)
    # Teeth: without the journal all of it would open again, by SQL and wraps alike.
    assert grants >= {(await consent_of(world, on), on.reader.kid) for on in scenes.values()}
    await refuses_to_serve(place)
    assert await asyncio.to_thread(place.run, *restoring) == (0, ANY)

    async with place.serving() as address, again(world, address) as connection:
        for kind, on in scenes.items():
            assert await opened_again(connection, on, on.reader) == set(), kind.__name__
            others = set() if KINDS[kind] else WHOLE
            assert await opened_again(connection, on, on.other) == others, kind.__name__
        for reader in (kept.reader, kept.other):
            assert await opened_again(connection, kept, reader) == WHOLE


async def killed_while_loading(place: Place, restoring: Arguments) -> None:
    """Kills the restore while PostgreSQL's program loads the backup."""
    async with await psycopg.AsyncConnection.connect(place.url) as sql:
        # Not committed, so that nothing is there, and whoever makes the same schema waits.
        await sql.execute("CREATE SCHEMA disclosure")
        await killed(place, restoring)
        await sql.rollback()


async def killed_while_closing(place: Place, restoring: Arguments) -> set[tuple[str, str]]:
    """Kills the restore while it closes again what was closed; returns what opens without that."""
    async with (
        await psycopg.AsyncConnection.connect(place.url, autocommit=True) as gate,
        await psycopg.AsyncConnection.connect(place.url) as sql,
    ):
        await gate.execute(HELD)
        process = place.start(*restoring)
        await waits_for_lock(place.url, "meldbrug migrate")
        grants = {(grant, kid) for grant, kid, _ in await opening(place.url)}
        await sql.execute("LOCK TABLE disclosure.exclusions")
        await gate.execute("SELECT pg_advisory_unlock_all()")
        await killed(place, restoring, process)
        await sql.rollback()
    return grants


async def killed(place: Place, restoring: Arguments, process: subprocess.Popen[str] | None = None) -> None:
    """Kills the restore once it waits for what this test holds."""
    process = process or place.start(*restoring)
    await waits_for_lock(place.url, LOADER)
    process.kill()
    said, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == -signal.SIGKILL, said


async def refuses_to_serve(place: Place) -> None:
    """No service starts on what was brought back in part."""
    env = {**place.env, "MELDBRUG_LISTEN": "127.0.0.1:0"}
    status, said = await asyncio.to_thread(Place(place.url, place.keys, env).run, *place.running())
    assert (status, "a restore is not complete" in said) == (2, True), said


async def consent_of(world: World, on: Scene) -> str:
    """The consent that a scene began with."""
    with world.sql() as sql:
        found = sql.execute(FIRST_CONSENT, (on.case.notice,)).fetchone()
    assert found is not None
    return str(found[0])


@asynccontextmanager
async def again(world: World, address: str) -> AsyncIterator[Connection]:
    """A connection to what was brought back."""
    addresses = dict.fromkeys(world.endpoints.services, address)
    async with Connection(addresses, world.endpoints.installation) as connection:
        yield connection


async def opened_again(connection: Connection, on: Scene, reader: Hired) -> set[int]:
    """What a reader reads of a scene over another connection."""
    return await kinds_opened(MemberClient(connection, reader.client.keys), on.case.notice)
