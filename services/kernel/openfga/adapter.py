"""The adapter to OpenFGA over gRPC: strong consistency always, a deadline and a cap on every call.

Everything that is not OK with a plain answer is an error, and an error is Unavailable: OpenFGA answers
with status codes of its own (2000 and up) that gRPC knows as UNKNOWN.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import Int32Value

from services.kernel.authz import Authz, Context, PolicyTuple, Question
from services.kernel.errors import Unavailable
from services.kernel.lines import Line
from services.kernel.openfga import openfga_pb2 as wire

SERVICE = "/openfga.v1.OpenFGAService/"
# OpenFGA's own limits: tuples in a Write, items in a BatchCheck, tuples in a page.
WRITE_LIMIT = 100
BATCH_LIMIT = 50
PAGE_SIZE = 100
# How long a seen store counts as the expected one: Write does not look whether its store exists.
STORE_SEEN_S = 1.0
RETRY_AFTER_S = 1.0

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Probe:
    """A relation with one user who has it and one who has not; bootstrap writes it, readiness asks it."""

    object: str
    relation: str
    allowed: str = "user:probe-allowed"
    denied: str = "user:probe-denied"

    @property
    def tuple(self) -> PolicyTuple:
        """The one tuple behind the probe."""
        return PolicyTuple(self.allowed, self.relation, self.object)


class OpenFGA(Authz):
    """OpenFGA behind the port.

    Args:
        address: host:port of its gRPC API.
        store_id: The one store we read and write; another is refused.
        model_id: Pinned in every call.
        probe: What readiness asks.
        timeout_s: Deadline of a check, waiting for a free place included.
        write_timeout_s: Deadline of a read or write.
        in_flight: How many calls at once; below the engine's pool of connections.
        token: Preshared key of the engine; none when empty.
        credentials: TLS to the engine; plaintext when absent.
    """

    def __init__(
        self,
        address: str,
        store_id: str,
        model_id: str,
        *,
        probe: Probe,
        timeout_s: float = 0.2,
        write_timeout_s: float = 2.0,
        in_flight: int = 24,
        token: str = "",
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self._line = Line(address, credentials)
        self._store_id, self.model_id, self._probe = store_id, model_id, probe
        self._timeout_s, self._write_timeout_s = timeout_s, write_timeout_s
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._places = asyncio.Semaphore(in_flight)
        self._store_seen = float("-inf")

    async def _call(self, method: str, request: Message, answer: type[M], timeout_s: float) -> M:
        body = request.SerializeToString()
        try:
            async with asyncio.timeout(timeout_s), self._places:
                found = await self._line.call(
                    SERVICE + method, body, timeout_s=timeout_s, metadata=self._metadata
                )
                return answer.FromString(found)
        except (grpc.aio.AioRpcError, TimeoutError, DecodeError) as cause:
            raise Unavailable("POLICY_UNAVAILABLE", RETRY_AFTER_S) from cause

    async def check(self, user: str, relation: str, object: str, *, context: Context | None = None) -> bool:
        """Whether the relation holds now, never from a cache."""
        request = wire.CheckRequest(
            store_id=self._store_id,
            tuple_key=wire.CheckRequestTupleKey(user=user, relation=relation, object=object),
            authorization_model_id=self.model_id,
            context=_struct(context),
            consistency=wire.HIGHER_CONSISTENCY,
        )
        answer = await self._call("Check", request, wire.CheckResponse, self._timeout_s)
        return answer.allowed is True

    async def check_many(self, questions: Sequence[Question]) -> list[bool]:
        """The answers in the order of the questions; one failed question fails them all."""
        starts = range(0, len(questions), BATCH_LIMIT)
        answers = await asyncio.gather(*(self._batch_check(questions[i : i + BATCH_LIMIT]) for i in starts))
        return [allowed for batch in answers for allowed in batch]

    async def _batch_check(self, questions: Sequence[Question]) -> list[bool]:
        request = wire.BatchCheckRequest(
            store_id=self._store_id,
            checks=[_item(number, question) for number, question in enumerate(questions)],
            authorization_model_id=self.model_id,
            consistency=wire.HIGHER_CONSISTENCY,
        )
        answer = await self._call("BatchCheck", request, wire.BatchCheckResponse, 2 * self._timeout_s)
        results = [answer.result.get(str(number)) for number in range(len(questions))]
        if any(result is None or result.WhichOneof("check_result") != "allowed" for result in results):
            raise Unavailable("POLICY_UNAVAILABLE", RETRY_AFTER_S)
        return [result is not None and result.allowed is True for result in results]

    async def read(self, object: str, *, relation: str = "", user: str = "") -> list[PolicyTuple]:
        """All tuples of an object, page by page."""
        request = wire.ReadRequest(
            store_id=self._store_id,
            tuple_key=wire.ReadRequestTupleKey(object=object, relation=relation, user=user),
            page_size=Int32Value(value=PAGE_SIZE),
            consistency=wire.HIGHER_CONSISTENCY,
        )
        found: list[PolicyTuple] = []
        while True:
            page = await self._call("Read", request, wire.ReadResponse, self._write_timeout_s)
            found += [_from_wire(entry.key) for entry in page.tuples]
            if not page.continuation_token:
                return found
            request.continuation_token = page.continuation_token

    async def write(self, writes: Sequence[PolicyTuple] = (), deletes: Sequence[PolicyTuple] = ()) -> None:
        """Writes and deletes at most 100 tuples in one transaction of the engine. Idempotent.

        Raises:
            Unavailable: also when a tuple of the same key stands there with another condition, or when
                the store is not the expected one.
        """
        if len(writes) + len(deletes) > WRITE_LIMIT:
            raise ValueError(f"at most {WRITE_LIMIT} tuples in one write")
        if not writes and not deletes:
            return
        await self._expect_store()
        request = wire.WriteRequest(store_id=self._store_id, authorization_model_id=self.model_id)
        if writes:
            request.writes.on_duplicate = "ignore"
            request.writes.tuple_keys.extend(_to_wire(entry) for entry in writes)
        if deletes:
            request.deletes.on_missing = "ignore"
            request.deletes.tuple_keys.extend(_bare(entry) for entry in deletes)
        await self._call("Write", request, wire.WriteResponse, self._write_timeout_s)

    async def _expect_store(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._store_seen < STORE_SEEN_S:
            return
        request = wire.GetStoreRequest(store_id=self._store_id)
        store = await self._call("GetStore", request, wire.GetStoreResponse, self._write_timeout_s)
        _expect(store.id == self._store_id)
        self._store_seen = now

    async def ready(self) -> None:
        """Raises Unavailable unless store, model, a known yes and a known no are as expected."""
        self._store_seen = float("-inf")
        await self._expect_store()
        request = wire.ReadAuthorizationModelRequest(store_id=self._store_id, id=self.model_id)
        model = await self._call(
            "ReadAuthorizationModel", request, wire.ReadAuthorizationModelResponse, self._write_timeout_s
        )
        _expect(model.authorization_model.id == self.model_id)
        _expect(await self.check(self._probe.allowed, self._probe.relation, self._probe.object))
        _expect(not await self.check(self._probe.denied, self._probe.relation, self._probe.object))

    async def close(self) -> None:
        """Closes the connection."""
        await self._line.close()


def _expect(holds: object) -> None:
    if not holds:
        raise Unavailable("POLICY_UNAVAILABLE", RETRY_AFTER_S)


def _struct(context: Context | None) -> Struct | None:
    if context is None:
        return None
    made = Struct()
    made.update(dict(context))
    return made


def _item(number: int, question: Question) -> wire.BatchCheckItem:
    key = wire.CheckRequestTupleKey(user=question.user, relation=question.relation, object=question.object)
    return wire.BatchCheckItem(tuple_key=key, context=_struct(question.context), correlation_id=str(number))


def _to_wire(entry: PolicyTuple) -> wire.TupleKey:
    key = wire.TupleKey(user=entry.user, relation=entry.relation, object=entry.object)
    if entry.condition:
        key.condition.name = entry.condition
        key.condition.context.CopyFrom(_struct(json.loads(entry.context)) or Struct())
    return key


def _bare(entry: PolicyTuple) -> wire.TupleKeyWithoutCondition:
    return wire.TupleKeyWithoutCondition(user=entry.user, relation=entry.relation, object=entry.object)


def _from_wire(key: wire.TupleKey) -> PolicyTuple:
    if not key.HasField("condition"):
        return PolicyTuple(key.user, key.relation, key.object)
    context = MessageToDict(key.condition.context)
    return PolicyTuple.conditional(key.user, key.relation, key.object, key.condition.name, context)
