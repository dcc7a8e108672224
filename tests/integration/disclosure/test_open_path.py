"""The open path as a whole, on the real policy engine: what is recorded, what errors do, what races do."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import psycopg
import pytest
from psycopg import AsyncRawCursor
from psycopg.rows import dict_row
from sqlalchemy import text

from services.disclosure.domain import CloseReason, Door, Kind, NoticeState, Purpose
from services.disclosure.store import tables as t
from services.disclosure.store.releases import OPEN
from services.disclosure.usecases.open import ATTEMPTS
from services.kernel.authz import PolicyTuple
from services.kernel.db import Lock
from services.kernel.errors import NotPermitted, Refusal, RequestIdReused, Unavailable
from services.kernel.openfga.adapter import OpenFGA, Probe
from tests.integration.disclosure.between import Between, gives_up, raise_epoch
from tests.integration.disclosure.scene import Notice, Person, Scene, request_id

OPENERS = 8


@pytest.fixture
def reader(scene: Scene) -> Person:
    return scene.person()


@pytest.fixture
async def notice(scene: Scene, reader: Person) -> Notice:
    return await scene.notice([reader])


async def test_the_engine_must_say_yes_too(
    scene: Scene, policy: OpenFGA, reader: Person, notice: Notice
) -> None:
    """SQL would allow it; without its tuple nobody reads (I5)."""
    live = PolicyTuple("user:*", "live", "notice:" + notice.name.rpartition("/")[2])
    await policy.write(deletes=[live])

    with pytest.raises(NotPermitted):
        await scene.read(reader, notice.name)
    assert await scene.count(t.releases, kid=reader.kid) == 0


async def test_the_engine_knows_each_readers_kinds_and_purposes(scene: Scene, policy: OpenFGA) -> None:
    reader = scene.person()
    notice = await scene.notice([reader], [Kind.SUMMARY], purposes=[Purpose.INFORM])
    context = {"current_time": "2026-12-01T00:00:00Z", "purpose": "INFORM", "requested": ["SUMMARY"]}
    target = "notice:" + notice.name.rpartition("/")[2]

    assert await policy.check(reader.user, "can_open", target, context=context)
    assert not await policy.check(
        reader.user, "can_open", target, context={**context, "purpose": "PROTECT_PEOPLE"}
    )
    assert not await policy.check(
        reader.user, "can_open", target, context={**context, "requested": ["ACCOUNT"]}
    )


async def test_an_engine_that_is_down_is_no_denial_and_no_yes(
    scene: Scene, policy_engine: Any, reader: Person, notice: Notice
) -> None:
    nobody = OpenFGA("127.0.0.1:1", "01JD0000000000000000000000", "01JD0000000000000000000000",
                     probe=Probe("organisation:probe", "member"), timeout_s=0.2)  # fmt: skip

    for attempt in (
        lambda: scene.asking(nobody).read(reader, notice.name),
        lambda: scene.asking(nobody).handle(scene.handler, scene.account),
    ):
        with pytest.raises(Unavailable) as refused:
            await attempt()
        assert refused.value.reason == "POLICY_UNAVAILABLE"
        assert refused.value.retry_after_s
    assert await scene.count(t.releases, incident=scene.incident) == 0
    assert (await scene.asking(nobody).reread(scene.account)).sections
    await nobody.close()


async def test_a_repeated_call_is_recorded_once_and_answered_again(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    """I8, I12."""
    request = request_id()

    first = await scene.read(reader, notice.name, request=request)
    second = await scene.read(reader, notice.name, request=request)

    assert first == second
    assert await scene.count(t.releases, kid=reader.kid) == 1


async def test_a_repeated_call_is_decided_anew(scene: Scene, reader: Person, notice: Notice) -> None:
    """T8: what was allowed yesterday does not open after the withdrawal."""
    request = request_id()
    await scene.read(reader, notice.name, request=request)

    await scene.close(notice.name, CloseReason.WITHDRAWN)

    with pytest.raises(NotPermitted):
        await scene.read(reader, notice.name, request=request)


async def test_a_request_id_covers_no_other_opening(scene: Scene, reader: Person, notice: Notice) -> None:
    """Otherwise a second disclosure would leave no trace (I8)."""
    request = request_id()
    await scene.read(reader, notice.name, Kind.CONTEXT, request=request)

    with pytest.raises(RequestIdReused):
        await scene.read(reader, notice.name, Kind.SUMMARY, request=request)
    with pytest.raises(RequestIdReused):
        await scene.read(reader, notice.name, request=request)
    with pytest.raises(RequestIdReused):
        await scene.read(reader, notice.name, Kind.CONTEXT, purpose=Purpose.PROTECT_PEOPLE, request=request)
    assert await scene.count(t.releases, kid=reader.kid) == 1


async def test_a_request_id_covers_no_newer_version(scene: Scene) -> None:
    await scene.deps.sync.sync(scene.incident)
    request = request_id()
    await scene.handle(scene.handler, scene.account, request=request)
    await scene.section(Kind.ACCOUNT, [scene.handler.kid], scene.account, version=2)

    with pytest.raises(RequestIdReused):
        await scene.handle(scene.handler, scene.account, request=request)


async def test_the_statement_itself_brings_no_content_without_a_record(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    """Whatever its caller does with the rows: what was not written down is not among them."""
    request = request_id()
    await scene.read(reader, notice.name, Kind.CONTEXT, request=request)
    (row,) = await scene.all(t.incidents, name=scene.incident)
    values = {
        "incident": scene.incident,
        "notice": notice.name,
        "kinds": [Kind.SUMMARY.value],
        "purpose": Purpose.INFORM.value,
        "request_id": request,
        "epoch": row.epoch,
        "kid": reader.kid,
        "subject": reader.subject,
    }
    statement = OPEN[Door.READER].call

    async def run(driver: Any) -> list[Any]:
        cursor = AsyncRawCursor(driver, row_factory=dict_row)
        await cursor.execute(statement.text, [values[name] for name in statement.names])
        return await cursor.fetchall()

    (only,) = await scene.database.run_raw(run)

    assert (only["let_out"], only["recorded"], only["is_reused"]) == (True, False, True)
    assert (only["name"], only["ciphertext"], only["wrap"]) == (None, None, None)


async def test_the_same_call_twice_at_once_is_recorded_once(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    request = request_id()
    await scene.read(reader, notice.name)

    answers = await asyncio.gather(*(scene.read(reader, notice.name, request=request) for _ in range(5)))

    assert all(answer == answers[0] for answer in answers)
    assert await scene.count(t.releases, kid=reader.kid, request_id=request) == 1


async def test_the_first_opening_is_told_and_later_ones_are_not(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    (before,) = await scene.all(t.incidents, name=scene.incident)

    await scene.read(reader, notice.name)

    (seat,) = await scene.all(t.seats, kid=reader.kid)
    (row,) = await scene.all(t.notices, name=notice.name)
    (after,) = await scene.all(t.incidents, name=scene.incident)
    assert seat.first_open_time is not None
    assert (row.state, row.open_time is not None) == (NoticeState.OPENED, True)
    assert (after.version, after.epoch) == (before.version + 1, before.epoch)
    assert await scene.own_jobs() == [("inform", {"incident": scene.incident})]

    await scene.read(reader, notice.name)
    assert len(await scene.own_jobs()) == 1
    assert (await scene.all(t.notices, name=notice.name))[0].open_time == row.open_time


async def test_each_readers_first_opening_is_told(scene: Scene) -> None:
    first, second = scene.colleagues(2)
    notice = await scene.notice([first, second])

    await asyncio.gather(scene.read(first, notice.name), scene.read(second, notice.name))

    assert len(await scene.own_jobs()) == 2
    assert all(seat.first_open_time for seat in await scene.all(t.seats, notice=notice.name))


async def test_a_change_between_check_and_opening_asks_again(
    scene: Scene, policy: OpenFGA, reader: Person, notice: Notice
) -> None:
    changes = iter([True])

    async def after() -> None:
        if next(changes, False):
            await raise_epoch(scene)

    assert (await scene.asking(Between(policy, after)).read(reader, notice.name)).sections


async def test_changes_without_end_are_given_up_on(
    scene: Scene, policy: OpenFGA, reader: Person, notice: Notice
) -> None:
    await gives_up(scene, policy, ATTEMPTS, lambda changing: changing.read(reader, notice.name))
    assert await scene.count(t.releases, kid=reader.kid) == 0


async def test_a_withdrawal_between_check_and_opening_wins(
    scene: Scene, policy: OpenFGA, reader: Person, notice: Notice
) -> None:
    async def after() -> None:
        await scene.close(notice.name, CloseReason.WITHDRAWN)

    with pytest.raises(NotPermitted):
        await scene.asking(Between(policy, after)).read(reader, notice.name)
    assert await scene.count(t.releases, kid=reader.kid) == 0


@pytest.mark.parametrize("has_opened", [False, True], ids=["first opening", "later one"])
async def test_no_content_is_returned_when_the_record_does_not_commit(
    scene: Scene, reader: Person, notice: Notice, has_opened: bool
) -> None:
    """I8: the rows are at the client before the end of the transaction fails, and are not given out."""
    if has_opened:
        await scene.read(reader, notice.name)
    async with scene.database.transaction() as conn:
        await conn.execute(text(FAILS_AT_COMMIT))
    try:
        with pytest.raises(psycopg.errors.RaiseException, match="no room for the record"):
            await scene.read(reader, notice.name)
    finally:
        async with scene.database.transaction() as conn:
            await conn.execute(text("DROP TRIGGER refuse ON disclosure.releases"))

    assert await scene.count(t.releases, kid=reader.kid) == has_opened
    assert (await scene.read(reader, notice.name)).sections


FAILS_AT_COMMIT = """
CREATE OR REPLACE FUNCTION disclosure.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no room for the record'; END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON disclosure.releases DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION disclosure.refuse()"""


async def test_an_opening_that_waited_for_a_withdrawal_sees_it(
    scene: Scene, policy: OpenFGA, reader: Person, notice: Notice
) -> None:
    """I1: it began before the withdrawal committed, and is decided on what stands when the lock is had."""
    checked = asyncio.Event()

    async def after() -> None:
        checked.set()

    async def withdraw(conn: Any) -> None:
        opening = asyncio.create_task(scene.asking(Between(policy, after)).read(reader, notice.name))
        openings.append(opening)
        await checked.wait()
        while not await conn.scalar(text(WAITING)):
            await asyncio.sleep(0.005)
        await scene.deps.closing.close_notice(conn, notice.name, CloseReason.WITHDRAWN)

    openings: list[asyncio.Task[Any]] = []
    # Without a new epoch: what the call saw before it waited must not let it through either.
    await scene.database.run_unit(withdraw, Lock(scene.incident))

    with pytest.raises(NotPermitted):
        await openings[0]
    assert await scene.count(t.releases, kid=reader.kid) == 0


WAITING = (
    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
)


async def test_no_opening_succeeds_that_begins_after_a_withdrawal(scene: Scene) -> None:
    """I2, T19: eight readers open without pause; the withdrawal neither waits long nor is overtaken."""
    readers = scene.colleagues(OPENERS)
    notice = await scene.notice(readers)
    loop, closed_at = asyncio.get_running_loop(), float("inf")
    begun: list[float] = []

    async def keep_opening(reader: Person) -> None:
        while True:
            start = loop.time()
            try:
                await scene.read(reader, notice.name)
            except NotPermitted:
                return
            except Unavailable:
                continue
            begun.append(start)

    async with asyncio.TaskGroup() as group:
        for reader in readers:
            group.create_task(keep_opening(reader))
        while len(begun) < 3 * OPENERS:
            await asyncio.sleep(0.01)
        start = loop.time()
        await scene.close(notice.name, CloseReason.WITHDRAWN)
        closed_at = loop.time()

    assert max(begun) < closed_at
    # The bound of the design is 150 ms at the 99th percentile; this machine is shared with other tests.
    assert closed_at - start < 0.9
    assert await scene.count(t.releases, notice=notice.name) == len(begun)


async def test_cancelled_openings_leave_every_connection_idle(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    """I20: and each opening that was recorded or not is whole."""
    chance = random.Random(20)

    for _ in range(60):
        task = asyncio.create_task(scene.read(reader, notice.name))
        await asyncio.sleep(chance.random() * 0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert await scene.idle_connections() == []
    assert (await scene.read(reader, notice.name)).sections
    for release in await scene.all(t.releases, kid=reader.kid):
        assert len(release.sections) == 2


async def test_an_error_in_the_call_leaves_the_connection_usable(
    scene: Scene, reader: Person, notice: Notice
) -> None:
    with pytest.raises(Exception, match="smallint") as failed:
        await scene.opening._open(
            3, reader.actor(),  # type: ignore[arg-type]
            {"incident": scene.incident, "notice": notice.name, "kinds": [10**6], "purpose": 4,
             "request_id": "x"},
            lambda _standing: granted(scene, reader, notice),
        )  # fmt: skip

    assert not isinstance(failed.value, Refusal)
    assert await scene.idle_connections() == []
    assert (await scene.read(reader, notice.name)).sections


async def granted(scene: Scene, reader: Person, notice: Notice) -> Any:
    """A grant as the engine would lead to."""
    from services.disclosure.store.access import NoticeRef, Read
    from services.kernel.authz import granted_by_record

    return granted_by_record(reader.actor(), Read, NoticeRef(notice.name))
