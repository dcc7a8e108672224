"""An operator that lies: false keys, forged roles, seats, consents, messages. Honest clients refuse.

T26, T27. The operator has everything on the server: it answers for the directory, and writes into PostgreSQL
and OpenFGA as it likes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from meldbrug.client import Connection, MemberClient, NotPermitted, PublicClient, Unverified, new_id
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys
from meldbrug.crypto.statements import StatementKind
from meldbrug.directory.v1 import directory_service_pb2 as directory
from meldbrug.statements.v1 import statements_pb2 as said
from services.bootstrap.policy import Engine, Model, adapter
from services.kernel.authz import PolicyTuple
from tests.support.actors import Actors, Case
from tests.support.sector import World

DIRECTORY = "/meldbrug.directory.v1."
Lie = Callable[[Message], None]


class _Forwarding(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc ships no types here
    """Passes every call on as it came, and changes the answers it has a lie for."""

    def __init__(self, channel: grpc.aio.Channel, lies: Mapping[str, tuple[type[Message], Lie]]) -> None:
        self._channel, self._lies = channel, lies

    def service(self, details: Any) -> grpc.RpcMethodHandler[bytes, bytes]:
        method = details.method
        sent = tuple((key, value) for key, value in details.invocation_metadata if key == "authorization")

        async def forward(body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            answer: bytes = await self._channel.unary_unary(method)(body, metadata=sent, timeout=10)
            if method not in self._lies:
                return answer
            cls, lie = self._lies[method]
            message = cls.FromString(answer)
            lie(message)
            return message.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(forward)


@asynccontextmanager
async def lying(
    world: World, service: str, lies: Mapping[str, tuple[type[Message], Lie]]
) -> AsyncIterator[Connection]:
    """Yields a connection on which one service lies."""
    server = grpc.aio.server()
    async with grpc.aio.insecure_channel(world.endpoints.services[service]) as channel:
        server.add_generic_rpc_handlers((_Forwarding(channel, lies),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        addresses = {**world.endpoints.services, service: f"127.0.0.1:{port}"}
        async with Connection(addresses, world.endpoints.installation) as connection:
            yield connection
        await server.stop(None)


def told(method: str, answer: type[Message], lie: Lie) -> dict[str, tuple[type[Message], Lie]]:
    """One lie."""
    return {method: (answer, lie)}


def wire(keys: SecretKeys) -> common.PublicKeys:
    """Public keys as they are served."""
    return common.PublicKeys(signing=keys.public.signing, sealing=keys.public.sealing)


def forged(kind: StatementKind, message: Message, keys: SecretKeys) -> common.Signed:
    """A statement that `keys` signed in the right form, whoever it names as its signer."""
    body = message.SerializeToString(deterministic=True)
    return common.Signed(statement=body, signature=keys.sign(f"meldbrug/{kind.value}/v1\0".encode() + body))


BY_CODE = f"{DIRECTORY}PublicService/GetProductionByCode"


async def test_without_a_lie_the_same_way_works(world: World, actors: Actors) -> None:
    """The lies below fail because they are lies, not because somebody stands between."""
    async with lying(world, "directory", {}) as connection:
        circle = await PublicClient(connection).circle(actors.on.code)
        assert circle.counsellors()


async def test_a_false_key_for_a_counsellor_is_not_sealed_to(world: World, actors: Actors) -> None:
    """T26: the operator puts its own key in the counsellor's place."""
    false = SecretKeys.generate()

    def lie(answer: Message) -> None:
        circle = answer.circle  # type: ignore[attr-defined]
        contact = next(c for c in circle.contacts if c.capacity == common.CAPACITY_COUNSELLOR)
        circle.book.keys.append(wire(false))
        contact.kid = false.kid

    async with lying(
        world, "directory", told(BY_CODE, directory.GetProductionByCodeResponse, lie)
    ) as connection:
        with pytest.raises(Unverified):
            (await PublicClient(connection).circle(actors.on.code)).counsellors()


async def test_other_keys_under_an_honest_fingerprint_are_refused(world: World, actors: Actors) -> None:
    false = SecretKeys.generate()

    def lie(answer: Message) -> None:
        for key in answer.circle.book.keys:  # type: ignore[attr-defined]
            key.sealing = false.public.sealing

    async with lying(
        world, "directory", told(BY_CODE, directory.GetProductionByCodeResponse, lie)
    ) as connection:
        with pytest.raises(Unverified):
            (await PublicClient(connection).circle(actors.on.code)).counsellors()


async def test_an_endorsement_by_somebody_else_vouches_for_nobody(world: World, actors: Actors) -> None:
    """T26: the operator signs the endorsement of its own key with its own key."""
    false = SecretKeys.generate()

    def lie(answer: Message) -> None:
        for signed in answer.circle.book.endorsements:  # type: ignore[attr-defined]
            said_so = said.Endorsement.FromString(signed.statement)
            signed.CopyFrom(forged(StatementKind.ENDORSEMENT, said_so, false))

    async with lying(
        world, "directory", told(BY_CODE, directory.GetProductionByCodeResponse, lie)
    ) as connection:
        with pytest.raises(Unverified):
            (await PublicClient(connection).circle(actors.on.code)).counsellors()


async def test_a_forged_appointment_makes_nobody_a_counsellor(world: World, actors: Actors) -> None:
    """T26: an honest member is shown in a role that no admin gave; signed by an outsider's key."""
    false = SecretKeys.generate()

    def lie(answer: Message) -> None:
        circle = answer.circle  # type: ignore[attr-defined]
        for signed in circle.book.appointments:
            appointment = said.Appointment.FromString(signed.statement)
            appointment.role = "Vertrouwenspersoon van de directie"
            signed.CopyFrom(forged(StatementKind.APPOINTMENT, appointment, false))

    async with lying(
        world, "directory", told(BY_CODE, directory.GetProductionByCodeResponse, lie)
    ) as connection:
        with pytest.raises(Unverified):
            (await PublicClient(connection).circle(actors.on.code)).counsellors()


async def test_another_root_is_another_installation(world: World) -> None:
    false = SecretKeys.generate()

    def lie(answer: Message) -> None:
        answer.installation = false.kid  # type: ignore[attr-defined]
        answer.root.CopyFrom(wire(false))  # type: ignore[attr-defined]

    method = f"{DIRECTORY}PublicService/GetInstallation"
    async with lying(world, "directory", told(method, directory.GetInstallationResponse, lie)) as connection:
        with pytest.raises(Unverified):
            await PublicClient(connection).root()


async def accepted_case(actors: Actors) -> tuple[Case, MemberClient]:
    """A case whose notice its reader may open."""
    reader, case = (await actors.contact("noorderlicht")).client, await actors.report()
    await case.propose("noorderlicht", [reader])
    await case.accepted()
    await reader.reader.open(case.notice, common.PURPOSE_INFORM)
    return case, reader


async def test_a_forged_consent_row_opens_nothing_to_an_honest_reader(world: World, actors: Actors) -> None:
    """T27: the consent in the database is one that somebody else signed."""
    case, reader = await accepted_case(actors)
    with world.sql() as sql:
        [(statement,)] = sql.execute(
            "SELECT statement FROM disclosure.consents WHERE notice = %s AND state = 1", (case.notice,)
        ).fetchall()
        false = forged(StatementKind.CONSENT, said.Consent.FromString(statement), SecretKeys.generate())
        sql.execute(
            "UPDATE disclosure.consents SET signature = %s WHERE notice = %s", (false.signature, case.notice)
        )

    with pytest.raises(Unverified, match="consent"):
        await reader.reader.open(case.notice, common.PURPOSE_INFORM)


async def test_a_consent_widened_in_the_database_opens_nothing(world: World, actors: Actors) -> None:
    """T27: the operator lengthens the purposes of a consent and keeps its signature."""
    case, reader = await accepted_case(actors)
    with world.sql() as sql:
        [(statement,)] = sql.execute(
            "SELECT statement FROM disclosure.consents WHERE notice = %s AND state = 1", (case.notice,)
        ).fetchall()
        wider = said.Consent.FromString(statement)
        wider.purposes.append(common.PURPOSE_PRESERVE_EVIDENCE)
        sql.execute(
            "UPDATE disclosure.consents SET statement = %s WHERE notice = %s",
            (wider.SerializeToString(deterministic=True), case.notice),
        )

    with pytest.raises(Unverified, match="consent"):
        await reader.reader.open(case.notice, common.PURPOSE_INFORM)


async def test_a_forged_decision_opens_nothing_and_is_not_answered(world: World, actors: Actors) -> None:
    """T27: neither reader nor reporter believes a decision that the handler did not sign."""
    case, reader = await accepted_case(actors)
    with world.sql() as sql:
        sql.execute(
            "UPDATE disclosure.notices SET decision_signature = %s WHERE name = %s",
            (SecretKeys.generate().sign(b"x"), case.notice),
        )

    with pytest.raises(Unverified, match="decision"):
        await reader.reader.open(case.notice, common.PURPOSE_INFORM)
    with pytest.raises(Unverified, match="decision"):
        await case.consents.preview(case.notice)


async def test_a_forged_message_is_not_shown(world: World, actors: Actors) -> None:
    """T27: a text in the handler's name, sealed rightly, without the handler's signature."""
    case = await actors.report()
    header = await case.handler.handler.send(case.incident, "Ga vooral naar de politie als je dat wilt.")
    assert await case.reporter.mailbox()
    with world.sql() as sql:
        sql.execute(
            "UPDATE disclosure.sections SET author_signature = %s WHERE name = %s",
            (SecretKeys.generate().sign(b"x"), header.name),
        )

    with pytest.raises(Unverified):
        await case.reporter.mailbox()


async def test_texts_of_two_sections_cannot_be_swapped(world: World, actors: Actors) -> None:
    """T7: what one section holds is shown under no other name."""
    case = await actors.report()
    headers = [header async for header in case.reporter.headers()]
    first, second = headers[:2]
    columns = "digest, commitment, author_signature, ciphertext"
    with world.sql() as sql:
        rows = {
            header.name: sql.execute(
                f"SELECT {columns} FROM disclosure.sections WHERE name = %s", (header.name,)
            ).fetchone()
            for header in (first, second)
        }
        for target, source in ((first.name, second.name), (second.name, first.name)):
            sql.execute(
                f"UPDATE disclosure.sections SET ({columns}) = (%s, %s, %s, %s) WHERE name = %s",
                (*(rows[source] or ()), target),
            )

    with pytest.raises(Unverified):
        await case.handler.handler.read(case.incident)


async def _extra_seat(world: World, case: Case, mallory: MemberClient) -> None:
    """Writes an intake seat for `mallory` into PostgreSQL, and the tuples of it into OpenFGA."""
    me = (await mallory.me()).member
    with world.sql() as sql:
        sql.execute(
            "INSERT INTO disclosure.seats (grant_name, kid, incident, subject, organisation, participation,"
            " appointment, since) SELECT grant_name, %s, incident, %s, %s, participation, %s, since"
            " FROM disclosure.seats WHERE grant_name = %s AND kid = %s",
            (
                mallory.kid,
                me.subject,
                me.organisation,
                f"appointments/{new_id()}",
                case.incident,
                case.handler.kid,
            ),
        )
    endpoints = world.endpoints
    engine = Engine(
        endpoints.openfga_grpc_address, endpoints.openfga_http_url, world.stack.backends.openfga.token_path
    )
    authz = adapter(engine, Model(endpoints.openfga_store_id, endpoints.openfga_model_id, ""))
    incident, subject = case.incident.split("/")[1], me.subject.split("/")[1]
    await authz.write([PolicyTuple(f"user:{subject}", "handler", f"incident:{incident}")])
    await authz.close()


async def test_an_extra_seat_without_a_statement_opens_nothing_readable(world: World, actors: Actors) -> None:
    """T27: a seat that the reporter did not give reads nothing, and nobody seals to it."""
    case, mallory = await actors.report(), (await actors.counsellor("duinroos")).client
    await _extra_seat(world, case, mallory)

    assert await mallory.handler.read(case.incident) == []
    sections = [header.name async for header in case.reporter.headers()]
    with pytest.raises((Unverified, NotPermitted)):
        await mallory.handler.read(case.incident, sections)
    with pytest.raises((Unverified, NotPermitted)):
        await mallory.handler.report(case.incident)
    with pytest.raises(Unverified):
        await case.reporter.send("Lees je mee?")
    with pytest.raises(Unverified):
        await case.handler.handler.send(case.incident, "Lees je mee?")
    with world.sql() as sql:
        wraps = sql.execute(
            "SELECT count(*) FROM disclosure.wraps WHERE reader_kid = %s", (mallory.kid,)
        ).fetchone()
    assert wraps == (0,)


async def test_stolen_wraps_open_nothing_under_another_seat(world: World, actors: Actors) -> None:
    """I15: the handler's own wraps, copied to the extra seat, do not open with another key."""
    case, mallory = await actors.report(), (await actors.counsellor("duinroos")).client
    await _extra_seat(world, case, mallory)
    with world.sql() as sql:
        sql.execute(
            "INSERT INTO disclosure.wraps (section, version, reader_kid, grant_name, incident, wrap)"
            " SELECT section, version, %s, grant_name, incident, wrap FROM disclosure.wraps"
            " WHERE incident = %s AND reader_kid = %s",
            (mallory.kid, case.incident, case.handler.kid),
        )

    with pytest.raises(Unverified):
        await mallory.handler.read(case.incident)


async def test_an_intake_changed_by_the_operator_is_not_believed(world: World, actors: Actors) -> None:
    """T27: an older intake of the same reporter, put back, is not taken for the newest."""
    case = await actors.report()
    circle = await case.reporter.circle()
    with world.sql() as sql:
        former = sql.execute(
            "SELECT intake_statement, intake_signature FROM disclosure.incidents WHERE name = %s",
            (case.incident,),
        ).fetchone()
    await case.reporter.change_intake([p for p in circle.counsellors() if p.kid == case.handler.kid])
    await case.handler.handler.report(case.incident)
    with world.sql() as sql:
        sql.execute(
            "UPDATE disclosure.incidents SET intake_statement = %s, intake_signature = %s WHERE name = %s",
            (*(former or ()), case.incident),
        )

    with pytest.raises(Unverified):
        await case.reporter.send("Alleen aan wie ik koos.")
    with pytest.raises(Unverified):
        await case.handler.handler.send(case.incident, "Alleen aan wie je koos.")
