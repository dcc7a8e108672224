"""The directory's commands for admins, members and the secretariat."""

# ruff: noqa: FBT002 - typer reads options off the signature, and a flag is a boolean with a default

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from meldbrug.client import Connection, MemberClient, PublicClient, accept_invitation, name_of
from meldbrug.common.v1 import common_pb2 as common
from meldbrug.directory.v1 import directory_pb2 as wire

from .asking import agreed, member_keys
from .choosing import show_circle
from .directory_productions import participation_app, production_app, role_app
from .keys import grouped
from .labels import label
from .output import Screen, plain
from .problems import Problem
from .running import as_anyone, as_member, connected, settings_of

KINDS = {
    "broadcaster": wire.Organisation.KIND_BROADCASTER,
    "producer": wire.Organisation.KIND_PRODUCER,
    "facility": wire.Organisation.KIND_FACILITY,
    "streaming": wire.Organisation.KIND_STREAMING,
    "umbrella": wire.Organisation.KIND_UMBRELLA,
    "independent-point": wire.Organisation.KIND_INDEPENDENT_POINT,
}
STATES = {
    "active": wire.Organisation.STATE_ACTIVE,
    "suspended": wire.Organisation.STATE_SUSPENDED,
    "left": wire.Organisation.STATE_LEFT,
}

Fingerprint = Annotated[
    str, typer.Option(help="as its holder read it out to you, spaces allowed; never copy it from a list")
]
Member = Annotated[str, typer.Argument(help="members/...")]

directory_app = typer.Typer(
    help="Organisaties, mensen, producties en rollen / Organisations, people, productions and roles.",
    no_args_is_help=True,
)
organisation_app = typer.Typer(help="Voor het secretariaat / For the secretariat.", no_args_is_help=True)
member_app = typer.Typer(help="Mensen en systemen / People and systems.", no_args_is_help=True)
directory_app.add_typer(organisation_app, name="organisation")
directory_app.add_typer(member_app, name="member")
directory_app.add_typer(production_app, name="production")
directory_app.add_typer(participation_app, name="participation")
directory_app.add_typer(role_app, name="role")


@directory_app.command("me")
def me(context: typer.Context) -> None:
    """Wie je hier bent / Who you are here."""

    async def act(member: MemberClient, screen: Screen) -> None:
        found = await member.me()
        content = {
            "member": plain(found.member),
            "organisation": plain(found.organisation),
            "roles": [plain(contact) for contact in found.contacts],
        }
        if screen.data(content):
            return
        screen.line(f"{found.member.title}, {found.organisation.title}", style="bold")
        screen.line(label(screen.words, name_of(wire.Member.State, found.member.state)))
        for contact in found.contacts:
            capacity = label(screen.words, name_of(common.Capacity, contact.capacity))
            screen.line(f"  {capacity}  {contact.participation}")

    as_member(context, act)


@directory_app.command("code")
def code(
    context: typer.Context, code: Annotated[str, typer.Argument(help="from poster or call sheet")] = ""
) -> None:
    """Wie meedoet aan een productie / Who takes part; without a code, the independent point."""

    async def act(public: PublicClient, screen: Screen) -> None:
        show_circle(screen, await public.circle(code.lower()) if code else await public.standing_entry())

    as_anyone(context, act)


@directory_app.command("circle")
def circle(
    context: typer.Context, production: Annotated[str, typer.Argument(help="productions/...")]
) -> None:
    """Wie meedoet aan een productie van jullie / Who takes part in a production of yours."""

    async def act(member: MemberClient, screen: Screen) -> None:
        show_circle(screen, await member.circle(production))

    as_member(context, act)


@directory_app.command("accept-invitation")
def accept(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="the invitation's code")],
    known_as: Annotated[
        Path | None,
        typer.Option(help="key file of a membership you have or had, if you are invited as yourself"),
    ] = None,
) -> None:
    """Je sleutel aanmelden met de code van een uitnodiging / Hand your key in with an invitation's code."""
    settings = settings_of(context)
    settings.require_installation()
    keys = member_keys(settings)
    former = member_keys(replace(settings, key_path=known_as)) if known_as else None

    async def act(connection: Connection) -> None:
        member = await accept_invitation(connection, keys, code.strip().lower(), known_as=former)
        screen = Screen(settings)
        if not screen.data(plain(member)):
            screen.word("waits-for-endorsement")
            screen.line(grouped(keys.kid), style="bold")

    connected(settings, act)


@organisation_app.command("list")
def organisations(context: typer.Context) -> None:
    """Alle organisaties / Every organisation."""

    async def act(member: MemberClient, screen: Screen) -> None:
        found = [organisation async for organisation in member.secretariat.organisations()]
        if not screen.data({"items": [plain(organisation) for organisation in found]}):
            screen.table(
                ("title", "kind", "state", "resource"),
                [
                    (
                        item.title,
                        name_of(wire.Organisation.Kind, item.kind).removeprefix("KIND_").lower(),
                        label(screen.words, name_of(wire.Organisation.State, item.state)),
                        item.name,
                    )
                    for item in found
                ],
            )

    as_member(context, act)


@organisation_app.command("admit")
def admit(
    context: typer.Context,
    title: Annotated[str, typer.Argument()],
    kind: Annotated[str, typer.Option(help=", ".join(KINDS))],
    admin: Annotated[str, typer.Option(help="name of its first admin as shown")],
    umbrella: Annotated[str, typer.Option(help="organisations/... it signs through")] = "",
) -> None:
    """Een organisatie toelaten / Admit an organisation and invite its first admin."""
    if kind not in KINDS:
        raise Problem(f"a kind is one of {', '.join(KINDS)}")

    async def act(member: MemberClient, screen: Screen) -> None:
        admitted = await member.secretariat.admit(title, KINDS[kind], admin, umbrella)
        content = {
            "organisation": plain(admitted.organisation),
            "admin": plain(admitted.admin),
            "code": admitted.code,
            "participation": admitted.participation.name,
        }
        if not screen.data(content):
            screen.word("hand-over-code", name=admin, code=admitted.code)

    as_member(context, act)


@organisation_app.command("set-state")
def set_state(
    context: typer.Context,
    organisation: Annotated[str, typer.Argument(help="organisations/...")],
    state: Annotated[str, typer.Argument(help=", ".join(STATES))],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Schorsen, weer toelaten of uitschrijven / Suspend, readmit or see off."""
    if state not in STATES:
        raise Problem(f"a state is one of {', '.join(STATES)}")

    async def act(member: MemberClient, screen: Screen) -> None:
        found = [item async for item in member.secretariat.organisations() if item.name == organisation]
        if not found:
            raise Problem("there is no such organisation")
        if state != "active":
            agreed(settings_of(context), screen.words("ask-remove"), yes=yes)
        found[0].state = STATES[state]
        if not screen.data(plain(await member.secretariat.update(found[0]))):
            screen.word("done")

    as_member(context, act)


@organisation_app.command("pending-admins")
def pending_admins(context: typer.Context) -> None:
    """Beheerders die op inschrijving wachten / Admins whose keys wait to be compared."""

    async def act(member: MemberClient, screen: Screen) -> None:
        _show_members(screen, [pending async for pending in member.secretariat.pending_admins()])

    as_member(context, act)


@organisation_app.command("endorse-admin")
def endorse_admin(context: typer.Context, member: Member, fingerprint: Fingerprint) -> None:
    """Een beheerder inschrijven na het vergelijken / Enrol an admin after comparing fingerprints."""

    async def act(client: MemberClient, screen: Screen) -> None:
        endorsed = await client.secretariat.endorse_admin(member, compared(fingerprint))
        if not screen.data(plain(endorsed)):
            screen.word("endorsed")

    as_member(context, act)


@member_app.command("list")
def members(context: typer.Context) -> None:
    """De mensen en systemen van je organisatie / Your organisation's people and systems."""

    async def act(member: MemberClient, screen: Screen) -> None:
        _show_members(screen, [each async for each in member.admin.members()])

    as_member(context, act)


@member_app.command("invite")
def invite(
    context: typer.Context,
    title: Annotated[str, typer.Argument(help="name as shown")],
    system: Annotated[bool, typer.Option("--system", help="a system, not a person")] = False,
    admin: Annotated[bool, typer.Option("--admin", help="to become an admin")] = False,
    subject: Annotated[str, typer.Option(help="persons/... who is known already")] = "",
) -> None:
    """Iemand uitnodigen / Invite somebody."""
    kind = common.SUBJECT_KIND_SYSTEM if system else common.SUBJECT_KIND_PERSON

    async def act(member: MemberClient, screen: Screen) -> None:
        invited = await member.admin.invite(title, kind, subject, admin=admin)
        if not screen.data({"member": plain(invited.member), "code": invited.code}):
            screen.word("hand-over-code", name=title, code=invited.code)

    as_member(context, act)


@member_app.command("endorse")
def endorse(context: typer.Context, member: Member, fingerprint: Fingerprint) -> None:
    """Iemand inschrijven na het vergelijken / Enrol somebody after comparing fingerprints."""

    async def act(client: MemberClient, screen: Screen) -> None:
        endorsed = await client.admin.endorse(member, compared(fingerprint))
        if not screen.data(plain(endorsed)):
            screen.word("endorsed")

    as_member(context, act)


@member_app.command("remove")
def remove(
    context: typer.Context,
    member: Member,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Iemand verwijderen; lezen stopt meteen / Remove somebody; reading stops at once."""

    async def act(client: MemberClient, screen: Screen) -> None:
        agreed(settings_of(context), screen.words("ask-remove"), yes=yes)
        if not screen.data(plain(await client.admin.remove(member))):
            screen.word("done")

    as_member(context, act)


def compared(fingerprint: str) -> str:
    """Returns a fingerprint as it was read out, without its spaces."""
    return "".join(fingerprint.split()).lower()


def _show_members(screen: Screen, found: list[wire.Member]) -> None:
    if screen.data({"items": [plain(member) for member in found]}):
        return
    screen.table(
        ("name", "state", "resource"),
        [
            (member.title, label(screen.words, name_of(wire.Member.State, member.state)), member.name)
            for member in found
        ],
    )
