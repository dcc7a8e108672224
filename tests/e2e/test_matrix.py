"""Every method and every kind of caller: nobody gets through a door that is not theirs (T1, T2, T10, T21).

What may pass is listed; everything else must be refused, with one of the two refusals there are: a reason of
its own where the caller is not who the service speaks with, or the one closed door.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import protovalidate
import pytest
from google.protobuf.descriptor import FieldDescriptor

from meldbrug.annotations.v1 import annotations_pb2
from meldbrug.client import MemberClient, ReporterClient, Yes, new_id
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.crypto import SecretKeys
from meldbrug.statements.v1 import statements_pb2
from meldbrug.thirdparty.buf.validate import validate_pb2
from services.bootstrap.secrets import key_pair
from tests.support.actors import PARTIES, Actors, Case
from tests.support.personas import (
    FILES,
    NOBODY,
    Doors,
    Persona,
    message_class,
    methods,
    request_class,
    services,
)
from tests.support.requests import request_for
from tests.support.sector import World

DIRECTORY, DISCLOSURE, COORDINATION = (
    f"/meldbrug.{name}.v1." for name in ("directory", "disclosure", "coordination")
)
STRANGERS = {"stranger", "reporter", "other reporter", "newcomer"}
"""Whoever brings its own key along; a reporter's service speaks with them all."""
MEMBERS = {
    "handler",
    "deputy",
    "other counsellor",
    "named reader",
    "unnamed contact",
    "other recipient",
    "excluded",
    "admin",
    "secretariat",
}
WORKS_ON_IT = MEMBERS - {"secretariat"}
"""The sector's members; the secretariat's organisation takes part in nothing."""
HANDLERS = {"handler", "deputy"}
ADMINS = {"admin", "secretariat"}

MAY: Mapping[str, set[str]] = {
    f"{DIRECTORY}PublicService/GetInstallation": {"nobody"},
    f"{DIRECTORY}PublicService/GetProductionByCode": {"nobody"},
    f"{DIRECTORY}PublicService/GetStandingEntry": {"nobody"},
    f"{DISCLOSURE}TermsService/GetTerms": {"nobody"},
    f"{DIRECTORY}EnrolmentService/AcceptInvitation": STRANGERS | {"member posing as reporter"},
    f"{DIRECTORY}MemberService/GetMe": MEMBERS,
    f"{DIRECTORY}MemberService/ListProductions": MEMBERS,
    f"{DIRECTORY}MemberService/GetCircle": WORKS_ON_IT,
    f"{DIRECTORY}MemberService/LookUpKeys": MEMBERS,
    f"{DIRECTORY}MemberService/BeginRotation": MEMBERS,
    f"{DIRECTORY}MemberService/CompleteRotation": MEMBERS,
    f"{DIRECTORY}AdminService/InviteMember": ADMINS,
    f"{DIRECTORY}AdminService/ListMembers": ADMINS,
    f"{DIRECTORY}AdminService/EndorseMember": {"admin"},
    f"{DIRECTORY}AdminService/RemoveMember": {"admin"},
    f"{DIRECTORY}AdminService/RegisterProduction": ADMINS,
    f"{DIRECTORY}AdminService/UpdateProduction": {"admin"},
    f"{DIRECTORY}AdminService/RotateProductionCode": {"admin"},
    f"{DIRECTORY}AdminService/ProposeParticipation": {"admin"},
    f"{DIRECTORY}AdminService/ListParticipations": ADMINS,
    f"{DIRECTORY}AdminService/AcceptParticipation": {"admin"},
    f"{DIRECTORY}AdminService/EndParticipation": {"admin"},
    f"{DIRECTORY}AdminService/AppointMember": {"admin"},
    f"{DIRECTORY}AdminService/EndAppointment": {"admin"},
    f"{DIRECTORY}SecretariatService/AdmitOrganisation": {"secretariat"},
    f"{DIRECTORY}SecretariatService/ListOrganisations": {"secretariat"},
    f"{DIRECTORY}SecretariatService/UpdateOrganisation": {"secretariat"},
    f"{DIRECTORY}SecretariatService/ListPendingAdmins": {"secretariat"},
    f"{DIRECTORY}SecretariatService/EndorseAdmin": {"secretariat"},
    f"{DIRECTORY}SecretariatService/CloseParticipation": {"secretariat"},
    f"{DIRECTORY}InternalService/ResolveKeys": {"disclosure", "coordination"},
    f"{DIRECTORY}InternalService/FetchCircle": {"disclosure", "coordination"},
    f"{DIRECTORY}InternalService/FetchParticipations": {"disclosure", "coordination"},
    f"{DIRECTORY}InternalService/FetchBook": {"disclosure", "coordination"},
    # A report may come from anyone who brings a key along; the id in the request is a fresh one.
    f"{DISCLOSURE}ReporterService/SubmitReport": STRANGERS,
    **{
        f"{DISCLOSURE}ReporterService/{name}": {"reporter"}
        for name in (
            "GetReport", "GetCircle", "PutSection", "ListSections", "OpenSections", "ChangeIntake",
            "ListConsentRequests", "GetConsentRequest", "GiveConsent", "RefuseConsent", "WithdrawConsent",
            "WithdrawReport", "Exclude", "ListConsentEvents", "ListOpenings",
        )
    },
    **{
        f"{DISCLOSURE}HandlerService/{name}": HANDLERS
        for name in (
            "GetReport", "ListSections", "OpenSections", "PutSection", "ProposeNotice", "RecordDecision",
        )
    },
    f"{DISCLOSURE}ReaderService/AnswerTerms": {"named reader"},
    f"{DISCLOSURE}ReaderService/OpenSections": {"named reader"},
    f"{DISCLOSURE}SeatService/ListSeats": MEMBERS,
    f"{DISCLOSURE}SeatService/RewrapSeat": HANDLERS,
    f"{DISCLOSURE}InternalService/EndSeats": {"directory", "coordination"},
    f"{DISCLOSURE}InternalService/RecordAffiliation": {"directory", "coordination"},
    f"{DISCLOSURE}InternalService/FetchSnapshot": {"directory", "coordination"},
    f"{DISCLOSURE}InternalService/ListVersions": {"directory", "coordination"},
    f"{COORDINATION}ReporterService/GetStatus": {"reporter"},
    # Lists hold only what is the caller's; whose, test_lists_hold_only_ones_own asks.
    f"{COORDINATION}HandlerService/ListIncidents": MEMBERS,
    f"{COORDINATION}HandlerService/GetIncident": HANDLERS,
    f"{COORDINATION}HandlerService/AcknowledgeIncident": HANDLERS,
    f"{COORDINATION}HandlerService/AssessIncident": HANDLERS,
    f"{COORDINATION}HandlerService/ListNotices": HANDLERS,
    f"{COORDINATION}ReaderService/ListInbox": MEMBERS,
    f"{COORDINATION}ReaderService/GetNotice": {"named reader"},
    f"{COORDINATION}ReaderService/AcknowledgeNotice": {"named reader"},
    f"{COORDINATION}ReaderService/WatchInbox": MEMBERS,
    f"{COORDINATION}InternalService/Inform": {"disclosure"},
}  # fmt: skip
"""Who gets past the door. Nobody else does, of any method, those included that are not listed."""


@dataclass
class Cast:
    """Everyone there is, around one case, and what requests can name."""

    personas: dict[str, Persona]
    names: dict[str, str]
    doors: Doors
    case: Case


@pytest.fixture(scope="module")
async def cast(world: World) -> AsyncIterator[Cast]:
    """A case with an accepted notice, and everyone around it."""
    actors, doors = await Actors.on_their_own(world), Doors(world)
    reader, excluded = await actors.contact("noorderlicht"), await actors.contact("kade9")
    gone, ending = await actors.contact("noorderlicht"), await actors.contact("duinroos")
    elsewhere = await actors.counsellor("kade9")
    unnamed = await actors.contact("noorderlicht")
    case = await actors.report(excluded=[(await excluded.client.me()).member.subject])
    await case.propose("noorderlicht", [reader.client, gone.client, unnamed.client])
    await case.accepted(Yes(reader_kids=[reader.kid, gone.kid]))
    opened = await reader.client.reader.open(case.notice, common.PURPOSE_PROTECT_PEOPLE)
    await actors.admin("noorderlicht").admin.remove(gone.member)
    other = await actors.report()
    leaver = await actors.hire("duinroos", "Invaller")
    on, spare = await actors.produce(*PARTIES), await actors.produce("duinroos")
    other_recipient = await actors.contact("lichtbrug")
    keys_folder = world.keys_folder
    personas = [
        NOBODY,
        Persona("stranger", SecretKeys.generate(), embed=True),
        Persona("newcomer", SecretKeys.generate(), embed=True),
        _reporter("reporter", case.reporter),
        _reporter("other reporter", other.reporter),
        _member("handler", case.handler),
        _member("deputy", actors.member("duinroos-plv")),
        _member("other counsellor", elsewhere.client),
        _member("named reader", reader.client),
        _member("unnamed contact", unnamed.client),
        _member("other recipient", other_recipient.client),
        _member("excluded", excluded.client),
        _member("removed", gone.client),
        _member("admin", actors.admin("duinroos")),
        _member("secretariat", actors.secretariat),
        Persona("member posing as reporter", case.handler.keys, embed=True),
        Persona("key nobody knows", SecretKeys.generate()),
        *(
            Persona(name, key_pair(keys_folder / f"{name}.key"))
            for name in ("directory", "disclosure", "coordination")
        ),
    ]
    yield Cast(
        {persona.name: persona for persona in personas},
        {
            "installation": world.endpoints.installation,
            "incident": case.incident,
            "notice": case.notice,
            "section": opened.texts[0].section,
            "sections": opened.texts[0].section,
            "production": (await actors.circle(on)).production,
            "participation": spare.participations["duinroos"],
            "participations": spare.participations["duinroos"],
            "recipient": actors.on.participations["noorderlicht"],
            "organisation": world.sector.organisation("kade9"),
            "member": leaver.member,
            "appointment": ending.appointment,
            "appointments": "appointments/" + new_id(),
            "subject": "persons/" + new_id(),
            "code": actors.on.code,
            "kids": SecretKeys.generate().kid,
            "reader_kids": reader.kid,
            "new_kid": SecretKeys.generate().kid,
        },
        doors,
        case,
    )
    await doors.close()


def _reporter(name: str, client: ReporterClient) -> Persona:
    return Persona(name, client._keys, embed=True)


def _member(name: str, client: MemberClient) -> Persona:
    return Persona(name, client.keys)


CLOSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
BROKEN = {"INTERNAL", "UNKNOWN", "UNIMPLEMENTED", "DEADLINE_EXCEEDED", "UNAVAILABLE"}


@pytest.mark.parametrize("method", sorted(methods()))
async def test_only_those_get_through_the_door_who_may(cast: Cast, method: str) -> None:
    knocks = [
        cast.doors.try_again(method, request_for(method, cast.names, one.keys), one)
        for one in cast.personas.values()
    ]
    answers = dict(zip(cast.personas, await asyncio.gather(*knocks), strict=True))

    inside = {name for name, answer in answers.items() if answer.code not in CLOSED}
    assert inside == MAY.get(method, set()), {
        name: (answers[name].code, answers[name].reason) for name in inside
    }
    for name, answer in answers.items():
        if name in inside:
            assert answer.code not in BROKEN, name
        elif answer.code == "PERMISSION_DENIED":
            assert answer.reason == "NOT_PERMITTED", name
        else:
            assert answer.reason in {"TOKEN_MISSING", "PRINCIPAL_CLASS", "KEY_UNKNOWN"}, name


def test_the_table_names_methods_that_exist() -> None:
    assert set(MAY) <= set(methods())


@pytest.mark.parametrize("service", [s.full_name for s in services()])
def test_every_service_says_who_may_speak_with_it(service: str) -> None:
    descriptor = next(s for s in services() if s.full_name == service)
    options = descriptor.GetOptions()

    principals = list(options.Extensions[annotations_pb2.principals])
    assert principals
    is_for_services = principals == [annotations_pb2.PRINCIPAL_CLASS_SERVICE]
    assert bool(options.Extensions[annotations_pb2.callers]) == is_for_services
    for method in descriptor.methods:
        assert method.GetOptions().Extensions[annotations_pb2.permission], method.full_name


def _messages() -> list[str]:
    found: dict[str, None] = {}
    pending = [file.DESCRIPTOR for file in FILES]
    seen = set()
    while pending:
        file = pending.pop()
        if file.name in seen or not file.name.startswith("meldbrug/"):
            continue
        seen.add(file.name)
        pending += file.dependencies
        stack = list(file.message_types_by_name.values())
        while stack:
            message = stack.pop()
            found[message.full_name] = None
            stack += message.nested_types
    return sorted(found)


@pytest.mark.parametrize("message", _messages())
def test_every_field_says_how_it_may_be_treated_and_how_long_it_may_be(message: str) -> None:
    from google.protobuf import descriptor_pool

    for one in descriptor_pool.Default().FindMessageTypeByName(message).fields:
        options = one.GetOptions()
        assert options.Extensions[annotations_pb2.sensitivity], one.full_name
        rules = options.Extensions[validate_pb2.field]
        if one.is_repeated:
            assert rules.repeated.max_items, one.full_name
            rules = rules.repeated.items
        if one.type == FieldDescriptor.TYPE_STRING:
            assert rules.string.max_len or rules.string.len or rules.string.uuid, one.full_name
        if one.type == FieldDescriptor.TYPE_BYTES:
            assert rules.bytes.max_len or rules.bytes.len, one.full_name


def _said() -> Iterator[FieldDescriptor]:
    """Yields every string that somebody may send, in a request or in a statement."""
    pending = [method.input_type for method in methods().values()]
    pending += statements_pb2.DESCRIPTOR.message_types_by_name.values()
    seen = set()
    while pending:
        message = pending.pop()
        if message.full_name in seen:
            continue
        seen.add(message.full_name)
        pending += [one.message_type for one in message.fields if one.message_type]
        yield from (one for one in message.fields if one.type == FieldDescriptor.TYPE_STRING)


@pytest.mark.parametrize("one", sorted(_said(), key=lambda one: one.full_name), ids=lambda one: one.full_name)
def test_no_string_is_let_in_with_characters_that_no_table_holds(one: FieldDescriptor) -> None:
    """T9: PostgreSQL keeps no NUL, and a name with a line of its own could say something else."""
    for held in ("\0", "een\0twee", "een\ntwee", "een\n", "\x7f"):
        message = message_class(one.containing_type.full_name)()
        if one.is_repeated:
            getattr(message, one.name).append(held)
        else:
            setattr(message, one.name, held)
        broken = [violation.proto for violation in protovalidate.collect_violations(message)]
        named = {violation.field.elements[0].field_name for violation in broken}
        assert one.name in named, held


async def test_lists_hold_only_ones_own(cast: Cast) -> None:
    """The lists that any member may ask for tell of the case only to those whose it is."""
    lists = {
        f"{COORDINATION}HandlerService/ListIncidents": HANDLERS,
        f"{COORDINATION}ReaderService/ListInbox": {"named reader"},
    }
    needle = cast.case.incident.encode()
    for method, owners in lists.items():
        answers = {
            name: await cast.doors.knock(method, request_class(method)(), persona)
            for name, persona in cast.personas.items()
        }
        assert {name for name, answer in answers.items() if needle in answer.body} == owners, method
