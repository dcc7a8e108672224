"""Calls that are wrong, and what they get: each its own answer, and nothing changed by any of them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from google.rpc import error_details_pb2

from meldbrug.client import Draft, Refused, ReporterClient, Stale, new_id
from meldbrug.client.sealing import seal
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys, keys_from, new_entropy, statements, tokens
from meldbrug.crypto.statements import StatementKind
from meldbrug.disclosure.v1 import disclosure_pb2
from meldbrug.disclosure.v1 import disclosure_service_pb2 as disclosure
from meldbrug.disclosure.v1.disclosure_pb2 import ConsentRequest
from meldbrug.statements.v1 import statements_pb2 as said
from tests.support.actors import TEXTS, Actors, Case
from tests.support.personas import Answer, Doors, Persona
from tests.support.sector import World

REPORTS = "/meldbrug.disclosure.v1.ReporterService/"
GET_REPORT = f"{REPORTS}GetReport"
GET_ME = "/meldbrug.directory.v1.MemberService/GetMe"


@pytest.fixture
async def doors(world: World) -> AsyncIterator[Doors]:
    doors = Doors(world)
    yield doors
    await doors.close()


def bearer(world: World, keys: SecretKeys, method: str, body: bytes = b"", **changes: object) -> Persona:
    """Somebody with a token made to measure."""
    made = {
        "audience": tokens.audience(world.endpoints.installation, method),
        "body_sha256": tokens.body_hash(body),
        "now": datetime.now(UTC),
        "lifetime_s": 60,
        "embed_keys": False,
        **changes,
    }
    return Persona("bearer", bearer="Bearer " + tokens.mint(keys, **made))  # type: ignore[arg-type]


async def test_each_wrong_token_has_a_reason_of_its_own(world: World, doors: Doors) -> None:
    actors = Actors(world)
    keys, now = actors.member("duinroos-vp").keys, datetime.now(UTC)
    good = bearer(world, keys, GET_ME)
    assert good.bearer
    tampered = good.bearer[:-8] + ("A" * 8 if good.bearer[-8:] != "A" * 8 else "B" * 8)
    wrong = {
        "TOKEN_MISSING": Persona("none"),
        "TOKEN_MALFORMED": Persona("garbage", bearer="Bearer abc.def"),
        "TOKEN_STALE": bearer(world, keys, GET_ME, now=now - timedelta(minutes=5)),
        "TOKEN_AUDIENCE": bearer(world, keys, "/meldbrug.directory.v1.MemberService/ListProductions"),
        "TOKEN_BODY": bearer(world, keys, GET_ME, b"another body"),
        "TOKEN_SIGNATURE": Persona("tampered", bearer=tampered),
        "PRINCIPAL_CLASS": bearer(world, SecretKeys.generate(), GET_ME, embed_keys=True),
        "KEY_UNKNOWN": bearer(world, SecretKeys.generate(), GET_ME),
    }

    answers = {reason: await doors.knock(GET_ME, b"", persona) for reason, persona in wrong.items()}

    assert (await doors.knock(GET_ME, b"", good)).code == "OK"
    assert {expected: (a.code, a.reason) for expected, a in answers.items()} == {
        expected: ("UNAUTHENTICATED", expected) for expected in wrong
    }
    told = int(_info(answers["TOKEN_STALE"]).metadata["serverTimeMs"])
    assert abs(told - datetime.now(UTC).timestamp() * 1000) < 30_000


async def test_a_token_from_the_future_of_another_installation_or_twice_is_refused(
    world: World, doors: Doors
) -> None:
    keys = Actors(world).member("duinroos-vp").keys
    future = bearer(world, keys, GET_ME, now=datetime.now(UTC) + timedelta(minutes=5))
    foreign = bearer(world, keys, GET_ME, audience=tokens.audience(SecretKeys.generate().kid, GET_ME))
    good = bearer(world, keys, GET_ME).bearer or ""

    assert (await doors.knock(GET_ME, b"", future)).reason == "TOKEN_STALE"
    assert (await doors.knock(GET_ME, b"", foreign)).reason == "TOKEN_AUDIENCE"
    twice = await doors.knock(
        GET_ME, b"", Persona("twice"), metadata=(("authorization", good), ("authorization", good))
    )
    assert twice.code == "UNAUTHENTICATED"


async def test_a_captured_call_works_on_no_other_method_or_body(
    world: World, doors: Doors, actors: Actors
) -> None:
    """T8: a token is good for one method and one body; again on its own it widens nothing."""
    case = await actors.report()
    request = disclosure.GetReportRequest(incident=case.incident).SerializeToString(deterministic=True)
    captured = bearer(world, case.reporter._keys, GET_REPORT, request, embed_keys=True)

    first, again = [await doors.knock(GET_REPORT, request, captured) for _ in range(2)]
    other_method = await doors.knock(f"{REPORTS}ListSections", request, captured)
    other_body = await doors.knock(GET_REPORT, b"", captured)

    assert (first.code, first.body) == (again.code, again.body)
    assert (other_method.reason, other_body.reason) == ("TOKEN_AUDIENCE", "TOKEN_BODY")


async def test_malformed_fields_are_named(world: World, doors: Doors) -> None:
    keys = SecretKeys.generate()
    me = Persona("reporter", keys, embed=True)
    wrong = {
        "incident": disclosure.GetCircleRequest(incident="incidents/UPPER"),
        "page_size": disclosure.ListSectionsRequest(incident=f"incidents/{new_id()}", page_size=-1),
        "request_id": disclosure.WithdrawReportRequest(
            incident=f"incidents/{new_id()}",
            withdrawal=common.Signed(statement=b"x", signature=bytes(64)),
            request_id="1",
        ),
    }
    for name, request in wrong.items():
        method = REPORTS + request.DESCRIPTOR.name.removesuffix("Request")
        answer = await doors.knock(method, request, me)
        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "FIELD_INVALID")
        bad = error_details_pb2.BadRequest()
        assert any(detail.Unpack(bad) for detail in answer.status.details)
        assert [violation.field for violation in bad.field_violations] == [name]


async def test_what_is_no_message_or_too_large_is_refused(world: World, doors: Doors) -> None:
    me = Persona("reporter", SecretKeys.generate(), embed=True)

    garbage = await doors.knock(GET_REPORT, b"\xff\xff\xff\xff", me)
    large = await doors.knock(GET_REPORT, bytes(1_048_577), me)
    unending = await doors.knock(GET_REPORT, b"", me, timeout=None)

    assert (garbage.code, garbage.reason) == ("INVALID_ARGUMENT", "FIELD_INVALID")
    assert large.code == "RESOURCE_EXHAUSTED"
    assert (unending.code, unending.reason) == ("INVALID_ARGUMENT", "DEADLINE_MISSING")


async def test_the_same_request_id_has_one_effect_and_another_body_none(
    world: World, doors: Doors, actors: Actors
) -> None:
    """I12: the same call twice is one message; another body under its id is refused and tells nothing."""
    case = await actors.report()
    request = await put_section(case, "Een bericht.")
    other = await put_section(case, "Een ander bericht.")
    other.request_id = request.request_id
    me = Persona("reporter", case.reporter._keys, embed=True)

    first, again = [await doors.knock(f"{REPORTS}PutSection", request, me) for _ in range(2)]
    reused = await doors.knock(f"{REPORTS}PutSection", other, me)

    assert first.code == "OK"
    assert again.body == first.body
    assert (reused.code, reused.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")
    assert [text.text for text in await case.reporter.mailbox()] == ["Een bericht."]


async def put_section(case: Case, text: str) -> disclosure.PutSectionRequest:
    """A message of the reporter as the client would send it."""
    report = await case.reporter.find()
    handlers = await case.reporter._handlers(report)
    reporter, readers = case.reporter, [case.reporter.public, *handlers.keys]
    name = f"{report.name}/sections/{new_id()}"
    section = seal(
        reporter._keys, reporter.installation, name, common.KIND_MESSAGE, text, reporter.kid, readers
    )
    return disclosure.PutSectionRequest(section=section, request_id=str(uuid.uuid4()))


async def test_a_report_sent_twice_is_one_report(world: World, doors: Doors, actors: Actors) -> None:
    """I12: another incident under the same receipt is refused like any closed door."""
    case, circle = await actors.report(), await actors.circle()
    draft = Draft(texts=TEXTS, intake=[await actors.person(case.handler)], production=circle.production)

    with pytest.raises(Refused) as second:
        await case.reporter.report(draft)

    assert second.value.reason == "NOT_PERMITTED"
    assert (await case.reporter.find()).name == case.incident


async def test_what_is_out_of_turn_is_told_to_who_may_see_the_state(actors: Actors) -> None:
    case = await actors.report()
    with pytest.raises(Refused) as unread:
        await case.handler.handler.assess(case.incident, common.INCIDENT_STATE_SHARING_CONSIDERED)
    await case.handler.handler.acknowledge(case.incident)
    with pytest.raises(Refused) as twice:
        await case.handler.handler.acknowledge(case.incident)

    assert (unread.value.code, unread.value.reason) == ("FAILED_PRECONDITION", "WRONG_STATE")
    assert (twice.value.code, twice.value.reason) == ("FAILED_PRECONDITION", "WRONG_STATE")
    assert (await case.handler.handler.case(case.incident)).state == common.INCIDENT_STATE_ACKNOWLEDGED


async def test_a_stale_etag_changes_nothing(actors: Actors) -> None:
    case = await actors.report()
    old = (await case.handler.handler.case(case.incident)).etag
    await case.handler.handler.acknowledge(case.incident)

    with pytest.raises(Stale):
        await case.handler.handler.assess(case.incident, common.INCIDENT_STATE_ASSESSING, etag=old)

    assert (await case.handler.handler.case(case.incident)).state == common.INCIDENT_STATE_ACKNOWLEDGED


async def test_a_page_token_of_somebody_else_is_refused(world: World, doors: Doors, actors: Actors) -> None:
    case = await actors.report()
    await case.reporter.send("Nog een.")
    method, me = f"{REPORTS}ListSections", Persona("reporter", case.reporter._keys, embed=True)
    page = await doors.knock(method, disclosure.ListSectionsRequest(incident=case.incident, page_size=1), me)
    token = disclosure.ListSectionsResponse.FromString(page.body).next_page_token
    other = await actors.report()
    them = Persona("other", other.reporter._keys, embed=True)

    foreign = await doors.knock(
        method, disclosure.ListSectionsRequest(incident=other.incident, page_token=token), them
    )

    assert token
    assert (foreign.code, foreign.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


Change = Callable[["Mismatch"], None]


class Mismatch:
    """A consent as an honest reporter would give it, to be changed in one respect."""

    def __init__(self, statement: said.Consent, wraps: list[disclosure_pb2.Wrap], keys: SecretKeys) -> None:
        self.statement, self.wraps, self.keys = statement, wraps, keys
        self.signed: common.Signed | None = None

    def request(self, notice: str) -> disclosure.GiveConsentRequest:
        signed = self.signed or statements.sign(StatementKind.CONSENT, self.statement, self.keys)
        return disclosure.GiveConsentRequest(
            notice=notice, consent=signed, wraps=self.wraps, request_id=str(uuid.uuid4())
        )


def _digest(one: Mismatch) -> None:
    one.statement.sections[0].digest = bytes(32)


def _commitment(one: Mismatch) -> None:
    one.statement.sections[0].commitment = bytes(32)


def _section(one: Mismatch) -> None:
    name = one.statement.sections[0].section
    fresh = f"{name.rsplit('/', 1)[0]}/{new_id()}"
    one.statement.sections[0].section = fresh
    for hashed in one.statement.wraps:
        hashed.section = fresh if hashed.section == name else hashed.section
    for wrap in one.wraps:
        wrap.section = fresh if wrap.section == name else wrap.section


def _reader(one: Mismatch) -> None:
    fresh = SecretKeys.generate().kid
    one.statement.reader_kids[0] = fresh
    for hashed in one.statement.wraps:
        hashed.reader_kid = fresh
    for wrap in one.wraps:
        wrap.reader_kid = fresh


def _purpose(one: Mismatch) -> None:
    one.statement.purposes.append(common.PURPOSE_PRESERVE_EVIDENCE)


def _period(one: Mismatch) -> None:
    one.statement.valid_until.seconds += 86_400


def _wrap(one: Mismatch) -> None:
    one.wraps[0].wrap = bytes(1168)


def _fewer_wraps(one: Mismatch) -> None:
    one.statement.wraps.pop()
    one.wraps.pop()


def _sequence(one: Mismatch) -> None:
    one.statement.sequence = 1


def _recipient(one: Mismatch) -> None:
    one.statement.recipient = f"participations/{new_id()}"


def _preview(one: Mismatch) -> None:
    one.statement.preview_digest = bytes(32)


def _terms(one: Mismatch) -> None:
    one.statement.terms_version = "v999"


def _other_incident(one: Mismatch) -> None:
    one.statement.incident = f"incidents/{new_id()}"


def _other_installation(one: Mismatch) -> None:
    one.statement.installation = SecretKeys.generate().kid


def _bad_signature(one: Mismatch) -> None:
    signed = statements.sign(StatementKind.CONSENT, one.statement, one.keys)
    one.signed = common.Signed(statement=signed.statement, signature=bytes(64))


def _unknown_field(one: Mismatch) -> None:
    body = one.statement.SerializeToString(deterministic=True) + b"\xf8\xff\x01\x01"
    one.signed = common.Signed(statement=body, signature=one.keys.sign(b"meldbrug/consent/v1\0" + body))


MISMATCHES: dict[str, tuple[Change, str]] = {
    "digest": (_digest, "DIGEST_MISMATCH"),
    "commitment": (_commitment, "COMMITMENT_MISMATCH"),
    "section": (_section, "SECTION_MISMATCH"),
    "reader": (_reader, "READER_MISMATCH"),
    "purpose": (_purpose, "PURPOSE_MISMATCH"),
    "period": (_period, "PERIOD_MISMATCH"),
    "wrap": (_wrap, "WRAP_MISMATCH"),
    "fewer wraps": (_fewer_wraps, "WRAP_MISMATCH"),
    "sequence": (_sequence, "STATEMENT_SEQUENCE"),
    "recipient": (_recipient, "RECIPIENT_MISMATCH"),
    "preview": (_preview, "PREVIEW_MISMATCH"),
    "terms": (_terms, "TERMS_MISMATCH"),
    "incident": (_other_incident, "STATEMENT_FOREIGN"),
    "installation": (_other_installation, "STATEMENT_FOREIGN"),
    "signature": (_bad_signature, "STATEMENT_SIGNATURE"),
    "unknown field": (_unknown_field, "STATEMENT_MALFORMED"),
}


async def honest(case: Case) -> Mismatch:
    """What the client would sign and send for a whole yes."""
    preview = await case.consents.preview(case.notice)
    consent, purposes = f"consents/{new_id()}", list(preview.request.purposes)
    wraps = [
        content.wrap(reader.keys, consent, purposes)
        for content in preview.contents
        for reader in preview.readers
    ]
    statement = case.consents._statement(
        preview, consent, preview.contents, preview.readers, purposes, None, wraps
    )
    return Mismatch(statement, wraps, case.reporter._keys)


async def test_a_yes_that_is_not_to_what_was_asked_is_refused_and_changes_nothing(
    world: World, doors: Doors, actors: Actors
) -> None:
    reader, case = (await actors.contact("noorderlicht")).client, await actors.report()
    await case.propose("noorderlicht", [reader])
    me = Persona("reporter", case.reporter._keys, embed=True)

    found = {}
    for name, (change, _) in MISMATCHES.items():
        given = await honest(case)
        change(given)
        answer = await doors.knock(f"{REPORTS}GiveConsent", given.request(case.notice), me)
        found[name] = (answer.code, answer.reason)

    assert found == {name: ("INVALID_ARGUMENT", reason) for name, (_, reason) in MISMATCHES.items()}
    [asked] = [request async for request in case.consents.requests()]
    assert asked.answer == ConsentRequest.ANSWER_NONE
    assert [act async for act in case.consents.history()] == []
    with world.sql() as sql:
        wraps = "SELECT count(*) FROM disclosure.wraps WHERE reader_kid = %s"
        assert sql.execute(wraps, (reader.kid,)).fetchone() == (0,)
    whole = await doors.knock(f"{REPORTS}GiveConsent", (await honest(case)).request(case.notice), me)
    assert whole.code == "OK"


def _info(answer: Answer) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in answer.status.details)
    return info


def _retry_s(answer: Answer) -> float:
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in answer.status.details)
    return retry.retry_delay.ToTimedelta().total_seconds()


TIGHT = {
    "MELDBRUG_ADMISSION__PRINCIPAL_PER_S": "5",
    "MELDBRUG_ADMISSION__PRINCIPAL_BURST": "20",
    "MELDBRUG_DISCLOSURE_REPORTS_PER_S": "5",
    "MELDBRUG_DISCLOSURE_REPORTS_BURST": "2",
}


@pytest.fixture
def tight(world: World) -> Iterator[None]:
    """The disclosure service with narrow doors, and as it was afterwards."""
    world.stack.stop("disclosure")
    world.stack.start("disclosure", env=TIGHT)
    yield
    world.stack.stop("disclosure")
    world.stack.start("disclosure")


async def test_too_many_at_once_wait_or_are_told_when_to_come_back(
    world: World, doors: Doors, tight: None
) -> None:
    """T11, T25: over the rate reports wait and come in; other calls are told when to come back."""
    actors = Actors(world)
    circle = await actors.circle()
    intake = [await actors.person(actors.member("duinroos-vp"))]

    async def submit() -> str:
        reporter = ReporterClient(world.connection, keys_from(new_entropy()))
        return (await reporter.report(Draft(TEXTS, intake, circle.production))).name

    began = time.perf_counter()
    came_in = await asyncio.gather(*(submit() for _ in range(12)))
    took_s = time.perf_counter() - began
    flooder = Persona("flooder", SecretKeys.generate(), embed=True)
    answers = await asyncio.gather(*(doors.knock(GET_REPORT, b"", flooder) for _ in range(60)))
    neighbour = await doors.knock(GET_REPORT, b"", Persona("other", SecretKeys.generate(), embed=True))

    assert len(set(came_in)) == 12
    assert took_s > 1.5, "ten reports over the burst at five a second did not wait"
    turned_away = [answer for answer in answers if answer.code == "RESOURCE_EXHAUSTED"]
    assert turned_away
    assert {answer.reason for answer in turned_away} == {"OVERLOADED"}
    assert all(_retry_s(answer) > 0 for answer in turned_away)
    assert neighbour.code == "PERMISSION_DENIED"
