"""The port to the policy engine: one suite on our gRPC adapter and on the SDK, against the real engine."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from openfga_sdk import ReadRequestTupleKey
from openfga_sdk.client.models import (
    ClientBatchCheckItem,
    ClientBatchCheckRequest,
    ClientCheckRequest,
    ClientTuple,
    ClientWriteRequest,
)
from openfga_sdk.client.models.write_conflict_opts import (
    ClientWriteRequestOnDuplicateWrites,
    ClientWriteRequestOnMissingDeletes,
    ConflictOptions,
)
from openfga_sdk.exceptions import OpenApiException
from openfga_sdk.models import RelationshipCondition

from services.kernel.authz import (
    Actor,
    Authz,
    Context,
    Grant,
    PolicyTuple,
    PrincipalClass,
    Question,
    granted_by_record,
    timestamp,
)
from services.kernel.errors import NotPermitted, Unavailable
from services.kernel.openfga.adapter import OpenFGA, Probe
from services.stack import Backends
from tests.integration.kernel.conftest import MODEL
from tests.support import openfga_admin as admin
from tests.support.echo import PROBE
from tests.support.proxy import proxied


class ByTheSDK(Authz):
    """The same port on the vendor's SDK over HTTP: what our adapter is held against."""

    def __init__(self, http_url: str, store_id: str, model_id: str, token: str) -> None:
        self._client = admin.client(http_url, store_id=store_id, token=token)
        self.model_id = model_id
        self._options = {"authorization_model_id": model_id, "consistency": "HIGHER_CONSISTENCY"}

    async def check(self, user: str, relation: str, object: str, *, context: Context | None = None) -> bool:
        request = ClientCheckRequest(user=user, relation=relation, object=object, context=context)
        try:
            return (await self._client.check(request, self._options)).allowed is True
        except OpenApiException as cause:
            raise Unavailable("POLICY_UNAVAILABLE") from cause

    async def check_many(self, questions: Sequence[Question]) -> list[bool]:
        items = [
            ClientBatchCheckItem(
                user=q.user, relation=q.relation, object=q.object, context=q.context, correlation_id=str(n)
            )
            for n, q in enumerate(questions)
        ]
        answer = await self._client.batch_check(ClientBatchCheckRequest(checks=items), self._options)
        by_id = {result.correlation_id: result for result in answer.result}
        if any(by_id[str(n)].error for n in range(len(items))):
            raise Unavailable("POLICY_UNAVAILABLE")
        return [by_id[str(n)].allowed is True for n in range(len(items))]

    async def read(self, object: str, *, relation: str = "", user: str = "") -> list[PolicyTuple]:
        key = ReadRequestTupleKey(object=object, relation=relation or None, user=user or None)
        found, token = [], ""
        while True:
            page = await self._client.read(
                key, {"page_size": 100, **({"continuation_token": token} if token else {})}
            )
            found += [_tuple(entry.key) for entry in page.tuples]
            if not (token := page.continuation_token):
                return found

    async def write(self, writes: Sequence[PolicyTuple] = (), deletes: Sequence[PolicyTuple] = ()) -> None:
        request = ClientWriteRequest(
            [_client_tuple(w) for w in writes] or None, [_client_tuple(d) for d in deletes] or None
        )
        conflict = ConflictOptions(
            on_duplicate_writes=ClientWriteRequestOnDuplicateWrites.IGNORE,
            on_missing_deletes=ClientWriteRequestOnMissingDeletes.IGNORE,
        )
        try:
            await self._client.write(request, {**self._options, "conflict": conflict})
        except OpenApiException as cause:
            raise Unavailable("POLICY_UNAVAILABLE") from cause

    async def ready(self) -> None:
        await self._client.get_store()

    async def close(self) -> None:
        await self._client.close()


def _tuple(key: Any) -> PolicyTuple:
    if not key.condition:
        return PolicyTuple(key.user, key.relation, key.object)
    return PolicyTuple.conditional(
        key.user, key.relation, key.object, key.condition.name, key.condition.context
    )


def _client_tuple(entry: PolicyTuple) -> ClientTuple:
    condition = RelationshipCondition(entry.condition, json.loads(entry.context)) if entry.condition else None
    return ClientTuple(user=entry.user, relation=entry.relation, object=entry.object, condition=condition)


@pytest.fixture(params=["grpc", "sdk"])
async def authz(request: pytest.FixtureRequest, backends: Backends) -> AsyncIterator[Authz]:
    engine = backends.openfga
    store = await admin.create_store(engine.http_url, "contract", token=engine.token)
    model = await admin.write_model(engine.http_url, store, json.dumps(MODEL), token=engine.token)
    made = (
        OpenFGA(engine.grpc_address, store, model, probe=PROBE, token=engine.token, timeout_s=2.0)
        if request.param == "grpc"
        else ByTheSDK(engine.http_url, store, model, engine.token)
    )
    yield made
    await made.close()


def window(user: str, until: str, kinds: list[str]) -> PolicyTuple:
    return PolicyTuple.conditional(user, "reader", "thing:t", "window", {"until": until, "kinds": kinds})


READER = PolicyTuple("user:a", "reader", "thing:t")
NOW = {"current_time": "2026-11-23T09:00:00Z", "kind": "SUMMARY"}


async def test_what_is_written_holds_and_what_is_deleted_does_not(authz: Authz) -> None:
    assert not await authz.check("user:a", "can_open", "thing:t")
    await authz.write([READER])
    assert await authz.check("user:a", "can_open", "thing:t")
    await authz.write([PolicyTuple("user:a", "blocked", "thing:t")])
    assert not await authz.check("user:a", "can_open", "thing:t")
    await authz.write(deletes=[PolicyTuple("user:a", "blocked", "thing:t"), READER])
    assert not await authz.check("user:a", "reader", "thing:t")


async def test_writing_twice_is_writing_once(authz: Authz) -> None:
    await authz.write([READER])
    await authz.write([READER])
    await authz.write(deletes=[READER])
    await authz.write(deletes=[READER])

    assert await authz.read("thing:t") == []


async def test_a_condition_comes_back_as_it_was_written(authz: Authz) -> None:
    entry = window("user:a", "2027-01-01T00:00:00Z", ["SUMMARY", "CONTEXT"])
    await authz.write([entry, PolicyTuple("user:b", "reader", "thing:t")])

    assert set(await authz.read("thing:t")) == {entry, PolicyTuple("user:b", "reader", "thing:t")}
    assert await authz.read("thing:t", user="user:a", relation="reader") == [entry]


@pytest.mark.parametrize(
    ("context", "allowed"),
    [
        (NOW, True),
        ({**NOW, "kind": "ACCOUNT"}, False),
        ({**NOW, "current_time": "2027-01-01T00:00:00Z"}, False),
        # What the tuple says stands above what a request says.
        ({**NOW, "kind": "ACCOUNT", "kinds": ["ACCOUNT"]}, False),
    ],
)
async def test_a_condition_is_held_against_the_context(
    authz: Authz, context: Mapping[str, Any], allowed: bool
) -> None:
    await authz.write([window("user:a", "2027-01-01T00:00:00Z", ["SUMMARY"])])

    assert await authz.check("user:a", "can_open", "thing:t", context=context) is allowed


async def test_a_condition_that_cannot_be_evaluated_is_no_denial(authz: Authz) -> None:
    await authz.write([window("user:a", "2027-01-01T00:00:00Z", ["SUMMARY"])])

    with pytest.raises(Unavailable):
        await authz.check("user:a", "can_open", "thing:t")
    with pytest.raises(Unavailable):
        await authz.check_many(
            [Question("user:a", "can_open", "thing:t", NOW), Question("user:a", "can_open", "thing:t")]
        )


async def test_a_relation_that_is_not_in_the_model_is_no_denial(authz: Authz) -> None:
    with pytest.raises(Unavailable):
        await authz.check("user:a", "can_fly", "thing:t")


async def test_another_condition_under_the_same_key_is_refused(authz: Authz) -> None:
    await authz.write([window("user:a", "2027-01-01T00:00:00Z", ["SUMMARY"])])
    wider = window("user:a", "2028-01-01T00:00:00Z", ["SUMMARY"])
    with pytest.raises(Unavailable):
        await authz.write([wider])

    await authz.write(deletes=[wider])
    await authz.write([wider])
    assert await authz.read("thing:t") == [wider]


async def test_many_answers_come_in_the_order_of_the_questions(authz: Authz) -> None:
    await authz.write([PolicyTuple(f"user:u{n}", "reader", "thing:t") for n in range(0, 60, 3)])
    if isinstance(authz, OpenFGA):
        answers = await authz.check_many([Question(f"user:u{n}", "can_open", "thing:t") for n in range(120)])
        assert answers == [n < 60 and n % 3 == 0 for n in range(120)]
    answers = await authz.check_many([Question(f"user:u{n}", "can_open", "thing:t") for n in range(40)])
    assert answers == [n % 3 == 0 for n in range(40)]


async def test_all_pages_are_read(authz: Authz) -> None:
    tuples = [PolicyTuple(f"user:u{n:03}", "reader", "thing:t") for n in range(150)]
    await authz.write(tuples[:100])
    await authz.write(tuples[100:])

    assert set(await authz.read("thing:t")) == set(tuples)


async def test_one_bad_tuple_keeps_all_out(authz: Authz) -> None:
    with pytest.raises(Unavailable):
        await authz.write([READER, PolicyTuple("organisation:o", "reader", "thing:t")])

    assert await authz.read("thing:t") == []


@dataclass(frozen=True)
class Thing:
    object: str


class Open:
    relation: ClassVar[str] = "can_open"


async def test_a_grant_is_given_or_the_door_is_closed(authz: Authz) -> None:
    await authz.write([READER])
    may, may_not = Actor(PrincipalClass.MEMBER, "persons/a"), Actor(PrincipalClass.MEMBER, "persons/b")

    grant = await authz.require(may, Open, Thing("thing:t"))
    assert (grant.actor, grant.action, grant.on.object, grant.basis) == (may, Open, "thing:t", "policy")
    assert grant.model_id == authz.model_id
    for actor, thing in (
        (may_not, "thing:t"),
        (may, "thing:absent"),
        (Actor(PrincipalClass.REPORTER, kid="k"), "thing:t"),
    ):
        with pytest.raises(NotPermitted):
            await authz.require(actor, Open, Thing(thing))


async def test_a_grant_is_given_on_what_was_asked_and_no_more(authz: Authz) -> None:
    """The conditions are asked with the context of the call."""
    await authz.write([window("user:a", "2027-01-01T00:00:00Z", ["SUMMARY"])])
    may = Actor(PrincipalClass.MEMBER, "persons/a")

    await authz.require(may, Open, Thing("thing:t"), context=NOW)
    with pytest.raises(NotPermitted):
        await authz.require(may, Open, Thing("thing:t"), context={**NOW, "kind": "ACCOUNT"})


def test_nobody_else_makes_a_grant() -> None:
    actor = Actor(PrincipalClass.REPORTER, kid="k")

    grant, thing = granted_by_record(actor, Open, Thing("thing:t")), Thing("thing:t")
    assert (grant.actor, grant.action, grant.on, grant.basis) == (actor, Open, thing, "record")
    assert grant.model_id == ""
    with pytest.raises(TypeError):
        Grant(actor, Open, Thing("thing:t"), "policy", "")


# Below: our adapter alone, on bad days.


@pytest.fixture
def adapter_of(backends: Backends, policy: dict[str, Any]) -> Any:
    def make(**changed: Any) -> OpenFGA:
        address = changed.pop("address", policy["address"])
        store, model = (
            changed.pop("store_id", policy["store_id"]),
            changed.pop("model_id", policy["model_id"]),
        )
        return OpenFGA(address, store, model, **{"probe": PROBE, "token": backends.openfga.token, **changed})

    return make


async def test_a_right_store_is_ready(adapter_of: Any) -> None:
    adapter = adapter_of()
    await adapter.ready()
    await adapter.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"store_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
        {"model_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
        {"token": "another"},
        {"probe": Probe("organisation:nothing", "member")},
        {"probe": Probe("organisation:probe", "member", denied="user:probe-allowed")},
        {"address": "127.0.0.1:1"},
    ],
    ids=["store", "model", "token", "no known yes", "no known no", "address"],
)
async def test_a_wrong_engine_is_not_ready(adapter_of: Any, wrong: dict[str, Any]) -> None:
    adapter = adapter_of(write_timeout_s=1.0, **wrong)
    with pytest.raises(Unavailable) as refusal:
        await adapter.ready()
    await adapter.close()

    assert refusal.value.reason == "POLICY_UNAVAILABLE"
    assert refusal.value.retry_after_s


async def test_nothing_is_written_to_another_store(adapter_of: Any) -> None:
    adapter = adapter_of(store_id="01ARZ3NDEKTSV4RRFFQ69G5FAV")
    with pytest.raises(Unavailable):
        await adapter.write([READER])
    await adapter.close()


async def test_a_silent_engine_is_given_up_on_and_found_again(
    adapter_of: Any, policy: dict[str, Any]
) -> None:
    async with proxied(policy["address"]) as proxy:
        adapter = adapter_of(address=f"127.0.0.1:{proxy.port}", timeout_s=0.2, in_flight=2)
        assert await adapter.check(PROBE.allowed, "member", PROBE.object)
        proxy.flowing.clear()
        began = time.perf_counter()
        checks = [adapter.check(PROBE.allowed, "member", PROBE.object) for _ in range(20)]
        results = await asyncio.gather(*checks, return_exceptions=True)
        assert all(isinstance(result, Unavailable) for result in results)
        # Those that wait for a place give up at the same moment as those that have one.
        assert time.perf_counter() - began < 0.5
        proxy.flowing.set()
        await _found_again(adapter)
        await adapter.close()


async def test_an_engine_behind_a_mute_connection_is_found_again(
    adapter_of: Any, policy: dict[str, Any]
) -> None:
    """Nothing says that the connection is gone; whatever comes over it is passed over."""
    async with proxied(policy["address"]) as proxy:
        adapter = adapter_of(address=f"127.0.0.1:{proxy.port}", timeout_s=0.2)
        assert await _holds(adapter)
        with proxy.spoiling("adrift"):
            assert not await _holds(adapter)
        await _found_again(adapter)
        await adapter.close()


async def _found_again(adapter: OpenFGA) -> None:
    async with asyncio.timeout(5):
        while not await _holds(adapter):
            await asyncio.sleep(0.05)


async def _holds(adapter: OpenFGA) -> bool:
    try:
        return await adapter.check(PROBE.allowed, "member", PROBE.object)
    except Unavailable:
        return False


async def test_too_large_a_write_is_our_mistake(adapter_of: Any) -> None:
    adapter = adapter_of()
    with pytest.raises(ValueError, match="at most 100"):
        await adapter.write([PolicyTuple(f"user:u{n}", "reader", "thing:t") for n in range(101)])
    await adapter.close()


def test_moments_are_floored_to_the_second() -> None:
    assert timestamp(datetime(2026, 11, 23, 9, 0, 0, 999_999, UTC)) == "2026-11-23T09:00:00Z"


def test_moments_are_told_in_utc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert timestamp(datetime(2026, 11, 23, 9, 0, 0, 0, UTC)) == "2026-11-23T09:00:00Z"
    finally:
        monkeypatch.undo()
        time.tzset()
