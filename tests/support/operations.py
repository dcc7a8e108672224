"""Scenes at the directory, and which scene reaches which operation."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from meldbrug.client import MemberClient, accept_invitation
from meldbrug.common.v1.common_pb2 import CAPACITY_COUNSELLOR, CAPACITY_SAFETY_CONTACT, SUBJECT_KIND_PERSON
from meldbrug.crypto import SecretKeys
from meldbrug.directory.v1.directory_pb2 import Organisation
from tests.support import scenes
from tests.support.actors import Actors, Case, Hired
from tests.support.faults import succeeds
from tests.support.scenes import LEAD, OTHER, RECIPIENT, Scene, handling, opened, opening, scene

TITLE = "Een proefopname"


async def rewrap(actors: Actors) -> Scene:
    case, hired = await opened(actors)
    keys = SecretKeys.generate()
    await hired.client.rotation.begin(keys)
    return scene(case, lambda: hired.client.rotation.rewrap(keys), "RewrapSeat")


async def begin_rotation(actors: Actors) -> Scene:
    hired, keys = await actors.contact(RECIPIENT), SecretKeys.generate()
    return Scene(lambda: hired.client.rotation.begin(keys), "BeginRotation", ajar=[hired.client.me])


async def complete_rotation(actors: Actors) -> Scene:
    case, hired = await opened(actors)
    keys = SecretKeys.generate()
    await hired.client.rotation.begin(keys)
    await hired.client.rotation.rewrap(keys)
    new = MemberClient(actors.world.connection, keys)
    return scene(
        case, lambda: hired.client.rotation.complete(keys), "CompleteRotation",
        shut=[opening(case)], ajar=[opening(case, new)],
    )  # fmt: skip


async def remove(actors: Actors) -> Scene:
    case, hired = await opened(actors)
    act = partial(actors.admin(RECIPIENT).admin.remove, hired.member)
    return scene(case, act, "RemoveMember", shut=[opening(case)], ajar=[handling(case)])


async def end_appointment(actors: Actors) -> Scene:
    case, hired = await opened(actors)
    act = partial(actors.admin(RECIPIENT).admin.end_appointment, hired.appointment)
    return scene(case, act, "EndAppointment", shut=[opening(case)], ajar=[handling(case)])


async def taking_part(actors: Actors) -> tuple[Case, str]:
    """A case whose reader sits for a participation on a production of this case alone."""
    apart = Actors(actors.world)
    apart.on = await apart.produce(LEAD, RECIPIENT)
    for role in ("duinroos-vp", "duinroos-plv"):
        await apart.appoint(Hired(apart.member(role), ""), LEAD, CAPACITY_COUNSELLOR)
    case, _ = await opened(apart)
    return case, apart.on.participations[RECIPIENT]


async def end_participation(actors: Actors) -> Scene:
    case, participation = await taking_part(actors)
    act = partial(actors.admin(RECIPIENT).admin.end_participation, participation)
    return scene(case, act, "EndParticipation", shut=[opening(case)], ajar=[handling(case)])


async def close_participation(actors: Actors) -> Scene:
    case, participation = await taking_part(actors)
    act = partial(actors.secretariat.secretariat.close_participation, participation)
    return scene(case, act, "CloseParticipation", shut=[opening(case)], ajar=[handling(case)])


async def invite(actors: Actors) -> Scene:
    act = partial(actors.admin(RECIPIENT).admin.invite, "Invaller", SUBJECT_KIND_PERSON)
    return Scene(act, "InviteMember")


async def enrol(actors: Actors) -> Scene:
    invited = await actors.admin(RECIPIENT).admin.invite("Invaller", SUBJECT_KIND_PERSON)
    keys = SecretKeys.generate()
    act = partial(accept_invitation, actors.world.connection, keys, invited.code)
    return Scene(act, "AcceptInvitation")


async def endorse(actors: Actors) -> Scene:
    """Somebody joins an excluded organisation: out of the case before the membership is in (T3)."""
    hired = await actors.contact(RECIPIENT)
    case = await actors.report(excluded_organisations=[actors.world.sector.organisation(OTHER)])
    await case.propose(RECIPIENT, [hired.client])
    await case.accepted()
    await succeeds(opening(case))
    admin, keys = actors.admin(OTHER).admin, SecretKeys.generate()
    subject = (await hired.client.me()).member.subject
    invited = await admin.invite("Invaller", SUBJECT_KIND_PERSON, subject=subject)
    joining = await accept_invitation(
        actors.world.connection, keys, invited.code, known_as=hired.client._credentials.keys
    )
    member = MemberClient(actors.world.connection, keys)
    return scene(
        case, lambda: admin.endorse(joining.name, keys.kid), "EndorseMember",
        shut=[opening(case)], ajar=[member.me, handling(case)],
    )  # fmt: skip


async def appoint(actors: Actors) -> Scene:
    hired = await actors.hire(RECIPIENT, "Contactpersoon")
    act = partial(actors.appoint, hired, RECIPIENT, CAPACITY_SAFETY_CONTACT)
    return Scene(act, "AppointMember", ajar=[hired.client.me])


async def register(actors: Actors) -> Scene:
    return Scene(partial(registered, actors), "RegisterProduction")


async def registered(actors: Actors) -> Any:
    """A new production."""
    start = datetime.now(UTC)
    return await actors.admin(LEAD).admin.register_production(TITLE, start, start + timedelta(days=30))


async def update_production(actors: Actors) -> Scene:
    production = (await registered(actors)).production
    production.title = "Een andere titel"
    return Scene(lambda: actors.admin(LEAD).admin.update_production(production), "UpdateProduction")


async def rotate_code(actors: Actors) -> Scene:
    production = (await registered(actors)).production
    return Scene(
        lambda: actors.admin(LEAD).admin.rotate_code(production.name), "RotateProductionCode",
        shut=[lambda: actors.public.circle(production.code)],
    )  # fmt: skip


async def propose_participation(actors: Actors) -> Scene:
    production = (await registered(actors)).production.name
    organisation = actors.world.sector.organisation(RECIPIENT)
    act = partial(actors.admin(LEAD).admin.propose_participation, production, organisation)
    return Scene(act, "ProposeParticipation")


async def accept_participation(actors: Actors) -> Scene:
    production = (await registered(actors)).production.name
    organisation = actors.world.sector.organisation(RECIPIENT)
    asked = await actors.admin(LEAD).admin.propose_participation(production, organisation)
    return Scene(
        lambda: actors.admin(RECIPIENT).admin.accept_participation(asked.name), "AcceptParticipation"
    )


def a_broadcaster(actors: Actors) -> Coroutine[Any, Any, Any]:
    """The secretariat admits somebody."""
    return actors.secretariat.secretariat.admit("Omroep Proef", Organisation.KIND_BROADCASTER, "Beheer")


async def admit(actors: Actors) -> Scene:
    return Scene(lambda: a_broadcaster(actors), "AdmitOrganisation")


async def leave(actors: Actors) -> Scene:
    organisation = (await a_broadcaster(actors)).organisation
    organisation.state = Organisation.STATE_LEFT
    return Scene(lambda: actors.secretariat.secretariat.update(organisation), "UpdateOrganisation")


async def endorse_admin(actors: Actors) -> Scene:
    admitted, keys = await a_broadcaster(actors), SecretKeys.generate()
    admin = await accept_invitation(actors.world.connection, keys, admitted.code)
    return Scene(
        lambda: actors.secretariat.secretariat.endorse_admin(admin.name, keys.kid), "EndorseAdmin",
        ajar=[MemberClient(actors.world.connection, keys).me],
    )  # fmt: skip


SCENES: Mapping[str, Callable[[Actors], Coroutine[Any, Any, Scene]]] = {
    "disclosure.ReporterService.SubmitReport": scenes.submit,
    "disclosure.ReporterService.PutSection": scenes.write,
    "disclosure.ReporterService.OpenSections": scenes.read_own,
    "disclosure.ReporterService.ChangeIntake": scenes.change_intake,
    "disclosure.ReporterService.GiveConsent": scenes.give,
    "disclosure.ReporterService.RefuseConsent": scenes.refuse,
    "disclosure.ReporterService.WithdrawConsent": scenes.withdraw,
    "disclosure.ReporterService.WithdrawReport": scenes.withdraw_report,
    "disclosure.ReporterService.Exclude": scenes.exclude,
    "disclosure.HandlerService.OpenSections": scenes.handle,
    "disclosure.HandlerService.PutSection": scenes.note,
    "disclosure.HandlerService.ProposeNotice": scenes.propose,
    "disclosure.HandlerService.RecordDecision": scenes.decide,
    "disclosure.ReaderService.AnswerTerms": scenes.accept,
    "disclosure.ReaderService.OpenSections": scenes.read,
    "disclosure.SeatService.RewrapSeat": rewrap,
    "disclosure.InternalService.EndSeats": remove,
    "disclosure.InternalService.RecordAffiliation": endorse,
    "disclosure.policy_sync": scenes.withdraw,
    "disclosure.inform": scenes.give,
    "disclosure.ended_followup": end_appointment,
    "disclosure.affiliation_followup": endorse,
    "coordination.HandlerService.AcknowledgeIncident": scenes.acknowledge_incident,
    "coordination.HandlerService.AssessIncident": scenes.assess,
    "coordination.ReaderService.AcknowledgeNotice": scenes.acknowledge_notice,
    "coordination.InternalService.Inform": scenes.give,
    "directory.EnrolmentService.AcceptInvitation": enrol,
    "directory.MemberService.BeginRotation": begin_rotation,
    "directory.MemberService.CompleteRotation": complete_rotation,
    "directory.AdminService.InviteMember": invite,
    "directory.AdminService.EndorseMember": endorse,
    "directory.AdminService.RemoveMember": remove,
    "directory.AdminService.RegisterProduction": register,
    "directory.AdminService.UpdateProduction": update_production,
    "directory.AdminService.RotateProductionCode": rotate_code,
    "directory.AdminService.ProposeParticipation": propose_participation,
    "directory.AdminService.AcceptParticipation": accept_participation,
    "directory.AdminService.EndParticipation": end_participation,
    "directory.AdminService.AppointMember": appoint,
    "directory.AdminService.EndAppointment": end_appointment,
    "directory.SecretariatService.AdmitOrganisation": admit,
    "directory.SecretariatService.UpdateOrganisation": leave,
    "directory.SecretariatService.EndorseAdmin": endorse_admin,
    "directory.SecretariatService.CloseParticipation": close_participation,
    "directory.sync_policy": appoint,
    "directory.end_seats": remove,
}
