"""What is measured side by side: the echo, the bare policy checks, and openings with their durable record."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf.message import Message
from openfga_sdk import ClientConfiguration, CreateStoreRequest
from openfga_sdk.credentials import CredentialConfiguration, Credentials
from openfga_sdk.models import WriteAuthorizationModelRequest
from openfga_sdk.sync import OpenFgaClient

from bench.echo import METHOD as ECHO
from bench.load import Call, Subject
from bench.sector import FOUR_KINDS
from meldbrug.client import Connection
from meldbrug.client.connection import Credentials as Signing
from meldbrug.common.v1.common_pb2 import PURPOSE_PROTECT_PEOPLE, Kind
from meldbrug.crypto import SecretKeys
from meldbrug.disclosure.v1.disclosure_service_pb2 import OpenSectionsRequest
from policy.engine import run_fga
from services.kernel.authz import PolicyTuple, timestamp
from services.kernel.openfga import openfga_pb2 as wire
from services.kernel.openfga.adapter import SERVICE, OpenFGA, Probe, _struct
from services.stack import Endpoints

OPEN = "/meldbrug.disclosure.v1.ReaderService/OpenSections"
DEADLINE_S = 10.0
Method = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
UNION = Path(__file__).resolve().parents[1] / "policy" / "union.fga"


def echo(channel: grpc.aio.Channel, payload: bytes) -> Subject:
    """Returns the bare echo of `payload`."""
    method: Method = channel.unary_unary(ECHO)
    return Subject("echo", lambda count: [lambda: method(payload, timeout=DEADLINE_S)] * count, per_s=12_000)


def opening(
    connection: Connection, keys: SecretKeys, notice: str, kinds: Sequence[Kind.ValueType], name: str
) -> Subject:
    """Returns openings of `kinds`: token, two gates, record, answer; the client verifies nothing here."""
    signing = Signing(keys)
    method: Method = connection.channel(OPEN).unary_unary(OPEN)

    def ready() -> Call:
        request = OpenSectionsRequest(
            notice=notice, kinds=kinds, purpose=PURPOSE_PROTECT_PEOPLE, request_id=str(uuid4())
        )
        body = request.SerializeToString(deterministic=True)
        return functools.partial(
            method, body, timeout=DEADLINE_S, metadata=connection.metadata(OPEN, body, signing)
        )

    return Subject(name, lambda count: [ready() for _ in range(count)], per_s=2_500)


class Engine:
    """The policy engine, asked bare: the same relation and context as an opening asks."""

    def __init__(self, endpoints: Endpoints) -> None:
        """Opens a channel of its own."""
        self._endpoints = endpoints
        self._token = Path(endpoints.openfga_token_path).read_text().strip()
        self._metadata = (("authorization", f"Bearer {self._token}"),)
        self._channel = grpc.aio.insecure_channel(endpoints.openfga_grpc_address)

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()

    def one(self, kinds: Sequence[Kind.ValueType], user: str, notice: str) -> Subject:
        """Returns what an opening of `kinds` asks: one check, whatever their number."""
        context = {**_asked(), "requested": [kind_name(kind) for kind in kinds]}
        request = wire.CheckRequest(
            store_id=self._endpoints.openfga_store_id,
            authorization_model_id=self._endpoints.openfga_model_id,
            tuple_key=wire.CheckRequestTupleKey(user=user, relation="can_open", object=notice),
            context=_struct(context),
            consistency=wire.HIGHER_CONSISTENCY,
        )
        name = f"(b) bare check, {len(kinds)} kind{'s' * (len(kinds) > 1)}"
        return self._subject(name, "Check", request, wire.CheckResponse, lambda answer: answer.allowed)

    def each(self, kinds: Sequence[Kind.ValueType], user: str, *union: *tuple[str, str, str]) -> Subject:
        """Returns what an opening of `kinds` would ask the model of `union()`: a check each, in one batch."""
        return self._single(kinds[0], user, *union) if len(kinds) == 1 else self._batch(kinds, user, *union)

    def _single(self, kind: Kind.ValueType, user: str, store_id: str, model_id: str, notice: str) -> Subject:
        request = wire.CheckRequest(
            store_id=store_id,
            tuple_key=_key_of(kind, user, notice),
            authorization_model_id=model_id,
            context=_struct(_asked()),
            consistency=wire.HIGHER_CONSISTENCY,
        )
        name = "(b0) union, 1 kind"
        return self._subject(name, "Check", request, wire.CheckResponse, lambda answer: answer.allowed)

    def _batch(
        self, kinds: Sequence[Kind.ValueType], user: str, store_id: str, model_id: str, notice: str
    ) -> Subject:
        items = [
            wire.BatchCheckItem(
                tuple_key=_key_of(kind, user, notice), context=_struct(_asked()), correlation_id=str(kind)
            )
            for kind in kinds
        ]
        request = wire.BatchCheckRequest(
            store_id=store_id,
            checks=items,
            authorization_model_id=model_id,
            consistency=wire.HIGHER_CONSISTENCY,
        )
        name = f"(b0) union, {len(kinds)} kinds"
        return self._subject(name, "BatchCheck", request, wire.BatchCheckResponse, _all_allowed)

    def _subject(
        self,
        name: str,
        method_name: str,
        request: Message,
        response: type[Message],
        is_allowed: Callable[[Any], bool],
    ) -> Subject:
        body = request.SerializeToString()
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, Message] = self._channel.unary_unary(
            SERVICE + method_name, response_deserializer=response.FromString
        )

        async def ask() -> None:
            if not is_allowed(await method(body, timeout=DEADLINE_S, metadata=self._metadata)):
                raise RuntimeError(f"{name}: the check is denied, so it is not the one that an opening asks")

        return Subject(name, lambda count: [ask] * count, per_s=6_000)

    async def union(self, user: str) -> tuple[str, str, str]:
        """Makes a store with the union-shaped model and an openable notice. Returns store, model, notice."""
        store_id, model_id = self._make_union()
        engine = OpenFGA(
            self._endpoints.openfga_grpc_address,
            store_id,
            model_id,
            probe=Probe("participation:p", "safety_contact"),
            token=self._token,
        )
        now = datetime.now(UTC)
        window = {
            "valid_from": timestamp(now - timedelta(hours=1)),
            "valid_until": timestamp(now + timedelta(days=1)),
            "purposes": ["PROTECT_PEOPLE", "INFORM"],
        }
        readers = [
            PolicyTuple.conditional(user, f"{kind_name(kind).lower()}_reader", "notice:n", "window", window)
            for kind in FOUR_KINDS
        ]
        await engine.write(
            [
                PolicyTuple("incident:i", "incident", "notice:n"),
                PolicyTuple("user:r", "reporter", "incident:i"),
                PolicyTuple("participation:o", "origin", "incident:i"),
                PolicyTuple("user:h", "handler", "incident:i"),
                PolicyTuple("user:h", "counsellor", "participation:o"),
                PolicyTuple("participation:p", "addressee", "notice:n"),
                PolicyTuple(user, "safety_contact", "participation:p"),
                PolicyTuple("user:*", "live", "notice:n"),
                *readers,
            ]
        )
        await engine.close()
        return store_id, model_id, "notice:n"

    def _make_union(self) -> tuple[str, str]:
        configuration = ClientConfiguration(
            api_url=self._endpoints.openfga_http_url,
            credentials=Credentials(
                method="api_token", configuration=CredentialConfiguration(api_token=self._token)
            ),
            timeout_millisec=10_000,
        )
        with OpenFgaClient(configuration) as client:
            store_id = client.create_store(CreateStoreRequest(name="union")).id  # type: ignore[no-untyped-call]  # the SDK has none
            client.set_store_id(store_id)
            model = WriteAuthorizationModelRequest(**json.loads(union_json()))  # type: ignore[no-untyped-call]  # as above
            return store_id, client.write_authorization_model(model).authorization_model_id


def _key_of(kind: Kind.ValueType, user: str, notice: str) -> wire.CheckRequestTupleKey:
    return wire.CheckRequestTupleKey(user=user, relation=f"can_open_{kind_name(kind).lower()}", object=notice)


def _all_allowed(answer: wire.BatchCheckResponse) -> bool:
    return bool(answer.result) and all(result.allowed for result in answer.result.values())


def _asked() -> dict[str, object]:
    return {"current_time": timestamp(datetime.now(UTC)), "purpose": "PROTECT_PEOPLE"}


def union_json() -> str:
    """Returns the union-shaped model as JSON, by the real tool."""
    done = run_fga("model", "transform", "--file", UNION, "--output-format", "json")
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def kind_name(kind: Kind.ValueType) -> str:
    """Returns a kind as the policy names it."""
    return Kind.Name(kind).removeprefix("KIND_")
