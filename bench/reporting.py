"""Reports a second: sealed beforehand, sent by many reporters at once, each with its own key and token."""

from __future__ import annotations

import asyncio
from typing import Never

from google.protobuf.message import Message

from bench.load import Call, Subject
from bench.sector import Case, draft
from bench.subjects import Method
from meldbrug.client import Connection, ReporterClient
from meldbrug.client.connection import Credentials, M
from meldbrug.crypto import SecretKeys

SUBMIT = "/meldbrug.disclosure.v1.ReporterService/SubmitReport"


class Sealed(Exception):
    """A request that was sealed and is not sent yet."""

    def __init__(self, body: bytes) -> None:
        """Keeps the bytes."""
        super().__init__()
        self.body = body


class Unsent(Connection):
    """A connection that hands back what would be sent."""

    async def call(
        self,
        method: str,  # noqa: ARG002 - nothing is sent
        request: Message,
        answer: type[M],  # noqa: ARG002 - nor answered
        *_args: object,
        **_options: object,
    ) -> Never:
        """Raises `Sealed` with the request's bytes."""
        raise Sealed(request.SerializeToString(deterministic=True))


async def reports(connection: Connection, case: Case, addresses: dict[str, str], count: int) -> Subject:
    """Returns `count` sealed reports of as many reporters, for one window."""
    template = await draft(connection, case.sector)
    sealed: list[tuple[bytes, SecretKeys]] = []
    for _ in range(count):
        keys = SecretKeys.generate()
        async with Unsent(addresses, connection.installation) as unsent:
            try:
                await ReporterClient(unsent, keys).report(template)
            except Sealed as request:
                sealed.append((request.body, keys))
        await asyncio.sleep(0)
    method: Method = connection.channel(SUBMIT).unary_unary(SUBMIT)

    def sending(body: bytes, keys: SecretKeys) -> Call:
        metadata = connection.metadata(SUBMIT, body, Credentials(keys, self_certifying=True))

        async def send() -> object:
            return await method(body, timeout=10.0, metadata=metadata)

        return send

    def prepare(wanted: int) -> list[Call]:
        taken, sealed[:] = sealed[:wanted], sealed[wanted:]
        return [sending(body, keys) for body, keys in taken]

    return Subject("report", prepare, per_s=count)
