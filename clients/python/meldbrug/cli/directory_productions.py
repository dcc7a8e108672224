"""Productions, who takes part in them, and the roles for them."""

# ruff: noqa: FBT002 - typer reads options off the signature, and a flag is a boolean with a default

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from meldbrug.client import MemberClient, name_of
from meldbrug.directory.v1 import directory_pb2 as wire

from .asking import agreed
from .labels import CAPACITIES, label
from .output import Screen, moment, plain
from .problems import Problem
from .running import as_member, settings_of

Production = Annotated[str, typer.Argument(help="productions/...")]
Participation = Annotated[str, typer.Argument(help="participations/...")]
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])]
ChangedDay = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
ChangedNumber = Annotated[str | None, typer.Option(help="empty when there is none any more")]
Confirmed = Annotated[bool, typer.Option("--yes", help="do not ask")]

production_app = typer.Typer(help="Producties / Productions.", no_args_is_help=True)
participation_app = typer.Typer(help="Wie meedoet / Who takes part.", no_args_is_help=True)
role_app = typer.Typer(
    help="Vertrouwenspersonen en contactpersonen / Counsellors and contacts.", no_args_is_help=True
)


@production_app.command("list")
def productions(context: typer.Context) -> None:
    """Producties waar je organisatie aan meedoet / Productions your organisation takes part in."""

    async def act(member: MemberClient, screen: Screen) -> None:
        found = [production async for production in member.productions()]
        if not screen.data({"items": [plain(production) for production in found]}):
            screen.table(
                ("title", "period", "code", "resource"),
                [
                    (
                        item.title,
                        f"{moment(item.start_time)[:10]} - {moment(item.end_time)[:10]}",
                        item.code,
                        item.name,
                    )
                    for item in found
                ],
            )

    as_member(context, act)


@production_app.command("register")
def register(
    context: typer.Context,
    title: Annotated[str, typer.Argument()],
    start: Day,
    end: Day,
    isan: Annotated[str, typer.Option()] = "",
    eidr: Annotated[str, typer.Option()] = "",
) -> None:
    """Een productie aanmelden die jullie leiden / Register a production that you lead."""

    async def act(member: MemberClient, screen: Screen) -> None:
        made = await member.admin.register_production(
            title, start.replace(tzinfo=UTC), end.replace(tzinfo=UTC), isan, eidr
        )
        content = {"production": plain(made.production), "participation": plain(made.participation)}
        if not screen.data(content):
            screen.line(f"{made.production.name}  {made.production.code}")

    as_member(context, act)


@production_app.command("update")
def update(
    context: typer.Context,
    production: Production,
    title: Annotated[str | None, typer.Option()] = None,
    start: ChangedDay = None,
    end: ChangedDay = None,
    isan: ChangedNumber = None,
    eidr: ChangedNumber = None,
) -> None:
    """Een productie veranderen die jullie leiden / Change a production that you lead; the rest stays."""
    said = {"title": title, "isan": isan, "eidr": eidr, "start_time": start, "end_time": end}
    changes = {field: value for field, value in said.items() if value is not None}
    if not changes:
        raise Problem(settings_of(context).words("say-what-changes"))

    async def act(member: MemberClient, screen: Screen) -> None:
        found = await _found(member, production)
        _change(found, changes)
        if not screen.data(plain(await member.admin.update_production(found))):
            screen.word("done")

    as_member(context, act)


@production_app.command("new-code")
def new_code(context: typer.Context, production: Production) -> None:
    """Een nieuwe code; de oude stopt meteen / A new code; the old one ends at once."""

    async def act(member: MemberClient, screen: Screen) -> None:
        found = await member.admin.rotate_code(production)
        if not screen.data(plain(found)):
            screen.line(found.code)

    as_member(context, act)


@participation_app.command("list")
def participations(context: typer.Context) -> None:
    """Waar je organisatie aan meedoet / What your organisation takes part in."""

    async def act(member: MemberClient, screen: Screen) -> None:
        found = [participation async for participation in member.admin.participations()]
        if not screen.data({"items": [plain(participation) for participation in found]}):
            screen.table(
                ("title", "production", "state", "resource"),
                [
                    (
                        item.production_title,
                        item.production,
                        label(screen.words, name_of(wire.Participation.State, item.state)),
                        item.name,
                    )
                    for item in found
                ],
            )

    as_member(context, act)


@participation_app.command("propose")
def propose(
    context: typer.Context,
    production: Production,
    organisation: Annotated[str, typer.Argument(help="organisations/...")],
) -> None:
    """Een organisatie vragen mee te doen / Ask an organisation to take part."""

    async def act(member: MemberClient, screen: Screen) -> None:
        _shown(screen, await member.admin.propose_participation(production, organisation))

    as_member(context, act)


@participation_app.command("accept")
def accept(context: typer.Context, participation: Participation) -> None:
    """Meedoen / Take part."""

    async def act(member: MemberClient, screen: Screen) -> None:
        _shown(screen, await member.admin.accept_participation(participation))

    as_member(context, act)


@participation_app.command("end")
def end(context: typer.Context, participation: Participation, yes: Confirmed = False) -> None:
    """Niet meer meedoen; jullie lezers kunnen niets meer openen / Stop taking part; readers stop reading."""

    async def act(member: MemberClient, screen: Screen) -> None:
        agreed(settings_of(context), screen.words("ask-remove"), yes=yes)
        _shown(screen, await member.admin.end_participation(participation))

    as_member(context, act)


@participation_app.command("close")
def close(context: typer.Context, participation: Participation, yes: Confirmed = False) -> None:
    """Als secretariaat een deelname beëindigen / End a participation as the secretariat."""

    async def act(member: MemberClient, screen: Screen) -> None:
        agreed(settings_of(context), screen.words("ask-remove"), yes=yes)
        _shown(screen, await member.secretariat.close_participation(participation))

    as_member(context, act)


@role_app.command("appoint")
def appoint(
    context: typer.Context,
    participation: Participation,
    member_kid: Annotated[str, typer.Argument(help="fingerprint of the member's key")],
    capacity: Annotated[str, typer.Option(help=", ".join(CAPACITIES))],
    role: Annotated[str, typer.Option(help="as shown to reporters and readers")],
    deputy_of: Annotated[str, typer.Option(help="appointments/... of whom to deputise for")] = "",
) -> None:
    """Iemand een rol geven / Give somebody a role."""
    if capacity not in CAPACITIES:
        raise Problem(f"a capacity is one of {', '.join(CAPACITIES)}")

    async def act(member: MemberClient, screen: Screen) -> None:
        kid = "".join(member_kid.split()).lower()
        contact = await member.admin.appoint(participation, kid, CAPACITIES[capacity], role, deputy_of)
        if not screen.data(plain(contact)):
            screen.line(contact.appointment)

    as_member(context, act)


@role_app.command("end")
def end_role(
    context: typer.Context,
    appointment: Annotated[str, typer.Argument(help="appointments/...")],
    yes: Confirmed = False,
) -> None:
    """Een rol beëindigen; lezen stopt meteen / End a role; reading stops at once."""

    async def act(member: MemberClient, screen: Screen) -> None:
        agreed(settings_of(context), screen.words("ask-remove"), yes=yes)
        if not screen.data(plain(await member.admin.end_appointment(appointment))):
            screen.word("done")

    as_member(context, act)


async def _found(member: MemberClient, name: str) -> wire.Production:
    async for production in member.productions():
        if production.name == name:
            return production
    raise Problem("there is no such production")


def _change(production: wire.Production, changes: Mapping[str, str | datetime]) -> None:
    for field, value in changes.items():
        if isinstance(value, datetime):
            getattr(production, field).FromDatetime(value.replace(tzinfo=UTC))
        else:
            setattr(production, field, value)


def _shown(screen: Screen, participation: wire.Participation) -> None:
    state = label(screen.words, name_of(wire.Participation.State, participation.state))
    if not screen.data(plain(participation)):
        screen.line(f"{participation.name}  {state}")
