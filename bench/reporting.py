"""Reports a second: sealed beforehand, sent by many reporters at once, each with its own key and token."""

from __future__ import annotations

from bench.load import Call, Subject
from bench.sector import Case, draft
from bench.subjects import Method
from meldbrug.client import Connection
from meldbrug.client.connection import Credentials
from meldbrug.client.reports import submission
from meldbrug.client.speaking import Voice
from meldbrug.crypto import SecretKeys

SUBMIT = "/meldbrug.disclosure.v1.ReporterService/SubmitReport"


async def reports(connection: Connection, case: Case, count: int) -> Subject:
    """Returns `count` sealed reports of as many reporters, for one window."""
    template = await draft(connection, case.sector)
    sealed: list[tuple[bytes, SecretKeys]] = []
    for _ in range(count):
        keys = SecretKeys.generate()
        voice = Voice(keys, connection.installation, connection.clock)
        request = submission(template, keys, connection.installation, voice)
        sealed.append((request.SerializeToString(deterministic=True), keys))
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
